"""What the page's charts look like: Vega-Lite specifications as plain dictionaries.

The page's script gives each one its rows (the data set `rows`), so a specification holds no
numbers. Colours are CSS variables: one drawing serves light, dark and print. Every row has `tip`,
the text shown on hover; `lo` and `hi` are the mean itself where no interval is known. A chart with
a line per row says in `usermeta` how high a line is: its height depends on the rows.
"""

from typing import Any

Spec = dict[str, Any]  # Vega-Lite, or a part of it, as JSON has it

# for the mouse, for screen readers
SAID = {"tooltip": {"field": "tip"}, "description": {"field": "tip"}}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
ZERO = {
    "data": {"values": [{"zero": 0}]},
    "mark": {"type": "rule", "aria": False, "color": "var(--faint)", "strokeWidth": 1},
}
# What a mean and its interval say, in one colour: the interval is above 0, below 0, or contains it
# (or is not known).
TONE = {
    "field": "tone",
    "type": "nominal",
    "legend": None,
    "scale": {
        "domain": ["help", "hurt", "unsure", "none"],
        "range": ["var(--help)", "var(--hurt)", "var(--muted)", "transparent"],
    },
}
BUCKET = {
    "domain": ["easy", "median", "hard", "unlearned", "none"],
    "range": ["var(--easy)", "var(--muted)", "var(--hard)", "var(--muted)", "var(--muted)"],
}
SHAPE = {"domain": BUCKET["domain"], "range": ["circle", "square", "diamond", "cross", "circle"]}
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
    "axisX": {"labelColor": "var(--muted)", "tickCount": 6},
    "rule": {"strokeWidth": 2},
    "point": {"size": 70, "opacity": 1, "strokeWidth": 2},
}


def _chart(description: str, **spec: Any) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "data": {"name": "rows"},
        "width": "container",
        "config": CONFIG,
        **spec,
    }


def _gain(field: str, title: str | None = None) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"title": title},
        "scale": {"zero": True, "nice": False, "padding": 12},
    }


def forest(title: str) -> Spec:
    """One line for each row: its mean and its interval. Rows {name, gain, lo, hi, tone, tip}; a
    name that ends with a colon is a heading, and its tone `none`."""
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "grid": False,
            "labelLimit": {"expr": "width < 300 ? 130 : 220"},
            "labelFontWeight": {
                "condition": {"test": "indexof(datum.label, ':') > 0", "value": "bold"},
                "value": "normal",
            },
        },
    }
    return _chart(
        f"{title}: mean and 95% interval",
        usermeta={"step": 26, "lines": "name"},
        layer=[
            ZERO | {"encoding": {"x": {"field": "zero", "type": "quantitative"}}},
            {
                "mark": {"type": "rule", "aria": False},
                "encoding": {"x": _gain("lo", title), "x2": {"field": "hi"}, "y": y, "color": TONE},
            },
            {
                "mark": {"type": "point", "filled": True, "shape": "circle"},
                "encoding": {"x": _gain("gain", title), "y": y, "color": TONE, **SAID},
            },
        ],
    )


def split() -> Spec:
    """Easy against hard. Rows {row, gain, mean, lo, hi, bucket, tip}: a task has `gain`; a side and
    a difference, `mean`."""
    y = {
        "field": "row",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 170},
    }
    colour = {"field": "bucket", "type": "nominal", "legend": None, "scale": BUCKET}
    title = "average gain, points"
    return _chart(
        "Average gain of easy and of hard intermediate tasks, and the difference with its interval",
        usermeta={"step": 38, "lines": "row"},
        layer=[
            ZERO | {"encoding": {"x": {"field": "zero", "type": "quantitative"}}},
            {
                "mark": {"type": "rule", "aria": False},
                "encoding": {
                    "x": _gain("lo", title),
                    "x2": {"field": "hi"},
                    "y": y,
                    "color": colour,
                },
            },
            {
                "mark": {"type": "tick", "thickness": 3, "size": 26},
                "encoding": {"x": _gain("mean", title), "y": y, "color": colour, **SAID},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 0.75},
                "encoding": {
                    "x": _gain("gain", title),
                    "y": y,
                    "color": colour,
                    "shape": {"field": "bucket", "type": "nominal", "legend": None, "scale": SHAPE},
                    **SAID,
                },
            },
        ],
    )


def scatter() -> Spec:
    """Gain against difficulty, a point per task. Rows {x, gain, lo, hi, bucket, label, dx, dy,
    align, tip}."""
    x = {
        "field": "x",
        "type": "quantitative",
        "axis": {"title": {"expr": "measure"}},
        "scale": {"zero": False, "nice": False, "padding": 24},
    }
    title = "average gain, points"
    y = _gain("gain", title)
    colour = {"field": "bucket", "type": "nominal", "legend": None, "scale": BUCKET}
    return _chart(
        "Average gain against difficulty of the intermediate task",
        params=[{"name": "measure", "value": "headroom"}],
        height=320,
        layer=[
            ZERO | {"encoding": {"y": {"field": "zero", "type": "quantitative"}}},
            {
                "mark": {"type": "rule", "aria": False, "opacity": 0.45},
                "encoding": {
                    "x": x,
                    "y": _gain("lo", title),
                    "y2": {"field": "hi"},
                    "color": colour,
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": colour,
                    "shape": {"field": "bucket", "type": "nominal", "legend": None, "scale": SHAPE},
                    **SAID,
                },
            },
            {
                "mark": {
                    "type": "text",
                    "aria": False,
                    "fontSize": 12,
                    "color": "var(--ink)",
                    "align": {"expr": "datum.align"},
                    "dx": {"expr": "datum.dx"},
                    "dy": {"expr": "datum.dy"},
                },
                "encoding": {"x": x, "y": y, "text": {"field": "label", "type": "nominal"}},
            },
        ],
    )


def unknown() -> Spec:
    """Gain against the share of pieces not in the vocabulary, a point per language. Rows {x, gain,
    lo, hi, tone, label, tip}."""
    x = {
        "field": "x",
        "type": "quantitative",
        "axis": {"title": "pieces not in the vocabulary, %", "values": [0, 1, 5, 10, 25, 50, 100]},
        "scale": {"type": "symlog", "constant": 1, "zero": True, "nice": False},
    }
    # a vocabulary that knows nearly everything shows as such: its languages are not spread out
    wide = [{"x": 0}, {"x": 5}]
    title = "gain, points"
    return _chart(
        "Gain in each language against its share of unknown pieces",
        height=260,
        layer=[
            ZERO | {"encoding": {"y": {"field": "zero", "type": "quantitative"}}},
            {
                "data": {"values": wide},
                "mark": {"type": "point", "aria": False, "opacity": 0},
                "encoding": {"x": x},
            },
            {
                "mark": {"type": "rule", "aria": False, "strokeWidth": 1, "opacity": 0.5},
                "encoding": {"x": x, "y": _gain("lo", title), "y2": {"field": "hi"}, "color": TONE},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.85},
                "encoding": {"x": x, "y": _gain("gain", title), "color": TONE, **SAID},
            },
            {
                "mark": {
                    "type": "text",
                    "aria": False,
                    "fontSize": 11,
                    "align": "left",
                    "dx": 7,
                    "color": "var(--muted)",
                },
                "encoding": {
                    "x": x,
                    "y": _gain("gain", title),
                    "text": {"field": "label", "type": "nominal"},
                },
            },
        ],
    )


def all_charts() -> dict[str, Spec]:
    """Every chart by the name that the page's script knows."""
    return {
        "averages": forest("average gain, points"),
        "comparisons": forest("difference in average gain, points"),
        "split": split(),
        "scatter": scatter(),
        "unknown": unknown(),
    }
