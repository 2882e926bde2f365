"""Plain Python values as an Arrow column, and back, type for type.

Arrow does not tell a tuple from a list, so what the values were stands beside the column (`Form`).
Reading makes only the rows that are asked for.
"""

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# "int", "float", "bool", or a container over what stands in it: ["list", "int"],
# ["array", "<i4"], ["tuple", [a form a place]], ["dict", {name: form}, names that rows may lack]
Form = str | list[Any]
Reader = Callable[[int, int], list[Any]]  # rows from, to

_NUMBERS = {int: np.int64, float: np.float64, bool: np.bool_}
_NARROW = (np.int8, np.int16, np.int32, np.int64)


class NotPlainError(ValueError):
    """Values that no column can hold: of several types, or of one that is not here."""


def packed(values: Sequence[Any]) -> tuple[Form, pa.Array]:
    """The column of these values, and what they were.

    values  numbers, or lists, one-dimensional numpy arrays, tuples of one length, dictionaries with
            strings as keys, of such values; all that stand in the same place are of one type
    raises  NotPlainError
    """
    kinds = {type(value) for value in values} or {int}
    kind = kinds.pop()
    if kinds:
        raise NotPlainError(f"{kind.__name__} and {kinds.pop().__name__} in one place")
    if kind in _NUMBERS:
        return kind.__name__, _numbers(values, _NUMBERS[kind])
    if kind not in _CONTAINERS:
        raise NotPlainError(f"a {kind.__name__}")
    return _CONTAINERS[kind](values)


# Not `pa.array` and `to_numpy`: they import pandas, which takes as long as encoding 2,000 rows.


def column_of(numbers: npt.NDArray[Any]) -> pa.Array:
    """The numbers, shape (n,), as a column; nothing is copied."""
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def numbers_of(column: pa.Array) -> npt.NDArray[Any]:
    """The numbers of a column, shape (n,), as they lie there; they cannot be written."""
    kind = np.dtype(column.type.to_pandas_dtype())
    if not len(column):
        return np.zeros(0, kind)
    start = column.offset * kind.itemsize
    return np.frombuffer(column.buffers()[1], kind, len(column), start)


def reader(form: Form, column: pa.Array) -> Reader:
    """What gives the values back. Nothing is read before it is called."""
    if isinstance(form, str):
        numbers = numbers_of(column)
        values = numbers.view(np.bool_) if form == "bool" else numbers
        return lambda start, stop: values[start:stop].tolist()
    return _READERS[form[0]](column, *form[1:])


def _numbers(values: Sequence[Any], kind: type) -> pa.Array:
    try:
        found: npt.NDArray[Any] = np.array(values, dtype=kind)
    except OverflowError:
        raise NotPlainError("an int of more than 64 bits") from None
    if kind is np.bool_:
        return column_of(found.view(np.uint8))  # Arrow's own are bits, which no slice can show
    return column_of(_narrowed(found))


def _narrowed(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers in as few bytes as hold them all; a subword takes two or four instead of
    eight."""
    if numbers.dtype.kind != "i" or not len(numbers):
        return numbers
    low, high = numbers.min(), numbers.max()
    for kind in _NARROW:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return numbers.astype(kind)
    return numbers


def _nested(counts: Sequence[int], items: pa.Array) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(column_of(offsets), items)


def _lists(values: Sequence[list[Any]]) -> tuple[Form, pa.Array]:
    form, items = packed(list(chain.from_iterable(values)))
    return ["list", form], _nested([len(value) for value in values], items)


def _read_lists(column: pa.Array, form: Form) -> Reader:
    offsets, read = numbers_of(column.offsets), reader(form, column.values)

    def lists(start: int, stop: int) -> list[list[Any]]:
        return [read(first, last) for first, last in pairwise(offsets[start : stop + 1].tolist())]

    return lists


def _arrays(values: Sequence[npt.NDArray[Any]]) -> tuple[Form, pa.Array]:
    kinds = {(value.dtype.str, value.ndim) for value in values}
    (kind, dimensions) = kinds.pop()
    if kinds or dimensions != 1 or np.dtype(kind).kind not in "iuf":
        raise NotPlainError("arrays of several types, of several dimensions, or of no numbers")
    items = column_of(np.concatenate(values))
    return ["array", kind], _nested([len(value) for value in values], items)


def _read_arrays(column: pa.Array, kind: str) -> Reader:
    offsets, items = numbers_of(column.offsets), numbers_of(column.values)

    def arrays(start: int, stop: int) -> list[npt.NDArray[Any]]:
        edges = pairwise(offsets[start : stop + 1].tolist())
        return [np.array(items[first:last], dtype=kind) for first, last in edges]

    return arrays


def _tuples(values: Sequence[tuple[Any, ...]]) -> tuple[Form, pa.Array]:
    if len({len(value) for value in values}) > 1 or not values[0]:
        raise NotPlainError("tuples of several lengths, or of nothing")
    places = [packed(place) for place in zip(*values, strict=True)]
    names = [str(i) for i in range(len(places))]
    columns = pa.StructArray.from_arrays([column for _, column in places], names)
    return ["tuple", [form for form, _ in places]], columns


def _read_tuples(column: pa.Array, forms: list[Form]) -> Reader:
    places = [reader(form, column.field(i)) for i, form in enumerate(forms)]
    return lambda start, stop: list(zip(*(read(start, stop) for read in places), strict=True))


def _dicts(values: Sequence[dict[str, Any]]) -> tuple[Form, pa.Array]:
    forms: dict[str, Form] = {}
    columns, optional = [], []
    for name in dict.fromkeys(chain.from_iterable(values)):
        if type(name) is not str:
            raise NotPlainError("a dictionary with other keys than strings")
        forms[name], column = packed([value[name] for value in values if name in value])
        if len(column) < len(values):
            # a list of at most one
            column = _nested([name in value for value in values], column)
            optional.append(name)
        columns.append(column)
    if not forms:
        raise NotPlainError("dictionaries of nothing")
    return ["dict", forms, optional], pa.StructArray.from_arrays(columns, [*forms])


def _read_dicts(column: pa.Array, forms: dict[str, Form], optional: list[str]) -> Reader:
    readers = [
        reader(["list", form] if name in optional else form, column.field(name))
        for name, form in forms.items()
    ]

    def dicts(start: int, stop: int) -> list[dict[str, Any]]:
        cells = zip(*(read(start, stop) for read in readers), strict=True)
        rows = [dict(zip(forms, row, strict=True)) for row in cells]
        for row in rows:
            for name in optional:
                if found := row.pop(name):
                    row[name] = found[0]
        return rows

    return dicts


_CONTAINERS: dict[type, Callable[[Any], tuple[Form, pa.Array]]] = {
    list: _lists,
    np.ndarray: _arrays,
    tuple: _tuples,
    dict: _dicts,
}
_READERS: dict[str, Callable[..., Reader]] = {
    "list": _read_lists,
    "array": _read_arrays,
    "tuple": _read_tuples,
    "dict": _read_dicts,
}
