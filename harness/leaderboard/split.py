"""Easy against hard intermediate tasks: the difference of their average gains, and what may be said of it."""

from collections.abc import Callable
from statistics import fmean

from harness.leaderboard.bootstrap import stream
from harness.leaderboard.difficulty import split_line
from harness.leaderboard.evidence import mean
from harness.leaderboard.statistics import interval, permutation_test, rounded, spearman, t_interval
from harness.leaderboard.study import Study, averaged

FEWEST = 4  # learned tasks on each side, below which nothing is claimed: 3 against 3 cannot even reach p = 0.05
_SIDES = ("easy", "hard")
Targets = Callable[[str], list[str]]  # arm → the targets over which its gain is averaged


def split(study: Study, entries: list[dict]) -> dict:
    """One encoder's split, over learned tasks that have an average gain.

    entries   `difficulty` of this encoder
    interval  95% bootstrap of the test rows, these very tasks taken as given; the permutation test asks about other tasks
    """
    rule = study.content["suite"]["split_rule"]
    averages = {entry["arm"]: study.average(entry["arm"], study.common) for entry in entries if entry["arm"] in study.arms}
    gains = {arm: average[0] for arm, average in averages.items() if average}
    among = [entry for entry in entries if entry["arm"] in gains]
    arms = {side: [entry["arm"] for entry in among if entry["bucket"] == side] for side in _SIDES}
    sides = {side: {arm: gains[arm] for arm in arms[side]} for side in _SIDES}
    elsewhere = {side: [arm for arm in arms[side] if study.average(arm, study.other_tasks(arm))] for side in _SIDES}
    p, permutations = None, 0
    if arms["easy"] and arms["hard"]:
        easy, hard = (list(sides[side].values()) for side in _SIDES)
        exact, permutations = permutation_test(easy, hard, lambda: stream(study.encoder, "", "permutations"))
        p = rounded(exact)
    why = _why_no_claim(study, arms)
    return {
        "encoder": study.encoder,
        "by": rule["by"],
        "threshold": split_line(entries, rule),
        **{side: {"arms": sides[side], "average_gain": mean(sides[side].values())} for side in _SIDES},
        **{bucket: [entry["arm"] for entry in entries if entry["bucket"] == bucket] for bucket in ("median", "unlearned")},
        **_difference(study, arms, lambda arm: study.common),
        "seed_interval": t_interval(_per_seed(study, arms, lambda arm: study.common)),
        "permutation_p": p,
        "permutations": permutations,
        "claim": not why,
        "why": why,
        "sizes_differ": len({entry["rows"] for entry in among if entry["bucket"] in _SIDES}) > 1,
        "correlation": _correlation(among, gains, "headroom"),
        "correlation_pvi": _correlation(among, gains, "pvi_share"),
        "without_retrieval": _difference(study, arms, lambda arm: study.without_retrieval(study.common)),
        "zero_shot": _difference(study, arms, lambda arm: study.common, "zero_shot"),
        "other_tasks": _difference(study, elsewhere, study.other_tasks)
        | {"seed_interval": t_interval(_per_seed(study, elsewhere, study.other_tasks))},
    }


def _per_seed(study: Study, arms: dict[str, list[str]], targets: Targets) -> list[float]:
    """Hard minus easy, of each seed that all tasks of both sides have."""
    sides = [[study.per_seed(arm, targets(arm)) for arm in arms[side]] for side in _SIDES]
    seeds = [seed for seed in (sides[0] or [{}])[0] if all(seed in of for side in sides for of in side)]
    easy, hard = ([fmean(of[seed] for of in side) for seed in seeds if side] for side in sides)
    return [b - a for a, b in zip(easy, hard, strict=False)]


def _difference(study: Study, arms: dict[str, list[str]], targets: Targets, name: str = "gain") -> dict:
    """Average gain of the hard tasks minus that of the easy ones, over each one's targets, and its interval."""
    easy, hard = ([found for arm in arms[side] if (found := study.average(arm, targets(arm), name))] for side in _SIDES)
    if not easy or not hard:
        return {"hard_minus_easy": None, "interval": None}
    difference = fmean(value for value, _ in hard) - fmean(value for value, _ in easy)
    return {
        "hard_minus_easy": difference,
        "interval": interval(averaged([drawn for _, drawn in hard]) - averaged([drawn for _, drawn in easy])),
    }


def _why_no_claim(study: Study, arms: dict[str, list[str]]) -> str:
    """One sentence; empty where there are enough tasks for a claim."""
    if study.content["suite"]["smoke"]:
        return "No claim about easy and hard tasks can be made: the suite is a smoke test on made-up data."
    easy, hard = len(arms["easy"]), len(arms["hard"])
    if min(easy, hard) >= FEWEST:
        return ""
    return (
        f"No claim about easy and hard tasks can be made: it takes at least {FEWEST} easy and {FEWEST} hard tasks that were "
        f"learned, and there are {easy} easy and {hard} hard."
    )


def _correlation(entries: list[dict], gains: dict[str, float], measure: str) -> dict | None:
    """Rank correlation over learned tasks of how hard a task is with its average gain."""
    known = [entry for entry in entries if entry["learned"] and entry[measure] is not None]
    found = spearman([entry[measure] for entry in known], [gains[entry["arm"]] for entry in known])
    return found and {"measure": measure} | found
