"""What README.md and docs/ quote of releases: each number with the place that it is of, in a page's
own order. `test_quoted.py` holds the pages to it.

`python -m tests.quoted` prints the numbers, the board of README.md and the table of seeds.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.common.text import signed
from harness.page.glance import glance
from harness.page.points import between, plain
from harness.page.reading import GROUPS
from harness.page.render import markdown_sheet
from harness.release.document import Board
from harness.release.schema import Content
from harness.release.schema_derived import Average, Estimate, Gain, Tested
from harness.statistics.needed import half_with

ROOT = Path(__file__).parents[1]
BOARD = Board(ROOT / "leaderboard")
FIGURE = ROOT / "docs/images/easy-against-hard.svg"
# a number with one decimal, and its interval: no version, no licence, no learning rate
NUMBER = re.compile(r"(?<![\w.-])[+−]?\d+\.\d(?: \[[^]]*\])?(?![\w.]*\d)")


def name(suite: str) -> str:
    """A suite's newest release, by number and name."""
    return BOARD.find(suite).stem


@cache
def release(suite: str) -> Content:
    return Content.model_validate(BOARD.load(BOARD.find(suite)))


# Numbers by what they are of


def gain(suite: str, arm: str, target: str) -> Gain:
    of = arm, f"{target}@{suite}"
    (found,) = (one for one in release(suite).gains if (one.arm, one.target) == of)
    return found


def average(suite: str, arm: str, encoder: str = "") -> Average:
    (found,) = (
        one for one in release(suite).averages if one.arm == arm and one.encoder.startswith(encoder)
    )
    return found


def group(suite: str, arm: str, kind: str, encoder: str = "") -> Tested:
    return average(suite, arm, encoder).groups[kind].gain


def without_english(suite: str, arm: str, kind: str) -> Tested:
    return average(suite, arm).groups_zero_shot[kind].gain


def easy_minus_hard(suite: str) -> Estimate:
    (split,) = release(suite).split
    return split.overall.easy_minus_hard


def parts(suite: str, a: str, b: str) -> Estimate:
    (of,) = release(suite).subsets
    (found,) = (one for one in of.comparisons if (one.a, one.b) == (a, b))
    return found.difference


def score(suite: str, target: str) -> str:
    """The baseline's."""
    (found,) = (one for one in release(suite).scores if one.target == f"{target}@{suite}")
    return plain(found.score.value)


def score_and_half(suite: str, target: str) -> Iterator[str]:
    """The baseline's score, and half its interval."""
    (found,) = (one for one in release(suite).scores if one.target == f"{target}@{suite}")
    assert found.score.interval
    low, high = found.score.interval
    yield score(suite, target)
    yield plain((high - low) / 2)


def corrected(suite: str) -> list[Tested]:
    """All numbers that are tested together: the mean over one target is that target's gain."""
    content = release(suite)
    found = {(gain.arm, gain.target): gain.gain for gain in content.gains}
    for one in content.averages:
        for mean in (one.overall, *one.groups.values()):
            found.setdefault((one.arm, *mean.targets), mean.gain)
    return [number for number in found.values() if number.q is not None]


# As a page has them


def quoted(page: str) -> list[str]:
    """Every number with a decimal that a page says of releases; the board it shows is not among
    them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return NUMBER.findall("\n".join(line for line in text.splitlines() if line[:1] != "|"))


def numbers(page: str) -> Iterator[str]:
    """What they should be."""
    for one in {"README.md": _readme, "docs/study.md": _study}[page]():
        yield one if isinstance(one, str) else signed(one.value) + between(one.interval)


def _readme() -> Iterator[Estimate | str]:
    yield group("study", "squad", "retrieval")
    yield score("study", "tatoeba")
    yield group("study", "panx", "retrieval")
    yield group("study", "udpos", "retrieval")
    yield group("study", "squad", "qa")
    yield without_english("study", "squad", "qa")
    yield average("study", "squad").overall.gain
    yield easy_minus_hard("study")


def _study() -> Iterator[Estimate | str]:
    yield easy_minus_hard("study")
    yield score("study", "tatoeba")
    yield group("study", "panx", "retrieval")
    yield group("study", "udpos", "retrieval")
    yield group("study", "squad", "retrieval")
    yield group("study", "squad", "qa")
    yield without_english("study", "squad", "qa")
    on_xquad = gain("study", "squad", "xquad").per_language
    yield on_xquad["en"].gain
    yield on_xquad["es"].gain
    yield average("study", "squad").overall.gain
    yield parts("study", "easiest", "hardest")

    yield group("study-tuned", "squad", "retrieval")
    yield group("study-tuned", "squad", "qa")
    yield group("study-tuned-e5", "squad", "retrieval")
    yield score("study-tuned-e5", "tatoeba")
    yield group("study-tuned-e5", "squad", "qa")
    yield group("study-rates", "xnli_2e-4", "retrieval", "multilingual")
    yield group("study-rates", "xnli_2e-5", "retrieval", "multilingual")

    yield from score_and_half("sib200-lareqa", "sib200")
    yield from score_and_half("sib200-lareqa", "lareqa")


def board() -> str:
    """The caption and the table that README.md shows."""
    (shown,) = glance(release("study"), name("study")).boards
    caption, _, *lines = markdown_sheet(shown.sheet).splitlines()
    table = [line for line in lines if line.startswith("|")]
    return "\n".join([caption, "", *table])


def seeds() -> Iterator[str]:
    """The table of docs/statistics.md: half the interval with so many seeds as the study's are."""
    looked_at = (3, 5, 10, 20)
    content = release("study")
    had = len(content.suite.seeds)
    numbers: dict[str, list[Estimate]] = {"the average": [], **{kind: [] for kind in GROUPS}}
    for one in content.averages:
        numbers["the average"].append((one.rest or one.overall).gain)
        for kind, mean in one.groups.items():
            numbers[kind].append(mean.gain)
    numbers["one target task"] = [one.gain for one in content.gains]

    yield f"| gain on | {' | '.join(f'{many} seeds' for many in looked_at)} |"
    yield f"| --- |{' --- |' * len(looked_at)}"
    for kind, having in numbers.items():
        if not having:  # a group that the study has no target of
            continue
        halves = [f"±{half_with(having, had, many):.1f}" for many in looked_at]
        yield f"| {GROUPS.get(kind, kind)} | {' | '.join(halves)} |"


if __name__ == "__main__":
    for page in ("README.md", "docs/study.md"):
        print(page, *numbers(page), sep="\n  ")
    print(board(), *seeds(), sep="\n")
