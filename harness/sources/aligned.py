"""Rows that stand in several files: the heaps of BUCC, and pairs of sentences, one a line in each
of two files (Moses)."""

from pathlib import Path
from statistics import StatisticsError, correlation
from typing import NamedTuple

from harness.common.errors import SpecError
from harness.sources.text_files import RawRow, read_lines
from harness.store.job import RowsJson


class _TwoCells(NamedTuple):
    """A line `left TAB right`, and its number."""

    line: int
    left: str
    right: str


def pairs_of_lines(source: Path, target: Path) -> list[RawRow]:
    """Line i of one file is the translation of line i of the other; the columns are called source
    and target.

    raises  SpecError naming both files and how many lines each has; or from which line on they are
            out of step, as their lengths say
    """
    left, right = read_lines(source), read_lines(target)
    if len(left) != len(right):
        raise SpecError(
            f"{source}: {len(left)} lines, but {target} has {len(right)}; line i of one is the"
            " translation of line i of the other, so none may be missing (an empty one counts)"
        )
    if not left:
        raise SpecError(f"{source}: it has no lines")
    _check_step(source, left, target, right)
    return [{"source": one, "target": other} for one, other in zip(left, right, strict=True)]


# Sentences are looked at by so many. Of Tatoeba's 36 sets of XTREME the lengths of none so few
# correlate by less than 0.23, or better with those one or two lines further on.
_SENTENCES, _APART, _TOGETHER = 50, 0.3, 0.5


def _check_step(source: Path, left: list[str], target: Path, right: list[str]) -> None:
    """SpecError where line i of one file is not the translation of line i of the other: a long
    sentence has a long translation."""
    one, other = (list(map(len, lines)) for lines in (left, right))
    if len(one) < _SENTENCES:
        return
    sorted_alone = (left == sorted(left)) != (right == sorted(right))
    if sorted_alone and _alike(one, other) < _APART:
        raise SpecError(
            f"{source}, {target}: one has its lines in the order of the alphabet and the other has"
            " not, so that line i of one is not the translation of line i of the other (XTREME's"
            " preprocessing sorts Tatoeba's English); take them as they were before"
        )
    last = len(one) - _SENTENCES
    seen = 0
    for start in sorted({*range(0, last, _SENTENCES // 2), last}):
        seen = seen + 1 if _out_of_step(one, other, start) else 0
        if seen == min(2, last + 1):  # one of many may be so by chance
            line = max(0, start - _SENTENCES // 2) + 1
            raise SpecError(
                f"{source}:{line}:1: from about here on its lines are as long as those before, or"
                f" after, the same line of {target}: one of both has a line too many (an empty one"
                " counts) or lacks one; line i of one is the translation of line i of the other"
            )


def _out_of_step(one: list[int], other: list[int], start: int) -> bool:
    """Whether sentences from `start` on fit those one or two lines further on better than their
    own."""
    end = start + _SENTENCES
    if _alike(one[start:end], other[start:end]) > _APART:
        return False
    steps = ((0, 1), (0, 2), (1, 0), (2, 0))
    return any(
        _alike(one[start + a : end - b], other[start + b : end - a]) > _TOGETHER for a, b in steps
    )


def _alike(one: list[int], other: list[int]) -> float:
    """How much the lengths of sentences vary together, 1 at most; of equal ones nothing is
    known."""
    try:
        return correlation(one, other)
    except StatisticsError:
        return 1.0


def heaps(dataset: RowsJson) -> list[RawRow]:
    """Both heaps of a BUCC split: lines `id TAB text` of the source side, then of the English side;
    gold is `id TAB id`.

    raises  SpecError at file:line: an id that is empty, stands twice on one side, or is named by
            gold and not there; a pair twice in gold
    """
    rows: list[RawRow] = []
    for part, place in zip(dataset["identity"]["parts"], dataset["location"], strict=True):
        if part["start"] or part["stop"]:
            raise SpecError(
                f"{dataset['name']}: a heap of sentences cannot be sliced; its pairs would be torn"
                " apart"
            )
        source, target, gold = map(Path, place["files"])
        rows += _heap(source, target, gold)
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row["side"], row["id"]) in seen:
            raise SpecError(
                f"{dataset['name']}: the id {row['id']!r} stands in two of its splits; read one of"
                " them"
            )
        seen.add((row["side"], row["id"]))
    return rows


def _heap(source: Path, target: Path, gold: Path) -> list[RawRow]:
    sides = {path: _sentences(path) for path in (source, target)}
    first, other = (next(iter(sides[path].values())) for path in (source, target))
    if first == other:
        raise SpecError(
            f"{source}:1:1: its first line is that of {target.name} too, and so no sentence but"
            " names of columns: remove both"
        )
    pairs = _pairs(gold, sides[source], sides[target], source, target)
    rows = [
        {"id": i, "side": "source", "text": one.right, "pairs": pairs.get(i, [])}
        for i, one in sides[source].items()
    ]
    return rows + [
        {"id": i, "side": "target", "text": one.right, "pairs": []}
        for i, one in sides[target].items()
    ]


def _sentences(path: Path) -> dict[str, _TwoCells]:
    """id → its line."""
    found: dict[str, _TwoCells] = {}
    for entry in _entries(path):
        first = found.setdefault(entry.left, entry)
        if first is not entry:
            raise SpecError(
                f"{path}:{entry.line}:1: the id {entry.left!r} stands twice; the first time in"
                f" {path}:{first.line}"
            )
    if not found:
        raise SpecError(f"{path}: it has no sentences; a line is id TAB text")
    return found


def _pairs(
    gold: Path, left: dict[str, _TwoCells], right: dict[str, _TwoCells], source: Path, target: Path
) -> dict[str, list[str]]:
    """id of a source sentence → ids of its translations."""
    seen: dict[tuple[str, str], int] = {}
    pairs: dict[str, list[str]] = {}
    for line, one, other in _entries(gold):
        for name, known, file in ((one, left, source), (other, right, target)):
            if name not in known:
                raise SpecError(
                    f"{gold}:{line}:1: it names {name!r}, which {file.name} does not have"
                )
        first = seen.setdefault((one, other), line)
        if first != line:
            raise SpecError(
                f"{gold}:{line}:1: the pair {one!r} {other!r} stands twice; the first time in"
                f" {gold}:{first}"
            )
        pairs.setdefault(one, []).append(other)
    return pairs


def _entries(path: Path) -> list[_TwoCells]:
    found = []
    for number, line in enumerate(read_lines(path), 1):
        left, tab, right = line.partition("\t")
        if line and not tab:
            raise SpecError(
                f"{path}:{number}:1: no tab between the two columns; a line is id TAB text, of gold"
                " id TAB id"
            )
        if line and not left.strip():
            raise SpecError(
                f"{path}:{number}:1: an empty id; a line is id TAB text, of gold id TAB id"
            )
        if line:
            found.append(_TwoCells(number, left, right))
    return found
