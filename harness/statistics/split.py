"""Easy against hard intermediate tasks: the difference of their average gains, and what may be said
of it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

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
from harness.statistics.intervals import Part, half_width, rounded, spearman, two_sided
from harness.statistics.measured import (
    FEWEST_SEEDS,
    UNKNOWN,
    Measured,
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


Known = Callable[[str, str], Measured | None]  # arm, target → the gain that is looked at


def split(study: Study, rows: Sequence[DifficultyRow]) -> Split:
    """One encoder's split, over learned tasks. `rows`: `difficulty` of this encoder."""
    among = [row for row in rows if row.arm in study.arms]
    sides = Sides(_arms(among, "easy"), _arms(among, "hard"))
    averages = {row.arm: study.average(row.arm, study.headline) for row in among}
    headline = study.headline

    own = any(study.own_data(arm, target) for side in sides for arm in side for target in headline)
    groups: dict[str, list[str]] = {}
    for target in headline:
        groups.setdefault(study.group_of(target), []).append(target)

    why = _why_no_claim(study, sides)
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


def _without_own(study: Study) -> Known:
    return lambda arm, on: None if study.own_data(arm, on) else study.known_gain(arm, on)


def _zero_shot(study: Study) -> Known:
    return lambda arm, on: study.gains[arm, on].zero_shot if study.known_gain(arm, on) else None


def _arms(rows: Iterable[DifficultyRow], bucket: Bucket) -> list[str]:
    return [row.arm for row in rows if row.bucket == bucket]


def _side(arms: Sequence[str], averages: Mapping[str, Measured | None]) -> Side:
    known = [average for arm in arms if (average := averages[arm])]
    return Side(
        arms={arm: value_of(averages[arm]) for arm in arms}, average_gain=value_of(mean_of(known))
    )


# The difference


def contrast(sides: Sides, targets: Sequence[str], known: Known) -> Contrast:
    """The easy tasks' mean gain minus the hard ones', target by target, and the mean of that.

    Within a target, sides of which an arm is not known there are still about the same rows. Where
    all are known it is the difference of the sides' average gains.
    """
    gains: dict[str, dict[str, Measured]] = {}  # target → arm → its gain
    for target in targets:
        of = {arm: gain for arm in (*sides.easy, *sides.hard) if (gain := known(arm, target))}
        if any(arm in of for arm in sides.easy) and any(arm in of for arm in sides.hard):
            gains[target] = of
    if not gains:
        return Contrast(easy_minus_hard=UNKNOWN, targets=[])
    return Contrast(easy_minus_hard=_estimate(sides, gains), targets=list(gains))


def _within(sides: Sides, target: str, known: Known) -> WithinTarget | None:
    found = contrast(sides, [target], known)
    if not found.targets:
        return None
    easy, hard = ([arm for arm in side if known(arm, target)] for side in sides)
    return WithinTarget(easy_minus_hard=found.easy_minus_hard, easy=easy, hard=hard)


class Weighted(NamedTuple):
    """One arm's part of a difference: the sum of its weights over targets, and how far it is from
    its own side's mean on the targets that it has."""

    weight: float
    apart: Measured


def _estimate(sides: Sides, gains: Mapping[str, Mapping[str, Measured]]) -> Estimate:
    """The difference, for other seeds, other rows and other tasks of the same kinds.

    The spread of the tasks of a side holds what is of these tasks, and what rows and seeds do to
    each of them for itself. What they do to a whole side comes to it, and is the variance of the
    difference over rows and seeds less what the spread holds of that already.
    source  Welch 1947, Biometrika 34, 28-35, for the sides' unequal spreads
    """
    easy, hard = (_arms_of(side, gains) for side in sides)
    terms = [(weight / len(gains), gain) for weight, gain in _terms(sides, gains)]
    difference = weighted(terms)
    parts = _parts_of_tasks(easy, hard)
    if parts is None or not difference.rows:
        return Estimate(value=difference.value)

    tasks, held = parts
    own = sum(part.error**2 for part in difference.parts)
    errors = [tasks, Part(math.sqrt(max(0.0, own - held)), math.inf)]
    half = half_width(errors)
    rows, *seeds = difference.parts
    tested = len(difference.per_seed) >= FEWEST_SEEDS or difference.seedless
    return Estimate(
        value=difference.value,
        interval=[rounded(difference.value - half), rounded(difference.value + half)],
        rows=rounded(rows.error),
        seeds=rounded(seeds[0].error) if seeds else None,
        tasks=rounded(tasks.error),
        p=rounded(two_sided(difference.value, errors), 6) if tested else None,
    )


def _terms(
    sides: Sides, gains: Mapping[str, Mapping[str, Measured]]
) -> list[tuple[float, Measured]]:
    """(weight, gain) of each arm on each target: 1 / arms of its side there, minus for hard."""
    terms = []
    for of in gains.values():
        for sign, side in ((1.0, sides.easy), (-1.0, sides.hard)):
            there = [of[arm] for arm in side if arm in of]
            terms += [(sign / len(there), gain) for gain in there]
    return terms


def _arms_of(side: Sequence[str], gains: Mapping[str, Mapping[str, Measured]]) -> list[Weighted]:
    found = []
    for arm in side:
        weight, apart = 0.0, []
        for of in gains.values():
            there = [of[one] for one in side if one in of]
            average = mean_of(there)
            if arm in of and average:
                weight += 1 / len(there) / len(gains)
                apart.append(of[arm] - average)
        whole = mean_of(apart)
        if whole:
            found.append(Weighted(weight, whole))
    return found


def _parts_of_tasks(
    easy: Sequence[Weighted], hard: Sequence[Weighted]
) -> tuple[Part, float] | None:
    """(error over tasks, with Welch's degrees of freedom; how much of its square is of rows and
    seeds). None of a single task on a side: its spread is not known."""
    total = held = freedom = 0.0
    for side in (easy, hard):
        count = len(side)
        if count < 2:
            return None
        squares = math.fsum(arm.weight**2 for arm in side)
        spread = math.fsum(arm.apart.value**2 for arm in side) / (count - 1)
        noise = math.fsum(p.error**2 for arm in side for p in arm.apart.parts) / (count - 1)
        total += squares * spread
        held += squares * noise
        freedom += (squares * spread) ** 2 / (count - 1)
    return Part(math.sqrt(total), total**2 / freedom if freedom else math.inf), min(held, total)


def _why_no_claim(study: Study, sides: Sides) -> str:
    """One sentence; empty where there are enough tasks for a claim."""
    if study.known.suite.smoke:
        return (
            "No claim about easy and hard tasks can be made: the suite is a smoke test on made-up"
            " data."
        )
    easy, hard = len(sides.easy), len(sides.hard)
    if min(easy, hard) >= FEWEST:
        return ""
    return (
        f"No claim about easy and hard tasks can be made: it takes at least {FEWEST} easy and"
        f" {FEWEST} hard tasks that were learned, and there are {easy} easy and {hard} hard."
    )


def _correlation(
    rows: Sequence[DifficultyRow],
    averages: Mapping[str, Measured | None],
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
