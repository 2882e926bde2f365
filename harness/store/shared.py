"""What network disks do to names and open files, and how to ask them once more.

A client remembers for up to a minute that a name was absent (NFS, FUSE), though another machine has
made it since; but it asks the server before it makes that name itself. And what another machine
replaced under our eyes is ESTALE, once.
"""

import errno
import functools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

_PAUSES = (0.0, 0.05, 0.5, 2.0)  # seconds before each further attempt

P = ParamSpec("P")
T = TypeVar("T")


def asks_again(call: Callable[P, T]) -> Callable[P, T]:
    """`call`, made anew when the disk says ESTALE: it has to open what it reads by name, and may be
    done twice."""

    @functools.wraps(call)
    def asking(*args: P.args, **kwargs: P.kwargs) -> T:
        for pause in _PAUSES:
            try:
                return call(*args, **kwargs)
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
            time.sleep(pause)
        return call(*args, **kwargs)

    return asking


@asks_again
def absent(path: Path) -> bool:
    """Whether there is no `path`, by the server's word: a directory of that name can be made. It
    goes at once; killed in between, an empty one is left. OSError if none can be made for another
    reason."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return unmade(path)  # else somebody's was renamed onto it


def insist(read: Callable[[Path], T], path: Path) -> T:
    """`read(path)`; once more if its directory lists the file, though it could not be opened."""
    try:
        return read(path)
    except FileNotFoundError:
        with suppress(OSError):
            if path in path.parent.iterdir() and not absent(path):
                return read(path)
        raise


@asks_again
def blank(path: Path) -> bool:
    """Whether there is nothing: no `path`, or an empty directory, as a killed `absent` leaves
    one."""
    try:
        with os.scandir(path) as entries:
            return not any(entries)
    except FileNotFoundError:
        return not path.is_symlink()
    except NotADirectoryError:
        return False


def unmade(path: Path) -> bool:
    """Remove an empty directory; whether `path` was one."""
    try:
        path.rmdir()
    except OSError:
        return False
    return True
