"""What families read that rank a pool of candidates: which queries are right where, which records
are refused with file and row."""

import copy
import json
import re

import pytest
from test_data import described, jsonl

from harness.common.errors import SpecError
from harness.sources import rows as data_rows
from harness.sources.inspect import Looked, Reader, look
from harness.sources.pool import pool

ASKED = {"id": "h1", "question": "What?", "answers": [{"text": "A", "answer_start": 6}]}
PARAGRAPH = {
    "context": "Press A. It stops.",
    "sentence_breaks": [[0, 8], [9, 18]],
    "qas": [ASKED],
}
OTHER = {"context": "Other text. More.", "sentence_breaks": [[0, 11], [12, 17]], "qas": []}
MENTION = {"example_id": "m1", "entity_id": "Q1", "mention_span": {"start": 0, "end": 3}}
DOCUMENT = {
    "context": {"text": "Ulm ist alt.", "sentence_spans": [{"start": 0, "end": 12}]},
    "mentions": [MENTION],
}
ENTITY = {
    "entity_id": "Q1",
    "description": "Ulm is a city.",
    "sentence_spans": [{"start": 0, "end": 14}],
}


def paragraphs(tmp_path, *found):
    file = tmp_path / "en.json"
    file.write_text(json.dumps({"data": [{"paragraphs": list(found)}]}))
    return of_files("answer_retrieval", file, file)


def mentions(tmp_path, documents, entities):
    files = jsonl(tmp_path / "de.jsonl", documents), jsonl(tmp_path / "entities.jsonl", entities)
    return of_files("entity_linking", *files)


def of_files(family, queries, candidates):
    dataset = described(queries, family=family, columns={}, labels=None)
    dataset["identity"]["pool"] = ["en"]
    dataset["location"] = [{"files": [str(queries), str(candidates)]}]
    return dataset


def seen(dataset) -> Looked:
    return look(dataset, Reader(dataset["identity"]["family"], "map_at_20", {}), "test")


def asked(*answers, **more) -> dict:
    said = [{"text": text, "answer_start": start} for text, start in answers]
    return {**ASKED, "answers": said, **more}


def test_an_answer_that_is_not_where_it_says_makes_no_sentence_right_in_silence(tmp_path):
    assert seen(paragraphs(tmp_path, PARAGRAPH)).odd == {}
    wrong = {**PARAGRAPH, "qas": [asked(("It", 0))]}
    assert seen(paragraphs(tmp_path, wrong)).too_many == ["misplaced"]
    in_utf_16 = {
        "context": "\U0001f600\U0001f600 Press A. It stops now.",
        "sentence_breaks": [[0, 13], [14, 27]],
    }
    dataset = paragraphs(tmp_path, {**in_utf_16, "qas": [asked(("It", 14))]})
    with pytest.raises(SpecError, match=r"\[14, 27\] in 'sentence_breaks'"):
        seen(dataset)


def test_a_fifth_of_the_answers_may_be_elsewhere(tmp_path):
    asked_of = [asked(("A", 6), id=f"h{i}") for i in range(4)] + [asked(("It", 0))]
    asked_of[-1]["id"] = "last"
    found = seen(paragraphs(tmp_path, {**PARAGRAPH, "qas": asked_of}))
    assert (found.odd, found.too_many) == ({"misplaced": 1}, [])


def test_every_sentence_is_a_candidate_whether_it_is_asked_for_or_not(tmp_path):
    dataset = paragraphs(tmp_path, OTHER, PARAGRAPH)
    assert [(one.id, one.text, one.keys) for one in pool(dataset)] == [
        ("en_1_0", "Other text.", []),
        ("en_1_1", "More.", []),
        ("en_2_0", "Press A.", ["h1"]),
        ("en_2_1", "It stops.", []),
    ]
    assert [row["relevant"] for row in data_rows.load(dataset)] == [["en_2_0"]]


def test_a_question_without_sentences_is_read_from_the_same_file(tmp_path):
    """As SQuAD's, which has no use for a paragraph without questions."""
    dataset = paragraphs(tmp_path, OTHER, PARAGRAPH)
    columns = {name: name for name in ("context", "question", "answers")}
    plain = described(tmp_path / "en.json", family="span_qa", columns=columns, labels=None)
    assert [row["context"] for row in data_rows.load(plain)] == [PARAGRAPH["context"]]
    assert len(pool(dataset)) == 4


def test_one_id_may_not_mean_two_questions_of_a_language(tmp_path):
    other = {**OTHER, "qas": [asked(("Other", 0))]}
    dataset = paragraphs(tmp_path, PARAGRAPH, other)
    with pytest.raises(SpecError, match=r"paragraphs\[1\] in qas\[0\] has the id 'h1' for a sec"):
        seen(dataset)


def test_an_entity_that_is_no_candidate_or_has_no_text_is_counted(tmp_path):
    absent, blank = {**MENTION, "entity_id": "Q9"}, {**MENTION, "entity_id": "Q2"}
    pools = [ENTITY, {**ENTITY, "entity_id": "Q2", "sentence_spans": []}]
    for one, right in ((absent, []), (blank, ["Q2"])):
        document = {**DOCUMENT, "mentions": [MENTION, {**one, "example_id": "m2"}]}
        dataset = mentions(tmp_path, [document], pools)
        assert [row["relevant"] for row in data_rows.load(dataset)] == [["Q1"], right]
        assert seen(dataset).odd == {"misplaced": 1}
        assert seen(dataset).too_many == ["misplaced"]
    hidden = {**DOCUMENT, "mentions": [{**MENTION, "entity_id": ""}]}
    assert seen(mentions(tmp_path, [hidden], pools)) == (1, True, {})


@pytest.mark.parametrize(("of_mention", "of_entity"), [("Q1", "Q1 "), (" Q1", "Q1"), (1, "1")])
def test_spaces_around_an_id_and_numbers_are_read_alike_on_both_sides(
    tmp_path, of_mention, of_entity
):
    document = {**DOCUMENT, "mentions": [{**MENTION, "entity_id": of_mention}]}
    dataset = mentions(tmp_path, [document], [{**ENTITY, "entity_id": of_entity}])
    (row,) = data_rows.load(dataset)
    assert row["relevant"] == [of_entity.strip()]


def changed(record, way, value):
    """A copy in which another value stands at the end of a way of names and places; ... for none at
    all."""
    record = copy.deepcopy(record)
    at = record
    for step in way[:-1]:
        at = at[step]
    if value is ...:
        del at[way[-1]]
    else:
        at[way[-1]] = value
    return record


QUESTION, FIRST = ("qas", 0), ("qas", 0, "answers", 0)


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ((*QUESTION, "id"), None),
        ((*QUESTION, "id"), [1]),
        ((*QUESTION, "question"), 5),
        ((*QUESTION, "question"), None),
        (("context",), 7),
        (("sentence_breaks",), ...),
        (("sentence_breaks",), None),
        (("sentence_breaks",), [0, 8]),
        (("sentence_breaks",), [{"start": 0, "end": 8}]),
        (("sentence_breaks",), [["0", "8"]]),
        (("sentence_breaks",), [[0, 8], [90, 180]]),
        (("sentence_breaks",), [[9, 18], [0, 8]]),
        (("sentence_breaks",), [[0, 8], [8, 8]]),
        ((*FIRST, "text"), None),
        ((*FIRST, "answer_start"), "6"),
        ((*FIRST, "answer_start"), None),
        ((*FIRST, "answer_start"), 8),
        ((*QUESTION, "answers"), []),
    ],
)
def test_whatever_a_paragraph_holds_it_is_refused_at_its_place(tmp_path, way, value):
    refused(paragraphs(tmp_path, OTHER, changed(PARAGRAPH, way, value)), "en.json: data[0]")


def test_rows_that_are_no_paragraphs_are_refused(tmp_path):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"id": "1", "question": "x", "context": "y"}]))
    refused(of_files("answer_retrieval", file, file), "rows.json: row 0 must be a paragraph")


def test_a_paragraph_that_is_none_is_refused(tmp_path):
    refused(paragraphs(tmp_path, PARAGRAPH, 3), "data[0].paragraphs[1] has no 'context'")


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("sentence_spans",), [[0, 14]]),
        (("sentence_spans",), [{"start": 0}]),
        (("sentence_spans",), [{"start": "0", "end": "14"}]),
        (("sentence_spans",), [{"start": 0, "end": 15}]),
        (("sentence_spans",), None),
        (("sentence_spans",), ...),
        (("description",), None),
        (("description",), 5),
        (("entity_id",), [1]),
        (("entity_id",), None),
    ],
)
def test_whatever_an_entity_holds_it_is_refused_with_its_row(tmp_path, way, value):
    broken = changed({**ENTITY, "entity_id": "Q2"}, way, value)
    refused(mentions(tmp_path, [DOCUMENT], [ENTITY, broken]), "entities.jsonl: row 1 has")


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("context",), 3),
        (("context", "text"), ...),
        (("context", "sentence_spans"), [[0, 3]]),
        (("context", "sentence_spans"), [{"start": 4, "end": 12}]),
        (("mentions",), None),
        (("mentions",), {"a": 1}),
        (("mentions",), ["m1"]),
        (("mentions", 0, "example_id"), None),
        (("mentions", 0, "entity_id"), ...),
        (("mentions", 0, "mention_span"), ...),
        (("mentions", 0, "mention_span"), [0, 3]),
        (("mentions", 0, "mention_span"), {"start": 0, "end": 30}),
        (("mentions", 0, "mention_span"), {"start": 0, "end": 3, "text": "lm "}),
    ],
)
def test_whatever_a_mention_holds_it_is_refused_with_its_row(tmp_path, way, value):
    broken = changed(DOCUMENT, way, value)
    refused(mentions(tmp_path, [DOCUMENT, broken], [ENTITY]), "de.jsonl: row 1 has")


def refused(dataset, place: str) -> None:
    with pytest.raises(SpecError, match=re.escape(place)) as said:
        data_rows.load(dataset)
    assert str(said.value).isprintable()
