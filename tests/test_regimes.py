"""Targets that train on rows of other languages too: which rows, whose name, in no zero-shot
average."""

import re
from contextlib import nullcontext

import pytest
import yaml
from made_up import Release, arm, right, target
from pydantic import ValidationError
from test_loop import dataset
from test_plan import ENCODER, SUITE, TASKS, World, keys, task

from harness.common.errors import SpecError
from harness.plan.planner import plan_again
from harness.sources import rows as data_rows
from harness.spec.catalog import Catalog
from harness.spec.changes import without
from harness.spec.regime import Regime
from harness.spec.suite import Suite

FEW = {"few_shot": 3, "split": "dev"}
TRANSLATED = task(
    "mood_translated",
    "classification",
    "intermediate",
    train={"split": "train", "languages": ["de"]},
)


def trainings(plan, of: str) -> list[dict]:
    return [
        job.body["train"][of]["identity"]
        for job in plan.jobs.values()
        if job.kind == "train" and of in job.body["train"] and job.body["spec"]["phase"] == "target"
    ]


def test_few_rows_of_each_language_are_drawn_by_the_seed_beside_english(tmp_path):
    world = World(tmp_path)
    suite = SUITE | {"arms": ["none"]}
    plain, few = world.plan(suite=suite), world.plan(suite=suite | {"regimes": {"mood": FEW}})
    english = trainings(plain, "mood")[0]
    found = trainings(few, "mood")
    assert [one["union"][0] for one in found] == [english, english]
    drawn = [one["union"][1] for one in found]
    assert [(one["cap"], one["drawn"]) for one in drawn] == [(3, 1), (3, 2)]
    assert all(part["split"] == "dev" for one in drawn for part in one["parts"])
    # the other targets stay as they are, and the release's plan is made again
    assert {name for name in keys(plain) if "mood" not in name} <= keys(few).keys()
    assert keys(plan_again(few.inputs)) == keys(few)
    # rows that some seed could draw are held against the test rows, once for all seeds
    checks = [job for job in few.jobs.values() if job.name == "overlap none mood"]
    (rows,) = checks[0].body["trained"]["target"]
    assert "drawn" not in rows["identity"]["union"][1]


def test_translations_are_trained_on_beside_english(tmp_path):
    world = World(tmp_path)
    for split in ("train", "dev", "test"):
        for language in ("en", "de"):
            path = world.root / "specs" / "mood_translated" / f"{language}.{split}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("{}\n")
    tasks = TASKS | {"mood_translated": TRANSLATED}
    suite = SUITE | {"arms": ["none"], "regimes": {"mood": {"translate_train": "mood_translated"}}}
    found = trainings(world.plan(tasks=tasks, suite=suite), "mood")
    assert len(found) == 2
    assert found[0] == found[1]
    assert len(found[0]["union"]) == 2


@pytest.mark.parametrize(
    ("regimes", "said"),
    [
        ({"mood": FEW | {"split": "test"}}, "may hold its test rows"),
        ({"mood": FEW | {"languages": ["en", "de"]}}, "may hold the dev rows"),
        ({"pairs": FEW}, "retrieval trains on nothing"),
        ({"mood": {"translate_train": "words"}}, "another family or other labels"),
        ({"mood": FEW | {"languages": ["sw"]}}, "has no rows in 'sw'"),
        ({"moods": FEW}, "not among `targets:`"),
    ],
)
def test_regimes_that_cannot_be_are_refused(tmp_path, regimes, said):
    with pytest.raises(SpecError, match=said):
        World(tmp_path).plan(suite=SUITE | {"regimes": regimes})


@pytest.mark.parametrize("given", [{}, {"few_shot": 3}, {**FEW, "translate_train": "a"}])
def test_a_regime_is_one_thing(given):
    with pytest.raises(ValidationError):
        Regime.model_validate(given)


@pytest.mark.parametrize(
    ("split", "test", "may"),
    [
        ("train", "test", False),
        ("test[:10]", "test", True),
        ("validation[:50%]", "validation[50%:]", False),
        ("validation[:51%]", "validation[50%:]", True),
        ("train+validation", "validation[:5]", True),
    ],
)
def test_test_rows_are_never_drawn(split, test, may):
    assert Regime(few_shot=3, split=split).draws_from(test) == may


def test_another_seed_draws_other_rows_and_every_language_the_same(tmp_path):
    rows = data_rows.load(dataset(tmp_path / "rows.jsonl", "classification", 50))
    drawn = [[row["id"] for row in data_rows.capped(rows, 5, seed)] for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert [len(one) for one in drawn] == [5, 5, 5]


def test_the_board_names_the_regime():
    suite = Catalog.load([]).suite("mini")
    panx, regime = (
        Catalog.load([]).task("mini_panx"),
        {"mini_panx": Regime(few_shot=16, split="train")},
    )
    assert suite.model_copy(update={"regimes": regime}).shown_name(panx) == "mini_panx@few_shot_16"
    limited = suite.model_copy(
        update={"regimes": regime, "caps": suite.caps.model_copy(update={"test": 3})}
    )
    assert limited.shown_name(panx) == "mini_panx@mini+few_shot_16"


def test_two_regimes_that_differ_have_two_names():
    shots = {"few_shot": 16, "split": "train"}
    many = ["de", "ar", "fr", "ru", "sw", "th", "tr", "ur", "vi", "zh"]
    told = {
        "few_shot_16": shots,
        "few_shot_16_ar+de": shots | {"languages": ["de", "ar"]},
        "few_shot_16.validation": shots | {"split": "validation"},
        "few_shot_16_de.dev_r1+dev_r2": shots | {"split": "dev_r1+dev_r2", "languages": ["de"]},
        "translate_train.mnli_translated": {"translate_train": "mnli_translated"},
        "translate_train_de.a": {"translate_train": "a", "languages": ["de"]},
    }
    assert {label: Regime.model_validate(of).label for label, of in told.items()} == {
        label: label for label in told
    }
    # what a name cannot hold is told apart by a digest
    halves = [Regime(few_shot=16, split=f"validation[{half}]").label for half in (":50%", "50%:")]
    several = [Regime(few_shot=16, split="train", languages=of).label for of in (many, many[1:])]
    for one, other in (halves, several):
        assert one != other
        assert re.fullmatch(r"[\w.-]+", one)
    assert several[0].startswith("few_shot_16_10languages-")


@pytest.mark.parametrize(
    ("choices", "regime", "said"),
    [
        # three choices beside two: a head serves both only where each is scored alone
        (3, FEW, "quick has another family or other labels than teacher, whose English rows"),
        # other labels than those of the training task
        (2, {"translate_train": "three"}, "three has another family or other labels than teacher"),
        (3, {"translate_train": "three"}, None),
        (2, FEW, None),
    ],
)
def test_one_head_serves_english_rows_and_those_of_the_regime(tmp_path, choices, regime, said):
    columns = {"text": "question", "choices": ["a", "b"], "label": "label"}

    def chosen(name: str, count: int, *roles: str, **fields) -> dict:
        labels = [str(n) for n in range(count)]
        spec = task(name, "classification", *roles, **fields)
        return spec | {"family": "multiple_choice", "columns": columns, "labels": labels}

    specs = [
        chosen("quick", 2, train={"task": "teacher"}),
        chosen("teacher", choices, "training"),
        chosen("three", 3, "training"),
        SUITE | {"arms": ["none"], "targets": ["quick"], "regimes": {"quick": regime}},
        ENCODER,
    ]
    for n, spec in enumerate(specs):
        (tmp_path / f"{n}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    with pytest.raises(SpecError, match=said) if said else nullcontext():
        Catalog.load([tmp_path])


def board(**targets: dict) -> Release:
    release = Release({"a": arm()}, targets, regimes={"panx": FEW})
    for name in targets:
        release.cell("none", name, {"en": right(10), "sw": right(10)})
        release.cell("a", name, {"en": right(12), "sw": right(12)})
    return release


def test_a_target_with_a_regime_stands_in_no_average_with_zero_shot_ones():
    few = target() | {"regime": "few_shot_3"}
    release = board(xnli=target(), **{"panx@few_shot_3": few | {"task": "panx"}})
    assert release.derive()["headline"] == {"e": ["xnli"]}
    shots = {
        cell["target"]: cell["zero_shot"]
        for cell in release.derive()["cells"]
        if cell["arm"] == "a"
    }
    assert shots == {"xnli": 60.0, "panx@few_shot_3": None}
    gains = {gain["target"]: gain["zero_shot"] for gain in release.derive()["gains"]}
    assert gains == {"xnli": 10.0, "panx@few_shot_3": None}
    # alone it is averaged: what it is, its name and a note say
    alone = board(**{"panx@few_shot_3": few | {"task": "panx"}})
    assert alone.derive()["headline"] == {"e": ["panx@few_shot_3"]}


def test_what_a_run_does_without_has_no_regime_either():
    suite = Suite.model_validate(SUITE | {"regimes": {"mood": FEW}})
    assert without(suite, ["mood"]).regimes == {}
    assert without(suite, ["quiz"]).regimes.keys() == {"mood"}
