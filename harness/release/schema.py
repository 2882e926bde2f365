"""The content document of a release, schema 4, as models: what may stand where, and nothing else.

    python -m harness.release.schema > leaderboard/release.schema.json       after every change here

A vector is `harness.metrics.vectors.pack` of a list. A field with a default may be absent.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, create_model

from harness.metrics import GOLD_SIDE, PREDICTION_SIDE
from harness.release.schema_derived import (
    Average,
    Best,
    Cell,
    DevScore,
    DifficultyRow,
    Gain,
    Hash,
    PerLanguage,
    Phase,
    Selection,
    Slice,
    Split,
    Subsets,
)
from harness.spec.base import Strict
from harness.spec.formats import Conll
from harness.spec.recipe import Cut, Recipe, Recipes, Setting
from harness.spec.suite import Caps, Sampler, SplitRule, Subset, Waived
from harness.spec.task import Difficulty

Vector = Annotated[str, Field(pattern=r"^(\d*|(-?\d[\d.e+-]*,)+)$")]
Kind = Literal["baseline", "task", "mixture", "subset", "control"]


# Declared facts


class Suite(Strict):
    """The experiment; `recipes`, `settings` and `cuts` with its protocol's filled in."""

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
    cuts: dict[str, Cut]
    recipes: Recipes
    settings: dict[str, Setting]


class Encoder(Strict):
    version: PositiveInt
    pretrained_on: str
    seen: list[str]
    files: dict[str, Hash]
    max_length: PositiveInt


class Trained(Strict):
    encoder: str
    seed: NonNegativeInt
    key: Hash


class Arm(Strict):
    """`of`: the one task it is, or is made from. `cut`: its rows, in place of those that the
    suite's cut of the task gives. The fields with a default are those that the baseline lacks."""

    intermediate: list[str] | None
    kind: Kind
    of: str | None
    shown: str
    cut: Cut | None
    difficulty: Difficulty | None
    trained: list[Trained]
    versions: dict[str, PositiveInt] = {}
    families: list[str] = []
    title: str = ""
    sampler: Sampler | None = None
    languages: list[str] = []
    control: Literal["shuffled_labels", "masked_lm", "variant"] | None = None
    subset: Subset | None = None


class Target(Strict):
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


class Language(Strict):
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

    fold: Annotated[list[NonNegativeInt], Field(min_length=2, max_length=2)] = []
    subset: Hash = ""


class TrainSpec(Strict):
    phase: Phase
    seed: NonNegativeInt
    tasks: dict[str, TaskPart]
    recipe: Recipe
    sampler: Sampler | None
    control: Literal["shuffled_labels", "masked_lm"] | None
    rows: TrainRows | None
    watch: bool
    init: Hash | None


class SelectSpec(Strict):
    task: TaskPart
    subset: Subset
    cap: PositiveInt | None
    models: list[Hash]
    seed: NonNegativeInt


class PviSpec(Strict):
    task: TaskPart
    model: Hash
    dev_rows: PositiveInt | None


class EvaluateSpec(Strict):
    task: TaskPart
    model: Hash | None


class OverlapSpec(Strict):
    pass


class _Job(Strict):
    version: PositiveInt
    family: list[PositiveInt]
    metric: list[PositiveInt]
    world_size: PositiveInt
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="a name in `rows`")]
    encoder: str | None


def _job(kind: str, spec: type[Strict]) -> type[_Job]:
    return create_model(
        f"{kind.title()}Job", __base__=_Job, kind=(Literal[kind], ...), spec=(spec, ...)
    )


_SPECS = {
    "train": TrainSpec,
    "select": SelectSpec,
    "pvi": PviSpec,
    "evaluate": EvaluateSpec,
    "overlap": OverlapSpec,
}
TrainJob, SelectJob, PviJob, EvaluateJob, OverlapJob = (
    _job(kind, spec) for kind, spec in _SPECS.items()
)
Job = Annotated[
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
    labels: list[str] | dict[str, str | int] | None
    cap: PositiveInt | None
    numbering: RowNumbers | None = None
    reader: PositiveInt | None = None
    conll: Conll | None = None
    aligned: bool = False
    as_text: bool = False


class Together(Strict):
    """Several as one."""

    union: list["SplitRows | Together"]
    cap: PositiveInt | None
    as_text: bool = False


AnyRows = SplitRows | Together


class RowsRead(Strict):
    """All rows that a job reads: by task (train, dev), by language (tests, devs), by phase
    (trained)."""

    train: dict[str, AnyRows] = {}
    dev: dict[str, AnyRows] = {}
    tests: dict[str, AnyRows] = {}
    devs: dict[str, AnyRows] = {}
    trained: dict[Phase, list[AnyRows]] = {}
    english: AnyRows | None = None


# Evidence

_VECTORS = sorted(
    {name for table in (GOLD_SIDE, PREDICTION_SIDE) for names in table.values() for name in names}
)
Examples = create_model(
    "Examples", __base__=Strict, **dict.fromkeys((*_VECTORS, "n", "unit", "centred"), (Vector, ""))
)


class Facts(Strict):
    n: PositiveInt
    truncated: NonNegativeInt
    unknown: float
    constant: bool
    placeholder: bool
    empty_text: PositiveInt | None = None
    misplaced: PositiveInt | None = None
    candidates: NonNegativeInt | None = None
    threshold: float | None = None
    dev_f1: float | None = None


class Said(Examples):
    """What an evaluation reported of one language."""

    facts: Facts


class Overlap(Strict):
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
    overlap: Overlap | None
    refused: bool
    languages: dict[str, Said]


class TrainingTask(Examples):
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


class Measured(Trained):
    bits: Vector
    null_bits: Vector


class Chosen(Trained):
    """Ids of the rows that a subset keeps, each followed by a space but the last."""

    pool: PositiveInt
    rows: PositiveInt
    labels: dict[str, PositiveInt]
    ids: str


class Evidence(Strict):
    units: dict[str, dict[str, Examples]]
    cells: list[EvidenceCell]
    trainings: dict[Hash, Training]
    pvi: dict[str, list[Measured]]
    subsets: dict[str, list[Chosen]]


class Content(Strict):
    """A release: what specs say, what jobs reported, and what follows from them (`derive`)."""

    number: Literal[5] = Field(alias="schema")
    suite: Suite
    encoders: dict[str, Encoder]
    arms: dict[str, Arm]
    targets: dict[str, Target]
    languages: dict[str, Language]
    data: dict[str, list[Hash]]
    jobs: dict[Hash, Job]
    rows: dict[str, RowsRead]
    evidence: Evidence
    dev_scores: list[DevScore]
    selections: list[Selection]
    cells: list[Cell]
    gains: list[Gain]
    averages: list[Average]
    slices: list[Slice]
    difficulty: list[DifficultyRow]
    split: list[Split]
    subsets: list[Subsets]
    best: list[Best]


def mismatches(data: bytes) -> list[tuple[str, str]]:
    """(path, what is wrong) wherever a release's bytes are not of this schema; nothing if they
    are."""
    try:
        Content.model_validate_json(data)
    except ValidationError as error:
        return [
            (".".join(map(str, e["loc"])), f"{e['msg']}, found {e['input']!r:.60}")
            for e in error.errors(include_url=False)
        ]
    return []


def json_schema() -> str:
    """The same as JSON Schema, as it stands in leaderboard/release.schema.json."""
    return json.dumps(Content.model_json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
