"""What README.md and docs/ quote of releases: each number with the place that it is of, in a page's
own order. `test_quoted.py` holds the pages to it.

`python -m tests.quoted` prints the numbers, the board of README.md, the tables of docs/study.md and
that of seeds.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import fmean

from harness.common.text import signed
from harness.page.glance import glance
from harness.page.points import between, plain
from harness.page.reading import GROUPS, readings
from harness.page.render import markdown_sheet
from harness.page.words import range_of, verdict_of
from harness.release.document import Board
from harness.release.schema import Content
from harness.release.schema_derived import Average, Estimate, Gain, ScoredCell, Tested
from harness.statistics.needed import half_with

ROOT = Path(__file__).parents[1]
BOARD = Board(ROOT / "leaderboard")
STUDY = "easy-hard"
PARTS = "easy-hard-parts"
CONTRAST = "easy-hard-e5"
# easy − hard of release 0029, which the study replaced: only the repository's history has it
BEFORE = "−1.5 [−4.3, +1.4]"
FIGURE = ROOT / "docs/images/easy-against-hard.svg"
# a number with one decimal, and its interval: no version, no licence, no learning rate
NUMBER = re.compile(r"(?<![\w.-])[+−]?\d+\.\d(?: \[[^]]*\])?(?![\w.]*\d)")


def name(suite: str) -> str:
    """A suite's newest release, by number and name."""
    return BOARD.find(suite).stem


@cache
def study(suite: str = STUDY) -> Content:
    """The newest release of the study, or of a suite beside it."""
    return Content.model_validate(BOARD.load(BOARD.find(suite)))


def tasks() -> list[str]:
    """Its intermediate tasks."""
    return [arm for arm in study().arms if arm != "none"]


# Numbers of the study, by what they are of


def gain(arm: str, target: str, suite: str = STUDY) -> Gain:
    of = arm, f"{target}@{suite}"
    (found,) = (one for one in study(suite).gains if (one.arm, one.target) == of)
    return found


def in_language(arm: str, target: str, language: str) -> Tested:
    return gain(arm, target).per_language[language].gain


def average(arm: str) -> Average:
    (found,) = (one for one in study().averages if one.arm == arm)
    return found


def without_english(arm: str, kind: str) -> Tested:
    return average(arm).groups_zero_shot[kind].gain


def easy_minus_hard(target: str = "", suite: str = STUDY) -> Estimate:
    """On average, or on one target."""
    (split,) = study(suite).split
    if target:
        return split.by_target[f"{target}@{suite}"].easy_minus_hard
    return split.overall.easy_minus_hard


def came(hypothesis: str, suite: str = STUDY) -> Estimate:
    """The number that decides a hypothesis."""
    (found,) = (one for one in study(suite).hypotheses if one.hypothesis == hypothesis)
    return found.number


def score(target: str, suite: str = STUDY) -> str:
    """The baseline's."""
    (found,) = (one for one in study(suite).scores if one.target == f"{target}@{suite}")
    return plain(found.score.value)


def baseline(target: str) -> list[ScoredCell]:
    return cells("none", target)


def cells(arm: str, target: str, suite: str = STUDY) -> list[ScoredCell]:
    """One a seed."""
    at = arm, f"{target}@{suite}"
    return [cell for cell in study(suite).cells if (cell.arm, cell.target) == at]


def score_in(target: str, language: str) -> str:
    return plain(fmean(cell.languages[language].main for cell in baseline(target)))


def above_chance(target: str) -> Counter[str]:
    """With how many seeds the baseline is, by language."""
    found: Counter[str] = Counter()
    for cell in baseline(target):
        for language, of in cell.languages.items():
            found[language] += "floor" not in of.flags
    return found


def corrected() -> list[Tested]:
    """All numbers that are tested together: the mean over one target is that target's gain."""
    content = study()
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
        yield one if isinstance(one, str) else said(one)


def said(number: Estimate) -> str:
    return signed(number.value) + between(number.interval)


def _readme() -> Iterator[Estimate | str]:
    yield easy_minus_hard()
    yield score("tatoeba")
    yield gain("xnli", "tatoeba").gain
    yield gain("udpos", "tatoeba").gain
    yield score("xquad")
    yield gain("squad", "xquad").gain
    yield without_english("squad", "qa")
    yield average("xnli").overall.gain
    yield average("udpos").overall.gain


def _study() -> Iterator[Estimate | str]:
    yield easy_minus_hard()
    yield from _ends(tasks())

    (split,) = study().split
    yield from _ends(split.hard.arms)
    yield from _ends(split.easy.arms)
    yield easy_minus_hard("tatoeba")
    yield score("tatoeba")
    for arm in ("xnli", "panx", "udpos"):
        yield gain(arm, "tatoeba").gain
    yield score("xquad")
    yield gain("squad", "xquad").gain
    yield gain("cosmos_qa", "xquad").gain
    yield in_language("squad", "xquad", "en")
    yield without_english("squad", "qa")
    yield in_language("cosmos_qa", "xquad", "en")
    yield without_english("cosmos_qa", "qa")
    yield score("sib200")
    yield gain("ag_news", "sib200").gain
    yield gain("squad", "sib200").gain
    yield in_language("squad", "sib200", "en")
    yield average("udpos").overall.gain

    yield BEFORE
    yield signed(came("commonsense-parts", PARTS).value)
    yield easy_minus_hard(suite=CONTRAST)
    yield score("tatoeba", CONTRAST)
    for arm in ("xnli", "udpos"):
        yield gain(arm, "tatoeba", CONTRAST).gain
    yield score("sib200", CONTRAST)
    yield gain("udpos", "sib200", CONTRAST).gain
    yield score_in("xnli", "en")
    yield score_in("tatoeba", "fr")
    for side in (split.easy, split.hard):
        lost = [-(in_language(arm, "tatoeba", "fr").value or 0.0) for arm in side.arms]
        yield from (plain(min(lost)), plain(max(lost)))


def _ends(arms: Iterable[str]) -> Iterator[str]:
    """The lowest and the highest of their averages."""
    averages = [average(arm).overall.gain.value or 0.0 for arm in arms]
    yield from (signed(min(averages)), signed(max(averages)))


def board() -> str:
    """The caption and the table that README.md shows."""
    (shown,) = glance(study(), name(STUDY)).boards
    caption, _, *lines = markdown_sheet(shown.sheet).splitlines()
    table = [line for line in lines if line.startswith("|")]
    return "\n".join([caption, "", *table])


def expected(suite: str = STUDY) -> Iterator[str]:
    """What was expected and what came, as docs/study.md shows it: the number that decides."""
    yield "| expected | what came | |"
    yield "| --- | --- | --- |"
    (reading,) = readings(study(suite))
    for asked, outcome in reading.hypotheses:
        says = f"**{asked.says}**" if asked.primary else asked.says
        verdict = verdict_of(outcome).removeprefix("is ")
        yield f"| {says} | {outcome.at} {said(outcome.number)} | {verdict} |"


# hypotheses of PARTS, of one task each: what ends both names → what is compared
OF_PARTS = {
    "parts": "easiest − hardest third",
    "labels": "shuffled − true labels, topics",
    "labels-retrieval": "shuffled − true labels, retrieval",
    "text": "masked-LM on its text − the task",
}


def parts() -> Iterator[str]:
    """The same of parts of two tasks, side by side."""
    yield "| | expected | AG News | CommonsenseQA | |"
    yield "| --- | --- | --- | --- | --- |"
    (reading,) = readings(study(PARTS))
    asked = {one.hypothesis: (one, outcome) for one, outcome in reading.hypotheses}
    for ending, says in OF_PARTS.items():
        (one, news), (other, commonsense) = (
            asked.pop(f"{task}-{ending}") for task in ("news", "commonsense")
        )
        assert range_of(one) == range_of(other), ending
        (verdict,) = {verdict_of(came).removeprefix("is ") for came in (news, commonsense)}
        came = " | ".join(said(outcome.number) for outcome in (news, commonsense))
        yield f"| {says} | {range_of(one)} | {came} | {verdict} |"
    assert not asked, "all are shown"


def seeds() -> Iterator[str]:
    """The table of docs/statistics.md: half the interval with so many seeds as the study's are."""
    looked_at = (3, 5, 10, 20)
    content = study()
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
    print(board(), *expected(), *parts(), *expected(CONTRAST), *seeds(), sep="\n")
