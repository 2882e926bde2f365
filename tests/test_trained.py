"""A model that somebody fine-tuned elsewhere, scored without training: its own head, its own order
of outputs."""

import json
import shutil
from pathlib import Path

import pytest
import transformers
from safetensors.torch import load_file
from test_loop import context, dataset, make_job, task_part
from test_plan import SUITE, World, keys

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.jobs import evaluate, train
from harness.models.loaded import LoadedEncoder
from harness.plan.planner import make_plan, plan_again
from harness.run.choice import Asked, Choice, ask
from harness.sources.encoder_files import DECISIVE
from harness.sources.hub import Where
from harness.sources.outputs import as_answered, outputs_of
from harness.spec.catalog import Catalog
from harness.spec.oneline import OneLine, trained_of
from harness.spec.suite import Finished
from harness.store import HashIndex, Store, file_sha256
from harness.store.job import described

FINISHED = sorted(name for name, family in FAMILIES.items() if family.transformers_head)
# our names of a head's weights, and transformers' of BERT
HEADS = {
    "classification": {"heads.0.out": "classifier", "pooler.dense": "bert.pooler.dense"},
    "multiple_choice": {"heads.0.score.out": "classifier", "pooler.dense": "bert.pooler.dense"},
    "tagging": {"heads.0.out": "classifier"},
    "span_qa": {"heads.0": "qa_outputs"},
}


def run(store: Store, job: dict, tmp: Path) -> None:
    workdir = tmp / job["key"][:8]
    ctx = context(tmp, job)
    ctx.store, ctx.workdir = store, workdir
    workdir.mkdir()
    (train if job["kind"] == "train" else evaluate).run(ctx)
    store.commit(job["key"], workdir, {})


def export(weights: dict, folder: Path, family: str, labels: list[str], to: Path) -> Path:
    """A trained model of ours as a folder of transformers, its outputs in the order of `labels`."""
    known = {name: i for i, name in enumerate(task_part(family)["labels"])}
    kind = getattr(transformers, FAMILIES[family].transformers_head)
    named = {"id2label": dict(enumerate(labels)), "num_labels": len(labels)} if labels else {}
    if family == "multiple_choice":
        named = {}
    model = kind.from_pretrained(folder, **named)
    theirs = {}
    for name, tensor in weights.items():
        part, _, end = name.rpartition(".")
        other = HEADS[family].get(part, part.replace("encoder.", "bert.", 1))
        if other == "classifier" and labels and family != "multiple_choice":
            tensor = tensor[[known[label] for label in labels]]
        theirs[f"{other}.{end}"] = tensor
    left = model.load_state_dict(theirs, strict=False)
    assert not left.unexpected_keys
    model.save_pretrained(to)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(to)
    return to


@pytest.mark.parametrize("family", FINISHED)
def test_an_exported_model_scores_as_it_did_here(tmp_path, folder, family):
    job = make_job(tmp_path, folder, family, rows=40, learning_rate=1e-2, epochs=4)
    part = job["spec"]["tasks"]["toy"]
    part["options"] |= {"head": "native"} if "head" in part["options"] else {}
    part["options"] |= {"outside": False} if "outside" in part["options"] else {}
    job = described(
        "train", "train", job["spec"], {n: job[n] for n in ("train", "dev")}, job["encoder"]
    )
    store = Store(tmp_path / "store")
    run(store, job, tmp_path)

    weights = load_file(store.path(job["key"], "model.safetensors"))
    labels = part["labels"][::-1]  # in another order than ours
    there = export(weights, folder, family, labels, tmp_path / "finished")
    read = [name for name in (*DECISIVE, "model.safetensors") if (there / name).is_file()]
    identity = {"files": {name: file_sha256(there / name) for name in read}, "max_length": 64}
    other = {"name": "finished", "folder": str(there), "identity": identity, "declared": {}}

    data = {"tests": {"en": dataset(tmp_path / "test.jsonl", family, 60, seed=3)}}
    ours = described("evaluate", "ours", {"task": part, "model": job["key"]}, data, job["encoder"])
    spec = {"task": task_part(family), "model": None, "own_head": {"labels": []}}
    theirs = described("evaluate", "theirs", spec, data, other)
    for one in (ours, theirs):
        run(store, one, tmp_path)
    for name in ("predictions/en.jsonl", "scores.json", "examples.json"):
        assert (
            store.path(ours["key"], name).read_bytes()
            == store.path(theirs["key"], name).read_bytes()
        )
    if labels and family != "multiple_choice":  # under wrong names it would answer something else
        spec = spec | {"own_head": {"labels": part["labels"]}}
        wrong = described("evaluate", "wrong", spec, data, other)
        with pytest.raises(SpecError, match="in that order; leave the labels out"):
            run(store, wrong, tmp_path)


def test_a_folder_without_a_head_is_refused(tmp_path, folder):
    encoder = LoadedEncoder(str(folder), {"max_length": 64})
    with pytest.raises(SpecError, match="is no fine-tuned TokenClassification model"):
        encoder.with_head("AutoModelForTokenClassification")


MOOD = {"family": "classification", "labels": ["no", "yes"], "options": {"head": "plain"}}
TAGS = {"family": "tagging", "labels": ["A", "B"], "options": {"outside": True}}


@pytest.mark.parametrize(
    ("task", "named", "given", "order"),
    [
        (MOOD, ["YES", "No"], [], [1, 0]),
        (MOOD, ["LABEL_0", "LABEL_1"], ["yes", "no"], [1, 0]),
        (MOOD, [], ["no", "yes"], [0, 1]),
        (TAGS, ["b", "a"], [], [1, 0]),
        (TAGS, ["b", "O", "a"], [], [1, 2, 0]),
    ],
)
def test_outputs_are_matched_by_name(task, named, given, order):
    answered, found = as_answered(task, named, given, "x")
    assert found == order
    assert answered["options"].get("outside", False) == (len(order) == 3)
    assert task["options"] in (MOOD["options"], TAGS["options"])  # unchanged


@pytest.mark.parametrize(
    "config",
    [
        {"id2label": ["no", "yes"]},
        {"id2label": {"no": 0, "yes": 1}},
        {"id2label": {"0": "no", "2": "yes"}},
        {"id2label": {"0": 0, "1": 1}},
        {"id2label": {"0": {}, "1": "yes"}, "label2id": {"no": 0}},
        {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 1, "yes": 0}},
    ],
)
def test_names_that_are_not_beyond_doubt_are_none(config):
    assert outputs_of(config) == []
    good = {"id2label": {"1": "yes", "0": "no"}, "label2id": {"LABEL_0": 0, "no": 0}}
    assert outputs_of(good) == ["no", "yes"]


@pytest.mark.parametrize(
    ("task", "named", "given", "said"),
    [
        (MOOD, ["LABEL_0", "LABEL_1"], [], "no names for its outputs; .* TASK=FOLDER:no,yes"),
        (MOOD, [], [], "no names for its outputs"),
        (MOOD, ["yes", "maybe"], [], "outputs are yes, maybe, the task's labels no, yes"),
        (MOOD, ["yes", "yes"], [], "outputs are yes, yes"),
        (MOOD, ["Yes", "no"], ["no", "yes"], "names its outputs Yes, no, in that order; leave the"),
        (MOOD, ["no", "yes"], ["No", "yes"], "names its outputs no, yes, in that order; leave the"),
        (MOOD, ["a", "b", "c"], ["yes", "no"], "2 labels are given, and its head has 3 outputs"),
        ({"family": "span_qa", "labels": [], "options": {}}, [], ["a"], "has no labels"),
        ({"family": "mlm", "labels": [], "options": {}}, [], [], "no model of the family mlm"),
    ],
)
def test_outputs_that_are_not_the_labels_are_refused(task, named, given, said):
    with pytest.raises(SpecError, match=said):
        as_answered(task, named, given, "x")


def test_a_finished_encoder_is_only_evaluated_and_only_where_it_fits(tmp_path):
    world = World(tmp_path)
    (world.root / "encoders" / "toyenc" / "config.json").write_text(
        json.dumps({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})
    )
    suite = SUITE | {"arms": ["none"]}
    trained = suite | {"trained": {"toyenc": "reading"}}
    plan = world.plan(suite=trained)
    assert {job.kind for job in plan.jobs.values()} == {"evaluate"}
    assert [(cell.arm, cell.target, cell.seed) for cell in plan.cells] == [
        ("none", target, seed) for seed in (1, 2) for target in ("quiz", "exam")
    ]
    assert all(cell.trained is cell.overlap is cell.intermediate is None for cell in plan.cells)
    # from what a release records: no config.json, the same keys
    assert keys(plan_again(plan.inputs)) == keys(plan)
    # the key has the labels that a suite gives
    mood = [
        suite | {"trained": {"toyenc": {"task": "mood", "labels": of}}}
        for of in (["yes", "no"], ["no", "yes"])
    ]
    first, second = (keys(world.plan(suite=suite)) for suite in mood)
    assert first.keys() == second.keys()
    assert first != second
    # and nothing that decides nothing: their spelling, what our own head would be
    (name,) = {one for one in first if "mood" in one}
    other = suite | {"settings": {"mood": {"options": {"head": "native"}}}}
    given = {"toyenc": {"task": "mood", "labels": ["YES", "no"]}}
    again = world.plan(suite=other | {"trained": given})
    assert keys(again)[name] == first[name]


def test_what_a_finished_model_does_not_fit_is_said_or_refused(rig, tmp_path, folder):
    """By whoever asks: on the targets of a suite, or on those that are named."""
    catalog, where = Catalog.load([]), Where(offline=True)
    there = shutil.copytree(folder, tmp_path / "mymodel")

    def asked(
        suite: str | None = None, task: str = "mini_mnli", specs: Catalog = catalog, **more
    ) -> Asked:
        line = OneLine(trained=trained_of(f"{task}={there}:a,b,c"), **more)
        return ask(Choice(suite, specs is not catalog, line=line), specs, where, print)

    found = asked("mini")
    assert found.suite.targets == ["mini_xnli"]
    assert [arm.name for arm in found.suite.arms] == ["none"]
    scored, without = found.lines[-2:]
    assert scored.startswith("mymodel comes trained on mini_mnli, and is not scored on ")
    assert "mini_panx" in scored
    assert without.startswith("nothing is trained, so without conditions mini_")
    # so of a folder's own tasks
    for more in ({}, {"targets": ("mini_xnli",)}, {"suite": "mini"}):
        own = asked(specs=Catalog.load([rig.specs]), **more)
        assert own.suite.targets == ["mini_xnli"]
        assert "tiny_mood" in own.lines[-2] and "tiny_colour" in own.lines[-1]
    # beside an encoder that is trained, each target has somebody
    beside = asked("mini", encoders=("all-MiniLM-L6-v2",), targets=("mini_xnli", "mini_panx"))
    assert beside.suite.targets == ["mini_xnli", "mini_panx"]
    assert beside.lines[-1].endswith("and is not scored on mini_panx")
    assert asked(targets=("mini_xnli",)).lines[-1] != beside.lines[-1]
    for more, said in (
        ({"targets": ("mini_xnli", "mini_panx")}, "no encoder is left for mini_panx: all come tra"),
        ({"targets": ("mini_panx",)}, "on mini_mnli, and none of the targets mini_panx trains on"),
        ({"intermediate": ("mini_mnli",)}, "no encoder is left for condition mini_mnli: all come"),
        ({"suite": "mini", "task": "mini_topic"}, "and none of the targets mini_"),
    ):
        with pytest.raises(SpecError, match=said):
            asked(**more)


def test_one_line_scores_a_folder_on_the_targets_that_train_on_its_task(tmp_path, folder):
    there = shutil.copytree(folder, tmp_path / "mymodel")
    config = json.loads((there / "config.json").read_text())
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    (there / "config.json").write_text(json.dumps(config | {"id2label": names}))
    catalog, where = Catalog.load([]), Where(offline=True)

    def asked(*trained: str) -> Asked:
        return ask(Choice(None, line=OneLine(trained=trained_of(trained))), catalog, where, print)

    found = asked(f"mini_mnli={there}")
    assert found.suite.trained == {"mymodel": Finished(task="mini_mnli")}
    assert (found.suite.targets, found.suite.seeds) == (["mini_xnli"], [1, 2, 3])
    assert [arm.name for arm in found.suite.arms] == ["none"]
    assert found.written["trained"] == {"mymodel": {"task": "mini_mnli"}}
    plan = make_plan(found.suite, catalog, where, HashIndex(tmp_path / "index.json"))
    assert [job.kind for job in plan.jobs.values()] == ["evaluate"]
    assert plan.blocked == {}
    again = asked(f"mini_mnli={there}:neutral,entailment,contradiction")
    (finished,) = again.suite.trained.values()
    assert finished.labels == ["neutral", "entailment", "contradiction"]
    assert again.suite.suite != found.suite.suite
    with pytest.raises(SpecError, match="no task is called 'mini_mnl'; did you mean"):
        asked(f"mini_mnl={there}")
    with pytest.raises(SpecError, match="is named twice"):
        asked(f"mini_mnli={there}", f"mini_pawsx={there}")


@pytest.mark.parametrize("given", ["mnli", "=./a", "mnli=", "mnli=./a:", "mnli=./a:x,,y"])
def test_a_trained_model_is_a_task_and_a_folder(given):
    with pytest.raises(SpecError, match="write the task and the model"):
        trained_of(given)


def test_a_task_name_is_enough():
    assert Finished(task="mnli").labels == []
