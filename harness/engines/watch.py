"""Following a run that agents do elsewhere, by what they leave in the store."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.common.errors import HarnessError
from harness.engines.crew import Crew, Shared
from harness.engines.listener import Failure, Listener, Logged
from harness.plan.graph import Job, Jobs
from harness.store import Store

LOOK_SECONDS = 2.0  # between two looks at the store
ASK_SECONDS = 15.0  # between two questions to the scheduler, whom many ask
LAST_LINES = 3  # of agents that have left: the most frequent tell enough


class Watch:
    """Tells a listener what agents do, as a driver would of its own workers."""

    def __init__(self, jobs: Jobs, store: Store, folder: Path, listener: Listener):
        self.jobs, self.store, self.folder, self.listener = jobs, store, folder, listener
        self.crew = Crew(folder, Shared.read(folder).agents)
        self.waiting = dict(jobs.jobs)
        self.begun: dict[str, str] = {}  # key → the slot that has it
        self.done: list[str] = []
        self.failed: dict[str, Failure] = {}

    def until_done(self, left: Callable[[], int]) -> None:
        """Until each job is done or has failed. HarnessError if nobody is left to do one.

        left  asks the scheduler how many agents wait or run
        """
        asked = time.monotonic()
        while self.waiting:
            self.look()
            if self.waiting and time.monotonic() - asked >= ASK_SECONDS:
                asked, agents = time.monotonic(), left()
                if not agents:  # what they did last may be absent here a while
                    for key in self.waiting:
                        self.store.look_again(key)
                self.look()
                if self.waiting and not agents:
                    raise HarnessError(self._abandoned())
            if self.waiting:
                time.sleep(LOOK_SECONDS)

    def _abandoned(self) -> str:
        """What there is to say where nobody is left."""
        lines = [f"all agents have left, and {len(self.waiting)} jobs are not done"]
        for key, failure in self.crew.doubtful().items():
            if key in self.waiting:
                lines.append(f"{self.waiting[key].name}, tried on one host: {failure.why}")
        for line, agents in self._last_lines().most_common(LAST_LINES):
            lines.append(f"the last line of {agents} agent{'s' * (agents > 1)}: {line}")
        lines.append(
            f"the agents' logs are in {self.folder}; the same command goes on with the rest"
        )
        return "\n".join(lines)

    def _last_lines(self) -> Counter[str]:
        """What agents said last, and how many of them: an error, if they left with one."""
        said: Counter[str] = Counter()
        for path in sorted(self.folder.glob("agent-*.log")):
            with suppress(OSError):
                said.update(path.read_text(errors="replace").strip().splitlines()[-1:])
        return said

    def look(self) -> None:
        """Once: what is done, what has failed, what each worker does."""
        there = set(self.store.listed())
        for key in [key for key in self.waiting if key in there and self.store.manifest(key)]:
            job = self.waiting.pop(key)
            self.done.append(key)
            if key in self.begun:
                self.listener.done(job)
            else:  # so fast that nobody saw it begin
                self.listener.elsewhere(job)
        for key, failure in self.crew.failures().items():
            if key in self.waiting:
                self._fail(self.waiting[key], failure)
        for slot, doing in self.crew.working().items():
            if doing["key"] in self.waiting:
                self._tell(self.waiting[doing["key"]], slot, doing)

    def _tell(self, job: Job, slot: str, doing: dict[str, Any]) -> None:
        if self.begun.get(job.key) != slot:
            self.begun[job.key] = slot
            self.listener.start(job, slot)
        if "loss" in doing:
            self.listener.logged(job, Logged(doing["done"], loss=doing["loss"]))
        if "done" in doing:
            self.listener.progress(job, doing["done"], doing["total"], doing["tokens"])

    def _fail(self, job: Job, failure: Failure) -> None:
        """A failed job takes with it what needs its result, as in a driver."""
        del self.waiting[job.key]
        self.failed[job.key] = failure
        self.listener.failed(job, failure)
        for key in self.jobs.dependants(job.key):
            if key in self.waiting:
                self._fail(self.waiting[key], Failure(f"needs {job.name}, which failed"))
