"""What a plan is made from beside its suite, and the same as a release records it.

A planner asks for specs, hashes of files and hashes of weights, and does not know whether they come
from this machine (`InputsHere`) or from a release (`PlanInputs`). What it asked for is noted
(`Noted`), and is all that planning again needs: no data, no catalog, no weights.
"""

from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import Field, PlainSerializer

from harness.common.errors import SpecError
from harness.common.strict import Strict, later
from harness.sources.encoders import FoundEncoder, find
from harness.sources.locate import FilesHere, SplitFiles, TaskFiles, called, without_place
from harness.spec.encoder import Encoder
from harness.spec.suite import Suite, SuiteAsRun
from harness.spec.task import Source, Task
from harness.spec.versions import ResultVersions

Value = TypeVar("Value")
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Inputs(TaskFiles, Protocol):
    """Where a planner gets specs, files and weights."""

    def encoder(self, name: str) -> Encoder:
        """The spec of an encoder."""
        ...

    def found(self, encoder: Encoder) -> FoundEncoder:
        """Its files. MissingError if they are not there."""
        ...


class InputsHere(FilesHere):
    """The catalog, and the files of this machine."""

    def encoder(self, name: str) -> Encoder:
        """The spec of an encoder; SpecError with the nearest one otherwise."""
        return self.catalog.encoder(name)

    def found(self, encoder: Encoder) -> FoundEncoder:
        """As `sources.encoders.find`."""
        return find(encoder, self.where, self.index)


def _task(task: Task) -> dict[str, Any]:
    """A task as a release holds it: without what is for people only."""
    said = task.model_dump()
    said["about"] = {"title": task.about.title}
    said["source"] |= {"hint": None}
    return _without_places(said)


def _suite(suite: SuiteAsRun) -> dict[str, Any]:
    """A suite as a release holds it."""
    return _without_places(suite.model_dump())


def _without_places(said: dict[str, Any]) -> dict[str, Any]:
    """The same spec; files that it names by an absolute path are named without their folder."""
    found = {}
    for name, value in said.items():
        if isinstance(value, dict):
            value = _without_places(value)
        elif name in ("files", "label_file", "pool") and isinstance(value, str):
            value = without_place(value)
        found[name] = value
    return found


def _encoder(encoder: Encoder) -> dict[str, Any]:
    """An encoder as a release holds it: what it is, and not where it is looked for."""
    said = encoder.model_dump(include={"encoder", "version", "pretrained_on", "seen", "max_length"})
    said |= encoder.model_dump(include={"pooling", "layer", "prompts"})
    return said | {"source": {"hint": "as `weights` has it"}}


class RecordedFiles(Strict):
    """The files of one split, and how they were read."""

    sha256: list[Hash]
    format: str


class PlanInputs(Strict):
    """All that a plan was made from: with this, it is made again.

    files   task → its files, by what its source calls them
    labels  task → what its label file says, of tasks that have one
    """

    suite: Annotated[SuiteAsRun, PlainSerializer(_suite)]
    tasks: dict[str, Annotated[Task, PlainSerializer(_task)]]
    encoders: dict[str, Annotated[Encoder, PlainSerializer(_encoder)]]
    weights: dict[str, dict[str, Hash]]
    files: dict[str, dict[str, RecordedFiles]]
    labels_read: dict[str, list[str]] = later({})
    versions: ResultVersions

    def task(self, name: str) -> Task:
        """The task of that name, as it was then."""
        return _named(self.tasks, name, "task")

    def encoder(self, name: str) -> Encoder:
        """The spec of an encoder, as it was then."""
        return _named(self.encoders, name, "encoder")

    def found(self, encoder: Encoder) -> FoundEncoder:
        """An encoder's files by their recorded hashes; they lie nowhere."""
        files = _named(self.weights, encoder.encoder, "weights of encoder")
        identity = {"files": files, "max_length": encoder.max_length}
        return FoundEncoder(encoder.encoder, Path(), identity)

    def split(self, task: Task, source: Source, split: str, language: str) -> SplitFiles:
        """The recorded hashes of a split's files; they lie nowhere."""
        name = called(task, source, split, language)
        files = _named(self.files.get(task.task, {}), name, f"files of task {task.task}:")
        return SplitFiles(files.sha256, files.format, {})

    def labels(self, task: Task) -> list[str]:
        """What a task's label file said."""
        return _named(self.labels_read, task.task, "labels of task")


def _named(table: dict[str, Value], name: str, what: str) -> Value:
    if name not in table:
        raise SpecError(f"the release records no {what} {name}")
    return table[name]


class Noted:
    """Inputs, and a note of all that was asked of them."""

    def __init__(self, given: Inputs):
        self.given = given
        self.tasks: dict[str, Task] = {}
        self.encoders: dict[str, Encoder] = {}
        self.weights: dict[str, dict[str, str]] = {}
        self.files: dict[str, dict[str, RecordedFiles]] = {}
        self.labels_read: dict[str, list[str]] = {}

    def task(self, name: str) -> Task:
        """As the inputs."""
        self.tasks[name] = self.given.task(name)
        return self.tasks[name]

    def encoder(self, name: str) -> Encoder:
        """As the inputs."""
        self.encoders[name] = self.given.encoder(name)
        return self.encoders[name]

    def found(self, encoder: Encoder) -> FoundEncoder:
        """As the inputs."""
        found = self.given.found(encoder)
        self.weights[encoder.encoder] = found.identity["files"]
        return found

    def split(self, task: Task, source: Source, split: str, language: str) -> SplitFiles:
        """As the inputs."""
        found = self.given.split(task, source, split, language)
        files = RecordedFiles(sha256=found.sha256, format=found.format or "")
        name = called(task, source, split, language)
        if self.files.setdefault(task.task, {}).setdefault(name, files) != files:
            raise SpecError(
                f"{task.task}: two of its files would both be called {name} in a release, which"
                " names no folders of this machine; write paths from the YAML's folder"
            )
        return found

    def labels(self, task: Task) -> list[str]:
        """As the inputs."""
        self.labels_read[task.task] = self.given.labels(task)
        return self.labels_read[task.task]

    def all(self, suite: Suite, versions: ResultVersions) -> PlanInputs:
        """The note, of a plan for which nothing was missing."""
        return PlanInputs(
            suite=SuiteAsRun.model_validate(suite.model_dump(exclude={"changes"})),
            tasks=dict(sorted(self.tasks.items())),
            encoders=self.encoders,
            weights=self.weights,
            files={name: dict(sorted(of.items())) for name, of in sorted(self.files.items())},
            labels_read=dict(sorted(self.labels_read.items())),
            versions=versions,
        )
