"""The numbers of a board that are tested together: which of them are called an effect.

All gains, group means, averages and differences between encoders that a board shows are one family
of tests: so it describes the set of conditions that was run. Nothing else here does.
"""

from collections.abc import Sequence

from harness.release.schema_derived import Average, Gain, MeanGain, TargetScore, Tested
from harness.statistics.intervals import benjamini_hochberg, rounded
from harness.statistics.study import REFUSED

LEVEL = 0.05  # of all that are called an effect, at most this share is none


def corrected(
    gains: Sequence[Gain], averages: Sequence[Average], scores: Sequence[TargetScore]
) -> tuple[list[Gain], list[Average], list[TargetScore]]:
    """The same with their q and arrows. What is refused, or of one or two seeds, has none."""
    shown = [gain.gain for gain in gains if not REFUSED & set(gain.flags)]
    for average in averages:
        shown += [average.overall.gain, *(mean.gain for mean in average.groups.values())]
    shown += [score.difference for score in scores if score.difference]
    family = _Family(shown)
    return (
        [gain.model_copy(update={"gain": family.of(gain.gain)}) for gain in gains],
        [_average(average, family) for average in averages],
        [
            score.model_copy(update={"difference": family.of(score.difference)})
            if score.difference
            else score
            for score in scores
        ],
    )


class _Family:
    """Numbers that are tested together."""

    def __init__(self, numbers: Sequence[Tested]) -> None:
        known = [(number, number.p) for number in numbers if number.p is not None]
        qs = benjamini_hochberg([p for _, p in known])
        # by identity: two of them may be equal
        self._found = {id(one): arrow(one, q) for (one, _), q in zip(known, qs, strict=True)}

    def of(self, number: Tested) -> Tested:
        return self._found.get(id(number), number)


def arrow(number: Tested, q: float) -> Tested:
    """The number with its corrected p, and the arrow that follows."""
    q, shown = rounded(q, 6), None
    if q < LEVEL and number.value:
        shown = "up" if number.value > 0 else "down"
    return number.model_copy(update={"q": q, "arrow": shown})


def _average(average: Average, family: _Family) -> Average:
    groups = {group: _mean(mean, family) for group, mean in average.groups.items()}
    overall = _mean(average.overall, family)
    return average.model_copy(update={"overall": overall, "groups": groups})


def _mean(mean: MeanGain, family: _Family) -> MeanGain:
    return mean.model_copy(update={"gain": family.of(mean.gain)})
