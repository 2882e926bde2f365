"""Which rows train, which select and which test, where file names say some of it or nothing; and
whether parts of files may be taken for that."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.common.errors import SpecError
from harness.common.text import some
from harness.draft.found import PHASE_OF, At
from harness.families import FAMILIES
from harness.families.columns import shown
from harness.sources.text_files import RawRow
from harness.spec.languages import ENGLISH
from harness.spec.split_part import SplitPart
from harness.spec.task import split_parts

WHOLE = "all"  # what the rows of a file without a split in its name are called
FEWEST_ROWS = 10  # of which parts are taken
# A label of this share of the rows must be in each part that is taken of them.
COMMON = 0.05

RowsYaml = dict[str, Any]
Read = Mapping[At, list[RawRow]]


@dataclass
class Splits:
    """`train`, `dev` and `test` as YAML has them; `said`: what was decided, and why."""

    train: RowsYaml | None = None
    dev: RowsYaml | None = None
    test: RowsYaml | None = None
    said: list[str] = field(default_factory=list)

    @property
    def fitted(self) -> list[RowsYaml]:
        """Those of the task's own rows that train or select."""
        return [one for one in (self.train, self.dev) if one and "split" in one]

    @property
    def parts(self) -> list[SplitPart]:
        """Which parts of files are taken."""
        own = [*self.fitted, *([self.test] if self.test else [])]
        return [one for rows in own for one in split_parts(rows["split"]) if one.start or one.stop]


def splits_of(
    places: Collection[At], family: str, role: str, train_task: str | None, parts: bool
) -> Splits:
    """Which rows are which. `places`: where rows are; `parts`: of one split take all. SpecError
    where nothing trains."""
    named = _named_splits(places)
    if not FAMILIES[family].trained or train_task:
        made = Splits(test={"split": named.get("test") or next(iter(named.values()), WHOLE)})
        if FAMILIES[family].trained:
            made.train = {"task": train_task}
            made.said = [f"trained and selected on the rows of task {train_task} (--train-task)"]
        return made
    if parts and "train" not in named and len(named) > 1:
        named["train"] = named.pop("dev", "")  # of dev and test: parts of the former train
    if not named or (parts and len(named) == 1):
        made = _of_one(next(iter(named.values()), WHOLE), role)
    else:
        made = _of_several(named, role)
    _say_languages(made, places)
    return made


def _named_splits(places: Collection[At]) -> dict[str, str]:
    """train, dev, test → how the files call it. SpecError where one has two names, or all other
    ones."""
    named: dict[str, str] = {}
    words = dict.fromkeys(word for word, _ in places if word)
    for word in words:
        phase = PHASE_OF.get(word.lower())
        if phase in named:
            raise SpecError(
                f"files for {phase} under two names, {named[phase]}, {word}; give a path with"
                " {split} of one of them, or remove the other"
            )
        if phase:
            named[phase] = word
    if words and not named:
        raise SpecError(
            f"{{split}} is {some(sorted(words), 6)} here, and none of that is train, dev or test,"
            " or a word for them"
        )
    return named


def _of_one(word: str, role: str) -> Splits:
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


def _of_several(named: Mapping[str, str], role: str) -> Splits:
    train, dev, test = (named.get(phase) for phase in ("train", "dev", "test"))
    if train is None:
        raise SpecError(
            f"rows to train on are missing (there is: {', '.join(named.values())}). Put a train"
            " file beside them; or name a task of the same labels whose rows train, as --train-task"
            f" mnli; or take parts of {next(iter(named.values()))}: --parts"
        )
    if role != "intermediate" and not (dev or test):
        return _of_one(train, role)
    last = f"the last 10% of {train} select"
    made = Splits({"split": f"{train}[:90%]"}, {"split": f"{train}[90%:]"})
    if dev and not test and role != "intermediate":
        test, made.said = dev, [f"no test file: {dev} tests, and {last} in its place"]
    elif dev:
        made.train, made.dev = {"split": train}, {"split": dev}
    else:
        made.said = [f"no dev file: {last}"]
    made.test = {"split": test} if test else None
    return made


def _say_languages(made: Splits, places: Collection[At]) -> None:
    """In which language train and dev rows are, where not in English."""
    for phase, rows in (("train", made.train), ("dev", made.dev)):
        assert rows
        spoken = sorted({language for _, language in _of_split(rows["split"], places)})
        if ENGLISH in spoken:
            continue
        rows |= {"language": spoken[0]} if len(spoken) == 1 else {"languages": spoken}
        made.said.append(f"no English rows for {phase}: those of {', '.join(spoken)} are taken")


def _of_split(expression: str, places: Iterable[At]) -> list[At]:
    """The places that `train[60%:80%]` is of; a file that names no split is of any."""
    names = ["", *(part.name for part in split_parts(expression))]
    return [at for at in places if at[0] in names]


# Parts of files


def refuse_split_column(read: Read) -> None:
    """SpecError where a column says which rows train and which are tested: parts by the order of
    the rows would mix them."""
    rows = [row for some in read.values() for row in some]
    for column in dict.fromkeys(name for row in rows for name in row):
        if column.lower() not in ("split", "set", "subset", "partition", "fold"):
            continue
        words = {str(row.get(column)).lower() for row in rows}
        if len(words) > 1 and words <= set(PHASE_OF):
            raise SpecError(
                f"column {column} says {', '.join(sorted(words))}: put those rows into files of"
                " their own, as train.csv and test.csv; or say --parts, to take parts by their"
                " order whatever it says"
            )


def refuse_unmixed(read: Read, splits: Splits, label: str | None) -> None:
    """SpecError where parts are taken of rows that are too few, or so sorted that a part lacks a
    label that the others have. `label`: its column."""
    if not splits.parts:
        return
    fit = _of_split(splits.fitted[0]["split"], read)
    rows = read[min(fit, key=lambda at: at[1] != ENGLISH)]
    if len(rows) < FEWEST_ROWS:
        raise SpecError(
            f"{len(rows)} rows are too few to take parts of; give train, dev and test files, or"
            f" {FEWEST_ROWS} rows and more"
        )
    values = [row.get(label) for row in rows] if label else []
    for part in splits.parts:
        start, stop = part.bounds(len(rows))
        there = set(values[start:stop])
        for value, count in Counter(values).items():
            # where four are expected, none is there by chance twice in a hundred
            expected = count * (stop - start) / len(rows)
            if expected >= 4 and count >= COMMON * len(rows) and value not in there:
                raise SpecError(
                    f"the rows seem to be sorted by {label}: no row of {shown(value)} is among rows"
                    f" {start} to {stop}. Shuffle the file's rows, or give train, dev and test"
                    " files"
                )


def refuse_leak(read: Read, splits: Splits, column: str) -> None:
    """SpecError where test rows of one language are parts of a file, and have ids of rows that
    train or select in another: most likely their translations. `column`: of the ids."""
    if splits.test is None or "[" not in splits.test["split"]:
        return
    fitted: dict[Any, At] = {}
    for one in splits.fitted:
        spoken = one.get("languages", [one.get("language", ENGLISH)])
        fitted |= {row: at for at, row in _ids(read, one, column) if at[1] in spoken}
    for at, row in _ids(read, splits.test, column):
        other = fitted.get(row, at)
        if other != at:
            raise SpecError(
                f"{column} {row} is a test row in {at[1]} and trains or selects in {other[1]}:"
                " parts are taken by the order of the rows, and the languages do not have the same"
                f" {column} in the same order, so that translations of rows that train would be"
                f" tested. Sort all languages alike (by the same shuffled {column}), or give train,"
                " dev and test files"
            )


def _ids(read: Read, rows: RowsYaml, column: str) -> Iterator[tuple[At, Any]]:
    """Where each row is, and its id."""
    (part,) = split_parts(rows["split"])
    for at in _of_split(part.name, read):
        start, stop = part.bounds(len(read[at]))
        yield from ((at, row[column]) for row in read[at][start:stop])
