"""What an engine is: the protocol, and the events that its workers send."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.engines.listener import Failure, Listener
from harness.plan.graph import Jobs


@dataclass(frozen=True)
class Event:
    """What a worker says, as one line of JSON; what a kind does not say has its default.

    progress  `done` of `total` steps, `tokens` (subwords) read for that so far
    logged    `line`, a line of a training's log (`drive.Logged`)
    done      the result of `key` is committed
    busy      another live process works on `key`
    stopped   it was asked to end, and has saved what it could
    failed    `why`; `exit_code` is for the command line, `trace` that of a bug, `by_host` as
              `Failure` has it
    died      said by the engine: the worker ended by itself with `code`
    lost      said by the engine: the worker is gone, and its slot with it
    note      said by the engine, of no job: `why`, for a person

    log       of the worker, where the job failed or the worker died; the engine knows it
    """

    event: str
    key: str = ""
    done: int = 0
    total: int = 0
    tokens: int = 0
    line: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    exit_code: int = 1
    trace: str = ""
    by_host: bool = False
    code: int | None = None
    log: str = ""

    @staticmethod
    def of(line: bytes) -> "Event | None":
        """The event in a line; None if it is none: libraries that print are heard here too."""
        try:
            said: Any = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict) or not isinstance(said.get("event"), str):
            return None
        known = Event.__dataclass_fields__.keys() & said.keys()
        return Event(**{name: said[name] for name in known})


@runtime_checkable
class Engine(Protocol):
    """Workers in slots, each of which does one job at a time. An engine decides where they run, and
    never sees a score."""

    @property
    def slots(self) -> list[str]:
        """The names of the slots that there are now: they may come and go between two calls of
        `poll`."""

    def start(self) -> None:
        """Start every worker that does not run yet."""

    def restart(self, slot: str) -> None:
        """Start a slot's worker anew, after it died."""

    def share(self, idle: Sequence[str], count: int) -> list[str]:
        """Of the idle slots those on which `count` processes do a job together: on one machine,
        each with a GPU of its own; without GPUs fewer slots will do. The first has the worker that
        gets the job. Empty where there are too few of them."""

    def may_hold(self, count: int) -> bool:
        """Whether `share` may ever find so many: known before `start`."""

    def submit(self, slot: str, key: str, again: bool, beside: Sequence[str] = ()) -> None:
        """Give an idle worker a job; `again`: its result is there, but its dropped weights are
        needed once more; `beside`: the other slots that `share` named, which stay idle. Must not
        raise because the worker has just died: `poll` says so."""

    def poll(self, timeout: float) -> list[tuple[str, Event]]:
        """(slot, event) of all that was said, as soon as there is something, after `timeout`
        seconds at the latest. Every job that was submitted comes to one event that is neither
        `progress` nor `logged`, nor a `note`."""

    def stop(self) -> int:
        """Ask every worker to save and end. Returns how many had to be killed."""


@runtime_checkable
class Agents(Protocol):
    """The other form of an engine: nobody hands out jobs; agents take them from the store, wherever
    a scheduler starts them, and the driver looks on."""

    def run(
        self,
        run: str,
        jobs: Jobs,
        costs: Mapping[str, float],
        listener: Listener,
        keep_weights: bool,
    ) -> tuple[list[str], dict[str, Failure]]:
        """Have these jobs done; (keys that are, keys that failed). May be left by an exception, and
        called again: agents that there are go on.

        run           the name of the plan that they are of: the same command gives the same
        costs         by key, as `estimate.operations`
        keep_weights  trained models stay in the store
        """

    def at_work(self, run: str) -> bool:
        """Whether agents of that run wait or work already."""

    def farewell(self, run: str) -> str:
        """What holds of that run once nobody looks on, for a person."""


class EngineClass(Protocol):
    """How an engine is made."""

    def __call__(
        self,
        store: Path,
        workers: int | None = None,
        checkpoint_seconds: float | None = None,
        device: str | None = None,
        **own: Any,
    ) -> Engine | Agents:
        """
        store               that every worker sees under this path
        workers             how many; None: as many as the machine has room for
        checkpoint_seconds  from one checkpoint of a training to the next; None: `train` chooses
        device              what workers compute on (`process.DEVICE`); None: a GPU if there is one
        own                 what only that engine is told (`Cluster`)
        """
