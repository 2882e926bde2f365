"""Average gains, over the targets that count in every arm of an encoder, so that arms compare; and
slices by language.

`other_tasks` leaves out the targets of whose own data the arm trained on other rows (flag `same`):
is it more than more rows of one kind? A target stays for the other arms, also where its own arm's
gain does not count. So each arm has its own targets there, and arms do not compare by it as they do
by the average.
"""

from statistics import fmean
from string import ascii_lowercase

import numpy as np

from harness.release.evidence import mean
from harness.statistics.cells import ENGLISH
from harness.statistics.intervals import interval, limits, t_interval
from harness.statistics.study import Study, averaged

# share of pieces not in the vocabulary: (below this, name)
BUCKETS = ((0.01, "under 1%"), (0.05, "1-5%"), (0.25, "5-25%"), (float("inf"), "over 25%"))


def averages(study: Study) -> list[dict]:
    """One entry an arm. An arm of which nothing counts has no average."""
    ties = tie_groups(study)
    return [_average(study, arm) | {"tie": ties.get(arm)} for arm in study.arms]


def _average(study: Study, arm: str) -> dict:
    common, own = study.common, study.counted(arm)
    average, sure = _with_interval(study.average(arm, common))
    trained, sure_trained = _with_interval(study.average(arm, study.without_retrieval(common)))
    zero_shot, sure_zero_shot = _with_interval(study.average(arm, common, "zero_shot"))
    groups: dict[str, list[str]] = {}
    for target in common if average is not None else []:
        groups.setdefault(study.content["targets"][target]["group"], []).append(target)
    return {
        "encoder": study.encoder,
        "arm": arm,
        "average_gain": average,
        "interval": sure,
        "seed_interval": t_interval(list(study.per_seed(arm, common).values())),
        "targets": common,
        "without_retrieval": trained,
        "without_retrieval_interval": sure_trained,
        "zero_shot": zero_shot,
        "zero_shot_interval": sure_zero_shot,
        "other_tasks": _other_tasks(study, arm),
        "average_gain_own": mean(study.gains[arm, target]["gain"] for target in own),
        "own_targets": own,
        "groups": {group: _group(study, arm, targets) for group, targets in sorted(groups.items())},
    }


def _other_tasks(study: Study, arm: str) -> dict:
    targets = study.other_tasks(arm)
    value, sure = _with_interval(study.average(arm, targets))
    seeds = t_interval(list(study.per_seed(arm, targets).values()))
    return {"gain": value, "interval": sure, "seed_interval": seeds, "targets": targets}


def _group(study: Study, arm: str, targets: list[str]) -> dict:
    value, sure = _with_interval(study.average(arm, targets))
    return {"gain": value, "interval": sure, "targets": targets}


def _with_interval(
    average: tuple[float, np.ndarray] | None,
) -> tuple[float | None, list[float] | None]:
    return (average[0], interval(average[1])) if average else (None, None)


def tie_groups(study: Study) -> dict[str, str]:
    """arm → letter, best first: an arm that does not differ from its group's first one shares the
    letter; the first that does opens the next. It differs if the 95% bootstrap interval of the
    paired difference of their averages leaves out 0. Tasks and mixtures only: parts and controls
    are no rivals of theirs.
    """
    facts = study.content["arms"]
    rivals = [arm for arm in study.arms if facts[arm]["kind"] in ("task", "mixture")]
    known = {arm: average for arm in rivals if (average := study.average(arm, study.common))}
    letters: dict[str, str] = {}
    first, group = None, -1
    for arm in sorted(known, key=lambda arm: (-known[arm][0], arm)):
        if first is None or _differ(known[first][1], known[arm][1]):
            first, group = arm, group + 1
        letters[arm] = ascii_lowercase[group % 26] * (1 + group // 26)
    return letters


def _differ(a: np.ndarray, b: np.ndarray) -> bool:
    low, high = limits(a - b)
    return low > 0 or high < 0


def slices(study: Study) -> list[dict]:
    """Mean gain over (target, language) pairs by language family, script, and share of unknown
    pieces in the baseline's input.

    Over the targets that count in every task, as the averages, so that arms compare within a slice.
    Without English: that is what the target was trained in.
    """
    out = []
    for arm in (arm for arm in study.arms if study.counted(arm)):
        by_language = {
            target: study.gains[arm, target]["per_language"]
            for target in study.common
            if (arm, target) in study.gains
        }
        pairs = [
            (target, lang) for target, of in by_language.items() for lang in of if lang != ENGLISH
        ]
        for by in ("family", "script", "unknown"):
            value = {pair: _value(study, by, *pair) for pair in pairs}
            order = (
                [name for _, name in BUCKETS] if by == "unknown" else sorted(set(value.values()))
            )
            out += [
                _slice(study, arm, by, name, mine)
                for name in order
                if (mine := [p for p in pairs if value[p] == name])
            ]
    return out


def _slice(study: Study, arm: str, by: str, value: str, pairs: list[tuple[str, str]]) -> dict:
    return {
        "encoder": study.encoder,
        "arm": arm,
        "by": by,
        "value": value,
        "gain": mean(
            study.gains[arm, target]["per_language"][language]["gain"] for target, language in pairs
        ),
        "interval": interval(
            averaged([study.replicates[arm, target][language] for target, language in pairs])
        ),
        "languages": sorted({language for _, language in pairs}),
        "points": len(pairs),
    }


def _value(study: Study, by: str, target: str, language: str) -> str:
    if by != "unknown":
        return study.content["languages"][language][by]
    cells = [
        cell for (arm, t, _), cell in study.cells.items() if (arm, t) == (study.baseline, target)
    ]
    share = fmean(
        cell["languages"][language]["unknown"] for cell in cells if language in cell["languages"]
    )
    return next(name for below, name in BUCKETS if share < below)


def elsewhere(average: dict) -> dict | None:
    """An arm's average over other tasks' targets, where these are others than those of the average;
    None where they are the same, and in old releases, which do not know it."""
    other = average.get("other_tasks")
    return (
        other
        if other and average["average_gain"] is not None and other["targets"] != average["targets"]
        else None
    )


def split_elsewhere(split: dict) -> dict | None:
    """Hard minus easy over those targets, where it is another number; None as above."""
    other = split.get("other_tasks")
    return (
        other
        if other and other["hard_minus_easy"] not in (None, split["hard_minus_easy"])
        else None
    )
