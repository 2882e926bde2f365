"""Rows that stand in several files: the heaps of BUCC, and pairs of sentences, one a line in each
of two files (Moses)."""

from pathlib import Path
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

    raises  SpecError naming both files and how many lines each has
    """
    left, right = read_lines(source), read_lines(target)
    if len(left) != len(right):
        raise SpecError(
            f"{source}: {len(left)} lines, but {target} has {len(right)}; line i of one is the"
            " translation of line i of the other, so none may be missing (an empty one counts)"
        )
    if not left:
        raise SpecError(f"{source}: it has no lines")
    return [{"source": one, "target": other} for one, other in zip(left, right, strict=True)]


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
