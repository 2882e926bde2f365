"""Easy against hard intermediate tasks: the difference of their average gains, and what may be said
of it."""

from statistics import fmean

import numpy as np

from harness.release.evidence import mean
from harness.statistics.bootstrap import stream
from harness.statistics.difficulty import split_line
from harness.statistics.intervals import interval, permutation_test, rounded, spearman, t_interval
from harness.statistics.study import Study, averaged

# learned tasks on each side, below which nothing is claimed: 3 against 3 cannot even reach p = 0.05
FEWEST = 4
_SIDES = ("easy", "hard")
Sides = dict[str, list[str]]  # "easy" and "hard" → arms
Difference = tuple[float, np.ndarray]  # and its replicates


def split(study: Study, entries: list[dict]) -> dict:
    """One encoder's split, over learned tasks that have an average gain.

    entries   `difficulty` of this encoder
    interval  95% bootstrap of the test rows, these very tasks taken as given; the permutation test
              asks about other tasks
    """
    rule = study.content["suite"]["split_rule"]
    averages = {
        entry["arm"]: study.average(entry["arm"], study.common)
        for entry in entries
        if entry["arm"] in study.arms
    }
    gains = {arm: average[0] for arm, average in averages.items() if average}
    among = [entry for entry in entries if entry["arm"] in gains]
    arms = {side: [entry["arm"] for entry in among if entry["bucket"] == side] for side in _SIDES}
    sides = {side: {arm: gains[arm] for arm in arms[side]} for side in _SIDES}
    within = _within_targets(study, arms)
    differences = {
        t: (_difference(study, over, [t]), _per_seed(study, over, [t]))
        for t, over in within.items()
    }
    p, permutations = None, 0
    if arms["easy"] and arms["hard"]:
        easy, hard = (list(sides[side].values()) for side in _SIDES)
        exact, permutations = permutation_test(
            easy, hard, lambda: stream(study.encoder, "", "permutations")
        )
        p = rounded(exact)
    why = _why_no_claim(study, arms)
    return {
        "encoder": study.encoder,
        "by": rule["by"],
        "threshold": split_line(entries, rule),
        **{
            side: {"arms": sides[side], "average_gain": mean(sides[side].values())}
            for side in _SIDES
        },
        **{
            bucket: [entry["arm"] for entry in entries if entry["bucket"] == bucket]
            for bucket in ("median", "unlearned")
        },
        **_seeded(_difference(study, arms, study.common), _per_seed(study, arms, study.common)),
        "permutation_p": p,
        "permutations": permutations,
        "claim": not why,
        "why": why,
        "sizes_differ": len({entry["rows"] for entry in among if entry["bucket"] in _SIDES}) > 1,
        "correlation": _correlation(among, gains, "headroom"),
        "correlation_pvi": _correlation(among, gains, "pvi_share"),
        "without_retrieval": _contrast(
            _difference(study, arms, study.without_retrieval(study.common))
        ),
        "zero_shot": _contrast(_difference(study, arms, study.common, "zero_shot")),
        "other_tasks": _over_targets(list(differences.values())),
        "by_target": {
            target: _seeded(*differences[target]) | over for target, over in within.items()
        },
    }


def _within_targets(study: Study, arms: Sides) -> dict[str, Sides]:
    """Target → the easy and the hard tasks of which it is another task's, where there are both.

    Compared within a target, sides of which an arm has lost its own data set are still about the
    same rows. Averages of arms over sets of their own are not: whoever lost an easier target would
    look better.
    """
    others = {arm: study.other_tasks(arm) for side in _SIDES for arm in arms[side]}
    found = {
        t: {side: [arm for arm in arms[side] if t in others[arm]] for side in _SIDES}
        for t in sorted(study.targets)
    }
    return {target: over for target, over in found.items() if all(over.values())}


def _over_targets(differences: list[tuple[Difference | None, dict[str, float]]]) -> dict:
    """The mean over targets of hard minus easy within each."""
    found, seeds = (
        [difference for difference, _ in differences if difference],
        [of for _, of in differences],
    )
    whole = [seed for seed in (seeds or [{}])[0] if all(seed in of for of in seeds)]
    mean_of = (
        (fmean(value for value, _ in found), averaged([drawn for _, drawn in found]))
        if found
        else None
    )
    return _seeded(mean_of, {seed: fmean(of[seed] for of in seeds) for seed in whole})


def _per_seed(study: Study, arms: Sides, targets: list[str]) -> dict[str, float]:
    """Hard minus easy, of each seed that all tasks of both sides have; {} where a side has none."""
    easy, hard = ([study.per_seed(arm, targets) for arm in arms[side]] for side in _SIDES)
    if not easy or not hard:
        return {}
    seeds = [seed for seed in easy[0] if all(seed in of for of in (*easy, *hard))]
    return {seed: fmean(of[seed] for of in hard) - fmean(of[seed] for of in easy) for seed in seeds}


def _difference(
    study: Study, arms: Sides, targets: list[str], name: str = "gain"
) -> Difference | None:
    """(average gain of the hard tasks minus that of the easy ones, its replicates); None where a
    side has none."""
    easy, hard = (
        [found for arm in arms[side] if (found := study.average(arm, targets, name))]
        for side in _SIDES
    )
    if not easy or not hard:
        return None
    difference = fmean(value for value, _ in hard) - fmean(value for value, _ in easy)
    return difference, averaged([drawn for _, drawn in hard]) - averaged(
        [drawn for _, drawn in easy]
    )


def _contrast(found: Difference | None) -> dict:
    return {"hard_minus_easy": found and found[0], "interval": found and interval(found[1])}


def _seeded(found: Difference | None, seeds: dict[str, float]) -> dict:
    return _contrast(found) | {"seed_interval": t_interval(list(seeds.values()))}


def _why_no_claim(study: Study, arms: dict[str, list[str]]) -> str:
    """One sentence; empty where there are enough tasks for a claim."""
    if study.content["suite"]["smoke"]:
        return (
            "No claim about easy and hard tasks can be made: the suite is a smoke test on made-up"
            " data."
        )
    easy, hard = len(arms["easy"]), len(arms["hard"])
    if min(easy, hard) >= FEWEST:
        return ""
    return (
        f"No claim about easy and hard tasks can be made: it takes at least {FEWEST} easy and"
        f" {FEWEST} hard tasks that were learned, and there are {easy} easy and {hard} hard."
    )


def _correlation(entries: list[dict], gains: dict[str, float], measure: str) -> dict | None:
    """Rank correlation over learned tasks of how hard a task is with its average gain."""
    known = [entry for entry in entries if entry["learned"] and entry[measure] is not None]
    found = spearman([entry[measure] for entry in known], [gains[entry["arm"]] for entry in known])
    return found and {"measure": measure} | found
