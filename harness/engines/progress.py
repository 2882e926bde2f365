"""What a run shows while it works: on a terminal what each worker does, in a log plain lines."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from harness.common.streams import console
from harness.engines.listener import Failure, Listener, Logged
from harness.engines.remaining import Remaining
from harness.plan.graph import Job
from harness.store.lease import Holder

if TYPE_CHECKING:  # Rich takes a while to wake
    from rich.live import Live
    from rich.table import Table

# In a log, a long job says how far it is after half a minute, then each time it has taken a quarter
# longer, at least every ten minutes.
QUIET_SECONDS, LONGEST_QUIET = 30.0, 600.0


@dataclass
class Working:
    """A job in a worker's hands. Times are the driver's."""

    job: Job
    slot: str
    started: float
    said: float  # when a log last spoke of it
    steps: tuple[int, int] = (0, 0)
    # (when, tokens) of the first and of the latest word about tokens: a training that goes on from
    # a checkpoint begins with those of before
    first: tuple[float, int] | None = None
    latest: tuple[float, int] | None = None
    loss: float | None = None

    @property
    def speed(self) -> float | None:
        """Tokens a second."""
        if not (self.first and self.latest) or self.latest[0] <= self.first[0]:
            return None
        return (self.latest[1] - self.first[1]) / (self.latest[0] - self.first[0])

    def figures(self) -> str:
        """Its loss and its speed, as far as there are any."""
        said = []
        if self.loss is not None:
            said.append(f"loss {self.loss:.3g}")
        if self.speed:
            said.append(f"{self.speed:,.0f} tokens/s")
        return ", ".join(said)


class Progress(Listener):
    """Listens to the driver. Everything goes to stderr, so that stdout stays for results."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live: Live | None = None  # on a terminal only
        self.left = Remaining()
        self.total = self.finished = 0
        self.begun = time.monotonic()
        self.working: dict[str, Working] = {}  # key → what a worker does
        self.slots: dict[str, str] = {}  # every worker that was ever heard of → its key, or ""
        self.encoder: str | None = None  # the only one, if there is only one
        self.waits: dict[str, Holder] = {}  # key → who works on it, as it was said

    def __enter__(self) -> Self:
        if not self.stream.isatty():
            return self
        from rich.live import Live

        self.live = Live(
            get_renderable=self.screen,
            console=console(self.stream),
            transient=True,
            refresh_per_second=4,
        )
        self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self.live:
            self.live.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)

    def todo(self, jobs: list[Job]) -> None:
        before, self.total = self.total, self.finished + len(jobs)
        self.left.set(jobs)
        encoders = {job.body["encoder"]["name"] for job in jobs if "encoder" in job.body}
        self.encoder = encoders.pop() if len(encoders) == 1 else None
        if self.total != before and not self.live:
            self.note(f"{len(jobs)} jobs to run")

    def weigh(self, costs: Mapping[str, float]) -> None:
        """Operations of each job by key (`estimate.operations`): of them it tells what remains."""
        self.left.costs = costs

    def start(self, job: Job, slot: str) -> None:
        now = time.monotonic()
        self.working[job.key] = Working(job, slot, now, now)
        self.slots[slot] = job.key

    def progress(self, job: Job, done: int, total: int, tokens: int) -> None:
        now, work = time.monotonic(), self.working[job.key]
        self.left.reach(job.key, done / max(1, total), now)
        work.steps = done, total
        work.latest = now, tokens
        work.first = work.first or work.latest

        quiet = min(LONGEST_QUIET, max(QUIET_SECONDS, (work.said - work.started) / 4))
        if not self.live and now - work.said > quiet:
            work.said = now
            self.note(
                f"  {job.name}: {_joined(f'{done} of {total}', work.figures(), self._rest())}"
            )

    def logged(self, job: Job, line: Logged) -> None:
        if line.loss is not None:
            self.working[job.key].loss = line.loss

    def done(self, job: Job) -> None:
        work = self._finish(job, worked=True)
        if work and not self.live:
            took = f"{time.monotonic() - work.started:.1f} s"
            told = _joined(f"{job.name} ({_joined(took, work.figures())})", self._rest())
            self.note(f"[{self.finished}/{self.total}] {told}")

    def elsewhere(self, job: Job) -> None:
        self._finish(job, worked=False)

    def failed(self, job: Job, failure: Failure) -> None:
        self._finish(job, worked=False)
        self.unfit(job, failure)

    def unfit(self, job: Job, failure: Failure) -> None:
        self.note(f"FAILED {job.name}: {failure.why}")

    def waiting(self, job: Job, holder: Holder) -> None:
        self._let_go(job)
        if self.waits.get(job.key) != holder:
            self.waits[job.key] = holder
            self.note(f"waiting for {job.name}: {holder}")

    def retry(self, job: Job, why: str) -> None:
        self._let_go(job)
        self.note(f"again: {job.name}: {why}")

    def _finish(self, job: Job, worked: bool) -> Working | None:
        self.finished += 1
        self.left.end(job.key, worked)
        return self._let_go(job)

    def _let_go(self, job: Job) -> Working | None:
        work = self.working.pop(job.key, None)
        if work and self.slots.get(work.slot) == job.key:
            self.slots[work.slot] = ""
        return work

    def _rest(self) -> str:
        """How long the run still takes."""
        seconds = self.left.seconds(time.monotonic(), max(1, len(self.slots)))
        return "" if seconds is None or self.finished == self.total else f"{_about(seconds)} left"

    def screen(self) -> "Table":
        """What a terminal shows: the whole run, then each worker, cut at the edge."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        whole = Table.grid(padding=(0, 1))
        passed = time.strftime("%H:%M:%S", time.gmtime(time.monotonic() - self.begun))
        counts = f"{self.finished} of {self.total} jobs"
        whole.add_row(
            ProgressBar(total=1.0, completed=self.left.part, width=24),
            _joined(counts, passed, self._rest()),
        )

        workers = Table.grid(padding=(0, 1), expand=True)
        workers.add_column(no_wrap=True, style="dim")
        workers.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        workers.add_column(no_wrap=True, justify="right")
        workers.add_column(no_wrap=True)
        for slot, key in sorted(self.slots.items()):
            workers.add_row(slot, *self._row(self.working.get(key)))

        both = Table.grid(expand=True)
        both.add_row(whole)
        both.add_row(workers)
        return both

    def _row(self, work: Working | None) -> tuple[str, str, str]:
        """A worker's job, its steps and figures."""
        if work is None:
            return "waits for a job it can do", "", ""
        done, total = work.steps
        steps = f"{done}/{total}" if total else "starts"
        return self._short(work.job), steps, work.figures()

    def _short(self, job: Job) -> str:
        """A job's name, without the encoder if there is but one: screens are narrow."""
        return job.name.replace(f" {self.encoder} ", " ", 1) if self.encoder else job.name


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _about(seconds: float) -> str:
    """A time that somebody waits for, no more exact than it is known."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} hours"
