"""Old releases in the shape of the present schema, for whatever renders them. Numbers stay what they are.

What an old release does not know is null or empty: it has no intervals, no headroom, no evidence. Nothing is computed
here; what looks new was read elsewhere in the same document (a bucket from its split, English from the gains by language).
"""

from harness.leaderboard.collect import GROUPS, SCHEMA
from harness.spec.family import FAMILIES
from harness.spec.languages import language_facts

NO_CLAIM = "No claim about easy and hard tasks can be made: this release has no intervals and no measured difficulty."
_SUITE = {"protocol": None, "left_out": [], "pvi": False, "settings": {}}
_AVERAGE = ("interval", "seed_interval", "without_retrieval_interval", "zero_shot", "zero_shot_interval", "tie")
_GAIN = ("gain", "english", "zero_shot", "above_floor", "centred", "interval", "seed_interval", "p", "p_corrected", "significant")


def upgraded(content: dict) -> dict:
    """A release's content in the shape of schema 3: itself if it is of that schema, else a new document."""
    if content["schema"] >= SCHEMA:
        return content
    targets = {name: _target(facts) for name, facts in content["targets"].items()}
    languages = sorted({language for target in targets.values() for language in target["languages"]})
    arms = {name: _arm(name, facts) for name, facts in content["arms"].items()}
    difficulty = [row for encoder in content["encoders"] for row in _difficulty(content, encoder, arms)]
    return {
        "schema": SCHEMA,
        "suite": _SUITE | content["suite"] | {"split_rule": {"value": None} | content["suite"]["split_rule"]},
        "encoders": {name: {"max_length": None} | facts for name, facts in content["encoders"].items()},
        "arms": arms,
        "targets": targets,
        "languages": {language: language_facts(language) for language in languages},
        "data": content["data"],
        "jobs": {},
        "rows": {},
        "evidence": {"units": {}, "cells": [], "trainings": {}, "pvi": {}, "subsets": {}},
        "dev_scores": [],
        "selections": [],
        "cells": [
            {"languages_above_floor": 0, "centred": None, "dev": None, "dev_learned": None} | cell for cell in content["cells"]
        ],
        "gains": [_gain(gain) for gain in content["gains"]],
        "averages": [dict.fromkeys(_AVERAGE) | {"groups": {}} | average for average in content["averages"]],
        "slices": [],
        "difficulty": difficulty,
        "split": [_split(split, content, difficulty) for split in content["split"]],
        "subsets": [],
        "best": [],
    }


def _arm(name: str, facts: dict) -> dict:
    """Schema 1 knew arms of one task only, by name; neither knew subsets or controls other than a masked-LM task."""
    given = facts["intermediate"]
    if given is None:
        return {"intermediate": None, "kind": "baseline", "of": None, "shown": name, "difficulty": None, "trained": []}
    tasks = [given] if isinstance(given, str) else given
    return {
        "intermediate": tasks,
        "kind": "mixture" if len(tasks) > 1 else "task",
        "of": tasks[0] if len(tasks) == 1 else None,
        "shown": facts["shown"],
        "versions": facts.get("versions") or {tasks[0]: facts["version"]},
        "families": facts.get("families") or [facts["family"]],
        "title": facts["title"],
        "sampler": facts.get("sampler"),
        "languages": facts.get("languages", []),
        "control": None,
        "subset": None,
        "difficulty": facts["difficulty"],
        "trained": [{name: run[name] for name in ("encoder", "seed", "key")} for run in facts["trained"]],
    }


def _target(facts: dict) -> dict:
    family = FAMILIES.get(facts["family"])
    return {
        "group": GROUPS.get(facts["family"], facts["family"]),
        "trained": family.trained if family else True,
        "parallel": None,  # not said then, and only resampling asks
    } | facts


def _gain(gain: dict) -> dict:
    by_language = gain.get("per_language") or {}
    languages = {lang: {"gain": value, "per_seed": {}, "interval": None} for lang, value in by_language.items()}
    return dict.fromkeys(_GAIN) | {"per_seed": {}, "english": by_language.get("en")} | gain | {"per_language": languages}


def _difficulty(content: dict, encoder: str, arms: dict) -> list[dict]:
    """What is known of each single task: its dev scores, and the bucket in which the release's own split put it."""
    split = next((split for split in content["split"] if split["encoder"] == encoder), {})
    buckets = {arm: side for side in ("easy", "hard") for arm in split.get(side, {}).get("arms", [])}
    buckets |= dict.fromkeys(split.get("unlearned", []), "unlearned")
    rows = []
    for arm in sorted(name for name, facts in arms.items() if facts["kind"] == "task"):
        runs = [run for run in content["arms"][arm]["trained"] if run["encoder"] == encoder]
        devs = {str(run["seed"]): run["dev"] for run in runs if run["dev"] is not None}
        known = arms[arm]["difficulty"] or {}
        row = {"encoder": encoder, "arm": arm, "of": arms[arm]["of"], "rows": runs[0]["rows"] if runs else None}
        row |= {"dev": next(iter(devs.values())) if len(devs) == 1 else None, "dev_per_seed": devs}
        row |= {side: (known.get(side) or {}).get("value") for side in ("chance", "human")}
        row |= {f"{name}_known": row[name] is not None for name in ("chance", "human")}
        row |= {"headroom": None, "headroom_per_seed": {}, "pvi": None, "pvi_share": None}
        rows.append(row | {"learned": bool(runs) and all(run["learned"] for run in runs), "bucket": buckets.get(arm)})
    return rows


def _split(split: dict, content: dict, difficulty: list[dict]) -> dict:
    sizes = {r["rows"] for r in difficulty if r["encoder"] == split["encoder"] and r["bucket"] in ("easy", "hard")}
    unknown = dict.fromkeys(("threshold", "interval", "permutation_p", "correlation", "correlation_pvi"))
    return {
        "by": content["suite"]["split_rule"]["by"],
        **unknown,
        "median": [],
        "permutations": 0,
        "claim": False,
        "why": NO_CLAIM,
        "sizes_differ": len(sizes) > 1,
        "seed_interval": None,
        **{name: {"hard_minus_easy": None, "interval": None} for name in ("without_retrieval", "zero_shot")},
    } | split
