"""SQuAD's own JSON (rajpurkar.github.io/SQuAD-explorer, versions 1.1 and 2.0), in which XQuAD, MLQA
and many others come:

{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
"answer_start"}]}]}]}]}
"""

from collections.abc import Iterator
from pathlib import Path

from harness.common.errors import SpecError


def is_squad(articles: list) -> bool:
    """Whether these are articles, and not rows."""
    return any(isinstance(article, dict) and "paragraphs" in article for article in articles)


def questions(path: Path, articles: list) -> Iterator[dict]:
    """A row a question, as the hub has them: id, title, context, question, answers {text: [...],
    answer_start: [...]}; of version 2.0 also is_impossible, and no answers then. Its
    `plausible_answers` are wrong ones and not read.

    raises  SpecError naming the place: a field that is missing, or an answer to a question that has
            none
    """
    for a, article in enumerate(articles):
        for p, paragraph in enumerate(_list(path, article, "paragraphs", f"data[{a}]")):
            for q, question in enumerate(
                _list(path, paragraph, "qas", f"data[{a}].paragraphs[{p}]")
            ):
                at = f"data[{a}].paragraphs[{p}].qas[{q}]"
                yield {
                    "id": _field(path, question, "id", at),
                    "title": article.get("title"),
                    "context": _field(path, paragraph, "context", at.rpartition(".")[0]),
                    "question": _field(path, question, "question", at),
                    **_answers(path, question, at),
                }


def _answers(path: Path, question: dict, at: str) -> dict:
    answers = _list(path, question, "answers", at)
    said = {"is_impossible": question["is_impossible"]} if "is_impossible" in question else {}
    if said.get("is_impossible") and answers:
        raise SpecError(f"{path}: {at} has is_impossible and answers; it is one or the other")
    names = ("text", "answer_start")
    columns = {
        n: [_field(path, one, n, f"{at}.answers[{i}]") for i, one in enumerate(answers)]
        for n in names
    }
    return {"answers": columns, **said}


def _field(path: Path, record: object, name: str, at: str):
    if not isinstance(record, dict) or name not in record:
        raise SpecError(
            f"{path}: {at} has no {name!r}, in SQuAD's layout (data, paragraphs, qas, answers)"
        )
    return record[name]


def _list(path: Path, record: object, name: str, at: str) -> list:
    found = _field(path, record, name, at)
    if not isinstance(found, list):
        raise SpecError(
            f"{path}: {at}.{name} must be a list, in SQuAD's layout (data, paragraphs, qas,"
            " answers)"
        )
    return found
