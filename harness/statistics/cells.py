"""Cells: the scores of one encoder, arm, target and seed, language by language, computed again from
the vectors.

What makes a number meaningless or unfair is a flag on its cell, and keeps it out of averages:

    unlearned    at chance in English after training: neither the English test rows nor English dev
                 are three standard errors above a predictor that learned nothing. Either will do:
                 the one may have a few dozen rows, the other be cut
    shared       at least 1% of the target's training rows stand in the intermediate's: its gain may
                 be just more epochs
    leak         more training rows than chance stand in the test set; refused unless the suite
                 waives it
    overlap      a few do, as in the official sets; counted, not refused
    placeholder  the test labels carry no information; refused unless the suite waives it
    same         the intermediate trained on rows of a file that the target trains on: its gain may
                 be that of more rows of one kind. It counts, since the rows are others (`shared`
                 says where they are not), but not in `other_tasks`

Flags of a language: `harness.metrics.flags`.
"""

from statistics import fmean

from harness.metrics import Scored, rescore
from harness.metrics.flags import ODD, language_flags
from harness.metrics.vectors import unpack
from harness.plan.planner import refused_leaks
from harness.release.evidence import dev_of, mean, same_data, vectors

SHARED_SHARE = 0.01
ENGLISH = "en"
MINING = ("candidates", "threshold", "dev_f1")  # what bitext mining says beside its score
_SCORED = ("metrics", "main", "null", "null_name", "above_null", "stderr")


def cells(content: dict) -> list[dict]:
    """All cells, in the order of the evidence. Scores are 0-100, unrounded; of a refused or missing
    cell, None."""
    evidence = content["evidence"]
    metrics = {name: target["metric"] for name, target in content["targets"].items()}
    golds = {
        t: {lang: vectors(packed, metrics[t]) for lang, packed in by.items()}
        for t, by in evidence["units"].items()
    }
    devs = {key: dev_of(training) for key, training in evidence["trainings"].items()}
    found = [
        _cell(cell, content["targets"][cell["target"]], golds.get(cell["target"], {}), devs)
        for cell in evidence["cells"]
    ]
    for cell, given in zip(found, evidence["cells"], strict=True):
        cell["flags"] += ["same"] * same_data(content, given)
    return found


def dev_scores(content: dict) -> list[dict]:
    """How each training did on its own English dev, 0-100, and whether it learned: of parts and
    controls it stands only here."""
    return [
        {
            "key": key,
            "encoder": training["encoder"],
            "phase": training["phase"],
            "seed": training["seed"],
            **dev_of(training),
        }
        for key, training in sorted(content["evidence"]["trainings"].items())
    ]


def selections(content: dict) -> list[dict]:
    """How many rows each subset arm chose; `ids_sum`, of the code points of their ids, so that none
    can be changed unseen."""
    return [
        {
            "arm": arm,
            "encoder": run["encoder"],
            "seed": run["seed"],
            "rows": run["rows"],
            "ids_sum": sum(map(ord, run["ids"])),
        }
        for arm, runs in sorted(content["evidence"]["subsets"].items())
        for run in runs
    ]


def _cell(cell: dict, target: dict, golds: dict, devs: dict) -> dict:
    """One cell. `golds`: language → the gold side's vectors; `devs`: training key → `dev_of` it."""
    flags = _overlap_flags(cell["overlap"])
    out = {name: cell[name] for name in ("encoder", "arm", "target", "seed", "key")} | {
        "flags": flags
    }
    if "leak" in flags or "overlap" in flags:
        out["leaks"] = {
            phase: dict(sorted(found.items()))
            for phase, found in sorted(cell["overlap"]["leaks"].items())
        }
    if cell["overlap"] and cell["overlap"]["shared"]:
        out["shared_rows"] = cell["overlap"]["shared"]
    dev = devs.get(cell["trained"], {"main": None, "learned": False})
    given = {} if cell["refused"] else cell["languages"]
    languages, scored = {}, {}
    for language, packed in sorted(given.items()):
        languages[language], score = _language(packed, golds.get(language, {}), target["metric"])
        if score is not None:
            scored[language] = score
    if len(scored) < len(languages):
        flags.append("placeholder")
    # never looked at: not known to have learned
    learned = dev["learned"] or (ENGLISH in scored and scored[ENGLISH].learned)
    if languages and target["trained"] and not learned:
        flags.append("unlearned")
    above = [score.main for score in scored.values() if score.learned]
    return out | {
        "languages": languages,
        "score": mean(score.main for score in scored.values()),
        "zero_shot": mean(score.main for language, score in scored.items() if language != ENGLISH),
        "above_floor": mean(above),
        "languages_above_floor": len(above),
        "centred": mean(facts["centred"] for facts in languages.values() if "centred" in facts),
        "dev": dev["main"] if target["trained"] else None,
        "dev_learned": dev["learned"] if target["trained"] else None,
    }


def _overlap_flags(overlap: dict | None) -> list[str]:
    """`overlap`: what the overlap job counted; None where nothing is trained, so that nothing can
    overlap."""
    if overlap is None:
        return []
    flags = []
    if overlap["leaks"]:
        flags.append("leak" if refused_leaks(overlap) else "overlap")
    if overlap["shared"] and overlap["shared"] >= SHARED_SHARE * overlap["rows"].get("target", 0):
        flags.append("shared")
    return flags


def _language(packed: dict, gold: dict[str, list], metric: str) -> tuple[dict, Scored | None]:
    """(what the release says of one language, its score; None where the gold labels are
    placeholders)."""
    facts = packed["facts"]
    score = None if facts["placeholder"] else rescore(metric, gold | vectors(packed, metric))
    out = {"n": facts["n"]}
    if score is not None:
        out |= {name: getattr(score, name) for name in _SCORED}
    out |= {name: facts[name] for name in (*MINING, *ODD) if name in facts}
    out |= {
        "truncated": facts["truncated"],
        "unknown": facts["unknown"],
        "flags": language_flags(facts, score),
    }
    # which wrong answer was given moves no score: a sum, so that no answer can be changed unseen
    if "predicted" in packed:
        out["answers_sum"] = sum(unpack(packed["predicted"]))
    if "centred" in packed:
        out["centred"] = 100 * fmean(unpack(packed["centred"]))
    return out, score
