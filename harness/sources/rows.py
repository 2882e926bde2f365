"""From files to rows in one shape per family, numbered the same way in every language.

What a row of each family is, and which rows are refused: `shapes`.
"""

import hashlib
from fnmatch import fnmatchcase
from pathlib import Path

from harness.common.errors import SpecError
from harness.sources.read import heaps, read_files
from harness.sources.shapes import Raw, Shape, listed, shown
from harness.spec.task import SplitPart


def load(dataset: dict, metric: str | None = None) -> list[dict]:
    """The rows of a dataset as a job's JSON describes it (`locate.Dataset.to_json`).

    metric  what will score them, if anything does: some cannot score every row
    raises  SpecError for a row that has not its family's shape: what, in which file and row, what
            would be right
    """
    rows = _load(dataset, metric)
    return (
        [{"id": row["id"], "text": text_of(row)} for row in rows]
        if dataset["identity"].get("as_text")
        else rows
    )


def text_of(row: dict) -> str:
    """All that a row says, without its label: what masked-LM reads in its place."""
    names = ("text", "text_pair", "context", "question", "source", "target")
    return " ".join(
        [
            *(row[name] for name in names if row.get(name)),
            *row.get("tokens", []),
            *row.get("choices", []),
        ]
    )


def _load(dataset: dict, metric: str | None) -> list[dict]:
    identity, name = dataset["identity"], dataset["name"]
    if "union" in identity:
        return capped(_union(dataset, metric), identity["cap"])
    if identity["family"] == "bitext_mining":
        return _capped_heaps(heaps(dataset), identity["cap"])
    raw: list[tuple[int | str, Raw]] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        rows = _read(place, identity, name)
        start, stop = SplitPart(name=part["split"], start=part["start"], stop=part["stop"]).bounds(
            len(rows)
        )
        numbered = list(zip(_numbers(len(rows), identity.get("numbering")), rows, strict=True))[
            start:stop
        ]
        # One split keeps its own row numbers; a sum of splits is numbered through.
        raw += (
            numbered
            if len(identity["parts"]) == 1
            else [(len(raw) + i, row) for i, (_, row) in enumerate(numbered)]
        )
    shape = Shape(identity, name, metric)
    rows = [shape(number, row) for number, row in raw]
    if not rows:
        raise SpecError(f"{name}: no rows; check its split and its where")
    return capped(_unique_ids(rows), identity["cap"])


def _union(dataset: dict, metric: str | None) -> list[dict]:
    """The rows of all members, one after the other; an id says which member it is from."""
    members = zip(dataset["identity"]["union"], dataset["location"], strict=True)
    return [
        {**row, "id": f"{i}:{row['id']}"}
        for i, (identity, location) in enumerate(members)
        for row in load(
            {"name": dataset["name"], "identity": identity, "location": location}, metric
        )
    ]


def _read(place: dict, identity: dict, name: str) -> list[Raw]:
    """The rows of one part that `where` and `unless` keep, each with its file and its number in
    it."""
    needed = {*identity["where"], *identity["unless"]}
    for columns in identity["columns"].values():
        needed |= {columns} if isinstance(columns, str) else set(columns)
    raw: list[Raw] = []
    for file, rows in read_files(place["files"], tuple(sorted(needed)), identity):
        at = _place(file)
        raw += [Raw(at, number, row) for number, row in enumerate(rows)]
    for keyword, keep in (("where", True), ("unless", False)):
        for column, wanted in identity[keyword].items():
            raw = [
                row for row in raw if _matches(row, column, wanted, f"{name}: `{keyword}`") == keep
            ]
    return raw


def _place(file: Path) -> str:
    """A file as messages name it: from the current directory if it is in there."""
    try:
        here = Path.cwd()
    except OSError:  # the current directory was deleted
        here = Path("/")
    name = (
        str(file.relative_to(here))
        if file.is_relative_to(here) and here != Path("/")
        else str(file)
    )
    return name if name.isprintable() else shown(name)


def _matches(raw: Raw, column: str, wanted: str, asked: str) -> bool:
    if column not in raw.cells:
        known = f"the data have {listed(raw.cells)}; looked at {raw.file}, row {raw.number}"
        raise SpecError(f"{asked} names column {shown(column)}, {known}")
    return fnmatchcase(str(raw.cells[column]), wanted)


def _capped_heaps(rows: list[dict], cap: int | None) -> list[dict]:
    """At most `cap` rows of each side: pairs first and whole, since half a pair is none; then what
    a hash of the id says."""
    if cap is None:
        return rows
    sides = {side: [row for row in rows if row["side"] == side] for side in ("source", "target")}
    paired = capped([row for row in sides["source"] if row["pairs"]], cap)
    partners = list(dict.fromkeys(i for row in paired for i in row["pairs"]))[:cap]
    kept = {row["id"] for row in paired} | set(partners)
    for some in sides.values():
        others = [row for row in some if row["id"] not in kept]
        kept |= {row["id"] for row in capped(others, max(0, cap - (len(some) - len(others))))}
    return [
        {**row, "pairs": [i for i in row["pairs"] if i in kept]}
        for row in rows
        if row["id"] in kept
    ]


def _numbers(rows: int, numbering: dict | None) -> list[int] | list[str]:
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


def _unique_ids(rows: list[dict]) -> list[dict]:
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


def capped(rows: list[dict], cap: int | None) -> list[dict]:
    """At most `cap` rows, in their order, chosen by a hash of the id: the same rows in every
    language and on every machine."""
    if cap is None or len(rows) <= cap:
        return rows
    kept = {row["id"] for row in sorted(rows, key=_rank)[:cap]}
    return [row for row in rows if row["id"] in kept]


def fold(rows: list[dict], number: int, of: int) -> list[dict]:
    """Part `number` of `of` equal parts, in order; a hash of the id deals the rows out."""
    kept = {row["id"] for row in sorted(rows, key=_rank)[number::of]}
    return [row for row in rows if row["id"] in kept]


def _rank(row: dict) -> bytes:
    return hashlib.sha256(row["id"].encode("utf-8", "surrogatepass")).digest()
