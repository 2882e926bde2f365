"""From files to rows in one shape per family, numbered the same way in every language.

    classification   {id, text, text_pair?, label}        tagging        {id, tokens, tags}
    multiple_choice  {id, text, choices, label}           retrieval      {id, source, target}
    span_qa          {id, context, question, answers}     bitext_mining  {id, side, text, pairs}
    mlm              {id, text}

Labels and tags come out as names; `answers` as {"text": [...], "answer_start": [...]}; `pairs` are the ids of a
source sentence's translations.
"""

import hashlib
from fnmatch import fnmatchcase

from harness.data import mini
from harness.data.read import heaps, read_files
from harness.errors import SpecError
from harness.spec.task import SplitPart


def load(dataset: dict) -> list[dict]:
    """The rows of a dataset as a job's JSON describes it (`locate.Dataset.to_json`).

    Raises SpecError when a column is missing or a label is unknown: what, in which row, what would be right.
    """
    rows = _load(dataset)
    return [{"id": row["id"], "text": text_of(row)} for row in rows] if dataset["identity"].get("as_text") else rows


def text_of(row: dict) -> str:
    """All that a row says, without its label: what masked-LM reads in its place."""
    names = ("text", "text_pair", "context", "question", "source", "target")
    return " ".join([*(row[name] for name in names if row.get(name)), *row.get("tokens", []), *row.get("choices", [])])


def _load(dataset: dict) -> list[dict]:
    identity, name = dataset["identity"], dataset["name"]
    if "union" in identity:
        return capped(_union(dataset), identity["cap"])
    if identity["family"] == "bitext_mining":
        return _capped_heaps(heaps(dataset), identity["cap"])
    raw: list[tuple[int | str, dict]] = []
    for part, place in zip(identity["parts"], dataset["location"], strict=True):
        rows = _read(place, identity, name)
        start, stop = SplitPart(name=part["split"], start=part["start"], stop=part["stop"]).bounds(len(rows))
        numbered = list(zip(_numbers(len(rows), identity.get("numbering")), rows, strict=True))[start:stop]
        # One split keeps its own row numbers; a sum of splits is numbered through.
        raw += numbered if len(identity["parts"]) == 1 else [(len(raw) + i, row) for i, (_, row) in enumerate(numbered)]
    shape = _Shape(identity, name)
    rows = [shape(number, row) for number, row in raw]
    if not rows:
        raise SpecError(f"{name}: no rows; check its split and its where")
    return capped(_unique_ids(rows), identity["cap"])


def _union(dataset: dict) -> list[dict]:
    """The rows of all members, one after the other; an id says which member it is from."""
    members = zip(dataset["identity"]["union"], dataset["location"], strict=True)
    return [
        {**row, "id": f"{i}:{row['id']}"}
        for i, (identity, location) in enumerate(members)
        for row in load({"name": dataset["name"], "identity": identity, "location": location})
    ]


def _read(place: dict, identity: dict, name: str) -> list[dict]:
    if "generated" in place:
        rows = mini.rows(*place["generated"])
    else:
        named = [[columns] if isinstance(columns, str) else columns for columns in identity["columns"].values()]
        needed = tuple(sorted({column for columns in named for column in columns} | {*identity["where"], *identity["unless"]}))
        rows = read_files(place["files"], needed, identity)
    for keyword, keep in (("where", True), ("unless", False)):
        for column, wanted in identity[keyword].items():
            if rows and column not in rows[0]:
                raise SpecError(f"{name}: `{keyword}` names column {column!r}, the data have {', '.join(rows[0])}")
            rows = [row for row in rows if fnmatchcase(str(row[column]), wanted) == keep]
    return rows


def _capped_heaps(rows: list[dict], cap: int | None) -> list[dict]:
    """At most `cap` rows of each side: pairs first and whole, since half a pair is none; then what a hash of the id says."""
    if cap is None:
        return rows
    sides = {side: [row for row in rows if row["side"] == side] for side in ("source", "target")}
    paired = capped([row for row in sides["source"] if row["pairs"]], cap)
    partners = list(dict.fromkeys(i for row in paired for i in row["pairs"]))[:cap]
    kept = {row["id"] for row in paired} | set(partners)
    for some in sides.values():
        others = [row for row in some if row["id"] not in kept]
        kept |= {row["id"] for row in capped(others, max(0, cap - (len(some) - len(others))))}
    return [{**row, "pairs": [i for i in row["pairs"] if i in kept]} for row in rows if row["id"] in kept]


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

    def __call__(self, number: int | str, row: dict) -> dict:
        shaped: dict = {}
        for ours, theirs in self.columns.items():
            values = [self._value(row, column, number) for column in ([theirs] if isinstance(theirs, str) else theirs)]
            # Several columns are one text, joined; several columns of choices are the choices.
            shaped[ours] = values[0] if isinstance(theirs, str) else values if ours == "choices" else " ".join(map(str, values))
        shaped["id"] = str(shaped.get("id", number))
        if "choices" in shaped:
            prefix = shaped.pop("choice_prefix", "")
            shaped["choices"] = [f"{prefix} {choice}" if prefix else choice for choice in shaped["choices"]]
        if "label" in shaped:
            shaped["label"] = self._label(shaped["label"], number)
        if "tags" in shaped:
            if len(shaped["tags"]) != len(shaped["tokens"]):
                raise SpecError(f"{self.name}: row {number} has {len(shaped['tokens'])} tokens but {len(shaped['tags'])} tags")
            shaped["tags"] = [self._label(tag, number) for tag in shaped["tags"]]
        return shaped

    def _value(self, row: dict, column: str, number: int | str):
        value: object = row
        for name in [column] if column in row else column.split("."):
            if not isinstance(value, dict) or name not in value:
                raise SpecError(f"{self.name}: no column {column!r} in the data; they have {', '.join(row)}")
            value = value[name]
        if value is None:
            raise SpecError(f"{self.name}: row {number} has nothing in column {column!r}")
        return value

    def _label(self, raw: str | int, number: int | str) -> str:
        try:
            return self.label_of[raw]
        except (KeyError, TypeError):
            known = ", ".join(map(str, self.label_of))
            raise SpecError(f"{self.name}: row {number} has label {raw!r}; the spec knows {known}") from None


def _numbers(rows: int, numbering: dict | None) -> list[int] | list[str]:
    """Row numbers that mean the same row in every language, given the rows that this copy lacks.

    A copy of another length lacks other rows, nobody knows which: its ids (`own-7`) are those of no other language.
    """
    if numbering is None or rows == numbering["rows"]:
        return list(range(rows))
    absent = set(numbering["absent"])
    if rows + len(absent) != numbering["rows"]:
        return [f"own-{number}" for number in range(rows)]
    return [number for number in range(numbering["rows"]) if number not in absent]


def _unique_ids(rows: list[dict]) -> list[dict]:
    """Some sets repeat an id (TyDiQA does): the second row with id x is x#2, and so on."""
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["id"]] = count = seen.get(row["id"], 0) + 1
        if count > 1:
            row["id"] = f"{row['id']}#{count}"
    return rows


def capped(rows: list[dict], cap: int | None) -> list[dict]:
    """At most `cap` rows, in their order, chosen by a hash of the id: the same rows in every language and on every machine."""
    if cap is None or len(rows) <= cap:
        return rows
    kept = {row["id"] for row in sorted(rows, key=_rank)[:cap]}
    return [row for row in rows if row["id"] in kept]


def fold(rows: list[dict], number: int, of: int) -> list[dict]:
    """Part `number` of `of` equal parts, in order; a hash of the id deals the rows out."""
    kept = {row["id"] for row in sorted(rows, key=_rank)[number::of]}
    return [row for row in rows if row["id"] in kept]


def _rank(row: dict) -> bytes:
    return hashlib.sha256(row["id"].encode()).digest()
