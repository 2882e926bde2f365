"""Rows of a file → rows as jobs read them, or one line that says what is wrong."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.common.errors import SpecError
from harness.families import FAMILIES, Family
from harness.families.columns import Cells, Labels, NoColumn, Row, Unfit, listed
from harness.families.span_qa import unanswered
from harness.metrics import METRICS


class Raw(NamedTuple):
    """One row as its file has it, and where that is; rows of a file are counted from 0."""

    file: str
    number: int
    cells: Mapping[str, Any]


class Shape:
    """Raw rows → rows of one family, as a dataset's identity describes them.

    metric  what will score these rows, if anything does: some cannot score every well-formed row
    raises  SpecError: one line with file, row and value
    """

    def __init__(self, identity: Mapping[str, Any], name: str, metric: str | None = None):
        self.name = name
        self.columns: Mapping[str, str | list[str]] = identity["columns"]
        self.labels = Labels(identity["labels"] or [])
        self.family = FAMILIES[identity["family"]]
        needed = METRICS[metric].needs_answers if metric else None
        self.answers_needed = needed is True
        self.none_is_right = needed is False and self.family.answers == "span"

    def __call__(self, number: int | str, raw: Raw) -> Row:
        """The row; `number` is its id where the data have none."""
        try:
            cells = Cells(self.columns, raw.cells)
            row: Row = {"id": cells.id(number), **self.family.row(cells, self.labels)}
            if self.none_is_right and unanswered(row):
                row["answers"] = {"text": [], "answer_start": []}
            if self.answers_needed and not row["answers"]["text"]:
                raise Unfit("has no answer, which its metric cannot score; `metric: squad_v2` can")
            return row
        except (NoColumn, Unfit) as wrong:
            raise self._refused(wrong, raw) from None

    def id(self, number: int | str, raw: Raw) -> str:
        """The row's id alone; no other cell is looked at."""
        try:
            return Cells(self.columns, raw.cells).id(number)
        except (NoColumn, Unfit) as wrong:
            raise self._refused(wrong, raw) from None

    def _refused(self, wrong: NoColumn | Unfit, raw: Raw) -> SpecError:
        if isinstance(wrong, Unfit):
            return SpecError(f"{self.name}: {raw.file}: row {raw.number} {wrong}")
        known = listed(raw.cells)
        return SpecError(
            f"{self.name}: no column {wrong} in the data; they have {known}; looked at {raw.file},"
            f" row {raw.number}"
        )


def family_of(identity: Mapping[str, Any]) -> Family:
    """Of which family the rows of a dataset are, once they are loaded."""
    if identity.get("as_text"):
        return FAMILIES["mlm"]
    # the members of a union are of one task, or of tasks under one head
    return family_of(identity["union"][0]) if "union" in identity else FAMILIES[identity["family"]]
