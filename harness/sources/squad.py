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
    `plausible_answers` are wrong ones and not read.

    raises  SpecError naming the place: a field that is missing, or an answer to a question that has
            none
    """
    for _, paragraph in paragraphs(path, articles):
        yield from paragraph["questions"]


def paragraphs(path: Path, articles: list[Any]) -> Iterator[tuple[str, RawRow]]:
    """Each paragraph with its place, those without a question too: {context, questions: the rows
    above}; of XQuAD-R also sentence_breaks."""
    for a, article in enumerate(articles):
        for p, paragraph in enumerate(_list(path, article, "paragraphs", f"data[{a}]")):
            at = f"data[{a}].paragraphs[{p}]"
            context = _field(path, paragraph, "context", at)
            shared = {"title": article.get("title"), "context": context}
            asked = []
            for q, question in enumerate(_list(path, paragraph, "qas", at)):
                of_question = f"{at}.qas[{q}]"
                asked.append(
                    {
                        "id": _field(path, question, "id", of_question),
                        **shared,
                        "question": _field(path, question, "question", of_question),
                        **_answers(path, question, of_question),
                    }
                )
            yield at, {**paragraph, "questions": asked}


def _answers(path: Path, question: RawRow, at: str) -> RawRow:
    said = {"is_impossible": question["is_impossible"]} if "is_impossible" in question else {}
    answers = _list(path, question, "answers", at)
    columns: dict[str, list[Any]] = {"text": [], "answer_start": []}
    for name, values in columns.items():
        for i, answer in enumerate(answers):
            values.append(_field(path, answer, name, f"{at}.answers[{i}]"))
    if said.get("is_impossible"):
        # some write one empty answer for "there is none"
        if any(str(answer).strip() for answer in columns["text"]):
            raise SpecError(f"{path}: {at} has is_impossible and answers; it is one or the other")
        columns = {"text": [], "answer_start": []}
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
