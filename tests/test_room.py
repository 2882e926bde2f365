"""How many workers a GPU has memory for. There is none here: `nvidia-smi` is a script."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.engines import agent, process, slurm
from harness.engines.listener import Listener
from harness.engines.slurm import Cluster, SlurmEngine
from harness.plan.graph import Jobs
from harness.run import room
from harness.sources.encoders import FoundEncoder
from harness.spec.recipe import Recipe
from harness.store import Store

# file size of the weights, layers, weights of the layers
LARGE = (2.24e9, 24, 302_000_000)
SMALL = (0.09e9, 6, 10_600_000)


def plan_of(tmp_path: Path, size: tuple[float, int, int]) -> SimpleNamespace:
    bytes_of, layers, weights = size
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(int(bytes_of))  # a hole: takes no disk
    found = FoundEncoder("it", tmp_path, {}, layers=layers, weights=weights)
    return SimpleNamespace(encoders={"it": found})


def job(kind: str = "train", family: str = "classification", **recipe) -> SimpleNamespace:
    spec = {"recipe": Recipe(learning_rate=1e-5, **recipe).model_dump()}
    spec["tasks"] = {"toy": {"family": family}}
    body = {"encoder": {"name": "it"}, "spec": spec}
    return SimpleNamespace(kind=kind, body=body)


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Says how many MiB are free on each of two cards, and how many cores there are."""

    def there(free: str, cores: int = 16) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f'#!/bin/sh\ntest "$3" = -i || exit 9\n{free}\n')
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
        monkeypatch.setattr(process, "cores", lambda: cores)

    return there


def test_the_papers_encoder_takes_what_the_protocols_say(tmp_path):
    plan = plan_of(tmp_path, LARGE)
    assert room.needed(job(micro_tokens=4096), plan) == pytest.approx(13.9e9, rel=0.02)
    masked = room.needed(job(family="mlm", micro_tokens=4096), plan)
    assert 15e9 < masked < 18e9
    assert room.needed(job("evaluate"), plan) < 5e9


@pytest.mark.parametrize(
    ("free", "cores", "size", "workers"),
    [
        ("echo 80000", 16, SMALL, 8),  # at most four each
        ("echo 80000", 6, SMALL, 6),  # a core each
        ("echo 80000", 16, LARGE, 8),
        ("echo 40000", 16, LARGE, 4),
        ('test "$4" = 3 && echo 20000 || echo 80000', 16, LARGE, 2),  # the fuller card decides
        ("echo 8000", 16, LARGE, 2),  # none would do nothing
        ("echo '[N/A]'", 16, SMALL, 2),
        ("exit 1", 16, SMALL, 2),
    ],
)
def test_workers_are_as_many_as_memory_and_cores_allow(tmp_path, cards, free, cores, size, workers):
    cards(free, cores)
    jobs = [job("evaluate"), job(micro_tokens=4096), SimpleNamespace(kind="overlap", body={})]
    assert process.fitting(room.room(plan_of(tmp_path, size), jobs), None) == workers


def test_without_a_gpu_there_are_as_many_as_ever(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert process.fitting(1e9, None) == process.machine().workers


def test_an_agent_finds_out_on_its_own_node(tmp_path, cards, monkeypatch):
    """What the largest job takes is told by who submits; how many fit, where they run."""
    cards("echo 80000")
    store = Store(tmp_path / "store")
    told = SlurmEngine(
        store.root, cluster=Cluster(2, need=room.needed(job(), plan_of(tmp_path, LARGE)))
    )
    monkeypatch.setattr(slurm, "agents_of", lambda run: {})
    monkeypatch.setattr(slurm, "submit", lambda script: None)
    assert told.run("run", Jobs(), {}, Listener(), False) == ([], {})
    began = []
    monkeypatch.setattr(
        agent, "take_part", lambda jobs, costs, store, engine, *_: began.append(engine)
    )
    agent.take_part_in(store, "run", "0")
    assert len(began[0].slots) == 8


def test_workers_take_turns_with_the_cards(tmp_path, monkeypatch):
    """Four on two cards: two on each."""
    started = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")

    def popen(*_, env, **__):
        started.append(env["CUDA_VISIBLE_DEVICES"])
        raise InterruptedError

    monkeypatch.setattr(process.subprocess, "Popen", popen)
    engine = process.ProcessEngine(tmp_path, 4)
    for slot in engine.slots:
        with pytest.raises(InterruptedError):
            engine.restart(slot)
    assert sorted(started) == ["0", "0", "3", "3"]
