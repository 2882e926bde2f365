"""How hard a task and its rows are: PVI, training dynamics, subsets of equal size, and the controls
beside them."""

import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from conftest import Done, Rig, copied, once, releases
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import log_softmax

from harness.families import FAMILIES
from harness.jobs.part import shuffled_labels
from harness.jobs.select import chosen
from harness.models import chooser as multiple_choice
from harness.models import classifier as classification
from harness.models import tagger as tagging
from harness.page.reading import readings
from harness.page.tables import learned
from harness.release.schema import Content
from harness.release.verify import planned
from harness.sources.rows import fold
from harness.spec.suite import Intermediate, SplitRule, Subset
from harness.store import Store

QUICK = settings(max_examples=100, deadline=None)

SUITE = """
suite: parts
version: 1
about: every kind of subset and control
smoke: true
encoders: [tiny]
arms:
  - none
  - tiny_colour
  - name: easiest
    intermediate: {task: tiny_colour, subset: {by: pvi, keep: easiest, fraction: 0.4}}
  - name: hardest
    intermediate: {task: tiny_colour, subset: {by: pvi, keep: hardest, fraction: 0.4}}
  - name: sure
    intermediate: {task: tiny_colour, subset: {by: confidence, keep: easiest, fraction: 0.4}}
  - name: ambiguous
    intermediate: {task: tiny_colour, subset: {by: variability, keep: ambiguous, fraction: 0.4}}
  - {name: random, intermediate: {task: tiny_colour, subset: {keep: random, fraction: 0.4}}}
  - {name: shuffled, intermediate: {task: tiny_colour, control: shuffled_labels}}
  - {name: text, intermediate: {task: tiny_colour, control: masked_lm}}
  - {name: slower, intermediate: tiny_colour}
  - tiny_farbe
targets: [tiny_mood, tiny_pairs]
seeds: [1, 2]
recipes:
  intermediate: {learning_rate: 3e-3, batch_size: 8, epochs: 3, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
  tasks:
    slower: {learning_rate: 1e-4}
caps: {train: 24, test: 20}
waives: [unlearned]
pvi: true
"""

# tiny_colour's rows under another name, as a translation of it would be.
VARIANT = """
task: tiny_farbe
version: 1
role: [intermediate]
family: classification
languages: [en]
source: {files: "colour.{split}.tsv"}
train: {split: train}
dev: {split: dev}
columns: {text: sentence, label: colour}
labels: [red, blue, green]
metric: accuracy
max_length: 48
about: {title: which colour it is}
difficulty: {declared: easy, why: one word gives it away, variant_of: tiny_colour}
"""


@pytest.fixture(scope="module")
def parts(rig: Rig, tmp_path_factory):
    """The folder of a run of every kind of subset and control, and the jobs it did."""

    def make(folder: Path) -> tuple[Path, Done]:
        (folder / "parts.yaml").write_text(SUITE)
        (folder / "farbe.yaml").write_text(VARIANT)
        for rows in rig.specs.glob("colour.*.tsv"):
            copy(rows, folder)
        specs = ["-t", folder / "parts.yaml", "-t", folder / "farbe.yaml"]
        done = rig.run(rig.through("parts", *specs), folder)
        assert done.returncode == 0, done.stderr
        return folder, done

    return once(tmp_path_factory, "parts", make)


def jobs_of(folder, kind: str) -> dict[str, tuple[str, dict]]:
    """name and seed → (key, job) of all jobs of a kind."""
    store = Store(folder / "runs/store", writable=False)
    found = {
        path.stem: store.read_job(path.stem)
        for path in (folder / "runs/store" / "jobs").glob("*.json")
    }
    return {job["name"]: (key, job) for key, job in found.items() if job["kind"] == kind}


def content(folder) -> dict:
    (name,) = releases(folder)
    return json.loads(releases(folder)[name])


# The whole chain


def test_subsets_have_one_size_and_one_label_balance(parts):
    folder, _ = parts
    subsets = content(folder)["evidence"]["subsets"]
    assert set(subsets) == {"easiest", "hardest", "sure", "ambiguous", "random"}
    sizes = {
        (one["pool"], one["rows"], json.dumps(one["labels"]))
        for of in subsets.values()
        for one in of
    }
    # Of an uncapped pool of 24 a colour; 40% would be 9 a colour, the cap of 24 rows makes it 8.
    assert sizes == {(72, 24, '{"blue": 8, "green": 8, "red": 8}')}
    for arm in subsets:
        assert [one["seed"] for one in subsets[arm]] == [1, 2]
        assert all(len(set(one["ids"].split())) == 24 for one in subsets[arm])
    assert not set(subsets["easiest"][0]["ids"].split()) & set(subsets["hardest"][0]["ids"].split())


def test_what_was_chosen_is_what_was_trained_on(parts):
    folder, _ = parts
    trainings = content(folder)["evidence"]["trainings"]
    arms = content(folder)["arms"]
    parts_of = {
        arm: [trainings[one["key"]]["tasks"] for one in arms[arm]["trained"]] for arm in arms
    }
    rows = {
        arm: {part["rows"] for tasks in several for part in tasks.values()}
        for arm, several in parts_of.items()
    }
    assert rows == {"none": set()} | {arm: {24} for arm in arms if arm != "none"}


def test_a_row_is_ranked_by_a_model_that_did_not_train_on_it(parts):
    """The models of a select job by PVI have trained on one fold each, and easy rows have more PVI
    than hard ones."""
    folder, _ = parts
    store = Store(folder / "runs/store", writable=False)
    key, job = jobs_of(folder, "select")["select tiny easiest tiny_colour by pvi seed 1"]
    ranks, subset = store.read_json(key, "ranks.json"), store.read_json(key, "subset.json")
    trained = [store.read_job(model)["spec"]["rows"] for model in job["spec"]["models"]]
    assert trained == [{"fold": [0, 2]}, {"fold": [1, 2]}]
    pvi = dict(zip(ranks["id"], ranks["pvi"], strict=True))
    kept = [pvi[i] for i in subset["ids"]]
    hardest = store.read_json(
        jobs_of(folder, "select")["select tiny hardest tiny_colour by pvi seed 1"][0], "subset.json"
    )
    assert np.mean(kept) > np.mean(list(pvi.values())) > np.mean([pvi[i] for i in hardest["ids"]])


def test_dynamics_are_one_probability_an_epoch(parts):
    folder, _ = parts
    store = Store(folder / "runs/store", writable=False)
    key, job = jobs_of(folder, "select")["select tiny ambiguous tiny_colour by variability seed 1"]
    (watched,) = job["spec"]["models"]
    dynamics = store.read_json(watched, "dynamics.json")
    probabilities = np.array(dynamics["gold_probability"])
    assert probabilities.shape == (3, 72)
    assert (probabilities > 0).all() and (probabilities < 1).all()
    ranks = store.read_json(key, "ranks.json")
    np.testing.assert_allclose(ranks["confidence"], probabilities.mean(0), atol=1e-6)
    np.testing.assert_allclose(ranks["variability"], probabilities.std(0), atol=1e-6)
    _, sure = jobs_of(folder, "select")["select tiny easiest tiny_colour by confidence seed 1"]
    assert sure["spec"]["models"] == [watched]  # one training gives both ranks


def test_pvi_of_a_task_is_of_its_dev_rows(parts):
    folder, _ = parts
    said = content(folder)
    # neither subsets nor controls have a difficulty of their own
    assert set(said["evidence"]["pvi"]) == {"tiny_colour"}
    for one in said["difficulty"]:
        assert one["arm"] == "tiny_colour"
        assert one["pvi_share"] <= 1
    store = Store(folder / "runs/store", writable=False)
    key, _ = jobs_of(folder, "pvi")["pvi tiny tiny_colour seed 1"]
    pvi = store.read_json(key, "pvi.json")
    assert len(pvi["bits"]) == len(pvi["null_bits"]) == 18
    # red, blue, green: shares of 24 training rows and one each
    counts = [27 / 2**bits - 1 for bits in pvi["null_bits"][:3]]
    assert sum(counts) == pytest.approx(24, abs=0.01)


def test_shuffled_labels_and_masked_lm_train_as_long_on_the_same_rows(parts):
    folder, _ = parts
    said = content(folder)
    updates = {
        arm: {
            said["evidence"]["trainings"][one["key"]]["updates"]
            for one in said["arms"][arm]["trained"]
        }
        for arm in ("tiny_colour", "shuffled", "text")
    }
    assert updates == {"tiny_colour": {9}, "shuffled": {9}, "text": {9}}
    assert {said["arms"][arm]["kind"] for arm in ("shuffled", "text")} == {"control"}
    assert {said["arms"][arm]["difficulty"] for arm in ("shuffled", "text", "easiest")} == {None}


def test_a_task_counts_once_however_many_arms_train_on_it(parts, rig):
    """An arm with its own recipe, and the task under another name: compared with the task, no easy
    or hard task beside it."""
    folder, _ = parts
    said = content(folder)
    facts = {
        arm: (said["arms"][arm]["kind"], said["arms"][arm]["of"])
        for arm in ("tiny_colour", "slower", "tiny_farbe")
    }
    assert facts == {
        "tiny_colour": ("task", "tiny_colour"),
        "slower": ("control", "tiny_colour"),
        "tiny_farbe": ("control", "tiny_colour"),
    }
    assert {one["arm"] for one in said["difficulty"]} == {"tiny_colour"}
    (group,) = said["subsets"]
    assert {
        group["arms"][label] for label in ("variant (slower)", "variant (tiny_farbe)", "all")
    } == {
        "slower",
        "tiny_farbe",
        "tiny_colour",
    }
    assert {"a": "variant (slower)", "b": "all"} in [
        {name: one[name] for name in "ab"} for one in group["comparisons"]
    ]
    dev = {row["key"]: row["main"] for row in said["dev_scores"]}
    reached = {
        arm: np.mean([dev[run["key"]] for run in said["arms"][arm]["trained"]])
        for arm in group["arms"].values()
    }
    (reading,) = readings(Content.model_validate(said))
    (sheet,) = learned(reading)
    shown = {row.cells[1].text: row.cells[3].text for row in sheet.rows}
    assert shown.pop("masked_lm") == "–"  # another measure
    assert shown == {
        label: f"{reached[arm]:.1f}" for label, arm in group["arms"].items() if label != "masked_lm"
    }
    done = rig.run(rig.command("leaderboard", "verify"), folder)
    assert done.returncode == 0 and "sound" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arm", "change"),
    [
        ("slower", {"kind": "task", "control": None}),
        ("tiny_colour", {"kind": "control", "control": "variant"}),
    ],
)
def test_a_release_in_which_a_task_counts_twice_or_never_is_not_whole(parts, arm, change):
    folder, _ = parts
    said = content(folder)
    said["arms"][arm] |= change
    found = [problem.path for problem in planned(Content.model_validate(said))]
    assert found and all(path.startswith(f"arms.{arm}.") for path in found)


def test_the_same_command_does_nothing_more(parts, rig, tmp_path):
    folder, _ = parts
    again = copied(folder, tmp_path / "again")
    done = rig.run(
        rig.through("parts", "-t", again / "parts.yaml", "-t", again / "farbe.yaml"), again
    )
    assert done.returncode == 0, done.stderr
    assert done.jobs == [] and releases(again) == releases(folder)


def test_no_weights_are_left(parts):
    folder, _ = parts
    assert list((folder / "runs/store").rglob("*.safetensors")) == []


# Rows


rows_of = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(-5, 5)), min_size=1, max_size=60
).map(
    lambda some: (
        [{"id": str(i), "label": label} for i, (label, _) in enumerate(some)],
        [value for _, value in some],
    )
)


@QUICK
@given(rows=rows_of, fraction=st.floats(0.05, 0.95), seed=st.integers(0, 9))
def test_every_way_to_keep_takes_as_many_of_each_label(rows, fraction, seed):
    rows, values = rows
    label = {row["id"]: row["label"] for row in rows}
    counts = set()
    for keep in ("easiest", "hardest", "ambiguous", "random"):
        ids = chosen(rows, None if keep == "random" else values, keep, fraction, seed)
        assert ids == [row["id"] for row in rows if row["id"] in set(ids)]
        counts.add(tuple(sorted(Counter(label[i] for i in ids).items())))
        few = chosen(rows, None if keep == "random" else values, keep, fraction, seed, cap=5)
        # a cap takes of every label, one stays at least
        assert set(few) <= set(ids) and len(few) <= 5 + len(set(label.values()))
    assert len(counts) == 1
    value = {row["id"]: v for row, v in zip(rows, values, strict=True)}
    for one in set(label.values()):
        mine = [i for i in label if label[i] == one]
        easy = [i for i in chosen(rows, values, "easiest", fraction, seed) if label[i] == one]
        hard = [i for i in chosen(rows, values, "hardest", fraction, seed) if label[i] == one]
        assert min(value[i] for i in easy) >= max(
            (value[i] for i in mine if i not in easy), default=-9
        )
        assert max(value[i] for i in hard) <= min(
            (value[i] for i in mine if i not in hard), default=9
        )


def test_another_seed_draws_other_random_rows():
    rows = [{"id": str(i), "label": "a"} for i in range(40)]
    drawn = [chosen(rows, None, "random", 0.5, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@QUICK
@given(count=st.integers(0, 50), of=st.integers(2, 5))
def test_folds_share_no_row_and_lack_none(count, of):
    rows = [{"id": f"r{i}"} for i in range(count)]
    folds = [fold(rows, i, of) for i in range(of)]
    assert sorted(row["id"] for part in folds for row in part) == sorted(row["id"] for row in rows)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


@QUICK
@given(count=st.integers(0, 50), of=st.integers(2, 5))
def test_folds_are_dealt_by_the_hash_of_the_id_whatever_the_order(count, of):
    """A file is often sorted by label or topic, so that its n-th row or n-th part is no fair
    share."""
    rows = [{"id": f"r{i}"} for i in range(count)]
    by_hash = sorted(
        (row["id"] for row in rows), key=lambda id_: hashlib.sha256(id_.encode()).digest()
    )
    for i in range(of):
        dealt = set(by_hash[i::of])
        assert [row["id"] for row in fold(rows, i, of)] == [
            row["id"] for row in rows if row["id"] in dealt
        ]
        assert fold(rows[::-1], i, of) == fold(rows, i, of)[::-1]


def test_shuffled_labels_keep_their_counts_and_leave_the_texts():
    rows = [{"id": str(i), "text": f"t{i}", "label": "ab"[i % 2]} for i in range(50)]
    labels = FAMILIES["classification"]
    new = shuffled_labels(labels, rows, 3)
    assert [(row["id"], row["text"]) for row in new] == [(row["id"], row["text"]) for row in rows]
    assert Counter(row["label"] for row in new) == Counter(row["label"] for row in rows)
    assert new != rows and new == shuffled_labels(
        FAMILIES["classification"], rows, 3
    ) != shuffled_labels(FAMILIES["classification"], rows, 4)
    sentences = [
        {"id": "0", "tokens": list("xyz"), "tags": ["A", "B", "B"]},
        {"id": "1", "tokens": ["w"], "tags": ["C"]},
    ]
    dealt = shuffled_labels(FAMILIES["tagging"], sentences, 1)
    assert [len(row["tags"]) for row in dealt] == [3, 1]
    assert Counter(tag for row in dealt for tag in row["tags"]) == {"A": 1, "B": 2, "C": 1}


def test_text_for_masked_lm_says_all_but_the_label():
    rows = {
        "classification": ({"text": "a b", "text_pair": "c", "label": "x"}, "a b c"),
        "multiple_choice": ({"text": "q", "choices": ["yes", "", "no"], "label": "A"}, "q yes  no"),
        "tagging": ({"tokens": ["a", "", "b"], "tags": ["X", "Y", "Y"]}, "a  b"),
        "span_qa": ({"context": "c", "question": "q", "answers": {"text": ["c"]}}, "c q"),
    }
    for family, (row, text) in rows.items():
        assert FAMILIES[family].text({"id": "1", **row}) == text


# Bits


@QUICK
@given(
    st.lists(
        st.tuples(st.lists(st.floats(-30, 30), min_size=3, max_size=3), st.integers(0, 2)),
        min_size=1,
        max_size=8,
    )
)
def test_bits_are_the_code_length_of_the_gold_label(rows):
    logits = [np.array(row, dtype=np.float32) for row, _ in rows]
    found = classification.bits(logits, [{"label": label} for _, label in rows], [], {})
    expected = [
        -log_softmax(row.astype(np.float64))[label] / math.log(2)
        for row, (_, label) in zip(logits, rows, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert multiple_choice.bits is classification.bits


def test_bits_of_a_sentence_are_the_mean_over_its_words_wherever_it_is_split():
    task = {"labels": ["A", "B"], "options": {"outside": False}}
    rows = [{"tags": ["A", "B", "A"]}]
    logits = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]], dtype=np.float32)
    whole = tagging.bits([logits], [{"row": 0, "labels": [0, 1, 0]}], rows, task)
    split = [{"row": 0, "labels": [0, 1]}, {"row": 0, "labels": [0]}]
    assert tagging.bits([logits[:2], logits[2:]], split, rows, task) == pytest.approx(whole)
    expected = [math.log2(1 + math.exp(-gap)) for gap in (1, 2, 3)]
    assert whole == pytest.approx([sum(expected) / 3])


def test_without_input_only_label_shares_are_known():
    known = [{"label": "a"}] * 6 + [{"label": "b"}] * 2
    task = {"labels": ["a", "b", "c"]}
    found = classification.null_bits(known, [{"label": "a"}, {"label": "b"}, {"label": "c"}], task)
    assert found == pytest.approx([math.log2(11 / 7), math.log2(11 / 3), math.log2(11 / 1)])
    assert multiple_choice.null_bits(known, [{}, {}], task) == [math.log2(3)] * 2
    tags = tagging.null_bits(
        [{"tags": ["X", "X", "Y"]}],
        [{"tags": ["X", "Y"]}],
        {"labels": ["X", "Y"], "options": {"outside": False}},
    )
    assert tags == pytest.approx([(math.log2(5 / 3) + math.log2(5 / 2)) / 2])


# Specs


@pytest.mark.parametrize(
    "subset",
    [
        {"keep": "easiest", "fraction": 0.3},
        {"keep": "random", "by": "pvi", "fraction": 0.3},
        {"keep": "ambiguous", "by": "confidence", "fraction": 0.3},
        {"keep": "easiest", "by": "variability", "fraction": 0.3},
        {"keep": "easiest", "by": "pvi", "fraction": 1.0},
        {"keep": "easiest", "by": "pvi"},
    ],
)
def test_a_subset_that_means_nothing_is_an_error(subset):
    with pytest.raises(ValidationError):
        Subset.model_validate(subset)


def test_a_part_is_of_one_task():
    for part in ({"control": "masked_lm"}, {"subset": {"keep": "random", "fraction": 0.5}}):
        Intermediate.model_validate({"task": "a", **part})
        with pytest.raises(ValidationError, match="of one task"):
            Intermediate.model_validate({"tasks": ["a", "b"], **part})


def test_a_threshold_needs_its_number():
    assert SplitRule(by="threshold", value=0.5).value == 0.5
    for wrong in ({"by": "threshold"}, {"by": "median", "value": 0.5}):
        with pytest.raises(ValidationError, match="value"):
            SplitRule.model_validate(wrong)


def test_dynamics_of_one_epoch_are_refused_by_name(rig, tmp_path):
    """Their variability would be 0 for every row, and `ambiguous` a silent `random`."""
    (tmp_path / "parts.yaml").write_text(
        SUITE.replace("epochs: 3", "epochs: 1").replace("  - tiny_farbe\n", "")
    )
    where = ["-t", rig.specs, "-t", tmp_path / "parts.yaml", "--encoder-root", rig.encoders]
    done = rig.run(rig.command("plan", "--suite", "parts", *where), tmp_path)
    assert done.returncode == 2
    assert "condition sure: confidence is taken over the epochs of tiny_colour" in done.stderr


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("subset: {by: pvi, keep: easiest, fraction: 0.5}", "rows of span_qa cannot be ranked"),
        ("control: shuffled_labels", "labels of span_qa cannot be shuffled"),
    ],
)
def test_a_family_without_label_probabilities_is_refused_by_name(rig, tmp_path, part, said):
    suite = SUITE.replace("subset: {by: pvi, keep: easiest, fraction: 0.4}", part, 1).replace(
        "task: tiny_colour", "task: squad", 1
    )
    (tmp_path / "parts.yaml").write_text(suite)
    done = rig.run(rig.command("validate", rig.specs, tmp_path / "parts.yaml"), tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.lines if said in line]
    assert line.startswith("parts.yaml:10:5: ")
