"""A release on the hub: its own client brings it, over loopback, to a hub that keeps what it is
sent."""

from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from fake_hub import FakeHub
from huggingface_hub import constants
from huggingface_hub.repocard_data import ModelCardData, model_index_to_eval_results
from page_fixtures import SHELF, SUITE, committed
from safetensors.numpy import load_file, save_file

from harness.common.errors import HarnessError, SpecError
from harness.run.card import metadata
from harness.run.to_hub import Upload, send, uploads
from harness.store import Store
from harness.store.job import WEIGHTS

REPO, TOKEN = "me/found", "hf_good"
PUSH = ("push", "mini", "--repo", REPO, "--board", ROOT / "leaderboard")


@pytest.fixture
def hub():
    with FakeHub() as hub:
        hub.tokens[TOKEN] = "me"
        yield hub


def push(rig, tmp_path, hub, *more, words=PUSH, **environment):
    told = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"} | environment
    return rig.run(rig.command(*words, *more), tmp_path, **told)


def kept(hub) -> dict[str, bytes]:
    return hub.commits["model", REPO][hub.refs["model", REPO, "main"]]


def test_a_release_is_pushed_and_what_came_down_again_is_a_board_that_verifies(rig, tmp_path, hub):
    done = push(rig, tmp_path, hub, "--private")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.url}/{REPO}/commit/{hub.refs['model', REPO, 'main']}"
    assert hub.private == {REPO}

    path = SHELF.find("mini")
    files = kept(hub)
    assert set(files) == {
        *("README.md", "index.html"),
        *(f"releases/{path.stem}.{ending}" for ending in ("json", "env.json", "md")),
    }
    for name in ("json", "env.json"):
        file = path.with_suffix(f".{name}")
        assert files[f"releases/{file.name}"] == file.read_bytes()
    for name, data in files.items():
        there = tmp_path / "board" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
    verified = rig.here(["leaderboard", "verify", "--board", "board"], tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_card_says_what_the_hub_reads():
    path = SHELF.find(SUITE)
    said = metadata(committed(SUITE), path.stem, SHELF.sidecar(path))
    assert said["base_model"] == ["sentence-transformers/all-MiniLM-L6-v2"]
    assert "google/xtreme" in said["datasets"] and "made-up-data" not in said["tags"]
    card = ModelCardData(**said)
    assert card.to_dict()["model-index"]

    release = committed(SUITE)
    names = [entry["name"] for entry in said["model-index"]]
    assert names[:2] == ["all-MiniLM-L6-v2", "all-MiniLM-L6-v2 after sst2"]
    _, results = model_index_to_eval_results(said["model-index"][:1])
    scores = {one.metric_name.split(",")[0]: one for one in results}
    assert set(scores) == set(release.targets)
    for baseline in release.scores:
        if baseline.target:
            shown = scores[baseline.target]
            assert shown.metric_value == pytest.approx(baseline.score.value, abs=0.006)
    assert scores[f"panx@{SUITE}"].task_type == "token-classification"
    assert scores[f"panx@{SUITE}"].dataset_type == "google/xtreme"


def test_what_would_go_is_shown_and_nothing_asked(rig, tmp_path, hub):
    done = rig.here([*map(str, PUSH), "--dry-run"], tmp_path)
    path = SHELF.find("mini")
    listed, card = done.stdout.split("README.md:\n\n")
    assert f"releases/{path.name}" in listed and f"{path.stat().st_size:,}" in listed
    assert "Its data are made up" in card
    assert "made-up-data" in yaml.safe_load(card.split("---\n")[1])["tags"]
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["a b/c d", "nouser", "a/b/c"])
def test_a_name_that_no_repository_has_is_said_before_anything(rig, tmp_path, repo):
    done = rig.here(["push", "1", "--repo", repo, "--dry-run", "--board", "none"], tmp_path)
    assert done.returncode == 2
    assert f"--repo {repo}: write USER/NAME" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("token", "repo", "settings", "said"),
    [
        (None, REPO, {}, "log in with `hf auth login`, or set HF_TOKEN"),
        ("hf_bad", REPO, {}, "log in with `hf auth login`, or set HF_TOKEN"),
        (TOKEN, "them/found", {}, "your token may not write there"),
        (TOKEN, REPO, {"HF_HUB_OFFLINE": True}, "HF_HUB_OFFLINE is set"),
        (TOKEN, REPO, {"ENDPOINT": "http://127.0.0.1:9"}, "no way to the hub: "),
        (TOKEN, "no repository", {}, "--repo no repository: "),
    ],
)
def test_a_hub_that_refuses_is_one_clear_line(hub, monkeypatch, token, repo, settings, said):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    for name, value in ({"ENDPOINT": hub.url, "HF_HUB_OFFLINE": False} | settings).items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", "/nowhere")
    with pytest.raises(HarnessError) as error:
        send(repo, [Upload("README.md", lambda: b"---\ntags: [a]\n---\n")], "one", private=False)
    assert said in str(error.value) and TOKEN not in str(error.value)
    assert "\n" not in str(error.value) and not hub.commits


def test_weights_that_were_dropped_are_named_with_what_keeps_them(rig, tmp_path):
    (tmp_path / "store" / "results").mkdir(parents=True)
    words = [*map(str, PUSH), "--weights", "--store", "store", "--dry-run"]
    done = rig.here(words, tmp_path)
    assert done.returncode == 3
    assert "after mini_topic, seed 1" in done.stderr and "--keep-weights" in done.stderr


NAMES = ("config.json", "tokenizer.json", WEIGHTS)


def left(store: Store, folder: Path, tensors: dict) -> list[str]:
    """What the intermediate jobs of `mini` would have left, had they trained the encoder in
    `folder`; their keys."""
    keys = [run.key for arm in committed("mini").arms.values() for run in arm.trained]
    for key in keys:
        store.write_job(key, {"encoder": {"folder": str(folder), "identity": {"files": NAMES}}})
        with store.workdir(key) as work:
            save_file(tensors, work / WEIGHTS)
            store.commit(key, work, {})
    return keys


def test_weights_go_as_transformers_takes_them_and_without_heads(rig, tmp_path):
    from transformers import AutoModel

    store, path, folder = Store(tmp_path / "store"), SHELF.find("mini"), rig.encoders / "tiny"
    own = load_file(folder / WEIGHTS)
    pooler = {name: tensor for name, tensor in own.items() if name.startswith("pooler.")}
    whole = {f"encoder.{name}": of for name, of in own.items() if name not in pooler} | pooler
    keys = left(store, folder, whole | {"heads.0.bias": own["pooler.dense.bias"]})

    found = uploads(SHELF, path, SHELF.load(path), REPO, store)
    weights = {file.path: file.data() for file in found if file.path.startswith("weights/")}
    assert len(weights) == 3 * len(keys)
    at = tmp_path / "weights/mini_topic/seed-1"
    at.mkdir(parents=True)
    for name in NAMES:
        (at / name).write_bytes(weights[f"weights/mini_topic/seed-1/{name}"])
    loaded = AutoModel.from_pretrained(at, local_files_only=True).state_dict()
    assert pooler and set(load_file(at / WEIGHTS)) == set(own)
    assert all((loaded[name].numpy() == tensor).all() for name, tensor in own.items())


def test_adapters_are_no_encoder(rig, tmp_path):
    store, path, folder = Store(tmp_path / "store"), SHELF.find("mini"), rig.encoders / "tiny"
    left(store, folder, {"adapters.0.scale": load_file(folder / WEIGHTS)["pooler.dense.bias"]})
    with pytest.raises(SpecError, match=r"after mini_topic, seed 1, .* adapters \(LoRA\)"):
        uploads(SHELF, path, SHELF.load(path), REPO, store)
