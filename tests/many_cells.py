"""A finished run of a thousand cells for the price of a small one: its results are those of a few
seeds, committed under the keys of all the others."""

import re
import shutil
from pathlib import Path

from conftest import SUITE, Rig, finished

from harness.plan.graph import Plan
from harness.plan.planner import make_plan
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import HashIndex, Store

SEEDS = 84  # of 3 conditions on 4 targets: 1,008 cells
TRAINED = 3  # of them really


def thousand(rig: Rig, folder: Path) -> list[str]:
    """The words of an `eval` that finds everything done, release and board included, in that
    folder."""
    small, large = _suite(folder, "few", TRAINED), _suite(folder, "many", SEEDS)
    finished(rig, rig.through("few", "-t", small), folder)
    catalog = Catalog.load([rig.specs, small, large])
    where = Where(encoder_root=rig.encoders, offline=True)
    few, many = (
        make_plan(catalog.suite(name), catalog, where, HashIndex()) for name in ("few", "many")
    )
    _copy(few, many, Store(folder / "runs/store"))
    words = ["eval", "--suite", "many", "-t", large, "-t", rig.specs]
    words += ["--encoder-root", rig.encoders]
    finished(rig, rig.command(*words), folder)
    return [str(word) for word in words]


def _suite(folder: Path, name: str, seeds: int) -> Path:
    path = folder / f"{name}.yaml"
    numbers = list(range(1, seeds + 1))
    path.write_text(
        SUITE.replace("suite: tiny", f"suite: {name}").replace("seeds: [1]", f"seeds: {numbers}")
    )
    return path


def _copy(few: Plan, many: Plan, store: Store) -> None:
    """Of each job the result of the same one with another seed."""
    by_name = {job.name: job for job in few.jobs.values()}
    for cell in few.cells:  # whose evaluations do not say their seed
        by_name[few.jobs[cell.evaluate].name, cell.seed] = few.jobs[cell.evaluate]
    seeds = {cell.evaluate: cell.seed for cell in many.cells}
    for key, job in many.jobs.items():
        if store.manifest(key):
            continue
        name = re.sub(r"seed \d+", lambda found: f"seed {_trained(int(found[0][5:]))}", job.name)
        of = by_name[(name, _trained(seeds[key])) if key in seeds else name]
        manifest = store.manifest(of.key)
        with store.workdir(key) as work:
            for file in manifest.files:
                (work / file).parent.mkdir(exist_ok=True)
                shutil.copy(store.root / "results" / of.key / file, work / file)
            store.commit(key, work, manifest.meta)


def _trained(seed: int) -> int:
    return 1 + (seed - 1) % TRAINED
