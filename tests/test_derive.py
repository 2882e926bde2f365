"""The derived sections of small made-up releases, against numbers worked out by hand."""

import copy
import json
import math
import random
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.metrics.vectors import pack
from harness.release import schema_derived
from harness.release.schema_derived import SECTIONS
from harness.statistics.arrows import arrow
from harness.statistics.derive import sections
from harness.statistics.intervals import Noise, benjamini_hochberg, two_sided
from tests.made_up import (
    ROWS,
    Release,
    about,
    arm,
    crossed,
    differences,
    grid,
    key,
    leak,
    near,
    of_mean,
    reading,
    right,
    said,
    satterthwaite,
    seeded,
    sure,
    target,
    training,
    with_difficulty,
)
from tests.stress import times

# of a suite that expects nothing
NO_HYPOTHESES = tuple(name for name in SECTIONS if name != "hypotheses")

# --- cells


def test_a_cell_is_scored_again_from_the_vectors():
    release = Release({}, {"xnli": target(languages=("en", "sw", "th"))})
    facts = {"sw": {"truncated": 5, "unknown": 0.25}, "th": {"constant": True}}
    release.cell(
        "none",
        "xnli",
        {"en": right(15), "sw": right(10), "th": right(1)},
        facts=facts,
        dev=right(18),
    )
    cell = release.only("cells")
    assert cell["languages"]["en"] == {
        "n": 20,
        "metrics": {"accuracy": 75.0},
        "main": 75.0,
        "null": 0.0,
        "null_name": "accuracy of always answering the most frequent gold label",
        "above_null": 75.0,
        "stderr": pytest.approx(100 * (0.75 * 0.25 / 20) ** 0.5),
        "truncated": 0,
        "unknown": 0.0,
        "flags": ["few_rows"],
    }
    assert cell["languages"]["sw"]["flags"] == ["few_rows", "truncated", "unknown"]
    assert cell["languages"]["th"]["flags"] == ["few_rows", "constant", "floor"]
    assert (cell["score"], cell["zero_shot"]) == (pytest.approx((75 + 50 + 5) / 3), (50 + 5) / 2)
    assert (cell["above_floor"], cell["languages_above_floor"]) == ((75 + 50) / 2, 2)
    assert (cell["dev"], cell["centred"], cell["flags"]) == (90.0, None, [])


@pytest.mark.parametrize(
    ("english", "dev", "group", "flags"),
    [
        (right(10), right(0), "pair", []),  # either will do: the English test,
        (right(1), right(20), "pair", []),  # or dev, which may have many more rows
        (right(1), right(1), "pair", ["unlearned"]),
        (None, right(15), "pair", []),  # no English test: dev of the target's training
        (None, right(1), "pair", ["unlearned"]),
        (None, [], "pair", ["unlearned"]),  # never looked at
        (right(1), None, "retrieval", []),  # nothing is trained
    ],
)
def test_unlearned(english, dev, group, flags):
    release = Release({}, {"t": target(group)})
    release.cell("none", "t", {"sw": right(10)} | ({"en": english} if english else {}), dev=dev)
    assert release.only("cells")["flags"] == flags


@pytest.mark.parametrize(
    ("overlap", "flags"),
    [
        ({"leaks": {"intermediate": {"en": 1}}, "shared": 0}, ["leak"]),  # over 1% of 20
        ({"leaks": {"target": {"en": 2}}, "shared": 0}, ["overlap"]),  # not over 10%
        ({"leaks": {"target": {"en": 3}}, "shared": 0}, ["leak"]),
        ({"leaks": {}, "shared": 1}, ["shared"]),
        ({"leaks": {}, "shared": 0}, []),
        (None, []),
    ],
)
def test_overlap_flags(overlap, flags):
    release = Release({}, {"t": target()})
    known = {"rows": {"target": 100}, "test_rows": {"en": 20}}
    release.cell("none", "t", {"en": right(10)}, overlap=overlap and known | overlap)
    cell = release.only("cells")
    assert cell["flags"] == flags
    assert cell.get("leaks") == (overlap["leaks"] if overlap and overlap["leaks"] else None)
    assert cell.get("shared_rows") == (1 if "shared" in flags else None)


def test_a_placeholder_language_has_no_score_and_marks_the_cell():
    release = Release({}, {"t": target()})
    cell = release.cell(
        "none", "t", {"en": right(10), "sw": right(10)}, facts={"sw": {"placeholder": True}}
    )
    del cell["languages"]["sw"]["correct"]
    found = release.only("cells")
    assert found["flags"] == ["placeholder"] and found["score"] == 50
    assert found["languages"]["sw"] == {
        "n": 20,
        "truncated": 0,
        "unknown": 0.0,
        "flags": ["few_rows", "placeholder"],
    }


def test_rows_that_say_nothing_mark_a_language_and_move_no_score():
    release = Release({}, {"t": target()})
    release.cell("none", "t", {"en": right(60)})
    plain = release.only("cells")
    release = Release({}, {"t": target()})
    release.cell("none", "t", {"en": right(60)}, facts={"en": {"empty_text": 2, "misplaced": 1}})
    found = release.only("cells")
    said = found["languages"]["en"]
    assert said["flags"] == ["few_rows", "empty_text", "misplaced"] and plain["languages"]["en"][
        "flags"
    ] == ["few_rows"]
    assert (said.pop("empty_text"), said.pop("misplaced")) == (2, 1)
    said["flags"] = plain["languages"]["en"]["flags"]
    assert found == plain


def test_refused_and_missing_cells_have_no_score():
    release = Release({}, {"t": target(), "u": target()})
    release.cell("none", "t", {"en": right(10)}, refused=True)
    release.cell("none", "u", {})
    for cell in release.derive()["cells"]:
        assert (
            cell["languages"],
            cell["score"],
            cell["zero_shot"],
            cell["above_floor"],
            cell["flags"],
        ) == (
            {},
            None,
            None,
            None,
            [],
        )


def test_retrieval_after_centring():
    release = Release(
        {"a": arm(of="a")},
        {"tatoeba": target("retrieval", ("sw", "th"), metric="retrieval_accuracy")},
    )
    for name, centred in (("none", 8), ("a", 13)):
        cell = release.cell(name, "tatoeba", {"sw": right(10), "th": right(10)})
        for language in cell["languages"].values():
            language["centred"] = pack(right(centred))
    assert [cell["centred"] for cell in release.derive()["cells"]] == [40.0, 65.0]
    assert release.only("gains")["centred"] == 25.0
    del cell["languages"]["th"]["centred"], cell["languages"]["sw"]["centred"]
    assert release.only("gains")["centred"] is None


# --- gains: what rows and seeds do to them


def two_seeds() -> Release:
    release = Release({"a": arm(of="a")}, {"xnli": target(languages=("en", "sw", "th"))})
    release.cell("none", "xnli", {"en": right(10), "sw": right(8), "th": right(1)}, seed=1)
    release.cell("none", "xnli", {"en": right(11), "sw": right(8), "th": right(7)}, seed=2)
    release.cell("a", "xnli", {"en": right(12), "sw": right(11), "th": right(7)}, seed=1)
    release.cell("a", "xnli", {"en": right(10), "sw": right(10), "th": right(9)}, seed=2)
    return release


def test_gains_are_paired_by_seed():
    gain = two_seeds().only("gains")
    assert gain["per_seed"] == {
        "1": pytest.approx((10 + 15 + 30) / 3),
        "2": pytest.approx((-5 + 10 + 10) / 3),
    }
    assert gain["gain"]["value"] == pytest.approx((55 / 3 + 5) / 2)
    assert gain["english"] == pytest.approx(2.5)
    assert gain["zero_shot"] == pytest.approx((22.5 + 10) / 2)
    # Thai of seed 1 was at the floor before
    assert gain["above_floor"] == pytest.approx((10 + 15 - 5 + 10 + 10) / 5)
    swahili = gain["per_language"]["sw"]
    assert swahili["gain"]["value"] == pytest.approx(12.5)
    assert swahili["per_seed"] == {"1": pytest.approx(15), "2": pytest.approx(10)}


def test_the_gain_of_one_seed_is_a_paired_t_test_over_rows():
    a, b = right(14), right(10)
    gain = seeded({"none": [b], "a": [a]}).only("gains")["gain"]
    textbook = stats.ttest_rel(np.multiply(a, 100), np.multiply(b, 100))
    assert gain["value"] == pytest.approx(20)
    assert gain["interval"] == [near(limit) for limit in textbook.confidence_interval(0.95)]
    assert gain["rows"] == near(math.sqrt(of_mean(differences(a, b))))
    # one seed: nothing is called an effect
    assert gain["seeds"] is gain["p"] is gain["q"] is gain["arrow"] is None


def test_with_two_seeds_the_interval_is_of_rows_alone():
    answers = {"none": [right(10), right(8)], "a": [right(19), right(20)]}
    gain = seeded(answers).only("gains")["gain"]
    both = [differences(a, b) for a, b in zip(answers["a"], answers["none"], strict=True)]
    variance_of_mean = of_mean([fmean(pair) for pair in zip(*both, strict=True)])
    assert gain["interval"] == about(gain["value"], Noise(math.sqrt(variance_of_mean), ROWS - 1))
    assert gain["interval"][0] > 0
    assert gain["seeds"] is gain["p"] is gain["q"] is gain["arrow"] is None


def test_with_three_seeds_rows_and_seeds_are_known_together():
    answers = {
        "none": [right(10), right(9), right(10)],
        "a": [right(13), right(13), right(11)],
    }
    gain = seeded(answers).only("gains")["gain"]
    pairs = zip(answers["a"], answers["none"], strict=True)
    parts = crossed(np.array([differences(a, b) for a, b in pairs]))
    assert all(part.error > 0 for part in parts)
    assert [gain["rows"], gain["seeds"]] == [near(part.error) for part in parts]
    assert gain["seeds"] == near(stdev([15, 20, 5]) / math.sqrt(3))
    assert gain["interval"] == about(40 / 3, *parts)
    assert gain["p"] == near(two_sided(40 / 3, parts))


def test_languages_with_rows_of_their_own_are_blocks():
    """Swahili has 20 rows and Thai 40: half of each one's error, together by Satterthwaite."""
    release = Release({"a": arm(of="a")}, {"t": target(languages=("sw", "th"))})
    a = {"sw": right(14), "th": right(22, 40)}
    b = {"sw": right(10), "th": right(20, 40)}
    release.cell("none", "t", b)
    release.cell("a", "t", a)
    blocks = [
        (of_mean(differences(a[language], b[language])) / 4, len(a[language]) - 1) for language in a
    ]
    error = math.sqrt(math.fsum(variance for variance, _ in blocks))
    gain = release.only("gains")["gain"]
    assert gain["interval"] == about((20 + 5) / 2, Noise(error, satterthwaite(*blocks)))


def test_parallel_languages_are_one_block():
    """The same answers in two parallel languages tell no more than in one; apart they tell more."""
    error, freedom = math.sqrt(of_mean(differences(right(14), right(10)))), ROWS - 1
    for parallel in (True, False):
        release = Release({"a": arm(of="a")}, {"t": target(parallel=parallel)})
        for name, n in (("none", 10), ("a", 14)):
            release.cell(name, "t", {"en": right(n), "sw": right(n)})
        gain = release.only("gains")
        one = about(20, Noise(error, freedom))
        assert [gain["per_language"][of]["gain"]["interval"] for of in ("en", "sw")] == [one, one]
        whole = one if parallel else about(20, Noise(error / math.sqrt(2), 2 * freedom))
        assert gain["gain"]["interval"] == whole


def test_parallel_languages_may_lack_units():
    """Thai has the first ten paragraphs of Swahili's twenty: those move both."""
    release = Release({"a": arm(of="a")}, {"t": target(languages=("sw", "th"), parallel=True)})
    a = {"sw": right(14), "th": right(8, 10)}
    b = {"sw": right(10), "th": right(3, 10)}
    release.cell("none", "t", b)
    release.cell("a", "t", a)
    moved = [0.0] * ROWS
    for language, answers in a.items():
        of = differences(answers, b[language])
        rows = len(of)
        for unit, one in enumerate(of):
            moved[unit] += (one - fmean(of)) / math.sqrt(rows * (rows - 1)) / 2
    error = math.sqrt(math.fsum(one**2 for one in moved))
    gain = release.only("gains")["gain"]
    assert gain["interval"] == about((20 + 50) / 2, Noise(error, ROWS - 1))


def test_paragraphs_are_left_out_whole():
    """25 paragraphs of four equal questions are 25 rows."""
    a, b = right(15, 25), right(10, 25)
    release = Release({"a": arm(of="a")}, {"qa": target("qa", ("sw",))})
    for name, answers in (("none", b), ("a", a)):
        release.cell(name, "qa", {"sw": [one for one in answers for _ in range(4)]})
    release.content["evidence"]["units"]["qa"]["sw"]["unit"] = pack([i // 4 for i in range(100)])
    gain = release.only("gains")["gain"]
    assert gain["interval"] == about(20, Noise(math.sqrt(of_mean(differences(a, b))), 24))


def test_a_seed_that_one_side_lacks_is_left_out():
    release = Release({"a": arm(of="a")}, {"t": target()})
    for seed, n in ((1, 10), (2, 4), (3, 11)):
        release.cell("none", "t", {"en": right(n), "sw": right(n)}, seed=seed)
    for seed, n in ((1, 12), (3, 12), (4, 20)):
        release.cell("a", "t", {"en": right(n), "sw": right(n)}, seed=seed)
    gain = release.only("gains")
    assert gain["per_seed"] == {"1": pytest.approx(10), "3": pytest.approx(5)}
    assert gain["gain"]["value"] == pytest.approx(7.5) and gain["gain"]["p"] is None


def test_an_unknown_gain_has_nothing_but_its_name_and_flags():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10)})
    release.cell("a", "xnli", {"en": right(10)}, refused=True)
    gain = release.only("gains")
    assert not any(gain.pop("gain").values())
    assert {name for name, value in gain.items() if value} == {"encoder", "arm", "target"}
    assert (gain["per_seed"], gain["per_language"]) == ({}, {})


def test_without_a_baseline_there_is_no_gain():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("a", "xnli", {"en": right(10)})
    found = release.derive()
    assert found["gains"] == [] and found["scores"][0]["score"]["value"] is None
    assert found["averages"][0]["overall"]["gain"]["value"] is None


def test_flags_of_either_cell_are_a_gains():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(1), "sw": right(10)}, dev=right(1))
    release.cell("a", "xnli", {"en": right(10), "sw": right(12)})["overlap"]["shared"] = 1
    gain = release.only("gains")
    assert gain["flags"] == ["shared", "unlearned"]
    assert gain["gain"]["value"] == pytest.approx((45 + 10) / 2) and gain["gain"]["interval"]


def test_a_gain_of_nothing_is_surely_nothing():
    """The same answers of every row and seed."""
    answers = [right(10), right(11), right(12)]
    gain = seeded({"none": answers, "a": answers}).only("gains")["gain"]
    assert (gain["value"], gain["interval"], gain["p"], gain["arrow"]) == (0, [0, 0], 1, None)


def test_one_unit_tells_no_spread():
    release = Release(
        {"a": arm(of="a")}, {"xnli": target(), "pawsx": target()}, waives=["unlearned"]
    )
    for name, answers in (("none", right(8)), ("a", right(20))):
        release.cell(name, "xnli", {"en": answers, "sw": answers[:1]})
        release.cell(name, "pawsx", {"en": answers[:1]})
    one, other = release.derive()["gains"]
    assert one["gain"]["interval"] is not None
    assert one["per_language"]["sw"]["gain"]["interval"] is None
    known = {name: value for name, value in other["gain"].items() if value is not None}
    assert list(known) == ["value"]


@settings(max_examples=times(10, 100), deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 30))
def test_rows_that_both_get_right_shrink_a_gain_and_change_no_sign(base, with_it, more):
    gains = []
    for extra in (0, more):
        release = Release({"a": arm(of="a")}, {"t": target("retrieval", ("sw",))})
        for name, n in (("none", base), ("a", with_it)):
            release.cell(name, "t", {"sw": right(n) + [1] * extra})
        gains.append(release.only("gains")["gain"]["value"])
    assert gains[1] == pytest.approx(gains[0] * ROWS / (ROWS + more))


def test_a_language_that_one_cell_lacks_is_left_out_of_the_gain():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10), "sw": right(2)})
    release.cell("a", "xnli", {"en": right(12)})
    gain = release.only("gains")
    assert gain["gain"]["value"] == pytest.approx(10)
    assert list(gain["per_language"]) == ["en"] and gain["zero_shot"] is None


# --- other rows of the target's own data


def flagged(found: dict, section: str) -> set[tuple[str, str]]:
    return {(entry["arm"], entry["target"]) for entry in found[section] if "same" in entry["flags"]}


def test_same_is_a_file_that_intermediate_and_target_train_on():
    gains = {
        "xnli": {"xnli": 1, "pawsx": 1, "retrieval": 1},
        "qqp": {"xnli": 1, "pawsx": 1, "retrieval": 1},
    }
    # a name says nothing, and any file of a training counts
    found = reading(gains, {"qqp": "other pawsx"}).derive()
    assert (
        flagged(found, "cells") == flagged(found, "gains") == {("xnli", "xnli"), ("qqp", "pawsx")}
    )


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "subset", "subset": {"by": "pvi", "keep": "easiest", "fraction": 0.3}},
        {"kind": "control", "control": "shuffled_labels"},
        {"kind": "control", "control": "masked_lm"},
        {"kind": "mixture", "of": None},
    ],
    ids=["subset", "shuffled labels", "masked-LM", "mixture"],
)
def test_parts_controls_and_mixtures_are_the_same_too(part):
    release = reading({"a": {"xnli": 1, "pawsx": 1}, "b": {"xnli": 1, "pawsx": 1}}, {"b": "xnli"})
    release.content["arms"]["b"] |= {"of": "a"} | part
    found = release.derive()
    assert flagged(found, "cells") == {("b", "xnli")}
    assert [average["own_data"] for average in found["averages"]] == [[], ["xnli"]]


def test_same_stands_beside_the_other_flags_and_takes_nothing_from_them():
    release = reading({"a": {"xnli": -10}}, {"a": "xnli"})
    release.content["evidence"]["cells"][1]["overlap"]["shared"] = 50
    release.content["evidence"]["trainings"][key("a-xnli-1")] = training(right(1))
    assert release.derive()["cells"][1]["flags"] == ["shared", "unlearned", "same"]
    assert release.only("gains")["flags"] == ["same", "shared", "unlearned"]


def test_own_data_counts_and_a_second_average_is_without_it():
    gains = {
        "a": {"xnli": 8, "pawsx": 2, "retrieval": -1},
        "b": {"xnli": 1, "pawsx": 1, "retrieval": 1},
    }
    a, b = reading(gains, {"a": "xnli", "b": "retrieval"}).derive()["averages"]
    assert a["overall"]["gain"]["value"] == pytest.approx(5 * (8 + 2 - 1) / 3)
    assert a["overall"]["targets"] == ["pawsx", "retrieval", "xnli"] and a["own_data"] == ["xnli"]
    assert a["without_own"]["gain"]["value"] == pytest.approx(5 * (2 - 1) / 2)
    assert a["without_own"]["targets"] == ["pawsx", "retrieval"]
    low, high = a["without_own"]["gain"]["interval"]
    assert low < 2.5 < high
    # nothing is trained for retrieval, so no rows can be its own
    assert b["own_data"] == [] and b["without_own"] is None


def test_shared_rows_are_own_data_too():
    release = reading({"a": {"xnli": 8, "pawsx": 2}, "b": {"xnli": 4, "pawsx": 2}}, {})
    for cell in release.content["evidence"]["cells"]:
        if (cell["arm"], cell["target"]) == ("a", "xnli"):
            cell["overlap"] = cell["overlap"] | {"shared": 50}
    a, b = release.derive()["averages"]
    assert a["overall"]["gain"]["value"] == pytest.approx(25) and a["own_data"] == ["xnli"]
    assert a["without_own"]["gain"]["value"] == pytest.approx(10)
    # it is taken from no other
    assert b["overall"]["targets"] == ["pawsx", "xnli"] and b["without_own"] is None


def test_own_data_in_one_seed_is_enough():
    release = reading({"a": {"xnli": 8, "pawsx": 2}}, {}, seeds=(1, 2, 3))
    release.reads("a-2", "xnli")
    average = release.only("averages")
    assert average["own_data"] == ["xnli"] and average["without_own"]["targets"] == ["pawsx"]
    without = average["without_own"]["gain"]
    assert without["value"] == pytest.approx(15)  # of 10, 15 and 20
    assert without["seeds"] == near(5 / math.sqrt(3))


def test_an_arm_of_whose_data_every_target_is_has_nothing_else():
    (average,) = reading({"a": {"xnli": 3}}, {"a": "xnli"}).derive()["averages"]
    assert average["overall"]["gain"]["value"] == pytest.approx(15)
    assert average["without_own"]["targets"] == []
    assert average["without_own"]["gain"]["value"] is None


def test_a_refused_cell_is_not_own_data():
    """Its rows stand in the test set: it counts in neither average."""
    release = reading({"a": {"xnli": 8, "pawsx": 2, "udpos": 4}}, {"a": "xnli"})
    for cell in release.content["evidence"]["cells"]:
        if (cell["arm"], cell["target"]) == ("a", "xnli"):
            cell["overlap"] = cell["overlap"] | {"leaks": {"intermediate": {"en": 9}}}
    average = release.only("averages")
    assert average["overall"]["gain"]["value"] is None
    assert average["rest"]["targets"] == ["pawsx", "udpos"]
    assert average["own_data"] == [] and average["without_own"] is None


# --- averages over the headline targets


def averages_of(release: Release) -> dict[str, dict]:
    """Arm → its average."""
    return {average["arm"]: average for average in release.derive()["averages"]}


def test_an_average_is_the_mean_over_the_headline_targets():
    release = grid(
        {
            "a": {"xnli": 2, "pawsx": 4, "retrieval": -1},
            "b": {"xnli": 1, "pawsx": 0, "retrieval": 1},
        }
    )
    found = release.derive()
    assert found["headline"] == {"e": ["pawsx", "retrieval", "xnli"]}
    a = averages_of(release)["a"]
    assert a["overall"]["targets"] == ["pawsx", "retrieval", "xnli"]
    assert a["overall"]["gain"]["value"] == pytest.approx(5 * (2 + 4 - 1) / 3)
    groups = {name: (of["gain"]["value"], of["targets"]) for name, of in a["groups"].items()}
    assert groups == {
        "pair": (pytest.approx(15), ["pawsx", "xnli"]),
        "retrieval": (pytest.approx(-5), ["retrieval"]),
    }
    assert a["rest"] is a["without_own"] is None and a["own_data"] == []
    # a target weighs as one, whatever its group
    assert averages_of(release)["b"]["overall"]["gain"]["value"] == pytest.approx(10 / 3)


def test_the_interval_of_an_average_adds_targets_as_blocks():
    """Two targets with rows of their own: half of each one's error."""
    release = grid({"a": {"xnli": 4, "pawsx": 6}})
    errors = [
        of_mean(differences(right(10 + more), right(10))) / 4 / 4 for more in (4, 4, 6, 6)
    ]  # of each language of each target
    freedom = satterthwaite(*[(error, ROWS - 1) for error in errors])
    gain = release.only("averages")["overall"]["gain"]
    assert gain["interval"] == about(25, Noise(math.sqrt(math.fsum(errors)), freedom))
    assert gain["p"] is None  # one seed


def test_the_interval_of_an_average_of_three_seeds():
    """Seeds move the average by what they do to both targets together: here one up, one down."""
    release = Release({"a": arm(of="a")}, {name: target() for name in ("xnli", "pawsx")})
    for seed, (up, down) in enumerate([(1, 5), (3, 3), (5, 1)], start=1):
        for name, more in (("xnli", up), ("pawsx", down)):
            release.cell("none", name, {"en": right(10), "sw": right(10)}, seed=seed)
            release.cell("a", name, {"en": right(10 + more), "sw": right(10 + more)}, seed=seed)
    found = release.derive()
    for gain in found["gains"]:
        assert gain["gain"]["seeds"] == near(10 / math.sqrt(3))
    overall = found["averages"][0]["overall"]["gain"]
    assert (overall["value"], overall["seeds"]) == (pytest.approx(15), 0)
    assert overall["p"] is not None


def test_a_suite_declares_the_targets_of_its_average():
    """By task: a reduced one shows under a name of its own."""
    release = grid({"a": {"xnli@s": 2, "pawsx": 4, "udpos": 8}}, average_over=["xnli", "udpos"])
    for name in ("xnli@s", "pawsx", "udpos"):
        release.content["targets"][name]["task"] = name.removesuffix("@s")
    found = release.derive()
    assert found["headline"] == {"e": ["udpos", "xnli@s"]}
    assert found["averages"][0]["overall"]["gain"]["value"] == pytest.approx(25)
    assert list(found["averages"][0]["groups"]["pair"]["targets"]) == ["udpos", "xnli@s"]
    # the other is shown all the same
    assert [gain["target"] for gain in found["gains"]] == ["xnli@s", "pawsx", "udpos"]
    assert {one["languages"][0] for one in found["slices"]} == {"sw"}
    assert {one["points"] for one in found["slices"]} == {2}


@pytest.mark.parametrize("waives", [[], ["unlearned"]])
def test_a_target_whose_baseline_is_at_chance_counts_in_no_average(waives):
    """For all arms alike, whatever they reach; unless the suite says that chance will do."""
    release = grid({"a": {"xnli": 2, "pawsx": 4}, "b": {"xnli": 1, "pawsx": 0}}, waives=waives)
    release.content["targets"]["udpos"] = target("tagging")
    release.cell("none", "udpos", {"en": right(1), "sw": right(10)}, dev=right(1))
    for name in ("a", "b"):
        release.cell(name, "udpos", {"en": right(19), "sw": right(19)})
    counts = ["pawsx", "udpos", "xnli"] if waives else ["pawsx", "xnli"]
    found = release.derive()
    assert found["headline"]["e"] == counts
    for average in found["averages"]:
        assert average["overall"]["targets"] == counts
        assert ("tagging" in average["groups"]) == bool(waives)
    assert len([gain for gain in found["gains"] if gain["target"] == "udpos"]) == 2


def test_one_seed_of_the_baseline_at_chance_is_enough():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    for seed, n in ((1, 10), (2, 1), (3, 10)):
        release.cell("none", "xnli", {"en": right(n), "sw": right(n)}, seed=seed, dev=right(n))
        release.cell("a", "xnli", {"en": right(12), "sw": right(12)}, seed=seed)
    assert release.derive()["headline"]["e"] == []


@pytest.mark.parametrize(("thai", "counts"), [(1, False), (10, True)])
def test_retrieval_is_above_chance_if_it_is_anywhere(thai, counts):
    """Nothing is trained for it, and there is no English."""
    release = Release({"a": arm(of="a")}, {"t": target("retrieval", ("sw", "th"))})
    for name in ("none", "a"):
        release.cell(name, "t", {"sw": right(1), "th": right(thai)})
    assert release.derive()["headline"]["e"] == (["t"] if counts else [])


@pytest.mark.parametrize("flaw", ["leak", "placeholder", "missing"])
def test_a_flaw_of_the_baseline_is_of_the_target(flaw):
    release = grid({"a": {"xnli": 2, "pawsx": 4}})
    (cell,) = [
        cell
        for cell in release.content["evidence"]["cells"]
        if (cell["arm"], cell["target"]) == ("none", "xnli")
    ]
    if flaw == "leak":
        cell["overlap"]["leaks"] = {"target": {"en": 9}}
    elif flaw == "placeholder":
        for language in cell["languages"].values():
            language["facts"]["placeholder"] = True
            del language["correct"]
    else:
        release.content["evidence"]["cells"].remove(cell)
    found = release.derive()
    assert found["headline"]["e"] == ["pawsx"]
    assert found["averages"][0]["overall"]["gain"]["value"] == pytest.approx(20)


def test_a_flaw_of_an_arm_is_its_own():
    """Unlearned after it: the gain counts, as bad as it is, and takes the target from no other."""
    release = grid({"a": {"xnli": 2, "pawsx": 4}, "b": {"xnli": -10, "pawsx": 4}})
    release.content["evidence"]["trainings"][key("b-xnli-1")] = training(right(0))
    found = averages_of(release)
    assert release.derive()["headline"]["e"] == ["pawsx", "xnli"]
    assert found["a"]["overall"]["gain"]["value"] == pytest.approx(15)
    assert found["b"]["overall"]["gain"]["value"] == pytest.approx((20 - 50) / 2)


@pytest.mark.parametrize("how", ["leak", "refused", "absent", "no common language"])
def test_a_refused_or_missing_cell_leaves_no_overall_average(how):
    """But one over the rest, and the groups' over what there is; the others keep theirs."""
    release = grid(
        {
            "a": {"xnli": 2, "pawsx": 4, "retrieval": -1},
            "b": {"xnli": 1, "pawsx": 0, "retrieval": 1},
        }
    )
    cells = release.content["evidence"]["cells"]
    (cell,) = [cell for cell in cells if (cell["arm"], cell["target"]) == ("a", "xnli")]
    if how == "leak":
        leak(release, "a", "xnli")
    elif how == "refused":
        cell["refused"] = True
    elif how == "absent":
        cells.remove(cell)
    else:
        cell["languages"] = {}
    a, b = (averages_of(release)[name] for name in "ab")
    assert (a["overall"]["gain"]["value"], a["overall"]["targets"]) == (None, [])
    assert a["zero_shot"]["gain"]["value"] is None and a["zero_shot"]["targets"] == []
    assert a["rest"]["gain"]["value"] == pytest.approx((20 - 5) / 2)
    assert a["rest"]["targets"] == ["pawsx", "retrieval"] and a["rest"]["gain"]["interval"]
    assert a["groups"]["pair"]["gain"]["value"] == pytest.approx(20)
    assert a["groups"]["pair"]["targets"] == ["pawsx"]
    assert b["overall"]["gain"]["value"] == pytest.approx(10 / 3) and b["rest"] is None


def test_an_arm_of_which_nothing_is_known():
    release = grid({"a": {"xnli": 2}})
    leak(release, "a", "xnli")
    average = release.only("averages")
    assert average["overall"]["targets"] == average["rest"]["targets"] == []
    assert average["groups"]["pair"]["gain"]["value"] is None


def test_zero_shot_averages_leave_english_out():
    """And with it a target that has no other language."""
    release = Release({"a": arm(of="a")}, {"xnli": target(), "english": target(languages=("en",))})
    for name, (en, sw) in (("none", (10, 10)), ("a", (18, 12))):
        release.cell(name, "xnli", {"en": right(en), "sw": right(sw)})
        release.cell(name, "english", {"en": right(en)})
    average = release.only("averages")
    assert average["overall"]["gain"]["value"] == pytest.approx((25 + 40) / 2)
    assert average["zero_shot"]["targets"] == ["xnli"]
    assert average["groups_zero_shot"] == {"pair": average["zero_shot"]}
    gains = {gain["target"]: gain for gain in release.derive()["gains"]}
    swahili = gains["xnli"]["per_language"]["sw"]["gain"]
    assert said(average["zero_shot"]["gain"]) == swahili
    assert swahili["value"] == pytest.approx(10)


def test_targets_of_other_seeds_are_averaged_over_what_they_have():
    """xnli has seeds 1 to 3, pawsx 2 and 3: two seeds, so nothing is tested. With none in common
    nothing is known but the value."""
    release = Release({"a": arm(of="a")}, {name: target() for name in ("xnli", "pawsx")})
    for name, seeds in (("xnli", (1, 2, 3)), ("pawsx", (2, 3))):
        for seed in seeds:
            release.cell("none", name, {"en": right(10), "sw": right(10)}, seed=seed)
            release.cell("a", name, {"en": right(10 + seed), "sw": right(11)}, seed=seed)
    overall = release.only("averages")["overall"]["gain"]
    assert overall["value"] == pytest.approx((7.5 + 8.75) / 2)
    assert overall["interval"] is not None and overall["p"] is None

    cells = release.content["evidence"]["cells"]
    kept = [cell for cell in cells if (cell["target"] == "xnli") == (cell["seed"] == 1)]
    release.content["evidence"]["cells"] = kept
    overall = release.only("averages")["overall"]["gain"]
    assert overall["value"] == pytest.approx((5 + 8.75) / 2)
    assert overall["interval"] is overall["rows"] is overall["p"] is None


# --- the board: which numbers are called an effect


def counted_together(found: dict) -> list[dict]:
    """All numbers that a board tests together, each once: a mean over one target is its gain, and
    that of the only kind of targets is the average."""
    shown = {}
    for gain in found["gains"]:
        if "leak" not in gain["flags"]:
            shown[gain["encoder"], gain["arm"], gain["target"]] = gain["gain"]
    for average in found["averages"]:
        for mean in (average["overall"], *average["groups"].values()):
            of = average["encoder"], average["arm"], *sorted(mean["targets"])
            number = shown.setdefault(of, mean["gain"])
            assert (number["q"], number["arrow"]) == (mean["gain"]["q"], mean["gain"]["arrow"])
    for one in found["scores"]:
        if one["difference"]:
            shown.setdefault((one["encoder"], "", *sorted(one["targets"])), one["difference"])
    return [number for number in shown.values() if number["p"] is not None]


def test_arrows_are_corrected_over_the_whole_board():
    """Gains, averages and groups' means, of all arms and targets."""
    release = sure(
        {"a": {"xnli": 28, "pawsx": -1}, "b": {"xnli": 1, "pawsx": -9}, "c": {"xnli": 3}}
    )
    found = release.derive()
    numbers = counted_together(found)
    # 5 gains, 2 averages; c has no average, and the mean of its kind is its gain
    assert len(numbers) == 5 + 2
    qs = benjamini_hochberg([number["p"] for number in numbers])
    for number, q in zip(numbers, qs, strict=True):
        assert number["q"] == pytest.approx(q, abs=2e-6)
        up = "up" if number["value"] > 0 else "down"
        assert number["arrow"] == (up if q < 0.05 else None)
    arrows = {(gain["arm"], gain["target"]): gain["gain"]["arrow"] for gain in found["gains"]}
    assert arrows["a", "xnli"] == "up" and arrows["b", "pawsx"] == "down"
    assert arrows["a", "pawsx"] is arrows["b", "xnli"] is None
    assert all(number["p"] <= number["q"] for number in numbers)


def test_what_is_refused_is_not_tested():
    """Nor are second averages, which say the same of fewer targets."""
    release = sure({"a": {"xnli": 28, "pawsx": 28}, "b": {"xnli": 28, "pawsx": 28}})
    leak(release, "a", "xnli")
    found = release.derive()
    gain = found["gains"][0]
    assert (gain["arm"], gain["target"], gain["flags"]) == ("a", "xnli", ["leak"])
    assert gain["gain"]["p"] < 0.05 and gain["gain"]["q"] is gain["gain"]["arrow"] is None
    a, b = found["averages"]
    assert a["rest"]["gain"]["p"] < 0.05 and a["rest"]["gain"]["q"] is None
    assert b["zero_shot"]["gain"]["p"] < 0.05 and b["zero_shot"]["gain"]["q"] is None
    assert len(counted_together(found)) == 3 + 1


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_one_or_two_seeds_there_is_no_arrow(seeds):
    release = sure({"a": {"xnli": 28, "pawsx": 28}})
    cells = release.content["evidence"]["cells"]
    release.content["evidence"]["cells"] = [cell for cell in cells if cell["seed"] <= seeds]
    found = release.derive()
    assert all(gain["gain"]["interval"][0] > 0 for gain in found["gains"])
    assert counted_together(found) == []
    assert '"up"' not in json.dumps(found)


@pytest.mark.parametrize(
    ("value", "q", "shown"),
    [
        (2.0, 0.0499, "up"),
        (-2.0, 0.0499, "down"),
        (2.0, 0.05, None),
        (2.0, 0.04999996, None),  # printed as the level, it is not below it
        (0.0, 0.0, None),
    ],
)
def test_an_arrow_is_below_the_level(value, q, shown):
    found = arrow(schema_derived.Tested(value=value), q)
    assert found.arrow == shown and found.q == round(q, 6)


# --- encoders side by side


def encoders(**how) -> Release:
    """Two of them, `e` and `f`, three seeds, trained and retrieval; f lacks pawsx."""
    targets = {"xnli": target(), "pawsx": target(), "tatoeba": target("retrieval", ("sw",))}
    release = Release({}, targets, seeds=[1, 2, 3], **how)
    for encoder, better in (("e", 0), ("f", 3)):
        for seed in (1, 2, 3):
            for name in ("xnli", "pawsx") if encoder == "e" else ("xnli",):
                n = right(10 + better + seed)
                release.cell("none", name, {"en": n, "sw": n}, seed=seed, encoder=encoder)
            answers = right(10 + 2 * better)
            release.cell("none", "tatoeba", {"sw": answers}, seed=seed, encoder=encoder)
    return release


def test_scores_of_the_baseline():
    scores = {(one["encoder"], one["target"]): one for one in encoders().derive()["scores"]}
    assert list(scores) == [
        ("e", "xnli"),
        ("e", "pawsx"),
        ("e", "tatoeba"),
        ("e", None),
        ("f", "xnli"),
        ("f", "tatoeba"),
        ("f", None),
    ]
    xnli = scores["e", "xnli"]
    assert (xnli["targets"], xnli["difference"]) == (["xnli"], None)  # the first has none
    assert xnli["score"]["value"] == pytest.approx(60)
    assert xnli["score"]["seeds"] == near(5 / math.sqrt(3))
    # two languages with rows of their own
    answers = np.array([right(11), right(12), right(13)]) * 100.0
    rows, seeds = crossed(answers)
    rows = Noise(rows.error / math.sqrt(2), 2 * rows.freedom)
    assert xnli["score"]["interval"] == about(60, rows, seeds)
    mean = scores["e", None]
    assert mean["targets"] == ["pawsx", "tatoeba", "xnli"]
    assert mean["score"]["value"] == pytest.approx((60 + 60 + 50) / 3)


def test_where_nothing_is_trained_seeds_say_nothing():
    """All seeds are one: a t-test over rows, also of one seed."""
    release = encoders()
    error = math.sqrt(of_mean([100.0 * one for one in right(10)]))
    (score, *_) = [one for one in release.derive()["scores"] if one["target"] == "tatoeba"]
    assert score["score"]["interval"] == about(50, Noise(error, ROWS - 1))
    assert score["score"]["seeds"] is None and score["score"]["p"] is not None
    cells = release.content["evidence"]["cells"]
    release.content["evidence"]["cells"] = [cell for cell in cells if cell["seed"] == 1]
    for one in release.derive()["scores"]:
        assert (one["score"]["p"] is None) == (one["target"] != "tatoeba")
        if one["encoder"] == "f":
            assert (one["difference"]["p"] is None) == (one["target"] != "tatoeba")


def test_an_intermediate_is_a_training_where_the_target_is_none():
    """So a gain in retrieval is known over seeds too."""
    for trained in (None, key("an intermediate")):
        release = Release({"a": arm(of="a")}, {"t": target("retrieval", ("sw",))})
        for name, n in (("none", 10), ("a", 14)):
            for seed in (1, 2, 3):
                how = {"intermediate": trained} if name == "a" else {}
                release.cell(name, "t", {"sw": right(n)}, seed=seed, **how)
        if trained:
            release.reads("an intermediate", "a file")
        gain = release.only("gains")["gain"]
        assert (gain["seeds"] is None) == (trained is None) and gain["p"] is not None


def test_encoders_differ_by_pairs_of_rows():
    found = encoders().derive()
    scores = {(one["encoder"], one["target"]): one for one in found["scores"]}
    tatoeba = scores["f", "tatoeba"]["difference"]
    error = math.sqrt(of_mean(differences(right(16), right(10))))
    assert tatoeba["value"] == pytest.approx(30)
    assert tatoeba["interval"] == about(30, Noise(error, ROWS - 1))
    # a mean is over the targets that both have, and those of the encoder's headline
    mean = scores["f", None]
    assert mean["targets"] == ["tatoeba", "xnli"]
    assert mean["difference"]["value"] == pytest.approx((15 + 30) / 2)
    assert mean["score"]["value"] == pytest.approx((75 + 80) / 2)
    # they are tested with the rest of the board
    numbers = counted_together(found)
    assert len(numbers) == 3
    qs = benjamini_hochberg([number["p"] for number in numbers])
    assert [number["q"] for number in numbers] == [pytest.approx(q, abs=2e-6) for q in qs]


def test_encoders_without_a_target_in_common_do_not_differ():
    release = Release({}, {"xnli": target(), "pawsx": target()})
    for encoder, name in (("e", "xnli"), ("f", "pawsx")):
        release.cell("none", name, {"en": right(10)}, encoder=encoder)
    for one in release.derive()["scores"]:
        assert one["score"]["value"] == 50
        assert one["difference"] is None or one["difference"]["value"] is None


def test_a_baseline_that_lacks_a_language_in_one_seed_is_scored_without_it():
    release = Release({}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10), "sw": right(4)}, seed=1)
    release.cell("none", "xnli", {"en": right(12)}, seed=2)
    score, _ = release.derive()["scores"]
    assert score["score"]["value"] == pytest.approx(55)


def test_encoders_do_not_mix():
    """All that is said of one is what is said of it alone, but for what describes the board."""
    release = grid({"a": {"xnli": 10}})
    alone = release.derive()
    for cell in copy.deepcopy(release.content["evidence"]["cells"]):
        correct = cell["languages"]["en"]["correct"]
        other = cell["languages"] | {"en": cell["languages"]["en"] | {"correct": correct[::-1]}}
        release.content["evidence"]["cells"].append(
            cell | {"encoder": "another", "languages": other}
        )
    both = release.derive()
    # in the order of the cells
    assert [average["encoder"] for average in both["averages"]] == ["e", "another"]
    for section in ("scores", "gains", "averages", "slices", "split", "best"):
        assert [entry for entry in both[section] if entry["encoder"] == "e"] == alone[section]
        assert len(both[section]) > len(alone[section])


# --- slices


def test_slices():
    release = Release(
        {"a": arm(of="a")}, {"xnli": target(languages=("en", "sw", "th")), "pawsx": target()}
    )
    unknown = {"en": {"unknown": 0.0}, "sw": {"unknown": 0.01}, "th": {"unknown": 0.3}}
    after = {language: {"unknown": 0.1} for language in unknown}  # the baseline's share decides
    release.cell("none", "xnli", {"en": right(10), "sw": right(10), "th": right(10)}, facts=unknown)
    release.cell("a", "xnli", {"en": right(12), "sw": right(14), "th": right(9)}, facts=after)
    release.cell("none", "pawsx", {"en": right(10), "sw": right(10)}, facts=unknown)
    release.cell("a", "pawsx", {"en": right(10), "sw": right(13)}, facts=after)
    found = {
        (one["by"], one["slice"]): (one["gain"]["value"], one["languages"], one["points"])
        for one in release.derive()["slices"]
    }
    assert found == {
        ("family", "Kra-Dai"): (pytest.approx(-5), ["th"], 1),
        ("family", "Niger-Congo"): (pytest.approx(17.5), ["sw"], 2),
        # not English: that is what the targets were trained in
        ("script", "Latin"): (pytest.approx(17.5), ["sw"], 2),
        ("script", "Thai"): (pytest.approx(-5), ["th"], 1),
        ("unknown", "1-5%"): (pytest.approx(17.5), ["sw"], 2),
        ("unknown", "over 25%"): (pytest.approx(-5), ["th"], 1),
    }
    thai, swahili = (release.only("slices", slice=name) for name in ("Thai", "Latin"))
    gains = release.derive()["gains"]
    assert thai["gain"] == gains[0]["per_language"]["th"]["gain"]
    blocks = [
        (of_mean(differences(right(n), right(10))) / 4, ROWS - 1) for n in (14, 13)
    ]  # half of each target's
    error = math.sqrt(math.fsum(one for one, _ in blocks))
    assert swahili["gain"]["interval"] == about(17.5, Noise(error, satterthwaite(*blocks)))


def test_slices_leave_out_what_no_average_counts():
    """A target whose baseline is at chance, and a refused cell."""
    release = grid({"a": {"xnli": 2, "pawsx": 4, "udpos": 8}})
    release.content["evidence"]["trainings"][key("none-xnli-1")] = training(right(0))
    cell = release.content["evidence"]["cells"][0]
    cell["languages"]["en"]["correct"] = pack(right(0))
    leak(release, "a", "pawsx")
    assert {one["points"] for one in release.derive()["slices"]} == {1}
    assert release.only("slices", by="family")["gain"]["value"] == pytest.approx(40)


# --- what other conditions cannot change


def alone(found: dict, arms: set[str]) -> dict:
    """What a release says of these conditions and of the baseline, without what describes the set
    of conditions."""
    kept = {"cells": [c for c in found["cells"] if c["arm"] in arms | {"none"}]}
    kept["headline"] = found["headline"]
    kept["scores"] = [one | {"difference": None} for one in found["scores"]]
    for section in ("gains", "averages", "slices", "difficulty"):
        kept[section] = [entry for entry in found[section] if entry["arm"] in arms]
    for row in kept["difficulty"]:
        row.pop("bucket")
    return _untested(kept)


def _untested(value):
    if isinstance(value, dict):
        return {name: _untested(of) for name, of in value.items() if name not in ("q", "arrow")}
    return [_untested(of) for of in value] if isinstance(value, list) else value


@st.composite
def boards(draw):
    """A release of three conditions by two targets, with cells that are refused, of the target's
    own data, missing in a seed or in a language; parallel or not."""
    seeds = range(1, draw(st.sampled_from([1, 3])) + 1)
    parallel = draw(st.booleans())
    targets = {"xnli": target(parallel=parallel), "qa": target("qa", parallel=parallel)}
    release = Release({name: arm(of=name) for name in "abc"}, targets, seeds=list(seeds))
    for name in ("none", "a", "b", "c"):
        if name != "none" and draw(st.booleans()):
            release.learns(name, *[right(draw(st.integers(8, 20)))] * len(seeds))
        for on in targets:
            flaw = draw(st.sampled_from(["", "", "leak", "shared", "seed", "language"]))
            for seed in seeds:
                if flaw == "seed" and seed == 1 and name != "none":
                    continue
                languages = ["en", "sw"] if flaw != "language" else ["sw"]
                answers = {one: right(draw(st.integers(6, 20))) for one in languages}
                cell = release.cell(name, on, answers, seed=seed)
                if flaw == "leak":
                    cell["overlap"]["leaks"] = {"intermediate": {"en": 9, "sw": 9}}
                cell["overlap"]["shared"] = 50 if flaw == "shared" else 0
    return release


@settings(max_examples=times(12, 200), deadline=None)
@given(boards(), st.sets(st.sampled_from("abc"), max_size=2))
def test_no_score_gain_interval_or_average_depends_on_other_conditions(release, arms):
    whole = release.derive()
    fewer = copy.deepcopy(release.content)
    for name in set("abc") - arms:
        del fewer["arms"][name]
    cells = fewer["evidence"]["cells"]
    fewer["evidence"]["cells"] = [cell for cell in cells if cell["arm"] in fewer["arms"]]
    assert alone(sections(fewer), arms) == alone(copy.deepcopy(whole), arms)


def test_arrows_describe_the_set_of_conditions():
    """The same gain, beside eleven that are nothing, is called an effect no more."""
    gains = {"a": {"xnli": 9}} | {name: {"xnli": 0} for name in "bcdefghijkl"}
    few, many = sure({"a": gains["a"]}), sure(gains)
    one, other = few.derive()["gains"][0], many.derive()["gains"][0]
    assert said(one["gain"]) == said(other["gain"])
    assert one["gain"]["q"] < other["gain"]["q"]
    assert (one["gain"]["arrow"], other["gain"]["arrow"]) == ("up", None)


# --- the whole


def big(seeds: tuple = (1,)) -> Release:
    """Five arms of one seed on a pair task, and of these on questions and on retrieval."""
    release = with_difficulty({"a": 18, "b": 17, "c": 16, "ddd": 12, "eeee": 10})
    release.content["targets"] |= {
        "qa": target("qa", ("sw", "th"), True, "squad"),
        "tatoeba": target("retrieval", ("sw",)),
    }
    rng = random.Random(5)
    question = {
        "null": pack([0.0] * 30),
        "group": pack([i // 3 for i in range(30)]),
        "unit": pack([i // 3 for i in range(30)]),
    }
    release.content["evidence"]["units"]["qa"] = dict.fromkeys(("sw", "th"), question)
    for name in ("none", "a", "b", "c", "ddd", "eeee"):
        for seed in seeds:
            release.cell(name, "tatoeba", {"sw": [rng.randint(0, 1) for _ in range(60)]}, seed=seed)
            cell = release.cell(name, "qa", {"sw": right(15), "th": right(15)}, seed=seed)
            for packed in cell["languages"].values():
                del packed["correct"]
                packed |= {
                    "em": pack([rng.randint(0, 1) for _ in range(30)]),
                    "f1": pack([rng.random() for _ in range(30)]),
                }
    for cell in release.content["evidence"]["cells"][::7]:
        leaks = {"target": dict.fromkeys(cell["languages"], 1), "intermediate": {}}
        cell["overlap"]["leaks"] = leaks
    return release


def shuffled(value, rng: random.Random):
    """The same value with the order of every dict changed."""
    if isinstance(value, dict):
        items = [(key, shuffled(of, rng)) for key, of in value.items()]
        rng.shuffle(items)
        return dict(items)
    return [shuffled(of, rng) for of in value] if isinstance(value, list) else value


def test_the_same_content_gives_the_same_bytes_whatever_the_order_of_its_fields():
    content = big().content
    before = copy.deepcopy(content)
    first = json.dumps(sections(content))
    assert content == before  # nothing is written into it
    assert json.dumps(sections(content)) == first
    for seed in range(3):
        assert json.dumps(sections(shuffled(content, random.Random(seed)))) == first


def test_derived_sections_are_not_read():
    content = big().content
    assert sections(content | {"cells": "nonsense", "gains": None}) == sections(content)
    assert tuple(sections(content)) == NO_HYPOTHESES


FROZEN = {
    ("a", "qa"): {"interval": [-23.7351, 11.7949], "rows": 0.0, "seeds": 4.1288, "p": 0.28509},
    ("a", "retrieval"): {
        "interval": [-9.1594, 11.3816],
        "rows": 5.1327,
        "seeds": None,
        "p": 0.829362,
    },
    ("b", "qa"): {"interval": [-13.08, 9.5028], "rows": 1.1667, "seeds": 2.5726, "p": 0.603109},
    ("b", "retrieval"): {
        "interval": [-5.375, 15.375],
        "rows": 5.1849,
        "seeds": None,
        "p": 0.338813,
    },
}
FROZEN_SPLIT = {
    "interval": [-20.958, 19.5551],
    "rows": 0.0,
    "seeds": 1.0279,
    "tasks": 3.92,
    "p": 0.87711,
}


def test_derived_numbers_are_frozen():
    """To the last digit that a release keeps: they move with the influences of rows, the order of
    sums or a metric, and then every release's would."""
    found = big(seeds=(1, 2, 3)).derive()
    for average in found["averages"][:2]:
        for group in ("qa", "retrieval"):
            gain = said(average["groups"][group]["gain"])
            gain.pop("value")
            assert gain == FROZEN[average["arm"], group]
    (split,) = found["split"]
    apart = split["groups"]["qa"]["easy_minus_hard"]
    apart.pop("value")
    assert apart == FROZEN_SPLIT


@pytest.mark.parametrize(
    "release",
    [
        Release({}, {}),
        Release({"a": arm(of="a")}, {"xnli": target()}),
        grid({"a": {"xnli": 1}}),
        grid({}),
    ],
    ids=["nothing", "no cells", "one arm", "no arms"],
)
def test_degenerate_releases(release):
    found = release.derive()
    assert tuple(found) == NO_HYPOTHESES
