"""Which rows train, which select and which test, where file names say some of it or nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.common.errors import SpecError
from harness.draft.found import ENGLISH, FoundFiles
from harness.draft.table import listed
from harness.families import FAMILIES
from harness.families.columns import shown

WHOLE = "all"  # what the rows of a file without a split in its name are called
FEWEST_ROWS = 10  # of which parts are taken
# A label of this share of the rows must be in each part that is taken of them.
COMMON = 0.05

RowsYaml = dict[str, Any]
# (split as the file calls it or WHOLE, language) → how many rows
Counts = Mapping[tuple[str, str], int]


@dataclass
class Splits:
    """`train`, `dev` and `test` as YAML has them; `said`: what was decided, and why."""

    train: RowsYaml | None = None
    dev: RowsYaml | None = None
    test: RowsYaml | None = None
    said: list[str] = field(default_factory=list)


def splits_of(
    found: FoundFiles,
    languages: Sequence[str],
    family: str,
    role: str,
    train_task: str | None,
    parts: bool,
) -> Splits:
    """Which rows are which. `parts`: of one split take all. SpecError where nothing trains."""
    words = {phase: found.words(phase) for phase in ("train", "dev", "test")}
    for phase, several in words.items():
        if len(several) > 1:
            raise SpecError(
                f"files for {phase} under two names, {listed(several)}; give a path with {{split}}"
                " of one of them, or remove the other"
            )
    named = {phase: several[0] for phase, several in words.items() if several}
    if not named and (strange := sorted({word for word, _ in found.files if word})):
        raise SpecError(
            f"{{split}} is {listed(strange[:6])} here, and none of that is train, dev or test, or a"
            " word for them"
        )
    if not FAMILIES[family].trained:
        test = named.get("test") or next(iter(named.values()), WHOLE)
        return Splits(test={"split": test})
    if train_task:
        return _of_another(named, train_task)
    if parts and "train" not in named and len(named) > 1:
        named["train"] = named.pop("dev", "")  # of dev and test: parts of the former train
    whole = next(iter(named.values()), WHOLE)
    made = _whole(whole, role) if not named or (parts and len(named) == 1) else _named(named, role)
    _speak(made, found, languages)
    return made


def _of_another(named: Mapping[str, str], train_task: str) -> Splits:
    """Test rows alone; another task trains and selects."""
    test = named.get("test") or next(iter(named.values()), WHOLE)
    said = [f"trained and selected on the rows of task {train_task} (--train-task)"]
    return Splits({"task": train_task}, None, {"split": test}, said)


def _whole(word: str, role: str) -> Splits:
    """Parts of a file, or of one a language, that is all there is."""
    of = "no split in the file's name" if word == WHOLE else f"nothing but {word}"
    if role == "intermediate":
        said = [f"{of}: the first 80% of the rows train, the rest select"]
        return Splits({"split": f"{word}[:80%]"}, {"split": f"{word}[80%:]"}, None, said)
    return Splits(
        {"split": f"{word}[:60%]"},
        {"split": f"{word}[60%:80%]"},
        {"split": f"{word}[80%:]"},
        [f"{of}: the first 60% of the rows train, the next 20% select, the last 20% test"],
    )


def _named(named: Mapping[str, str], role: str) -> Splits:
    train, dev, test = (named.get(phase) for phase in ("train", "dev", "test"))
    if train is None:
        there = listed(named.values())
        raise SpecError(
            f"rows to train on are missing (there is: {there}). Put a train file beside them; or"
            " name a task of the same labels whose rows train, as --train-task mnli; or take parts"
            f" of {next(iter(named.values()))}: --parts"
        )
    if role == "intermediate" or test:
        if dev:
            return Splits({"split": train}, {"split": dev}, {"split": test} if test else None, [])
        return Splits(
            {"split": f"{train}[:90%]"},
            {"split": f"{train}[90%:]"},
            {"split": test} if test else None,
            [f"no dev file: the last 10% of {train} select"],
        )
    if dev:
        return Splits(
            {"split": f"{train}[:90%]"},
            {"split": f"{train}[90%:]"},
            {"split": dev},
            [f"no test file: {dev} tests, and the last 10% of {train} select in its place"],
        )
    return _whole(train, role)


def _speak(made: Splits, found: FoundFiles, languages: Sequence[str]) -> None:
    """In which language train and dev rows are, where not in English."""
    for phase, rows in (("train", made.train), ("dev", made.dev)):
        if rows is None:
            continue
        word = rows["split"].split("[")[0]
        there = sorted(language for split, language in found.files if split in (word, ""))
        spoken = [one for one in there if one] or list(languages)
        if ENGLISH in spoken:
            continue
        if len(spoken) == 1:
            rows["language"] = spoken[0]
        else:
            rows["languages"] = spoken
        made.said.append(f"no English rows for {phase}: those of {listed(spoken)}")


def refuse_unmixed(rows: Sequence[Mapping[str, Any]], label: str | None, parts: Splits) -> None:
    """SpecError where parts of the rows are taken, and the rows are too few, or so sorted that a
    part lacks a label that the others have.

    rows  those of which parts are taken, in the file's order
    """
    taken = [one["split"] for one in (parts.train, parts.dev, parts.test) if one and "split" in one]
    ranges = [bounds(expression) for expression in taken if "[" in expression]
    if not ranges:
        return
    if len(rows) < FEWEST_ROWS:
        raise SpecError(
            f"{len(rows)} rows are too few to take parts of; give train, dev and test files, or"
            f" {FEWEST_ROWS} rows and more"
        )
    if label is None:
        return
    values = [row.get(label) for row in rows]
    counts = Counter(value for value in values if not isinstance(value, list))
    for start, stop in ranges:
        part = set(values[int(len(rows) * start) : int(len(rows) * stop)] if counts else [])
        for value, count in counts.items():
            # where four are expected, none is there by chance twice in a hundred
            expected = count * (stop - start)
            if expected >= 4 and count >= COMMON * len(rows) and value not in part:
                raise SpecError(
                    f"the rows seem to be sorted by {label}: no row of {shown(value)} is among"
                    f" those from {start:.0%} to {stop:.0%}. Shuffle the file's rows, or give"
                    " train, dev and test files"
                )


def bounds(expression: str) -> tuple[float, float]:
    """Of `train[60%:80%]`: 0.6 and 0.8."""
    start, stop = expression.partition("[")[2].rstrip("]").split(":")
    return float(start.rstrip("%") or 0) / 100, float(stop.rstrip("%") or 100) / 100
