"""The hard cases of extractive question answering, one by one; windows and features in general are
in test_families.py."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.models import span_reader as span_qa

QUICK = settings(max_examples=60, deadline=None)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class TinyEncoder:
    """A word-piece tokenizer of single characters in BERT's layout, which sets Chinese characters
    apart and drops marks."""

    has_token_types, max_length, template = True, 512, ([2], [3], [3])

    def __init__(self, characters: str):
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        pieces = [*SPECIAL, *characters, *(f"##{c}" for c in characters)]
        fast = Tokenizer(
            models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
        )
        fast.normalizer = normalizers.BertNormalizer(lowercase=True)
        fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=fast, unk_token="[UNK]", pad_token="[PAD]"
        )

    def pieces(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]


class SpacedEncoder(TinyEncoder):
    """A sentencepiece-like tokenizer: a space belongs to the piece that follows it, and may be a
    piece of its own."""

    has_token_types, template = False, ([0], [2, 2], [2])

    def __init__(self, words: list[str]):
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        special = ["<s>", "<pad>", "</s>", "<unk>"]
        vocabulary = (
            [(piece, 0.0) for piece in special] + [("▁", -2.0)] + [(word, -1.0) for word in words]
        )
        fast = Tokenizer(models.Unigram(vocabulary, unk_id=3))
        fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=fast, unk_token="<unk>", pad_token="<pad>"
        )


@pytest.fixture(scope="module")
def tiny() -> TinyEncoder:
    return TinyEncoder(
        "abcdefghijklmnopqrstuvwxyz0123456789.,?"
        + "กขคงจชซดตถทนบปผพมยรลวสหอเแโไาะ"
        + "电动势源供应能量的是北京年在月"
    )


def task_of(max_length: int = 384, **options) -> dict:
    filled = FAMILIES["span_qa"].options(**options).model_dump()
    return {"family": "span_qa", "labels": [], "max_length": max_length, "options": filled}


def row(context: str, answer: str | None, question: str = "q?", start: int | None = None) -> dict:
    found = context.find(answer) if start is None and answer is not None else start
    answers = (
        {"text": [], "answer_start": []}
        if answer is None
        else {"text": [answer], "answer_start": [found]}
    )
    return {"id": "1", "question": question, "context": context, "answers": answers}


def shown(feature: dict, context: str) -> str:
    """The text between the positions that a training feature points at."""
    first, last = (at - feature["context_at"] for at in feature["span"])
    return context[feature["offsets"][first][0] : feature["offsets"][last][1]]


def points_at(features: list[dict], span: tuple[int, int], height: float = 9.0) -> list[np.ndarray]:
    """Logits with a peak at each window's pieces where these characters begin and end."""
    logits = []
    for feature in features:
        scores = np.zeros((len(feature["input_ids"]), 2), dtype=np.float32)
        for i, (start, stop) in enumerate(feature["offsets"]):
            scores[feature["context_at"] + i] = (
                height * (start == span[0]),
                height * (stop == span[1]),
            )
        logits.append(scores)
    return logits


def both_ways(encoder, context: str, answer: str, **options) -> tuple[list[str], str]:
    """(the texts that training features point at, the text decoded from logits that point at the
    answer)."""
    rows, task = [row(context, answer)], task_of(**options)
    trained = [
        shown(f, context)
        for f in span_qa.encode(rows, encoder, task, training=True)
        if f["span"] != (0, 0)
    ]
    features = span_qa.encode(rows, encoder, task, training=False)
    at = context.find(answer)
    return (
        trained,
        span_qa.decode(points_at(features, (at, at + len(answer))), features, rows, task)[0],
    )


# --- where words are not set apart by spaces ------------------------------------------------------

CHINESE = "电动势源供应的能量是电动势，北京在2008年8月。"
THAI = "กรงเทพ เปนเมองหลวง ของไทย"


@pytest.mark.parametrize("answer", ["能量", "电动势", "北京", "2008年8月", "势"])
def test_a_chinese_answer_is_the_span_and_not_the_clause(tiny, answer):
    """XTREME's decoding gives the whitespace word, which here is nearly the whole sentence."""
    assert both_ways(tiny, CHINESE, answer) == ([answer], answer)


@pytest.mark.parametrize("answer", ["กรงเทพ", "เมองหลวง", "ไทย", "หลวง ของ"])
def test_a_thai_answer_is_the_span(tiny, answer):
    assert both_ways(tiny, THAI, answer) == ([answer], answer)


def test_a_thai_answer_keeps_the_marks_its_tokenizer_drops(tiny):
    # vowels above and tone marks are no pieces
    context = "ท\u0e35\u0e48น\u0e35\u0e48ม\u0e35น\u0e49"
    assert both_ways(tiny, context, "น\u0e35\u0e48")[1] == "น\u0e35\u0e48"
    assert both_ways(tiny, context, "ม\u0e35")[0] == ["ม\u0e35"]


@QUICK
@given(data=st.data(), text=st.text(alphabet="电动势源 ab北京年12กขค", min_size=3, max_size=60))
def test_every_span_of_the_context_can_be_an_answer(tiny, data, text):
    """Of any characters that are pieces of their own, trained on and decoded as they stand in the
    string."""
    words = [i for i, c in enumerate(text) if not c.isspace()]
    if not words:
        return
    first = data.draw(st.sampled_from(words))
    last = data.draw(st.sampled_from([i for i in words if first <= i < first + 20]))
    answer = text[first : last + 1]
    rows, task = [row(text, answer, start=first)], task_of(64, doc_stride=16)
    features = span_qa.encode(rows, tiny, task, training=True)
    found = [f for f in features if f["span"] != (0, 0)]
    assert found and all(shown(f, text) == answer for f in found)
    features = span_qa.encode(rows, tiny, task, training=False)
    assert span_qa.decode(points_at(features, (first, last + 1)), features, rows, task) == [answer]


# --- spaces ---------------------------------------------------------------------------------------


def test_a_space_is_not_part_of_an_answer_nor_an_answer():
    encoder = SpacedEncoder(["▁a", "▁in", "北京", "年"])
    context = "a in 北京 年 a"
    assert both_ways(encoder, context, "北京") == (["北京"], "北京")
    assert both_ways(encoder, context, "in") == (["in"], "in")
    features = span_qa.encode([row(context, None)], encoder, task_of(), training=False)
    assert encoder.tokenizer.convert_ids_to_tokens(features[0]["input_ids"])[6:8] == ["▁in", "▁"]
    lone = features[0]["context_at"] + 2
    scores = np.zeros((len(features[0]["input_ids"]), 2))
    scores[lone], scores[lone + 1, 1] = 9.0, 5.0
    assert span_qa.decode([scores], features, [row(context, None)], task_of()) == ["北京"]


@pytest.mark.parametrize("answer", [" def", "def ", " def gh "])
def test_an_answer_given_with_spaces_around_it_is_found(tiny, answer):
    rows = [row("abc def gh ij", answer)]
    (feature,) = span_qa.encode(rows, tiny, task_of(), training=True)
    assert shown(feature, rows[0]["context"]) == answer.strip()


def test_an_answer_whose_first_character_is_no_piece_is_still_learned(tiny):
    """BERT's normalisation drops control characters; the rest of the answer is all there."""
    rows = [row("abc \u200edef gh", "\u200edef")]
    (feature,) = span_qa.encode(rows, tiny, task_of(), training=True)
    assert shown(feature, rows[0]["context"]) == "def"


# --- no answer (SQuAD 2.0) ------------------------------------------------------------------------


def null_case(tiny, nulls: list[float], spans: list[float], **options) -> str:
    """Decode a two-window row: logit of start and of end at position 0, and at the window's best
    piece."""
    context = " ".join("abcdefghijklmnopqrstuvwxyz" * 3)
    rows, task = [row(context, None)], task_of(64, doc_stride=40, unanswerable=True, **options)
    features = span_qa.encode(rows, tiny, task, training=False)
    assert len(features) == len(nulls)
    logits = []
    for feature, null, span in zip(features, nulls, spans, strict=True):
        scores = np.full((len(feature["input_ids"]), 2), -5.0)
        scores[0], scores[feature["context_at"] + feature["fullest"].index(True)] = null, span
        logits.append(scores)
    return span_qa.decode(logits, features, rows, task)[0]


def test_the_windows_share_one_null_score_their_lowest(tiny):
    """run_squad.py: a row is unanswerable only if every window says so more than any says
    otherwise."""
    assert null_case(tiny, [5.0, 5.0], [1.0, 4.0]) == ""
    assert null_case(tiny, [5.0, 3.5], [1.0, 4.0]) != ""
    assert null_case(tiny, [3.5, 5.0], [4.0, 1.0]) != ""
    # as good as the best answer: the answer stays
    assert null_case(tiny, [4.0, 4.5], [1.0, 4.0]) != ""


def test_an_unanswerable_row_points_every_window_at_position_0(tiny):
    context = " ".join("abcdefghijklmnopqrstuvwxyz" * 3)
    features = span_qa.encode(
        [row(context, None)], tiny, task_of(64, doc_stride=20, unanswerable=True), training=True
    )
    assert len(features) == 2
    assert all(feature["span"] == (0, 0) for feature in features)
    first = len(features[0]["input_ids"])
    logits = torch.zeros(first + len(features[1]["input_ids"]), 2)
    logits[[0, first]] = 20.0
    assert span_qa.loss(logits, span_qa.targets(features)).item() == pytest.approx(0.0, abs=1e-4)


def test_an_unanswerable_row_is_right_when_nothing_is_answered(tiny):
    rows = [row("abc def", None), row("abc def", "def")]
    golds = [FAMILIES["span_qa"].gold(one) for one in rows]
    assert METRICS["squad_v2"](golds, ["", "def"], "en").main == 100
    assert METRICS["squad_v2"](golds, ["abc", ""], "en").main == 0


# --- windows --------------------------------------------------------------------------------------


def test_an_answer_past_the_first_window_is_learned_and_found_in_later_ones(tiny):
    context = " ".join("abcdefghijklmnopqrstuvwxyz" * 3) + " 2 0 0 8 " + " ".join("abcdefghij")
    rows, task = [row(context, "2 0 0 8")], task_of(64, doc_stride=16)
    features = span_qa.encode(rows, tiny, task, training=True)
    for feature in features:
        ends = feature["offsets"][0][0], feature["offsets"][-1][1]
        at = context.find("2")
        inside = ends[0] <= at and at + len("2 0 0 8") <= ends[1]
        assert (feature["span"] != (0, 0)) == inside
        assert not inside or shown(feature, context) == "2 0 0 8"
    assert features[0]["span"] == (0, 0)
    assert sum(feature["span"] != (0, 0) for feature in features) >= 2
    assert both_ways(tiny, context, "2 0 0 8", max_length=64, doc_stride=16)[1] == "2 0 0 8"


def test_an_answer_across_the_end_of_a_window_is_not_learned_there(tiny):
    context = " ".join("abcdefghijklmnopqrstuvwxyz" * 3)
    room = 64 - 3 - 2  # specials, and "q", "?"
    last = 2 * (room - 1)  # where the first window's last piece begins
    # the two last pieces and one more
    rows = [row(context, context[last - 2 : last + 3], start=last - 2)]
    first, second = span_qa.encode(rows, tiny, task_of(64, doc_stride=40), training=True)
    assert first["span"] == (0, 0)
    assert shown(second, context) == context[last - 2 : last + 3]


@pytest.mark.parametrize("context", ["", " ", "\n\u3000\t"])
def test_an_empty_context_has_one_window_and_no_answer(tiny, context):
    rows = [row(context, None)]
    for unanswerable, expected in ((False, "empty"), (True, "")):
        task = task_of(unanswerable=unanswerable)
        (feature,) = span_qa.encode(rows, tiny, task, training=False)
        assert feature["offsets"] == [] and len(feature["input_ids"]) == 5
        assert span_qa.decode([np.zeros((5, 2))], [feature], rows, task) == [expected]
    assert span_qa.encode([row(context, "abc", start=0)], tiny, task_of(), training=True) == []
    (feature,) = span_qa.encode(rows, tiny, task_of(unanswerable=True), training=True)
    assert feature["span"] == (0, 0)


@pytest.mark.parametrize(
    ("pieces", "kept", "cut"), [(63, 63, False), (64, 64, False), (65, 64, True), (300, 64, True)]
)
def test_a_question_keeps_its_first_64_pieces_and_says_so(tiny, pieces, kept, cut):
    question = " ".join("abcdefghijklmnopqrstuvwxyz"[i % 26] for i in range(pieces))
    rows = [row("abc def gh", "def", question), row("abc def gh", "def")]
    for training in (True, False):
        long, short = span_qa.encode(rows, tiny, task_of(), training)
        assert long["context_at"] == 1 + kept + 1
        assert (
            long["input_ids"][1 : 1 + kept]
            == tiny.tokenizer(question, add_special_tokens=False)["input_ids"][:kept]
        )
        assert long.get("truncated", False) is cut
        assert "truncated" not in short
        assert not training or shown(long, "abc def gh") == "def"


def test_a_long_context_is_not_truncated(tiny):
    rows = [row(" ".join("abcdefghij" * 30), None)]
    features = span_qa.encode(rows, tiny, task_of(64, doc_stride=16), training=False)
    assert len(features) > 5 and not any("truncated" in feature for feature in features)


# --- answers that cannot be given, or not be learned ----------------------------------------------


@pytest.mark.parametrize(("pieces", "found"), [(29, True), (30, True), (31, False)])
def test_an_answer_of_31_pieces_is_learned_but_never_given(tiny, pieces, found):
    """`max_answer_length` is a rule of decoding: run_squad.py trains on longer answers too."""
    context = " ".join("abcdefghijklmnopqrstuvwxyz0123456789.,?")
    trained, decoded = both_ways(tiny, context, context[: 2 * pieces - 1])
    assert trained == [context[: 2 * pieces - 1]]
    assert (decoded == context[: 2 * pieces - 1]) is found


def test_an_answer_that_is_not_in_the_context_is_skipped_and_still_scored(tiny):
    rows = [
        row("abc def gh", "xyz", start=0),
        row("abc def gh", "def", start=5),
        row("abc def gh", "gh"),
    ]
    for unanswerable in (False, True):
        task = task_of(unanswerable=unanswerable)
        assert [f["row"] for f in span_qa.encode(rows, tiny, task, training=True)] == [2]
        assert [f["row"] for f in span_qa.encode(rows, tiny, task, training=False)] == [0, 1, 2]
    golds = [FAMILIES["span_qa"].gold(one) for one in rows]
    assert METRICS["squad"](golds, ["abc", "def", "gh"], "en").examples["em"] == [0, 1, 1]
    assert METRICS["squad"](golds, ["xyz", "def", "gh"], "en").main == 100


def test_only_the_first_answer_is_learned_and_all_are_accepted(tiny):
    one = row("abc def gh", "def")
    one["answers"] = {"text": ["def", "abc"], "answer_start": [4, 0]}
    (feature,) = span_qa.encode([one], tiny, task_of(), training=True)
    assert shown(feature, one["context"]) == "def"
    assert METRICS["squad"]([FAMILIES["span_qa"].gold(one)], ["abc"], "en").main == 100
