"""A release as files: tables as CSV and as LaTeX, pictures as SVG, PDF and PNG.

table-NAME.csv|tex|svg|…    a table of the board, with its very texts
easy-against-hard.svg|…     the figure
NAME.csv    those of `harness.page.tidy`: the numbers, unrounded
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.common.text import line
from harness.page import tables
from harness.page.charts import Spec, easy_against_hard, heat_map, light
from harness.page.glance import glance
from harness.page.reading import readings
from harness.page.sheet import Line, Sheet
from harness.page.tidy import TABLES, Row, tidy
from harness.release.schema import Concluded
from harness.store import atomic_write, disk_errors

FIGURE_WIDTH = 460  # pixels, as wide as a page's text
DOTS = 300  # an inch, of PNG


def export(release: Concluded, title: str, folder: Path, form: str) -> list[Path]:
    """Write a release under `folder`; the files. `form`: csv, latex, svg, pdf or png.

    raises  StoreError: the disk does not take them
    """
    written = []
    for name, data in _files(release, title, form):
        path = folder / name
        with disk_errors("write", path):
            path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data)
        written.append(path)
    return written


def _files(release: Concluded, title: str, form: str) -> Iterator[tuple[str, bytes]]:
    sheets = _named(release, title)
    if form == "csv":
        yield from _numbers(release)
        for name, sheet in sheets.items():
            yield f"table-{name}.csv", _csv(_texts(sheet))
    elif form == "latex":
        for name, sheet in sheets.items():
            yield f"table-{name}.tex", latex(sheet, f"tab:{name}").encode()
    else:
        yield from _pictures(release, sheets, form)


def _named(release: Concluded, title: str) -> dict[str, Sheet]:
    """Every table by the name of its file: the board at a glance first."""
    found: dict[str, Sheet] = {}
    for board in glance(release, title).boards:
        found[_name(release, board.encoder, board.sheet.name)] = board.sheet
    for reading in readings(release):
        for sheet in tables.sheets(reading, "full"):
            found[_name(release, reading.encoder, sheet.name)] = sheet
    return found


def _name(release: Concluded, encoder: str, name: str) -> str:
    """A file's name without its ending; with the encoder's where there are several."""
    several = encoder and len(release.encoders) > 1
    return re.sub(r"[^\w.-]+", "-", f"{name} {encoder}" if several else name)


# Pictures


def _pictures(
    release: Concluded, sheets: Mapping[str, Sheet], form: str
) -> Iterator[tuple[str, bytes]]:
    for reading in readings(release):
        if figure := easy_against_hard(reading):
            name = _name(release, reading.encoder, "easy-against-hard")
            yield f"{name}.{form}", _drawn(figure, form)
    for name, sheet in sheets.items():
        if sheet.name == "glance":
            yield f"table-{name}.{form}", _drawn(heat_map(sheet), form)


def _drawn(picture: Spec, form: str) -> bytes:
    import vl_convert

    spec = light(picture, FIGURE_WIDTH)
    if form == "svg":
        svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
        return svg.encode()
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec, allowed_base_urls=[]))
    return bytes(vl_convert.vegalite_to_png(spec, ppi=DOTS, allowed_base_urls=[]))


# LaTeX

PREAMBLE = r"% needs \usepackage{booktabs,amssymb,graphicx}"
# only a table that is too wide for the page is made smaller
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "−": "$-$",
    "±": r"$\pm$",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "→": r"$\rightarrow$",
    "·": r"$\cdot$",
    "–": "--",
    "†": r"$\dagger$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
CAUTION = re.compile(r" ?⚠([\d,]+)")


def latex(sheet: Sheet, label: str) -> str:
    """The table for a paper: `booktabs` rules, its caption above it, its footnotes below it."""
    columns = "".join("r" if column.numeric else "l" for column in sheet.columns)
    header = [_tex(f"{column.name}{column.mark}") for column in sheet.columns]
    notes = [f"\\par {_tex(note)}" for note in sheet.footnotes]
    parts = [
        PREAMBLE,
        r"\begin{table}",
        rf"\caption{{{_tex(sheet.caption)}}}",
        rf"\label{{{label}}}",
        r"\footnotesize",
        FITTED,
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        _tex_row(header),
        *_tex_rows(sheet.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(parts) + "\n"


def _tex_rows(rows: Iterable[Line]) -> Iterator[str]:
    """With a rule between rows of different kinds."""
    kind = ""
    for row in rows:
        if row.kind != kind:
            yield r"\midrule"
        kind = row.kind
        yield _tex_row(_tex(cell.text) for cell in row.cells)


def _tex_row(cells: Iterable[str]) -> str:
    row = f"{' & '.join(cells)} \\\\"
    # at the start of a row, these two belong to the end of the row before
    return f"{{}}{row}" if row.startswith(("[", "*")) else row


def _tex(text: str) -> str:
    """The text in LaTeX; the number of a footnote is raised."""
    escaped = "".join(ESCAPES.get(sign, sign) for sign in line(text))
    raised = CAUTION.sub(r"\\textsuperscript{\1}", escaped)
    return raised.replace("⚠", r"$\triangle$")


# CSV


def _csv(rows: Iterable[Row]) -> bytes:
    rows, text = list(rows), io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _texts(sheet: Sheet) -> Iterator[Row]:
    """The table as it is shown; columns without a name are numbered."""
    names = [column.name or f"column {i}" for i, column in enumerate(sheet.columns, 1)]
    for row in sheet.rows:
        yield dict(zip(names, (cell.text for cell in row.cells), strict=True))


def _numbers(release: Concluded) -> Iterator[tuple[str, bytes]]:
    for name in TABLES:
        yield f"{name}.csv", _csv(tidy(release, name))
