"""Standard output and error as every command uses them: neutral text, any encoding, any reader,
full or closed.

`terminal()` stands around the whole of a command. Text is made neutral here and not at each
`print`, so that no path is left out. Rich's own colours are put on after that: its consoles
(`console`) are neutral themselves and write past the filter.
"""

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from harness.common.text import escaped, neutral

if TYPE_CHECKING:  # Rich takes a while to wake
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

# what libraries read with int(), and the most we let by
WIDTHS = {"COLUMNS": 10_000, "LINES": 10_000, "TERMINAL_WIDTH": 10_000}
PIPE, FULL = 141, 74  # exit codes; 141 is what a shell says of a program that SIGPIPE ended


class Stream:
    """A text stream that shows what is hidden, and ends the program when nobody can read on.

    `painted` writes to the same place as it is: for a library that has made its text neutral and
    then put colours on.
    """

    def __init__(self, raw: TextIO, filtered: bool = True):
        self.raw = raw
        self._shown = neutral if filtered else str
        self.painted = Stream(raw, filtered=False) if filtered else self

    def write(self, text: str) -> int:
        shown = self._shown(text)
        with self._ending():
            self.raw.write(shown)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for one in lines:
            self.write(one)

    def flush(self) -> None:
        with self._ending():
            self.raw.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """An exit, so that no handler of errors on the way takes the loss of our output for a
        trouble of its own."""
        try:
            yield
        except OSError as error:
            # what is still in the buffer goes nowhere, without a second error
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.raw.fileno())
            if isinstance(error, BrokenPipeError):
                raise SystemExit(PIPE) from None
            if self.raw is not sys.__stderr__:
                print(
                    f"cannot write to standard output: {error.strerror}",
                    file=sys.stderr,
                    flush=True,
                )
            raise SystemExit(FULL) from None


@contextmanager
def terminal() -> Iterator[None]:
    """Around a command: standard streams that are there, neutral and never a reason for a
    traceback."""
    _sane_widths()
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free, which is 0
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        _stream(number, name) for number, name in ((1, "stdout"), (2, "stderr"))
    )
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            sys.stdout, sys.stderr = before


def _stream(number: int, name: str) -> Stream:
    raw = getattr(sys, name)
    # closed by whoever started us: whatever is opened next would get its number, a result's file
    # too
    if raw is None:
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
        os.set_inheritable(number, True)
        raw = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the process ends
        setattr(sys, name, raw)
        setattr(sys, f"__{name}__", raw)
    if hasattr(raw, "reconfigure"):
        raw.reconfigure(errors="xstilts-escape")
    return Stream(raw)


def _unencodable(error: UnicodeError) -> tuple[str, int]:
    """What the stream's encoding does not have, as JSON writes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return escaped(error.object[error.start : error.end]), error.end


codecs.register_error("xstilts-escape", _unencodable)


def _sane_widths() -> None:
    """Forget a width that is no width: libraries read it with int(), here and in the processes that
    we start."""
    for name, most in WIDTHS.items():
        value = os.environ.get(name, "1")
        if not (value.isascii() and value.isdigit() and len(value) < 9 and 0 < int(value) <= most):
            del os.environ[name]


def console(stream: TextIO | None = None, width: int | None = None) -> "Console":
    """A Rich console that shows what is hidden in the text it is given, and writes its own colours
    as they are."""
    from rich.console import Console

    class Neutral(Console):
        def render_str(self, text: str, **how: Any) -> "Text":
            return super().render_str(neutral(text), **how)

        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=neutral(segment.text))

    out = stream or sys.stdout
    return Neutral(file=getattr(out, "painted", out), width=width)
