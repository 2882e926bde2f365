"""What a reader must know of a column, a row or a single cell of the board: each once, as a
footnote, with all the places that it qualifies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.common.text import signed
from harness.page.points import half
from harness.page.reading import AVERAGE, Reading, group_name
from harness.release.schema_derived import Average, ScoredCell

ALL = ""  # no condition: a whole column; no column: a whole row
Place = tuple[str, str]  # condition, column (kind of target, or AVERAGE)
NUMBERED, OWN_DATA, NOT_LEARNED = "⚠{}", "⚠", "†"

# Flags of languages, said of a target where most of its languages have it: nearly every target has
# one language at chance, and an English vocabulary lacks somebody's script.
OF_MOST = {
    "floor": "not above chance",
    "below_majority": "below the most frequent tag alone",
    "unknown": "over 5% unknown subwords",
    "truncated": "truncated rows",
    "constant": "one answer for every row",
}
# Flags of languages that are said of a target where one language has it.
OF_ANY = {
    "empty_text": "rows with an empty text",
    "misplaced": "answers that are not where the row says",
}
OVERLAP = "a few test rows in the training data"


@dataclass(frozen=True)
class Caution:
    """`mark`: of each of its places, and before its footnote."""

    mark: str
    text: str
    places: frozenset[Place]


@dataclass(frozen=True)
class Cautions:
    """In the order in which a reader meets them: columns, rows, cells."""

    listed: Sequence[Caution]

    @classmethod
    def of(cls, reading: Reading) -> "Cautions":
        said = {wrong_with(reading, group): {(ALL, group)} for group in reading.groups}
        said |= _not_learned_first(reading)
        numbered = [
            Caution(NUMBERED.format(number), text, frozenset(places))
            for number, (text, places) in enumerate(filter(all, said.items()), 1)
        ]
        of_cells = [_not_learned_then(reading), _own_data(reading)]
        return cls([*numbered, *(caution for caution in of_cells if caution.places)])

    def mark(self, condition: str, column: str) -> str:
        """The marks of the footnotes on just that place; "" for none."""
        return "".join(one.mark for one in self.listed if (condition, column) in one.places)

    @property
    def footnotes(self) -> list[str]:
        return [f"{caution.mark} {caution.text}" for caution in self.listed]


# Of columns: what is wrong with the baseline's numbers, and so with every gain


def wrong_with(reading: Reading, group: str) -> str:
    """One sentence on a kind of target; "" where nothing is wrong."""
    mine = {t: reading.cells.get((reading.baseline, t), []) for t in reading.groups[group]}
    said = []
    for flag, words in (OF_MOST | OF_ANY).items():
        where = [
            f"{reading.task(target)} {found}"
            for target, cells in mine.items()
            if (found := _of_languages(cells, flag))
        ]
        if where:
            said.append(f"{words} in {', '.join(where)} languages")
    having = [target for target, cells in mine.items() if "overlap" in flags_of(cells)]
    if having:
        said.append(f"{OVERLAP} of {reading.tasks(having)}")
    for target in filter(reading.not_zero_shot.get, mine):
        said.append(f"{target} not zero-shot: trained on {reading.not_zero_shot[target]}")
    return f"{group_name(group)}: {'; '.join(said)}." if said else ""


def _of_languages(cells: Sequence[ScoredCell], flag: str) -> str:
    """How many languages of how many have a flag; "" where that is not worth a word."""
    having, every = len(having_flag(cells, flag)), len(languages_of(cells))
    worth = having > 0 if flag in OF_ANY else 2 * having > every
    return f"{having}/{every}" if worth else ""


def languages_of(cells: Iterable[ScoredCell]) -> set[str]:
    return {language for cell in cells for language in cell.languages}


def having_flag(cells: Iterable[ScoredCell], flag: str) -> list[str]:
    """The languages that have a flag with any seed, by code."""
    found: set[str] = set()
    for cell in cells:
        found |= {language for language, scores in cell.languages.items() if flag in scores.flags}
    return sorted(found)


def flags_of(cells: Iterable[ScoredCell]) -> set[str]:
    return {flag for cell in cells for flag in cell.flags}


# Of rows and cells


def _not_learned_first(reading: Reading) -> dict[str, set[Place]]:
    """What is said of conditions whose task was not learned → where it is said."""
    alike: dict[str, list[str]] = {}  # conditions by with how many seeds that is so
    for arm in (average.arm for average in reading.rivals):
        lost, looked_at = reading.at_chance(arm)
        if lost:
            many = f" with {lost} of {looked_at} seeds" if looked_at > 1 else ""
            alike.setdefault(many, []).append(arm)

    said: dict[str, set[Place]] = {}
    for many, arms in alike.items():
        why = f"its own English dev is not above chance by three standard errors{many}"
        said[f"Not learned: {reading.conditions(arms)} ({why})."] = {(arm, ALL) for arm in arms}
    return said


def lost(reading: Reading, arm: str, target: str) -> bool:
    """Whether the baseline learned a target that was not learned after an intermediate task."""
    is_at_chance = [
        "unlearned" in flags_of(reading.cells.get((one, target), []))
        for one in (reading.baseline, arm)
    ]
    return is_at_chance == [False, True]


def _not_learned_then(reading: Reading) -> Caution:
    arms = [average.arm for average in reading.ranked]
    found: dict[str, list[str]] = {}
    for target in reading.headline:
        for arm in arms:
            if lost(reading, arm, target):
                found.setdefault(target, []).append(arm)
    said = "; ".join(
        f"{reading.task(target)} after {reading.conditions(arms)}" for target, arms in found.items()
    )
    text = f"The target was not learned then (at chance in English): {said}."
    places = {(arm, reading.group(target)) for target, arms in found.items() for arm in arms}
    return Caution(NOT_LEARNED, text, frozenset(places))


def _own_data(reading: Reading) -> Caution:
    having = [average for average in reading.ranked if average.own_data]
    places = {(average.arm, AVERAGE) for average in having}
    for average in having:
        places |= {(average.arm, reading.group(target)) for target in average.own_data}
    # of parts and controls it stands in the table of averages
    rivals = [average for average in having if average in reading.rivals]
    text = "Trained first on a target's own data, so the gain may be that of more rows."
    if rivals:
        without = ", ".join(_without(reading, average) for average in rivals)
        text += f" Average gain without such targets: {without}."
    return Caution(OWN_DATA, text, frozenset(places))


def _without(reading: Reading, average: Average) -> str:
    other, name = average.without_own, reading.condition(average.arm)
    if other is None or not other.targets:
        return f"{name} none"
    return f"{name} {signed(other.gain.value)}{half(other.gain)} ({len(other.targets)})"
