"""The derived sections of a release, schema 4, as models: what `derive` gives.

Scores and gains are 0-100. An interval is [low, high], 95%. A field with a default may be absent.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from harness.spec.base import Strict

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
Phase = Literal["intermediate", "target"]
PerLanguage = dict[str, NonNegativeInt]


class Scores(Strict):
    """One language of a cell; without `main` and what belongs to it where the labels are
    placeholders."""

    n: PositiveInt
    main: float | None = None
    metrics: dict[str, float] = {}
    null: float | None = None
    null_name: str = ""
    candidates: NonNegativeInt | None = None
    threshold: float | None = None
    dev_f1: float | None = None
    above_null: float | None = None
    stderr: float | None = None
    truncated: NonNegativeInt
    unknown: float
    empty_text: PositiveInt | None = None
    misplaced: PositiveInt | None = None
    flags: list[str]
    centred: float | None = None
    answers_sum: NonNegativeInt | None = None


class DevScore(Strict):
    key: Hash
    encoder: str
    phase: Phase
    seed: NonNegativeInt
    main: float | None
    learned: bool
    null: float | None


class Selection(Strict):
    arm: str
    encoder: str
    seed: NonNegativeInt
    rows: PositiveInt
    ids_sum: NonNegativeInt


class Cell(Strict):
    encoder: str
    arm: str
    target: str
    seed: NonNegativeInt
    key: Hash
    flags: list[str]
    leaks: dict[Phase, PerLanguage] = {}
    shared_rows: PositiveInt | None = None
    languages: dict[str, Scores]
    score: float | None
    zero_shot: float | None
    above_floor: float | None
    languages_above_floor: NonNegativeInt
    centred: float | None
    dev: float | None
    dev_learned: bool | None


class LanguageGain(Strict):
    gain: float
    per_seed: dict[str, float]
    interval: Interval | None


class Gain(Strict):
    encoder: str
    arm: str
    target: str
    flags: list[str]
    counted: bool
    per_seed: dict[str, float]
    gain: float | None
    english: float | None
    zero_shot: float | None
    above_floor: float | None
    centred: float | None
    interval: Interval | None
    seed_interval: Interval | None
    p: float | None
    p_corrected: float | None
    significant: bool
    per_language: dict[str, LanguageGain]


class GroupGain(Strict):
    gain: float | None
    interval: Interval | None
    targets: list[str]


class OtherTasks(Strict):
    """Over an own set of targets for each arm, see `study.other_tasks`: without those that have the
    flag `same`."""

    gain: float | None
    interval: Interval | None
    seed_interval: Interval | None
    targets: list[str]


class Average(Strict):
    encoder: str
    arm: str
    average_gain: float | None
    interval: Interval | None
    seed_interval: Interval | None
    targets: list[str]
    without_retrieval: float | None
    without_retrieval_interval: Interval | None
    zero_shot: float | None
    zero_shot_interval: Interval | None
    other_tasks: OtherTasks
    average_gain_own: float | None
    own_targets: list[str]
    groups: dict[str, GroupGain]
    tie: str | None


class Slice(Strict):
    encoder: str
    arm: str
    by: Literal["family", "script", "unknown"]
    value: str
    gain: float | None
    interval: Interval | None
    languages: list[str]
    points: PositiveInt


class DifficultyRow(Strict):
    encoder: str
    arm: str
    of: str | None
    rows: PositiveInt | None
    dev: float | None
    dev_per_seed: dict[str, float]
    chance: float
    chance_known: bool
    human: float
    human_known: bool
    headroom: float | None
    headroom_per_seed: dict[str, float]
    pvi: float | None
    pvi_share: float | None
    learned: bool
    bucket: Literal["easy", "hard", "median", "unlearned"] | None


class Side(Strict):
    arms: dict[str, float]
    average_gain: float | None


class Correlation(Strict):
    measure: str
    rho: float
    interval: Interval | None
    p: float
    points: PositiveInt


class Contrast(Strict):
    hard_minus_easy: float | None
    interval: Interval | None


class SeededContrast(Contrast):
    seed_interval: Interval | None


class WithinTarget(SeededContrast):
    easy: list[str]
    hard: list[str]


class Split(Contrast):
    encoder: str
    by: str
    threshold: float | None
    easy: Side
    hard: Side
    median: list[str]
    unlearned: list[str]
    permutation_p: float | None
    permutations: NonNegativeInt
    claim: bool
    why: str
    sizes_differ: bool
    correlation: Correlation | None
    correlation_pvi: Correlation | None
    without_retrieval: Contrast
    zero_shot: Contrast
    other_tasks: SeededContrast
    by_target: dict[str, WithinTarget]
    seed_interval: Interval | None


class Difference(Strict):
    """Of the average gains of two arms, by their labels."""

    a: str
    b: str
    difference: float
    interval: Interval | None
    seed_interval: Interval | None


class Comparison(Difference):
    p: float
    p_corrected: float


class Elsewhere(Strict):
    """The same comparisons over other tasks' targets; none where there are none."""

    targets: list[str]
    comparisons: list[Difference]


class Subsets(Strict):
    encoder: str
    of: str
    arms: dict[str, str]
    rows: dict[str, PositiveInt | None]
    targets: list[str]
    comparisons: list[Comparison]
    other_tasks: Elsewhere


class Best(Strict):
    """`target` null: the mean over targets."""

    encoder: str
    target: str | None
    selected_on: str | None
    arm: str | None
    gain: float | None
    interval: Interval | None
