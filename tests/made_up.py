"""Small made-up releases, cell by cell, and what textbooks say of the means of their rows."""

import json
import math
from functools import partial
from hashlib import sha256
from statistics import variance

import numpy as np
import pytest

from harness.metrics.vectors import pack
from harness.statistics.derive import sections
from harness.statistics.intervals import Noise, half_width

ROWS = 20
near = partial(pytest.approx, abs=1e-4)  # intervals and errors have four decimals


def right(n: int, rows: int = ROWS) -> list[int]:
    """n right answers, spread evenly."""
    return [int((i * n) // rows != ((i + 1) * n) // rows) for i in range(rows)]


def training(correct: list[int] | None, rows: int = 100, task: str = "a task") -> dict:
    """A training whose dev rows are `correct`, against a null predictor that is never right."""
    dev = {} if correct is None else {"correct": pack(correct), "null": pack([0] * len(correct))}
    part = {"rows": rows, "features": rows, "metric": "accuracy", "dev_rows": len(correct or [])}
    return {
        "encoder": "e",
        "phase": "target",
        "seed": 1,
        "updates": 1,
        "tasks": {task: part | dev},
    }


def target(
    group: str = "pair",
    languages: tuple = ("en", "sw"),
    parallel: bool = False,
    metric: str = "accuracy",
) -> dict:
    return {
        "task": "a task",
        "version": 1,
        "family": "classification",
        "group": group,
        "trained": group != "retrieval",
        "parallel": parallel,
        "metric": metric,
        "title": "",
        "languages": list(languages),
        "capped": False,
        "cut": None,
    }


def arm(kind: str = "task", of: str | None = None, **how) -> dict:
    known = {
        "intermediate": ["a task"],
        "kind": kind,
        "of": of,
        "shown": "an arm",
        "cut": None,
        "control": None,
        "subset": None,
        "difficulty": None,
        "trained": [],
    }
    return known | how


def key(name: str) -> str:
    """A readable name as a release has keys."""
    return sha256(name.encode()).hexdigest()


RECIPE = {"learning_rate": 1e-5, "batch_size": 16, "epochs": 1, "max_updates": None}
SUITE = {
    "name": "a suite",
    "version": 1,
    "about": "",
    "smoke": False,
    "seeds": [1],
    "protocol": None,
    "left_out": [],
    "waives": [],
    "split_rule": {"by": "median", "value": None},
    "pvi": False,
    "caps": {},
    "task_caps": {},
    "cuts": {},
    "recipes": {"intermediate": RECIPE, "target": RECIPE},
    "settings": {},
}
JOB = {
    "version": 1,
    "family": [1],
    "metric": [1],
    "world_size": 1,
    "encoder": None,
    "kind": "overlap",
    "spec": {},
}
ROWS_OF = {
    "family": "classification",
    "where": {},
    "unless": {},
    "columns": {},
    "labels": None,
    "cap": None,
}


class Release:
    """A content document that grows by `cell`; `arms` and `targets` by name, one encoder `e`."""

    derived: tuple[str, dict] = "", {}  # what was derived last, and of what

    def __init__(self, arms: dict, targets: dict, **suite):
        self.content = {
            "schema": 7,
            "suite": SUITE | suite,
            "encoders": {},
            "arms": {"none": arm("baseline", intermediate=None)} | arms,
            "targets": targets,
            "languages": {
                "en": {"name": "English", "family": "Indo-European", "script": "Latin"},
                "sw": {"name": "Swahili", "family": "Niger-Congo", "script": "Latin"},
                "th": {"name": "Thai", "family": "Kra-Dai", "script": "Thai"},
            },
            "jobs": {},
            "rows": {},
            "evidence": {"units": {}, "cells": [], "trainings": {}, "pvi": {}, "subsets": {}},
        }

    def cell(
        self,
        arm: str,
        target: str,
        correct: dict[str, list[int]],
        seed: int = 1,
        dev: list[int] | None = None,
        **how,
    ) -> dict:
        """correct: language → 0 or 1 a row; facts by language in `facts`; anything else of the cell
        in `how`."""
        evidence, facts = self.content["evidence"], how.pop("facts", {})
        name = key(f"{arm}-{target}-{seed}")
        if self.content["targets"][target]["trained"]:
            evidence["trainings"][name] = training(right(15) if dev is None else dev)
        languages = {}
        for language, answers in correct.items():
            if language not in evidence["units"].setdefault(target, {}):
                gold = {"null": pack([0] * len(answers))} if answers else {}
                if self.content["targets"][target]["metric"] == "retrieval_accuracy":
                    gold["gold"] = pack([1] * len(answers))
                evidence["units"][target][language] = gold
            known = {
                "n": len(answers),
                "truncated": 0,
                "unknown": 0.0,
                "constant": False,
                "placeholder": False,
            }
            side = "predicted" if "gold" in evidence["units"][target][language] else "correct"
            languages[language] = {"facts": known | facts.get(language, {}), side: pack(answers)}
        cell = {
            "encoder": "e",
            "arm": arm,
            "target": target,
            "seed": seed,
            "key": name,
            "intermediate": None,
        }
        cell["trained"] = name if name in evidence["trainings"] else None
        overlap = {
            "leaks": {},
            "shared": 0,
            "rows": {"target": 100},
            "test_rows": dict.fromkeys(correct, ROWS),
        }
        evidence["cells"].append(
            cell | {"overlap": overlap, "refused": False, "languages": languages} | how
        )
        return evidence["cells"][-1]

    def learns(
        self,
        arm: str,
        *devs: list[int] | None,
        rows: int = 100,
        chance=None,
        human=None,
        **difficulty,
    ) -> None:
        """The arm's intermediate trainings, one a seed, and what is declared of its difficulty."""
        facts = self.content["arms"][arm]
        facts["trained"] = [
            {"encoder": "e", "seed": i, "key": key(f"{arm}-{i}")}
            for i, _ in enumerate(devs, start=1)
        ]
        self.content["evidence"]["trainings"] |= {
            key(f"{arm}-{i}"): training(dev, rows) for i, dev in enumerate(devs, start=1)
        }
        known = {"declared": "easy", "why": ""} | difficulty
        for name, value in (("chance", chance), ("human", human)):
            known[name] = value and {"value": value, "source": ""}
        facts["difficulty"] = known

    def reads(self, name: str, *files: str) -> str:
        """A training's job, whose rows come from these files, half of them as a member of a union;
        gives its key."""
        leaves = []
        for file in files:
            part = {"sha256": [key(file)], "split": "train", "start": None, "stop": None}
            leaves.append(ROWS_OF | {"parts": [part]})
        rows = key(name)[:16]
        within = {"union": leaves[1:], "cap": None}
        both = {"union": [leaves[0], within], "cap": None}
        self.content["jobs"][key(name)] = JOB | {"data": rows}
        self.content["rows"][rows] = {"train": {"task": both, "more": leaves[-1]}}
        return key(name)

    def derive(self) -> dict:
        content = json.dumps(self.content)
        if self.derived[0] != content:
            found = sections(self.content)
            assert json.loads(json.dumps(found, allow_nan=False)) == found
            self.derived = content, found
        return self.derived[1]

    def only(self, section: str, **where) -> dict:
        """The one entry of a section that has these values."""
        found = [
            e
            for e in self.derive()[section]
            if all(e[name] == value for name, value in where.items())
        ]
        assert len(found) == 1, found
        return found[0]


def grid(gains: dict[str, dict[str, int]], base: int = 10, **how) -> Release:
    """arm → target → how many more of 20 rows are right than in the baseline, in each language.
    Targets by their group's name."""
    names = list(dict.fromkeys(name for of in gains.values() for name in of))
    targets = {name: target("retrieval" if name == "retrieval" else "pair") for name in names}
    release = Release({name: arm(of=name) for name in gains}, targets, **how)
    for name in names:
        release.cell("none", name, {"en": right(base), "sw": right(base)})
        for one, of in gains.items():
            if name in of:
                release.cell(
                    one, name, {"en": right(base + of[name]), "sw": right(base + of[name])}
                )
    return release


def said(number: dict) -> dict:
    """An estimate without the test that describes the board."""
    return {name: value for name, value in number.items() if name not in ("q", "arrow")}


def differences(a: list[int], b: list[int]) -> list[float]:
    """Of two systems' answers, in points."""
    return [100.0 * (x - y) for x, y in zip(a, b, strict=True)]


def of_mean(values: list[float]) -> float:
    """The textbook's variance of a mean."""
    return variance(values) / len(values)


def satterthwaite(*blocks: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of variances: (variance, degrees of freedom) of each."""
    total = math.fsum(one for one, _ in blocks)
    return total**2 / math.fsum(one**2 / freedom for one, freedom in blocks)


def about(value: float, *parts: Noise) -> list:
    """The interval that these errors give."""
    half = half_width(parts)
    return [near(value - half), near(value + half)]


def crossed(values: np.ndarray) -> list[Noise]:
    """Errors of the mean of (seeds, rows), by an analysis of variance with one answer a cell."""
    seeds, rows = values.shape
    of_rows, of_seeds = values.mean(axis=0), values.mean(axis=1)
    left = values - of_rows - of_seeds[:, None] + values.mean()
    both = (left**2).sum() / (seeds - 1) / (rows - 1)
    for_rows = max(0.0, seeds * np.var(of_rows, ddof=1) - both) / (seeds * rows)
    return [
        Noise(math.sqrt(for_rows), rows - 1),
        Noise(float(np.std(of_seeds, ddof=1)) / math.sqrt(seeds), seeds - 1),
    ]


def seeded(answers: dict[str, list[list[int]]]) -> Release:
    """`answers`: arm → its answers of each seed, in Swahili alone, on target `t`."""
    arms = {name: arm(of=name) for name in answers if name != "none"}
    release = Release(arms, {"t": target(languages=("sw",))})
    for name, of in answers.items():
        for seed, one in enumerate(of, start=1):
            release.cell(name, "t", {"sw": one}, seed=seed)
    return release


def reading(
    gains: dict[str, dict[str, int]], files: dict[str, str], seeds: tuple = (1,), **how
) -> Release:
    """`grid`, in which every training reads a file of its own name, and arms those that `files`
    gives them. From the second seed on each arm is one row better."""
    release = Release({name: arm(of=name) for name in gains}, {}, seeds=list(seeds), **how)
    for name in dict.fromkeys(name for of in gains.values() for name in of):
        release.content["targets"][name] = target("retrieval" if name == "retrieval" else "pair")
        for seed in seeds:
            more = {one: of[name] + seed - 1 for one, of in gains.items()}
            for one, n in ({"none": 0} | more).items():
                cell = release.cell(
                    one, name, {"en": right(10 + n), "sw": right(10 + n)}, seed=seed
                )
                if cell["trained"]:
                    release.reads(f"{one}-{name}-{seed}", f"other {name}", name)
                if one != "none":
                    cell["intermediate"] = release.reads(
                        f"{one}-{seed}", f"other {one}", files.get(one, one)
                    )
    return release


def leak(release: Release, arm: str, target: str) -> None:
    """More test rows stand in what this arm trained on than chance has."""
    for cell in release.content["evidence"]["cells"]:
        if (cell["arm"], cell["target"]) == (arm, target):
            leaks = {"intermediate": dict.fromkeys(cell["languages"], 9)}
            cell["overlap"] = cell["overlap"] | {"leaks": leaks}


def sure(gains: dict[str, dict[str, int]], base: int = 12, rows: int = 50) -> Release:
    """arm → target → how many more of `rows` are right, in three seeds, of which the second and
    third are one and two rows better; in Swahili alone. The same rows go right first."""
    names = list(dict.fromkeys(name for of in gains.values() for name in of))
    release = Release(
        {name: arm(of=name) for name in gains}, {name: target(languages=("sw",)) for name in names}
    )
    for name in names:
        every = {"none": 0} | {one: of[name] for one, of in gains.items() if name in of}
        for one, more in every.items():
            for seed in (1, 2, 3):
                n = base + more + (seed - 1 if one != "none" else 0)
                release.cell(one, name, {"sw": [1] * n + [0] * (rows - n)}, seed=seed)
    return release


def with_difficulty(devs: dict[str, int], **how) -> Release:
    """Arms by name → how many of 20 dev rows are right; each gains as many rows as it has
    letters."""
    release = grid({name: {"xnli": len(name)} for name in devs}, **how)
    for name, n in devs.items():
        release.learns(name, right(n), declared="hard" if name > "c" else "easy")
    return release
