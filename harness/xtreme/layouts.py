"""What XTREME's files of each kind of answer look like: how they are read and written, and what the
official script says of them. A family names its own (`Family.layout`).

labels       the label of each row
tags         a tag a line, a blank line between sentences
answers      JSON: question id → answer; the labels in SQuAD's own layout
pairs        source id TAB target id
choices      JSON, a line a row: the number of the right one
rankings     JSON: query id → ids of candidates, the best first; labels: of the right one
row numbers  the number of each answer's row; XTREME sorts the English side by code point before it
             asks, and a line of the file is a line of that order (utils_preprocess.py,
             evaluate_retrieval.py)
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.metrics.mining import pair_f1
from harness.xtreme.score_files import (
    Known,
    LanguageRead,
    answer_files,
    choice_files,
    label_files,
    pair_files,
    ranking_files,
    row_number_files,
    tag_files,
)
from harness.xtreme.slips import FilePair

Line = dict[str, Any]  # a row of the data, or a line of the predictions of one: each has `id`
Write = Callable[[list[Line], list[Any], str], str]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One kind of file.

    official      the metrics that evaluate.py reports, the task's score first; ours know more
    read          a language's two files → golds and predictions as the family's metric takes them
    write         (rows, one answer a row, the file's name for a message) → text of a file
    write_labels  (rows, golds, name) → text of a file of labels; None: as predictions are written
    ending        of the file's name
    numbers       the official metrics of what was read; None: the task's own metric has them
    mean          several metrics are one score by their mean
    needs_rows    predictions are written in an order that the rows decide
    """

    official: tuple[str, ...]
    read: Callable[[FilePair, Known], LanguageRead]
    write: Write
    write_labels: Write | None = None
    ending: str = "tsv"
    numbers: Callable[[Any, Any], dict[str, float]] | None = None
    mean: bool = False
    needs_rows: bool = False

    def task_score(self, average: Mapping[str, float]) -> float:
        """The task's score, from the averages of its official metrics."""
        counted = self.official if self.mean else self.official[:1]
        return sum(average[name] for name in counted) / len(counted)


def layout_of(family: str) -> Layout:
    """The layout of a family's files; of a family of XTREME."""
    name = FAMILIES[family].layout
    assert name is not None, f"XTREME has no task of family {family}"
    return LAYOUTS[name]


def _a_line_each(rows: list[Line], answers: list[str], name: str) -> str:
    return _lines(answers, name)


def _sentences(rows: list[Line], answers: list[list[str]], name: str) -> str:
    sentences = [_lines(tags, name) for tags in answers]
    # a last sentence of no words is a blank line too
    return "\n".join(sentences) + ("" if sentences[-1] else "\n")


def _by_id(rows: list[Line], answers: list[str | None], name: str) -> str:
    by_id = {row["id"]: answer for row, answer in zip(rows, answers, strict=True)}
    return json.dumps(by_id, indent=1, ensure_ascii=False) + "\n"


def _pairs(rows: list[Line], answers: list[list[str]], name: str) -> str:
    pairs: list[str] = []
    for row, partners in zip(rows, answers, strict=True):
        pairs += [f"{row['id']}\t{partner}" for partner in partners]
    return _lines(pairs, name)


def _in_english_order(rows: list[Line], answers: list[str], name: str) -> str:
    # of equal sentences, the first stays first
    order = sorted(range(len(rows)), key=lambda i: str(rows[i]["target"]).strip())
    return _lines([answers[i] for i in order], name)


def _lines(texts: Iterable[str], name: str) -> str:
    return "".join(_line(text, name) for text in texts)


def _line(text: str, name: str) -> str:
    odd = text.startswith("\ufeff") or {"\n", "\r", "\0"} & set(text)
    if not text or text != text.strip() or odd:
        raise SpecError(
            f"{name}: {text!r} cannot stand on a line of its own; give the label another name in"
            " the task's `labels:`"
        )
    return f"{text}\n"


def _choices(rows: list[Line], answers: list[str], name: str) -> str:
    if odd := [answer for answer in answers if not answer.isdecimal()]:
        raise SpecError(f"{name}: choice {odd[0]!r} is no number; name the labels 0, 1, ...")
    return "".join(f'{{"label": {int(answer)}}}\n' for answer in answers)


def _map_at_20(golds: list[list[str]], guesses: list[list[str] | None]) -> dict[str, float]:
    return METRICS["map_at_20"](golds, [guess or [] for guess in guesses], "").metrics


def _squad_layout(rows: list[Line], golds: list[Any], name: str) -> str:
    """Questions with their answers under their contexts, in the layout of SQuAD 1.1."""
    paragraphs: list[dict[str, Any]] = []
    for row in rows:
        if not paragraphs or paragraphs[-1]["context"] != row["context"]:
            paragraphs.append({"context": row["context"], "qas": []})
        said = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in said]
        paragraphs[-1]["qas"].append(
            {"id": row["id"], "question": row["question"], "answers": answers}
        )
    whole = {"version": "1.1", "data": [{"paragraphs": paragraphs}]}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


LAYOUTS: dict[str, Layout] = {
    "labels": Layout(official=("accuracy",), read=label_files, write=_a_line_each),
    "tags": Layout(official=("f1", "precision", "recall"), read=tag_files, write=_sentences),
    "answers": Layout(
        official=("exact_match", "f1"),
        read=answer_files,
        write=_by_id,
        write_labels=_squad_layout,
        ending="json",
        mean=True,
    ),
    "pairs": Layout(
        official=("f1", "precision", "recall"), read=pair_files, write=_pairs, numbers=pair_f1
    ),
    "choices": Layout(official=("accuracy",), read=choice_files, write=_choices, ending="jsonl"),
    "rankings": Layout(
        official=("map@20",), read=ranking_files, write=_by_id, ending="json", numbers=_map_at_20
    ),
    "row numbers": Layout(
        official=("accuracy",), read=row_number_files, write=_in_english_order, needs_rows=True
    ),
}
