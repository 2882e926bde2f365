"""What a suite expected before it was run, held against what came."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.release.schema_derived import (
    DifficultyRow,
    Estimate,
    HypothesisOutcome,
    HypothesisVerdict,
)
from harness.spec.hypothesis import Hypothesis
from harness.spec.suite import SplitRule
from harness.statistics.difficulty import bucketed
from harness.statistics.measured import Quantity, estimate_of
from harness.statistics.split import Sides, contrast, sides_of, why_no_claim
from harness.statistics.study import Study


class Sure(NamedTuple):
    """A number with its 95% interval, for other seeds and other test rows."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


class Range(NamedTuple):
    """Numbers above one bound and below another, the bounds themselves left out."""

    above: float = -math.inf
    below: float = math.inf

    def verdict(self, numbers: Mapping[str, Sure]) -> tuple[HypothesisVerdict, str]:
        """Whether these numbers lie in the range, and the name of the one that decides: of those
        beyond the range the furthest, else the one with the least room within.

        holds      the whole interval of each lies within
        fails      the whole interval of one lies beyond
        undecided  neither

        A single number: two one-sided tests at 2.5% each (Schuirmann 1987; Lakens 2017). Several
        need no correction to hold, since all must; that one of many fails is likelier by chance.
        """
        beyond = {name: self._beyond(number) for name, number in numbers.items()}
        furthest = max(beyond, key=lambda name: beyond[name])
        if beyond[furthest] > 0:
            return "fails", furthest
        room = {name: self._room(number) for name, number in numbers.items()}
        least = min(room, key=lambda name: room[name])
        return ("holds" if room[least] > 0 else "undecided"), least

    def _beyond(self, number: Sure) -> float:
        return max(self.above - number.high, number.low - self.below)

    def _room(self, number: Sure) -> float:
        return min(number.low - self.above, self.below - number.high)


def why_unsure(number: Estimate) -> str:
    """Why nothing may be concluded from a number; "" if something may."""
    if number.value is None:
        return "not known"
    if number.interval is None or number.p is None:
        return f"{number.value:+.1f}, but fewer than three seeds: nothing is concluded"
    return ""


def sure(number: Estimate) -> Sure:
    """A number from which something may be concluded."""
    assert number.value is not None and number.interval is not None, "`why_unsure` said nothing"
    return Sure(number.value, *number.interval)


def hypotheses(study: Study, rows: Sequence[DifficultyRow]) -> list[HypothesisOutcome]:
    """What came of each that the suite declares, for one encoder. `rows`: its `difficulty`."""
    return [_outcome(one, study, rows) for one in study.known.suite.hypotheses]


def _outcome(
    hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]
) -> HypothesisOutcome:
    if hypothesis.of == "gain":
        numbers, why = _gains(hypothesis, study), ""
    else:
        sides = _sides(hypothesis, study, rows)
        numbers, why = _differences(hypothesis, study, sides), why_no_claim(study, sides)

    verdict: HypothesisVerdict = "undecided"
    lacking = {name: said for name, number in numbers.items() if (said := why_unsure(number))}
    if why or lacking:
        at = next(iter(lacking or numbers))
        why = why or lacking[at]
    else:
        above = -math.inf if hypothesis.above is None else hypothesis.above
        below = math.inf if hypothesis.below is None else hypothesis.below
        known = {name: sure(number) for name, number in numbers.items()}
        verdict, at = Range(above, below).verdict(known)
    return HypothesisOutcome(
        encoder=study.encoder,
        hypothesis=hypothesis.hypothesis,
        verdict=verdict,
        at=at,
        number=numbers[at],
        why=why,
    )


def _over(hypothesis: Hypothesis, study: Study) -> dict[str, list[str]]:
    """What is looked at, in words behind a number's name → its targets as the release names them,
    none where it has no such target; where the hypothesis names none, the headline is one."""
    if not hypothesis.targets:
        return {"": study.headline}
    named = {study.known.targets[target].task: target for target in study.targets}
    return {f" on {task}": [named[task]] if task in named else [] for task in hypothesis.targets}


def _gains(hypothesis: Hypothesis, study: Study) -> dict[str, Estimate]:
    """Each number that a hypothesis about gains names."""
    found: dict[str, Estimate] = {}
    for where, targets in _over(hypothesis, study).items():
        gains = {arm: _gain(study, arm, targets) for arm in hypothesis.conditions}
        for arm in hypothesis.arms:
            if not hypothesis.minus:
                found[f"{arm}{where}"] = estimate_of(gains[arm])
            for other in hypothesis.minus:
                mine, less = gains[arm], gains[other]
                difference = mine - less if mine and less else None
                found[f"{arm} − {other}{where}"] = estimate_of(difference)
    return found


def _gain(study: Study, arm: str, targets: Sequence[str]) -> Quantity | None:
    return study.average(arm, targets) if targets else None


def _differences(hypothesis: Hypothesis, study: Study, sides: Sides) -> dict[str, Estimate]:
    return {
        f"easy − hard{where}": contrast(sides, targets, study.known_gain).easy_minus_hard
        for where, targets in _over(hypothesis, study).items()
    }


def _sides(hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]) -> Sides:
    """As the suite splits, unless the hypothesis does so by another measure or among fewer."""
    rule = SplitRule(by=hypothesis.by) if hypothesis.by else study.known.suite.split_rule
    among = [row for row in rows if row.arm not in hypothesis.without]
    return sides_of(study, bucketed(study.known, among, rule))
