"""Which labels a task has, and what a file calls them."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.common.errors import SpecError
from harness.families.columns import kind, plain, shown
from harness.spec.task import Task

# A list longer than this belongs into a file of its own.
MOST_LABELS = 500
BIO = re.compile(r"O|[BIES]-.+")
NUMBER = re.compile(r"-?\d{1,9}")
UNLABELLED = ("-1", -1, "-")  # SNLI, and test sets whose labels are secret
# Above this share of the rows, -1 is a class, such as bad beside 0 and 1, unless names say else.
MOST_UNLABELLED = 0.05
SKIPPED = {"-1", -1, "-100", -100}  # tags of subwords that a training skips


@dataclass
class Classes:
    """The labels of a task, as its YAML has them: names in order, or name → value in the data.

    without  the value that stands for no label; such rows are left out
    numbers  the names are numbers, so that nobody knows yet what they mean
    """

    labels: list[str] | dict[str, str | int | bool]
    counts: Counter[Any]
    without: str | None = None
    numbers: bool = False
    said: list[str] = field(default_factory=list)

    @property
    def majority(self) -> float:
        """The share of the most frequent label, in percent."""
        (_, count), *_ = self.counts.most_common(1)
        return 100 * count / self.counts.total()


def classes_of(column: str, values: Sequence[Any], names: Sequence[str] | None = None) -> Classes:
    """The labels in these values, one a row or a word.

    names   what the file itself calls the numbers from 0 on
    raises  SpecError: values that are no classes, and what to do
    """
    _refuse_no_classes(column, values)
    counts = Counter(int(v) if isinstance(v, float) else v for v in values)
    without, said = None, []
    if hidden := [value for value in UNLABELLED if value in counts]:
        count = counts[hidden[0]]
        if names or count < MOST_UNLABELLED * len(values):
            without = str(hidden[0])
            del counts[hidden[0]]
            said = [left_out(count, hidden[0])]
        else:
            said = [f"{hidden[0]} is taken as a label, that of {count} rows; or does it say: none?"]
    if len(counts) < 2:
        only = f"{shown(next(iter(counts)))} in every row" if counts else "no label in any row"
        raise SpecError(
            f"column {column} holds {only}: of one class nothing can be learned; is another column"
            " the label? (--label)"
        )
    if len(counts) > MOST_LABELS:
        raise SpecError(
            f"column {column} has {len(counts):,} different values, which are too many for a list;"
            " if they are classes, write one a line into a file and name it under `source:"
            " {label_file: FILE}`, else name another column with --label"
        )
    if names and all(isinstance(one, int) and 0 <= one < len(names) for one in counts):
        said.append(f"their names are those that the file itself gives to 0 to {len(names) - 1}")
        return Classes(list(names), counts, without, said=said)
    found = _named(counts, without)
    found.said[:0] = said
    return found


def tags_of(column: str, tags: Sequence[Any], names: Sequence[str] | None = None) -> Classes:
    """The same of words. A word without a tag cannot be left out of its sentence."""
    if skipped := SKIPPED & {tag for tag in tags if isinstance(tag, str | int)}:
        raise SpecError(
            f"column {column} has the tag {shown(min(skipped, key=str))}, by which a training skips"
            " parts of words; give every word a tag"
        )
    return classes_of(column, tags, names)


def left_out(rows: int, value: str | int) -> str:
    """What is said of rows without a label, that have this one."""
    return f"{rows} rows with label {value} are left out, which says that there is none"


def _refuse_no_classes(column: str, values: Sequence[Any]) -> None:
    for number, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value.strip()):
            raise SpecError(
                f"column {column} has nothing in row {number} (from 0): give it a label, or leave"
                " the row out"
            )
        if isinstance(value, float) and not value.is_integer():
            raise SpecError(
                f"column {column} holds numbers such as {value:g}, which are no classes; sort them"
                " into classes, or name another column with --label"
            )
        if not isinstance(value, str | int | float):
            raise SpecError(f"column {column} holds {kind(value)}, {shown(value)}; see --label")
    kinds = {str: "text", bool: "true and false"}  # else a number
    of_each = {kinds.get(type(value), "numbers"): value for value in values}
    if len(of_each) > 1:
        raise SpecError(
            f"column {column} holds both {' and '.join(sorted(of_each, reverse=True))}, such as"
            f" {' and '.join(map(shown, of_each.values()))}: write all of them one way"
        )


def _named(counts: Counter[Any], without: str | None) -> Classes:
    """Names by their order: numbers by size, tags with O first, texts by the alphabet."""
    if any(isinstance(value, bool) for value in counts):
        return Classes({plain(value): value for value in sorted(counts)}, counts, without)
    numeric = all(NUMBER.fullmatch(str(value)) for value in counts)
    if numeric:
        ordered = sorted(counts, key=lambda value: int(value))
        return Classes({str(one): one for one in ordered}, counts, without, numbers=True)
    if is_bio(counts):
        return Classes(sorted(counts, key=_by_entity), counts, without)
    return Classes(sorted(counts), counts, without, said=_of_one_name(counts))


def _of_one_name(counts: Counter[Any]) -> list[str]:
    """A warning of labels that differ in upper and lower case alone."""
    alike: dict[str, list[str]] = {}
    for name in sorted(counts):
        alike.setdefault(name.strip().casefold(), []).append(name)
    same = [" and ".join(names) for names in alike.values() if len(names) > 1]
    if not same:
        return []
    return [
        f"WARNING: {', '.join(same)} differ by upper and lower case only, and are taken as labels"
        " of their own; if they mean the same, write them one way"
    ]


def like(classes: Classes, trains: Task) -> str:
    """Give the labels the names of the task whose rows train. Returns what was decided.

    raises  SpecError: they are others
    """
    names, there = trains.label_names, list(classes.counts)
    if all(one in names for one in there):
        classes.labels = names
        return f"in the order of {trains.task}"
    values = trains.labels if isinstance(trains.labels, dict) else {}
    places = {name: values.get(name, i) for i, name in enumerate(names)}
    if not {str(one) for one in there} <= set(map(str, places.values())):
        raise SpecError(
            f"labels {', '.join(map(str, there[:8]))} are not those of {trains.task}"
            f" ({', '.join(names[:8])}), whose rows are to train"
        )
    of_text = isinstance(there[0], str)
    classes.numbers = False
    if of_text or not any(isinstance(one, bool) for one in places.values()):
        places = {name: str(one) if of_text else int(one) for name, one in places.items()}
    classes.labels = dict(places)
    said = ", ".join(f"{one} {name}" for name, one in list(places.items())[:8])
    return f"the numbers are taken to mean what they mean in {trains.task} ({said}): do they?"


def is_bio(tags: Collection[Any]) -> bool:
    """Whether all tags are O, or B- and I- of something."""
    return all(isinstance(tag, str) and BIO.fullmatch(tag) for tag in tags) and len(tags) > 1


def _by_entity(tag: str) -> tuple[str, str]:
    """O, then B- and I- of one kind after the other."""
    inside, _, name = tag.partition("-")
    return name, inside
