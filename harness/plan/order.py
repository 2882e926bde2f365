"""In which order a run's jobs are handed out, and how long a run of that order takes.

The plan's order finishes a condition before it begins the next, so that few trained models lie on
the disk at once; but what it begins last may be a long chain, for which all other workers then
wait. So the ready job with the longest chain of jobs below it goes first, once that chain is as
long as all the work that nobody has begun, shared by the workers; until then the plan's order
holds.
(Taking the longest chain first from the start is as fast, and keeps most models of a plan at once.)

A job that several processes share takes as many workers. Once it is its turn, nothing that is
smaller goes before it, or it would wait for ever.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple

from harness.plan.disk import Space
from harness.plan.graph import Job

# What every job costs besides: files are read, a model is loaded. About a third of a second of a
# CPU core (`devices.CORE`); next to real work it is nothing.
EACH = 15e9

NONE = Space()

_Entry = tuple[float, int, str]  # of a heap: what decides, the place in the plan, the key


def inputs_first(jobs: Iterable[Job]) -> list[Job]:
    """The jobs, each after those of them that it needs. (`rank` says what is taken first of what is
    ready: an evaluation before the training of the next cell.)"""
    known = {job.key: job for job in jobs}
    sorter = TopologicalSorter({key: job.needs for key, job in known.items()})
    return [known[key] for key in sorter.static_order() if key in known]


class Queue:
    """The jobs of a run, of which those that are ready come out in the order to take them.

    jobs     what is to be done; what they need beyond that is done
    costs    by key, in any unit (`estimate.operations`): only how jobs compare counts
    workers  how many take from it, all engines together
    """

    def __init__(self, jobs: Iterable[Job], costs: Mapping[str, float], workers: int):
        ordered = sorted(jobs, key=lambda job: job.rank)
        self.jobs = {job.key: job for job in ordered}
        self.workers = workers  # may change; 0 where nobody knows yet
        self._room = max(1, workers)
        self._costs = {
            key: costs.get(key, 0.0) / self.slots(job) + EACH for key, job in self.jobs.items()
        }
        self._place = {key: place for place, key in enumerate(self.jobs)}
        self._lacks = {job.key: len(self._inside(job)) for job in ordered}
        self._readers: dict[str, list[str]] = {key: [] for key in self.jobs}
        for job in ordered:
            for need in self._inside(job):
                self._readers[need].append(job.key)
        self._chain = self._chains()
        self._open = set(self.jobs)  # neither ended nor taken
        self._left = sum(map(self.work, self.jobs))  # what these cost
        self._in_order: list[_Entry] = []
        self._by_chain: list[_Entry] = []
        for key in self.jobs:
            self._offer(key)

    def _inside(self, job: Job) -> set[str]:
        return {need for need in job.needs if need in self.jobs}

    def _chains(self) -> dict[str, float]:
        """What each job costs together with the longest chain of jobs that wait for it."""
        chain: dict[str, float] = {}
        for job in reversed(inputs_first(self.jobs.values())):
            below = max((chain[reader] for reader in self._readers[job.key]), default=0.0)
            chain[job.key] = self._costs[job.key] + below
        return chain

    def _offer(self, key: str) -> None:
        """Put a job among the ready ones, if it lacks nothing."""
        if self._lacks[key] == 0:
            place = self._place[key]
            heapq.heappush(self._in_order, (0.0, place, key))
            heapq.heappush(self._by_chain, (-self._chain[key], place, key))

    @property
    def ready(self) -> bool:
        """Whether some job can be taken."""
        return self._first(self._in_order) is not None

    def _first(self, heap: list[_Entry]) -> str | None:
        """The first job of a heap that is still there to take."""
        while heap and heap[0][-1] not in self._open:
            heapq.heappop(heap)
        return heap[0][-1] if heap else None

    def take(self) -> Job | None:
        """The job to do next; None: none is ready."""
        key, urgent = self._first(self._in_order), self._first(self._by_chain)
        if key is None or urgent is None:
            return None
        if self._chain[urgent] >= self._left / self.workers:
            key = urgent
        self._close(key)
        return self.jobs[key]

    def _close(self, key: str) -> None:
        """A job is nobody's to take any more. What a worker has in hand is not left: nobody knows
        how much of it is done, and a long one would hide for hours how little else there is."""
        if key in self._open:
            self._open.discard(key)
            self._left -= self.work(key)

    def place(self, key: str) -> int:
        """Where a job stands in the plan's order."""
        return self._place[key]

    def give_back(self, key: str) -> None:
        """A job that was taken and not done can be taken again."""
        if key not in self._open:
            self._open.add(key)
            self._left += self.work(key)
            self._offer(key)

    def end(self, key: str) -> None:
        """A job is over: nobody has to do it any more, and what waited for it alone is ready."""
        self._close(key)
        for reader in self._readers[key]:
            self._lacks[reader] -= 1
            if reader in self._open:
                self._offer(reader)

    def readers(self, key: str) -> list[str]:
        """The jobs of the run that read a job's result."""
        return self._readers[key]

    def slots(self, job: Job) -> int:
        """How many workers a job takes: on few cores processes share one."""
        return min(job.slots, self._room)

    def cost(self, key: str) -> float:
        """What a job costs each worker that it takes: its time."""
        return self._costs[key]

    def work(self, key: str) -> float:
        """What it costs all of them."""
        return self._costs[key] * self.slots(self.jobs[key])

    def longest(self) -> list[Job]:
        """The chain of jobs that costs most, from its start."""
        chain: list[Job] = []
        choice: Iterable[str] = self.jobs
        while key := max(choice, key=self._chain.__getitem__, default=None):
            chain.append(self.jobs[key])
            choice = self._readers[key]
        return chain


class Course(NamedTuple):
    """How a run goes if its jobs take what they are thought to.

    length   from its start to its end, in the unit of the costs
    busy     the share of that time in which a worker works
    longest  the jobs of the longest chain, below whose cost no number of workers gets
    chain    their cost
    models   most trained models that lie on the disk at one time
    weights  their bytes
    disk     most bytes at one time, the checkpoints of trainings that run counted in
    """

    length: float
    busy: float
    longest: list[Job]
    chain: float
    models: int
    weights: float
    disk: float


def course(
    jobs: Iterable[Job],
    costs: Mapping[str, float],
    workers: int,
    spaces: Mapping[str, Space] | None = None,
    keep: bool = False,
    there: Mapping[str, Space] | None = None,
) -> Course:
    """The run, simulated: each worker takes the next job of the queue as soon as it is free.

    spaces  what trainings hold of the disk, by key
    keep    trained models stay
    there   what lies on the disk at its start, by key: models that its jobs read, checkpoints of
            trainings that go on
    """
    queue = Queue(jobs, costs, workers)
    longest = queue.longest()
    chain = sum(queue.cost(job.key) for job in longest)
    total = sum(map(queue.work, queue.jobs))

    disk = _Disk(queue, spaces or {}, keep, there or {})
    running: list[tuple[float, int, Job]] = []  # (when it ends, to break ties, what)
    now, idle = 0.0, workers
    due: Job | None = None
    while True:
        while idle and (due := due or queue.take()) and queue.slots(due) <= idle:
            heapq.heappush(running, (now + queue.cost(due.key), queue.place(due.key), due))
            idle -= queue.slots(due)
            disk.begun(due)
            due = None
        if not running:
            break
        now, _, job = heapq.heappop(running)
        idle += queue.slots(job)
        queue.end(job.key)
        disk.done(job)
    busy = total / (workers * now) if now else 1.0
    return Course(now, busy, longest, chain, disk.models, disk.weights, disk.most)


class _Disk:
    """What a run keeps: each trained model until the last job that reads it is done, checkpoints of
    a training until it is over."""

    def __init__(
        self,
        queue: Queue,
        spaces: Mapping[str, Space],
        keep: bool,
        there: Mapping[str, Space],
    ):
        self._unread = Counter(need for job in queue.jobs.values() for need in set(job.needs))
        if keep:  # one more, who never reads it
            self._unread.update({*self._unread, *queue.jobs})
        self._spaces = spaces
        self._kept = {key: space.model for key, space in there.items() if space.model}
        self._checkpoints = {key: space.checkpoint for key, space in there.items()}
        self.models, self.weights, self.most = 0, 0.0, 0.0
        self._look()

    def begun(self, job: Job) -> None:
        """A worker has taken a job."""
        self._checkpoints[job.key] = self._space(job.key).checkpoint
        self._look()

    def done(self, job: Job) -> None:
        """A job has ended. Its model is written before its checkpoint goes, and before what it
        read may go."""
        if job.kind == "train":
            self._kept[job.key] = self._space(job.key).model
        self._look()
        del self._checkpoints[job.key]
        if not self._unread[job.key]:
            self._kept.pop(job.key, None)
        for need in self._kept.keys() & set(job.needs):
            self._unread[need] -= 1
            if not self._unread[need]:
                del self._kept[need]

    def _space(self, key: str) -> Space:
        return self._spaces.get(key, NONE)

    def _look(self) -> None:
        kept = sum(self._kept.values())
        self.models = max(self.models, len(self._kept))
        self.weights = max(self.weights, kept)
        self.most = max(self.most, kept + sum(self._checkpoints.values()))
