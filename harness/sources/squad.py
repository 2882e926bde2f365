"""SQuAD's own JSON (rajpurkar.github.io/SQuAD-explorer, versions 1.1 and 2.0), in which XQuAD, MLQA
and many others come:

{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}]}]}]}]}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.common.errors import SpecError
from harness.sources.text_files import RawRow


def is_squad(articles: list[Any]) -> bool:
    """Whether these are articles, and not rows."""
    return any(isinstance(article, dict) and "paragraphs" in article for article in articles)


def questions(path: Path, articles: list[Any]) -> Iterator[RawRow]:
    """A row a question, as the hub has them: id, title, context, question, answers {text: [...],
    answer_start: [...]}; of version 2.0 also is_impossible, and no answers then. Its
    `plausible_answers` are wrong ones and not read. Of XQuAD-R also the paragraph's sentence_breaks
    and its number in the file, from 1.

    raises  SpecError naming the place: a field that is missing, or an answer to a question that has
            none
    """
    number = 0
    for a, article in enumerate(articles):
        for p, paragraph in enumerate(_list(path, article, "paragraphs", f"data[{a}]")):
            of_paragraph = f"data[{a}].paragraphs[{p}]"
            number += 1
            breaks = {}
            if "sentence_breaks" in paragraph:
                breaks = {"sentence_breaks": paragraph["sentence_breaks"], "paragraph": number}
            for q, question in enumerate(_list(path, paragraph, "qas", of_paragraph)):
                at = f"{of_paragraph}.qas[{q}]"
                yield {
                    "id": _field(path, question, "id", at),
                    "title": article.get("title"),
                    "context": _field(path, paragraph, "context", of_paragraph),
                    "question": _field(path, question, "question", at),
                    **_answers(path, question, at),
                    **breaks,
                }


def _answers(path: Path, question: RawRow, at: str) -> RawRow:
    answers = _list(path, question, "answers", at)
    said = {"is_impossible": question["is_impossible"]} if "is_impossible" in question else {}
    if said.get("is_impossible") and answers:
        raise SpecError(f"{path}: {at} has is_impossible and answers; it is one or the other")
    columns: dict[str, list[Any]] = {"text": [], "answer_start": []}
    for name, values in columns.items():
        for i, answer in enumerate(answers):
            values.append(_field(path, answer, name, f"{at}.answers[{i}]"))
    return {"answers": columns, **said}


def _field(path: Path, record: object, name: str, at: str) -> Any:
    if not isinstance(record, dict) or name not in record:
        raise SpecError(
            f"{path}: {at} has no {name!r}, in SQuAD's layout (data, paragraphs, qas, answers)"
        )
    return record[name]


def _list(path: Path, record: object, name: str, at: str) -> list[Any]:
    found = _field(path, record, name, at)
    if not isinstance(found, list):
        raise SpecError(
            f"{path}: {at}.{name} must be a list, in SQuAD's layout (data, paragraphs, qas,"
            " answers)"
        )
    return found
