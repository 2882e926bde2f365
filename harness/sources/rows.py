"""From files to rows in one shape per family, numbered the same way in every language.

What a row of a family is, and which rows are refused, its file in `families` says.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.families.columns import Row, kind, listed, named_columns, plain, shown
from harness.sources.parquet_rows import ParquetRows
from harness.sources.pool import queries
from harness.sources.read import RawRows, heaps, read_files
from harness.sources.shapes import Raw, Shape, family_of
from harness.spec.split_part import SplitPart
from harness.store.job import RowsJson


def load(dataset: RowsJson, metric: str | None = None) -> list[Row]:
    """The rows of a dataset as a job's JSON describes it (`locate.Dataset.to_json`).

    metric  what will score them, if anything does: some cannot score every row
    raises  SpecError for a row that has not its family's shape: what, in which file and row, what
            would be right
    """
    rows = _load(dataset, metric)
    identity = dataset["identity"]
    if not identity.get("as_text"):
        return rows
    family = family_of({**identity, "as_text": False})
    return [{"id": row["id"], "text": family.text(row)} for row in rows]


def files_named(dataset: RowsJson) -> dict[Path, str]:
    """The files of a dataset as a job's JSON describes it, each with the SHA-256 that its key
    names."""
    identity, location = dataset["identity"], dataset["location"]
    if "union" in identity:
        members = zip(identity["union"], location, strict=True)
        of_each = [
            files_named({"name": dataset["name"], "identity": one, "location": place})
            for one, place in members
        ]
        return {file: sha for files in of_each for file, sha in files.items()}
    named: dict[Path, str] = {}
    for part, place in zip(identity["parts"], location, strict=True):
        named |= zip(map(Path, place["files"]), part["sha256"], strict=True)
    return named


def _load(dataset: RowsJson, metric: str | None) -> list[Row]:
    identity, name = dataset["identity"], dataset["name"]
    if "union" in identity:
        return capped(_union(dataset, metric), identity["cap"])
    if FAMILIES[identity["family"]].parts == "heaps":
        return _capped_heaps(heaps(dataset), identity["cap"])
    if identity.get("pool"):
        return capped(_unique_ids(queries(dataset)), identity["cap"])
    kept: list[_Kept] = []
    numbers: list[int | str] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        found = _read(place, identity, name)
        rows = sum(len(one.rows) for one in found)
        split = SplitPart(name=part["split"], start=part["start"], stop=part["stop"])
        start, stop = split.bounds(rows)
        numbers += _numbers(rows, identity.get("numbering"))[start:stop]
        kept += _between(found, start, stop)
    if len(identity["parts"]) > 1:  # one split keeps its own row numbers, a sum is numbered through
        numbers = list(range(len(numbers)))
    if not numbers:
        raise SpecError(f"{name}: no rows; check its split and its where")
    return _shaped(kept, numbers, identity, Shape(identity, name, metric))


class _Kept(NamedTuple):
    """What is read of one file: which of its rows, by their numbers in it; `place`: as messages
    name it."""

    place: str
    cells: RawRows
    rows: Sequence[int]

    def raws(self, which: Sequence[int], columns: Sequence[str] | None = None) -> list[Raw]:
        """These rows of it; of each all columns that are needed, or only these."""
        if isinstance(self.cells, ParquetRows):
            cells = self.cells.take(which, columns)
        else:
            cells = [self.cells[number] for number in which]
        return [Raw(self.place, *one) for one in zip(which, cells, strict=True)]


def _shaped(
    kept: list[_Kept], numbers: list[int | str], identity: dict[str, Any], shape: Shape
) -> list[Row]:
    """The rows that the cap leaves, in one shape: a cap asks for nothing but ids, so that no other
    row need be read to its end."""
    ids = _unique(_ids(kept, numbers, shape))
    chosen = _chosen(ids, identity["cap"], identity.get("drawn"))
    rows: list[Row] = []
    first = 0
    for one in kept:
        own = slice(first, first + len(one.rows))
        first = own.stop
        left = [at for at, i in enumerate(ids[own]) if chosen is None or i in chosen]
        raws = one.raws([one.rows[at] for at in left])
        for at, raw in zip(left, raws, strict=True):
            at += own.start
            rows.append(shape(numbers[at], raw) | {"id": ids[at]})
    return rows


def _ids(kept: list[_Kept], numbers: list[int | str], shape: Shape) -> list[str]:
    """As the data have them, or the numbers."""
    named = shape.columns.get("id")
    if named is None:
        return list(map(str, numbers))
    given = [named] if isinstance(named, str) else named
    ids: list[str] = []
    for one in kept:
        columns = None
        if isinstance(one.cells, ParquetRows):
            roots = {name if name in one.cells.names else name.split(".")[0] for name in given}
            columns = sorted(roots) if roots <= set(one.cells.names) else None
        for raw in one.raws(one.rows, columns):
            ids.append(shape.id(numbers[len(ids)], raw))
    return ids


def _union(dataset: RowsJson, metric: str | None) -> list[Row]:
    """The rows of all members, one after the other; an id says which member it is from."""
    rows: list[Row] = []
    members = zip(dataset["identity"]["union"], dataset["location"], strict=True)
    for i, (identity, location) in enumerate(members):
        member = RowsJson(name=dataset["name"], identity=identity, location=location)
        rows += [{**row, "id": f"{i}:{row['id']}"} for row in load(member, metric)]
    return rows


def _read(place: dict[str, Any], identity: dict[str, Any], name: str) -> list[_Kept]:
    """The rows of one part that `where` and `unless` keep, file by file."""
    kept: list[_Kept] = []
    for file, cells in read_files(place["files"], _needed(identity), identity):
        one = _Kept(_place(file), cells, range(len(cells)))
        for keyword, keep in (("where", True), ("unless", False)):
            for column, wanted in identity[keyword].items():
                matching = _matching(one, column, wanted, f"{name}: `{keyword}`")
                left = [number for number in one.rows if (number in matching) == keep]
                one = one._replace(rows=left)
        kept.append(one)
    return kept


def _between(kept: list[_Kept], start: int, stop: int) -> list[_Kept]:
    """The rows from `start` to `stop` of those of all files together."""
    found = []
    for one in kept:
        found.append(one._replace(rows=one.rows[max(0, start) : max(0, stop)]))
        start, stop = start - len(one.rows), stop - len(one.rows)
    return found


def _needed(identity: dict[str, Any]) -> tuple[str, ...]:
    """The columns that are read."""
    needed = {*identity["where"], *identity["unless"]}
    for columns in identity["columns"].values():
        needed |= set(named_columns(columns))
    return tuple(sorted(needed))


def _place(file: Path) -> str:
    """A file as messages name it: from the current directory if it is in there."""
    try:
        here = Path.cwd()
    except OSError:  # the current directory was deleted
        here = Path("/")
    inside = file.is_relative_to(here) and here != Path("/")
    name = str(file.relative_to(here) if inside else file)
    return name if name.isprintable() else shown(name)


def _matching(kept: _Kept, column: str, wanted: str, asked: str) -> set[int]:
    """The rows, by number, in which a column is as `wanted`."""
    found = set()
    for value, rows in _values(kept, column, asked):
        if isinstance(value, list | dict):
            file = f"{kept.place}, row {rows[0]}"
            raise SpecError(
                f"{asked} names column {shown(column)}, which holds {kind(value)} in {file}; it"
                " compares a text, a number, true, false or null"
            )
        # as Python writes it too: True, None, -1.0
        if any(_fits(text, wanted) for text in {plain(value), str(value)}):
            found.update(rows)
    return found


def _fits(text: str, wanted: str) -> bool:
    """Whether it is that text, or begins as one with a final * does. No other sign is a pattern."""
    return text.startswith(wanted[:-1]) if wanted.endswith("*") else text == wanted


def _values(kept: _Kept, column: str, asked: str) -> Iterable[tuple[Any, list[int]]]:
    """What stands in a column, and in which rows."""
    if isinstance(kept.cells, ParquetRows) and column in kept.cells.names:
        yield from kept.cells.values(column)
        return
    for raw in kept.raws(kept.rows):
        if column not in raw.cells:
            known = f"the data have {listed(raw.cells)}; looked at {raw.file}, row {raw.number}"
            raise SpecError(f"{asked} names column {shown(column)}, {known}")
        yield raw.cells[column], [raw.number]


def _capped_heaps(rows: list[Row], cap: int | None) -> list[Row]:
    """At most `cap` rows of each side: pairs first and whole, since half a pair is none; then what
    a hash of the id says."""
    if cap is None:
        return rows
    sources = [row for row in rows if row["side"] == "source"]
    targets = [row for row in rows if row["side"] == "target"]
    paired = capped([row for row in sources if row["pairs"]], cap)
    partners = list(dict.fromkeys(i for row in paired for i in row["pairs"]))[:cap]
    kept = {row["id"] for row in paired} | set(partners)
    for some in (sources, targets):
        others = [row for row in some if row["id"] not in kept]
        kept |= {row["id"] for row in capped(others, max(0, cap - (len(some) - len(others))))}

    left = []
    for row in rows:
        if row["id"] in kept:
            left.append({**row, "pairs": [i for i in row["pairs"] if i in kept]})
    return left


def _numbers(rows: int, numbering: dict[str, Any] | None) -> list[int] | list[str]:
    """Row numbers that mean the same row in every language, given the rows that this copy lacks.

    A copy of another length lacks other rows, nobody knows which: its ids (`own-7`) are those of no
    other language.
    """
    if numbering is None or rows == numbering["rows"]:
        return list(range(rows))
    absent = set(numbering["absent"])
    if rows + len(absent) != numbering["rows"]:
        return [f"own-{number}" for number in range(rows)]
    return [number for number in range(numbering["rows"]) if number not in absent]


def _unique_ids(rows: list[Row]) -> list[Row]:
    """The rows, by ids of which no two are equal."""
    for row, own in zip(rows, _unique([row["id"] for row in rows]), strict=True):
        row["id"] = own
    return rows


def _unique(ids: list[str]) -> list[str]:
    """Some sets repeat an id (TyDiQA does): the second row with id x is x#2, and so on, unless a
    row is called that."""
    if len(set(ids)) == len(ids):
        return ids
    found: list[str] = []
    seen: dict[str, int] = {}
    for own in ids:
        seen[own] = count = seen.get(own, 0) + 1
        unique = own
        while unique in seen and count > 1:
            unique = f"{own}#{count}"
            count += 1
        seen.setdefault(unique, 1)
        found.append(unique)
    return found


def capped(rows: list[Row], cap: int | None, drawn: int | None = None) -> list[Row]:
    """At most `cap` rows, in their order, chosen by a hash of the id (and of the seed `drawn`, if
    there is one): the same rows in every language and on every machine."""
    chosen = _chosen([row["id"] for row in rows], cap, drawn)
    return rows if chosen is None else [row for row in rows if row["id"] in chosen]


def _chosen(ids: list[str], cap: int | None, drawn: int | None) -> set[str] | None:
    """The ids that `capped` keeps; None: all of them."""
    if cap is None or len(ids) <= cap:
        return None
    if drawn is None:
        return set(sorted(ids, key=_rank)[:cap])
    return set(sorted(ids, key=lambda own: _rank(f"{drawn}\0{own}"))[:cap])


def fold(rows: list[Row], number: int, of: int) -> list[Row]:
    """Part `number` of `of` equal parts, in order; a hash of the id deals the rows out."""
    kept = set(sorted([row["id"] for row in rows], key=_rank)[number::of])
    return [row for row in rows if row["id"] in kept]


@lru_cache(maxsize=1 << 16)  # rows without an id have the same, their numbers, in every language
def _rank(own: str) -> bytes:
    return hashlib.sha256(own.encode("utf-8", "surrogatepass")).digest()
