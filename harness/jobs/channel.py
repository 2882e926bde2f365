"""The pipes between a driver and its worker, out of reach of everything else that runs in the
worker.

Keys come in on file descriptor 0 and events go out on 1, where any library may ask (a prompt) or
print. `take` moves the pipes to descriptors that only the worker knows: what is then asked gets no
answer, and what is printed goes to the log.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from typing import NamedTuple, TextIO


class Channel(NamedTuple):
    """What a worker hears and what it says, a line each."""

    keys: TextIO
    events: TextIO


def take() -> Channel:
    """The channel of this process. To be called before anything heavy is imported: imports print
    too."""
    keys, events = os.dup(0), os.dup(1)  # not inherited by what this process starts
    _redirect()
    os.register_at_fork(after_in_child=lambda: _let_go(keys, events))
    with suppress(BrokenPipeError):
        os.write(events, b"\n")  # ends a line that somebody began before us
    return Channel(os.fdopen(keys, encoding="utf-8"), os.fdopen(events, "w", encoding="utf-8"))


@contextmanager
def away() -> Iterator[None]:
    """While this runs, what is printed goes to stderr and nothing can be read from stdin; then all
    is as before."""
    kept = {}
    for fd in (0, 1):
        with suppress(OSError):  # closed by whoever started us
            kept[fd] = os.dup(fd)
    _redirect()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what C code has printed and not yet written
        for fd, before in kept.items():
            os.dup2(before, fd)
            os.close(before)


def _redirect() -> None:
    """File descriptor 0 becomes empty, 1 what 2 is."""
    if sys.stdout is not None:
        sys.stdout.flush()
        if isinstance(sys.stdout, TextIOWrapper):  # else no stream of a file: a test's
            sys.stdout.reconfigure(line_buffering=True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing:
        os.close(nothing)
    with suppress(OSError):
        os.dup2(2, 1)


def _let_go(*fds: int) -> None:
    """In a forked child: it must neither eat keys, nor keep the driver from seeing that the worker
    has ended."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in fds:
        os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)
