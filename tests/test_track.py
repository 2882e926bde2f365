"""Trackers: each point once, wherever a run was broken off; a tracker that fails stops itself and
not the run. TensorBoard's files are read back by its own reader."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import page_fixtures as made
import pytest

from harness.common.errors import HarnessError, MissingError, SpecError
from harness.engines.listener import Logged
from harness.plan.graph import Job, Plan
from harness.run import track
from harness.run.track import TRACKERS, Tracking, tracking
from harness.store import Store

KEY = "ab" * 32
JOB = Job(KEY, "train", "train tiny target tiny_mood seed 1", [], {})
LINES = [
    {"update": 1, "loss": 0.7, "learning_rate": 1e-4, "tokens": 100},
    {"update": 2, "loss": 0.6, "learning_rate": 5e-5, "tokens": 200},
    {"update": 2, "dev": {"tiny_mood": {"accuracy": 50.0}}},
]
LOSS, DEV = "loss", "dev/tiny_mood/accuracy"


class Fake:
    """Keeps what it is told; `broken`: raises at the next point."""

    module, install = "json", "json"
    told: list[tuple[str, int, str, float]] = []
    results_told: list[int] = []
    broken = False

    def __init__(self, run):
        self.where = f"nowhere, {run.name}"

    def points(self, job, update, values):
        if Fake.broken:
            raise ConnectionError("no way\nto there")
        self.told += [(job, update, name, value) for name, value in values.items()]

    def results(self, step, values):
        self.results_told.append(step)

    def close(self):
        """Nothing is open."""


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Fake, "told", [])
    monkeypatch.setattr(Fake, "results_told", [])
    monkeypatch.setattr(Fake, "broken", False)
    return {"fake": Fake}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def plan():
    suite = SimpleNamespace(suite="tiny", model_dump=lambda **_: {"suite": "tiny", "seeds": [1]})
    return Plan(suite, jobs={KEY: JOB})


def commit(store: Store) -> None:
    with store.workdir(KEY) as folder:
        log = "".join(json.dumps(line) + "\n" for line in LINES)
        (folder / "metrics.jsonl").write_text(log)
        store.commit(KEY, folder, {})


def said(told: Tracking, *lines: dict) -> None:
    for line in lines:
        told.logged(JOB, Logged.of(line))


def curve(name: str) -> list[tuple[int, float]]:
    return [(update, value) for _, update, of, value in Fake.told if of == name]


WHOLE = {LOSS: [(1, 0.7), (2, 0.6)], DEV: [(2, 50.0)]}


def test_a_training_broken_off_and_gone_on_from_a_checkpoint_tells_each_point_once(
    fake, store, plan
):
    with tracking(fake, plan, store, print) as told:
        said(told, *LINES[:2])
    # from the checkpoint after update 1, and then from the store
    with tracking(fake, plan, store, print) as told:
        said(told, *LINES[1:])
        commit(store)
        told.done(JOB)
    with tracking(fake, plan, store, print):
        pass
    assert {name: curve(name) for name in WHOLE} == WHOLE
    assert max(Counter((job, update, name) for job, update, name, _ in Fake.told).values()) == 1


def test_what_was_computed_without_a_tracker_is_told_when_there_is_one(fake, store, plan):
    commit(store)
    with tracking(fake, plan, store, print):
        pass
    assert {name: curve(name) for name in WHOLE} == WHOLE
    assert {job for job, *_ in Fake.told} == {f"{JOB.name} {KEY[:8]}"}


def test_speed_is_told_of_what_was_done_while_it_was_watched(fake, store, plan, monkeypatch):
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(track.time, "monotonic", lambda: next(clock))
    with tracking(fake, plan, store, print) as told:
        said(told, *LINES)
    assert curve("tokens_per_second") == [(2, 50.0)]

    # a burst, of what was done earlier, says nothing of speed
    clock = iter([20.0, 20.01, 21.0, 21.01, 22.0])
    later = [{"update": 10 + i, "loss": 0.5, "tokens": 1000 + 100 * i} for i in range(5)]
    with tracking(fake, plan, store, print) as told:
        said(told, *({**line, "again": True} for line in later[:2]), *later[2:])
    speeds = curve("tokens_per_second")[1:]
    assert [update for update, _ in speeds] == [12, 14]
    assert [speed for _, speed in speeds] == pytest.approx([100 / 0.99, 200 / 1.0])


def test_a_tracker_that_fails_stops_and_the_run_goes_on(fake, store, plan, monkeypatch):
    heard = []
    with tracking(fake | {"other": Fake}, plan, store, heard.append) as told:
        monkeypatch.setattr(Fake, "broken", True)
        said(told, LINES[0])
        monkeypatch.setattr(Fake, "broken", False)
        said(told, LINES[1])
    assert heard[2:] == [
        "--track fake stopped: no way; the run goes on",
        "--track other stopped: no way; the run goes on",
    ]
    assert Fake.told == []


def test_a_tracker_that_cannot_start_is_said_before_the_run(fake, store, plan, monkeypatch):
    def broken(run):
        raise OSError("no account\nlog in")

    with (
        pytest.raises(HarnessError, match=r"^--track fake: no account$"),
        tracking({"fake": broken}, plan, store, print),
    ):
        pass


def test_results_of_a_release_are_told_once(fake, store, plan):
    release = made.committed(made.SUITE)
    for _ in range(2):
        with tracking(fake, plan, store, print) as told:
            told.results(release)
    assert Fake.results_told == [0]

    values = track.results_of(release)
    (gain,) = [g for g in release.gains if (g.arm, g.target) == ("squad", f"tatoeba@{made.SUITE}")]
    at = f"gain/{gain.encoder}/squad/tatoeba@{made.SUITE}"
    assert values[at] == gain.gain.value
    assert [values[f"{at}/low"], values[f"{at}/high"]] == gain.gain.interval
    known = [cell for cell in release.cells if cell.score is not None]
    assert len([name for name in values if name.startswith("score/")]) == len(known)


def test_a_package_that_is_not_installed_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(track, "find_spec", lambda module: None)
    with pytest.raises(MissingError, match=r"--track mlflow: .* pip install mlflow$"):
        track.trackers(["mlflow"])
    with pytest.raises(SpecError, match=r"no tracker is called 'tensorbord'"):
        track.trackers(["tensorbord"])


# The real packages


def tell_twice(name: str, store: Store, plan: Plan) -> Path:
    """A run that is broken off, and the same command again; the tracker's folder."""
    pytest.importorskip(TRACKERS[name].module, reason=f"{name} is not installed")
    chosen = track.trackers([name])
    with tracking(chosen, plan, store, print) as told:
        said(told, *LINES[:2])
        assert told.working, "it stopped"
    commit(store)
    with tracking(chosen, plan, store, print) as told:
        told.results(made.committed(made.SUITE))
        assert told.working, "it stopped"
    (folder,) = (store.root / "track" / name).glob("tiny-*")
    return folder


def test_tensorboard_reads_every_point_once(store, plan):
    folder = tell_twice("tensorboard", store, plan)
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    read = EventMultiplexer().AddRunsFromDirectory(str(folder))
    read.Reload()
    run = f"{JOB.name} {KEY[:8]}"
    assert set(read.Runs()) == {run, "suite"}
    points = {}
    for tag in read.Runs()[run]["scalars"]:
        points[tag] = [(point.step, point.value) for point in read.Scalars(run, tag)]
    for tag, expected in WHOLE.items():
        assert [step for step, _ in points[tag]] == [step for step, _ in expected]
        assert [v for _, v in points[tag]] == pytest.approx([v for _, v in expected])

    (text,) = read.Tensors("suite", "suite")
    assert b'"seeds"' in text.tensor_proto.string_val[0]
    scalars = read.Runs()["suite"]["scalars"]
    assert len(scalars) == len(track.results_of(made.committed(made.SUITE)))


def test_mlflow_has_every_point_once(store, plan):
    folder = tell_twice("mlflow", store, plan)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "xstilts-harness"]
    (run,) = client.search_runs([experiment.experiment_id])
    for name, expected in WHOLE.items():
        points = client.get_metric_history(run.info.run_id, f"{JOB.name} {KEY[:8]}/{name}")
        assert [(point.step, point.value) for point in points] == expected
    assert run.info.status == "FINISHED" and run.data.params["suite.seeds"] == "[1]"


def test_wandb_offline_keeps_every_point_once(store, plan, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    folder = tell_twice("wandb", store, plan)
    assert len(list(folder.glob("wandb/offline-run-*/*.wandb"))) == 2


def test_trackio_has_every_point_once(store, plan, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    folder = tell_twice("trackio", store, plan)
    from trackio.sqlite_storage import SQLiteStorage

    logs = SQLiteStorage.get_logs("xstilts-harness", folder.name)
    for name, expected in WHOLE.items():
        tag = f"{JOB.name} {KEY[:8]}/{name}"
        assert [(log["step"], log[tag]) for log in logs if tag in log] == expected
    assert "rackio" not in capsys.readouterr().out.replace("trackio: trackio show", "")
