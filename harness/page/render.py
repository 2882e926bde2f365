"""Sheets as text: in a terminal, and in Markdown."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from harness.common.text import line as one_line
from harness.common.text import markdown as plain
from harness.page.glance import Glance, glance
from harness.page.reading import readings, surest
from harness.page.sheet import Column, Line, Sheet, Tone
from harness.page.tables import Choice, sheets
from harness.page.words import facts
from harness.release.schema import Concluded

if TYPE_CHECKING:  # rich is loaded by who draws
    from rich.console import Console
    from rich.text import Text

WIDEST = 100  # columns of a terminal: longer lines are hard to read
STYLES: dict[Tone, str] = {"help": "green", "hurt": "red", "unsure": "", "none": ""}
# kinds of lines with a rule before them
APART = {"baseline": "heading", "subset": "parts", "control": "parts", "summary": "summary"}
HEAD = re.compile(r"[+−]?\d[\d,.]*")  # of a number with an interval: the number


# In a terminal


def print_release(
    release: Concluded, title: str, console: "Console", choices: Sequence[Choice] = ("glance",)
) -> None:
    """The board at a glance, or its other tables; "full": all there is."""
    full = "full" in choices
    if full or "glance" in choices:
        _print_glance(glance(release, title), console)
    found: list[Sheet] = []
    for reading in readings(release):
        for choice in ("full",) if full else choices:
            found += sheets(reading, choice)
    for number, sheet in enumerate(found):
        if number or full:
            console.print()
        _print_sheet(sheet, console)
    for fact in facts(release) if full else ():
        _print_line(fact, console)


def _print_glance(shown: Glance, console: "Console") -> None:
    for sentence in filter(None, [shown.warning, shown.together]):
        _print_line(sentence, console)
    for number, board in enumerate(shown.boards):
        if number:
            console.print()
        _print_sheet(board.sheet, console, board.sentences)


def _print_sheet(sheet: Sheet, console: "Console", sentences: Sequence[str] = ()) -> None:
    _print_line(sheet.caption, console, "bold")
    width = min(console.width, WIDEST)
    for drawing in fitting(sheet, width):
        for line in _lines(sheet, drawing, width):
            console.print(line, width=width)
    for sentence in sentences:
        _print_line(sentence, console)
    for note in sheet.footnotes:
        _print_line(note, console, "dim")


def _print_line(text: str, console: "Console", style: str = "") -> None:
    width = min(console.width, WIDEST)
    console.print(one_line(text), style=style, markup=False, highlight=False, width=width)


class Drawing(NamedTuple):
    """Some columns of a sheet beside each other: of each its texts, the heading first."""

    columns: Sequence[int]
    texts: list[list[str]]
    gap: int

    @property
    def widths(self) -> list[int]:
        from rich.cells import cell_len

        return [max(map(cell_len, texts)) for texts in self.texts]

    @property
    def width(self) -> int:
        return sum(self.widths) + self.gap * (len(self.texts) - 1)


def fitting(sheet: Sheet, width: int) -> Iterator[Drawing]:
    """The table in at most `width`: closer, in shorter texts and fewer columns where it is too
    wide, and if that is not enough one part below the other."""
    kept: Sequence[int] = range(len(sheet.columns))
    short: set[int] = set()
    for number in kept:
        if _drawing(sheet, kept, short).width > width:
            short.add(number)
    if _drawing(sheet, kept, short).width > width:
        kept = [number for number in kept if not sheet.columns[number].wide]
    gap = 2 if _drawing(sheet, kept, short).width <= width else 1

    names = [number for number in kept if not sheet.columns[number].numeric]
    numbers = [number for number in kept if sheet.columns[number].numeric]
    while True:
        many = len(numbers)
        part = _drawing(sheet, sorted([*names, *numbers]), short, gap)
        while many > 1 and part.width > width:
            many -= 1
            part = _drawing(sheet, sorted([*names, *numbers[:many]]), short, gap)
        yield part
        numbers = numbers[many:]
        if not numbers:
            return


def _drawing(sheet: Sheet, numbers: Sequence[int], short: Collection[int], gap: int = 2) -> Drawing:
    texts = []
    for number in numbers:
        column = sheet.columns[number]
        fields = [line.cells[number] for line in sheet.rows]
        shown = [one_line((number in short and field.short) or field.text) for field in fields]
        texts.append([heading(column), *(_aligned(shown) if column.numeric else shown)])
    return Drawing(numbers, texts, gap)


def heading(column: Column) -> str:
    """Its name, with the mark of its footnote."""
    return one_line(f"{column.name} {column.mark}")


def _aligned(texts: Sequence[str]) -> list[str]:
    """Numbers below each other by their points, whatever stands behind them."""
    heads = [len(found[0]) if (found := HEAD.match(text)) else 0 for text in texts]
    most = max(heads, default=0)
    return [
        " " * (most - head) + text if head else text
        for head, text in zip(heads, texts, strict=True)
    ]


def _lines(sheet: Sheet, drawing: Drawing, width: int) -> Iterator["Text"]:
    from rich.text import Text

    first, *others = zip(*drawing.texts, strict=True)
    unstyled = [""] * len(first)
    yield _joined(first, unstyled, drawing, "bold")
    before = "heading"
    for line, texts in zip(sheet.rows, others, strict=True):
        block = APART.get(line.kind, "")
        if block != before:
            yield Text("─" * min(width, drawing.width), "dim")
        before = block
        styles = [STYLES[line.cells[number].tone] for number in drawing.columns]
        yield _joined(texts, styles, drawing, "dim" if line.kind == "baseline" else "")


def _joined(texts: Sequence[str], styles: Sequence[str], drawing: Drawing, style: str) -> "Text":
    """Text, not markup: a bracket in it is a bracket."""
    from rich.cells import cell_len
    from rich.text import Text

    line = Text(style=style)
    for text, colour, width in zip(texts, styles, drawing.widths, strict=True):
        line.append(text, colour)
        line.append(" " * (width - cell_len(text)) + " " * drawing.gap)
    line.rstrip()
    return line


# In Markdown

HOW_TO_READ = (
    "Each row is an English task that the encoder was trained on first; each number how many points"
    " that adds to a kind of target task, in the mean over its languages.",
    "± is half its 95% interval: how far another seed and other test rows would move it (of one or"
    " two seeds: other test rows alone). ▲ ▼ are significant after correction for the whole table"
    " (on average at most 5% of them are wrong); what has none may be chance.",
    "⚠ and † qualify a column, a row or a number: the lines below the table say how.",
)
HOW_TO_READ_SCORES = (
    "Each row is a target task, each number what an encoder scores on it after training on English,"
    " in points, in the mean over its languages.",
    "± is half its 95% interval: how far another seed and other test rows would move it (of one or"
    " two seeds: other test rows alone).",
)


class Listed(NamedTuple):
    """A release on a board."""

    path: Path
    title: str
    content: Concluded


def readme(releases: Sequence[Listed]) -> str:
    """leaderboard/README.md: what this is, the surest release at a glance, and the list of
    all. `releases`: oldest first."""
    parts = [
        "# Leaderboard",
        "",
        "What training an encoder on an English task first does to zero-shot transfer: releases of"
        " the benchmark, numbered and never changed. [index.html](index.html) is the same as a page"
        " to download and open. `xstilts-harness leaderboard build` renders both.",
        "",
    ]
    if releases:
        first = releases[surest([one.content for one in releases])]
        shown = glance(first.content, first.title)
        gains = any(reading.ranked for reading in readings(first.content))
        how = HOW_TO_READ if gains else HOW_TO_READ_SCORES
        parts += [*_listed(how), "## At a glance", "", markdown_glance(shown)]
    parts += ["## All releases", ""]
    parts += [
        f"- [{path.stem}](releases/{path.stem}.md): {plain(content.suite.about)}"
        f" ([data](releases/{path.name}))"
        for path, _, content in releases
    ]
    return "\n".join(parts) + "\n"


def title_line(title: str) -> str:
    """The first line of a release's own page."""
    return f"# {plain(title)}"


def markdown(release: Concluded, title: str) -> str:
    """A release's own page: all of its tables."""
    parts = [title_line(title), "", plain(release.suite.about), ""]
    parts += [markdown_glance(glance(release, title))]
    for reading in readings(release):
        parts += [f"## {plain(reading.encoder)}, in full", ""]
        parts += map(markdown_sheet, sheets(reading, "full"))
    parts += ["## What was run", "", *_listed(facts(release))]
    return "\n".join(parts)


def markdown_glance(shown: Glance) -> str:
    """The tables at a glance, with their sentences and footnotes."""
    parts = [plain(line) + "\n" for line in (shown.warning, shown.together) if line]
    parts += [markdown_sheet(board.sheet, board.sentences) for board in shown.boards]
    return "\n".join(parts)


def markdown_sheet(sheet: Sheet, sentences: Sequence[str] = ()) -> str:
    rows = [_piped(line) for line in sheet.rows]
    table = tabulate(
        rows,
        [plain(heading(column)) for column in sheet.columns],
        tablefmt="github",
        disable_numparse=True,
    )
    notes = [*_listed(sentences), *_listed(sheet.footnotes)]
    return "\n".join([f"**{plain(sheet.caption)}**", "", table, "", *notes])


def _piped(line: Line) -> list[str]:
    return [plain(field.text) for field in line.cells]


def _listed(lines: Iterable[str]) -> list[str]:
    """A list, and an empty line behind it; nothing for no lines."""
    items = [f"- {plain(line)}" for line in lines]
    return [*items, ""] if items else []
