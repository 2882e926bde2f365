"""Gains: score with an intermediate minus score of the same encoder, target, seed and recipe without one.

`content` is a pure function of a plan and committed results: no times, paths or environment in it, so that the same
results give the same bytes. What makes a number meaningless or unfair is a flag on its cell, and keeps it out of averages:

    unlearned    at chance in English after training (three standard errors above a predictor that learned nothing)
    shared       at least 1% of the target's training rows stand in the intermediate's: its gain may be just more epochs
    leak         more training rows than chance stand in the test set; refused unless the suite waives it
    overlap      a few do, as in the official sets; counted, not refused
    placeholder  the test labels carry no information; refused unless the suite waives it

Of a language, from its evaluation: `floor` not above chance (a second average leaves such languages out), `constant`
one answer for all rows, `below_majority` (tagging) less accurate than the most frequent tag, `few_rows` under 50,
`truncated` over 1% of the rows lost text, `unknown` over 5% of the pieces are not in the vocabulary.
"""

from collections import defaultdict
from statistics import fmean

from harness.plan import Cell, Plan, refused_leaks, shown_name
from harness.spec.catalog import Catalog
from harness.spec.family import FAMILIES
from harness.spec.suite import Caps
from harness.store import Store

SCHEMA = 2
SHARED_SHARE = 0.01
ENGLISH = "en"


def content(plan: Plan, catalog: Catalog, store: Store, refused: dict[str, dict]) -> dict:
    """The release's content document (schema SCHEMA). Scores and gains are 0-100, unrounded."""
    suite = plan.suite
    cells = [_cell(cell, plan, catalog, store, refused) for cell in plan.cells]
    arms = {arm.name: _arm(arm, plan, catalog, store) for arm in suite.arms}
    gains = _gains(cells, suite)
    targets = {shown_name(suite, catalog.task(name)): _target(catalog.task(name), plan) for name in suite.targets}
    averages = _averages(gains, suite, {name for name, t in targets.items() if not FAMILIES[t["family"]].trained})
    return {
        "schema": SCHEMA,
        "suite": {
            "name": suite.suite,
            "version": suite.version,
            "about": suite.about,
            "smoke": suite.smoke,
            "seeds": suite.seeds,
            "protocol": suite.protocol,
            "left_out": suite.left_out,
            "waives": suite.waives,
            "split_rule": suite.split_rule.model_dump(),
            "caps": suite.caps.model_dump(),
            "task_caps": {task: caps.model_dump() for task, caps in suite.task_caps.items()},
            "cuts": {task: cut.model_dump(exclude_none=True) for task, cut in suite.cuts.items()},
            "recipes": suite.recipes.model_dump(),
            "settings": {name: setting.model_dump() for name, setting in suite.settings.items()},
        },
        "encoders": {name: _encoder(name, plan, catalog) for name in plan.encoders},
        "arms": arms,
        "targets": targets,
        "data": plan.files_read(),
        "cells": cells,
        "gains": gains,
        "averages": averages,
        "split": _split(averages, arms, plan),
    }


def _encoder(name: str, plan: Plan, catalog: Catalog) -> dict:
    spec = catalog.encoder(name)
    facts = {"version": spec.version, "pretrained_on": spec.pretrained_on, "seen": spec.seen}
    return facts | {"files": plan.encoders[name].identity["files"]}


def _arm(arm, plan: Plan, catalog: Catalog, store: Store) -> dict:
    """An arm's intermediate tasks, their declared difficulty (of one task), and how they were learned per encoder and seed."""
    if arm.is_baseline:
        return {"intermediate": None}
    tasks = [catalog.task(name) for name in arm.intermediate.tasks]
    only = tasks[0] if len(tasks) == 1 else None
    trained: dict[str, dict] = {}  # by key: all targets of a seed share one intermediate
    for cell in plan.cells:
        if cell.arm == arm.name and cell.intermediate and store.manifest(cell.intermediate):
            summary = store.read_json(cell.intermediate, "train.json")
            best = summary["best"]
            trained[cell.intermediate] = {
                "encoder": cell.encoder,
                "seed": cell.seed,
                "key": cell.intermediate,
                "rows": sum(part["rows"] for part in summary["tasks"].values()),
                "updates": summary["updates"],
                "dev": best.get("main"),
                "learned": all(part["learned"] for part in best["tasks"].values()) if "tasks" in best else None,
                "tasks": {name: part | best.get("tasks", {}).get(name, {}) for name, part in summary["tasks"].items()},
            }
    return {
        "intermediate": arm.intermediate.tasks,
        "shown": shown_name(plan.suite, only) if only and arm.name == only.task else arm.name,
        "versions": {task.task: task.version for task in tasks},
        "families": sorted({task.family for task in tasks}),
        "title": only.about.title if only else " + ".join(task.task for task in tasks),
        "sampler": None if only else arm.intermediate.sampler.model_dump(),
        "languages": arm.intermediate.languages,
        "difficulty": only.difficulty.model_dump() if only and only.difficulty else None,
        "trained": list(trained.values()),
    }


def _target(task, plan: Plan) -> dict:
    cut = plan.suite.cuts.get(task.task)
    return {
        "task": task.task,
        "version": task.version,
        "family": task.family,
        "metric": task.metric,
        "title": task.about.title,
        "languages": sorted(cut.languages if cut and cut.languages else task.languages),
        "capped": plan.suite.task_caps.get(task.task, plan.suite.caps) != Caps(),
        "cut": cut.why if cut else None,
    }


def _cell(cell: Cell, plan: Plan, catalog: Catalog, store: Store, refused: dict[str, dict]) -> dict:
    """One cell: per-language scores, their means, flags."""
    out = {
        "encoder": cell.encoder,
        "arm": cell.arm,
        "target": shown_name(plan.suite, catalog.task(cell.target)),
        "seed": cell.seed,
        "key": cell.evaluate,
        "flags": [],
    }
    overlap = store.read_json(cell.overlap, "overlap.json") if cell.overlap else {"leaks": {}, "shared": 0, "rows": {}}
    if overlap["leaks"]:
        out["flags"].append("leak" if refused_leaks(overlap) else "overlap")
        out["leaks"] = overlap["leaks"]
    if overlap["shared"] >= SHARED_SHARE * overlap["rows"].get("target", 0) and overlap["shared"]:
        out["flags"].append("shared")
        out["shared_rows"] = overlap["shared"]
    if cell.evaluate in refused or store.manifest(cell.evaluate) is None:
        return out | {"languages": {}, "score": None, "zero_shot": None, "above_floor": None}
    languages = store.read_json(cell.evaluate, "scores.json")
    scored = {language: s for language, s in languages.items() if "main" in s}
    if len(scored) < len(languages):
        out["flags"].append("placeholder")
    if _unlearned(cell, scored, catalog, store):
        out["flags"].append("unlearned")
    above = [s["main"] for language, s in scored.items() if "floor" not in s["flags"]]
    return out | {
        "languages": languages,
        "score": _mean(s["main"] for s in scored.values()),
        "zero_shot": _mean(s["main"] for language, s in scored.items() if language != ENGLISH),
        "above_floor": _mean(above),
        "languages_above_floor": len(above),
    }


def _unlearned(cell: Cell, scored: dict, catalog: Catalog, store: Store) -> bool:
    """At chance in English: on English test rows, or on English dev where the test has no English."""
    if not FAMILIES[catalog.task(cell.target).family].trained:
        return False
    if ENGLISH in scored:
        return "floor" in scored[ENGLISH]["flags"]
    looked = store.read_json(cell.trained, "train.json")["best"].get("tasks", {})
    return not looked or not all(part["learned"] for part in looked.values())  # never looked at: not known to have learned


def _mean(values) -> float | None:
    values = list(values)
    return fmean(values) if values else None


def _gains(cells: list[dict], suite) -> list[dict]:
    """Per encoder, arm and target: the gain of each seed against the baseline of the same seed, and their mean."""
    at = {(c["encoder"], c["arm"], c["target"], c["seed"]): c for c in cells}
    baseline = suite.baseline
    grouped = defaultdict(list)
    for (encoder, arm, target, seed), cell in at.items():
        base = at.get((encoder, baseline, target, seed))
        if arm != baseline and base is not None:
            grouped[encoder, arm, target].append((seed, cell, base))
    excluding = {"shared", "leak", "placeholder"} | (set() if "unlearned" in suite.waives else {"unlearned"})
    gains = []
    for (encoder, arm, target), pairs in grouped.items():
        flags = sorted({flag for _, cell, base in pairs for flag in cell["flags"] + base["flags"]})
        known = all(cell["score"] is not None and base["score"] is not None for _, cell, base in pairs)
        gain = {"encoder": encoder, "arm": arm, "target": target, "flags": flags, "counted": known and not excluding & set(flags)}
        if known:
            gain["per_seed"] = {str(seed): cell["score"] - base["score"] for seed, cell, base in pairs}
            gain["gain"] = fmean(gain["per_seed"].values())
            zero_shot = [(c["zero_shot"], b["zero_shot"]) for _, c, b in pairs]
            gain["zero_shot"] = fmean(c - b for c, b in zero_shot) if None not in zero_shot[0] else None
            gain["per_language"], gain["above_floor"] = _language_gains(pairs)
        gains.append(gain)
    return gains


def _language_gains(pairs) -> tuple[dict, float | None]:
    """(gain per language, mean gain over languages above the floor in both cells), means over seeds."""
    gains, above = defaultdict(list), []
    for _, cell, base in pairs:
        for language, score in cell["languages"].items():
            other = base["languages"].get(language, {})
            if "main" in score and "main" in other:
                difference = score["main"] - other["main"]
                gains[language].append(difference)
                if "floor" not in score["flags"] + other["flags"]:
                    above.append(difference)
    return {language: fmean(values) for language, values in sorted(gains.items())}, _mean(above)


def _averages(gains: list[dict], suite, untrained: set[str]) -> list[dict]:
    """Average gain per encoder and arm over the targets that count in every arm of that encoder; also without retrieval."""
    averages = []
    for encoder in suite.encoders:
        own = [gain for gain in gains if gain["encoder"] == encoder]
        arms = list(dict.fromkeys(gain["arm"] for gain in own))
        counted = {arm: {g["target"]: g["gain"] for g in own if g["arm"] == arm and g["counted"]} for arm in arms}
        # An arm of which nothing counts (refused or unlearned everywhere) has no average, and takes none from the others.
        common = set.intersection(*(set(c) for c in counted.values() if c)) if any(counted.values()) else set()
        for arm in arms:
            mine = counted[arm]
            averages.append(
                {
                    "encoder": encoder,
                    "arm": arm,
                    "average_gain": _mean(mine[t] for t in sorted(common)) if mine else None,
                    "targets": sorted(common),
                    "without_retrieval": _mean(mine[t] for t in sorted(common - untrained)) if mine else None,
                    "average_gain_own": _mean(mine[t] for t in sorted(mine)),
                    "own_targets": sorted(mine),
                }
            )
    return averages


def _split(averages: list[dict], arms: dict, plan: Plan) -> list[dict]:
    """Easy against hard, per encoder, over learned intermediates; the bucket comes from the suite's split rule."""
    out = []
    for encoder in plan.encoders:
        buckets: dict[str, dict[str, float]] = {"easy": {}, "hard": {}}
        unlearned = []
        for average in (a for a in averages if a["encoder"] == encoder and a["average_gain"] is not None):
            arm = arms[average["arm"]]
            if arm["difficulty"] is None:
                continue  # mixtures and controls are neither easy nor hard
            if not all(run["learned"] for run in arm["trained"] if run["encoder"] == encoder):
                unlearned.append(average["arm"])
                continue
            buckets[arm["difficulty"]["declared"]][average["arm"]] = average["average_gain"]
        easy, hard = (_mean(buckets[bucket].values()) for bucket in ("easy", "hard"))
        out.append(
            {
                "encoder": encoder,
                "easy": {"arms": buckets["easy"], "average_gain": easy},
                "hard": {"arms": buckets["hard"], "average_gain": hard},
                "hard_minus_easy": None if easy is None or hard is None else hard - easy,
                "unlearned": unlearned,
            }
        )
    return out
