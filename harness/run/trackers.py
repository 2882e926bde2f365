"""The trackers that the harness brings, each over its own package, imported when it starts.

Each package's own settings hold: WANDB_MODE, MLFLOW_TRACKING_URI, TRACKIO_SPACE_ID and the like.
"""

import json
import os
import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.run.track import TOLD, TrackedRun

PROJECT = "xstilts-harness"  # what runs are gathered under, unless the package's own setting says


def safe(name: str) -> str:
    """As file names and MLflow's metrics may be spelt."""
    return re.sub(r"[^\w./ -]+", "-", name)


class TensorBoard:
    """Event files: a run of TensorBoard for each training, one for the suite and its results."""

    module = install = "tensorboard"

    def __init__(self, run: TrackedRun) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self.folder = run.folder
        self.where = f"tensorboard --logdir {run.folder}"
        # of this process: another, on another machine perhaps, writes files of its own
        host = safe(socket.gethostname())
        self.file = f"events.out.tfevents.{int(time.time()):010d}.{host}.{os.getpid()}"
        if not (self.folder / "suite").exists():
            text = f"```\n{json.dumps(run.config, indent=1)}\n```"
            self._write("suite", 0, text_pb("suite", text))

    def points(self, job: str, update: int, values: Mapping[str, float]) -> None:
        self._write(job, update, _scalars(values))

    def results(self, step: int, values: Mapping[str, float]) -> None:
        self._write("suite", step, _scalars(values))

    def close(self) -> None:
        """Every write is on disk."""

    def _write(self, name: str, step: int, summary: Any) -> None:
        """One record more. Opened for each, of which a training has some hundreds: the package's
        own writer keeps a thread for each file, and what it has not written when it is killed is
        lost."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        path = self.folder / safe(name).replace("/", "-") / self.file
        path.parent.mkdir(exist_ok=True)
        now = time.time()
        events = [Event(wall_time=now, step=step, summary=summary)]
        if not path.exists():
            events.insert(0, Event(wall_time=now, file_version="brain.Event:2"))
        with path.open("ab") as file:
            for event in events:
                RecordWriter(file).write(event.SerializeToString())


def _scalars(values: Mapping[str, float]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=of) for tag, of in values.items()])


class WeightsAndBiases:
    """One run of W&B; each training's curves have its updates as their own axis."""

    module = install = "wandb"

    def __init__(self, run: TrackedRun) -> None:
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=run.name,
            name=run.name,
            config=run.config,
            dir=str(run.folder),
            resume="allow",
        )
        self.where = self.run.url or f"wandb sync {Path(self.run.dir).parent}"
        self.known: set[str] = set()
        # its own step has to rise from one command to the next: how many points were told so far
        told = (run.folder / TOLD).iterdir()
        self.step = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in told)

    def points(self, job: str, update: int, values: Mapping[str, float]) -> None:
        if job not in self.known:
            self.known.add(job)
            self.run.define_metric(f"{job}/update", hidden=True)
            self.run.define_metric(f"{job}/*", step_metric=f"{job}/update")
        self.step += 1
        named = {f"{job}/{name}": value for name, value in values.items()}
        self.run.log({f"{job}/update": update, **named}, step=self.step)

    def results(self, step: int, values: Mapping[str, float]) -> None:
        self.run.summary.update(dict(values))

    def close(self) -> None:
        self.run.finish()


class MLflow:
    """One run of MLflow: a metric for each training and number, its step the update."""

    module, install = "mlflow", "mlflow"

    def __init__(self, run: TrackedRun) -> None:
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI")
        place = place or f"sqlite:///{run.folder.parent / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=place)
        self.where = f"mlflow ui --backend-store-uri {place}"
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self.client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self.client.create_experiment(name)

        before = self.client.search_runs([experiment], f"tags.plan = '{run.name}'")
        if before:
            self.run = before[0].info.run_id
            self.client.update_run(self.run, status="RUNNING")
            return
        made = self.client.create_run(experiment, run_name=run.name, tags={"plan": run.name})
        self.run = made.info.run_id
        for name, value in run.config["suite"].items():
            self.client.log_param(self.run, f"suite.{name}", _short(value))

    def points(self, job: str, update: int, values: Mapping[str, float]) -> None:
        self._log(update, {f"{job}/{name}": value for name, value in values.items()})

    def results(self, step: int, values: Mapping[str, float]) -> None:
        self._log(step, values)

    def close(self) -> None:
        self.client.set_terminated(self.run)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(safe(name), value, now, step) for name, value in values.items()]
        for start in range(0, len(metrics), 1000):  # its limit of a request
            self.client.log_batch(self.run, metrics[start : start + 1000])


def _short(value: Any) -> str:
    """As MLflow takes it for a parameter."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:6000]


class Trackio:
    """One run of trackio, wherever its own settings say."""

    module = install = "trackio"

    def __init__(self, run: TrackedRun) -> None:
        import trackio

        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self.run = trackio.init(
            project=project,
            name=run.name,
            config=run.config,
            resume="allow",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        self.where = f"trackio show --project {project}"

    def points(self, job: str, update: int, values: Mapping[str, float]) -> None:
        self.run.log({f"{job}/{name}": value for name, value in values.items()}, step=update)

    def results(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        self.run.finish()
