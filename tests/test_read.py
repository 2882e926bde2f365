"""Every file format: rows that are written come back, what is no row is refused where it stands,
and nothing else happens."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest
from conftest import written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.common.errors import SpecError
from harness.sources import rows as data_rows
from harness.sources.aligned import pairs_of_lines
from harness.sources.conll import Columns
from harness.sources.hub import Where
from harness.sources.locate import Locator
from harness.sources.read import READER_VERSIONS, has_lines, heaps, read_file, read_files
from harness.sources.text_files import read_lines, read_text
from harness.spec.catalog import Catalog
from harness.spec.formats import TEXT_SUFFIXES
from harness.spec.task import Source
from harness.store import HashIndex

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NEEDED = ("text", "label")
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Rome",
            "paragraphs": [
                {
                    "context": "Ann met Bob in Rome.",
                    "qas": [
                        {
                            "id": "1",
                            "question": "Who?",
                            "answers": [{"text": "Bob", "answer_start": 8}],
                            "is_impossible": False,
                        },
                        {
                            "id": "2",
                            "question": "When?",
                            "answers": [],
                            "plausible_answers": [],
                            "is_impossible": True,
                        },
                    ],
                }
            ],
        }
    ],
}


def read(
    path: Path, needed: tuple[str, ...] = NEEDED, columns: Columns | None = None
) -> list[dict]:
    read_file.cache_clear()
    return read_file(path, 0, needed, columns)


def refused(path: Path, message: str, **how) -> str:
    """The one line with which a file is refused."""
    with pytest.raises(SpecError, match=message) as error:
        read(path, **how)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- rows that are written come back --------------------------------------------------------------

# Any text, but for what no text file can hold: half a surrogate pair, and NUL.
anything = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
cell = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\t\n\r"), max_size=12
).filter(lambda text: '""' not in text)
word = cell.filter(lambda text: text.strip(" ") == text != "" and text != "_")


def as_csv(rows: list[dict]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(NEEDED)
    writer.writerows([row[name] for name in NEEDED] for row in rows)
    return out.getvalue()


def as_tsv(rows: list[dict]) -> str:
    return "".join(
        "\t".join(line) + "\n"
        for line in [NEEDED, *([row[name] for name in NEEDED] for row in rows)]
    )


def as_jsonl(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


WRITERS = {
    ".csv": (as_csv, anything),
    ".tsv": (as_tsv, cell),
    ".jsonl": (as_jsonl, anything),
    ".json": (json.dumps, anything),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@QUICK
@given(data=st.data())
def test_rows_come_back(tmp_path, suffix, packed, mark, data):
    writer, text = WRITERS[suffix]
    rows = data.draw(
        st.lists(st.fixed_dictionaries({"text": text, "label": text}), min_size=1, max_size=5)
    )
    assert read(written(tmp_path / f"rows{suffix}{packed}", mark + writer(rows))) == rows


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@QUICK
@given(data=st.data())
def test_sentences_come_back(tmp_path, end, data):
    sentence = st.lists(st.tuples(word.filter(str.strip), word), min_size=1, max_size=4)
    sentences = data.draw(st.lists(sentence, min_size=1, max_size=4))
    lines = [line for tokens in sentences for line in [*("\t".join(pair) for pair in tokens), ""]]
    expected = [
        {"tokens": [t for t, _ in tokens], "tags": [t for _, t in tokens]} for tokens in sentences
    ]
    assert read(written(tmp_path / "rows.conll", "\ufeff" + end.join(lines))) == expected
    columns = Columns(token=2, tag=4, comment="# ")
    wide = [
        "\t".join(["9", line.split("\t")[0], "x", line.split("\t")[1]]) if line else ""
        for line in lines
    ]
    assert read(written(tmp_path / "rows.conllu", end.join(wide)), columns=columns) == expected


@QUICK
@given(pairs=st.lists(st.tuples(cell, cell), min_size=1, max_size=6))
def test_lines_come_back_as_pairs(tmp_path, pairs):
    files = [
        written(tmp_path / f"x.{i}", "".join(pair[i] + "\n" for pair in pairs)) for i in (0, 1)
    ]
    ((first, rows),) = read_files(map(str, files), (), {"aligned": True})
    assert first == files[0]
    assert rows == [{"source": one, "target": other} for one, other in pairs]


@pytest.mark.parametrize(
    "name",
    [f"rows{suffix}{packed}" for suffix in TEXT_SUFFIXES for packed in ("", ".gz")]
    + ["rows.parquet"],
)
@settings(QUICK, max_examples=100)
@given(
    content=st.binary(max_size=60)
    | st.text(st.sampled_from('ab\t\n\r",;{}[]:#_0 \ufeff\u2028'), max_size=60).map(str.encode)
    | anything.map(lambda text: gzip.compress(text.encode(), mtime=0))
)
def test_any_bytes_are_rows_or_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    for columns in (
        (None, Columns(token=1, tag=2), Columns(token=2, tag=3)) if ".conll" in name else (None,)
    ):
        try:
            rows = read(path, columns=columns)
        except SpecError as error:
            assert name in str(error)
        else:
            assert all(isinstance(row, dict) for row in rows)


@pytest.mark.parametrize("size", [1, 20, -9, -1])
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_cut_archive_is_refused(tmp_path, suffix, size):
    whole = gzip.compress(
        WRITERS[suffix][0]([{"text": f"t{i}", "label": "x"} for i in range(99)]).encode()
    )
    refused(
        written(tmp_path / f"rows{suffix}.gz", whole[:size]),
        "a gzip file that is truncated or broken .*; fetch or pack it again",
    )


# --- what text is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"text,label\nab,no\ncaf\xe9,no\n",
            r"rows\.csv:3:4: not UTF-8 text \(byte 0xe9\); save it as UTF-8",
        ),
        ("text,label\né\x00,no\n".encode(), r"rows\.csv:2:2: a NUL byte"),
        ("text,label\na,no\n".encode("utf-16"), r"rows\.csv:1:1: not UTF-8 text but UTF-16"),
        ("text,label\na,no\n".encode("utf-16-be"), r"rows\.csv:1:1: a NUL byte"),
        (b"\xff\xfe\x00\x00", r"rows\.csv:1:1: not UTF-8 text but UTF-32"),
        (
            gzip.compress(b"text,label\na,no\n", mtime=0),
            r"rows\.csv: no text: it is packed with gzip; unpack it, or let its name end in \.gz",
        ),
        (b"PK\x03\x04...", r"rows\.csv: no text: it is a zip archive or an Excel file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            r"a pointer of Git LFS, .* git lfs pull",
        ),
        (b"/annex/objects/SHA256E-s9--0.csv\n", r"a pointer of git-annex, .* git annex get"),
        (b"404: Not Found", r"a server's answer, not the file"),
        (b"<!DOCTYPE html>\n<html>", r"a page of the web"),
    ],
)
def test_what_is_no_text_is_refused_at_its_place(tmp_path, content, message):
    refused(written(tmp_path / "rows.csv", content), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        (b"404: Not Found", "it is a server's answer"),
        (b"PAR1...", "(footer|magic|small|smaller)"),
    ],
)
def test_what_is_no_parquet_file_is_named(tmp_path, content, message):
    refused(written(tmp_path / "rows.parquet", content), f"not readable as parquet: .*{message}")


def test_a_byte_order_mark_is_no_text_and_one_within_is(tmp_path):
    assert read_text(written(tmp_path / "x.txt", "\ufeffa\ufeffb")) == "a\ufeffb"


def test_only_a_line_feed_ends_a_line(tmp_path):
    text = "a\u2028b\x0bc\x85d\x0ce\rf\r\n\ng"
    assert read_lines(written(tmp_path / "x.txt", text)) == ["a\u2028b\x0bc\x85d\x0ce\rf", "", "g"]
    for old in ("a\rb\r", "a\rb\r\n", "a\rb\n", "text\tlabel\rx\ta\r\n\n"):
        with pytest.raises(SpecError, match=r"x\.txt:1:1: its lines end in a carriage return"):
            read_lines(written(tmp_path / "x.txt", old))


# --- tables ---------------------------------------------------------------------------------------


def test_quotation_marks_in_a_tsv_are_text(tmp_path):
    lines = [
        'He said "no".\tx',
        '"" Foo ""\tx',
        '""\tx',
        '"a" and "b"\t"',
        '"A quote\tx',
        "B\tx",
        'D"\tx',
        '"E"\t"x"',
    ]
    rows = read(written(tmp_path / "rows.tsv", "\n".join(["text\tlabel", *lines])))
    assert [f"{row['text']}\t{row['label']}" for row in rows] == lines


TABLES = [
    (
        "rows.tsv",
        "a\tb\rc\n1\n",
        r":2:1: 1 cell, but line 1 names 2 cells \(a, 'b\\rc'\); one line",
    ),
    (
        "rows.csv",
        "text,label\na,no\nWell, that is enough, thanks.,no\n",
        r":3:1: 4 cells, but line 1 names 2 cells \(text, label\)",
    ),
    ("rows.csv", "text,label\na\n", r":2:1: 1 cell, but line 1 names 2 cells"),
    ("rows.csv", 'text,label\n"two\nlines",no\n\nx\n', r":5:1: 1 cell"),
    ("rows.csv", "text,text,label\na,b,no\n", r":1:1: the column 'text' is named twice"),
    ("rows.csv", ",text,label\n0,a,no\n", r":1:1: column 1 has no name.*index=False"),
    ("rows.csv", "\ntext,label\na,no\n", r":1:1: column 1 has no name"),
    (
        "rows.csv",
        'text,label\na,no\n"b,no\nc,no\n',
        r":3:1: not readable as CSV: a quotation mark that begins here is never closed",
    ),
    ("rows.csv", 'text,label\n"a"b,no\n', r":2:1: not readable as CSV: "),
    (
        "rows.csv",
        "text;label\na;no\n",
        r":1:1: a semicolon stands between its columns; in a \.csv it is a comma",
    ),
    (
        "rows.csv",
        "text\tlabel\na\tno\n",
        r":1:1: a tab stands between its columns; in a \.csv it is a comma",
    ),
    (
        "rows.tsv",
        "text,label\na,no\n",
        r":1:1: a comma stands between its columns; in a \.tsv it is a tab",
    ),
    (
        "rows.tsv.gz",
        "text|label\na|no\n",
        r":1:1: a vertical bar stands between its columns; in a \.tsv it is a tab",
    ),
    ("rows.csv", "", r":1:1: the file is empty; the first line of a \.csv names the columns"),
    ("rows.tsv", "\ufeff", r":1:1: the file is empty"),
    ("rows.csv", "text,label\n", r": it has no rows"),
    ("rows.tsv", "text\tlabel\n\n", r": it has no rows"),
    ("rows.tsv", "text\tlabel\na\tno\tmore\n", r":2:1: 3 cells, but line 1 names 2 cells"),
    (
        "rows.tsv",
        'text\tlabel\n"two\nlines"\tno\n',
        r":2:1: 1 cell, .* one line is one row, .* quotation marks are text",
    ),
    (
        "rows.tsv",
        'text\tlabel\na\tno\n"He said ""no""."\tno\n',
        r""":3:1: the cell '"He said ""no""\."' is quoted as in CSV""",
    ),
    ("rows.tsv", "text\t\tlabel\na\tb\tno\n", r":1:1: column 2 has no name"),
    ("rows.tsv", "text\tlabel\na\tb\ntext\tlabel\n", r":3:1: it names the columns as line 1 does"),
    ("rows.csv", 'text,label\n"text",label\n', r":2:1: it names the columns as line 1 does"),
    ("rows.tsv", "text\rlabel\ra\r", r":1:1: its lines end in a carriage return alone"),
]


@pytest.mark.parametrize(("name", "content", "message"), TABLES, ids=range(len(TABLES)))
def test_broken_tables_are_refused_at_their_line(tmp_path, name, content, message):
    refused(written(tmp_path / name, content), re.escape(name) + message)


def test_blank_lines_are_no_rows(tmp_path):
    assert len(read(written(tmp_path / "rows.csv", "text,label\na,no\n\nb,no\n\n"))) == 2
    assert len(read(written(tmp_path / "rows.tsv", "text\tlabel\r\na\tno\r\n\r\nb\tno"))) == 2


def test_of_a_single_column_an_empty_line_is_an_empty_cell(tmp_path):
    """Left out, it would move every row below it away from its like in another language."""
    rows = read(written(tmp_path / "rows.tsv", "text\na\n\nb\n"), needed=("text",))
    assert [row["text"] for row in rows] == ["a", "", "b"]


def test_a_separator_within_the_only_column_is_text(tmp_path):
    assert read(written(tmp_path / "rows.csv", "a;b\nc;d\n"), needed=("a;b",)) == [{"a;b": "c;d"}]


def test_a_cell_may_be_long(tmp_path):
    (row,) = read(written(tmp_path / "rows.csv", "text,label\n" + "x" * 300_000 + ",no\n"))
    assert len(row["text"]) == 300_000


# --- JSON -----------------------------------------------------------------------------------------

JSONS = [
    ("rows.jsonl", '{"text": "a"}\n{"text": \n', r":2:10: not readable as JSON: Expecting value"),
    (
        "rows.jsonl",
        '{"text": "a"}\n[{"text": "b"}]\n',
        r":2:1: no JSON object but a list; a \.jsonl has one object a line",
    ),
    ("rows.jsonl", "3\n", r":1:1: no JSON object but a number"),
    ("rows.jsonl", "null\n", r":1:1: no JSON object but null"),
    (
        "rows.jsonl",
        '\n{"text": "a", "label": 1, "text": "b"}\n',
        r":2:1: not readable as JSON: the key 'text' stands twice",
    ),
    (
        "rows.jsonl",
        '{"a": {"b": 1, "b": 2}}\n',
        r":1:1: not readable as JSON: the key 'b' stands twice",
    ),
    ("rows.jsonl", '{"text": NaN}\n', r":1:1: not readable as JSON: NaN is no number of JSON"),
    ("rows.jsonl", '{"text": -Infinity}\n', r":1:1: .*-Infinity is no number of JSON"),
    ("rows.jsonl", '{"text": 1e999}\n', r":1:1: .*1e999 is no number"),
    ("rows.jsonl", '{"a": ' + "9" * 5000 + "}\n", r":1:1: not readable as JSON: Exceeds the limit"),
    ("rows.jsonl", "[" * 100_000 + "\n", r":1:1: not readable as JSON: brackets in brackets"),
    (
        "rows.jsonl",
        '{"a": 1} {"a": 2}\n',
        r":1:10: not readable as JSON: Extra data; one line is one object",
    ),
    ("rows.jsonl.gz", "\n\n", r": it has no rows"),
    ("rows.json", "", r":1:1: not readable as JSON"),
    (
        "rows.json",
        '{"a": 1}\n{"a": 2}\n',
        r":2:1: .*Extra data; a file of one object a line is a \.jsonl",
    ),
    (
        "rows.json",
        '{"text": ["a"], "label": [0]}',
        r":1:1: an object with 'text', 'label'; a \.json is a list of objects, or has one",
    ),
    ("rows.json", '"a"', r":1:1: a text; a \.json is a list of objects"),
    ("rows.json", '[{"text": "a"}, ["b"]]', r": row 1 is a list; rows must be objects"),
    ("rows.json", '{"data": [1]}', r": row 0 is a number; rows must be objects"),
    ("rows.json", "[]", r": it has no rows"),
    ("rows.json", '[{"a": 1, "a": 2}]', r": not readable as JSON: the key 'a' stands twice"),
]


@pytest.mark.parametrize(("name", "content", "message"), JSONS, ids=range(len(JSONS)))
def test_broken_json_is_refused_at_its_place(tmp_path, name, content, message):
    refused(written(tmp_path / name, content), re.escape(name) + message)


def test_rows_may_stand_under_data(tmp_path):
    rows = [{"text": "a", "label": "no"}]
    assert read(written(tmp_path / "rows.json", json.dumps({"version": 1, "data": rows}))) == rows


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('\n{"text": "a"}\n\n{"text": "b"}\n', True),
        ('{"text": "a"}\n', False),  # which is one object as well
        ('[{"text": "a"},\n{"text": "b"}]\n', False),
        ('{"data":\n [{"text": "a"}]}\n', False),
    ],
)
def test_a_json_of_the_hub_may_have_one_object_a_line(tmp_path, content, lines):
    """As the `datasets` library reads it; nobody can rename a file of the hub."""
    path = written(tmp_path / "rows.json", content)
    assert has_lines(path) == lines
    if lines:
        ((_, rows),) = read_files([str(path)], ("text",), {"lines": True})
        assert list(rows) == [{"text": "a"}, {"text": "b"}]


@pytest.mark.parametrize(
    ("suffix", "full", "empty"),
    [
        ("jsonl", '{"text": "a"}\n', ""),
        ("csv", "text\na\n", "text\n"),
        ("tsv", "text\na\n", "text\n"),
    ],
)
def test_of_several_files_one_may_have_no_rows(tmp_path, suffix, full, empty):
    one, two, three = (str(tmp_path / f"{i}.{suffix}") for i in range(3))
    for path, text in ((one, full), (two, empty), (three, empty)):
        written(Path(path), text)
    found = read_files([one, two], ("text",), {})
    assert [list(rows) for _, rows in found] == [[{"text": "a"}], []]
    with pytest.raises(SpecError, match=rf"1\.{suffix}: it has no rows"):
        read_files([two, three], ("text",), {})


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_squads_own_layout_gives_the_hubs_rows(tmp_path, packed):
    first, second = read(written(tmp_path / f"rows.json{packed}", json.dumps(SQUAD)))
    base = {"title": "Rome", "context": "Ann met Bob in Rome."}
    some = {"text": ["Bob"], "answer_start": [8]}
    assert first == {**base, "id": "1", "question": "Who?", "answers": some, "is_impossible": False}
    assert second == {
        **base,
        "id": "2",
        "question": "When?",
        "answers": {"text": [], "answer_start": []},
        "is_impossible": True,
    }


def test_an_empty_answer_to_a_question_that_has_none_is_none(tmp_path):
    blank = {"text": "", "answer_start": -1}
    content = damaged(lambda paragraph: paragraph["qas"][1].update(answers=[blank]))
    _, second = read(written(tmp_path / "rows.json", content))
    assert second["answers"] == {"text": [], "answer_start": []}


def damaged(change) -> str:
    copy = json.loads(json.dumps(SQUAD))
    change(copy["data"][0]["paragraphs"][0])
    return json.dumps(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("context"), r"data\[0\]\.paragraphs\[0\] has no 'context'"),
        (lambda p: p.pop("qas"), r"data\[0\]\.paragraphs\[0\] has no 'qas'"),
        (lambda p: p.update(qas=3), r"data\[0\]\.paragraphs\[0\]\.qas must be a list"),
        (lambda p: p["qas"][0].pop("id"), r"qas\[0\] has no 'id'"),
        (lambda p: p["qas"][0].pop("answers"), r"qas\[0\] has no 'answers'"),
        (
            lambda p: p["qas"][0]["answers"][0].pop("answer_start"),
            r"qas\[0\]\.answers\[0\] has no 'answer_start'",
        ),
        (
            lambda p: p["qas"][0].update(is_impossible=True),
            r"qas\[0\] has is_impossible and answers",
        ),
        (lambda p: p["qas"].append("?"), r"qas\[2\] has no 'id'"),
    ],
)
def test_half_of_squads_layout_is_refused_with_its_place(tmp_path, change, message):
    refused(written(tmp_path / "rows.json", damaged(change)), message)


# --- one token a line -----------------------------------------------------------------------------

CONLL_2003 = (
    "-DOCSTART- -X- O O\n"
    "\n"
    "EU NNP B-NP B-ORG\n"
    "rejects VBZ B-VP O\n"
    "\n"
    "-DOCSTART- -X- O O\n"
    "\n"
    "# SYM B-NP O\n"
    " \n"
    "5 CD B-NP O\n"
)
CONLL_U = (
    "# sent_id = 1\n"
    "# text = Don't go 10 000.\n"
    "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
    "2.1\tnothing\t_\tX\t_\t_\t_\t_\t_\t_\n"
    "3\t10 000\tgo\tNUM\tVB\t_\t0\troot\t_\t_\n"
    "\n"
    "# sent_id = 2\n"
    "1\t#\t#\tSYM\t_\t_\t0\troot\t_\t_\n"
)


def test_conll_2003(tmp_path):
    assert read(written(tmp_path / "eng.testa", CONLL_2003), columns=Columns(token=1, tag=4)) == [
        {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]},
        {"tokens": ["#"], "tags": ["O"]},
        {"tokens": ["5"], "tags": ["O"]},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_conllu(tmp_path, end):
    path = written(tmp_path / "en.conllu.gz", CONLL_U.replace("\n", end))
    assert read(path, columns=Columns(token=2, tag=4)) == [
        {"tokens": ["Do", "n't", "10 000"], "tags": ["AUX", "PART", "NUM"]},
        {"tokens": ["#"], "tags": ["SYM"]},
    ]


def test_comments_of_ones_own_stand_before_a_sentence(tmp_path):
    text = "# id 7 domain=en\n#one _ _ O\n# _ _ B\n\n# id 8\ntwo _ _ O\n"
    rows = read(
        written(tmp_path / "dev.conll", text), columns=Columns(token=1, tag=4, comment="# id")
    )
    assert [row["tokens"] for row in rows] == [["#one", "#"], ["two"]]


@pytest.mark.parametrize(
    ("columns", "text", "tokens"),
    [
        # a lemma first, which may be anything
        (
            Columns(2, 3),
            "a A O\n#t #T O\n12-3 12-3 O\n3.5 3.5 O\nb B O\n",
            [["A", "#T", "12-3", "3.5", "B"]],
        ),
        # the sentence's number
        (Columns(2, 3), "1.1 A O\n1.1 b O\n\n1.2 C O\n", [["A", "b"], ["C"]]),
        # WebAnno: sentence and word
        (Columns(3, 4, "#"), "#Text=A b\n1-1\t0-1\tA\tO\n1-2\t2-3\tb\tO\n", [["A", "b"]]),
        # CoNLL-2012: a column for each verb
        (
            Columns(4, 5, "#"),
            "#begin document (x); part 000\nx 0 0 A O * *\nx 0 1 b O * *\n\nx 0 0 C O *\n\n#end\n",
            [["A", "b"], ["C"]],
        ),
    ],
)
def test_a_line_is_left_out_of_conllu_alone(tmp_path, columns, text, tokens):
    rows = read(written(tmp_path / "rows.conll", text), columns=columns)
    assert [row["tokens"] for row in rows] == tokens


TOKENS = [
    (
        Columns(3, 4),
        "#Text=A b\n1-1\t0-1\tA\tO\n",
        r":1:1: a comment, as in CoNLL-U \(#\), .* say how its comments begin: `comment: \"#\"`",
    ),
    (
        Columns(2, 4),
        "1\ta\ta\tX\n#\tb\tb\tX\n3-4\tc\n",
        r":3:1: 2 columns between tabs, where the spec reads the tag in column 4",
    ),
    (
        None,
        "# sent_id = 1\n1\tDo\t_\n",
        r":1:1: a comment, as in CoNLL-U \(#\), where a line is token TAB tag .*conll: \{token: 2",
    ),
    (None, "Do\tdo\tAUX\n", r":1:1: 3 columns between tabs, where a line is token TAB tag"),
    (
        None,
        "a\tO\nEU NNP B-NP B-ORG\n",
        r":2:1: 4 columns between spaces, and no tab, where a line is token TAB tag",
    ),
    (None, "a\tO\nEU\n", r":2:1: one column, and no tab"),
    (None, "a\t_\n", r":1:1: the tag '_', of the token 'a'"),
    (None, "a\tO\nb\t \n", r":2:1: an empty tag, of the token 'b'"),
    (None, " \tO\n", r":1:1: an empty token, with the tag 'O'"),
    (None, "\n \n", r": it has no rows"),
    (
        Columns(1, 4),
        "EU NNP B-ORG\n",
        r":1:1: 3 columns between spaces, .* the spec reads the tag in column 4",
    ),
    (
        Columns(1, 2),
        "EU B-ORG\n\nNew York B-LOC\n",
        r":3:1: 3 columns between spaces, .* where the lines before have 2",
    ),
    (Columns(2, 4), "1\tDo\tdo\t_\n", r":1:1: the tag '_', of the token 'Do'"),
    (Columns(2, 4), "1\t\tdo\tX\n", r":1:1: an empty token"),
    (
        Columns(2, 4),
        "1\t_\t_\tX\n2\t_\t_\tX\n",
        r": every word is '_': they are left out of this copy",
    ),
    (Columns(1, 3), "1\tDo\tO\n2\tgo\tO\n\n1\tGo\tO\n", r": its words are 1, 2, .* numbers them"),
    (None, "0\tO\n1\tO\n", r": its words are 0, 1, .* numbers them"),
    (None, "en:a\tO\n\nen:b:c\tO\n", r": every word begins with 'en:', as in WikiAnn's own"),
]


@pytest.mark.parametrize(("columns", "content", "message"), TOKENS, ids=range(len(TOKENS)))
def test_other_layouts_are_refused_at_their_line(tmp_path, columns, content, message):
    refused(written(tmp_path / "rows.conll", content), r"rows\.conll" + message, columns=columns)


def test_what_two_columns_gave_they_give(tmp_path):
    """# is a token like others where nothing is said of columns; blanks within a token stay."""
    rows = read(written(tmp_path / "rows.conll", "#\tO\na b\tO \n"))
    assert rows == [{"tokens": ["#", "a b"], "tags": ["O", "O"]}]
    for words in (["1"], ["1", "2", "4"], ["en:a", "b"], ["en:", "en:"]):
        (row,) = read(written(tmp_path / "more.conll", "".join(f"{word}\tO\n" for word in words)))
        assert row["tokens"] == words


@pytest.mark.parametrize("columns", [None, Columns(1, 2)])
def test_the_start_of_a_document_is_no_sentence(tmp_path, columns):
    text = "-DOCSTART-\tO\n\na\tO\n-DOCSTART-\tO\nb\tO\n"
    rows = read(written(tmp_path / "rows.conll", text), columns=columns)
    assert [row["tokens"] for row in rows] == [["a"], ["b"]]


# --- several files --------------------------------------------------------------------------------


def heap(folder: Path, source: str, target: str, gold: str, packed: str = "") -> list[dict]:
    names = [f"h.{part}{packed}" for part in ("fr", "en", "gold")]
    files = [
        str(written(folder / name, text))
        for name, text in zip(names, (source, target, gold), strict=True)
    ]
    part = {"sha256": [], "split": "x", "start": None, "stop": None}
    return heaps(
        {"name": "toy test fr", "identity": {"parts": [part]}, "location": [{"files": files}]}
    )


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_byte_order_mark_is_no_part_of_an_id(tmp_path, packed):
    rows = heap(
        tmp_path, "\ufefffr-1\tUn\n", "\ufeffen-1\tOne\r\n\r\n", "\ufefffr-1\ten-1\n", packed
    )
    assert [(row["id"], row["text"], row["pairs"]) for row in rows] == [
        ("fr-1", "Un", ["en-1"]),
        ("en-1", "One", []),
    ]


@pytest.mark.parametrize(
    ("source", "target", "gold", "message"),
    [
        (
            "a\tx\n\na\ty\n",
            "b\tz\n",
            "",
            r"h\.fr:3:1: the id 'a' stands twice; the first time in .*h\.fr:1",
        ),
        (
            "a\tx\n",
            "b\tz\nb\tz\n",
            "",
            r"h\.en:2:1: the id 'b' stands twice; the first time in .*h\.en:1",
        ),
        ("a\tx\n\tz\n", "b\tz\n", "", r"h\.fr:2:1: an empty id"),
        (
            "a\tx\n",
            "b\tz\n",
            "a\tb\na\tb\n",
            r"h\.gold:2:1: the pair 'a' 'b' stands twice; the first time in .*h\.gold:1",
        ),
        (
            "a\tx\n",
            "b\tz\n",
            "a\tb\na\tc\n",
            r"h\.gold:2:1: it names 'c', which h\.en does not have",
        ),
        ("\n", "b\tz\n", "", r"h\.fr: it has no sentences"),
        ("id\ttext\na\tx\n", "id\ttext\nb\tz\n", "a\tb\n", r"h\.fr:1:1: .* names of columns"),
    ],
)
def test_broken_heaps_are_refused_at_their_line(tmp_path, source, target, gold, message):
    with pytest.raises(SpecError, match=message):
        heap(tmp_path, source, target, gold)


# of 200 sentences: each as long as its translation, about
FOREIGN = [f"{chr(97 + i * 11 % 26)}{'x' * (i * i * 7 % 61)}" for i in range(200)]
ENGLISH = [f"{chr(97 + i * 17 % 26)}{'y' * (i * i * 7 % 61 + i % 5)}" for i in range(200)]


@pytest.mark.parametrize(
    ("foreign", "english", "message"),
    [
        (
            [*FOREIGN, ""],
            ["", *ENGLISH],
            r"x\.de:1:1: from about here on .* as long as those before",
        ),
        (["", "", *FOREIGN], [*ENGLISH, "", ""], r"x\.de:1:1: from about here"),
        (FOREIGN[:90] + FOREIGN[91:], ENGLISH[:-1], r"x\.de:(51|76|101):1: from about here"),
        (["", *FOREIGN[:49]], ENGLISH[:50], r"x\.de:1:1: from about here"),
        (
            FOREIGN,
            sorted(ENGLISH),
            r"x\.de, .*x\.en: one has its lines in the order of the alphabet",
        ),
    ],
)
def test_files_that_are_out_of_step_are_refused(tmp_path, foreign, english, message):
    """A blank line before one and after the other: as many lines, and no pair was one."""
    files = [
        written(tmp_path / name, "".join(f"{line}\n" for line in lines))
        for name, lines in (("x.de", foreign), ("x.en", english))
    ]
    with pytest.raises(SpecError, match=message):
        pairs_of_lines(*files)


@pytest.mark.parametrize(
    ("foreign", "english"),
    [
        (FOREIGN, ENGLISH),
        (FOREIGN[:40], ["", *ENGLISH[:39]]),  # too few to tell
        (["same"] * 200, ENGLISH),
        ([f"word {i}" for i in range(200)], ["", *ENGLISH[1:]]),  # like nothing, at any step
        ([line for _, line in sorted(zip(ENGLISH, FOREIGN, strict=True))], sorted(ENGLISH)),
    ],
)
def test_files_that_may_be_in_step_are_read(tmp_path, foreign, english):
    files = [
        written(tmp_path / name, "".join(f"{line}\n" for line in lines))
        for name, lines in (("x.de", foreign), ("x.en", english))
    ]
    assert [row["target"] for row in pairs_of_lines(*files)] == english


def test_unequal_files_are_refused_with_both_counts(tmp_path):
    files = [written(tmp_path / "x.de", "a\nb\n"), written(tmp_path / "x.en.gz", "a\n\nb\n")]
    with pytest.raises(SpecError, match=r"x\.de: 2 lines, but .*x\.en\.gz has 3; line i of one"):
        read_files(map(str, files), (), {"aligned": True})
    with pytest.raises(SpecError, match=r"x\.de: it has no lines"):
        read_files([str(written(tmp_path / "x.de", ""))] * 2, (), {"aligned": True})


# --- what a spec says of files, and what a key says of readers ------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"files": "x.txt"},
            (
                r"'x\.txt': files end in \.parquet, \.jsonl, .* \.conll \(each but \.parquet also"
                r" with \.gz\)"
            ),
        ),
        ({"files": "x.parquet.gz"}, "files end in"),
        (
            {"files": "x.conllu"},
            r"has ten columns; say which are read: conll: \{token: 2, tag: 4\}",
        ),
        (
            {"files": "x.{part}.csv", "conll": {"token": 1, "tag": 2}},
            "conll: says which columns of one file are read",
        ),
        (
            {"hub": "a/b", "config": "c", "conll": {"token": 1, "tag": 2}},
            "conll: says which columns of one file are read",
        ),
        (
            {"files": "x.conll", "conll": {"token": 2, "tag": 2}},
            "the token and its tag are two columns",
        ),
        ({"files": "x.conll", "conll": {"token": 0, "tag": 2}}, "greater than 0"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(source, message):
    with pytest.raises(ValidationError, match=message):
        Source.model_validate(source)


TASK = """
task: toy
version: 1
role: [target]
family: {family}
languages: [{language}]
source: {{{source}}}
{rows}
test: {{split: test}}
columns: {columns}
metric: {metric}
about: {{title: toy}}
"""
KINDS = {
    "classification": ("{text: text, label: label}", "accuracy"),
    "tagging": ("{tokens: tokens, tags: tags}", "span_f1"),
    "retrieval": ("{source: source, target: target}", "retrieval_accuracy"),
    "bitext_mining": ("{}", "mining_f1"),
}


def toy(folder: Path, family: str, source: str, language: str = "en") -> str:
    columns, metric = KINDS[family]
    rows = "" if family == "retrieval" else "dev: {split: test}"
    if family in ("classification", "tagging"):
        rows += "\nlabels: [no, yes]\ntrain: {split: test}"
    text = TASK.format(
        family=family, source=source, columns=columns, metric=metric, rows=rows, language=language
    )
    (folder / "toy.yaml").write_text(text)
    return text


@pytest.mark.parametrize(
    ("family", "source", "message"),
    [
        (
            "classification",
            'files: "x.{language}.{part}"',
            r"\{part\} is for bitext_mining and retrieval, not for classification",
        ),
        (
            "bitext_mining",
            "files: x.tsv",
            r"bitext_mining reads three files a split; its `files` end in \.\{part\}",
        ),
        ("bitext_mining", "hub: a/b, config: c", "bitext_mining reads three files a split"),
        (
            "classification",
            "files: x.conll, conll: {token: 1, tag: 2}",
            "conll is for tagging, not for classification",
        ),
    ],
)
def test_a_format_serves_its_families(tmp_path, family, source, message):
    toy(tmp_path, family, source)
    with pytest.raises(SpecError, match=message):
        Catalog.load([tmp_path])


def located(folder: Path, family: str, source: str, language: str = "en"):
    toy(folder, family, source, language)
    catalog = Catalog.load([folder])
    task = catalog.task("toy")
    return Locator(catalog, Where(offline=True), HashIndex(folder / "index")).dataset(
        task, task.test, "test", language, None
    )


GOLDEN = {  # source: (files, what the key says of how they are read)
    ("classification", "files: x.parquet"): (["x.parquet"], {}),
    ("classification", "files: x.jsonl"): (["x.jsonl"], {}),
    ("classification", "files: x.json.gz"): (["x.json.gz"], {}),
    ("classification", "files: x.csv"): (["x.csv"], {}),
    ("classification", "files: x.tsv"): (["x.tsv"], {"reader": 2}),
    ("classification", "files: x.tsv.gz"): (["x.tsv.gz"], {"reader": 2}),
    ("tagging", "files: x.conll"): (["x.conll"], {"reader": 2}),
    ("tagging", "files: x.txt, conll: {token: 2, tag: 4}"): (
        ["x.txt"],
        {"reader": 2, "conll": {"token": 2, "tag": 4}},
    ),
    ("tagging", "files: x.jsonl"): (["x.jsonl"], {}),
    ("bitext_mining", 'files: "x.{part}"'): (["x.de", "x.en", "x.gold"], {"reader": 2}),
    ("retrieval", 'files: "x.{part}", names: {de: deu, en: eng}'): (
        ["x.deu", "x.eng"],
        {"reader": 2, "aligned": True},
    ),
    ("retrieval", 'files: "{part}/x.txt.gz"'): (
        ["de/x.txt.gz", "en/x.txt.gz"],
        {"reader": 2, "aligned": True},
    ),
}


@pytest.mark.parametrize("kind", GOLDEN, ids="; ".join)
def test_a_reader_is_in_the_keys_of_its_format_only(tmp_path, kind):
    files, expected = GOLDEN[kind]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    language = "de" if kind[0] in ("bitext_mining", "retrieval") else "en"
    dataset = located(tmp_path, *kind, language)
    shared = {"family", "parts", "where", "unless", "columns", "labels", "cap"}
    assert {
        name: value for name, value in dataset.identity.items() if name not in shared
    } == expected
    assert [
        Path(file).relative_to(tmp_path).as_posix()
        for place in dataset.location
        for file in place["files"]
    ] == files


def test_readers_that_changed():
    """Raising one throws results away, so it is done on purpose; not raising one keeps numbers of
    other rows."""
    assert READER_VERSIONS == {"tsv": 2, "conll": 2, "parts": 2}


def test_pairs_of_lines_reach_the_family(tmp_path):
    written(tmp_path / "x.de", "\ufeffEins\n\nDrei\n")
    written(tmp_path / "x.en", "One\nTwo\nThree\n")
    (kept,) = data_rows._read(
        {"files": [str(tmp_path / "x.de"), str(tmp_path / "x.en")]},
        located(tmp_path, "retrieval", 'files: "x.{part}"', "de").identity,
        "toy",
    )
    rows = kept.raws(kept.rows)
    assert rows[0].cells == {"source": "Eins", "target": "One"}
    assert len(rows) == 3


def test_a_label_file_is_text_like_any_other(tmp_path):
    written(tmp_path / "labels.txt", "\ufeffno\r\nyes\n\n")
    text = toy(tmp_path, "classification", "files: x.csv, label_file: labels.txt").replace(
        "labels: [no, yes]\n", ""
    )
    (tmp_path / "toy.yaml").write_text(text)
    catalog = Catalog.load([tmp_path])
    locator = Locator(catalog, Where(offline=True), HashIndex(tmp_path / "index"))
    assert locator.labels(catalog.task("toy")) == ["no", "yes"]
