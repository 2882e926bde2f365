"""Which intermediate one would have chosen for each target without a look at its test rows, and
what that gains."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from statistics import fmean
from typing import NamedTuple

import numpy as np

from harness.metrics import METRICS
from harness.metrics.metric import Array
from harness.release.evidence import mean
from harness.release.schema_derived import Best, DevScore
from harness.statistics.measured import NOTHING, Quantity, estimate_of, mean_of
from harness.statistics.sampling import Influences, Keep, Kept, only, read
from harness.statistics.study import REFUSED, Study

LanguageGains = dict[str, dict[int, float]]  # language → seed → gain


class Pick(NamedTuple):
    """The arm that was chosen, and what it gains on rows that did not choose it."""

    arm: str
    gain: Quantity


def best(study: Study, devs: Mapping[str, DevScore]) -> list[Best]:
    """What choosing the intermediate per target gains, measured on rows that had no say in the
    choice.

    Chosen on English dev of the target's training; where nothing is trained, on half of the test
    units, and measured on the other half. Tasks and mixtures that were learned are candidates, and
    the baseline, with gain 0; not where rows leak or are shared, nor where dev, which is all one
    may look at, says that the target was not learned. The row with target None is the mean over
    targets that have a candidate beside the baseline.

    devs  training key → its dev score
    """
    rows, gains = [], []
    rivals = [arm for arm in study.rivals if _is_learned(study, arm, devs)]
    for target in study.targets:
        on_dev = _dev(study, study.baseline, target) is not None
        selected_on = "English dev" if on_dev else "half of the test examples"
        # rows that chose cannot report: the best of many is partly the luckiest on them
        choose = _by_dev if on_dev else _by_half
        arms = [arm for arm in rivals if _is_candidate(study, arm, target)]
        pick = choose(study, target, arms) if arms else None
        if pick:
            gains.append(pick.gain)
            rows.append(_row(study, target, selected_on, pick.arm, pick.gain))
        else:
            rows.append(_row(study, target, selected_on, None, None))
    return [*rows, _row(study, None, None, None, mean_of(gains))]


def _row(
    study: Study,
    target: str | None,
    selected_on: str | None,
    arm: str | None,
    gain: Quantity | None,
) -> Best:
    return Best(
        encoder=study.encoder,
        target=target,
        selected_on=selected_on,
        arm=arm,
        gain=estimate_of(gain),
    )


def _is_learned(study: Study, arm: str, devs: Mapping[str, DevScore]) -> bool:
    """Whether no training of the arm is known to have learned nothing: what is best after it, is
    best by chance."""
    runs = [run for run in study.known.arms[arm].trained if run.encoder == study.encoder]
    looked = [devs[run.key] for run in runs if run.key in devs]
    return all(dev.learned for dev in looked if dev.main is not None)


def _is_candidate(study: Study, arm: str, target: str) -> bool:
    gain = study.gain(arm, target)
    if gain is None or gain.gain.value is None or (REFUSED | {"shared"}) & set(gain.flags):
        return False
    # `unlearned` looks at English test rows too, which may have no say here; dev alone may
    learned = [cell.dev_learned for cell in study.cells_of(arm, target).values()]
    return False not in learned or "unlearned" in study.known.suite.waives


def _dev(study: Study, arm: str, target: str) -> float | None:
    """Mean over seeds of the English dev score; None where a seed has none."""
    devs = [cell.dev for cell in study.cells_of(arm, target).values()]
    known = [dev for dev in devs if dev is not None]
    return mean(known) if len(known) == len(devs) else None


def _first(values: Mapping[str, float], baseline: str) -> str:
    """The arm with the highest value; of equal ones the baseline, then the first by name."""
    return min(values, key=lambda arm: (-values[arm], arm != baseline, arm))


def _by_dev(study: Study, target: str, arms: Sequence[str]) -> Pick:
    devs = {arm: _dev(study, arm, target) for arm in (study.baseline, *arms)}
    known = {arm: dev for arm, dev in devs.items() if dev is not None}
    arm = _first(known, study.baseline)
    gain = study.gains[arm, target].whole if arm != study.baseline else NOTHING
    assert gain is not None, "a candidate's gain is known"
    return Pick(arm, gain)


def _by_half(study: Study, target: str, arms: Sequence[str]) -> Pick | None:
    """The arm that gains most on one half, with its gain on the other; None where a half is
    empty."""
    parallel = study.known.targets[target].parallel
    tossed: dict[str, Kept] = {}  # by language: its units are the same for every arm

    def is_reported(language: str, units: Array) -> Kept:
        if language not in tossed:
            coins = [coin(target, "" if parallel else language, int(unit)) for unit in units]
            tossed[language] = np.array(coins, dtype=bool)
        return tossed[language]

    def is_selecting(language: str, units: Array) -> Kept:
        return ~is_reported(language, units)

    selecting = _gains(study, target, arms, is_selecting)
    reporting = _gains(study, target, arms, is_reported)
    if not all((*selecting.values(), *reporting.values())):
        return None
    means = {arm: _mean_gain(selecting[arm]) for arm in arms}
    arm = _first({study.baseline: 0.0} | means, study.baseline)
    if arm == study.baseline:
        return Pick(arm, NOTHING)

    gain = _measured(study, arm, target, reporting[arm], is_reported)
    return Pick(arm, gain)


def _measured(
    study: Study, arm: str, target: str, gains: Mapping[str, Mapping[int, float]], keep: Keep
) -> Quantity:
    """The mean over languages of an arm's gains on the rows that are kept. `gains`: language →
    seed → the gain there."""
    seeds = study.seeds(arm, target)
    mine, base = [(arm, seed) for seed in seeds], [(study.baseline, seed) for seed in seeds]
    moved = Influences(study, target, keep)
    moved.read({language: [*mine, *base] for language in gains})
    by_language = []
    for language, per_seed in gains.items():
        rows = moved.of(language, mine) - moved.of(language, base)
        value = fmean(per_seed.values())
        named = {str(seed): gain for seed, gain in per_seed.items()}
        by_language.append(Quantity(value, named, {moved.block(language): rows}))
    whole = mean_of(by_language)
    assert whole, "a condition that was picked has a language"
    return whole


@lru_cache(maxsize=1 << 16)  # units of a parallel target are the same in every language
def coin(target: str, language: str, unit: int) -> int:
    """The half a unit falls in: 0 selects, 1 is reported. `language` is "" where a unit holds rows
    of all languages."""
    return sha256(f"{unit}\n{target}\n{language}".encode()).digest()[-1] % 2


def _gains(study: Study, target: str, arms: Sequence[str], keep: Keep) -> dict[str, LanguageGains]:
    """Of each arm the gain by language and seed over the units that are kept; a language with no
    such unit is left out."""
    seeds = {arm: study.seeds(arm, target) for arm in arms}
    gains = {arm: study.gain(arm, target) for arm in arms}
    spoken = {arm: list(gain.per_language) for arm, gain in gains.items() if gain}
    found: dict[str, LanguageGains] = {arm: {} for arm in arms}
    for language in sorted(set().union(*spoken.values())):
        mine = [arm for arm in arms if language in spoken.get(arm, ())]
        pairs = [((arm, seed), (study.baseline, seed)) for arm in mine for seed in seeds[arm]]
        systems = list(dict.fromkeys(chain.from_iterable(pairs)))
        units, vectors = read(study, target, language, systems)
        kept = keep(language, units)
        if not kept.any():
            continue
        left = only(kept, units, vectors)[1]
        scores = dict(zip(systems, (_main(study, target, one) for one in left), strict=True))
        for (arm, seed), base in pairs:
            of_arm = found[arm].setdefault(language, {})
            of_arm[seed] = scores[arm, seed] - scores[base]
    return found


def _mean_gain(gains: LanguageGains) -> float:
    return fmean(fmean(per_seed.values()) for per_seed in gains.values())


def _main(study: Study, target: str, examples: Mapping[str, Array]) -> float:
    """The main score of some examples, 0-100."""
    metric = METRICS[study.known.targets[target].metric]
    rows = len(next(iter(examples.values())))
    vectors = {"n": np.ones(rows)} | metric.resampled(examples)
    totals = {name: math.fsum(vector) for name, vector in vectors.items()}
    return float(metric.main_from_totals(totals))
