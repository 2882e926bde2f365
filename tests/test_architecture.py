"""The rooms and the doors between them, read from the code itself."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[1] / "harness"
FILES = sorted(HARNESS.rglob("*.py"))

# Room → the rooms it may import. Every room may import `common`; the command line, and the rooms
# that only it opens, import anything but the command line.
ALLOWED = {
    "common": set(),
    "metrics": set(),
    "families": {"metrics"},
    "spec": {"families", "metrics"},
    "store": {"spec", "families", "metrics"},
    "sources": {"store", "spec", "families", "metrics"},
    "draft": {"sources", "store", "spec", "families", "metrics"},
    "plan": {"sources", "store", "spec", "families", "metrics"},
    "engines": {"plan", "store"},
    "models": {"sources", "store", "spec", "families", "metrics"},
    "jobs": {"models", "sources", "store", "spec", "families", "metrics"},
    # `release` stands below `statistics` with the document and its evidence, above it with what
    # derives it again; that no file of the two imports itself in the end is what the test for
    # circles says.
    "release": {"statistics", "plan", "store", "spec", "families", "metrics"},
    "statistics": {"release", "plan", "store", "spec", "metrics"},
    "page": {"statistics", "release", "store", "spec", "metrics"},
}
OPENED_BY_THE_COMMAND_LINE = {"api", "published", "review", "run", "xtreme"}
COMMAND_LINE = {"__main__", "cli"}
LIBRARY = "__init__"  # opens `api`, once something of it is asked for
WAKE_TORCH = {"jobs", "models"}
HEAVY = {"torch", "transformers", "datasets"}


def room(path: Path) -> str:
    return path.relative_to(HARNESS).parts[0].removesuffix(".py")


def named(path: Path) -> str:
    return path.relative_to(HARNESS).as_posix()


def module(path: Path) -> str:
    return ".".join(path.relative_to(HARNESS.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


MODULES = {module(path) for path in FILES}


def imports(tree: ast.AST, functions: bool = True) -> Iterator[tuple[int, str]]:
    """(line, module) of each import, those for type checkers left out; `functions`: also those
    inside functions."""
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


def of_this_package(path: Path, functions: bool = True) -> Iterator[tuple[int, str]]:
    """(line, module of this package) of each import; a name that is imported from a module counts
    as the module."""
    for line, name in imports(ast.parse(path.read_text()), functions):
        if name.startswith("harness."):
            yield line, name if name in MODULES else name.rpartition(".")[0]


def rooms_imported(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in of_this_package(path):
        if name != "harness":
            yield line, name.split(".")[1]


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} - {LIBRARY} == (
        set(ALLOWED) | OPENED_BY_THE_COMMAND_LINE | COMMAND_LINE
    )


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_room_imports_only_what_the_design_allows(path):
    here = room(path)
    if here in COMMAND_LINE:
        return
    if here == LIBRARY:
        assert [other for _, other in rooms_imported(path)] == ["api"]
        return
    every = set(ALLOWED) | OPENED_BY_THE_COMMAND_LINE
    allowed = (
        every if here in OPENED_BY_THE_COMMAND_LINE else ALLOWED.get(here, set()) | {"common", here}
    )
    wrong = [
        f"{named(path)}:{line} imports {other}"
        for line, other in rooms_imported(path)
        if other not in allowed
    ]
    assert wrong == []


def test_no_file_imports_itself_in_the_end():
    """Circles, those that function bodies hide included."""
    arrows = {
        module(path): {name for _, name in of_this_package(path)} - {module(path)} for path in FILES
    }
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) not in WAKE_TORCH], ids=named
)
def test_torch_stays_asleep(path):
    """Outside jobs and models nobody imports torch, and nobody imports those two before they are
    needed."""
    tree = ast.parse(path.read_text())
    heavy = [
        f"{line} {name}"
        for line, name in imports(tree, functions=False)
        if name.split(".")[0] in HEAVY
    ]
    woken = [
        f"{line} {name}"
        for line, name in of_this_package(path, functions=False)
        if name.split(".")[1:2]
    ]
    woken = [found for found in woken if found.split(".")[1] in WAKE_TORCH]
    assert heavy + woken == []


def test_an_option_is_written_once():
    """Its help and its environment variable: what two commands have stands in `cli/options.py`."""
    said = []
    for path in HARNESS.glob("cli/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option":
                texts = [word.value for word in node.keywords if word.arg in ("help", "envvar")]
                said += [ast.unparse(text) for text in texts if not isinstance(text, ast.Name)]
    assert [text for text, count in Counter(said).items() if count > 1] == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_comprehension_stands_in_another(path):
    """Whoever reads it has to hold both in mind: a loop or a named function says the same."""
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    outer = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    nested = []
    for node in outer:
        inner = [one for one in ast.walk(node) if isinstance(one, kinds) and one is not node]
        nested += [f"{named(path)}:{one.lineno}" for one in inner]
    assert nested == []


def test_names_are_given_once():
    """A class, and a file, is known by its name alone: in a message, in a search, in talk."""
    names = [path.stem for path in FILES if not path.stem.startswith("__")]
    for path in FILES:
        tree = ast.parse(path.read_text())
        names += [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    twice = {name for name, count in Counter(names).items() if count > 1}
    assert twice == set()


def test_no_package_lies_deeper_than_two():
    # harness/room/file.py
    assert max(len(path.relative_to(HARNESS.parent).parts) for path in FILES) <= 3


def test_no_protocol_is_asked_for_by_name():
    """A protocol is a set of field values; code that asks which one it is has hidden a setting."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                names = [
                    ast.unparse(side).split(".")[-1] for side in (node.left, *node.comparators)
                ]
                assert not any("protocol" in name for name in names), f"{named(path)}:{node.lineno}"
