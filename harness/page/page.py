"""The leaderboard as one self-contained HTML file: opens from disk, asks the network for nothing.

`render` puts the hand-written parts together: page.html (skeleton), page.css, page.js and the
library that draws. The releases go in as JSON that `view` makes: sections of tables, sentences and
pictures, in the order in which the page shows them, every number as text. page.js sorts, filters
and shows them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from harness.common.text import neutral_values
from harness.page import tables
from harness.page.charts import Shading, easy_against_hard, figure_words, is_gain, sign
from harness.page.glance import Glance, glance
from harness.page.reading import readings, surest
from harness.page.sheet import Sheet
from harness.release.schema import Concluded

PARTS = Path(__file__).parent
DATA_LIMIT = 1_900_000  # bytes of releases; with the library (0.9 MB) the page stays under 3 MB
# Nothing from the network, no script but the page's own; the library compiles its expressions,
# which is "eval".
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-eval'"
FOLDED: dict[str, tuple[str, list[tables.Maker]]] = {
    "targets": ("Target tasks", [partial(tables.sheets, choice="targets")]),
    "kinds": ("Kinds of language", [tables.slices, tables.wrong_where]),
    "difficulty": (
        "Difficulty, parts and controls",
        [partial(tables.sheets, choice="difficulty")],
    ),
}
COLOURS = "Blue: a gain; orange: a loss; strong only with ▲ or ▼."
Json = dict[str, Any]


def render(releases: Sequence[tuple[str, Concluded]]) -> str:
    """The page of these releases: (title such as "0005-small", the release), newest last."""
    shown, older = _fit([(title, view(title, release)) for title, release in releases])
    there = [release for title, release in releases if title not in older]
    data = {"releases": shown, "older": older, "first": surest(there) if there else 0}
    library, script = _library(), _unclosed(_part("page.js"))
    parts = {
        "policy": f"{POLICY} {_hashes(library, script)}",
        "style": _part("page.css"),
        "data": _json(data),
        "library": library,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


# One release


def view(title: str, release: Concluded) -> Json:
    """What the page shows of a release."""
    board = glance(release, title)
    shown = {
        "title": title,
        "name": f"{title} (smoke test, made-up data)" if release.suite.smoke else title,
        "warnings": [board.warning] if board.warning else [],
        "about": [release.suite.about],
        "sections": [*_open(release, board), *_folded(release)],
    }
    neutral: Json = neutral_values(shown)
    return neutral


def _open(release: Concluded, board: Glance) -> Iterator[Json]:
    """Each encoder's table and sentences; easy against hard; languages."""
    for i, one in enumerate(board.boards):
        bare = replace(one.sheet, footnotes=())
        below = [COLOURS, *one.sheet.footnotes] if _coloured(bare) else one.sheet.footnotes
        parts = [_table(bare), _text(one.sentences), _notes(below)]
        yield _section(f"glance-{i}", "", parts)
    if board.together:
        yield _section("together", "", [_text([board.together])])

    pictures: list[Json] = []
    named: dict[str, Json] = {}
    for reading in readings(release):
        if picture := easy_against_hard(reading):
            pictures += [{"kind": "chart", "chart": picture}, _notes(figure_words(reading))]
        for target, sheet in zip(reading.targets, tables.languages(reading), strict=True):
            of = f", {reading.encoder}" if len(release.encoders) > 1 else ""
            named[f"{reading.task(target)}{of}"] = _sheet(sheet)
    if pictures:
        yield _section("figure", "Easy against hard intermediate tasks", pictures)
    if named:
        choice = {"kind": "choice", "choice": "Target task", "names": list(named)}
        yield _section("languages", "Languages", [choice | {"sheets": list(named.values())}])


def _folded(release: Concluded) -> Iterator[Json]:
    """The tables behind the answer."""
    mine = readings(release)
    for name, (title, makers) in FOLDED.items():
        sheets = [sheet for reading in mine for make in makers for sheet in make(reading)]
        parts = [_table(sheet) for sheet in sheets if sheet.rows]
        if parts:
            yield _section(name, title, parts, folded=True)


def _section(name: str, title: str, parts: list[Json], folded: bool = False) -> Json:
    return {"id": name, "title": title, "folded": folded, "parts": parts}


def _text(lines: Sequence[str]) -> Json:
    return {"kind": "text", "text": list(lines)}


def _notes(lines: Sequence[str]) -> Json:
    return {"kind": "notes", "notes": list(lines)}


def _table(sheet: Sheet) -> Json:
    return {"kind": "sheet", "sheet": _sheet(sheet)}


def _coloured(sheet: Sheet) -> bool:
    return any(is_gain(cell) for row in sheet.rows for cell in row.cells)


def _sheet(sheet: Sheet) -> Json:
    """A table as page.js reads it; a cell is [text, number, tone, tip, shade] without the empty
    ones at its end."""
    shading = Shading(sheet)
    rows = []
    for row in sheet.rows:
        cells = []
        for cell in row.cells:
            tone = f"{cell.tone} {sign(cell)}" if is_gain(cell) else ""
            cells.append(_short([cell.text, cell.number, tone, cell.tip, shading.of(cell)]))
        rows.append([row.kind, cells])
    return {
        "name": sheet.name,
        "caption": sheet.caption,
        "heat": _coloured(sheet),
        "columns": [[one.name, one.numeric, one.mark, one.wide] for one in sheet.columns],
        "rows": rows,
        "footnotes": list(sheet.footnotes),
    }


def _short(facts: list[Any]) -> list[Any]:
    last = max((i for i, fact in enumerate(facts) if fact not in (None, "")), default=0)
    return facts[: last + 1]


# The file


def _fit(views: list[tuple[str, Json]]) -> tuple[list[Json], list[str]]:
    """(the newest releases that fit the page, oldest first; titles of the others). The newest is
    always there."""
    kept: list[Json] = []
    size = 0
    for _, shown in reversed(views):
        size += len(_json(shown).encode())
        if kept and size > DATA_LIMIT:
            break
        kept.append(shown)
    return kept[::-1], [title for title, _ in views[: len(views) - len(kept)]]


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON for inside a script tag: without "<" no string can close the tag or open a comment."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


def _unclosed(script: str) -> str:
    """The script, with strings in it that would end its tag written so that they do not."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


@lru_cache(maxsize=1)
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed, which put `vegaEmbed` on the window."""
    import vl_convert

    return _unclosed(
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version="6.1")
    )


def _hashes(*scripts: str) -> str:
    """The page's own scripts by hash: no other script runs, whatever stands in a title."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
