"""What the commands share: the Typer apps, printing, and `main`."""

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.common import streams, variables
from harness.common.errors import HarnessError, RefusedError, SpecError, StoreError
from harness.common.signals import stop
from harness.common.text import line, short

if TYPE_CHECKING:
    from rich.console import Console

    from harness.store import Store

app = typer.Typer(
    help=(
        "Does English intermediate-task training help zero-shot cross-lingual transfer? Trains,"
        " evaluates, keeps a leaderboard."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
leaderboard_app = typer.Typer(help="Show and render releases.", no_args_is_help=True)
cache_app = typer.Typer(help="Look after the store of job results.", no_args_is_help=True)
job_app = typer.Typer(help="Run single jobs of a plan (what workers do).", no_args_is_help=True)
runs_app = typer.Typer(help="Runs that agents do on a cluster.", no_args_is_help=True)
app.add_typer(leaderboard_app, name="leaderboard")
app.add_typer(cache_app, name="cache")
app.add_typer(job_app, name="job")
app.add_typer(runs_app, name="runs")


def _version(wanted: bool) -> None:
    if wanted:
        from harness import __version__

        print(f"xstilts-harness {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Does English intermediate-task training help zero-shot cross-lingual transfer? Trains,
    evaluates, keeps a leaderboard."""
    # else every relative path, ./tasks and ./runs among them, would mean nothing
    try:
        Path.cwd()
        os.stat("./.")  # noqa: PTH116 - a Path drops the dot that asks for the right to look into it
    except OSError as error:
        raise StoreError(
            f"the working directory cannot be read ({error.strerror}); go to one that exists"
        ) from None


def store_to_read(folder: Path) -> "Store":
    """The store, for a command that changes no result in it: one that may only be read will do,
    made if it can be made."""
    from harness.store import Store

    try:
        return Store(folder)
    except StoreError as error:
        try:
            return Store(folder, writable=False)
        except StoreError:
            raise error from None


def console() -> "Console":
    """Standard output in colour; where it is no terminal, wide enough for a table."""
    columns = int(os.environ.get("COLUMNS", 0))  # a number, or `streams` has taken it out
    return streams.console(sys.stdout, None if sys.stdout.isatty() else max(160, columns))


def say(text: str) -> None:
    """A line for a person who watches: stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """What `--json` prints."""
    print(json.dumps(data, indent=1, ensure_ascii=False))


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """One line a row, under the names of its values."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("nothing here")
        return
    from tabulate import tabulate

    shown = [list(map(line, row.values())) for row in rows]
    print(tabulate(shown, headers=list(rows[0]), tablefmt="plain", disable_numparse=True))


def main() -> None:
    """The console script: turns errors a user can act on into one clear message and their exit
    code."""
    with stop.heard(), streams.terminal():  # a signal ends it here, with 143 or 130
        _main()


# What a system refuses and a user can change, where no room has found better words for it; not a
# missing file, which is a bug.
REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG),
    *(
        errno.ELOOP,
        errno.EIO,
        errno.ESTALE,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOTDIR,
        errno.EISDIR,
    ),
}


# Options that had another name. Typer would offer what looks like the old one: --targets.
RENAMED = {"--tasks": "--specs"}


def _arguments(given: Sequence[str]) -> Iterator[str]:
    """The arguments, with the home folder for a `~` that the shell left (--store=~/runs). SpecError
    for a name that is no more, and for nothing: it would be the folder here, or the default."""
    before = "xstilts-harness"
    for argument in given:
        name, equals, value = argument.partition("=")
        if name in RENAMED:
            raise SpecError(f"{name} is now called {RENAMED[name]}")
        is_option = bool(equals) and name.startswith("-")
        if not (value if is_option else argument):
            raise SpecError(
                f"{name if is_option else before}: the text behind it is empty; a variable that is"
                " not set?"
            )
        home = variables.at_home
        yield f"{name}={home(value)}" if is_option else home(argument)
        before = argument


def _main() -> None:
    try:
        variables.settle_places()
        app(list(_arguments(sys.argv[1:])))
    except HarnessError as error:
        if stop.asked:
            return  # what an interrupted call made of it
        prefix = "refused: " if isinstance(error, RefusedError) else ""
        say(short(f"{prefix}{error}"))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in REFUSALS or error.filename is None:
            raise
        say(short(f"{line(os.fspath(error.filename))}: {error.strerror}"))
        sys.exit(StoreError.exit_code)
