"""How much a plan's jobs cost, before they run: tokens from the rows' characters, hours from this store's own speed."""

from harness.data import rows as data_rows
from harness.plan import Job, Plan
from harness.store import Store

CHARACTERS_PER_TOKEN = 4.0
# A 22M-parameter encoder on one core of a current CPU; used until the store has timings of its own.
DEFAULT_SPEED = {"train": 1500.0, "evaluate": 6000.0}  # tokens per second


def estimate(plan: Plan, store: Store, todo: list[Job]) -> dict:
    """Per kind of job: how many, cached, to run, tokens, seconds on one worker; and what the estimate rests on."""
    speed, basis = _speed(plan, store)
    missing = {job.key for job in todo}
    sizes: dict[str, int] = {}
    kinds = {}
    for kind in ("train", "evaluate", "overlap"):
        jobs = [job for job in plan.jobs.values() if job.kind == kind]
        waiting = [job for job in jobs if job.key in missing]
        tokens = sum(_tokens(job, sizes) for job in waiting) if kind != "overlap" else 0
        seconds = tokens / speed[kind] if kind in speed else 0.0
        kinds[kind] = {
            "jobs": len(jobs),
            "cached": len(jobs) - len(waiting),
            "to_run": len(waiting),
            "tokens": tokens,
            "seconds": seconds,
        }
    return {"kinds": kinds, "cells": len(plan.cells), "basis": basis, "blocked": plan.blocked}


def _speed(plan: Plan, store: Store) -> tuple[dict[str, float], str]:
    """Tokens per second and worker, from finished trainings of this plan."""
    timed = []
    for job in plan.jobs.values():
        manifest = store.manifest(job.key) if job.kind == "train" else None
        if manifest and "resumed_at" not in manifest.meta["facts"]:
            timed.append(manifest.meta["facts"])
    seconds = sum(facts["seconds"] for facts in timed)
    if not seconds:
        return (
            DEFAULT_SPEED,
            "assumed 1,500 training and 6,000 evaluation tokens/s a worker (a 22M-parameter encoder on one CPU core)",
        )
    train = sum(facts["tokens"] for facts in timed) / seconds
    ratio = DEFAULT_SPEED["evaluate"] / DEFAULT_SPEED["train"]
    return {
        "train": train,
        "evaluate": train * ratio,
    }, f"{len(timed)} finished trainings in this store: {train:,.0f} tokens/s a worker"


def _tokens(job: Job, sizes: dict[str, int]) -> int:
    if job.kind == "evaluate":
        return sum(_size(dataset, sizes) for dataset in job.body["tests"].values())
    recipe = job.body["spec"]["recipe"]
    train = _size(job.body["train"], sizes)
    rows = sizes[job.body["train"]["name"] + " rows"]
    passes = recipe["epochs"]
    if recipe["max_updates"]:
        passes = min(passes, recipe["max_updates"] * recipe["batch_size"] / rows)
    looks = recipe["evaluations"] * _size(job.body["dev"], sizes) * DEFAULT_SPEED["train"] / DEFAULT_SPEED["evaluate"]
    return int(train * passes + looks)


def _size(dataset: dict, sizes: dict[str, int]) -> int:
    """Tokens in a dataset, about."""
    name = dataset["name"]
    if name not in sizes:
        rows = data_rows.load(dataset)
        sizes[name + " rows"] = len(rows)
        sizes[name] = int(sum(map(_characters, rows)) / CHARACTERS_PER_TOKEN) + 3 * len(rows)
    return sizes[name]


def _characters(row: dict) -> int:
    texts = [row.get(name) or "" for name in ("text", "text_pair", "context", "question", "source", "target")]
    return sum(map(len, texts)) + sum(len(token) + 2 for token in row.get("tokens", []))
