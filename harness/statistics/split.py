"""Easy against hard intermediate tasks: the difference of their average gains, and what may be said
of it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.metrics.metric import Array
from harness.release.schema_derived import (
    Contrast,
    Correlation,
    DifficultyRow,
    Estimate,
    Side,
    Split,
    WithinTarget,
)
from harness.statistics.difficulty import Bucket, split_line
from harness.statistics.intervals import Noise, rounded, spearman
from harness.statistics.measured import (
    UNKNOWN,
    Quantity,
    mean_of,
    value_of,
    weighted,
)
from harness.statistics.study import Study

# learned tasks on each side, below which nothing is claimed
FEWEST = 4


class Sides(NamedTuple):
    """Arms, by how hard their task was."""

    easy: list[str]
    hard: list[str]


Known = Callable[[str, str], Quantity | None]  # arm, target → the gain that is looked at


def split(study: Study, rows: Sequence[DifficultyRow]) -> Split:
    """One encoder's split, over learned tasks. `rows`: `difficulty` of this encoder."""
    among = [row for row in rows if row.arm in study.arms]
    sides = sides_of(study, rows)
    averages = {row.arm: study.average(row.arm, study.headline) for row in among}
    headline = study.headline

    own = any(study.own_data(arm, target) for side in sides for arm in side for target in headline)
    groups: dict[str, list[str]] = {}
    for target in headline:
        groups.setdefault(study.group_of(target), []).append(target)

    why = why_no_claim(study, sides)
    return Split(
        encoder=study.encoder,
        by=study.known.suite.split_rule.by,
        threshold=split_line(rows, study.known.suite.split_rule),
        easy=_side(sides.easy, averages),
        hard=_side(sides.hard, averages),
        median=_arms(rows, "median"),
        unlearned=_arms(rows, "unlearned"),
        overall=contrast(sides, headline, study.known_gain),
        without_own=contrast(sides, headline, _without_own(study)) if own else None,
        zero_shot=contrast(sides, headline, _zero_shot(study)),
        groups={
            group: contrast(sides, targets, study.known_gain)
            for group, targets in sorted(groups.items())
        },
        by_target={
            target: found
            for target in sorted(study.targets)
            if (found := _within(sides, target, study.known_gain))
        },
        claim=not why,
        why=why,
        sizes_differ=len({row.rows for row in among if row.bucket in ("easy", "hard")}) > 1,
        correlation=_correlation(among, averages, "headroom", lambda row: row.headroom),
        correlation_pvi=_correlation(among, averages, "pvi_share", lambda row: row.pvi_share),
    )


def sides_of(study: Study, rows: Sequence[DifficultyRow]) -> Sides:
    """The arms of which something was run, on the sides that `rows` say."""
    among = [row for row in rows if row.arm in study.arms]
    return Sides(_arms(among, "easy"), _arms(among, "hard"))


def _without_own(study: Study) -> Known:
    return lambda arm, on: None if study.own_data(arm, on) else study.known_gain(arm, on)


def _zero_shot(study: Study) -> Known:
    return lambda arm, on: study.gains[arm, on].zero_shot if study.known_gain(arm, on) else None


def _arms(rows: Iterable[DifficultyRow], bucket: Bucket) -> list[str]:
    return [row.arm for row in rows if row.bucket == bucket]


def _side(arms: Sequence[str], averages: Mapping[str, Quantity | None]) -> Side:
    known = [average for arm in arms if (average := averages[arm])]
    return Side(
        arms={arm: value_of(averages[arm]) for arm in arms}, average_gain=value_of(mean_of(known))
    )


# The difference


class EasyMinusHard(NamedTuple):
    """The easy tasks' mean gain minus the hard ones'.

    errors   by how tasks differ, and by what rows do to a whole side; none where not known
    targets  on which there is a task on either side
    """

    number: Quantity
    errors: list[Noise]
    targets: list[str]

    @property
    def estimate(self) -> Estimate:
        if not self.errors:
            return Estimate(value=self.number.value)
        tasks, _ = self.errors
        said = self.number.estimate_by(self.errors)
        return said.model_copy(update={"tasks": rounded(tasks.error)})


def contrast(sides: Sides, targets: Sequence[str], known: Known) -> Contrast:
    """The easy tasks' mean gain minus the hard ones', as a release has it."""
    found = difference(sides, targets, known)
    if found is None:
        return Contrast(easy_minus_hard=UNKNOWN, targets=[])
    return Contrast(easy_minus_hard=found.estimate, targets=found.targets)


def difference(sides: Sides, targets: Sequence[str], known: Known) -> EasyMinusHard | None:
    """The easy tasks' mean gain minus the hard ones', target by target, and the mean of that; None
    where no target has both.

    Within a target, sides of which an arm is not known there are still about the same rows. Where
    all are known it is the difference of the sides' average gains.
    """
    gains: dict[str, dict[str, Quantity]] = {}  # target → arm → its gain
    for target in targets:
        of = {arm: gain for arm in (*sides.easy, *sides.hard) if (gain := known(arm, target))}
        if any(arm in of for arm in sides.easy) and any(arm in of for arm in sides.hard):
            gains[target] = of
    return _difference(sides, gains) if gains else None


def _within(sides: Sides, target: str, known: Known) -> WithinTarget | None:
    found = contrast(sides, [target], known)
    if not found.targets:
        return None
    return WithinTarget(
        easy_minus_hard=found.easy_minus_hard,
        easy=[arm for arm in sides.easy if known(arm, target)],
        hard=[arm for arm in sides.hard if known(arm, target)],
    )


def _difference(sides: Sides, gains: Mapping[str, Mapping[str, Quantity]]) -> EasyMinusHard:
    """The difference, for other seeds, other rows and other tasks of the same kinds.

    The tasks of a side differ by what they are, and by what rows and seeds do to each of them for
    itself; what rows do to a whole side (those on which all hard tasks help) comes to it. A seed
    does nothing to one side alone: all conditions share its head and its order of the data.
    """
    number = weighted([(weight / len(gains), gain) for weight, gain in _terms(sides, gains)])
    among = [of for side in sides if (of := _of_tasks(side, gains))]
    if not number.rows or len(among) < len(sides):
        return EasyMinusHard(number, [], list(gains))

    spread = Noise(math.sqrt(math.fsum(of.spread for of in among)), _welch(among))
    # tasks that gain the same to the last digit (few rows, all alike) show nothing of their rows
    held = math.fsum(of.rows for of in among if rounded(of.spread))
    shared = max(0.0, number.row_variance - held)
    return EasyMinusHard(number, [spread, Noise(math.sqrt(shared), math.inf)], list(gains))


def _terms(
    sides: Sides, gains: Mapping[str, Mapping[str, Quantity]]
) -> list[tuple[float, Quantity]]:
    """(weight, gain) of each arm on each target: 1 / arms of its side there, minus for hard."""
    terms = []
    for of in gains.values():
        for sign, side in ((1.0, sides.easy), (-1.0, sides.hard)):
            there = [of[arm] for arm in side if arm in of]
            terms += [(sign / len(there), gain) for gain in there]
    return terms


class OfTasks(NamedTuple):
    """What one side's tasks add to the variance of the difference.

    spread   by how they differ
    rows     the part of it that is what test rows do to each of them for itself
    freedom  degrees of freedom of `spread`: one less than there are tasks, where all are known on
             all targets
    """

    spread: float
    rows: float
    freedom: float


def _of_tasks(side: Sequence[str], gains: Mapping[str, Mapping[str, Quantity]]) -> OfTasks | None:
    """None where no two tasks are known on one target: how others would differ is not known.

    source  Satterthwaite 1946, Biometrics Bulletin 2(6), 110-114, for the degrees of freedom
    """
    named = {arm for of in gains.values() for arm in of}
    arms = [arm for arm in side if arm in named]
    # (targets, arms): what each weighs in its side's mean on a target
    shares = np.stack([_shares(arms, of) for of in gains.values()])
    held = _held(shares)
    once = float(np.square(held).sum())
    if not once:
        return None

    apart = []
    for arm in arms:
        # from its side's mean on each of the targets that it has
        whole = mean_of([of[arm] - _mean(arms, of) for of in gains.values() if arm in of])
        assert whole, "a condition has a target"
        apart.append(whole)
    # each task weighs what it does in the difference: 1 / tasks, where all are known everywhere
    scale = float(np.square(shares.mean(axis=0)).sum()) / once
    return OfTasks(
        spread=scale * math.fsum(one.value**2 for one in apart),
        rows=scale * math.fsum(one.row_variance for one in apart),
        freedom=once**2 / float(np.square(held.T @ held).sum()),
    )


def _shares(arms: Sequence[str], of: Mapping[str, Quantity]) -> Array:
    known = np.array([arm in of for arm in arms], dtype=np.float64)
    share: Array = known / known.sum()
    return share


def _held(shares: Array) -> Array:
    """(arms, arms): how much of each task's own effect there is in how far each is from its side,
    in the mean over the targets that it has.

    Its squares sum to what the squares of those distances are of the variance of a task's effect:
    tasks - 1 where all are known everywhere, less where some are not.
    """
    held = np.eye(shares.shape[1])
    for own, of in zip(held, shares.T, strict=True):
        own -= shares[of > 0].mean(axis=0)
    return held


def _mean(side: Sequence[str], of: Mapping[str, Quantity]) -> Quantity:
    average = mean_of([of[arm] for arm in side if arm in of])
    assert average, "one of them is known"
    return average


def _welch(among: Sequence[OfTasks]) -> float:
    """Degrees of freedom of the sum of the sides' variances.

    source  Welch 1947, Biometrika 34, 28-35
    """
    total = math.fsum(of.spread for of in among)
    parts = math.fsum(of.spread**2 / of.freedom for of in among)
    return total**2 / parts if parts else math.inf


def why_no_claim(study: Study, sides: Sides) -> str:
    """One sentence; empty where there are enough tasks for a claim."""
    if study.known.suite.smoke:
        return "No claim follows from made-up data."
    easy, hard = len(sides.easy), len(sides.hard)
    if min(easy, hard) >= FEWEST:
        return ""
    return f"A claim takes {FEWEST} learned tasks a side; here: {easy} easy, {hard} hard."


def _correlation(
    rows: Sequence[DifficultyRow],
    averages: Mapping[str, Quantity | None],
    measure: str,
    value: Callable[[DifficultyRow], float | None],
) -> Correlation | None:
    """Rank correlation over learned tasks of how hard a task is with its average gain."""
    points = []
    for row in rows:
        hardness = value(row)
        average = averages[row.arm]
        if row.learned and hardness is not None and average:
            points.append((hardness, average.value))
    found = spearman([x for x, _ in points], [y for _, y in points])
    return Correlation(measure=measure, **found._asdict()) if found else None
