"""The numbers of a board that are tested together: which of them are called an effect.

All gains, group means, averages and differences between encoders that a board shows are one family
of tests: so it describes the set of conditions that was run. Nothing else here does.
"""

from collections.abc import Sequence
from typing import TypeVar

from harness.release.schema_derived import Average, Gain, MeanGain, TargetScore, Tested
from harness.statistics.intervals import benjamini_hochberg, rounded
from harness.statistics.study import REFUSED

LEVEL = 0.05  # of all that are called an effect, at most this share is none
# encoder, condition ("" for a difference between encoders), targets: what a number is of
Of = tuple[str, str, frozenset[str]]
Number = TypeVar("Number", Tested, Tested | None)


def corrected(
    gains: Sequence[Gain], averages: Sequence[Average], scores: Sequence[TargetScore]
) -> tuple[list[Gain], list[Average], list[TargetScore]]:
    """The same with their q and arrows. What is refused, or of one or two seeds, has none."""
    family = _Family()
    for gain in gains:
        if not REFUSED & set(gain.flags):
            family.add(_of_gain(gain), gain.gain)
    for average in averages:
        for mean in (average.overall, *average.groups.values()):
            family.add(_of_mean(average, mean), mean.gain)
    for score in scores:
        family.add(_of_score(score), score.difference)
    family.correct()
    return (
        [one.model_copy(update={"gain": family.of(_of_gain(one), one.gain)}) for one in gains],
        [_average(one, family) for one in averages],
        [
            one.model_copy(update={"difference": family.of(_of_score(one), one.difference)})
            for one in scores
        ],
    )


def _of_gain(gain: Gain) -> Of:
    return gain.encoder, gain.arm, frozenset({gain.target})


def _of_mean(average: Average, mean: MeanGain) -> Of:
    return average.encoder, average.arm, frozenset(mean.targets)


def _of_score(score: TargetScore) -> Of:
    return score.encoder, "", frozenset(score.targets)


class _Family:
    """Numbers that are tested together, each once: the mean over one target is that target's
    gain."""

    def __init__(self) -> None:
        self._ps: dict[Of, float] = {}
        self._qs: dict[Of, float] = {}

    def add(self, of: Of, number: Tested | None) -> None:
        if number is not None and number.p is not None:
            self._ps[of] = number.p

    def correct(self) -> None:
        self._qs = dict(zip(self._ps, benjamini_hochberg([*self._ps.values()]), strict=True))

    def of(self, of: Of, number: Number) -> Number:
        if number is None or number.p is None or of not in self._qs:
            return number
        return arrow(number, self._qs[of])


def arrow(number: Tested, q: float) -> Tested:
    """The number with its corrected p, and the arrow that follows."""
    q, shown = rounded(q, 6), None
    if q < LEVEL and number.value:
        shown = "up" if number.value > 0 else "down"
    return number.model_copy(update={"q": q, "arrow": shown})


def _average(average: Average, family: _Family) -> Average:
    def tested(mean: MeanGain) -> MeanGain:
        gain = family.of(_of_mean(average, mean), mean.gain)
        return mean.model_copy(update={"gain": gain})

    groups = {group: tested(mean) for group, mean in average.groups.items()}
    return average.model_copy(update={"overall": tested(average.overall), "groups": groups})
