"""Releases for the page's tests: the committed ones, and one with a second encoder."""

from functools import cache
from typing import Any

from conftest import ROOT

from harness.release.document import Board
from harness.release.schema import Content
from harness.statistics.derive import sections as derived

SHELF = Board(ROOT / "leaderboard")
SUITE = "easy-hard"  # the one whose release, of real rows and several seeds, tests read
SECOND = "another-encoder"


@cache
def committed(suite: str) -> Content:
    """The newest committed release of a suite."""
    return Content.model_validate(SHELF.load(SHELF.find(suite)))


def twice(release: Content) -> Content:
    """The release as if a second encoder had done just as the first."""
    (first,) = release.encoders
    changed: dict[str, Any] = {
        "encoders": dict.fromkeys((first, SECOND), release.encoders[first]),
        "headline": dict.fromkeys((first, SECOND), release.headline[first]),
    }
    for name in type(release).model_fields:
        mine = getattr(release, name)
        if isinstance(mine, list) and mine and hasattr(mine[0], "encoder"):
            changed[name] = [*mine, *(one.model_copy(update={"encoder": SECOND}) for one in mine)]
    return release.model_copy(update=changed)


@cache
def with_a_refused_gain(arm: str, task: str) -> Content:
    """The release of SUITE as if rows of this condition stood in the test set of this target."""
    document = committed(SUITE).document()
    for cell in document["evidence"]["cells"]:
        if (cell["arm"], cell["target"]) == (arm, f"{task}@{SUITE}"):
            overlap = cell["overlap"]
            overlap["leaks"] = {"intermediate": overlap["test_rows"]}
            cell |= {"refused": True, "languages": {}}
    return Content.model_validate(document | derived(document))


def without(release: Content, *sections: str) -> Content:
    """The release with nothing in these sections."""
    empty = {name: type(getattr(release, name))() for name in sections}
    return release.model_copy(update=empty)


def spoilt(release: Content, texts: list[str]) -> Content:
    """The release with these texts where a spec, or a board of somebody else, may bring some."""
    suite = {"about": "\n".join(texts), "left_out": texts, "protocol": texts[-1]}
    changed = {
        "suite": release.suite.model_copy(update=suite),
        "split": [one.model_copy(update={"why": texts[1]}) for one in release.split],
    }
    facts = {"arms": "shown", "languages": "name", "encoders": "pretrained_on"}
    for section, field in facts.items():
        changed[section] = {
            name: of.model_copy(update={field: texts[i % len(texts)]})
            for i, (name, of) in enumerate(getattr(release, section).items())
        }
    changed["encoders"] = {
        name: of.model_copy(update={"seen": texts}) for name, of in changed["encoders"].items()
    }
    return release.model_copy(update=changed)


def releases() -> list[tuple[str, Content]]:
    """(title, release), oldest first: a smoke test, no intermediates, a study, two encoders."""
    return [
        ("0001-mini", committed("mini")),
        ("0002-mteb-tatoeba", committed("mteb-tatoeba")),
        ("0003-easy-hard", committed(SUITE)),
        ("0004-two", twice(committed("mini")).model_copy(update={"suite": _real()})),
    ]


def _real() -> Any:
    """The facts of a suite that is no smoke test."""
    return committed("mini").suite.model_copy(update={"smoke": False, "name": "two"})
