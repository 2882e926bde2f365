"""Tables as text: CSV with its quotation marks (RFC 4180), TSV without any. The first line names
the columns."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.common.errors import SpecError
from harness.families.columns import listed, shown
from harness.sources.text_files import RawRow, read_lines, read_text

_LONGEST = 2**31 - 1  # characters of a cell: no limit in practice; the module's own is 131,072
_QUOTED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')
_SEPARATORS = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a vertical bar"}


class _Record(NamedTuple):
    """A row of cells, and the line on which it begins. No cells: a blank line."""

    line: int
    cells: list[str]


def read_csv(path: Path, needed: tuple[str, ...]) -> list[RawRow]:
    """RawRow between commas; one that holds a comma, a quotation mark or a line's end stands in
    quotation marks."""
    return _rows(path, _csv_records(path, read_text(path)), needed, ",")


def read_tsv(path: Path, needed: tuple[str, ...]) -> list[RawRow]:
    """One row a line, a tab between cells. Nothing is quoted, so that a quotation mark is text like
    any other."""
    lines = read_lines(path)
    # where there is but one column, an empty line is an empty cell
    several = bool(lines) and "\t" in lines[0]
    blank: list[str] = [] if several else [""]
    records = [
        _Record(number, line.split("\t") if line else blank) for number, line in enumerate(lines, 1)
    ]
    _check_unquoted(path, records)
    return _rows(path, iter(records), needed, "\t")


def _check_unquoted(path: Path, records: list[_Record]) -> None:
    """A cell that a program for CSV quoted says something else than it shows: refused, since it
    would be read as it stands."""
    for line, cells in records:
        for cell in cells:
            if '""' in cell and _QUOTED.fullmatch(cell):
                raise SpecError(
                    f"{path}:{line}:1: the cell {shown(cell)} is quoted as in CSV, its quotation"
                    " marks doubled, and a .tsv has no quoting; save the file as a .csv with"
                    " commas, or without quoting"
                )


def _csv_records(path: Path, text: str) -> Iterator[_Record]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            yield _Record(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        said = str(error)
        if said == "unexpected end of data":
            said = "a quotation mark that begins here is never closed"
        raise SpecError(
            f"{path}:{line}:1: not readable as CSV: {said};"
            " a cell with a quotation mark in it stands in quotation marks, and its own are doubled"
        ) from None


def _rows(
    path: Path, records: Iterator[_Record], needed: tuple[str, ...], separator: str
) -> list[RawRow]:
    """Each record under the names of the first; refused at its line if it has more cells than
    names, or fewer."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    header = next(records, None)
    if header is None:
        raise SpecError(
            f"{path}:1:1: the file is empty; the first line of a {suffix} names the columns"
        )
    names = header.cells
    _check_header(path, suffix, names, needed, separator)
    rows = []
    for line, cells in records:
        if len(cells) != len(names) and cells:
            raise SpecError(
                f"{path}:{line}:1: {_cells(cells)}, but line 1 names {_cells(names)}"
                f" ({listed(names)}); {_RULES[separator]}"
            )
        if cells == names and len(names) > 1:
            raise SpecError(
                f"{path}:{line}:1: it names the columns as line 1 does, as where two files were put"
                " together; remove the line"
            )
        if cells:
            rows.append(dict(zip(names, cells, strict=True)))
    return rows


_RULES = {
    ",": "a cell that holds a comma or a line's end stands in quotation marks",
    "\t": "one line is one row, a tab is never part of a cell, and quotation marks are text",
}


def _of_pandas(place: int) -> str:
    return "; of a dataframe's index: save it with to_csv(..., index=False)" if place == 0 else ""


def _check_header(
    path: Path, suffix: str, names: list[str], needed: tuple[str, ...], separator: str
) -> None:
    seen = _other_separator(names, needed, separator)
    if seen:
        raise SpecError(
            f"{path}:1:1: {_SEPARATORS[seen]} stands between its columns;"
            f" in a {suffix} it is {_SEPARATORS[separator]}, so save it with that"
        )
    for i, name in enumerate(names or [""]):
        if not name.strip():
            raise SpecError(
                f"{path}:1:1: column {i + 1} has no name; the first line of a {suffix} names the"
                f" columns{_of_pandas(i)}"
            )
        if name in names[:i]:
            raise SpecError(
                f"{path}:1:1: the column {name!r} is named twice; give each its own name"
            )


def _other_separator(names: list[str], needed: tuple[str, ...], separator: str) -> str | None:
    """What seems to stand between the columns, where the header is one cell and not a column that
    is asked for."""
    if len(names) != 1 or names[0] in needed:
        return None
    for other in _SEPARATORS:
        if other == separator or other not in names[0]:
            continue
        named = {name.strip(' "') for name in names[0].split(other)}
        if not needed or named & set(needed):
            return other
    return None


def _cells(cells: list[str]) -> str:
    return f"{len(cells)} cell{'s' * (len(cells) != 1)}"
