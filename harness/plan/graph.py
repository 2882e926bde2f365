"""The graph of a suite's jobs, and the cells of the board that come from them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.plan.recorded import Noted, PlanInputs
from harness.sources.encoders import FoundEncoder
from harness.sources.hub import Entries
from harness.spec.suite import Suite
from harness.spec.versions import ResultVersions
from harness.store import Store
from harness.store.job import WEIGHTS, JobJson

Rank = tuple[int, ...]


@dataclass
class Job:
    """One node: its key, what kind of work, whose results it reads, and the JSON a worker takes.

    `blocked` says what it lacks on this machine, itself or upstream; its key is then a stand-in.
    """

    key: str
    kind: str
    name: str
    needs: list[str]
    body: JobJson
    # scheduling order: finish an arm before starting the next, so that weights can go
    rank: Rank = ()
    blocked: tuple[str, ...] = ()
    slots: int = 1  # workers of one machine that it takes: the processes that share it


@dataclass
class Cell:
    """One number of the board: encoder × arm × target × seed, and the jobs it comes from."""

    encoder: str
    arm: str
    target: str
    seed: int
    evaluate: str
    overlap: str | None
    trained: str | None
    intermediate: str | None


@dataclass
class Jobs:
    """Jobs by key: all that who runs them has to know of a plan."""

    jobs: dict[str, Job] = field(default_factory=dict, kw_only=True)

    def dependants(self, key: str) -> list[str]:
        """Keys of the jobs that read the result of `key`."""
        return self._readers.get(key, [])

    @cached_property
    def _readers(self) -> dict[str, list[str]]:
        """Of jobs to which none is added any more: key → the jobs that read its result, in
        order."""
        readers: dict[str, list[str]] = {}
        for job in self.jobs.values():
            for need in dict.fromkeys(job.needs):
                readers.setdefault(need, []).append(job.key)
        return readers


@dataclass
class Plan(Jobs):
    """Jobs by key, cells of the board, and what is not on this machine (`blocked`: reason → what it
    blocks)."""

    suite: Suite
    cells: list[Cell] = field(default_factory=list)
    # pvi job → encoder, arm, seed
    measures: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    blocked: dict[str, list[str]] = field(default_factory=dict)
    encoders: dict[str, FoundEncoder] = field(default_factory=dict)
    # revision and SHA-256 of every file read, as the lock file has them
    sources: Entries = field(default_factory=dict)
    # what was asked of whoever gave specs and files
    noted: Noted | None = None
    versions: ResultVersions | None = None

    @property
    def inputs(self) -> PlanInputs:
        """All that the plan was made from, if nothing was missing: `plan_again` makes it of that.

        Of result versions it has those that stand in some key.
        """
        assert self.noted and self.versions
        return self.noted.all(self.suite, self._versions_used(self.versions))

    def _versions_used(self, known: ResultVersions) -> ResultVersions:
        jobs, families, metrics, readers = set(), set(), set(), set()
        for job in self.jobs.values():
            spec = job.body["spec"]
            parts = [*spec.get("tasks", {}).values(), *([spec["task"]] if "task" in spec else [])]
            jobs.add(job.kind)
            families |= {part["family"] for part in parts}
            metrics |= {part["metric"] for part in parts}
        for of in self.noted.files.values() if self.noted else ():
            readers |= {files.format for files in of.values()}

        def used(table: dict[str, int], names: set[str]) -> dict[str, int]:
            return {name: table[name] for name in sorted(names & table.keys())}

        return ResultVersions(
            jobs=used(known.jobs, jobs),
            families=used(known.families, families),
            metrics=used(known.metrics, metrics),
            readers=used(known.readers, readers),
            world_size=known.world_size,
        )

    def todo(self, store: Store, refused: frozenset[str] = frozenset()) -> list[Job]:
        """Jobs to run, in order: what is not committed, and trainings whose dropped weights
        somebody needs again.

        `refused` evaluations, and trainings that serve nothing else, are left out; so is what is
        blocked.
        """
        manifests = {key: store.manifest(key) for key in self.jobs}
        wanted: set[str] = set()

        def want(key: str) -> None:
            if key in wanted:
                return
            wanted.add(key)
            for upstream in self.jobs[key].needs:
                manifest = manifests[upstream]
                if manifest is None or WEIGHTS in manifest.dropped:
                    want(upstream)

        for key in (*self._of_cells(refused), *self.measures):
            if manifests[key] is None:
                want(key)
        open_ = [self.jobs[key] for key in wanted if not self.jobs[key].blocked]
        return sorted(open_, key=lambda job: job.rank)

    def _of_cells(self, refused: frozenset[str]) -> Iterator[str]:
        """The jobs that cells are made of; of one whose evaluation is refused only what refuses
        it."""
        for cell in self.cells:
            own = (cell.intermediate, cell.trained, cell.evaluate)
            others = own if cell.evaluate not in refused else ()
            yield from (key for key in (cell.overlap, *others) if key)


# Test rows of a language that may stand in training rows before a cell is refused. Intermediate
# rows favour one arm only. A target's own training set favours none, and the official sets have
# such rows (PAN-X 3%); more means a wrong cut.
LEAK_SHARE = {"intermediate": 0.01, "target": 0.10}


def refused_leaks(overlap: dict[str, Any]) -> dict[str, dict[str, int]]:
    """The leaks in an overlap result that refuse a cell: phase → language → test rows that stand in
    training rows."""
    found = {}
    for phase, by_language in overlap["leaks"].items():
        most, rows = LEAK_SHARE[phase], overlap["test_rows"]
        over = {lang: n for lang, n in by_language.items() if n > most * rows[lang]}
        if over:
            found[phase] = over
    return found
