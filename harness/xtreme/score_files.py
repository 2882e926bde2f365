"""The files of a submission and of its labels, read: one reader a family, strict where the scores
would mislead.

A reader gives golds and predictions as the family's metric takes them, and what looks like a slip
in them. Text is UTF-8, whatever ends its lines; a byte-order mark is no part of it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.sources.text_files import read_text
from harness.spec.explain import show
from harness.xtreme import slips
from harness.xtreme.slips import FilePair, Row


class LanguageRead(NamedTuple):
    """One language: golds and predictions as its metric takes them, and a line for each thing that
    looks like a slip."""

    golds: Any
    guesses: Any
    slips: list[str]


Known = Callable[[], set[str]]  # the labels of all languages of a task; read when asked for


def read_lines(path: Path) -> list[str]:
    """Stripped lines. Only a newline ends a line: `splitlines` would also cut at U+2028 and the
    like."""
    lines = read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def label_files(files: FilePair, known: Known) -> LanguageRead:
    """A label a line."""
    golds, guesses = _equal_lines(files)
    return LanguageRead(golds, guesses, slips.labels(files, _rows(golds, guesses), known))


def row_number_files(files: FilePair, _: Known) -> LanguageRead:
    """The number of a row a line."""
    golds, guesses = _equal_lines(files)
    return LanguageRead(
        golds, guesses, slips.row_numbers(files, _rows(golds, guesses)) if golds else []
    )


def _equal_lines(files: FilePair) -> tuple[list[str], list[str]]:
    golds, guesses = read_lines(files.labels), read_lines(files.predictions)
    if len(golds) != len(guesses):
        line = min(len(golds), len(guesses)) + 1
        raise _unequal(files, len(golds), len(guesses), line, slips.why_unequal(golds, guesses))
    return golds, guesses


def _rows(golds: list[str], guesses: list[str]) -> list[Row]:
    return [Row(line, *both) for line, both in enumerate(zip(golds, guesses, strict=True), 1)]


def _unequal(files: FilePair, golds: int, guesses: int, line: int, why: str = "") -> SpecError:
    return SpecError(
        f"{files.predictions}:{line}: {guesses} lines, but {files.labels} has {golds}, and they"
        f" part at line {line}; write one prediction a line, in the order of the labels, with no"
        f" blank line too many{why}"
    )


def tag_files(files: FilePair, known: Known) -> LanguageRead:
    """A tag a line, a blank line between sentences.

    seqeval strings all tags together, so a sentence of another length would shift what follows it.
    """
    golds, guesses = (
        lines[:-1] if lines and not lines[-1] else lines
        for lines in (read_lines(files.labels), read_lines(files.predictions))
    )
    for line, (gold, guess) in enumerate(zip_longest(golds, guesses), 1):
        if gold is not None and guess is not None and bool(gold) == bool(guess):
            continue
        if len(golds) != len(guesses):
            raise _unequal(files, len(golds), len(guesses), line)
        at = f"{files.predictions}:{line}"
        if gold:
            raise SpecError(
                f"{at}: an empty tag, where {files.labels} has {show(gold)}; a blank line ends a"
                " sentence"
            )
        raise SpecError(
            f"{at}: tag {show(guess)}, where {files.labels} ends a sentence; leave that line blank"
        )
    tagged = [row for row in _rows(golds, guesses) if row.gold]
    return LanguageRead(
        _sentences(golds), _sentences(guesses), slips.labels(files, tagged, known, "tag")
    )


def _sentences(lines: list[str]) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for line in lines:
        if line:
            sentences[-1].append(line)
        else:
            sentences.append([])
    return sentences


def pair_files(files: FilePair, _: Known) -> LanguageRead:
    """A pair of ids a line, in any order."""
    golds, guesses = _pairs(files.labels), _pairs(files.predictions)
    return LanguageRead(golds, guesses, slips.pairs(files, golds, guesses) if golds else [])


def _pairs(path: Path) -> list[slips.Pair]:
    found = []
    for number, line in enumerate(read_lines(path), 1):
        source, _, target = line.partition("\t")
        if not source or not target or "\t" in target:
            raise SpecError(
                f"{path}:{number}: {show(line)} is no pair; write SOURCE-ID TAB TARGET-ID"
            )
        found.append((source, target))
    return found


def answer_files(files: FilePair, _: Known) -> LanguageRead:
    """Golds as `metrics.squad` takes them, in file order, and the answer to each or None. Other
    answers are not read."""
    (questions, text, gold_twice), (found, answers_text, twice) = (
        _json(files.labels),
        _json(files.predictions),
    )
    given = _answers(files.predictions, found, answers_text)
    try:
        golds = list(_golds(files.labels, questions, text))
    except (KeyError, TypeError, IndexError) as error:
        raise SpecError(
            f"{files.labels}:1: not SQuAD's layout (data, paragraphs, qas, id, answers, text):"
            f" {error!r}"
        ) from None
    ids = [id_ for id_, _ in golds]
    seen = [*gold_twice, *twice, *(slips.answers(files, given, ids) if ids else [])]
    return LanguageRead([gold for _, gold in golds], [given.get(id_) for id_ in ids], seen)


def choice_files(files: FilePair, _: Known) -> LanguageRead:
    """The number of a choice a line, as JSON: {"label": 0}."""
    right, found = _equal_lines(files)
    golds, guesses = _choices(files.labels, right), _choices(files.predictions, found)
    _same_rows(files, right, found)
    rows = _rows(golds, guesses)
    return LanguageRead(golds, guesses, slips.labels(files, rows, lambda: set(golds)))


def _choices(path: Path, lines: list[str]) -> list[str]:
    found = []
    for number, line in enumerate(lines, 1):
        try:
            choice = json.loads(line)["label"]
        except (ValueError, TypeError, KeyError, RecursionError):
            choice = None
        if type(choice) is not int:
            raise SpecError(f'{path}:{number}: {show(line)} is no choice; write {{"label": 0}}')
        found.append(str(choice))
    return found


def _same_rows(files: FilePair, right: list[str], found: list[str]) -> None:
    """SpecError where both lines say which row they are, as XCOPA's own do, and not the same."""
    for line, both in enumerate(zip(right, found, strict=True), 1):
        gold, guess = (json.loads(text).get("idx") for text in both)
        if None not in (gold, guess) and str(gold) != str(guess):
            raise SpecError(
                f"{files.predictions}:{line}: idx {show(guess)}, where {files.labels} has idx"
                f" {show(gold)}; write one prediction a line, in the order of the labels"
            )


def ranking_files(files: FilePair, _: Known) -> LanguageRead:
    """The right candidate of each query, and the candidates that were found for it or None."""
    (right, text, gold_twice), (found, found_text, twice) = (
        _json(files.labels),
        _json(files.predictions),
    )
    golds = _rankings(files.labels, right, text)
    given = _rankings(files.predictions, found, found_text)
    for id_, gold in golds.items():
        if len(gold) != 1:
            at = f"{files.labels}:{_line_of(id_, text)}"
            raise SpecError(f"{at}: {show(id_)} has {len(gold)} right ones; one is right")
    shown = {id_: " ".join(ids) for id_, ids in given.items()}
    seen = [*gold_twice, *twice, *(slips.answers(files, shown, list(golds)) if golds else [])]
    seen += slips.rankings(files, golds, given) if golds else []
    return LanguageRead(list(golds.values()), [given.get(id_) for id_ in golds], seen)


def _rankings(path: Path, found: Any, text: str) -> dict[str, list[str]]:
    """Query id → ids of candidates."""
    if not isinstance(found, dict):
        raise SpecError(f"{path}:1: must be one JSON object, query id → ids of candidates")
    for id_, ids in found.items():
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise SpecError(
                f"{path}:{_line_of(id_, text)}: {show(id_)} must have a list of ids as strings"
            )
    return found


def _json(path: Path) -> tuple[Any, str, list[str]]:
    """(what the file says, its text, a line if an object in it has a key twice). Of equal keys the
    last one counts."""
    text = read_text(path)
    twice: Counter[str] = Counter()

    def last(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            twice.update(key for key, count in counts.items() if count > 1)
        return found

    try:
        found = json.loads(text, object_pairs_hook=last)
    except json.JSONDecodeError as error:
        what = error.msg if text.strip() else "the file is empty"
        raise SpecError(f"{path}:{error.lineno}:{error.colno}: not valid JSON: {what}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise SpecError(f"{path}:1: not a file of answers: {error}") from None
    return found, text, slips.keys_twice(path, twice)


def _answers(path: Path, found: Any, text: str) -> dict[str, str]:
    """Question id → answer, also under `data`, where evaluate.py looks for it first."""
    if isinstance(found, dict) and isinstance(found.get("data"), dict):
        found = found["data"]
    if not isinstance(found, dict):
        raise SpecError(f"{path}:1: must be one JSON object, question id → answer")
    for id_, answer in found.items():
        if not isinstance(answer, str):
            kind = "nothing" if answer is None else show(answer)
            raise SpecError(
                f"{path}:{_line_of(id_, text)}: the answer to {show(id_)} must be a string, not"
                f" {kind}"
            )
    return found


def _golds(path: Path, questions: Any, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, gold) of each question. KeyError, TypeError or IndexError: not SQuAD's layout."""
    for article in questions.get("data", questions) if isinstance(questions, dict) else questions:
        for paragraph in article["paragraphs"]:
            context = str(paragraph["context"])
            for question in paragraph["qas"]:
                id_, texts = question["id"], [answer["text"] for answer in question["answers"]]
                if wrong := _wrong(id_, texts):
                    raise SpecError(f"{path}:{_line_of(id_, text)}: question {show(id_)}: {wrong}")
                yield id_, {"answers": texts, "context": context, "group": context}


def _wrong(id_: Any, texts: list[Any]) -> str:
    """Why a question cannot be scored; empty if it can."""
    if not isinstance(id_, str):
        return "its id must be a string, as the ids of predictions are"
    if not texts:
        return "no gold answer, so it cannot be scored; leave it out"
    odd = [one for one in texts if not isinstance(one, str)]
    return f"an answer must be a string, not {show(odd[0])}" if odd else ""


def _line_of(id_: Any, text: str) -> int:
    """The line on which a string first stands in a JSON text; 1 if it is written in another way."""
    places = [text.find(json.dumps(id_, ensure_ascii=ascii_)) for ascii_ in (False, True)]
    return text.count("\n", 0, max(*places, 0)) + 1
