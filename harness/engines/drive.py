"""The driver: feeds a plan's ready jobs to an engine's workers until nothing is left, and keeps the
disk bounded.

Knows jobs and keys, not what they compute. Everything it learns it could learn again from the
store, so losing the driver loses nothing but the time since the last checkpoint.
"""

import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from harness.common.errors import HarnessError, SpecError
from harness.engines.crew import Crew, run_of
from harness.engines.engine import Agents, Engine, Event
from harness.engines.listener import Failure, Listener, Logged
from harness.plan.graph import Job, Jobs, Plan, refused_leaks
from harness.plan.order import Queue
from harness.store import Store
from harness.store.job import JOB_VERSIONS, WEIGHTS

# How many workers a job may cost. One that dies (out of memory, a killed process) may have died of
# it; one that is lost with its host seldom has, but where a host is a container, it can.
TRIES = {"died": 2, "lost": 5}
BUSY_WAIT = 2.0  # seconds before asking again for a job that another run on this store holds
CREW_WAIT = 10.0  # the same among many agents: each question goes to the file server
BAD_HOST = 3  # an agent whose workers fail so often in a row leaves
ROOM_WAIT = 300.0  # seconds in which a host that was lost may come back
ELSEWHERE_WAIT = 60.0  # seconds in which another host may take a job that failed on this one


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


def refusals(plan: Plan, store: Store) -> dict[str, Refusal]:
    """Evaluations that must not run, by key, from committed overlap results."""
    if "leak" in plan.suite.waives:
        return {}
    leaks = {}
    for key in {cell.overlap for cell in plan.cells if cell.overlap}:
        if store.manifest(key):
            leaks[key] = refused_leaks(store.read_json(key, "overlap.json"))
    refused = {}
    for cell in plan.cells:
        if found := leaks.get(cell.overlap or ""):
            refused[cell.evaluate] = Refusal(cell.arm, cell.target, found)
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
    engine: Engine | Agents,
    listener: Listener,
    keep_weights: bool = False,
    unfit: Mapping[str, Failure] | None = None,
    costs: Mapping[str, float] | None = None,
    checker: Engine | None = None,
) -> Outcome:
    """Run all that is missing. First the overlap checks, so that no time is spent on a cell that
    would be refused.

    unfit    jobs that would fail, by key. They have failed; what serves nothing else is left out
    costs    of jobs, by key (`estimate.operations`): they decide the order, see `order`
    checker  whose workers do the checks, which need no GPU; None: the engine's, as all else
    """
    costs = costs or {}
    outcome = Outcome(failed=dict(unfit or {}))
    for key, failure in outcome.failed.items():
        listener.unfit(plan.jobs[key], failure)
    for key, job in plan.jobs.items():
        store.write_job(key, job.body)
    for only, by in (({"overlap"}, checker or engine), (set(JOB_VERSIONS), engine)):
        outcome.refused = refusals(plan, store)
        lost = _lost(plan, outcome)
        jobs = plan.todo(store, lost | outcome.refused.keys())
        left = [job for job in jobs if job.key not in lost]
        if isinstance(engine, Engine):
            _hold_room(left, engine)
        if todo := [job for job in left if job.kind in only]:
            listener.todo(left)
            if isinstance(by, Agents):
                own = Jobs(jobs={job.key: job for job in todo})
                done, failed = by.run(run_of(plan), own, costs, listener, keep_weights)
                outcome.done += done
                outcome.failed |= failed
            else:
                queue = Queue(todo, costs, len(by.slots))
                _Run(plan, store, by, listener, keep_weights, outcome, queue).until_done()
    outcome.refused = refusals(plan, store)
    if not keep_weights:
        _sweep(plan, store, outcome)
    return outcome


def take_part(
    jobs: Jobs,
    costs: Mapping[str, float],
    store: Store,
    engine: Engine,
    listener: Listener,
    crew: Crew,
    agents: int,
    keep_weights: bool = False,
) -> Outcome:
    """One agent's part of a run that several share: what nobody else does, until those who work are
    enough for the rest. All jobs are described in the store, and none is to be refused."""
    outcome = Outcome()
    _hold_room(jobs.jobs.values(), engine)
    crew.tell({})
    listener.todo(list(jobs.jobs.values()))
    queue = Queue(jobs.jobs.values(), costs, agents * len(engine.slots))
    _Run(jobs, store, engine, listener, keep_weights, outcome, queue, crew).until_done()
    return outcome


def _hold_room(jobs: Iterable[Job], engine: Engine) -> None:
    """SpecError if a job is shared by more processes than the engine may ever have room for."""
    for job in jobs:
        if job.slots > 1 and not engine.may_hold(job.slots):
            raise SpecError(
                f"{job.name}: {job.slots} processes share it (`world_size` of its recipe), each on"
                " a GPU of one machine; here are fewer, or fewer --workers. Run it where there are"
                " so many, or write another number, which is another result"
            )


def _why(job: Job, event: Event) -> str:
    """Why a job gave no result; whoever shows it names the job."""
    if event.event == "died":
        return f"its worker ended with code {event.code}"
    return event.why.removeprefix(f"{job.name}: ")


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


class _Run:
    """One pass over some jobs."""

    def __init__(
        self,
        plan: Jobs,
        store: Store,
        engine: Engine,
        listener: Listener,
        keep_weights: bool,
        outcome: Outcome,
        queue: Queue,
        crew: Crew | None = None,
    ):
        self.plan, self.store, self.engine, self.listener = plan, store, engine, listener
        self.keep_weights, self.outcome, self.queue, self.crew = keep_weights, outcome, queue, crew
        # by key: what is neither committed nor failed, running jobs included
        self.waiting = dict(queue.jobs)
        self.running: dict[str, str] = {}  # slot → key
        self.beside: dict[str, list[str]] = {}  # the same slot → others that the job takes
        self.due: Job | None = None  # whose turn it is, once so many slots are idle
        self.due_again = 0.0  # when to ask again whether others do it meanwhile
        self.tries: Counter[tuple[str, str]] = Counter()  # key, how it ended → workers
        # key → when another run, which holds it now, is looked after again
        self.not_before: dict[str, float] = {}
        self.busy_at = time.monotonic()  # when something ran
        self.look_at_others = 0.0  # when to ask again who of them works
        # jobs that failed in a row, nowhere else, and for which the host may be to blame
        self.suspicious: set[str] = set()

    def until_done(self) -> None:
        """Until nothing of it waits or runs; with a pool, until others do all that is left."""
        for job in list(self.waiting.values()):
            lost = next((key for key in job.needs if key in self.outcome.failed), None)
            if lost and job.key in self.waiting:
                self._fail(job, Failure(f"needs {self.plan.jobs[lost].name}, which failed"))
        self.engine.start()
        while self.waiting or self.running:
            self._hear_of_others()
            self._submit_ready()
            if self.running:
                self.busy_at = time.monotonic()
            elif self.waiting:
                if self.crew and self._enough_elsewhere():
                    break
                self._give_up_on_orphans()
            for slot, event in self.engine.poll(0.5):
                self._hear(slot, event)

    def _hear_of_others(self) -> None:
        """Jobs that can be tried again, and those that other agents have failed for good."""
        now = time.monotonic()
        for key in [key for key, since in self.not_before.items() if since <= now]:
            del self.not_before[key]
            self.queue.give_back(key)
        if self.crew is None:
            return
        for key in self.crew.for_us() & self.not_before.keys():
            del self.not_before[key]
            self.queue.give_back(key)
        for key, failure in self.crew.failures().items():
            if key in self.waiting and key not in self.running.values():
                self._fail(self.waiting[key], failure)

    def _enough_elsewhere(self) -> bool:
        """Whether those who work on jobs elsewhere are enough for what is left: each takes another
        when it is done. Who has not been heard of lately may be lost with its node."""
        others, now = self.not_before, time.monotonic()
        ready = self.queue.ready or self.due
        if ready or 2 * len(others) < len(self.waiting) or now < self.look_at_others:
            return False
        self.look_at_others = now + BUSY_WAIT
        working = sum(self.store.is_alive(key) for key in others)
        return 0 < working >= len(self.waiting) - working

    def _give_up_on_orphans(self) -> None:
        """Nothing runs and nothing is ready: a needed job is not in this pass (cannot happen with a
        sound plan)."""
        if not self.queue.ready and not self.not_before and not self.due:
            raise RuntimeError(f"no job is ready of {[job.name for job in self.waiting.values()]}")

    def _submit_ready(self) -> None:
        """Hand jobs to idle workers. Manifests are read of those jobs alone: another run on this
        store may have committed them."""
        there = self.engine.slots
        if not self.crew:
            self.queue.workers = len(there)
        taken = {*self.running, *chain.from_iterable(self.beside.values())}
        idle = [slot for slot in there if slot not in taken]
        if self._asked_lately(idle):
            return
        while idle and (job := self.due or self.queue.take()):
            self.due = None
            # One look at the manifest decides: another run may commit, and drop, between two looks.
            want = self._want(job)
            if want is None:
                self._over(job)
                self.listener.elsewhere(job)
            elif self.crew and (self.store.is_held(job.key) or self._is_for_others(job.key)):
                self._later(job, CREW_WAIT)
            elif slots := self.engine.share(idle, job.slots):
                slot, *beside = slots
                idle = [one for one in idle if one not in slots]
                self.running[slot], self.beside[slot] = job.key, beside
                self.listener.start(job, slot)
                self.engine.submit(slot, job.key, want == "weights", beside)
            elif self.engine.share(there, job.slots):  # nothing that takes fewer goes before it
                self.due = job
                break
            else:  # its host was lost, or is still to come: all else goes on
                self._without_room(job)

    def _without_room(self, job: Job) -> None:
        """Look again later. SpecError if all waits for it, and no host comes that may hold it."""
        self._later(job, BUSY_WAIT)
        if time.monotonic() - self.busy_at > ROOM_WAIT and not self.queue.ready:
            _hold_room([job], self.engine)

    def _asked_lately(self, idle: list[str]) -> bool:
        """Whether the job whose turn it is still waits for slots, and its manifest and lease were
        looked at not long ago."""
        now = time.monotonic()
        if self.due and now < self.due_again and not self.engine.share(idle, self.due.slots):
            return True
        self.due_again = now + (CREW_WAIT if self.crew else BUSY_WAIT)
        return False

    def _is_for_others(self, key: str) -> bool:
        """Whether a job that failed on this host can wait for another one: as long as somebody
        works elsewhere."""
        if not (self.crew and self.crew.failed_here(key)):
            return False
        others = self.waiting.keys() - set(self.running.values())
        return any(map(self.store.is_alive, others))

    def _over(self, job: Job) -> None:
        """Nobody has to do it any more."""
        self.due = None if self.due is job else self.due
        self.waiting.pop(job.key)
        self.not_before.pop(job.key, None)
        self.queue.end(job.key)

    def _later(self, job: Job, seconds: float) -> None:
        """Another run does it: look again then."""
        self.not_before[job.key] = time.monotonic() + seconds

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
        if not manifest.dropped:
            return None
        # a training again is dear, and this machine may remember that a reader's result was absent
        readers = self._pending_readers(job.key)
        lacking = [key for key in readers if key in self.outcome.failed or self._is_lacking(key)]
        return "weights" if lacking else None

    def _is_lacking(self, key: str) -> bool:
        return not self.store.look_again(key) or self._pending(key)

    def _hear(self, slot: str, event: Event) -> None:
        if event.event == "note":
            self.listener.note(event.why)
            return
        key = self.running.get(slot, "")
        if event.key and event.key != key:
            return  # of a job that the slot had before
        job = self.waiting.get(key)
        if event.event in ("progress", "logged"):
            if job:
                self._tell(job, event)
            return

        # all else ends a job, or the worker with it
        self.running.pop(slot, None)
        self.beside.pop(slot, None)
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
            self._over(job)
            self.suspicious.clear()
            self.outcome.done.append(job.key)
            self.listener.done(job)
            self._drop_weights(job)
        elif event.event in ("busy", "stopped"):
            self._later(job, CREW_WAIT if self.crew else BUSY_WAIT)
            idle = not self.running and not self.queue.ready
            if idle and (holder := self.store.holder(job.key)):
                self.listener.waiting(job, holder)
        elif self._may_cost_another(job, event.event):
            self.queue.give_back(job.key)
            self.listener.retry(job, _why(job, event))
        else:
            self._failed(job, event)

    def _may_cost_another(self, job: Job, how: str) -> bool:
        """Whether a job whose worker ended in that way is tried again."""
        self.tries[job.key, how] += 1
        return self.tries[job.key, how] < TRIES.get(how, 0)

    def _failed(self, job: Job, event: Event) -> None:
        """A job gave no result here."""
        why, died = _why(job, event), event.event in TRIES
        if self.crew or event.event == "died":
            why += f"; see {event.log}"
        if self.crew:  # who reads it is on another machine
            why += f" (on {socket.gethostname()})"
        by_host = died or event.by_host or bool(event.trace)
        failure = Failure(why, event.exit_code, event.trace, by_host=by_host)
        if self.crew and self.crew.try_elsewhere(job.key, failure):
            self._later(job, ELSEWHERE_WAIT)
            self.listener.retry(job, why)
            self._suspect_the_host(job.key, self.crew, why)
        else:
            self._fail(job, failure)

    def _suspect_the_host(self, key: str, crew: Crew, why: str) -> None:
        """HarnessError if nothing but failures came of it, of jobs that have not failed elsewhere,
        and agents of other hosts can go on without it. Where jobs fail on other hosts too, it takes
        as many more."""
        elsewhere = crew.failed_elsewhere()
        self.suspicious = (self.suspicious | {key}) - elsewhere
        bad = len(self.suspicious) >= BAD_HOST + len(elsewhere)
        if bad and crew.others_may_do_it():
            raise HarnessError(
                f"{len(self.suspicious)} jobs in a row failed on {socket.gethostname()} and nowhere"
                f" else, the last with: {why}; this agent leaves the run to the others"
            )

    def _fail(self, job: Job, failure: Failure) -> None:
        """A failed job takes with it what needs its result; the rest goes on."""
        readers = [self.waiting[key] for key in self.queue.readers(job.key) if key in self.waiting]
        self._over(job)
        self.outcome.failed[job.key] = failure
        self.listener.failed(job, failure)
        for other in readers:
            if other.key in self.waiting:
                self._fail(other, Failure(f"needs {job.name}, which failed"))

    def _drop_weights(self, job: Job) -> None:
        """Weights go once all that read them is committed or will not run."""
        if self.keep_weights:
            return
        for key in (job.key, *job.needs):
            manifest = self.store.manifest(key)
            if manifest and WEIGHTS in manifest.files and not self._pending_readers(key):
                self.store.drop(key, [WEIGHTS])
