"""What a reader must know of a column, a row or a single cell of the board: each once, as a
numbered footnote, with all the places that it qualifies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.common.text import signed
from harness.page.points import half
from harness.page.reading import Reading, group_name
from harness.release.schema_derived import Average, MeanGain, ScoredCell

ALL = ""  # no condition: a whole column; no column: a whole row
AVERAGE = "average"  # the column of it
Place = tuple[str, str]  # condition, column (kind of target, or AVERAGE)

# Flags of languages, said of a target where most of its languages have it: nearly every target has
# one language at chance, and an English vocabulary lacks somebody's script.
OF_LANGUAGES = {
    "floor": "not above chance",
    "below_majority": "less accurate than always giving the most frequent tag",
    "unknown": "over 5% of the subwords unknown to the encoder",
    "few_rows": "under 50 test rows",
    "truncated": "over 1% of the rows cut short",
}
# Flags of languages that are said of a target where one language has it.
OF_ANY = {
    "constant": "one answer for every row",
    "empty_text": "rows with an empty text",
    "misplaced": "answers that are not where the row says",
}
OF_CELLS = {
    "overlap": "a few test rows stand in the training rows",
    "placeholder": "test labels that carry no information",
}


@dataclass(frozen=True)
class Caution:
    text: str
    places: frozenset[Place] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Cautions:
    """Numbered in the order in which a reader meets them: columns, then rows and cells."""

    listed: Sequence[Caution]

    @classmethod
    def of(cls, reading: Reading) -> "Cautions":
        found = [_column(reading, group, targets) for group, targets in reading.groups.items()]
        found += [_unlearned_conditions(reading), _unlearned_targets(reading), _own_data(reading)]
        return cls([caution for caution in found if caution.text])

    def mark(self, condition: str, column: str) -> str:
        """⚠ and the numbers of the footnotes on just that place; "" for none."""
        at = condition, column
        numbers = [str(n) for n, one in enumerate(self.listed, 1) if at in one.places]
        return "⚠" + ",".join(numbers) if numbers else ""

    @property
    def footnotes(self) -> list[str]:
        return [f"⚠{n} {caution.text}" for n, caution in enumerate(self.listed, 1)]


def _column(reading: Reading, group: str, targets: Sequence[str]) -> Caution:
    """What is wrong with the baseline's numbers, and so with every gain of the column."""
    said = [f"{reading.task(t)}: {wrong}" for t in targets if (wrong := _wrong(reading, t))]
    text = f"In {group_name(group)}, {'; '.join(said)}." if said else ""
    return Caution(text, frozenset([(ALL, group)]))


def _wrong(reading: Reading, target: str) -> str:
    cells = reading.cells.get((reading.baseline, target), [])
    return ", ".join([*_of_languages(cells), *_of_cells(cells)])


def _of_languages(cells: Sequence[ScoredCell]) -> list[str]:
    found = []
    for flag, words in (OF_LANGUAGES | OF_ANY).items():
        having = having_flag(cells, flag)
        every = {language for cell in cells for language in cell.languages}
        if (flag in OF_ANY and having) or 2 * len(having) > len(every):
            found.append(f"{words} in {len(having)} of {len(every)} languages")
    return found


def having_flag(cells: Iterable[ScoredCell], flag: str) -> list[str]:
    """The languages that have a flag with any seed, by code."""
    found = set()
    for cell in cells:
        found |= {language for language, scores in cell.languages.items() if flag in scores.flags}
    return sorted(found)


def _of_cells(cells: Sequence[ScoredCell]) -> list[str]:
    flags = {flag for cell in cells for flag in cell.flags}
    return [words for flag, words in OF_CELLS.items() if flag in flags]


# Of rows and single cells


def _unlearned_conditions(reading: Reading) -> Caution:
    arms = [one.arm for one in reading.ranked if not reading.learned(one.arm)]
    text = (
        f"{_names(reading, arms)}: not above chance on English dev after training on it: the"
        " encoder did not learn it, so it is neither easy nor hard, and never named best."
    )
    return Caution(text if arms else "", frozenset((arm, ALL) for arm in arms))


def _unlearned_targets(reading: Reading) -> Caution:
    """Targets that the baseline learned, and that were not learned after an intermediate task."""
    found = _cells_where(reading, lambda flags: "unlearned" in flags)
    said = "; ".join(
        f"{reading.tasks(targets)} after {_names(reading, [arm])}" for arm, targets in found.items()
    )
    text = f"Not above chance in English, so not learned: {said}." if said else ""
    return Caution(text, _places(reading, found))


def _own_data(reading: Reading) -> Caution:
    found = {one.arm: one.own_data for one in reading.ranked if one.own_data}
    without = [_without(reading, one) for one in reading.ranked if one.own_data]
    text = (
        "The condition trained first on the data set of a target of this column, so its gain may be"
        f" that of more rows of one kind. Average gain without: {', '.join(without)}."
    )
    places = _places(reading, found) | {(arm, AVERAGE) for arm in found}
    return Caution(text if found else "", places)


def _without(reading: Reading, average: Average) -> str:
    other = average.without_own or MeanGain(gain=average.overall.gain, targets=[])
    name = reading.condition(average.arm)
    if not other.targets:
        return f"{name} none"
    return f"{name} {signed(other.gain.value)}{half(other.gain)} over {len(other.targets)}"


def _cells_where(reading: Reading, holds: Callable[[set[str]], bool]) -> dict[str, list[str]]:
    """Condition → headline targets with such flags on a cell, in the board's order."""
    found: dict[str, list[str]] = {}
    for average in reading.ranked:
        for target in reading.headline:
            cells = reading.cells.get((average.arm, target), [])
            if holds({flag for cell in cells for flag in cell.flags}):
                found.setdefault(average.arm, []).append(target)
    return found


def _places(reading: Reading, found: dict[str, list[str]]) -> frozenset[Place]:
    facts = reading.release.targets
    return frozenset((arm, facts[t].group) for arm, targets in found.items() for t in targets)


def _names(reading: Reading, arms: Iterable[str]) -> str:
    return ", ".join(map(reading.condition, arms))
