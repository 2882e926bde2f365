"""Run one job by key, once: lease, do, commit. And the worker that does so for every key it is sent.

A worker keeps torch and one encoder warm. Keys come in on stdin, one a line ("KEY" or "KEY again"); events go out on
stdout, one JSON object a line. When stdin closes (the driver ended, however it ended) or SIGTERM comes, a training job
saves a checkpoint and the worker exits; its lease dies with it.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from harness.errors import HarnessError
from harness.job import check
from harness.jobs.context import Context, JobError, Stopped, environment
from harness.store import Store, disk_errors

JOBS = {kind: f"harness.jobs.{kind}" for kind in ("train", "select", "pvi", "evaluate", "overlap")}

Report = Callable[[int, int], None]


def run_job(store: Store, key: str, progress: Report, stopping: Callable[[], bool], again: bool = False, **kept) -> str:
    """Do one job; returns "done" (committed, now or before) or "busy" (another live process holds its lease).

    `again`: the result is there, but its dropped weights are needed once more. Without it any committed result will do:
    another run on this store may have finished the job and all its readers since this one was sent.
    Raises Stopped, JobError, or StoreError when an input is damaged or gone.
    """
    job = store.read_job(key)
    if committed(store, key, again):
        return "done"
    check(key, job)
    lease = store.lease(key)
    if lease is None:
        return "busy"
    with lease:
        if committed(store, key, again):  # between our look and our lease
            return "done"
        started = time.monotonic()
        with store.workdir(key) as workdir:
            ctx = Context(store, key, job, workdir, progress, stopping, **kept)
            with disk_errors(f"do {job['name']} in", workdir):
                import_module(JOBS[job["kind"]]).run(ctx)
            ctx.hold_inputs()
            facts = {"seconds": round(time.monotonic() - started, 3), **ctx.facts}
            meta = {"kind": job["kind"], "name": job["name"], "facts": facts, "environment": environment(job["kind"])}
            if not lease.held():
                raise Stopped  # we were thought dead; whoever took over commits
            store.commit(key, workdir, meta)
    return "done"


def run_alone(store: Store, key: str) -> str:
    """One job in this process, as a scheduler starts it; SIGTERM saves a checkpoint and raises KeyboardInterrupt."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        return run_job(store, key, lambda done, total: None, stop.is_set, again=True)
    except Stopped:
        raise KeyboardInterrupt from None
    except JobError as error:
        raise HarnessError(str(error)) from None


def committed(store: Store, key: str, with_weights: bool) -> bool:
    """Whether the job's result is there, its weights included if they are asked for."""
    manifest = store.manifest(key)
    return manifest is not None and not (with_weights and manifest.dropped)


class Worker:
    """The loop over stdin. `python -m harness.jobs STORE [--checkpoint-seconds S]`."""

    def __init__(self, store: Store, checkpoint_seconds: float):
        self.store, self.checkpoint_seconds = store, checkpoint_seconds
        self.encoders: dict = {}
        self.keys: list[str | None] = []
        self.stop, self.arrived = threading.Event(), threading.Condition()
        self.last_progress = 0.0

    def serve(self) -> None:
        """Run keys until stdin closes."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
        threading.Thread(target=self._listen, daemon=True).start()
        while not self.stop.is_set():
            with self.arrived:
                while not self.keys and not self.stop.is_set():
                    self.arrived.wait(0.5)
                key = self.keys.pop(0) if self.keys else None
            if key:
                self._serve_one(key)

    def _listen(self) -> None:
        for line in sys.stdin:
            with self.arrived:
                self.keys.append(line.strip())
                self.arrived.notify()
        self.stop.set()  # the driver is gone
        with self.arrived:
            self.arrived.notify()

    def _serve_one(self, line: str) -> None:
        key, _, again = line.partition(" ")

        def progress(done: int, total: int) -> None:
            now = time.monotonic()
            if now - self.last_progress > 0.5 or done == total:
                self.last_progress = now
                self._say(event="progress", key=key, done=done, total=total)

        try:
            kept = {"again": bool(again), "encoders": self.encoders, "checkpoint_seconds": self.checkpoint_seconds}
            self._say(event=run_job(self.store, key, progress, self.stop.is_set, **kept), key=key)
        except Stopped:
            self._say(event="stopped", key=key)
        except (JobError, HarnessError) as error:
            code = getattr(error, "exit_code", 1)
            self._say(event="failed", key=key, why=str(error), exit_code=code)
        except Exception as error:  # a bug of ours: the whole story goes to the log and to the driver
            self._say(event="failed", key=key, why=f"{type(error).__name__}: {error}", trace=traceback.format_exc(), exit_code=1)

    def _say(self, **event) -> None:
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            self.stop.set()


def main(arguments: list[str]) -> None:
    """Entry point of a worker process."""
    store, seconds = Path(arguments[0]), float(arguments[1])
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    Worker(Store(store), seconds).serve()
