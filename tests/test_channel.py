"""The pipes between driver and worker, while everything else in the worker prints, asks, forks and
dies."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from conftest import PATIENCE, eventually, kill

from harness.engines.engine import Event
from harness.engines.process import ProcessEngine
from harness.run import steps
from harness.run.choice import Choice
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import Store

# What a worker's process does beside its work, before it starts (a sitecustomize) and in the middle
# of a job.
NOISE = """
import ctypes, os, subprocess, sys, time
if "harness.jobs" in sys.orig_argv or "job" in sys.orig_argv:
    print("noise at the start")
    print(3)
    print('["a list"]')
    print('{"no": "event"}', flush=True)
    if "harness.jobs" in sys.orig_argv:
        os.write(1, b"\\xff\\xfe no text\\n")
    print("begun, and not ended: ", end="", flush=True)

    class Noisy:
        def find_spec(self, name, path=None, target=None):
            if name == "harness.jobs.leaks":
                make_noise()

    def make_noise():
        print("noise of Python")
        os.write(1, b"noise of a system call")
        ctypes.CDLL(None).printf(b"noise of C\\n")
        subprocess.run(["sh", "-c", "echo noise of a child; cat"])  # cat would eat keys
        try:
            answer = input("Do you wish to run the custom code? [y/N] ")
        except EOFError:
            answer = "nothing"
        print(f"answered: {answer}")
        if "harness.jobs" in sys.orig_argv and not os.fork():
            time.sleep(600)  # holds whatever it has

    sys.meta_path.insert(0, Noisy())
    {more}
"""
LEFT_BEHIND = """
    if not os.fork():  # before the worker took its pipes away
        time.sleep(600)
"""


@pytest.fixture
def world(rig, tmp_path, monkeypatch):
    """A store with jobs that need no torch, and an environment in which workers are noisy."""

    def make(more: str = "") -> tuple[Store, list[str]]:
        folder = tmp_path / "noisy"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(NOISE.replace("{more}", more.strip()))
        for name, value in rig.environment(PYTHONPATH=str(folder)).items():
            monkeypatch.setenv(name, value)
        store = Store(tmp_path / "store")
        where = Where(encoder_root=rig.encoders, offline=True)
        plan = steps.plan_suite(Catalog.load([rig.specs]), Choice("tiny"), where, store)
        keys = [key for key, job in plan.jobs.items() if job.kind == "overlap"]
        for key in keys:
            store.write_job(key, plan.jobs[key].body)
        return store, keys

    yield make
    for pid in sleepers(tmp_path):
        kill(pid)


def sleepers(folder: Path) -> list[int]:
    """Processes with that folder in their environment, which only noisy ones have."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.fsencode(folder / "noisy") in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def heard(engine: ProcessEngine, kind: str) -> Event:
    """The next event of that kind; all others say how a job goes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for _, event in engine.poll(0.2):
            if event.event == kind:
                return event
            assert event.event in ("progress", "logged"), event
    raise AssertionError(f"heard no {kind!r}")


def test_nothing_that_is_printed_reaches_the_channel_and_no_key_is_lost(world):
    store, keys = world()
    engine = ProcessEngine(store.root, workers=1)
    engine.start()
    for key in keys[:3]:
        # the second and the third lie in the pipe while the first makes noise
        engine.submit("worker-0", key, again=False)
    for key in keys[:3]:
        assert heard(engine, "done") == Event("done", key=key)
    engine.stop()
    log = (store.root / "logs" / "worker-0.log").read_text(errors="replace")
    for noise in ("at the start", "of Python", "of a system call", "of C", "of a child"):
        assert f"noise {noise}" in log
    assert "answered: nothing" in log
    assert '{"no": "event"}' in log and "begun, and not ended" in log


@pytest.mark.parametrize("more", ["", LEFT_BEHIND], ids=["forked in a job", "forked before all"])
def test_a_worker_that_dies_is_heard_though_a_child_of_it_lives(world, more):
    store, keys = world(more)
    engine = ProcessEngine(store.root, workers=1)
    engine.start()
    engine.submit("worker-0", keys[0], again=False)
    heard(engine, "done")
    os.kill(engine._process["worker-0"].pid, signal.SIGKILL)
    assert heard(engine, "died").code == -signal.SIGKILL
    assert eventually(lambda: sleepers(store.root.parent), "children that outlive the worker")
    engine.stop()


def test_a_worker_ends_when_its_driver_closes_the_pipe_though_a_child_lives(world):
    store, keys = world()
    engine = ProcessEngine(store.root, workers=1)
    engine.start()
    engine.submit("worker-0", keys[0], again=False)
    heard(engine, "done")
    process = engine._process["worker-0"]
    process.stdin.close()
    assert process.wait(PATIENCE) == 143  # as if the driver had ended it


def test_a_job_alone_prints_its_line_and_no_more(rig, world, tmp_path):
    store, keys = world()
    environment = {"PYTHONPATH": str(tmp_path / "noisy")}
    done = rig.run(
        rig.command("job", "run", keys[0], "--store", store.root), tmp_path, **environment
    )
    assert done.returncode == 0, done.stderr
    # what came before our first line of code
    before, _, line = done.stdout.partition("begun, and not ended: ")
    assert before.startswith("noise at the start\n") and line == f"{keys[0]}: done\n"
    for noise in ("of Python", "of a system call", "of C", "of a child"):
        assert f"noise {noise}" in done.stderr
    assert "answered: nothing" in done.stderr
    assert json.loads(store.path(keys[0], "overlap.json").read_text())
