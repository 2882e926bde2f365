"""What a suite expected before it was run, held against what came."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import sub
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
from harness.statistics.intervals import Noise, half_width
from harness.statistics.measured import UNKNOWN, estimate_of
from harness.statistics.split import Sides, difference, sides_of, why_no_claim
from harness.statistics.study import REFUSED, Study


class Sure(NamedTuple):
    """A number with its 95% interval, for other seeds and other test rows, and the errors that
    make it."""

    value: float
    low: float
    high: float
    errors: tuple[Noise, ...]

    @classmethod
    def of(cls, number: Estimate, errors: Sequence[Noise]) -> "Sure":
        """A number of which `why_unsure` says nothing."""
        assert number.value is not None and number.interval is not None, "it is sure"
        low, high = number.interval
        return cls(number.value, low, high, tuple(errors))

    def among(self, many: int) -> "Sure":
        """With the interval of one of so many, all of which are in theirs with 95%."""
        if many == 1:
            return self
        assert self.errors, "a number that may be one of several has its errors"
        half = half_width(self.errors, many)
        return self._replace(low=self.value - half, high=self.value + half)

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
        fails      the whole interval of one lies beyond, widened for so many (`Sure.among`)
        undecided  neither

        A single number: two one-sided tests at 2.5% each (Schuirmann 1987; Lakens 2017). Several
        need no correction to hold, since all must (Berger 1982, Technometrics 24(4), 295-300);
        that one of many lies beyond is likelier by chance.
        """
        if beyond := self.beyond(numbers):
            return "fails", max(beyond, key=lambda name: beyond[name])
        least = min(numbers, key=lambda name: self._room(numbers[name]))
        return ("holds" if self._room(numbers[least]) > 0 else "undecided"), least

    def beyond(self, numbers: Mapping[str, Sure]) -> dict[str, float]:
        """Those of which the whole interval is, and by how much; the interval is of so many."""
        widened = {name: number.among(len(numbers)) for name, number in numbers.items()}
        far = {name: max(self.above - of.high, of.low - self.below) for name, of in widened.items()}
        return {name: by for name, by in far.items() if by > 0}

    def doubt(self, numbers: Mapping[str, Sure], name: str) -> str:
        """Why one that lies beyond decides nothing; "" if it does not lie beyond."""
        if not self.beyond({name: numbers[name]}):
            return ""
        return f"its own interval lies beyond, but one of {len(numbers)} may by chance"

    def _room(self, number: Sure) -> float:
        return min(number.low - self.above, self.below - number.high)


def why_unsure(number: Estimate) -> str:
    """Why nothing may be concluded from a number; "" if something may."""
    if number.value is None:
        return "not known"
    if number.interval is None:
        return f"{number.value:+.1f}, but how sure it is is not known: nothing is concluded"
    if number.p is None:
        return f"{number.value:+.1f}, but fewer than three seeds: nothing is concluded"
    return ""


class LookedAt(NamedTuple):
    """A number that a hypothesis names, and the errors that make its interval. `why`: why nothing
    may be concluded from it; "" if something may."""

    number: Estimate
    errors: Sequence[Noise]
    why: str


def hypotheses(study: Study, rows: Sequence[DifficultyRow]) -> list[HypothesisOutcome]:
    """What came of each that the suite declares, for one encoder; of one that has the baseline
    alone nothing. `rows`: its `difficulty`."""
    if not study.arms:
        return []
    return [_outcome(one, study, rows) for one in study.known.suite.hypotheses]


def _outcome(
    hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]
) -> HypothesisOutcome:
    unlearned = [row.arm for row in rows if row.dev_per_seed and not row.learned]
    asked_of = _of_learned(hypothesis, unlearned)
    if hypothesis.of == "gain":
        looked = _gains(asked_of, study, unlearned)
    else:
        looked = _differences(hypothesis, study, rows)
    asked = Range(
        -math.inf if hypothesis.above is None else hypothesis.above,
        math.inf if hypothesis.below is None else hypothesis.below,
    )
    known = {name: Sure.of(one.number, one.errors) for name, one in looked.items() if not one.why}
    lacking = {name: one.why for name, one in looked.items() if one.why}

    # one beyond the range is enough, whatever the others are
    verdict, at = asked.verdict(known) if known else ("undecided", "")
    why = ""
    if verdict != "fails" and lacking:
        verdict, (at, why) = "undecided", next(iter(lacking.items()))
    elif verdict == "undecided":
        why = asked.doubt(known, at)
    return HypothesisOutcome(
        encoder=study.encoder,
        hypothesis=hypothesis.hypothesis,
        verdict=verdict,
        at=at,
        number=looked[at].number,
        why=why,
        numbers=len(looked),
        beyond=len(asked.beyond(known)),
        without=[arm for arm in hypothesis.conditions if arm not in asked_of.conditions],
    )


def _of_learned(hypothesis: Hypothesis, unlearned: Collection[str]) -> Hypothesis:
    """The same of the tasks that were learned: one that was not changes nothing, and says nothing
    of the others. Where none of them was, of all."""
    arms = [arm for arm in hypothesis.arms if arm not in unlearned]
    minus = [arm for arm in hypothesis.minus if arm not in unlearned]
    return hypothesis.model_copy(
        update={"arms": arms or hypothesis.arms, "minus": minus or hypothesis.minus}
    )


def _over(hypothesis: Hypothesis, study: Study) -> dict[str, list[str]]:
    """What is looked at, in words behind a number's name → its targets as the release names them,
    none where it has no such target; where the hypothesis names none, the headline is one."""
    if not hypothesis.targets:
        return {"": study.headline}
    named = {study.known.targets[target].task: target for target in study.targets}
    return {f" on {task}": [named[task]] if task in named else [] for task in hypothesis.targets}


# Gains


def _gains(hypothesis: Hypothesis, study: Study, unlearned: Collection[str]) -> dict[str, LookedAt]:
    """By name: those of `arms`, or what each has over each of `minus`."""
    found: dict[str, LookedAt] = {}
    for where, targets in _over(hypothesis, study).items():
        for arm in hypothesis.arms:
            for other in hypothesis.minus or [""]:
                name = f"{arm} − {other}{where}" if other else f"{arm}{where}"
                arms = [arm, *filter(None, [other])]
                found[name] = _looked(study, arms, targets, unlearned)
    return found


def _looked(
    study: Study, arms: Sequence[str], targets: Sequence[str], unlearned: Collection[str]
) -> LookedAt:
    """The average gain of the first of these arms, less that of the second where there is one."""
    gains = [gain for arm in arms if (gain := study.average(arm, targets))]
    number = reduce(sub, gains) if len(gains) == len(arms) else None
    said = estimate_of(number)
    # parts and controls may fail to learn, and that is a finding
    why = next((f"{arm} was not learned" for arm in arms if arm in unlearned), "")
    why = why or _why_nothing(study, arms, targets) or why_unsure(said)
    return LookedAt(said, number.parts if number else [], why)


def _why_nothing(study: Study, arms: Sequence[str], targets: Sequence[str]) -> str:
    """Why gains say nothing, whatever they are; "" if they may."""
    if study.known.suite.smoke:
        return "made-up data"
    if not targets:
        return "no such target was run"
    for target in targets:
        task = study.known.targets[target].task
        if not study.is_learned(target):
            return f"the baseline is at chance on {task}"
        for arm in arms:
            gain = study.gain(arm, target)
            if gain is None:
                return f"{arm} was not run on {task}"
            if refused := REFUSED & set(gain.flags):
                return f"{arm} does not count on {task}: {', '.join(sorted(refused))}"
    return ""


# Easy minus hard


def _differences(
    hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]
) -> dict[str, LookedAt]:
    """By name: on each target, or on average."""
    sides = _sides(hypothesis, study, rows)
    found = {}
    for where, targets in _over(hypothesis, study).items():
        apart = difference(sides, targets, study.known_gain)
        number = apart.estimate if apart else UNKNOWN
        everywhere = Sides(*(_known_on(study, side, targets) for side in sides))
        why = why_no_claim(study, everywhere) or _why_nothing(study, [], targets)
        errors = apart.errors if apart else []
        found[f"easy − hard{where}"] = LookedAt(number, errors, why or why_unsure(number))
    return found


def _known_on(study: Study, arms: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Those of the arms whose gains on all of the targets are known."""
    return [arm for arm in arms if study.known_targets(arm, targets) == list(targets)]


def _sides(hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]) -> Sides:
    """As the suite splits, unless the hypothesis does so by another measure or among fewer."""
    rule = SplitRule(by=hypothesis.by) if hypothesis.by else study.known.suite.split_rule
    among = [row for row in rows if row.arm not in hypothesis.without]
    return sides_of(study, bucketed(study.known, among, rule))
