"""score and submission: the official numbers from official files, every trap at its line, and the
way there and back.

What the official evaluate.py answered on the benchmark's own mock submission is held against ours
where it is at hand; everything else runs anywhere, on small hand-made folders and on results that a
test commits or the tiny suite computed.
"""

import json
import random
import shutil
import sys
from pathlib import Path

import pytest
from conftest import MOCK, ORACLES, needs_shared
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.metrics import METRICS, TASK_GROUPS
from harness.plan.graph import Plan
from harness.plan.planner import make_plan
from harness.sources import rows as data_rows
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import HashIndex, Store
from harness.xtreme.layouts import layout_of
from harness.xtreme.score_files import (
    answer_files,
    choice_files,
    label_files,
    pair_files,
    ranking_files,
    tag_files,
)
from harness.xtreme.scoring import XTREME, XTREME_R, score
from harness.xtreme.slips import FilePair


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command in this process: (exit code, stdout, stderr)."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xstilts-harness", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return (end.value.code or 0, *capsys.readouterr())

    return run


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def questions(answers: dict[str, list[str]]) -> str:
    """Labels in SQuAD's layout: question id → accepted answers."""
    qas = [
        {"id": i, "question": "?", "answers": [{"text": t, "answer_start": 0} for t in ts]}
        for i, ts in answers.items()
    ]
    return json.dumps({"data": [{"paragraphs": [{"context": "one two three", "qas": qas}]}]})


GOLD = {
    "classification": "a\nb\na\nb\n",
    "tagging": "B-PER\nI-PER\nO\n\nB-LOC\n",
    "span_qa": questions({"q1": ["one two"], "q2": ["three", "the three"]}),
    "bitext_mining": "de-1\ten-1\nde-2\ten-2\n",
    "retrieval": "3\n0\n2\n1\n",
    "multiple_choice": '{"label": 1}\n{"label": 0, "idx": 7}\n',
    "entity_linking": '{"m1": ["Q1"], "m2": ["Q2 "]}',
}
RIGHT = GOLD | {"span_qa": '{"q1": "one two", "q2": "Three."}'}


def whole(tmp_path: Path, answers: dict[str, str] = RIGHT, tasks=XTREME) -> tuple[Path, Path]:
    """(predictions, labels): all tasks, all languages."""
    files = [
        (f"{task}/{spec.file(language)}", spec.family)
        for task, spec in tasks.items()
        for language in spec.languages
    ]
    predictions = write(tmp_path / "predictions", {name: answers[family] for name, family in files})
    return predictions, write(tmp_path / "labels", {name: GOLD[family] for name, family in files})


# --- the official answers -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mock() -> tuple[dict, dict]:
    expected = json.loads((ORACLES / "xtreme_mock_scores.json").read_text())["seqeval_0.0.12"]
    return score(MOCK / "predictions", MOCK / "labels"), expected


@needs_shared
@pytest.mark.parametrize("task", XTREME)
def test_mock_scores_are_bit_equal_per_language(mock, task):
    report, expected = mock
    names = [name for name in expected[task] if not name.startswith("avg_")]
    assert (
        set(report["scores"][task]) == set(expected[task][names[0]]) == set(XTREME[task].languages)
    )
    for language, numbers in report["scores"][task].items():
        assert numbers == {name: expected[task][name][language] for name in names}


@needs_shared
def test_mock_averages_and_groups(mock):
    report, expected = mock
    for task, average in report["averages"].items():
        official = {
            name.removeprefix("avg_"): value
            for name, value in expected[task].items()
            if name.startswith("avg_")
        }
        ours = {name: value for name, value in average.items() if name not in ("languages", "of")}
        assert ours == pytest.approx(official, rel=0, abs=1e-9)
    assert report["groups"] == pytest.approx(
        {group: expected[group] for group in TASK_GROUPS}, rel=0, abs=1e-9
    )
    assert report["overall"] == pytest.approx(expected["all_task"], rel=0, abs=1e-9)
    assert report["missing"] == report["unanswered"] == {}
    assert report["not_scored"] == {"mewslix": "a task of xtreme-r"}


@needs_shared
def test_mock_scores_of_xtreme_r_are_those_of_its_own_test():
    """evaluate_test.py has them of tasks whose mock files are whole: XTREME_R_TASK2AVG_SCORES."""
    tasks = ("xnli", "mewslix", "mlqa", "tydiqa")
    official = {"xnli": 30.666666666666668, "mewslix": 14.39025156130419}
    official |= {"mlqa": (57.142857142857146 + 81.76870748299321) / 2}
    official |= {"tydiqa": (88.88888888888889 + 97.22222222222223) / 2}
    report = score(MOCK / "predictions", MOCK / "labels", "xtreme-r")
    assert {task: report["averages"][task]["metric"] for task in tasks} == pytest.approx(
        official, rel=0, abs=1e-9
    )
    assert report["missing"]["panx"] == ["az", "gu", "lt", "pa", "pl", "qu", "ro", "uk"]
    assert report["not_scored"] == {"bucc2018": "a task of xtreme", "pawsx": "a task of xtreme"}


@needs_shared
def test_part_of_the_mock_scores_as_it_does_in_the_whole(mock, tmp_path, command):
    report, _ = mock
    for name in ("xnli/test-de.tsv", "panx/test-ar.tsv", "panx/test-he.tsv", "mlqa/test-zh.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(MOCK / "predictions" / name, tmp_path / name)
    code, said, complained = command("score", tmp_path, MOCK / "labels", "--json")
    part = json.loads(said)
    assert code == 0
    assert {task: list(languages) for task, languages in part["scores"].items()} == {
        "xnli": ["de"],
        "panx": ["ar", "he"],
        "mlqa": ["zh"],
    }
    for task, languages in part["scores"].items():
        for language, numbers in languages.items():
            assert numbers == report["scores"][task][language]
    assert "missing: tatoeba: every language" in complained


# --- what the answer looks like, whole and in part ------------------------------------------------


def check_schema(report: dict) -> None:
    """The JSON of `score`, key by key."""
    keys = {
        "scores": dict,
        "averages": dict,
        "groups": dict,
        "overall": (float, type(None)),
        "missing": dict,
    }
    keys |= {"not_scored": dict, "unanswered": dict, "warnings": list}
    assert {
        name: isinstance(report.get(name, 0), kind) for name, kind in keys.items()
    } == dict.fromkeys(report, True)
    assert set(report["averages"]) == set(report["scores"])
    for task, languages in report["scores"].items():
        names = set(layout_of(XTREME[task].family).official)
        assert set(report["averages"][task]) == names | {"metric", "languages", "of"}
        assert report["averages"][task]["languages"] == len(languages)
        assert report["averages"][task]["of"] == len(XTREME[task].languages)
        for numbers in languages.values():
            assert set(numbers) == names
            assert all(0 <= value <= 100 for value in numbers.values())
    for task, spec in XTREME.items():
        assert sorted(
            [*report["scores"].get(task, []), *report["missing"].get(task, [])]
        ) == sorted(spec.languages)
    assert (report["overall"] is None) == bool(report["missing"])
    assert set(report["groups"]) == {
        group
        for group, tasks in TASK_GROUPS.items()
        if not any(task in report["missing"] for task in tasks)
    }


def test_all_right_is_100_everywhere(tmp_path, command):
    code, said, complained = command("score", *whole(tmp_path), "--json")
    report = json.loads(said)
    assert (code, complained) == (0, "")
    check_schema(report)
    assert report["overall"] == 100 and set(report["groups"].values()) == {100}
    assert {
        value
        for languages in report["scores"].values()
        for n in languages.values()
        for value in n.values()
    } == {100}


def test_the_overall_score_is_the_mean_of_nine_tasks_not_of_four_groups(tmp_path):
    predictions, labels = whole(tmp_path)
    for language in XTREME["xnli"].languages:
        (predictions / "xnli" / f"test-{language}.tsv").write_text("a\na\na\na\n")
    report = score(predictions, labels)
    assert report["averages"]["xnli"]["metric"] == 50
    assert report["groups"] == {"classification": 75, "tagging": 100, "qa": 100, "retrieval": 100}
    assert report["overall"] == pytest.approx(850 / 9)


def test_hand_made_scores(tmp_path):
    wrong = {
        # blanks at the ends do not count, nor does the last newline
        "classification": "a\n b \na\na",
        # a span without its B- is one all the same; one blank line at the end is none
        "tagging": "B-PER\nO\nO\n\nI-LOC\n\n",
        "span_qa": '{"q1": "one", "other": "x"}',  # 2/3 of one and nothing of the other
        "bitext_mining": "de-1\ten-1\nde-2\ten-1\nde-3\ten-3\n",
        "retrieval": "3\n1\n2\n0\n",
    }
    report = score(*whole(tmp_path, wrong))
    check_schema(report)
    assert report["scores"]["pawsx"]["de"] == {"accuracy": 75}
    assert report["scores"]["panx"]["de"] == {"f1": 50, "precision": 50, "recall": 50}
    assert report["scores"]["xquad"]["de"] == {"exact_match": 0, "f1": pytest.approx(100 / 3)}
    assert report["averages"]["xquad"]["metric"] == pytest.approx(100 / 6)
    assert report["scores"]["bucc2018"]["de"] == pytest.approx(
        {"f1": 40, "precision": 100 / 3, "recall": 50}
    )
    assert report["scores"]["tatoeba"]["de"] == {"accuracy": 50}
    assert report["unanswered"]["tydiqa"] == dict.fromkeys(XTREME["tydiqa"].languages, 1)


def test_a_missing_language_takes_its_group_and_the_overall_score_away(tmp_path, command):
    predictions, labels = whole(tmp_path)
    (predictions / "panx" / "test-yo.tsv").unlink()
    shutil.rmtree(predictions / "mlqa")
    code, said, complained = command("score", predictions, labels, "--json")
    report = json.loads(said)
    check_schema(report)
    assert code == 0
    assert report["missing"] == {"panx": ["yo"], "mlqa": XTREME["mlqa"].languages}
    assert report["averages"]["panx"] | {"metric": 100} == report["averages"]["panx"]
    assert set(report["groups"]) == {"classification", "retrieval"}
    assert complained.splitlines() == ["missing: panx: yo", "missing: mlqa: every language"]
    code, said, complained = command("score", predictions, labels)
    assert "39 of 40" in said and "overall" not in said and "missing: panx: yo" in complained


def test_what_is_no_part_of_xtreme_is_named_and_not_scored(tmp_path, command):
    predictions, labels = whole(tmp_path)
    strange = [
        "xcopa/test-et.tsv",
        "xlni/test-de.tsv",
        "xnli/test-nl.tsv",
        "xnli/test-de.txt",
        "xquad/test-de.tsv",
        "mlqa/x/y",
    ]
    write(predictions, dict.fromkeys([*strange, "notes.txt", ".hidden", "xnli/.hidden"], "a\n"))
    code, said, complained = command("score", predictions, labels, "--json")
    report = json.loads(said)
    assert code == 0 and report["overall"] == 100
    listed = {
        "xcopa",
        "xlni",
        "notes.txt",
        "xnli/test-nl.tsv",
        "xnli/test-de.txt",
        "xquad/test-de.tsv",
        "mlqa/x",
    }
    assert set(report["not_scored"]) == listed
    assert report["not_scored"]["xcopa"] == "a task of xtreme-r"
    assert "not scored: xnli/test-nl.tsv: no language file of xnli" in complained


def test_a_folder_of_xtreme_r(tmp_path, command):
    """The second mention is found at the second place, the first is not answered."""
    answers = RIGHT | {"entity_linking": '{"m2": ["Q1", "Q2"]}'}
    predictions, labels = whole(tmp_path, answers, XTREME_R)
    write(predictions, {"lareqa/test-de.json": "{}", "pawsx/test-de.tsv": "a\n"})
    words = ("score", predictions, labels, "--benchmark", "xtreme-r")
    code, said, complained = command(*words, "--json")
    report = json.loads(said)
    assert (code, report["overall"], report["missing"]) == (0, None, {})
    assert report["scores"]["mewslix"]["ja"] == {"map@20": 25.0}
    assert report["unanswered"]["mewslix"]["ja"] == 1
    assert report["groups"] == {
        "classification": 100,
        "tagging": 100,
        "qa": 100,
        "retrieval": (100 + 25) / 2,
    }
    assert report["not_scored"] == {
        "lareqa": "a task of xtreme-r, whose evaluate.py reads no files of it",
        "pawsx": "a task of xtreme",
    }
    for file, text, said in (
        (
            "xcopa/test-et.jsonl",
            '{"label": 1}\n{"label": "0"}\n',
            ':2: \'{"label": "0"}\' is no choi',
        ),
        ("xcopa/test-et.jsonl", '{"label": 1}\n', ":2: 1 lines, but "),
        ("mewslix/test-de.json", '{"m1": "Q1"}', ":1: 'm1' must have a list of ids as strings"),
        ("mewslix/test-de.json", "[]", ":1: must be one JSON object, query id → ids"),
    ):
        before = (predictions / file).read_text()
        write(predictions, {file: text})
        code, _, complained = command(*words)
        assert (code, f"{predictions / file}{said}" in complained) == (2, True), complained
        write(predictions, {file: before})
    write(labels, {"mewslix/test-de.json": '{"m1": ["Q1", "Q2"], "m2": ["Q2"]}'})
    assert "'m1' has 2 right ones; one is right" in command(*words)[2]


def test_the_table(tmp_path, command):
    code, said, complained = command("score", *whole(tmp_path))
    assert (code, complained) == (0, "")
    lines = [line.split() for line in said.splitlines()]
    assert ["bucc2018", "de", "100.00", "100.00", "100.00"] in lines
    assert ["tatoeba", "36", "of", "36", "100.00", "100.00"] in lines
    assert ["overall,", "nine", "tasks", "100.00"] in lines


# --- traps ----------------------------------------------------------------------------------------

DEEP = "[" * 100_000
LONG = '{"q1": ' + "1" * 5000 + "}"
TRAPS = {  # what the prediction (or label) file holds → where the error points and what it says
    "a line too few": (
        "xnli/test-de.tsv",
        "a\nb\na\n",
        "predictions/xnli/test-de.tsv:4: 3 lines, but",
    ),
    "a blank line too many": (
        "xnli/test-de.tsv",
        "a\nb\na\nb\n\n",
        "predictions/xnli/test-de.tsv:5: 5 lines, but",
    ),
    "an empty file": ("tatoeba/test-de.tsv", "", "predictions/tatoeba/test-de.tsv:1: 0 lines, but"),
    "a tag too few": (
        "panx/test-de.tsv",
        "B-PER\nI-PER\n\nB-LOC\n",
        "predictions/panx/test-de.tsv:3: 4 lines, but",
    ),
    "a tag too many": (
        "udpos/test-de.tsv",
        GOLD["tagging"] + "O\n",
        "predictions/udpos/test-de.tsv:6: 6 lines, but",
    ),
    "two blank lines": (
        "udpos/test-de.tsv",
        GOLD["tagging"] + "\n\n",
        "predictions/udpos/test-de.tsv:6: 6 lines, but",
    ),
    "an empty tag": (
        "panx/test-de.tsv",
        "B-PER\n \nO\n\nB-LOC\n",
        "predictions/panx/test-de.tsv:2: an empty tag, where",
    ),
    "no sentence end": (
        "panx/test-de.tsv",
        "B-PER\nO\nO\nO\nB-LOC\n",
        "predictions/panx/test-de.tsv:4: tag 'O', where",
    ),
    "half a pair": (
        "bucc2018/test-de.tsv",
        "de-1\ten-1\nde-2\n",
        "predictions/bucc2018/test-de.tsv:2: 'de-2' is no pair",
    ),
    "a score with the pair": (
        "bucc2018/test-de.tsv",
        "de-1\ten-1\t0.9\n",
        "predictions/bucc2018/test-de.tsv:1: 'de-1\\ten",
    ),
    "malformed JSON": (
        "xquad/test-de.json",
        '{"q1": "a",\n"q2" "b"}',
        "predictions/xquad/test-de.json:2:6: not valid JSON",
    ),
    "a list of answers": (
        "mlqa/test-de.json",
        '["one"]',
        "predictions/mlqa/test-de.json:1: must be one JSON object",
    ),
    "an answer that is a number": (
        "mlqa/test-de.json",
        '{"q1": 2}',
        "predictions/mlqa/test-de.json:1: the answer to 'q1' must be",
    ),
    "JSON nested deep": (
        "tydiqa/test-en.json",
        DEEP,
        "predictions/tydiqa/test-en.json:1: not a file of answers",
    ),
    "a number of 5,000 digits": (
        "tydiqa/test-en.json",
        LONG,
        "predictions/tydiqa/test-en.json:1: not a file of answers",
    ),
    "not UTF-8": (
        "xnli/test-de.tsv",
        b"a\nb\n\xe4\nb\n",
        "predictions/xnli/test-de.tsv:3:1: not UTF-8",
    ),
    "JSON not UTF-8": (
        "xquad/test-de.json",
        b'{"q1":\n"\xff"}',
        "predictions/xquad/test-de.json:2:2: not UTF-8",
    ),
    "no gold at all": (
        "labels/bucc2018/test-de.tsv",
        "",
        "labels/bucc2018/test-de.tsv: nothing to score",
    ),
    "malformed labels": (
        "labels/xquad/test-de.json",
        "{",
        "labels/xquad/test-de.json:1:2: not valid JSON",
    ),
    "answers for labels": (
        "labels/xquad/test-de.json",
        RIGHT["span_qa"],
        "labels/xquad/test-de.json:1: not SQuAD's layout",
    ),
    "a number for labels": (
        "labels/xquad/test-de.json",
        "7",
        "labels/xquad/test-de.json:1: not SQuAD's layout",
    ),
    "a question without gold": (
        "labels/mlqa/test-de.json",
        questions({"q1": []}),
        "labels/mlqa/test-de.json:1: question 'q1': no gold",
    ),
    "labels without a tag": (
        "labels/panx/test-de.tsv",
        "",
        "predictions/panx/test-de.tsv:1: 5 lines, but",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_an_error_at_its_line(tmp_path, command, trap):
    name, content, message = TRAPS[trap]
    predictions, labels = whole(tmp_path)
    write(tmp_path if name.startswith("labels/") else predictions, {name: content})
    code, said, complained = command("score", predictions, labels)
    assert code == 2
    assert said == ""
    assert complained.startswith(f"{tmp_path}/{message}"), complained
    assert len(complained.splitlines()) == 1


def test_predictions_without_labels(tmp_path, command):
    predictions, labels = whole(tmp_path)
    (labels / "xnli" / "test-sw.tsv").unlink()
    code, _, complained = command("score", predictions, labels)
    assert code == 2
    assert complained.startswith(
        f"{predictions / 'xnli/test-sw.tsv'}: there is no labels file {labels / 'xnli/test-sw.tsv'}"
    )


def test_labels_without_predictions_are_only_missing(tmp_path):
    predictions, labels = whole(tmp_path)
    (predictions / "xnli" / "test-sw.tsv").unlink()
    assert score(predictions, labels)["missing"] == {"xnli": ["sw"]}


def test_nothing_to_score(tmp_path, command):
    whole(tmp_path)
    code, _, complained = command("score", tmp_path, tmp_path / "labels")  # one folder too high
    assert code == 2
    assert f"{tmp_path}: nothing to score" in complained


def test_tags_of_no_sentence(tmp_path):
    predictions = write(tmp_path / "p", {"panx/test-de.tsv": "\n\n"})
    labels = write(tmp_path / "l", {"panx/test-de.tsv": "\n\n"})
    with pytest.raises(SpecError, match="nothing to score"):
        score(predictions, labels)


# --- what is written is read again, whatever it is ------------------------------------------------

# Whatever can stand on a line of its own; U+2028 and U+0085 end a line for `splitlines`, not for a
# file.
lines = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t\0\ufeff"),
    min_size=1,
    max_size=6,
).filter(lambda text: text == text.strip()) | st.sampled_from(
    ["O", "B-PER", "a\u2028b", "a\x85b", "a\x1cb"]
)
quick = settings(max_examples=60, deadline=None)


def there_and_back(tmp_path_factory, family: str, rows: list[dict], answers: list, read) -> object:
    path = tmp_path_factory.mktemp("back") / "test-de.tsv"
    path.write_text(
        layout_of(family).write(rows, answers, "test-de.tsv"), encoding="utf-8", newline="\n"
    )
    return read(FilePair(path, path), set).guesses


def test_choices_and_rankings_come_back(tmp_path_factory):
    rows = [{"id": "m1"}, {"id": "m2"}]
    for family, answers, read in (
        ("multiple_choice", ["1", "0"], choice_files),
        ("entity_linking", [["Q3"], ["Q1"]], ranking_files),
    ):
        assert there_and_back(tmp_path_factory, family, rows, answers, read) == answers
    with pytest.raises(SpecError, match="choice 'yes' is no number; name the labels 0, 1"):
        layout_of("multiple_choice").write(rows, ["1", "yes"], "xcopa/test-et.jsonl")


@quick
@given(st.lists(lines, min_size=1, max_size=8))
def test_labels_come_back(tmp_path_factory, answers):
    rows = [{"id": str(i)} for i in range(len(answers))]
    assert there_and_back(tmp_path_factory, "classification", rows, answers, label_files) == answers


@quick
@given(st.lists(st.lists(lines, max_size=4), min_size=1, max_size=6))
def test_sentences_come_back_empty_ones_too(tmp_path_factory, answers):
    rows = [{"id": str(i)} for i in range(len(answers))]
    assert there_and_back(tmp_path_factory, "tagging", rows, answers, tag_files) == answers


@quick
@given(st.dictionaries(lines, st.lists(lines, max_size=3), min_size=1, max_size=6))
def test_pairs_come_back(tmp_path_factory, partners):
    rows = [{"id": id_} for id_ in partners]
    wanted = {(id_, partner) for id_, found in partners.items() for partner in found}
    found = there_and_back(
        tmp_path_factory, "bitext_mining", rows, list(partners.values()), pair_files
    )
    assert set(found) == wanted


@quick
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1, max_size=6))
def test_answers_come_back(tmp_path_factory, answers):
    folder = tmp_path_factory.mktemp("back")
    rows = [
        {
            "id": i,
            "context": f"about {i}",
            "question": "?",
            "answers": {"text": [text], "answer_start": [0]},
        }
        for i, text in answers.items()
    ]
    files = {
        "p.json": layout_of("span_qa").write(rows, list(answers.values()), "p.json"),
        "l.json": layout_of("span_qa").write_labels(rows, [], "l.json"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    golds, guesses, _ = answer_files(FilePair(folder / "p.json", folder / "l.json"), set)
    assert guesses == list(answers.values())
    assert golds == [
        {"answers": [text], "context": f"about {i}", "group": f"about {i}"}
        for i, text in answers.items()
    ]


@pytest.mark.parametrize("label", ["", " ", " a", "a ", "a\nb", "a\r", "\ufeffa", "a\0b"])
def test_a_label_that_cannot_stand_on_a_line_is_refused(label):
    with pytest.raises(SpecError, match="cannot stand on a line"):
        layout_of("classification").write([{"id": "0"}], [label], "xnli/test-de.tsv")


def test_tatoeba_stands_in_the_order_of_the_sorted_english_side():
    # by code point, without blanks at the ends, the first of equals first
    english = ["b", "a", "B", " a", "é", "~"]
    rows = [{"id": str(i), "target": text} for i, text in enumerate(english)]
    answers, golds = list("987654"), [row["id"] for row in rows]
    assert layout_of("retrieval").write(rows, answers, "test-de.tsv").split() == [
        "7",
        "8",
        "6",
        "9",
        "4",
        "5",
    ]
    assert layout_of("retrieval").write(rows, golds, "test-de.tsv").split() == [
        "2",
        "1",
        "3",
        "0",
        "5",
        "4",
    ]


# --- from a run to a submission to its scores -----------------------------------------------------

HEAPS = """
task: heaps
version: 1
role: [target]
family: bitext_mining
languages: [de, fr]
source: {files: "heaps.{language}.{split}.{part}"}
dev: {split: dev}
test: {split: test}
metric: mining_f1
about: {title: two heaps of sentences}
"""
HAND = """
suite: hand
version: 1
about: results that a test commits
smoke: true
encoders: [tiny]
arms: [none, mini_topic]
targets: [tiny_mood, tiny_tags, tiny_quad, tiny_pairs, heaps]
seeds: [1, 2]
recipes: {intermediate: {learning_rate: 1e-3}, target: {learning_rate: 1e-3}}
caps: {test: 20}
waives: [unlearned]
"""
AS = {
    "tiny_mood": "xnli",
    "tiny_tags": "panx",
    "tiny_quad": "mlqa",
    "tiny_pairs": "tatoeba",
    "heaps": "bucc2018",
}
CHOSEN = ["--condition", "none", "--seed", "2"]


@pytest.fixture(scope="module")
def user(rig, tmp_path_factory) -> Path:
    """The rig's folder of specs, and two heaps to be mined."""
    folder = Path(shutil.copytree(rig.specs, tmp_path_factory.mktemp("hand") / "specs"))
    (folder / "heaps.yaml").write_text(HEAPS.lstrip())
    (folder / "hand.yaml").write_text(HAND.lstrip())
    for language in ("de", "fr"):
        for split, size in (("dev", 4), ("test", 9)):
            for side in (language, "en"):
                sentences = "".join(f"{side}-{i}\t{split} {i}\n" for i in range(size))
                (folder / f"heaps.{language}.{split}.{side}").write_text(sentences)
            (folder / f"heaps.{language}.{split}.gold").write_text(
                "".join(f"{language}-{i}\ten-{i}\n" for i in range(0, size, 2))
            )
    return folder


def golds_of(family: str, rows: list[dict]) -> list:
    if family == "span_qa":
        return [
            {"answers": row["answers"]["text"], "context": row["context"], "group": row["context"]}
            for row in rows
        ]
    return [FAMILIES[family].gold(row) for row in rows]


def guessed(family: str, rows: list[dict], chance: random.Random) -> list:
    """A prediction a row, about half of them right."""
    golds = golds_of(family, rows)
    if family == "span_qa":
        return [
            chance.choice([row["answers"]["text"][0], row["context"][:9], "empty", "\u2028"])
            for row in rows
        ]
    if family == "tagging":
        return [[chance.choice([tag, "NOUN"]) for tag in tags] for tags in golds]
    if family == "bitext_mining":
        targets = [row["id"] for row in rows if row["side"] == "target"]
        return [
            chance.choice([pairs, [chance.choice(targets)]]) if row["side"] == "source" else []
            for row, pairs in zip(rows, golds, strict=True)
        ]
    return [chance.choice([gold, chance.choice(golds)]) for gold in golds]


def official(
    family: str, metric: str, language: str, rows: list[dict], guesses: list
) -> dict[str, float]:
    """The run's own score, from rows and predictions as the run has them."""
    numbers = METRICS[metric](golds_of(family, rows), guesses, language).metrics
    return {name: numbers[name] for name in layout_of(family).official}


def commit(store: Store, key: str, files: dict[str, str]) -> None:
    with store.workdir(key) as folder:
        write(folder, files)
        store.commit(key, folder, {})


def planned(rig, store: Store, folder: Path, suite: str) -> Plan:
    catalog = Catalog.load([folder])
    where = Where(None, rig.encoders, True)
    return make_plan(
        catalog.suite(suite), catalog, where, HashIndex(store.root / "index" / "files.json")
    )


def evaluate(store: Store, plan: Plan, arm: str, seed: int) -> dict[str, dict]:
    """Commit predictions for one arm and seed. Returns the run's own scores: XTREME's task →
    language → metric."""
    scores, chance = {}, random.Random(11)
    for cell in plan.cells:
        if (cell.arm, cell.seed) == (arm, seed):
            job = plan.jobs[cell.evaluate].body
            family, files = job["spec"]["task"]["family"], {}
            for language, dataset in job["tests"].items():
                rows = data_rows.load(dataset)
                guesses = guessed(family, rows, chance)
                answers = [
                    {"id": row["id"], "prediction": guess}
                    for row, guess in zip(rows, guesses, strict=True)
                ]
                lines = [json.dumps(answer, ensure_ascii=False) for answer in answers]
                files[f"predictions/{language}.jsonl"] = "\n".join(lines) + "\n"
                metric = XTREME[AS[cell.target]].metric
                scores.setdefault(AS[cell.target], {})[language] = official(
                    family, metric, language, rows, guesses
                )
            commit(store, cell.evaluate, files)
    return scores


@pytest.fixture(scope="module")
def hand(rig, user, tmp_path_factory) -> tuple[Path, dict]:
    """A store with evaluations of one arm and one seed, and the scores of them."""
    store = Store(tmp_path_factory.mktemp("hand-store"))
    return store.root, evaluate(store, planned(rig, store, user, "hand"), "none", 2)


def words(rig, user: Path, store: Path, *more: object) -> list[object]:
    named = [word for target, task in AS.items() for word in ("--as", f"{target}={task}")]
    return ["--specs", user, "--encoder-root", rig.encoders, "--store", store, *named, *more]


def test_a_submission_scores_as_the_run_did(rig, user, hand, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store, scores = hand
    code, said, complained = command(
        "submission", "hand", "out", *words(rig, user, store, *CHOSEN, "--labels", "gold")
    )
    assert code == 0, complained
    assert said.splitlines() == ["out: 9 files", "gold: 9 files"]
    report = json.loads(command("score", "out", "gold", "--json")[1])
    check_schema(report)
    assert report["scores"] == scores
    assert report["unanswered"] == report["not_scored"] == {}
    assert all(
        0 < number < 100
        for task in ("xnli", "tatoeba", "bucc2018")
        for n in scores[task].values()
        for number in n.values()
    )
    for task in ("pawsx", "udpos", "xquad", "tydiqa"):
        assert f"{task}: missing: no target of suite hand" in complained.splitlines()
    assert "panx: at most 20 test rows a language, as suite hand caps it" in complained
    assert "bucc2018: missing: ru, zh" in complained


def test_the_files_are_those_of_the_benchmark(rig, user, hand, tmp_path, command):
    assert (
        command("submission", "hand", tmp_path / "out", *words(rig, user, hand[0], *CHOSEN))[0] == 0
    )
    found = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    }
    both = {
        f"{task}/test-{language}.{end}"
        for task, end in (("xnli", "tsv"), ("panx", "tsv"), ("mlqa", "json"))
        for language in ("de", "en")
    }
    assert found == both | {"tatoeba/test-de.tsv", "bucc2018/test-de.tsv", "bucc2018/test-fr.tsv"}
    read = lambda name: (tmp_path / "out" / name).read_text(encoding="utf-8")  # noqa: E731
    assert set(read("xnli/test-de.tsv").split("\n")) == {"sad", "glad", ""}
    assert len(read("xnli/test-de.tsv").splitlines()) == 20
    assert len(read("panx/test-de.tsv").rstrip("\n").split("\n\n")) == 20
    assert all(line.isdigit() for line in read("tatoeba/test-de.tsv").splitlines())
    assert all(
        line.startswith("fr-") and "\ten-" in line
        for line in read("bucc2018/test-fr.tsv").splitlines()
    )
    assert len(json.loads(read("mlqa/test-en.json"))) == 20


def test_what_is_left_out_is_said(rig, user, tmp_path, command):
    """Labels that are placeholders, a leak, a search from the wrong side, rows that a copy of the
    data lacks."""
    specs = Path(shutil.copytree(user, tmp_path / "specs"))
    for name, old, new in (
        ("hand.yaml", "caps: {test: 20}\n", ""),
        ("tiny_quad.yaml", "test: {split: test", "test: {split: dev"),
        ("tiny_pairs.yaml", "metric:", "options: {direction: foreign_to_english}\nmetric:"),
        (
            "tiny_mood.yaml",
            '.jsonl"}',
            '.jsonl", numbering: {rows: 25, absent: {en: [3], de: [4]}}}',
        ),
    ):
        text = (specs / name).read_text()
        assert old in text
        (specs / name).write_text(text.replace(old, new))
    for path in specs.glob("boxes.*.test.jsonl"):
        shutil.copy(path, specs / path.name.replace("test", "dev"))
    for path in specs.glob("mood.de.test.jsonl"):
        path.write_text(path.read_text().replace('"sad"', '"glad"'))
    store = Store(tmp_path / "runs/store")
    plan = planned(rig, store, specs, "hand")
    evaluate(store, plan, "none", 2)
    (leaking,) = {
        cell.overlap for cell in plan.cells if (cell.arm, cell.target) == ("none", "tiny_tags")
    }
    overlap = {
        "leaks": {"target": {"de": 9}},
        "test_rows": {"de": 20, "en": 20},
        "shared": 0,
        "rows": {},
    }
    commit(store, leaking, {"overlap.json": json.dumps(overlap)})
    out, gold = tmp_path / "out", tmp_path / "gold"
    code, _, complained = command(
        "submission", "hand", out, *words(rig, specs, store.root, *CHOSEN, "--labels", gold)
    )
    assert code == 0, complained
    for line in (
        "xnli/test-de.tsv: 24 of the benchmark's 25 rows",
        "xnli/test-de.tsv: no real labels, so none are written",
        "panx: missing: refused, training rows stand in its test set",
        "tatoeba: missing: XTREME asks from English, the run asked from the other side",
        "mlqa: missing: ar, es, hi, vi, zh",
        "mlqa: rows of its split dev, whose answers are public, and not of test",
    ):
        assert line in complained.splitlines()
    assert "at most" not in complained
    assert {path.name for path in out.iterdir()} == {"xnli", "mlqa", "bucc2018"}
    assert (out / "xnli" / "test-de.tsv").exists() and not (gold / "xnli" / "test-de.tsv").exists()


def test_a_real_run_comes_back_too(rig, undisturbed, tmp_path, command):
    """The same over predictions that models made, held against the scores in the store."""
    targets = {
        "tiny_mood": "pawsx",
        "tiny_tags": "udpos",
        "tiny_quad": "xquad",
        "tiny_pairs": "tatoeba",
    }
    named = [word for target, task in targets.items() for word in ("--as", f"{target}={task}")]
    where = [
        "--specs",
        rig.specs,
        "--encoder-root",
        rig.encoders,
        "--store",
        undisturbed / "runs/store",
    ]
    out, gold = tmp_path / "out", tmp_path / "gold"
    code, _, complained = command(
        "submission", "tiny", out, *where, *named, "--condition", "tiny_colour", "--labels", gold
    )
    assert code == 0, complained
    report = json.loads(command("score", out, gold, "--json")[1])
    assert set(report["scores"]) == set(targets.values())
    store = Store(undisturbed / "runs/store", writable=False)
    for cell in planned(rig, store, rig.specs, "tiny").cells:
        if cell.arm == "tiny_colour":
            committed = store.read_json(cell.evaluate, "scores.json")
            task = targets[cell.target]
            names = layout_of(XTREME[task].family).official
            assert report["scores"][task] == {
                language: {name: numbers["metrics"][name] for name in names}
                for language, numbers in committed.items()
            }


MISTAKES = {
    "several conditions": (
        ["--seed", "2"],
        2,
        "suite hand has several conditions: none, mini_topic; choose one with --condition",
    ),
    "several seeds": (
        ["--condition", "none"],
        2,
        "suite hand has several seeds: 1, 2; choose one with --seed",
    ),
    "the name the option had": (["--arm", "none"], 2, "no such option; it is --condition none"),
    "an unknown condition": (
        ["--condition", "nome"],
        2,
        "--condition: suite hand has no condition 'nome'; it has none, mini_topic",
    ),
    "an unknown seed": (
        ["--condition", "none", "--seed", "3"],
        2,
        "--seed: suite hand has no seed 3; it has 1, 2",
    ),
    "an unknown encoder": (
        [*CHOSEN, "--encoder", "x"],
        2,
        "--encoder: suite hand has no encoder 'x'; it has tiny",
    ),
    "no name for it": ([*CHOSEN, "--as", "xnli"], 2, "--as xnli: write TARGET=TASK"),
    "an unknown task": (
        [*CHOSEN, "--as", "heaps=bucc"],
        2,
        "--as heaps=bucc: the benchmark has no 'bucc'",
    ),
    "a task of the other benchmark": (
        [*CHOSEN, "--benchmark", "xtreme-r", "--as", "heaps=bucc2018"],
        2,
        "--as heaps=bucc2018: the benchmark has no 'bucc2018'",
    ),
    "an unknown target": (
        [*CHOSEN, "--as", "heap=bucc2018"],
        2,
        "--as heap=bucc2018: suite hand has no target 'heap'",
    ),
    "a task twice": (
        [*CHOSEN, "--as", "heaps=xnli"],
        2,
        "--as heaps=xnli: tiny_mood is submitted as xnli already",
    ),
    "another family": (
        [*CHOSEN, "--as", "heaps=udpos"],
        2,
        "udpos is of family tagging, this target of bitext_mining",
    ),
    "nothing done yet": (
        ["--condition", "mini_topic", "--seed", "1"],
        3,
        "xnli: missing: not evaluated yet",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_writes_nothing(rig, user, hand, tmp_path, command, mistake):
    more, expected, message = MISTAKES[mistake]
    out, gold = tmp_path / "out", tmp_path / "gold"
    code, said, complained = command(
        "submission", "hand", out, *words(rig, user, hand[0], *more, "--labels", gold)
    )
    assert (code, said) == (expected, "")
    assert message in complained
    assert not out.exists() and not gold.exists()


def test_a_folder_with_something_in_it_is_left_alone(rig, user, hand, tmp_path, command):
    write(tmp_path, {"out/xnli/test-ar.tsv": "of another run\n", "file": ""})
    for out in (tmp_path / "out", tmp_path / "file"):
        code, _, complained = command(
            "submission", "hand", out, *words(rig, user, hand[0], *CHOSEN)
        )
        assert code == 2 and f"{out}: is there already and not empty" in complained
    assert [path.name for path in tmp_path.rglob("*.tsv")] == ["test-ar.tsv"]


def test_no_store_is_made_by_asking(rig, user, tmp_path, command):
    code, _, complained = command(
        "submission", "hand", tmp_path / "out", *words(rig, user, tmp_path / "none", *CHOSEN)
    )
    assert code == 74 and "no store at" in complained
    assert not list(tmp_path.iterdir())
