"""The commands that the README begins with, as they stand there: against a hub that has small
random weights and made-up rows under those names.

`make stress` runs them to the letter; else a protocol of few updates is added, as the default one
has at least 200 for each of 24 trainings.
"""

import copy
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import stress
from conftest import Done, Rig
from fake_hub import FakeHub
from hub_fixtures import write_hub
from test_encoders import KINDS

from harness.spec.catalog import Catalog
from harness.spec.encoder import Encoder

pytestmark = pytest.mark.slow
CATALOG = Catalog.load([])
FEW = """
protocol: few
version: 1
about: a test of the machine
source: made up
recipes:
  intermediate: {learning_rate: 1e-3, max_updates: 4, evaluations: 1}
  target: {learning_rate: 1e-3, max_updates: 4, evaluations: 1}
"""
DATA = ("google/xtreme", "nyu-mll/glue", "rajpurkar/squad")


def files_in(folder: Path) -> dict[str, bytes]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_weights(kind: str, spec: Encoder, folder: Path) -> None:
    """A random encoder of that kind, with as many positions as the spec says."""
    made = copy.copy(KINDS[kind])
    made.more = made.more | {"max_position_embeddings": spec.max_length}
    made.build(folder)


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[FakeHub]:
    folder = tmp_path_factory.mktemp("hub")
    write_hub(folder / "data")
    sources = [task.source for task in CATALOG.tasks.values()]
    with FakeHub() as server:
        for repo in DATA:
            pinned = {source.revision for source in sources if source.hub == repo}
            for revision in pinned:
                server.commit("dataset", repo, files_in(folder / "data" / repo), sha=revision)
        for name, kind in {
            "ModernBERT-base": "modernbert",
            "multilingual-e5-small": "bert, sentencepiece",
        }.items():
            spec = CATALOG.encoder(name)
            write_weights(kind, spec, folder / name)
            files = files_in(folder / name)
            server.commit("model", spec.source.hub, files, sha=spec.source.revision)
        yield server


@pytest.fixture(scope="module")
def here(rig, tmp_path_factory) -> Path:
    """Where all three are run: what one has fetched and trained, the next has."""
    folder = tmp_path_factory.mktemp("here")
    shutil.copytree(rig.encoders / "tiny", folder / "my-checkpoint")
    (folder / "tasks").mkdir()
    (folder / "tasks" / "few.yaml").write_text(FEW)
    return folder


def run(line: str, rig: Rig, hub: FakeHub, here: Path) -> tuple[Done, dict]:
    """A line as a shell would run it, and the release that comes of it."""
    program, *words = line.partition(" #")[0].split() + stress.times(["--protocol", "few"], [])
    assert program == "xstilts-harness"
    online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(here / "home")}
    # one core has one worker, which wakes torch once
    alone = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if shutil.which("taskset") else []
    done = rig.run([*alone, *rig.command(*words)], here, **online)
    assert done.returncode == 0, done.stderr
    release = max((here / "runs/board/releases").glob("*[!v].json"))
    return done, json.loads(release.read_text())


def test_an_encoder_of_the_hub_is_scored(rig, hub, here):
    done, release = run(
        "xstilts-harness eval --encoder answerdotai/ModernBERT-base --targets xnli,panx,udpos",
        rig,
        hub,
        here,
    )
    assert "answerdotai/ModernBERT-base is encoder ModernBERT-base of the catalog" in done.said
    assert {target: len(of["languages"]) for target, of in release["targets"].items()} == {
        "xnli": 15,
        "panx": 40,
        "udpos": 33,
    }
    assert (list(release["arms"]), release["suite"]["seeds"]) == (["none"], [1, 2, 3])
    assert "without an intermediate" in done.said


def test_a_checkpoint_of_this_machine_trains_first_on_intermediates(rig, hub, here):
    done, release = run(
        "xstilts-harness eval --encoder ./my-checkpoint --intermediate mnli,squad"
        " --targets xnli,tatoeba --seeds 1,2,3",
        rig,
        hub,
        here,
    )
    assert "pooling mean of layer 1 of 2 (a default, no modules.json" in done.said
    assert list(release["arms"]) == ["none", "mnli", "squad"]
    assert list(release["encoders"]) == ["my-checkpoint"]


def test_a_sentence_encoder_brings_its_prompt_and_pooling(rig, hub, here):
    _, release = run(
        "xstilts-harness eval --encoder intfloat/multilingual-e5-small --targets tatoeba"
        "          # its own prompt and pooling",
        rig,
        hub,
        here,
    )
    (cell,) = {cell["key"] for cell in release["cells"]}
    options = release["jobs"][cell]["spec"]["task"]["options"]
    said = {name: options[name] for name in ("pooling", "layer", "prompt")}
    assert said == {"pooling": "mean", "layer": -1, "prompt": "query: "}
