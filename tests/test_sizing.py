"""What a plan says of hours and disk where data are not here; whether a run fits on its disk."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from pydantic import ValidationError

from harness.common.errors import StoreError
from harness.engines.process import MOST
from harness.engines.slurm import Cluster
from harness.plan import estimate, order, shown
from harness.plan.devices import Machine
from harness.plan.disk import Space, spaces
from harness.plan.estimate import Left, Sizes, UnsizedError
from harness.plan.planner import make_plan
from harness.run import fits, steps
from harness.sources.hub import Where
from harness.sources.inspect import check_data
from harness.spec.catalog import Catalog
from harness.spec.recipe import Recipe
from harness.spec.task import DataSize
from harness.store import HashIndex, Store, key_of
from harness.store.job import WEIGHTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "sizing.md"
REWRITE = os.environ.get("XSTILTS_GOLDEN") == "1"  # write the page's tables anew
CARDS, COUNTS = ("A100", "H100"), (1, 8, 64)


# The paper's grid


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory) -> dict[str, Left]:
    """What both suites take on a machine that has nothing."""
    folder = tmp_path_factory.mktemp("nowhere")
    catalog, store = Catalog.load([]), Store(folder / "store")
    left = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HOME", str(folder))
        patched.setenv("HF_HUB_CACHE", str(folder / "hub"))
        for name in ("xstilts-2020", "xstilts-xtreme"):
            where = Where(folder, folder, offline=True)
            plan = make_plan(catalog.suite(name), catalog, where, HashIndex(folder / "index.json"))
            state = shown.states(plan, store, plan.todo(store))
            assert set(state.values()) == {"blocked"}
            left[name] = Left(plan, store, state, Sizes())
    return left


def test_the_paper_is_sized_before_anything_is_downloaded(nowhere):
    for left in nowhere.values():
        assert len(left.costs) == len(left.jobs)
        one, eight, many = (left.run(Machine(count, "A100")) for count in (1, 8, 1000))
        assert one["hours"] == pytest.approx(one["worker_hours"], rel=1e-3)
        # eight lose next to nothing and keep few models; a thousand wait for the longest chain
        assert eight["hours"] < 1.005 * one["hours"] / 8
        assert eight["models"] < 16
        assert many["hours"] == pytest.approx(one["chain_hours"], rel=0.01)
        assert "multitask" in one["chain"][-1]
    assert len(nowhere["xstilts-2020"].jobs) == 753


def test_the_page_has_what_the_command_prints(nowhere):
    """`plan --suite NAME --device A100,H100 --gpus 1,8,64`."""
    machines = [Machine(count, card) for card in CARDS for count in COUNTS]
    said = []
    for name, left in nowhere.items():
        command = f"xstilts-harness plan --suite {name} --device A100,H100 --gpus 1,8,64"
        lines = shown.sizing([left.run(machine) for machine in machines])
        said += [
            f"```sh\n{command}\n```\n",
            *lines[:-1],
            "",
            f"{lines[-1][0].upper()}{lines[-1][1:]}.\n",
        ]
    marked = r"(<!-- sizes: [^\n]*-->\n)(.*?)(<!-- end -->)"
    page = PAGE.read_text()
    made = re.sub(
        marked, lambda found: found[1] + "\n".join(said) + "\n" + found[3], page, flags=re.S
    )
    if REWRITE:
        PAGE.write_text(made)
    assert made == page or REWRITE


def test_one_command_asks_for_several_machines(rig, tmp_path):
    words = ["plan", "--suite", "tiny", "-t", str(rig.specs), "--encoder-root", str(rig.encoders)]
    done = rig.here([*words, "--device", "A100,H100", "--gpus", "1,8"], tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^\| ((?:\d+ × )?[AH]100) ", done.stdout, flags=re.M)
    assert rows == ["A100", "8 × A100", "H100", "8 × H100"]
    assert "the longest chain of jobs takes" in done.stdout and "assumed of one A100" in done.stdout
    for wrong, why in (
        (["--gpus", "none"], "write numbers"),
        (["--gpus", "2", "--device", "cpu"], "no GPU"),
    ):
        done = rig.here([*words, *wrong], tmp_path)
        assert done.returncode == 2 and why in done.stderr


# What is published of rows


SIZE = DataSize(rows={"train": 1000, "dev": {"de": 50, "en": 60}}, subwords=20, source="a test")


@pytest.mark.parametrize(
    ("split", "language", "count"),
    [
        ("train", "en", 1000),
        ("train[:80%]", "en", 800),
        ("train[100:200]+dev", "de", 150),
        ("dev", "en", 60),
        ("dev", "fr", None),
        ("test", "en", None),
    ],
)
def test_rows_of_a_split_as_published(split, language, count):
    assert SIZE.count(split, language) == count


def test_a_number_without_a_source_is_refused():
    with pytest.raises(ValidationError, match="source"):
        DataSize(rows={"train": 10}, subwords=3)


def missing(rows: int | None, family: str = "classification", cap: int | None = None) -> dict:
    said = {"task": "toy", "family": family, "rows": rows, "subwords": 20, "cap": cap}
    return {"name": "toy train en", "identity": {"missing": said}, "location": []}


def test_rows_that_are_not_here_are_counted_as_published():
    sizes = Sizes()
    assert sizes.of(missing(100)) == (100, 2000, 0)
    assert sizes.of(missing(100, cap=10)) == (10, 200, 0)
    assert sizes.of(missing(100, "retrieval")).similarities == 100 * 100
    assert sizes.of(missing(100, "bitext_mining")).similarities == 50 * 50
    assert sizes.published == {"toy"}
    with pytest.raises(UnsizedError):
        sizes.of(missing(None))


def test_of_several_sets_those_that_are_here_are_read():
    sizes, here = Sizes(), {"name": "here", "identity": {"is": "here"}, "location": [1]}
    sizes.note(here, [{"id": "0", "text": "x" * 40, "label": "no"}] * 5)
    members = [here["identity"], missing(100)["identity"]]
    both = {"name": "both", "identity": {"union": members, "cap": None}, "location": [[1], []]}
    assert sizes.of(both)[:2] == (105, 2000 + 5 * 13)
    both["identity"] = {"union": members, "cap": 21}
    assert sizes.of(both)[:2] == (21, 413)


def test_rows_that_were_counted_once_are_not_read_by_the_next_command(tmp_path, monkeypatch):
    here = {"name": "here", "identity": {"is": "here"}, "location": [1]}
    rows = [{"id": "0", "text": "x" * 40, "label": "no"}] * 5
    monkeypatch.setattr(estimate.data_rows, "load", lambda dataset: rows)
    index = HashIndex(tmp_path / "files.json")
    counted = Sizes(index).of(here)
    index.save()

    monkeypatch.setattr(estimate.data_rows, "load", lambda dataset: pytest.fail("read again"))
    assert Sizes(HashIndex(tmp_path / "files.json")).of(here) == counted == (5, 65, 0)


def test_what_is_published_decides_no_key_and_is_in_no_release(nowhere):
    plan = nowhere["xstilts-2020"].plan
    assert plan.noted and any(task.about.size for task in plan.noted.tasks.values())
    from harness.plan.recorded import _encoder, _task

    for task in plan.noted.tasks.values():
        assert _task(task)["about"] == {"title": task.about.title}
    for encoder in plan.noted.encoders.values():
        assert encoder.shape and "shape" not in _encoder(encoder)


# The disk


def job(key: str, needs: tuple[str, ...] = (), rank: int = 0, kind: str = "train", **recipe):
    spec = {"recipe": Recipe(learning_rate=1e-5, **recipe).model_dump()}
    spec["tasks"] = {"toy": {"family": recipe.pop("family", "classification")}}
    body = {"encoder": {"name": "it"}, "spec": spec}
    return SimpleNamespace(
        key=key, kind=kind, name=key, needs=list(needs), body=body, rank=(rank,), slots=1
    )


def plan_of(weights: int = 300, embeddings: int = 100) -> SimpleNamespace:
    found = SimpleNamespace(weights=weights, embeddings=embeddings, missing=None)
    return SimpleNamespace(encoders={"it": found})


def test_what_a_training_holds_of_the_disk():
    jobs = [job("last", evaluations=1), job("best", evaluations=2)]
    jobs.append(job("lora", lora={"rank": 8, "alpha": 16}))
    found = spaces(plan_of(), [*jobs, job("test", kind="evaluate")])
    # a model of 400 weights; a checkpoint has weights and moments of the layers, and the best model
    assert found["last"] == Space(1600, 2 * 3 * 1200)
    assert found["best"] == Space(1600, 2 * (3 * 1200 + 1600))
    assert found["lora"].model < 100 and found.keys() == {"last", "best", "lora"}


def chain_of_three() -> list:
    """Two models of 1,600 bytes at most: one that is trained from another."""
    middle, target, test = map(key_of, ("middle", "target", "test"))
    jobs = [job(middle, rank=0), job(target, (middle,), 1)]
    return [*jobs, job(test, (target,), 2, "evaluate")]


@pytest.mark.parametrize(
    ("free", "keep", "said"),
    [(20_000, False, 0), (5_000, False, 1), (3_199, False, None), (3_199, True, None)],
)
def test_a_run_that_does_not_fit_on_the_disk_is_refused_and_a_tight_one_told(
    tmp_path, monkeypatch, free, keep, said
):
    monkeypatch.setattr(fits, "free_disk", lambda _: free)
    heard: list[str] = []

    def check() -> None:
        fits.check_disk(
            plan_of(), chain_of_three(), {}, (2, 2), keep, Store(tmp_path), heard.append
        )

    if said is None:
        with pytest.raises(StoreError, match=r"2 trained models .* another --store") as refused:
            check()
        assert refused.value.exit_code == 74
        assert ("--keep-weights" in str(refused.value)) == keep
    else:
        check()
        assert len(heard) == said and all("may not fit" in line for line in heard)


class Watched(order._Disk):
    """A simulated run's disk that remembers how it was after each job: what had ended, which
    models lay there, which trainings had checkpoints."""

    seen: ClassVar[list[tuple[set[str], list[str], list[str]]]] = []

    def done(self, job) -> None:
        super().done(job)
        ended = {*(self.seen[-1][0] if self.seen else ()), job.key}
        self.seen.append((ended, [*self._kept], [*self._checkpoints]))


LARGE = plan_of(300, 260)  # of XLM-R Large, in millions


def grid() -> list:
    """Nine conditions of eight targets each."""
    jobs = []
    for place in range(9):
        middle = key_of(["middle", place])
        jobs.append(job(middle, (), 100 * place, evaluations=1))
        for target in range(8):
            train, test = (key_of([kind, place, target]) for kind in ("train", "test"))
            rank = 100 * place + 2 * target
            jobs.append(job(train, (middle,), rank + 2, evaluations=1))
            jobs.append(job(test, (train,), rank + 1, "evaluate"))
    return jobs


def left_by(store: Store, jobs: list, models: list[str], training: list[str]) -> int:
    """What a run that was killed leaves on the disk, in bytes: of each training the checkpoint
    and the one that is being written."""
    space, size = spaces(LARGE, jobs), 0
    for key in models:
        with store.workdir(key) as folder:
            (folder / WEIGHTS).write_bytes(bytes(int(space[key].model)))
            store.commit(key, folder, {})
        size += int(space[key].model)
    for key in training:
        if key in space:
            both = int(space[key].checkpoint)
            (store.checkpoint_dir(key) / "update-1.pt").write_bytes(bytes(both))
            size += both
    return size


@pytest.mark.parametrize("point", range(8, 89, 16))
def test_the_rest_of_a_run_fits_where_the_whole_did(tmp_path, monkeypatch, point):
    """Killed anywhere: what lies there is not to be paid twice."""
    jobs, store = grid(), Store(tmp_path)
    monkeypatch.setattr(order, "_Disk", Watched)
    monkeypatch.setattr(Watched, "seen", [])
    whole = order.course(jobs, {}, 8, spaces(LARGE, jobs))
    ended, models, training = Watched.seen[point]
    monkeypatch.setattr(Watched, "seen", [])

    free = whole.disk - left_by(store, jobs, models, training)
    monkeypatch.setattr(fits, "free_disk", lambda _: free)
    rest = [one for one in jobs if one.key not in ended]
    fits.check_disk(LARGE, rest, {}, (8, 8), False, store, lambda _: None)  # and is not refused


@pytest.mark.parametrize("lacks", [0, 1])
def test_a_model_that_lies_there_is_part_of_what_a_run_needs(tmp_path, monkeypatch, lacks):
    """One is there, and another is to be trained from it."""
    store, (middle, *rest) = Store(tmp_path), chain_of_three()
    size = left_by(store, [middle], [middle.key], [])
    monkeypatch.setattr(fits, "free_disk", lambda _: size - lacks)

    def check() -> None:
        fits.check_disk(LARGE, rest, {}, (2, 2), False, store, lambda _: None)

    if not lacks:
        check()
    else:
        with pytest.raises(StoreError, match=r"holds .* of this run's.* 2 trained models"):
            check()


class Agents:
    """Of a run on a cluster."""

    def __init__(self, at_work: bool):
        self.at_work = lambda run: at_work

    def run(self, *_): ...

    def farewell(self, run): ...


def test_who_comes_back_to_agents_at_work_is_not_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fits, "free_disk", lambda _: 0)
    jobs, how = chain_of_three(), steps.How()
    plan = SimpleNamespace(encoders=LARGE.encoders, jobs={one.key: one for one in jobs})

    def look(at_work: bool) -> None:
        store = Store(tmp_path)
        steps._look_at_disk(plan, jobs, {}, Agents(at_work), how, store, lambda _: None)

    look(at_work=True)
    with pytest.raises(StoreError):
        look(at_work=False)


@pytest.mark.parametrize(
    ("how", "places"),
    [
        (steps.How(workers=3, cluster=Cluster(8)), (24, 24)),
        (steps.How(cluster=Cluster(2, gpus=4)), (8, 8)),
        (steps.How(cluster=Cluster(2, gpus=0, cores=6)), (12, 12)),
        # --workers auto
        (steps.How(cluster=Cluster(8, cores=3, need=1e9)), (8, 24)),
        (steps.How(cluster=Cluster(8, cores=32, need=1e9)), (8, 8 * MOST)),
    ],
)
def test_how_many_jobs_agents_do_at_once(how, places):
    assert steps._places(Agents(at_work=False), how) == places


def test_workers_that_may_not_be_refuse_nothing(tmp_path, monkeypatch):
    """One or eight: for one there is room."""
    jobs, store = grid(), Store(tmp_path)
    monkeypatch.setattr(fits, "free_disk", lambda _: 2 * 2240)
    heard: list[str] = []
    fits.check_disk(LARGE, jobs, {}, (1, 8), False, store, heard.append)
    assert len(heard) == 1 and "by 8 workers if the GPUs have room" in heard[0]
    with pytest.raises(StoreError):
        fits.check_disk(LARGE, jobs, {}, (8, 8), False, store, heard.append)


def test_free_room_is_that_of_the_folder_or_of_where_it_will_be(tmp_path):
    assert fits.free_disk(tmp_path / "not" / "yet") == pytest.approx(
        fits.free_disk(tmp_path), rel=0.1
    )


def test_eval_starts_nothing_on_a_disk_without_room(rig, tmp_path, monkeypatch):
    """And the plan has said so before."""
    monkeypatch.setattr(fits, "free_disk", lambda _: 1000)
    where = ["--suite", "tiny", "-t", str(rig.specs), "--encoder-root", str(rig.encoders)]
    planned = rig.here(["plan", *where], tmp_path)
    assert planned.returncode == 0 and "0.0 MB are free" in planned.stdout
    done = rig.here(["eval", *where, "--workers", "1"], tmp_path)
    assert done.returncode == 74
    assert re.search(
        r"runs/store has 0.0 MB free; this run needs about .* trained model", done.stderr
    )
    store = Store(tmp_path / "runs/store")
    assert not store.keys() and not list((store.root / "logs").glob("*"))


# Rows that are here beside what is published


TOY = """
task: toy
version: 1
role: [training]
family: classification
languages: [en]
source: {files: "toy.{split}.jsonl"}
train: {split: train}
dev: {split: "train[:50%]"}
columns: {text: text, label: label}
labels: ["no", "yes"]
metric: accuracy
about: {title: toy, size: {rows: {train: 5}, subwords: 3, source: a test}}
"""


def test_a_part_of_a_published_set_is_told(tmp_path):
    (tmp_path / "toy.yaml").write_text(TOY)
    rows = [json.dumps({"text": f"row {i}", "label": ["no", "yes"][i % 2]}) for i in range(4)]
    (tmp_path / "toy.train.jsonl").write_text("\n".join(rows) + "\n")
    checked = list(check_data(Catalog.load([tmp_path]), ["toy"], Where(offline=True)))
    assert [one.text for one in checked] == [
        "toy train: 4 rows; 5 are published",
        "toy dev: 2 rows",
    ]
    assert {one.exit_code for one in checked} == {0}
