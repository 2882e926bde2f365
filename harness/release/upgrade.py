"""Old releases in the shape of the present schema, for whatever renders them. Numbers stay what
they are.

From schema WITH_EVIDENCE on a schema only adds: ADDED and ADDED_FLAGS say what, and are all that a
new one has to add to.

    lifted    with what later schemas added, as far as it is empty; `verify` checks that as it
              checks a present document
    as_of     the way back: without what later schemas added
    upgraded  for readers. Of schema 3 the flag `same` is read from its rows, and the averages over
              other tasks' targets are means of its gains, hard minus easy too; their intervals
              would have to be drawn again, so they are null where the targets differ. Easy against
              hard target by target is shown of releases that hold it (schema 5) only

Schema 1 and 2 lack more: no intervals, no headroom, no evidence. Nothing of them is computed; what
looks new was read elsewhere in the same document (a bucket from its split, English from the gains
by language), and the rest is null or empty.
"""

from collections.abc import Callable
from typing import Any

from harness.families import FAMILIES
from harness.release.collect import SCHEMA
from harness.release.evidence import WITH_EVIDENCE, mean, same_data
from harness.spec.languages import language_facts

NO_CLAIM = (
    "No claim about easy and hard tasks can be made: this release has no intervals and no measured"
    " difficulty."
)
# schema → section → field of each of its entries → what it is before anything is known of it
ADDED: dict[int, dict[str, dict[str, Any]]] = {
    4: {
        "arms": {"cut": None},
        "averages": {
            "other_tasks": {"gain": None, "interval": None, "seed_interval": None, "targets": []}
        },
        "split": {
            "other_tasks": {"hard_minus_easy": None, "interval": None, "seed_interval": None}
        },
    },
    5: {"split": {"by_target": {}}, "subsets": {"other_tasks": {"targets": [], "comparisons": []}}},
}
ADDED_FLAGS = {4: {"same"}, 5: set()}  # of cells, and so of gains
_SUITE = {"protocol": None, "left_out": [], "pvi": False, "settings": {}}
_AVERAGE = (
    "interval",
    "seed_interval",
    "without_retrieval_interval",
    "zero_shot",
    "zero_shot_interval",
    "other_tasks",
    "tie",
)
_GAIN = (
    "gain",
    "english",
    "zero_shot",
    "above_floor",
    "centred",
    "interval",
    "seed_interval",
    "p",
    "p_corrected",
    "significant",
)


def upgraded(content: dict) -> dict:
    """A release's content in the shape of the present schema: itself if it is of that schema, else
    a new document."""
    if content["schema"] >= SCHEMA:
        return content
    if content["schema"] < WITH_EVIDENCE:
        return _without_evidence(content)
    return (
        _with_other_tasks(lifted(content))
        if content["schema"] == WITH_EVIDENCE
        else lifted(content)
    )


def lifted(content: dict) -> dict:
    """A document of schema WITH_EVIDENCE or later with every field of the present schema; itself if
    it has them."""
    new = content | {"schema": SCHEMA}
    for schema in range(content["schema"] + 1, SCHEMA + 1):
        for section, fields in ADDED[schema].items():
            new[section] = _mapped(new[section], lambda entry, more=fields: entry | more)
    return content if content["schema"] == SCHEMA else new


def as_of(content: dict, schema: int) -> dict:
    """A present document, or derived sections of one, without what came after a schema: what that
    one would have said."""
    old = content | ({"schema": schema} if "schema" in content else {})
    for later in range(schema + 1, SCHEMA + 1):
        for section, fields in ADDED[later].items():
            if section in old:
                old[section] = _mapped(
                    old[section],
                    lambda entry, more=fields: {n: v for n, v in entry.items() if n not in more},
                )
        for section in ("cells", "gains"):
            if section in old:
                flags = ADDED_FLAGS[later]
                old[section] = [
                    e | {"flags": [flag for flag in e["flags"] if flag not in flags]}
                    for e in old[section]
                ]
    return old


def _mapped(entries: Any, change: Callable[[dict], dict]) -> Any:
    """A section, which is a list or has names, with each of its entries changed."""
    return (
        {n: change(e) for n, e in entries.items()}
        if isinstance(entries, dict)
        else [change(e) for e in entries]
    )


def _with_other_tasks(content: dict) -> dict:
    """A lifted document of schema 3 with the flag `same` and what follows from it without a
    draw."""
    at = ("encoder", "arm", "target")
    given = [same_data(content, cell) for cell in content["evidence"]["cells"]]
    cells = [
        cell | {"flags": cell["flags"] + ["same"] * of}
        for cell, of in zip(content["cells"], given, strict=True)
    ]
    same = {tuple(cell[n] for n in at) for cell in cells if "same" in cell["flags"]}
    gains = [
        g | {"flags": sorted([*g["flags"], *["same"] * (tuple(g[n] for n in at) in same)])}
        for g in content["gains"]
    ]
    known = {tuple(g[n] for n in at): g["gain"] for g in gains if g["counted"]}
    targets = {encoder: _other_targets(content, gains, encoder) for encoder in content["encoders"]}
    averages = [
        a | {"other_tasks": _other_tasks(a, targets[a["encoder"]][a["arm"]], known)}
        for a in content["averages"]
    ]
    split = [one | {"other_tasks": _elsewhere(one, averages, known)} for one in content["split"]]
    return content | {"cells": cells, "gains": gains, "averages": averages, "split": split}


def _other_targets(content: dict, gains: list[dict], encoder: str) -> dict[str, list[str]]:
    """arm → targets, by the rule of `study.other_tasks`."""
    mine = {(gain["arm"], gain["target"]): gain for gain in gains if gain["encoder"] == encoder}
    own = {at for at, gain in mine.items() if "same" in gain["flags"]}
    arms = [average["arm"] for average in content["averages"] if average["encoder"] == encoder]
    counted = {
        arm: {target for (a, target), gain in mine.items() if a == arm and gain["counted"]}
        for arm in arms
    }
    rivals = [
        arm for arm in arms if content["arms"][arm]["kind"] in ("task", "mixture") and counted[arm]
    ] or arms
    fair = [
        target
        for target in sorted(content["targets"])
        if all(target in counted[a] or (a, target) in own for a in rivals)
    ]
    return {arm: [target for target in fair if (arm, target) not in own] for arm in arms}


def _other_tasks(average: dict, targets: list[str], known: dict[tuple, float]) -> dict:
    at = average["encoder"], average["arm"]
    if targets == average["targets"]:
        return (
            {"gain": average["average_gain"]}
            | {n: average[n] for n in ("interval", "seed_interval")}
            | {"targets": targets}
        )
    whole = all((*at, target) in known for target in targets)
    gain = mean(known[*at, target] for target in targets) if whole else None
    return {"gain": gain, "interval": None, "seed_interval": None, "targets": targets}


def _elsewhere(split: dict, averages: list[dict], known: dict[tuple, float]) -> dict:
    """Hard minus easy of one encoder, target by target over the arms of which it is another task's,
    by the rule of `split`."""
    mine = {
        average["arm"]: average for average in averages if average["encoder"] == split["encoder"]
    }
    arms = [mine[arm] for side in ("easy", "hard") for arm in split[side]["arms"]]
    if all(average["other_tasks"]["targets"] == average["targets"] for average in arms):
        return {name: split[name] for name in ("hard_minus_easy", "interval", "seed_interval")}
    differences = []
    for target in sorted(
        {target for average in arms for target in average["other_tasks"]["targets"]}
    ):
        over = (
            [arm for arm in split[side]["arms"] if target in mine[arm]["other_tasks"]["targets"]]
            for side in ("easy", "hard")
        )
        easy, hard = (mean(known[split["encoder"], arm, target] for arm in side) for side in over)
        differences += [] if easy is None or hard is None else [hard - easy]
    return {"hard_minus_easy": mean(differences), "interval": None, "seed_interval": None}


def _without_evidence(content: dict) -> dict:
    """A document of schema 1 or 2 in the present shape."""
    targets = {name: _target(facts) for name, facts in content["targets"].items()}
    languages = sorted(
        {language for target in targets.values() for language in target["languages"]}
    )
    arms = {name: _arm(name, facts) for name, facts in content["arms"].items()}
    difficulty = [
        row for encoder in content["encoders"] for row in _difficulty(content, encoder, arms)
    ]
    return {
        "schema": SCHEMA,
        "suite": (
            _SUITE
            | content["suite"]
            | {"split_rule": {"value": None} | content["suite"]["split_rule"]}
        ),
        "encoders": {
            name: {"max_length": None} | facts for name, facts in content["encoders"].items()
        },
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
            {"languages_above_floor": 0, "centred": None, "dev": None, "dev_learned": None} | cell
            for cell in content["cells"]
        ],
        "gains": [_gain(gain) for gain in content["gains"]],
        "averages": [
            dict.fromkeys(_AVERAGE) | {"groups": {}} | average for average in content["averages"]
        ],
        "slices": [],
        "difficulty": difficulty,
        "split": [_split(split, content, difficulty) for split in content["split"]],
        "subsets": [],
        "best": [],
    }


def _arm(name: str, facts: dict) -> dict:
    """Schema 1 knew arms of one task only, by name; neither knew subsets or controls other than a
    masked-LM task."""
    given = facts["intermediate"]
    if given is None:
        return {
            "intermediate": None,
            "kind": "baseline",
            "of": None,
            "shown": name,
            "cut": None,
            "difficulty": None,
            "trained": [],
        }
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
        "cut": None,
        "difficulty": facts["difficulty"],
        "trained": [
            {name: run[name] for name in ("encoder", "seed", "key")} for run in facts["trained"]
        ],
    }


def _target(facts: dict) -> dict:
    family = FAMILIES.get(facts["family"])
    return {
        "group": family.group if family else facts["family"],
        "trained": family.trained if family else True,
        "parallel": None,  # not said then, and only resampling asks
    } | facts


def _gain(gain: dict) -> dict:
    by_language = gain.get("per_language") or {}
    languages = {
        lang: {"gain": value, "per_seed": {}, "interval": None}
        for lang, value in by_language.items()
    }
    return (
        dict.fromkeys(_GAIN)
        | {"per_seed": {}, "english": by_language.get("en")}
        | gain
        | {"per_language": languages}
    )


def _difficulty(content: dict, encoder: str, arms: dict) -> list[dict]:
    """What is known of each single task: its dev scores, and the bucket in which the release's own
    split put it."""
    split = next((split for split in content["split"] if split["encoder"] == encoder), {})
    buckets = {
        arm: side for side in ("easy", "hard") for arm in split.get(side, {}).get("arms", [])
    }
    buckets |= dict.fromkeys(split.get("unlearned", []), "unlearned")
    rows = []
    for arm in sorted(name for name, facts in arms.items() if facts["kind"] == "task"):
        runs = [run for run in content["arms"][arm]["trained"] if run["encoder"] == encoder]
        devs = {str(run["seed"]): run["dev"] for run in runs if run["dev"] is not None}
        known = arms[arm]["difficulty"] or {}
        row = {
            "encoder": encoder,
            "arm": arm,
            "of": arms[arm]["of"],
            "rows": runs[0]["rows"] if runs else None,
        }
        row |= {"dev": next(iter(devs.values())) if len(devs) == 1 else None, "dev_per_seed": devs}
        row |= {side: (known.get(side) or {}).get("value") for side in ("chance", "human")}
        row |= {f"{name}_known": row[name] is not None for name in ("chance", "human")}
        row |= {"headroom": None, "headroom_per_seed": {}, "pvi": None, "pvi_share": None}
        rows.append(
            row
            | {
                "learned": bool(runs) and all(run["learned"] for run in runs),
                "bucket": buckets.get(arm),
            }
        )
    return rows


def _split(split: dict, content: dict, difficulty: list[dict]) -> dict:
    sizes = {
        r["rows"]
        for r in difficulty
        if r["encoder"] == split["encoder"] and r["bucket"] in ("easy", "hard")
    }
    unknown = dict.fromkeys(
        ("threshold", "interval", "permutation_p", "correlation", "correlation_pvi")
    )
    return {
        "by": content["suite"]["split_rule"]["by"],
        **unknown,
        "median": [],
        "permutations": 0,
        "claim": False,
        "why": NO_CLAIM,
        "sizes_differ": len(sizes) > 1,
        "seed_interval": None,
        "other_tasks": None,
        "by_target": {},
        **{
            name: {"hard_minus_easy": None, "interval": None}
            for name in ("without_retrieval", "zero_shot")
        },
    } | split
