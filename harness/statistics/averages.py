"""Average gains, over the targets that count in every arm of an encoder, so that arms compare.

`other_tasks` leaves out the targets of whose own data the arm trained on other rows (flag `same`):
is it more than more rows of one kind? A target stays for the other arms, also where its own arm's
gain does not count. So each arm has its own targets there, and arms do not compare by it as they do
by the average.
"""

from string import ascii_lowercase
from typing import Any

from harness.release.schema_derived import Average, GroupGain, OtherTasks
from harness.statistics.intervals import limits
from harness.statistics.replicated import (
    Replicated,
    interval_of,
    seed_interval_of,
    value_of,
)
from harness.statistics.study import Study


def averages(study: Study) -> list[Average]:
    """One entry an arm. An arm of which nothing counts has no average."""
    ties = tie_groups(study)
    return [_average(study, arm, ties.get(arm)) for arm in study.arms]


def _average(study: Study, arm: str, tie: str | None) -> Average:
    common, own = study.common, study.counted(arm)
    average = study.average(arm, common)
    trained = study.average(arm, study.without_retrieval(common))
    zero_shot = study.average(arm, common, zero_shot=True)
    # an arm without an average shows no part of one either
    groups: dict[str, list[str]] = {}
    for target in common if average else []:
        groups.setdefault(study.known.targets[target].group, []).append(target)
    return Average(
        encoder=study.encoder,
        arm=arm,
        average_gain=value_of(average),
        interval=interval_of(average),
        seed_interval=seed_interval_of(average),
        targets=common,
        without_retrieval=value_of(trained),
        without_retrieval_interval=interval_of(trained),
        zero_shot=value_of(zero_shot),
        zero_shot_interval=interval_of(zero_shot),
        other_tasks=_other_tasks(study, arm),
        average_gain_own=value_of(study.average(arm, own)),
        own_targets=own,
        groups={group: _group(study, arm, targets) for group, targets in sorted(groups.items())},
        tie=tie,
    )


def _other_tasks(study: Study, arm: str) -> OtherTasks:
    targets = study.other_tasks(arm)
    average = study.average(arm, targets)
    return OtherTasks(
        gain=value_of(average),
        interval=interval_of(average),
        seed_interval=seed_interval_of(average),
        targets=targets,
    )


def _group(study: Study, arm: str, targets: list[str]) -> GroupGain:
    average = study.average(arm, targets)
    return GroupGain(gain=value_of(average), interval=interval_of(average), targets=targets)


def tie_groups(study: Study) -> dict[str, str]:
    """arm → letter, best first: an arm that does not differ from its group's first one shares the
    letter; the first that does opens the next. It differs if the 95% bootstrap interval of the
    paired difference of their averages leaves out 0. Tasks and mixtures only: parts and controls
    are no rivals of theirs.
    """
    found = {arm: study.average(arm, study.common) for arm in study.rivals}
    known = {arm: average for arm, average in found.items() if average}
    letters: dict[str, str] = {}
    first, group = None, -1
    # compared with the group's first alone: "does not differ" is not passed on from arm to arm
    for arm in sorted(known, key=lambda arm: (-known[arm].value, arm)):
        if first is None or _differ(known[first], known[arm]):
            first, group = arm, group + 1
        letters[arm] = ascii_lowercase[group % 26] * (1 + group // 26)
    return letters


def _differ(a: Replicated, b: Replicated) -> bool:
    low, high = limits((a - b).replicates)
    return low > 0 or high < 0


def elsewhere(average: dict[str, Any]) -> dict[str, Any] | None:
    """Of a document: an arm's average over other tasks' targets, where these are others than those
    of the average; None where they are the same."""
    other: dict[str, Any] | None = average.get("other_tasks")
    if not other or average["average_gain"] is None or other["targets"] == average["targets"]:
        return None
    return other


def split_elsewhere(split: dict[str, Any]) -> dict[str, Any] | None:
    """Of a document: hard minus easy over those targets, where it is another number."""
    other: dict[str, Any] | None = split.get("other_tasks")
    if not other or other["hard_minus_easy"] in (None, split["hard_minus_easy"]):
        return None
    return other
