"""Training on several tasks at once: who gives the next batch, and that a task does there what it
does alone."""

import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from conftest import Rig, once, releases, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st
from padded import pad
from pydantic import ValidationError
from safetensors.torch import load_file
from test_loop import context, dataset, encoded, make_job, outputs, task_part

from harness.jobs import train
from harness.jobs.context import Stopped
from harness.jobs.part import Part
from harness.models import build, classifier
from harness.models.batching import turns
from harness.spec.sampler import Sampler
from harness.spec.suite import Arm, Intermediate
from harness.store import key_of

QUICK = settings(max_examples=100, deadline=None)
counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6), min_size=1)


@pytest.fixture(scope="module")
def warm() -> dict:
    return {}


# Shares


samplers = st.one_of(
    st.builds(Sampler, by=st.just("proportional"), cap=st.none() | st.integers(1, 10**6)),
    st.builds(Sampler, by=st.just("uniform")),
    st.builds(
        Sampler,
        by=st.just("temperature"),
        temperature=st.floats(0.5, 100),
        cap=st.none() | st.integers(1, 10**6),
    ),
)


@QUICK
@given(rows=counts, sampler=samplers)
def test_shares_are_a_distribution_and_more_rows_never_give_less(rows, sampler):
    shares = sampler.shares(rows)
    assert list(shares) == list(rows)
    assert math.isclose(sum(shares.values()), 1)
    assert all(share > 0 for share in shares.values())
    for a in rows:
        for b in rows:
            if rows[a] >= rows[b]:
                assert shares[a] >= shares[b]


@QUICK
@given(rows=counts, cap=st.integers(1, 10**6))
def test_a_cap_makes_the_large_equal_and_leaves_the_ratio_of_the_small(rows, cap):
    shares = Sampler(by="proportional", cap=cap).shares(rows)
    for a in rows:
        for b in rows:
            assert math.isclose(shares[a] / shares[b], min(rows[a], cap) / min(rows[b], cap))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"by": "proportional", "temperature": 2.0}, "goes with `by: temperature`"),
        ({"by": "uniform", "cap": 5}, "changes nothing with `by: uniform`"),
        ({"by": "uniform", "count": "features"}, "changes nothing with `by: uniform`"),
    ],
)
def test_what_would_change_nothing_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Sampler(**given)


def test_one_task_has_no_sampler():
    with pytest.raises(ValueError, match="it is of a mixture"):
        Intermediate(tasks=["a"], sampler=Sampler(by="uniform"))


@QUICK
@given(rows=counts)
def test_temperature_lies_between_proportional_and_uniform(rows):
    assert Sampler(by="temperature").shares(rows) == pytest.approx(Sampler().shares(rows))
    hot = Sampler(by="temperature", temperature=1e9).shares(rows)
    assert hot == pytest.approx(Sampler(by="uniform").shares(rows))
    assert Sampler(by="temperature", temperature=2).shares({"a": 900, "b": 100}) == pytest.approx(
        {"a": 0.75, "b": 0.25}
    )


@QUICK
@given(rows=counts, data=st.data())
def test_weights_do_not_look_at_rows(rows, data):
    weights = {task: data.draw(st.floats(0.1, 100)) for task in rows}
    shares = Sampler(by="weights", weights=weights).shares(rows)
    assert shares == pytest.approx(
        {task: weight / sum(weights.values()) for task, weight in weights.items()}
    )


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (Sampler, {"by": "weights"}, "goes with `by: weights`"),
        (Sampler, {"by": "uniform", "weights": {"a": 1}}, "goes with `by: weights`"),
        (Sampler, {"cap": 0}, "greater than 0"),
        (Sampler, {"by": "weights", "weights": {"a": 0}}, "greater than 0"),
        (Intermediate, {"tasks": ["a", "a"]}, "one is listed twice"),
        (
            Intermediate,
            {"tasks": ["a", "b"], "sampler": {"by": "weights", "weights": {"a": 1}}},
            "name each of the tasks",
        ),
        (Intermediate, {"tasks": []}, "at least 1 item"),
        (Arm, {"intermediate": ["a", "b"]}, "name"),
    ],
)
def test_unsound_mixtures_are_refused(model, given, message):
    with pytest.raises(ValidationError, match=message):
        model.model_validate(given)


def test_short_forms():
    assert Intermediate.model_validate(["a", "b"]) == Intermediate(
        tasks=["a", "b"], sampler=Sampler(by="proportional")
    )
    assert Intermediate.model_validate({"task": "a", "languages": ["de"]}) == Intermediate(
        tasks=["a"], languages=["de"]
    )
    assert Intermediate.model_validate(
        {"tasks": ["a", "b"], "sampler": "uniform"}
    ).sampler == Sampler(by="uniform")


# Turns


shares = st.lists(st.floats(0.01, 1), min_size=1, max_size=5).map(lambda w: [x / sum(w) for x in w])


@QUICK
@given(shares=shares, updates=st.integers(0, 300), seed=st.integers(0, 2**62))
def test_turns_are_a_function_of_the_seed_and_number_each_tasks_batches(shares, updates, seed):
    drawn = turns(shares, updates, seed)
    assert drawn == turns(list(shares), updates, seed)
    assert len(drawn) == updates
    for part in range(len(shares)):
        assert [number for who, number in drawn if who == part] == list(
            range(sum(who == part for who, _ in drawn))
        )


def test_turns_come_by_their_shares_and_seeds_differ():
    drawn = turns([0.7, 0.2, 0.1], 20_000, 5)
    often = np.bincount([part for part, _ in drawn]) / len(drawn)
    assert np.abs(often - [0.7, 0.2, 0.1]).max() < 0.02  # five standard errors
    assert len({tuple(turns([0.5, 0.5], 50, seed)) for seed in range(5)}) == 5


# The training itself


FAMILIES = ("classification", "tagging", "span_qa", "multiple_choice", "mlm")


def mixed(
    tmp: Path, folder: Path, families=FAMILIES, sampler: dict | None = None, **recipe
) -> dict:
    """A training on one toy task of each family; each is called by its family's name."""
    tmp.mkdir(parents=True, exist_ok=True)
    job = make_job(tmp, folder, families[0], **recipe)
    job["spec"]["tasks"] = {family: task_part(family) for family in families}
    job["spec"]["sampler"] = Sampler(**sampler or {}).model_dump() if len(families) > 1 else None
    for phase, rows, seed in (("train", 22, 1), ("dev", 12, 2)):
        job[phase] = {
            family: dataset(tmp / f"{phase}.{family}.jsonl", family, rows + i, seed)
            for i, family in enumerate(families)
        }
    return job | {"key": key_of(job["spec"])}


def batches(loop_job: dict, tmp: Path, warm: dict, monkeypatch) -> dict[str, list]:
    """What each task gave to the updates of a training, in order."""
    seen: dict[str, list] = {name: [] for name in loop_job["spec"]["tasks"]}
    batch = Part.batch

    def watched(part, number):
        features = batch(part, number)
        seen[part.name].append(features)
        return features

    monkeypatch.setattr(Part, "batch", watched)
    train.run(context(tmp, loop_job, warm=warm))
    monkeypatch.undo()
    return seen


@pytest.mark.slow
def test_a_task_gives_the_batches_it_gives_alone(tmp_path, folder, warm, monkeypatch):
    """Dynamic masks and the short last batch included, over several epochs."""
    together = batches(
        mixed(tmp_path / "all", folder, epochs=3, evaluations=0),
        tmp_path / "all",
        warm,
        monkeypatch,
    )
    for i, family in enumerate(FAMILIES):
        job = mixed(tmp_path / family, folder, (family,), epochs=9, evaluations=0)
        # as many rows as in the mixture
        job["train"] = {family: dataset(tmp_path / family / "again.jsonl", family, 22 + i)}
        alone = batches(job, tmp_path / family, warm, monkeypatch)[family]
        mine = together[family]
        assert 1 <= len(mine) <= len(alone)
        for a, b in zip(mine, alone, strict=False):
            assert [
                feature["input_ids"] if "input_ids" in feature else feature["parts"]
                for feature in a
            ] == [
                feature["input_ids"] if "input_ids" in feature else feature["parts"]
                for feature in b
            ]
    # 8, and the 6 that are left of 22
    assert len({len(batch) for batch in together["classification"]}) == 2


def test_a_head_starts_as_it_starts_alone(tmp_path, folder, encoder, warm):
    together = train.fresh_model(context(tmp_path, mixed(tmp_path, folder), warm=warm), encoder)
    for i, family in enumerate(FAMILIES):
        job = mixed(tmp_path / family, folder, (family,))
        alone = (
            train.fresh_model(context(tmp_path / family, job, warm=warm), encoder)
            .heads[0]
            .state_dict()
        )
        assert alone
        for name, tensor in alone.items():
            assert torch.equal(together.heads[i].state_dict()[name], tensor), (family, name)


def test_a_mixture_trains_every_head_and_one_encoder(tmp_path, folder, encoder, warm):
    job = mixed(tmp_path, folder, sampler={"by": "uniform"}, learning_rate=1e-2)
    ctx = context(tmp_path, job, warm=warm)
    start = {
        name: tensor.clone()
        for name, tensor in train.fresh_model(ctx, encoder).state_dict().items()
    }
    train.run(ctx)
    end = load_file(ctx.workdir / "model.safetensors")
    assert set(end) == set(start)
    for i in range(len(FAMILIES)):
        mine = [name for name in end if name.startswith(f"heads.{i}.")]
        assert any(not torch.equal(start[name], end[name]) for name in mine), FAMILIES[i]
    summary = json.loads((ctx.workdir / "train.json").read_text())
    assert {name: part["rows"] for name, part in summary["tasks"].items()} == {
        f: 22 + i for i, f in enumerate(FAMILIES)
    }
    best = summary["best"]
    assert set(best["tasks"]) == set(FAMILIES)
    assert best["main"] == pytest.approx(np.mean([part["main"] for part in best["tasks"].values()]))


def test_updates_are_the_epochs_of_all_together(tmp_path, folder, warm):
    two = ("classification", "tagging")
    job = mixed(tmp_path, folder, two, epochs=2, evaluations=0)
    ctx = context(tmp_path, job, warm=warm)
    train.run(ctx)
    # 22 and 23 rows in batches of 8
    assert json.loads((ctx.workdir / "train.json").read_text())["updates"] == 2 * (3 + 3)


@pytest.mark.parametrize(("count", "of"), [("rows", "rows"), ("features", "features")])
def test_shares_count_rows_or_what_the_encoder_reads(
    tmp_path, folder, warm, monkeypatch, count, of
):
    job, seen = mixed(tmp_path, folder, ("classification", "span_qa"), max_updates=1), []
    job["spec"]["tasks"]["span_qa"]["max_length"] = 16  # a row is several windows
    job["spec"]["sampler"] = {"by": "proportional", "count": count}

    def noted(shares: list[float], *rest):
        seen.append(shares)
        return turns(shares, *rest)

    monkeypatch.setattr(train, "turns", noted)
    ctx = context(tmp_path, job, warm=warm)
    train.run(ctx)
    counted = json.loads((ctx.workdir / "train.json").read_text())["tasks"]
    assert counted["span_qa"]["features"] > counted["span_qa"]["rows"]
    total = sum(one[of] for one in counted.values())
    assert seen == [[one[of] / total for one in counted.values()]]


def test_weights_decide_who_is_asked(tmp_path, folder, warm, monkeypatch):
    job = mixed(
        tmp_path,
        folder,
        ("classification", "tagging"),
        {"by": "weights", "weights": {"classification": 1e-9, "tagging": 1}},
    )
    seen = batches(job, tmp_path, warm, monkeypatch)
    assert (len(seen["classification"]), len(seen["tagging"])) == (0, 12)


@pytest.mark.slow
@pytest.mark.parametrize("stops", [[0], [1], [7], [2, 5, 11]], ids=str)
def test_a_stopped_mixture_resumes_to_the_same_bytes(tmp_path, folder, warm, stops):
    expected = context(tmp_path / "straight", mixed(tmp_path, folder), warm=warm)
    train.run(expected)
    for stop in stops:
        with pytest.raises(Stopped):
            train.run(
                context(tmp_path / "broken", mixed(tmp_path, folder), stop_before=stop, warm=warm)
            )
    ctx = context(tmp_path / "broken", mixed(tmp_path, folder), warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == stops[-1]
    assert outputs(ctx) == outputs(expected)


def test_a_mixture_killed_in_an_update_ends_with_the_same_bytes(
    tmp_path, folder, warm, monkeypatch
):
    expected = context(tmp_path / "straight", mixed(tmp_path, folder), warm=warm)
    train.run(expected)
    update = train._Loop.update

    def killed(loop, batch):
        if loop.step == 6:
            raise KeyboardInterrupt
        update(loop, batch)

    monkeypatch.setattr(train._Loop, "update", killed)
    with pytest.raises(KeyboardInterrupt):
        train.run(
            context(
                tmp_path / "broken", mixed(tmp_path, folder), warm=warm, checkpoint_seconds=-1.0
            )
        )
    monkeypatch.undo()
    ctx = context(tmp_path / "broken", mixed(tmp_path, folder), warm=warm)
    train.run(ctx)
    assert ctx.facts["resumed_at"] == 6
    assert outputs(ctx) == outputs(expected)


# The pooler


def pooled(job: dict) -> dict:
    for part in job["spec"]["tasks"].values():
        part["options"]["head"] = "pooled"
    return job


@pytest.mark.parametrize("intermediate", ["classification", "multiple_choice"])
def test_a_pooled_intermediate_hands_its_pooler_over(tmp_path, folder, encoder, warm, intermediate):
    first = pooled(mixed(tmp_path / "first", folder, (intermediate,), learning_rate=1e-2))
    ctx = context(tmp_path, first, warm=warm)
    train.run(ctx)
    ctx.store.commit(first["key"], ctx.workdir, {})
    weights = load_file(ctx.store.path(first["key"], "model.safetensors"))
    handed = {
        name.removeprefix("pooler."): tensor
        for name, tensor in weights.items()
        if name.startswith("pooler.")
    }
    assert set(handed) == {"dense.weight", "dense.bias"}

    def start(job: dict, after: bool) -> train.TaskModel:
        job["spec"]["init"] = first["key"] if after else None
        return train.fresh_model(context(tmp_path, job, warm=warm), encoder)

    target = pooled(mixed(tmp_path / "target", folder, ("classification",)))
    after, plain = start(target, True), start(target, False)
    for name, tensor in after.pooler.state_dict().items():
        assert torch.equal(tensor, handed[name])
    assert not torch.equal(after.pooler.dense.weight, plain.pooler.dense.weight)
    # A target without a pooler takes the encoder alone; an intermediate without one leaves the
    # target's pooler new.
    assert start(mixed(tmp_path / "tags", folder, ("tagging",)), True).pooler is None
    unpooled = mixed(tmp_path / "unpooled", folder, (intermediate,))
    ctx = context(tmp_path / "unpooled", unpooled, warm=warm)
    train.run(ctx)
    ctx.store.commit(unpooled["key"], ctx.workdir, {})
    target["spec"]["init"] = unpooled["key"]
    fresh = train.fresh_model(context(tmp_path / "unpooled", target, warm=warm), encoder)
    # the same new pooler in every arm
    assert torch.equal(fresh.pooler.dense.weight, plain.pooler.dense.weight)


def test_a_mixture_shares_one_pooler(tmp_path, folder, encoder, warm):
    job = mixed(tmp_path, folder, ("classification", "multiple_choice", "tagging"))
    for name in ("classification", "multiple_choice"):
        job["spec"]["tasks"][name]["options"]["head"] = "pooled"
    model = train.fresh_model(context(tmp_path, job, warm=warm), encoder)
    assert model.pooled == [True, True, False]
    parts = [
        Part(context(tmp_path, job, warm=warm), encoder, name) for name in job["spec"]["tasks"]
    ]
    for i, part in enumerate(parts):
        features = part.batch(0)
        part.half.loss(model(encoder.pack(features), i), part.half.targets(features)).backward()
        assert (model.pooler.dense.weight.grad is not None) == (i < 2)
        model.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    ("family", "of"),
    [
        ("classification", "AutoModelForSequenceClassification"),
        ("multiple_choice", "AutoModelForMultipleChoice"),
    ],
)
def test_berts_native_head_is_that_of_transformers(tmp_path, folder, encoder, family, of):
    task = task_part(family)
    task["options"]["head"] = "native"
    model = build(encoder, {"toy": task}, 0.0, 0.0, seed=lambda name: 3).eval()
    linear = (model.heads[0].score if family == "multiple_choice" else model.heads[0]).out
    theirs = getattr(transformers, of).from_pretrained(folder, num_labels=linear.out_features)
    theirs.classifier.load_state_dict(linear.state_dict())
    features = encoded(encoder, tmp_path, family, 5)
    batch = pad(encoder, features)
    shape = (5, 2, -1) if family == "multiple_choice" else (5, -1)
    with torch.inference_mode():
        expected = theirs.eval()(**{name: of.view(shape) for name, of in batch.items()}).logits
        torch.testing.assert_close(model(encoder.pack(features)), expected, rtol=0, atol=1e-6)


def test_a_native_head_of_another_architecture_is_plain(encoder):
    task = task_part("classification")
    task["options"]["head"] = "native"
    other = SimpleNamespace(config=SimpleNamespace(model_type="xlm-roberta", hidden_size=16))
    assert classifier.on_a_pooler(encoder, task)
    assert not classifier.on_a_pooler(other, task)
    heads = [classifier.head(one, None, task, 0.1) for one in (encoder, other)]
    assert [hasattr(one, "dense") for one in heads] == [False, True]


# End to end


TRANSLATED = """
task: mood_translated
version: 1
role: [intermediate]
family: classification
languages: [en, de]
source: {files: "mine.{language}.{split}.jsonl"}
train: {split: train, language: en}
dev: {split: dev}
columns: {text: text, label: mood}
labels: [sad, glad]
metric: accuracy
max_length: 48
about: {title: glad or sad in two languages}
difficulty: {declared: easy, why: for a test}
"""

MIXED = """
suite: mixed
version: 1
about: arms of several tasks, and of several languages
smoke: true
encoders: [tiny]
arms:
  - none
  - name: both
    intermediate: {tasks: [mini_topic, tiny_colour], sampler: {by: temperature, temperature: 2}}
  - name: german
    intermediate: {task: mood_translated, languages: [de]}
  - name: bilingual
    intermediate: {task: mood_translated, languages: [de, en]}
targets: [tiny_tags, tiny_pairs]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 6, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
caps: {train: 24, dev: 16, test: 10}
waives: [unlearned]
"""


@pytest.fixture(scope="module")
def mixed_run(rig: Rig, tmp_path_factory) -> tuple[Path, str]:
    """(folder, what was printed) of suite `mixed`."""

    def make(folder: Path) -> tuple[Path, str]:
        (folder / "tasks").mkdir()
        (folder / "tasks" / "suite.yaml").write_text(MIXED.lstrip())
        (folder / "tasks" / "mood.yaml").write_text(TRANSLATED.lstrip())
        for language, word in (("en", "sentence"), ("de", "Satz")):
            for split, size in (("train", 30), ("dev", 10)):
                rows = [
                    {"text": f"{word} {split} {i}", "mood": ["sad", "glad"][i % 2]}
                    for i in range(size)
                ]
                write_jsonl(folder / "tasks" / f"mine.{language}.{split}.jsonl", rows)
        done = rig.run(rig.through("mixed", "--keep-weights"), folder)
        assert done.returncode == 0, done.stderr
        return folder, done.stdout

    return once(tmp_path_factory, "mixed", make)


def test_arms_of_several_tasks_and_languages_run_to_a_board(mixed_run):
    folder, printed = mixed_run
    (content,) = releases(folder).values()
    release = json.loads(content)
    assert release["arms"]["both"]["intermediate"] == ["mini_topic", "tiny_colour"]
    assert release["arms"]["both"]["difficulty"] is None
    key = release["arms"]["both"]["trained"][0]["key"]
    assert set(release["evidence"]["trainings"][key]["tasks"]) == {"mini_topic", "tiny_colour"}
    assert release["arms"]["german"]["languages"] == ["de"]
    assert all(gain["gain"]["value"] is not None for gain in release["gains"])
    assert re.search(r"^ +both ", printed, re.M)  # neither easy nor hard
    assert {name for side in ("easy", "hard") for name in release["split"][0][side]["arms"]} <= {
        "german",
        "bilingual",
    }


def test_translated_rows_are_what_such_an_arm_reads(mixed_run):
    folder, _ = mixed_run
    jobs = [
        json.loads(path.read_text()) for path in (folder / "runs/store" / "jobs").glob("*.json")
    ]
    read = {
        job["train"]["mood_translated"]["name"]: job
        for job in jobs
        if "mood_translated" in job.get("train", {})
    }
    assert set(read) == {"mood_translated train de", "mood_translated train de+en"}
    for name, files in (("mood_translated train de", 1), ("mood_translated train de+en", 2)):
        job = read[name]
        assert str(job["train"]["mood_translated"]["location"]).count(".train.jsonl") == files
        assert job["dev"]["mood_translated"]["name"] == "mood_translated dev en"
        summary = json.loads(
            (folder / "runs/store" / "results" / job["key"] / "train.json").read_text()
        )
        # the cap holds for all languages together
        assert summary["tasks"]["mood_translated"]["rows"] == 24


def test_a_suites_broader_value_beats_a_protocols_narrower_one():
    from harness.spec.catalog import Catalog
    from harness.spec.recipe import RecipeChange, Setting

    catalog = Catalog.load([])
    families = {task.task: task.family for task in catalog.tasks.values()}
    plain = catalog.suites["xtreme-baselines"]
    changed = plain.model_copy(
        update={
            "changes": {
                "target": RecipeChange(epochs=7),
                "span_qa": RecipeChange(warmup=0.1),
                "xnli": RecipeChange(batch_size=5),
            },
            "settings": {"bitext_mining": Setting(options={"pooling": "mean"})},
        }
    ).under(catalog.protocols["xtreme"], families)
    assert {changed.recipes.of("target", f, [t]).epochs for t, f in families.items()} == {7}
    assert changed.recipes.of("target", "span_qa", ["squad"]).warmup_updates is None
    assert changed.recipes.of("target", "classification", ["mnli", "xnli"]).batch_size == 5
    assert changed.task_as_run(catalog.task("bucc2018")).options["pooling"] == "mean"


def test_a_named_arm_of_one_task_takes_the_tasks_recipe():
    from harness.spec.recipe import Recipe, RecipeChange, Recipes

    base = Recipe(learning_rate=1e-5)
    recipes = Recipes(
        intermediate=base,
        target=base,
        tasks={"mnli": RecipeChange(epochs=4), "nli": RecipeChange(batch_size=8)},
    )
    recipe = recipes.of("intermediate", None, ["mnli", "nli"])
    assert (recipe.epochs, recipe.batch_size) == (4, 8)


def test_a_run_can_do_without_a_licensed_task():
    from harness.common.errors import SpecError
    from harness.spec.catalog import Catalog
    from harness.spec.changes import without

    paper = Catalog.load([]).suite("xstilts-2020")
    less = without(paper, ["ccg", "bucc2018"])
    assert "ccg" not in {
        task for arm in less.arms if arm.intermediate for task in arm.intermediate.tasks
    }
    assert "bucc2018" not in less.targets and less.left_out == ["bucc2018", "ccg"]
    assert len(less.arms) == len(paper.arms) - 1
    with pytest.raises(SpecError, match=r"mnly.*mnli"):
        without(paper, ["mnly"])
