"""What a suite expected before it was run: held against what came, by hand on small made-up
releases; in its YAML, and on the board."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.common.errors import SpecError
from harness.metrics.vectors import pack
from harness.page.reading import readings
from harness.page.tables import sheets
from harness.page.words import range_of, sentences
from harness.release.schema import Concluded
from harness.spec import reader
from harness.spec.catalog import Catalog
from harness.spec.changes import with_limit, with_user_tasks, without
from harness.spec.hypothesis import Hypothesis
from harness.spec.oneline import OneLine, begun
from harness.spec.suite import Suite
from harness.statistics.hypotheses import Range, Sure
from harness.statistics.intervals import Noise, half_width
from tests.made_up import Release, key, leak, near, right, sure, training

ENCODER = {"version": 1, "pretrained_on": "", "seen": [], "files": {}, "max_length": 128}


def tried(release: Release, **how) -> dict:
    """What came of one hypothesis."""
    for name, facts in release.content["targets"].items():
        facts["task"] = name
    asked = {"hypothesis": "h", "says": "as asked", **how}
    release.content["suite"]["hypotheses"] = [asked]
    (came,) = release.derive()["hypotheses"]
    assert (came["encoder"], came["hypothesis"]) == ("e", "h")
    return came


# a gains 16 to 20 points on x and nothing to 4 on y
TWO = {"a": {"x": 8, "y": 0}, "b": {"x": 0, "y": 0}}


@pytest.mark.parametrize(
    ("asked", "verdict", "at"),
    [
        ({"arms": ["a"], "targets": ["x"], "above": 0}, "holds", "a on x"),
        ({"arms": ["a"], "targets": ["x"], "below": 0}, "fails", "a on x"),
        ({"arms": ["a"], "targets": ["x"], "above": 17}, "undecided", "a on x"),
        ({"arms": ["a"], "targets": ["x"], "above": 0, "below": 90}, "holds", "a on x"),
        ({"arms": ["a", "b"], "targets": ["x"], "above": 0}, "undecided", "b on x"),
        ({"arms": ["a", "b"], "targets": ["x"], "below": 1}, "fails", "a on x"),
        ({"arms": ["a"], "targets": ["x", "y"], "above": 0}, "undecided", "a on y"),
        ({"arms": ["a"], "minus": ["b"], "targets": ["x"], "above": 0}, "holds", "a − b on x"),
        ({"arms": ["a"], "minus": ["b"], "targets": ["y"], "above": 0}, "undecided", "a − b on y"),
        ({"arms": ["b"], "minus": ["a"], "above": -3, "below": 3}, "fails", "b − a"),
        ({"arms": ["a"], "above": 0}, "holds", "a"),
    ],
)
def test_a_gain_within_its_bounds(asked, verdict, at):
    came = tried(sure(TWO), **asked)
    assert (came["verdict"], came["at"], came["why"]) == (verdict, at, "")


def test_what_is_beyond_as_one_of_several_may_be_so_by_chance():
    low, _ = tried(sure(TWO), arms=["a"], targets=["x"], above=0)["number"]["interval"]
    asked = {"targets": ["x"], "below": low - 0.01}
    assert tried(sure(TWO), arms=["a"], **asked)["verdict"] == "fails"
    came = tried(sure(TWO), arms=["a", "b"], **asked)
    assert (came["verdict"], came["at"], came["beyond"]) == ("undecided", "a on x", 0)
    assert came["why"] == "its own interval lies beyond, but one of 2 may by chance"


def test_the_number_is_that_of_the_board():
    release = sure(TWO)
    came = tried(release, arms=["a"], targets=["x"], above=0)
    (gain,) = [
        one for one in release.derive()["gains"] if (one["arm"], one["target"]) == ("a", "x")
    ]
    assert came["number"] == {
        name: value for name, value in gain["gain"].items() if name not in ("q", "arrow")
    }
    (average,) = [one for one in release.derive()["averages"] if one["arm"] == "a"]
    came = tried(release, arms=["a"], above=0)
    assert came["number"]["value"] == near(average["overall"]["gain"]["value"])


def test_fewer_than_three_seeds_conclude_nothing():
    release = sure(TWO)
    cells = release.content["evidence"]["cells"]
    release.content["evidence"]["cells"] = [cell for cell in cells if cell["seed"] < 3]
    came = tried(release, arms=["a"], targets=["x"], above=0)
    assert came["verdict"] == "undecided" and "fewer than three seeds" in came["why"]
    assert came["number"]["value"] is not None


def without_b_on_x() -> Release:
    release = sure(TWO)
    cells = release.content["evidence"]["cells"]
    release.content["evidence"]["cells"] = [
        cell for cell in cells if (cell["arm"], cell["target"]) != ("b", "x")
    ]
    return release


def leaked_b_on_x() -> Release:
    release = sure(TWO)
    leak(release, "b", "x")
    return release


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (without_b_on_x(), "b was not run on x"),
        (leaked_b_on_x(), "b does not count on x: leak"),
    ],
)
def test_what_lacks_a_number_holds_nothing_and_saves_nothing(release, why):
    came = tried(release, arms=["a", "b"], targets=["x"], above=0)
    assert (came["verdict"], came["at"], came["why"]) == ("undecided", "b on x", why)
    came = tried(release, arms=["a", "b"], targets=["x"], below=0)  # a is beyond, whatever b is
    assert (came["verdict"], came["at"], came["why"]) == ("fails", "a on x", "")
    assert (came["beyond"], came["numbers"]) == (1, 2)


def test_a_task_that_was_not_learned_changes_nothing_for_sure():
    release = sure(TWO)
    release.learns("b", right(1))
    came = tried(release, arms=["b"], targets=["y"], above=-90, below=90)
    assert came["verdict"] == "undecided" and "b was not learned" in came["why"]
    came = tried(release, arms=["a", "b"], targets=["x"], above=0)  # it says nothing of the other
    assert (came["verdict"], came["without"], came["numbers"]) == ("holds", ["b"], 1)
    release.content["arms"]["b"] |= {"kind": "control", "control": "shuffled_labels"}
    assert tried(release, arms=["b"], targets=["y"], above=-90, below=90)["verdict"] == "holds"


@pytest.mark.parametrize(("waives", "verdict"), [([], "undecided"), (["unlearned"], "holds")])
def test_a_target_at_chance_tells_nothing_unless_that_is_waived(waives, verdict):
    release = sure({"a": {"x": 0}}, base=0)
    for cell in release.content["evidence"]["cells"]:
        release.content["evidence"]["trainings"][cell["key"]] = training(right(0))
    release.content["suite"]["waives"] = waives
    came = tried(release, arms=["a"], targets=["x"], above=-90, below=90)
    assert came["verdict"] == verdict
    assert ("the baseline is at chance on x" in came["why"]) == (not waives)


def test_made_up_data_decide_nothing():
    release = sure(TWO)
    release.content["suite"]["smoke"] = True
    came = tried(release, arms=["a"], targets=["x"], above=0)
    assert (came["verdict"], came["why"]) == ("undecided", "made-up data")


def test_an_encoder_without_conditions_has_none():
    release = sure(TWO)
    cells = release.content["evidence"]["cells"]
    release.content["evidence"]["cells"] = [cell for cell in cells if cell["arm"] == "none"]
    release.content["suite"]["hypotheses"] = [
        {"hypothesis": "h", "says": "s", "arms": ["a"], "above": 0}
    ]
    assert "hypotheses" not in release.derive()


# Easy minus hard


def sided(easy: dict[str, int], hard: dict[str, int]) -> Release:
    """Tasks and how many of 50 rows each gains on target x."""
    release = sure({name: {"x": more} for name, more in (easy | hard).items()})
    for number, name in enumerate([*easy, *hard]):
        release.learns(name, right(19 - number))
    return release


ALIKE = {"a": 4, "b": 5, "c": 4, "d": 5}, {"e": 5, "f": 4, "g": 5, "h": 4}
APART = {"a": 14, "b": 15, "c": 14, "d": 15}, {"e": 5, "f": 4, "g": 5, "h": 4}


@pytest.mark.parametrize(
    ("sides", "bounds", "verdict"),
    [
        (ALIKE, {"above": -9, "below": 9}, "holds"),
        (ALIKE, {"above": -1, "below": 1}, "undecided"),
        (ALIKE, {"above": 20}, "fails"),
        (APART, {"above": 0}, "holds"),
        (APART, {"above": -9, "below": 9}, "fails"),
    ],
)
def test_easy_minus_hard(sides, bounds, verdict):
    release = sided(*sides)
    came = tried(release, of="easy_minus_hard", **bounds)
    assert (came["verdict"], came["at"], came["why"]) == (verdict, "easy − hard", "")
    (split,) = release.derive()["split"]
    assert came["number"] == split["overall"]["easy_minus_hard"]
    came = tried(release, of="easy_minus_hard", targets=["x"], **bounds)
    assert (came["verdict"], came["at"]) == (verdict, "easy − hard on x")


def test_easy_minus_hard_of_too_few_tasks_decides_nothing():
    came = tried(sided(*APART), of="easy_minus_hard", without=["a", "h"], above=0)
    assert came["verdict"] == "undecided" and "3 easy, 3 hard" in came["why"]
    assert came["number"]["value"] == near(20.0, abs=1.5)  # it is shown


def test_tasks_are_counted_where_the_number_is():
    release = sided(*APART)
    leak(release, "a", "x")
    for asked in ({}, {"targets": ["x"]}):
        came = tried(release, of="easy_minus_hard", above=0, **asked)
        assert came["verdict"] == "undecided" and "3 easy, 4 hard" in came["why"]


def test_a_split_without_some_tasks_is_that_of_the_others():
    ten = sided({"z": 30, **APART[0]}, {**APART[1], "y": 30})
    without_two = tried(ten, of="easy_minus_hard", without=["z", "y"], above=0)
    assert without_two["number"] == tried(sided(*APART), of="easy_minus_hard", above=0)["number"]


def test_a_split_by_pvi_turns_the_sides_round():
    release = sided(*APART)
    by_headroom = tried(release, of="easy_minus_hard", above=0)["number"]["value"]
    for number, name in enumerate("abcdefgh"):
        run = {"encoder": "e", "seed": 1, "key": key(name), "null_bits": pack([1.0])}
        release.content["evidence"]["pvi"][name] = [run | {"bits": pack([0.9 - number / 10])}]
    came = tried(release, of="easy_minus_hard", by="pvi", above=0)
    assert came["verdict"] == "fails" and came["number"]["value"] == near(-by_headroom)


# A range


def normal(value: float, error: float = 0.0) -> Sure:
    """A number with a normal error that is known."""
    half = half_width([Noise(error, math.inf)])
    return Sure(value, value - half, value + half, (Noise(error, math.inf),))


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 20)), min_size=1, max_size=6),
    st.floats(-30, 0),
    st.floats(0.1, 30),
)
def test_a_verdict_by_its_definition(numbers, above, below):
    known = {str(i): normal(value, error) for i, (value, error) in enumerate(numbers)}
    verdict, at = Range(above, below).verdict(known)
    every = known.values()
    within = all(above < one.low and one.high < below for one in every)
    # of n numbers each is at 1 - 5%/n, two-sided
    wide = float(stats.norm.ppf(1 - 0.025 / len(numbers)))
    beyond = any(
        value + wide * error < above or value - wide * error > below for value, error in numbers
    )
    assert verdict == ("holds" if within else "fails" if beyond else "undecided")
    assert not (within and beyond) and at in known


def test_a_bound_is_not_within():
    nothing = {"a": normal(0.0)}
    assert Range(above=0).verdict(nothing)[0] == "undecided"
    assert Range(below=0).verdict(nothing)[0] == "undecided"
    assert Range(-1, 1).verdict(nothing)[0] == "holds"
    assert Range().verdict({"a": normal(0.0, 1.0)})[0] == "holds"


def test_one_of_many_fails_no_more_often_than_one_alone():
    """Numbers that are all at the bound: what is beyond it is so by chance."""
    draws = np.random.default_rng(7).normal(size=(4000, 10))
    for many in (1, 3, 10):
        failed = 0
        for draw in draws[:, :many]:
            known = {str(i): normal(value, 1.0) for i, value in enumerate(draw)}
            failed += Range(below=0).verdict(known)[0] == "fails"
        assert 0.018 < failed / len(draws) < 0.032  # 2.5%


def test_the_number_that_is_shown_has_its_own_interval():
    """That of one of many decides, and is not what the board has beside it."""
    alone, many = {"a": normal(2.2, 1.0)}, {"a": normal(2.2, 1.0), "b": normal(-9.0, 1.0)}
    assert Range(below=0).verdict(alone) == ("fails", "a")
    assert Range(below=0).verdict(many) == ("undecided", "a")
    assert alone["a"].among(1) == alone["a"] and alone["a"].among(2).low < 0 < alone["a"].low


# In a suite

SUITE = """
suite: mine
version: 1
about: a
encoders: [all-MiniLM-L6-v2]
arms: [none, squad]
targets: [xquad, tatoeba]
seeds: [1, 2, 3]
protocol: laptop
hypotheses:
  - {hypothesis: one, says: s, arms: [squad], targets: [xquad], above: 0}
"""
ONE = "{hypothesis: one, says: s, arms: [squad], targets: [xquad], above: 0}"


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ("{hypothesis: one, says: s, arms: [squad]}", "has a bound"),
        ("{hypothesis: one, says: s, above: 0}", "name the conditions"),
        ("{hypothesis: one, says: '', arms: [squad], above: 0}", "1 or more characters"),
        ("{hypothesis: one, says: s, arms: [squad, squad], above: 0}", "squad: it is named twice"),
        (
            "{hypothesis: one, says: s, arms: [squad], minus: [squad], above: 0}",
            "squad: it is named twice",
        ),
        ("{hypothesis: one, says: s, of: easy_minus_hard, by: pvi, above: 0}", "`pvi: true`"),
        ("{hypothesis: one, says: s, arms: [squad], above: 1, below: 1}", "less than `below:`"),
        ("{hypothesis: one, says: s, arms: [squad], by: pvi, above: 0}", "by: it does not go"),
        (
            "{hypothesis: one, says: s, of: easy_minus_hard, arms: [squad], above: 0}",
            "they do not go with",
        ),
        (
            "{hypothesis: one, says: s, of: easy_minus_hard, minus: [squad], above: 0}",
            "minus: it does not go",
        ),
        (
            "{hypothesis: one, says: s, arms: [mnli], above: 0}",
            "one: no condition that trains is called 'mnli'",
        ),
        ("{hypothesis: one, says: s, arms: [none], above: 0}", "is called 'none'"),
        (
            "{hypothesis: one, says: s, arms: [squad], targets: [xnli], above: 0}",
            "one: no target is called 'xnli'",
        ),
        (f"{ONE}\n  - {ONE}", "two have one name"),
        (
            "{hypothesis: a, says: s, arms: [squad], above: 0, primary: true}\n"
            "  - {hypothesis: b, says: s, arms: [squad], above: 0, primary: true}",
            "one can be primary",
        ),
    ],
)
def test_a_hypothesis_that_cannot_be(tmp_path, instead, said):
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE.replace(ONE, instead), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        reader.read(file, Suite)
    assert said in str(error.value) and "mine.yaml:" in str(error.value)


def test_another_experiment_has_none(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE, encoding="utf-8")
    catalog = Catalog.load([])
    suite, _ = reader.read(file, Suite)
    assert len(suite.hypotheses) == 1
    assert not begun(OneLine.of(seeds="1,2"), suite, catalog).hypotheses
    assert not without(suite, ["tatoeba"]).hypotheses
    assert not with_limit(suite, 10).hypotheses
    assert with_user_tasks(suite, catalog).hypotheses  # none joined


# On the board


def test_the_board_says_what_came():
    release = sided(*ALIKE)
    asked = {"of": "easy_minus_hard", "above": -9, "below": 9, "primary": True}
    tried(release, **asked | {"says": "no large difference"})
    release.content["encoders"] = {"e": ENCODER}
    (reading,) = readings(Concluded.model_validate(release.content | release.derive()))
    (sheet,) = [one for one in sheets(reading, "difficulty") if one.name == "hypotheses"]
    (row,) = sheet.rows
    texts = [field.text for field in row.cells]
    assert texts[:3] == ["h (primary)", "−9 to +9", "easy − hard"]
    assert texts[-1] == "holds"
    assert sheet.footnotes[0] == "h: no large difference."
    said = sentences(reading)[-1]
    assert said.startswith(
        "Primary hypothesis: no large difference (−9 to +9). It holds: easy − hard "
    )


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"above": -0.25, "below": 0.25}, "−0.25 to +0.25"),
        ({"above": 0}, "above 0"),
        ({"below": 2.0}, "below +2"),
    ],
)
def test_bounds_are_shown_as_they_were_written(bounds, said):
    asked = Hypothesis.model_validate(
        {"hypothesis": "h", "says": "s", "arms": ["a"], **{k: float(v) for k, v in bounds.items()}}
    )
    assert range_of(asked) == said
