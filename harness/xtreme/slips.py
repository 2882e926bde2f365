"""What looks like a slip in predictions that are scored all the same, or in the labels they are
scored with.

The official scorer gives such a file a number, often a low one, and says nothing; so the number
stays as it is and a line stands beside it. Each function takes one language's files as they were
read, and returns such lines.
"""

import codecs
import filecmp
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from harness.metrics.precision import map_at_20
from harness.spec.explain import nearest, show

FEW = 10  # rows; below it one and the same answer everywhere is no surprise
# rows that another way of counting must get right before it is named; fewer in a file of few rows
HITS = 5
ALIKE = 100  # rows; two languages may well be answered alike in fewer
MANY_NAMES = 6  # labels; of more, no exchange is looked for
SHOWN = 3  # of many alike; the others are only counted
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_NUMBER = re.compile(r"[-+]?[0-9]+([.][0-9]*)?")
_ROW_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


class FilePair(NamedTuple):
    """The two files of one language."""

    predictions: Path
    labels: Path


class Row(NamedTuple):
    """What stands on one line of both files."""

    line: int
    gold: str
    guess: str


Pair = tuple[str, str]  # ids of the foreign and of the English sentence


def labels(
    files: FilePair, rows: list[Row], known: Callable[[], set[str]], noun: str = "label"
) -> list[str]:
    """Slips in labels, or in tags with the lines between sentences left out.

    known  the labels of all languages of the task; asked only where a prediction is no label of
           this one
    noun   "label": one that occurs nowhere is wrong for sure. "tag": the metric may still find its
           type in it
    """
    golds = {row.gold for row in rows}
    found = _odd_labels(files.labels, rows)
    strange = {row.guess for row in rows} - golds
    # a label of another language may be predicted, though no row of this one has it
    if strange and (strange := strange - (names := known() - {""})):
        wrong = [row for row in rows if row.guess in strange]
        counts = Counter(row.guess for row in wrong)
        so = ", so each counts as wrong" if noun == "label" else ""
        found.append(
            f"{files.predictions}:{wrong[0].line}: {len(wrong)} of {len(rows)} {noun}s occur in no"
            f" labels file of this task{so}: {_listed(counts, lambda label: _meant(label, names))}"
        )
    if noun == "label":
        found += _misplaced(files, [row.gold for row in rows], [row.guess for row in rows])
    return found + _constant(files, rows, noun)


def _misplaced(files: FilePair, golds: list[str], guesses: list[str]) -> list[str]:
    """Another order of the lines, or of the labels' names, in which far more predictions would be
    right."""
    if len(golds) < FEW or not set(guesses) <= set(golds):
        return []
    ways = {
        "if the lines stood in reverse": guesses[::-1],
        "if each line stood one earlier": guesses[1:] + guesses[:1],
        "if each line stood one later": guesses[-1:] + guesses[:-1],
    }
    names = _best_names(golds, guesses)
    if exchanged := [f"{show(said)} were {show(name)}" for said, name in names if said != name]:
        meant = dict(names)
        ways[f"if {' and '.join(exchanged)}"] = [meant[guess] for guess in guesses]

    way, best = max(ways.items(), key=lambda item: _beyond_luck(golds, item[1]))
    # a quarter of all rows: what a poor model confuses is far less
    least = max(len(golds) / 4, 3 * math.sqrt(len(golds)))
    if _beyond_luck(golds, best) - _beyond_luck(golds, guesses) < least:
        return []
    right, hits = _equal(golds, guesses), _equal(golds, best)
    return [
        f"{files.predictions}: {right} of {len(golds)} labels are right, but {hits} would be {way}"
    ]


def _best_names(golds: list[str], guesses: list[str]) -> list[tuple[str, str]]:
    """(predicted label, the one that it should be called, most predictions to be right)."""
    names = sorted(set(golds))
    if len(names) > MANY_NAMES:
        return []
    both = Counter(zip(guesses, golds, strict=True))
    ways = (list(zip(names, order, strict=True)) for order in permutations(names))
    return max(ways, key=lambda way: sum(both[pair] for pair in way))


def _equal(golds: Sequence[str], guesses: Sequence[str]) -> int:
    return sum(gold == guess for gold, guess in zip(golds, guesses, strict=True))


def _beyond_luck(golds: list[str], guesses: list[str]) -> float:
    """How many are right beyond what labels of the same frequencies, dealt out blindly, would
    be."""
    often = Counter(guesses)
    by_luck = sum(count * often[name] for name, count in Counter(golds).items()) / len(golds)
    return _equal(golds, guesses) - by_luck


def _odd_labels(path: Path, rows: list[Row]) -> list[str]:
    """Slips in the gold labels: a column too many, blank lines, one label in two spellings."""
    found = []
    if wide := [row for row in rows if "\t" in row.gold]:
        found.append(
            f"{path}:{wide[0].line}: {_lines(len(wide))} with a tab in it, so with a column too"
            " many; the whole line is taken as the label"
        )
    if blank := [row for row in rows if not row.gold]:
        found.append(
            f"{path}:{blank[0].line}: {_lines(len(blank))} without a label; a blank prediction"
            " counts as right there"
        )
    first: dict[str, Row] = {}
    for row in {row.gold: row for row in reversed(rows)}.values():
        other = first.setdefault(_plain(row.gold), row)
        if other is not row:
            two = sorted([other, row])
            found.append(
                f"{path}:{two[1].line}: label {show(two[1].gold)} counts as another one than"
                f" {show(two[0].gold)} in line {two[0].line}"
            )
    return found


def row_numbers(files: FilePair, rows: list[Row]) -> list[str]:
    """Slips in the row numbers of Tatoeba: no numbers, beyond the last row, counted or ordered in
    another way."""
    if odd := [row for row in rows if not _ROW_NUMBER.fullmatch(row.gold)]:
        what = show(odd[0].gold)
        return [
            f"{files.labels}:{odd[0].line}: {what} is no row number; labels are numbers such as 0"
            " or 17"
        ]
    found = []
    # else the labels are of some rows only, and a higher number may be right
    whole = {int(row.gold) for row in rows} == set(range(len(rows)))
    if odd := [row for row in rows if not _ROW_NUMBER.fullmatch(row.guess)]:
        found.append(
            f"{files.predictions}:{odd[0].line}: {_lines(len(odd))} without a row number, written"
            " as in the labels (0, 17), so each counts as wrong:"
            f" {_listed(Counter(row.guess for row in odd))}"
        )
    numbered = [row for row in rows if _ROW_NUMBER.fullmatch(row.guess)]
    beyond = [row for row in numbered if int(row.guess) >= len(rows)]
    if whole and beyond:
        found.append(
            f"{files.predictions}:{beyond[0].line}: {_lines(len(beyond))} with a number above the"
            f" last row, {len(rows) - 1} (counted from 0):"
            f" {_listed(Counter(row.guess for row in beyond))}"
        )
    return found + _miscounted(files, rows) + _constant(files, rows, "row number")


def _miscounted(files: FilePair, rows: list[Row]) -> list[str]:
    """Ways to count or to order the rows in which far more predictions would be right."""
    pairs = []
    for line, row in enumerate(rows):
        if _ROW_NUMBER.fullmatch(row.guess):
            pairs.append((line, int(row.gold), int(row.guess)))

    right = sum(gold == guess for _, gold, guess in pairs)
    ways = {
        "if rows were counted from 1": sum(gold == guess - 1 for _, gold, guess in pairs),
        "if each number were one more": sum(gold == guess + 1 for _, gold, guess in pairs),
        "if the English side were left unsorted": sum(line == guess for line, _, guess in pairs),
    }
    way, hits = max(ways.items(), key=lambda item: item[1])
    # by luck alone a few rows would be right in any way of counting
    if hits < max(2, min(HITS, len(rows) // 2)) or hits <= 2 * right:
        return []
    return [
        f"{files.predictions}: {right} of {len(rows)} row numbers are right, but {hits} would be"
        f" {way}; rows count from 0, and line i answers the i-th English sentence by code point"
    ]


def pairs(files: FilePair, golds: list[Pair], guesses: list[Pair]) -> list[str]:
    """Slips in pairs of ids: none at all, twice, swapped columns, ids written in another way or of
    another kind."""
    if not guesses:
        return [f"{files.predictions}: the file is empty; with no pair predicted the score is 0"]
    found = [*_twice(files.labels, golds), *_twice(files.predictions, guesses)]
    gold, guess = set(golds), set(guesses)
    right = len(gold & guess)
    swapped = {(second, first) for first, second in guess}
    plain = set(map(_plain_pair, gold)) & set(map(_plain_pair, guess))
    ways = {
        "with the columns swapped": len(gold & swapped),
        f"with ids written as in the labels, {show(golds[0][0])}": len(plain),
    }
    way, hits = max(ways.items(), key=lambda item: item[1])
    if hits > right:
        found.append(
            f"{files.predictions}: {right} of {len(golds)} pairs are found, but {hits} would be"
            f" {way}"
        )
        return found
    for side, name in enumerate(("first", "second")):
        kinds = {_kind(pair[side]) for pair in golds}
        ids = [pair[side] for pair in guesses]
        strange = [id_ for id_ in ids if _kind(id_) not in kinds]
        if strange:
            line = ids.index(strange[0]) + 1
            found.append(
                f"{files.predictions}:{line}: {_some(len(strange), 'pair')} whose {name}"
                f" id is of another kind than in the labels, {show(golds[0][side])}:"
                f" {_listed(Counter(strange))}"
            )
    return found


def _twice(path: Path, found: list[Pair]) -> list[str]:
    seen: set[Pair] = set()
    again = []
    for line, pair in enumerate(found, 1):
        if pair in seen:
            again.append(line)
        seen.add(pair)
    if not again:
        return []
    what = f"{_lines(len(again))} with a pair that stands there twice; it counts once"
    return [f"{path}:{again[0]}: {what}"]


def answers(files: FilePair, given: dict[str, str], ids: Collection[str]) -> list[str]:
    """Slips in answers: none, empty, to questions that are not asked.

    given  the answer to each question id; ids: of the labels, in their order
    """
    found = []
    asked = set(ids)
    known = [id_ for id_ in given if id_ in asked]
    if not given:
        found.append(f"{files.predictions}: the file has no answer, so the score is 0")
    elif not known:
        found.append(
            f"{files.predictions}: no answer is to a question of {files.labels}: ids there are such"
            f" as {show(next(iter(ids)))}, here such as {show(next(iter(given)))}"
        )
    elif strange := [id_ for id_ in given if id_ not in asked]:
        listed = _listed(Counter(strange))
        found.append(
            f"{files.predictions}: {_some(len(strange), 'answer')} to no question of the labels,"
            f" not read: {listed}"
        )
    if empty := [id_ for id_ in known if not given[id_].strip()]:
        found.append(
            f"{files.predictions}: {len(empty)} of {len(known)} answers are empty:"
            f" {_listed(Counter(empty))}"
        )
    elif len(known) >= FEW and len({given[id_] for id_ in known}) == 1:
        found.append(f"{files.predictions}: every answer is {show(given[known[0]])}")
    if repeated := {id_: n for id_, n in Counter(ids).items() if n > 1}:
        found.append(
            f"{files.labels}: {_some(len(repeated), 'question id')} twice or more, each question"
            f" scored with the one answer: {_listed(Counter(repeated))}"
        )
    return found


def rankings(
    files: FilePair, golds: Mapping[str, list[str]], given: Mapping[str, list[str]]
) -> list[str]:
    """Slips in the candidates of queries: one that a query has twice, the best one last."""
    found = []
    if twice := [id_ for id_, ids in given.items() if len(set(ids)) < len(ids)]:
        found.append(
            f"{files.predictions}: {_some(len(twice), 'list')} with a candidate twice, of which"
            f" each takes a place: {_listed(Counter(twice))}"
        )
    right_ones = list(golds.values())
    lists = [given.get(id_, []) for id_ in golds]
    right = map_at_20(right_ones, lists).metrics["map@20"]
    turned = map_at_20(right_ones, [ids[::-1] for ids in lists]).metrics["map@20"]
    if len(lists) >= FEW and turned > 2 * right:
        found.append(
            f"{files.predictions}: map@20 is {right:.1f}, but would be {turned:.1f} with each list"
            " in reverse; the best candidate stands first"
        )
    return found


def keys_twice(path: Path, keys: Counter[str]) -> list[str]:
    """A line about keys that one JSON object has more than once."""
    if not keys:
        return []
    return [
        f"{path}: {_some(len(keys), 'key')} twice in one object, of which the last counts:"
        f" {_listed(keys)}"
    ]


def like_another(
    files: FilePair, others: Iterable[FilePair], guesses: Sequence[object]
) -> list[str]:
    """A line if the predictions are those of another language of the task, byte for byte: what a
    loop leaves that wrote one language's for all."""
    if len(guesses) < ALIKE or len(set(map(str, guesses))) == 1:
        return []
    for other in others:
        if filecmp.cmp(files.predictions, other.predictions, shallow=False):
            return [f"{files.predictions}: the same predictions as in {other.predictions.name}"]
    return []


def of_bytes(files: FilePair) -> list[str]:
    """Slips in the files as such: one file for both sides, a byte-order mark."""
    found = []
    if files.predictions.samefile(files.labels):
        found.append(
            f"{files.predictions}: the predictions are the labels themselves: {files.labels} is the"
            " same file"
        )
    for path in files:
        with path.open("rb") as file:
            if file.read(3) == codecs.BOM_UTF8:
                found.append(
                    f"{path}:1: starts with a byte-order mark, which is not read; evaluate.py would"
                    " read it"
                )
    return found


def _constant(files: FilePair, rows: list[Row], noun: str) -> list[str]:
    """One and the same answer on all lines: what a script writes where labels are hidden, or a
    model that broke down."""
    found = []
    golds, guesses = {row.gold for row in rows}, {row.guess for row in rows}
    for path, values in ((files.labels, golds), (files.predictions, guesses)):
        # blank lines have a message of their own
        if len(rows) >= FEW and len(values) == 1 and (value := values.pop()):
            found.append(f"{path}: every {noun} is {show(value)}")
    return found


def _meant(label: str, known: set[str]) -> str:
    """Why a label is none of the known ones, and which of them it may be."""
    plain = {_plain(name): name for name in sorted(known)}
    if not label:
        return "a blank line"
    if (name := plain.get(_plain(label))) is not None:
        return f"written otherwise than {show(name)}"
    columns = re.split(r"[\t ,;|]+", label)
    parts = [part for part in columns if part in known or _plain(part) in plain]
    if parts:
        return f"a column too many beside {show(parts[0])}"
    if _NUMBER.fullmatch(label) and not any(map(_NUMBER.fullmatch, known)):
        return "a number, where labels are names" + nearest(label, sorted(known))
    return nearest(label, sorted(known)).removeprefix("; ")


def _plain(text: str) -> str:
    """A text without what the eye may miss: case, quotes, blanks, look-alikes, characters that do
    not show."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = [c for c in folded if not c.isspace() and unicodedata.category(c) != "Cf"]
    # a text of nothing else is told by what it is
    return "".join(c for c in seen if c not in _QUOTES) or text


def _plain_pair(pair: Pair) -> tuple[str, ...]:
    """A pair whose ids are plain and whose numbers have no zeros before them."""
    return tuple(re.sub(r"(?<![0-9])0+(?=[0-9])", "", _plain(id_)) for id_ in pair)


def _kind(id_: str) -> str:
    """An id without its numbers: `de-` of de-000413461."""
    return re.sub(r"[0-9]+", "", id_)


def _listed(counts: Counter[str], why: Callable[[str], str] = lambda _: "") -> str:
    """The most frequent of them, each with how often it stands there and what may be wrong with
    it."""
    words = []
    for text, count in counts.most_common(SHOWN):
        more = ", ".join(filter(None, (f"{count} times" if count > 1 else "", why(text))))
        words.append(f"{show(text)} ({more})" if more else show(text))
    rest = len(counts) - len(words)
    return ", ".join(words) + (f" and {rest} more" if rest else "")


def _lines(count: int) -> str:
    return _some(count, "line")


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def why_unequal(golds: Iterable[str], guesses: list[str]) -> str:
    """The end of a message about more or fewer predictions than labels; empty if nothing tells."""
    known = set(golds)
    if "" in guesses and "" not in known:
        return f"; line {guesses.index('') + 1} is blank"
    if len(guesses) > 1 and guesses[0] not in known and guesses[1] in known:
        return f"; line 1, {show(guesses[0])}, looks like a header"
    return ""
