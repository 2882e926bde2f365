"""The JSON Schemas that editors complete a YAML from."""

import copy
import json
import subprocess
import sys

import pytest
from conftest import ROOT
from jsonschema import Draft7Validator

from harness.families import FAMILIES
from harness.metrics import METRICS
from harness.spec.catalog import KINDS, read_spec
from harness.spec.json_schema import text
from harness.spec.reader import load

FILES = [(kind, path) for kind in KINDS for path in sorted((ROOT / f"{kind}s").glob("*.yaml"))]
CHECK = {kind: Draft7Validator(json.loads(text(kind))) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_the_models_own(kind):
    Draft7Validator.check_schema(CHECK[kind].schema)
    committed = (ROOT / "schemas" / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert committed == text(kind), "run: python -m harness.spec.json_schema schemas"


def test_every_built_in_file_is_of_its_schema():
    wrong = []
    for kind, path in FILES:
        data, _ = load(path)
        wrong += [f"{path.name}: {error.message}" for error in CHECK[kind].iter_errors(data)]
    assert len(FILES) > 50
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_editor_shows_what_every_field_of_a_file_means(kind):
    fields = CHECK[kind].schema["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_short_forms_are_of_the_schema():
    short = {
        "trained": {"mine": "mnli"},
        "arms": ["none", {"name": "x", "intermediate": ["a", "b"]}],
    }
    assert CHECK["suite"].is_valid(SUITE | short)


TASK, _ = load(ROOT / "tasks" / "xnli.yaml")
SUITE, _ = load(ROOT / "suites" / "small.yaml")
ENCODER, _ = load(ROOT / "encoders" / "roberta-base.yaml")
PROTOCOL, _ = load(ROOT / "protocols" / "default.yaml")


def changed(data, *path, to):
    data = copy.deepcopy(data)
    at = data
    for name in path[:-1]:
        at = at[name]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return data


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("task", changed(TASK, "lables", to=["a"])),
        ("task", changed(TASK, "metric", to=None)),
        ("task", changed(TASK, "metric", to="squad")),
        ("task", changed(TASK, "metric", to="acuracy")),
        ("task", changed(TASK, "family", to="clasification")),
        ("task", changed(TASK, "role", to=["goal"])),
        ("task", changed(TASK, "version", to="1")),
        ("task", changed(TASK, "columns", to={"context": "x"})),
        ("task", changed(TASK, "columns", "label", to=None)),
        ("task", changed(TASK, "options", to={"head": "big"})),
        ("task", changed(TASK, "options", to={"doc_stride": 128})),
        ("task", changed(TASK, "max_length", to=8)),
        ("task", changed(TASK, "source", "hubb", to="google/xtreme")),
        ("task", changed(TASK, "about", "title", to=None)),
        ("suite", changed(SUITE, "seeds", to=[])),
        ("suite", changed(SUITE, "arms", to=[{"intermediate": {"subset": {"keep": "best"}}}])),
        ("suite", changed(SUITE, "recipes", "target", "epochs", to=0)),
        ("suite", changed(SUITE, "recipes", "families", to={"tasks": {}})),
        ("suite", changed(SUITE, "settings", to={"mlm": {"options": {"head": "plain"}}})),
        ("suite", changed(SUITE, "split_rule", to={"by": "size"})),
        ("encoder", changed(ENCODER, "pooling", to="max")),
        ("encoder", changed(ENCODER, "seen", to="books")),
        ("protocol", changed(PROTOCOL, "recipes", "target", to=None)),
        ("protocol", changed(PROTOCOL, "recipes", "target", "learning_rat", to=1e-5)),
    ],
)
def test_a_mistake_is_not_of_the_schema(kind, data):
    assert not CHECK[kind].is_valid(data)


def test_a_family_completes_its_own_options_columns_and_metrics():
    blocks = {
        one["if"]["properties"]["family"]["const"]: one for one in CHECK["task"].schema["allOf"]
    }
    assert set(blocks) == set(FAMILIES)
    for name, family in FAMILIES.items():
        then = blocks[name]["then"]["properties"]
        metrics = {one for one, metric in METRICS.items() if family.answers in metric.scores}
        assert set(then["metric"]["enum"]) == metrics
        assert set(then["columns"]["properties"]) == family.columns | family.optional
        definition = then["options"]["$ref"].rpartition("/")[2]
        options = CHECK["task"].schema["definitions"][definition]["properties"]
        assert set(options) == set(family.options.model_fields)


@pytest.mark.parametrize(
    "line", ["$schema: task.schema.json\n", "# yaml-language-server: $schema=x\n"]
)
def test_a_spec_may_name_its_schema(tmp_path, line):
    path = tmp_path / "xnli.yaml"
    path.write_text(line + (ROOT / "tasks" / "xnli.yaml").read_text(encoding="utf-8"))
    kind, spec, _ = read_spec(path)
    assert (kind, spec) == read_spec(ROOT / "tasks" / "xnli.yaml")[:2]
    assert CHECK["task"].is_valid(load(path)[0])


def test_the_command_prints_a_schema():
    words = [sys.executable, "-m", "harness", "schema", "encoder"]
    found = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout == text("encoder")
