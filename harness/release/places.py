"""Text about a run, without the places of the machine it ran on.

A command, a note or an error message may name folders: of somebody's home, of a mount, of a scratch
disk. In a release's sidecar a folder inside the working directory stands relative to it, any other
as its last part, a home directory as "~".
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# An absolute path within a text, or one from a home. What a word, a dot or a slash precedes is
# none: and/or, https://x, ./x.
ABSOLUTE = re.compile(r"(?:\bfile://|(?<![\w./~-]))(?:~[\w.-]*)?(?:/[^\s/:;,'\"`()<>]+)+/?")
# An argument that is a path from somewhere else, or an option that is given one: --store=/x, -t/x,
# ../x
_ARGUMENT = re.compile(
    r"(--[\w-]+=|-\w=?)?((?:file://)?(?:/|~[\w.-]*(?:/|$)|\.\.(?:/|$)).*)", re.DOTALL
)
_HOMES = re.compile(r"/(?:home|Users)/[^/]+|/root|~[\w.-]*")


def command(arguments: Sequence[str]) -> str:
    """The command line with these arguments, as a shell reads it, each path of this machine as
    `place` writes it."""
    return shlex.join(["xstilts-harness", *map(_argument, arguments)])


def without_places(value: Any) -> Any:
    """The same document, with each absolute path in a name or a text of it as `place` writes it."""
    if isinstance(value, dict):
        return _renamed(value)
    if isinstance(value, (list, tuple)):
        return [without_places(one) for one in value]
    return _text(value) if isinstance(value, str) else value


def place(path: str) -> str:
    """A path as a stranger may read it: relative where it lies in the working directory, else its
    last part."""
    path, here = path.removeprefix("file://"), _here()
    if here and not path.startswith("~"):
        for there in (os.path.normpath(Path(here, path)), os.path.realpath(path)):
            if Path(there).is_relative_to(here):
                return os.path.relpath(there, here)
    whole = path.rstrip("/")
    if whole == _home() or _HOMES.fullmatch(whole):
        return "~"
    return Path(whole).name or "/"


def _here() -> str:
    """The working directory; "" where there is none, or it holds everything."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        return ""
    return here if here != "/" else ""


def _home() -> str:
    """This user's home directory; "" where there is none, or it holds everything."""
    try:
        home = str(Path.home())
    except RuntimeError:  # a user of whom the system knows no more than a number
        return ""
    return home if home != "/" else ""


def _argument(word: str) -> str:
    found = _ARGUMENT.fullmatch(word)
    return (found[1] or "") + place(found[2]) if found else _text(word)


def _text(text: str) -> str:
    """Folders known by name go first: they may have blanks in them, which end a path that is found
    by its shape."""
    if here := _here():
        text = _known(here).sub(lambda found: "" if found[1] else ".", text)
    if home := _home():
        text = _known(home).sub(lambda found: f"~{found[1]}", text)
    return ABSOLUTE.sub(lambda found: place(found[0]), text)


def _known(folder: str) -> re.Pattern[str]:
    """That folder in a text, and the slash after it if something follows."""
    return re.compile(rf"(?<![\w./~-]){re.escape(folder)}(/|(?![\w.-]))")


def _renamed(value: dict[str, Any]) -> dict[str, Any]:
    """Two files of one name in two folders stay two."""
    made: dict[str, Any] = {}
    for name, one in value.items():
        short = without_places(name)
        while short in made:
            short += "+"
        made[short] = without_places(one)
    return made
