"""The options that more than one command has: name, help, parser and environment variable, once.

An option of one command only stands with that command. Options that always travel together are a
group: a dataclass, which a command takes as one parameter and `with_groups` spreads out for Typer.
Nothing heavy is imported here, since every `--help` reads this file.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from harness.run.steps import Choice
    from harness.sources.hub import Lock, Where
    from harness.spec.catalog import Catalog

DEFAULT_SUITE = "mini"
# One folder of the working directory holds what its user computed. The project's own releases, in a
# checkout's `leaderboard/`, are read and written only by who names them: `--board leaderboard`.
STORE, BOARD = Path("runs/store"), Path("runs/board")
HERE = Path("tasks")  # specs in a folder of that name are read without being asked for


def catalog_of(own: list[Path] | None, all_sound: bool = True) -> "Catalog":
    """The built-in specs, those of ./tasks and those of `own` files and folders.

    raises  SpecError: one is wrong, where all of them must be sound
    """
    from harness.spec.catalog import Catalog

    return Catalog.load(([HERE] if HERE.is_dir() else []) + (own or []), all_sound)


def names_of(kind: str) -> Callable[[str], list[str]]:
    """What a shell completes a name of that kind of spec to."""

    def complete(incomplete: str) -> list[str]:
        known = getattr(catalog_of([]), f"{kind}s")
        return [name for name in known if name.startswith(incomplete)]

    return complete


# One option each

SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        "-s",
        help="Which suite; `list suites` names them.",
        autocompletion=names_of("suite"),
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all", help="Every target and condition of the suite, and every task of your own folder."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", "-L", min=1, help="At most N test rows: partial, no release."),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        help="Do without this task or condition (no licence, no data); the board says so.",
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="XSTILTS_DATA_ROOT",
        exists=True,
        file_okay=False,
        help="Folder in the hub's layout, searched before the hub.",
    ),
]
EncoderRoot = Annotated[
    Path | None,
    typer.Option(
        envvar="XSTILTS_ENCODER_ROOT",
        exists=True,
        file_okay=False,
        help="Folder with one folder per encoder.",
    ),
]
Specs = Annotated[
    list[Path] | None,
    typer.Option(
        "--specs", "-t", help="A folder or file of your own YAML specs; ./tasks is read anyway."
    ),
]
LockFile = Annotated[
    Path | None,
    typer.Option(
        "--lock",
        envvar="XSTILTS_LOCK",
        dir_okay=False,
        help="Names the exact data; ./xstilts.lock.json is read anyway.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]
StoreDir = Annotated[
    Path, typer.Option("--store", envvar="XSTILTS_STORE", help="Where job results are kept.")
]
BoardDir = Annotated[
    Path,
    typer.Option(
        "--board",
        envvar="XSTILTS_BOARD",
        help="Where releases are kept; in a checkout `leaderboard` has the project's own.",
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Default: one per GPU, or per CPU core.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]

RELEASE = "a number, a name, a suite (its latest), or a file"
Release = Annotated[
    str | None, typer.Argument(help=f"{RELEASE[0].upper()}{RELEASE[1:]}. Default: the latest.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Tasks, encoders and suites by name.", autocompletion=names_of("task")),
]
Suites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite", "-s", help="What this suite reads; repeatable.", autocompletion=names_of("suite")
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--all", help="Also what the tasks, suites and encoders of your own folders read."
    ),
]


# Options that travel together


@dataclass(frozen=True)
class Sources:
    """Where data and encoders lie, and the user's own specs."""

    data_root: DataRoot = None
    encoder_root: EncoderRoot = None
    specs: Specs = None
    lock: LockFile = None

    def catalog(self) -> "Catalog":
        """All specs, as `catalog_of`."""
        return catalog_of(self.specs)

    def where(self, offline: bool = False) -> "Where":
        """Where to look, held against the lock if there is one. SpecError if it is no lock file."""
        from harness.sources.lock import read_lock

        return self.locked_by(read_lock(self.lock), offline)

    def locked_by(self, lock: "Lock | None", offline: bool = False) -> "Where":
        """The same, held against a lock that was read."""
        from harness.sources.hub import Where

        return Where(self.data_root, self.encoder_root, offline, lock)


@dataclass(frozen=True)
class SuiteChoice:
    """Which suite, and how it is changed."""

    suite: SuiteName = DEFAULT_SUITE
    everything: All = False
    limit: Limit = None
    left_out: Without = None

    def choice(self) -> "Choice":
        """As `run` takes it."""
        from harness.run.steps import Choice

        return Choice(self.suite, self.everything, self.limit, tuple(self.left_out or ()))


@dataclass(frozen=True)
class DataWanted:
    """What data are asked for, by name."""

    names: Names = None
    suites: Suites = None
    everything: Everything = False

    def __bool__(self) -> bool:
        return bool(self.names or self.suites or self.everything)


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command with groups among its parameters, as Typer needs it.

    Typer makes options of a function's parameters. So it is shown a function on which the fields of
    each group stand in the group's place; that one makes the groups of what it is given, and calls
    the command.
    """
    groups: dict[str, Any] = {}
    shown: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        if not is_dataclass(parameter.annotation):
            shown.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = parameter.annotation
        for field in fields(parameter.annotation):
            as_parameter = Parameter(
                field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
            )
            shown.append(as_parameter)

    @wraps(command)
    def filled(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    filled.__signature__ = Signature(shown)  # type: ignore[attr-defined] # what `signature` reads
    return filled
