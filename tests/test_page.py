"""The leaderboard's page in a real browser: opens from disk, asks for nothing, shows the JSON's
numbers, works by keyboard."""

import copy
import json
import shutil
from statistics import fmean

import page_fixtures as made
import pytest
from conftest import ROOT
from screenshots import NAMES, browser

from harness.common.text import signed
from harness.page import page as pages
from harness.page.page import render
from harness.page.words import verdict

pytestmark = pytest.mark.slow

DASH = "–"
SHOW = """(node) => [...node.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((cell) => cell.firstChild?.textContent ?? ""))"""
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
    return [...document.querySelectorAll("td.gain")].map((cell) => {
        // Under a cell without a colour of its own.
        rgb(getComputedStyle(document.body).backgroundColor);
        const look = getComputedStyle(cell);
        const back = light(look.backgroundColor), front = light(look.color);
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
def board(tmp_path_factory):
    """The page of the fixtures' releases: (file, {title: content})."""
    releases = made.releases()
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render(releases), encoding="utf-8")
    return path, dict(releases)


@pytest.fixture
def visit(chrome):
    """Opens a file in a new tab that notes console messages, errors and requests; the test fails on
    any that should not be."""
    tabs, noise = [], []

    def opened(path, hash_="", width=1280, **look):
        tab = chrome.new_page(viewport={"width": width, "height": 800}, **look)
        tab.set_default_timeout(10_000)
        tabs.append(tab)
        tab.on("console", lambda message: noise.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: noise.append(f"error: {error}"))
        tab.on(
            "request",
            lambda request: (
                noise.append(request.url)
                if not request.url.startswith(("file:", "data:"))
                else None
            ),
        )
        tab.goto(path.as_uri() + hash_)
        return tab

    yield opened
    for tab in tabs:
        tab.wait_for_timeout(50)  # the charts are drawn a moment later
        tab.close()
    assert not noise, noise


def saved(tmp_path, *releases):
    path = tmp_path / "index.html"
    path.write_text(render(list(releases)), encoding="utf-8")
    return path


def table(tab, label: str) -> list[list[str]]:
    """The rows of the table with that label; of each cell the first piece of text."""
    return tab.locator(f'.box[aria-label="{label}"]').evaluate(SHOW)


def column(rows: list[list[str]], i: int) -> list[str]:
    return [row[i] for row in rows]


def one(value) -> str:
    return DASH if value is None else f"{value:.1f}"


def between(interval) -> str:
    return f"[{signed(interval[0])}, {signed(interval[1])}]" if interval else DASH


# Numbers


def test_every_release_and_encoder_opens_quietly_with_the_gains_of_the_json(visit, board):
    path, releases = board
    tab = visit(path)
    assert tab.locator("#release").input_value() == "0005-xstilts-like"
    for title, release in releases.items():
        tab.select_option("#release", title)
        for encoder in release["encoders"]:
            tab.select_option("#encoder", encoder)
            gains = {
                (g["arm"], g["target"]): signed(g["gain"])
                for g in release["gains"]
                if g["encoder"] == encoder
            }
            cells = tab.locator("td[data-arm]").evaluate_all(
                "(all) => all.map((c) => [c.dataset.arm, c.dataset.target,"
                " c.firstChild.textContent])"
            )
            assert {(arm, target): text for arm, target, text in cells} == gains
            averages = {
                a["arm"]: signed(a["average_gain"])
                for a in release["averages"]
                if a["encoder"] == encoder
            }
            shown = tab.locator("td[data-average]").evaluate_all(
                "(all) => all.map((c) => [c.dataset.average, c.firstChild.textContent])"
            )
            assert dict(shown) == averages
            scores = {
                target: [
                    c["score"]
                    for c in release["cells"]
                    if (c["encoder"], c["arm"], c["target"]) == (encoder, "none", target)
                ]
                for target in release["targets"]
            }
            base = tab.locator("td.base").evaluate_all(
                "(all) => all.map((c) => [c.dataset.target, c.firstChild.textContent])"
            )
            assert dict(base) == {target: one(fmean(known)) for target, known in scores.items()}
            tab.wait_for_selector(".chart svg")


def test_the_list_of_gains_and_the_averages_show_the_intervals_of_the_json(visit, board):
    path, releases = board
    encoder, release = "ModernBERT-base", releases["0005-xstilts-like"]
    tab = visit(path, f"#0005-xstilts-like/{encoder}")
    assert tab.locator("#encoder").input_value() == encoder
    gains = [g for g in release["gains"] if g["encoder"] == encoder]
    expected = [
        [
            g["arm"],
            g["target"],
            signed(g["gain"]),
            between(g["interval"]),
            between(g["seed_interval"]),
        ]
        for g in gains
    ]
    assert [row[:5] for row in table(tab, "Gains with intervals")] == expected
    rows = {row[0]: row[1:4] for row in table(tab, "Average gains") if len(row) > 1}
    fields = "average_gain", "without_retrieval", "zero_shot"
    assert rows == {
        a["arm"]: [signed(a[f]) for f in fields]
        for a in release["averages"]
        if a["encoder"] == encoder
    }
    split = next(s for s in release["split"] if s["encoder"] == encoder)
    text = tab.locator("#split").inner_text()
    assert (
        signed(split["hard_minus_easy"]) in text
        and between(split["interval"]) in text
        and "0.257" in text
    )
    best = [
        [
            b["target"] or "mean over the counted targets",
            b["arm"] or DASH,
            signed(b["gain"]),
            between(b["interval"]),
        ]
        for b in release["best"]
        if b["encoder"] == encoder
    ]
    assert [row[:4] for row in table(tab, "Best intermediate for each target")] == best
    comparisons = next(s["comparisons"] for s in release["subsets"] if s["encoder"] == encoder)
    differences = [[signed(c["difference"]), between(c["interval"])] for c in comparisons]
    assert [row[1:3] for row in table(tab, "Comparisons within mnli")] == differences


def test_averages_over_other_tasks_targets_stand_beside_the_first_where_they_are_fewer(
    visit, tmp_path
):
    release = made.large(encoders=("e",))
    for average in release["averages"]:
        few = average["arm"] == "mnli"
        targets = average["targets"][few:]
        average["other_tasks"] = {
            "gain": average["average_gain"] - few,
            "interval": [-9, 9],
            "seed_interval": None,
            "targets": targets,
        }
    old, split = copy.deepcopy(release), release["split"][0]
    split["other_tasks"] = {
        "hard_minus_easy": -0.25,
        "interval": [-1.5, 1.0],
        "seed_interval": [-3.5, 3.0],
    }
    one = {
        "hard_minus_easy": -1.5,
        "interval": [-2.5, -0.5],
        "seed_interval": None,
        "easy": [],
        "hard": [],
    }
    split["by_target"] = {"tydiqa": one}
    (parts,) = release["subsets"]
    elsewhere = {"difference": -7.5, "interval": [-8.5, -6.5], "seed_interval": [-9.5, 0.5]}
    parts["other_tasks"] = {
        "targets": ["tydiqa"],
        "comparisons": [c | elsewhere for c in parts["comparisons"]],
    }
    for average in old["averages"]:
        average["other_tasks"] |= {"gain": average["average_gain"], "targets": average["targets"]}
    tab = visit(saved(tmp_path, ("0001-old", old), ("0002-new", release)))
    rows = {row[0]: row[1:3] for row in table(tab, "Average gains") if len(row) > 1}
    fields = {
        a["arm"]: [signed(a["average_gain"]), signed(a["other_tasks"]["gain"])]
        for a in release["averages"]
    }
    assert rows == fields and rows["mnli"][0] != rows["mnli"][1]
    # of averages, and of parts of a task
    assert tab.get_by_role("radio", name="other tasks’ targets").count() == 2
    assert [row[-3:] for row in table(tab, "Comparisons within mnli")] == [
        ["-7.5", "[-8.5, -6.5]", "[-9.5, +0.5]"]
    ] * 5
    drawn = tab.locator("#subsets .chart")
    assert "-7.5" not in drawn.inner_html()
    tab.locator("#subsets").get_by_label("other tasks’ targets").check()
    assert drawn.inner_html().count("-7.5") >= 5
    text = tab.locator("#split").inner_text()
    assert "mean within targets" in text and "[-1.5, +1.0]" in text and "[-3.5, +3.0]" in text
    assert "on tydiqa" in text and "[-2.5, -0.5]" in text
    tab.select_option("#release", "0001-old")
    assert "other tasks’ targets" not in tab.locator("main").inner_text()
    assert "within targets" not in tab.locator("main").inner_text()


def test_what_parts_learned_stands_beside_their_sizes(visit, tmp_path):
    release = json.loads((ROOT / "leaderboard" / "releases" / "0020-study.json").read_text())
    text = visit(saved(tmp_path, ("0020-study", release))).locator("#subsets").inner_text()
    reached = (
        "easiest part 49.0, hardest part 31.9, random part 40.4, shuffled labels 32.9, whole task"
        " 44.2"
    )
    assert f"Reached on English dev: {reached}." in text


def test_languages_of_a_target_show_the_numbers_of_the_json(visit, board):
    path, releases = board
    release = releases["0003-small"]
    tab = visit(path, "#0003-small")
    target = next(name for name, facts in release["targets"].items() if facts["group"] == "tagging")
    tab.locator("#languages").get_by_label("Target").select_option(target)
    rows = table(tab, f"Languages of {target}")
    baseline = [c for c in release["cells"] if (c["arm"], c["target"]) == ("none", target)]
    base = baseline[0]["languages"]
    order = [a["arm"] for a in sorted(release["averages"], key=lambda a: -a["average_gain"])]
    per = {g["arm"]: g["per_language"] for g in release["gains"] if g["target"] == target}
    names = {code: release["languages"][code]["name"] or code for code in base}
    expected = {
        names[code]: [
            f"{100 * s['unknown']:.1f}%",
            str(s["n"]),
            one(s["main"]),
            *(signed(per[arm][code]["gain"]) for arm in order),
        ]
        for code, s in base.items()
    }
    assert {row[0]: row[3:] for row in rows} == expected
    assert column(rows, 0) == sorted(names.values())


def test_ties_are_rounded_as_in_python_and_nothing_is_minus_zero(visit, tmp_path):
    values = [
        0.25,
        0.75,
        -0.25,
        12.25,
        -7.25,
        0.35,
        0.05,
        0.049999,
        -0.05,
        -0.04,
        0.0,
        2.5e-17,
        -0.1,
        38.25000000000001,
        99.95,
        None,
    ]
    release = made.large(encoders=("e",), seeds=(1,))
    gains = [g for g in release["gains"] if g["target"] == "xnli"]
    for gain, value in zip(gains, values, strict=False):
        gain |= {"gain": value, "counted": value is not None}
    tab = visit(saved(tmp_path, ("0001-x", release)))
    shown = dict(
        tab.locator("td[data-target=xnli][data-arm]").evaluate_all(
            "(all) => all.map((c) => [c.dataset.arm, c.firstChild.textContent])"
        )
    )
    assert shown == {g["arm"]: signed(g["gain"]) for g in gains}


# Use


def test_headers_sort_missing_values_last_and_say_so(visit, board):
    tab = visit(board[0], "#0005-xstilts-like")
    region = tab.get_by_role("region", name="Difficulty of the intermediate tasks")
    header = region.get_by_role("columnheader", name="PVI share")
    assert header.get_attribute("aria-sort") == "none"
    for order, down in (("descending", True), ("ascending", False)):
        header.get_by_role("button").press("Enter")
        assert header.get_attribute("aria-sort") == order
        values = column(table(tab, "Difficulty of the intermediate tasks"), 8)
        numbers = [float(v) for v in values if v != DASH]
        assert numbers == sorted(numbers, reverse=down) and values[-2:] == [DASH, DASH]
    heat = tab.get_by_role("region", name="Gains by intermediate and target")
    heat.get_by_role("button", name="xnli").click()
    tasks = [
        g
        for g in board[1]["0005-xstilts-like"]["gains"]
        if g["encoder"] == "xlm-roberta-large" and g["target"] == "xnli"
    ]
    kinds = {name: facts["kind"] for name, facts in made.ARMS.items()}
    best = sorted((g for g in tasks if kinds[g["arm"]] == "task"), key=lambda g: -g["gain"])
    shown = heat.locator("td[data-target=xnli][data-arm]").evaluate_all(
        "(all) => all.map((c) => c.dataset.arm)"
    )
    # controls and subsets stay in their own groups
    assert shown[: len(best)] == [g["arm"] for g in best]


def test_cells_filter_by_text_target_and_arm(visit, board):
    release = board[1]["0005-xstilts-like"]
    tab = visit(board[0])
    section = tab.locator("#cells")
    mine = [c for c in release["cells"] if c["encoder"] == "xlm-roberta-large"]
    assert section.get_by_role("status").inner_text() == f"{len(mine)} of {len(mine)} cells"
    section.get_by_label("Filter").fill("SQUAD_v2")
    assert set(column(table(tab, "Every cell"), 0)) == {"squad_v2"}
    section.get_by_label("Target").select_option("panx")
    kept = [c for c in mine if (c["arm"], c["target"]) == ("squad_v2", "panx")]
    assert [row[1:4] for row in table(tab, "Every cell")] == [
        ["panx", str(c["seed"]), one(c["score"])] for c in kept
    ]
    assert section.get_by_role("status").inner_text() == f"3 of {len(mine)} cells"
    section.get_by_label("Filter").fill("shared")
    assert table(tab, "Every cell") == []
    section.get_by_label("Target").select_option("")
    section.get_by_label("Intermediate").select_option("squad")
    section.get_by_role("button", name="target").click()
    assert column(table(tab, "Every cell"), 1) == ["mlqa"] * 3 + ["xquad"] * 3


def test_picking_a_release_and_an_encoder(visit, board):
    tab = visit(board[0])
    assert tab.locator(".smoke").count() == 0
    tab.select_option("#encoder", "ModernBERT-base")
    assert tab.url.endswith("#0005-xstilts-like/ModernBERT-base")
    tab.select_option("#release", "0004-mini")
    assert "SMOKE SUITE: made-up data, no claim" in tab.locator(".smoke").inner_text()
    assert tab.locator("#encoder").input_value() == "all-MiniLM-L6-v2"
    assert (
        "one seed" in tab.locator(".badges").inner_text()
        and "waives" in tab.locator(".badges").inner_text()
    )
    assert tab.locator("#files a").get_attribute("href") == "releases/0004-mini.json"
    assert "mini_mnli" in tab.locator(".verdict").inner_text()
    assert tab.title().startswith("0004-mini")


def test_the_keyboard_alone_is_enough(visit, board):
    tab = visit(board[0])
    seen = []
    for _ in range(4):
        tab.keyboard.press("Tab")
        seen.append(tab.evaluate("document.activeElement.id || document.activeElement.className"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == ["skip", "theme", "release", "encoder"]
    tab.keyboard.press("ArrowDown")
    assert tab.locator("#encoder").input_value() == "ModernBERT-base"
    first = tab.locator("td[data-arm][tabindex='0']")
    assert first.count() == 1
    first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowDown")
    at = tab.evaluate("({...document.activeElement.dataset})")
    gain = next(
        g
        for g in board[1]["0005-xstilts-like"]["gains"]
        if (g["encoder"], g["arm"], g["target"]) == ("ModernBERT-base", at["arm"], at["target"])
    )
    said = tab.locator("#tip").inner_text()
    assert (
        at["target"] == "pawsx"
        and between(gain["interval"]) in said
        and "by seed 1:" in said
        and "15 languages: af ar" in said
    )
    tab.keyboard.press("Escape")
    assert tab.locator("#tip").is_hidden()
    tab.locator("nav button", has_text="Every cell").press("Enter")
    assert tab.evaluate("document.activeElement.id") == "cells-h"


def test_the_mouse_gets_tips_from_cells_and_charts(visit, board):
    tab = visit(board[0])
    tab.locator("td[data-arm=squad][data-target=xquad]").hover()
    assert "not counted in averages" in tab.locator("#tip").inner_text()
    mark = tab.locator("[data-chart=averages] .mark-symbol path").nth(1)
    mark.scroll_into_view_if_needed()
    tab.wait_for_timeout(200)  # scrolling hides the tip
    mark.hover(force=True)
    average = max(
        (
            a
            for a in board[1]["0005-xstilts-like"]["averages"]
            if a["encoder"] == "xlm-roberta-large" and made.ARMS[a["arm"]]["kind"] == "task"
        ),
        key=lambda a: a["average_gain"],
    )
    tab.wait_for_function("!document.getElementById('tip').hidden")
    assert (
        f"{average['arm']}: {signed(average['average_gain'])} {between(average['interval'])}"
        in tab.locator("#tip").inner_text()
    )
    before = tab.locator("[data-chart=averages]").inner_html()
    tab.get_by_role("radio", name="without retrieval").check()
    tab.wait_for_function(
        "(old) => !['', old].includes(document.querySelector('[data-chart=averages]').innerHTML)",
        arg=before,
    )


def test_every_chart_says_what_its_numbers_count(visit, board):
    tab = visit(board[0])
    tab.wait_for_selector("[data-chart=unknown] svg")
    drawn = tab.locator("[data-chart]")
    assert drawn.count() >= 5
    for i in range(drawn.count()):
        titles = drawn.nth(i).locator(".role-axis-title").all_text_contents()
        assert any("points" in title for title in titles), drawn.nth(i).get_attribute("data-chart")


# Looks


def test_light_dark_and_the_button(visit, board):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(253, 253, 252)", "rgb(20, 23, 26)"
    tab = visit(board[0], color_scheme="dark")
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
    assert visit(board[0], color_scheme="light").evaluate(background) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_numbers_on_the_heat_map_can_be_read(visit, board, scheme):
    """Contrast of every number with its cell, as WCAG computes it: 4.5 or more."""
    tab = visit(board[0], color_scheme=scheme)
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 200 and min(contrasts) >= 4.5


def test_nothing_scrolls_sideways_at_360_pixels_but_wide_tables_in_their_boxes(visit, board):
    tab = visit(board[0], width=360)
    for title in board[1]:
        tab.select_option("#release", title)
        tab.wait_for_selector(".chart svg")
        tab.wait_for_timeout(100)
        assert tab.evaluate("document.documentElement.scrollWidth") == 360, title
        assert tab.evaluate(
            "document.querySelector('.box.heat').scrollWidth >"
            " document.querySelector('.box.heat').clientWidth"
        )
    assert (
        tab.locator(".chart svg").evaluate_all(
            "(all) => Math.max(...all.map((svg) => svg.getBoundingClientRect().right))"
        )
        <= 360
    )


def test_print_is_light_and_whole(visit, board):
    tab = visit(board[0], "#0003-small", color_scheme="dark")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.locator("nav").is_hidden() and tab.locator("#heat").is_visible()
    assert tab.evaluate(
        "[...document.querySelectorAll('.box')].every((box) => getComputedStyle(box).overflowX ==="
        " 'visible')"
    )
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.get_by_role("region", name="Gains with intervals").is_visible()
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("#gains").get_attribute("open") is None
    assert len(tab.pdf(format="A4")) > 20_000


# Strange releases

HOSTILE = [
    "</script><script>window.bad = 1</script>",
    "<img src=x onerror='window.bad = 1'>",
    "<!-- <script>",
    "{{library}}",
    "a\u2028b\"'&amp;",
]


def test_hostile_strings_are_text(visit, tmp_path):
    release = copy.deepcopy(made.large(encoders=("enc",), seeds=(1,)))
    for text, name in zip(HOSTILE, ("mnli", "qqp", "squad", "ccg", "hellaswag"), strict=True):
        release["arms"] = {
            key: {**arm, "shown": text, "title": text} if key == name else arm
            for key, arm in release["arms"].items()
        }
    release["suite"] |= {"about": HOSTILE[0], "left_out": [HOSTILE[1]], "protocol": HOSTILE[2]}
    release["targets"]["xnli"]["title"] = HOSTILE[0]
    release["languages"]["de"]["name"] = HOSTILE[1]
    release["encoders"] = {"enc": {"pretrained_on": HOSTILE[1], "seen": HOSTILE}}
    release["split"][0] |= {"claim": False, "why": HOSTILE[0]}
    tab = visit(saved(tmp_path, ("0001-</title><b>x", release)))
    tab.wait_for_selector("[data-chart=scatter] svg")
    assert tab.evaluate("window.bad") is None
    assert (
        tab.locator("img").count() == 0
        and tab.locator("main script").count() == 0
        and tab.locator("script").count() == 4
    )
    assert tab.locator(".about").inner_text() == HOSTILE[0]
    assert HOSTILE[1] in column(table(tab, "Languages of xnli"), 0) and HOSTILE[3] in column(
        table(tab, "Average gains"), 0
    )
    # long names are cut off
    assert HOSTILE[0][:25] in tab.locator("[data-chart=averages] svg").text_content()


def test_no_release_and_releases_with_nothing_derived(visit, tmp_path):
    empty = visit(saved(tmp_path))
    assert (
        "no release yet" in empty.locator("main").inner_text()
        and empty.locator("#release").is_hidden()
    )
    bare = made.plain("0026-study-tuned-e5")
    for section in (
        "cells",
        "gains",
        "averages",
        "split",
        "slices",
        "difficulty",
        "subsets",
        "best",
        "languages",
    ):
        del bare[section]
    holes = made.large(encoders=("enc",), seeds=(1,))
    for gain in holes["gains"][::2]:
        gain |= dict.fromkeys(
            (
                "gain",
                "per_seed",
                "interval",
                "english",
                "zero_shot",
                "above_floor",
                "p",
                "p_corrected",
                "significant",
            )
        )
        gain |= {"counted": False, "per_language": {}}
    for average in holes["averages"]:
        average |= dict.fromkeys(
            (
                "average_gain",
                "interval",
                "without_retrieval",
                "without_retrieval_interval",
                "zero_shot",
                "tie",
            )
        )
    for cell in holes["cells"][::2]:
        cell |= {"languages": {}, "score": None, "zero_shot": None, "above_floor": None}
    tab = visit(saved(tmp_path, ("0001-bare", bare), ("0002-holes", holes)))
    assert DASH in tab.locator("#heat").inner_text()
    tab.select_option("#release", "0001-bare")
    assert "not measured" in tab.locator("#difficulty").inner_text()
    assert tab.locator("#notes").is_visible()


def test_the_page_is_small_and_the_oldest_releases_give_way(monkeypatch):
    releases = made.releases()
    html = render(releases)
    assert len(html.encode()) < 3_000_000
    assert "://" not in html.split("<script")[0]
    monkeypatch.setattr(pages, "DATA_LIMIT", 1)
    data = json.loads(render(releases).split('id="data">')[1].split("</script>")[0])
    assert [r["title"] for r in data["releases"]] == ["0005-xstilts-like"] and data["older"] == [
        "0001-mini",
        "0003-small",
        "0004-mini",
    ]


# Words


def said(release, **changes) -> dict[str, tuple[str, str]]:
    release["averages"][0] |= changes.pop("average", {})
    release["split"][0] |= changes
    return {line["ask"].split()[0]: (line["tone"], line["say"]) for line in verdict(release, "enc")}


def test_words_never_say_more_than_the_intervals():
    release = made.large(encoders=("enc",), seeds=(1, 2, 3))
    best = {"average_gain": 9.0, "interval": [1.0, 17.0], "seed_interval": None}
    tone, words = said(release, average=best)["Which"]
    assert tone == "unsure" and "on these seeds alone" in words
    assert said(release, average=best | {"seed_interval": [0.5, 18.0]})["Which"][0] == "help"
    worse = {"average_gain": 9.0, "interval": [-17.0, -1.0]}  # the best of all, and below 0
    assert (
        "does harm." in said(release, average=worse | {"seed_interval": [-18.0, -0.5]})["Which"][1]
    )
    for seeds in (None, [-18.0, 0.5]):
        tone, words = said(release, average=worse | {"seed_interval": seeds})["Which"]
        assert tone == "unsure" and "does harm" not in words
    tone, words = said(release, average=best | {"seed_interval": [-1.0, 19.0]})["Which"]
    assert tone == "unsure" and "not more than that of the seeds [-1.0, +19.0]" in words
    tone, words = said(release, average=best | {"interval": [-1.0, 19.0]})["Which"]
    assert tone == "unsure" and "contains 0" in words
    assert "no interval is known" in said(release, average=best | {"interval": None})["Which"][1]
    facts = {
        "hard_minus_easy": 2.0,
        "interval": [1.0, 3.0],
        "permutation_p": 0.03,
        "claim": True,
        "why": "",
    }
    facts["seed_interval"] = [0.5, 3.5]
    tone, words = said(release, **facts)["Do"]
    assert tone == "help" and "Hard tasks helped more." in words
    assert (
        "Hard tasks helped more, on these seeds."
        in said(release, **facts | {"seed_interval": None})["Do"][1]
    )
    assert (
        "Easy tasks helped more"
        in said(
            release,
            **facts | {"hard_minus_easy": -2.0, "interval": [-3.0, -1.0], "seed_interval": None},
        )["Do"][1]
    )
    for weaker in (
        {"permutation_p": 0.2},
        {"interval": [-1.0, 5.0]},
        {"permutation_p": None},
        {"seed_interval": [-1.0, 5.0]},
    ):
        tone, words = said(release, **facts | weaker)["Do"]
        assert tone == "unsure" and "Not told apart" in words
    tone, words = said(
        release, **facts | {"claim": False, "why": "No claim can be made: too few tasks."}
    )["Do"]
    assert tone == "unsure" and words.endswith("No claim can be made: too few tasks.")
    assert "not both easy and hard" in said(release, hard_minus_easy=None)["Do"][1]
