"""What a run shows while it works: one bar with the time that remains on a terminal, plain lines in
a log."""

import time
from typing import TextIO

from harness.common.streams import console
from harness.plan.planner import Job

QUIET_SECONDS = 30.0  # in a log, a long job says how far it is this often


class Progress:
    """Listens to the driver (`hear`). Everything goes to stderr, so that stdout stays for
    results."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.live = stream.isatty()
        self.total = self.finished = 0
        self.partial: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.waits: dict[str, object] = {}  # key → who works on it, as it was said
        self.bar = None

    def __enter__(self) -> "Progress":
        if self.live:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            remaining = TimeRemainingColumn(elapsed_when_finished=True)
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                "left",
                remaining,
                TextColumn("{task.description}"),
            )
            self.bar = Bar(*columns, console=console(self.stream), transient=True)
            self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        if self.bar:
            self.bar.stop()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)

    def hear(self, what: str, job: Job | None, details: dict) -> None:
        """One event of the driver."""
        now = time.monotonic()
        if what == "todo":
            self.total += details["jobs"]
            if self.bar and not self.bar.tasks:
                self.bar.add_task("", total=self.total)
            elif not self.bar:
                self.note(f"{details['jobs']} jobs to run")
        elif what == "start":
            self.started[job.key] = self.said[job.key] = now
        elif what == "progress":
            self.partial[job.key] = details["done"] / max(1, details["total"])
            if not self.bar and now - self.said[job.key] > QUIET_SECONDS:
                self.said[job.key] = now
                self.note(f"  {job.name}: {details['done']} of {details['total']}")
        elif what in ("done", "failed"):
            self.finished += 1
            self.partial.pop(job.key, None)
            took = now - self.started.get(job.key, now)
            if what == "failed":
                self.note(f"FAILED {job.name}: {details['why']}")
            elif not self.bar:
                self.note(f"[{self.finished}/{self.total}] {job.name} ({took:.1f} s)")
        elif what == "waiting" and self.waits.get(job.key) != details["holder"]:
            self.waits[job.key] = details["holder"]
            self.note(f"waiting for {job.name}: {details['holder']}")
        elif what == "unfit":
            self.note(f"FAILED {job.name}: {details['why']}")
        elif what == "retry":
            self.note(f"again: {job.name} (its worker ended with code {details.get('code')})")
        if self.bar and self.bar.tasks:
            done = self.finished + sum(self.partial.values())
            self.bar.update(
                self.bar.tasks[0].id,
                total=self.total,
                completed=round(done, 2),
                description=job.name if job else "",
            )
