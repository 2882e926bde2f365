"""What the docs show exists: links lead somewhere, the CLI knows commands, options and names, and
examples of YAML load."""

import functools
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from harness.families import FAMILIES
from harness.published import numbers as published_spec
from harness.spec.catalog import KINDS, Catalog, read_spec
from harness.spec.encoder import Encoder
from harness.spec.recipe import Recipe
from harness.spec.suite import Suite
from harness.spec.task import Rows, Source, Task

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOWS = sorted({*(ROOT / ".github").rglob("*.yml")} - {*FORMS})
COMMAND = re.compile(r"xstilts-harness(?: (leaderboard|cache|job|data|new))? ([a-z]+)([^`\n#|]*)")


def commands(page: Path) -> list[tuple[str, str, str]]:
    """(group, command, the rest of the line) of each command that a page shows."""
    return COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " "))


def examples(page: Path) -> list[tuple[str, str]]:
    """(kind, text) of each YAML block that is a whole spec or a file of published numbers."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    kinds = [
        (re.search(rf"^({'|'.join(KINDS)}|published):", block, flags=re.MULTILINE), block)
        for block in blocks
    ]
    return [(kind[1], block) for kind, block in kinds if kind]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings: lower case, punctuation gone, hyphens for blanks."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page):
    """To a file that exists, and to a heading that it has."""
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


@pytest.fixture(scope="module")
def known(rig, tmp_path_factory):
    """Help texts by command, asked once each."""
    folder = tmp_path_factory.mktemp("help")

    @functools.cache
    def ask(*words: str) -> str:
        done = rig.here([*words, "--help"], folder)
        return done.stdout if done.returncode == 0 else ""

    return ask


@pytest.mark.parametrize("page", [*PAGES, *WORKFLOWS, *FORMS], ids=lambda page: page.name)
def test_commands_and_options_exist(page, known):
    for group, command, rest in commands(page):
        words = (group, command) if group else (command,)
        text = known(*words)
        assert text, f"{page.name} shows `xstilts-harness {' '.join(words)}`, which is no command"
        for option in re.findall(r"(?<=[ \[])--[a-z-]+", rest):
            assert option in text, f"{page.name} shows {option} with {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_sound(page, tmp_path):
    for kind, block in examples(page):
        path = tmp_path / "example.yaml"
        path.write_text(block, encoding="utf-8")
        if kind == "published":
            assert published_spec.load([path])
        else:
            assert read_spec(path)[0] == kind


def test_every_example_of_a_task_reads_the_rows_shown_beside_it(tmp_path, rig):
    """The page's own commands and rows. A comment before each block names the files it stands
    for."""
    page = (ROOT / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"<!-- (?:rows: |mytasks/)([^>\n]+) -->\n```[a-z]+\n(.*?)```", page, flags=re.DOTALL
    )
    folder = tmp_path / "mytasks"
    for names, text in blocks:
        for name in names.split():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    done = rig.here(["validate", "mytasks", "--data"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    read = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    families = {read_spec(folder / f"{task}.yaml")[1].family for task in read}
    assert families == set(FAMILIES)


def section(page: str, start: str, end: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return text.split(start, 1)[1].split(end, 1)[0]


def shown_defaults(text: str) -> dict[str, Any]:
    """What stands as `name: value` in the text."""
    return {name: yaml.safe_load(value) for name, value in re.findall(r"`(\w+): ([^`{]+)`", text)}


def own_fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.default for name, field in model.model_fields.items()}


def test_the_docs_know_every_field_and_its_default():
    recipe = section("suites.md", "A recipe (", "###")
    suite = section("suites.md", "eval --suite hotel -t mytasks\n```", "A recipe (")
    task = section("adding-a-task.md", "## The fields", "### source")
    source = section("adding-a-task.md", "### source", "### train")
    rows = section("adding-a-task.md", "### train", "### options")
    encoder = section("adding-a-task.md", "## An encoder of your own", "## What a mistake")
    for model, text in (
        (Recipe, recipe),
        (Suite, suite),
        (Task, task + source + "options"),
        (Source, source),
        (Rows, rows),
        (Encoder, encoder),
    ):
        named = set(re.findall(r"\w+", text))
        assert not set(model.model_fields) - named - {"left_out"}, model.__name__

    said, defaults = shown_defaults(recipe), own_fields(Recipe)
    assert {name: type(defaults[name])(value) for name, value in said.items()} == {
        name: value for name, value in defaults.items() if name in said
    }
    assert {*defaults} - {*said} == {
        name for name, value in defaults.items() if value in (None, PydanticUndefined)
    }


def test_the_docs_know_every_option_of_a_family_and_its_default():
    lines = section("adding-a-task.md", "### options", "## An encoder").split("\n- ")[1:]
    said: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES}
    for line in lines:
        families, options = line.split(": ", 1)
        for family in re.findall(r"`(\w+)`", families):
            encoders = dict.fromkeys(("pooling", "layer", "prompt"))
            own = "the encoder's own" in options
            said[family] |= encoders if own else shown_defaults(options)
    assert said == {name: own_fields(family.options) for name, family in FAMILIES.items()}


def test_examples_go_together(tmp_path):
    """In one folder with the built-in ones: no name twice, except for the same text, and none that
    nothing has."""
    texts = {}
    for page in PAGES:
        for kind, block in examples(page):
            name = kind, yaml.safe_load(block)[kind]
            assert texts.setdefault(name, block) == block, (
                f"{page.name} has another {' '.join(name)} than the page before"
            )
            if kind != "published":
                (tmp_path / f"{kind}-{name[1]}.yaml").write_text(block, encoding="utf-8")
    assert Catalog.load([tmp_path]).user == {name for name in texts if name[0] != "published"}


@pytest.mark.parametrize("page", [*PAGES, *WORKFLOWS], ids=lambda page: page.name)
def test_names_in_commands_exist(page, tmp_path):
    """Suites, arms and specs that commands name are built in, or examples of the same page.
    CAPITALS stand for any name."""
    own = [(kind, block) for kind, block in examples(page) if kind in KINDS]
    for i, (_, block) in enumerate(own):
        (tmp_path / f"{i}.yaml").write_text(block, encoding="utf-8")
    read = [read_spec(tmp_path / f"{i}.yaml")[:2] for i in range(len(own))]
    catalog = Catalog.load([])
    all_suites = [*catalog.suites.values(), *(spec for kind, spec in read if kind == "suite")]
    suites = {suite.suite: {arm.name for arm in suite.arms} for suite in all_suites}
    specs = {name for kind in KINDS for name in getattr(catalog, f"{kind}s")} | {
        getattr(spec, kind) for kind, spec in read
    }
    for group, command, rest in commands(page):
        words = [word.strip("[]") for word in rest.split()]
        after = {option: [word for at, word in pairwise(words) if at == option] for option in words}
        if command in ("show", "submission") and not group:
            after[command] = words[:1]
        named = [*after.get("--suite", []), *after.get("-s", []), *after.get("submission", [])]
        arms = {name for suite in named for name in suites.get(suite, ())} or specs.union(
            *suites.values()
        )
        known = {
            "--suite": suites,
            "-s": suites,
            "submission": suites,
            "show": specs,
            "--condition": arms,
            "--without": arms | specs,
        }
        for where, there in known.items():
            strange = [
                name for name in after.get(where, []) if not name.isupper() and name not in there
            ]
            assert not strange, (
                f"{page.name}: `{command}{rest}` names {strange[0]}, which {where} does not know"
            )


@pytest.mark.parametrize("page", WORKFLOWS, ids=lambda page: page.name)
def test_workflows_are_yaml_and_use_the_inputs_they_declare(page):
    text = page.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    steps = (
        document["runs"]["steps"]
        if "runs" in document
        else [s for job in document["jobs"].values() for s in job["steps"]]
    )
    assert all(("run" in step) != ("uses" in step) for step in steps)
    assert set(re.findall(r"inputs\.([a-z]+)", text)) == set(document.get("inputs", {}))


def test_the_documented_workflow_gives_the_action_inputs_it_has():
    action = yaml.safe_load(
        (ROOT / ".github" / "actions" / "reproduce" / "action.yml").read_text(encoding="utf-8")
    )
    (block,) = re.findall(
        r"```yaml\n(# \.github/workflows.*?)```",
        (ROOT / "docs" / "reproducing.md").read_text(),
        flags=re.DOTALL,
    )
    (job,) = yaml.safe_load(block)["jobs"].values()
    (step,) = [step for step in job["steps"] if "reproduce" in step.get("uses", "")]
    assert set(step["with"]) <= set(action["inputs"])


def test_the_actions_script_runs(tmp_path):
    """The script of the action's last step, on this machine's own command, with inputs as GitHub
    gives them."""
    action = yaml.safe_load(
        (ROOT / ".github" / "actions" / "reproduce" / "action.yml").read_text(encoding="utf-8")
    )
    step = action["runs"]["steps"][-1]
    (tmp_path / "xstilts" / "bin").mkdir(parents=True)
    command = tmp_path / "xstilts" / "bin" / "xstilts-harness"
    command.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from harness.cli import main; main()" "$@"\n'
    )
    command.chmod(0o755)
    inputs = {name.upper(): str(of.get("default", "")) for name, of in action["inputs"].items()}
    given = {
        "OPTIONS": "--level 2",
        "REQUIRE": "level-2 xstilts-seven-tasks",
        "RUNNER_TEMP": str(tmp_path),
    }
    environment = os.environ | inputs | given | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "reproduce" / "reproduce.xml").is_file()
