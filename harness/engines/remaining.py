"""How long a run still takes, from the work that is done and the time it took.

Work is what the plan's estimate says a job costs, in floating-point operations: a training of
60,000 tokens weighs more than one of 6,000. Its unit cancels out, since speed is measured here too;
what counts is how the jobs compare. Jobs that were cached are in neither.
"""

from collections.abc import Iterable, Mapping

from harness.plan.graph import Job
from harness.plan.order import EACH, inputs_first

# Before so much is done, a guess would jump.
SHARE, SECONDS = 0.02, 5.0


class Remaining:
    """The work of a run's jobs, and how far they are. Seconds are the caller's clock."""

    def __init__(self) -> None:
        self.costs: Mapping[str, float] = {}
        self.jobs: dict[str, Job] = {}  # that are not done, inputs first
        self.share: dict[str, float] = {}  # key → how much of it is done
        self.done = self.given = 0.0
        self.begun: float | None = None

    def set(self, jobs: Iterable[Job]) -> None:
        """These are left."""
        self.jobs = {job.key: job for job in inputs_first(jobs)}

    def reach(self, key: str, share: float, now: float) -> None:
        """A job is so far, from 0 to 1. What it begins with, from a checkpoint, took no time. The
        clock starts with the first job's first word: until then workers woke, which they do
        once."""
        if key not in self.jobs:
            return
        if key not in self.share:
            self.given += share * self._cost(key)
        self.share[key] = share
        self.begun = now if self.begun is None else self.begun

    def end(self, key: str, worked: bool) -> None:
        """A job is over. `worked`: here, so that it says how fast we are; else it need not be done
        any more."""
        if self.jobs.pop(key, None) is None:
            return
        self.share.pop(key, None)
        if worked:
            self.done += self._cost(key)

    @property
    def total(self) -> float:
        """All work, done or left."""
        return self.done + sum(map(self._cost, self.jobs))

    @property
    def part(self) -> float:
        """How much of the work is done, from 0 to 1."""
        return self._so_far() / total if (total := self.total) else 0.0

    def seconds(self, now: float, workers: int) -> float | None:
        """How long the rest takes as fast as all went until now; at least as long as the longest
        chain of jobs that wait for each other takes on one of the `workers`. None: too early."""
        done = self._so_far()
        if self.begun is None or now - self.begun < SECONDS or done < SHARE * self.total:
            return None
        speed = max(done - self.given, EACH) / (now - self.begun)
        return max(self.total - done, self._chain() * workers) / speed

    def _so_far(self) -> float:
        begun = sum(share * self._cost(key) for key, share in self.share.items())
        return self.done + begun

    def _chain(self) -> float:
        """Work of the longest chain."""
        longest: dict[str, float] = {}
        for key, job in self.jobs.items():
            before = max((longest.get(need, 0.0) for need in job.needs), default=0.0)
            alone = self._cost(key) * (1 - self.share.get(key, 0.0))
            longest[key] = before + alone / job.slots
        return max(longest.values(), default=0.0)

    def _cost(self, key: str) -> float:
        return self.costs.get(key, 0.0) + EACH
