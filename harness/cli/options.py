"""The options that more than one command has: name, help, parser and environment variable, once.

An option of one command only stands with that command. Options that always travel together are a
group: a dataclass, which a command takes as one parameter and `with_groups` spreads out for Typer.
Nothing heavy is imported here, since every `--help` reads this file.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.common import variables
from harness.run.here import DEFAULT_SUITE, catalog_of

if TYPE_CHECKING:
    from harness.engines.ray import RayCluster
    from harness.engines.slurm import Cluster
    from harness.run.choice import Choice
    from harness.sources.hub import Lock, Where
    from harness.spec.catalog import Catalog


def names_of(kind: str) -> Callable[[str], list[str]]:
    """What a shell completes a name of that kind of spec to."""

    def complete(incomplete: str) -> list[str]:
        known = getattr(catalog_of([]), f"{kind}s")
        return [name for name in known if name.startswith(incomplete)]

    return complete


def names_in(kind: str, role: str = "") -> Callable[[str], list[str]]:
    """What a shell completes the last name of a list with commas to; `role`: of tasks."""

    def complete(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        known = getattr(catalog_of([]), f"{kind}s").items()
        names = [name for name, spec in known if not role or role in spec.role]
        taken = before.split(",")
        return [
            f"{before}{comma}{name}"
            for name in names
            if name.startswith(begun) and name not in taken
        ]

    return complete


# One option each

SuiteName = Annotated[
    str | None,
    typer.Option(
        "--suite",
        "-s",
        show_default=f"{DEFAULT_SUITE}, unless an encoder and targets are given",
        help="Which suite, by name (`list suites`) or YAML file. The options below change it.",
        autocompletion=names_of("suite"),
    ),
]


def _device(given: str | None) -> str | None:
    if given is None:
        return None
    from harness.engines.process import chosen_gpus, gpus

    # said before anything is fetched; what a GPU takes can be planned without one
    if gpus() or not given.startswith("cuda"):
        chosen_gpus(given)
    return given


EncoderNames = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        "-e",
        metavar="NAME,...",
        help="A hub id (owner/name), a folder (./name), or a name of `list encoders`.",
        autocompletion=names_in("encoder"),
    ),
]
Intermediates = Annotated[
    list[str] | None,
    typer.Option(
        "--intermediate",
        metavar="TASK,...",
        show_default="none, the baseline alone, which always joins",
        help="What is trained on first, one condition each; `mnli+squad` is a mixture.",
        autocompletion=names_in("task", "intermediate"),
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--targets",
        metavar="TASK,...",
        help="What is evaluated.",
        autocompletion=names_in("task", "target"),
    ),
]
Trained = Annotated[
    list[str] | None,
    typer.Option(
        "--trained",
        metavar="TASK=MODEL",
        help=(
            "A model that was fine-tuned on TASK already, scored without training on the targets"
            " that train on it; MODEL:LABEL,... where its config.json names no labels. Repeatable."
        ),
    ),
]
Seeds = Annotated[
    list[str] | None,
    typer.Option("--seeds", metavar="N,...", show_default="1,2,3", help="One run for each."),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(
        "--languages",
        metavar="CODE,...",
        show_default="all",
        help="Of the targets; English stays in where a target has it.",
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        show_default="default",
        help="Recipes and settings by name (`list protocols`).",
        autocompletion=names_of("protocol"),
    ),
]
PrecisionName = Annotated[
    Literal["fp32", "tf32", "bf16"] | None,
    typer.Option("--precision", help="Of every model; bf16 needs a GPU."),
]
MaxTrainRows = Annotated[
    int | None,
    typer.Option(
        "--max-train-rows",
        metavar="N",
        help=(
            "At most N training rows a task. Few rows do not make it short: with the default"
            " protocol they are read again for at least 200 updates."
        ),
    ),
]
MadeName = Annotated[
    str | None,
    typer.Option("--name", help="What the suite that these options make is called."),
]


def _device_option(help_text: str, callback: Callable[[str | None], str | None] | None) -> Any:
    return typer.Option(
        "--device",
        callback=callback,
        envvar=variables.DEVICE,
        metavar="DEVICE",
        show_default="GPUs, else the CPU",
        help=help_text,
    )


Device = Annotated[
    str | None,
    _device_option(
        "Where workers compute: cpu, cuda (all GPUs), cuda:1 (the second), mps.", _device
    ),
]
PlannedDevice = Annotated[
    str | None,
    _device_option("What the hours are for: as eval's, or cards elsewhere: 8xA100,H100.", None),
]
PlannedGpus = Annotated[
    list[str] | None,
    typer.Option(
        "--gpus",
        metavar="N,...",
        help="A table of hours and disk on so many GPUs: 1,8,64; of --device, else A100.",
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
    typer.Option("--limit", "-L", metavar="N", help="At most N test rows: partial, no release."),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="NAME,...",
        help="Do without this task or condition (no licence, no data); the board says so.",
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        envvar=variables.DATA_ROOT,
        exists=True,
        file_okay=False,
        help="Folder in the hub's layout, searched before the hub.",
    ),
]
EncoderRoot = Annotated[
    Path | None,
    typer.Option(
        envvar=variables.ENCODER_ROOT,
        exists=True,
        file_okay=False,
        help="Folder with one folder per encoder.",
    ),
]
Specs = Annotated[
    list[Path] | None,
    typer.Option(
        "--specs",
        "-t",
        metavar="PATH",
        help="A folder or file of your own YAML specs; ./tasks is read anyway.",
    ),
]
LockFile = Annotated[
    Path | None,
    typer.Option(
        "--lock",
        envvar=variables.LOCK,
        dir_okay=False,
        help="Names the exact data; ./xstilts.lock.json is read anyway.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]
StoreDir = Annotated[
    Path, typer.Option("--store", envvar=variables.STORE, help="Where job results are kept.")
]
BoardDir = Annotated[
    Path,
    typer.Option(
        "--board",
        envvar=variables.BOARD,
        help="Where releases are kept; in a checkout `leaderboard` has the project's own.",
    ),
]


def _workers(given: str) -> int:
    if given == "auto":
        from harness.run.room import AUTO

        return AUTO
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    raise typer.BadParameter(f"{given}: write a number from 1, or auto")


Workers = Annotated[
    int | None,
    typer.Option(
        parser=_workers,
        metavar="N|auto",
        help="Default: one per GPU, or per CPU core. auto: as many as a GPU has memory for.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]

BenchmarkName = Annotated[
    Literal["xtreme", "xtreme-r"],
    typer.Option("--benchmark", help="Whose folder it is; XTREME-R's has no files of LAReQA."),
]

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

    suite: SuiteName = None
    encoders: EncoderNames = None
    intermediate: Intermediates = None
    targets: Targets = None
    trained: Trained = None
    seeds: Seeds = None
    languages: Languages = None
    protocol: ProtocolName = None
    precision: PrecisionName = None
    max_train_rows: MaxTrainRows = None
    name: MadeName = None
    everything: All = False
    limit: Limit = None
    left_out: Without = None

    def choice(self) -> "Choice":
        """As `run` takes it. SpecError as `OneLine.of`."""
        from harness.run.choice import Choice
        from harness.spec.oneline import OneLine, count_of, listed

        line = OneLine.of(
            self.encoders,
            self.intermediate,
            self.targets,
            self.trained,
            self.seeds,
            self.languages,
            self.protocol,
            self.precision,
            self.max_train_rows,
            self.name,
        )
        suite = self.suite or (None if line else DEFAULT_SUITE)
        left_out, limit = listed("without", self.left_out), count_of("limit", self.limit)
        return Choice(suite, self.everything, limit, left_out, line)


def _slurm(*names: str, **more: Any) -> Any:
    return typer.Option(*names, rich_help_panel="On a cluster (--engine slurm)", **more)


# engine → the options of `ClusterChoice` that it takes
TAKES = {
    "slurm": {"gpus", "agents", "time", "partition", "sbatch", "python"},
    "ray": {"gpus", "address"},
}


@dataclass(frozen=True)
class ClusterChoice:
    """What engines `slurm` and `ray` ask for."""

    gpus: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="On a cluster (--engine slurm, --engine ray)",
            min=1,
            help="So many agents (slurm) or workers (ray; default: all GPUs) with a GPU each.",
        ),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="On a cluster (--engine ray)",
            metavar="HOST:PORT",
            show_default="RAY_ADDRESS, else the cluster of which this host is a node",
            help="Of the Ray cluster, as `ray start --head` says it.",
        ),
    ] = None
    agents: Annotated[
        int | None, _slurm(min=1, help="So many agents without a GPU, each with --workers cores.")
    ] = None
    time: Annotated[
        str | None,
        _slurm(
            metavar="LIMIT",
            help=(
                "Of each agent, as sbatch has it: 4:00:00. When it nears, an agent saves and"
                " queues again."
            ),
        ),
    ] = None
    partition: Annotated[str | None, _slurm(help="Which, if not the default.")] = None
    sbatch: Annotated[
        list[str] | None,
        _slurm(metavar="OPTION", help="One more for sbatch: --sbatch=--account=abc; repeatable."),
    ] = None
    python: Annotated[
        str | None,
        _slurm(
            metavar="COMMAND",
            show_default="this one",
            help="How a node starts Python: 'apptainer exec --nv image.sif python3'.",
        ),
    ] = None

    def cluster(self, engine: str, workers: int | None) -> "Cluster | RayCluster | None":
        """As that engine takes it; None for one that takes none.

        raises  SpecError: what does not go together. MissingError: a package that is not here
        """
        from harness.common.errors import SpecError

        asked = {name for name, value in vars(self).items() if value is not None}
        for name in sorted(asked - TAKES.get(engine, set())):
            takers = [f"--engine {other}" for other, names in TAKES.items() if name in names]
            raise SpecError(f"--{name}: only with {' or '.join(takers)}")
        if engine not in TAKES:
            return None
        if engine == "slurm":
            return self._slurm(workers)

        from harness.engines.ray import RayCluster

        if workers == 0:
            raise SpecError("--workers auto: not with --engine ray, which puts one on each GPU")
        if self.gpus and workers:
            raise SpecError("--engine ray: --gpus N (a GPU each) or --workers N, not both")
        return RayCluster(self.address, self.gpus)

    def _slurm(self, workers: int | None) -> "Cluster":
        """As `slurm` takes it."""
        from harness.common.errors import SpecError
        from harness.engines.slurm import Cluster

        if workers == 0 and self.agents:
            raise SpecError(
                "--workers auto: it counts on a GPU; with --agents give the cores of each"
            )
        if (self.gpus is None) == (self.agents is None):
            raise SpecError(
                "--engine slurm: say how many agents, --gpus N (one GPU each) or --agents N (CPUs)"
            )
        cluster = Cluster(
            self.gpus or self.agents or 1,
            time=self.time,
            partition=self.partition,
            options=tuple(self.sbatch or ()),
            command=tuple(sys.argv[1:]),
            cwd=str(Path.cwd()),
        )
        if self.agents:
            cluster = replace(cluster, gpus=0, cores=workers or 1)
        return replace(cluster, python=self.python) if self.python else cluster


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
