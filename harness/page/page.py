"""The leaderboard as one self-contained HTML file: opens from disk, asks the network for nothing.

`render` puts the hand-written parts together: page.html (skeleton), page.css, page*.js, the charts'
specifications (charts.py) and the library that draws them. The releases go in as JSON, trimmed by
`view` to what the page shows, every number unrounded: page.js rounds where it shows them. Sentences
that judge the numbers are made in words.py, not in the browser.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from harness.common.text import neutral_values
from harness.page.charts import all_charts
from harness.page.tables import MARKS, Entry, Release, baseline_of, marks, trained_dev
from harness.page.words import notes, verdict

PARTS = Path(__file__).parent
SCRIPTS = ("page.js", "page_sections.js", "page_difficulty.js", "page_languages.js")
DATA_LIMIT = 1_900_000  # bytes of releases; with the library (0.9 MB) the page stays under 3 MB
# Nothing from the network, no script but the page's own; the library compiles its expressions,
# which is "eval".
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-eval'"
SECTIONS = ("averages", "slices", "difficulty", "split", "subsets", "best")
CELL = (
    "encoder",
    "arm",
    "target",
    "seed",
    "flags",
    "score",
    "zero_shot",
    "above_floor",
    "languages_above_floor",
    "dev",
)
GAIN = (
    *(
        "encoder",
        "arm",
        "target",
        "flags",
        "counted",
        "per_seed",
        "gain",
        "english",
        "zero_shot",
        "above_floor",
        "centred",
    ),
    *("interval", "seed_interval", "p", "p_corrected", "significant"),
)
SUITE = ("name", "version", "about", "smoke", "seeds")
TARGET = ("title", "metric")
ARM = ("shown", "title", "kind", "of", "subset", "difficulty")
Field = tuple[str, str, str]  # encoder, arm, target: a field of the board


def render(releases: list[tuple[str, Release]]) -> str:
    """The page of these releases: (title such as "0005-small", content of the present schema),
    newest last."""
    texts = []
    for title, release in releases:
        texts.append((title, _json(neutral_values(view(title, release)))))
    views, older = _fit(texts)
    data = f'{{"releases": [{",".join(views)}], "older": {_json(older)}, "marks": {_json(MARKS)}}}'
    library, script = _library(), _unclosed("\n".join(map(_part, SCRIPTS)))
    parts = {
        "policy": f"{POLICY} {_hashes(library, script)}",
        "style": _part("page.css"),
        "data": data,
        "charts": _json(all_charts()),
        "library": library,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))


def view(title: str, release: Release) -> Entry:
    """What the page shows of a release: facts, derived numbers, sentences. Any derived section may
    be empty or absent."""
    cells, gains = release.get("cells") or [], release.get("gains") or []
    fields: dict[Field, list[Entry]] = {}
    for cell in cells:
        fields.setdefault((cell["encoder"], cell["arm"], cell["target"]), []).append(cell)
    sections = {section: release.get(section) or [] for section in SECTIONS}
    return {
        "title": title,
        "suite": _some(release["suite"], SUITE),
        "baseline": baseline_of(release),
        "encoders": {one: _encoder(release, one, fields) for one in release["encoders"]},
        "arms": {name: _some(arm, ARM) for name, arm in release["arms"].items()},
        "targets": {name: _some(target, TARGET) for name, target in release["targets"].items()},
        "languages": release.get("languages") or {},
        "cells": [_some(cell, CELL) for cell in cells],
        "fields": [[*field, *_field(mine)] for field, mine in fields.items()],
        "gains": [_some(gain, GAIN) for gain in gains],
        **sections,
    }


def _some(entry: Entry, names: Iterable[str]) -> Entry:
    """These fields of it, None for those that it lacks."""
    return {name: entry.get(name) for name in names}


def _encoder(release: Release, encoder: str, fields: Mapping[Field, list[Entry]]) -> Entry:
    mine = [cells for (of, _, _), cells in fields.items() if of == encoder]
    return {
        "verdict": verdict(release, encoder),
        "notes": notes(release, encoder, mine),
        "languages": _languages(release, encoder),
        "dev": {arm: trained_dev(release, encoder, arm) for arm in release["arms"]},
    }


def _field(cells: list[Entry]) -> tuple[str, float | None]:
    """The marks of one field of the board, and its score: the mean over seeds."""
    letters = "".join(MARKS[flag][0] for flag in marks(cells))
    return letters, _mean(cell["score"] for cell in cells)


def _languages(release: Release, encoder: str) -> dict[str, dict[str, Entry]]:
    """target → language → the baseline's score (mean over seeds), rows, unknown share, flags, and
    {arm: [gain, low, high]}."""
    seen: dict[str, dict[str, list[Entry]]] = {}
    for cell in release.get("cells") or []:
        if (cell["encoder"], cell["arm"]) == (encoder, baseline_of(release)):
            for language, scored in cell["languages"].items():
                seen.setdefault(cell["target"], {}).setdefault(language, []).append(scored)
    found: dict[str, dict[str, Entry]] = {}
    for target, languages in seen.items():
        found[target] = {language: _language(scored) for language, scored in languages.items()}

    for gain in release.get("gains") or []:
        mine = found.get(gain["target"], {}) if gain["encoder"] == encoder else {}
        for language, of in (gain.get("per_language") or {}).items():
            if language in mine:
                limits = of.get("interval") or (None, None)
                mine[language]["gains"][gain["arm"]] = [of["gain"], *limits]
    return found


def _language(scored: list[Entry]) -> Entry:
    """The baseline in one language; its scores with each seed."""
    return {
        "score": _mean(s.get("main") for s in scored),
        "n": scored[0].get("n"),
        "unknown": _mean(s.get("unknown") for s in scored),
        "flags": sorted({flag for s in scored for flag in s.get("flags", [])}),
        "gains": {},
    }


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _fit(views: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """(the newest views that fit the page, oldest first; titles of the others). The newest is
    always there."""
    kept: list[str] = []
    size = 0
    for _, text in reversed(views):
        size += len(text.encode())
        if kept and size > DATA_LIMIT:
            break
        kept.append(text)
    return kept[::-1], [title for title, _ in views[: len(views) - len(kept)]]


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
