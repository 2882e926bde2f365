"""The leaderboard's page in a real browser: opens from disk, asks for nothing, shows the very texts
of the tables, works by keyboard, on a narrow screen and on paper."""

import json
import shutil
from pathlib import Path

import page_fixtures as made
import pytest
from conftest import ROOT
from screenshots import NAMES, browser

from harness.page import page as pages
from harness.page import tables
from harness.page.glance import glance
from harness.page.page import render, view
from harness.page.points import DASH
from harness.page.reading import readings
from harness.page.sheet import Sheet
from harness.release.schema import Content

pytestmark = pytest.mark.slow

PAGE = ROOT / "harness" / "page"
STUDY = "0003-easy-hard"
SHOWN = """(box) => [...box.querySelectorAll("tbody tr:not([hidden])")].map(
    (row) => [...row.cells].map((cell) => cell.textContent))"""
CONTRASTS = """() => {
    const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgb = (colour) => {
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const linear = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const share = [0.2126, 0.7152, 0.0722];
    const light = (colour) =>
        rgb(colour).reduce((sum, c, i) => sum + linear(c / 255) * share[i], 0.05);
    return [...document.querySelectorAll("td[style], td[style] small")].map((node) => {
        const cell = node.closest("td");
        rgb(getComputedStyle(document.body).backgroundColor); // under a colour that lets it through
        const back = light(getComputedStyle(cell).backgroundColor);
        const front = light(getComputedStyle(node).color);
        return Math.max(back, front) / Math.min(back, front);
    });
}"""


@pytest.fixture(scope="module")
def chrome():
    pytest.importorskip("playwright", reason="the page's tests need playwright")
    if not any(map(shutil.which, NAMES)):
        pytest.skip(f"the page's tests need a browser: none of {', '.join(NAMES)} is here")
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    """The page of the fixtures' releases."""
    return saved(tmp_path_factory.mktemp("page"), *made.releases())


@pytest.fixture
def visit(chrome):
    """Opens a file in a new tab that notes console messages, errors and requests; the test fails on
    any that should not be."""
    tabs, noise = [], []

    def asked(request):
        if not request.url.startswith(("file:", "data:")):
            noise.append(request.url)

    def opened(path, title="", width=1280, **look):
        tab = chrome.new_page(viewport={"width": width, "height": 800}, **look)
        tab.set_default_timeout(10_000)
        tabs.append(tab)
        tab.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: noise.append(f"error: {error}"))
        tab.on("request", asked)
        tab.goto(f"{path.as_uri()}#{title}")
        return tab

    yield opened
    for tab in tabs:
        tab.wait_for_timeout(50)  # the charts are drawn a moment later
        tab.close()
    assert not noise, noise


def saved(folder: Path, *releases: tuple[str, Content]) -> Path:
    path = folder / "index.html"
    path.write_text(render(releases), encoding="utf-8")
    return path


def unfold(tab) -> None:
    tab.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")


def table(tab, name: str) -> list[list[str]]:
    """The texts of the table of that name, row by row."""
    return tab.get_by_role("region", name=name, exact=True).first.evaluate(SHOWN)


def texts(sheet: Sheet) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in sheet.rows]


# What it shows


def test_every_release_opens_quietly_with_the_very_texts_of_its_tables(visit, board):
    tab = visit(board)
    assert tab.locator("#release").input_value() == STUDY  # the one with the most seeds
    for title, release in made.releases():
        tab.select_option("#release", title)
        unfold(tab)
        boxes = tab.locator("#board .box").evaluate_all(f"(all) => all.map({SHOWN})")
        expected = [texts(one.sheet) for one in glance(release, title).boards]
        mine = readings(release)
        expected += [texts(tables.languages(mine[0])[0])]  # of one target, until one chooses
        for makers in (one for _, one in pages.FOLDED.values()):
            sheets = [sheet for reading in mine for make in makers for sheet in make(reading)]
            expected += [texts(sheet) for sheet in sheets if sheet.rows]
        assert boxes == expected
        said = tab.locator("main").inner_text()
        for one in glance(release, title).boards:
            for line in [*one.sentences, *one.sheet.footnotes]:
                assert line in said


def test_a_release_without_intermediates_or_with_nothing_derived_opens(visit, tmp_path):
    study = made.committed(made.SUITE)
    derived = ("gains", "averages", "split", "difficulty", "subsets", "best", "slices")
    bare = made.without(study, *derived)
    tab = visit(saved(tmp_path, ("0001-bare", bare)), "0001-bare")
    assert tab.locator(".about").inner_text() == study.suite.about
    assert tab.locator(".chart").count() == 0
    empty = visit(saved(tmp_path))
    assert "no release yet" in empty.locator("main").inner_text()
    assert empty.locator("#picker").is_hidden()


def test_the_figure_has_a_line_for_each_task_and_says_what_it_counts(visit, board):
    tab = visit(board, STUDY)
    drawn = tab.locator("#figure .chart svg")
    drawn.wait_for()
    split = made.committed(made.SUITE).split[0]
    for arm in (*split.easy.arms, *split.hard.arms, *split.unlearned):
        assert made.committed(made.SUITE).arms[arm].shown.split("@")[0] in drawn.text_content()
    assert "average gain, points" in drawn.text_content()
    mark = drawn.locator(".mark-symbol path").last
    mark.scroll_into_view_if_needed()
    tab.wait_for_timeout(200)  # scrolling hides the tip
    mark.hover(force=True)
    assert tab.locator("#tip").inner_text().startswith("easy − hard: ")


HOSTILE = [
    "</script><script>window.bad = 1</script>",
    "<img src=x onerror='window.bad = 1'>",
    "<!-- <script>",
    "{{library}}",
    "a\u2028b\"'&amp;",
]


def test_hostile_strings_are_text(visit, tmp_path):
    release = made.spoilt(made.committed(made.SUITE), HOSTILE)
    tab = visit(saved(tmp_path, ("0001-</title><b>x", release)))
    tab.wait_for_selector(".chart svg")
    unfold(tab)
    assert tab.evaluate("window.bad") is None
    assert tab.locator("img, main script, main b").count() == 0
    assert tab.locator("script").count() == 3
    assert tab.locator(".about").inner_text().startswith(HOSTILE[0])
    shown = [row[1] for row in table(tab, "glance")]
    assert any(HOSTILE[1] in name for name in shown)


def test_the_page_is_small_and_the_oldest_releases_give_way(monkeypatch):
    html = render(made.releases())
    assert len(html.encode()) < 3_000_000
    assert "://" not in html.split("<script")[0]
    monkeypatch.setattr(pages, "DATA_LIMIT", 1)
    data = json.loads(render(made.releases()).split('id="data">')[1].split("</script>")[0])
    assert [release["title"] for release in data["releases"]] == ["0004-two"]
    assert data["older"] == ["0001-mini", "0002-mteb-tatoeba", STUDY]


def test_its_sources_are_few_and_its_data_hold_no_number_to_round():
    sources = [path for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js")]
    lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) <= 500
    assert max(map(len, lines)) <= 100
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    assert not [word for word in ("toFixed", "Math.round", "toPrecision") if word in script]


# Use


def test_headers_sort_numbers_inside_their_kind_and_missing_ones_come_last(visit, tmp_path):
    release = made.with_a_refused_gain("panx", "panx")
    tab = visit(saved(tmp_path, (STUDY, release)), STUDY)
    unfold(tab)
    sheet = next(s for s in tables.targets(readings(release)[0]) if s.name == "targets")
    tasks = [row.cells for row in sheet.rows if row.kind == "task"]
    known = [cells for cells in tasks if cells[3].number is not None]
    assert len(known) < len(tasks)  # one is refused
    region = tab.get_by_role("region", name="targets", exact=True)
    header = region.get_by_role("columnheader", name=sheet.columns[3].name)
    assert header.get_attribute("aria-sort") == "none"
    for order, down in (("descending", True), ("ascending", False)):
        header.get_by_role("button").press("Enter")
        assert header.get_attribute("aria-sort") == order
        ranked = sorted(known, key=lambda cells: cells[3].number, reverse=down)
        shown = [row[0] for row in table(tab, "targets")]
        assert shown[0] == "baseline score"
        assert shown[1 : len(ranked) + 1] == [cells[0].text for cells in ranked]
        rest = {cells[0].text for cells in tasks} - set(shown[1 : len(ranked) + 1])
        assert set(shown[len(ranked) + 1 : len(tasks) + 1]) == rest


def test_a_target_and_its_rows_can_be_chosen(visit, board):
    tab = visit(board, STUDY)
    sheets = tables.languages(readings(made.committed(made.SUITE))[0])
    panx = next(sheet for sheet in sheets if "panx" in sheet.name)
    section = tab.locator("#languages")
    section.get_by_label("Target task").select_option("panx")
    assert table(tab, panx.name) == texts(panx)
    section.get_by_label("Filter").fill("SWAHILI")
    assert table(tab, panx.name) == [row for row in texts(panx) if row[0] == "Swahili (sw)"]


def test_picking_a_release(visit, board):
    tab = visit(board, "0001-mini")
    assert "SMOKE" in tab.locator(".smoke").inner_text()
    tab.select_option("#release", STUDY)
    assert tab.url.endswith(f"#{STUDY}") and tab.title().startswith(STUDY)
    assert tab.locator(".smoke").count() == 0
    assert tab.locator("#files a").get_attribute("href") == f"releases/{STUDY}.json"
    tab.go_back()
    tab.locator(".smoke").wait_for()
    assert tab.locator("#release").input_value() == "0001-mini"


def test_the_keyboard_alone_is_enough(visit, board):
    tab = visit(board, STUDY)
    seen = []
    for _ in range(3):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.id || document.activeElement.className"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == ["skip", "theme", "release"]
    cell = tab.get_by_role("region", name="glance").locator("td[tabindex='0']")
    cell.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    board = glance(made.committed(made.SUITE), STUDY).boards[0]
    second = [row for row in board.sheet.rows if row.kind == "task"][1]
    assert tab.locator("#tip").inner_text() == second.cells[3].tip != ""
    tab.keyboard.press("Escape")
    assert tab.locator("#tip").is_hidden()
    fold = tab.locator("details#targets")
    fold.locator("summary").press("Enter")
    assert fold.get_attribute("open") == ""
    assert tab.get_by_role("region", name="targets", exact=True).is_visible()


# Looks


def test_light_dark_and_the_button(visit, board):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(253, 253, 252)", "rgb(20, 23, 26)"
    tab = visit(board, color_scheme="dark")
    assert tab.evaluate(background) == dark
    seen = []
    for _ in range(3):
        tab.locator("#theme").click()
        seen.append((tab.locator("#theme").get_attribute("aria-label"), tab.evaluate(background)))
    assert seen == [
        ("Colours: light", light),
        ("Colours: dark", dark),
        ("Colours: as the system", dark),
    ]
    assert visit(board, color_scheme="light").evaluate(background) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_numbers_on_the_heat_maps_can_be_read(visit, board, scheme):
    """Contrast of every number with its cell, as WCAG computes it: 4.5 or more."""
    tab = visit(board, STUDY, color_scheme=scheme)
    unfold(tab)
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 200 and min(contrasts) >= 4.5


@pytest.mark.parametrize("width", [360, 390])
def test_nothing_scrolls_sideways_on_a_narrow_screen(visit, board, width):
    tab = visit(board, width=width)
    for title, _ in made.releases():
        tab.select_option("#release", title)
        unfold(tab)
        tab.wait_for_timeout(300)
        assert tab.evaluate("document.documentElement.scrollWidth") == width, title
        wide = "(all) => all.filter((b) => b.scrollWidth > b.clientWidth).map((b) => b.ariaLabel)"
        assert tab.locator(".box").evaluate_all(wide) == [], title
        edges = "(all) => all.map((svg) => svg.getBoundingClientRect().right)"
        assert all(edge <= width for edge in tab.locator(".chart svg").evaluate_all(edges))
    tab.select_option("#release", "0001-mini")
    heads = tab.get_by_role("region", name="glance").get_by_role("columnheader")
    assert heads.last.is_visible() == (width == 390)  # a table still, and no cards


def test_print_is_light_and_whole(visit, board):
    tab = visit(board, STUDY, color_scheme="dark")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.locator("#theme").is_hidden()
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.get_by_role("region", name="targets", exact=True).is_visible()
    hidden = "(all) => all.filter((box) => getComputedStyle(box).overflowX !== 'visible').length"
    assert tab.locator(".box").evaluate_all(hidden) == 0
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("details[open]").count() == 0
    assert len(tab.pdf(format="A4")) > 20_000


def test_a_number_that_is_not_known_has_no_colour():
    shown = view(STUDY, made.committed(made.SUITE))
    cells = [
        cell
        for section in shown["sections"]
        for part in section["parts"]
        if part["kind"] == "sheet"
        for _, row in part["sheet"]["rows"]
        for cell in row
    ]
    assert any(cell[0] == DASH for cell in cells)
    assert not [cell for cell in cells if cell[0] in (DASH, "refused") and len(cell) > 1]
