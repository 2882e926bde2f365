"""A task from its files: what they say is guessed, and every guess is said."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from statistics import quantiles
from typing import Any

from harness.common.errors import SpecError
from harness.common.text import some
from harness.draft.classes import UNLABELLED, Classes, classes_of, is_bio, left_out, like, tags_of
from harness.draft.found import PHASE_OF, TOKENS, At, FoundFiles, code_of, found_at
from harness.draft.guess import LANGUAGES, Guess, Wishes, guessed
from harness.draft.split_rows import (
    Read,
    Splits,
    refuse_leak,
    refuse_split_column,
    refuse_unmixed,
    splits_of,
)
from harness.draft.table import SeenTable, refuse_no_header
from harness.draft.token_columns import token_columns
from harness.families import FAMILIES
from harness.families.columns import named_columns, shown
from harness.sources.aligned import pairs_of_lines
from harness.sources.conll import Columns
from harness.sources.read import read_file
from harness.sources.split_files import class_names
from harness.sources.text_files import RawRow
from harness.spec.formats import PACKED
from harness.spec.languages import ENGLISH, ISO_639_1
from harness.spec.task import Task
from harness.spec.template import placeholders
from harness.store import signature

# Texts of up to so many subwords; about so many characters make one, and so many are added.
LENGTHS, CHARACTERS_PER_SUBWORD, SPECIAL = (128, 256, 384, 512), 3.5, 3
SPAN_QA_LENGTH = 384
# From this share of one label on, accuracy hides what is learned of the others.
DOMINATES = 80.0

WORD, PLACEHOLDER = re.compile(r"[A-Za-z0-9]+"), re.compile(r"\{[a-z]+\}")
NO_NAME = {*PHASE_OF, "of"}
# what the hub calls the only configuration of a dataset, and where files lie of whatever kind
NO_FOLDER = {"plain_text", "default", "data", "dataset", "datasets", "raw", "downloads", "tmp"}


@dataclass
class Drafted:
    """A task as it will be written. `said`: what was guessed and why, for the user."""

    name: str
    found: FoundFiles
    wanted: Wishes
    guess: Guess
    rows: Sequence[RawRow]
    languages: list[str] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    splits: Splits = field(default_factory=Splits)
    classes: Classes | None = None
    max_length: int = LENGTHS[0]
    said: dict[str, str] = field(default_factory=dict)

    @property
    def role(self) -> str:
        return "intermediate" if self.guess.family == "mlm" else self.wanted.role


def drafted(path: str, wanted: Wishes, trains: Task | None = None) -> Drafted:
    """The task that lies at a path. `trains`: the one whose rows train it. SpecError: what it
    takes to tell."""
    wanted.refuse_unknown()
    found = found_at(path, wanted.language)
    tokens = found.suffix in (*TOKENS, ".conll")
    conll = token_columns(found.first, found.suffix) if tokens else None
    read = {at: _rows(files, conll) for at, files in found.files.items()}
    rows = list(chain.from_iterable(read.values()))
    table = SeenTable.of(rows, len(read))
    if found.suffix in (".csv", ".tsv"):
        refuse_no_header(str(found.first), table)
    if "part" in placeholders(found.template) and not wanted.family:
        wanted = replace(wanted, family="retrieval")  # two files, a sentence a line
    task = Drafted(wanted.name or name_of(found, path), found, wanted, guessed(table, wanted), rows)
    _refuse_other_columns(found, read, task.guess)
    if conll:
        task.source["conll"] = conll
    _fill_in(task, _by_language(task, read))
    if trains and task.classes:
        task.said["labels"] = like(task.classes, trains)
    return task


def _fill_in(task: Drafted, read: Read) -> None:
    """What hangs on the family, and on which rows are of which language."""
    guess, wanted = task.guess, task.wanted
    ids = _ids(read)
    if ids:
        guess.columns = {"id": ids, **guess.columns}
    if not wanted.parts:
        refuse_split_column(read)
    _refuse_hidden(read, guess.label_column)
    task.classes = _classes(task)
    task.splits = splits_of(read, guess.family, task.role, wanted.train_task, wanted.parts)
    if left := [file.name for file in task.found.left]:
        task.splits.said.append(f"left out: {some(left, 6)}; that is no language known here")
    of_a_row = task.classes is not None and guess.family != "tagging"
    refuse_unmixed(read, task.splits, guess.label_column if of_a_row else None)
    if ids:
        refuse_leak(read, task.splits, ids)

    tested = _tested(task, read)
    task.languages = sorted(tested, key=lambda one: (one != ENGLISH, one))
    if task.splits.test and _parallel(guess, list(tested.values())):
        task.splits.test["parallel"] = True
    _say_metric(task)
    task.max_length = _length(guess, task.rows)


def _refuse_other_columns(found: FoundFiles, read: Read, guess: Guess) -> None:
    """SpecError where one of several files lacks a column that is read."""
    needed = list(chain.from_iterable(map(named_columns, guess.columns.values())))
    for at, rows in read.items():
        there = set(chain.from_iterable(rows))
        # a name with a dot may be that of a field
        lacking = [name for name in needed if not {name, name.split(".")[0]} & there]
        if lacking:
            raise SpecError(
                f"{found.files[at][0]}: no column {lacking[0]}, which other files of the task have;"
                f" there are {', '.join(sorted(there))}. Name its columns as they do, or leave the"
                " file out"
            )


def _refuse_hidden(read: Read, column: str | None) -> None:
    """SpecError where no row of a split has a label, as where those of test rows are secret."""
    for (split, _), rows in read.items():
        if column and len(read) > 1 and all(row.get(column) in UNLABELLED for row in rows):
            raise SpecError(
                f"column {column} has {rows[0][column]} in every row of {split or 'a file'}, as"
                " where test labels are secret: nothing can be scored there; leave that file out"
            )


def name_of(found: FoundFiles, path: str) -> str:
    """What the files' own names say beside split and language, else their folders'; of one file
    only those folders that the user wrote, else all of its name."""
    plain = found.template.removesuffix(PACKED).removesuffix(found.suffix or ".txt")
    folder, _, own = plain.rpartition("/")
    alone = len(found.files) == 1 and Path(path).is_file()
    folders = Path(path).parent.parts if alone else folder.split("/")
    for part in (own, *reversed(folders)):
        words = WORD.findall(PLACEHOLDER.sub("", part))
        # of a shard "train-00000-of-00001" nothing is a name
        kept = [word for word in words if not word.isdigit() and word.lower() not in NO_NAME]
        if kept and part not in NO_FOLDER and (part == own or code_of(part) is None):
            return "_".join(kept).lower()
    called = "_".join(WORD.findall(found.first.name.split(".")[0])).lower() if alone else ""
    if re.search("[a-z]", called):
        return called
    raise SpecError(f"{path}: its name makes no name of a task; say one with --name")


# Rows


def _rows(files: tuple[Path, ...], conll: Mapping[str, Any] | None) -> list[RawRow]:
    if len(files) == 2:
        return pairs_of_lines(*files)
    columns = Columns(**conll) if conll else None
    return read_file(files[0], tuple(signature(files[0])), (), columns)


def _by_language(task: Drafted, read: Read) -> Read:
    """Each language's rows: as the files or a column say, else the user, else English, unless a
    column is of a foreign language."""
    found, foreign = task.found, task.guess.columns.get("source")
    columns = dict.fromkeys(chain.from_iterable(task.rows))
    column = next((name for name in columns if name.lower() in LANGUAGES), None)
    if found.names:
        task.source["names"] = found.names
    if asked := task.wanted.language:
        why, spoken = "--language", code_of(asked)
        if column and spoken in map(code_of, {str(row.get(column)) for row in task.rows}):
            return _by_column(column, task, read, spoken)
    elif found.languages:
        task.said["languages"] = "the files' names"
        return read
    elif found.spoken:
        why, spoken = "the folder's name", found.spoken
    elif column:
        return _by_column(column, task, read)
    elif isinstance(foreign, str) and foreign in ISO_639_1:
        why, spoken = "the columns' names", foreign
    elif foreign:
        raise SpecError(
            "sentences and their English translations: in which language are the former? Say it"
            " with --language"
        )
    else:
        why, spoken = "nothing says another (--language)", ENGLISH
    task.said["languages"] = why
    return {(split, str(spoken)): rows for (split, _), rows in read.items()}


def _by_column(column: str, task: Drafted, read: Read, only: str | None = None) -> Read:
    """As a column says, in codes, in names, or with a region; SpecError for what is neither.
    `only`: rows of that language."""
    told: dict[At, list[RawRow]] = {}
    names: dict[str, str] = {}
    for (split, _), rows in read.items():
        for row in rows:
            word = row.get(column)
            code = code_of(word) if isinstance(word, str) else None
            if code is None:
                raise SpecError(
                    f"column {column} has {shown(word)}, which names no language; write codes such"
                    " as en and de; or say with --language that all rows are of one"
                )
            if names.setdefault(code, str(word)) != word:
                raise SpecError(
                    f"column {column} has {shown(names[code])} and {shown(word)}, both of language"
                    f" {code}; write one of them"
                )
            told.setdefault((split, code), []).append(row)
    if only:
        told = {at: rows for at, rows in told.items() if at[1] == only}
        names = {only: names[only]}
    task.said["languages"] = f"column {column}"
    other = {code: word for code, word in names.items() if code != word}
    if other:
        task.source["names"] = other
    task.source["where"] = {column: "{name}" if other else "{language}"}
    return told


def _ids(read: Read) -> str | None:
    """A column of ids: called so, and of one row each in every language of a file."""
    every = [SeenTable.of(rows).columns for rows in read.values()]
    for name, column in every[0].items():
        if column.is_id and column.kind in ("text", "number"):
            of_each = [columns.get(name) for columns in every]
            if all(one and len(one.distinct) == one.rows for one in of_each):
                return name
    return None


def _tested(task: Drafted, read: Read) -> dict[str, list[RawRow]]:
    """Language → its test rows' file; where nothing is tested, that of any rows."""
    word = "" if task.splits.test is None else task.splits.test["split"].split("[")[0]
    return {at[1]: rows for at, rows in read.items() if not word or at[0] in (word, "")}


# What else a task says


def _classes(task: Drafted) -> Classes | None:
    guess, column = task.guess, task.guess.label_column
    if not FAMILIES[guess.family].labelled or not (column or "answer" in guess.columns):
        return None
    column = column or ""  # of choices whose right one is said by its text
    values = [row.get(column) for row in task.rows]
    names = class_names(None, None, task.found.first).get(column)
    if guess.family == "multiple_choice":
        classes = _places_of_choices(guess, task.rows)
    elif guess.family == "tagging":
        classes = tags_of(column, [tag for sentence in values for tag in sentence or []], names)
        if is_bio(classes.counts):
            guess.metric = "span_f1"
    else:
        classes = classes_of(column, values, names)
    if classes.without is not None:
        task.source["unless"] = {column: classes.without}
    return classes


def _places_of_choices(guess: Guess, rows: Sequence[RawRow]) -> Classes:
    """The labels of choices are their places. A file may call them 0, 1, ..; 1, 2, ..; A, B, .."""
    letters = [chr(ord("a") + i) for i in range(_choices(guess, rows))]
    if "answer" in guess.columns:
        return Classes(letters, Counter(letters))
    label = str(guess.columns["label"])
    known = [row for row in rows if row.get(label) not in UNLABELLED]
    if own := _own_names(guess, known):
        places = [names.index(row[label]) for names, row in zip(own, known, strict=True)]
        found = Classes(letters, Counter(letters[place] for place in places))
    else:
        found = classes_of(label, [row.get(label) for row in known])
        found.numbers, found.labels = False, _of_letters(label, letters, found.labels)
    if len(known) < len(rows):
        hidden = next(row[label] for row in rows if row.get(label) in UNLABELLED)
        found.without, found.said = str(hidden), [left_out(len(rows) - len(known), hidden)]
    return found


def _of_letters(
    column: str, letters: list[str], labels: list[str] | dict[str, str | int | bool]
) -> list[str] | dict[str, str | int | bool]:
    """Letter → what the file calls the choice at its place."""
    if not isinstance(labels, dict):
        if not {name.lower() for name in labels} <= set(letters):
            return labels
        upper = labels[0].isupper()
        return {letter: letter.upper() if upper else letter for letter in letters}
    values = list(labels.values())
    places = [int(value) for value in values]
    if min(places) > 0 and max(places) < len(letters):
        raise SpecError(
            f"column {column} has {min(places)} to {max(places)}, of {len(letters)} choices:"
            f" counted from 0 or from 1? Write letters in their place, A to {letters[-1].upper()}"
        )
    start = 0 if min(places) == 0 else 1
    text = isinstance(values[0], str)
    return {letter: str(start + i) if text else start + i for i, letter in enumerate(letters)}


def _own_names(guess: Guess, rows: Sequence[RawRow]) -> list[list[str]]:
    """How each row calls its own choices, where they differ in that and its label is one of them:
    in ARC mostly A to D."""
    column, dot, _ = str(guess.columns["choices"]).partition(".")
    label = str(guess.columns["label"])
    names = [row[column].get("label") for row in rows if dot and isinstance(row[column], dict)]
    if len(names) < len(rows) or not all(isinstance(one, list) for one in names):
        return []
    there = all(row[label] in one for one, row in zip(names, rows, strict=True))
    return names if there and any(one != names[0] for one in names) else []


def _choices(guess: Guess, rows: Sequence[RawRow]) -> int:
    """How many choices a row has."""
    choices = guess.columns["choices"]
    if isinstance(choices, list):
        return len(choices)
    column, _, inner = choices.partition(".")
    cells = [row[column] for row in rows if row.get(column)]
    return max(len(cell[inner] if inner else cell) for cell in cells)


def _say_metric(task: Drafted) -> None:
    majority = task.classes.majority if task.classes else 0.0
    if task.wanted.metric:
        task.guess.metric, task.said["metric"] = task.wanted.metric, "--metric"
    elif task.guess.family == "classification" and majority >= DOMINATES:
        task.guess.metric = "macro_f1"
        task.said["metric"] = f"macro_f1, since {majority:.0f}% of the rows have one label"


def _length(guess: Guess, rows: Sequence[RawRow]) -> int:
    """The least of the usual lengths that 95 of 100 rows fit in."""
    if guess.family == "span_qa":
        return SPAN_QA_LENGTH
    read = guess.text_columns
    some = rows[:: max(1, len(rows) // 2000)]
    sizes = []
    for row in some:
        sizes.append(len(" ".join([str(row[name]) for name in read if name in row])))
    if not read or len(sizes) < 2:
        return LENGTHS[0]
    most = quantiles(sizes, n=20)[-1] / CHARACTERS_PER_SUBWORD + SPECIAL
    return next((length for length in LENGTHS if most <= length), LENGTHS[-1])


def _parallel(guess: Guess, tested: Sequence[Sequence[RawRow]]) -> bool:
    """Whether one row is the same in every language: as many rows, and the same ids or labels in
    the same order."""
    column = guess.columns.get("id") or guess.label_column
    if len(tested) < 2 or not isinstance(column, str):
        return False
    first, *others = [list(map(itemgetter(column), rows)) for rows in tested]
    # of rows that are sorted by it, any language has the same order
    in_groups = guess.family != "tagging" and len(list(groupby(first))) < len(first) / 4
    return not in_groups and all(one == first for one in others)
