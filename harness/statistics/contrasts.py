"""Two questions beside the board: parts and controls of one task against each other, and which arm
one would have chosen."""

import math
from hashlib import sha256
from itertools import combinations
from statistics import fmean

import numpy as np

from harness.metrics import METRICS
from harness.release.evidence import mean
from harness.statistics.bootstrap import REPLICATES
from harness.statistics.gains import EXCLUDING
from harness.statistics.intervals import holm, interval, rounded, t_interval, two_sided
from harness.statistics.study import Keep, Study, averaged, only

# the mean gain and its replicates, that of each seed
Average = tuple[tuple[float, np.ndarray], dict[str, float]]
Chosen = tuple[str, float, np.ndarray]  # arm, its gain, the gain's replicates
LABELS = (
    "easiest",
    "hardest",
    "ambiguous",
    "random",
    "shuffled_labels",
    "masked_lm",
    "variant",
    "all",
)


def subsets(study: Study) -> list[dict]:
    """Per task with subsets or controls: average gains compared two by two, Holm within the task.

    Only arms that trained on as many rows are compared: parts with parts, controls with the whole.
    Over the targets that count in all of the group's arms, and over those among them that are other
    tasks' (`other_tasks`), where more rows of the target's own kind explain nothing. `difference`
    is a's average gain minus b's; the intervals are paired.
    """
    facts = study.content["arms"]
    groups: dict[str, list[str]] = {}
    for arm in study.arms:
        if facts[arm]["of"] and facts[arm]["kind"] in ("task", "subset", "control"):
            groups.setdefault(facts[arm]["of"], []).append(arm)
    groups = {
        of: arms for of, arms in groups.items() if any(facts[arm]["kind"] != "task" for arm in arms)
    }
    return [_compared(study, of, _labelled(facts, arms)) for of, arms in sorted(groups.items())]


def _labelled(facts: dict, arms: list[str]) -> dict[str, str]:
    """label → arm, in the order of LABELS; where two arms share one, the arm's name is added to
    it."""
    labels = {
        arm: facts[arm]["control"] or (facts[arm]["subset"] or {}).get("keep") or "all"
        for arm in arms
    }
    given = list(labels.values())
    ranked = sorted(
        arms,
        key=lambda arm: (LABELS.index(labels[arm]) if labels[arm] in LABELS else len(LABELS), arm),
    )
    return {
        labels[arm] if given.count(labels[arm]) == 1 else f"{labels[arm]} ({arm})": arm
        for arm in ranked
    }


def _compared(study: Study, of: str, arms: dict[str, str]) -> dict:
    targets = study.common_of(list(arms.values()))
    elsewhere = [
        target for target in targets if not any(study.same(arm, target) for arm in arms.values())
    ]
    known, there = _averages(study, arms, targets), _averages(study, arms, elsewhere)
    rows = {label: _rows(study, arm) for label, arm in arms.items()}
    pairs = [(a, b) for a, b in combinations(known, 2) if rows[a] == rows[b]]
    ps = [two_sided(known[a][0][1] - known[b][0][1]) for a, b in pairs]
    comparisons = [
        _minus(known, a, b) | {"p": rounded(p), "p_corrected": rounded(corrected)}
        for (a, b), p, corrected in zip(pairs, ps, holm(ps), strict=True)
    ]
    others = {
        "targets": elsewhere,
        "comparisons": [_minus(there, a, b) for a, b in pairs] if there else [],
    }
    found = {
        "encoder": study.encoder,
        "of": of,
        "arms": arms,
        "rows": rows,
        "targets": targets,
        "comparisons": comparisons,
    }
    return found | {"other_tasks": others}


def _averages(study: Study, arms: dict[str, str], targets: list[str]) -> dict[str, Average]:
    """label → its arm's average over these targets and that of each seed; without arms that have
    none."""
    found = {
        label: (study.average(arm, targets), study.per_seed(arm, targets))
        for label, arm in arms.items()
    }
    return {label: (average, seeds) for label, (average, seeds) in found.items() if average}


def _minus(known: dict[str, Average], a: str, b: str) -> dict:
    """a's average minus b's, with its intervals."""
    ((mean_a, drawn_a), of_a), ((mean_b, drawn_b), of_b) = known[a], known[b]
    seeds = t_interval([of_a[seed] - of_b[seed] for seed in of_a if seed in of_b])
    return {
        "a": a,
        "b": b,
        "difference": mean_a - mean_b,
        "interval": interval(drawn_a - drawn_b),
        "seed_interval": seeds,
    }


def _rows(study: Study, arm: str) -> int | None:
    """How many rows an arm's intermediate trained on, with its first seed."""
    keys = [
        run["key"]
        for run in study.content["arms"][arm]["trained"]
        if run["encoder"] == study.encoder
    ]
    trainings = [
        study.content["evidence"]["trainings"][key]
        for key in keys
        if key in study.content["evidence"]["trainings"]
    ]
    return next(
        (sum(part["rows"] for part in training["tasks"].values()) for training in trainings), None
    )


def best(study: Study) -> list[dict]:
    """What choosing the intermediate per target gains, measured on rows that had no say in the
    choice.

    Chosen on English dev of the target's training; where nothing is trained, on half of the test
    units, and measured on the other half. Tasks and mixtures are candidates, and the baseline, with
    gain 0; not where rows leak or are shared, nor where dev, which is all one may look at, says
    that the target was not learned. The row with target None is the mean over targets that have a
    candidate beside the baseline.
    """
    rows: list[dict] = []
    chosen = []
    for target in study.targets:
        arms = [arm for arm in study.arms if _candidate(study, arm, target)]
        devs = {arm: _dev(study, arm, target) for arm in (study.baseline, *arms)}
        on_dev = devs[study.baseline] is not None
        found = (
            (_by_dev(study, target, devs) if on_dev else _by_half(study, target, arms))
            if arms
            else None
        )
        arm, gain, drawn = found or (None, None, None)
        if found:
            chosen.append(found)
        on = "English dev" if on_dev else "half of the test examples"
        rows.append(_row(study, target, on, arm, gain, drawn))
    drawn = averaged([drawn for _, _, drawn in chosen]) if chosen else None
    return [*rows, _row(study, None, None, None, mean(gain for _, gain, _ in chosen), drawn)]


def _candidate(study: Study, arm: str, target: str) -> bool:
    gain = study.gains.get((arm, target))
    if (
        study.content["arms"][arm]["kind"] not in ("task", "mixture")
        or gain is None
        or gain["gain"] is None
    ):
        return False
    learned = [
        cell["dev_learned"] for (a, t, _), cell in study.cells.items() if (a, t) == (arm, target)
    ]
    unlearned = False in learned and "unlearned" not in study.content["suite"]["waives"]
    return not unlearned and not (EXCLUDING - {"unlearned"}) & set(gain["flags"])


def _row(
    study: Study,
    target: str | None,
    on: str | None,
    arm: str | None,
    gain: float | None,
    drawn: np.ndarray | None,
) -> dict:
    facts = {"encoder": study.encoder, "target": target, "selected_on": on}
    return facts | {"arm": arm, "gain": gain, "interval": interval(drawn)}


def _dev(study: Study, arm: str, target: str) -> float | None:
    """Mean over seeds of the English dev score; None where a seed has none."""
    devs = [cell["dev"] for (a, t, _), cell in study.cells.items() if (a, t) == (arm, target)]
    return None if None in devs else mean(devs)


def _first(values: dict[str, float], baseline: str) -> str:
    """The arm with the highest value; of equal ones the baseline, then the first by name."""
    return min(values, key=lambda arm: (-values[arm], arm != baseline, arm))


def _by_dev(study: Study, target: str, devs: dict[str, float | None]) -> Chosen:
    arm = _first({arm: dev for arm, dev in devs.items() if dev is not None}, study.baseline)
    if arm == study.baseline:
        return arm, 0.0, np.zeros(REPLICATES)
    return arm, study.gains[arm, target]["gain"], study.replicate(arm, target)


def _by_half(study: Study, target: str, arms: list[str]) -> Chosen | None:
    """The arm that gains most on one half, with its gain on the other; None where a half is
    empty."""
    parallel = study.content["targets"][target]["parallel"]

    def reported(language: str, units: np.ndarray) -> np.ndarray:
        return np.array(
            [_coin(target, "" if parallel else language, int(unit)) for unit in units], dtype=bool
        )

    selecting, reporting = _half_gains(study, target, arms, reported)
    if not all((*selecting.values(), *reporting.values())):
        return None
    arm = _first(
        {study.baseline: 0.0} | {arm: fmean(selecting[arm].values()) for arm in arms},
        study.baseline,
    )
    if arm == study.baseline:
        return arm, 0.0, np.zeros(REPLICATES)
    seeds = [seed for seed, _, _ in study.pairs(arm, target)]
    drawn = study.sample(target, {arm: seeds}, {arm: sorted(reporting[arm])}, reported)[arm]
    return (
        arm,
        fmean(reporting[arm].values()),
        averaged([drawn[language] for language in sorted(drawn)]),
    )


def _coin(target: str, language: str, unit: int) -> int:
    """The half a unit falls in: 0 selects, 1 is reported."""
    return sha256(f"{unit}\n{target}\n{language}".encode()).digest()[-1] % 2


def _half_gains(study: Study, target: str, arms: list[str], reported: Keep) -> tuple[dict, dict]:
    """Of the selecting and of the reported half: arm → language → gain, mean over seeds; a language
    with no unit is left out."""
    metric = study.content["targets"][target]["metric"]
    halves: tuple[dict, dict] = {arm: {} for arm in arms}, {arm: {} for arm in arms}
    for arm in arms:
        seeds = [seed for seed, _, _ in study.pairs(arm, target)]
        for language in study.gains[arm, target]["per_language"]:
            units, systems = study.read(
                target, language, [(a, seed) for seed in seeds for a in (arm, study.baseline)]
            )
            coins = reported(language, units)
            for half, kept in zip(halves, (~coins, coins), strict=True):
                if kept.any():
                    scores = [_main(metric, system) for system in only(kept, units, systems)[1]]
                    half[arm][language] = fmean(
                        a - b for a, b in zip(scores[::2], scores[1::2], strict=True)
                    )
    return halves


def _main(metric: str, examples: dict) -> float:
    vectors = {"n": np.ones(len(next(iter(examples.values()))))} | METRICS[metric].resampled(
        examples
    )
    return float(
        METRICS[metric].main_from_totals(
            {name: math.fsum(vector) for name, vector in vectors.items()}
        )
    )
