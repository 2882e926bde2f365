"""Run one job by key, once: lease, do, commit. And the worker that does so for every key it is
sent.

A worker keeps torch and one encoder warm. Keys come in on stdin, one a line ("KEY", behind it where
they hold "again", and "beside=1,2": GPUs for the other processes of the job); events go out on
stdout, one JSON object a line; `channel` keeps both from everything else. When stdin closes (the
driver ended, however it ended) or SIGTERM comes, a training job saves a checkpoint and the worker
exits; its lease dies with it.
"""

import json
import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import HarnessError, StoreError
from harness.common.signals import Interrupted, stop
from harness.jobs.channel import Channel, away
from harness.jobs.context import Context, JobError, Stopped, environment, failure
from harness.store import Lease, Store, disk_errors
from harness.store.job import JobJson, verify_job

if TYPE_CHECKING:
    from harness.models.loaded import LoadedEncoder

# The module that does each kind of job; woken by the first job of its kind.
JOBS = {
    "train": "harness.jobs.train",
    "select": "harness.jobs.select",
    "pvi": "harness.jobs.pvi",
    "evaluate": "harness.jobs.evaluate",
    "overlap": "harness.jobs.leaks",
}

# how long a needed result may take to appear: disks remember an absent name for half a minute or
# more
INPUT_SECONDS = 60.0


class Telling(NamedTuple):
    """Whom a job tells how it goes, as `Context` has it."""

    progress: Callable[[int, int, int], None] = lambda done, total, tokens: None
    logged: Callable[[dict[str, Any]], None] = lambda line: None
    failed: Callable[[dict[str, Any]], None] = lambda said: None


@dataclass
class Kept:
    """What a worker keeps from one job to the next, or was told for all of them."""

    encoders: dict[str, "LoadedEncoder"] = field(default_factory=dict)  # one, warm
    checkpoint_seconds: float | None = None  # None: `train` chooses
    cards: Sequence[str] | None = None  # of the job at hand, as `Context` has them


def run_job(
    store: Store,
    key: str,
    report: Telling,
    stopping: Callable[[], bool],
    again: bool = False,
    kept: Kept | None = None,
) -> str:
    """Do one job; returns "done" (committed, now or before) or "busy" (another live process holds
    its lease).

    `again`: the result is there, but its dropped weights are needed once more. Without it any
    committed result will do: another run on this store may have finished the job and all its
    readers since this one was sent. Raises Stopped, JobError, or StoreError when an input is
    damaged or gone.
    """
    job = store.read_job(key)
    # before anything is checked: what is done needs no code of the version that did it
    if committed(store, key, again):
        return "done"
    verify_job(key, job)
    await_inputs(store, job, stopping)
    lease = store.lease(key)
    if lease is None:
        return "busy"
    with lease, _nothing_said_of_a_lost(lease):
        store.look_again(key)
        # between our look and our lease, or on a disk that remembers what was absent
        if not committed(store, key, again):
            _do(store, key, job, lease, report, stopping, kept or Kept())
    return "done"


def _do(
    store: Store,
    key: str,
    job: JobJson,
    lease: Lease,
    report: Telling,
    stopping: Callable[[], bool],
    kept: Kept,
) -> None:
    """The job itself, by the module of its kind, and the commit of what that made; Stopped where
    the lease was lost meanwhile."""
    started = time.monotonic()
    with store.workdir(key) as workdir:
        ctx = Context(
            store,
            key,
            job,
            workdir,
            report.progress,
            lambda: stopping() or lease.lost,
            encoders=kept.encoders,
            checkpoint_seconds=kept.checkpoint_seconds,
            held=lease.held,
            cards=kept.cards,
            logged=report.logged,
            failed=report.failed,
        )
        with disk_errors(f"do {job['name']} in", workdir), _memory_named(job["name"]):
            import_module(JOBS[job["kind"]]).run(ctx)
        # nobody changed what was read while it was read
        ctx.hold_inputs()

        facts = {"seconds": round(time.monotonic() - started, 3), **ctx.facts}
        meta = {
            "kind": job["kind"],
            "name": job["name"],
            "facts": facts,
            "environment": environment(job),
        }
        with stop.hold():  # what is computed is kept
            if not lease.held():
                raise Stopped  # we were thought dead; whoever took over commits
            store.commit(key, workdir, meta)


@contextmanager
def _memory_named(name: str) -> Iterator[None]:
    """Where a GPU's memory runs out, HostError with the job, the need and what to do. (A training
    has said more of its own passes: `memory.said`.)"""
    try:
        yield
    except RuntimeError as error:
        # by its words: a check of rows has never imported torch
        if not re.search(r"out of memory|ALLOC_FAILED", str(error)):
            raise
        from harness.jobs import memory

        raise memory.ran_out(name, str(error)) from None


def await_inputs(store: Store, job: JobJson, stopping: Callable[[], bool]) -> None:
    """Let results that the job needs appear: another machine may have committed them in this
    moment, on a shared disk that shows them here only later. StoreError if one is not there after
    INPUT_SECONDS; Stopped."""
    deadline = time.monotonic() + INPUT_SECONDS
    for needed in job["needs"]:
        said = False
        while not store.look_again(needed):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"no result {needed[:12]} in {store.root}, which {job['name']} needs; run that"
                    " job first"
                )
            if not said:
                print(f"{job['name']} waits for result {needed[:12]}", file=sys.stderr, flush=True)
                said = True
            if stopping():
                raise Stopped
            time.sleep(min(1.0, INPUT_SECONDS / 20))


@contextmanager
def _nothing_said_of_a_lost(lease: Lease) -> Iterator[None]:
    """A machine that slept may find its working directory collected and its inputs dropped by
    whoever took over."""
    try:
        yield
    except Exception:
        if lease.held():
            raise
        raise Stopped from None


def run_alone(store: Store, key: str) -> str:
    """One job in this process, as a scheduler starts it: "done" or "busy". A signal saves a
    checkpoint and ends the process.

    Whatever is printed meanwhile goes to stderr.
    """
    try:
        with away():
            return run_job(store, key, Telling(), lambda: stop.asked, again=True)
    except Stopped:
        if stop.asked:
            raise Interrupted from None
        return "busy"  # this machine slept, and another took over
    except JobError as error:
        raise HarnessError(str(error)) from None


def committed(store: Store, key: str, with_weights: bool) -> bool:
    """Whether the job's result is there, its weights included if they are asked for."""
    manifest = store.manifest(key)
    return manifest is not None and not (with_weights and manifest.dropped)


class Worker:
    """The loop over the keys that come. `python -m harness.jobs STORE CHECKPOINT_SECONDS`."""

    def __init__(self, store: Store, checkpoint_seconds: float | None, channel: Channel):
        self.store, self.channel = store, channel
        self.kept = Kept(checkpoint_seconds=checkpoint_seconds)
        self.keys: list[str] = []
        self.arrived = threading.Condition()
        self.last_progress = 0.0

    def serve(self) -> None:
        """Run keys until no more can come."""
        threading.Thread(target=self._listen, daemon=True).start()
        while not stop.asked:
            with self.arrived:
                while not self.keys:
                    self.arrived.wait(0.5)
                key = self.keys.pop(0)
            self._serve_one(key)

    def _listen(self) -> None:
        for line in self.channel.keys:
            with self.arrived:
                self.keys.append(line.strip())
                self.arrived.notify()
        self._end()  # the driver is gone

    def _end(self) -> None:
        """As the driver ends a worker."""
        os.kill(os.getpid(), signal.SIGTERM)

    def _serve_one(self, line: str) -> None:
        key, *words = line.split()
        beside = [word.partition("=")[2] for word in words if word.startswith("beside=")]
        self.kept.cards = beside[0].split(",") if beside else None

        def progress(done: int, total: int, tokens: int) -> None:
            now = time.monotonic()
            if now - self.last_progress > 0.5 or done == total:
                self.last_progress = now
                self._say(event="progress", key=key, done=done, total=total, tokens=tokens)

        def logged(line: dict[str, Any]) -> None:
            self._say(event="logged", key=key, line=line)

        def failed(said: dict[str, Any]) -> None:
            self._say(event="failed", key=key, **said)

        self.last_progress = 0.0  # where a job begins is told in any case
        report = Telling(progress, logged, failed)
        try:
            again = "again" in words
            ended = run_job(self.store, key, report, lambda: stop.asked, again, self.kept)
            self._say(event=ended, key=key)
        except (Stopped, Interrupted):
            self._say(event="stopped", key=key)
        except (JobError, HarnessError) as error:
            failed(failure(error))
        # a bug of ours: the whole story goes to the log and to the driver
        except Exception as error:
            traceback.print_exc()
            self._say(
                event="failed",
                key=key,
                why=f"{type(error).__name__}: {error}",
                trace=traceback.format_exc(),
                exit_code=1,
            )
        # while this worker is idle another may share its GPU
        if torch := sys.modules.get("torch"):
            torch.cuda.empty_cache()

    def _say(self, **event: Any) -> None:
        try:
            self.channel.events.write(json.dumps(event) + "\n")
            self.channel.events.flush()
        except (BrokenPipeError, ValueError):
            self._end()


def main(arguments: list[str], channel: Channel) -> None:
    """Entry point of a worker process."""
    store, seconds = Path(arguments[0]), float(arguments[1]) if arguments[1:] else None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # the driver kills a worker that takes too long; without one there is time
    stop.install(patience=math.inf, worker=True)
    with stop.heard():
        Worker(Store(store), seconds, channel).serve()
