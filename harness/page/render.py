"""A release as text: Rich tables in the terminal, Markdown in leaderboard/README.md.

What is in the tables: `tables.py`, `explained.py`; in the sentences: `words.py`. Both renderings
show the same.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tabulate import tabulate

from harness.common.text import line as one_line
from harness.common.text import markdown as plain
from harness.page import explained
from harness.page.tables import Release, Table, details, fields, grid, languages
from harness.page.words import notes, verdict

if TYPE_CHECKING:  # rich is loaded by who draws
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

SMOKE = (
    "SMOKE SUITE: its data are made up to prove the machine; no claim follows from these numbers."
)


def lines(release: Release, encoder: str) -> list[str]:
    """What the numbers say, in sentences, each behind its question."""
    smoke = [SMOKE] if release["suite"]["smoke"] else []
    return smoke + [f"{line['ask']} {line['say']}" for line in verdict(release, encoder)]


def footnotes(release: Release, encoder: str) -> list[str]:
    """What a reader must know beside the tables."""
    said = notes(release, encoder, list(fields(release, encoder).values()))
    return [
        f"{heading}: {('; ' if heading == 'Marks' else ' ').join(sentences)}"
        for heading, sentences in said
    ]


def print_release(release: Release, title: str, console: "Console", full: bool = False) -> None:
    """The board in a terminal; `full`: with the slices by language too."""
    for encoder in release["encoders"]:
        header, rows = grid(release, encoder)
        table = _drawn(f"{title} · {encoder}")
        for i, name in enumerate(header):
            table.add_column(_cell(name), justify="left" if i < 2 else "right", overflow="fold")
        for row in rows:
            styled = [
                _cell(c, "green" if c.startswith("+") else "red" if c.startswith("-") else "")
                for c in row
            ]
            table.add_row(*styled, style="dim" if row is rows[0] else "")
        console.print(table)
        for line in lines(release, encoder):
            console.print(line, markup=False, highlight=False)
        for name, (header, rows) in _more(release, encoder, full):
            table = _drawn(name)
            for heading in header:
                table.add_column(_cell(heading))
            for row in rows:
                table.add_row(*map(_cell, row))
            console.print(table)
        for line in footnotes(release, encoder):
            console.print(line, style="dim", markup=False, highlight=False)


def _drawn(title: str) -> "Drawn":
    from rich.table import Table as Drawn

    return Drawn(title=_cell(title, "table.title"), title_justify="left", header_style="bold")


def _cell(text: str, style: str = "") -> "Text":
    """Text for a terminal's table: brackets in it are no markup, a line's end makes no second
    line."""
    from rich.text import Text

    return Text(one_line(text), style)


def _more(release: Release, encoder: str, full: bool) -> list[tuple[str, Table]]:
    """The tables behind the board, with their titles."""
    more = [
        ("The baseline", details(release, encoder)),
        ("The baseline by language", languages(release, encoder)),
    ]
    return explained.tables(release, encoder, full) + [
        (name, table) for name, table in more if table[1]
    ]


def markdown(release: Release, title: str) -> str:
    """The board as Markdown."""
    parts = [f"## {plain(title)}", "", plain(release["suite"]["about"]), ""]
    for encoder in release["encoders"]:
        header, rows = grid(release, encoder)
        align = ("left", "left", *["right"] * (len(header) - 2))
        parts += [f"### {plain(encoder)}", "", _piped(header, rows, align), ""]
        parts += [f"- {plain(line)}" for line in lines(release, encoder)] + [""]
        for name, (header, rows) in _more(release, encoder, full=True):
            parts += [f"**{plain(name)}**", "", _piped(header, rows), ""]
        parts += [f"- {plain(line)}" for line in footnotes(release, encoder)] + [""]
    return "\n".join(parts)


def _piped(header: list[str], rows: list[list[str]], align: tuple[str, ...] | None = None) -> str:
    """A table in Markdown."""
    return tabulate(
        [list(map(plain, row)) for row in rows],
        [plain(name) for name in header],
        tablefmt="github",
        colalign=align,
        disable_numparse=True,
    )


def readme(releases: list[tuple[Path, str, Release]]) -> str:
    """leaderboard/README.md: each suite's latest release, and the list of all. Takes (path, title,
    content), oldest first."""
    latest = {content["suite"]["name"]: (title, content) for _, title, content in releases}
    parts = [
        "# Leaderboard",
        "",
        "Rendered from the releases beside this file by `xstilts-harness leaderboard build`.",
        "",
    ]
    parts += [
        "[index.html](index.html) is the same board as a page: download it and open it from disk.",
        "",
    ]
    # Made-up data come last, before them suites without an intermediate, which have no gains to
    # show.
    order = {
        suite: (content["suite"]["smoke"], not content["averages"], suite)
        for suite, (_, content) in latest.items()
    }
    for suite, (title, content) in sorted(latest.items(), key=lambda item: order[item[0]]):
        parts.append(markdown(content, f"Suite `{suite}`, {title}"))
    listed = [f"- [{plain(path.stem)}](releases/{quote(path.name)})" for path, _, _ in releases]
    parts += ["## All releases", "", *listed]
    return "\n".join(parts) + "\n"
