"""How hard intermediate tasks are, easy ones against hard ones, their parts and controls, and which
is best: of small made-up releases, by hand."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy import stats

from harness.metrics.vectors import pack
from harness.statistics.best import coin
from harness.statistics.intervals import Noise, holm
from tests.made_up import (
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
    seeded,
    sure,
    target,
    training,
    with_difficulty,
)

# --- difficulty and the split


def test_headroom_is_what_is_left_between_chance_and_people():
    release = grid({"a": {"xnli": 1}})
    release.learns("a", right(15), right(17), chance=25.0, human=95.0, rows=960)
    found = release.only("difficulty")
    assert (found["dev"], found["dev_per_seed"], found["rows"], found["learned"]) == (
        80.0,
        {"1": 75.0, "2": 85.0},
        960,
        True,
    )
    assert found["headroom_per_seed"] == {
        "1": pytest.approx(1 - 50 / 70),
        "2": pytest.approx(1 - 60 / 70),
    }
    assert found["headroom"] == pytest.approx(1 - 55 / 70) and found["human_known"]
    assert found["pvi"] is found["pvi_share"] is None


def test_headroom_without_figures_and_above_people():
    release = grid({"a": {"xnli": 1}, "b": {"xnli": 1}})
    release.learns("a", right(15))
    release.learns("b", right(19), chance=50.0, human=90.0)
    a, b = release.derive()["difficulty"]
    assert (a["chance"], a["human"], a["human_known"], a["headroom"]) == (0.0, 100.0, False, 0.25)
    assert b["headroom"] == pytest.approx(1 - 45 / 40)  # negative


def test_pvi_is_a_share_of_what_the_labels_alone_leave_open():
    release = grid({"a": {"xnli": 1}})
    release.learns("a", right(15), right(15))
    runs = [
        {"bits": [0.5, 1.5], "null_bits": [1.0, 3.0]},
        {"bits": [3.0, 2.0], "null_bits": [2.0, 2.0]},
    ]
    facts = [
        {"encoder": "e", "seed": i, "key": key("k")} | {name: pack(v) for name, v in run.items()}
        for i, run in enumerate(runs)
    ]
    release.content["evidence"]["pvi"]["a"] = [*facts, facts[0] | {"encoder": "another"}]
    found = release.only("difficulty")
    assert found["pvi"] == pytest.approx((1.0 - 0.5) / 2) and found["pvi_share"] == pytest.approx(
        (1.0 / 2.0 - 0.5 / 2.0) / 2
    )


@pytest.mark.parametrize(
    ("rule", "buckets", "line"),
    [
        (
            {"by": "median", "value": None},
            {"a": "easy", "b": "median", "c": "hard", "d": "unlearned"},
            0.25,
        ),
        (
            {"by": "threshold", "value": 0.25},
            {"a": "easy", "b": "easy", "c": "hard", "d": "unlearned"},
            0.25,
        ),
        (
            {"by": "declared", "value": None},
            {"a": "easy", "b": "easy", "c": "easy", "d": "unlearned"},
            None,
        ),
        (
            {"by": "pvi", "value": None},
            {"a": "hard", "b": "median", "c": "easy", "d": "unlearned"},
            0.5,
        ),
    ],
)
def test_buckets(rule, buckets, line):
    release = with_difficulty({"a": 18, "b": 15, "c": 10, "d": 1}, split_rule=rule)
    for name, bits in (("a", 0.8), ("b", 0.5), ("c", 0.1), ("d", 0.0)):
        run = {
            "encoder": "e",
            "seed": 1,
            "key": key("k"),
            "bits": pack([bits]),
            "null_bits": pack([1.0]),
        }
        release.content["evidence"]["pvi"][name] = [run]
    found = release.derive()
    assert {entry["arm"]: entry["bucket"] for entry in found["difficulty"]} == buckets
    assert found["split"][0]["threshold"] == pytest.approx(line)
    assert found["split"][0]["unlearned"] == ["d"]


def test_an_even_number_of_tasks_has_no_median_one_and_one_seed_at_chance_is_unlearned():
    release = with_difficulty({"a": 18, "b": 15, "c": 12, "d": 10})
    assert [entry["bucket"] for entry in release.derive()["difficulty"]] == [
        "easy",
        "easy",
        "hard",
        "hard",
    ]
    release.learns("d", right(10), right(1))
    assert [entry["bucket"] for entry in release.derive()["difficulty"]] == [
        "easy",
        "median",
        "hard",
        "unlearned",
    ]
    release.content["arms"]["d"]["trained"] = []  # not trained: not known
    assert [entry["bucket"] for entry in release.derive()["difficulty"]] == [
        "easy",
        "median",
        "hard",
        None,
    ]


def test_only_whole_tasks_are_easy_or_hard():
    release = grid({"a": {"xnli": 1}, "b": {"xnli": 1}})
    release.content["arms"]["b"] = arm("control", "a", control="shuffled_labels")
    release.learns("b", right(15))
    assert [entry["arm"] for entry in release.derive()["difficulty"]] == ["a"]


def test_the_split():
    """Easy: a, b; hard: ddd, eeee; dev in that order. 100 / 20 = 5 points a row."""
    release = with_difficulty({"a": 18, "b": 17, "ddd": 12, "eeee": 10})
    release.learns("a", right(18), rows=200)
    found = release.only("split")
    assert found["easy"] == {
        "arms": {"a": pytest.approx(5), "b": pytest.approx(5)},
        "average_gain": pytest.approx(5),
    }
    assert found["hard"] == {
        "arms": {"ddd": pytest.approx(15), "eeee": pytest.approx(20)},
        "average_gain": pytest.approx(17.5),
    }
    overall = found["overall"]
    assert overall["targets"] == ["xnli"]
    assert overall["easy_minus_hard"]["value"] == pytest.approx(-12.5)
    low, high = overall["easy_minus_hard"]["interval"]
    assert low < -12.5 < high
    # the easy ones do not differ, the hard ones by 5: 12.5 / 2
    assert overall["easy_minus_hard"]["tasks"] == near(math.sqrt(12.5 / 2))
    assert overall["easy_minus_hard"]["p"] is None  # one seed
    assert found["sizes_differ"] and found["median"] == []
    assert not found["claim"]
    assert found["why"] == "A claim takes 4 learned tasks a side; here: 2 easy, 2 hard."
    # headroom and gain rank alike but for the two that gain as much: ranks 1, 2, 3, 4 against 1.5,
    # 1.5, 3, 4
    correlation = found["correlation"]
    assert correlation["measure"] == "headroom" and correlation["points"] == 4
    assert correlation["rho"] == pytest.approx(4.5 / (5 * 4.5) ** 0.5)
    assert found["correlation_pvi"] is None
    assert found["groups"] == {"pair": overall} and found["without_own"] is None
    assert found["by_target"] == {
        "xnli": {
            "easy_minus_hard": overall["easy_minus_hard"],
            "easy": ["a", "b"],
            "hard": ["ddd", "eeee"],
        }
    }


def hardness(gains: dict[str, dict[str, int]], devs: dict[str, int], **how) -> Release:
    """`reading` with three seeds, in which an arm's dev has that many of 20 rows right."""
    release = reading(gains, how.pop("files", {}), seeds=(1, 2, 3), **how)
    for name, n in devs.items():
        release.learns(name, *[right(n)] * 3)
        for run in release.content["arms"][name]["trained"]:
            # `learns` and `reading` name a training alike
            assert run["key"] == key(f"{name}-{run['seed']}")
    return release


DEVS = {"a": 19, "b": 18, "c": 12, "d": 11}  # a and b are easy, c and d hard


def test_easy_minus_hard_is_welchs_test_on_tasks():
    """Every row and seed that moves one arm moves all: what is left are four tasks."""
    found = hardness({n: {"xnli": g} for n, g in zip("abcd", (1, 3, 4, 8), strict=True)}, DEVS)
    said = found.only("split")["overall"]["easy_minus_hard"]
    welch = stats.ttest_ind([5, 15], [20, 40], equal_var=False)
    assert said["value"] == pytest.approx(-20)
    assert said["tasks"] == near(math.sqrt(50 / 2 + 200 / 2))
    assert said["seeds"] == near(0)
    # rows do something to both sides: the interval is a little wider than Welch's
    low, high = welch.confidence_interval(0.95)
    assert low - 3 < said["interval"][0] <= low + 1e-4 < high - 1e-4 <= said["interval"][1]
    assert welch.pvalue - 1e-6 <= said["p"] < welch.pvalue + 0.02


def test_a_target_on_which_a_task_was_refused():
    """It is compared there without it; the averages of the sides have it not at all."""
    gains = {
        "a": {"xnli": 1, "pawsx": 2},
        "b": {"xnli": 3, "pawsx": 9},
        "c": {"xnli": 4, "pawsx": 5},
        "d": {"xnli": 8, "pawsx": 6},
    }
    release = hardness(gains, DEVS)
    leak(release, "b", "pawsx")
    found = release.only("split")
    assert found["easy"]["arms"] == {"a": pytest.approx(5 * (1 + 2 + 2) / 2), "b": None}
    overall = found["overall"]
    assert overall["targets"] == ["pawsx", "xnli"]
    # a row more in the second seed, two in the third, of all arms
    xnli, pawsx = 5 * (1 + 3) / 2 - 5 * (4 + 8) / 2, 5 * 2 - 5 * (5 + 6) / 2
    assert overall["easy_minus_hard"]["value"] == pytest.approx((xnli + pawsx) / 2)
    assert found["by_target"]["pawsx"]["easy"] == ["a"]
    assert found["by_target"]["pawsx"]["easy_minus_hard"]["value"] == pytest.approx(pawsx)
    # one easy task on pawsx: how others would differ is not known there
    assert found["by_target"]["pawsx"]["easy_minus_hard"]["interval"] is None
    assert overall["easy_minus_hard"]["interval"] is not None
    leak(release, "a", "pawsx")
    assert release.only("split")["overall"]["targets"] == ["xnli"]
    assert "pawsx" not in release.only("split")["by_target"]


def test_easy_minus_hard_without_own_data():
    """d gains most on its own data: the difference turns round without it."""
    gains = {name: {"xnli": 2, "pawsx": 2} for name in "abc"} | {"d": {"xnli": 8, "pawsx": 1}}
    found = hardness(gains, DEVS, files={"d": "xnli"}).only("split")
    assert found["overall"]["easy_minus_hard"]["value"] == pytest.approx(5 * (-3 + 0.5) / 2)
    assert found["without_own"]["targets"] == ["pawsx", "xnli"]
    # on xnli c alone is hard
    assert found["without_own"]["easy_minus_hard"]["value"] == pytest.approx(5 * (0 + 0.5) / 2)


def test_easy_and_hard_are_compared_within_a_target():
    """Every arm gains the same on a target, so the difference is 0, however much easier a target is
    that one arm has lost."""
    gains = {name: {"xnli": -2, "pawsx": 8, "udpos": 1} for name in "abcd"}
    release = hardness(gains, DEVS)
    leak(release, "a", "xnli")
    leak(release, "c", "pawsx")
    found = release.only("split")["overall"]["easy_minus_hard"]
    assert found["value"] == pytest.approx(0)
    assert (found["interval"], found["tasks"], found["p"]) == ([0, 0], 0, 1)


def test_the_split_by_groups_and_without_english():
    gains = {"a": {"xnli": 1, "retrieval": 3}, "b": {"xnli": 5, "retrieval": 1}}
    release = grid(gains)
    release.learns("a", right(18))
    release.learns("b", right(12))
    found = release.only("split")
    groups = {name: of["easy_minus_hard"]["value"] for name, of in found["groups"].items()}
    assert groups == {"pair": pytest.approx(-20), "retrieval": pytest.approx(10)}
    assert found["overall"]["easy_minus_hard"]["value"] == pytest.approx(-5)
    assert found["overall"]["easy_minus_hard"]["interval"] is None  # one task on a side
    assert found["zero_shot"]["easy_minus_hard"]["value"] == pytest.approx(-5)
    # English of xnli alone
    for cell in release.content["evidence"]["cells"]:
        if cell["target"] == "xnli":
            del cell["languages"]["sw"]
    assert release.only("split")["zero_shot"]["targets"] == ["retrieval"]


def test_a_target_that_counts_in_no_average_is_in_no_split_but_its_own():
    release = hardness({n: {"xnli": 1, "pawsx": 1} for n in "abcd"}, DEVS, average_over=["a task"])
    release.content["targets"]["pawsx"]["task"] = "another"
    found = release.only("split")
    assert found["overall"]["targets"] == ["xnli"]
    assert set(found["by_target"]) == {"xnli", "pawsx"}


def test_a_task_that_was_not_learned_is_on_no_side():
    release = with_difficulty({"a": 18, "bb": 15, "ccc": 12, "dddd": 10, "e": 1})
    release.learns("e", right(1), rows=500)
    found = release.only("split")
    assert found["unlearned"] == ["e"] and "e" not in found["easy"]["arms"] | found["hard"]["arms"]
    assert not found["sizes_differ"] and found["correlation"]["points"] == 4


@pytest.mark.parametrize(
    ("each", "smoke", "claim"), [(3, False, False), (4, False, True), (4, True, False)]
)
def test_a_claim_takes_four_tasks_on_each_side_and_real_data(each, smoke, claim):
    devs = {chr(97 + i): 18 for i in range(each)} | {chr(107 + i): 10 for i in range(each)}
    found = with_difficulty(devs, smoke=smoke, split_rule={"by": "threshold", "value": 0.3}).only(
        "split"
    )
    assert found["claim"] == claim and bool(found["why"]) != claim
    assert not found["sizes_differ"] and found["why"].count(".") <= 1


@pytest.mark.parametrize(("easy", "hard"), [(4, 1), (1, 4), (4, 3), (3, 4)])
def test_many_tasks_on_one_side_make_up_for_none_on_the_other(easy, hard):
    devs = {chr(97 + i): 18 for i in range(easy)} | {chr(107 + i): 10 for i in range(hard)}
    found = with_difficulty(devs, split_rule={"by": "threshold", "value": 0.3}).only("split")
    assert not found["claim"] and f"{easy} easy, {hard} hard" in found["why"]


def test_a_side_without_tasks():
    found = with_difficulty({"a": 18}).only("split")
    assert found["overall"]["targets"] == []
    assert found["overall"]["easy_minus_hard"]["value"] is None
    assert found["easy"] == {"arms": {}, "average_gain": None} and found["median"] == ["a"]
    assert found["by_target"] == {}


# --- subsets and controls

KEPT = {"easy": "easiest", "hard": "hardest"}  # arms' names, and what they keep of a task


def parts_of(release: Release, *names: str) -> None:
    """Make arms parts of MNLI, which keep what KEPT says."""
    for name in names:
        kept = {"by": "pvi", "keep": KEPT[name], "fraction": 0.3}
        release.content["arms"][name] |= {"kind": "subset", "of": "mnli", "subset": kept}


def test_parts_of_a_task_are_compared_two_by_two():
    release = sure(
        {
            "mnli": {"xnli": 4},
            "easy": {"xnli": 1},
            "hard": {"xnli": 26},
            "shuffled": {"xnli": -3},
            "qqp": {"xnli": 0},
        }
    )
    parts_of(release, "easy", "hard")
    shuffled = {"kind": "control", "of": "mnli", "control": "shuffled_labels"}
    release.content["arms"]["shuffled"] |= shuffled
    found = release.only("subsets")  # qqp has no parts
    assert found["of"] == "mnli"
    assert all(one["targets"] == ["xnli"] for one in found["comparisons"])
    assert found["arms"] == {
        "easiest": "easy",
        "hardest": "hard",
        "shuffled_labels": "shuffled",
        "all": "mnli",
    }
    differences = [(one["a"], one["b"], one["difference"]["value"]) for one in found["comparisons"]]
    assert differences == [
        ("easiest", "hardest", pytest.approx(-50)),
        ("easiest", "shuffled_labels", pytest.approx(8)),
        ("easiest", "all", pytest.approx(-6)),
        ("hardest", "shuffled_labels", pytest.approx(58)),
        ("hardest", "all", pytest.approx(44)),
        ("shuffled_labels", "all", pytest.approx(-14)),
    ]
    # Holm over the six of the group
    numbers = [one["difference"] for one in found["comparisons"]]
    qs = holm([number["p"] for number in numbers])
    for number, q in zip(numbers, qs, strict=True):
        assert number["q"] == pytest.approx(q, abs=6e-6)
        assert number["interval"][0] <= number["value"] <= number["interval"][1]
        assert (number["arrow"] is not None) == (number["q"] < 0.05)
    arrows = [number["arrow"] for number in numbers]
    assert arrows[0] == "down" and arrows[3] == arrows[4] == "up"


def test_parts_are_paired_by_row_and_by_seed():
    """The same seeds move both: what differs between seeds is 2, 4 and 3 rows of 20."""
    answers = {
        "none": [right(10)] * 3,
        "easy": [right(11), right(12), right(11)],
        "hard": [right(13), right(16), right(14)],
    }
    release = seeded(answers)
    parts_of(release, "easy", "hard")
    (one,) = release.only("subsets")["comparisons"]
    pairs = zip(answers["easy"], answers["hard"], strict=True)
    parts = crossed(np.array([differences(a, b) for a, b in pairs]))
    assert one["difference"]["value"] == pytest.approx(-15)
    assert one["difference"]["seeds"] == near(stdev([10, 20, 15]) / math.sqrt(3))
    assert one["difference"]["interval"] == about(-15, *parts)


def test_with_one_seed_parts_are_not_tested():
    release = grid({"easy": {"xnli": 1}, "hard": {"xnli": 10}})
    parts_of(release, "easy", "hard")
    (one,) = release.only("subsets")["comparisons"]
    assert one["difference"]["interval"] is not None
    assert one["difference"]["p"] is one["difference"]["q"] is one["difference"]["arrow"] is None


def test_parts_are_compared_over_targets_that_both_have():
    """A third part, which lacks a target, takes it from no other two."""
    gains = {"xnli": 2, "pawsx": 4}
    release = grid({"easy": gains, "hard": {"xnli": -9, "pawsx": -2}, "shuffled": gains})
    parts_of(release, "easy", "hard")
    release.content["arms"]["shuffled"] |= {
        "kind": "control",
        "of": "mnli",
        "control": "shuffled_labels",
    }
    leak(release, "shuffled", "xnli")
    (group,) = release.derive()["subsets"]
    found = {(one["a"], one["b"]): one for one in group["comparisons"]}
    assert found["easiest", "hardest"]["targets"] == ["pawsx", "xnli"]
    assert found["easiest", "hardest"]["difference"]["value"] == pytest.approx(42.5)
    assert found["easiest", "shuffled_labels"]["targets"] == ["pawsx"]
    leak(release, "shuffled", "pawsx")
    (group,) = release.derive()["subsets"]
    assert [(one["a"], one["b"]) for one in group["comparisons"]] == [("easiest", "hardest")]


def test_only_arms_that_trained_on_as_many_rows_are_compared():
    release = sure(
        {"mnli": {"xnli": 4}, "easy": {"xnli": 1}, "hard": {"xnli": 9}, "shuffled": {"xnli": -3}}
    )
    for name, rows in {"mnli": 300, "easy": 100, "hard": 100, "shuffled": 300}.items():
        release.learns(name, right(15), rows=rows)
    parts_of(release, "easy", "hard")
    shuffled = {"kind": "control", "of": "mnli", "control": "shuffled_labels"}
    release.content["arms"]["shuffled"] |= shuffled
    found = release.only("subsets")
    assert found["rows"] == {"easiest": 100, "hardest": 100, "shuffled_labels": 300, "all": 300}
    assert [(one["a"], one["b"]) for one in found["comparisons"]] == [
        ("easiest", "hardest"),
        ("shuffled_labels", "all"),
    ]
    # two tests, not six
    numbers = [one["difference"] for one in found["comparisons"]]
    qs = holm([number["p"] for number in numbers])
    assert [number["q"] for number in numbers] == [pytest.approx(q, abs=2e-6) for q in qs]


def test_two_subsets_of_one_kind_keep_their_names():
    release = grid({"third": {"xnli": 1}, "half": {"xnli": 2}})
    for name, fraction in (("third", 0.33), ("half", 0.5)):
        release.content["arms"][name] = arm(
            "subset", "mnli", subset={"by": None, "keep": "random", "fraction": fraction}
        )
    assert release.only("subsets")["arms"] == {"random (half)": "half", "random (third)": "third"}


# --- the best arm


def test_the_best_arm_is_chosen_on_dev():
    release = Release(
        {name: arm(of=name) for name in "abc"},
        {"xnli": target(), "pawsx": target(), "udpos": target()},
    )
    # test rows right, dev rows right
    more = {"none": (10, 10), "a": (12, 14), "b": (16, 11), "c": (20, 20)}
    for name, (test, dev) in more.items():
        cell = release.cell(name, "xnli", {"en": right(test), "sw": right(test)}, dev=right(dev))
        # the best of all, but its gain may be just more epochs
        cell["overlap"]["shared"] = 50 if name == "c" else 0
        # the baseline has the best dev
        release.cell(name, "pawsx", {"en": right(test)}, dev=right(20 - dev))
        release.cell(name, "udpos", {"en": right(test)})["overlap"]["shared"] = 50  # nothing counts
    gains = {(gain["arm"], gain["target"]): gain["gain"] for gain in release.derive()["gains"]}
    xnli, pawsx, udpos, mean = release.derive()["best"]
    on_dev = {"encoder": "e", "selected_on": "English dev"}
    assert xnli == on_dev | {"target": "xnli", "arm": "a", "gain": said(gains["a", "xnli"])}
    nothing = {"value": 0.0, "interval": [0.0, 0.0], "rows": 0.0, "seeds": None, "p": 1.0}
    assert pawsx == on_dev | {"target": "pawsx", "arm": "none", "gain": nothing}
    assert udpos == on_dev | {"target": "udpos", "arm": None, "gain": dict.fromkeys(nothing)}
    # the mean over the two that have candidates, of which one gains nothing
    assert (mean["target"], mean["arm"]) == (None, None)
    assert mean["gain"]["value"] == gains["a", "xnli"]["value"] / 2
    halved = [near(limit / 2) for limit in gains["a", "xnli"]["interval"]]
    assert mean["gain"]["interval"] == halved


def test_the_best_arm_is_chosen_without_a_look_at_the_test():
    """An arm that is at chance on English test, and not on dev, is a candidate all the same; one at
    chance on dev is none."""
    release = Release({name: arm(of=name) for name in "ab"}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10), "sw": right(10)}, dev=right(10))
    release.cell("a", "xnli", {"en": right(0), "sw": right(5)}, dev=right(14))
    release.cell("b", "xnli", {"en": right(18), "sw": right(18)}, dev=right(1))
    row, _ = release.derive()["best"]
    assert (row["arm"], row["gain"]["value"]) == ("a", pytest.approx((-50 - 25) / 2))


def test_an_arm_that_learned_nothing_is_never_the_best():
    """Of its own task: b has the best dev, but its intermediate was at chance in one seed. Where a
    dev was never looked at, nothing is known against it."""
    release = Release({name: arm(of=name) for name in "abc"}, {"xnli": target()})
    for name, dev in (("none", 10), ("a", 12), ("b", 19), ("c", 14)):
        release.cell(name, "xnli", {"en": right(dev), "sw": right(dev)}, dev=right(dev))
    assert release.derive()["best"][0]["arm"] == "b"
    release.learns("b", right(18), right(1))
    assert release.derive()["best"][0]["arm"] == "c"
    release.learns("c", None)
    assert release.derive()["best"][0]["arm"] == "c"
    release.learns("c", right(1))
    release.learns("a", right(1))
    assert release.derive()["best"][0]["arm"] is None


def test_nobody_would_choose_a_part_or_a_control():
    release = grid({"a": {"xnli": 2}, "shuffled": {"xnli": 9}, "both": {"xnli": 1}})
    release.content["arms"]["shuffled"] |= {"kind": "control", "control": "shuffled_labels"}
    release.content["arms"]["both"] |= {"kind": "mixture", "of": None}
    devs = {"none": 10, "a": 12, "shuffled": 19, "both": 14}
    for name, dev in devs.items():
        release.content["evidence"]["trainings"][key(f"{name}-xnli-1")] = training(right(dev))
    assert release.derive()["best"][0]["arm"] == "both"


def retrieval(halves: dict[str, tuple[int, int]]) -> Release:
    """arm → (1 if it is right on the selecting half, 1 if on the reported half)."""
    release = Release(
        {name: arm(of=name) for name in halves if name != "none"},
        {"t": target("retrieval", ("sw",))},
    )
    coins = [coin("t", "sw", unit) for unit in range(200)]
    assert 80 < sum(coins) < 120
    for name, sides in halves.items():
        release.cell(
            name,
            "t",
            {"sw": [int(sides[coin] and unit % 3 > 0) for unit, coin in enumerate(coins)]},
        )
    return release


def test_without_dev_one_half_selects_and_the_other_reports():
    """`a` is good only where it is chosen, `b` only where it is measured: `a` is chosen, and gains
    nothing."""
    found = retrieval({"none": (0, 0), "a": (1, 0), "b": (0, 1)}).derive()["best"]
    assert found[0]["selected_on"] == "half of the test examples"
    assert (found[0]["target"], found[0]["arm"]) == ("t", "a")
    assert (found[0]["gain"]["value"], found[0]["gain"]["interval"]) == (0.0, [0, 0])
    worse = retrieval({"none": (1, 0), "a": (0, 1)}).derive()["best"]
    assert (worse[0]["arm"], worse[0]["gain"]["value"]) == ("none", 0.0)
    assert worse[1]["gain"]["value"] == 0.0


def test_one_row_on_the_selecting_half_is_enough_to_be_chosen():
    """Under half a point; of equal ones it is the baseline."""
    release = Release({"a": arm(of="a")}, {"t": target("retrieval", ("sw",))})
    answers = right(300, 600)
    release.cell("none", "t", {"sw": answers})
    cell = release.cell("a", "t", {"sw": answers})
    assert release.derive()["best"][0]["arm"] == "none"
    wrong = [unit for unit, one in enumerate(answers) if not one and not coin("t", "sw", unit)]
    cell["languages"]["sw"]["correct"] = pack([*answers[: wrong[0]], 1, *answers[wrong[0] + 1 :]])
    row = release.derive()["best"][0]
    assert (row["arm"], row["gain"]["value"]) == ("a", 0.0)


def test_the_gain_on_the_reported_half_is_over_its_rows():
    found = retrieval({"none": (0, 0), "a": (1, 1), "b": (0, 1)}).derive()["best"][0]
    kept = [unit for unit in range(200) if coin("t", "sw", unit)]
    answers = [100.0 * (unit % 3 > 0) for unit in kept]
    gain = found["gain"]
    assert found["arm"] == "a" and gain["value"] == pytest.approx(fmean(answers))
    assert gain["interval"] == about(
        gain["value"], Noise(math.sqrt(of_mean(answers)), len(kept) - 1)
    )
