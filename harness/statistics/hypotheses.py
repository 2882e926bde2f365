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
from harness.statistics.measured import estimate_of
from harness.statistics.split import Sides, contrast, sides_of, why_no_claim
from harness.statistics.study import REFUSED, Study


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
        furthest = max(numbers, key=lambda name: self._beyond(numbers[name]))
        if self.is_beyond(numbers[furthest]):
            return "fails", furthest
        least = min(numbers, key=lambda name: self._room(numbers[name]))
        return ("holds" if self._room(numbers[least]) > 0 else "undecided"), least

    def is_beyond(self, number: Sure) -> bool:
        """Whether its whole interval is."""
        return self._beyond(number) > 0

    def _beyond(self, number: Sure) -> float:
        return max(self.above - number.high, number.low - self.below)

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


def sure(number: Estimate) -> Sure:
    """A number from which something may be concluded."""
    assert number.value is not None and number.interval is not None, "`why_unsure` said nothing"
    return Sure(number.value, *number.interval)


class LookedAt(NamedTuple):
    """A number that a hypothesis names. `why`: why nothing may be concluded from it; "" if
    something may."""

    number: Estimate
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
    known = {name: sure(one.number) for name, one in looked.items() if not one.why}
    lacking = {name: one.why for name, one in looked.items() if one.why}

    # one beyond the range is enough, whatever the others are
    verdict, at = asked.verdict(known) if known else ("undecided", "")
    why = ""
    if verdict != "fails" and lacking:
        verdict, (at, why) = "undecided", next(iter(lacking.items()))
    return HypothesisOutcome(
        encoder=study.encoder,
        hypothesis=hypothesis.hypothesis,
        verdict=verdict,
        at=at,
        number=looked[at].number,
        why=why,
        numbers=len(looked),
        beyond=sum(map(asked.is_beyond, known.values())),
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
    said = estimate_of(reduce(sub, gains) if len(gains) == len(arms) else None)
    # parts and controls may fail to learn, and that is a finding
    why = next((f"{arm} was not learned" for arm in arms if arm in unlearned), "")
    return LookedAt(said, why or _why_nothing(study, arms, targets) or why_unsure(said))


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
        number = contrast(sides, targets, study.known_gain).easy_minus_hard
        everywhere = Sides(*(_known_on(study, side, targets) for side in sides))
        why = why_no_claim(study, everywhere) or _why_nothing(study, [], targets)
        found[f"easy − hard{where}"] = LookedAt(number, why or why_unsure(number))
    return found


def _known_on(study: Study, arms: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Those of the arms whose gains on all of the targets are known."""
    return [arm for arm in arms if study.known_targets(arm, targets) == list(targets)]


def _sides(hypothesis: Hypothesis, study: Study, rows: Sequence[DifficultyRow]) -> Sides:
    """As the suite splits, unless the hypothesis does so by another measure or among fewer."""
    rule = SplitRule(by=hypothesis.by) if hypothesis.by else study.known.suite.split_rule
    among = [row for row in rows if row.arm not in hypothesis.without]
    return sides_of(study, bucketed(study.known, among, rule))
