"""The rooms and the doors between them, read from the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[1] / "harness"
FILES = sorted(HARNESS.rglob("*.py"))
LEAVES = {"errors", "hub", "text", "streams", "signals"}  # every room may import these; they import no room
ALLOWED = {
    "published": {"leaderboard", "spec"},
    "leaderboard": {"plan", "store", "spec", "metrics"},
    "engines": {"plan", "job", "store"},
    "plan": {"job", "data", "encoder", "store", "spec", "metrics"},
    "jobs": {"job", "families", "data", "encoder", "store", "spec", "metrics"},
    "job": {"store", "spec", "metrics"},
    "families": {"metrics", "data"},
    "data": {"store", "spec"},
    "encoder": {"encoder_files", "encoder_read", "store", "spec"},
    "encoder_read": {"encoder_files", "spec"},
    "encoder_files": {"spec"},
    "spec": {"metrics"},
    "metrics": set(),
    "store": set(),
    "errors": set(),
    "hub": set(),
    "text": set(),
    "streams": set(),
    "signals": set(),
}
# The command line's rooms import anything.
CLI = {
    "__main__",
    "cli",
    "runner",
    "graph",
    "estimate",
    "doctor",
    "scoring",
    "score_files",
    "slips",
    "submission",
    "recheck",
    "reproduce",
    "bundle",
    "bundle_page",
}
ASLEEP = {"spec", "plan", "job", "store", "metrics", "leaderboard", "published", "data", "engines", "encoder"} | LEAVES | CLI
ASLEEP |= {"encoder_files", "encoder_read"}
HEAVY = {"torch", "transformers", "datasets"}


def room(path: Path) -> str:
    return path.relative_to(HARNESS).parts[0].removesuffix(".py")


def imports(tree: ast.AST, functions: bool = True) -> Iterator[tuple[int, str]]:
    """(line, module) of each import, those for type checkers left out; `functions`: also those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from imports(node, functions)


def rooms_imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) of each import of this package."""
    for line, module in imports(ast.parse(path.read_text())):
        package, _, rest = module.partition(".")
        if package == "harness" and rest:
            yield line, rest.split(".")[0]


def named(path: Path) -> str:
    return path.relative_to(HARNESS).as_posix()


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} - {"__init__"} == set(ALLOWED) | CLI


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_room_imports_only_what_the_design_allows(path):
    here = room(path)
    if here in CLI:
        return
    allowed = ALLOWED.get(here, set()) | LEAVES | {here}
    assert [f"{named(path)}:{line} imports {other}" for line, other in rooms_imported(path) if other not in allowed] == []


def test_nothing_but_the_command_line_imports_the_command_line():
    wrong = [
        f"{named(path)}:{line} imports {other}"
        for path in FILES
        for line, other in rooms_imported(path)
        if (other == "cli" and room(path) not in ("cli", "__main__")) or (other in CLI and room(path) not in CLI)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in FILES if room(path) in ASLEEP], ids=named)
def test_torch_stays_asleep(path):
    heavy = [
        f"{line} {module}"
        for line, module in imports(ast.parse(path.read_text()), functions=False)
        if module.split(".")[0] in HEAVY
    ]
    assert heavy == []


def test_rooms_that_sleep_import_none_that_wake_torch():
    """families and jobs import torch at module level, so a room that sleeps must not import them at module level."""
    wrong = []
    for path in FILES:
        if room(path) in ASLEEP:
            for line, module in imports(ast.parse(path.read_text()), functions=False):
                if module.startswith(("harness.families", "harness.jobs")):
                    wrong.append(f"{named(path)}:{line}")
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_and_functions_are_short(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno + 1 <= 60, f"{named(path)}:{node.lineno} {node.name}"


def test_no_package_lies_deeper_than_two():
    assert max(len(path.relative_to(HARNESS.parent).parts) for path in FILES) <= 3  # harness/room/file.py


def test_no_protocol_is_asked_for_by_name():
    """A protocol is a set of field values; code that asks which one it is has hidden a setting."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                names = [ast.unparse(side).split(".")[-1] for side in (node.left, *node.comparators)]
                assert not any("protocol" in name for name in names), f"{named(path)}:{node.lineno}"
