"""One training by several processes: the update of one process, the same bytes however often, and
what becomes of it where one of them is lost."""

import io
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from conftest import eventually
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load
from test_loop import context, make_job, outputs

from harness.common.errors import HarnessError, SpecError
from harness.engines import drive, process, slurm, watch
from harness.engines.crew import Shared, folder_of
from harness.engines.drive import Outcome, _Run, take_part
from harness.engines.engine import Event
from harness.engines.listener import Listener
from harness.engines.slurm import Cluster
from harness.jobs import follow, ranks, run, train
from harness.jobs.context import Context, JobError, Stopped
from harness.models.batching import dealt
from harness.plan.graph import Job, Jobs
from harness.plan.order import Queue
from harness.store import Store, key_of
from harness.store.lease import _birth

POPEN = subprocess.Popen


class Forked:
    """A process as `subprocess` starts it, but forked, so that it need not load torch again."""

    started: list["Forked"] = []

    def __init__(self, words, **_):
        reading, writing = os.pipe()
        self.pid, self.returncode = os.fork(), None
        if not self.pid:
            os.dup2(reading, 0)
            os.close(writing)
            follow.main(words[3:])
        os.close(reading)
        self.stdin = os.fdopen(writing, "wb")
        self.started.append(self)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout=None):
        deadline = time.monotonic() + (timeout or 60)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a forked process", timeout)
            time.sleep(0.002)

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@pytest.fixture
def forked(monkeypatch):
    """The other processes are forks of this one."""
    monkeypatch.setattr(ranks.subprocess, "Popen", Forked)
    monkeypatch.setattr(ranks, "SAME", 0.1)
    monkeypatch.setattr(ranks, "GRACE", 60.0)  # nobody takes so long, however busy the machine
    Forked.started.clear()


@pytest.fixture(scope="module")
def warm() -> dict:
    return {}


def shared(tmp: Path, job: dict, warm: dict, **more) -> tuple[dict[str, bytes], Context]:
    """A training, and what it leaves."""
    ctx = context(tmp, job, warm=warm, **more)
    ctx.store.write_job(job["key"], job)
    train.run(ctx)
    return outputs(ctx), ctx


@pytest.fixture(scope="module")
def kept() -> dict:
    return {}


def undisturbed(kept: dict, tmp: Path, job: dict, warm: dict) -> dict[str, bytes]:
    """What that job leaves, the same for all tests here; it has so many processes."""
    size = job["versions"]["world_size"]
    if size not in kept:
        kept[size] = shared(tmp / "whole", job, warm)[0]
    return kept[size]


def losses(files: dict[str, bytes]) -> list[float]:
    lines = map(json.loads, files["metrics.jsonl"].splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def of_one_process(monkeypatch, tmp: Path, job: dict, warm: dict) -> dict[str, bytes]:
    """The same training by one process that does the share of each."""

    class All(ranks.Ranks):
        def sum(self, tensors):
            pass

        def meet(self, update):
            pass

    @contextmanager
    def together(ctx):
        yield All(ANY, ctx.job["versions"]["world_size"])

    with monkeypatch.context() as patch:
        patch.setattr(train, "together", together)
        return shared(tmp, job, warm)[0]


def noting_weights(monkeypatch, folder: Path) -> None:
    """Every process leaves the hash of its weights after its last update."""
    update = train._Loop.update

    def noted(self, given):
        update(self, given)
        if self.step == self.updates:
            data = b"".join(w.detach().numpy().tobytes() for w in self.weights().values())
            temp = folder / f"temp-{self.ranks.number}"
            temp.write_text(sha256(data).hexdigest())
            temp.rename(folder / f"weights-{self.ranks.number}")
            if self.ranks.number == 0:  # which ends the others once it is done
                eventually(lambda: len(list(folder.glob("weights-*"))) == self.ranks.size, "all")

    monkeypatch.setattr(train._Loop, "update", noted)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(1, 5), st.integers(0, 9))
def test_every_row_is_dealt_once_and_all_have_as_many(lengths, size, first):
    shares = dealt(np.array(lengths), size, first)
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(lengths)))
    rows = [len(share) for share in shares]
    tokens = [sum(lengths[i] for i in share) for share in shares]
    assert len(shares) == size and max(rows) - min(rows) <= 1
    assert max(tokens) - min(tokens) <= max(lengths)


def test_tensors_are_summed_in_bundles_and_each_once(monkeypatch):
    monkeypatch.setattr(ranks, "BUNDLE", 10)
    tensors = [torch.zeros(size) for size in (4, 6, 1, 30, 9, 1, 1)]
    bundles = [[len(one) for one in some] for some in ranks._bundles(tensors)]
    assert bundles == [[4, 6], [1], [30], [9, 1], [1]]

    monkeypatch.setattr(ranks.distributed, "all_reduce", lambda flat: flat.mul_(2))
    tensors = [torch.arange(6.0).view(2, 3).T, torch.tensor(7.0), torch.arange(20.0)]
    ranks.Ranks(0, 2).sum(tensors)
    assert torch.equal(tensors[0], 2 * torch.arange(6.0).view(2, 3).T)
    assert tensors[1] == 14 and torch.equal(tensors[2], 2 * torch.arange(20.0))


def test_who_is_alone_makes_no_float64_which_a_mac_does_not_have(monkeypatch):
    monkeypatch.setattr(ranks, "torch", None)
    ranks.ALONE.meet(3)


# The last batch of an epoch has one row: two of three processes have none.
LONG = {"rows": 17, "epochs": 4, "weight_decay": 0.01, "micro_tokens": 30}
# The true gradient of some biases is zero: Adam would make steps of its rounding errors.
LONG |= {"adam_epsilon": 1e-4}


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_update_as_one_and_always_the_same(
    tmp_path, folder, warm, forked, monkeypatch, size
):
    job = make_job(tmp_path, folder, "tagging", world_size=size, **LONG)
    one = of_one_process(monkeypatch, tmp_path / "one", job, warm)
    noting_weights(monkeypatch, tmp_path)
    several, _ = shared(tmp_path / "several", job, warm)
    assert len({path.read_text() for path in tmp_path.glob("weights-*")}) == 1
    expected = load(one["model.safetensors"])
    for name, tensor in load(several["model.safetensors"]).items():
        assert (tensor - expected[name]).abs().max() < 3e-7, name
    assert losses(several) == pytest.approx(losses(one), rel=1e-5)
    again, _ = shared(tmp_path / "again", job, warm)
    assert again == several


def test_the_processes_that_a_worker_starts_do_the_same(
    tmp_path, folder, warm, kept, forked, monkeypatch
):
    job = make_job(tmp_path, folder, "classification", world_size=2)
    expected = undisturbed(kept, tmp_path, job, warm)
    monkeypatch.setattr(ranks.subprocess, "Popen", POPEN)
    assert shared(tmp_path / "started", job, warm)[0] == expected


def test_asked_to_stop_it_saves_and_goes_on_to_the_same_bytes(tmp_path, folder, warm, kept, forked):
    job = make_job(tmp_path, folder, "classification", world_size=2)
    whole = undisturbed(kept, tmp_path, job, warm)
    Forked.started.clear()
    with pytest.raises(Stopped):
        shared(tmp_path / "stopped", job, warm, stop_before=3)
    assert [one.returncode for one in Forked.started] == [0]
    resumed, ctx = shared(tmp_path / "stopped", job, warm)
    assert resumed == whole and ctx.facts["resumed_at"] == 3


@pytest.mark.parametrize("victim", [0, 1])
def test_a_lost_process_ends_the_others_and_the_next_run_goes_on(
    tmp_path, folder, warm, kept, forked, monkeypatch, victim, capfd
):
    job = make_job(tmp_path, folder, "classification", world_size=3)
    whole = undisturbed(kept, tmp_path, job, warm)
    update = train._Loop.update

    def die(self, given):
        (tmp_path / f"pid-{self.ranks.number}").write_text(str(os.getpid()))
        if self.ranks.number == victim and self.step == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        update(self, given)

    with monkeypatch.context() as patch:
        patch.setattr(train._Loop, "update", die)
        first = os.fork()
        if not first:
            shared(tmp_path / "killed", job, warm, checkpoint_seconds=0)
            os._exit(99)
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    pids = [int(path.read_text()) for path in tmp_path.glob("pid-*")]
    assert len(pids) == 3
    eventually(lambda: not any(map(_birth, pids)), "the end of the other processes")
    if victim:
        assert code == 1
        assert "process 1 of 3 ended with code -9; so do the others" in capfd.readouterr().err
    resumed, ctx = shared(tmp_path / "killed", job, warm)
    # the first may have been ended while it saved update 4
    assert resumed == whole and ctx.facts["resumed_at"] in (3, 4)


def test_the_reason_of_another_process_is_the_job_s(
    tmp_path, folder, warm, forked, monkeypatch, capfd
):
    job = make_job(tmp_path, folder, "classification", world_size=2)
    update = train._Loop.update

    def full(self, given):
        if self.ranks.number == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        update(self, given)

    monkeypatch.setattr(train._Loop, "update", full)
    said = failed_alone(tmp_path / "memory", job, warm)
    assert "the memory of this GPU ran out" in said["why"] and said["by_host"]

    monkeypatch.setattr(follow, "device", lambda: "cuda")
    said = failed_alone(tmp_path / "device", job, warm)
    assert "process 1 of 2, which share it, computes on cuda, the first on cpu" in said["why"]


def failed_alone(tmp: Path, job: dict, warm: dict) -> dict:
    """What a worker, a process of its own, tells the driver of a training that ends it."""
    store = Store(tmp)
    store.write_job(job["key"], job)
    first = os.fork()
    if not first:
        channel = SimpleNamespace(events=(tmp / "events").open("w"))
        worker = run.Worker(store, None, channel)
        worker.kept.encoders = warm
        worker._serve_one(job["key"])
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) == 1
    events = map(json.loads, (tmp / "events").read_text().splitlines())
    [said] = [event for event in events if event["event"] == "failed"]
    assert said["key"] == job["key"]
    return said


def test_a_loss_that_is_no_number_ends_all(tmp_path, folder, warm, forked):
    job = make_job(tmp_path, folder, "classification", world_size=2, learning_rate=1e30)
    with pytest.raises(JobError, match="lower the learning rate"):
        shared(tmp_path / "run", job, warm)
    assert [one.returncode for one in Forked.started] == [0]


def test_the_number_of_processes_is_in_the_key_where_a_recipe_says_one(tmp_path, folder):
    keys = {}
    for size in (None, 1, 2, 3):
        told = {} if size is None else {"world_size": size}
        job = make_job(tmp_path, folder, "classification", **told)
        assert job["versions"]["world_size"] == (size or 1)
        keys[size] = job["key"]
    assert keys[None] == keys[1]
    assert len(set(keys.values())) == 3


def test_fewer_gpus_than_processes_are_an_error(tmp_path, folder, monkeypatch):
    ctx = context(tmp_path, make_job(tmp_path, folder, "classification", world_size=4))
    monkeypatch.setattr(ranks, "device", lambda: "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    with pytest.raises(JobError, match=r"4 processes share it .* given to it here: 2"):
        train.run(ctx)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,0,2")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in ranks._cards(ctx, 4)] == ["1", "0", "2"]
    ctx.cards = ["7", "5", "6"]  # what the driver has said goes before
    assert [one["CUDA_VISIBLE_DEVICES"] for one in ranks._cards(ctx, 3)] == ["7", "5"]


# Who gets which slots -----------------------------------------------------------------------------


def job(name: str, slots: int, *rank: int) -> Job:
    return Job(key_of(name), "train", name, [], {}, rank, slots=slots)


class Quick:
    """An engine that says what it is told to say, then that its jobs are done, one after the
    other."""

    def __init__(self, slots: int, said=()):
        self.slots, self.said = [f"worker-{i}" for i in range(slots)], list(said)
        self.given, self.started, self.busy = [], [], []

    def start(self):
        pass

    def restart(self, slot):
        self.started.append(slot)

    def share(self, idle, count):
        return list(idle[:count]) if len(idle) >= count else []

    def may_hold(self, count):
        return count <= len(self.slots)

    def submit(self, slot, key, again, beside=()):
        self.given.append((key, slot, *beside))
        self.busy.append((slot, Event("done", key=key)))

    def poll(self, timeout):
        return [self.said.pop(0) if self.said else self.busy.pop(0)]

    def stop(self):
        return 0


def driven(store: Store, engine: Quick, *jobs: Job) -> list[str]:
    """What was given to which slots."""
    every = Jobs(jobs={one.key: one for one in jobs})
    queue = Queue(jobs, {}, len(engine.slots))
    outcome = Outcome()
    _Run(every, store, engine, Listener(), False, outcome, queue).until_done()
    assert sorted(outcome.done) == sorted(every.jobs)
    names = {one.key: one.name for one in jobs}
    return [" ".join([names[key], *slots]) for key, *slots in engine.given]


def test_a_shared_job_waits_for_its_slots_and_nothing_smaller_goes_before_it(tmp_path):
    jobs = [job("a", 1, 0), job("wide", 3, 1), job("b", 1, 2), job("c", 1, 3)]
    assert driven(Store(tmp_path), Quick(3), *jobs) == [
        "a worker-0",
        "wide worker-0 worker-1 worker-2",
        "b worker-0",
        "c worker-1",
    ]


def test_a_job_that_waits_for_slots_is_not_asked_for_at_every_word(tmp_path, monkeypatch):
    """On a cluster each question goes to the file server."""
    words = [("worker-0", Event("progress", done=done, total=20)) for done in range(20)]
    asked, manifest = [], Store.manifest
    monkeypatch.setattr(Store, "manifest", lambda *of: (asked.append(of[1]), manifest(*of))[1])
    driven(Store(tmp_path), Quick(2, words), job("a", 1, 0), job("wide", 2, 1))
    assert asked.count(key_of("wide")) <= 5


def test_an_idle_worker_of_a_shared_job_may_die(tmp_path):
    engine = Quick(2, said=[("worker-1", Event("died", code=-9))])
    assert driven(Store(tmp_path), engine, job("wide", 2)) == ["wide worker-0 worker-1"]
    assert engine.started == ["worker-1"]


class Growing(Quick):
    """One that gets a host more once nothing runs, if it `may`."""

    may = True

    def poll(self, timeout):
        if self.busy:
            return super().poll(timeout)
        self.slots += ["worker-2"] * self.may
        return []


def test_a_shared_job_without_a_host_holds_up_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(drive, "BUSY_WAIT", 0.0)
    jobs = [job("wide", 3, 0), job("a", 1, 1), job("b", 1, 2)]
    order = ["a worker-0", "b worker-1", "wide worker-0 worker-1 worker-2"]
    assert driven(Store(tmp_path / "grows"), Growing(2), *jobs) == order

    engine = Growing(2)
    engine.may = False
    monkeypatch.setattr(drive, "ROOM_WAIT", 0.0)
    with pytest.raises(SpecError, match="wide: 3 processes share it"):
        driven(Store(tmp_path / "stays"), engine, *jobs)
    assert len(engine.given) == 2


def test_what_a_worker_says_of_another_job_ends_none(tmp_path):
    engine = Quick(1, said=[("worker-0", Event("done", key="a job before"))])
    driven(Store(tmp_path), engine, job("a", 1))
    assert engine.busy == []  # its own end was waited for


def test_more_processes_than_an_engine_has_room_for_are_refused_before_it_starts(tmp_path):
    engine = Quick(2)
    with pytest.raises(SpecError, match=r"wide: 3 processes share it \(`world_size`"):
        jobs = Jobs(jobs={"wide": job("wide", 3)})
        take_part(jobs, {}, Store(tmp_path), engine, Listener(), None, 1)
    assert engine.given == []


def test_processes_get_a_gpu_each(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "chosen_gpus", lambda device: ["4", "7"])
    engine = process.ProcessEngine(tmp_path, 4)
    first, second, third, _ = engine.slots  # on 4, 7, 4, 7
    assert engine.share(engine.slots, 1) == [first]
    assert engine.share([third, first, second], 2) == [third, second]
    assert engine.share([first, third], 2) == []
    assert engine.share(engine.slots, 3) == []

    engine._process[third] = SimpleNamespace(stdin=io.BytesIO())
    engine.submit(third, "abc", True, [second])
    line = engine._process[third].stdin.getvalue()
    assert line == b"abc again beside=7\n"

    worker = run.Worker(Store(tmp_path), None, SimpleNamespace(events=io.StringIO()))
    told = []
    monkeypatch.setattr(run, "run_job", lambda *given: told.append(given) or "done")
    for one in (line.decode(), "abc\n"):
        worker._serve_one(one)
        told[-1] = (*told[-1][1:2], told[-1][4], told[-1][5].cards)
    assert told == [("abc", True, ["7"]), ("abc", False, None)]


def test_without_gpus_processes_share_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "chosen_gpus", lambda device: [])
    engine = process.ProcessEngine(tmp_path, 2)
    assert engine.share(engine.slots, 5) == engine.slots
    assert engine.share(engine.slots[:1], 2) == []


def test_slurm_gives_an_agent_as_many_gpus_as_processes_share_a_job():
    jobs = Jobs(jobs={"wide": job("wide", 4), "a": job("a", 1)})
    asked = Cluster(8).with_room(jobs)
    assert (asked.agents, asked.gpus, asked.cores) == (2, 4, 16)
    assert Cluster(8).with_room(Jobs(jobs={"a": job("a", 1)})) == Cluster(8)
    with pytest.raises(SpecError, match="--gpus 2: 4 processes share a training"):
        Cluster(2).with_room(jobs)


def test_slurms_agents_have_workers_for_their_gpus_and_what_they_say_last_is_told(
    tmp_path, monkeypatch
):
    """--gpus 6 --workers 2: one agent of four GPUs, each with two workers."""
    jobs, store, notes = Jobs(jobs={key_of("wide"): job("wide", 4)}), Store(tmp_path), []
    folder = folder_of(store, "run")
    error = "2 jobs in a row failed\n"
    monkeypatch.setattr(slurm, "agents_of", lambda run: {})
    monkeypatch.setattr(watch, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(
        slurm, "submit", lambda script: (folder / "agent-0.log").write_text(f"began\n{error}")
    )
    listener = Listener()
    listener.note = notes.append
    engine = slurm.SlurmEngine(store.root, 2, cluster=Cluster(6))
    with pytest.raises(HarnessError, match=f"the last line of 1 agent: {error}"):
        engine.run("run", jobs, {}, listener, False)
    assert len(notes) == 1 and notes[0].startswith("--gpus 6: 2 of them not used")

    told = Shared.read(folder)
    monkeypatch.setattr(process, "chosen_gpus", lambda device: ["0", "1", "2", "3"])
    node = process.ProcessEngine(store.root, told.workers)
    assert len(node.slots) == 8 and len(node.share(node.slots, 4)) == 4
