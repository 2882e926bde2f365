"""What a run shows while it works: one bar with the time that remains on a terminal, plain lines in
a log."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.common.streams import console
from harness.engines.drive import Failure, Listener
from harness.plan.graph import Job
from harness.store.lease import Holder

if TYPE_CHECKING:  # Rich takes a while to wake
    from rich.progress import Progress as Bar

QUIET_SECONDS = 30.0  # in a log, a long job says how far it is this often


class Progress(Listener):
    """Listens to the driver. Everything goes to stderr, so that stdout stays for results."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.bar: Bar | None = None  # on a terminal only
        self.total = self.finished = 0
        # key → share that is done; when it was started; when it was last spoken of
        self.partial: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.waits: dict[str, Holder] = {}  # key → who works on it, as it was said

    def __enter__(self) -> Self:
        if not self.stream.isatty():
            return self
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self.bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            "left",
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}"),
            console=console(self.stream),
            transient=True,
        )
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)

    def todo(self, jobs: int) -> None:
        self.total += jobs
        if self.bar is None:
            self.note(f"{jobs} jobs to run")
        elif not self.bar.tasks:
            self.bar.add_task("", total=self.total)
        self._draw()

    def start(self, job: Job) -> None:
        self.started[job.key] = self.said[job.key] = time.monotonic()
        self._draw(job)

    def progress(self, job: Job, done: int, total: int) -> None:
        self.partial[job.key] = done / max(1, total)
        now = time.monotonic()
        if not self.bar and now - self.said[job.key] > QUIET_SECONDS:
            self.said[job.key] = now
            self.note(f"  {job.name}: {done} of {total}")
        self._draw(job)

    def done(self, job: Job) -> None:
        self._finish(job)
        if not self.bar:
            now = time.monotonic()
            took = now - self.started.get(job.key, now)
            self.note(f"[{self.finished}/{self.total}] {job.name} ({took:.1f} s)")
        self._draw(job)

    def failed(self, job: Job, failure: Failure) -> None:
        self._finish(job)
        self.unfit(job, failure)

    def unfit(self, job: Job, failure: Failure) -> None:
        self.note(f"FAILED {job.name}: {failure.why}")
        self._draw(job)

    def waiting(self, job: Job, holder: Holder) -> None:
        if self.waits.get(job.key) != holder:
            self.waits[job.key] = holder
            self.note(f"waiting for {job.name}: {holder}")
        self._draw(job)

    def retry(self, job: Job, code: int | None) -> None:
        self.note(f"again: {job.name} (its worker ended with code {code})")
        self._draw(job)

    def _finish(self, job: Job) -> None:
        self.finished += 1
        self.partial.pop(job.key, None)

    def _draw(self, job: Job | None = None) -> None:
        """Move the bar, and name beside it the job that was last heard of."""
        if self.bar and self.bar.tasks:
            done = self.finished + sum(self.partial.values())
            self.bar.update(
                self.bar.tasks[0].id,
                total=self.total,
                completed=round(done, 2),
                description=job.name if job else "",
            )
