"""What a person reads says it in the field's words: messages, help, progress lines, docs.

Names in code and keys of YAML and JSON stay what they are. A text that names a key marks it, as
`arms:` or in backticks.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from test_cli import COMMANDS

FILES = sorted((ROOT / "harness").rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# What is said instead: condition (or run); reduced task, and truncated of a file or a text;
# subword; and in plain words what a comparison shows.
AVOIDED = re.compile(
    r"\b(arms?|cuts?|pieces?|flatters|(told|tells?|telling) [\w ]{0,20}apart|leaves out 0"
    r"|(waives?|waiving) the refusal)\b",
    re.IGNORECASE,
)
KEY = re.compile(r"`[^`]*`|\b(arms|cuts?|waives): ?")

# Rooms and pages that are not in these words yet: take a line out with what it names.
NOT_YET = {
    "harness/page",
    "README.md",
    "docs/leaderboard.md",
    "docs/study.md",
}
# What stands in results that are computed, and stays as long as they do.
STAYS = {"accuracy of always guessing the most frequent hidden piece"}


def converted(path: Path) -> bool:
    named = path.relative_to(ROOT).as_posix()
    return not any(named == other or named.startswith(f"{other}/") for other in NOT_YET)


def avoided(text: str) -> list[str]:
    """The words of a text that it should say otherwise."""
    return [found[0] for found in AVOIDED.finditer(KEY.sub("", text))]


def explanations(tree: ast.AST) -> set[int]:
    """Docstrings, by the identity of their nodes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what may reach a person: no docstring (--help shows those of commands), and
    no single word, which is a name or a key."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = explanations(tree)
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in silent and not re.fullmatch(r"[\w.-]*", node.value):
            yield node.lineno, node.value


def values(data: object) -> Iterator[str]:
    """Every text of a YAML file that is no key and no single word."""
    if isinstance(data, dict):
        for value in data.values():
            yield from values(value)
    elif isinstance(data, list):
        for value in data:
            yield from values(value)
    elif isinstance(data, str) and " " in data:
        yield data


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if converted(path)],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_messages_are_in_the_fields_words(path):
    found = []
    for line, text in texts(path):
        if text not in STAYS and avoided(text):
            found.append(f"{line}: {text}")
    assert found == []


@pytest.mark.parametrize("folder", ["tasks", "encoders", "suites", "protocols", "leaderboard"])
def test_what_specs_say_is_in_the_fields_words(folder):
    """`show`, `list` and `reproduce` print it."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [f"{path.name}: {text}" for text in values(data) if avoided(text)]
    assert found == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_in_the_fields_words(rig, tmp_path, command):
    said = rig.here([*command.split(), "--help"], tmp_path).stdout
    assert said and avoided(said) == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if converted(page)], ids=lambda page: page.name
)
def test_docs_are_in_the_fields_words(page):
    assert avoided(prose(page)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("many arms read the same rows", ["arms"]),
        ("`arms:` lists conditions", []),
        ("arms: two have one name", []),
        ("two pieces or more, told well apart", ["pieces", "told well apart"]),
        ("it warms, it is flatter, it charms", []),
    ],
)
def test_the_words_are_found_and_keys_let_pass(text, found):
    assert avoided(text) == found
