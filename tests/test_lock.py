"""Exact data: what `data fetch` brings, what the lock file holds, what `data verify` notices.
Against a hub of our own."""

import dataclasses
import errno
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from conftest import MIRROR, Done, Rig, needs_shared, only_line
from fake_hub import FakeHub
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import SpecError, StoreError
from harness.sources import hub as hub_room
from harness.sources import rows as data_rows
from harness.sources.hub import Lock, Where, fetch, snapshot
from harness.sources.locate import Locator
from harness.sources.lock import read_lock, unchecked, updated, verify, write_lock
from harness.spec.catalog import Catalog
from harness.store import HashIndex, file_sha256

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

BIRDS, TINY = "someone/birds", "someone/tiny-bert"
TASK = """
task: birds
version: 1
role: [target]
family: classification
languages: [en, de]
source: {hub: someone/birds, config: "{language}"}
train: {split: train}
dev: {split: validation}
test: {split: test, parallel: true}
columns: {text: text, label: label}
labels: [sings, swims]
metric: accuracy
max_length: 32
about: {title: does it sing or swim}
"""
ENCODER = """
encoder: tiny-hub
version: 1
source: {hub: someone/tiny-bert}
pretrained_on: english
seen: []
max_length: 256
"""
SUITE = """
suite: birds_suite
version: 1
about: a hub data set and a hub encoder
smoke: true
encoders: [tiny-hub]
arms: [none]
targets: [birds]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 2, evaluations: 1}
waives: [unlearned]
"""
SPLITS = {"en": ("train", "validation", "test"), "de": ("test",)}


def parquet(texts: list[str]) -> bytes:
    """A parquet file of `text` and `label`, half of the rows of either label."""
    table = pyarrow.table(
        {"text": texts, "label": ["sings" if i % 2 else "swims" for i in range(len(texts))]}
    )
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def birds(word: str) -> dict[str, bytes]:
    """The files of a commit; `word` stands in every row. A config that no spec names is not to be
    fetched."""
    files = {"README.md": b"# Birds", "fr/test-00000-of-00001.parquet": parquet([f"{word} fr"])}
    for language, splits in SPLITS.items():
        for split in splits:
            texts = [f"{word} {language} {split} {i}" for i in range(60 if split == "test" else 24)]
            files[f"{language}/{split}-00000-of-00001.parquet"] = parquet(texts)
    return files


WANTED = sorted(
    f"{language}/{split}-00000-of-00001.parquet"
    for language, splits in SPLITS.items()
    for split in splits
)


@dataclass
class World:
    """A user's folder, a hub cache and a working directory, and the command run in them."""

    rig: Rig
    specs: Path
    home: Path
    here: Path
    hub: FakeHub

    def run(self, *arguments: object, **environment: str) -> Done:
        """The command with the network allowed, the user's specs and this world's hub."""
        online = {
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(self.home),
            "HF_TOKEN": "",
        }
        return self.rig.run(
            self.rig.command(*arguments, "--specs", self.specs), self.here, **online | environment
        )

    @property
    def lock(self) -> Path:
        return self.here / "xstilts.lock.json"

    def cached(self, path: str, repo: str = BIRDS) -> Path:
        """A file of the hub cache, in the one snapshot that holds it."""
        (found,) = self.home.glob(f"hub/datasets--{repo.replace('/', '--')}/snapshots/*/{path}")
        return found


@pytest.fixture(scope="module")
def encoder_files(rig) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((rig.encoders / "tiny").iterdir())}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        yield server


@pytest.fixture
def world(rig, hub, encoder_files, tmp_path) -> World:
    specs = tmp_path / "specs"
    specs.mkdir()
    for name, text in {"birds": TASK, "tiny": ENCODER, "suite": SUITE}.items():
        (specs / f"{name}.yaml").write_text(text)
    hub.commit("dataset", BIRDS, birds("old"))
    hub.commit(
        "model", TINY, encoder_files | {"pytorch_model.bin": b"not wanted", "README.md": b"# Tiny"}
    )
    return World(rig, specs, tmp_path / "home", tmp_path / "here", hub)


@pytest.fixture(scope="module")
def fetched(rig, encoder_files, tmp_path_factory) -> World:
    """A world after `data fetch`, whose hub has gone; tests that change something take a copy."""
    folder = tmp_path_factory.mktemp("fetched")
    with FakeHub() as server:
        made = world.__wrapped__(rig, server, encoder_files, folder)
        done = made.run("data", "fetch", "--suite", "birds_suite", "--all")
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def copy(fetched, hub, tmp_path) -> World:
    """The fetched world again, to be maltreated, with a hub that has none of it."""
    folder = Path(shutil.copytree(fetched.home.parent, tmp_path / "copy", symlinks=True))
    return World(fetched.rig, folder / "specs", folder / "home", folder / "here", hub)


# Fetch, then work without a network ---------------------------------------------------------------


def test_fetch_brings_what_is_read_and_names_it(world):
    done = world.run("data", "fetch", "--suite", "birds_suite", "--all")
    assert done.returncode == 0, done.stderr
    downloads = world.hub.downloads()
    assert sorted(path for path in downloads if path.endswith(".parquet")) == WANTED
    assert "model.safetensors" in downloads
    # the data set's, which says where its files lie; not the encoder's
    assert downloads.count("README.md") == 1
    assert "pytorch_model.bin" not in downloads
    commit = world.hub.refs["dataset", BIRDS, "main"]
    size = sum(len(birds("old")[path]) for path in WANTED)
    assert (
        f"{BIRDS} at {commit[:12]}: 4 of 4 files to fetch, {size:,} bytes, to {world.home}"
        in done.stderr
    )
    assert re.search(rf"datasets +{BIRDS} +{commit} +4 +{size} ", done.stdout)
    lock = json.loads(world.lock.read_text())
    assert lock["schema"] == 1
    assert lock["datasets"][BIRDS]["revision"] == commit
    assert lock["datasets"][BIRDS]["files"] == {
        path: file_sha256(world.cached(path)) for path in WANTED
    }
    before = world.lock.read_bytes()
    world.hub.asked.clear()
    again = world.run("data", "fetch", "birds", "tiny-hub")
    assert again.returncode == 0, again.stderr
    assert not world.hub.asked  # all is here: not one question
    assert world.lock.read_bytes() == before


def test_encoders_are_locked_too(fetched):
    locked = json.loads(fetched.lock.read_text())["encoders"][TINY]
    assert len(locked["revision"]) == 40
    assert "model.safetensors" in locked["files"]


def test_eval_works_after_fetch_without_a_hub(copy):
    copy.hub.stop()
    plan = copy.run("plan", "--suite", "birds_suite", "--json")
    assert plan.returncode == 0, plan.stderr
    assert not any(kind["blocked"] for kind in json.loads(plan.stdout)["kinds"].values())
    done = copy.run("eval", "--suite", "birds_suite", "--workers", "1", "--offline")
    assert done.returncode == 0, done.stderr
    assert (copy.here / "runs/board" / "releases" / "0001-birds_suite.json").exists()


def test_eval_fetches_by_itself_and_plan_does_not(world):
    plan = world.run("plan", "--suite", "birds_suite")
    assert plan.returncode == 0, plan.stderr
    assert "xstilts-harness data fetch" in plan.stdout
    assert re.search(r"^to download: \d\.\d MB, of someone/", plan.stdout, re.M)
    # the hub was asked how large the files are, and for none of them
    assert world.hub.asked and not list(world.hub.downloads())
    world.hub.asked.clear()
    offline = world.run("plan", "--suite", "birds_suite", "--offline")
    assert "to download: unknown (offline), of someone/" in offline.stdout
    assert world.run("eval", "--suite", "birds_suite", "--dry-run", "--offline").returncode == 0
    shown = world.run("show", "birds", "-n", "1")
    assert shown.returncode == 3
    assert "xstilts-harness data fetch" in shown.stderr
    assert not world.hub.asked
    assert world.run("eval", "--suite", "birds_suite", "--offline").returncode == 3
    assert not world.hub.asked
    world.hub.refuse[TINY] = (404, "RepoNotFound")
    refused = world.run("eval", "--suite", "birds_suite")
    assert refused.returncode == 3
    assert f"{TINY} is not to be had from {world.hub.url}/{TINY} (404)" in refused.stderr
    assert sorted(path for path in world.hub.downloads() if path.endswith(".parquet")) == WANTED
    assert not world.lock.exists()  # a lock is written by whoever asks for one


PUBLISHED = """
published: mine
version: 1
about: birds
paper: {title: t, url: "https://example.org"}
sources: {me: nobody}
tables:
  birds:
    {title: t, split: test, protocol: p, decimals: 1, provenance: verbatim, source: me,
     cells: {en: {accuracy: 50.0}}}
checks:
  - name: birds
    says: s
    why: w
    rerun: {suite: birds_suite, encoder: tiny-hub, target: birds, table: birds, tolerance: 50.0}
"""


def test_reproduce_fetches_what_it_runs_as_eval_does(world):
    (world.specs.parent / "mine.yaml").write_text(PUBLISHED)
    command = (
        "reproduce",
        "birds",
        "--published",
        world.specs.parent / "mine.yaml",
        "--workers",
        "1",
    )
    offline = world.run(*command, "--offline")
    assert offline.returncode == 1 and "not run: birds" in offline.stdout
    assert not world.hub.asked
    done = world.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 hold" in done.stdout
    assert sorted(path for path in world.hub.downloads() if path.endswith(".parquet")) == WANTED


def test_what_no_hub_has_is_said_plainly(world):
    done = world.run("data", "fetch", "birds", "ccg", "bucc2018")
    assert done.returncode == 3
    assert "LDC2005T13" in done.stderr
    assert "bucc2018" in done.stderr
    # the rest comes all the same
    assert sorted(set(world.hub.downloads()) - {"README.md"}) == WANTED
    assert BIRDS in json.loads(world.lock.read_text())["datasets"]


def test_fetch_without_a_licence_is_complete_without_it(world):
    (world.specs / "suite.yaml").write_text(SUITE.replace("[none]", "[none, ccg]"))
    fetch = "data", "fetch", "--suite", "birds_suite"
    assert world.run(*fetch).returncode == 3
    done = world.run(*fetch, "--without", "ccg")
    assert done.returncode == 0, done.stderr
    assert "LDC2005T13" not in done.stderr
    wrong = world.run(*fetch, "--without", "cgc")
    assert wrong.returncode == 2 and "did you mean 'ccg'?" in wrong.stderr
    lost = world.run("data", "fetch", "birds", "--without", "ccg")
    assert lost.returncode == 2 and "name one with --suite" in lost.stderr


def test_only_the_first_files_of_many_are_fetched_and_a_shard_that_lacks_is_missed(world):
    spec = world.specs / "birds.yaml"
    spec.write_text(TASK.replace('"{language}"}', '"{language}", first_files: 2}'))
    files = birds("old")
    del files["en/train-00000-of-00001.parquet"]
    shards = {f"en/train-{i:05}-of-00012.parquet": parquet([f"shard {i}"]) for i in range(12)}
    world.hub.commit("dataset", BIRDS, files | shards)
    assert world.run("data", "fetch", "birds").returncode == 0
    assert sorted(path for path in world.hub.downloads() if "train" in path) == sorted(shards)[:2]
    spec.write_text(TASK)
    done = world.run("show", "birds")
    assert done.returncode == 0, done.stderr
    lacking = world.run("data", "lock", "birds")
    assert f"{BIRDS}, config en, split train: not in the hub cache" in lacking.stderr


def test_a_branch_that_a_spec_names_is_locked_at_its_commit(world):
    ref = "refs/convert/parquet"
    (world.specs / "birds.yaml").write_text(TASK.replace("{hub:", f"{{revision: {ref}, hub:"))
    first = world.hub.commit("dataset", BIRDS, birds("converted"), ref)
    assert world.run("data", "fetch", "birds").returncode == 0
    assert json.loads(world.lock.read_text())["datasets"][BIRDS]["revision"] == first
    world.hub.commit("dataset", BIRDS, birds("again"), ref)
    shutil.rmtree(world.home)
    assert world.run("data", "fetch", "birds").returncode == 0
    assert read(world.cached("de/test-00000-of-00001.parquet"))[0] == "converted de test 0"


def read(path: Path) -> list[str]:
    return [row["text"] for row in pyarrow.parquet.read_table(path).to_pylist()]


# The lock holds -----------------------------------------------------------------------------------


def test_a_locked_fetch_gets_the_first_commit_after_the_second(world):
    first = world.hub.refs["dataset", BIRDS, "main"]
    assert world.run("data", "fetch", "birds").returncode == 0
    second = world.hub.commit("dataset", BIRDS, birds("new"))
    shutil.rmtree(world.home)
    done = world.run("data", "fetch", "birds")
    assert done.returncode == 0, done.stderr
    assert world.cached("en/test-00000-of-00001.parquet").parts[-3] == first
    shutil.rmtree(world.home)
    world.lock.rename(world.here / "mine.json")
    assert world.run("data", "fetch", "birds").returncode == 0
    assert world.cached("en/test-00000-of-00001.parquet").parts[-3] == second
    held = world.run("data", "fetch", "birds", XSTILTS_LOCK="mine.json")
    assert held.returncode == 0, held.stderr
    assert len(list(world.home.glob(f"hub/*birds/snapshots/{first}/en/test*"))) == 1


def test_without_a_lock_a_repository_stays_at_the_commit_that_is_here(world):
    first = world.hub.refs["dataset", BIRDS, "main"]
    where = ["--lock", "scratch.json"]
    (world.specs / "birds.yaml").write_text(TASK.replace("languages: [en, de]", "languages: [en]"))
    assert world.run("data", "fetch", "birds", *where).returncode == 0
    world.hub.commit("dataset", BIRDS, birds("new"))
    (world.here / "scratch.json").unlink()
    (world.specs / "birds.yaml").write_text(TASK)
    assert world.run("data", "fetch", "birds", *where).returncode == 0
    assert world.cached("de/test-00000-of-00001.parquet").parts[-3] == first
    assert world.cached("en/test-00000-of-00001.parquet").parts[-3] == first


def damage(path: Path) -> None:
    """One other byte in the middle of the file that a snapshot points to."""
    blob = path.resolve()
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)


def test_a_changed_byte_is_named_and_stops_plan_and_eval(copy):
    assert copy.run("data", "verify").returncode == 0
    path = "de/test-00000-of-00001.parquet"
    right = file_sha256(copy.cached(path))
    damage(copy.cached(path))
    wrong = file_sha256(copy.cached(path))
    done = copy.run("data", "verify")
    assert done.returncode == 1
    assert only_line(done.stderr, f"{BIRDS}: {path} differs").endswith(
        f"has SHA-256 {wrong}, locked is {right}"
    )
    assert len(done.lines) == 1
    for command in ("plan", "eval"):
        stopped = copy.run(command, "--suite", "birds_suite")
        assert stopped.returncode == 2
        assert path in stopped.stderr
        assert right in stopped.stderr
        assert wrong in stopped.stderr
        assert "data fetch" in stopped.stderr
        assert "Traceback" not in stopped.stderr
    meant = copy.run("data", "lock", "birds")
    assert meant.returncode == 0
    assert f"changed: {BIRDS}: {path}: {right} is now {wrong}" in meant.stderr
    assert copy.run("data", "verify").returncode == 0


def test_a_changed_encoder_stops_the_plan(copy):
    (weights,) = copy.home.glob("hub/models--*/snapshots/*/model.safetensors")
    damage(weights)
    assert copy.run("data", "verify").lines == [
        line for line in copy.run("data", "verify").lines if "model.safetensors" in line
    ]
    assert copy.run("plan", "--suite", "birds_suite").returncode == 2


def test_a_file_that_is_gone_is_named_and_comes_again(copy):
    path = "en/train-00000-of-00001.parquet"
    gone = copy.cached(path)
    snapshots = gone.parents[1]
    gone.resolve().unlink()
    gone.unlink()
    done = copy.run("data", "verify")
    assert done.returncode == 1
    assert [line.partition(";")[0] for line in done.lines] == [f"{BIRDS}: {path} is gone"]
    assert str(snapshots) in done.stderr
    copy.hub.commits["dataset", BIRDS] = {snapshots.name: birds("old")}
    again = copy.run("data", "fetch", "birds")
    assert again.returncode == 0, again.stderr
    assert copy.hub.downloads() == [path]
    assert copy.run("data", "verify").returncode == 0


def test_verify_of_no_lock_and_of_no_lock_file_at_all(world):
    world.here.mkdir()
    done = world.run("data", "verify")
    assert done.returncode == 2
    assert "xstilts.lock.json: no such lock file; `xstilts-harness data lock" in done.stderr
    assert world.run("plan", "--suite", "birds_suite", "--lock", "other.json").returncode == 2
    for text in (
        "{",
        '{"schema": 2}',
        '{"schema": 1, "datasets": {"a/b": {"revision": "main", "files": {}}}}',
        "[]",
    ):
        world.lock.write_text(text)
        done = world.run("plan", "--suite", "birds_suite")
        assert done.returncode == 2
        assert "xstilts.lock.json: is no lock file: " in done.stderr
        assert "Traceback" not in done.stderr


def test_lock_of_a_data_root_and_of_a_tasks_own_files(world):
    root = world.here / "root"
    for path, data in birds("old").items():
        (root / BIRDS / path).parent.mkdir(parents=True, exist_ok=True)
        (root / BIRDS / path).write_bytes(data)
    (world.specs / "own.yaml").write_text(
        TASK.replace("birds", "own").replace(
            '{hub: someone/own, config: "{language}"}', '{files: "own.{language}.{split}.tsv"}'
        )
    )
    for name in ("en.train", "en.validation", "en.test", "de.test"):
        (world.specs / f"own.{name}.tsv").write_text("text\tlabel\nan owl\tsings\n")
    done = world.run("data", "lock", "birds", "own", "--data-root", root)
    assert done.returncode == 0, done.stderr
    lock = json.loads(world.lock.read_text())
    assert lock["datasets"][BIRDS] == {
        "revision": None,
        "files": {path: file_sha256(root / BIRDS / path) for path in WANTED},
    }
    assert sorted(lock["tasks"]["own"]["files"]) == [
        "own.de.test.tsv",
        *(f"own.en.{s}.tsv" for s in ("test", "train", "validation")),
    ]
    assert world.run("data", "verify", "--data-root", root).returncode == 0
    assert world.run("data", "verify").returncode == 1  # the birds are not in the cache
    (world.specs / "own.de.test.tsv").write_text("text\tlabel\na duck\tswims\n")
    assert "own: own.de.test.tsv differs" in world.run("data", "verify", "--data-root", root).stderr
    shown = world.run("show", "own", "-n", "1", "--data-root", root)
    assert shown.returncode == 0, shown.stderr  # its first language is untouched
    checked = world.run("data", "fetch", "own")
    assert checked.returncode == 2
    assert "own.de.test.tsv is not the file that xstilts.lock.json names" in checked.stderr
    assert not world.hub.asked


def test_a_lock_changes_no_key(copy):
    def keys() -> list[str]:
        done = copy.run("plan", "--suite", "birds_suite", "--write")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    locked = keys()
    copy.lock.unlink()
    assert keys() == locked


# A hub in trouble ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (
            404,
            "RepoNotFound",
            (
                r"someone/birds is not to be had from http://\S+/datasets/someone/birds \(404\):"
                r" check the id"
            ),
        ),
        (
            401,
            "",
            (
                r"someone/birds is not to be had .* \(401\): check the id; if it is private or"
                r" gated, log in with `hf auth login`"
            ),
        ),
        (
            401,
            "GatedRepo",
            (
                r"someone/birds is gated: accept its terms at http://\S+/datasets/someone/birds,"
                r" then log in"
            ),
        ),
        (403, "GatedRepo", r"someone/birds is gated: accept its terms"),
        (
            404,
            "RevisionNotFound",
            r"someone/birds has no revision main on the hub: check the spec's `revision:`",
        ),
        (
            429,
            "",
            (
                r"someone/birds: the hub's rate limit is reached; run the same command again in"
                r" some minutes"
            ),
        ),
        (501, "", r"someone/birds: the hub answers 501; run the same command again later"),
    ],
)
def test_a_hub_that_refuses(world, status, code, said):
    world.hub.refuse[BIRDS] = (status, code)
    done = world.run("data", "fetch", "birds", "tiny-hub")
    assert done.returncode == 3
    assert re.search(said, done.stderr)
    assert len([line for line in done.lines if re.search(said, line)]) == 1
    assert "Traceback" not in done.stderr
    assert "model.safetensors" in world.hub.downloads()  # what can be had comes all the same


def test_no_way_to_the_hub(world):
    world.hub.stop()
    done = world.run("data", "fetch", "birds", "tiny-hub")
    assert done.returncode == 3
    assert only_line(done.stderr, "no way to the hub at http://127.0.0.1").endswith(
        "where there is a network"
    )
    assert "Traceback" not in done.stderr
    forbidden = world.run("data", "fetch", "birds", HF_HUB_OFFLINE="1")
    assert forbidden.returncode == 3
    assert "HF_HUB_OFFLINE is set: nothing is fetched" in forbidden.stderr


def test_a_wrong_id_and_a_config_that_is_not_there(world):
    (world.specs / "birds.yaml").write_text(TASK.replace("{language}", "no-{language}"))
    done = world.run("data", "fetch", "birds")
    assert done.returncode == 3
    assert (
        f"{BIRDS}: the hub has no complete no-en/train-*.parquet there; check config and split"
        in done.stderr
    )
    (world.specs / "birds.yaml").write_text(TASK.replace("someone/birds", "a/b/c"))
    done = world.run("plan", "--suite", "birds_suite")
    assert done.returncode == 2
    assert "'a/b/c' is no id of a repository on the hub" in done.stderr


def test_fetch_of_nothing_or_of_an_unknown_name(world):
    assert "say what to fetch" in world.run("data", "fetch").stderr
    done = world.run("data", "fetch", "birdz")
    assert done.returncode == 2
    assert "no suite, task or encoder is called 'birdz'" in done.stderr
    assert "birds" in done.stderr


def test_a_fetch_that_died_asks_only_for_the_rest(world):
    path = "en/test-00000-of-00001.parquet"
    commit = world.hub.refs["dataset", BIRDS, "main"]
    world.hub.commits["dataset", BIRDS][commit].pop(path)  # as if the hub had died before this one
    listed = dict(birds("old"))
    assert world.run("data", "fetch", "birds").returncode == 3
    world.hub.commits["dataset", BIRDS][commit] = listed
    for tree in world.home.glob("hub/*/trees/*"):
        tree.unlink()
    world.hub.asked.clear()
    done = world.run("data", "fetch", "birds")
    assert done.returncode == 0, done.stderr
    assert world.hub.downloads() == [path]


# hub.py and lock.py themselves --------------------------------------------------------------------


@pytest.fixture
def client(hub, tmp_path, monkeypatch) -> FakeHub:
    """This process asks the fake hub: the library reads its settings once, at import."""
    from huggingface_hub import constants, hf_api

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        hub.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hf_api.api, "endpoint", hub.url)
    hub.commit("dataset", BIRDS, birds("old"))
    return hub


def there(pattern: str):
    return lambda folder: bool(list(folder.glob(pattern)))


def test_snapshot_looks_and_notes_and_fetch_brings(client):
    where, patterns = Where(), ["en/test-*.parquet"]
    assert snapshot(BIRDS, "dataset", None, patterns, where, there(patterns[0])) is None
    assert snapshot(BIRDS, "dataset", None, patterns, where, there(patterns[0])) is None
    assert [wanted.patterns for wanted in where.wanted] == [("en/test-*.parquet",)]  # noted once
    assert not client.asked
    said: list[str] = []
    assert fetch(where, said.append) == []
    assert not where.wanted
    (line,) = said
    assert "1 of 1 files to fetch" in line
    folder = snapshot(BIRDS, "dataset", None, patterns, where, there(patterns[0]))
    assert folder.name == client.refs["dataset", BIRDS, "main"]
    assert hub_room.commit_of(folder) == folder.name
    assert client.downloads() == ["en/test-00000-of-00001.parquet"]


def test_a_download_that_breaks_off_goes_on_where_it_stopped(client, monkeypatch):
    # of 10 MB: what is not a whole chunk is asked again
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10)
    path, where = "en/test-00000-of-00001.parquet", Where()
    client.cut[path] = 100
    snapshot(BIRDS, "dataset", None, [path], where, there(path))
    assert fetch(where, lambda line: None) == []
    ranges = [asked for method, at, asked in client.asked if method == "GET" and at.endswith(path)]
    assert ranges == [None, "bytes=100-"]
    assert (
        snapshot(BIRDS, "dataset", None, [path], where, there(path)) / path
    ).read_bytes() == birds("old")[path]


def test_a_format_that_is_enough_takes_back_what_was_noted_before(client):
    client.commit("model", TINY, {"config.json": b"{}", "pytorch_model.bin": b"weights"})
    where = Where()
    formats = [["config.json", "model.safetensors"], ["config.json", "pytorch_model.bin"]]

    def look() -> list[Path | None]:
        return [snapshot(TINY, "model", None, names, where, there(names[1])) for names in formats]

    assert look() == [None, None]
    assert fetch(where, lambda line: None) == []
    assert look()[1]
    assert not where.wanted


def test_a_full_disk_is_said_before_anything_comes(client, monkeypatch):
    usage = type(shutil.disk_usage("/"))(10**9, 10**9 - 10, 10)
    monkeypatch.setattr(hub_room.shutil, "disk_usage", lambda path: usage)
    where = Where()
    snapshot(BIRDS, "dataset", None, ["en/*"], where, there("en/*"))
    with pytest.raises(
        StoreError, match=r"cannot write the hub cache .*bytes are to come, 10 are free; free space"
    ):
        fetch(where, lambda line: None)
    assert not client.downloads()


def test_a_disk_that_fills_up_on_the_way(client, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    where = Where()
    snapshot(BIRDS, "dataset", None, ["en/*"], where, there("en/*"))
    with pytest.raises(StoreError, match="No space left on device; free space") as caught:
        fetch(where, lambda line: None)
    assert caught.value.exit_code == 74


SHA = "a" * 40


@pytest.mark.parametrize(
    ("pinned", "locked", "read"),
    [
        (None, None, None),
        (None, SHA, SHA),
        ("main", None, "main"),
        ("main", SHA, SHA),
        ("b" * 40, SHA, "b" * 40),
    ],
)
def test_a_pinned_commit_wins_over_the_lock_and_the_lock_over_a_branch(pinned, locked, read):
    lock = Lock(Path("l"), {"datasets": {"a/b": {"revision": locked, "files": {}}}})
    assert Where(lock=lock).revision("datasets", "a/b", pinned) == read
    assert Where(lock=lock).revision("encoders", "a/b", pinned) == pinned
    assert Where().revision("datasets", "a/b", pinned) == pinned


def test_two_commits_of_one_data_set_cannot_be_locked():
    where = Where()
    for commit in ("a", "b"):
        where.read(
            "datasets", "x/y", Path("/snapshots") / (commit * 40), {f"{commit}.parquet": "0" * 64}
        )
    with pytest.raises(SpecError, match="x/y is read at two commits"):
        where.sources()


hashes = st.integers(0, 3).map(lambda i: f"{i}" * 64)
entries = st.builds(
    lambda revision, files: {"revision": revision, "files": files},
    st.sampled_from([None, "a" * 40, "b" * 40]),
    st.dictionaries(st.sampled_from(["one", "two", "three"]), hashes),
)
sources = st.dictionaries(
    st.sampled_from(["datasets", "encoders", "tasks"]),
    st.dictionaries(st.sampled_from(["x/y", "z"]), entries),
)


@pytest.mark.parametrize(("sha", "revision"), [("0" * 64, "a" * 40), ("1" * 64, None)])
def test_files_of_no_known_commit_are_of_the_locked_one_only_if_they_are_its_files(sha, revision):
    lock = Lock(
        Path("l"),
        {"datasets": {"x/y": {"revision": "a" * 40, "files": {"one": "0" * 64, "two": "2" * 64}}}},
    )
    made, changes = updated(lock, {"datasets": {"x/y": {"revision": None, "files": {"one": sha}}}})
    assert made.entry("datasets", "x/y") == {
        "revision": revision,
        "files": {"one": sha, "two": "2" * 64},
    }
    assert bool(changes) == (revision is None)


@settings(deadline=None)
@given(before=sources, read=sources)
def test_an_update_locks_what_was_read_and_keeps_the_rest(before, read):
    lock = Lock(Path("l"), before)
    made, changes = updated(lock, read)
    for section, names in read.items():
        for name, now in names.items():
            entry = made.entry(section, name)
            made.check(section, name, Path("/"), now["files"])
            assert now["files"].items() <= entry["files"].items()
            assert now["revision"] in (None, entry["revision"])
    for section, names in before.items():
        for name, entry in names.items():
            if name not in read.get(section, {}):
                assert made.entry(section, name) == entry
    assert updated(made, read)[0].entries == made.entries
    assert updated(made, read)[1] == []
    moved = [
        name
        for section, names in read.items()
        for name, now in names.items()
        if any(
            lock.entry(section, name)["files"].get(path, sha) != sha
            for path, sha in now["files"].items()
        )
    ]
    assert all(any(line.startswith(f"{name}: ") for line in changes) for name in moved)


@settings(max_examples=30, deadline=None)  # each writes a file and flushes it
@given(entries=sources)
def test_a_lock_is_read_as_it_was_written(tmp_path_factory, entries):
    lock = Lock(tmp_path_factory.mktemp("lock") / "xstilts.lock.json", entries)
    write_lock(lock)
    read = read_lock(lock.path)
    before = lock.path.read_bytes()
    write_lock(read)
    assert lock.path.read_bytes() == before
    assert {(s, n): e for s, names in read.entries.items() for n, e in names.items()} == {
        (s, n): e for s, names in entries.items() for n, e in names.items()
    }
    assert not any(
        entry["files"] for names in unchecked(read).entries.values() for entry in names.values()
    )


@needs_shared
def test_the_mirror_as_a_hub_and_as_a_data_root_give_the_same_rows(client, tmp_path):
    """Real files through the hub's way, a locked one at that, and through --data-root: the same
    identity, the same rows."""
    repo = "google/xtreme"
    files = {
        path.relative_to(MIRROR / repo).as_posix(): path
        for path in sorted((MIRROR / repo).rglob("test-*.parquet"))
    }
    xnli = {path: file.read_bytes() for path, file in files.items() if path.startswith("XNLI/")}
    if not xnli:
        pytest.skip("the mirror has no XNLI")
    catalog, index = Catalog.load([]), HashIndex(tmp_path / "index")
    task = catalog.task("xnli")
    client.commit("dataset", repo, xnli, sha=task.source.revision)
    where = Where()
    assert Locator(catalog, where, index).rows(task, "test", "sw").missing
    assert fetch(where, lambda line: None) == []
    by_hub = Locator(catalog, where, index).rows(task, "test", "sw")
    by_root = Locator(catalog, Where(data_root=MIRROR, offline=True), index).rows(
        task, "test", "sw"
    )
    assert by_hub.identity == by_root.identity
    assert data_rows.load(by_hub.to_json()) == data_rows.load(by_root.to_json())
    lock, _ = updated(Lock(tmp_path / "lock.json"), where.sources())
    assert [
        problem for _, problem in verify(lock, catalog, dataclasses.replace(where, lock=lock))
    ] == [None]
