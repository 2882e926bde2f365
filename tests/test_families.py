"""From rows to features and from logits to predictions, with real tokenizers; held against XTREME's
own encoders."""

import json
import signal
import struct
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import MIRROR, ORACLES, needs_shared
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import MissingError
from harness.families import FAMILIES
from harness.metrics import scoring
from harness.models import classifier as classification
from harness.models import retriever as retrieval
from harness.models import span_reader as span_qa
from harness.models import tagger as tagging
from harness.models.half import Measured
from harness.models.loaded import LoadedEncoder, pool
from harness.sources import rows as data_rows
from harness.sources.encoders import find
from harness.sources.hub import Where
from harness.sources.locate import Locator
from harness.spec.catalog import Catalog
from harness.store import HashIndex
from tests import mini_rows

TRAINED = {name: family.trainer() for name, family in FAMILIES.items() if family.trained}

FEATURES = ORACLES / "features"
QUICK = settings(max_examples=60, deadline=None)


def task_of(family: str, max_length: int = 128, labels: list[str] | None = None, **options) -> dict:
    """The part of a task spec that a job carries."""
    filled = FAMILIES[family].options(**options).model_dump()
    return {"family": family, "labels": labels or [], "max_length": max_length, "options": filled}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return HashIndex(tmp_path_factory.mktemp("index") / "files.json")


@pytest.fixture(scope="module")
def minilm(index) -> LoadedEncoder:
    """all-MiniLM-L6-v2: an uncased WordPiece tokenizer, segment ids, one separator between the
    texts of a pair."""
    try:
        found = find(Catalog.load([]).encoder("all-MiniLM-L6-v2"), Where(offline=True), index)
    except MissingError as error:
        pytest.skip(str(error))
    return LoadedEncoder(str(found.folder), found.identity)


# The sentencepiece model that the reference features were made with, as a fast tokenizer: its
# vocabulary and its normalisation are read from the file, so that no further library is needed.


def proto_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol-buffers message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        number, wire = divmod(varint(), 8)
        size = {0: 0, 1: 8, 5: 4}.get(wire)
        if wire == 0:
            yield number, varint()
            continue
        size = varint() if size is None else size
        yield number, data[at : at + size]
        at += size


class XtremeEncoder:
    """XLM-R's layout over the reference vocabulary: <s> A </s></s> B </s>, no segment ids. Its
    <unk> is 3."""

    has_token_types, max_length, template, word_prefix = False, 512, ([0], [2, 2], [2]), ""
    pieces = LoadedEncoder.pieces

    def __init__(self, model: Path):
        from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
        from tokenizers.models import Unigram
        from transformers import PreTrainedTokenizerFast

        fields = list(proto_fields(model.read_bytes()))
        pieces = [dict(proto_fields(value)) for number, value in fields if number == 1]
        normaliser = dict(proto_fields(next(value for number, value in fields if number == 3)))
        special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        vocabulary = [(piece[1].decode(), struct.unpack("<f", piece[2])[0]) for piece in pieces[3:]]
        fast = Tokenizer(Unigram([*special, *vocabulary], unk_id=3))
        fast.normalizer = normalizers.Sequence(
            [
                normalizers.Precompiled(normaliser[2]),
                normalizers.Strip(left=True, right=True),
                normalizers.Replace(Regex(" {2,}"), " "),
            ]
        )
        fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        fast.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B </s>",
            special_tokens=[("<s>", 0), ("</s>", 2)],
        )
        names = {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
        }
        inputs = ["input_ids", "attention_mask"]
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=fast, model_input_names=inputs, **names
        )


@pytest.fixture(scope="module")
def xtreme() -> XtremeEncoder:
    return XtremeEncoder(FEATURES / "sentencepiece.bpe.model")


def reference(name: str) -> dict:
    return json.loads((FEATURES / f"{name}.json").read_text())


def unpadded(ids: list[int], mask: list[int]) -> list[int]:
    """Reference ids without padding. transformers 2.3.0 gives an unknown piece id 1, which is
    <pad>; it is 3 here."""
    return [3 if i == 1 else i for i, keep in zip(ids, mask, strict=True) if keep]


# Tagging. "!" is a token of its own for BERT, so "!!!" is a word of exactly three pieces.


def sentences(longest: int):
    word = st.integers(0, longest).map(lambda n: "!" * n) | st.sampled_from(
        ["house", "Häuser", "東京", "\u200b", "unbelievably"]
    )
    sentence = st.lists(st.tuples(word, st.sampled_from("ABC")), max_size=60)
    return st.lists(sentence, min_size=1, max_size=3).filter(any)


def as_rows(drawn) -> list[dict]:
    return [
        {"id": str(i), "tokens": [w for w, _ in s], "tags": [t for _, t in s]}
        for i, s in enumerate(drawn)
    ]


@QUICK
@given(drawn=sentences(140), max_length=st.sampled_from([128, 140, 256]))
def test_no_word_is_lost_whatever_its_length(minilm, drawn, max_length):
    rows, task = as_rows(drawn), task_of("tagging", max_length, ["A", "B", "C"], outside=False)
    features = tagging.encode(rows, minilm, task, training=True)
    labels = [[] for _ in rows]
    first_pieces = [[] for _ in rows]
    for feature in features:
        ids = feature["input_ids"]
        assert len(ids) <= max_length
        assert len(feature["token_type_ids"]) == len(ids)
        assert (ids[0], ids[-1]) == (minilm.tokenizer.cls_token_id, minilm.tokenizer.sep_token_id)
        labels[feature["row"]] += [task["labels"][i] for i in feature["labels"]]
        first_pieces[feature["row"]] += [ids[at] for at in feature["reads"]]
    assert labels == [row["tags"] for row in rows]
    unknown = minilm.tokenizer.unk_token_id
    for row, found in zip(rows, first_pieces, strict=True):
        pieces = [
            minilm.tokenizer(word, add_special_tokens=False)["input_ids"] for word in row["tokens"]
        ]
        assert found == [ids[0] if 0 < len(ids) <= 125 else unknown for ids in pieces]
    assert sum(len(f["labels"]) for f in features) == tagging.terms(features)


@QUICK
@given(drawn=sentences(30))
def test_predictions_of_a_split_sentence_come_back_in_order(minilm, drawn):
    rows, task = as_rows(drawn), task_of("tagging", 40, ["A", "B", "C"], outside=False)
    features = tagging.encode(rows, minilm, task, training=False)
    logits = []
    for feature in features:
        assert len(feature["reads"]) == len(feature["labels"])
        logits.append(np.eye(3)[feature["labels"]])
    assert tagging.decode(logits, features, rows, task) == [row["tags"] for row in rows]


@QUICK
@given(
    pieces=st.lists(st.integers(1, 20).map(lambda n: [7] * n), max_size=80),
    budget=st.integers(20, 60),
)
def test_sentences_are_cut_at_words_and_as_late_as_possible(pieces, budget):
    ranges = tagging._split(pieces, budget)
    assert [i for words in ranges for i in words] == list(range(len(pieces)))
    sizes = [sum(len(pieces[i]) for i in words) for words in ranges]
    assert max(sizes) <= budget
    for words, size in zip(ranges[:-1], sizes[:-1], strict=True):
        assert size + len(pieces[words.stop]) > budget


def test_a_word_longer_than_the_window_fits_it(minilm):
    """`max_word_pieces` is 125; with a shorter max_length, a word of 100 pieces must not overflow
    the window."""
    rows = as_rows([[("a", "A"), ("!" * 100, "B"), ("b", "A")]])
    features = tagging.encode(rows, minilm, task_of("tagging", 64, ["A", "B"]), training=True)
    assert max(len(feature["input_ids"]) for feature in features) <= 64


def test_tags_sit_on_first_pieces_only(minilm):
    rows = as_rows([[("unbelievably", "A"), ("good", "B")]])
    task = task_of("tagging", 128, ["A", "B"], outside=False)
    (feature,) = tagging.encode(rows, minilm, task, training=True)
    assert minilm.tokenizer.convert_ids_to_tokens(feature["input_ids"])[1:4] == [
        "un",
        "##bel",
        "##ie",
    ]
    assert feature["reads"] == [1, len(feature["input_ids"]) - 2]
    # what is read is all that the loss is of
    loss = tagging.loss(torch.zeros(2, 2), tagging.targets([feature]))
    assert loss.item() == pytest.approx(2 * np.log(2))


def test_an_empty_sentence_is_one_empty_prediction(minilm):
    rows, task = as_rows([[], [("a", "A")]]), task_of("tagging", 128, ["A"], outside=False)
    features = tagging.encode(rows, minilm, task, training=True)
    assert tagging.decode(
        [np.zeros((len(f["reads"]), 1)) for f in features], features, rows, task
    ) == [[], ["A"]]


@pytest.mark.parametrize(
    ("labels", "outside", "classes"),
    [("AB", True, "OAB"), ("AB", False, "AB"), ("AOB", True, "AOB")],
)
def test_a_word_may_be_outside_even_where_no_tag_is(minilm, labels, outside, classes):
    """XTREME's 18 classes for UD-POS; jiant has 17."""
    rows, task = (
        as_rows([[("a", "A"), ("b", "B")]]),
        task_of("tagging", 128, list(labels), outside=outside),
    )
    (feature,) = tagging.encode(rows, minilm, task, training=True)
    assert "".join(classes[i] for i in feature["labels"]) == "AB"
    assert tagging.head(
        SimpleNamespace(config=SimpleNamespace(hidden_size=8)), None, task, 0.0
    ).out.out_features == len(classes)
    for i, name in enumerate(classes):
        logits = np.zeros((len(feature["reads"]), len(classes)))
        logits[:, i] = 1.0
        assert tagging.decode([logits], [feature], rows, task) == [[name, name]]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_tagging_features_equal_xtremes(xtreme, split):
    """Cut points, ids, label positions and labels; both its two </s> and, without
    `extra_separator`, jiant's one."""
    oracle = reference("tagging_xtreme")
    task = task_of("tagging", oracle["max_len"], oracle["label_list"])
    rows = as_rows(
        [
            [(word, tag if split == "dev" else "X") for word, tag in sentence]
            for sentence in oracle["sentences"]
        ]
    )
    ours, theirs = tagging.encode(rows, xtreme, task, training=False), oracle["features"][split]
    jiants = tagging.encode(
        rows,
        xtreme,
        task | {"options": task["options"] | {"extra_separator": False}},
        training=False,
    )
    assert len(ours) == len(jiants) == theirs["n_examples"] == 9
    for i, feature in enumerate(ours):
        ids = unpadded(theirs["input_ids"][i], theirs["mask"][i])
        assert feature["input_ids"] == ids
        assert jiants[i]["input_ids"] == ids[:-1]
        assert jiants[i]["reads"] == feature["reads"]
        # theirs ignore a position by -100
        labelled = {at: label for at, label in enumerate(theirs["label_ids"][i]) if label != -100}
        assert dict(zip(feature["reads"], feature["labels"], strict=True)) == labelled


# Span QA: windows


@QUICK
@given(pieces=st.integers(0, 700), room=st.integers(1, 200), step=st.integers(1, 200))
def test_windows_cover_everything_in_equal_steps(pieces, room, step):
    windows = span_qa._windows(pieces, room, step)
    assert {i for window in windows for i in window} == set(range(pieces))
    assert windows[-1].stop == pieces
    assert [window.start for window in windows] == [
        min(step, room) * i for i in range(len(windows))
    ]
    assert all(len(window) == room for window in windows[:-1])
    assert len(windows[-1]) <= room
    assert all(window.stop < pieces for window in windows[:-1])


@QUICK
@given(pieces=st.integers(0, 400), room=st.integers(5, 100), step=st.integers(1, 100))
def test_each_piece_is_fullest_in_exactly_one_window(pieces, room, step):
    windows = span_qa._windows(pieces, room, step)
    for piece in range(pieces):
        best = span_qa._fullest(windows, piece)
        assert sum(best is window for window in windows) == 1
        inside = [min(piece - w.start, w.stop - 1 - piece) for w in windows if piece in w]
        assert min(piece - best.start, best.stop - 1 - piece) + 0.01 * room >= max(inside)


class Hangs(BaseException):
    """Not an Exception, so that no handler under test takes it for an answer."""


@contextmanager
def stops_within(seconds: float):
    def late(*_):
        raise Hangs

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_question_that_fills_the_window_does_not_hang(minilm):
    """64 question pieces, the default, leave no room in a window of 64; that must end, in features
    or in an error."""
    rows = qa_rows([("word " * 80, "one two three", "two")])
    with stops_within(2):
        try:
            features = span_qa.encode(rows, minilm, task_of("span_qa", 64), training=False)
        except Exception as error:
            assert str(error)
        else:
            assert max(len(feature["input_ids"]) for feature in features) <= 64


# Span QA: features


def qa_rows(triples: list[tuple[str, str, str | None]]) -> list[dict]:
    rows = []
    for i, (question, context, answer) in enumerate(triples):
        answers = {"text": [], "answer_start": []}
        if answer is not None:
            answers = {"text": [answer], "answer_start": [context.find(answer)]}
        rows.append({"id": str(i), "question": question, "context": context, "answers": answers})
    return rows


def real_qa_rows(index, language: str, count: int = 60) -> list[dict]:
    catalog = Catalog.load([])
    task = catalog.task("xquad")
    locator = Locator(catalog, Where(data_root=MIRROR, offline=True), index)
    return data_rows.load(locator.dataset(task, task.test, "test", language, count).to_json())


def shown(feature: dict, row: dict) -> str:
    """The text between the positions that a training feature points at."""
    at, (first, last) = feature["context_at"], feature["span"]
    return row["context"][feature["offsets"][first - at][0] : feature["offsets"][last - at][1]]


def test_training_positions_point_at_the_answer(minilm):
    rows = mini_rows.rows("xquad", "en", "train")[:150]
    for length in (48, 128, 384):
        task = task_of("span_qa", length, doc_stride=16, max_query_length=20)
        features = span_qa.encode(rows, minilm, task, training=True)
        found = [f for f in features if f["span"] != (0, 0)]
        assert {f["row"] for f in found} == set(range(len(rows)))
        for feature in found:
            assert (
                shown(feature, rows[feature["row"]]) == rows[feature["row"]]["answers"]["text"][0]
            )
            assert feature["span"][0] >= feature["context_at"]
        for feature in features:
            if feature["span"] == (0, 0):  # then not all of the answer is in this window
                row = rows[feature["row"]]
                start, stop = span_qa.answer_span(row, False)
                covered = [o for o in feature["offsets"] if o[0] < stop and start < o[1]]
                assert not covered or covered[0][0] > start or covered[-1][1] < stop


@needs_shared
@pytest.mark.parametrize("language", ["en", "de", "ru", "vi"])
def test_training_positions_in_real_text(minilm, index, language):
    rows = real_qa_rows(index, language)
    features = span_qa.encode(rows, minilm, task_of("span_qa", 384), training=True)
    found = {f["row"]: shown(f, rows[f["row"]]) for f in features if f["span"] != (0, 0)}
    assert len(found) == len({f["row"] for f in features})
    same = sum(text == rows[i]["answers"]["text"][0] for i, text in found.items())
    # a piece may be longer than the answer, when that is part of a word
    assert same >= len(found) - 1


@needs_shared
@pytest.mark.parametrize("language", ["ar", "hi", "th"])
def test_answers_that_end_in_a_combining_mark_can_be_found(minilm, index, language):
    """An uncased BERT tokenizer drops combining marks; the characters of an answer still include
    its last one."""
    rows = [row for row in real_qa_rows(index, language, 200) if span_qa.answer_span(row, False)]
    marked = [
        row for row in rows if unicodedata.category(row["answers"]["text"][0][-1]).startswith("M")
    ]
    assert marked
    features = span_qa.encode(marked, minilm, task_of("span_qa", 384), training=True)
    found = {f["row"]: shown(f, marked[f["row"]]) for f in features if f["span"] != (0, 0)}
    assert len(found) == len(marked)
    # Thai words are no pieces of their own here, so their text may come with its neighbours
    if language != "th":
        assert [found[i] for i in range(len(marked))] == [
            row["answers"]["text"][0] for row in marked
        ]


def test_rows_whose_answer_is_not_in_the_context_are_not_trained_on(minilm):
    rows = qa_rows(
        [("q", "here it stands", "stands"), ("q", "here", "elsewhere"), ("q", "no answer", None)]
    )
    rows[1]["answers"]["answer_start"] = [0]
    assert [f["row"] for f in span_qa.encode(rows, minilm, task_of("span_qa"), training=True)] == [
        0
    ]
    assert [f["row"] for f in span_qa.encode(rows, minilm, task_of("span_qa"), training=False)] == [
        0,
        1,
        2,
    ]
    features = span_qa.encode(rows, minilm, task_of("span_qa", unanswerable=True), training=True)
    assert [(f["row"], f["span"] == (0, 0)) for f in features] == [(0, False), (2, True)]


def test_segments_and_question_length(minilm):
    rows = qa_rows([("word " * 80, "a context", "context")])
    (feature,) = span_qa.encode(rows, minilm, task_of("span_qa", 384), training=True)
    assert feature["context_at"] == 1 + 64 + 1
    assert feature["token_type_ids"] == [0] * 66 + [1] * 3
    assert len(feature["input_ids"]) == 69
    assert shown(feature, rows[0]) == "context"


# Span QA: decoding


def peaks(
    features: list[dict], spans: dict[int, tuple[int, int]], height: float = 9.0
) -> list[np.ndarray]:
    """Logits with a peak at the given characters (per row) in the window where their start has most
    context."""
    logits = []
    for feature in features:
        scores = np.zeros((len(feature["input_ids"]), 2), dtype=np.float32)
        start, stop = spans.get(feature["row"], (-1, -1))
        for i, (a, b) in enumerate(feature["offsets"]):
            if a <= start < b and feature["fullest"][i]:
                scores[feature["context_at"] + i, 0] = height
            if a < stop <= b:
                scores[feature["context_at"] + i, 1] = height
        logits.append(scores)
    return logits


@needs_shared
@pytest.mark.parametrize("language", ["en", "zh", "th"])
def test_decoded_answers_are_text_of_the_context(minilm, index, language):
    """Also where words are not set apart by spaces: the answer is the span, not the clause around
    it."""
    rows = real_qa_rows(index, language)
    task = task_of("span_qa", 384)
    features = span_qa.encode(rows, minilm, task, training=False)
    rng = np.random.default_rng(1)
    random = [rng.standard_normal((len(f["input_ids"]), 2)) for f in features]
    for row, text in zip(rows, span_qa.decode(random, features, rows, task), strict=True):
        assert text in row["context"] or text == span_qa.NO_SPAN
    spans = {i: span for i, row in enumerate(rows) if (span := span_qa.answer_span(row, False))}
    decoded = span_qa.decode(peaks(features, spans), features, rows, task)
    right = sum(decoded[i] == rows[i]["answers"]["text"][0] for i in spans)
    assert right / len(spans) >= {"en": 0.95, "zh": 0.9, "th": 0.5}[language]


def decode_one(
    minilm, scores: dict[tuple[int, int], float], context: str = "one two three four", **options
) -> str:
    """`scores`: (context piece, 0 start or 1 end) → logit; (-1, side) is the first special
    token."""
    rows = qa_rows([("q", context, None)])
    task = task_of("span_qa", 384, **options)
    features = span_qa.encode(rows, minilm, task, training=False)
    logits = [np.zeros((len(f["input_ids"]), 2)) for f in features]
    for (piece, side), value in scores.items():
        logits[0][0 if piece < 0 else features[0]["context_at"] + piece, side] = value
    return span_qa.decode(logits, features, rows, task)[0]


def test_best_span_wins_and_end_never_stands_before_start(minilm):
    assert decode_one(minilm, {(1, 0): 5, (2, 1): 5}) == "two three"
    assert decode_one(minilm, {(2, 0): 5, (1, 1): 4.5, (3, 1): 1}) == "three four"


def test_answers_have_at_most_thirty_pieces(minilm):
    context = " ".join(f"w{i}" for i in range(60))  # three pieces or so a word
    pieces = len(minilm.tokenizer(context, add_special_tokens=False)["input_ids"])
    assert decode_one(minilm, {(0, 0): 9, (30, 1): 9, (29, 1): 1}, context)
    for last, allowed in ((29, True), (30, False)):
        scores = {(0, 0): 9.0, (last, 1): 9.0} | {(i, 0): -9.0 for i in range(1, pieces)}
        text = decode_one(minilm, scores, context, n_best=1)
        assert (text != span_qa.NO_SPAN) is allowed
    assert decode_one(minilm, {(0, 0): 9, (0, 1): 9}, context, max_answer_length=1) == "w"


def test_no_span_left_is_the_literal_empty(minilm):
    assert decode_one(minilm, {(-1, 0): 9, (-1, 1): 9}, n_best=1) == "empty"
    assert decode_one(minilm, {}, context="") == "empty"
    assert decode_one(minilm, {}, context=" \n ") == "empty"


def test_no_answer_only_where_it_may_be_right(minilm):
    no_answer = {(-1, 0): 9.0, (-1, 1): 9.0, (1, 0): 5.0, (1, 1): 5.0}
    assert decode_one(minilm, no_answer) == "two"
    assert decode_one(minilm, no_answer, unanswerable=True) == ""
    assert decode_one(minilm, {**no_answer, (1, 0): 14.0}, unanswerable=True) == "two"
    # as good: the answer stays
    assert decode_one(minilm, {**no_answer, (1, 0): 13.0}, unanswerable=True) == "two"
    assert decode_one(minilm, {}, context="", unanswerable=True) == ""


def test_a_start_counts_only_in_its_fullest_window(minilm):
    context = " ".join(["word"] * 60)
    rows, task = qa_rows([("q", context, None)]), task_of("span_qa", 44, doc_stride=20)
    features = span_qa.encode(rows, minilm, task, training=False)
    assert len(features) == 2
    assert [sum(column) for column in zip(*(shifted(f, 60) for f in features), strict=True)] == [
        1
    ] * 60
    logits = [np.zeros((len(f["input_ids"]), 2)) for f in features]
    for feature, scores in zip(features, logits, strict=True):
        for i, fullest in enumerate(feature["fullest"]):
            if not fullest:
                scores[feature["context_at"] + i, 0] = 50.0
    logits[0][features[0]["context_at"] + 3] = 1.0
    assert span_qa._best_span(logits[0], features[0], task["options"] | {"n_best": 40})[0] == 2.0


def shifted(feature: dict, pieces: int) -> list[bool]:
    """`fullest` of a window, laid over all pieces of the context."""
    flags = [False] * pieces
    first = feature["offsets"][0][0] // len("word ")
    flags[first : first + len(feature["fullest"])] = feature["fullest"]
    return flags


def test_a_window_chooses_among_its_own_tokens(minilm):
    rows = qa_rows([("q", "one two three", "two"), ("q", "one " * 30, "one")])
    features = span_qa.encode(rows, minilm, task_of("span_qa"), training=True)
    generator = torch.Generator().manual_seed(1)
    each = [torch.randn(len(f["input_ids"]), 2, generator=generator) for f in features]
    alone = [
        span_qa.loss(logits, span_qa.targets([f])) for logits, f in zip(each, features, strict=True)
    ]
    together = span_qa.loss(torch.cat(each), span_qa.targets(features))
    assert together.item() == pytest.approx(sum(alone).item(), rel=1e-6)


# Span QA against XTREME's features, windows and answers


@pytest.fixture(scope="module")
def qa(xtreme) -> tuple[dict, list[dict], dict]:
    oracle = reference("qa_xtreme")
    params = dict(oracle["params"])
    task = task_of("span_qa", params.pop("max_seq_length"), **params)
    rows = [
        {
            "id": row["id"],
            "question": row["question"],
            "context": row["context"],
            "answers": {"text": [row["answer"]], "answer_start": [row["start"]]},
        }
        for row in oracle["data"]
    ]
    return oracle, rows, task


@pytest.mark.parametrize("training", [True, False])
def test_windows_and_positions_equal_xtremes(qa, xtreme, training):
    """Which pieces stand in which window, where a piece is fullest, and the answer's start and
    end."""
    oracle, rows, task = qa
    theirs = [feature for feature in oracle["features"] if feature["train"] == training]
    ours = span_qa.encode(rows, xtreme, task, training)
    assert [rows[f["row"]]["id"] for f in ours] == [f["id"] for f in theirs]
    for mine, feature in zip(ours, theirs, strict=True):
        assert mine["input_ids"] == unpadded(feature["input_ids"], feature["attention_mask"])
        positions = sorted(map(int, feature["max_context"]))
        assert mine["context_at"] == positions[0]
        assert mine["fullest"] == [feature["max_context"][str(i)] for i in positions]
        if training:
            assert mine["span"] == (feature["start"], feature["end"])


def test_answers_from_given_logits_equal_xtremes(qa, xtreme):
    """The same spans win. Two differences are ours: transformers 2.3.0 gives an unknown piece the
    id of padding and so refuses every position from the first unknown piece on, which is repeated
    here; and XTREME returns whole whitespace words, where an answer here is the span's own
    characters."""
    oracle, rows, task = qa
    features = span_qa.encode(rows, xtreme, task, training=False)
    unknown = xtreme.tokenizer.unk_token_id
    for feature in features:
        ids = feature["input_ids"]
        known = ids.index(unknown) - feature["context_at"] if unknown in ids else len(ids)
        feature["offsets"] = feature["offsets"][: max(0, known)]
        feature["fullest"] = feature["fullest"][: max(0, known)]
    logits = [
        np.stack([scores["start"], scores["end"]], axis=1) for scores in oracle["eval_logits"]
    ]
    answers = span_qa.decode(logits, features, rows, task)
    for row, answer in zip(rows, answers, strict=True):
        expected = oracle["predictions"][row["id"]]
        assert answer in expected
        assert (answer == span_qa.NO_SPAN) == (expected == span_qa.NO_SPAN)
    assert (
        sum(a == oracle["predictions"][row["id"]] for row, a in zip(rows, answers, strict=True))
        == 4
    )
    assert answers[4] == "r pouto. plaishipa"  # XTREME: "gugur pouto. plaishipa"


# Classification


def test_pair_template_and_segments(minilm):
    rows = [{"id": "0", "text": "a house", "text_pair": "two trees", "label": "no"}]
    (feature,) = classification.encode(
        rows, minilm, task_of("classification", 128, ["yes", "no"]), training=True
    )
    tokens = minilm.tokenizer.convert_ids_to_tokens(feature["input_ids"])
    assert tokens == ["[CLS]", "a", "house", "[SEP]", "two", "trees", "[SEP]"]
    assert feature["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert feature["label"] == 1
    rows = [{"id": "0", "text": "a house", "label": "yes"}]
    (feature,) = classification.encode(
        rows, minilm, task_of("classification", 128, ["yes", "no"]), training=True
    )
    assert minilm.tokenizer.convert_ids_to_tokens(feature["input_ids"]) == [
        "[CLS]",
        "a",
        "house",
        "[SEP]",
    ]


@QUICK
@given(first=st.integers(1, 60), second=st.integers(1, 60), room=st.integers(5, 60))
def test_the_longer_text_is_cut_first(minilm, first, second, room):
    """Fast tokenizers cut to equal halves and, with an odd number, leave the longer text the longer
    half."""
    rows = [{"id": "0", "text": "a " * first, "text_pair": "b " * second, "label": "x"}]
    (feature,) = classification.encode(
        rows, minilm, task_of("classification", room + 3, ["x"]), training=True
    )
    a, b = (feature["token_type_ids"].count(0) - 2, feature["token_type_ids"].count(1) - 1)
    assert a + b == min(room, first + second)
    assert a <= first
    assert b <= second
    if a < first and b < second:
        assert abs(a - b) <= 1
    elif a < first:
        assert a >= b - 1
    elif b < second:
        assert b >= a - 1


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(12, 12, (7, 8)), (20, 8, (8, 7)), (8, 20, (7, 8))]
)
def test_ties_of_longest_first(minilm, first, second, kept):
    """Semantics 0.4: what fast tokenizers do with room for 15; XTREME's slow ones keep 8+7 each
    time."""
    rows = [{"id": "0", "text": "a " * first, "text_pair": "b " * second, "label": "x"}]
    (feature,) = classification.encode(
        rows, minilm, task_of("classification", 18, ["x"]), training=True
    )
    assert (feature["token_type_ids"].count(0) - 2, feature["token_type_ids"].count(1) - 1) == kept


def test_pairs_equal_xtremes(xtreme):
    """All eight: none of them is a tie with an odd number of places, where the two rules part."""
    oracle = reference("pairs_xtreme")
    rows = [
        {"id": str(i), "text": a, "text_pair": b, "label": "x"}
        for i, (a, b) in enumerate(oracle["pairs"])
    ]
    features = classification.encode(
        rows, xtreme, task_of("classification", oracle["max_len"], ["x"]), training=False
    )
    cut = 0
    for feature, ids in zip(features, oracle["input_ids"], strict=True):
        while ids[-1] == 1:
            ids.pop()
        assert [1 if i == 3 else i for i in feature["input_ids"]] == ids
        cut += len(ids) == oracle["max_len"]
    assert cut >= 4


def test_decode_takes_the_highest_logit():
    task = task_of("classification", 128, ["a", "b", "c"])
    logits = [np.array([0.0, 2.0, 1.0]), np.array([3.0, 3.0, 1.0])]
    assert classification.decode(logits, [], [], task) == ["b", "a"]


# Retrieval, pooling, and what all families share


def test_retrieval_asks_from_the_side_its_spec_names():
    vectors = {"a": [1, 0], "b": [0.8, 0.6], "A": [0.9, 0.5], "B": [0.6, 0.9]}
    rows = [{"id": "0", "source": "a", "target": "A"}, {"id": "1", "source": "b", "target": "B"}]

    def embed(texts):
        return np.array([vectors[text] for text in texts], dtype=np.float32)

    answers = {
        direction: retrieval.predict(embed, rows, task_of("retrieval", direction=direction), None)[
            0
        ]
        for direction in ("english_to_foreign", "foreign_to_english")
    }
    assert answers == {"english_to_foreign": ["1", "1"], "foreign_to_english": ["0", "0"]}
    assert [FAMILIES["retrieval"].gold(row) for row in rows] == ["0", "1"]


def test_pooling_is_over_each_text_and_keeps_special_tokens():
    hidden = torch.tensor([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]])
    expected = {"mean": [2.0, 1.0], "cls": [1.0, 0.0], "last_token": [3.0, 2.0]}
    for how, first in expected.items():
        assert pool(hidden, [2, 1], how).tolist() == [first, [9.0, 9.0]]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("classification", (6, 3)),
        ("multiple_choice", (2, 3)),
        ("tagging", (6, 4)),
        ("span_qa", (6, 2)),
    ],
)
def test_heads_have_the_shape_the_family_says(name, shape):
    """Masked-LM has the head of the checkpoint: tests/test_encoders.py."""
    encoder, hidden = SimpleNamespace(config=SimpleNamespace(hidden_size=8)), torch.zeros(6, 8)
    assert (
        TRAINED[name].head(encoder, None, task_of(name, labels=["a", "b", "c"]), 0.1)(hidden).shape
        == shape
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_both_halves_of_a_family_are_there(name):
    family = FAMILIES[name]
    assert family.name == name and family.group and family.version >= 1
    assert scoring(family.answers)
    if family.parts == "pool":
        assert family.ranker().texts and family.ranker().ranked
        return
    if not family.trained:
        assert family.finder().predict
        return
    for function in ("encode", "head", "terms", "loss", "decode"):
        assert hasattr(family.trainer(), function)
    assert isinstance(family.trainer(), Measured) == family.bits


def test_template_is_the_encoders_own(minilm):
    cls, sep = minilm.tokenizer.cls_token_id, minilm.tokenizer.sep_token_id
    assert minilm.template == ([cls], [sep], [sep])
    assert minilm.has_token_types
