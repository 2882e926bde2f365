"""Rows of a parquet file, which stay in its columns until they are asked for: of a large split a
suite keeps a few hundred."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.errors import SpecError
from harness.sources.text_files import RawRow, what_else

if TYPE_CHECKING:
    from pyarrow import Int64Array, Table


class ParquetRows:
    """Those of one file, numbered from 0; of each the columns that were read."""

    def __init__(self, path: Path, table: "Table") -> None:
        self._path, self._table = path, table
        self.names: list[str] = table.column_names
        self._values: dict[str, dict[str, tuple[Any, list[int]]]] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def take(self, numbers: Sequence[int], columns: Sequence[str] | None = None) -> list[RawRow]:
        """The rows of these numbers; of each only these `columns`, if that is said."""
        with _readable(self._path):
            table = self._table if columns is None else self._table.select(columns)
            if len(numbers) < len(self):
                table = table.take(_indices(numbers))
            rows: list[RawRow] = table.to_pylist()
            return rows

    def values(self, column: str) -> Iterable[tuple[Any, list[int]]]:
        """What stands in a column, and in which rows."""
        if column not in self._values:
            with _readable(self._path):
                values = self._table[column].to_pylist()
            found: dict[str, tuple[Any, list[int]]] = {}
            for number, value in enumerate(values):
                found.setdefault(str(value), (value, []))[1].append(number)
            self._values[column] = found
        return self._values[column].values()


def _indices(numbers: Sequence[int]) -> "Int64Array":
    """As Arrow has them. Made by its own means they would import pandas, for half a second."""
    import pyarrow

    whole = array("q", numbers)
    return pyarrow.Array.from_buffers(pyarrow.int64(), len(whole), [None, pyarrow.py_buffer(whole)])


# XNLI keeps all its languages in one file: read it once, not fifteen times
@lru_cache(maxsize=2)
def read_parquet(path: Path, seen: tuple[int, ...], needed: tuple[str, ...]) -> ParquetRows:
    """Only the needed columns, since a shard may be large; all of them if one lacks, so that the
    error can name them.

    seen    its `store.signature`, so that one that changed is read again
    raises  SpecError: it is no parquet file
    """
    import pyarrow.parquet as parquet

    with _readable(path):
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        wanted = {column if column in names else column.split(".")[0] for column in needed}
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the column {twice[0]!r} stands twice in it")
        chosen = sorted(wanted) if wanted and wanted <= set(names) else None
        return ParquetRows(path, file.read(columns=chosen))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OverflowError, OSError) as error:
        # pyarrow's own errors are ValueErrors, and OSErrors without a number.
        if isinstance(error, OSError) and error.errno:
            raise
        with path.open("rb") as file:
            head = file.read(64)
        said = "" if head.startswith(b"PAR1") else what_else(head)
        said = said or " ".join(str(error).split())
        raise SpecError(f"{path}: not readable as parquet: {said}") from None
