"""The derived sections of a release: the values that `harness.statistics` builds and passes on, and
what a document holds of them.

Scores and gains are 0-100 and unrounded. An interval is [low, high], 95%, rounded to 4 decimals, as
every p is. A field that is `later` is absent where it has nothing to say. Fields stand in the order
in which a release spells them.
"""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from harness.common.strict import Strict, later

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
Phase = Literal["intermediate", "target"]
PerLanguage = dict[str, NonNegativeInt]


class Scores(Strict):
    """One language of a cell; without `main` and what belongs to it where the labels are
    placeholders."""

    n: PositiveInt
    metrics: dict[str, float] = later({})
    main: float | None = later(None)
    null: float | None = later(None)
    null_name: str = later("")
    above_null: float | None = later(None)
    stderr: float | None = later(None)
    candidates: NonNegativeInt | None = later(None)
    threshold: float | None = later(None)
    dev_f1: float | None = later(None)
    empty_text: PositiveInt | None = later(None)
    misplaced: PositiveInt | None = later(None)
    truncated: NonNegativeInt
    unknown: float
    flags: list[str]
    answers_sum: NonNegativeInt | None = later(None)
    centred: float | None = later(None)


class DevScore(Strict):
    """How a training did on its own English dev rows, scored again from the vectors.

    main     mean over its tasks; None where one of them has no dev rows, or there is no task
    learned  every task is above its null predictor by three standard errors; False where nothing
             was looked at
    null     mean over its tasks of what the null predictor reaches; None where that is another
             number than main (span F1)
    """

    key: Hash
    encoder: str
    phase: Phase
    seed: NonNegativeInt
    main: float | None
    learned: bool
    null: float | None


class Selection(Strict):
    """How many rows a subset arm chose. `ids_sum`: of the code points of their ids, so that none
    can be changed unseen."""

    arm: str
    encoder: str
    seed: NonNegativeInt
    rows: PositiveInt
    ids_sum: NonNegativeInt


class ScoredCell(Strict):
    """One encoder, arm, target and seed, language by language. Of a refused or missing cell there
    are no languages, and every mean is None. `above_floor`: the mean over languages that are above
    their null predictor; `centred`: retrieval after centring; `dev` of the target's training."""

    encoder: str
    arm: str
    target: str
    seed: NonNegativeInt
    key: Hash
    flags: list[str]
    leaks: dict[Phase, PerLanguage] = later({})
    shared_rows: PositiveInt | None = later(None)
    languages: dict[str, Scores]
    score: float | None
    zero_shot: float | None
    above_floor: float | None
    languages_above_floor: NonNegativeInt
    centred: float | None
    dev: float | None
    dev_learned: bool | None

    @cached_property
    def mains(self) -> dict[str, float]:
        """Language → main score, where there is one."""
        return {
            language: scores.main
            for language, scores in self.languages.items()
            if scores.main is not None
        }


class LanguageGain(Strict):
    gain: float
    per_seed: dict[str, float]
    interval: Interval | None


class Gain(Strict):
    """An arm's score on a target minus the baseline's, paired by seed; what is None is not known.

    flags        those of its cells and their baselines; `counted` unless one of them excludes it
    above_floor  mean over seeds and languages in which neither side is at the floor
    p            bootstrap; `p_corrected` by Holm over all gains of the encoder that count
    """

    encoder: str
    arm: str
    target: str
    flags: list[str]
    counted: bool
    gain: float | None
    english: float | None
    zero_shot: float | None
    above_floor: float | None
    centred: float | None
    interval: Interval | None
    seed_interval: Interval | None
    p: float | None
    p_corrected: float | None
    per_seed: dict[str, float]
    significant: bool
    per_language: dict[str, LanguageGain]


class GroupGain(Strict):
    gain: float | None
    interval: Interval | None
    targets: list[str]


class OtherTasks(Strict):
    """Over a set of targets of each arm's own, see `Study.other_tasks`: without those that have the
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


class Split(Strict):
    """Easy against hard intermediates of one encoder; arms' average gains by side."""

    encoder: str
    by: str
    threshold: float | None
    easy: Side
    hard: Side
    median: list[str]
    unlearned: list[str]
    hard_minus_easy: float | None
    interval: Interval | None
    seed_interval: Interval | None
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


class ArmDifference(Strict):
    """Of the average gains of two arms, by their labels."""

    a: str
    b: str
    difference: float
    interval: Interval | None
    seed_interval: Interval | None


class TestedDifference(ArmDifference):
    p: float
    p_corrected: float


class Elsewhere(Strict):
    """The same comparisons over other tasks' targets; none where there are none."""

    targets: list[str]
    comparisons: list[ArmDifference]


class Subsets(Strict):
    encoder: str
    of: str
    arms: dict[str, str]
    rows: dict[str, PositiveInt | None]
    targets: list[str]
    comparisons: list[TestedDifference]
    other_tasks: Elsewhere


class Best(Strict):
    """`target` null: the mean over targets."""

    encoder: str
    target: str | None
    selected_on: str | None
    arm: str | None
    gain: float | None
    interval: Interval | None


class Derived(Strict):
    """All that follows from a release's declared facts and its evidence: what `derive` gives."""

    dev_scores: list[DevScore]
    selections: list[Selection]
    cells: list[ScoredCell]
    gains: list[Gain]
    averages: list[Average]
    slices: list[Slice]
    difficulty: list[DifficultyRow]
    split: list[Split]
    subsets: list[Subsets]
    best: list[Best]


SECTIONS = tuple(Derived.model_fields)
