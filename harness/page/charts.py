"""The pictures of the board as Vega-Lite specifications, with their rows: easy against hard, and a
table as a heat map.

Colours are the page's CSS variables, so that one drawing serves light, dark and print; a file has
no page around it, and `light` puts the light colours in. Every row has `tip`, the text shown on
hover.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from textwrap import wrap
from typing import Any

from harness.common.text import signed
from harness.page.points import between
from harness.page.reading import Reading, shown_mean
from harness.page.sheet import Column, Field, Sheet
from harness.release.schema_derived import Average, Estimate, Split
from harness.statistics.measured import FEWEST_SEEDS

Spec = dict[str, Any]  # Vega-Lite, or a part of it, as JSON has it
Point = dict[str, Any]  # a row of a picture

STYLE = Path(__file__).parent / "page.css"
# an installed font each for the page and for files, which no browser substitutes
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
HEADINGS = {
    "easy": "easy tasks",
    "median": "middle task",
    "hard": "hard tasks",
    "unlearned": "not learned",
}
SIDE = {
    "field": "side",
    "type": "nominal",
    "legend": None,
    "scale": {
        "domain": [*HEADINGS, "none", "heading"],
        "range": [
            "var(--easy)",
            "var(--muted)",
            "var(--hard)",
            "var(--muted)",
            "var(--ink)",
            "transparent",
        ],
    },
}
SHAPE = SIDE | {
    "scale": {
        "domain": [*HEADINGS, "none", "heading"],
        "range": ["circle", "square", "diamond", "cross", "square", "circle"],
    }
}
CONFIG = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "rule": {"strokeWidth": 2},
}
LINE = 26  # pixels a row of a picture is high
# of a colour over the ground, the most: more would leave a text hard to read; and where no arrow is
FULL, PALE = 0.55, 0.25


def _picture(description: str, rows: list[Point], **spec: Any) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "data": {"values": rows},
        "width": "container",
        "height": LINE * len({row["row"] for row in rows}),
        "config": CONFIG,
        **spec,
    }


# Easy against hard


def easy_against_hard(reading: Reading) -> Spec | None:
    """Each intermediate task's average gain and 95% interval, by side; the last line is easy −
    hard. None where it is not known."""
    split = reading.split
    if split is None or split.overall.easy_minus_hard.value is None:
        return None
    zero = {
        "data": {"values": [{"zero": 0}]},
        "mark": {"type": "rule", "aria": False, "color": "var(--faint)", "strokeWidth": 1},
        "encoding": {"x": {"field": "zero", "type": "quantitative"}},
    }
    interval = {
        "mark": {"type": "rule", "aria": False},
        "encoding": {"x": _points("low"), "x2": {"field": "high"}, "y": _names(), "color": SIDE},
    }
    # hollow: the mean over some of the targets
    inside = {"condition": {"test": "datum.part", "value": "var(--paper)"}, **SIDE}
    mean = {
        "mark": {"type": "point", "size": 70, "strokeWidth": 2, "opacity": 1},
        "encoding": {
            "x": _points("value"),
            "y": _names(),
            "color": SIDE,
            "fill": inside,
            "shape": SHAPE,
            "tooltip": {"field": "tip"},
            "description": {"field": "tip"},
        },
    }
    return _picture(
        "Average gain of easy and of hard intermediate tasks, and the difference, with intervals",
        [*_tasks(reading, split), *_difference(split)],
        layer=[zero, interval, mean],
    )


def figure_words(reading: Reading) -> list[str]:
    """What stands under it."""
    few = len(reading.release.suite.seeds) < FEWEST_SEEDS
    said = (
        f"A point: an intermediate task's average gain over {len(reading.headline)} target tasks; a"
        f" line: its 95% interval, for other {'test rows alone' if few else 'seeds and test rows'}."
    )
    if any(average.rest for average in reading.rivals):
        said += " Hollow: over fewer, since its training rows are test rows of the others."
    return [
        said,
        "Easy − hard is a mean over target tasks, on each of the tasks that have a gain there; its"
        " interval is for other intermediate tasks, too.",
    ]


def _points(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"title": "average gain, points", "labelColor": "var(--muted)", "tickCount": 6},
        "scale": {"zero": True, "nice": False, "padding": 12},
    }


def _names() -> Spec:
    """A line's name; one that ends with a colon is a heading."""
    return {
        "field": "row",
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "grid": False,
            "labelLimit": {"expr": "width < 300 ? 140 : 240"},
            "labelExpr": "replace(datum.label, ':', '')",
            "labelFontWeight": {
                "condition": {"test": "indexof(datum.label, ':') > 0", "value": "bold"},
                "value": "normal",
            },
        },
    }


def _tasks(reading: Reading, split: Split) -> Iterator[Point]:
    """A heading for each side that has a task, and its tasks, the best first."""
    sides = {
        "easy": list(split.easy.arms),
        "median": split.median,
        "hard": list(split.hard.arms),
        "unlearned": split.unlearned,
    }
    for side, arms in sides.items():
        mine = [average for average in reading.ranked if average.arm in arms]
        rows = [_task(reading, average) | {"side": side} for average in mine]
        known = [row for row in rows if row["value"] is not None]
        if known:
            yield _heading(HEADINGS[side])
        yield from sorted(known, key=lambda row: -float(row["value"]))


def _task(reading: Reading, average: Average) -> Point:
    """`part`: over some of the targets, since the others are refused or missing."""
    mean = shown_mean(average)
    row = _line(reading.condition(average.arm), mean.gain)
    over = f"{row['tip']}, over {len(mean.targets)} target tasks"
    return row | {"part": average.rest is not None, "tip": over}


def _difference(split: Split) -> list[Point]:
    return [_heading("difference"), _line("easy − hard", split.overall.easy_minus_hard)]


def _heading(name: str) -> Point:
    """A line of the picture with nothing but its name."""
    return _line(f"{name}:", Estimate(value=0.0)) | {"side": "heading", "tip": ""}


def _line(name: str, number: Estimate) -> Point:
    low, high = number.interval or (number.value, number.value)
    return {
        "row": name,
        "side": "none",
        "value": number.value,
        "low": low,
        "high": high,
        "part": False,
        "tip": f"{name}: {signed(number.value)}{between(number.interval)} points",
    }


# A table as a heat map


class Shading:
    """How strong the colours of a table's gains are.

    They are strongest at the ninth decile of their sizes, so that one outlier does not wash out the
    rest.
    """

    def __init__(self, sheet: Sheet):
        cells = [cell for row in sheet.rows for cell in row.cells if is_gain(cell)]
        sizes = sorted(abs(cell.number or 0.0) for cell in cells)
        self.full = max(1.0, sizes[int(0.9 * (len(sizes) - 1))]) if sizes else None

    def of(self, cell: Field) -> float | None:
        """Its share over the ground, from 0 to `FULL`; None: no colour."""
        if self.full is None or not is_gain(cell):
            return None
        most = PALE if cell.tone == "unsure" else FULL
        return round(most * min(1.0, abs(cell.number or 0.0) / self.full), 3)


def is_gain(cell: Field) -> bool:
    return cell.tone != "none" and cell.number is not None


def heat_map(sheet: Sheet) -> Spec:
    """The table as a picture: a coloured field for each gain, with its text."""
    rows = list(_fields(sheet))
    numeric = [_heading_of(column) for column in sheet.columns if column.numeric]
    x = {
        "field": "column",
        "type": "ordinal",
        "sort": numeric,
        "axis": {"title": None, "orient": "top", "labelAngle": 0, "labelLimit": 0},
    }
    y = {
        "field": "row",
        "type": "ordinal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 0},
    }
    colour = {
        "field": "sign",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": ["up", "down", ""],
            "range": ["var(--help)", "var(--hurt)", "var(--paper)"],
        },
    }
    field = {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "opacity": {"field": "shade", "type": "quantitative", "scale": None},
        },
    }
    text = {
        "mark": {"type": "text", "fontSize": 12, "color": "var(--ink)"},
        "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
    }
    widest = max((len(row["text"]) for row in rows), default=0)
    width = 7 * (widest + 3) * len(numeric)
    picture = _picture(sheet.caption, rows, title=_below(sheet, width), layer=[field, text])
    return picture | {"width": width}


def _below(sheet: Sheet, width: int) -> Spec:
    """The caption and the footnotes, as lines under the picture."""
    said = [sheet.caption, *sheet.footnotes]
    lines = [line for text in said for line in wrap(text, width // 5)]
    return {
        "text": lines,
        "orient": "bottom",
        "anchor": "start",
        "color": "var(--muted)",
        "fontSize": 10,
        "fontWeight": "normal",
    }


def _fields(sheet: Sheet) -> Iterator[Point]:
    shading = Shading(sheet)
    for row in sheet.rows:
        pairs = list(zip(row.cells, sheet.columns, strict=True))
        named = [cell.text for cell, column in pairs if cell.text and not column.numeric]
        for cell, column in pairs:
            if column.numeric:
                yield {
                    "row": "  ".join(named),
                    "column": _heading_of(column),
                    "text": cell.text,
                    "sign": sign(cell),
                    "shade": shading.of(cell) or 0.0,
                }


def _heading_of(column: Column) -> str:
    return f"{column.name} {column.mark}".strip()


def sign(cell: Field) -> str:
    """Which of the two colours a gain has; "" for what is none."""
    if not is_gain(cell):
        return ""
    return "up" if (cell.number or 0.0) >= 0 else "down"


# Colours of a file


@lru_cache(maxsize=1)
def _palette() -> dict[str, str]:
    """The page's colours by name, as in light."""
    return dict(re.findall(r"--([\w-]+): light-dark\((#\w+)", STYLE.read_text(encoding="utf-8")))


def light(spec: Spec, width: int | None = None) -> Spec:
    """The picture for a file: the light colours, on white, and a width in pixels where it took its
    page's."""
    colours = _palette() | {"paper": "#ffffff"}
    text = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], json.dumps(spec))
    lit: Spec = json.loads(text)
    lit["config"]["background"] = colours["paper"]
    if lit["width"] == "container":
        lit["width"] = width
    return lit
