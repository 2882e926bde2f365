"""A task's YAML from its files: what they say is guessed, and every guess is said."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from pathlib import Path
from statistics import quantiles
from typing import Any

from harness.common.errors import SpecError
from harness.draft import yaml_text
from harness.draft.classes import Classes, classes_of, is_bio, like
from harness.draft.found import ENGLISH, PHASE_OF, TOKENS, FoundFiles, found_at
from harness.draft.guess import LANGUAGES, Guess, TaskAsked, guessed
from harness.draft.split_rows import Splits, bounds, refuse_unmixed, splits_of
from harness.draft.table import SeenTable, listed, refuse_no_header
from harness.families import FAMILIES
from harness.families.columns import shown
from harness.sources.conll import Columns
from harness.sources.read import read_file
from harness.sources.split_files import class_names
from harness.sources.text_files import RawRow, read_lines
from harness.spec.explain import nearest
from harness.spec.formats import PACKED
from harness.spec.languages import ISO_639_1, language_of
from harness.spec.task import Task
from harness.store import signature

# Texts of up to so many subwords; about so many characters make one, and so many are added.
LENGTHS, CHARACTERS_PER_SUBWORD, SPECIAL = (128, 256, 384, 512), 3.5, 3
SPAN_QA_LENGTH = 384
# From this share of one label on, accuracy hides what is learned of the others.
DOMINATES = 80.0

SHOWN = 12  # names in a line
WORD, PLACEHOLDER = re.compile(r"[A-Za-z0-9]+"), re.compile(r"\{[a-z]+\}")
NO_NAME = {*PHASE_OF, "of"}
NO_FOLDER = {"plain_text", "default"}  # what the hub calls the only configuration of a dataset

At = tuple[str, str]  # split as the file calls it, language


@dataclass(frozen=True)
class Wishes:
    """What the user says of a new task beside its files."""

    asked: TaskAsked = field(default_factory=TaskAsked)
    name: str | None = None
    language: str | None = None
    role: str = "target"
    difficulty: str | None = None
    metric: str | None = None
    train_task: str | None = None
    parts: bool = False


@dataclass
class Drafted:
    """A task as it will be written. `said`: what was guessed and why, for the user."""

    name: str
    found: FoundFiles
    guess: Guess
    languages: list[str]
    source: dict[str, Any]
    splits: Splits
    classes: Classes | None
    metric: str
    max_length: int
    rows: int
    columns: list[str]
    wanted: Wishes
    said: dict[str, str] = field(default_factory=dict)


def drafted(path: str, wanted: Wishes, trains: Task | None = None) -> Drafted:
    """The task that lies at a path. `trains`: the one whose rows train it. SpecError: what it
    takes to tell."""
    found = found_at(path, wanted.language)
    name = wanted.name or name_of(found, path)
    if found.aligned:
        return _of_pairs(name, found, wanted)
    conll = _token_columns(found)
    read = {at: _rows(file, conll) for at, file in found.files.items()}
    every = list(chain.from_iterable(read.values()))
    table = SeenTable.of(every)
    if found.suffix in (".csv", ".tsv"):
        refuse_no_header(str(next(iter(found.files.values()))), table)
    guess = guessed(table, wanted.asked)
    task = _assembled(name, found, wanted, guess, read, conll)
    if trains and task.classes:
        task.said["labels"] = like(task.classes, trains)
    return task


def name_of(found: FoundFiles, path: str) -> str:
    """What the files' own names say beside split and language, else their folders'."""
    plain = found.template.removesuffix(PACKED).removesuffix(found.suffix or ".txt")
    for part in reversed(plain.split("/")):
        words = WORD.findall(PLACEHOLDER.sub("", part))
        # of a shard "train-00000-of-00001" nothing is a name
        kept = [word for word in words if not word.isdigit() and word.lower() not in NO_NAME]
        if kept and part not in NO_FOLDER:
            return "_".join(kept).lower()
    raise SpecError(f"{path}: its name makes no name of a task; say one with --name")


def _token_columns(found: FoundFiles) -> dict[str, int] | None:
    """Of a file of tokens: which columns its name says, or has where it is not token TAB tag."""
    if found.suffix not in (*TOKENS, ".conll"):
        return None
    file = next(iter(found.files.values()))
    lines = [line for line in read_lines(file) if line.strip() and not line.startswith("#")][:1]
    if not lines:
        raise SpecError(f"{file}: it has no rows")
    width = len(lines[0].split("\t") if "\t" in lines[0] else lines[0].split())
    if found.suffix == ".conll":
        if width == 2 and "\t" in lines[0]:
            return None  # its own layout
        return {"token": 2, "tag": 4} if width == 10 else {"token": 1, "tag": max(2, width)}
    token, tag = TOKENS[found.suffix]
    return {"token": token, "tag": tag or max(2, width)}


def _rows(file: Path, conll: Mapping[str, int] | None) -> list[RawRow]:
    columns = Columns(conll["token"], conll["tag"]) if conll else None
    return read_file(file, tuple(signature(file)), (), columns)


def _assembled(
    name: str,
    found: FoundFiles,
    wanted: Wishes,
    guess: Guess,
    read: Mapping[At, list[RawRow]],
    conll: Mapping[str, int] | None,
) -> Drafted:
    every = [row for rows in read.values() for row in rows]
    if column := _ids(read):
        guess.columns = {"id": column, **guess.columns}
    said: dict[str, str] = {}
    source: dict[str, Any] = {}
    languages = _languages(found, every, wanted, source, said, foreign=guess.columns.get("source"))
    if conll:
        source["conll"] = dict(conll)
    if found.names:
        source["names"] = dict(found.names)

    role = "intermediate" if guess.family == "mlm" else wanted.role
    splits = splits_of(found, languages, guess.family, role, wanted.train_task, wanted.parts)
    tested = _tested(found, splits, languages)
    label = guess.label_column
    cut_from = read[_trained_at(found, read)]
    if label and "." not in label:
        refuse_unmixed(cut_from, label if guess.family != "tagging" else None, splits)
    else:
        refuse_unmixed(cut_from, None, splits)

    _refuse_leak(read, splits, guess.columns.get("id"))
    classes = _classes(found, guess, every)
    if classes and classes.without is not None and label:
        source["unless"] = {label: classes.without}
    if splits.test and len(tested) > 1 and _parallel(guess, splits, read, tested, classes):
        splits.test["parallel"] = True
    return Drafted(
        name,
        found,
        guess,
        tested,
        source,
        splits,
        classes,
        _metric(guess, classes, wanted, said),
        _length(guess, every),
        len(every),
        list(dict.fromkeys(name for row in every for name in row)),
        wanted,
        said,
    )


def _ids(read: Mapping[At, list[RawRow]]) -> str | None:
    """A column of ids: called so, and of one row each in every file."""
    every = [SeenTable.of(rows) for rows in read.values()]
    for name, column in every[0].columns.items():
        if not column.is_id or column.kind not in ("text", "number"):
            continue
        of_each = [one.columns.get(name) for one in every]
        if all(one and len(one.distinct) == one.rows for one in of_each):
            return name
    return None


def _refuse_leak(
    read: Mapping[At, list[RawRow]], splits: Splits, column: str | list[str] | None
) -> None:
    """SpecError where test rows of one language are parts of a file, and have ids of rows that
    train or select in another: most likely their translations."""
    test = splits.test
    if test is None or "[" not in test["split"] or not isinstance(column, str):
        return
    taken = [one for one in (splits.train, splits.dev) if one and "split" in one]
    fitted = {
        row[column]: at
        for one in taken
        for at, row in _part(read, one["split"])
        if at[1] in _fitted_in(one)
    }
    for at, row in _part(read, test["split"]):
        other = fitted.get(row[column], at)
        if other != at:
            raise SpecError(
                f"{column} {row[column]} is a test row in {at[1]} and trains or selects in"
                f" {other[1]}: parts are taken by the order of the rows, and the files do not have"
                f" the same {column} in the same order, so that translations of rows that train"
                f" would be tested. Sort the files alike (by the same shuffled {column}), or give"
                " train, dev and test files"
            )


def _fitted_in(rows: Mapping[str, Any]) -> list[str]:
    """The languages that train or select, and "" for files whose names say none."""
    return ["", *rows.get("languages", [rows.get("language", ENGLISH)])]


def _part(read: Mapping[At, list[RawRow]], expression: str) -> Iterator[tuple[At, RawRow]]:
    """The rows of `train[60%:80%]` in every language."""
    word, bounded, _ = expression.partition("[")
    start, stop = bounds(expression) if bounded else (0.0, 1.0)
    for at, rows in read.items():
        if at[0] in (word, ""):
            part = rows[round(len(rows) * start) : round(len(rows) * stop)]
            yield from ((at, row) for row in part)


def _trained_at(found: FoundFiles, read: Mapping[At, list[RawRow]]) -> At:
    """The file of which train and dev are parts."""
    words = found.words("train") or [next(iter(read))[0]]
    fit = [at for at in read if at[0] == words[0]]
    english = [at for at in fit if at[1] in (ENGLISH, "")]
    return (english or fit)[0]


def _tested(found: FoundFiles, splits: Splits, languages: list[str]) -> list[str]:
    """The languages that test rows are in; all, where nothing is tested."""
    if splits.test is None or not found.languages:
        return languages
    word = str(splits.test["split"]).split("[")[0]
    there = {language for split, language in found.files if split in (word, "")}
    return [one for one in languages if one in there]


def _languages(
    found: FoundFiles,
    rows: Sequence[RawRow],
    wanted: Wishes,
    source: dict[str, Any],
    said: dict[str, str],
    foreign: str | list[str] | None,
) -> list[str]:
    """As files or a column say, else the user, else English, unless a column is `foreign`."""
    if wanted.language:
        said["languages"] = "--language"
        return [wanted.language]
    if found.languages:
        said["languages"] = "the files' names"
        if ENGLISH in found.languages:
            return [ENGLISH, *(one for one in found.languages if one != ENGLISH)]
        return found.languages
    if found.spoken:
        said["languages"] = "the folder's name"
        return [found.spoken]
    if column := next((name for name in rows[0] if name.lower() in LANGUAGES), None):
        said["languages"] = f"column {column}"
        return _languages_of(column, rows, source)
    if isinstance(foreign, str) and foreign in ISO_639_1:
        said["languages"] = "the columns' names"
        return [foreign]
    if foreign:
        raise SpecError(
            "sentences and their English translations: in which language are the former? Say it"
            " with --language"
        )
    said["languages"] = "nothing says another (--language)"
    return [ENGLISH]


def _languages_of(column: str, rows: Sequence[RawRow], source: dict[str, Any]) -> list[str]:
    """As a column says, in codes, in names, or with a region; SpecError for what is neither."""
    names: dict[str, str] = {}
    for word in dict.fromkeys(row.get(column) for row in rows):
        code = language_of(word) if isinstance(word, str) else None
        if code is None:
            raise SpecError(
                f"column {column} has {shown(word)}, which names no language; write codes such as"
                " en and de; or say with --language that all rows are of one"
            )
        if code in names:
            raise SpecError(
                f"column {column} has {shown(names[code])} and {shown(word)}, both of language"
                f" {code}; write one of them"
            )
        names[code] = str(word)
    if other := {code: word for code, word in names.items() if code != word}:
        source["names"] = other
    source["where"] = {column: "{name}" if other else "{language}"}
    return sorted(names, key=lambda one: (one != ENGLISH, one))


def _classes(found: FoundFiles, guess: Guess, rows: Sequence[RawRow]) -> Classes | None:
    if guess.family == "multiple_choice":
        return _places_of_choices(guess, rows)
    column = guess.label_column
    if not FAMILIES[guess.family].labelled or column is None:
        return None
    values = [row.get(column) for row in rows]
    if guess.family == "tagging":
        values = [tag for sentence in values for tag in sentence or []]
    file = next(iter(found.files.values()))
    classes = classes_of(column, values, class_names(None, None, file).get(column))
    if guess.family == "tagging" and is_bio(classes.counts):
        guess.metric = "span_f1"
    return classes


def _places_of_choices(guess: Guess, rows: Sequence[RawRow]) -> Classes:
    """The labels of choices are their places. A file may call them 0, 1, ..; 1, 2, ..; A, B, .."""
    letters = [chr(ord("a") + i) for i in range(_choices(guess, rows))]
    if "answer" in guess.columns:
        return Classes(letters, Counter(letters))
    label = str(guess.columns["label"])
    found = classes_of(label, [row.get(label) for row in rows])
    count, seen = len(letters), list(found.labels)
    found.numbers = False
    if isinstance(found.labels, dict):
        values = list(found.labels.values())
        places = [int(value) for value in values]
        if min(places) > 0 and max(places) < count:
            raise SpecError(
                f"column {label} has {min(places)} to {max(places)}, of {count} choices: counted"
                f" from 0 or from 1? Write letters in their place, A to {letters[-1].upper()}"
            )
        start = 0 if min(places) == 0 else 1
        text = isinstance(values[0], str)
        found.labels = {
            letter: str(start + i) if text else start + i for i, letter in enumerate(letters)
        }
    elif {name.lower() for name in seen} <= set(letters):
        upper = seen[0].isupper()
        found.labels = {letter: letter.upper() if upper else letter for letter in letters}
    return found


def _choices(guess: Guess, rows: Sequence[RawRow]) -> int:
    """How many choices a row has."""
    choices = guess.columns["choices"]
    if isinstance(choices, list):
        return len(choices)
    column, _, inner = choices.partition(".")
    cells = [row[column] for row in rows if row.get(column)]
    return max(len(cell[inner] if inner else cell) for cell in cells)


def _metric(guess: Guess, classes: Classes | None, wanted: Wishes, said: dict[str, str]) -> str:
    if wanted.metric:
        said["metric"] = "--metric"
        return wanted.metric
    dominates = classes is not None and classes.majority >= DOMINATES
    if guess.family == "classification" and classes is not None and dominates:
        said["metric"] = f"macro_f1, since {classes.majority:.0f}% of the rows have one label"
        return "macro_f1"
    return guess.metric


def _length(guess: Guess, rows: Sequence[RawRow]) -> int:
    """The least of the usual lengths that 95 of 100 rows fit in."""
    if guess.family == "span_qa":
        return SPAN_QA_LENGTH
    read = guess.text_columns
    some = rows[:: max(1, len(rows) // 2000)]
    sizes = [len(" ".join(map(str, map(row.get, read)))) for row in some]
    if not read or len(sizes) < 2:
        return LENGTHS[0]
    most = quantiles(sizes, n=20)[-1] / CHARACTERS_PER_SUBWORD + SPECIAL
    return next((length for length in LENGTHS if most <= length), LENGTHS[-1])


def _parallel(
    guess: Guess,
    splits: Splits,
    read: Mapping[At, list[RawRow]],
    languages: Sequence[str],
    classes: Classes | None,
) -> bool:
    """Whether one row is the same in every language: as many rows, and the same ids or labels in
    the same order."""
    word = str((splits.test or {}).get("split", "")).split("[")[0]
    sets = [
        rows
        for (split, language), rows in read.items()
        if split in (word, "") and language in languages
    ]
    column = guess.columns.get("id") or (guess.label_column if classes else None)
    if len(sets) < 2 or not isinstance(column, str):
        return False
    first, *others = [list(map(itemgetter(column), rows)) for rows in sets]
    return all(one == first for one in others)


def _of_pairs(name: str, found: FoundFiles, wanted: Wishes) -> Drafted:
    """Sentences and their English translations in two files."""
    if wanted.asked.family not in (None, "retrieval"):
        raise SpecError(
            f"--family {wanted.asked.family}: two files with a sentence a line are of retrieval"
        )
    counts = {}
    for language, (foreign, english) in found.aligned.items():
        left, right = len(read_lines(foreign)), len(read_lines(english))
        if left != right:
            raise SpecError(
                f"{foreign}: {left} lines, but {english} has {right}; line i of one is the"
                " translation of line i of the other"
            )
        counts[language] = left
    guess = Guess(
        "retrieval",
        {"source": "source", "target": "target"},
        "retrieval_accuracy",
        why=f"two files, a sentence a line, in {listed(found.aligned)} and English",
    )
    return Drafted(
        name,
        found,
        guess,
        found.languages,
        {},
        Splits(test={"split": "test"}),
        None,
        wanted.metric or guess.metric,
        LENGTHS[0],
        sum(counts.values()),
        [],
        wanted,
        {"languages": "the files' names"},
    )


def summary(task: Drafted) -> Iterator[str]:
    """What was guessed, in a few lines for whoever asked."""
    yield f"{task.guess.family}: {task.guess.why}"
    yield f"columns {yaml_text.inline(task.guess.columns)}"
    if left := _left_out(task):
        yield left
    if task.classes:
        names = list(task.classes.labels)
        yield f"{len(names)} labels: {_some(names)}"
        yield from task.classes.said
        if task.classes.numbers:
            yield "the labels are numbers: name them in the file by what they mean"
    for what in ("labels", "metric"):
        if why := task.said.get(what):
            yield f"{what}: {why}"
    yield f"languages {_some(task.languages)}: {task.said['languages']}"
    yield from task.splits.said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{listed(names[:SHOWN])}{more}"


# As YAML


def page(task: Drafted, files: str, schema: str, command: str) -> str:
    """The YAML. `files`: the template as it stands in the file; `command`: what wrote it."""
    return "\n".join([*_head(schema, command), *_body(task, files), *_about(task)]) + "\n"


def _head(schema: str, command: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={schema}"
    yield f"# Written by `{command}`. Every field: docs/adding-a-task.md"


def _body(task: Drafted, files: str) -> Iterator[str]:
    guess, line = task.guess, yaml_text.field
    role = "intermediate" if guess.family == "mlm" else task.wanted.role
    yield line("task", task.name)
    yield line("version", 1, "raised when the task's meaning changes")
    either = "trained on first" if role == "intermediate" else "tested; or intermediate, or both"
    yield line("role", [role], either)
    yield line("family", guess.family, guess.why)
    yield line("languages", task.languages, task.said.get("languages", ""))
    yield line("source", {"files": files, **task.source})
    for phase in ("train", "dev", "test"):
        if rows := getattr(task.splits, phase):
            yield line(phase, rows, _of_phase(phase))
    yield line("columns", guess.columns, _left_out(task))
    if task.classes:
        yield line("labels", task.classes.labels, _of_labels(task.classes))
    yield line("metric", task.metric, task.said.get("metric", ""))
    if guess.options:
        yield line("options", guess.options)
    yield line("max_length", task.max_length, "subwords, special tokens included")


def _of_phase(phase: str) -> str:
    return "selects the best weights" if phase == "dev" else ""


def _left_out(task: Drafted) -> str:
    """The columns that are not read."""
    read = {*task.guess.read, *task.source.get("where", ()), *task.source.get("unless", ())}
    left = [name for name in task.columns if name not in read]
    return f"not read: {listed(left[:8])}" if left else ""


def _of_labels(classes: Classes) -> str:
    if classes.numbers and isinstance(classes.labels, dict):
        value = yaml_text.inline(next(iter(classes.labels.values())))
        return f"name: its value in the data; name them by what they mean, as {{bad: {value}}}"
    return "; ".join(classes.said)


def _about(task: Drafted) -> Iterator[str]:
    yield "about:"
    yield "  " + yaml_text.field("title", task.name, "one line for readers of the board")
    yield "  " + yaml_text.remark("licence", "CC BY 4.0", "the data's")
    yield "  " + yaml_text.remark("citation", "Who et al. 2024, arXiv 2401.00000")
    if task.wanted.role != "intermediate" or not FAMILIES[task.guess.family].difficulty:
        return
    yield "difficulty:"
    yield "  " + yaml_text.field("declared", task.wanted.difficulty, "--difficulty")
    yield "  " + yaml_text.field("why", "not said yet", "one line for readers of the board")
    if task.classes and task.metric == "accuracy":
        guess = round(task.classes.majority, 1)
        chance = {"value": guess, "source": f"the most frequent label of all {task.rows} rows"}
        yield "  " + yaml_text.field("chance", chance)
    else:
        yield "  " + yaml_text.remark("chance", "{value: 0.0, source: what a guess reaches}")
    yield "  " + yaml_text.remark("human", "{value: 95.0, source: where it was read}")


def refuse_half_said(wanted: Wishes) -> None:
    """SpecError for options that need another."""
    if wanted.role not in ("target", "intermediate"):
        raise SpecError(f"--role {wanted.role}{nearest(wanted.role, ('target', 'intermediate'))}")
    if wanted.role == "intermediate" and wanted.difficulty not in ("easy", "hard"):
        raise SpecError(
            "--role intermediate: say with --difficulty easy or hard which you believe it to be"
        )
