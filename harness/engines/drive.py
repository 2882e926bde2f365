"""The driver: feeds a plan's ready jobs to an engine's workers until nothing is left, and keeps the
disk bounded.

Knows jobs and keys, not what they compute. Everything it learns it could learn again from the
store, so losing the driver loses nothing but the time since the last checkpoint.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.engines.engine import Engine, Event
from harness.plan.graph import Job, Plan, refused_leaks
from harness.store import Store
from harness.store.job import JOB_VERSIONS, WEIGHTS
from harness.store.lease import Holder

TRIES = 2  # a worker that dies (out of memory, a killed process) gets its job once more
BUSY_WAIT = 2.0  # seconds before asking again for a job that another run on this store holds


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result.

    exit_code  what the command ends with
    trace      of a bug of ours
    rows       whether its rows cannot be used: then `why` names them, and is the same for every job
               that reads them
    """

    why: str
    exit_code: int = 1
    trace: str = ""
    rows: bool = False


@dataclass(frozen=True)
class Refusal:
    """An evaluation that must not run: phase → language → test rows that stand in training rows."""

    arm: str
    target: str
    leaks: dict[str, dict[str, int]]


@dataclass
class Outcome:
    """What a run came to: keys done now, keys failed with their reason, evaluations refused with
    theirs."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)


@dataclass(frozen=True)
class Logged:
    """A line of a training's log, about 200 in all: what the updates since the line before came to,
    or a look at English dev.

    update         after so many updates
    loss           the mean of these updates
    learning_rate  of the next one
    tokens         subwords read since the training began
    dev            task → metric → score, 0-100
    again          read back from a checkpoint: it was said before, perhaps to nobody
    """

    update: int
    loss: float | None = None
    learning_rate: float | None = None
    tokens: int | None = None
    dev: dict[str, dict[str, float]] = field(default_factory=dict)
    again: bool = False

    @staticmethod
    def of(line: Mapping[str, Any]) -> "Logged":
        """Of a line as `metrics.jsonl` has it, which may say more."""
        known = Logged.__dataclass_fields__.keys() & line.keys()
        return Logged(**{name: line[name] for name in known})


class Listener:
    """Who is told what a run does, in this order: a display, a tracker. This one does nothing.

    Called by the driver between two looks at its workers: who takes long here keeps them waiting.
    """

    def unfit(self, job: Job, failure: Failure) -> None:
        """It failed before the run began: its rows cannot be used."""

    def todo(self, jobs: list[Job]) -> None:
        """These are left to do. Told again when some turn out not to be: their cell is refused."""

    def start(self, job: Job, slot: str) -> None:
        """The worker of that name has it."""

    def progress(self, job: Job, done: int, total: int, tokens: int) -> None:
        """It has done so many of all updates (training), languages (evaluation) or models (a choice
        of rows), and read so many subwords for them: 0 where nobody counts. Told where it begins
        (at 0, or a checkpoint), then twice a second at most, and at the last."""

    def logged(self, job: Job, line: Logged) -> None:
        """A line of its log, as soon as it is there."""

    def waiting(self, job: Job, holder: Holder) -> None:
        """Another process does it, and there is nothing else to do here."""

    def retry(self, job: Job, code: int | None) -> None:
        """Its worker ended with that code; another gets it."""

    def done(self, job: Job) -> None:
        """Its result is committed."""

    def elsewhere(self, job: Job) -> None:
        """Another run has done it, and all that would have read it."""

    def failed(self, job: Job, failure: Failure) -> None:
        """It gave no result, or cannot start without one that failed."""


class Listeners(Listener):
    """Several, each told in turn."""

    def __init__(self, *each: Listener) -> None:
        self.each = each


def _tell_each(name: str) -> Callable[..., None]:
    def tell(self: Listeners, *what: Any) -> None:
        for listener in self.each:
            getattr(listener, name)(*what)

    return tell


# every method of a listener, also one that comes later
for _name in [name for name in vars(Listener) if not name.startswith("_")]:
    setattr(Listeners, _name, _tell_each(_name))


def refusals(plan: Plan, store: Store) -> dict[str, Refusal]:
    """Evaluations that must not run, by key, from committed overlap results."""
    if "leak" in plan.suite.waives:
        return {}
    refused = {}
    for cell in plan.cells:
        if cell.overlap and store.manifest(cell.overlap):
            leaks = refused_leaks(store.read_json(cell.overlap, "overlap.json"))
            if leaks:
                refused[cell.evaluate] = Refusal(cell.arm, cell.target, leaks)
    return refused


def verify_results(plan: Plan, store: Store) -> list[str]:
    """Re-hash every result the plan uses; set damaged ones aside. Returns one line for each."""
    said = []
    for key, job in plan.jobs.items():
        if problems := store.verify(key):  # what is not there has none
            store.set_aside(key, "; ".join(problems))
            said.append(f"{job.name}: {problems[0]}; set aside, will be computed again")
    return said


def drive(
    plan: Plan,
    store: Store,
    engine: Engine,
    listener: Listener,
    keep_weights: bool = False,
    unfit: Mapping[str, Failure] | None = None,
) -> Outcome:
    """Run all that is missing. First the overlap checks, so that no time is spent on a cell that
    would be refused.

    unfit  jobs that would fail, by key. They have failed; what serves nothing else is left out
    """
    outcome = Outcome(failed=dict(unfit or {}))
    for key, failure in outcome.failed.items():
        listener.unfit(plan.jobs[key], failure)
    for key, job in plan.jobs.items():
        store.write_job(key, job.body)
    for only in ({"overlap"}, set(JOB_VERSIONS)):
        outcome.refused = refusals(plan, store)
        lost = _lost(plan, outcome)
        jobs = plan.todo(store, lost | outcome.refused.keys())
        left = [job for job in jobs if job.key not in lost]
        todo = {job.key: job for job in left if job.kind in only}
        if todo:
            listener.todo(left)
            _Run(plan, store, engine, listener, keep_weights, outcome, todo).until_done()
    outcome.refused = refusals(plan, store)
    if not keep_weights:
        _sweep(plan, store, outcome)
    return outcome


def _lost(plan: Plan, outcome: Outcome) -> frozenset[str]:
    """What need not run after some jobs failed: those, the evaluations of their cells, and checks
    of no other cell."""
    failed = outcome.failed.keys()
    gone = [
        cell
        for cell in plan.cells
        if failed & {cell.overlap, cell.intermediate, cell.trained, cell.evaluate}
    ]
    evaluations = {cell.evaluate for cell in gone}
    # a check serves all cells of its arm and target: it goes with the last of them
    checks = {cell.overlap for cell in gone if cell.overlap}
    checks -= {cell.overlap for cell in plan.cells if cell.evaluate not in evaluations}
    return frozenset(failed | evaluations | checks)


def _sweep(plan: Plan, store: Store, outcome: Outcome) -> None:
    """Drop weights that a run killed between the last commit and the drop, or in the drop, left
    behind; or one with --keep-weights."""
    for key in plan.jobs:
        needed = any(reader in outcome.failed for reader in plan.dependants(key))
        if store.manifest(key) and store.on_disk(key, WEIGHTS) and not needed:
            store.drop(key, [WEIGHTS])


@dataclass
class _Run:
    """One pass over some jobs."""

    plan: Plan
    store: Store
    engine: Engine
    listener: Listener
    keep_weights: bool
    outcome: Outcome
    # by key, in the plan's order: what is neither committed nor failed, running jobs included
    waiting: dict[str, Job]
    running: dict[str, str] = field(default_factory=dict)  # slot → key
    tries: dict[str, int] = field(default_factory=dict)  # key → workers that died of it
    # key → when another run, which holds it now, is looked after again
    not_before: dict[str, float] = field(default_factory=dict)

    def until_done(self) -> None:
        """Until nothing of it waits or runs."""
        for job in list(self.waiting.values()):
            if lost := next((key for key in job.needs if key in self.outcome.failed), None):
                self._fail(job, Failure(f"needs {self.plan.jobs[lost].name}, which failed"))
        self.engine.start()
        while self.waiting or self.running:
            self._submit_ready()
            if not self.running and self.waiting and not self.not_before:
                self._give_up_on_orphans()
            for slot, event in self.engine.poll(0.5):
                self._hear(slot, event)

    def _ready(self) -> list[Job]:
        """Jobs that may be handed out now, in the plan's order."""
        now = time.monotonic()
        away = {*self.running.values(), *(k for k, since in self.not_before.items() if since > now)}
        waiting = self.waiting.keys()
        idle = [job for key, job in self.waiting.items() if key not in away]
        return [job for job in idle if waiting.isdisjoint(job.needs)]

    def _submit_ready(self) -> None:
        idle = [slot for slot in self.engine.slots if slot not in self.running]
        for job in self._ready():
            # One look at the manifest decides: another run on this store may commit, and drop,
            # between two looks.
            want = self._want(job)
            if want is None:
                self.waiting.pop(job.key)
                self.listener.elsewhere(job)
            elif idle:
                slot = idle.pop(0)
                self.running[slot] = job.key
                self.not_before.pop(job.key, None)
                self.listener.start(job, slot)
                self.engine.submit(slot, job.key, again=want == "weights")

    def _pending_readers(self, key: str) -> list[str]:
        return [reader for reader in self.plan.dependants(key) if self._pending(reader)]

    def _pending(self, key: str) -> bool:
        """Whether this run still has to do that job: its result is missing, or its dropped weights
        are needed further on."""
        if key in self.outcome.failed:
            return True  # the same command tries again
        if key not in self.waiting:
            return False  # committed, refused, or serves nothing but what was refused
        return self._want(self.waiting[key]) is not None

    def _want(self, job: Job) -> Literal["result", "weights"] | None:
        """What is missing of the job: its "result", the dropped "weights" that somebody still
        needs, or nothing."""
        manifest = self.store.manifest(job.key)
        if manifest is None:
            return "result"
        return "weights" if manifest.dropped and self._pending_readers(job.key) else None

    def _hear(self, slot: str, event: Event) -> None:
        key = self.running.get(slot, "")
        job = self.waiting.get(key)
        if event.event in ("progress", "logged"):
            if job:
                self._tell(job, event)
            return

        # all else ends a job, or the worker with it
        self.running.pop(slot, None)
        if event.event == "died":
            self.engine.restart(slot)
        if job:
            self._ended(job, event)

    def _tell(self, job: Job, event: Event) -> None:
        """What a job that goes on has said."""
        if event.event == "logged":
            self.listener.logged(job, Logged.of(event.line))
        else:
            self.listener.progress(job, event.done, event.total, event.tokens)

    def _ended(self, job: Job, event: Event) -> None:
        """What becomes of a job whose worker has let it go."""
        if event.event == "done":
            self.waiting.pop(job.key)
            self.outcome.done.append(job.key)
            self.listener.done(job)
            self._drop_weights(job)
        elif event.event in ("busy", "stopped"):
            self.not_before[job.key] = time.monotonic() + BUSY_WAIT
            idle = not self.running and not self._ready()
            if idle and (holder := self.store.holder(job.key)):
                self.listener.waiting(job, holder)
        elif event.event == "died" and self.tries.get(job.key, 0) + 1 < TRIES:
            self.tries[job.key] = self.tries.get(job.key, 0) + 1
            self.listener.retry(job, event.code)
        else:
            # whoever shows it names the job
            why = event.why.removeprefix(f"{job.name}: ")
            why = why or f"its worker ended with code {event.code}; see {event.log}"
            self._fail(job, Failure(why, event.exit_code, event.trace))

    def _fail(self, job: Job, failure: Failure) -> None:
        """A failed job takes with it what needs its result; the rest goes on."""
        self.waiting.pop(job.key)
        self.outcome.failed[job.key] = failure
        self.listener.failed(job, failure)
        for other in [other for other in self.waiting.values() if job.key in other.needs]:
            self._fail(other, Failure(f"needs {job.name}, which failed"))

    def _give_up_on_orphans(self) -> None:
        """Nothing runs and nothing is ready: a needed job is not in this pass (cannot happen with a
        sound plan)."""
        if not self._ready():
            raise RuntimeError(f"no job is ready of {[job.name for job in self.waiting.values()]}")

    def _drop_weights(self, job: Job) -> None:
        """Weights go once all that read them is committed or will not run."""
        if self.keep_weights:
            return
        for key in (job.key, *job.needs):
            manifest = self.store.manifest(key)
            if manifest and WEIGHTS in manifest.files and not self._pending_readers(key):
                self.store.drop(key, [WEIGHTS])
