"""A release in one file: what a reviewer unpacks checks, scores again and runs; what would not lead
to it is not packed."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Rig, copied, once, write_jsonl

import harness
from harness.common.errors import SpecError
from harness.plan.planner import make_plan
from harness.release.collect import declared
from harness.review import bundle, bundle_page
from harness.run import publishing
from harness.sources.hub import Lock, Where
from harness.sources.lock import read_lock
from harness.spec.catalog import Catalog
from harness.spec.changes import with_user_tasks, without
from harness.store import HashIndex, Store

NAME = "0001-tiny-bundle"


def packed(rig: Rig, folder: Path, *more: object, specs: Path | None = None):
    """`bundle` of the one release of a run's folder, into that folder."""
    return rig.run(
        rig.command(
            "bundle", "tiny", "-t", specs or rig.specs, "--encoder-root", rig.encoders, *more
        ),
        folder,
    )


def unpacked(file: Path, into: Path) -> Path:
    """The bundle's folder, by the tools that a reviewer has."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "xzf", file, "-C", into], check=True)
    (folder,) = into.iterdir()
    assert folder.name == NAME
    return folder


@pytest.fixture(scope="module")
def made(rig, undisturbed, tmp_path_factory) -> Path:
    """The bundle of the tiny suite, as a file."""

    def make(folder: Path) -> Path:
        done = packed(rig, copied(undisturbed, folder))
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"0001-tiny-bundle\.tar\.gz: \d+ files, [\d,]+ bytes\n", done.stdout)
        return folder / f"{NAME}.tar.gz"

    return once(tmp_path_factory, "packing", make)


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """The same, unpacked."""
    return unpacked(made, tmp_path / "reviewer")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "code, said",
    [
        (
            {"version": "1.2", "commit": "abc", "changed": False},
            "xstilts-harness 1.2, the version named above, of commit\nabc",
        ),
        ({"version": "1.2", "commit": "abc", "changed": True}, "had changes that are in no commit"),
        (
            {"version": "1.2", "commit": "abc", "changed": None},
            "of commit\nabc, from where you got this bundle.",
        ),
        (
            {"version": "1.2"},
            (
                "Install xstilts-harness 1.2, the version named above, from where you got this"
                " bundle: the release"
            ),
        ),
        (
            {},
            (
                "Install xstilts-harness, from where you got this bundle: the release says no more"
                " of its code than that."
            ),
        ),
    ],
)
def test_what_to_install(code, said):
    text = bundle_page._install(code)
    assert said in text and ("in no commit" in text) == bool(code.get("changed"))


def test_a_checkout_knows_its_commit_and_whether_it_was_changed(tmp_path, monkeypatch):
    """What a release's sidecar says: of a real repository, of a wheel, of an image, of a wheel in
    another repository."""

    def git(*words: str) -> str:
        who = "-c", "user.name=a", "-c", "user.email=a@b.example"
        return subprocess.run(
            ["git", "-C", tmp_path, *who, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    package = tmp_path / "harness"
    for folder in publishing.CODE:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("one")
    monkeypatch.setattr(harness, "__file__", str(package / "__init__.py"))
    monkeypatch.setenv("XSTILTS_COMMIT", "")
    wheel = {"version": harness.__version__, "commit": None, "changed": None}
    assert publishing.code() == wheel
    monkeypatch.setenv("XSTILTS_COMMIT", "told")
    assert publishing.code() == wheel | {"commit": "told"}
    git("init", "-q")
    assert publishing.code() == wheel | {"commit": "told"}  # no commit yet
    git("add", "-A")
    git("commit", "-qm", "one")
    here = wheel | {"commit": git("rev-parse", "HEAD"), "changed": False}
    assert publishing.code() == here
    (tmp_path / "runs/board").mkdir(parents=True)
    (tmp_path / "runs/board" / "README.md").write_text("a release changes no score")
    assert publishing.code() == here
    (tmp_path / "tasks" / "mine.yaml").write_text("task: mine")
    assert publishing.code() == here | {"changed": True}
    (tmp_path / "tasks" / "mine.yaml").unlink()
    (package / "file").write_text("two")
    assert publishing.code() == here | {"changed": True}
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "venv" / "harness" / "__init__.py"))
    assert publishing.code() == wheel | {"commit": "told"}


# What a reviewer does with it


@pytest.mark.slow
def test_the_page_says_what_works(rig, folder):
    """Every command of README.md, in order. The rerun has its results before it starts: training is
    not the point here."""
    page = (folder / "README.md").read_text()
    code = json.loads((folder / "runs/board" / "releases" / "0001-tiny.env.json").read_bytes())[
        "harness"
    ]
    assert f"\n{bundle_page._install(code)}\n" in page and code.keys() == {
        "version",
        "commit",
        "changed",
    }
    assert "-r requirements.lock -r requirements-torch.lock` gives the packages." in page
    commands = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    assert [command.split()[1] for command in commands] == [
        "-c",
        "leaderboard",
        "leaderboard",
        "leaderboard",
        "eval",
        "eval",
        "leaderboard",
    ]
    shutil.copytree(folder / "runs/store", folder / "rerun/store")
    said = []
    for command in commands:
        words = shlex.split(command.replace("DATA", str(rig.specs)))
        words = words if words[0] == "sha256sum" else rig.command(*words[1:])
        done = rig.run(words, folder, XSTILTS_ENCODER_ROOT=str(rig.encoders))
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said.append(done)
    sums, verify, _, recheck, cached, rerun, compare = said
    assert sums.stdout.count(": OK\n") == len(sums.stdout.splitlines()) > 100
    assert "0001-tiny: sound" in verify.stdout
    assert "12 cells scored again from" in recheck.stdout
    assert (
        cached.jobs == rerun.jobs == []
        and "the same content as before, nothing written" in cached.stderr
    )
    assert compare.stdout.endswith(": byte-identical\n")


def test_what_is_in_it(rig, folder, undisturbed):
    found = files(folder)
    releases = undisturbed / "runs/board" / "releases"
    assert found["runs/board/releases/0001-tiny.json"] == (releases / "0001-tiny.json").read_bytes()
    own = {name for name in found if name.startswith("specs/own/")}
    assert own == {
        f"specs/own/{name}.yaml"
        for name in ("encoder", "suite", "tiny_colour", "tiny_mood", "tiny_tags", "tiny_boxes")
    } | {
        "specs/own/tiny_quad.yaml",
        "specs/own/tiny_pairs.yaml",
    }
    assert {name for name in found if name.startswith("specs/builtin/")} == {
        "specs/builtin/tasks/mini_topic.yaml"
    }
    assert found["specs/own/tiny_mood.yaml"] == (rig.specs / "tiny_mood.yaml").read_bytes()
    for lock in ("requirements.lock", "requirements-torch.lock"):
        assert found[lock] == (ROOT / lock).read_bytes()
    lock = read_lock(folder / "xstilts.lock.json")
    assert lock.entries["tasks"]["tiny_mood"]["files"].keys() == {
        f"mood.{split}.jsonl" for split in ("de.test", "en.dev", "en.test", "en.train")
    }
    assert lock.entries["encoders"]["nobody/no-such-encoder"]["files"].keys() > {
        "model.safetensors"
    }
    jobs = json.loads(found["runs/board/releases/0001-tiny.json"])["jobs"]
    assert {name.split("/")[3] for name in found if name.startswith("runs/store/")} == set(jobs)
    assert len([name for name in found if "/predictions/" in name]) == 3 * (2 + 2 + 2 + 1)
    assert not [
        name
        for name in found
        if name.endswith((".safetensors", ".pt", ".jsonl")) and "runs/store/" not in name
    ]


def test_no_path_of_the_machine_is_in_it(rig, made, folder, undisturbed):
    places = [
        str(place) for place in (rig.specs, rig.encoders, rig.home, undisturbed, made.parent, ROOT)
    ]
    for name, data in files(folder).items():
        assert not [place for place in places if place.encode() in data], name
    sidecar = json.loads((folder / "runs/board" / "releases" / "0001-tiny.env.json").read_bytes())
    assert sidecar["command"].startswith(
        "xstilts-harness eval --suite tiny --specs PATH --encoder-root PATH --workers 2"
    )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("x eval --data-root /mnt/my data/x --workers 2", "x eval --data-root PATH --workers 2"),
        ("x eval -t tasks/mine.yaml --store=~/store", "x eval -t PATH --store PATH"),
        ("cannot read /home/me/store/x.pt: no space", "cannot read PATH: no space"),
        (
            "sentence-transformers/all-MiniLM-L6-v2 and/or 3/4",
            "sentence-transformers/all-MiniLM-L6-v2 and/or 3/4",
        ),
        ("train tiny intermediate a+b seed 1", "train tiny intermediate a+b seed 1"),
    ],
)
def test_paths_become_a_word(text, clean):
    assert bundle._no_paths({"said": [text]}) == {"said": [clean]}


# The same bytes


def test_two_bundles_of_one_release_are_the_same_bytes(rig, made, undisturbed, tmp_path):
    """Wherever store, board and bundle lie."""
    copied(undisturbed, tmp_path / "elsewhere")
    done = packed(
        rig,
        tmp_path / "elsewhere",
        "--out",
        tmp_path / "mine.tgz",
        "--store",
        "runs/store",
        "--json",
    )
    assert json.loads(done.stdout)["bytes"] == made.stat().st_size
    assert (tmp_path / "mine.tgz").read_bytes() == made.read_bytes()


def test_weights_stay_behind(rig, kept, tmp_path):
    """Of a store that kept them; manifests say that they were dropped, as the store itself does."""
    done = packed(rig, kept, "--out", tmp_path / "kept.tgz")
    assert done.returncode == 0, done.stderr
    folder = unpacked(tmp_path / "kept.tgz", tmp_path / "out")
    store = Store(folder / "runs/store", writable=False)
    keys = store.keys()
    trained = [store.manifest(key) for key in keys if "train.json" in store.manifest(key).files]
    assert len(trained) == 11 and all(
        "model.safetensors" in manifest.dropped for manifest in trained
    )
    assert not [problem for key in keys for problem in store.verify(key)]
    assert not list(folder.rglob("*.safetensors"))


# What is not packed


def refused(done, folder: Path, code: int, *words: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not [path for path in folder.iterdir() if "tar.gz" in path.name]


def result_of(store: Path, name: str) -> Path:
    """The folder of a job's result."""
    (found,) = (
        p.parent
        for p in store.glob("results/*/manifest.json")
        if json.loads(p.read_text())["meta"]["name"] == name
    )
    return found


@pytest.mark.slow
def test_a_result_that_the_store_lacks_is_named(rig, undisturbed, tmp_path):
    folder = copied(undisturbed, tmp_path / "run")
    shutil.rmtree(result_of(folder / "runs/store", "evaluate tiny tiny_mood after mini_topic"))
    done = packed(rig, folder)
    refused(
        done,
        folder,
        3,
        "lacks 1 of the",
        "  evaluate tiny tiny_mood after mini_topic\n",
        "--without-predictions",
    )
    done = packed(rig, folder, "--without-predictions")
    assert done.returncode == 0 and done.stdout.endswith("bytes, without predictions\n")
    made = unpacked(folder / f"{NAME}.tar.gz", tmp_path / "out")
    assert not (made / "runs/store").exists()
    page = (made / "README.md").read_text()
    assert (
        "Not with this bundle: it was made `--without-predictions`." in page
        and "--store store" not in page.replace("rerun/store", "")
    )
    assert rig.run(["sha256sum", "-c", "SHA256SUMS"], made).returncode == 0
    shutil.rmtree(folder / "runs/store")
    (folder / f"{NAME}.tar.gz").unlink()
    refused(packed(rig, folder), folder, 74, "no store at")


def test_results_of_another_run_are_not_packed(rig, undisturbed, tmp_path):
    """The same keys, computed elsewhere: predictions that the release's scores do not come from."""
    folder = copied(undisturbed, tmp_path / "run")
    store, result = (
        Store(folder / "runs/store"),
        result_of(folder / "runs/store", "evaluate tiny tiny_mood after none"),
    )
    meta, key = store.manifest(result.name).meta, result.name
    with store.workdir(key) as work:
        shutil.copytree(result, work, dirs_exist_ok=True)
        examples = json.loads((work / "examples.json").read_text())
        examples["de"]["correct"] = [1 - one for one in examples["de"]["correct"]]
        (work / "examples.json").write_text(json.dumps(examples))
        shutil.rmtree(result)
        store.commit(key, work, meta)
    done = packed(rig, folder)
    refused(
        done,
        folder,
        3,
        "but of another run",
        "evidence.cells[0].languages.de.correct",
        "tiny_mood@tiny · seed 1",
        "--store DIR",
    )


def test_a_damaged_result_is_not_packed(rig, undisturbed, tmp_path):
    folder = copied(undisturbed, tmp_path / "run")
    file = (
        result_of(folder / "runs/store", "evaluate tiny tiny_mood after none")
        / "predictions"
        / "de.jsonl"
    )
    file.write_bytes(file.read_bytes() + b"\n")
    refused(packed(rig, folder), folder, 74, "is damaged: predictions/de.jsonl")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "suite.yaml",
            "target: {learning_rate: 1e-3",
            "target: {learning_rate: 2e-3",
            "inputs.suite.recipes.target.learning_rate",
        ),
        ("suite.yaml", "seeds: [1]", "seeds: [2]", "suite.seeds"),
        (
            "tiny_mood.yaml",
            "title: glad or sad",
            "title: sad or glad",
            "inputs.tasks.tiny_mood.about.title",
        ),
        ("mood.de.test.jsonl", "glad", "sad", "inputs.files.tiny_mood.mood.de.test.jsonl"),
    ],
)
def test_specs_and_data_that_no_longer_lead_to_it_are_not_packed(
    rig, undisturbed, tmp_path, file, old, new, said
):
    folder, specs = copied(undisturbed, tmp_path / "run"), copied(rig.specs, tmp_path / "specs")
    text = (specs / file).read_text(encoding="utf-8")
    assert old in text
    (specs / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    done = packed(rig, folder, specs=specs)
    refused(
        done,
        folder,
        2,
        "specs, data or code here no longer lead to release 0001-tiny",
        said,
        "make a new release",
    )


@pytest.mark.slow
def test_what_is_not_here_is_named(rig, undisturbed, tmp_path):
    folder, specs = copied(undisturbed, tmp_path / "run"), copied(rig.specs, tmp_path / "specs")
    (specs / "mood.de.test.jsonl").unlink()
    refused(
        packed(rig, folder, specs=specs),
        folder,
        3,
        "mood.de.test.jsonl",
        "it cannot be told whether specs here lead to",
    )
    refused(rig.run(rig.command("bundle"), folder), folder, 2, "no suite is called 'tiny'")


def test_a_spec_that_names_a_path_of_this_machine_is_not_packed(rig, undisturbed, tmp_path):
    folder, specs = copied(undisturbed, tmp_path / "run"), copied(rig.specs, tmp_path / "specs")
    text = (specs / "tiny_colour.yaml").read_text()
    (specs / "tiny_colour.yaml").write_text(text.replace('"colour.', f'"{specs}/colour.'))
    refused(
        packed(rig, folder, specs=specs),
        folder,
        2,
        "tiny_colour.yaml: ",
        "is a path of this machine",
    )


@pytest.mark.slow
def test_releases_that_lead_nowhere(rig, undisturbed, tmp_path):
    folder = copied(undisturbed, tmp_path / "run")
    next((folder / "runs/board" / "releases").glob("*.env.json")).unlink()
    refused(
        packed(rig, folder),
        folder,
        74,
        "its sidecar 0001-tiny.env.json is gone or of another content",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mine.json", "0001 copy.json", "release-of-june.json"])
def test_a_release_by_its_file_has_a_name_that_a_board_lists(rig, undisturbed, tmp_path, name):
    """Or the page's own commands would not find it."""
    folder = copied(undisturbed, tmp_path / "run")
    for suffix in (".json", ".env.json"):
        shutil.move(
            folder / "runs/board" / "releases" / f"0001-tiny{suffix}",
            tmp_path / name.replace(".json", suffix),
        )
    where = ["-t", rig.specs, "--encoder-root", rig.encoders, "--without-predictions"]
    done = rig.run(rig.command("bundle", tmp_path / name, *where), folder)
    assert done.returncode == 0, done.stderr
    made = unpacked(folder / f"{NAME}.tar.gz", tmp_path / "out")
    page = (made / "README.md").read_text()
    assert "# Release 0001-tiny, to be checked" in page
    done = rig.run(rig.command("leaderboard", "verify", "0001-tiny"), made)
    assert done.returncode == 0 and "0001-tiny: sound" in done.stdout


def test_a_folder_that_cannot_be_written(rig, undisturbed, tmp_path):
    done = packed(rig, undisturbed, "--out", tmp_path / "nowhere" / "x.tar.gz")
    refused(done, tmp_path, 74, "cannot write the bundle")


# The plan of a release

PLANETS = """
task: planets
version: 1
role: [intermediate]
family: classification
languages: [en]
source: {files: "planets.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
columns: {text: text, label: label}
labels: [m, v]
metric: accuracy
max_length: 32
about: {title: which planet}
difficulty: {declared: hard, why: nobody has tried}
"""


def test_the_users_tasks_that_joined_are_in_the_plan_and_no_others(rig, tmp_path):
    """`eval --all --without tiny_tags` with a folder that has grown since."""
    (tmp_path / "planets.yaml").write_text(PLANETS.lstrip())
    for split in ("train", "dev"):
        write_jsonl(
            tmp_path / f"planets.{split}.jsonl",
            [{"text": f"{split} {i}", "label": "mv"[i % 2]} for i in range(8)],
        )
    where, index = (
        Where(encoder_root=rig.encoders, offline=True),
        HashIndex(tmp_path / "files.json"),
    )

    def catalog(*more: Path) -> Catalog:
        found = Catalog.load([rig.specs, *more])
        # as if they were built in
        found.user -= {("task", name) for name in found.tasks if name.startswith("tiny_")}
        return found

    known = catalog(tmp_path)
    assert (
        "tiny_tags"
        not in with_user_tasks(
            without(known.suite("tiny"), ["tiny_tags"]), Catalog.load([rig.specs])
        ).targets
    )
    plan = make_plan(
        with_user_tasks(without(known.suite("tiny"), ["tiny_tags"]), known), known, where, index
    )
    content = declared(plan).document()
    assert "planets" in content["arms"] and content["suite"]["left_out"] == ["tiny_tags"]
    (tmp_path / "later.yaml").write_text(PLANETS.lstrip().replace("task: planets", "task: later"))
    again = bundle.plan_of(content, catalog(tmp_path), where, index)
    assert again.jobs.keys() == plan.jobs.keys() and again.cells == plan.cells
    assert "specs/own/planets.yaml" in bundle._specs(content, catalog(tmp_path))
    assert "specs/own/later.yaml" not in bundle._specs(content, catalog(tmp_path))
    assert any(
        name.endswith("/tiny_tags.yaml") for name in bundle._specs(content, catalog(tmp_path))
    )  # or the suite does not load
    with pytest.raises(
        SpecError, match=r"the release has planets, .*give their folder with --specs"
    ):
        bundle.plan_of(content, catalog(), where, index)


def test_a_commit_that_the_run_could_not_know_comes_from_the_lock(tmp_path):
    files, commit = {"a.parquet": "a" * 64}, "c" * 40
    sidecar = {"data": {"datasets": {"some/data": {"revision": None, "files": files}}}}

    def revision(locked: dict | None) -> str | None:
        lock = (
            Lock(tmp_path / "x", {"datasets": {"some/data": {"revision": commit, "files": locked}}})
            if locked
            else None
        )
        made = json.loads(bundle._lock(sidecar, Where(lock=lock), tmp_path / "xstilts.lock.json"))
        return made["datasets"]["some/data"]["revision"]

    assert revision(None) is None
    assert revision(files | {"b.parquet": "b" * 64}) == commit
    assert revision({"a.parquet": "f" * 64}) is None and revision({"b.parquet": "b" * 64}) is None
