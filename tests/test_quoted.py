"""README.md and docs/study.md say what the releases say: every number, and every claim that numbers
make."""

import re

import pytest
from quoted import (
    BOARD,
    FIGURE,
    NUMBER,
    ROOT,
    board,
    corrected,
    gain,
    name,
    numbers,
    quoted,
    release,
    seeds,
)

from harness.page.charts import easy_against_hard
from harness.page.reading import readings
from harness.release.schema_derived import Estimate
from harness.statistics.measured import FEWEST_SEEDS

PAGES = ("README.md", "docs/study.md")
TASKS = ("squad", "xnli", "cosmos_qa", "commonsense_qa", "panx", "udpos", "tydiqa")


def text(page: str) -> str:
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def side(number: Estimate) -> int:
    """1, -1: the whole interval is above, below 0."""
    assert number.interval
    low, high = number.interval
    return (low > 0) - (high < 0)


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_a_page_is_its_releases(page):
    assert quoted(page) == list(numbers(page))


def test_a_number_is_found_whatever_stands_around_it():
    said = "arXiv 2005.13013, Apache-2.0, **−3.6 [−5.3, −1.8]**, +0.6 [−0.5, +1.6]: 0.1.0; 9.9."
    assert NUMBER.findall(said) == ["−3.6 [−5.3, −1.8]", "+0.6 [−0.5, +1.6]", "9.9"]


def test_the_board_of_the_readme_is_the_studys_newest():
    assert board() in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*PAGES, "docs/study-design.md", "CITATION.cff"])
def test_pages_name_the_newest_releases(page):
    named = set(re.findall(r"\d{4}-study[\w-]*", text(page)))
    assert named
    assert named == {name(one.split("-", 1)[1]) for one in named}


def test_the_figure_is_the_releases():
    """By the texts that it says to who cannot see it."""
    (reading,) = readings(release("study"))
    figure = easy_against_hard(reading)
    assert figure
    rows = [row["tip"] for row in figure["data"]["values"] if row["tip"]]
    labels = re.findall(r'aria-label="([^"]*points[^"]*)"', FIGURE.read_text(encoding="utf-8"))
    assert [label for label in labels if "axis" not in label] == rows


def test_how_many_seeds_a_margin_takes_is_what_the_study_says():
    assert "\n".join(seeds()) in (ROOT / "docs/statistics.md").read_text(encoding="utf-8")


def test_the_simulations_tables_have_the_lines_of_its_command():
    """Their numbers take an hour: `make stress` holds the product to what is said of them."""
    page = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    shown = page.split("<!-- simulation -->")[1].split("<!-- end of the simulation -->")[0]
    command = (ROOT / "tests/simulation.py").read_text(encoding="utf-8")
    heads = re.findall(r'yield "(\| \w.*)"', command)
    assert re.findall(r"^(\| .*)\n\| ---", shown, re.M) == heads


# What is said in words


def test_how_many_numbers_are_tested_and_which_are_effects():
    many = len(corrected("study"))
    assert f"the {many} numbers of this board" in text("README.md")
    assert f"the board's {many} numbers only these" in text("docs/study.md")
    effects = {(one.arm, one.target) for one in release("study").gains if one.gain.arrow}
    assert effects == {("panx", "tatoeba@study"), ("udpos", "tatoeba@study")}
    assert len([number for number in corrected("study") if number.arrow]) == len(effects)


def test_which_intervals_are_without_0():
    content = release("study")
    assert {side(gain("study", arm, "tatoeba").gain) for arm in TASKS} == {-1}
    languages = gain("study", "squad", "xquad").per_language
    assert [one for one, of in languages.items() if side(of.gain) > 0] == ["en", "es"]

    best = max(content.averages, key=lambda one: (one.rest or one.overall).gain.value or -99.0)
    assert best.arm == "squad"
    assert all(side((one.rest or one.overall).gain) < 1 for one in content.averages)
    of_e5 = gain("study-tuned-e5", "squad", "xquad").per_language
    assert all((of.gain.value or 0.0) > 0 for of in of_e5.values())


def test_only_one_release_has_enough_seeds_and_none_has_enough_tasks():
    contents = {path.stem: BOARD.load(path) for path in BOARD.list()}
    # of a baseline alone there are no gains
    of_gains = {one: content for one, content in contents.items() if len(content["arms"]) > 1}
    seeds = {one: len(content["suite"]["seeds"]) for one, content in of_gains.items()}
    assert [one for one, many in seeds.items() if many >= FEWEST_SEEDS] == [name("study")]
    (split,) = release("study").split
    assert (len(split.easy.arms), len(split.hard.arms), split.claim) == (3, 3, False)


def test_what_was_trained_on():
    assert {row.rows for row in release("study").difficulty} == {960}
    assert all("960 training rows a task" in text(page) for page in PAGES)


def test_the_design_is_what_was_run():
    design = text("docs/study-design.md")
    said = re.findall(
        r"\[(\d{4})\]\([^)]*/(\S+)\.md\) \| \[`(\S+)`\][^|]*\|[^|]*\| (\d+) \|", design
    )
    assert len(said) == 7
    for number, page, suite, many in said:
        assert page == name(suite)
        assert page.startswith(number)
        assert len(release(suite).suite.seeds) == int(many)

    rows = {row.arm: row for row in release("study").difficulty}
    squad, tydiqa = rows["squad"], rows["tydiqa"]
    assert f"SQuAD (headroom {squad.headroom:.2f}) and TyDiQA ({tydiqa.headroom:.2f})" in design
    assert squad.headroom_per_seed["3"] < tydiqa.headroom_per_seed["3"]
    assert [seed for seed, of in rows["xnli"].dev_per_seed.items() if of < 40] == ["2"]
