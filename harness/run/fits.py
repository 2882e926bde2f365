"""Whether the store's disk has room for what a run holds at one time."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.common.errors import StoreError
from harness.plan.disk import spaces
from harness.plan.graph import Job, Plan
from harness.plan.order import Course, course
from harness.plan.shown import in_bytes


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder lies, or will."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_disk(
    plan: Plan,
    jobs: list[Job],
    costs: Mapping[str, float],
    workers: int,
    keep_weights: bool,
    store: Path,
    say: Callable[[str], None],
) -> None:
    """Whether the trained models that a run of these jobs keeps at one time fit on the store's
    disk; with its checkpoints too, or `say` hears of it. What lies there already is not in `free`.

    raises  StoreError: the models alone do not
    """
    free, space = free_disk(store), spaces(plan, jobs)

    def by(count: int) -> Course:
        return course(jobs, costs, count, space, keep_weights)

    run = by(workers)
    if run.disk <= free:
        return
    held = f"{run.models} trained model{'s' * (run.models > 1)}"
    needs = f"{in_bytes(run.weights)} for {held} at one time"
    if run.disk > run.weights:
        needs += f", and up to {in_bytes(run.disk)} with the checkpoints of what is trained"
    ways = ["free space", "give another --store"]
    if keep_weights:
        ways.append("leave out --keep-weights")
    if workers > 1 and (one := by(1)).disk < run.disk:
        ways.append(f"take fewer workers (one: {in_bytes(one.weights)} to {in_bytes(one.disk)})")
    told = f"the disk of {store} has {in_bytes(free)} free; this run needs about {needs}"
    told += f": {', '.join(ways[:-1])} or {ways[-1]}"
    if run.weights > free:
        raise StoreError(told)
    say(f"it may not fit: {told}")
