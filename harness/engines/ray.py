"""Workers on a Ray cluster: hosts where somebody ran `ray start`, or pods that KubeRay keeps.

Each worker is kept by an actor, a `Seat` on whatever node Ray found room for it. Nodes come and go:
a slot is there while its actor answers, and a lost one's place is asked for again as long as the
cluster has it.
"""

import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from harness.common.errors import HarnessError, MissingError, SpecError
from harness.engines.engine import Event
from harness.engines.process import GRACE
from harness.engines.seat import Order, Seat

try:
    import ray
    from ray.exceptions import ActorUnavailableError, RayActorError, RayError
except ImportError:
    raise MissingError(
        "--engine ray needs the package ray, here and on every node: pip install"
        " xstilts-harness[ray]"
    ) from None

LOOK = 3.0  # between two looks at what the cluster has; before an actor that is away is asked again
ALONE = 30.0  # without a worker, until a person is told
CALLS = 8  # questions that an actor may have open: each order is one more
SETTINGS = "XSTILTS_", "HF_"  # variables of whoever runs eval that hold for workers too


@dataclass(frozen=True)
class RayCluster:
    """Which cluster, and what is asked of it.

    address  HOST:PORT; None: RAY_ADDRESS, else the cluster of which this host is a node
    gpus     so many workers with a GPU each, also where the cluster has to grow for them; None:
             one for each GPU that there is, without any one for each CPU
    """

    address: str | None = None
    gpus: int | None = None


@dataclass
class RemoteSeat:
    """A seat as the driver has it.

    asked   the answer that is to come, a reference of Ray's
    host    where it is; "": nobody knows yet
    card    its GPU there
    wrong   why it gives no slot. It stays, so that nobody else is put there
    heard   how many events have come from it
    again   when to ask it again
    """

    name: str
    actor: Any
    asked: Any
    host: str = ""
    card: str = ""
    wrong: str = ""
    heard: int = 0
    order: Order | None = None
    again: float = 0.0


class RayEngine:
    """One worker for each GPU of the cluster, or for each CPU; each with a log in the store."""

    def __init__(
        self,
        store: Path,
        workers: int | None = None,
        checkpoint_seconds: float | None = None,
        device: str | None = None,
        cluster: RayCluster | None = None,
    ):
        cluster = cluster or RayCluster()
        if device not in (None, "cpu", "cuda"):
            raise SpecError(f"--device {device}: with --engine ray it is cpu or cuda")
        self.store, self.checkpoint_seconds = store, checkpoint_seconds
        self.most = cluster.gpus or workers  # None: what the cluster has
        connect(cluster.address)
        self._until_stop = ExitStack()
        self._until_stop.callback(ray.shutdown)
        # Ray tells of nodes on standard output, which is for results
        (store / "logs").mkdir(exist_ok=True)
        log = self._until_stop.enter_context((store / "logs" / "ray.log").open("a"))
        self._until_stop.enter_context(redirect_stdout(log))
        self.gpus = device != "cpu" and bool(device or cluster.gpus or _has("GPU")[0])
        self._actor: Any = ray.remote(Seat)
        self._seats: dict[str, RemoteSeat] = {}
        self._orders = count(1)
        self._looked = self._alone = time.monotonic()
        self._notes: list[str] = []
        self._told: set[str] = set()

    @property
    def slots(self) -> list[str]:
        """Those whose worker is there."""
        return [name for name, seat in self._seats.items() if seat.host and not seat.wrong]

    @property
    def wanted(self) -> int:
        """How many there should be, also before they are asked for."""
        return self.most or _has("GPU" if self.gpus else "CPU")[0]

    def start(self) -> None:
        """Ask for workers."""
        self._place()

    def restart(self, slot: str) -> None:
        """Nothing: the worker's actor has done so."""

    def share(self, idle: Sequence[str], count: int) -> list[str]:
        """Slots on one host; without GPUs the processes share the cores of one."""
        if count == 1 or not self.gpus:
            return list(idle[:1])
        hosts = [self._seats[slot].host for slot in idle]
        for host in dict.fromkeys(hosts):
            if hosts.count(host) >= count:
                there = [slot for slot in idle if self._seats[slot].host == host]
                return there[:count]
        if len(idle) == len(self.slots):
            self._note(f"Ray: a job waits for {count} GPUs on one host (`world_size`)")
        return []

    def may_hold(self, count: int) -> bool:
        """Whether a host has so many GPUs, or the cluster is still to grow for `--gpus`."""
        if count == 1 or not self.gpus:
            return True
        if self.most is None:
            return any(node.get("GPU", 0) >= count for node in _nodes())
        if len(self.slots) < self.most:
            return count <= self.most
        return bool(self.share(self.slots, count))

    def submit(self, slot: str, key: str, again: bool, beside: Sequence[str] = ()) -> None:
        """Send an idle worker a job; if it is lost meanwhile, poll() says so."""
        if seat := self._seats.get(slot):
            cards = [self._seats[other].card for other in beside if other in self._seats]
            seat.order = next(self._orders), key, again, cards
            self._ask(seat)

    def poll(self, timeout: float) -> list[tuple[str, Event]]:
        """What workers said, and which of them are gone. HarnessError if none can run anywhere."""
        self._look_around()
        notes, self._notes = self._notes, []
        events = [("", Event("note", why=note)) for note in notes]
        asked = {seat.asked: seat for seat in self._seats.values() if seat.asked is not None}
        if not asked:
            time.sleep(timeout)
            return events
        ray.wait(list(asked), timeout=0.0 if events else timeout)
        answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=0.0)
        for answer in answered:
            events += [(asked[answer].name, event) for event in self._hear(asked[answer])]
        return events

    def stop(self) -> int:
        """Let all workers save and end; their actors go with this driver. How many were killed."""
        killed = 0
        deadline = time.monotonic() + GRACE + 0.5
        with self._until_stop:
            told = [self._seats[slot].actor.stop.remote() for slot in self.slots]
            for answer in told:
                with suppress(RayError):
                    killed += ray.get(answer, timeout=max(0.0, deadline - time.monotonic()))
        return killed

    def _look_around(self) -> None:
        """What the cluster has by now; whom to ask again."""
        now = time.monotonic()
        for seat in self._seats.values():
            if seat.asked is None and now >= seat.again:
                self._ask(seat)
        if now - self._looked < LOOK:
            return
        self._place()
        if self.slots:
            self._alone = now
        elif now - self._alone > ALONE:
            what = "GPU" if self.gpus else "CPU"
            self._note(f"Ray: no {what} is free for a worker yet; `ray status` says who has them")

    def _place(self) -> None:
        """Ask Ray for as many workers as there should be."""
        self._looked = time.monotonic()
        _, each = _has("GPU" if self.gpus else "CPU")
        wanted = self.wanted
        names = (f"worker-{number}" for number in count())
        free = (name for name in names if name not in self._seats)
        while len(self._seats) < wanted:
            self._ask_for(next(free), each)

    def _ask_for(self, name: str, each: int) -> None:
        needs = {"num_cpus": 0, "num_gpus": 1} if self.gpus else {"num_cpus": 1}
        settings = {name: of for name, of in os.environ.items() if name.startswith(SETTINGS)}
        actor = self._actor.options(max_concurrency=CALLS, **needs).remote(
            int(name.rpartition("-")[2]),
            str(self.store),
            self.checkpoint_seconds,
            "cuda" if self.gpus else "cpu",
            each,
            settings,
        )
        self._seats[name] = RemoteSeat(name, actor, actor.begin.remote())

    def _ask(self, seat: RemoteSeat) -> None:
        """Ask a seat for news. An earlier question needs no answer: nothing is lost with it."""
        if seat.host:
            seat.asked = seat.actor.hear.remote(seat.heard, seat.order)
        else:
            seat.asked = seat.actor.begin.remote()

    def _hear(self, seat: RemoteSeat) -> list[Event]:
        """What a seat has answered."""
        try:
            answer = ray.get(seat.asked)
        except ActorUnavailableError:
            seat.asked, seat.again = None, time.monotonic() + LOOK / 3
            return []
        except RayActorError as error:
            del self._seats[seat.name]
            if error.actor_init_failed:
                self._not_ours(error)
                return []
            self._looked = 0.0  # another one may do
            return [Event("lost", why=f"its worker was lost with its host {seat.host}")]
        if seat.host:
            seat.heard += len(answer)
            self._ask(seat)
            return list(answer)
        self._begun(seat, *answer)
        return []

    def _not_ours(self, error: Exception) -> None:
        """A node could not even load this engine. HarnessError if there is no other."""
        why = (
            f"no worker on a node of the Ray cluster: {_reason(error)}; each needs this version of"
            " the harness in the environment of its `ray start`"
        )
        if self._nobody_comes():
            raise HarnessError(why)
        self._note(why)
        self._looked = time.monotonic() + ALONE  # it is free again, and would get the next

    def _begun(self, seat: RemoteSeat, host: str, card: str, wrong: str) -> None:
        """A seat has come to a node. HarnessError if all that there are can do nothing."""
        seat.host, seat.card, seat.wrong, seat.asked = host, card, wrong, None
        if not wrong:
            self._ask(seat)
            return
        self._note(f"Ray: no worker on {host}: {wrong}")
        if self._nobody_comes():
            raise HarnessError(f"no worker on any host of the Ray cluster; on {host}: {wrong}")

    def _nobody_comes(self) -> bool:
        """Whether no seat has a worker, nor may still get one."""
        return all(seat.wrong for seat in self._seats.values())

    def _note(self, text: str) -> None:
        """Tell a person, once."""
        if text not in self._told:
            self._told.add(text)
            self._notes.append(text)


def connect(address: str | None) -> None:
    """Become a driver of that cluster. MissingError if there is none, HarnessError in Ray's words
    if it does not take us."""
    where = address or os.environ.get("RAY_ADDRESS") or "auto"
    if "://" in where:
        raise SpecError(
            f"--address {where}: write HOST:PORT, and run eval on a node of the cluster, which sees"
            " the store"
        )
    ours = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        raise MissingError(
            f"no Ray cluster ({where}); start one with `ray start --head`, on other hosts `ray"
            " start --address=HOST:PORT`, and run eval on one of them"
        ) from None
    except (RuntimeError, ValueError) as error:
        raise HarnessError(f"the Ray cluster at {where}: {_reason(error)}") from None
    finally:
        with suppress(ValueError):  # in a thread of a notebook
            signal.signal(signal.SIGTERM, ours)  # Ray's would end us at once


def _has(what: str) -> tuple[int, int]:
    """How many GPUs, or CPUs, the cluster's nodes have; how many CPUs come to each of them."""
    nodes = [node for node in _nodes() if node.get(what)]
    there = int(sum(node[what] for node in nodes))
    cpus = int(sum(node.get("CPU", 0) for node in nodes))
    return there, max(1, cpus // max(1, there))


def _nodes() -> list[dict[str, float]]:
    """What each node has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _reason(error: Exception) -> str:
    """The last line of one of Ray's errors: what is above it is where."""
    return str(error).strip().rpartition("\n")[2]
