"""A release as files: tables with the board's very texts, numbers unrounded, pictures that need no
page around them."""

import csv
import sys
from pathlib import Path

import page_fixtures as made
import pytest
from conftest import ROOT

from harness.cli import main
from harness.common.errors import StoreError
from harness.page import tables
from harness.page.charts import Shading, easy_against_hard, figure_words, heat_map, light
from harness.page.export import export, latex
from harness.page.glance import glance
from harness.page.reading import readings
from harness.page.sheet import Column, Field, Line, Sheet
from harness.page.tidy import TABLES

TITLE = "0003-easy-hard"
SHEET = Sheet(
    "odd",
    "50% of a_b · {c}",
    [Column("", numeric=False), Column("a & b", mark="⚠1")],
    [
        Line("task", [Field("[x]\\"), Field("−1.0 ±4.3 ▲", -1.0, "help")]),
        Line("task", [Field("y"), Field("+0.5", 0.5, "unsure")]),
        Line("control", [Field("z"), Field("–")]),
    ],
    ["⚠1 <b>, ~ and ^"],
)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_csv_has_every_table_as_shown_and_every_number_unrounded(tmp_path):
    release = made.with_a_refused_gain("panx", "panx")
    names = [path.name for path in export(release, TITLE, tmp_path, "csv")]
    (reading,) = readings(release)
    (board,) = glance(release, TITLE).boards
    assert len(names) == len(set(names)) == len(TABLES) + 1 + len(tables.sheets(reading, "full"))
    shown = [list(row.values()) for row in read(tmp_path / "table-glance.csv")]
    assert shown == [[cell.text for cell in row.cells] for row in board.sheet.rows]

    gains = {(g.arm, g.target): g for g in release.gains}
    whole = read(tmp_path / "gains.csv")
    assert len(whole) == len(gains)
    for row in whole:
        gain = gains[row["condition"], row["target"]].gain
        assert row["value"] == ("" if gain.value is None else repr(gain.value))
        assert row["high"] == ("" if gain.interval is None else repr(gain.interval[1]))
    ways = {row["average"] for row in read(tmp_path / "averages.csv")}
    assert ways == {
        *("overall", "rest", "without_own", "zero_shot"),
        *("qa", "retrieval", "sentence", "tagging"),
    }
    metrics = read(tmp_path / "metrics.csv")
    assert {row["metric"] for row in metrics} >= {"accuracy", "f1"}


def test_files_of_several_encoders_are_apart(tmp_path):
    release = made.twice(made.committed("mini"))
    names = [path.name for path in export(release, "0001-two", tmp_path, "latex")]
    assert len(names) == len(set(names))
    assert f"table-glance-{made.SECOND}.tex" in names


def test_latex_is_what_was_meant_whatever_a_name_holds():
    assert latex(SHEET, "tab:odd").splitlines() == [
        r"% needs \usepackage{booktabs,amssymb,graphicx}",
        r"\begin{table}",
        r"\caption{50\% of a\_b $\cdot$ \{c\}}",
        r"\label{tab:odd}",
        r"\footnotesize",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{@{}lr@{}}",
        r"\toprule",
        r" & a \& b\textsuperscript{1} \\",
        r"\midrule",
        r"{}[x]\textbackslash{} & $-$1.0 $\pm$4.3 $\blacktriangle$ \\",
        r"y & +0.5 \\",
        r"\midrule",
        r"z & -- \\",
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par \textsuperscript{1} \textless{}b\textgreater{}, \textasciitilde{} and"
        r" \textasciicircum{}",
        r"\end{table}",
    ]


@pytest.mark.parametrize(
    ("form", "start"), [("svg", b"<svg"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_pictures_are_the_figure_and_the_table_at_a_glance(tmp_path, form, start):
    paths = export(made.committed(made.SUITE), TITLE, tmp_path, form)
    assert [path.name for path in paths] == [f"easy-against-hard.{form}", f"table-glance.{form}"]
    for path in paths:
        data = path.read_bytes()
        assert data.startswith(start) and b"var(--" not in data
    if form == "svg":
        figure, shown = (path.read_text(encoding="utf-8") for path in paths)
        assert "easy − hard" in figure and "average gain, points" in figure
        (board,) = glance(made.committed(made.SUITE), TITLE).boards
        for row in board.sheet.rows:
            assert row.cells[-1].text in shown


def test_a_release_without_easy_and_hard_tasks_has_no_figure(tmp_path):
    paths = export(made.committed("mteb-tatoeba"), "0002-mteb", tmp_path, "svg")
    assert [path.name for path in paths] == ["table-glance.svg"]


def test_the_figure_shows_the_averages_and_the_difference_of_the_release():
    release = made.committed(made.SUITE)
    (reading,) = readings(release)
    rows = {row["row"]: row for row in easy_against_hard(reading)["data"]["values"]}
    overall = release.split[0].overall.easy_minus_hard
    assert rows["easy − hard"]["value"] == overall.value
    assert [rows["easy − hard"]["low"], rows["easy − hard"]["high"]] == overall.interval
    for average in reading.rivals:
        row = rows[reading.condition(average.arm)]
        mean = average.rest or average.overall
        assert (row["value"], row["part"]) == (mean.gain.value, average.rest is not None)
        assert f"over {len(mean.targets)} target tasks" in row["tip"]


@pytest.mark.parametrize(
    ("suite", "for_"),
    [(made.SUITE, "other seeds and test rows."), ("mini", "other test rows alone.")],
)
def test_what_stands_under_the_figure_says_what_its_intervals_are_for(suite, for_):
    (reading,) = readings(made.committed(suite))
    assert for_ in figure_words(reading)[0]


def test_a_colour_is_full_only_where_there_is_an_arrow():
    shading = Shading(SHEET)
    shown = [shading.of(row.cells[1]) for row in SHEET.rows]
    assert shown == [0.55, pytest.approx(0.25 * 0.5), None]
    fields = light(heat_map(SHEET))["data"]["values"]
    assert [row["sign"] for row in fields] == ["down", "up", ""]
    assert [row["shade"] > 0 for row in fields] == [True, True, False]


def test_the_command_writes_the_form_it_is_asked_for(tmp_path, monkeypatch, capsys):
    out, board = tmp_path / "out", ROOT / "leaderboard"
    words = ["leaderboard", "export", made.SUITE, "--format", "latex"]
    words += ["--out", str(out), "--board", str(board)]
    monkeypatch.setattr(sys, "argv", ["xstilts-harness", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    printed = capsys.readouterr().out.splitlines()
    assert printed == [str(path) for path in map(Path, printed) if path.suffix == ".tex"]
    assert sorted(map(str, out.iterdir())) == sorted(printed)


def test_a_disk_that_takes_nothing_is_named(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="taken"):
        export(made.committed("mini"), "0001-mini", taken / "in", "latex")
