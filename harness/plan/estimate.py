"""How much a plan's jobs cost, before they run: tokens from the rows' characters, hours from this
store's own speed, or from what is known of the device."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.families import FAMILIES
from harness.families.columns import Row
from harness.plan.devices import Machine
from harness.plan.graph import Job, Plan
from harness.plan.order import course
from harness.sources import rows as data_rows
from harness.sources.pool import pool
from harness.spec.recipe import PRECISIONS, Recipe
from harness.spec.sampler import Sampler
from harness.store import Store, key_of
from harness.store.job import RowsJson

CHARACTERS_PER_TOKEN = 4.0
# Floating-point operations of a token, per weight of the layers (Kaplan et al. 2020, arXiv
# 2001.08361, section 2.1): forward 2, backward 4. Embeddings are looked up; what attention adds on
# long texts, and masked LM by its vocabulary, is left out.
FORWARD, TRAINING = 2, 6
BASE, WIDTH = 85_000_000, 768  # of an encoder whose config.json is of no known form


class Size(NamedTuple):
    """How much there is of a dataset. `similarities`: of how many pairs of vectors its search asks
    the cosine, each 2 x width operations; 0 where nothing is searched."""

    rows: int
    tokens: int
    similarities: int = 0


class Sizes:
    """Rows and tokens of datasets, each read at most once. `note` takes rows that somebody has read
    anyway."""

    def __init__(self) -> None:
        self._known: dict[str, Size] = {}

    def note(self, dataset: RowsJson, rows: list[Row]) -> None:
        """The rows of a dataset, as a job's JSON describes it."""
        self._known[key_of(dataset["identity"])] = _size(rows)

    def of(self, dataset: RowsJson) -> Size:
        """Its rows and, about, its tokens."""
        key = key_of(dataset["identity"])
        if key not in self._known:
            self._known[key] = _size(data_rows.load(dataset))
        return self._known[key]

    def of_pool(self, dataset: RowsJson, what: str, limit: int) -> Size:
        """Its candidates, and about how many tokens of them are read, at most `limit` of each."""
        key = key_of(["pool", dataset["identity"]["pool"], dataset["identity"]["parts"], what])
        if key not in self._known:
            lengths = [
                len(one.text) + len(one.context) * (what == "text_and_context")
                for one in pool(dataset)
            ]
            each = [min(limit, int(length / CHARACTERS_PER_TOKEN) + 3) for length in lengths]
            self._known[key] = Size(len(each), sum(each))
        return self._known[key]


def estimate(
    plan: Plan,
    store: Store,
    state: dict[str, str],
    sizes: Sizes | None = None,
    machine: Machine | None = None,
) -> dict[str, Any]:
    """Per kind of job: how many in which state, tokens and seconds on one worker of those to run;
    what that rests on; rows of all data sets that they read; of the run on the whole `machine`, as
    `order.course` has it: hours, the share of them that a worker works, the longest chain of jobs.

    `state`: key → state, of `graph.states`. Nobody knows the tokens of blocked jobs: they are in no
    sum. `processes`: most that share one of them. `sizes`: of what was read before.
    """
    sizes, machine = sizes or Sizes(), machine or Machine()
    # Rows of finished trainings are read for their speed, and not for nothing.
    speed, basis = 1.0, "nothing is to run"
    if "to run" in state.values():
        speed, basis = _speed(plan, store, sizes, machine)
    to_run = [job for job in plan.jobs.values() if state[job.key] == "to run"]
    costs = operations(plan, to_run, sizes)
    kinds: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(job.kind for job in plan.jobs.values()):
        jobs = [job for job in plan.jobs.values() if job.kind == kind]
        waiting = [job for job in jobs if job.key in costs]
        states = Counter(state[job.key] for job in jobs)
        kinds[kind] = {
            "jobs": len(jobs),
            "cached": states["cached"],
            "to_run": states["to run"],
            "blocked": states["blocked"],
            "tokens": sum(_tokens(job, plan, sizes) for job in waiting),
            "seconds": sum(costs[job.key] for job in waiting) / speed,
        }
    run = course(to_run, costs, machine.workers)
    return {
        "kinds": kinds,
        "cells": len(plan.cells),
        "rows": _rows(to_run, sizes),
        "device": machine.words,
        "processes": max((job.slots for job in to_run), default=1),
        "hours": run.length / speed / 3600,
        "busy": run.busy,
        "chain": [job.name for job in run.longest],
        "chain_hours": run.chain / speed / 3600,
        "basis": basis,
        "blocked": plan.blocked,
    }


def _rows(jobs: Sequence[Job], sizes: Sizes) -> int:
    """Rows of all data sets that jobs read, each counted once."""
    read: dict[str, int] = {}
    for job in jobs:
        body: dict[str, Any] = {} if job.kind == "overlap" else {**job.body}
        for phase in ("train", "dev", "tests", "devs"):
            for dataset in body.get(phase, {}).values():
                read[key_of(dataset["identity"])] = sizes.of(dataset)[0]
    return sum(read.values())


def operations(plan: Plan, jobs: Sequence[Job], sizes: Sizes) -> dict[str, float]:
    """What jobs cost, by key, in floating-point operations."""
    found = {}
    for job in jobs:
        of_tokens = _operations(job, plan, _tokens(job, plan, sizes))
        found[job.key] = of_tokens + _search(job, plan, sizes)
    return found


def _operations(job: Job, plan: Plan, tokens: int) -> float:
    each = TRAINING if job.kind == "train" else FORWARD
    return each * _weights(job, plan) * tokens if tokens else 0.0


def _search(job: Job, plan: Plan, sizes: Sizes) -> float:
    """Of the nearest neighbours: mined pairs, translations, candidates of a pool."""
    if job.kind != "evaluate":
        return 0.0
    pooled = _pool(job, sizes)
    devs = job.body.get("devs", {})
    similarities = 0
    for language, test in job.body["tests"].items():
        # dev and test of a language may be the same sentences, which are searched once
        searched = {sizes.of(one) for one in (test, devs.get(language, test))}
        for size in searched:
            similarities += size.rows * pooled.rows if pooled else size.similarities
    width = plan.encoders[job.body["encoder"]["name"]].width or WIDTH
    return 2.0 * width * similarities


def _speed(plan: Plan, store: Store, sizes: Sizes, machine: Machine) -> tuple[float, str]:
    """Operations per second and worker, from finished trainings of this plan on such a device: what
    they were estimated at, by what they took. Else what is assumed of it."""
    seconds, operations, count = 0.0, 0.0, 0
    for job in plan.jobs.values():
        manifest = store.manifest(job.key) if job.kind == "train" else None
        if not manifest or job.blocked or "resumed_at" in manifest.meta["facts"]:
            continue
        if manifest.meta.get("environment", {}).get("device", "cpu") == machine.device:
            count += 1
            seconds += manifest.meta["facts"]["seconds"] * job.slots
            operations += _operations(job, plan, _tokens(job, plan, sizes))
    asked = {
        job.body["spec"]["recipe"]["precision"] for job in plan.jobs.values() if job.kind == "train"
    }
    fastest = max(asked, key=PRECISIONS.index, default="fp32")
    speed = operations / seconds if seconds else machine.speed(fastest)
    known = {name: found.weights for name, found in plan.encoders.items() if found.weights}
    rates = [
        f"{name} {speed / TRAINING / n:,.0f} training, {speed / FORWARD / n:,.0f} evaluation"
        for name, n in known.items()
    ]
    source = (
        f"{count} finished training{'s' * (count > 1)} in this store"
        if seconds
        else f"assumed of one {machine._replace(workers=1).words.removeprefix('1 ')}"
    )
    return (
        speed,
        (
            f"{speed / 1e9:,.0f} GFLOP/s a worker ({source}); in tokens/s:"
            f" {'; '.join(rates) or 'unknown'}"
        ),
    )


def _weights(job: Job, plan: Plan) -> int:
    return plan.encoders[job.body["encoder"]["name"]].weights or BASE


def _tokens(job: Job, plan: Plan, sizes: Sizes) -> int:
    """Tokens that a job reads; those of looks at dev count for as much as they take."""
    if job.kind == "overlap":
        return 0  # plain text work
    if job.kind == "select":  # forward passes over the rows to rank
        return _all(job.body["train"], sizes) if job.needs else 0
    if job.kind == "pvi":
        return _all(job.body["dev"], sizes) if job.needs else 0
    if job.kind == "evaluate":
        read = _all(job.body["tests"], sizes) + _all(job.body.get("devs", {}), sizes)
        pooled = _pool(job, sizes)
        return read + (pooled.tokens if pooled else 0)
    spec, recipe = job.body["spec"], job.body["spec"]["recipe"]
    train = {task: sizes.of(dataset)[:2] for task, dataset in job.body["train"].items()}
    # a fold of the rows, or a subset of them: an arm's fraction is its select job's to say
    if part := spec["rows"]:
        share = (
            1 / part["fold"][1]
            if "fold" in part
            else plan.jobs[part["subset"]].body["spec"]["subset"]["fraction"]
        )
        train = {
            task: (max(1, int(share * count)), max(1, int(share * tokens)))
            for task, (count, tokens) in train.items()
        }
    rows = {task: count for task, (count, _) in train.items()}
    an_epoch = sum(-(-count // recipe["batch_size"]) for count in rows.values())
    rounds = Recipe(**recipe).rounds(max(1, an_epoch))
    drawn = min(
        sum(rows.values()) * rounds,
        (recipe["max_updates"] or float("inf")) * recipe["batch_size"],
    )
    # Each update is one task's; over many, a task gives its share of the rows, each as long as its
    # rows are.
    shares = Sampler(**(spec["sampler"] or {})).shares(rows)
    read = sum(drawn * shares[task] * tokens / count for task, (count, tokens) in train.items())
    looks = recipe["evaluations"]
    if looks and recipe["evaluate_every"]:
        looks = drawn / recipe["batch_size"] / recipe["evaluate_every"] + 1
    dev = 0.0
    for count, tokens, _ in (sizes.of(dataset) for dataset in job.body["dev"].values() if looks):
        dev += tokens * min(count, recipe["dev_rows"] or count) / count
    watched = rounds * sum(tokens for _, tokens in train.values()) if spec["watch"] else 0
    return int(read + (looks * dev + watched) * FORWARD / TRAINING)


def _pool(job: Job, sizes: Sizes) -> Size | None:
    """The candidates that an evaluation ranks, which are those of all languages, once; None where
    it ranks none."""
    task, tests = job.body["spec"]["task"], list(job.body["tests"].values())
    if FAMILIES[task["family"]].parts != "pool":
        return None
    return sizes.of_pool(tests[0], task["options"]["candidate"], task["max_length"])


def _all(sets: Mapping[str, RowsJson], sizes: Sizes) -> int:
    """Tokens of several datasets."""
    return sum(sizes.of(dataset)[1] for dataset in sets.values())


def _size(rows: Sequence[Row]) -> Size:
    tokens = int(sum(map(_characters, rows)) / CHARACTERS_PER_TOKEN) + 3 * len(rows)
    sources = sum(row.get("side") == "source" for row in rows)
    similarities = sources * (len(rows) - sources)  # of two heaps
    if rows and "source" in rows[0]:  # of pairs of sentences
        similarities = len(rows) ** 2
    return Size(len(rows), tokens, similarities)


def _characters(row: Row) -> int:
    if "choices" in row:  # the text is read again with each choice
        return sum(len(row["text"]) + len(choice) for choice in row["choices"])
    texts = [
        row.get(name) or ""
        for name in ("text", "text_pair", "context", "question", "source", "target")
    ]
    return sum(map(len, texts)) + sum(len(token) + 2 for token in row.get("tokens", []))
