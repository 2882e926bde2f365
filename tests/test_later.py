"""What is keyed or released stays as it is when the code goes on: a field that a spec gets later, a
result version that is raised."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from harness.common.strict import Strict, later
from harness.plan import planner
from harness.release.document import Board
from harness.release.schema import Content
from harness.release.verify import verify
from harness.spec.versions import ResultVersions
from harness.store import job

GOLDEN = ROOT / "tests" / "golden" / "release.json"
BOARD = Board(ROOT / "leaderboard")
MINI = BOARD.find("mini")

# Model → the file it stands in, the field that it gets, and a value that is not its default.
FIELDS = {
    "Recipe": ("spec/recipe.py", "naps: int = {}(1)"),
    "Task": ("spec/task.py", "moods: list[str] = {}(['calm'])"),
    "Suite": ("spec/suite.py", "colour: str | None = {}(None)"),
    "Encoder": ("spec/encoder.py", "weight: float = {}(1.5)"),
    "Cut": ("spec/recipe.py", "depth: int = {}(3)"),
    "Caps": ("spec/suite.py", "least: int | None = {}(None)"),
}


def with_field(harness: Path, model: str, how: str) -> None:
    """Give a model of a copied harness its field, as its first one, made by `how`."""
    file, field = FIELDS[model]
    path = harness / file
    text = path.read_text(encoding="utf-8")
    (start,) = (found.end() for found in re.finditer(rf"^class {model}\(Strict\):\n", text, re.M))
    # no field may have a default before one without
    head, rest = text[:start], re.split(r"\n\n\n(?=\S)", text[start:], maxsplit=1)
    methods = re.search(r"\n    (@|def |model_config)", rest[0])
    at = methods.start() if methods else len(rest[0])
    rest[0] = f"{rest[0][:at].rstrip()}\n    {field.format(how)}\n{rest[0][at:]}"
    imports = "from pydantic import Field as plain_field\nfrom harness.common.strict import later\n"
    text = re.sub(r"^(?=from harness)", imports, head + "\n\n\n".join(rest), count=1, flags=re.M)
    path.write_text(text, encoding="utf-8")


def verified(folder: Path, *releases: Path) -> subprocess.CompletedProcess[str]:
    """`leaderboard verify` of releases by the harness in a folder."""
    words = [sys.executable, "-m", "harness", "leaderboard", "verify", *map(str, releases)]
    env = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def later_harness(tmp_path) -> Path:
    shutil.copytree(
        ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_a_field_that_is_added_later_moves_no_key_and_breaks_no_release(later_harness):
    for model in FIELDS:
        with_field(later_harness / "harness", model, "later")
    done = verified(later_harness, MINI)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{MINI.stem}: sound" in done.stdout


def test_one_that_is_not_marked_so_does(later_harness):
    """The mark is what does it: a plain default is written, and every training has another key."""
    with_field(later_harness / "harness", "Recipe", "plain_field")
    done = verified(later_harness, MINI)
    assert done.returncode == 1 and "arms.mini_topic.trained[0].key" in done.stderr


def test_a_raised_result_version_breaks_no_release(monkeypatch):
    """A release is planned by the versions that it was made with, whatever this code has now."""
    here = job.versions_here

    def raised(readers: dict[str, int]) -> ResultVersions:
        said = here(readers).model_dump(exclude={"world_size"})
        more = {kind: {name: n + 1 for name, n in of.items()} for kind, of in said.items()}
        return ResultVersions(**more, world_size=2)

    for room in (job, planner):
        monkeypatch.setattr(room, "versions_here", raised)
    data = MINI.read_bytes()
    assert verify(data, BOARD.sidecar(MINI)) == []
    # and a plan of today is keyed by those of today
    inputs = Content.model_validate_json(data).inputs
    plan = planner.plan_from(inputs.suite, inputs, planner.versions_here({}))
    assert not plan.jobs.keys() & json.loads(data)["jobs"].keys()


def test_a_later_field_is_written_when_it_is_not_its_default():
    class Part(Strict):
        old: int = 1
        new: list[int] = later([1])

    class Whole(Strict):
        parts: dict[str, Part]

    whole = Whole(parts={"a": Part(), "b": Part(new=[1, 2])})
    said = {"parts": {"a": {"old": 1}, "b": {"old": 1, "new": [1, 2]}}}
    assert whole.model_dump() == said == json.loads(whole.model_dump_json())
    assert Whole.model_validate(said) == whole
