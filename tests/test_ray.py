"""Workers on a Ray cluster. How slots come and go, with a Ray of a few lines; then a real one on
this machine alone, where it can be had: a node is killed, one joins, and no byte differs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml
from conftest import ROOT, Rig, eventually, releases
from stress import times
from test_agents import Hands, key, of

from harness.cli.options import ClusterChoice
from harness.common.errors import SpecError
from harness.engines import seat
from harness.engines.drive import Outcome, _Run
from harness.engines.engine import Event
from harness.engines.listener import Listener
from harness.plan.order import Queue
from harness.run.room import AUTO
from harness.run.steps import How, _places
from harness.store import Store

SCRIPT = Path(__file__).with_name("ray.sh")
PROGRAMS = ("ray", "unshare", "nsenter", "ip", "pgrep")


# A Ray of a few lines: actors live in this process ------------------------------------------------


class RayError(Exception): ...


class RayActorError(RayError):
    actor_init_failed = False


class ActorUnavailableError(RayActorError): ...


class Unimportable(RayActorError):
    actor_init_failed = True


class Node:
    def __init__(self, **resources: int):
        self.resources, self.actors, self.alive, self.away = resources, [], True, False


class Answer(SimpleNamespace):
    """What an actor was asked, and what came of it."""


class Handle:
    """An actor; `seat` once a node has room."""

    def __init__(self, ray: "FakeRay", needs: dict[str, int], make: Callable):
        self._ray, self._make, self._node, self._seat = ray, make, None, None
        self._what = "GPU" if needs.get("num_gpus") else "CPU"

    def __getattr__(self, name: str):
        ask = lambda *words: Answer(handle=self, name=name, words=words)  # noqa: E731
        return SimpleNamespace(remote=lambda *words: _hashable(ask(*words)))

    def placed(self) -> Node | None:
        """Where it is, once there is room for it."""
        for node in self._ray.cluster:
            free = node.alive and len(node.actors) < node.resources.get(self._what, 0)
            if free and self._node is None:
                node.actors.append(self)
                self._node, self._seat = node, self._make()
        return self._node


def _hashable(answer: Answer) -> Answer:
    Answer.__hash__ = object.__hash__
    Answer.__eq__ = object.__eq__
    return answer


class FakeRay(ModuleType):
    def __init__(self):
        super().__init__("ray")
        self.cluster: list[Node] = []
        self.exceptions = ModuleType("ray.exceptions")
        for error in (RayError, RayActorError, ActorUnavailableError):
            setattr(self.exceptions, error.__name__, error)

    def init(self, **_):
        pass

    def shutdown(self):
        pass

    def nodes(self):
        return [{"Alive": node.alive, "Resources": node.resources} for node in self.cluster]

    def remote(self, kind: type):
        def options(max_concurrency: int, **needs: int):
            return SimpleNamespace(remote=lambda *words: Handle(self, needs, partial(kind, *words)))

        return SimpleNamespace(options=options)

    def wait(self, asked: list[Answer], num_returns: int = 1, timeout: float = 0):
        return [one for one in asked if one.handle.placed()], []

    def get(self, asked: Answer, timeout: float = 0):
        node = asked.handle.placed()
        if not node.alive:
            raise RayActorError
        if node.resources.get("stranger"):
            raise Unimportable("ray::Seat\nModuleNotFoundError: No module named 'harness'")
        value = getattr(asked.handle._seat, asked.name)(*asked.words)
        if node.away:  # it was done, and nobody hears of it
            raise ActorUnavailableError
        return value


class Worker:
    """In place of a process engine: does each job at once."""

    made: list["Worker"] = []

    def __init__(self, store, workers, checkpoint_seconds, device, first, each):
        self.slots, self.device, self.each = [f"worker-{first}"], device, each
        self.taken, self.said, self.works = [], [], True
        self.made.append(self)

    def start(self):
        pass

    def restart(self, slot: str):
        pass

    def poll(self, timeout: float):
        time.sleep(0.001)
        said, self.said = self.said, []
        return [(self.slots[0], event) for event in said]

    def send(self, slot: str, key: str, again: bool, cards: list[str]):
        self.taken.append(key)
        self.cards = cards
        if self.works:
            self.said.append(Event("done", key))

    def stop(self):
        return 0


@pytest.fixture
def ray(monkeypatch):
    """The module of the engine, with that Ray."""
    fake, name = FakeRay(), "harness.engines.ray"
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setitem(sys.modules, "ray.exceptions", fake.exceptions)
    monkeypatch.setitem(sys.modules, name, fake)  # so that it is taken away again
    del sys.modules[name]
    module = import_module(name)
    for constant, value in {"LOOK": 0.0, "ALONE": 0.05}.items():
        monkeypatch.setattr(module, constant, value)
    monkeypatch.setattr(seat, "LISTEN", 0.01)
    monkeypatch.setattr(seat, "ProcessEngine", Worker)
    monkeypatch.setattr(Worker, "made", [])
    return module


@pytest.fixture
def cluster(ray) -> list[Node]:
    return ray.ray.cluster


@pytest.fixture
def store(tmp_path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


class Driver:
    """An engine, and all that was heard of it."""

    def __init__(self, engine):
        self.engine, self.heard = engine, []
        engine.start()

    def until(self, what: Callable[[], object]):
        deadline = time.monotonic() + 10
        while not what():
            assert time.monotonic() < deadline, self.heard
            self.heard += self.engine.poll(0.01)

    def slots(self, *wanted: str):
        self.until(lambda: self.engine.slots == list(wanted))

    def notes(self) -> list[str]:
        return [event.why for _, event in self.heard if event.event == "note"]


def test_slots_come_and_go_with_the_nodes(ray, cluster, store):
    cluster += [Node(CPU=1), Node(CPU=1)]
    driver = Driver(ray.RayEngine(store))
    driver.slots("worker-0", "worker-1")
    driver.engine.submit("worker-0", "a job", again=False)
    driver.until(lambda: ("worker-0", Event("done", "a job")) in driver.heard)

    cluster[0].alive = False
    driver.slots("worker-1")
    (lost,) = [slot for slot, event in driver.heard if event.event == "lost"]
    assert lost == "worker-0"
    cluster += [Node(CPU=2)]
    driver.slots("worker-1", "worker-0", "worker-2")


def test_what_is_lost_on_the_way_is_asked_again_and_done_once(ray, cluster, store):
    cluster += [Node(CPU=1)]
    driver = Driver(ray.RayEngine(store))
    driver.slots("worker-0")
    cluster[0].away = True
    for job in ("first", "second"):
        driver.engine.submit("worker-0", job, again=False)
        for _ in range(5):
            driver.heard += driver.engine.poll(0.0)
            time.sleep(0.005)
    assert driver.heard == []
    cluster[0].away = False
    driver.until(lambda: len(driver.heard) == 2)
    for _ in range(5):
        driver.heard += driver.engine.poll(0.0)
    assert driver.heard == [("worker-0", Event("done", key)) for key in ("first", "second")]
    assert Worker.made[0].taken == ["first", "second"]


def test_a_worker_that_died_before_an_order_is_not_the_one_that_has_it(ray, store):
    """The driver would give the job back, and this seat's new worker do it beside another."""
    one = seat.Seat(0, str(store), None, "cpu", 1, {})
    (worker,) = Worker.made
    worker.said.append(Event("died", code=-9))
    eventually(lambda: one.said, "the end of a worker")
    one.hear(0, (1, "a job", False, []))
    eventually(lambda: one.hear(0, None) == [Event("done", "a job")], "the job alone")

    worker.works = False
    one.hear(1, (2, "deadly", False, []))
    worker.said.append(Event("died", code=-9))
    eventually(lambda: one.hear(1, None) == [Event("died", code=-9)], "the end of its worker")


def test_gpus_come_first_and_a_cap_holds(ray, cluster, store):
    cluster += [Node(CPU=16), Node(CPU=8, GPU=2)]
    driver = Driver(ray.RayEngine(store))
    driver.slots("worker-0", "worker-1")
    assert {(worker.device, worker.each) for worker in Worker.made} == {("cuda", 4)}
    driver = Driver(ray.RayEngine(store, workers=3, device="cpu"))
    driver.slots("worker-0", "worker-1", "worker-2")
    assert (Worker.made[-1].device, Worker.made[-1].each) == ("cpu", 1)
    for gpus, count in ((2, 2), (None, AUTO)):
        with pytest.raises(SpecError, match="--engine ray"):
            ClusterChoice(gpus=gpus).cluster("ray", count)


def test_how_many_jobs_run_at_once_is_known_before_there_are_workers(ray, cluster, store):
    """The check of the disk asks."""
    cluster += [Node(CPU=16), Node(CPU=8, GPU=2)]
    assert _places(ray.RayEngine(store), How()) == (2, 2)
    assert _places(ray.RayEngine(store, workers=3, device="cpu"), How()) == (3, 3)
    assert _places(ray.RayEngine(store, cluster=ray.RayCluster(gpus=64)), How()) == (64, 64)


def test_a_job_of_several_processes_gets_the_gpus_of_one_host(ray, cluster, store, monkeypatch):
    cluster += [Node(GPU=1), Node(GPU=1)]
    engine = ray.RayEngine(store)
    hosts = iter([("one", "5", ""), ("other", "0", ""), ("other", "1", "")])
    monkeypatch.setattr(ray.Seat, "begin", lambda seat: next(hosts))
    driver = Driver(engine)
    driver.slots("worker-0", "worker-1")
    assert engine.share(engine.slots, 2) == []
    driver.until(driver.notes)
    cluster += [Node(GPU=1)]
    driver.slots("worker-0", "worker-1", "worker-2")
    assert engine.share(engine.slots, 1) == ["worker-0"]
    assert engine.share(engine.slots, 2) == ["worker-1", "worker-2"]
    engine.submit("worker-1", "a job", False, ["worker-2"])
    driver.until(lambda: ("worker-1", Event("done", "a job")) in driver.heard)
    assert Worker.made[1].cards == ["1"]


def test_a_host_that_cannot_work_is_said_and_left_alone(ray, cluster, store, monkeypatch):
    """As long as others can; an error once none can."""
    cluster += [Node(CPU=1)]
    driver = Driver(ray.RayEngine(store))
    driver.slots("worker-0")
    (store / "jobs").rmdir()
    cluster += [Node(CPU=2)]
    driver.until(driver.notes)
    for _ in range(5):
        driver.heard += driver.engine.poll(0.0)
    assert driver.engine.slots == ["worker-0"]
    (said,) = driver.notes()
    assert f"no store {store}" in said
    cluster[:] = [Node(CPU=2)]
    with pytest.raises(ray.HarnessError, match="no worker on any host"):
        Driver(ray.RayEngine(store)).slots("worker-0")


def test_a_node_without_the_harness_is_said(ray, cluster, store):
    cluster += [Node(CPU=1)]
    driver = Driver(ray.RayEngine(store))
    driver.slots("worker-0")
    cluster += [Node(CPU=1, stranger=1)]
    driver.until(driver.notes)
    assert "No module named 'harness'; each needs" in driver.notes()[0]
    assert driver.engine.slots == ["worker-0"]
    cluster[:] = [Node(CPU=1, stranger=1)]
    with pytest.raises(ray.HarnessError, match="No module named 'harness'"):
        Driver(ray.RayEngine(store)).slots("worker-0")


def test_a_node_without_the_harness_may_answer_first(ray, cluster, store):
    cluster += [Node(CPU=1, stranger=1), Node(CPU=1)]
    Driver(ray.RayEngine(store)).slots("worker-1")


def test_more_gpus_than_a_host_has_may_only_come_where_the_cluster_grows(ray, cluster, store):
    cluster += [Node(GPU=1), Node(GPU=1), Node(CPU=8)]
    assert not ray.RayEngine(store).may_hold(2)
    asked = {gpus: ray.RayEngine(store, cluster=ray.RayCluster(gpus=gpus)) for gpus in (1, 2, 3)}
    assert {gpus: engine.may_hold(2) for gpus, engine in asked.items()} == {1: 0, 2: 1, 3: 1}
    cluster += [Node(GPU=2)]
    assert ray.RayEngine(store).may_hold(2)


def test_who_waits_for_a_gpu_is_told(ray, cluster, store):
    cluster += [Node(CPU=4)]
    driver = Driver(ray.RayEngine(store, cluster=ray.RayCluster(gpus=2)))
    driver.until(driver.notes)
    assert "no GPU is free" in driver.notes()[0]
    cluster += [Node(CPU=4, GPU=1)]
    driver.slots("worker-0")


def test_a_job_may_lose_more_workers_than_may_die_of_it(tmp_path):
    """One that is lost has seldom died of its job. What the engine notes reaches who listens."""

    class Noting(Hands):
        def poll(self, timeout: float):
            return [("", Event("note", why="two hosts")), *super().poll(timeout)]

    class Heard(Listener):
        def note(self, text: str):
            notes.append(text)

    store, jobs, notes, outcome = (
        Store(tmp_path / "store"),
        of("sound", "unlucky", "deadly"),
        [],
        Outcome(),
    )
    lost, died = Event("lost", why="its worker was lost"), Event("died", code=-9)
    hands = Noting(store, {"unlucky": lost, "deadly": died})
    queue = Queue(jobs.jobs.values(), {}, 0)  # nobody knew how many workers there would be
    _Run(jobs, store, hands, Heard(), False, outcome, queue).until_done()
    assert Counter(hands.tried) == {key("sound"): 1, key("unlucky"): 5, key("deadly"): 2}
    assert outcome.done == [key("sound")]
    assert outcome.failed[key("unlucky")].why == "its worker was lost"
    assert set(notes) == {"two hosts"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--engine", "ray"], 3, "needs the package ray, here and on every node: pip install"),
        (["--address", "a:1"], 2, "--address: only with --engine ray"),
        (["--engine", "ray", "--time", "4:00:00"], 2, "--time: only with --engine slurm"),
    ],
)
def test_what_is_missing_or_does_not_go_together(
    rig: Rig, tmp_path, monkeypatch, words, code, said
):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = rig.here(["eval", *words], tmp_path)
    assert done.returncode == code
    assert said in done.stderr and len(done.lines) == 1


def test_the_pods_of_the_docs_see_the_same_store_and_run_the_same_ray():
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    job, claim = yaml.safe_load_all(block)
    cluster = job["spec"]["rayClusterSpec"]
    pods = [
        group["template"]["spec"]
        for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    ]
    for pod in pods:
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert container["image"] == pods[0]["containers"][0]["image"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/runs"}]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert pod["securityContext"]["runAsUser"] == 10001  # the image's
    assert f"ray[default]=={cluster['rayVersion']}" in page


# On a cluster -------------------------------------------------------------------------------------


PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def lacking() -> str:
    """Why there can be no cluster here; "" if there can."""
    if not times(quick=False, long=True):
        return "minutes: make stress"
    if find_spec("ray") is None:
        return "no ray: pip install xstilts-harness[ray]"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a network namespace is made by root, on Linux"
    if names := [name for name in PROGRAMS if not shutil.which(name, path=PATH)]:
        return f"no {', '.join(names)}: apt-get install iproute2 util-linux procps"
    return ""


@pytest.fixture
def nodes(rig: Rig, tmp_path):
    """Three nodes of a CPU each; a function that calls the script."""
    folder = tmp_path / "ray"
    env = rig.environment(PATH=PATH)

    def script(what: str, *words: object) -> None:
        subprocess.run([SCRIPT, what, folder, *map(str, words)], env=env, check=True)

    try:
        script("up", 3)
        yield script
    finally:
        script("down")


@pytest.mark.slow
@pytest.mark.skipif(bool(lacking()), reason=lacking())
def test_a_run_on_ray_survives_the_loss_of_a_node_and_ends_with_the_bytes_of_one_machine(
    rig: Rig, undisturbed, nodes, tmp_path
):
    here = tmp_path / "here"
    store = here / "runs" / "store"
    suite = ["tiny", "--specs", rig.specs, "--encoder-root", rig.encoders]
    words = rig.command("eval", "--suite", *suite, "--checkpoint-seconds", 0, "--engine", "ray")
    command = [SCRIPT, "on", tmp_path / "ray", "1", *words]

    first = rig.start(command, here)
    eventually(lambda: list(store.glob("checkpoints/*/update-*.pt")), "a checkpoint")
    nodes("kill", 2)
    nodes("start", 4)
    eventually(lambda: "was lost" in (here / "said").read_text(), "the loss of a node")
    # `on` waits outside for the command, which is in the node's process namespace
    (child,) = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)
    assert first.wait(timeout=30) == 143

    done = rig.run(command, here)
    assert done.returncode == 0, done.stderr
    assert releases(here) == releases(undisturbed)
