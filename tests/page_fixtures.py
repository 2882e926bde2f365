"""Releases for the page's tests: the committed ones in the present shape, and a large made-up one,
every section filled.

Intervals and the rest of what resampling gives are made up here from a seed; they test the page,
not the statistics.
"""

import json
import random
from pathlib import Path
from statistics import fmean

RELEASES = Path(__file__).parents[1] / "leaderboard" / "releases"
LANGUAGES = {
    "af": ("Afrikaans", "Indo-European", "Latin"),
    "ar": ("Arabic", "Afro-Asiatic", "Arabic"),
    "bn": ("Bengali", "Indo-European", "Bengali"),
    "de": ("German", "Indo-European", "Latin"),
    "el": ("Greek", "Indo-European", "Greek"),
    "en": ("English", "Indo-European", "Latin"),
    "es": ("Spanish", "Indo-European", "Latin"),
    "fi": ("Finnish", "Uralic", "Latin"),
    "hi": ("Hindi", "Indo-European", "Devanagari"),
    "ja": ("Japanese", "Japonic", "Japanese"),
    "ru": ("Russian", "Indo-European", "Cyrillic"),
    "sw": ("Swahili", "Niger-Congo", "Latin"),
    "te": ("Telugu", "Dravidian", "Telugu"),
    "th": ("Thai", "Kra-Dai", "Thai"),
    "zh": ("Chinese", "Sino-Tibetan", "Chinese"),
}


def named(code: str) -> dict:
    return dict(
        zip(("name", "family", "script"), LANGUAGES.get(code, (None, None, None)), strict=True)
    )


def plain(name: str) -> dict:
    """A committed release."""
    return dict(json.loads((RELEASES / f"{name}.json").read_bytes()))


def around(dice: random.Random, value: float, width: float = 2.0) -> list[float]:
    return [
        round(value - width * (0.6 + dice.random() / 2), 4),
        round(value + width * (0.6 + dice.random() / 2), 4),
    ]


def filled(name: str = "0018-mini") -> dict:
    """A committed release with made-up intervals and difficulties, around real scores and gains."""
    release, dice = plain(name), random.Random(3)
    for gain in release["gains"]:
        gain["interval"], gain["p"], gain["p_corrected"] = (
            around(dice, gain["gain"]),
            round(dice.random(), 4),
            1.0,
        )
        gain["significant"] = gain["interval"][0] > 1 or gain["interval"][1] < -1
        for of in gain["per_language"].values():
            of["interval"] = around(dice, of["gain"], 4)
    for average in release["averages"]:
        average |= {
            "interval": around(dice, average["average_gain"]),
            "seed_interval": None,
            "zero_shot": average["average_gain"] - 0.3,
        }
        average |= {
            "without_retrieval_interval": around(dice, average["without_retrieval"]),
            "tie": "a" if average["average_gain"] > 0 else "b",
        }
        average |= {"zero_shot_interval": around(dice, average["zero_shot"]), "groups": {}}
    release["split"][0] |= {
        "interval": [-0.4, 4.6],
        "permutation_p": 0.3333,
        "claim": False,
        "why": "No claim can be made: too few tasks.",
        "median": [],
    }
    return release


def arm(kind: str, name: str, **facts) -> dict:
    declared = (
        {"declared": facts.pop("declared"), "why": "", "chance": None, "human": None}
        if "declared" in facts
        else None
    )
    return {
        "intermediate": [name],
        "kind": kind,
        "of": name,
        "shown": name,
        "title": f"the task {name}",
        "difficulty": declared,
        **facts,
    }


ARMS = {
    "none": {
        "intermediate": None,
        "kind": "baseline",
        "shown": "none",
        "title": None,
        "difficulty": None,
    },
    **{
        t: arm("task", t, declared="hard")
        for t in ("anli_plus", "mnli", "qqp", "squad", "squad_v2", "hellaswag", "cosmos_qa")
    },
    **{t: arm("task", t, declared="easy") for t in ("ccg", "commonsense_qa", "udpos")},
    "all-nine": {**arm("mixture", "all-nine"), "of": None},
    **{
        f"mnli-{k}": arm(
            "subset", f"mnli-{k}", of="mnli", subset={"by": "pvi", "keep": k, "fraction": 0.33}
        )
        for k in ("easiest", "hardest", "random")
    },
    "mnli-shuffled": arm("control", "mnli-shuffled", of="mnli", control="shuffled_labels"),
    "mlm": arm("control", "mlm", of="mnli", control="mlm"),
}
TARGETS = {
    "xnli": "pair",
    "pawsx": "pair",
    "udpos": "tagging",
    "panx": "tagging",
    "xquad": "qa",
    "mlqa": "qa",
    "tydiqa": "qa",
    "bucc2018": "retrieval",
    "tatoeba": "retrieval",
}
UNKNOWN = {
    "te": 0.77,
    "th": 0.6,
    "zh": 0.31,
    "ja": 0.2,
    "bn": 0.08,
    "hi": 0.04,
    "ar": 0.02,
    "el": 0.015,
}


def large(
    encoders: tuple[str, ...] = ("xlm-roberta-large", "ModernBERT-base"),
    seeds: tuple[int, ...] = (1, 2, 3),
) -> dict:
    """The paper's size, made up: 16 arms, 9 targets, three seeds, subsets, controls, measured
    difficulty, two encoders."""
    dice = random.Random(5)
    arms = [name for name in ARMS if name != "none"]
    cells, gains = [], []
    for encoder in encoders:
        for target in TARGETS:
            for name in ARMS:
                lift = 0 if name == "none" else dice.gauss(0.6, 2.2)
                cells += [cell(dice, encoder, name, target, seed, lift) for seed in seeds]
            gains += [gain(dice, encoder, name, target, cells) for name in arms]
    release = {
        "schema": 4,
        "suite": suite(list(seeds)),
        "encoders": {
            e: {"version": 1, "pretrained_on": "multilingual", "seen": ["CC-100"], "files": {}}
            for e in encoders
        },
        "arms": ARMS,
        "targets": {
            t: {
                "task": t,
                "family": g,
                "metric": "accuracy",
                "title": f"the target {t}",
                "group": g,
            }
            for t, g in TARGETS.items()
        },
        "languages": {code: named(code) for code in LANGUAGES},
        "cells": cells,
        "gains": gains,
    }
    return release | {
        "averages": [average(dice, e, a, gains) for e in encoders for a in arms],
        "slices": [s for e in encoders for a in arms for s in slices(dice, e, a)],
        "difficulty": [d for e in encoders for d in difficulties(dice, e)],
        "split": [split(e, gains) for e in encoders],
        "subsets": [comparisons(dice, e) for e in encoders],
        "best": [b for e in encoders for b in bests(dice, e, gains)],
    }


def suite(seeds: list[int]) -> dict:
    facts = {
        "name": "xstilts-like",
        "version": 1,
        "about": "Made up, at the size of the paper's experiment.",
        "smoke": False,
        "seeds": seeds,
    }
    facts |= {
        "protocol": "xstilts",
        "left_out": ["social_iqa"],
        "waives": [],
        "split_rule": {"by": "median", "value": None},
    }
    cuts = {"panx": {"why": "tested on validation rows", "label": "small"}}
    return facts | {
        "caps": {"train": 10000, "dev": None, "test": None},
        "task_caps": {},
        "cuts": cuts,
        "pvi": True,
    }


def cell(dice: random.Random, encoder: str, name: str, target: str, seed: int, lift: float) -> dict:
    spoken = {}
    for code in LANGUAGES:
        main = 55 + lift - 30 * UNKNOWN.get(code, 0) + dice.gauss(0, 1)
        spoken[code] = {
            "n": 1000,
            "main": main,
            "metrics": {"accuracy": main},
            "null": 33.3,
            "unknown": UNKNOWN.get(code, 0.001),
            "flags": [],
        }
    shared = name != "none" and (name, target) in {
        ("mnli", "xnli"),
        ("squad", "xquad"),
        ("squad", "mlqa"),
        ("udpos", "udpos"),
    }
    facts = {
        "encoder": encoder,
        "arm": name,
        "target": target,
        "seed": seed,
        "flags": ["shared"] if shared else [],
        "languages": spoken,
    }
    score = fmean(s["main"] for s in spoken.values())
    other = fmean(s["main"] for code, s in spoken.items() if code != "en")
    return facts | {
        "key": "0" * 64,
        "score": score,
        "zero_shot": other,
        "above_floor": score,
        "languages_above_floor": 15,
        "dev": score + 20,
    }


def gain(dice: random.Random, encoder: str, name: str, target: str, cells: list[dict]) -> dict:
    at = {
        (c["arm"], c["seed"]): c for c in cells if (c["encoder"], c["target"]) == (encoder, target)
    }
    seeds = sorted({seed for _, seed in at})
    each = {str(seed): at[name, seed]["score"] - at["none", seed]["score"] for seed in seeds}
    mean = fmean(each.values())
    spoken = {}
    for code in LANGUAGES:
        per = {
            str(s): (
                at[name, s]["languages"][code]["main"] - at["none", s]["languages"][code]["main"]
            )
            for s in seeds
        }
        value = fmean(per.values())
        spoken[code] = {"gain": value, "per_seed": per, "interval": around(dice, value)}
    flags = at[name, seeds[0]]["flags"]
    interval = around(dice, mean, 1.2)
    sure = interval[0] > 0.8 or interval[1] < -0.8
    facts = {
        "encoder": encoder,
        "arm": name,
        "target": target,
        "flags": flags,
        "counted": not flags,
        "per_seed": each,
        "gain": mean,
    }
    facts |= {
        "english": mean + 1,
        "zero_shot": mean - 0.1,
        "above_floor": mean,
        "centred": mean / 2 if target == "tatoeba" else None,
    }
    facts |= {
        "interval": interval,
        "seed_interval": around(dice, mean, 3),
        "p": 0.01 if sure else 0.4,
        "p_corrected": 0.04 if sure else 1.0,
    }
    return facts | {"significant": sure, "per_language": spoken}


def average(dice: random.Random, encoder: str, name: str, gains: list[dict]) -> dict:
    common = [t for t in TARGETS if t not in ("xnli", "xquad", "mlqa", "udpos")]
    mine = {g["target"]: g["gain"] for g in gains if (g["encoder"], g["arm"]) == (encoder, name)}
    mean = fmean(mine[t] for t in common)
    rest = fmean(mine[t] for t in common if TARGETS[t] != "retrieval")
    groups = {
        g: {
            "gain": fmean(mine[t] for t in common if TARGETS[t] == g),
            "targets": [t for t in common if TARGETS[t] == g],
        }
        for g in ("pair", "tagging", "qa", "retrieval")
    }
    for of in groups.values():
        of["interval"] = around(dice, of["gain"])
    out = {
        "encoder": encoder,
        "arm": name,
        "average_gain": mean,
        "interval": around(dice, mean, 0.9),
        "seed_interval": around(dice, mean, 2),
        "targets": common,
    }
    out |= {
        "without_retrieval": rest,
        "without_retrieval_interval": around(dice, rest, 0.9),
        "zero_shot": mean - 0.1,
        "zero_shot_interval": around(dice, mean - 0.1, 0.9),
    }
    return out | {
        "average_gain_own": mean,
        "own_targets": common,
        "groups": groups,
        "tie": "a" if mean > 1 else "ab" if mean > 0 else "b",
    }


def slices(dice: random.Random, encoder: str, name: str) -> list[dict]:
    values = [
        ("family", f)
        for f in ("Indo-European", "Uralic", "Dravidian", "Sino-Tibetan", "Niger-Congo")
    ]
    values += [("script", s) for s in ("Latin", "Cyrillic", "Arabic", "Thai")] + [
        ("unknown", u) for u in ("under 1%", "1-5%", "5-25%", "over 25%")
    ]
    out = []
    for by, value in values:
        mean = dice.gauss(0.5, 1.5)
        out.append(
            {
                "encoder": encoder,
                "arm": name,
                "by": by,
                "value": value,
                "gain": mean,
                "interval": around(dice, mean),
                "languages": ["de", "es"],
                "points": 10,
            }
        )
    return out


def difficulties(dice: random.Random, encoder: str) -> list[dict]:
    out = []
    tasks = [name for name, facts in ARMS.items() if facts["kind"] == "task"]
    for i, name in enumerate(tasks):
        headroom = -0.08 if name == "qqp" else 0.09 * i + dice.random() / 10
        pvi = (
            {"pvi": 1 - headroom, "pvi_share": 0.9 - headroom}
            if name not in ("squad", "squad_v2")
            else {"pvi": None, "pvi_share": None}
        )
        bucket = "unlearned" if name == "hellaswag" else "hard" if headroom > 0.45 else "easy"
        human = {"human": 100.0 if name == "ccg" else 92.0, "human_known": name != "ccg"}
        out.append(
            {
                "encoder": encoder,
                "arm": name,
                "of": name,
                "rows": 10000,
                "dev": 90 - 50 * headroom,
                "chance": 33.3,
                **human,
                "headroom": headroom,
                **pvi,
            }
        )
        out[-1] |= {
            "learned": bucket != "unlearned",
            "bucket": bucket,
            "headroom_per_seed": {},
            "dev_per_seed": {},
        }
    return out


def split(encoder: str, gains: list[dict]) -> dict:
    easy, hard = (
        {"ccg": 0.4, "mnli": 0.2, "qqp": -0.6, "anli_plus": 0.9},
        {"squad_v2": 1.1, "cosmos_qa": 0.8, "commonsense_qa": 1.9, "udpos": -0.2},
    )
    sides = {
        side: {"arms": arms, "average_gain": fmean(arms.values())}
        for side, arms in (("easy", easy), ("hard", hard))
    }
    correlation = {
        "measure": "headroom",
        "rho": 0.41,
        "interval": [-0.31, 0.83],
        "p": 0.21,
        "points": 9,
    }
    out = {
        "encoder": encoder,
        "by": "median",
        "threshold": 0.4512,
        **sides,
        "median": ["squad"],
        "unlearned": ["hellaswag"],
        "hard_minus_easy": 0.675,
        "interval": [0.1, 1.3],
    }
    out |= {
        "permutation_p": 0.2571,
        "permutations": 70,
        "claim": True,
        "why": "",
        "sizes_differ": True,
        "correlation": correlation,
    }
    return out | {
        "correlation_pvi": None,
        "without_retrieval": {"hard_minus_easy": 0.9, "interval": [0.2, 1.6]},
    }


def comparisons(dice: random.Random, encoder: str) -> dict:
    pairs = [
        ("hardest", "easiest", 1.4),
        ("hardest", "random", 0.9),
        ("easiest", "random", -0.5),
        ("random", "shuffled_labels", 0.7),
        ("random", "mlm", 0.2),
    ]
    rows = [
        {
            "a": a,
            "b": b,
            "difference": d,
            "interval": around(dice, d, 0.8),
            "p": 0.02,
            "p_corrected": 0.1,
        }
        for a, b, d in pairs
    ]
    arms = {
        "easiest": "mnli-easiest",
        "hardest": "mnli-hardest",
        "random": "mnli-random",
        "shuffled_labels": "mnli-shuffled",
        "mlm": "mlm",
    }
    return {"encoder": encoder, "of": "mnli", "arms": arms, "comparisons": rows}


def bests(dice: random.Random, encoder: str, gains: list[dict]) -> list[dict]:
    rows = []
    for target in TARGETS:
        mine = max(
            (g for g in gains if (g["encoder"], g["target"]) == (encoder, target) and g["counted"]),
            key=lambda g: g["gain"],
        )
        on = "half of the test examples" if TARGETS[target] == "retrieval" else "English dev"
        rows.append(
            {
                "encoder": encoder,
                "target": target,
                "selected_on": on,
                "arm": mine["arm"],
                "gain": mine["gain"],
                "interval": mine["interval"],
            }
        )
    mean = fmean(row["gain"] for row in rows)
    return [
        *rows,
        {
            "encoder": encoder,
            "target": None,
            "selected_on": None,
            "arm": None,
            "gain": mean,
            "interval": around(dice, mean, 0.5),
        },
    ]


def releases() -> list[tuple[str, dict]]:
    """What the tests and the screenshots show: a smoke one twice, one with intervals, a large
    one."""
    return [
        ("0001-mini", plain("0018-mini")),
        ("0003-small", filled()),
        ("0004-mini", plain("0018-mini")),
        ("0005-xstilts-like", large()),
    ]
