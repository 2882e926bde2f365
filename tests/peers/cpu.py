"""`make bench`, its first half: training and evaluation beside transformers' Trainer, on a CPU.

    python -m tests.peers.cpu .benchmarks/cpu.json [--smoke] [--rounds 3]

Same rows, same weights, same batches, one pinned thread, in turn (`rounds`). Writes what was
measured as JSON, of which `tests.peers.page` makes the tables of docs/performance.md.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from harness.jobs.context import processor
from harness.models.batching import feature_length
from tests.peers import contenders
from tests.peers.contenders import Ours, Work
from tests.peers.material import MINILM_250K, SEED, Material, Shape, Sizes, material
from tests.peers.names import DYNAMIC, GROUPED, OURS, OURS_GROUPED, PADDED, PRODUCTS
from tests.peers.rounds import Contender, Measured, compare

Works = dict[str, tuple[Contender, Work]]  # by the contender's name

XNLI = Shape("XNLI pairs", "classification", 128)
PANX = Shape("PAN-X tags", "tagging", 128)
SQUAD = Shape("SQuAD windows", "span_qa", 384, pool=600)
LARGE = Shape("XNLI pairs, 250,002 subwords", "classification", 128, MINILM_250K, pool=2490)
TINY = Sizes("bert", 2, 32, 200, 200)  # of no use but to try the machinery


@dataclass(frozen=True)
class Plan:
    """What is measured of a shape: updates in a round, with the recipe's dropout or without."""

    shape: Shape
    updates: int
    dropout: float = 0.0
    evaluated: int = 0  # rows in a round; 0: training is measured


FULL = [
    Plan(XNLI, 4),
    Plan(XNLI, 4, 0.1),
    Plan(PANX, 4),
    Plan(SQUAD, 2),
    Plan(LARGE, 4),
    Plan(XNLI, 1, evaluated=64),
    Plan(PANX, 1, evaluated=64),
    Plan(SQUAD, 1, evaluated=24),
]


def smoke(family: str, named: Shape, sizes: Sizes = TINY, evaluated: int = 0) -> Plan:
    """Takes no time and says nothing about speed: the machinery alone."""
    shape = Shape(named.name, family, 48, sizes, batch=4, pool=24, words=6)
    return Plan(shape, 1, evaluated=evaluated)


SMOKE = [
    smoke("classification", XNLI),
    smoke("tagging", PANX, evaluated=4),
    smoke("span_qa", SQUAD, replace(TINY, kind="xlm-roberta")),
    smoke("span_qa", SQUAD, evaluated=4),
]


def main(arguments: Sequence[str] | None = None, processes: Any = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.cpu", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSON that is written")
    parser.add_argument("--smoke", action="store_true", help="tiny shapes, to try the machinery")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="shapes whose names begin so")
    told = parser.parse_args(arguments)

    plans = SMOKE if told.smoke else FULL
    plans = [plan for plan in plans if plan.shape.name.startswith(told.only)]
    found = {"machine": machine(), "rounds": told.rounds, "comparisons": []}
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        for plan in plans:
            started = time.monotonic()
            what = "evaluation" if plan.evaluated else f"training, dropout {plan.dropout}"
            measured = measure(plan, Path(folder), told.rounds, not told.smoke, processes)
            found["comparisons"].append(measured)
            took = time.monotonic() - started
            print(f"{plan.shape.name}, {what}: {took:.0f} s", file=sys.stderr, flush=True)
            told.out.parent.mkdir(parents=True, exist_ok=True)
            told.out.write_text(json.dumps(found, indent=1) + "\n")  # what broke off shows so much


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    packages = {name: version(name) for name in ("torch", "transformers", "numpy")}
    root = Path(__file__).parents[2]
    last = ["git", "-C", str(root), "log", "-1", "--format=%h", "--", "harness"]
    said = subprocess.run(last, capture_output=True, text=True, check=False).stdout.strip()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "load": round(load, 1),
        "revision": said or "unknown",
        "day": time.strftime("%Y-%m-%d"),
        "packages": packages,
    }


def measure(
    plan: Plan, folder: Path, rounds: int, real: bool, processes: Any = None
) -> dict[str, Any]:
    """One shape: all contenders, and what there is to know about it."""
    place = folder / plan.shape.name.replace(" ", "-").replace(",", "")
    given = material(plan.shape, place, real)
    given.recipe = {"dropout": plan.dropout, "attention_dropout": plan.dropout}
    own = Ours(given)
    own.save_heads()
    core = sorted(os.sched_getaffinity(0))[-1] if hasattr(os, "sched_getaffinity") else 0
    if plan.evaluated:
        works = evaluations(plan, given, own, rounds)
    else:
        works = trainings(plan, given, own, rounds)
    tokens = {name: _tokens(plan, work, rounds) for name, (_, work) in works.items()}
    measured = compare(works, tokens, core, processes=processes)
    described = {
        "shape": plan.shape.name,
        "what": "evaluation" if plan.evaluated else "training",
        "dropout": plan.dropout,
        "max_length": plan.shape.max_length,
        "batch": plan.shape.batch,
        **given.real,
    }
    return described | summary(works, measured)


# Batches


def trainings(plan: Plan, given: Material, own: Ours, rounds: int) -> Works:
    """The same random batches for all; grouped ones for those who group, the same again."""
    features, size = own.part.features, plan.shape.batch
    count = rounds * plan.updates
    drawn = [int(i) for i in np.random.default_rng(SEED).permutation(len(features))]
    cut = [drawn[i : i + size] for i in range(0, len(drawn) - size + 1, size)]
    # one more to warm up; a short pool begins again
    random = [[features[i] for i in cut[j % len(cut)]] for j in range(count + 1)]
    grouped = _grouped(plan, features, rounds)
    return {
        PADDED: (contenders.trainer, Work(given, random, "max_length")),
        DYNAMIC: (contenders.trainer, Work(given, random)),
        OURS: (contenders.ours, Work(given, random)),
        GROUPED: (contenders.trainer, Work(given, grouped)),
        OURS_GROUPED: (contenders.ours, Work(given, grouped)),
        PRODUCTS: (contenders.products, Work(given, random)),
    }


def _grouped(plan: Plan, features: list[Any], rounds: int) -> list[list[Any]]:
    """Batches as Trainer's own sampler groups them, of which a round takes some from all over the
    lengths: few batches of one length each would say little about all."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    size = plan.shape.batch
    lengths = [feature_length(feature) for feature in features]
    random = torch.Generator().manual_seed(SEED)
    order = get_length_grouped_indices(lengths, size, generator=random)
    cut = [order[i : i + size] for i in range(0, len(order) - size + 1, size)]
    cut.sort(key=lambda batch: sum(lengths[i] for i in batch))
    chosen = [len(cut) // 2]  # to warm up
    for number in range(rounds):
        for i in range(plan.updates):
            share = (i + (number + 0.5) / rounds) / plan.updates
            chosen.append(int(share * len(cut)))
    return [[features[i] for i in cut[j]] for j in chosen]


def evaluations(plan: Plan, given: Material, own: Ours, rounds: int) -> Works:
    """The same rows for all; few to warm up."""
    rows = own.part.training
    lengths = [sum(len(str(value)) for value in row.values()) for row in rows]
    order = np.argsort(lengths, kind="stable")
    rng = np.random.default_rng(SEED)
    batches = [[rows[int(i)] for i in order[:: len(order) // 4][:4]]]
    for number in range(rounds):
        # from all over the lengths, and of each a few that fit together, as in a whole set
        some = [_near(order, (i + (number + 0.5) / rounds) / 4, plan.evaluated) for i in range(4)]
        batches.append([rows[int(i)] for i in rng.permutation(np.concatenate(some))])
    encoded = [own.features(batch) for batch in batches]

    def trainer(padding: str, grouped: bool = False) -> tuple[Contender, Work]:
        work = Work(given, batches, padding, grouped=grouped, encoded=encoded)
        return contenders.trainer_evaluation, work

    return {
        PADDED: trainer("max_length"),
        DYNAMIC: trainer("longest"),
        GROUPED: trainer("longest", grouped=True),
        OURS: (contenders.our_evaluation, Work(given, batches, encoded=encoded)),
        PRODUCTS: (contenders.products, Work(given, batches, encoded=encoded)),
    }


def _near(order: np.ndarray, share: float, evaluated: int) -> np.ndarray:
    """A quarter of the rows of a round, at a place in the order of lengths."""
    count = max(1, evaluated // 4)
    start = min(int(share * len(order)), len(order) - count)
    return order[start : start + count]


def _tokens(plan: Plan, work: Work, rounds: int) -> list[list[tuple[int, int]]]:
    """Of each update of each round: real tokens, and those of its batches padded to one length."""
    counted = []
    for features in work.encoded or work.batches:
        lengths = [feature_length(feature) for feature in features]
        if work.grouped:
            lengths.sort()
        padded = 0
        for start in range(0, len(lengths), plan.shape.batch):
            batch = lengths[start : start + plan.shape.batch]
            fixed = work.padding == "max_length"
            padded += len(batch) * (plan.shape.max_length if fixed else max(batch))
        counted.append((sum(lengths), padded))
    return [counted[:1]] + [
        counted[1 + i * plan.updates : 1 + (i + 1) * plan.updates] for i in range(rounds)
    ]


# Summaries


def spread(values: Sequence[float]) -> list[float]:
    """[median, least, most], to four digits."""
    three = (float(np.median(values)), min(values), max(values))
    return [float(f"{value:.4g}") for value in three]


def summary(works: Works, measured: dict[str, Measured]) -> dict[str, Any]:
    """Medians with ranges, and by how much what came out differs."""
    base = measured[PADDED].rounds
    table = {}
    for name, one in measured.items():
        if one.failed:
            table[name] = {"failed": one.failed}
            continue
        rates = [done.real / done.cpu for done in one.rounds]
        table[name] = {
            "cpu": spread([done.cpu / done.updates for done in one.rounds]),
            "wall": spread([done.wall / done.updates for done in one.rounds]),
            "tokens_per_second": spread(rates),
            "peak": one.peak,
            "padding": 1 - sum(r.real for r in one.rounds) / sum(r.padded for r in one.rounds),
        }
        if base:  # round by round, since both had the same load; per token, since groups differ
            ratios = [
                rate * first.cpu / first.real for rate, first in zip(rates, base, strict=True)
            ]
            table[name]["ratio"] = spread(ratios)
    return {"contenders": table, **_agreement(works, measured), **_rate(works, measured)}


def _agreement(works: Works, measured: dict[str, Measured]) -> dict[str, Any]:
    """Of the contenders that had the same batches: the largest difference between losses, or how
    many predictions differ."""
    results: dict[int, list[list[Any]]] = {}
    for name, (_, work) in works.items():
        of_rounds = [done.results for done in measured[name].rounds]
        flat = [result for results_ in of_rounds for result in results_]
        if flat and flat[0] is not None:
            results.setdefault(id(work.batches), []).append(flat)
    if any(work.encoded for _, work in works.values()):
        (alike,) = results.values()
        first = [prediction for batch in alike[0] for prediction in batch]
        others = [[p for batch in other for p in batch] for other in alike[1:]]
        differ = [sum(a != b for a, b in zip(first, o, strict=True)) for o in others]
        return {"predictions": len(first), "differ": max(differ, default=0)}
    gaps = [
        float(np.abs(np.subtract(other, alike[0])).max())
        for alike in results.values()
        for other in alike[1:]
    ]
    return {"largest_loss_difference": max(gaps, default=0.0)}


def _rate(works: Works, measured: dict[str, Measured]) -> dict[str, Any]:
    """The rate of matrix products that was reached by who computes nothing else: operations a CPU
    second."""
    import transformers

    work, rounds = works[PRODUCTS][1], measured[PRODUCTS].rounds
    if not rounds:
        return {}
    config = transformers.AutoConfig.from_pretrained(work.material.encoder)
    batches = (work.encoded or work.batches)[1:]
    lengths = [[feature_length(feature) for feature in batch] for batch in batches]
    spent = sum(contenders.operations(config, one, work.encoded is None) for one in lengths)
    return {"products_per_second": spent / sum(done.cpu for done in rounds)}


if __name__ == "__main__":
    main()
