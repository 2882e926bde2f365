"""Multiple choice: which sequences a row becomes, what is cut, what is scored, and a real training
that learns."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import once, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.models import chooser as multiple_choice
from harness.models import classifier as classification
from harness.models.loaded import LoadedEncoder
from harness.models.packed import read
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import HashIndex

QUICK = settings(max_examples=80, deadline=None)


@pytest.fixture(scope="module")
def tiny(rig) -> LoadedEncoder:
    """The rig's BERT: width 32, pieces are characters and a few words."""
    return LoadedEncoder(str(rig.encoders / "tiny"), {"max_length": 256})


class Spaced:
    """XLM-R's layout over words: <s> A </s></s> B </s>, no segment ids."""

    has_token_types, max_length, template = False, 512, ([0], [2, 2], [2])
    pieces = LoadedEncoder.pieces

    def __init__(self):
        from tokenizers import Tokenizer, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast

        names = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghij"]
        fast = Tokenizer(
            models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>")
        )
        fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        fast.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B </s>",
            special_tokens=[("<s>", 0), ("</s>", 2)],
        )
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=fast, unk_token="<unk>", pad_token="<pad>"
        )


def task_of(
    labels: str = "ABC", max_length: int = 64, family: str = "multiple_choice", **options
) -> dict:
    """The part of a task spec that a job carries."""
    filled = FAMILIES[family].options(**options).model_dump()
    return {
        "family": family,
        "labels": list(labels),
        "max_length": max_length,
        "options": filled,
        "metric": "accuracy",
    }


def row(text: str, choices: list[str], label: str = "A", number: str = "7") -> dict:
    return {"id": number, "text": text, "choices": choices, "label": label}


def letters(count: int, first: int = 0) -> str:
    """`count` words of one piece each, telling where they stand: a b c ..."""
    return " ".join("abcdefghijklmnopqrstuvwxyz"[(first + i) % 26] for i in range(count))


# --- features -------------------------------------------------------------------------------------


def test_a_row_is_one_pair_a_choice(tiny):
    rows = [row("the city", ["is red", "is", "in the box"], "C"), row("a", ["b", "c", "d"], "A")]
    first, second = multiple_choice.encode(rows, tiny, task_of(), training=True)
    shown = [tiny.tokenizer.convert_ids_to_tokens(part["input_ids"]) for part in first["parts"]]
    assert shown == [
        ["[CLS]", "the", "city", "[SEP]", "is", "red", "[SEP]"],
        ["[CLS]", "the", "city", "[SEP]", "is", "[SEP]"],
        ["[CLS]", "the", "city", "[SEP]", "in", "the", "box", "[SEP]"],
    ]
    assert [part["token_type_ids"] for part in first["parts"]] == [
        [0] * 4 + [1] * n for n in (3, 2, 4)
    ]
    assert (first["label"], first["length"]) == (2, 7 + 6 + 8)
    assert (second["label"], second["length"]) == (0, 3 * 5)
    assert "truncated" not in first


def test_an_encoder_without_segment_ids_gets_none():
    (feature,) = multiple_choice.encode(
        [row("a b", ["c", "d e"], "B")], Spaced(), task_of("AB"), training=True
    )
    assert feature["parts"] == [
        {"input_ids": [0, 4, 5, 2, 2, 6, 2]},
        {"input_ids": [0, 4, 5, 2, 2, 7, 8, 2]},
    ]


def test_an_empty_text_or_choice_is_still_a_pair(tiny):
    (feature,) = multiple_choice.encode(
        [row("", ["a", ""], "A")], tiny, task_of("AB"), training=False
    )
    cls, sep, a = (tiny.tokenizer.convert_tokens_to_ids(piece) for piece in ("[CLS]", "[SEP]", "a"))
    assert [part["input_ids"] for part in feature["parts"]] == [[cls, sep, a, sep], [cls, sep, sep]]
    assert feature["parts"] == [own_truncation(tiny, "", choice, 64) for choice in ("a", "")]


@pytest.mark.parametrize("choices", [["a", "b"], ["a", "b", "c", "d"], []])
def test_a_row_with_another_number_of_choices_is_named(tiny, choices):
    rows = [row("text", ["a", "b", "c"], number="1"), row("text", choices, number="second")]
    with pytest.raises(
        SpecError, match=rf"row 'second' has {len(choices)} choices, but its task has 3 labels"
    ):
        multiple_choice.encode(rows, tiny, task_of(), training=False)


def test_packing_puts_the_parts_of_all_rows_one_behind_the_other(tiny):
    rows = [row("a", ["b", "c d", "e"]), row("f g", ["h", "i", "j"])]
    features = multiple_choice.encode(rows, tiny, task_of(), training=True)
    batch = tiny.pack(features)
    parts = [part["input_ids"] for feature in features for part in feature["parts"]]
    assert len(parts) == 6 and batch.lengths == [len(part) for part in parts]
    assert batch.inputs["input_ids"][0].tolist() == [i for part in parts for i in part]


# --- what is cut ----------------------------------------------------------------------------------


def popped(first: list, second: list, room: int, end: str) -> tuple[list, list]:
    """jiant's rule, piece by piece: the longer loses one, of two equally long the first."""
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        (first if len(first) >= len(second) else second).pop(0 if end == "front" else -1)
    return first, second


@QUICK
@given(
    first=st.integers(0, 60),
    choices=st.lists(st.integers(0, 60), min_size=2, max_size=4),
    end=st.sampled_from(["front", "end"]),
)
def test_what_is_too_long_loses_pieces_of_the_longer_text(tiny, first, choices, end):
    rows = [row(letters(first), [letters(n, 7) for n in choices])]
    task = task_of("ABCD"[: len(choices)], 32, truncate=end)
    (feature,) = multiple_choice.encode(rows, tiny, task, training=True)
    whole = [
        tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in (rows[0]["text"], *rows[0]["choices"])
    ]
    cls, sep = tiny.template[0], tiny.template[1]
    for part, choice in zip(feature["parts"], whole[1:], strict=True):
        a, b = popped(whole[0], choice, 32 - 3, end)
        assert part["input_ids"] == [*cls, *a, *sep, *b, *sep]
        assert part["token_type_ids"] == [0] * (len(a) + 2) + [1] * (len(b) + 1)
    assert feature.get("truncated", False) is any(first + n > 29 for n in choices)
    assert feature["length"] == sum(min(32, first + n + 3) for n in choices)


@pytest.mark.parametrize(("first", "second"), [(12, 12), (20, 8), (8, 20)])
def test_ties_fall_as_in_jiant(first, second):
    """With room for 15 jiant keeps 7 + 8 each time; classification's rule, of fast tokenizers,
    would keep 8 + 7 of 20 + 8."""
    for end in ("front", "end"):
        kept = multiple_choice._cut(list(range(first)), list(range(second)), 15, end)
        assert [len(side) for side in kept] == [7, 8]


def test_the_front_goes_unless_the_end_is_asked_for(tiny):
    text, choice = letters(20), letters(20, 3)
    shown = {}
    for end in ("front", "end"):
        task = task_of("AB", 32, **({"truncate": end} if end == "end" else {}))
        (feature,) = multiple_choice.encode([row(text, [choice, "a"])], tiny, task, training=True)
        tokens = tiny.tokenizer.convert_ids_to_tokens(feature["parts"][0]["input_ids"])
        shown[end] = " ".join(tokens[1:-1]).split(" [SEP] ")
    assert shown["front"] == [letters(20)[-2 * 14 + 1 :], letters(20, 3)[-2 * 15 + 1 :]]
    assert shown["end"] == [letters(14), letters(15, 3)]


# --- what classification cuts, by the same pieces -------------------------------------------------


def own_truncation(encoder, text: str, pair: str | None, limit: int) -> dict:
    """What the tokenizer itself makes of a text or pair, given as a batch (alone, it takes an empty
    pair for none)."""
    encoded = encoder.tokenizer(
        [text],
        None if pair is None else [pair],
        truncation="longest_first",
        max_length=limit,
        return_attention_mask=False,
        return_token_type_ids=encoder.has_token_types,
    )
    return {name: values[0] for name, values in encoded.items()}


@pytest.mark.parametrize("name", ["tiny", "spaced"])
@QUICK
@given(first=st.integers(0, 50), second=st.none() | st.integers(0, 50), limit=st.integers(8, 40))
def test_classification_cuts_as_the_tokenizer_does(request, name, first, second, limit):
    encoder = request.getfixturevalue("tiny") if name == "tiny" else Spaced()
    one = {"id": "1", "text": letters(first), "label": "A"}
    if second is not None:
        one["text_pair"] = letters(second, 5)
    task = task_of("AB", limit, family="classification")
    (feature,) = classification.encode([one], encoder, task, training=True)
    cut = feature.pop("truncated", False)
    assert feature.pop("label") == 0
    assert feature == own_truncation(encoder, one["text"], one.get("text_pair"), limit)
    whole = own_truncation(encoder, one["text"], one.get("text_pair"), 1000)
    assert cut is (len(whole["input_ids"]) > limit)


def test_classification_features_of_mixed_lengths_say_which_were_cut(tiny):
    rows = [
        {"id": str(n), "text": letters(n), "text_pair": letters(5), "label": "B"}
        for n in (3, 60, 24, 25)
    ]
    features = classification.encode(
        rows, tiny, task_of("AB", 32, family="classification"), training=False
    )
    assert [feature.get("truncated", False) for feature in features] == [False, True, False, True]
    assert [len(feature["input_ids"]) for feature in features] == [11, 32, 32, 32]


# --- head, loss, answers --------------------------------------------------------------------------


def test_the_head_gives_one_score_a_choice(tiny):
    torch.manual_seed(1)
    head = multiple_choice.head(tiny, None, task_of("ABCD"), 0.0).eval()
    hidden = torch.randn(3 * 4, 32)
    logits = head(hidden)
    assert logits.shape == (3, 4)
    alone = torch.stack([head.score(hidden[i : i + 1])[0, 0] for i in range(12)])
    assert torch.allclose(logits.flatten(), alone, atol=1e-6)


def test_the_head_is_classifications_with_one_output(tiny):
    torch.manual_seed(1)
    head = multiple_choice.head(tiny, None, task_of("ABCD"), 0.1)
    torch.manual_seed(1)
    other = classification.Head(32, 1, 0.1)
    assert [tuple(p.shape) for p in head.parameters()] == [(32, 32), (32,), (1, 32), (1,)]
    assert all(
        torch.equal(a, b) for a, b in zip(head.parameters(), other.parameters(), strict=True)
    )


@QUICK
@given(data=st.data(), rows=st.integers(1, 5), choices=st.integers(2, 5))
def test_the_loss_is_a_softmax_over_each_rows_choices(data, rows, choices):
    numbers = st.floats(-8, 8, width=32)
    logits = np.array(
        data.draw(
            st.lists(
                st.lists(numbers, min_size=choices, max_size=choices), min_size=rows, max_size=rows
            )
        )
    )
    labels = data.draw(st.lists(st.integers(0, choices - 1), min_size=rows, max_size=rows))
    features = [{"label": label} for label in labels]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(rows), labels]).sum()
    assert multiple_choice.loss(
        torch.tensor(logits), multiple_choice.targets(features)
    ).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert multiple_choice.terms(features) == rows


def test_the_loss_of_a_batch_does_not_depend_on_how_it_is_split(tiny):
    torch.manual_seed(3)
    body, head = tiny.fresh(0.0, 0.0).eval(), multiple_choice.head(tiny, None, task_of(), 0.0)
    rows = [row(letters(n), [letters(n + k) for k in range(3)], "ABC"[n % 3]) for n in (2, 9, 5)]
    features = multiple_choice.encode(rows, tiny, task_of(), training=True)

    def loss(some: list[dict]) -> float:
        with torch.no_grad():
            logits = head(read(body, tiny.pack(some)))
        return multiple_choice.loss(logits, multiple_choice.targets(some)).item()

    assert loss(features) == pytest.approx(sum(loss([feature]) for feature in features), rel=1e-5)


def test_the_highest_choice_is_the_answer():
    rows = [row("t", ["a", "b", "c"], label) for label in "CAB"]
    logits = [np.array(scores) for scores in ([0.0, 1.0, 2.0], [3.0, 0.0, 3.0], [0.0, 0.0, 1.0])]
    answers = multiple_choice.decode(logits, [], rows, task_of())
    assert answers == ["C", "A", "C"]
    golds = [FAMILIES["multiple_choice"].gold(one) for one in rows]
    assert METRICS["accuracy"](golds, answers, "en").examples == {
        "correct": [1, 1, 0],
        "null": [0, 1, 0],
    }


# --- real weights and a real training -------------------------------------------------------------


def test_minilm_reads_choices_as_pairs(tmp_path):
    try:
        found = find(
            Catalog.load([]).encoder("all-MiniLM-L6-v2"),
            Where(offline=True),
            HashIndex(tmp_path / "files.json"),
        )
    except MissingError as error:
        pytest.skip(str(error))
    minilm = LoadedEncoder(str(found.folder), found.identity)
    rows = [
        row(
            "A man sits at a piano.",
            ["He plays a song.", "He eats the piano.", "Unbelievably, it rains."],
            "A",
        )
    ]
    (feature,) = multiple_choice.encode(rows, minilm, task_of(), training=False)
    assert feature["parts"] == [
        own_truncation(minilm, rows[0]["text"], choice, 64) for choice in rows[0]["choices"]
    ]
    head = multiple_choice.head(minilm, None, task_of(), 0.0)
    with torch.no_grad():
        logits = head(read(minilm.fresh(0.0, 0.0).eval(), minilm.pack([feature])))
    assert logits.shape == (1, 3) and len(set(logits[0].tolist())) == 3


TASK = """
task: tiny_end
version: 1
role: [target]
family: multiple_choice
languages: [en, de]
source: {files: "end.{language}.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test, parallel: true}
columns: {text: story, choices: endings, label: answer}
labels: ["0", "1", "2"]
metric: accuracy
max_length: 32
about: {title: which ending has a box in it}
"""

SUITE = """
suite: ends
version: 1
about: multiple choice from end to end
smoke: true
encoders: [tiny]
arms: [none]
targets: [tiny_end]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3}
  target: {learning_rate: 3e-3, batch_size: 16, epochs: 8, max_updates: 48, evaluations: 3}
waives: [unlearned]
"""

STORIES = {"en": ("the man", "the city", "the day"), "de": ("der man", "die city", "das day")}


def endings(language: str, count: int, seed: int) -> list[dict]:
    """Stories of which exactly one ending holds a box; where it stands is drawn."""
    draw, rows = random.Random(seed), []
    for number in range(count):
        ends = [f"is in {word} {number}" for word in draw.sample(["box", "month", "name"], 3)]
        answer = next(i for i, end in enumerate(ends) if "box" in end)
        rows.append(
            {
                "story": f"{draw.choice(STORIES[language])} {seed}",
                "endings": ends,
                "answer": str(answer),
            }
        )
    return rows


@pytest.fixture(scope="module")
def ends(rig, tmp_path_factory):
    """The folder of a finished run of the suite above."""

    def make(folder: Path) -> tuple[Path, Path]:
        specs, run = folder / "specs", folder / "run"
        specs.mkdir()
        (specs / "encoder.yaml").write_text((rig.specs / "encoder.yaml").read_text())
        (specs / "tiny_end.yaml").write_text(TASK.lstrip())
        (specs / "ends.yaml").write_text(SUITE.lstrip())
        for seed, (split, count) in enumerate({"train": 96, "dev": 24, "test": 60}.items()):
            for language in ("en", "de") if split == "test" else ("en",):
                write_jsonl(specs / f"end.{language}.{split}.jsonl", endings(language, count, seed))
        command = rig.command(
            "eval",
            "--suite",
            "ends",
            "--specs",
            specs,
            "--encoder-root",
            rig.encoders,
            "--workers",
            "1",
        )
        done = rig.run(command, run)
        assert done.returncode == 0, done.stderr
        return specs, run

    return once(tmp_path_factory, "ends", make)


def results(run, name: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(run.rglob(name))]


def test_a_real_training_learns_it_in_both_languages(ends):
    _, run = ends
    (scores,) = results(run, "scores.json")
    assert set(scores) == {"en", "de"}
    for score in scores.values():
        assert score["n"] == 60
        assert score["main"] > 80 and "floor" not in score["flags"]
        assert score["null"] < 50


def test_predictions_are_label_names_and_score_what_the_result_says(ends):
    specs, run = ends
    (scores,) = results(run, "scores.json")
    for language in ("en", "de"):
        (path,) = run.rglob(f"{language}.jsonl")
        answers = [json.loads(line)["prediction"] for line in path.read_text().splitlines()]
        golds = [
            json.loads(line)["answer"]
            for line in (specs / f"end.{language}.test.jsonl").read_text().splitlines()
        ]
        assert set(answers) <= {"0", "1", "2"} and len(set(answers)) == 3
        assert METRICS["accuracy"](golds, answers, language).main == scores[language]["main"]
