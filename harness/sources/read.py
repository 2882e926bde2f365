"""From files to raw rows, as the file has them: one reader a format. What a family makes of them is
`rows`' business."""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import SpecError
from harness.families import FAMILIES
from harness.sources.aligned import heaps, pairs_of_lines
from harness.sources.conll import Columns, read_conll
from harness.sources.delimited import read_csv, read_tsv
from harness.sources.parquet_rows import ParquetRows, read_parquet
from harness.sources.squad import is_squad, paragraphs, questions
from harness.sources.text_files import RawRow, parse_json, read_lines, read_text
from harness.spec.formats import format_of
from harness.store import signature

if TYPE_CHECKING:
    from harness.spec.task import Source

# Raised when a reader gives other rows for a file that it read before. It enters the keys of
# results from such files, and of no others; a format that is not here is as it always was, or was
# never read before.
READER_VERSIONS: dict[str, int] = {
    "tsv": 2,  # quotation marks are text; a carriage return alone ends no row
    # a byte-order mark is no part of the first token; blanks around a tag are no part of it
    "conll": 2,
    "parts": 2,  # a byte-order mark is no part of the first id
}


LINES = "lines"  # the format of a .json that is none: one object a line

RawRows = list[RawRow] | ParquetRows  # of one file


def how_read(
    source: "Source", family: str, form: str | None, readers: Mapping[str, int]
) -> dict[str, Any]:
    """What of a source, beside its bytes, decides its raw rows, as it stands in a dataset's
    identity; {} where nothing does.

    form     the format of the split's files
    readers  the versions of the formats' readers
    reader   the version of the format's reader, where it is not the first
    lines    a .json of the hub has one object a line; nobody can rename it
    conll    which columns of a line are the token and its tag
    aligned  two files, of which line i is one row
    """
    identity: dict[str, Any] = {}
    if form and form in readers:
        identity["reader"] = readers[form]
    if form == LINES:
        identity["lines"] = True
    if source.conll:
        identity["conll"] = source.conll.model_dump(exclude_none=True)
    if source.format == "parts" and FAMILIES[family].parts == "aligned":
        identity["aligned"] = True
    return identity


def read_files(
    files: Iterable[str], needed: tuple[str, ...], identity: dict[str, Any]
) -> list[tuple[Path, RawRows]]:
    """Each file of one part of a split with its raw rows, as its dataset's `identity` says that
    they are read.

    Of two aligned files the rows are those of the first.
    """
    paths = [Path(file) for file in files]
    if identity.get("aligned"):
        return [(paths[0], pairs_of_lines(*paths))]
    columns = Columns(**identity["conll"]) if identity.get("conll") else None
    found: list[tuple[Path, RawRows]] = []
    for path in paths:
        seen = tuple(signature(path))
        if format_of(path.name, conll=columns is not None) == "parquet":
            found.append((path, read_parquet(path, seen, needed)))
        else:
            lines = identity.get("lines", False)
            rows = read_file(path, seen, needed, columns, may_be_empty=True, lines=lines)
            found.append((path, rows))
    if not any(len(rows) for _, rows in found):  # of several shards one may have none
        raise SpecError(f"{paths[0]}: it has no rows")
    return found


def has_numbers(file: Path, column: str) -> bool:
    """Whether the file, which is no Parquet, holds numbers in a column, or lists of them."""
    seen = tuple(signature(file))
    for row in read_file(file, seen, (column,), may_be_empty=True, lines=has_lines(file)):
        value: Any = row
        for name in [column] if column in row else column.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        while isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
            return True
    return False


@functools.lru_cache(maxsize=2)
def read_file(
    path: Path,
    seen: tuple[int, ...],
    needed: tuple[str, ...],
    columns: Columns | None = None,
    may_be_empty: bool = False,
    lines: bool = False,
) -> list[RawRow]:
    """All rows of one file.

    seen     its `store.signature`, so that one that changed is read again
    needed   the columns that will be asked for
    columns  those of a file of tokens
    lines    a .json has one object a line
    raises  SpecError: a file that is not of its format, at file:line:column; a text file without
            rows, unless it `may_be_empty`
    """
    kind = "jsonl" if lines else format_of(path.name, conll=columns is not None)
    if kind == "parquet":
        parquet = read_parquet(path, seen, needed)
        return parquet.take(range(len(parquet)))
    rows = read_conll(path, columns) if kind == "conll" else _FORMATS[kind](path, needed)
    if not rows and not may_be_empty:
        raise SpecError(f"{path}: it has no rows")
    return rows


def read_records(path: Path) -> Iterator[tuple[str, RawRow]]:
    """What families read that rank a pool, each with its place: the paragraphs of a file in SQuAD's
    layout, else its rows."""
    if format_of(path.name) == "json" and is_squad(articles := _listed(path)):
        yield from paragraphs(path, articles)
    else:
        for number, row in enumerate(read_file(path, tuple(signature(path)), ())):
            yield f"row {number}", row


def _read_jsonl(path: Path, needed: tuple[str, ...]) -> list[RawRow]:
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            row = _json(path, line, "one line is one object", number)
            if not isinstance(row, dict):
                raise SpecError(
                    f"{path}:{number}:1: no JSON object but {_kind(row)}; a .jsonl has one object a"
                    " line"
                )
            rows.append(row)
    return rows


def _read_json(path: Path, needed: tuple[str, ...]) -> list[RawRow]:
    """A list of objects; the same under "data"; SQuAD's own layout."""
    found = _listed(path)
    if is_squad(found):
        return list(questions(path, found))
    for i, row in enumerate(found):
        if not isinstance(row, dict):
            raise SpecError(
                f"{path}: row {i} is {_kind(row)}; rows must be objects with named columns, one row"
                " each"
            )
    return found


def _listed(path: Path) -> list[Any]:
    """The list that a .json holds, of rows or of SQuAD's articles."""
    found = _json(path, read_text(path), "a file of one object a line is a .jsonl")
    if isinstance(found, dict) and isinstance(found.get("data"), list):
        found = found["data"]
    if not isinstance(found, list):
        seen = _kind(found)
        if isinstance(found, dict):
            seen = f"an object with {', '.join(map(repr, list(found)[:5]))}"
        raise SpecError(
            f"{path}:1:1: {seen}; a .json is a list of objects, or has one under 'data',"
            " or is of SQuAD's layout (data, paragraphs, qas)"
        )
    return found


_TWO_OBJECTS = re.compile(r"\s*(\{.*\})[ \t\r]*\n\s*\{")


def has_lines(file: Path) -> bool:
    """Whether a .json has one object a line, and two of them: of a list, or of one object over
    several lines, the first line is none."""
    start = _TWO_OBJECTS.match(read_text(file)) if format_of(file.name) == "json" else None
    try:
        return start is not None and isinstance(json.loads(start[1]), dict)
    except ValueError:
        return False


def _json(path: Path, text: str, hint: str, line: int | None = None) -> Any:
    """The value of a whole file, or of one `line` of it. `hint`: what to say where there is more
    than one value."""
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        at = f"{error.lineno if line is None else line}:{error.colno}"
        more = f"; {hint}" if error.msg == "Extra data" else ""
        raise SpecError(f"{path}:{at}: not readable as JSON: {error.msg}{more}") from None
    except ValueError as error:
        at = "" if line is None else f":{line}:1"
        raise SpecError(f"{path}{at}: not readable as JSON: {error}") from None


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


_FORMATS: dict[str | None, Callable[[Path, tuple[str, ...]], list[RawRow]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": read_csv,
    "tsv": read_tsv,
}

__all__ = [
    "READER_VERSIONS",
    "RawRows",
    "heaps",
    "how_read",
    "read_file",
    "read_files",
    "read_records",
]
