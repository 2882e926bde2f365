"""The derived sections of small made-up releases, against numbers worked out by hand."""

import copy
import json
import random
from hashlib import sha256
from statistics import stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.vectors import pack
from harness.release.schema_derived import SECTIONS
from harness.statistics.best import coin
from harness.statistics.bootstrap import REPLICATES
from harness.statistics.derive import sections
from harness.statistics.gains import corrections

ROWS = 20


def right(n: int, rows: int = ROWS) -> list[int]:
    """n right answers, spread evenly."""
    return [int((i * n) // rows != ((i + 1) * n) // rows) for i in range(rows)]


def training(correct: list[int] | None, rows: int = 100, task: str = "a task") -> dict:
    """A training whose dev rows are `correct`, against a null predictor that is never right."""
    dev = {} if correct is None else {"correct": pack(correct), "null": pack([0] * len(correct))}
    part = {"rows": rows, "features": rows, "metric": "accuracy", "dev_rows": len(correct or [])}
    return {
        "encoder": "e",
        "phase": "target",
        "seed": 1,
        "updates": 1,
        "tasks": {task: part | dev},
    }


def target(
    group: str = "pair",
    languages: tuple = ("en", "sw"),
    parallel: bool = False,
    metric: str = "accuracy",
) -> dict:
    return {
        "task": "a task",
        "version": 1,
        "family": "classification",
        "group": group,
        "trained": group != "retrieval",
        "parallel": parallel,
        "metric": metric,
        "title": "",
        "languages": list(languages),
        "capped": False,
        "cut": None,
    }


def arm(kind: str = "task", of: str | None = None, **how) -> dict:
    known = {
        "intermediate": ["a task"],
        "kind": kind,
        "of": of,
        "shown": "an arm",
        "cut": None,
        "control": None,
        "subset": None,
        "difficulty": None,
        "trained": [],
    }
    return known | how


def key(name: str) -> str:
    """A readable name as a release has keys."""
    return sha256(name.encode()).hexdigest()


RECIPE = {"learning_rate": 1e-5, "batch_size": 16, "epochs": 1, "max_updates": None}
SUITE = {
    "name": "a suite",
    "version": 1,
    "about": "",
    "smoke": False,
    "seeds": [1],
    "protocol": None,
    "left_out": [],
    "waives": [],
    "split_rule": {"by": "median", "value": None},
    "pvi": False,
    "caps": {},
    "task_caps": {},
    "cuts": {},
    "recipes": {"intermediate": RECIPE, "target": RECIPE},
    "settings": {},
}
JOB = {
    "version": 1,
    "family": [1],
    "metric": [1],
    "world_size": 1,
    "encoder": None,
    "kind": "overlap",
    "spec": {},
}
ROWS_OF = {
    "family": "classification",
    "where": {},
    "unless": {},
    "columns": {},
    "labels": None,
    "cap": None,
}


class Release:
    """A content document that grows by `cell`; `arms` and `targets` by name, one encoder `e`."""

    def __init__(self, arms: dict, targets: dict, **suite):
        self.content = {
            "schema": 6,
            "suite": SUITE | suite,
            "encoders": {},
            "arms": {"none": arm("baseline", intermediate=None)} | arms,
            "targets": targets,
            "languages": {
                "en": {"name": "English", "family": "Indo-European", "script": "Latin"},
                "sw": {"name": "Swahili", "family": "Niger-Congo", "script": "Latin"},
                "th": {"name": "Thai", "family": "Kra-Dai", "script": "Thai"},
            },
            "jobs": {},
            "rows": {},
            "evidence": {"units": {}, "cells": [], "trainings": {}, "pvi": {}, "subsets": {}},
        }

    def cell(
        self,
        arm: str,
        target: str,
        correct: dict[str, list[int]],
        seed: int = 1,
        dev: list[int] | None = None,
        **how,
    ) -> dict:
        """correct: language → 0 or 1 a row; facts by language in `facts`; anything else of the cell
        in `how`."""
        evidence, facts = self.content["evidence"], how.pop("facts", {})
        name = key(f"{arm}-{target}-{seed}")
        if self.content["targets"][target]["trained"]:
            evidence["trainings"][name] = training(right(15) if dev is None else dev)
        languages = {}
        for language, answers in correct.items():
            if language not in evidence["units"].setdefault(target, {}):
                gold = {"null": pack([0] * len(answers))} if answers else {}
                if self.content["targets"][target]["metric"] == "retrieval_accuracy":
                    gold["gold"] = pack([1] * len(answers))
                evidence["units"][target][language] = gold
            known = {
                "n": len(answers),
                "truncated": 0,
                "unknown": 0.0,
                "constant": False,
                "placeholder": False,
            }
            side = "predicted" if "gold" in evidence["units"][target][language] else "correct"
            languages[language] = {"facts": known | facts.get(language, {}), side: pack(answers)}
        cell = {
            "encoder": "e",
            "arm": arm,
            "target": target,
            "seed": seed,
            "key": name,
            "intermediate": None,
        }
        cell["trained"] = name if name in evidence["trainings"] else None
        overlap = {
            "leaks": {},
            "shared": 0,
            "rows": {"target": 100},
            "test_rows": dict.fromkeys(correct, ROWS),
        }
        evidence["cells"].append(
            cell | {"overlap": overlap, "refused": False, "languages": languages} | how
        )
        return evidence["cells"][-1]

    def learns(
        self,
        arm: str,
        *devs: list[int] | None,
        rows: int = 100,
        chance=None,
        human=None,
        **difficulty,
    ) -> None:
        """The arm's intermediate trainings, one a seed, and what is declared of its difficulty."""
        facts = self.content["arms"][arm]
        facts["trained"] = [
            {"encoder": "e", "seed": i, "key": key(f"{arm}-{i}")}
            for i, _ in enumerate(devs, start=1)
        ]
        self.content["evidence"]["trainings"] |= {
            key(f"{arm}-{i}"): training(dev, rows) for i, dev in enumerate(devs, start=1)
        }
        known = {"declared": "easy", "why": ""} | difficulty
        for name, value in (("chance", chance), ("human", human)):
            known[name] = value and {"value": value, "source": ""}
        facts["difficulty"] = known

    def reads(self, name: str, *files: str) -> str:
        """A training's job, whose rows come from these files, half of them as a member of a union;
        gives its key."""
        leaves = []
        for file in files:
            part = {"sha256": [key(file)], "split": "train", "start": None, "stop": None}
            leaves.append(ROWS_OF | {"parts": [part]})
        rows = key(name)[:16]
        within = {"union": leaves[1:], "cap": None}
        both = {"union": [leaves[0], within], "cap": None}
        self.content["jobs"][key(name)] = JOB | {"data": rows}
        self.content["rows"][rows] = {"train": {"task": both, "more": leaves[-1]}}
        return key(name)

    def derive(self) -> dict:
        found = sections(self.content)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        return found

    def only(self, section: str, **where) -> dict:
        """The one entry of a section that has these values."""
        found = [
            e
            for e in self.derive()[section]
            if all(e[name] == value for name, value in where.items())
        ]
        assert len(found) == 1, found
        return found[0]


def grid(gains: dict[str, dict[str, int]], base: int = 10, **how) -> Release:
    """arm → target → how many more of 20 rows are right than in the baseline, in each language.
    Targets by their group's name."""
    names = list(dict.fromkeys(name for of in gains.values() for name in of))
    targets = {name: target("retrieval" if name == "retrieval" else "pair") for name in names}
    release = Release({name: arm(of=name) for name in gains}, targets, **how)
    for name in names:
        release.cell("none", name, {"en": right(base), "sw": right(base)})
        for one, of in gains.items():
            if name in of:
                release.cell(
                    one, name, {"en": right(base + of[name]), "sw": right(base + of[name])}
                )
    return release


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


# --- gains


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
    assert gain["gain"] == pytest.approx((55 / 3 + 5) / 2)
    assert gain["english"] == pytest.approx(2.5) and gain["zero_shot"] == pytest.approx(
        (22.5 + 10) / 2
    )
    # Thai of seed 1 was at the floor before
    assert gain["above_floor"] == pytest.approx((10 + 15 - 5 + 10 + 10) / 5)
    assert gain["per_language"]["sw"] == {
        "gain": pytest.approx(12.5),
        "per_seed": {"1": pytest.approx(15), "2": pytest.approx(10)},
        "interval": gain["per_language"]["sw"]["interval"],
    }
    assert gain["seed_interval"] is None  # two seeds
    low, high = gain["interval"]
    assert low < gain["gain"] < high and gain["counted"]


def test_seed_intervals_need_three_seeds():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    for seed, more in ((1, 1), (2, 2), (3, 4)):
        release.cell("none", "xnli", {"en": right(10), "sw": right(10)}, seed=seed)
        release.cell("a", "xnli", {"en": right(10 + more), "sw": right(10 + more)}, seed=seed)
    # 5, 10, 20: mean 11.667, deviation 7.638, t(0.975, 2) = 4.3027
    expected = [
        pytest.approx(11.6667 - 4.3027 * 7.6376 / 3**0.5, abs=1e-3),
        pytest.approx(11.6667 + 4.3027 * 7.6376 / 3**0.5, abs=1e-3),
    ]
    assert (
        release.only("gains")["seed_interval"]
        == expected
        == release.only("averages")["seed_interval"]
    )


def test_an_unknown_gain_has_nothing_but_its_name_and_flags():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10)})
    release.cell("a", "xnli", {"en": right(10)}, refused=True)
    gain = release.only("gains")
    assert {name for name, value in gain.items() if value} == {"encoder", "arm", "target"}
    assert gain["gain"] is gain["interval"] is gain["p"] is gain["p_corrected"] is None
    assert (gain["per_seed"], gain["per_language"], gain["counted"], gain["significant"]) == (
        {},
        {},
        False,
        False,
    )


def test_without_a_baseline_there_is_no_gain():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("a", "xnli", {"en": right(10)})
    found = release.derive()
    assert found["gains"] == [] and found["averages"][0]["average_gain"] is None


@pytest.mark.parametrize("waives", [[], ["unlearned"]])
def test_flags_of_either_cell_keep_a_gain_out(waives):
    release = Release({"a": arm(of="a")}, {"xnli": target()}, waives=waives)
    release.cell("none", "xnli", {"en": right(1), "sw": right(10)}, dev=right(1))
    release.cell("a", "xnli", {"en": right(10), "sw": right(12)})
    gain = release.only("gains")
    assert gain["flags"] == ["unlearned"] and gain["counted"] == bool(waives)
    assert gain["gain"] == pytest.approx((45 + 10) / 2) and gain["interval"] is not None


def test_a_gain_of_nothing_has_p_1():
    gain = grid({"a": {"xnli": 0}}).only("gains")
    assert (
        gain["gain"],
        gain["interval"],
        gain["p"],
        gain["p_corrected"],
        gain["significant"],
    ) == (0, [0, 0], 1, 1, False)


def test_holm_is_over_all_gains_of_the_encoder():
    gains = grid({"a": {"xnli": 10, "pawsx": 10}, "b": {"xnli": 0, "pawsx": 10}}).derive()["gains"]
    least = 2 / (REPLICATES + 1)
    assert [gain["p"] for gain in gains] == [round(least, 4), round(least, 4), 1, round(least, 4)]
    assert [gain["p_corrected"] for gain in gains] == [
        round(4 * least, 4),
        round(4 * least, 4),
        1,
        round(4 * least, 4),
    ]
    assert [gain["significant"] for gain in gains] == [True, True, False, True]


@pytest.mark.parametrize(
    ("p", "corrected", "significant"),
    [(0.0499, 0.0499, True), (0.05, 0.05, False), (0.04996, 0.05, False)],
)
def test_a_p_that_is_printed_as_the_level_is_not_below_it(p, corrected, significant):
    assert corrections([p]) == [(corrected, significant)]


def test_one_unit_tells_no_spread():
    release = Release(
        {"a": arm(of="a")}, {"xnli": target(), "pawsx": target()}, waives=["unlearned"]
    )
    for name, answers in (("none", [0] * ROWS), ("a", [1] * ROWS)):
        release.cell(name, "xnli", {"en": answers, "sw": answers[:1]})
        release.cell(name, "pawsx", {"en": answers[:1]})
    one, other = release.derive()["gains"]
    assert one["interval"] is not None and one["per_language"]["sw"]["interval"] is None
    assert (
        other["gain"],
        other["interval"],
        other["p"],
        other["p_corrected"],
        other["significant"],
    ) == (
        100,
        None,
        None,
        None,
        False,
    )


def test_parallel_languages_are_drawn_together():
    """The same answers in two parallel languages tell no more than in one."""
    intervals = {}
    for parallel in (True, False):
        release = Release({"a": arm(of="a")}, {"xnli": target(parallel=parallel)})
        for name, n in (("none", 10), ("a", 14)):
            release.cell(name, "xnli", {"en": right(n), "sw": right(n)})
        gain = release.only("gains")
        intervals[parallel] = (
            gain["interval"],
            gain["per_language"]["en"]["interval"],
            gain["per_language"]["sw"]["interval"],
        )
    assert intervals[True][0] == intervals[True][1] == intervals[True][2]
    width = {parallel: whole[1] - whole[0] for parallel, (whole, _, _) in intervals.items()}
    assert width[False] < 0.9 * width[True]


def test_paragraphs_are_drawn_whole():
    release = Release({"a": arm(of="a")}, {"qa": target("qa", ("sw",))})
    for name, n in (("none", 40), ("a", 60)):
        release.cell(name, "qa", {"sw": [v for v in right(n // 4, 25) for _ in range(4)]})
    rows = release.only("gains")["interval"]
    release.content["evidence"]["units"]["qa"]["sw"]["unit"] = pack([i // 4 for i in range(100)])
    paragraphs = release.only("gains")["interval"]
    assert paragraphs[1] - paragraphs[0] > 1.5 * (rows[1] - rows[0])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 30))
def test_rows_that_both_get_right_shrink_a_gain_and_change_no_sign(base, with_it, more):
    gains = []
    for extra in (0, more):
        release = Release({"a": arm(of="a")}, {"t": target("retrieval", ("sw",))})
        for name, n in (("none", base), ("a", with_it)):
            release.cell(name, "t", {"sw": right(n) + [1] * extra})
        gains.append(release.only("gains")["gain"])
    assert gains[1] == pytest.approx(gains[0] * ROWS / (ROWS + more))


# --- other rows of the target's own data

KEPT = {"easy": "easiest", "hard": "hardest"}  # arms' names, and what they keep of a task
NOTHING = {"gain": None, "interval": None, "seed_interval": None}


def reading(
    gains: dict[str, dict[str, int]], files: dict[str, str], seeds: tuple = (1,), **how
) -> Release:
    """`grid`, in which every training reads a file of its own name, and arms those that `files`
    gives them. From the second seed on each arm is one row better."""
    release = Release({name: arm(of=name) for name in gains}, {}, seeds=list(seeds), **how)
    for name in dict.fromkeys(name for of in gains.values() for name in of):
        release.content["targets"][name] = target("retrieval" if name == "retrieval" else "pair")
        for seed in seeds:
            more = {one: of[name] + seed - 1 for one, of in gains.items()}
            for one, n in ({"none": 0} | more).items():
                cell = release.cell(
                    one, name, {"en": right(10 + n), "sw": right(10 + n)}, seed=seed
                )
                if cell["trained"]:
                    release.reads(f"{one}-{name}-{seed}", f"other {name}", name)
                if one != "none":
                    cell["intermediate"] = release.reads(
                        f"{one}-{seed}", f"other {one}", files.get(one, one)
                    )
    return release


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
    assert all(gain["counted"] for gain in found["gains"])
    assert found["averages"][0]["targets"] == ["pawsx", "retrieval", "xnli"]


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
    assert found["averages"][1]["other_tasks"]["targets"] == ["pawsx"]


def test_same_stands_beside_the_other_flags_and_takes_nothing_from_them():
    release = reading({"a": {"xnli": -10}}, {"a": "xnli"})
    release.content["evidence"]["cells"][1]["overlap"]["shared"] = 50
    release.content["evidence"]["trainings"][key("a-xnli-1")] = training(right(1))
    assert release.derive()["cells"][1]["flags"] == ["shared", "unlearned", "same"]
    assert (
        release.only("gains")["flags"] == ["same", "shared", "unlearned"]
        and not release.only("gains")["counted"]
    )


def test_other_tasks_leaves_out_the_targets_of_the_arms_own_data():
    gains = {
        "a": {"xnli": 8, "pawsx": 2, "retrieval": -1},
        "b": {"xnli": 1, "pawsx": 1, "retrieval": 1},
    }
    found = reading(gains, {"a": "xnli"}).derive()
    a, b = found["averages"]
    assert a["average_gain"] == pytest.approx(5 * (8 + 2 - 1) / 3) and a["targets"] == [
        "pawsx",
        "retrieval",
        "xnli",
    ]
    assert a["other_tasks"]["targets"] == ["pawsx", "retrieval"] and a["other_tasks"][
        "gain"
    ] == pytest.approx(5 * (2 - 1) / 2)
    assert (
        a["other_tasks"]["interval"][0] < 2.5 < a["other_tasks"]["interval"][1]
        and a["other_tasks"]["seed_interval"] is None
    )
    assert b["other_tasks"] == {"gain": b["average_gain"]} | {
        name: b[name] for name in ("interval", "seed_interval", "targets")
    }
    one = reading(gains, {"a": "xnli", "b": "retrieval"}).derive()["averages"][1]["other_tasks"]
    # nothing is trained there, so no rows can be its own
    assert one["targets"] == ["pawsx", "retrieval", "xnli"]


def test_a_target_that_does_not_count_in_its_own_arm_is_taken_from_no_other():
    """Rows of a's own data are shared with its target, so the average that all arms have is without
    it; b keeps it elsewhere."""
    gains = {"a": {"xnli": 8, "pawsx": 2}, "b": {"xnli": 4, "pawsx": 2}}
    release = reading(gains, {"a": "xnli"})
    (cell,) = [
        c for c in release.content["evidence"]["cells"] if (c["arm"], c["target"]) == ("a", "xnli")
    ]
    cell["overlap"] = cell["overlap"] | {"shared": 50}
    a, b = release.derive()["averages"]
    assert a["targets"] == b["targets"] == a["other_tasks"]["targets"] == ["pawsx"]
    assert b["other_tasks"]["targets"] == ["pawsx", "xnli"] and b["other_tasks"][
        "gain"
    ] == pytest.approx(15)


def test_parts_are_compared_over_other_tasks_targets_too():
    """On the data that the parts are of, one gains more; elsewhere the other."""
    gains = {"easy": {"xnli": 8, "pawsx": 1}, "hard": {"xnli": 2, "pawsx": 3}}
    release = reading(gains, dict.fromkeys(gains, "xnli"), seeds=(1, 2, 3))
    for name in gains:
        release.content["arms"][name] |= arm(
            "subset", "nli", subset={"by": "pvi", "keep": KEPT[name], "fraction": 0.3}
        )
    found = release.only("subsets")
    assert found["targets"] == ["pawsx", "xnli"] and found["comparisons"][0][
        "difference"
    ] == pytest.approx(5 * (6 - 2) / 2)
    (other,) = found["other_tasks"]["comparisons"]
    assert found["other_tasks"]["targets"] == ["pawsx"] and other["difference"] == pytest.approx(
        5 * -2
    )
    assert (other["a"], other["b"]) == ("easiest", "hardest") and other["interval"][
        0
    ] < -10 < other["interval"][1]
    assert other["seed_interval"] == [pytest.approx(-10, abs=1e-3)] * 2
    release = reading({name: {"xnli": 1} for name in gains}, dict.fromkeys(gains, "xnli"))
    for name in gains:
        release.content["arms"][name] |= arm(
            "subset", "nli", subset={"by": "pvi", "keep": KEPT[name], "fraction": 0.3}
        )
    assert release.only("subsets")["other_tasks"] == {"targets": [], "comparisons": []}


def test_a_flag_in_one_seed_is_enough():
    release = reading({"a": {"xnli": 8, "pawsx": 2}}, {}, seeds=(1, 2, 3))
    release.reads("a-2", "xnli")
    other = release.only("averages")["other_tasks"]
    assert other["targets"] == ["pawsx"] and other["gain"] == pytest.approx(15)
    half = 4.3027 * 5 / 3**0.5  # 10, 15, 20
    assert other["seed_interval"] == [
        pytest.approx(15 - half, abs=1e-3),
        pytest.approx(15 + half, abs=1e-3),
    ]


def test_an_arm_of_whose_data_every_target_is_has_no_other_tasks():
    found = reading({"a": {"xnli": 3}, "b": {"xnli": 1}}, {"a": "xnli"}).derive()
    a, b = found["averages"]
    assert a["average_gain"] == pytest.approx(15) and a["other_tasks"] == NOTHING | {"targets": []}
    assert b["other_tasks"]["gain"] == b["average_gain"]


def test_easy_and_hard_over_other_tasks_targets():
    """b gains most on its own data: hard minus easy turns round without it. With all targets its
    own, it joins no side."""
    gains = {"a": {"xnli": 2, "pawsx": 2}, "b": {"xnli": 7, "pawsx": 1}}
    release = reading(gains, {"b": "xnli"}, seeds=(1, 2, 3))
    release.learns("a", *[right(18)] * 3)
    release.learns("b", *[right(12)] * 3)
    found = release.only("split")
    assert found["hard_minus_easy"] == pytest.approx(5 * (4 - 2))
    assert found["other_tasks"]["hard_minus_easy"] == pytest.approx(5 * (1 - 2))
    assert found["other_tasks"]["interval"][0] < -5 < found["other_tasks"]["interval"][1]
    # every seed says the same
    assert found["other_tasks"]["seed_interval"] == [pytest.approx(-5, abs=1e-3)] * 2
    for seed in (1, 2, 3):
        release.reads(f"b-{seed}", "xnli", "pawsx")
    assert release.only("split")["other_tasks"] == {
        "hard_minus_easy": None,
        "interval": None,
        "seed_interval": None,
    }


def test_easy_and_hard_are_compared_within_a_target():
    """Every arm gains the same on a target, so hard minus easy is 0, however much easier a target
    is that one arm has lost."""
    gains = {name: {"xnli": -2, "pawsx": 8, "udpos": 1} for name in "abc"}
    release = reading(gains, {"a": "xnli", "c": "pawsx"}, seeds=(1, 2, 3))
    for name, count in {"a": 19, "b": 12, "c": 18}.items():
        release.learns(name, *[right(count)] * 3)
    found = release.only("split")
    assert found["other_tasks"] == {
        "hard_minus_easy": pytest.approx(0),
        "interval": [0, 0],
        "seed_interval": [0, 0],
    }
    sides = {target: (of["easy"], of["hard"]) for target, of in found["by_target"].items()}
    # c is the median one; on xnli there is no easy arm but a
    assert sides == {"pawsx": (["a"], ["b"]), "udpos": (["a"], ["b"])}
    for of in found["by_target"].values():
        assert (
            of["hard_minus_easy"] == pytest.approx(0)
            and of["interval"] == [0, 0]
            and of["seed_interval"] == [0, 0]
        )


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_other_tasks_is_the_average_of_a_release_without_those_targets(data):
    """Whatever the arms read: the arm's average, its interval and its seeds, as if its own targets
    had not been asked."""
    targets, arms = ["pawsx", "udpos", "xnli"], ["a", "b"]
    gains = {name: {t: data.draw(st.integers(-2, 8)) for t in targets} for name in arms}
    files = {name: data.draw(st.sampled_from([name, *targets])) for name in arms}
    found = reading(gains, files).derive()
    for average in found["averages"]:
        name, other = average["arm"], average["other_tasks"]
        assert other["targets"] == [t for t in targets if t != files[name]]
        less = {one: {t: n for t, n in of.items() if t != files[name]} for one, of in gains.items()}
        (alone,) = [a for a in reading(less, {}).derive()["averages"] if a["arm"] == name]
        assert [other[n] for n in ("gain", "interval")] == [
            alone["average_gain"],
            alone["interval"],
        ]
    assert (found["split"][0]["other_tasks"]["hard_minus_easy"] is None) == (
        found["split"][0]["hard_minus_easy"] is None
    )


# --- averages, ties, slices


def test_averages_are_over_the_targets_that_count_in_every_arm():
    release = grid(
        {
            "a": {"xnli": 2, "pawsx": 4, "retrieval": -1},
            "b": {"xnli": 1, "retrieval": 1},
            "c": {"pawsx": 1},
        }
    )
    for cell in release.content["evidence"]["cells"]:
        if cell["arm"] == "c":
            # nothing of c counts, and it takes no target from the others
            cell["overlap"]["shared"] = 50
    found = {average["arm"]: average for average in release.derive()["averages"]}
    a, b, c = (found[name] for name in "abc")
    assert a["targets"] == b["targets"] == c["targets"] == ["retrieval", "xnli"]
    assert (a["average_gain"], b["average_gain"]) == (pytest.approx((10 - 5) / 2), pytest.approx(5))
    assert (a["without_retrieval"], b["without_retrieval"]) == (pytest.approx(10), pytest.approx(5))
    assert (a["average_gain_own"], a["own_targets"]) == (
        pytest.approx((10 + 20 - 5) / 3),
        ["pawsx", "retrieval", "xnli"],
    )
    assert {group: (g["gain"], g["targets"]) for group, g in a["groups"].items()} == {
        "pair": (pytest.approx(10), ["xnli"]),
        "retrieval": (pytest.approx(-5), ["retrieval"]),
    }
    assert a["interval"][0] < a["average_gain"] < a["interval"][1] and a["seed_interval"] is None
    assert c.pop("other_tasks") == NOTHING | {"targets": ["retrieval", "xnli"]}
    assert {name: value for name, value in c.items() if value} == {
        "encoder": "e",
        "arm": "c",
        "targets": ["retrieval", "xnli"],
    }


def test_parts_and_controls_take_no_target_from_the_tasks():
    release = grid({"a": {"xnli": 2, "pawsx": 4}, "shuffled": {"xnli": -9, "pawsx": -2}})
    release.content["arms"]["shuffled"] = arm("control", "a", control="shuffled_labels")
    for cell in release.content["evidence"]["cells"]:
        if (cell["arm"], cell["target"]) == ("shuffled", "xnli"):
            cell["overlap"]["shared"] = 50
    a, control = release.derive()["averages"]
    assert a["targets"] == ["pawsx", "xnli"] and a["average_gain"] == pytest.approx(15)
    # not all of them count in it
    assert control["average_gain"] is None and control["average_gain_own"] == pytest.approx(-10)
    (group,) = release.derive()["subsets"]
    assert group["targets"] == ["pawsx"] and group["comparisons"][0]["difference"] == pytest.approx(
        -30
    )
    # nobody would choose a control
    assert {row["arm"] for row in release.derive()["best"]} <= {"a", "none", None}


def test_zero_shot_averages_leave_english_out():
    release = Release({"a": arm(of="a")}, {"xnli": target(), "english": target(languages=("en",))})
    for name, (en, sw) in (("none", (10, 10)), ("a", (18, 12))):
        release.cell(name, "xnli", {"en": right(en), "sw": right(sw)})
        release.cell(name, "english", {"en": right(en)})
    average = release.only("averages")
    assert (average["average_gain"], average["zero_shot"]) == (
        pytest.approx((25 + 40) / 2),
        pytest.approx(10),
    )
    gains = {gain["target"]: gain for gain in release.derive()["gains"]}
    assert average["zero_shot_interval"] == gains["xnli"]["per_language"]["sw"]["interval"]


def test_the_average_of_two_targets_is_surer_than_one():
    one = grid({"a": {"xnli": 2}}).only("averages")["interval"]
    two = grid({"a": {"xnli": 2, "pawsx": 2}}).only("averages")["interval"]
    assert 0.6 < (two[1] - two[0]) / (one[1] - one[0]) < 0.8  # 1 / sqrt(2)


def test_tie_groups():
    found = grid(
        {
            "low": {"xnli": -3},
            "best": {"xnli": 10},
            "same": {"xnli": 10},
            "near": {"xnli": 9},
            "none_of_it": {},
        }
    )
    release = found.derive()
    assert {average["arm"]: average["tie"] for average in release["averages"]} == {
        "best": "a",
        "same": "a",
        "near": "a",
        "low": "b",
    }


def test_a_tie_group_is_compared_with_its_first_arm_only():
    """b is near a, c near b: c differs from a, so it opens a group, whatever b is."""
    ties = {
        a["arm"]: a["tie"]
        for a in grid({n: {"xnli": 10 - i} for i, n in enumerate("abcd")}).derive()["averages"]
    }
    assert ties == {"a": "a", "b": "a", "c": "b", "d": "b"}


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
        (s["by"], s["value"]): (s["gain"], s["languages"], s["points"])
        for s in release.derive()["slices"]
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
    thai = next(s for s in release.derive()["slices"] if s["value"] == "Thai")
    assert thai["interval"] == release.derive()["gains"][0]["per_language"]["th"]["interval"]


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


def with_difficulty(devs: dict[str, int], **how) -> Release:
    """Arms by name → how many of 20 dev rows are right; each gains as many rows as it has
    letters."""
    release = grid({name: {"xnli": len(name)} for name in devs}, **how)
    for name, n in devs.items():
        release.learns(name, right(n), declared="hard" if name > "c" else "easy")
    return release


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
    assert found["hard_minus_easy"] == pytest.approx(12.5)
    assert found["interval"][0] < 12.5 < found["interval"][1]
    assert (found["permutation_p"], found["permutations"]) == (round(2 / 6, 4), 6)
    assert found["sizes_differ"] and found["median"] == []
    assert (
        not found["claim"]
        and "at least 4 easy and 4 hard" in found["why"]
        and "2 easy and 2 hard" in found["why"]
    )
    # headroom and gain rank alike but for the two that gain as much: ranks 1, 2, 3, 4 against 1.5,
    # 1.5, 3, 4
    correlation = found["correlation"]
    assert correlation["measure"] == "headroom" and correlation["points"] == 4
    assert correlation["rho"] == pytest.approx(4.5 / (5 * 4.5) ** 0.5)
    assert found["correlation_pvi"] is None
    assert found["without_retrieval"] == {
        "hard_minus_easy": found["hard_minus_easy"],
        "interval": found["interval"],
    }


def test_a_task_that_was_not_learned_is_on_no_side():
    release = with_difficulty({"a": 18, "bb": 15, "ccc": 12, "dddd": 10, "e": 1})
    release.learns("e", right(1), rows=500)
    found = release.only("split")
    assert found["unlearned"] == ["e"] and "e" not in found["easy"]["arms"] | found["hard"]["arms"]
    assert not found["sizes_differ"] and found["correlation"]["points"] == 4


def test_the_split_without_retrieval():
    release = grid({"a": {"xnli": 1, "retrieval": 3}, "b": {"xnli": 5, "retrieval": 1}})
    release.learns("a", right(18))
    release.learns("b", right(12))
    found = release.only("split")
    assert found["hard_minus_easy"] == pytest.approx(5 * (3 - 2)) and found["without_retrieval"][
        "hard_minus_easy"
    ] == pytest.approx(20)


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
    assert not found["claim"] and f"{easy} easy and {hard} hard" in found["why"]


def test_a_side_without_tasks():
    found = with_difficulty({"a": 18}).only("split")
    assert (
        found["hard_minus_easy"],
        found["interval"],
        found["permutation_p"],
        found["permutations"],
    ) == (None, None, None, 0)
    assert found["easy"] == {"arms": {}, "average_gain": None} and found["median"] == ["a"]


# --- subsets and controls, the best arm


def test_parts_of_a_task_are_compared_two_by_two():
    release = grid(
        {
            "mnli": {"xnli": 4},
            "mnli_easy": {"xnli": 1},
            "mnli_hard": {"xnli": 9},
            "shuffled": {"xnli": -3},
            "qqp": {"xnli": 0},
        }
    )
    arms = release.content["arms"]
    arms["mnli_easy"] = arm(
        "subset", "mnli", subset={"by": "pvi", "keep": "easiest", "fraction": 0.3}
    )
    arms["mnli_hard"] = arm(
        "subset", "mnli", subset={"by": "pvi", "keep": "hardest", "fraction": 0.3}
    )
    arms["shuffled"] = arm("control", "mnli", control="shuffled_labels")
    found = release.only("subsets")  # qqp has no parts
    assert found["of"] == "mnli"
    assert found["arms"] == {
        "easiest": "mnli_easy",
        "hardest": "mnli_hard",
        "shuffled_labels": "shuffled",
        "all": "mnli",
    }
    assert [(c["a"], c["b"], c["difference"]) for c in found["comparisons"]] == [
        ("easiest", "hardest", pytest.approx(-40)),
        ("easiest", "shuffled_labels", pytest.approx(20)),
        ("easiest", "all", pytest.approx(-15)),
        ("hardest", "shuffled_labels", pytest.approx(60)),
        ("hardest", "all", pytest.approx(25)),
        ("shuffled_labels", "all", pytest.approx(-35)),
    ]
    for c in found["comparisons"]:
        assert (
            c["interval"][0] <= c["difference"] <= c["interval"][1]
            and c["p"] <= c["p_corrected"] <= 1
        )
    assert found["comparisons"][3]["p_corrected"] == round(12 / (REPLICATES + 1), 4)


def test_only_arms_that_trained_on_as_many_rows_are_compared():
    release = grid(
        {"mnli": {"xnli": 4}, "easy": {"xnli": 1}, "hard": {"xnli": 9}, "shuffled": {"xnli": -3}}
    )
    for name, rows in {"mnli": 300, "easy": 100, "hard": 100, "shuffled": 300}.items():
        release.learns(name, right(15), rows=rows)
    for name in ("easy", "hard"):
        release.content["arms"][name] |= {
            "kind": "subset",
            "of": "mnli",
            "subset": {
                "by": "pvi",
                "keep": KEPT[name],
                "fraction": 0.3,
            },
        }
    release.content["arms"]["shuffled"] |= {
        "kind": "control",
        "of": "mnli",
        "control": "shuffled_labels",
    }
    found = release.only("subsets")
    assert found["rows"] == {"easiest": 100, "hardest": 100, "shuffled_labels": 300, "all": 300}
    assert [(c["a"], c["b"]) for c in found["comparisons"]] == [
        ("easiest", "hardest"),
        ("shuffled_labels", "all"),
    ]
    # two tests, not six
    assert [c["p_corrected"] for c in found["comparisons"]] == [round(4 / (REPLICATES + 1), 4)] * 2


def test_seeds_say_how_sure_differences_are():
    release = Release(
        {name: arm(of=name) for name in ("easy", "hard")}, {"xnli": target()}, seeds=[1, 2, 3]
    )
    for seed, (easy, hard) in enumerate([(1, 2), (2, 4), (1, 5)], start=1):
        for name, more in {"none": 0, "easy": easy, "hard": hard}.items():
            release.cell(name, "xnli", {"en": right(10 + more), "sw": right(10 + more)}, seed=seed)
    release.learns("easy", *[right(18)] * 3)
    release.learns("hard", *[right(12)] * 3)
    half = 4.3027 * stdev([5, 10, 20]) / 3**0.5
    expected = [pytest.approx(35 / 3 - half, abs=1e-3), pytest.approx(35 / 3 + half, abs=1e-3)]
    assert release.only("split")["seed_interval"] == expected
    assert release.only("split")["zero_shot"]["hard_minus_easy"] == pytest.approx(35 / 3)


def test_two_subsets_of_one_kind_keep_their_names():
    release = grid({"third": {"xnli": 1}, "half": {"xnli": 2}})
    for name, fraction in (("third", 0.33), ("half", 0.5)):
        release.content["arms"][name] = arm(
            "subset", "mnli", subset={"by": None, "keep": "random", "fraction": fraction}
        )
    assert release.only("subsets")["arms"] == {"random (half)": "half", "random (third)": "third"}


def test_the_best_arm_is_chosen_on_dev():
    release = Release(
        {name: arm(of=name) for name in "abc"},
        {"xnli": target(), "pawsx": target(), "udpos": target()},
    )
    # test rows right, dev rows right
    more = {"none": (10, 10), "a": (12, 14), "b": (16, 11), "c": (20, 20)}
    for name, (test, dev) in more.items():
        cell = release.cell(name, "xnli", {"en": right(test), "sw": right(test)}, dev=right(dev))
        # the best of all, but it does not count
        cell["overlap"]["shared"] = 50 if name == "c" else 0
        # the baseline has the best dev
        release.cell(name, "pawsx", {"en": right(test)}, dev=right(20 - dev))
        release.cell(name, "udpos", {"en": right(test)})["overlap"]["shared"] = 50  # nothing counts
    gains = {(gain["arm"], gain["target"]): gain for gain in release.derive()["gains"]}
    xnli, pawsx, udpos, mean = release.derive()["best"]
    on_dev = {"encoder": "e", "selected_on": "English dev"}
    assert xnli == on_dev | {
        "target": "xnli",
        "arm": "a",
        "gain": gains["a", "xnli"]["gain"],
        "interval": gains["a", "xnli"]["interval"],
    }
    assert pawsx == on_dev | {"target": "pawsx", "arm": "none", "gain": 0.0, "interval": [0.0, 0.0]}
    assert udpos == on_dev | {"target": "udpos", "arm": None, "gain": None, "interval": None}
    assert (mean["target"], mean["gain"]) == (None, gains["a", "xnli"]["gain"] / 2)
    assert mean["interval"] == [
        pytest.approx(limit / 2, abs=1e-4) for limit in gains["a", "xnli"]["interval"]
    ]


def test_the_best_arm_is_chosen_without_a_look_at_the_test():
    """An arm that is at chance on English test, and not on dev, is a candidate all the same; one at
    chance on dev is none."""
    release = Release({name: arm(of=name) for name in "ab"}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10), "sw": right(10)}, dev=right(10))
    release.cell("a", "xnli", {"en": right(0), "sw": right(5)}, dev=right(14))
    release.cell("b", "xnli", {"en": right(18), "sw": right(18)}, dev=right(1))
    row, _ = release.derive()["best"]
    assert (row["arm"], row["gain"]) == ("a", pytest.approx((-50 - 25) / 2))


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
    assert found[0] == {
        "encoder": "e",
        "target": "t",
        "selected_on": "half of the test examples",
        "arm": "a",
        "gain": 0.0,
        "interval": [0, 0],
    }
    both = retrieval({"none": (0, 0), "a": (1, 1), "b": (0, 1)}).derive()["best"][0]
    assert (
        both["arm"] == "a"
        and 55 < both["gain"] < 75
        and both["interval"][0] < both["gain"] < both["interval"][1]
    )
    worse = retrieval({"none": (1, 0), "a": (0, 1)}).derive()["best"]
    assert (worse[0]["arm"], worse[0]["gain"], worse[1]["gain"]) == ("none", 0.0, 0.0)


# --- the whole


def big() -> Release:
    release = with_difficulty({"a": 18, "b": 17, "c": 16, "ddd": 12, "eeee": 10})
    release.content["targets"] |= {
        "qa": target("qa", ("sw", "th"), True, "squad"),
        "tatoeba": target("retrieval", ("sw",)),
    }
    rng = random.Random(5)
    release.content["evidence"]["units"]["qa"] = {
        language: {
            "null": pack([0.0] * 30),
            "group": pack([i // 3 for i in range(30)]),
            "unit": pack([i // 3 for i in range(30)]),
        }
        for language in ("sw", "th")
    }
    for name in ("none", "a", "b", "c", "ddd", "eeee"):
        release.cell(name, "tatoeba", {"sw": [rng.randint(0, 1) for _ in range(60)]})
        cell = release.cell(name, "qa", {"sw": right(15), "th": right(15)})
        for packed in cell["languages"].values():
            del packed["correct"]
            packed |= {
                "em": pack([rng.randint(0, 1) for _ in range(30)]),
                "f1": pack([rng.random() for _ in range(30)]),
            }
    for cell in release.content["evidence"]["cells"][::7]:
        cell["overlap"]["leaks"] = {
            "target": dict.fromkeys(cell["languages"], 1),
            "intermediate": {},
        }
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
    assert tuple(sections(content)) == SECTIONS


def test_resampled_numbers_are_frozen():
    """They move with the streams, the order of sums or the metrics: then every release's intervals
    would."""
    found = big().derive()
    assert {average["arm"]: average["interval"] for average in found["averages"]} == {
        "a": [-4.4435, 13.7593],
        "b": [-12.0314, 6.9498],
        "c": [-10.0582, 9.1376],
        "ddd": [-6.6335, 12.3695],
        "eeee": [-3.8106, 13.9486],
    }


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
    assert tuple(found) == SECTIONS


def test_a_language_that_one_cell_lacks_is_left_out_of_the_gain():
    release = Release({"a": arm(of="a")}, {"xnli": target()})
    release.cell("none", "xnli", {"en": right(10), "sw": right(2)})
    release.cell("a", "xnli", {"en": right(12)})
    gain = release.only("gains")
    assert (
        gain["gain"] == pytest.approx(10)
        and list(gain["per_language"]) == ["en"]
        and gain["zero_shot"] is None
    )


def test_encoders_do_not_mix():
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
    for section in ("gains", "averages", "slices", "best"):
        assert [entry for entry in both[section] if entry["encoder"] == "e"] == alone[section]
        assert len(both[section]) > len(alone[section])
