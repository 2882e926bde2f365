"""Trackers: where the curves of a run's trainings, and its results, go besides the store.

Off unless `eval --track NAME` names one. A tracker is one class (`Tracker`) and a line in TRACKERS;
a package outside adds one by an entry point in the group `xstilts_harness.trackers`. What it logs
to is a package of its own, which is no dependency of ours.

A run is known by its suite and by the keys of its plan, so that the same command finds the same
place again. What was told stands in a file beside, and is told once: a training that goes on from a
checkpoint repeats points, and the next command repeats results.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import harness
from harness.common.errors import HarnessError, MissingError, StoreError
from harness.common.plugins import Table
from harness.engines.listener import Listener, Logged
from harness.page.tidy import tidy
from harness.plan.graph import Job, Plan
from harness.release.schema import Concluded
from harness.store import Store, key_of

SHORTEST = 0.1  # seconds over which a speed is measured
TOLD = "told"  # a folder beside what a tracker keeps: what it was told, a file a job


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is made for.

    name    the same for the same plan
    folder  its own, for what it keeps on this machine
    config  the suite, as JSON
    """

    name: str
    folder: Path
    config: dict[str, Any]


class Tracker(Protocol):
    """A tracker at work. Whatever its methods raise stops it, and not the run."""

    where: str  # how to see what it has, in a line

    def points(self, job: str, update: int, values: Mapping[str, float]) -> None:
        """A training after so many updates: `loss`, `learning_rate`, `tokens_per_second`, or
        `dev/TASK/METRIC`, 0-100. Of one job updates rise."""

    def results(self, step: int, values: Mapping[str, float]) -> None:
        """A release's numbers by name; `step`: how many releases of this run were told before."""

    def close(self) -> None:
        """Nothing comes any more."""


class TrackerClass(Protocol):
    """What TRACKERS holds.

    module   that must be there, as Python imports it
    install  what pip installs to have it
    """

    module: str
    install: str

    def __call__(self, run: TrackedRun) -> Tracker:
        """Start, or go on where a run of that name ended. Raises what its package raises."""


def _sound(name: str, found: object) -> str | None:
    needed = ("module", "install", "points", "results", "close")
    if not callable(found) or any(not hasattr(found, of) for of in needed):
        return f"it is no tracker: a class with {', '.join(needed)}"
    return None


TRACKERS: Table[TrackerClass] = Table(
    "trackers",
    {
        "tensorboard": "harness.run.trackers:TensorBoard",
        "wandb": "harness.run.trackers:WeightsAndBiases",
        "mlflow": "harness.run.trackers:MLflow",
        "trackio": "harness.run.trackers:Trackio",
    },
    _sound,
)


def trackers(names: Sequence[str]) -> dict[str, TrackerClass]:
    """The trackers of these names, each once, before anything is planned or run.

    raises  SpecError: none is called so; MissingError: its package is not installed
    """
    found = {name: TRACKERS.chosen(name, "tracker") for name in names}
    for name, tracker in found.items():
        if find_spec(tracker.module) is None:
            raise MissingError(
                f"--track {name}: the package {tracker.module} is not installed: pip install"
                f" {tracker.install}"
            )
    return found


@contextmanager
def tracking(
    chosen: Mapping[str, TrackerClass], plan: Plan, store: Store, say: Callable[[str], None]
) -> Iterator["Tracking"]:
    """Trackers of a run, told first what earlier commands have computed; closed in the end.

    raises  HarnessError: one of them cannot start
    """
    name = f"{plan.suite.suite}-{key_of(sorted(plan.jobs))[:8]}"
    config = {
        "harness": harness.__version__,
        "suite": plan.suite.model_dump(mode="json", exclude_none=True),
    }
    told = Tracking(store, say)
    try:
        for of, tracker in chosen.items():
            run = TrackedRun(name, store.root / "track" / of / name, config)
            told.start_tracker(of, tracker, run)
        for job in plan.jobs.values():
            told.catch_up(job)
        yield told
    finally:
        told.close()


class Tracking(Listener):
    """Tells every tracker what the driver says of trainings."""

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self.store, self.say = store, say
        self.working: dict[str, _Telling] = {}
        self.clock: dict[str, tuple[float, int]] = {}  # key → when it last spoke, tokens by then

    def start_tracker(self, name: str, tracker: TrackerClass, run: TrackedRun) -> None:
        """One more. HarnessError if it cannot start."""
        try:
            (run.folder / TOLD).mkdir(parents=True, exist_ok=True)
            with redirect_stdout(sys.stderr):  # ours is for results; some print
                made = tracker(run)
        # whatever somebody else's package raises: no network, no account, a broken installation
        except Exception as error:
            raise HarnessError(f"--track {name}: {_first_line(error)}") from error
        self.working[name] = _Telling(made, run.folder / TOLD)
        self.say(f"{name}: {made.where}")

    def logged(self, job: Job, line: Logged) -> None:
        self._points(job, line, {} if line.tokens is None else self._speed(job, line))

    def done(self, job: Job) -> None:
        self.catch_up(job)

    def elsewhere(self, job: Job) -> None:
        self.catch_up(job)

    def catch_up(self, job: Job) -> None:
        """What its committed log has, and a tracker has not: it was computed without one, or on
        another machine, or its worker's last words were lost."""
        if not self.working or job.kind != "train" or not self.store.manifest(job.key):
            return
        try:
            log = self.store.path(job.key, "metrics.jsonl").read_text(encoding="utf-8")
        except StoreError:
            return  # damaged: the run says so, and computes it again
        for text in log.splitlines():
            self._points(job, Logged.of(json.loads(text)), {})

    def _speed(self, job: Job, line: Logged) -> dict[str, float]:
        """`tokens_per_second` since the line before, or since one before that: what comes in a
        burst says nothing of when it was done."""
        now, tokens = time.monotonic(), line.tokens or 0
        since, before = self.clock.setdefault(job.key, (now, tokens))
        if line.again:
            self.clock[job.key] = now, tokens
        if line.again or now - since < SHORTEST:
            return {}
        self.clock[job.key] = now, tokens
        return {"tokens_per_second": (tokens - before) / (now - since)}

    def _points(self, job: Job, line: Logged, more: Mapping[str, float]) -> None:
        values = {**values_of(line), **more}
        self._each(lambda telling: telling.points(job, line, values))

    def results(self, release: Concluded) -> None:
        """The numbers of a release, unless it was told before."""
        values = results_of(release)
        self._each(lambda telling: telling.results(key_of(values), values))

    def close(self) -> None:
        """Let every tracker end."""
        self._each(lambda telling: telling.tracker.close())
        self.working = {}

    def _each(self, tell: Callable[["_Telling"], None]) -> None:
        for name, telling in list(self.working.items()):
            try:
                with redirect_stdout(sys.stderr):
                    tell(telling)
            # whatever it is, hours of training are worth more than their curve
            except Exception as error:
                del self.working[name]
                self.say(f"--track {name} stopped: {_first_line(error)}; the run goes on")


class _Telling:
    """A tracker, and what it was told."""

    def __init__(self, tracker: Tracker, folder: Path) -> None:
        self.tracker, self.folder = tracker, folder

    def points(self, job: Job, line: Logged, values: Mapping[str, float]) -> None:
        """A line of a training's log, unless it was told."""
        said = f"{'dev' if line.dev else 'loss'} {line.update}"
        if values and self._new(job.key, said):
            self.tracker.points(f"{job.name} {job.key[:8]}", line.update, values)

    def results(self, key: str, values: Mapping[str, float]) -> None:
        """A release's, by their hash, unless it was told."""
        before = len(self._lines("results"))
        if self._new("results", key):
            self.tracker.results(before, values)

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def _new(self, name: str, said: str) -> bool:
        """Whether it was not told before. It is noted first: killed in between, a point is missing,
        and none is there twice."""
        if said in self._lines(name):
            return False
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(f"{said}\n")
        return True


def values_of(line: Logged) -> dict[str, float]:
    """The numbers of a line of a log, by name."""
    found = {"loss": line.loss, "learning_rate": line.learning_rate}
    for task, metrics in line.dev.items():
        for metric, value in metrics.items():
            found[f"dev/{task}/{metric}"] = value
    return {name: value for name, value in found.items() if value is not None}


def results_of(release: Concluded) -> dict[str, float]:
    """The scores and gains of a release, by name: what is not known is left out."""
    found: dict[str, float | None] = {}
    for cell in release.cells:
        at = f"{cell.encoder}/{cell.arm}/{cell.target}"
        found[f"score/{at}/seed {cell.seed}"] = cell.score
    for row in tidy(release, "gains"):
        at = f"gain/{row['encoder']}/{row['condition']}/{row['target']}"
        found |= {at: row["value"], f"{at}/low": row["low"], f"{at}/high": row["high"]}
    for average in release.averages:
        found[f"gain/{average.encoder}/{average.arm}/average"] = average.overall.gain.value
    return {name: value for name, value in found.items() if value is not None}


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
