"""Whether the store's disk has room for what a run holds at one time."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.common.errors import StoreError
from harness.plan.disk import Space, spaces
from harness.plan.graph import Job, Plan
from harness.plan.order import Course, course
from harness.plan.shown import in_bytes
from harness.store import Store
from harness.store.job import WEIGHTS


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder lies, or will."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_disk(
    plan: Plan,
    jobs: list[Job],
    costs: Mapping[str, float],
    workers: tuple[int, int],
    keep_weights: bool,
    store: Store,
    say: Callable[[str], None],
) -> None:
    """Whether the trained models that a run of these jobs keeps at one time fit on the store's
    disk; with its checkpoints too, or `say` hears of it. What an earlier try left there and this
    one reads or goes on from counts once: it lies there, and is part of what is needed.

    workers  at least, and at most: nothing is refused for those that may not be
    raises  StoreError: the models alone do not
    """
    free, space, there = free_disk(store.root), spaces(plan, jobs), left_there(jobs, store)
    ours = sum(map(sum, there.values()))

    def by(count: int) -> Course:
        return course(jobs, costs, count, space, keep_weights, there)

    least, most = workers
    run = by(most)
    if run.disk <= free + ours:
        return
    by_workers = f", by {most} workers if the GPUs have room" if least < most else ""
    held = f"{run.models} trained model{'s' * (run.models > 1)}"
    needs = f"{in_bytes(run.weights)} for {held} at one time"
    if run.disk > run.weights:
        needs += f", and up to {in_bytes(run.disk)} with the checkpoints of what is trained"
    ways = ["free space", "give another --store"]
    if keep_weights:
        ways.append("leave out --keep-weights")
    if most > 1 and (one := by(1)).disk < run.disk:
        ways.append(f"take fewer workers (one: {in_bytes(one.weights)} to {in_bytes(one.disk)})")
    told = f"the disk of {store.root} has {in_bytes(free)} free"
    if ours:
        told += f" and holds {in_bytes(ours)} of this run's"
    told += f"; this run needs about {needs}{by_workers}: {', '.join(ways[:-1])} or {ways[-1]}"
    if by(least).weights > free + ours:
        raise StoreError(told)
    say(f"it may not fit: {told}")


def left_there(jobs: list[Job], store: Store) -> dict[str, Space]:
    """What lies in the store of a run of which these jobs are left: the checkpoints of those of
    them that train, and the models that they read and none of them trains; by key."""
    found = {
        job.key: Space(checkpoint=store.checkpoint_bytes(job.key))
        for job in jobs
        if job.kind == "train"
    }
    read = {need for job in jobs for need in job.needs}
    for key in read.difference(job.key for job in jobs):
        manifest = store.manifest(key)
        if manifest and WEIGHTS in manifest.files:
            found[key] = Space(model=manifest.files[WEIGHTS]["bytes"])
    return found
