"""A table of the board as values, made once: a terminal, Markdown, the page, CSV and a table in a
paper all show these very texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

# an effect upwards, downwards, none that shows; or there is nothing to say
Tone = Literal["help", "hurt", "unsure", "none"]
Kind = Literal["baseline", "task", "mixture", "subset", "control", "summary"]


@dataclass(frozen=True)
class Field:
    """One field.

    text    as shown
    short   the same where there is little room; "" for `text`
    number  unrounded: what a column is sorted by, and a heat map coloured; None where it is no
            number
    tip     one sentence more, for who points at it
    """

    text: str
    number: float | None = None
    tone: Tone = "none"
    tip: str = ""
    short: str = ""


@dataclass(frozen=True)
class Column:
    """`mark`: ⚠ and the number of a footnote that qualifies the whole column; "" for none. `wide`:
    left out where there is little room."""

    name: str
    numeric: bool = True
    mark: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Line:
    """`kind`: what it is compared as; controls and summaries stand apart from the others."""

    kind: Kind
    cells: Sequence[Field]


@dataclass(frozen=True)
class Sheet:
    """`caption` stands above the table; `footnotes` below it, each with its mark."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Line]
    footnotes: Sequence[str] = field(default_factory=tuple)
