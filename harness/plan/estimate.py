"""How much a plan's jobs cost, before they run: tokens from the rows' characters, hours from this
store's own speed, or from what is known of the device."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.families.columns import Row
from harness.plan.devices import Machine
from harness.plan.disk import BASE, spaces
from harness.plan.graph import Job, Plan
from harness.plan.order import course
from harness.sources import rows as data_rows
from harness.sources.pool import pool
from harness.spec.recipe import PRECISIONS, Recipe
from harness.spec.sampler import Sampler
from harness.store import HashIndex, Keys, Store, key_of
from harness.store.job import RowsJson

CHARACTERS_PER_TOKEN = 4.0
# Floating-point operations of a token, per weight of the layers (Kaplan et al. 2020, arXiv
# 2001.08361, section 2.1): forward 2, backward 4. Embeddings are looked up; what attention adds on
# long texts, and masked LM by its vocabulary, is left out.
FORWARD, TRAINING = 2, 6
WIDTH = 768  # of an encoder whose config.json is of no known form
# Bytes that stay in a store, about: of a test row's prediction with what its score follows from, of
# a training set's subword, of a job's description.
PREDICTED, TOKENISED, DESCRIBED = 100, 4, 10_000


class Size(NamedTuple):
    """How much there is of a dataset. `similarities`: of how many pairs of vectors its search asks
    the cosine, each 2 x width operations; 0 where nothing is searched."""

    rows: int
    tokens: int
    similarities: int = 0


class UnsizedError(LookupError):
    """Rows are not on this machine, and no spec says how many there are."""


class Sizes:
    """Rows and tokens of datasets, each read at most once. `note` takes rows that somebody has read
    anyway.

    index      remembers them for other commands
    published  tasks whose rows are not here, and were counted by what their specs say is published
    """

    def __init__(self, index: HashIndex | None = None) -> None:
        self._known: dict[str, Size] = {}
        self._keys = Keys()
        self._index = index or HashIndex()
        self.published: set[str] = set()

    def key(self, dataset: RowsJson) -> str:
        """Under which it is known. Hashed once: hundreds of a plan's jobs share an identity."""
        return self._keys.of(dataset["identity"])

    def note(self, dataset: RowsJson, rows: list[Row]) -> None:
        """The rows of a dataset, as a job's JSON describes it."""
        self._known[self.key(dataset)] = self._counted(dataset, lambda: rows)

    def of(self, dataset: RowsJson) -> Size:
        """Its rows and, about, its tokens. UnsizedError if neither they nor their number is
        here."""
        key = self.key(dataset)
        if key not in self._known:
            here = _are_here(dataset["identity"])
            read = functools.partial(data_rows.load, dataset)
            self._known[key] = self._counted(dataset, read) if here else self._said(dataset)
        return self._known[key]

    def _counted(self, dataset: RowsJson, read: Callable[[], list[Row]]) -> Size:
        """Of rows that are here. `read` gives them."""
        of = ["size", 1, self.key(dataset)]  # the number rises with what `_size` makes of rows
        return Size(*self._index.answer(of, lambda: _size(read())))

    def _said(self, dataset: RowsJson) -> Size:
        """Of rows that are not here, or not all."""
        identity = dataset["identity"]
        if "union" in identity:
            parts = zip(identity["union"], dataset["location"], strict=True)
            found = [self.of({**dataset, "identity": one, "location": at}) for one, at in parts]
            whole = Size(sum(one.rows for one in found), sum(one.tokens for one in found))
            return _capped(whole, identity["cap"])
        said = identity["missing"]
        if said["rows"] is None:
            raise UnsizedError(dataset["name"])
        self.published.add(said["task"])
        return _published(said)

    def of_pool(self, dataset: RowsJson, what: str, limit: int) -> Size:
        """Its candidates, and about how many tokens of them are read, at most `limit` of each."""
        if not _are_here(dataset["identity"]):
            raise UnsizedError(dataset["name"])
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
    """`Left.estimate`; `sizes`: of what was read before."""
    return Left(plan, store, state, sizes or Sizes()).estimate(machine or Machine())


class Left:
    """What of a plan is not done, and what that costs. Jobs that wait for data or an encoder are
    counted by the size that a spec says is published, and by nothing where none does (`unsized`).

    state  key → state, of `shown.states`
    """

    def __init__(self, plan: Plan, store: Store, state: dict[str, str], sizes: Sizes):
        self.plan, self.store, self.state, self.sizes = plan, store, state, sizes
        self.jobs = [job for job in plan.jobs.values() if state[job.key] in ("to run", "blocked")]
        self.costs = operations(plan, self.jobs, sizes)
        self.sized = [job for job in self.jobs if job.key in self.costs]
        self._speeds: dict[str, tuple[float, str]] = {}  # device → of a worker

    def estimate(self, machine: Machine) -> dict[str, Any]:
        """Per kind of job: how many in which state, tokens and seconds on one worker of those that
        are not done; what that rests on; rows of all data sets that they read; most processes that
        share one of them; the run on the whole `machine` (`run`)."""
        speed, basis = self._speed(machine)
        kinds: dict[str, dict[str, Any]] = {}
        for kind in dict.fromkeys(job.kind for job in self.plan.jobs.values()):
            jobs = [job for job in self.plan.jobs.values() if job.kind == kind]
            sized = [job for job in self.sized if job.kind == kind]
            states = Counter(self.state[job.key] for job in jobs)
            kinds[kind] = {
                "jobs": len(jobs),
                "cached": states["cached"],
                "to_run": states["to run"],
                "blocked": states["blocked"],
                "unsized": states["to run"] + states["blocked"] - len(sized),
                "tokens": sum(_tokens(job, self.plan, self.sizes) for job in sized),
                "seconds": sum(self.costs[job.key] for job in sized) / speed,
            }
        return self.run(machine) | {
            "kinds": kinds,
            "cells": len(self.plan.cells),
            "rows": _rows(self.sized, self.sizes),
            "published": sorted(self.sizes.published),
            "processes": max((job.slots for job in self.jobs), default=1),
            "basis": basis,
            "blocked": self.plan.blocked,
        }

    def run(self, machine: Machine) -> dict[str, Any]:
        """As `order.course` has it: hours, and those of all workers together; the share of them
        that a worker works; the longest chain of jobs; bytes of the disk, at most and after it."""
        speed, _ = self._speed(machine)
        run = course(self.jobs, self.costs, machine.workers, spaces(self.plan, self.jobs))
        return {
            "device": machine.words,
            "workers": machine.workers,
            "hours": run.length / speed / 3600,
            "worker_hours": sum(self.costs.values()) / speed / 3600,
            "busy": run.busy,
            "chain": [job.name for job in run.longest],
            "chain_hours": run.chain / speed / 3600,
            "models": run.models,
            "disk": {"weights": run.weights, "most": run.disk, "after": self._after},
        }

    def _speed(self, machine: Machine) -> tuple[float, str]:
        # rows of finished trainings are read for their speed, and not for nothing
        if not self.jobs:
            return 1.0, "nothing is to run"
        if machine.device not in self._speeds:
            found = _speed(self.plan, self.store, self.sizes, machine)
            self._speeds[machine.device] = found
        return self._speeds[machine.device]

    @cached_property
    def _after(self) -> float:
        """Bytes of the results that stay: predictions, and tokenised rows."""
        tested, trained = 0, {}
        for job in self.sized:
            for phase, dataset in _read_by(job):
                size = self.sizes.of(dataset)
                if phase == "tests":
                    tested += size.rows
                elif job.kind == "train":
                    trained[self.sizes.key(dataset)] = size.tokens
        return PREDICTED * tested + TOKENISED * sum(trained.values()) + DESCRIBED * len(self.jobs)


def _read_by(job: Job) -> Iterator[tuple[str, RowsJson]]:
    """(part of its JSON, data set) of all that a job reads; of a check, which is text work,
    nothing."""
    body: dict[str, Any] = {} if job.kind == "overlap" else {**job.body}
    for phase in ("train", "dev", "tests", "devs"):
        for dataset in body.get(phase, {}).values():
            yield phase, dataset


def _rows(jobs: Sequence[Job], sizes: Sizes) -> int:
    """Rows of all data sets that jobs read, each counted once."""
    read: dict[str, int] = {}
    for job in jobs:
        for _, dataset in _read_by(job):
            read[sizes.key(dataset)] = sizes.of(dataset).rows
    return sum(read.values())


def operations(plan: Plan, jobs: Sequence[Job], sizes: Sizes) -> dict[str, float]:
    """What jobs cost, by key, in floating-point operations; nothing of those that nobody can
    size: of rows that are wrong it is said elsewhere."""
    found = {}
    for job in jobs:
        with suppress(UnsizedError, SpecError):
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
    found = plan.encoders[job.body["encoder"]["name"]]
    if found.missing and not found.weights:
        raise UnsizedError(found.name)
    return found.weights or BASE


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
    train = {
        task: _features(spec["tasks"][task], sizes.of(dataset))
        for task, dataset in job.body["train"].items()
    }
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


def _features(task: dict[str, Any], size: Size) -> tuple[int, int]:
    """(what an epoch has of a training set, their tokens): its rows, or the windows into which long
    texts are split."""
    windows = 0 if FAMILIES[task["family"]].one_feature else size.tokens // task["max_length"]
    return max(size.rows, windows), size.tokens


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


def _are_here(identity: Mapping[str, Any]) -> bool:
    return "missing" not in identity and all(map(_are_here, identity.get("union", [])))


def _published(said: Mapping[str, Any]) -> Size:
    """Of what a plan says of rows that are missing (`locate.Resolver`)."""
    rows: int = said["rows"]
    whole = _capped(Size(rows, rows * said["subwords"]), said["cap"])
    family = FAMILIES[said["family"]]
    if family.parts == "heaps":  # as many in one language as in the other
        return whole._replace(similarities=(whole.rows // 2) ** 2)
    return whole._replace(similarities=0 if family.trained else whole.rows**2)


def _capped(whole: Size, cap: int | None) -> Size:
    """At most so many rows of it, of the same mean length."""
    if cap is None or whole.rows <= cap:
        return whole
    return Size(cap, whole.tokens * cap // whole.rows)


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
