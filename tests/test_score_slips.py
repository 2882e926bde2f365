"""What `score` says beside the official number, and what it refuses: real files, one slip each,
through the command.

A slip never moves a number: each case names the score that the official evaluate.py gives for the
same bytes (without the byte-order mark, which is no text), and the words on stderr. A refusal is
one line, names file and line, and ends in 2.
"""

import gzip
import json
import random
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.cli import main
from harness.common.errors import SpecError
from harness.xtreme.scoring import XTREME, score

LABELS = "entailment\nneutral\ncontradiction\nneutral\n"
TAGS = "B-PER\nI-PER\nO\n\nB-LOC\n"
ROWS = "".join(f"{(7 * i + 3) % 20}\n" for i in range(20))  # a permutation, as Tatoeba's labels are
PAIRS = "de-000001\ten-000001\nde-000002\ten-000002\n"


def squad(*questions: tuple[object, object]) -> str:
    """Labels in SQuAD's layout: (question id, answers)."""
    qas = [{"id": id_, "question": "?", "answers": answers} for id_, answers in questions]
    return json.dumps({"data": [{"paragraphs": [{"context": "Ann met Bob.", "qas": qas}]}]})


def texts(*answers: object) -> list[dict]:
    return [{"text": text, "answer_start": 0} for text in answers]


QUESTIONS = squad(("q1", texts("Ann")), ("q2", texts("Bob")))
XNLI, PANX, TATOEBA = "xnli/test-de.tsv", "panx/test-de.tsv", "tatoeba/test-de.tsv"
BUCC, XQUAD = "bucc2018/test-de.tsv", "xquad/test-de.json"
GOLD = {XNLI: LABELS, PANX: TAGS, TATOEBA: ROWS, BUCC: PAIRS, XQUAD: QUESTIONS}


MANY = "".join(
    f"{label}\n" for label in random.Random(1).choices(sorted(set(LABELS.split())), k=100)
)


class Case(NamedTuple):
    file: str
    predictions: str | bytes
    score: float  # accuracy, F1, or exact match
    says: tuple[str, ...]  # all on stderr; none: nothing is said at all
    labels: str | bytes | None = None  # else GOLD's


def each(text: str, change) -> str:
    return "".join(f"{change(i, line)}\n" for i, line in enumerate(text.split()))


BOM = b"\xef\xbb\xbf"
SAID = {
    "nothing": Case(XNLI, LABELS, 100, ()),
    "windows line ends": Case(XNLI, LABELS.replace("\n", "\r\n"), 100, ()),
    "old mac line ends": Case(XNLI, LABELS.replace("\n", "\r"), 100, ()),
    "blanks at line ends": Case(XNLI, LABELS.replace("\n", " \t\n"), 100, ()),
    "no newline at the end": Case(XNLI, LABELS[:-1], 100, ()),
    "a spelling": Case(
        XNLI,
        LABELS.replace("contradiction", "contradictory"),
        75,
        (
            "predictions/xnli/test-de.tsv:3: 1 of 4 labels",
            "'contradictory' (did you mean 'contradiction'?)",
        ),
    ),
    "capitals": Case(
        XNLI, LABELS.upper(), 0, ("4 of 4", "'NEUTRAL' (2 times, written otherwise than 'neutral')")
    ),
    "quotes": Case(
        XNLI, each(LABELS, lambda _, x: f'"{x}"'), 0, ("written otherwise than 'neutral'",)
    ),
    "look-alikes": Case(
        XNLI,
        LABELS.replace("neu", "ne\u200bu"),
        50,
        ("'ne\\u200butral' (2 times, written otherwise",),
    ),
    "numbers": Case(
        XNLI, "0\n1\n2\n1\n", 0, ("'1' (2 times, a number, where labels are names; one of",)
    ),
    "fractions": Case(XNLI, "0.0\n1.0\n2.0\n1.0\n", 0, ("a number, where labels are names",)),
    "a line number before": Case(
        XNLI, each(LABELS, lambda i, x: f"{i}\t{x}"), 0, ("a column too many beside 'neutral'",)
    ),
    "commas": Case(
        XNLI, each(LABELS, lambda i, x: f"{i},{x}"), 0, ("a column too many beside 'neutral'",)
    ),
    "a blank line inside": Case(
        XNLI, "entailment\n\ncontradiction\nneutral\n", 75, ("test-de.tsv:2: ", "'' (a blank line)")
    ),
    "blank lines only": Case(XNLI, "\n\n\n\n", 0, ("4 of 4 labels", "'' (4 times, a blank line)")),
    "a header for a row": Case(
        XNLI, "label\nneutral\ncontradiction\nneutral\n", 75, ("'label' (one of contradiction",)
    ),
    "NaN": Case(XNLI, "nan\nneutral\ncontradiction\nneutral\n", 75, ("'nan' (one of",)),
    "control characters": Case(
        XNLI, LABELS.replace("ent", "\x1b[31ment", 1), 75, (r"'\x1b[31mentailment' (did you",)
    ),
    "a label of 5 MB": Case(
        XNLI, "x" * 5_000_000 + "\nneutral\ncontradiction\nneutral\n", 75, ("xxx...' (one of",)
    ),
    "a byte-order mark": Case(
        XNLI,
        BOM + LABELS.encode(),
        100,
        ("predictions/xnli/test-de.tsv:1: starts with a byte-order",),
    ),
    "a byte-order mark in labels": Case(
        XNLI, LABELS, 100, ("labels/xnli/test-de.tsv:1: starts",), BOM + LABELS.encode()
    ),
    "two byte-order marks": Case(
        XNLI, 2 * BOM + LABELS.encode(), 75, (r"'\ufeffentailment' (written otherwise",)
    ),
    "a byte-order mark inside": Case(
        XNLI, LABELS.replace("c", "\ufeffc", 1), 75, (r"test-de.tsv:3: ", r"'\ufeffcontra")
    ),
    "one label everywhere": Case(
        XNLI, "neutral\n" * 12, 50, ("test-de.tsv: every label is 'neutral'",), LABELS * 3
    ),
    "hidden labels": Case(
        XNLI,
        LABELS * 3,
        50,
        ("labels/xnli/test-de.tsv: every label is 'neutral'",),
        "neutral\n" * 12,
    ),
    "all wrong": Case(
        XNLI,
        "neutral\nentailment\nneutral\nentailment\n",
        0,
        ("nothing is right, so the score is 0",),
    ),
    "a blank label": Case(
        XNLI,
        LABELS + "\n",
        100,
        ("labels/xnli/test-de.tsv:5: 1 line without a label",),
        LABELS + "\n",
    ),
    "columns in labels": Case(
        XNLI,
        LABELS,
        0,
        ("labels/xnli/test-de.tsv:1: 4 lines with a tab",),
        each(LABELS, lambda _, x: f"{x}\ta"),
    ),
    "two spellings in labels": Case(
        XNLI,
        LABELS,
        75,
        ("labels/xnli/test-de.tsv:4: label 'neutral'", "'Neutral' in line 2"),
        LABELS.replace("neutral", "Neutral", 1),
    ),
    "lines in reverse": Case(
        XNLI,
        each(MANY, lambda i, _: MANY.split()[-1 - i]),
        32,
        ("32 of 100 labels are right, but 100 would be if the lines stood in reverse",),
        MANY,
    ),
    "lines one later": Case(
        XNLI,
        each(MANY, lambda i, _: MANY.split()[i - 1]),
        36,
        ("but 100 would be if each line stood one earlier",),
        MANY,
    ),
    "names exchanged": Case(
        XNLI,
        each(MANY, lambda _, x: {"neutral": "entailment", "entailment": "neutral"}.get(x, x)),
        29,
        ("29 of 100 labels are right, but 100 would be if 'entailment' were 'neutral'",),
        MANY,
    ),
    "a poor model": Case(XNLI, each(MANY, lambda i, x: x if i % 3 else "neutral"), 76, (), MANY),
    "tags": Case(PANX, TAGS.replace("\n", "\r\n") + "\n", 100, ()),
    "tags without B- and I-": Case(
        PANX, "PER\nPER\nO\n\nLOC\n", 100, ("3 of 4 tags occur in no labels", "'PER' (2 times, did")
    ),
    "words before tags": Case(
        PANX, "Ann\tB-PER\nX\tI-PER\nis\tO\n\nRom\tB-LOC\n", 80, ("4 of 4 tags", "beside 'B-PER'")
    ),
    "small tags": Case(PANX, TAGS.lower(), 0, ("'b-per' (written otherwise than 'B-PER')",)),
    "numbers for tags": Case(PANX, "1\n2\n0\n\n3\n", 0, ("a number, where labels are names",)),
    "no span": Case(PANX, "O\nO\nO\n\nO\n", 0, ("nothing is right, so the score is 0",)),
    "rows from 1": Case(
        TATOEBA,
        each(ROWS, lambda _, x: int(x) + 1),
        0,
        ("above the last row, 19 (counted from 0): '20'", "20 would be if rows"),
    ),
    "labels from 1": Case(
        TATOEBA,
        ROWS,
        0,
        ("20 would be if each number were one more",),
        each(ROWS, lambda _, x: int(x) + 1),
    ),
    "unsorted English": Case(
        TATOEBA,
        each(ROWS, lambda i, _: i),
        0,
        ("20 would be if the English side were left unsorted",),
    ),
    "arrays": Case(
        TATOEBA, each(ROWS, lambda _, x: f"[{x}]"), 0, ("20 lines without a row number", "'[3]'")
    ),
    "zeros before": Case(
        TATOEBA,
        each(ROWS, lambda _, x: f"{int(x):03}"),
        0,
        ("20 lines without a row number", "'003'"),
    ),
    "fractions for rows": Case(
        TATOEBA, each(ROWS, lambda _, x: f"{x}.0"), 0, ("20 lines without a row number", "'3.0'")
    ),
    "one row everywhere": Case(TATOEBA, "3\n" * 20, 5, ("every row number is '3'",)),
    "a number of 5,000 digits": Case(
        TATOEBA, "9" * 5000 + ROWS[1:], 95, ("test-de.tsv:1: 1 line without a row number",)
    ),
    "labels that are no rows": Case(
        TATOEBA, "a\n", 100, ("labels/tatoeba/test-de.tsv:1: 'a' is no row number",), "a\n"
    ),
    "swapped columns": Case(
        BUCC,
        "en-000001\tde-000001\n",
        0,
        ("0 of 2 pairs are found, but 1 would be with the columns swap",),
    ),
    "ids without zeros": Case(
        BUCC, PAIRS.replace("00000", ""), 0, ("2 would be with ids written as in the labels",)
    ),
    "a blank beside an id": Case(
        BUCC, PAIRS.replace("\t", " \t"), 0, ("2 would be with ids written as in the labels",)
    ),
    "another language": Case(
        BUCC,
        PAIRS.replace("de", "fr"),
        0,
        ("first id is of another kind", "'fr-000001', 'fr-000002'"),
    ),
    "a header of pairs": Case(
        BUCC, "source\ttarget\n" + PAIRS, 80, ("test-de.tsv:1: 1 pair whose first id", "'source'")
    ),
    "pairs twice": Case(
        BUCC, PAIRS + PAIRS, 100, ("predictions/bucc2018/test-de.tsv:3: 2 lines with a pair",)
    ),
    "gold pairs twice": Case(
        BUCC, PAIRS, 100, ("labels/bucc2018/test-de.tsv:3: 2 lines with a pair",), PAIRS + PAIRS
    ),
    "no pair": Case(BUCC, "", 0, ("the file is empty; with no pair predicted the score is 0",)),
    "wrong pairs": Case(BUCC, "de-000001\ten-000002\n", 0, ("nothing is right",)),
    "pairs with a mark": Case(BUCC, BOM + PAIRS.encode(), 100, ("byte-order mark",)),
    "answers": Case(XQUAD, '{"q1": "Ann", "q2": "bob!"}', 100, ()),
    # as evaluate.py reads them
    "answers under data": Case(XQUAD, '{"data": {"q1": "Ann", "q2": "Bob"}}', 100, ()),
    "answers with a mark": Case(
        XQUAD, BOM + b'{"q1": "Ann", "q2": "Bob"}', 100, ("byte-order mark",)
    ),
    "a key twice": Case(
        XQUAD, '{"q1": "Ann", "q1": "x", "q2": "Bob"}', 50, ("1 key twice in one object", "'q1'")
    ),
    "a key of labels twice": Case(
        XQUAD,
        '{"q1": "Ann", "q2": "Bob"}',
        100,
        ("labels/xquad/test-de.json: 1 key twice", "'context'"),
        QUESTIONS.replace('"context"', '"context": "", "context"'),
    ),
    "a question twice": Case(
        XQUAD,
        '{"q1": "Ann"}',
        50,
        ("1 question id twice or more", "'q1'"),
        squad(("q1", texts("Ann")), ("q1", texts("Bob"))),
    ),
    "an unasked answer": Case(
        XQUAD, '{"q1": "Ann", "q2": "Bob", "q3": "x"}', 100, ("1 answer to no question", "'q3'")
    ),
    "other ids": Case(
        XQUAD,
        '{"Q1": "Ann"}',
        0,
        ("no answer is to a question of", "such as 'q1', here such as 'Q1'"),
    ),
    "an answer missing": Case(
        XQUAD, '{"q1": "Ann"}', 50, ("without an answer, each counts 0: xquad: de 1",)
    ),
    "no answers": Case(XQUAD, "{}", 0, ("the file has no answer, so the score is 0",)),
    "empty answers": Case(
        XQUAD, '{"q1": "", "q2": " "}', 0, ("2 of 2 answers are empty: 'q1', 'q2'",)
    ),
    "one answer everywhere": Case(
        XQUAD,
        json.dumps({f"q{i}": "empty" for i in range(12)}),
        0,
        ("every answer is 'empty'",),
        squad(*((f"q{i}", texts("Ann")) for i in range(12))),
    ),
}


class Refusal(NamedTuple):
    file: str
    predictions: str | bytes
    says: str
    labels: str | bytes | None = None


REFUSED = {
    "UTF-16": Refusal(XNLI, LABELS.encode("utf-16"), "test-de.tsv:1:1: not UTF-8 text but UTF-16"),
    "UTF-16 without its mark": Refusal(
        XNLI, LABELS.encode("utf-16-le"), "test-de.tsv:1:2: a NUL byte, which no text has"
    ),
    "UTF-32": Refusal(XNLI, LABELS.encode("utf-32"), "test-de.tsv:1:1: not UTF-8 text but UTF-32"),
    "Latin-1 after a mark": Refusal(
        XNLI, BOM + "a\n\xe4\n".encode("latin1"), "test-de.tsv:2:1: not UTF-8 text (byte 0xe4)"
    ),
    "gzip": Refusal(
        XNLI,
        gzip.compress(LABELS.encode(), mtime=0),
        "test-de.tsv: no text: it is packed with gzip; unpack it",
    ),
    "Git LFS": Refusal(
        XNLI, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"
    ),
    "labels in UTF-16": Refusal(
        XNLI, LABELS, "labels/xnli/test-de.tsv:1:1: not UTF-8", LABELS.encode("utf-16")
    ),
    "an empty file": Refusal(XNLI, "", "test-de.tsv:1: 0 lines, but"),
    "a header": Refusal(XNLI, "label\n" + LABELS, "line 1, 'label', looks like a header"),
    "a blank line more": Refusal(XNLI, LABELS.replace("\n", "\n\n", 1), "line 2 is blank"),
    "line ends converted twice": Refusal(
        XNLI, LABELS.replace("\n", "\r\r\n"), "test-de.tsv:5: 8 lines, but"
    ),
    "JSON for labels": Refusal(XNLI, json.dumps(LABELS.split()), "test-de.tsv:2: 1 lines, but"),
    "both empty": Refusal(XNLI, "", "labels/xnli/test-de.tsv: nothing to score", ""),
    "no sentence ends": Refusal(PANX, TAGS.replace("\n\n", "\n"), "test-de.tsv:4: 4 lines, but"),
    "a blank line first": Refusal(PANX, "\n" + TAGS, "test-de.tsv:1: 6 lines, but"),
    "rows of nothing": Refusal(TATOEBA, "", "labels/tatoeba/test-de.tsv: nothing to score", ""),
    "commas between ids": Refusal(
        BUCC, PAIRS.replace("\t", ","), "test-de.tsv:1: 'de-000001,en-000001' is no pair"
    ),
    "a blank line of pairs": Refusal(BUCC, PAIRS + "\n", "test-de.tsv:3: '' is no pair"),
    "no JSON at all": Refusal(XQUAD, "", "test-de.json:1:1: not valid JSON: the file is empty"),
    "an answer of NaN": Refusal(
        XQUAD, '{"q1":\n NaN}', "test-de.json:1: the answer to 'q1' must be a string, not nan"
    ),
    "an answer of null": Refusal(
        XQUAD, '{"q2": "",\n "q1": null}', "test-de.json:2: the answer to 'q1' must be"
    ),
    "answers by language": Refusal(
        XQUAD, '{"de": {"q1": "Ann"}}', "the answer to 'de' must be a string, not a mapping"
    ),
    "an id with an accent": Refusal(
        XQUAD, '{"a": "",\n"\\u00e9": 1}', "test-de.json:2: the answer to 'é' must be"
    ),
    "a gold id that is a number": Refusal(
        XQUAD, '{"1": "x"}', "labels/xquad/test-de.json:1: question 1: its", squad((1, texts("x")))
    ),
    "a gold id that is a list": Refusal(
        XQUAD, "{}", "question a list: its id must be", squad((["q"], texts("x")))
    ),
    "a gold answer that is null": Refusal(
        XQUAD, "{}", "'q1': an answer must be a string, not nothing", squad(("q1", texts(None)))
    ),
    "a gold answer that is a number": Refusal(
        XQUAD, "{}", "must be a string, not 7", squad(("q1", texts(7)))
    ),
    "no gold answer": Refusal(XQUAD, "{}", "question 'q1': no gold answer", squad(("q1", []))),
    "gold of datasets' layout": Refusal(
        XQUAD, "{}", "not SQuAD's layout", squad(("q1", {"text": ["x"], "answer_start": [0]}))
    ),
    "a gold answer without its list": Refusal(
        XQUAD, "{}", "not SQuAD's layout", squad(("q1", "x"))
    ),
}


@pytest.fixture
def scored(tmp_path, monkeypatch, capsys):
    """Score one predictions file: (exit code, stdout, stderr without what is missing)."""

    def run(
        file: str, predictions: str | bytes, labels: str | bytes | None, *options: str
    ) -> tuple[int, str, str]:
        for side, content in (
            ("predictions", predictions),
            ("labels", GOLD[file] if labels is None else labels),
        ):
            path = tmp_path / side / file
            path.parent.mkdir(parents=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return command(monkeypatch, capsys, tmp_path, *options)

    return run


def command(monkeypatch, capsys, folder: Path, *options: str) -> tuple[int, str, str]:
    words = [
        "xstilts-harness",
        "score",
        str(folder / "predictions"),
        str(folder / "labels"),
        *options,
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    said, complained = capsys.readouterr()
    lines = [line for line in complained.splitlines() if not line.startswith("missing: ")]
    return end.value.code or 0, said, "\n".join(lines)


@pytest.mark.parametrize("name", SAID)
def test_the_number_stays_official_and_the_slip_is_said(scored, name):
    case = SAID[name]
    code, said, complained = scored(case.file, case.predictions, case.labels, "--json")
    report = json.loads(said)
    task = case.file.split("/")[0]
    numbers = report["scores"][task]["de"]
    assert code == 0
    assert numbers.get("accuracy", numbers.get("exact_match", numbers.get("f1"))) == pytest.approx(
        case.score
    )
    for words in case.says:
        assert words in complained
    assert bool(complained) == bool(case.says)
    assert [f"warning: {line}" for line in report["warnings"]] == [
        line for line in complained.splitlines() if not line.startswith("questions without")
    ]
    assert all(len(line) < 700 and line.isprintable() for line in complained.splitlines())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_scored_is_refused_in_one_line(scored, name):
    case = REFUSED[name]
    code, said, complained = scored(case.file, case.predictions, case.labels)
    assert (code, said) == (2, "")
    assert case.says in complained
    assert len(complained.splitlines()) == 1
    assert complained.isprintable()


# --- labels of other languages, and what lies about the files -------------------------------------


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_a_label_of_another_language_is_known(tmp_path):
    """`evaluate.py`'s own mock labels have three rows a language: a label absent from one is no
    slip."""
    predictions = write(tmp_path / "p", {"xnli/test-de.tsv": "entailment\nneutral\n"})
    labels = write(
        tmp_path / "l",
        {"xnli/test-de.tsv": "neutral\nneutral\n", "xnli/test-fr.tsv": "entailment\n"},
    )
    assert score(predictions, labels)["warnings"] == []
    (labels / "xnli/test-fr.tsv").write_text("contradiction\n")
    assert (
        "'entailment' (one of contradiction, neutral)" in score(predictions, labels)["warnings"][0]
    )


def test_one_languages_predictions_under_anothers_name(tmp_path):
    """What is right in both is the same in both, and no slip."""
    files = {XNLI: MANY, XNLI.replace("de", "fr"): MANY}
    labels = write(tmp_path / "l", files)
    assert score(write(tmp_path / "p", files), labels)["warnings"] == []
    for name in files:
        (tmp_path / "p" / name).write_text(MANY.replace("contradiction", "neutral"))
    (line,) = score(tmp_path / "p", labels)["warnings"]
    assert line.endswith("xnli/test-fr.tsv: the same predictions as in test-de.tsv")


def test_rows_of_xcopa_say_which_they_are(tmp_path):
    def rows(*order: int) -> str:
        return "".join(f'{{"idx": {i}, "label": {i % 2}}}\n' for i in order)

    name = "xcopa/test-it.jsonl"
    labels = write(tmp_path / "l", {name: rows(0, 1, 2)})
    assert score(write(tmp_path / "p", {name: rows(0, 1, 2)}), labels, "xtreme-r")["scores"]
    (tmp_path / "p" / name).write_text(rows(0, 2, 1))
    with pytest.raises(SpecError, match=r"test-it\.jsonl:2: idx 2, where .* has idx 1"):
        score(tmp_path / "p", labels, "xtreme-r")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ([9, 8, 7, 0], "map@20 is 25.0, but would be 100.0 with each list in reverse"),
        ([9, 9, 0], "12 lists with a candidate twice, of which each takes a place"),
    ],
)
def test_candidates_of_mewsli_x(tmp_path, order, says):
    name, queries = "mewslix/test-de.json", range(12)
    ranked = {f"m{i}": [f"Q{i}{place}" for place in order] for i in queries}
    labels = write(tmp_path / "l", {name: json.dumps({f"m{i}": [f"Q{i}0"] for i in queries})})
    predictions = write(tmp_path / "p", {name: json.dumps(ranked)})
    assert says in score(predictions, labels, "xtreme-r")["warnings"][0]


def test_rows_of_a_part_of_tatoeba_have_no_last_one(tmp_path):
    predictions = write(tmp_path / "p", {TATOEBA: "367\n970\n2\n"})
    labels = write(tmp_path / "l", {TATOEBA: "367\n258\n374\n"})
    assert score(predictions, labels)["warnings"] == []


def test_predictions_that_are_the_labels(tmp_path):
    folder = write(tmp_path / "l", {XNLI: LABELS})
    assert "the predictions are the labels themselves" in score(folder, folder)["warnings"][0]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("xnli/test-de.tsv.gz", "packed; unpack it"),
        ("xnli/test-DE.tsv", "such as test-de.tsv"),
        ("xnli/de.tsv", "such as test-de.tsv"),
        ("xnli/test-de.txt", "such as test-de.tsv"),
        ("XNLI/test-de.tsv", "did you mean xnli?"),
        ("test-de.tsv", "no task of XTREME"),
        ("xquad/test-de.jsonl", "such as test-de.json"),
    ],
)
def test_a_file_by_another_name_is_named_and_not_scored(tmp_path, monkeypatch, capsys, name, why):
    write(tmp_path / "predictions", {name: LABELS})
    write(tmp_path / "labels", GOLD)
    code, _, complained = command(monkeypatch, capsys, tmp_path)
    assert code == 2 and "nothing to score" in complained and why in complained
    write(tmp_path / "predictions", {PANX: TAGS})
    code, _, complained = command(monkeypatch, capsys, tmp_path)
    assert code == 0 and "not scored: " in complained and why in complained


def test_a_name_of_two_lines_is_one_message(tmp_path, monkeypatch, capsys):
    write(tmp_path / "predictions", {XNLI: LABELS, "a\nwarning: b/x": ""})
    write(tmp_path / "labels", GOLD)
    _, _, complained = command(monkeypatch, capsys, tmp_path)
    assert complained == r"not scored: a\nwarning: b: no task of XTREME"


def test_a_folder_where_a_file_should_be(tmp_path, monkeypatch, capsys):
    (tmp_path / "predictions" / XNLI).mkdir(parents=True)
    write(tmp_path / "predictions", {PANX: TAGS})
    write(tmp_path / "labels", {PANX: TAGS})
    code, _, complained = command(monkeypatch, capsys, tmp_path)
    assert (code, complained) == (0, "not scored: xnli/test-de.tsv: not a file")
    (tmp_path / "labels" / XQUAD).mkdir(parents=True)
    write(tmp_path / "predictions", {XQUAD: "{}"})
    code, _, complained = command(monkeypatch, capsys, tmp_path)
    assert code == 2 and "there is no labels file" in complained


def test_every_family_has_cases():
    assert {XTREME[case.file.split("/")[0]].family for case in SAID.values()} == {
        task.family for task in XTREME.values()
    }
