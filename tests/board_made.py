"""Releases made by hand for tests of the board: a few conditions by a few targets, each number
chosen."""

from typing import Any

from harness.release.schema import Concluded
from harness.release.schema_derived import (
    Average,
    Contrast,
    DevScore,
    DifficultyRow,
    Estimate,
    Gain,
    MeanGain,
    ScoredCell,
    Scores,
    Side,
    Split,
    TargetScore,
    Tested,
)
from tests import made_up

KEY = "0" * 64
RECIPE = {"learning_rate": 1e-5, "batch_size": 16, "epochs": 1, "max_updates": None}
GROUPS = {"xnli": "pair", "udpos": "tagging", "xquad": "qa", "mlqa": "qa", "tatoeba": "retrieval"}


def sure(value: float | None, half: float | None = 1.0, arrow: str | None = None) -> Tested:
    """A number with an interval of that half width."""
    limits = None if value is None or half is None else [value - half, value + half]
    return Tested(value=value, interval=limits, rows=0.3, seeds=0.4, p=0.01, q=0.02, arrow=arrow)


def estimate(value: float | None, half: float = 1.0) -> Estimate:
    return Estimate(**sure(value, half).model_dump(exclude={"q", "arrow", "tasks"}))


def arm(kind: str = "task", **facts: Any) -> dict[str, Any]:
    return {
        "intermediate": None if kind == "baseline" else ["a task"],
        "kind": kind,
        "of": None,
        "shown": "",
        "cut": None,
        "difficulty": None,
        "trained": [],
    } | facts


def target(group: str, **facts: Any) -> dict[str, Any]:
    return made_up.target(group) | facts


def suite(**facts: Any) -> dict[str, Any]:
    return {
        "name": "made",
        "version": 1,
        "about": "made by hand",
        "smoke": False,
        "seeds": [1, 2, 3],
        "protocol": None,
        "left_out": [],
        "waives": [],
        "split_rule": {"by": "median", "value": None},
        "pvi": False,
        "caps": {"train": None, "dev": None, "test": None},
        "task_caps": {},
        "cuts": {},
        "recipes": {"intermediate": RECIPE, "target": RECIPE},
        "settings": {},
    } | facts


def scores(*flags: str, main: float = 40.0, n: int = 100) -> Scores:
    facts = {"metrics": {"accuracy": main}, "main": main, "null": 33.3, "flags": list(flags)}
    return Scores(n=n, truncated=0, unknown=0.0, **facts)


def cell(
    condition: str, on: str, *flags: str, encoder: str = "enc", seed: int = 1, **languages: Scores
) -> ScoredCell:
    return ScoredCell(
        encoder=encoder,
        arm=condition,
        target=on,
        seed=seed,
        key=KEY,
        flags=list(flags),
        languages=languages or {"en": scores(), "sw": scores()},
        score=40.0,
        zero_shot=40.0,
        above_floor=40.0,
        languages_above_floor=2,
        centred=None,
        dev=None,
        dev_learned=None,
    )


def gain(condition: str, on: str, number: Tested, *flags: str, encoder: str = "enc") -> Gain:
    return Gain(
        encoder=encoder,
        arm=condition,
        target=on,
        flags=list(flags),
        gain=number,
        english=number.value,
        zero_shot=number.value,
        above_floor=None,
        centred=None,
        per_seed={},
        per_language={},
    )


def mean(number: Tested, *targets: str) -> MeanGain:
    return MeanGain(gain=number, targets=list(targets))


UNKNOWN = mean(sure(None))


def average(condition: str, overall: MeanGain, encoder: str = "enc", **facts: Any) -> Average:
    """`facts`: other fields, kinds of targets among them."""
    groups = {name: facts.pop(name) for name in {*GROUPS.values()} & {*facts}}
    rest = {"rest": None, "own_data": [], "without_own": None, "zero_shot": UNKNOWN}
    rest["groups_zero_shot"] = dict.fromkeys(GROUPS.values(), UNKNOWN)
    known = rest | facts
    return Average(encoder=encoder, arm=condition, overall=overall, groups=groups, **known)


def difficulty(condition: str, bucket: str | None, encoder: str = "enc") -> DifficultyRow:
    return DifficultyRow(
        encoder=encoder,
        arm=condition,
        of=condition,
        rows=1000,
        dev=50.0,
        dev_per_seed={"1": 50.0},
        chance=33.3,
        chance_known=True,
        human=90.0,
        human_known=False,
        headroom=0.5,
        headroom_per_seed={"1": 0.5},
        pvi=None,
        pvi_share=None,
        learned=bucket != "unlearned",
        bucket=bucket,
    )


def run(encoder: str = "enc") -> dict[str, Any]:
    """A training of the one intermediate there is."""
    return {"encoder": encoder, "seed": 1, "key": KEY}


def dev_score(learned: bool) -> DevScore:
    """What it reached on its own English dev."""
    facts = {"encoder": "enc", "phase": "intermediate", "seed": 1, "null": 33.3}
    return DevScore(key=KEY, main=50.0, learned=learned, **facts)


def contrast(value: float | None, half: float = 1.0, *targets: str) -> Contrast:
    return Contrast(easy_minus_hard=estimate(value, half), targets=list(targets))


def split(overall: Contrast, why: str = "", encoder: str = "enc", **groups: Contrast) -> Split:
    side = Side(arms={}, average_gain=None)
    return Split(
        encoder=encoder,
        by="median",
        threshold=None,
        easy=side,
        hard=side,
        median=[],
        unlearned=[],
        overall=overall,
        without_own=None,
        zero_shot=contrast(None),
        groups=dict.fromkeys(GROUPS.values(), contrast(None)) | groups,
        by_target={},
        claim=not why,
        why=why,
        sizes_differ=False,
        correlation=None,
        correlation_pvi=None,
    )


def score(
    on: str | None,
    value: float,
    encoder: str = "enc",
    targets: tuple[str, ...] = (),
    difference: Tested | None = None,
) -> TargetScore:
    """`targets`: of a mean."""
    return TargetScore(
        encoder=encoder,
        target=on,
        targets=[on] if on else list(targets),
        score=estimate(value),
        difference=difference,
    )


def release(
    conditions: dict[str, dict[str, Any]],
    targets: dict[str, str] = GROUPS,
    encoders: tuple[str, ...] = ("enc",),
    **sections: Any,
) -> Concluded:
    """`conditions`: name → `arm`; `targets`: name → kind; `sections`: what was derived, and
    `suite`."""
    known = sections.pop("suite", suite())
    seen = sections.pop("seen", [])
    facts = {
        "version": 1,
        "pretrained_on": "english",
        "seen": seen,
        "files": {},
        "max_length": 128,
    }
    arms = {"none": arm("baseline")} | conditions
    for name, one in arms.items():
        one["shown"] = one["shown"] or name
    empty = ("dev_scores", "selections", "gains", "averages", "slices", "difficulty", "split")
    derived: dict[str, Any] = {name: [] for name in (*empty, "subsets", "best")}
    derived |= {"cells": [], "headline": {}, "scores": []}
    for one in encoders:
        derived["cells"] += [cell("none", on, encoder=one) for on in targets]
        derived["headline"][one] = sorted(targets)
        derived["scores"] += [score(on, 40.0, one) for on in targets]
        derived["scores"].append(score(None, 40.0, one, tuple(targets)))
    return Concluded.model_validate(
        {
            "schema": 7,
            "suite": known,
            "encoders": dict.fromkeys(encoders, facts),
            "arms": arms,
            "targets": {name: target(group) for name, group in targets.items()},
            "languages": {
                "en": {"name": "English", "family": "Germanic", "script": "Latin"},
                "sw": {"name": "Swahili", "family": "Niger-Congo", "script": "Latin"},
            },
            "jobs": {},
            "rows": {},
            "evidence": {"units": {}, "cells": [], "trainings": {}, "pvi": {}, "subsets": {}},
            **derived,
            **sections,
        }
    )
