"""`make mutants` finds its modules, their tests and places to put a fault; the runs themselves are
for people."""

import random
from pathlib import Path

import pytest

from tests import mutants


def test_every_module_has_tests_that_are_there():
    found = mutants.modules([])
    assert {path.parts[1] for path in found} == {
        "families",
        "metrics",
        "models",
        "sources",
        "statistics",
        "store",
    }
    for path in found:
        files = [word for word in mutants.test_command(path).split() if word.startswith("tests/")]
        assert files and all((mutants.ROOT / file).is_file() for file in files), path


def test_a_sample_is_the_same_again_and_a_place_gives_one_mutant_at_most():
    path = Path("harness/metrics/flags.py")
    first, again = (mutants.mutants([path], random.Random(3)) for _ in range(2))
    places = [mutant.start_pos for mutant in first]
    assert places == [mutant.start_pos for mutant in again] and len(set(places)) == len(places) > 5
    text = (mutants.ROOT / path).read_text().splitlines()
    assert all("Scored | None" not in text[line - 1] for line, _ in places)  # a type is not mutated


def test_changed_lines_are_those_a_commit_lacks():
    path = Path("tests/test_mutants.py")
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's empty tree
    lines = len((mutants.ROOT / path).read_text().splitlines())
    try:
        # the former: not yet added
        assert mutants.changed_lines(empty, path) in (set(), set(range(1, lines + 1)))
    except (FileNotFoundError, mutants.subprocess.CalledProcessError):
        pytest.skip("not a checkout of git")
