"""What docs/design.md says of adding a family, a metric and an engine, done from outside: a package
of three entry points, run to a release that is found sound."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import Rig, releases, write_jsonl

# A family: the half without torch.
FAMILY = '''
"""Grade a text from 1 to 5."""

from harness.common.strict import Strict
from harness.families import Family


class GradingOptions(Strict):
    lowest: int = 1


class Grading(Family):
    name = "grading"
    version = 1
    group = "grades"
    half = "outside.grader"
    trained = True
    options = GradingOptions
    columns = frozenset({"text", "grade"})
    answers = "grade"
    difficulty = False

    def row(self, cells, labels):
        return {"text": cells.text("text"), "grade": int(cells.value("grade"))}

    def texts(self, row):
        return [row["text"]]

    def gold(self, row):
        return row["grade"]

    def placeholder(self, rows):
        return len({row["grade"] for row in rows}) == 1


GRADING = Grading()
'''

# The half with it.
HALF = """
import torch
from torch import nn


class First(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, 1)

    def forward(self, hidden):
        return self.out(hidden)


def encode(rows, encoder, task, training):
    before, _, after = encoder.template
    texts = encoder.tokenizer([row["text"] for row in rows], add_special_tokens=False)
    features = []
    for row, ids in zip(rows, texts["input_ids"], strict=True):
        features.append({"input_ids": [*before, *ids, *after], "grade": float(row["grade"])})
        if encoder.has_token_types:
            features[-1]["token_type_ids"] = [0] * len(features[-1]["input_ids"])
    return features


def head(encoder, body, task, dropout):
    return First(encoder.config.hidden_size)


def terms(features):
    return len(features)


def targets(features):
    return {"grades": torch.tensor([feature["grade"] for feature in features])}


def loss(logits, targets):
    return ((logits.float()[:, 0] - targets["grades"]) ** 2).sum()


def decode(logits, features, rows, task):
    return [max(task["options"]["lowest"], round(float(row[0]))) for row in logits]
"""

METRIC = '''
"""Share of grades that are at most one off."""

from harness.metrics import Metric, Scored
from harness.metrics.metric import ratio, sums_of


def within_one(golds, predictions, language):
    middle = sorted(golds)[len(golds) // 2]
    return from_examples(
        {
            "close": [int(abs(g - p) <= 1) for g, p in zip(golds, predictions, strict=True)],
            "null": [int(abs(g - middle) <= 1) for g in golds],
        }
    )


def from_examples(examples):
    rows = sum(examples["n"]) if "n" in examples else len(examples["close"])
    score, null = (100 * sum(examples[name]) / rows for name in ("close", "null"))
    return Scored(
        metrics={"within_one": score},
        main=score,
        examples=examples,
        null=null,
        null_name="always the middle grade",
        above_null=score - null,
        stderr=1.0,
    )


WITHIN_ONE = Metric(
    name="within_one",
    version=1,
    scores=("grade",),
    score=within_one,
    from_examples=from_examples,
    gold_side=("null",),
    prediction_side=("close",),
    resampled=sums_of("close"),
    main_from_totals=ratio("close", "n"),
    additive=True,
    null_is_main=True,
)
'''

ENGINE = '''
"""The machine's own workers, and a line in a file for each key that one is sent."""

from harness.engines.process import ProcessEngine


class Noting(ProcessEngine):
    def submit(self, slot, key, again, beside=()):
        with (self.store / "noted").open("a") as file:
            file.write(f"{key}\\n")
        super().submit(slot, key, again, beside)
'''

ENTRY_POINTS = """
[xstilts_harness.families]
grading = outside.grading:GRADING

[xstilts_harness.metrics]
within_one = outside.within_one:WITHIN_ONE

[xstilts_harness.engines]
noting = outside.noting:Noting
"""

TASK = """
task: grades
version: 1
role: [intermediate, target]
family: grading
languages: [en]
source: {files: "grades.{split}.jsonl"}
train: {split: train}
dev: {split: dev}
test: {split: test}
columns: {text: said, grade: grade}
metric: within_one
max_length: 32
about: {title: how good it was}
"""

SUITE = """
suite: graded
version: 1
about: a family, a metric and an engine from outside
smoke: true
encoders: [tiny]
arms: [none, grades, tiny_colour]
targets: [grades, tiny_mood]
seeds: [1]
recipes:
  intermediate: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
  target: {learning_rate: 1e-3, batch_size: 8, max_updates: 4, evaluations: 1}
caps: {train: 32, dev: 8, test: 12}
waives: [unlearned]
"""


def package(folder: Path, name: str, entry_points: str, **modules: str) -> Path:
    """A package as `pip install` leaves it, in a folder that is to stand in PYTHONPATH."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("")
    for module, text in modules.items():
        (folder / name / f"{module}.py").write_text(text)
    told = folder / f"{name}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(dedent(entry_points))
    return folder


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    modules = {"grading": FAMILY, "grader": HALF, "within_one": METRIC, "noting": ENGINE}
    return package(folder, "outside", ENTRY_POINTS, **modules)


def write_task(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "grades.yaml").write_text(TASK.lstrip())
    number = iter(range(1000))
    for split, size in {"train": 32, "dev": 8, "test": 12}.items():
        rows = [{"said": f"essay {next(number)}", "grade": i % 5 + 1} for i in range(size)]
        write_jsonl(folder / f"grades.{split}.jsonl", rows)


@pytest.mark.slow
def test_a_family_a_metric_and_an_engine_from_outside_lead_to_a_sound_release(
    rig: Rig, outside: Path, tmp_path: Path
):
    write_task(tmp_path / "tasks")
    path = {"PYTHONPATH": str(outside)}
    done = rig.run(rig.command("validate", "tasks/grades.yaml", "--data"), tmp_path, **path)
    assert done.returncode == 0, done.stderr

    # its placeholders are noticed, as those of the harness's own families are
    hidden = tmp_path / "hidden"
    write_task(hidden / "tasks")
    write_jsonl(hidden / "tasks" / "grades.test.jsonl", [{"said": "a", "grade": 3}] * 9)
    done = rig.run(rig.command("validate", "tasks/grades.yaml", "--data"), hidden, **path)
    assert done.returncode == 1
    assert "grades test en: 9 rows; PLACEHOLDER labels" in done.said

    (tmp_path / "graded.yaml").write_text(SUITE.lstrip())
    run = rig.eval("graded", "--specs", "graded.yaml", "--engine", "noting")
    done = rig.run(run, tmp_path, **path)
    assert done.returncode == 0, done.stderr
    ((name, content),) = releases(tmp_path).items()
    release = json.loads(content)
    target = release["targets"]["grades@graded"]
    assert (target["family"], target["metric"], target["group"]) == (
        "grading",
        "within_one",
        "grades",
    )
    assert all(cell["score"] is not None for cell in release["cells"])
    noted = (tmp_path / "runs/store" / "noted").read_text().split()
    assert set(noted) == {path.name for path in (tmp_path / "runs/store" / "results").iterdir()}

    where = tmp_path / "runs/board" / "releases" / name
    done = rig.run(rig.command("leaderboard", "verify", where), tmp_path, **path)
    assert done.returncode == 0, done.stderr + done.stdout

    done = rig.run(rig.command("leaderboard", "verify", where), tmp_path)
    assert done.returncode != 0 and "is not here; there is" in done.stderr + done.stdout

    # the same command resumes: nothing is left to do
    done = rig.run(run, tmp_path, **path)
    assert (done.returncode, done.jobs) == (0, []), done.stderr
    assert releases(tmp_path) == {name: content}


@pytest.mark.slow
def test_without_the_package_its_task_is_refused_with_what_there_is(rig: Rig, tmp_path: Path):
    write_task(tmp_path / "tasks")
    done = rig.run(rig.command("validate", "tasks/grades.yaml"), tmp_path)
    assert done.returncode == 2
    assert "grades.yaml:4:9" in done.stderr and "grading" in done.stderr
    done = rig.run(rig.eval("tiny", "--engine", "noting"), tmp_path / "elsewhere")
    assert done.returncode == 2
    assert "no engine is called 'noting'" in done.stderr


@pytest.mark.slow
def test_a_plugin_that_is_broken_or_clashes_is_named(rig: Rig, tmp_path: Path):
    write_task(tmp_path / "tasks")
    cases = {
        "broken": (
            "[xstilts_harness.families]\ngrading = broken.grading:GRADING\n",
            {"grading": "import no_such_module\n"},
            "plug-in grading (broken.grading:GRADING) of broken 1.0 cannot be loaded:"
            " ModuleNotFoundError: No module named 'no_such_module'",
        ),
        "other": (
            "[xstilts_harness.families]\ngrading = other.grading:GRADING\n",
            {"grading": "GRADING = 'a text'\n"},
            "plug-in grading (other.grading:GRADING) of other 1.0: it is a str, not an instance"
            " of harness.families.Family",
        ),
        "clashing": (
            "[xstilts_harness.families]\ntagging = clashing.tagging:TAGGING\n",
            {"tagging": ""},
            "plug-in tagging (clashing.tagging:TAGGING) of clashing 1.0: the harness has"
            " 'tagging' of its own",
        ),
    }
    for name, (entry_points, modules, said) in cases.items():
        folder = package(tmp_path / f"site-{name}", name, entry_points, **modules)
        path = {"PYTHONPATH": str(folder)}
        done = rig.run(rig.command("validate", "tasks/grades.yaml"), tmp_path, **path)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr
