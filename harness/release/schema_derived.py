"""The derived sections of a release: the values that `harness.statistics` builds and passes on, and
what a document holds of them.

Scores and gains are 0-100 and unrounded. An interval is [low, high], 95%, rounded to 4 decimals, as
standard errors are; every p and q to 6. A field that is `later` is absent where it has nothing to
say. Fields stand in the order in which a release spells them.
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


class Estimate(Strict):
    """A number, and its one 95% interval: what other seeds and other test rows of the same kind
    would give.

    value     in points, unrounded; None is not known, and then neither is the rest
    interval  of fewer than three seeds, for other test rows alone; None where not even that is
              known
    rows      its standard error over test rows
    seeds     and over seeds, what happens to single rows included; None of fewer than three seeds
    tasks     and over intermediate tasks, where these are a sample too
    p         two-sided, of "it is 0", from the same distribution as the interval; None of fewer
              than three seeds, of which nothing is called an effect
    """

    value: float | None = None
    interval: Interval | None = None
    rows: float | None = None
    seeds: float | None = None
    tasks: float | None = later(None)
    p: float | None = None


class Tested(Estimate):
    """An estimate among those of the board that are tested together.

    q      p after the correction for all of them
    arrow  up or down: an effect by q; None: none is shown
    """

    q: float | None = None
    arrow: Literal["up", "down"] | None = None


class TargetScore(Strict):
    """An encoder's own score, without an intermediate: on one target, or the mean over `targets`
    (`target` None). `difference`: minus the first encoder's, over the same rows and, in a mean,
    over the targets that both have; None of the first encoder itself."""

    encoder: str
    target: str | None
    targets: list[str]
    score: Estimate
    difference: Tested | None


class LanguageGain(Strict):
    gain: Estimate
    per_seed: dict[str, float]


class Gain(Strict):
    """An arm's score on a target minus the baseline's, paired by seed; what is None is not known.

    flags        those of its cells and their baselines
    above_floor  mean over seeds and languages in which neither side is at the floor
    """

    encoder: str
    arm: str
    target: str
    flags: list[str]
    gain: Tested
    english: float | None
    zero_shot: float | None
    above_floor: float | None
    centred: float | None
    per_seed: dict[str, float]
    per_language: dict[str, LanguageGain]


class MeanGain(Strict):
    """The mean of an arm's gains over these targets; no targets, no value."""

    gain: Tested
    targets: list[str]


class Average(Strict):
    """An arm's mean gains over the headline targets, which the suite declares, the same for every
    arm: without those whose baseline is not above chance, or whose labels are placeholders.

    overall      over all of them; not known, and unranked, if one of its cells is refused or
                 missing
    rest         then: over the others, against the baseline on these; None where `overall` is known
    own_data     headline targets on whose own data the arm trained (flags `same`, `shared`): they
                 count in `overall`, as in the paper
    without_own  the mean without them; None where there are none
    zero_shot    `overall` without English: over targets that have another language
    groups       kind of target → the mean over those of them that are known
    groups_zero_shot  `groups` without English
    """

    encoder: str
    arm: str
    overall: MeanGain
    rest: MeanGain | None
    own_data: list[str]
    without_own: MeanGain | None
    zero_shot: MeanGain
    groups: dict[str, MeanGain]
    groups_zero_shot: dict[str, MeanGain]


class Slice(Strict):
    """The mean gain over pairs of target and language of one kind, over the headline targets."""

    encoder: str
    arm: str
    by: Literal["family", "script", "unknown"]
    slice: str
    gain: Estimate
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
    """Arm → its average gain, None where it has no overall one."""

    arms: dict[str, float | None]
    average_gain: float | None


class Correlation(Strict):
    measure: str
    rho: float
    interval: Interval | None
    p: float
    points: PositiveInt


class Contrast(Strict):
    """The easy tasks' mean gain minus the hard tasks', target by target, and the mean over targets
    in which both sides have a task."""

    easy_minus_hard: Estimate
    targets: list[str]


class WithinTarget(Strict):
    """One target: the easy and the hard tasks that have a gain there."""

    easy_minus_hard: Estimate
    easy: list[str]
    hard: list[str]


class Split(Strict):
    """Easy against hard intermediate tasks of one encoder. Its intervals hold for other tasks of
    the same kinds too.

    overall      over the headline targets
    without_own  and without the cells of an arm that trained on the target's own data; None where
                 there are none
    zero_shot    `overall` without English
    claim, why   whether a claim is possible; if not, why not
    """

    encoder: str
    by: str
    threshold: float | None
    easy: Side
    hard: Side
    median: list[str]
    unlearned: list[str]
    overall: Contrast
    without_own: Contrast | None
    zero_shot: Contrast
    groups: dict[str, Contrast]
    by_target: dict[str, WithinTarget]
    claim: bool
    why: str
    sizes_differ: bool
    correlation: Correlation | None
    correlation_pvi: Correlation | None


class ArmDifference(Strict):
    """Of the average gains of two arms, by their labels, over the headline targets whose gain both
    have; q by Holm within the group."""

    a: str
    b: str
    targets: list[str]
    difference: Tested


class Subsets(Strict):
    encoder: str
    of: str
    arms: dict[str, str]
    rows: dict[str, PositiveInt | None]
    comparisons: list[ArmDifference]


class Best(Strict):
    """`target` null: the mean over targets."""

    encoder: str
    target: str | None
    selected_on: str | None
    arm: str | None
    gain: Estimate


HypothesisVerdict = Literal["holds", "fails", "undecided"]


class HypothesisOutcome(Strict):
    """What came of one hypothesis of the suite.

    at       which of the numbers that it names decides
    number   that number; its interval is for other seeds and test rows, of easy − hard for other
             tasks of the same kinds too
    why      why nothing may be concluded, or why a number beyond the bounds decides nothing; ""
             where neither
    numbers  how many it names
    beyond   how many of these lie beyond its bounds with their whole interval, which is that of one
             of so many (Bonferroni)
    without  conditions that it names and whose task was not learned: nothing follows from these
    """

    encoder: str
    hypothesis: str
    verdict: HypothesisVerdict
    at: str
    number: Estimate
    why: str
    numbers: PositiveInt
    beyond: NonNegativeInt
    without: list[str] = later([])


class Derived(Strict):
    """All that follows from a release's declared facts and its evidence: what `derive` gives.

    headline  encoder → the targets over which its averages are
    """

    dev_scores: list[DevScore]
    selections: list[Selection]
    cells: list[ScoredCell]
    headline: dict[str, list[str]]
    scores: list[TargetScore]
    gains: list[Gain]
    averages: list[Average]
    slices: list[Slice]
    difficulty: list[DifficultyRow]
    split: list[Split]
    subsets: list[Subsets]
    best: list[Best]
    hypotheses: list[HypothesisOutcome] = later([])


SECTIONS = tuple(Derived.model_fields)
