"""What agents that share one run leave for each other in the store.

    ROOT/runs/RUN/plan.json            the jobs, as `Shared` has them
    ROOT/runs/RUN/failed/KEY.N.json    a job failed: why, where, and whether that holds everywhere
    ROOT/runs/RUN/agents/NAME.json     an agent's workers, and when it said so

An agent is a driver over the process engine of its own node. Results and leases are the store's, so
that what is here may be lost: a run goes on without it.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from harness.engines.listener import Failure
from harness.store import Store, atomic_write, canonical_json, disk_errors

HOSTS = 2  # a job that failed so often, on different hosts where there are some, has failed
LOOK_SECONDS = 5.0  # between two looks at what others say


class Crew:
    """One agent's view of a run; `me` is its name among the others."""

    def __init__(self, store: Store, run: str, me: str):
        self.folder, self.me = store.root / "runs" / run, me
        self._looked: float | None = None
        self._failures: dict[str, Failure] = {}
        for room in ("failed", "agents"):
            with disk_errors("use the run", self.folder):
                (self.folder / room).mkdir(parents=True, exist_ok=True)

    def failures(self) -> dict[str, Failure]:
        """The jobs that have failed for everybody, by key."""
        now = time.monotonic()
        if self._looked is None or now - self._looked >= LOOK_SECONDS:
            self._looked, self._failures = now, self._final()
        return self._failures

    def _final(self) -> dict[str, Failure]:
        said: dict[str, list[Failure]] = {}
        for key, failure in self._said():
            said.setdefault(key, []).append(failure)
        return {
            key: of[-1]
            for key, of in said.items()
            if len(of) >= HOSTS or not all(map(may_be_the_host, of))
        }

    def _said(self) -> Iterator[tuple[str, Failure]]:
        for path in sorted((self.folder / "failed").glob("*.json")):
            # one that is being written, or that this machine does not see yet, is read next time
            with suppress(OSError, ValueError, TypeError):
                yield path.name.partition(".")[0], Failure(**json.loads(path.read_bytes()))

    def try_elsewhere(self, key: str, failure: Failure) -> bool:
        """Tell the others that a job failed here. Whether another host may still try it."""
        path = self.folder / "failed" / f"{key}.{uuid.uuid4().hex[:8]}.json"
        atomic_write(path, canonical_json(asdict(failure)), sync=False)
        self._looked = None
        return key not in self.failures()

    def tell(self, workers: dict[str, Any]) -> None:
        """Tell who watches what each worker does."""
        said = {"time": time.time(), "workers": workers}
        atomic_write(self.folder / "agents" / f"{self.me}.json", canonical_json(said), sync=False)


def may_be_the_host(failure: Failure) -> bool:
    """Whether another host may do better: a worker died there, or an error came that nobody
    foresaw. A bad spec, a loss that is no number are the same everywhere."""
    return bool(failure.trace) or failure.died
