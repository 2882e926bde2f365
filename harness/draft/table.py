"""What the columns of a table seem to hold: texts, classes, lists, ids."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from harness.common.errors import SpecError
from harness.families.columns import shown

Kind = Literal["text", "number", "truth", "list", "mapping", "mixed", "nothing"]
KINDS: dict[type, Kind] = {
    str: "text",
    bool: "truth",
    int: "number",
    float: "number",
    list: "list",
    dict: "mapping",
}
# A class has a short name, and several rows.
LONGEST_CLASS, MOST_CLASSES, ROWS_OF_A_CLASS = 60, 300, 2
LONG = 5  # words of a text that is no name
IDS = re.compile(r"(.*[_-])?(id|ids|idx|index|guid|uid|uuid)|unnamed.*|", re.I)


@dataclass(frozen=True)
class SeenColumn:
    """One column of all rows, missing values left out."""

    name: str
    values: list[Any]
    rows: int

    @cached_property
    def kind(self) -> Kind:
        kinds = {KINDS.get(type(value), "mixed") for value in self.values}
        if not kinds:
            return "nothing"
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @cached_property
    def distinct(self) -> list[Any]:
        """Its values, each once, as they first appear; of lists and mappings none."""
        hashable = self.kind not in ("list", "mapping", "mixed")
        return list(dict.fromkeys(self.values)) if hashable else []

    @property
    def is_id(self) -> bool:
        return bool(IDS.fullmatch(self.name))

    @property
    def may_be_classes(self) -> bool:
        """Few short values, each in several rows."""
        few = 2 <= len(self.distinct) <= min(MOST_CLASSES, max(2, self.rows // ROWS_OF_A_CLASS))
        short = all(len(str(value)) <= LONGEST_CLASS for value in self.distinct)
        return self.kind in ("text", "number", "truth") and few and short and not self.is_id

    @property
    def words(self) -> float:
        """Words a text, on average."""
        some = self.values[:1000]
        return sum(len(str(value).split()) for value in some) / max(1, len(some))

    @property
    def may_be_text(self) -> bool:
        return self.kind == "text" and not self.is_id and any(map(str.strip, self.values))

    @property
    def is_long(self) -> bool:
        """Sentences: what is left out of them is missed."""
        texts = self.may_be_text and not self.may_be_classes and self.words > LONG
        return texts or self.may_be_turns

    @property
    def may_be_turns(self) -> bool:
        """Lists of sentences, as of a dialogue."""
        if self.kind != "list":
            return False
        turns = [turn for one in self.values[:1000] for turn in one]
        sentences = all(isinstance(turn, str) for turn in turns)
        return sentences and sum(len(str(turn).split()) for turn in turns) > LONG / 2 * len(turns)

    @property
    def said(self) -> str:
        """In a message: its name, and what it holds."""
        what: str = self.kind
        if self.distinct:
            what = f"{len(self.distinct)} different values, such as {shown(self.distinct[0])}"
        return f"{self.name} ({what})"


@dataclass(frozen=True)
class SeenTable:
    """The rows of some files under the columns that all of them have."""

    columns: Mapping[str, SeenColumn]
    rows: int
    files: int = 1

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], files: int = 1) -> "SeenTable":
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {}
        for name in names:
            values = [row[name] for row in rows if row.get(name) is not None]
            columns[name] = SeenColumn(name, values, len(rows))
        return cls(columns, len(rows), files)

    def column(self, name: str, option: str) -> SeenColumn:
        """The column of that name; SpecError that names them all."""
        if name not in self.columns:
            raise SpecError(f"{option} {name}: no such column; there are {', '.join(self.columns)}")
        return self.columns[name]

    def named(self, *names: str) -> str | None:
        """The first of these names that is a column's, in any case."""
        by_name = {name.lower(): name for name in reversed(list(self.columns))}
        return next((by_name[name] for name in names if name in by_name), None)


def refuse_no_header(path: str, table: SeenTable) -> None:
    """SpecError where the first line of a CSV or TSV is a row: its cells are values of their own
    columns, numbers, or sentences."""
    for name, column in table.columns.items():
        why = ""
        if column.may_be_classes and name in column.distinct:
            why = f"{shown(name)} is a value of its column too"
        elif re.fullmatch(r"[-+]?\d+(\.\d+)?", name):
            why = f"{shown(name)} is a number"
        elif len(name.split()) > 5:
            why = f"{shown(name)} is a sentence"
        if why:
            example = "\\t".join(["text", "label"][: len(table.columns)])
            raise SpecError(
                f"{path}:1:1: the first line seems to be a row ({why}), and it is to name the"
                f" columns; put such a line before it: (printf '{example}\\n'; cat FILE) > NEW"
            )
