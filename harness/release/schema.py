"""The content document of a release as models: what may stand where, and nothing else.

    python -m harness.release.schema > leaderboard/release.schema.json       after every change here

A vector is `harness.metrics.vectors.pack` of a list. A field with a default may be absent.
"""

import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from harness.common.strict import Strict, later
from harness.metrics.vectors import unpack
from harness.plan.recorded import PlanInputs
from harness.release.schema_derived import Derived, Hash, PerLanguage, Phase
from harness.spec.formats import Conll
from harness.spec.hypothesis import Hypothesis
from harness.spec.recipe import Cut, Precision, Recipe, Recipes, Setting
from harness.spec.regime import Regime
from harness.spec.sampler import Sampler
from harness.spec.suite import Caps, Finished, SplitRule, Subset, Waived
from harness.spec.task import Difficulty

Vector = Annotated[str, Field(pattern=r"^(\d*|(-?\d[\d.e+-]*,)+)$")]
Kind = Literal["baseline", "task", "mixture", "subset", "control"]
Control = Literal["shuffled_labels", "masked_lm"]
# A cut says what it replaces, and nothing of the rest.
BriefCut = Annotated[Cut, PlainSerializer(lambda cut: cut.model_dump(exclude_none=True))]


# Declared facts


class SuiteFacts(Strict):
    """The experiment; `recipes`, `settings` and `cuts` with its protocol's filled in.
    `average_over`: the target tasks of the headline average; none named: all of them."""

    name: str
    version: PositiveInt
    about: str
    smoke: bool
    seeds: list[NonNegativeInt]
    protocol: str | None
    left_out: list[str]
    waives: list[Waived]
    split_rule: SplitRule
    pvi: bool
    caps: Caps
    task_caps: dict[str, Caps]
    cuts: dict[str, BriefCut]
    recipes: Recipes
    settings: dict[str, Setting]
    average_over: list[str] = later([])
    trained: dict[str, Finished] = later({})
    regimes: dict[str, Regime] = later({})
    hypotheses: list[Hypothesis] = later([])


class EncoderFacts(Strict):
    version: PositiveInt
    pretrained_on: str
    seen: list[str]
    files: dict[str, Hash]
    max_length: PositiveInt


class TrainedRun(Strict):
    encoder: str
    seed: NonNegativeInt
    key: Hash


class ArmFacts(Strict):
    """`of`: the one task it is, or is made from. `cut`: its rows, in place of those that the
    suite's cut of the task gives. The baseline has no field with a default."""

    intermediate: list[str] | None
    kind: Kind
    of: str | None
    shown: str
    cut: BriefCut | None
    difficulty: Difficulty | None
    trained: list[TrainedRun]
    versions: dict[str, PositiveInt] = {}
    families: list[str] = []
    title: str = ""
    sampler: Sampler | None = None
    languages: list[str] = []
    control: Control | Literal["variant"] | None = None
    subset: Subset | None = None

    @model_serializer(mode="wrap")
    def _without_what_a_baseline_lacks(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, object]:
        said: dict[str, object] = write(self)
        if self.intermediate is None:
            return {name: said[name] for name, of in _ARM.items() if of.is_required()}
        return said


_ARM = ArmFacts.model_fields


class TargetFacts(Strict):
    task: str
    version: PositiveInt
    family: str
    group: str
    trained: bool
    parallel: bool
    metric: str
    title: str
    languages: list[str]
    capped: bool
    cut: str | None
    regime: str | None = later(None, description="trains on rows of other languages than English")


class LanguageFacts(Strict):
    name: str
    family: str
    script: str


# Jobs, and the rows they read: what keys are hashes of


class TaskPart(Strict):
    family: str
    version: PositiveInt
    labels: list[str]
    max_length: PositiveInt
    options: dict[str, Any]
    metric: str


class TrainRows(Strict):
    """A fold [number, of how many], or the rows that a select job chose."""

    fold: Annotated[list[NonNegativeInt], Field(min_length=2, max_length=2)] = later([])
    subset: Hash = later("")


class TrainSpec(Strict):
    phase: Phase
    seed: NonNegativeInt
    tasks: dict[str, TaskPart]
    recipe: Recipe
    sampler: Sampler | None
    control: Control | None
    rows: TrainRows | None
    watch: bool
    init: Hash | None


class SelectSpec(Strict):
    task: TaskPart
    subset: Subset
    cap: PositiveInt | None
    models: list[Hash]
    seed: NonNegativeInt
    precision: Precision = later("fp32")


class PviSpec(Strict):
    task: TaskPart
    model: Hash
    dev_rows: PositiveInt | None
    precision: Precision = later("fp32")


class OwnHead(Strict):
    """Of an encoder that was trained elsewhere; `labels` as its suite says them."""

    labels: list[str]


class EvaluateSpec(Strict):
    task: TaskPart
    model: Hash | None
    own_head: OwnHead | None = later(None)
    precision: Precision = later("fp32")


class OverlapSpec(Strict):
    pass


class _KeyedJob(Strict):
    """What a key is the hash of, with names for its rows and its encoder."""

    version: PositiveInt
    family: list[PositiveInt]
    metric: list[PositiveInt]
    world_size: PositiveInt
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="a name in `rows`")]
    encoder: str | None


class TrainJob(_KeyedJob):
    kind: Literal["train"]
    spec: TrainSpec


class SelectJob(_KeyedJob):
    kind: Literal["select"]
    spec: SelectSpec


class PviJob(_KeyedJob):
    kind: Literal["pvi"]
    spec: PviSpec


class EvaluateJob(_KeyedJob):
    kind: Literal["evaluate"]
    spec: EvaluateSpec


class OverlapJob(_KeyedJob):
    kind: Literal["overlap"]
    spec: OverlapSpec


KeyedJob = Annotated[
    TrainJob | SelectJob | PviJob | EvaluateJob | OverlapJob, Field(discriminator="kind")
]


class FilePart(Strict):
    sha256: list[Hash]
    split: str
    start: str | None
    stop: str | None


class RowNumbers(Strict):
    rows: PositiveInt
    absent: list[NonNegativeInt]


class SplitRows(Strict):
    """One split of one task in one language."""

    family: str
    parts: list[FilePart]
    where: dict[str, str]
    unless: dict[str, str]
    columns: dict[str, str | list[str]]
    labels: list[str] | dict[str, str | int | bool] | None
    cap: PositiveInt | None
    numbering: RowNumbers | None = later(None)
    reader: PositiveInt | None = later(None)
    conll: Annotated[Conll, PlainSerializer(lambda c: c.model_dump(exclude_none=True))] | None = (
        later(None)
    )
    aligned: bool = later(False)
    pool: list[str] = later([])
    as_text: bool = later(False)
    drawn: NonNegativeInt | None = later(None, description="the seed that chose the rows of `cap`")

    @property
    def splits(self) -> list["SplitRows"]:
        """The single splits of which the rows are made."""
        return [self]


class Together(Strict):
    """Several as one."""

    union: list["SplitRows | Together"]
    cap: PositiveInt | None
    as_text: bool = later(False)

    @property
    def splits(self) -> list[SplitRows]:
        """The single splits of which the rows are made."""
        return [split for member in self.union for split in member.splits]


AnyRows = SplitRows | Together


class RowsRead(Strict):
    """All rows that a job reads: by task (train, dev), by language (tests, devs), by phase
    (trained)."""

    train: dict[str, AnyRows] = later({})
    dev: dict[str, AnyRows] = later({})
    tests: dict[str, AnyRows] = later({})
    devs: dict[str, AnyRows] = later({})
    trained: dict[Phase, list[AnyRows]] = later({})
    english: AnyRows | None = later(None)


def hashes(rows: AnyRows) -> list[str]:
    """SHA-256 of every file that rows are read from, in order."""
    return [sha for split in rows.splits for part in split.parts for sha in part.sha256]


# Evidence


class Examples(Strict):
    """Packed vectors by name: those of the metric (`metrics`), "n" and "unit" of a gold side."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Vector] = Field(init=False)

    @property
    def vectors(self) -> dict[str, str]:
        """Name → `pack` of a list."""
        return self.__pydantic_extra__

    @cached_property
    def numbers(self) -> dict[str, list[Any]]:
        """Name → that list, which nobody changes: checks and scores read it."""
        return {name: unpack(text) for name, text in self.vectors.items()}


class Facts(Strict):
    n: PositiveInt
    truncated: NonNegativeInt
    unknown: float
    constant: bool
    placeholder: bool
    empty_text: PositiveInt | None = later(None)
    misplaced: PositiveInt | None = later(None)
    candidates: NonNegativeInt | None = later(None)
    threshold: float | None = later(None)
    dev_f1: float | None = later(None)


class Said(Examples):
    """What an evaluation reported of one language."""

    facts: Facts


class OverlapCounts(Strict):
    leaks: dict[Phase, PerLanguage]
    shared: NonNegativeInt
    rows: dict[Phase, NonNegativeInt]
    test_rows: PerLanguage


class EvidenceCell(Strict):
    encoder: str
    arm: str
    target: str
    seed: NonNegativeInt
    key: Hash
    trained: Hash | None
    intermediate: Hash | None
    overlap: OverlapCounts | None
    refused: bool
    languages: dict[str, Said]


class TrainingTask(Examples):
    """One task of a training, with the vectors of its dev rows if they were looked at."""

    rows: PositiveInt
    features: PositiveInt
    metric: str
    dev_rows: NonNegativeInt


class Training(Strict):
    encoder: str
    phase: Phase
    seed: NonNegativeInt
    updates: PositiveInt
    tasks: dict[str, TrainingTask]


class MeasuredRun(TrainedRun):
    bits: Vector
    null_bits: Vector


class Chosen(TrainedRun):
    """Ids of the rows that a subset keeps, each followed by a space but the last."""

    pool: PositiveInt
    rows: PositiveInt
    labels: dict[str, PositiveInt]
    ids: str


class Evidence(Strict):
    units: dict[str, dict[str, Examples]]
    cells: list[EvidenceCell]
    trainings: dict[Hash, Training]
    pvi: dict[str, list[MeasuredRun]]
    subsets: dict[str, list[Chosen]]


class Declared(Strict):
    """What a plan says before anything runs."""

    number: Literal[7] = Field(alias="schema")
    suite: SuiteFacts
    encoders: dict[str, EncoderFacts]
    arms: dict[str, ArmFacts]
    targets: dict[str, TargetFacts]
    languages: dict[str, LanguageFacts]
    jobs: dict[Hash, KeyedJob]
    rows: dict[str, RowsRead]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.model_dump(mode="json", by_alias=True)

    def rows_of(self, key: str) -> RowsRead:
        """The rows that a job reads."""
        return self.rows[self.jobs[key].data]


class Planned(Declared):
    """With all that a plan needs that says the same again (`planner.plan_again`)."""

    inputs: PlanInputs


class Known(Declared):
    """What a release's numbers follow from: what specs say, and what jobs reported."""

    evidence: Evidence


class Concluded(Derived, Known):
    """What is known, and what follows from it (`derive`): what a reader reads."""


class Content(Concluded, Planned):
    """A whole release."""


SCHEMA: Literal[7] = 7  # of every release that this code writes and reads


def mismatches(data: bytes) -> list[tuple[str, str]]:
    """(path, what is wrong) wherever a release's bytes are not of this schema; nothing if they
    are."""
    try:
        Content.model_validate_json(data)
    except ValidationError as error:
        return reasons(error)
    return []


def reasons(error: ValidationError) -> list[tuple[str, str]]:
    """(path, what is wrong) wherever a document is not of its schema."""
    return [
        (".".join(map(str, one["loc"])), f"{one['msg']}, found {one['input']!r:.60}")
        for one in error.errors(include_url=False)
    ]


def json_schema() -> str:
    """The same as JSON Schema, as it stands in leaderboard/release.schema.json."""
    return json.dumps(Content.model_json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
