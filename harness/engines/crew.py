"""A run that several agents share: what they leave for each other in the store.

    ROOT/runs/RUN/run.json             the jobs and how they are run (`Shared`)
    ROOT/runs/RUN/failed/KEY.HOST.json a job failed there: why, and whether the host may be to blame
    ROOT/runs/RUN/agents/NAME.json     what an agent's workers do, where, and when it said so
    ROOT/runs/RUN/agent-NAME.log       what an agent prints; agent-NAME/ what its workers do

An agent is a driver over the process engine of its own node. Who does what, and what is done, are
the store's to say, by leases and results: what is here makes it quicker and tells who watches.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.common.errors import StoreError
from harness.engines.listener import Failure
from harness.plan.graph import Job, Jobs
from harness.store import Store, atomic_write, canonical_json, disk_errors, key_of
from harness.store.files import bytes_of
from harness.store.lease import this_process
from harness.store.shared import insist

HOSTS = 2  # a job that failed on so many has failed; on one it may be the host
LEFT = ""  # in place of the host of an agent
LOOK_SECONDS = 5.0  # between two looks at what others say


def run_of(jobs: Jobs) -> str:
    """The name of a run of these jobs: the same command comes back to it."""
    return key_of(sorted(jobs.jobs))[:12]


def folder_of(store: Store, run: str) -> Path:
    """Where a run keeps what its agents share."""
    return store.root / "runs" / run


def runs_of(store: Store) -> list[str]:
    """The runs of a store that agents do, or did."""
    return sorted(path.parent.name for path in (store.root / "runs").glob("*/run.json"))


@dataclass(frozen=True)
class Shared:
    """What an agent is told of a run.

    jobs    to be done
    costs   by key, as `estimate.operations`
    agents  how many take part
    workers, device, checkpoint_seconds, keep_weights    of each, as `steps.How` has them
    need    bytes of a GPU that a worker takes, where each agent finds out how many fit
    command, cwd    that asked for it, and where
    """

    jobs: Jobs
    costs: dict[str, float]
    agents: int
    workers: int | None = None
    device: str | None = None
    checkpoint_seconds: float | None = None
    keep_weights: bool = False
    need: float | None = None
    command: tuple[str, ...] = ()
    cwd: str = ""

    def write(self, folder: Path) -> None:
        """Begin a run: the agents of one before it have left."""
        shutil.rmtree(folder, ignore_errors=True)
        with disk_errors("begin the run", folder):
            folder.mkdir(parents=True)
            for room in ("failed", "agents"):
                (folder / room).mkdir()
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        # a worker reads a job's body from the store
        said["jobs"] = [asdict(job) | {"body": {}} for job in self.jobs.jobs.values()]
        atomic_write(folder / "run.json", canonical_json(said))

    @staticmethod
    def read(folder: Path) -> "Shared":
        """The run of that folder. StoreError if there is none, or it is of another version."""
        path = folder / "run.json"
        try:
            with disk_errors("read the run", path):
                said = json.loads(insist(bytes_of, path)[1])
            jobs = [Job(**{**one, "rank": tuple(one["rank"])}) for one in said.pop("jobs")]
            return Shared(jobs=Jobs(jobs={job.key: job for job in jobs}), **said)
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{path} is no run ({error}); start it again by eval") from None


class Crew:
    """The agents of a run, as one of them sees them, or who watches.

    agents  how many there are: of a single one no other host can try what failed
    me      its name among them
    host    where it is; None: here
    """

    def __init__(self, folder: Path, agents: int, me: str = "", host: str | None = None):
        self.folder, self.me, self.host = folder, me, host or str(this_process().host)
        self._again = f"{self.host}-again"  # in place of the host, where it tried twice
        self.agents, self._hosts = agents, min(HOSTS, agents)
        self._looked: float | None = None
        self._said: dict[str, dict[str, Failure]] = {}  # key → host → how it failed there
        self._heard: set[str] = set()

    def failures(self) -> dict[str, Failure]:
        """The jobs that have failed for everybody, by key."""
        self._look()
        return {key: self._last(key) for key in self._said if self._is_final(key)}

    def doubtful(self) -> dict[str, Failure]:
        """The jobs that have failed on one host, which may be to blame, by key."""
        self._look()
        return {key: self._last(key) for key in self._said if not self._is_final(key)}

    def for_us(self) -> set[str]:
        """Those of them that failed on another host, since this was asked last: to be tried here
        when their turn comes, which tells whether host or job is at fault."""
        new = (self.doubtful().keys() & self.failed_elsewhere()) - self._heard
        self._heard |= new
        return new

    def failed_here(self, key: str) -> bool:
        """Whether this host may be to blame for a job's failure."""
        return self.host in self._said.get(key, {})

    def failed_elsewhere(self) -> set[str]:
        """The jobs that have failed on another host."""
        self._look()
        return {key for key, of in self._said.items() if of.keys() - {self.host, self._again}}

    def _look(self) -> None:
        now = time.monotonic()
        if self._looked is not None and now - self._looked < LOOK_SECONDS:
            return
        self._looked, self._said = now, {}
        for path, one in self._read("failed"):
            key, _, host = path.stem.partition(".")
            with suppress(TypeError):  # of another version
                self._said.setdefault(key, {})[host] = Failure(**one)

    def _is_final(self, key: str) -> bool:
        said = self._said[key].values()
        return len(said) >= self._hosts or not all(failure.by_host for failure in said)

    def _last(self, key: str) -> Failure:
        return list(self._said[key].values())[-1]

    def _read(self, room: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """What others wrote. What this machine does not see yet, or torn, is read next time."""
        for path in sorted((self.folder / room).glob("*.json")):
            with suppress(OSError, ValueError):
                yield path, json.loads(path.read_bytes())

    def try_elsewhere(self, key: str, failure: Failure) -> bool:
        """Tell the others that a job failed here. Whether another host may still try it: not once
        it failed here twice, which happens where no other one took it."""
        host = self._again if self.failed_here(key) else self.host
        path = self.folder / "failed" / f"{key}.{host}.json"
        atomic_write(path, canonical_json(asdict(failure)), sync=False)
        self._looked = None
        return key not in self.failures()

    def others_may_do_it(self) -> bool:
        """Whether an agent of another host is in the run, or one has not begun: who knows where."""
        hosts = [said["host"] for _, said in self._read("agents")]
        return len(hosts) < self.agents or any(host not in (self.host, LEFT) for host in hosts)

    def tell(self, working: Mapping[str, Any], left: bool = False) -> None:
        """Tell who watches what each worker does: by slot, as `agent.Teller` has it. And others
        where this agent is, unless it has `left` the run for good."""
        host = LEFT if left else self.host
        said = {"time": time.time(), "host": host, "working": dict(working)}
        with suppress(OSError, StoreError):  # nobody waits for it
            path = self.folder / "agents" / f"{self.me}.json"
            atomic_write(path, canonical_json(said), sync=False)

    def working(self) -> dict[str, dict[str, Any]]:
        """What all workers do, by agent and slot: "3 worker-0" → as it was told."""
        found = {}
        for path, said in self._read("agents"):
            for slot, doing in said["working"].items():
                found[f"{path.stem} {slot}"] = doing
        return found
