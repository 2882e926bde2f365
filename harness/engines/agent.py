"""One agent of a run that several share: the driver over the workers of its own node.

It takes what is ready and nobody does, and leaves when those who still work are enough for the
rest. SIGTERM (a time limit that nears, `scancel`) lets its workers save a checkpoint; whoever comes
next, on whatever node, goes on from there.
"""

import sys
import time
from pathlib import Path

from harness.common.errors import HarnessError
from harness.common.signals import stop
from harness.engines.crew import Crew, Shared, folder_of
from harness.engines.drive import take_part
from harness.engines.listener import Failure, Listener, Listeners, Logged
from harness.engines.process import ProcessEngine, fitting
from harness.engines.progress import Progress
from harness.plan.graph import Job
from harness.store import Store
from harness.store.lease import Holder

SAVING = 100.0  # seconds for the last checkpoint, of the 120 before a time limit (`slurm.WARNING`)
TELL_SECONDS = 2.0  # between two words to who watches


class Teller(Listener):
    """Writes down what each worker does, for who watches the run from elsewhere."""

    def __init__(self, crew: Crew):
        self.crew = crew
        self.working: dict[str, dict[str, str | int | float | None]] = {}  # key → what
        self.told = 0.0

    def start(self, job: Job, slot: str) -> None:
        self.working[job.key] = {"key": job.key, "slot": slot}
        self._tell()

    def progress(self, job: Job, done: int, total: int, tokens: int) -> None:
        self.working[job.key] |= {"done": done, "total": total, "tokens": tokens}
        if time.monotonic() - self.told >= TELL_SECONDS:
            self._tell()

    def logged(self, job: Job, line: Logged) -> None:
        if line.loss is not None:
            self.working[job.key]["loss"] = line.loss

    def waiting(self, job: Job, holder: Holder) -> None:
        self._end(job)

    def retry(self, job: Job, why: str) -> None:
        self._end(job)

    def done(self, job: Job) -> None:
        self._end(job)

    def failed(self, job: Job, failure: Failure) -> None:
        self._end(job)

    def _end(self, job: Job) -> None:
        if self.working.pop(job.key, None):
            self._tell()

    def _tell(self) -> None:
        self.told = time.monotonic()
        self.crew.tell({str(doing["slot"]): doing for doing in self.working.values()})


def main(arguments: list[str]) -> None:
    """Entry point of an agent's process."""
    store, run, name = Store(Path(arguments[0])), arguments[1], arguments[2]
    stop.install(patience=SAVING + 5)
    with stop.heard():
        try:
            take_part_in(store, run, name)
        except HarnessError as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)


def take_part_in(store: Store, run: str, name: str) -> None:
    """All of one agent's part. KeyboardInterrupt, after the workers have saved, on a signal."""
    folder = folder_of(store, run)
    shared = Shared.read(folder)
    store.clean_start()
    crew = Crew(folder, shared.agents, name)
    engine = ProcessEngine(
        store.root,
        fitting(shared.need, shared.device) if shared.need else shared.workers,
        shared.checkpoint_seconds,
        shared.device,
        SAVING,
        folder / f"agent-{name}",  # every agent has a worker-0
    )
    with Progress(sys.stderr) as progress, stop.patient():
        progress.weigh(shared.costs)
        told = Listeners(progress, Teller(crew))
        left = True
        try:
            take_part(
                shared.jobs,
                shared.costs,
                store,
                engine,
                told,
                crew,
                shared.agents,
                shared.keep_weights,
            )
        except KeyboardInterrupt:
            left = False  # its time was up: it is queued again
            raise
        finally:
            crew.tell({}, left)
            engine.stop()
