"""The cells of a file's row, read by our names for its columns: what a family makes its rows of.

Nothing is turned into text that is none: a number, NaN, a date in a column of texts is an error of
the data, and a model would train on "nan".
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.common.text import some

SHOWN = 60  # characters of a value in a message
MANY = 12  # names in a message; the others are counted

Row = dict[str, Any]

# a text made of columns: "{premise} What was the {question}?"
_HOLE = re.compile(r"\{([^{}]*)\}")


def named_columns(given: str | list[str]) -> list[str]:
    """The columns that one of ours is made of: itself, those of a list, or those that a text with
    holes, "{premise} What was the {question}?", names."""
    if isinstance(given, list):
        return given
    return _HOLE.findall(given) or [given]


class Unfit(Exception):
    """What is wrong with a row, as the end of a line that begins "FILE: row N"."""


class NoColumn(Exception):
    """The data have no column of that name."""


class Cells:
    """The cells of one row by our names for its columns."""

    def __init__(self, columns: Mapping[str, str | list[str]], cells: Mapping[str, Any]):
        self.columns, self.cells = columns, cells

    def __contains__(self, ours: str) -> bool:
        return ours in self.columns

    def value(self, ours: str) -> Any:
        """What stands in the one column that is ours; never None."""
        column = self.columns[ours]
        if isinstance(column, list):
            raise Unfit(f"cannot be read: {ours} must be one column, the spec names {len(column)}")
        return self._cell(column)

    def text(self, ours: str) -> str:
        """The text of a column; several columns are one text, joined with spaces, or put into the
        holes of a text that says how."""
        columns = self.columns[ours]
        if isinstance(columns, str) and _HOLE.search(columns):
            return _HOLE.sub(lambda hole: self._put_in(hole[1]), columns)
        if isinstance(columns, str):
            return text(self._cell(columns), columns)
        # in the order in which the spec names them
        return " ".join([text(self._cell(column), column) for column in columns])

    def _put_in(self, column: str) -> str:
        """What goes into a hole: a text, or the turns of a dialogue, joined with spaces."""
        found = self._cell(column)
        if isinstance(found, list):
            return " ".join([text(entry, column, f"as text {i} ") for i, entry in enumerate(found)])
        return text(found, column)

    def texts(self, ours: str, one: str) -> list[str]:
        """A column of lists of texts; `one` is what an entry is called."""
        column, found = self.columns[ours], self.entries(ours, one)
        try:
            # all at once, since nearly all rows are sound and some have many entries
            "".join(found).encode()
        except (TypeError, UnicodeEncodeError):
            return [text(entry, column, f"as {one} {i} ") for i, entry in enumerate(found)]
        return list(found)

    def beside(self, ours: str, field: str) -> Any:
        """What stands in field `field` of the column in whose field ours is; None: in none such."""
        column = self.columns[ours]
        if not isinstance(column, str) or column in self.cells or "." not in column:
            return None
        around = self._cell(column.rpartition(".")[0])
        return around.get(field) if isinstance(around, Mapping) else None

    def each(self, ours: str, one: str) -> list[str]:
        """The same, or several columns of texts, which are the entries."""
        columns = self.columns[ours]
        if isinstance(columns, str):
            return self.texts(ours, one)
        return [text(self._cell(column), column) for column in columns]

    def entries(self, ours: str, one: str) -> list[Any]:
        """A column of lists."""
        found = self.value(ours)
        if not isinstance(found, list):
            what = f"{shown(found)} in column {shown(self.columns[ours])}, {kind(found)}"
            raise Unfit(f"has {what}; a list of {one}s is needed")
        return found

    def id(self, number: int | str) -> str:
        """The row's id as text: a text or a number in the data, else its number."""
        columns = self.columns.get("id")
        if columns is None:
            return str(number)
        several = [columns] if isinstance(columns, str) else columns
        return " ".join([self._id(column) for column in several])

    def _id(self, column: str) -> str:
        found = self._cell(column)
        if isinstance(found, str):
            return text(found, column)
        number = isinstance(found, int | float) and not isinstance(found, bool)
        if not number or not abs(found) < float("inf"):
            raise Unfit(f"has the id {shown(found)}, {kind(found)}; an id is a text or a number")
        return plain(found)

    def _cell(self, column: str) -> Any:
        """A cell by its column's name, or by `a.b`: field b of what stands in a. Its own name comes
        first."""
        found: Any = self.cells
        # a dot may also be part of a name: such a column is meant before a field of another
        for name in [column] if column in self.cells else column.split("."):
            if found is None:  # a struct that is null in this row
                break
            if not isinstance(found, Mapping) or name not in found:
                raise NoColumn(f"{shown(column)}{twin_of(name, found)}")
            found = found[name]
        if found is None:
            raise Unfit(f"has nothing in column {shown(column)}")
        return found


class Labels:
    """Raw values → names. In a list a text is a name and a whole number a place; a map says each
    name's own value, which true and false may be."""

    def __init__(self, labels: Sequence[str] | Mapping[str, str | int]):
        self.names = list(labels)
        self.named = isinstance(labels, Mapping)
        self.of: dict[str | int, str] = {}
        self.of_truth: dict[bool, str] = {}  # by themselves, since True == 1
        if isinstance(labels, Mapping):
            self.of = {raw: name for name, raw in labels.items() if not isinstance(raw, bool)}
            self.of_truth = {raw: name for name, raw in labels.items() if isinstance(raw, bool)}
        else:
            self.of = {name: name for name in labels} | dict(enumerate(labels))
        self.ambiguous = not self.named and any(
            _is_number(name) and float(name) != i for i, name in enumerate(self.names)
        )

    def name(self, raw: Any, tag: int | None = None) -> str:
        """The name of a raw value, which may be that of a sentence's `tag`.

        Whole numbers may come as floats: a column that once had gaps is one of floats.
        """
        if isinstance(raw, bool) and raw in self.of_truth:
            return self.of_truth[raw]
        key = int(raw) if isinstance(raw, float) and raw.is_integer() else raw
        means = str if self.ambiguous else (str, int)
        if not isinstance(key, bool) and isinstance(key, means) and key in self.of:
            return self.of[key]
        where = "" if tag is None else f" as tag {tag}"
        raise Unfit(f"has label {self._why(raw, key, where)}")

    def _why(self, raw: Any, key: Any, where: str) -> str:
        """What is wrong with a raw value that means no name, or not only one."""
        if raw is None:
            return f"nothing{where}; {self._known(None)}"
        if isinstance(key, bool):
            return f"{shown(raw)}, {kind(raw)}{where}; {self._known(None)}{self._truths()}"
        if not isinstance(key, str | int):
            return f"{shown(raw)}, {kind(raw)}{where}; {self._known(None)}"
        if not self.ambiguous or isinstance(key, str):
            return f"{shown(raw)}{where}; {self._known(key)}"
        maps = f"{self._map(str)} or {self._map(lambda name: self.names.index(name))}"
        return (
            f"{shown(raw)}, a whole number,{where}; the names in `labels` are numbers too but not"
            f" those of their places: write which number is which name, {maps}"
        )

    def tags(self, values: list[Any]) -> list[str]:
        """The names of a sentence's raw values."""
        kinds = set(map(type, values))
        # all at once, as nearly always
        if kinds == {str} or (kinds == {int} and not self.ambiguous):
            names = [self.of[value] for value in values if value in self.of]
            if len(names) == len(values):
                return names
        return [self.name(value, i) for i, value in enumerate(values)]

    def _known(self, raw: str | int | None) -> str:
        if self.named:
            known = f"the spec knows {listed([*self.of, *map(plain, self.of_truth)])}"
        else:
            known = (
                f"the spec knows {listed(self.names)}, or their places 0 to {len(self.names) - 1}"
                " as whole numbers"
            )
        if raw is None:
            return f"{known}; a name is text"
        if isinstance(raw, str) and raw.lower() in map(plain, self.of_truth):
            return f'{known}; here it is text: write it in the map with quotes, "{raw}"'
        twin = int(raw) if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,9}", raw) else str(raw)
        if twin not in self.of:
            return f"{known}{self._twin(raw)}"
        if isinstance(raw, int):
            return f"{known}; the data hold numbers: in the map leave their quotes away"
        example = f'`labels: {{{self.of[twin]}: "{raw}", ...}}`'
        return (
            f'{known}; here it is text: write it in the map with quotes, "{raw}", as in {example}'
        )

    def _twin(self, raw: str | int) -> str:
        """What to say of a label that looks like one and is written otherwise."""
        same = [name for name in self.of if _composed(name) == _composed(raw)]
        if not same:
            return ""
        return (
            f"; {shown(same[0])} there is {same[0]!a}, here {raw!a}: the same letters, of"
            " other code points; write it as the data do"
        )

    def _truths(self) -> str:
        """The map for data of true and false."""
        if len(self.names) != 2:
            return ""
        return f"; say which is which, as in {self._map(lambda name: plain(name == self.names[1]))}"

    def _map(self, value: Callable[[str], Any]) -> str:
        some = ", ".join(f'"{name}": {value(name)}' for name in self.names[:MANY])
        return f"`labels: {{{some}{', ...' if len(self.names) > MANY else ''}}}`"


def _is_number(name: str) -> bool:
    """Whether a name reads as a whole number, so that a number in the data may mean it."""
    return re.fullmatch(r"[-+]?[0-9]{1,9}(\.0*)?", name) is not None


def twin_of(name: str, there: object) -> str:
    """What to say of a name that is not there, where one of the same letters is."""
    names = there if isinstance(there, Iterable) else ()
    same = (one for one in names if isinstance(one, str) and _composed(one) == _composed(name))
    twin = next(same, None)
    return f" ({name!a}; {twin!a} is there: the same letters, of other code points)" if twin else ""


def _composed(name: str | int) -> str:
    return unicodedata.normalize("NFC", str(name))


def text(found: Any, column: str | list[str], where: str = "") -> str:
    """`found` if it is text that can be written as UTF-8; half a surrogate pair cannot, and no
    tokenizer takes it."""
    if not isinstance(found, str):
        what = "nothing" if found is None else f"{shown(found)}, {kind(found)},"
        raise Unfit(f"has {what} {where}in column {shown(column)}; text is needed")
    if not found.isascii():
        try:
            found.encode()
        except UnicodeEncodeError as error:
            half = f"U+{ord(found[error.start]):04X}, half of a character,"
            raise Unfit(
                f"has {half} at place {error.start} of {shown(found)} {where}in column"
                f" {shown(column)}"
            ) from None
    return found


def plain(value: Any) -> str:
    """A value as JSON spells it, a text without quotes. A whole number may come as a float: a
    column that once had gaps is one of floats."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# Values in messages


def shown(value: Any) -> str:
    """A value on one line, short, with no character that moves a cursor: texts in quotes, numbers
    without."""
    try:
        whole = repr(value)
    except (
        ValueError,
        RecursionError,
    ):  # an integer of thousands of digits; lists in lists in lists
        return f"a {type(value).__name__}"
    return whole if len(whole) <= SHOWN else whole[: SHOWN - 3] + "..."


def listed(names: Sequence[Any] | Mapping[Any, Any]) -> str:
    """The first of several names; names of columns and labels without quotes where they need
    none."""
    plain = re.compile(r"[^\W\d][\w.-]{0,50}")
    said = [
        name if isinstance(name, str) and plain.fullmatch(name) else shown(name) for name in names
    ]
    return some(said, MANY)


def kind(value: Any) -> str:
    """What a value is, in a word or three."""
    if isinstance(value, float) and value != value:
        return "not a number"
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return words.get(type(value), f"of type {type(value).__name__}")
