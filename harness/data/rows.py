"""From files to rows in one shape per family, numbered the same way in every language.

    classification  {id, text, text_pair?, label}         tagging    {id, tokens, tags}
    span_qa         {id, context, question, answers}      retrieval  {id, source, target}

Labels and tags come out as names; `answers` as {"text": [...], "answer_start": [...]}.
"""

import csv
import functools
import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path

from harness.data import mini
from harness.errors import SpecError
from harness.spec.task import SplitPart


def load(dataset: dict) -> list[dict]:
    """The rows of a dataset as a job's JSON describes it (`locate.Dataset.to_json`).

    Raises SpecError when a column is missing or a label is unknown: what, in which row, what would be right.
    """
    identity, name = dataset["identity"], dataset["name"]
    raw: list[tuple[int, dict]] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        rows = _read(place, identity["where"], name)
        start, stop = SplitPart(name=part["split"], start=part["start"], stop=part["stop"]).bounds(len(rows))
        numbered = list(zip(_numbers(len(rows), identity.get("numbering"), name), rows, strict=True))[start:stop]
        # One split keeps its own row numbers; a sum of splits is numbered through.
        raw += numbered if len(identity["parts"]) == 1 else [(len(raw) + i, row) for i, (_, row) in enumerate(numbered)]
    shape = _Shape(identity, name)
    rows = [shape(number, row) for number, row in raw]
    if not rows:
        raise SpecError(f"{name}: no rows; check its split and its where")
    return _capped(_unique_ids(rows), identity["cap"])


def _read(place: dict, where: dict[str, str], name: str) -> list[dict]:
    if "generated" in place:
        rows = mini.rows(*place["generated"])
    else:
        rows = [row for file in place["files"] for row in _read_file(Path(file), Path(file).stat().st_mtime_ns)]
    for column, wanted in where.items():
        if rows and column not in rows[0]:
            raise SpecError(f"{name}: `where` names column {column!r}, the data have {', '.join(rows[0])}")
        rows = [row for row in rows if fnmatchcase(str(row[column]), wanted)]
    return rows


@functools.lru_cache(maxsize=4)  # XNLI keeps all its languages in one file: read it once, not fifteen times
def _read_file(path: Path, changed: int) -> list[dict]:
    try:
        rows = _FORMATS[path.suffix](path)
    except (UnicodeDecodeError, ValueError, csv.Error) as error:  # pyarrow's errors are ValueErrors
        raise SpecError(f"{path}: not readable as {path.suffix[1:]}: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SpecError(f"{path}: rows must be objects with named columns, one row each")
    return rows


def _read_parquet(path: Path) -> list[dict]:
    import pyarrow.parquet as parquet

    return parquet.read_table(path).to_pylist()


def _read_jsonl(path: Path) -> list[dict]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise SpecError(f"{path}:{number}:1: no JSON object: {error}") from None
    return rows


def _read_json(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_table(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def _read_conll(path: Path) -> list[dict]:
    """One `token TAB tag` a line, a blank line between sentences; columns are called tokens and tags."""
    sentences: list[dict] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], 1):
        if line.strip():
            token, tab, tag = line.rstrip("\r").partition("\t")
            if not tab:
                raise SpecError(f"{path}:{number}:1: no tab between token and tag")
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            sentences.append({"tokens": tokens, "tags": tags})
            tokens, tags = [], []
    return sentences


_FORMATS = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_table,
    ".tsv": _read_table,
    ".conll": _read_conll,
}


class _Shape:
    """Maps one raw row to its family's shape."""

    def __init__(self, identity: dict, name: str):
        self.columns, self.name = identity["columns"], name
        labels = identity["labels"]
        # raw value → label name: by name, by position in the list, or by the spec's own map
        self.label_of: dict[str | int, str] = {}
        if isinstance(labels, dict):
            self.label_of = {raw: label for label, raw in labels.items()}
        elif labels:
            self.label_of = {label: label for label in labels} | dict(enumerate(labels))

    def __call__(self, number: int, row: dict) -> dict:
        missing = [column for column in self.columns.values() if column not in row]
        if missing:
            raise SpecError(f"{self.name}: no column {missing[0]!r} in the data; they have {', '.join(row)}")
        shaped = {ours: row[theirs] for ours, theirs in self.columns.items()}
        empty = [theirs for ours, theirs in self.columns.items() if shaped[ours] is None]
        if empty:
            raise SpecError(f"{self.name}: row {number} has nothing in column {empty[0]!r}")
        shaped["id"] = str(shaped.get("id", number))
        if "label" in shaped:
            shaped["label"] = self._label(shaped["label"], number)
        if "tags" in shaped:
            if len(shaped["tags"]) != len(shaped["tokens"]):
                raise SpecError(f"{self.name}: row {number} has {len(shaped['tokens'])} tokens but {len(shaped['tags'])} tags")
            shaped["tags"] = [self._label(tag, number) for tag in shaped["tags"]]
        return shaped

    def _label(self, raw: str | int, number: int) -> str:
        try:
            return self.label_of[raw]
        except (KeyError, TypeError):
            known = ", ".join(map(str, self.label_of))
            raise SpecError(f"{self.name}: row {number} has label {raw!r}; the spec knows {known}") from None


def _numbers(rows: int, numbering: dict | None, name: str) -> list[int]:
    """Row numbers that mean the same row in every language, given the rows that this copy lacks."""
    if numbering is None or rows == numbering["rows"]:
        return list(range(rows))
    absent = set(numbering["absent"])
    if rows + len(absent) != numbering["rows"]:
        raise SpecError(
            f"{name}: {rows} rows, but its numbering knows {numbering['rows']}"
            f" or {numbering['rows'] - len(absent)}; the copy of the data is another one"
        )
    return [number for number in range(numbering["rows"]) if number not in absent]


def _unique_ids(rows: list[dict]) -> list[dict]:
    """Some sets repeat an id (TyDiQA does): the second row with id x is x#2, and so on."""
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["id"]] = count = seen.get(row["id"], 0) + 1
        if count > 1:
            row["id"] = f"{row['id']}#{count}"
    return rows


def _capped(rows: list[dict], cap: int | None) -> list[dict]:
    """At most `cap` rows, in their order, chosen by a hash of the id: the same rows in every language and on every machine."""
    if cap is None or len(rows) <= cap:
        return rows

    def rank(row: dict) -> bytes:
        return hashlib.sha256(row["id"].encode()).digest()

    kept = {row["id"] for row in sorted(rows, key=rank)[:cap]}
    return [row for row in rows if row["id"] in kept]
