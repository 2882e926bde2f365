"""Agents that share a run: what becomes of a job that fails, and of a host on which all fail.

Hosts are threads here, and a worker that does a job commits an empty result.
"""

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from harness.common.errors import HarnessError
from harness.engines import agent, drive
from harness.engines import crew as crew_room
from harness.engines.crew import Crew, Shared, folder_of
from harness.engines.drive import Outcome, take_part
from harness.engines.engine import Event
from harness.engines.listener import Listener
from harness.engines.progress import Progress
from harness.engines.watch import Watch
from harness.jobs import run
from harness.jobs.context import HostError
from harness.plan.graph import Job, Jobs
from harness.store import Store, key_of

RUN = "run"
BUG = Event("failed", why="KeyError: 'x'", trace="Traceback ...", log="/store/worker-0.log")
DIED = Event("died", code=-9, log="/store/worker-0.log")
NO_NUMBER = Event("failed", why="loss is nan at update 3", log="/store/worker-0.log")


def key(name: str) -> str:
    return key_of(name)


def of(*jobs: str | tuple[str, str]) -> Jobs:
    """Jobs by name, in this order; with a second name, of what it needs."""
    made = {}
    for place, job in enumerate(jobs):
        name, *needs = [job] if isinstance(job, str) else job
        made[key(name)] = Job(key(name), "train", name, [*map(key, needs)], {}, (place,))
    return Jobs(jobs=made)


class Hands:
    """The worker of one host. `fate`: by name of a job, how it ends where it does not end well;
    `turn` is called before each word of it is heard."""

    slots = ("worker-0",)

    def __init__(self, store: Store, fate: dict[str, Event], turn: Callable[[], object] = bool):
        self.store, self.turn = store, turn
        self.fate = {key(name): event for name, event in fate.items()}
        self.tried: list[str] = []
        self.lease = None
        self.begun = ""

    def start(self) -> None: ...

    def restart(self, slot: str) -> None: ...

    def share(self, idle: list[str], count: int) -> list[str]:
        return idle[:count]

    def submit(self, slot: str, key: str, again: bool, beside: object = ()) -> None:
        self.begun, self.lease = key, self.store.lease(key)

    def poll(self, timeout: float) -> list[tuple[str, Event]]:
        self.turn()
        if not self.begun:
            return []
        key, self.begun = self.begun, ""
        if self.lease is None:
            return [("worker-0", Event("busy", key))]
        self.tried.append(key)
        with self.lease, self.store.workdir(key) as folder:
            if key in self.fate:
                return [("worker-0", self.fate[key])]
            self.store.commit(key, folder, {})
        return [("worker-0", Event("done", key))]


class Lockstep:
    """Hosts of the same speed: none is a turn ahead, until one has left."""

    def __init__(self, count: int):
        self.barrier = threading.Barrier(count)

    def __call__(self) -> None:
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait(60)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    """Where nobody waits long for anybody."""
    for name in ("CREW_WAIT", "BUSY_WAIT"):
        monkeypatch.setattr(drive, name, 0.01)
    monkeypatch.setattr(drive, "ELSEWHERE_WAIT", 5.0)
    monkeypatch.setattr(crew_room, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(drive.socket, "gethostname", lambda: "node7")
    return Store(tmp_path / "store")


def begun(store: Store, jobs: Jobs, agents: int) -> Path:
    """The folder of a run that begins."""
    folder = folder_of(store, RUN)
    Shared(jobs, {}, agents).write(folder)
    return folder


def part(
    store: Store, jobs: Jobs, hands: Hands, host: str, agents: int, told: Listener | None = None
) -> Outcome:
    """What one agent does."""
    crew = Crew(folder_of(store, RUN), agents, host, host)
    return take_part(jobs, {}, store, hands, told or Listener(), crew, agents)


def together(store: Store, jobs: Jobs, *fates: dict[str, Event]) -> list[Outcome]:
    """What agents do on as many hosts, each with its fate."""
    begun(store, jobs, len(fates))
    step = Lockstep(len(fates))

    def one(number: int, fate: dict[str, Event]) -> Outcome:
        try:
            return part(store, jobs, Hands(store, fate, step), f"n{number}", len(fates))
        finally:
            step.barrier.abort()

    with ThreadPoolExecutor(len(fates)) as pool:
        return list(pool.map(one, range(len(fates)), fates))


def watched(store: Store, jobs: Jobs) -> Watch:
    """What is told who looks on."""
    watch = Watch(jobs, store, folder_of(store, RUN), Listener())
    watch.look()
    return watch


def test_a_job_that_fails_on_two_hosts_stops_what_needs_it_and_nothing_else(store):
    jobs = of("bad", ("reader", "bad"), ("its reader", "reader"), "good", ("other", "good"))
    together(store, jobs, {"bad": DIED}, {"bad": DIED})
    watch = watched(store, jobs)
    assert not watch.waiting
    assert {*watch.done} == {key("good"), key("other")}
    assert {key: failure.why for key, failure in watch.failed.items()} == {
        key("bad"): "its worker ended with code -9; see /store/worker-0.log (on node7)",
        key("reader"): "needs bad, which failed",
        key("its reader"): "needs reader, which failed",
    }


def test_a_job_that_fails_on_one_host_is_done_by_another(store):
    jobs = of("fragile", ("reader", "fragile"), "good")
    together(store, jobs, {"fragile": BUG}, {})
    watch = watched(store, jobs)
    assert not watch.failed and len(watch.done) == 3


def test_a_job_whose_memory_ran_out_on_one_host_is_done_by_another(store, monkeypatch):
    def full(*_):
        raise HostError("fragile: the memory of this GPU ran out")

    monkeypatch.setattr(run, "run_job", full)
    worker = run.Worker(store, None, SimpleNamespace(events=io.StringIO()))
    worker._serve_one(key("fragile"))
    said = Event.of(worker.channel.events.getvalue().encode())
    jobs = of("fragile", ("reader", "fragile"), "good")
    together(store, jobs, {"fragile": said}, {})
    watch = watched(store, jobs)
    assert not watch.failed and len(watch.done) == 3


def test_the_failure_says_on_which_host_and_where_the_log_lies(store):
    jobs = of("bad")
    begun(store, jobs, 2)
    outcome = part(store, jobs, Hands(store, {"bad": NO_NUMBER}), "n0", 2)
    said = "loss is nan at update 3; see /store/worker-0.log (on node7)"
    # the same everywhere: nobody else has to try it
    assert outcome.failed[key("bad")].why == said == watched(store, jobs).failed[key("bad")].why


def test_a_host_on_which_all_fails_leaves_its_jobs_to_others(store):
    names = [f"job {number}" for number in range(6)]
    jobs = of(*names)
    begun(store, jobs, 2)
    with pytest.raises(HarnessError, match=r"3 jobs in a row failed on .* leaves the run"):
        part(store, jobs, Hands(store, dict.fromkeys(names, DIED)), "broken", 2)
    watch = watched(store, jobs)
    assert not watch.failed and "job 2, tried on one host: its worker" in watch._abandoned()
    assert len(part(store, jobs, Hands(store, {}), "sound", 2).done) == 6
    assert not watched(store, jobs).failed


@pytest.mark.parametrize(
    ("host", "left", "stays"), [("dgx", False, True), ("n1", False, False), ("n1", True, True)]
)
def test_an_agent_leaves_only_where_another_host_can_go_on(store, monkeypatch, host, left, stays):
    """Two agents on one node: what fails there has failed, and the sound jobs are done."""
    monkeypatch.setattr(drive, "ELSEWHERE_WAIT", 0.01)
    bad = [f"bad {number}" for number in range(6)]
    jobs, said = of(*bad, "good", ("reader", "good")), io.StringIO()
    folder = begun(store, jobs, 2)
    Crew(folder, 2, "other", host).tell({}, left)
    here = Hands(store, dict.fromkeys(bad, BUG))
    ends = nullcontext() if stays else pytest.raises(HarnessError, match="this agent leaves")
    with ends:
        outcome = part(store, jobs, here, "dgx", 2, Progress(said))
        assert {*outcome.failed} == {*map(key, bad)}
        assert {*outcome.done} == {key("good"), key("reader")}
    assert "again: bad 0: KeyError: 'x'; see /store/worker-0.log (on node7)\n" in said.getvalue()


@pytest.mark.parametrize(
    ("end", "comes_back"), [(None, False), (HarnessError, False), (KeyboardInterrupt, True)]
)
def test_an_agent_whose_time_is_up_has_not_left(store, monkeypatch, end, comes_back):
    folder = begun(store, of("job"), 1)
    monkeypatch.setattr(agent, "take_part", Mock(side_effect=end))
    monkeypatch.setattr(agent, "ProcessEngine", Mock())
    with pytest.raises(end) if end else nullcontext():
        agent.take_part_in(store, RUN, "0")
    assert Crew(folder, 1, "1", "elsewhere").others_may_do_it() == comes_back


def test_a_bad_spec_is_not_taken_for_a_bad_host(store):
    """Most jobs fail, on whatever host: all agents stay, and do the others."""
    bad = [f"bad {number}" for number in range(8)]
    good = [f"good {number}" for number in range(3)]
    jobs = of(*bad, *good)
    fate = dict.fromkeys(bad, BUG)
    together(store, jobs, fate, fate, fate)
    watch = watched(store, jobs)
    assert {*watch.failed} == {*map(key, bad)} and {*watch.done} == {*map(key, good)}


def test_a_host_tries_nothing_twice_while_others_work(store, monkeypatch):
    """They may be busy for hours: it is not given up before one of them has tried it."""
    monkeypatch.setattr(drive, "ELSEWHERE_WAIT", 0.01)
    jobs = of("fragile", "long", *[(f"reader {number}", "long") for number in range(4)])
    begun(store, jobs, 2)
    turns = iter(range(40))

    def turn() -> None:
        next(turns)
        time.sleep(drive.ELSEWHERE_WAIT / 10)

    here = Hands(store, {"fragile": BUG}, turn)
    with store.lease(key("long")), pytest.raises(StopIteration):
        part(store, jobs, here, "n0", 2)
    assert here.tried == [key("fragile")]
    assert not watched(store, jobs).failed
    assert len(part(store, jobs, Hands(store, {}), "n1", 2).done) == 6


@pytest.mark.parametrize(("agents", "tries"), [(1, 1), (2, 2)])
def test_without_another_host_it_is_given_up(store, monkeypatch, agents, tries):
    monkeypatch.setattr(drive, "ELSEWHERE_WAIT", 0.01)
    jobs = of("bad", ("reader", "bad"), "good")
    begun(store, jobs, agents)
    here = Hands(store, {"bad": BUG})
    outcome = part(store, jobs, here, "n0", agents)
    assert here.tried.count(key("bad")) == tries
    assert {*outcome.failed} == {key("bad"), key("reader")} and outcome.done == [key("good")]
