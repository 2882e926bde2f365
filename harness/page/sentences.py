"""What the numbers of a release say, in sentences, and what a reader must know beside them. Never
more than the intervals say."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.common.text import signed
from harness.page.points import between, plain
from harness.page.reading import Reading, group_name, shown_mean
from harness.release.schema_derived import Tested
from harness.statistics.measured import FEWEST_SEEDS

SMOKE = (
    "SMOKE SUITE: its data are made up to prove the machine; no claim follows from these numbers."
)
MOST = 4  # effects that a sentence names; the others are counted
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def count(number: int, noun: str) -> str:
    """ "two seeds"."""
    said = NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
    return f"{said} {noun}{'s' * (number != 1)}"


# Above the table


def caption(reading: Reading, title: str) -> str:
    release = reading.release
    seeds = len(release.suite.seeds)
    said = f"{title} · {reading.encoder} · {count(seeds, 'seed')} · {_test_rows(reading)}"
    if reading.suffix:
        said += f" · reduced tasks ({reading.suffix})"
    if seeds < FEWEST_SEEDS:
        said += f". {count(seeds, 'seed').capitalize()}: intervals are over test rows alone"
    return said


def _test_rows(reading: Reading) -> str:
    rows = set()
    for (arm, _), cells in reading.cells.items():
        if arm == reading.baseline:
            for cell in cells:
                rows |= {scores.n for scores in cell.languages.values()}
    if not rows:
        return "no test rows"
    few, many = f"{min(rows):,}", f"{max(rows):,}"
    return f"{few if few == many else f'{few}-{many}'} test rows a language"


# Below it


def footnotes(reading: Reading) -> list[str]:
    """What qualifies no place of the table, but all of it."""
    said = ["Gain: score after training on the task first minus the baseline's, in points. "]
    few = len(reading.release.suite.seeds) < FEWEST_SEEDS
    over = "other test rows" if few else "other seeds and other test rows"
    said[0] += f"± and [ ]: 95% interval, for {over} of the same kind."
    if not few:
        said[0] += (
            " ▲ ▼: an effect after correction for all numbers of the table. Arrows and easy − hard"
            " describe these conditions; no other number depends on which were run."
        )
    else:
        said[0] += " Easy − hard describes these conditions; no other number depends on them."
    said += _fewer(reading)
    said += _not_counted(reading)
    return said


def _fewer(reading: Reading) -> list[str]:
    refused = [average for average in reading.ranked if average.rest is not None]
    if not refused:
        return []
    lost: dict[str, list[str]] = {}
    for average in refused:
        left = [t for t in reading.headline if t not in shown_mean(average).targets]
        lost[reading.condition(average.arm)] = [_why_lost(reading, average.arm, t) for t in left]
    said = "; ".join(f"{name}: {', '.join(why)}" for name, why in lost.items())
    return [f"(n): the mean over n target tasks only, which is not ranked. {said}."]


def _why_lost(reading: Reading, arm: str, target: str) -> str:
    cells = reading.cells.get((arm, target), [])
    leaks = any("leak" in cell.flags for cell in cells)
    return f"{reading.task(target)} {'trained on its test rows' if leaks else 'has no score'}"


def _not_counted(reading: Reading) -> list[str]:
    """Targets that stand in no average, and why."""
    release = reading.release
    named = release.suite.average_over
    at_chance, others = [], []
    for target in reading.targets:
        if target not in reading.headline:
            declared = not named or release.targets[target].task in named
            (at_chance if declared else others).append(target)
    said = []
    if at_chance:
        names = reading.tasks(at_chance)
        said.append(f"Baseline not above chance, so in no average: {names}.")
    if others:
        said.append(f"Not among the suite's headline targets: {reading.tasks(others)}.")
    return said


# Sentences


class Effect(NamedTuple):
    """A number of the table, and where it stands."""

    arm: str
    where: str
    number: Tested

    @property
    def tone(self) -> int:
        """1, -1: its own interval is above, below 0; 0: it contains 0, or is not known."""
        low, high = self.number.interval or (0.0, 0.0)
        return (low > 0) - (high < 0)


def sentences(reading: Reading) -> list[str]:
    """What helps, what hurts, what cannot be said and what it would take."""
    effects = list(_effects(reading))
    seeds = len(reading.release.suite.seeds)
    return [
        _one_way(reading, "Helps", [one for one in effects if reading.learned(one.arm)], 1, seeds),
        _one_way(reading, "Hurts", effects, -1, seeds),
        _open(reading, seeds),
    ]


def _effects(reading: Reading) -> Iterator[Effect]:
    """Of tasks and mixtures, averages first."""
    for average in reading.rivals:
        if average.rest is None:
            yield Effect(average.arm, "on average", average.overall.gain)
    for average in reading.rivals:
        for group in reading.groups:
            if mean := average.groups.get(group):
                yield Effect(average.arm, f"on {group_name(group)}", mean.gain)


def _one_way(reading: Reading, verb: str, effects: Sequence[Effect], side: int, seeds: int) -> str:
    """`side`: 1 for what is above 0, -1 below."""
    found = sorted(
        (one for one in effects if one.tone == side), key=lambda one: -abs(one.number.value or 0.0)
    )
    sure = [one for one in found if one.number.arrow]
    unsure = [one for one in found if not one.number.arrow]
    where = "above" if side > 0 else "below"
    but = "not after correction" if seeds >= FEWEST_SEEDS else f"of {count(seeds, 'seed')}"
    said = f"{verb}: {_listed(reading, sure)}."
    if unsure:
        said += f" Perhaps ({where} 0 alone, {but}): {_listed(reading, unsure)}."
    return said


def _listed(reading: Reading, found: Sequence[Effect]) -> str:
    if not found:
        return "nothing for sure"
    said = [
        f"{reading.condition(one.arm)} {one.where} {signed(one.number.value)}"
        f"{between(one.number.interval)}"
        for one in found[:MOST]
    ]
    more = len(found) - MOST
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def _open(reading: Reading, seeds: int) -> str:
    return f"Not known: {_easy_hard(reading)} {_what_it_takes(reading, seeds)}".strip()


def _easy_hard(reading: Reading) -> str:
    split = reading.split
    if split is None or split.overall.easy_minus_hard.value is None:
        easy, hard = (len(split.easy.arms), len(split.hard.arms)) if split else (0, 0)
        return f"whether easy tasks help more than hard ones: {easy} easy and {hard} hard here."
    number = split.overall.easy_minus_hard
    value = f"{signed(number.value)}{between(number.interval)}"
    return f"whether easy tasks help more than hard ones: easy − hard {value}. {split.why}"


def _what_it_takes(reading: Reading, seeds: int) -> str:
    if seeds < FEWEST_SEEDS:
        return (
            f"{count(seeds, 'seed').capitalize()} cannot tell an effect from what another seed"
            " would give: it takes three at least, and five to see more than the largest."
        )
    numbers = [average.overall.gain for average in reading.rivals if average.rest is None]
    of_rows = sum(number.rows or 0.0 for number in numbers)
    of_seeds = sum(number.seeds or 0.0 for number in numbers)
    if not of_rows + of_seeds:
        return ""
    most = "seeds" if of_seeds > of_rows else "test rows"
    return f"Most of the uncertainty is of {most}: more of them narrow the averages most."


# Encoders beside each other


def together(mine: Sequence[Reading]) -> str:
    """One line that compares encoders without an intermediate; "" for one."""
    if len(mine) < 2:
        return ""
    first, *others = mine
    said = [f"{first.encoder} {plain(first.scores[None].score.value)}"]
    for other in others:
        score = other.scores[None]
        apart = score.difference
        said.append(
            f"{other.encoder} {plain(score.score.value)}"
            + (f" ({signed(apart.value)}{between(apart.interval)})" if apart else "")
        )
    return f"Without an intermediate task, average score: {', '.join(said)}."


def score_notes(mine: Sequence[Reading]) -> list[str]:
    return []


def score_sentences(mine: Sequence[Reading]) -> list[str]:
    return []
