"""From files to rows in one shape per family, numbered the same way in every language.

What a row of a family is, and which rows are refused, its file in `families` says.
"""

import hashlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.families.columns import Row, listed, named_columns, shown
from harness.sources.pool import queries
from harness.sources.read import heaps, read_files
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
    raw: list[Raw] = []
    numbers: list[int | str] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        found = _read(place, identity, name)
        split = SplitPart(name=part["split"], start=part["start"], stop=part["stop"])
        start, stop = split.bounds(len(found))
        numbers += _numbers(len(found), identity.get("numbering"))[start:stop]
        raw += found[start:stop]
    if len(identity["parts"]) > 1:  # one split keeps its own row numbers, a sum is numbered through
        numbers = list(range(len(raw)))

    shape = Shape(identity, name, metric)
    rows = [shape(number, row) for number, row in zip(numbers, raw, strict=True)]
    if not rows:
        raise SpecError(f"{name}: no rows; check its split and its where")
    return capped(_unique_ids(rows), identity["cap"], identity.get("drawn"))


def _union(dataset: RowsJson, metric: str | None) -> list[Row]:
    """The rows of all members, one after the other; an id says which member it is from."""
    rows: list[Row] = []
    members = zip(dataset["identity"]["union"], dataset["location"], strict=True)
    for i, (identity, location) in enumerate(members):
        member = RowsJson(name=dataset["name"], identity=identity, location=location)
        rows += [{**row, "id": f"{i}:{row['id']}"} for row in load(member, metric)]
    return rows


def _read(place: dict[str, Any], identity: dict[str, Any], name: str) -> list[Raw]:
    """The rows of one part that `where` and `unless` keep, each with its file and its number in
    it."""
    raw: list[Raw] = []
    for file, cells in read_files(place["files"], _needed(identity), identity):
        at = _place(file)
        raw += [Raw(at, number, row) for number, row in enumerate(cells)]
    for keyword, keep in (("where", True), ("unless", False)):
        asked = f"{name}: `{keyword}`"
        for column, wanted in identity[keyword].items():
            raw = [row for row in raw if _matches(row, column, wanted, asked) == keep]
    return raw


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


def _matches(raw: Raw, column: str, wanted: str, asked: str) -> bool:
    if column not in raw.cells:
        known = f"the data have {listed(raw.cells)}; looked at {raw.file}, row {raw.number}"
        raise SpecError(f"{asked} names column {shown(column)}, {known}")
    return fnmatchcase(str(raw.cells[column]), wanted)


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
    """Some sets repeat an id (TyDiQA does): the second row with id x is x#2, and so on, unless a
    row is called that."""
    seen: dict[str, int] = {}
    for row in rows:
        own = row["id"]
        seen[own] = count = seen.get(own, 0) + 1
        while row["id"] in seen and count > 1:
            row["id"] = f"{own}#{count}"
            count += 1
        seen.setdefault(row["id"], 1)
    return rows


def capped(rows: list[Row], cap: int | None, drawn: int | None = None) -> list[Row]:
    """At most `cap` rows, in their order, chosen by a hash of the id (and of the seed `drawn`, if
    there is one): the same rows in every language and on every machine."""
    if cap is None or len(rows) <= cap:
        return rows
    if drawn is None:
        kept = {row["id"] for row in sorted(rows, key=_rank)[:cap]}
    else:
        by_seed = {row["id"]: _rank({"id": f"{drawn}\0{row['id']}"}) for row in rows}
        kept = set(sorted(by_seed, key=lambda own: by_seed[own])[:cap])
    return [row for row in rows if row["id"] in kept]


def fold(rows: list[Row], number: int, of: int) -> list[Row]:
    """Part `number` of `of` equal parts, in order; a hash of the id deals the rows out."""
    kept = {row["id"] for row in sorted(rows, key=_rank)[number::of]}
    return [row for row in rows if row["id"] in kept]


def _rank(row: Row) -> bytes:
    return hashlib.sha256(row["id"].encode("utf-8", "surrogatepass")).digest()
