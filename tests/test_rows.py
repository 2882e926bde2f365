"""What a row is: every kind of wrong value is read as it is written, or refused with file, row and
value; nothing else happens.

The tables below plant one value among good rows, each in a real file. What is read is then held
against all that jobs do with rows before a model sees them, and the fuzz does the same with
whatever hypothesis makes up.
"""

import datetime
import decimal
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stress import times
from test_data import described, jsonl

from harness.common.errors import HarnessError, SpecError
from harness.families import FAMILIES
from harness.families.columns import Labels, Unfit, shown
from harness.families.odd import Odd, too_many
from harness.jobs.evaluate import score_language
from harness.metrics.flags import ODD
from harness.models.span_reader import answer_span
from harness.plan.estimate import _characters
from harness.sources import rows as data_rows
from harness.sources.inspect import Reader, look
from harness.sources.labels import read_labels
from harness.sources.overlap import fingerprints_of
from harness.sources.shapes import Raw, Shape
from harness.spec.catalog import read_spec
from harness.spec.suite import Waived

NAN = float("nan")
NO_TEXT = {
    "a number": 5,
    "a fraction": 0.5,
    "true": True,
    "a list": ["Fine", "day"],
    "no list": [],
    "a mapping": {"a": 1},
    "half a character": "\ud83d broken",
    "the other half": "broken \ude00",
}
TEXT = {
    "plain": "Fine day",
    "digits": "5",
    "the word nan": "nan",
    "a line break": "a\nb\u2028c",
    "NUL": "a\x00b\x10c",
    "an escape": "\x1b[31mred",
    "marks alone": "\u0651\u064b",
    "an emoji, two escapes in JSON": "\U0001f600",
    "spaces kept": "  a ",
    "a byte-order mark": "\ufeffa",
    "long": "word " * 3000,
}

GOOD = {
    "classification": {"text": "Fine", "label": "no"},
    "multiple_choice": {"text": "It is", "choices": ["big", "old"], "label": "no"},
    "tagging": {"tokens": ["We", "left", "Rome"], "tags": ["no", "no", "yes"]},
    "span_qa": {
        "context": "Ann met Bob.",
        "question": "Who?",
        "answers": {"text": ["Bob"], "answer_start": [8]},
    },
    "retrieval": {"source": "Hallo", "target": "Hello"},
    "mlm": {"text": "Fine day"},
}
METRIC = {
    "classification": "accuracy",
    "multiple_choice": "accuracy",
    "tagging": "token_accuracy",
    "span_qa": "squad",
    "retrieval": "retrieval_accuracy",
    "mlm": "masked_accuracy",
}
QA = GOOD["span_qa"]


def answers(text, start) -> dict:
    return {"answers": {"text": text, "answer_start": start}}


# (family, what stands there in place of the good row's cells, a part of the refusal that names the
# value)
REFUSED = [
    *(
        pytest.param(
            family,
            {column: value},
            re.escape(shown(value) if "\\ud" not in repr(value) else "half of a character"),
        )
        for family, columns in {
            "classification": ["text", "text_pair"],
            "multiple_choice": ["text"],
            "span_qa": ["context", "question"],
            "retrieval": ["source", "target"],
            "mlm": ["text"],
        }.items()
        for column in columns
        for value in NO_TEXT.values()
    ),
    *(
        pytest.param(family, dict.fromkeys(GOOD[family], None), "has nothing in column")
        for family in GOOD
    ),
    *(
        ("classification", {"label": value}, re.escape(f"has label {shown(value)}"))
        for value in (
            2,
            -1,
            True,
            False,
            "No",
            "0",
            "no ",
            "",
            0.5,
            1e300,
            10**30,
            [0],
            {"no": 0},
            "\ud800",
        )
    ),
    ("multiple_choice", {"choices": ["big"]}, "has 1 choices, but its task has 2 labels"),
    ("multiple_choice", {"choices": []}, "has 0 choices"),
    ("multiple_choice", {"choices": ["a", "b", "c"]}, "has 3 choices"),
    (
        "multiple_choice",
        {"choices": "big"},
        "has 'big' in column 'choices', text; a list of choices is needed",
    ),
    (
        "multiple_choice",
        {"choices": {"text": ["a", "b"]}},
        "a mapping; a list of choices is needed",
    ),
    ("multiple_choice", {"choices": ["x", None]}, "has nothing as choice 1"),
    ("multiple_choice", {"choices": [1, "y"]}, "has 1, a whole number, as choice 0"),
    ("multiple_choice", {"choices": [["x"], "y"]}, r"has \['x'\], a list, as choice 0"),
    ("multiple_choice", {"label": 2}, "has label 2"),
    ("tagging", {"tokens": ["We", None, "x"]}, "has nothing as token 1"),
    ("tagging", {"tokens": ["We", 5, "x"]}, "has 5, a whole number, as token 1"),
    ("tagging", {"tokens": ["We", "\udc00", "x"]}, r"U\+DC00, half of a character, .* as token 1"),
    ("tagging", {"tokens": [], "tags": []}, "has no tokens"),
    ("tagging", {"tokens": ["We"]}, "has 1 tokens but 3 tags"),
    (
        "tagging",
        {"tokens": "We left Rome", "tags": "OOB"},
        "has 'We left Rome' in column 'tokens', text; a list of tokens",
    ),
    ("tagging", {"tags": "no no yes"}, "has 'no no yes' in column 'tags', text; a list of tags"),
    (
        "tagging",
        {"tags": ["no", "no", "B-LOC"]},
        "has label 'B-LOC' as tag 2; the spec knows no, yes",
    ),
    ("tagging", {"tags": ["no", None, "no"]}, "has label nothing as tag 1"),
    ("tagging", {"tags": ["no", True, "no"]}, "has label True, true or false as tag 1"),
    ("tagging", {"tags": ["no", 2, "no"]}, "has label 2 as tag 1"),
    ("tagging", {"tags": ["no", ["no"], "no"]}, r"has label \['no'\], a list as tag 1"),
    ("span_qa", {"answers": "Bob"}, "has 'Bob' in column 'answers', text"),
    ("span_qa", {"answers": ["Bob"]}, r"has \['Bob'\] in column 'answers', a list"),
    ("span_qa", {"answers": [{"text": "Bob", "answer_start": 8}]}, "answers are {text"),
    ("span_qa", answers("Bob", 8), "has 'Bob' as text, text"),
    ("span_qa", answers(["Bob"], 8), "has 8 as answer_start, a whole number"),
    ("span_qa", {"answers": {"text": ["Bob"]}}, "has no answer_start"),
    ("span_qa", {"answers": {"answer_start": [8]}}, "has no text"),
    ("span_qa", {"answers": {}}, "has no text"),
    ("span_qa", answers(None, None), "has no text"),
    ("span_qa", answers(["Bob", "Bob."], [8]), "has 2 answers but 1 starts"),
    ("span_qa", answers([None], [None]), "has nothing as answer 0"),
    ("span_qa", answers([5], [8]), "has 5, a whole number, as answer 0"),
    ("span_qa", answers(["\ud800"], [8]), r"U\+D800"),
    ("span_qa", answers(["Bob"], [None]), "has nothing as the start of answer 0"),
    ("span_qa", answers(["Bob"], ["8"]), "has '8', text, as the start of answer 0"),
    ("span_qa", answers(["Bob"], [8.5]), "has 8.5, a number, as the start"),
    ("span_qa", answers(["Bob"], [True]), "has True, true or false, as the start"),
    ("span_qa", answers([], []), "has no answer, which its metric cannot score"),
    *(
        ("classification", {"id": value}, re.escape(f"the id {shown(value)}"))
        for value in (True, ["a"], {"a": 1})
    ),
    ("classification", {"id": "\ud800"}, r"U\+D800"),
    ("classification", {"id": None}, "has nothing in column 'id'"),
]

# (family, what stands there, what is read)
READ = [
    *(("mlm", {"text": value}, {"text": value}) for value in TEXT.values()),
    *(("retrieval", {"target": value}, {"target": value}) for value in TEXT.values()),
    *(
        ("classification", {"label": raw}, {"label": name})
        for raw, name in [(0, "no"), (1, "yes"), (1.0, "yes"), ("no", "no")]
    ),
    *(
        ("classification", {"id": raw}, {"id": str(raw)})
        for raw in (7, -7, 7.5, "x", "", "a b\n", "\u202ex", 10**40)
    ),
    ("multiple_choice", {"choices": ["", ""]}, {"choices": ["", ""]}),
    ("multiple_choice", {"label": 1}, {"label": "yes"}),
    ("tagging", {"tokens": ["We", "", "x"]}, {"tokens": ["We", "", "x"]}),
    ("tagging", {"tokens": ["We", "\u00a0\u3000", "\u200b"]}, {}),
    ("tagging", {"tokens": ["We", "\x10", "a\nb"]}, {}),
    ("tagging", {"tags": [0, 1.0, "no"]}, {"tags": ["no", "yes", "no"]}),
    ("tagging", {"tokens": ["w"] * 700, "tags": ["no"] * 700}, {}),
    ("span_qa", answers(["Bob"], [8.0]), answers(["Bob"], [8])),
    ("span_qa", answers(["Bob"], [-5]), answers(["Bob"], [-5])),
    ("span_qa", answers(["Bob"], [10**30]), answers(["Bob"], [10**30])),
    ("span_qa", {"answers": {**QA["answers"], "more": 1}}, answers(["Bob"], [8])),
    ("span_qa", {"context": ""}, {"context": ""}),
    ("span_qa", answers(["", "Bob"], [0, 8]), {}),
]


def test_at_least_fifty_kinds_are_planted():
    assert len(REFUSED) > 90 and len(READ) > 30


def split_of(folder: Path, family: str, planted: dict, **identity) -> dict:
    """Two files of good rows, with one row of the second changed."""
    row = {**GOOD[family], **planted}
    good = {
        name: row[name] if name not in GOOD[family] else value
        for name, value in {**row, **GOOD[family]}.items()
    }
    good |= {"id": "good"} if "id" in row else {}
    good |= {"text_pair": "Day"} if "text_pair" in row else {}
    files = [jsonl(folder / "a.jsonl", [good] * 8), jsonl(folder / "b.jsonl", [good, row, good])]
    dataset = described(files[0], family=family, columns={name: name for name in row}, **identity)
    dataset["location"][0]["files"] = [str(file) for file in files]
    return dataset


@pytest.mark.parametrize(("family", "planted", "why"), REFUSED)
def test_a_row_is_refused_with_file_row_and_value(tmp_path, family, planted, why):
    dataset = split_of(tmp_path, family, planted)
    with pytest.raises(SpecError) as refused:
        data_rows.load(dataset, METRIC[family])
    message = str(refused.value)
    assert re.match(r"toy test en: .*b\.jsonl: row 1 has ", message), message
    assert re.search(why, message), message
    assert message.isprintable() and len(message) < 600


@pytest.mark.parametrize(("family", "planted", "expected"), READ)
def test_a_row_is_read_as_written_and_every_job_can_use_it(tmp_path, family, planted, expected):
    rows = data_rows.load(split_of(tmp_path, family, planted), METRIC[family])
    assert len(rows) == 11
    row = rows[9]
    assert {name: row[name] for name in expected} == expected
    use(family, rows)


def use(family: str, rows: list[dict]) -> None:
    """What jobs do with rows before and after a model sees them."""
    json.dumps(rows, ensure_ascii=False).encode()
    assert len({row["id"] for row in rows}) == len(rows)
    assert len(data_rows.capped(rows, 2)) == min(2, len(rows))
    parts = [data_rows.fold(rows, number, 2) for number in range(2)]
    assert sorted(row["id"] for part in parts for row in part) == sorted(row["id"] for row in rows)
    fingerprints_of(FAMILIES[family], rows)
    assert all(_characters(row) >= 0 and FAMILIES[family].text(row) is not None for row in rows)
    if family == "mlm":
        predictions = [{"gold": [1], "predicted": [1]} for _ in rows]
    else:
        answer = {
            "classification": "no",
            "multiple_choice": "no",
            "span_qa": "Bob",
            "retrieval": rows[0]["id"],
        }
        predictions = [
            ["no"] * len(row["tokens"]) if family == "tagging" else answer[family] for row in rows
        ]
    task = {"family": family, "metric": METRIC[family]}
    facts, _ = score_language(task, rows, predictions, "en", {"truncated": 0, "unknown": 0.0})
    assert facts["n"] == len(rows)


NO_NUMBER = [
    ("classification", {"text": NAN}, "has nan, not a number, in column 'text'"),
    ("classification", {"label": NAN}, "has label nan, not a number"),
    ("classification", {"label": float("inf")}, "has label inf, a number"),
    ("classification", {"id": NAN}, "the id nan, not a number"),
    ("classification", {"id": -float("inf")}, "the id -inf, a number"),
    ("tagging", {"tokens": ["We", NAN, "x"]}, "has nan, not a number, as token 1"),
    ("tagging", {"tags": ["no", NAN, "no"]}, "has label nan, not a number as tag 1"),
    ("span_qa", answers(["Bob"], [NAN]), "has nan, not a number, as the start"),
    ("multiple_choice", {"choices": [NAN, "b"]}, "has nan, not a number, as choice 0"),
]


@pytest.mark.parametrize(("family", "planted", "why"), NO_NUMBER)
def test_nan_is_no_text_no_label_and_no_place(family, planted, why):
    """JSON has no NaN, parquet has."""
    row = {**GOOD[family], **planted}
    identity = {"family": family, "columns": {name: name for name in row}, "labels": ["no", "yes"]}
    with pytest.raises(
        SpecError, match=re.escape(f"x.parquet: row 7 {why}" if why.startswith("has") else why)
    ):
        Shape(identity, "toy test en")(0, Raw("x.parquet", 7, row))


# Types that only a parquet file has


PARQUET = [
    (b"a", "has b'a', of type bytes, in column 'text'"),
    (
        datetime.datetime(2020, 1, 1),
        r"has datetime\.datetime\(2020, 1, 1, 0, 0\), of type datetime",
    ),
    (datetime.date(2020, 1, 1), "of type date"),
    (datetime.timedelta(1), "of type timedelta"),
    (decimal.Decimal("1.5"), "of type Decimal"),
    ({"en": "a", "de": "A"}, "a mapping, in column 'text'"),
    (["a"], "a list, in column 'text'"),
    (1.5, "has 1.5, a number"),
    (True, "has True, true or false"),
]


@pytest.mark.parametrize(("value", "why"), PARQUET)
def test_parquet_types_that_are_no_text(tmp_path, value, why):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": [value] * 2, "label": [0, 1]}), path)
    with pytest.raises(SpecError, match=rf"rows\.parquet: row 0 has .*{why.removeprefix('has ')}"):
        data_rows.load(described(path))


def test_parquet_columns_that_are_text_and_whole_numbers(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path, large = tmp_path / "rows.parquet", pyarrow.array(["a", "b"], pyarrow.large_string())
    for text in (large, pyarrow.array(["a", "b"]).dictionary_encode()):
        for label in (pyarrow.array([0.0, 1.0]), pyarrow.array([0, 1], pyarrow.uint8())):
            pyarrow.parquet.write_table(pyarrow.table({"text": text, "label": label}), path)
            assert [(row["text"], row["label"]) for row in data_rows.load(described(path))] == [
                ("a", "no"),
                ("b", "yes"),
            ]
    gaps = pyarrow.array([0.0, None])
    pyarrow.parquet.write_table(pyarrow.table({"text": large, "label": gaps}), path)
    with pytest.raises(SpecError, match="row 1 has nothing in column 'label'"):
        data_rows.load(described(path))


def test_a_field_of_a_struct_and_a_struct_that_is_not_there(tmp_path):
    rows = [{"text": {"en": "a"}, "label": 0}, {"text": None, "label": 0}]
    path = jsonl(tmp_path / "rows.jsonl", rows[:1])
    columns = {"text": "text.en", "label": "label"}
    assert data_rows.load(described(path, columns=columns))[0]["text"] == "a"
    jsonl(path, rows)
    with pytest.raises(SpecError, match=r"row 1 has nothing in column 'text\.en'"):
        data_rows.load(described(path, columns=columns))


def test_a_column_that_only_some_rows_have(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", [{"text": "a", "label": 0, "lang": "en"}, {"label": 0}])
    with pytest.raises(
        SpecError,
        match=r"no column 'text' in the data; they have label; looked at .*rows\.jsonl, row 1",
    ):
        data_rows.load(described(path))
    with pytest.raises(
        SpecError, match=r"`where` names column 'lang', the data have label; looked at .*, row 1"
    ):
        data_rows.load(described(path, where={"lang": "en"}))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("values", "spelled"),
    [
        (["[deleted]", "d", "what?", "a*b"], ["[deleted]", "d", "what?", "a*b"]),
        ([True, False, None], ["true", "false", "null"]),
        ([True, False, None], ["True", "False", "None"]),
        ([-1.0, 0.0, 0.5], ["-1", "0", "0.5"]),
        ([-1.0, 0.0, 0.5], ["-1.0", "0.0", "0.5"]),
        ([-1, 0, 10], ["-1", "0", "1*"]),
        (["true", "True", "null", ""], ["true", "True", "null", ""]),
    ],
)
def test_unless_leaves_out_the_one_row_that_it_spells(tmp_path, suffix, values, spelled):
    rows = [{"text": f"t{i}", "label": 0, "s": value} for i, value in enumerate(values)]
    path = tabular(tmp_path / f"rows.{suffix}", rows)
    for i, wanted in enumerate(spelled):
        others = [row["text"] for row in rows if row is not rows[i]]
        left = data_rows.load(described(path, unless={"s": wanted}))
        kept = data_rows.load(described(path, where={"s": wanted}))
        assert ([row["text"] for row in left], [row["text"] for row in kept]) == (others, [f"t{i}"])


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("value", [["x"], {"a": "x"}])
def test_a_column_of_lists_is_compared_with_nothing(tmp_path, suffix, value):
    rows = [{"text": "a", "label": 0, "s": value}]
    message = r"`where` names column 's', which holds a (list|mapping) in .*, row 0; it compares a"
    with pytest.raises(SpecError, match=message):
        data_rows.load(described(tabular(tmp_path / f"rows.{suffix}", rows), where={"s": "x"}))


def tabular(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".jsonl":
        return jsonl(path, rows)
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_a_whole_number_is_one_id_also_in_a_column_of_floats(tmp_path):
    rows = [{"text": "a", "label": 0, "own": own} for own in (1.0, 2.5, 3)]
    columns = {"text": "text", "label": "label", "id": "own"}
    read = data_rows.load(described(jsonl(tmp_path / "rows.jsonl", rows), columns=columns))
    assert [row["id"] for row in read] == ["1", "2.5", "3"]


def test_names_of_columns_cannot_paint_the_terminal(tmp_path):
    path = jsonl(
        tmp_path / "rows.jsonl", [{"\x1b[31m": 1, "\u202eb": 2, **{f"c{i}": 0 for i in range(40)}}]
    )
    with pytest.raises(SpecError) as refused:
        data_rows.load(described(path))
    assert str(refused.value).isprintable() and "and 30 more" in str(refused.value)


def test_the_row_that_a_message_names_is_that_of_the_file_whatever_was_left_out(tmp_path):
    rows = [{"text": f"t{i}", "label": 0, "lang": "en" if i % 2 else "de"} for i in range(6)]
    rows[3]["text"] = 3
    with pytest.raises(SpecError, match="row 3 has 3, a whole number"):
        data_rows.load(described(jsonl(tmp_path / "rows.jsonl", rows), where={"lang": "en"}))


@pytest.mark.parametrize("ids", [None, "own"])
def test_a_cap_reads_the_rows_that_it_keeps_and_no_others(tmp_path, ids):
    """The same rows of both kinds of file; a row that is left out may be of any shape."""
    import pyarrow.parquet

    rows = []
    for i in range(40):
        language = "en" if i % 4 else "de"
        rows.append({"text": f"t{i}", "label": i % 2, "lang": language, "own": f"r{i % 20}"})
    more = {"where": {"lang": "e*"}, "unless": {"own": "r7"}, "cap": 9}
    if ids:
        more["columns"] = {"text": "text", "label": "label", "id": ids}

    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    kept = data_rows.load(described(path, **more))
    whole = data_rows.load(described(path, **more | {"cap": None}))
    assert kept == data_rows.capped(whole, 9) and len(kept) == 9
    assert kept == data_rows.load(described(jsonl(tmp_path / "rows.jsonl", rows), **more))

    texts = {row["text"] for row in kept}
    broken = [row if row["text"] in texts else row | {"label": 7} for row in rows]
    assert kept == data_rows.load(described(jsonl(tmp_path / "broken.jsonl", broken), **more))
    with pytest.raises(SpecError, match="has label 7"):
        data_rows.load(described(tmp_path / "broken.jsonl", **more | {"cap": None}))


# Labels


def test_numbers_against_names_that_are_numbers_are_refused_unless_they_agree():
    for names in (
        ["1", "0"],
        ["1", "2", "3", "4", "5"],
        ["no", "0"],
        ["0", "2"],
        ["1.0", "0.0"],
        ["-1", "0", "1"],
    ):
        labels = Labels(names)
        for raw in (0, 1, 1.0):
            with pytest.raises(Unfit, match=r"write which number is which name, `labels: \{"):
                labels.name(raw)
        assert [labels.name(name) for name in names] == names
    for names in (
        ["0", "1"],
        ["0", "1", "2", "3"],
        ["no", "1"],
        ["zero", "one"],
        ["0.0", "1.0"],
        ["A1", "B0"],
    ):
        assert [Labels(names).name(raw) for raw in (0, 1, 1.0)] == [names[0], names[1], names[1]]


def test_the_map_that_a_refusal_shows_is_one_that_reads_the_data():
    with pytest.raises(
        Unfit, match=re.escape('`labels: {"1": 1, "0": 0}` or `labels: {"1": 0, "0": 1}`')
    ):
        Labels(["1", "0"]).name(0)
    assert [Labels({"1": 1, "0": 0}).name(raw) for raw in (1, 0)] == ["1", "0"]


@pytest.mark.parametrize(
    ("labels", "raw", "hint"),
    [
        (
            {"one": 1, "two": 2},
            "1",
            (
                'here it is text: write it in the map with quotes, "1", as in `labels: {one: "1",'
                " ...}`"
            ),
        ),
        (
            {"one": "1", "two": "2"},
            1,
            "the spec knows '1', '2'; the data hold numbers: in the map leave their quotes away",
        ),
        (["zero", "one"], "0", '`labels: {zero: "0", ...}`'),
        (["no", "yes"], True, "has label True, true or false"),
        ({"no": 0, "yes": 1}, True, "has label True, true or false"),
        (["no", "yes"], True, 'as in `labels: {"no": false, "yes": true}`'),
        ({"no": False, "yes": True}, 1, "has label 1; the spec knows false, true"),
        ({"no": False, "yes": True}, 0.0, "has label 0.0; the spec knows false, true"),
        ({"no": False, "yes": True}, "True", 'write it in the map with quotes, "True"'),
        (["\xe9", "b"], "e\u0301", "'\\xe9', here 'e\\u0301': the same letters, of other code"),
        ({"no": 0, "yes": 1}, None, "has label nothing"),
        ({"no": 0, "yes": 1}, 2, "the spec knows 0, 1"),
    ],
)
def test_a_text_is_no_number_and_neither_is_true(labels, raw, hint):
    with pytest.raises(Unfit, match=re.escape(hint)):
        Labels(labels).name(raw)


def test_true_and_false_are_labels_where_the_map_says_so():
    labels = Labels({"unsaid": 1, "no": False, "yes": True})
    assert [labels.name(raw) for raw in (True, False, 1, 1.0)] == ["yes", "no", "unsaid", "unsaid"]
    assert labels.tags([True, False]) == ["yes", "no"] and labels.tags([1, 1]) == ["unsaid"] * 2
    with pytest.raises(Unfit, match="has label 0 as tag 1"):
        labels.tags([1, 0])


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_spec_reads_true_and_false(tmp_path, suffix):
    """BoolQ's answer"""
    (tmp_path / "t.yaml").write_text(SPEC.replace("LABELS", "{no: false, yes: true}"))
    _, task, _ = read_spec(tmp_path / "t.yaml")
    labels = task.labels
    assert json.dumps(labels) == '{"no": false, "yes": true}'
    rows = [{"text": f"t{i}", "label": answer} for i, answer in enumerate((True, False))]
    path = tabular(tmp_path / f"rows.{suffix}", rows)
    assert [row["label"] for row in data_rows.load(described(path, labels=labels))] == ["yes", "no"]


SPEC = """
task: t
version: 1
role: [training]
family: classification
languages: [en]
source: {files: rows.jsonl}
train: {split: train}
dev: {split: dev}
columns: {text: text, label: label}
labels: LABELS
metric: accuracy
about: {title: t}
""".lstrip()


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("[a, b, a]", "10:9: label 'a' is there twice"),
        ("{a: 0, b: 0}", "10:9: labels 'a' and 'b' have one value, 0 and 0"),
        ('{a: 1, b: "1"}', "10:9: labels 'a' and 'b' have one value, 1 and '1'"),
        ("{a: x, b: x}", "10:9: labels 'a' and 'b' have one value, 'x' and 'x'"),
        ("{a: true, b: true}", "10:9: labels 'a' and 'b' have one value, true and true"),
        ("{a: 1.0, b: 2}", "10:13: expected text or a whole number or true or false, got 1.0"),
        ("[true, false]", "10:10: expected text, got true; put it in quotes"),
        ("[0, 1]", "10:10: expected text, got 0; put it in quotes"),
        ('[a, ""]', "10:9: '' is no name of a label"),
        ("{a: 0, a: 1}", "10:16: key 'a' is here a second time"),
    ],
)
def test_labels_that_a_spec_alone_shows_to_be_wrong(tmp_path, labels, why):
    (tmp_path / "t.yaml").write_text(SPEC.replace("LABELS", labels))
    with pytest.raises(SpecError, match=re.escape(f"t.yaml:{why}")):
        read_spec(tmp_path / "t.yaml")


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        ("{c: 2, b: 1, a: 0}", "'a', 'b', 'c'"),
        ("{second: 2, first: 1}", "'first', 'second'"),
        ('{B: "2", A: "1"}', "'A', 'B'"),
        ('["1", "0"]', "'0', '1'"),
        ("{a: 0, b: 2}", None),
        ('["0", "1"]', None),
        ("[b, a]", None),
        ("{b: B, a: A}", None),
    ],
)
def test_the_numbers_of_choices_rise(tmp_path, labels, right):
    """label 0 with {c: 2, b: 1, a: 0} was a, the third name, and so the third choice"""
    text = SPEC.replace("classification", "multiple_choice").replace("LABELS", labels)
    (tmp_path / "t.yaml").write_text(text.replace("{text: text,", "{text: text, choices: c,"))
    if right is None:
        assert read_spec(tmp_path / "t.yaml")
        return
    message = f"t.yaml:10:9: labels: the names of the choices .* do not rise; write {right}$"
    with pytest.raises(SpecError, match=message):
        read_spec(tmp_path / "t.yaml")


def test_labels_and_a_file_of_labels_are_one_too_many(tmp_path):
    text = SPEC.replace("LABELS", "[a, b]").replace("rows.jsonl}", "rows.jsonl, label_file: l.txt}")
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"t\.yaml:10:9: labels: the source names a label_file too"):
        read_spec(tmp_path / "t.yaml")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("l.txt", b"yes\n no \n", ["yes", "no"]),
        ("l.txt", b"\xef\xbb\xbfyes\r\nno\r\n\n\n", ["yes", "no"]),
        ("l.txt", "S\\NP\n(S/NP)\nñ b\n".encode(), ["S\\NP", "(S/NP)", "ñ b"]),
        ("l.json", b'\xef\xbb\xbf{"b": 1, "a": 0}', ["a", "b"]),
        ("l.txt", b"yes\n\nno\n", "l.txt:2:1: an empty line among the labels"),
        ("l.txt", b"Label\nno\nyes\n", "l.txt:1:1: 'Label' names the column"),
        (
            "l.txt",
            b"yes\nno\nyes\n",
            "l.txt:3:1: label 'yes' is here a second time, the first is in line 1",
        ),
        ("l.txt", b"yes\nn\x07o\n", r"l.txt:2:1: 'n\x07o' has characters that cannot be seen"),
        ("l.txt", b" \n\n", "no labels"),
        ("l.txt", b"caf\xe9\n", "l.txt:1:4: not UTF-8 text (byte 0xe9)"),
        ("l.json", b"{}", "no labels"),
        ("l.json", b"[1, 2]", "no JSON map from label to number"),
        ("l.json", b'["a"]', "no JSON map from label to number"),
        ("l.json", b'{"a": ', "no JSON map from label to number"),
        ("l.json", b"[" * 100_000, "no JSON map from label to number"),
        (
            "l.json",
            b'{"a": 0, "a": 1}',
            "no JSON map from label to number: the key 'a' stands twice in one object",
        ),
        ("l.json", b'{"a": 0, "b": 0}', "labels 'a' and 'b' have one number, 0"),
        ("l.json", b'{"a": 1, "b": 2}', "none has 0"),
        ("l.json", b'{"a": 0, "b": 2}', "none has 1"),
        ("l.json", b'{"a": -1, "b": 0}', "none has 1"),
        ("l.json", b'{"a": true, "b": 0}', "label 'a' has the number True"),
        ("l.json", b'{"a": 0.0, "b": 1}', "label 'a' has the number 0.0"),
        ("l.json", b'{"a": "0", "b": 1}', "label 'a' has the number '0'"),
        ("l.json", b'{"0": "a"}', "label '0' has the number 'a'"),
        ("l.json", b'{"": 0}', "'' is no name"),
    ],
)
def test_a_file_of_labels_has_one_order_or_is_refused(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    if isinstance(expected, list):
        assert read_labels(tmp_path / name) == expected
    else:
        with pytest.raises(SpecError, match=re.escape(expected)) as refused:
            read_labels(tmp_path / name)
        assert name in str(refused.value)


# Rows that say nothing


def seen(
    folder: Path, family: str, rows: list[dict], phase: str = "test", metric: str = "", **options
):
    dataset = described(
        jsonl(folder / "rows.jsonl", rows), family=family, columns={name: name for name in rows[0]}
    )
    return look(dataset, Reader(family, metric or METRIC[family], options), phase)


@pytest.mark.parametrize(
    ("family", "planted", "expected"),
    [
        ("classification", {"text": ""}, {"empty_text": 1}),
        ("classification", {"text": " \n\u3000"}, {"empty_text": 1}),
        ("multiple_choice", {"choices": ["a", " "]}, {"empty_text": 1}),
        ("multiple_choice", {"text": ""}, {"empty_text": 1}),
        ("tagging", {"tokens": ["", " ", "\u00a0"]}, {"empty_text": 1}),
        ("tagging", {"tokens": ["", "a", ""]}, {}),
        ("retrieval", {"source": ""}, {"empty_text": 1}),
        ("mlm", {"text": ""}, {"empty_text": 1}),
        ("span_qa", {"question": ""}, {"empty_text": 1}),
        ("span_qa", {"context": ""}, {"empty_text": 1, "misplaced": 1}),
        *(
            ("span_qa", answers(["Bob"], [start]), {"misplaced": 1})
            for start in (0, -1, -4, 9, 12, 999, 10**30)
        ),
        ("span_qa", answers(["bob"], [8]), {"misplaced": 1}),
        ("span_qa", answers([""], [0]), {"misplaced": 1}),
        ("span_qa", answers(["Bob", "Ann"], [8, 8]), {}),
        ("span_qa", answers([" Bob"], [7]), {}),
    ],
)
def test_rows_that_say_nothing_are_counted(tmp_path, family, planted, expected):
    rows = [GOOD[family]] * 9 + [{**GOOD[family], **planted}]
    for row, label in zip(rows[:2], ("yes", "no"), strict=True):
        rows[rows.index(row)] = {**row, "label": label} if "label" in row else row
    found = seen(tmp_path, family, rows)
    assert found.odd == expected and found.too_many == []


def test_a_fifth_of_a_split_may_say_nothing_and_no_more(tmp_path):
    empty = {"text": "", "label": "no"}
    for count, flags in ((1, []), (2, ["empty_text"])):
        rows = [{"text": "a", "label": "yes"}] * (5 - count) + [empty] * count
        found = seen(tmp_path, "classification", rows)
        assert (found.odd, found.too_many) == ({"empty_text": count}, flags)
    assert found.words == "5 rows; 2 with an empty text: REFUSED, more than 20% say nothing"
    assert too_many({"empty_text": 20, "misplaced": 21}, 100) == ["misplaced"]


def test_answers_that_are_placeholders_are_not_misplaced_too(tmp_path):
    rows = [{**QA, **answers([""], [-1])}] * 3
    assert seen(tmp_path, "span_qa", rows) == (3, True, {})


def test_a_question_without_an_answer_is_for_metrics_that_can_score_it(tmp_path):
    rows = [QA] * 9 + [{**QA, **answers([], [])}]
    for metric in ("squad", "mlqa"):
        for phase in ("test", "dev"):
            with pytest.raises(
                SpecError, match="row 9 has no answer, which its metric cannot score"
            ):
                seen(tmp_path, "span_qa", rows, phase, metric)
    assert seen(tmp_path, "span_qa", rows, "test", "squad_v2").odd == {}
    assert seen(tmp_path, "span_qa", rows, "train", "squad_v2", unanswerable=True).odd == {}
    assert seen(tmp_path, "span_qa", rows, "train", "squad", unanswerable=False).odd == {
        "misplaced": 1
    }


@pytest.mark.parametrize("start", [0, -1])
def test_a_blank_answer_is_none_where_there_may_be_none(tmp_path, start):
    """As evaluate-v2.0.py of SQuAD has it. SQuAD 1.1 has no such questions: there it is odd."""
    rows = [QA] * 9 + [{**QA, **answers([""], [start])}]
    assert seen(tmp_path, "span_qa", rows, "test", "squad_v2").odd == {}
    assert seen(tmp_path, "span_qa", rows, "train", "squad_v2", unanswerable=True).odd == {}
    for phase, metric in (("test", "squad"), ("test", "mlqa"), ("train", "squad")):
        assert seen(tmp_path, "span_qa", rows, phase, metric).odd == {"misplaced": 1}
    columns = {name: name for name in QA}
    read = described(tmp_path / "rows.jsonl", family="span_qa", columns=columns)
    golds = [FAMILIES["span_qa"].gold(row) for row in data_rows.load(read, "squad_v2")]
    assert golds[-1]["answers"] == []
    blank = data_rows.load(read)[-1]
    assert answer_span(blank, True) == (-1, -1) and answer_span(blank, False) is None


def test_a_language_with_odd_rows_says_so_and_one_without_says_no_more_than_before():
    task, facts = {"family": "span_qa", "metric": "squad"}, {"truncated": 0, "unknown": 0.0}
    good = [{"id": str(i), **QA} for i in range(60)]
    plain, _ = score_language(task, good, ["Bob"] * 60, "en", facts)
    assert plain.keys().isdisjoint(ODD) and plain["flags"] == ["constant", "floor"]
    bad = [*good[:-1], {**good[-1], **answers(["Bob"], [0]), "question": " "}]
    marked, _ = score_language(task, bad, ["Bob"] * 60, "en", facts)
    assert (marked["empty_text"], marked["misplaced"]) == (1, 1)
    assert marked["flags"] == ["empty_text", "misplaced", "constant", "floor"]
    assert {name: value for name, value in marked.items() if name not in (*ODD, "flags")} == {
        name: value for name, value in plain.items() if name != "flags"
    }


def test_flags_facts_and_waivers_of_odd_rows_have_the_same_names():
    assert Odd._fields == ODD
    assert set(ODD) < set(Waived.__args__)


# Ids


@pytest.mark.parametrize(
    "ids",
    [["x", "x", "x#2"], ["x#2", "x", "x"], ["x", "x#2", "x", "x#2"], ["x", "x", "x"], ["", ""]],
)
def test_ids_are_told_apart_whatever_they_are_called(ids):
    rows = data_rows._unique_ids([{"id": one} for one in ids])
    assert len({row["id"] for row in rows}) == len(ids)
    assert [row["id"] for row in rows if row["id"] in ids[:1]] == ids[:1]


def test_half_a_character_in_an_id_does_not_stop_a_cap():
    rows = [{"id": f"\ud800{i}"} for i in range(5)]
    assert len(data_rows.capped(rows, 3)) == 3 and len(data_rows.fold(rows, 0, 2)) == 3


# Fuzz

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.sampled_from(["", " ", "no", "yes", "0", "1", "Bob", "\ud800", "\u202e"]),
    st.text(st.characters(), max_size=6),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "answer_start", "a"]), inner, max_size=3)
        | st.fixed_dictionaries(
            {"text": st.lists(inner, max_size=2), "answer_start": st.lists(inner, max_size=2)}
        )
    ),
    max_leaves=6,
)


@st.composite
def planted_rows(draw) -> tuple[str, list[dict]]:
    """A family, and good rows of it in which some cells hold anything at all, or are not there."""
    family = draw(st.sampled_from(sorted(GOOD)))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row = {"id": draw(st.sampled_from(["a", "b", "a#2", 7]) | values), **GOOD[family]}
        for column in draw(st.sets(st.sampled_from(sorted(row)), max_size=2)):
            row[column] = draw(values)
        if draw(st.integers(0, 9)) == 0:
            row.pop(draw(st.sampled_from(sorted(row))))
        rows.append(row)
    return family, rows


@settings(max_examples=times(150, 5000), deadline=None)
@given(planted=planted_rows())
def test_whatever_a_row_holds_it_is_read_or_refused(tmp_path_factory, planted):
    family, rows = planted
    columns = {name: name for name in ("id", *GOOD[family])}
    path = jsonl(tmp_path_factory.mktemp("fuzz") / "rows.jsonl", rows)
    dataset = described(path, family=family, columns=columns)
    try:
        loaded = data_rows.load(dataset, METRIC[family])
    except HarnessError as error:
        assert str(error).isprintable() and "rows.jsonl" in str(error) and len(str(error)) < 600
        return
    assert len(loaded) == len(rows)
    found = FAMILIES[family].odd(loaded, FAMILIES[family].placeholder(loaded))
    assert all(0 <= count <= len(rows) for count in found)
    use(family, loaded)


def test_every_family_has_its_rows_here():
    several_files = {name for name, one in FAMILIES.items() if one.parts in ("heaps", "pool")}
    assert set(GOOD) | several_files == set(FAMILIES)
