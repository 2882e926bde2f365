"""Easy against hard intermediate tasks: the difference of their average gains, and what may be said
of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.release.schema_derived import (
    Contrast,
    Correlation,
    DifficultyRow,
    SeededContrast,
    Side,
    Split,
    WithinTarget,
)
from harness.statistics.bootstrap import stream
from harness.statistics.difficulty import Bucket, split_line
from harness.statistics.intervals import permutation_test, rounded, spearman
from harness.statistics.replicated import (
    Replicated,
    interval_of,
    mean_of,
    seed_interval_of,
    value_of,
)
from harness.statistics.study import Study

# learned tasks on each side, below which nothing is claimed: 3 against 3 cannot even reach p = 0.05
FEWEST = 4


class Sides(NamedTuple):
    """Arms, by how hard their task was."""

    easy: list[str]
    hard: list[str]


def split(study: Study, rows: Sequence[DifficultyRow]) -> Split:
    """One encoder's split, over learned tasks that have an average gain.

    rows      `difficulty` of this encoder
    interval  95% bootstrap of the test rows, these very tasks taken as given; the permutation test
              asks about other tasks
    """
    averages = _averages(study, rows)
    among = [row for row in rows if row.arm in averages]
    sides = Sides(_arms(among, "easy"), _arms(among, "hard"))

    common = study.common
    whole = _hard_minus_easy(study, sides, common)
    trained = _hard_minus_easy(study, sides, study.without_retrieval(common))
    zero_shot = _hard_minus_easy(study, sides, common, zero_shot=True)

    within = _within_targets(study, sides)
    differences = {
        target: _hard_minus_easy(study, over, [target]) for target, over in within.items()
    }
    elsewhere = mean_of([one for one in differences.values() if one is not None])

    p, permutations = _permutation_test(study.encoder, sides, averages)
    why = _why_no_claim(study, sides)
    return Split(
        encoder=study.encoder,
        by=study.known.suite.split_rule.by,
        threshold=split_line(rows, study.known.suite.split_rule),
        easy=_side(sides.easy, averages),
        hard=_side(sides.hard, averages),
        median=_arms(rows, "median"),
        unlearned=_arms(rows, "unlearned"),
        hard_minus_easy=value_of(whole),
        interval=interval_of(whole),
        seed_interval=seed_interval_of(whole),
        permutation_p=p,
        permutations=permutations,
        claim=not why,
        why=why,
        sizes_differ=len({row.rows for row in among if row.bucket in ("easy", "hard")}) > 1,
        correlation=_correlation(among, averages, "headroom", lambda row: row.headroom),
        correlation_pvi=_correlation(among, averages, "pvi_share", lambda row: row.pvi_share),
        without_retrieval=_contrast(trained),
        zero_shot=_contrast(zero_shot),
        other_tasks=_seeded(elsewhere),
        by_target={target: _within(differences[target], over) for target, over in within.items()},
    )


def _averages(study: Study, rows: Sequence[DifficultyRow]) -> dict[str, Replicated]:
    """Arm → its average gain, where it has one."""
    arms = [row.arm for row in rows if row.arm in study.arms]
    averages = {arm: study.average(arm, study.common) for arm in arms}
    return {arm: average for arm, average in averages.items() if average}


def _arms(rows: Sequence[DifficultyRow], bucket: Bucket) -> list[str]:
    return [row.arm for row in rows if row.bucket == bucket]


def _side(arms: Sequence[str], averages: Mapping[str, Replicated]) -> Side:
    return Side(
        arms={arm: averages[arm].value for arm in arms},
        average_gain=value_of(mean_of([averages[arm] for arm in arms])),
    )


def _within_targets(study: Study, sides: Sides) -> dict[str, Sides]:
    """Target → the easy and the hard tasks of which it is another task's, where there are both.

    Compared within a target, sides of which an arm has lost its own data set are still about the
    same rows. Averages of arms over sets of their own are not: whoever lost an easier target would
    look better.
    """
    others = {arm: study.other_tasks(arm) for arm in (*sides.easy, *sides.hard)}
    found = {}
    for target in sorted(study.targets):
        easy = [arm for arm in sides.easy if target in others[arm]]
        hard = [arm for arm in sides.hard if target in others[arm]]
        if easy and hard:
            found[target] = Sides(easy, hard)
    return found


def _hard_minus_easy(
    study: Study, sides: Sides, targets: Sequence[str], zero_shot: bool = False
) -> Replicated | None:
    """The hard tasks' average gain minus that of the easy ones; None where a side has none."""
    easy = _mean_average(study, sides.easy, targets, zero_shot)
    hard = _mean_average(study, sides.hard, targets, zero_shot)
    return hard - easy if hard and easy else None


def _mean_average(
    study: Study, arms: Sequence[str], targets: Sequence[str], zero_shot: bool
) -> Replicated | None:
    averages = [study.average(arm, targets, zero_shot) for arm in arms]
    # an arm in which one of the targets does not count is left out of its side
    return mean_of([average for average in averages if average])


def _contrast(found: Replicated | None) -> Contrast:
    return Contrast(hard_minus_easy=value_of(found), interval=interval_of(found))


def _seeded(found: Replicated | None) -> SeededContrast:
    return SeededContrast(
        hard_minus_easy=value_of(found),
        interval=interval_of(found),
        seed_interval=seed_interval_of(found),
    )


def _within(found: Replicated | None, sides: Sides) -> WithinTarget:
    return WithinTarget(**vars(_seeded(found)), easy=sides.easy, hard=sides.hard)


def _permutation_test(
    encoder: str, sides: Sides, averages: Mapping[str, Replicated]
) -> tuple[float | None, int]:
    """(p, number of assignments); (None, 0) where a side has no task."""
    if not sides.easy or not sides.hard:
        return None, 0
    easy = [averages[arm].value for arm in sides.easy]
    hard = [averages[arm].value for arm in sides.hard]
    p, assignments = permutation_test(easy, hard, lambda: stream(encoder, "", "permutations"))
    return rounded(p), assignments


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
    averages: Mapping[str, Replicated],
    measure: str,
    value: Callable[[DifficultyRow], float | None],
) -> Correlation | None:
    """Rank correlation over learned tasks of how hard a task is with its average gain."""
    points = []
    for row in rows:
        hardness = value(row)
        if row.learned and hardness is not None:
            points.append((hardness, averages[row.arm].value))
    found = spearman([x for x, _ in points], [y for _, y in points])
    return Correlation(measure=measure, **found._asdict()) if found else None
