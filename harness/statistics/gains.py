"""Gains: score with an intermediate minus score of the same encoder, target, seed and recipe
without one.

A gain counts unless a flag of one of its cells says that it is meaningless or unfair. Its interval
and p say how sure it is about other test rows (bootstrap); its `seed_interval` how sure about other
seeds.
"""

from statistics import fmean

from harness.release.evidence import mean
from harness.statistics.cells import ENGLISH
from harness.statistics.intervals import holm, interval, rounded, t_interval, two_sided
from harness.statistics.study import Study

EXCLUDING = frozenset({"shared", "leak", "placeholder", "unlearned"})
SIGNIFICANT = 0.05
_UNKNOWN: dict = {
    **dict.fromkeys(
        (
            "gain",
            "english",
            "zero_shot",
            "above_floor",
            "centred",
            "interval",
            "seed_interval",
            "p",
            "p_corrected",
        )
    ),
    "per_seed": {},
    "significant": False,
    "per_language": {},
}


def measure(study: Study, excluding: frozenset[str] = EXCLUDING) -> list[dict]:
    """All gains of an encoder, target by target within each arm; fills `study.gains` and
    `study.replicates`.

    excluding  the flags with which a gain does not count
    """
    for target in study.targets:
        pairs = {arm: found for arm in study.arms if (found := study.pairs(arm, target))}
        languages = {arm: _languages(found) for arm, found in pairs.items()}
        known = {
            arm: [seed for seed, _, _ in found] for arm, found in pairs.items() if languages[arm]
        }
        replicates = study.sample(target, known, languages) if known else {}
        for arm, found in pairs.items():
            study.gains[arm, target] = _flags(study, arm, target, found, excluding)
            if arm in known:
                study.replicates[arm, target] = replicates[arm]
                study.gains[arm, target] |= _gain(study, arm, target, languages[arm])
    study.gains = {
        (a, t): study.gains[a, t]
        for a in study.arms
        for t in study.targets
        if (a, t) in study.gains
    }
    _correct(list(study.gains.values()))
    return list(study.gains.values())


def _languages(pairs: list[tuple]) -> list[str]:
    """Languages with a score in every cell and baseline, by code; none where a cell has no score at
    all."""
    scored = [
        {lang for lang, s in cell["languages"].items() if "main" in s}
        for _, *both in pairs
        for cell in both
    ]
    return sorted(set.intersection(*scored))


def _flags(
    study: Study, arm: str, target: str, pairs: list[tuple], excluding: frozenset[str]
) -> dict:
    flags = sorted({flag for _, cell, base in pairs for flag in cell["flags"] + base["flags"]})
    waived = {"unlearned"} & set(study.content["suite"]["waives"])
    counted = bool(_languages(pairs)) and not (excluding - waived) & set(flags)
    return {
        "encoder": study.encoder,
        "arm": arm,
        "target": target,
        "flags": flags,
        "counted": counted,
    } | _UNKNOWN


def _gain(study: Study, arm: str, target: str, languages: list[str]) -> dict:
    """The numbers of a known gain. One unit tells nothing about its spread: no interval and no
    p."""
    pairs = study.pairs(arm, target)
    by_language = {
        lang: {
            str(seed): cell["languages"][lang]["main"] - base["languages"][lang]["main"]
            for seed, cell, base in pairs
        }
        for lang in languages
    }
    per_seed = {str(seed): _difference(cell, base, languages) for seed, cell, base in pairs}
    others = [language for language in languages if language != ENGLISH]
    above = [
        by_language[lang][str(seed)]
        for seed, cell, base in pairs
        for lang in languages
        if not any("floor" in c["languages"][lang]["flags"] for c in (cell, base))
    ]
    centred = [(cell["centred"], base["centred"]) for _, cell, base in pairs]
    drawn = study.replicates[arm, target]
    units = {language: study.units[target, language] for language in languages}
    sure = max(units.values()) > 1
    return {
        "per_seed": per_seed,
        "gain": mean(per_seed.values()),
        "english": mean(by_language[ENGLISH].values()) if ENGLISH in languages else None,
        "zero_shot": (
            mean(_difference(cell, base, others) for _, cell, base in pairs) if others else None
        ),
        "above_floor": mean(above),
        "centred": (
            None if any(None in both for both in centred) else mean(a - b for a, b in centred)
        ),
        "interval": interval(study.replicate(arm, target)) if sure else None,
        "seed_interval": t_interval(list(per_seed.values())),
        "p": two_sided(study.replicate(arm, target)) if sure else None,
        "per_language": {
            lang: {
                "gain": mean(by_language[lang].values()),
                "per_seed": by_language[lang],
                "interval": interval(drawn[lang]) if units[lang] > 1 else None,
            }
            for lang in languages
        },
    }


def _difference(cell: dict, base: dict, languages: list[str]) -> float:
    """Mean score minus mean score, over these languages."""
    score, other = (fmean(c["languages"][lang]["main"] for lang in languages) for c in (cell, base))
    return score - other


def _correct(gains: list[dict]) -> None:
    """Holm's correction over all gains of the encoder that count and have a p; rounds every p.

    The smallest p is 2 / (REPLICATES + 1): with 5,000 replicates and 125 gains or more none can be
    significant, and `words` says so.
    """
    tested = [gain for gain in gains if gain["counted"] and gain["p"] is not None]
    for gain, corrected in zip(tested, holm([gain["p"] for gain in tested]), strict=True):
        gain["p_corrected"] = rounded(corrected)
        gain["significant"] = gain["p_corrected"] < SIGNIFICANT
    for gain in gains:
        gain["p"] = None if gain["p"] is None else rounded(gain["p"])
