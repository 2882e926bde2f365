"""From a task's `source:` to datasets: what their rows are, by the hashes of the files, and where
these lie.

`Resolver` says which rows a task means; whose files those are, `TaskFiles` says: of this machine
(`FilesHere`), or as a release recorded them (`plan.recorded`). On a machine one code path serves
all: the hub, and a folder in the hub's layout (`--data-root DIR`, DIR/google/xtreme/XNLI/...),
differ only in the folder that is searched. What a result depends on is the content hash, never the
path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.common.errors import MissingError, SpecError
from harness.families import FAMILIES
from harness.families.columns import twin_of
from harness.sources.hub import Where, snapshot
from harness.sources.known_splits import KnownSplits
from harness.sources.labels import read_labels
from harness.sources.read import LINES, READER_VERSIONS, has_numbers, how_read
from harness.sources.split_files import (
    disagreement,
    named_files,
    usual_layouts,
)
from harness.spec.catalog import Catalog
from harness.spec.formats import SUFFIXES, format_of
from harness.spec.languages import ENGLISH
from harness.spec.regime import Regime
from harness.spec.suite import Suite
from harness.spec.task import Rows, Source, Task, split_parts
from harness.spec.template import fill
from harness.store import HashIndex, unchanged
from harness.store.job import RowsJson


@dataclass(frozen=True)
class Dataset:
    """One split of one task in one language: what it is (`identity`, in keys) and where it lies
    (`location`, not).

    `missing` says why it is not on this machine; a plan can be drawn with it, no job can read it.
    """

    name: str
    identity: dict[str, Any] = field(hash=False)
    location: list[Any] = field(hash=False)
    missing: str | None = None

    def to_json(self) -> RowsJson:
        """As a job's JSON carries it."""
        return {"name": self.name, "identity": self.identity, "location": self.location}


class SplitFiles(NamedTuple):
    """The files of one split in one language, in the order in which they are read."""

    sha256: list[str]
    format: str | None  # how they are read
    location: dict[str, list[str]]  # where they lie, for whoever reads them


class TaskFiles(Protocol):
    """Whose files the splits of tasks are made of."""

    def task(self, name: str) -> Task:
        """The task of that name."""
        ...

    def split(self, task: Task, source: Source, split: str, language: str) -> SplitFiles:
        """The files of one split. MissingError names what is not there."""
        ...

    def labels(self, task: Task) -> list[str]:
        """What a task's label file says, in the order of the head's outputs."""
        ...


class Resolver:
    """Resolves specs to datasets, under a suite's cuts and caps if there is one.

    readers  the result version of each format's reader; a format that is not in it has none
    """

    def __init__(
        self,
        files: TaskFiles,
        suite: Suite | None = None,
        readers: Mapping[str, int] = READER_VERSIONS,
    ):
        self.files, self.suite, self.readers = files, suite, readers
        self._known: dict[tuple[Any, ...], Dataset] = {}

    def own(self, task: Task, phase: str) -> Rows | None:
        """Which rows a task calls its own: the suite's cut before the spec."""
        cut = self.suite.cuts.get(task.task) if self.suite else None
        own: Rows | None = (getattr(cut, phase) if cut else None) or getattr(task, phase)
        return own

    def owner(self, task: Task, phase: str) -> Task:
        """Whose rows a split is made of: XQuAD and MLQA train on SQuAD's."""
        rows = self.own(task, phase)
        return self.files.task(rows.task) if rows and rows.task else task

    def rows(
        self, task: Task, phase: str, language: str | None = None, languages: tuple[str, ...] = ()
    ) -> Dataset:
        """The rows of a split: in `language`, or those of `languages` together; by default as the
        spec says, else English.

        What is not on this machine comes back with `missing` set. MissingError only if the task has
        no such split at all.
        """
        cap, task = self.cap(task, phase), self.owner(task, phase)
        at = (task.task, phase, language, languages, cap)
        if at not in self._known:
            self._known[at] = self._rows(task, phase, language, languages, cap)
        return self._known[at]

    def uncapped(self, task: Task, phase: str, languages: tuple[str, ...] = ()) -> Dataset:
        """All rows of a split, whatever the suite caps."""
        return self._rows(self.owner(task, phase), phase, None, languages, None)

    def in_regime(
        self, task: Task, regime: Regime, languages: list[str], seed: int | None
    ) -> Dataset:
        """What a target trains on in a regime: its English rows as without one, and those of other
        languages.

        languages  of which few-shot rows are drawn
        seed       draws few-shot rows; None: all that they could be
        """
        english = self.rows(task, "train")
        if regime.translate_train:
            translated = self.files.task(regime.translate_train)
            others = [self.rows(translated, "train", languages=tuple(regime.languages))]
        else:
            own = Rows(split=regime.split)
            cap = None if seed is None else regime.few_shot
            found = [self._one(task, own, "train", language, cap) for language in languages]
            drawn = {} if seed is None else {"drawn": seed}
            others = [replace(one, identity={**one.identity, **drawn}) for one in found]
        return union(f"{task.task} train {regime.label}", [english, *others], None)

    def cap(self, task: Task, phase: str) -> int | None:
        """The cap that the suite names for this task, else for the one whose rows it reads, else
        for all."""
        if self.suite is None:
            return None
        named = self.suite.task_caps
        caps = named.get(task.task) or named.get(self.owner(task, phase).task) or self.suite.caps
        cap: int | None = getattr(caps, phase)
        return cap

    def _rows(
        self,
        task: Task,
        phase: str,
        language: str | None,
        languages: tuple[str, ...],
        cap: int | None,
    ) -> Dataset:
        rows = self.own(task, phase)
        if rows is None:
            raise MissingError(f"task {task.task} has no {phase} rows")
        if rows.tasks:
            members = [
                self._rows(self.files.task(name), phase, language, languages, None)
                for name in rows.tasks
            ]
            return union(
                f"{task.task} {phase} {language or '+'.join(languages) or ENGLISH}", members, cap
            )
        spoken = [language] if language else list(languages) or rows.languages
        if len(spoken) > 1:
            members = [self._one(task, rows, phase, one, None) for one in spoken]
            return union(f"{task.task} {phase} {'+'.join(spoken)}", members, cap)
        return self._one(task, rows, phase, spoken[0] if spoken else rows.language or ENGLISH, cap)

    def _one(self, task: Task, rows: Rows, phase: str, language: str, cap: int | None) -> Dataset:
        try:
            return self.dataset(task, rows, phase, language, cap)
        except MissingError as error:  # a plan shows the whole graph all the same
            source = rows.source or task.source
            size = task.about.size
            what = {
                "source": source.model_dump(),
                "split": rows.split,
                "language": language,
                "task": task.task,
                "family": task.family,
                "rows": size.count(rows.split or "", language) if size else None,
                "subwords": size.subwords if size else None,
                "cap": cap,
            }
            return Dataset(f"{task.task} {phase} {language}", {"missing": what}, [], str(error))

    def dataset(
        self, task: Task, rows: Rows, phase: str, language: str, cap: int | None
    ) -> Dataset:
        """The `rows` of `task` for `phase` (train, dev, test) in one language, at most `cap` of
        them.

        Raises MissingError naming the file or hub id that is not here.
        """
        source = rows.source or task.source
        name = f"{task.task} {phase} {language}"
        parts, found = [], []
        for part in split_parts(rows.split or ""):
            found.append(self.files.split(task, source, part.name, language))
            parts.append(
                {
                    "sha256": found[-1].sha256,
                    "split": part.name,
                    "start": part.start,
                    "stop": part.stop,
                }
            )
        identity = {
            "family": task.family,
            "parts": parts,
            "where": {
                column: fill(value, _fill(source, language))
                for column, value in source.where.items()
            },
            "unless": source.unless,
            "columns": task.columns,
            "labels": self.labels(task) if source.label_file else task.labels,
            "cap": cap,
        }
        identity |= how_read(source, task.family, found[0].format, self.readers)
        if source.pool:
            identity["pool"] = list(_pool(task, source, rows.split or "").values())
        if source.numbering:
            identity["numbering"] = {
                "rows": source.numbering.rows,
                "absent": source.numbering.absent.get(language, []),
            }
        return Dataset(name, identity, [one.location for one in found])

    def labels(self, task: Task) -> list[str]:
        """Class names in the order of the head's outputs: the spec's own, or those of its label
        file."""
        return self.files.labels(task) if task.source.label_file else task.label_names


class FilesHere:
    """The files on this machine; their hashes come from the store's index."""

    def __init__(self, catalog: Catalog, where: Where, index: HashIndex):
        self.catalog, self.where, self.index = catalog, where, index
        self._splits = KnownSplits(index)
        self._labels: dict[str, list[str]] = {}

    def task(self, name: str) -> Task:
        """The task of that name; SpecError with the nearest one otherwise."""
        return self.catalog.task(name)

    def labels(self, task: Task) -> list[str]:
        """What a task's label file says, in the order of the head's outputs.

        Raises MissingError if the file is not here.
        """
        assert task.source.label_file
        # once: rows and head of a plan have the labels of one reading
        if task.task not in self._labels:
            file = self._file(task, task.source.label_file, task.source)
            with unchanged({file: self.index.sha256(file)}):
                self._labels[task.task] = read_labels(file)
        return self._labels[task.task]

    def _file(self, task: Task, name: str, source: Source) -> Path:
        """A file of a `files` source: beside the YAML, or in --data-root."""
        places = [self.catalog.sources["task", task.task].path.parent, self.where.data_root]
        for place in filter(None, places):
            if (place / name).is_file():
                self.where.read("tasks", task.task, place, {name: self.index.sha256(place / name)})
                return place / name
        looked = " or ".join(str(place / name) for place in filter(None, places))
        hint = source.hint or (
            "put it there" + ("" if self.where.data_root else ", or give --data-root DIR")
        )
        beside = [file.name for place in filter(None, places) for file in _siblings(place / name)]
        twin = twin_of(Path(name).name, beside)
        raise MissingError(f"{task.task}: no file {looked}{twin}; {hint}")

    def split(self, task: Task, source: Source, split: str, language: str) -> SplitFiles:
        """The files of one split, with their hashes of now.

        Raises MissingError naming the file or hub id that is not here.
        """
        values = _fill(source, language) | {"split": split}
        folder, config = None, None
        if source.hub and source.config:
            config = fill(source.config, values)
            folder, files = self._hub_files(source, source.hub, config, split)
            hashes = [self.index.sha256(file) for file in files]
            names = [file.relative_to(folder).as_posix() for file in files]
            self.where.read("datasets", source.hub, folder, dict(zip(names, hashes, strict=True)))
        else:
            assert source.files  # a source has one of the two
            filled = [
                fill(source.files, values | {"part": part})
                for part in _parts(source, task.family, language)
            ]
            filled += _pool(task, source, split)
            files = [self._file(task, name, source) for name in filled]
            hashes = [self.index.sha256(file) for file in files]
        for file, sha in zip(files, hashes, strict=True):
            self._check_names(task, file, self._splits.classes(folder, config, file, sha))
        # those of a hub data set are of whatever format they are
        form = _format(files) if source.hub else source.format
        if source.hub and any(map(self._splits.lines, files, hashes)):
            form = LINES
        return SplitFiles(hashes, form, {"files": [str(file.absolute()) for file in files]})

    def _check_names(self, task: Task, file: Path, names: dict[str, list[str]]) -> None:
        """SpecError if the file names the numbers of the label column, and the spec's labels name
        them otherwise."""
        column = task.columns.get("label") or task.columns.get("tags")
        if not isinstance(column, str) or column not in names:
            return
        of_text = format_of(file.name) in ("csv", "tsv")
        wrong = disagreement(names[column], task.labels or self.labels(task), of_text)
        # parquet holds a class by its number; of a text only the rows tell whether it is the name
        if wrong and (file.suffix == ".parquet" or has_numbers(file, column)):
            raise SpecError(f"{task.task}: {file}, column {column}: {wrong}")

    def _hub_files(
        self, source: Source, repo: str, config: str, split: str
    ) -> tuple[Path, list[Path]]:
        """(the data set's folder, the files of the split): under --data-root, else in the hub
        cache."""
        first = source.first_files
        looked: list[str] = []
        lacks: dict[str, None] = {}  # what a snapshot that is here does not hold

        def complete(folder: Path) -> bool:
            found = self._splits.split(folder, config, split, first)
            if found.missing:
                lacks[found.missing] = None
            return bool(found.files)

        if root := self.where.data_root:
            found = self._splits.split(root / repo, config, split, first)
            if found.files:
                return root / repo, found.files
            looked.append(f"under {root / repo} ({found.missing})")
        folder = snapshot(
            repo,
            "dataset",
            source.revision,
            usual_layouts(config, split, first),
            self.where,
            complete,
            named=lambda folder: named_files(folder, config, split, first),
        )
        if folder:
            return folder, self._splits.split(folder, config, split, first).files
        looked.append(f"in the hub cache{f' ({next(iter(lacks))})' if lacks else ''}")
        revision = f" --revision {source.revision}" if source.revision else ""
        raise MissingError(
            f"{repo}, config {config}, split {split}: not {' or '.join(looked)}. "
            "Fetch it where there is a network: xstilts-harness data fetch, or "
            f"hf download {repo} --repo-type dataset{revision}; "
            f"or give --data-root DIR, a folder that holds {repo}/{config}/{split}-*.parquet"
        )


class Locator(Resolver):
    """Resolves specs to datasets of this machine."""

    def __init__(
        self, catalog: Catalog, where: Where, index: HashIndex, suite: Suite | None = None
    ):
        super().__init__(FilesHere(catalog, where, index), suite)


def splits(task: Task) -> Iterator[tuple[str, str | None]]:
    """(phase, language) of all rows a task reads; None: the language is the spec's to say."""
    for phase in ("train", "dev", "test"):
        if getattr(task, phase) is not None:
            every = phase == "test" or (phase == "dev" and FAMILIES[task.family].tuned)
            yield from ((phase, language) for language in (task.languages if every else [None]))


def as_text(dataset: Dataset) -> Dataset:
    """The same rows as plain text, for masked-LM."""
    return replace(dataset, identity={**dataset.identity, "as_text": True})


def union(name: str, members: list[Dataset], cap: int | None) -> Dataset:
    """Several datasets as one: of tasks under one head, or of a task in several languages; at most
    `cap` rows of all."""
    identity = {"union": [member.identity for member in members], "cap": cap}
    missing = next((member.missing for member in members if member.missing), None)
    return Dataset(name, identity, [member.location for member in members], missing)


def without_place(template: str) -> str:
    """A template of files as a release may hold it: of an absolute one what comes after the folder
    in which it begins, which is this machine's."""
    fixed = template.split("{")[0]
    return template[fixed.rfind("/") + 1 :] if template.startswith("/") else template


def called(task: Task, source: Source, split: str, language: str) -> str:
    """How a release calls the files of a split among those of a task: "google/xtreme XNLI test",
    "rows.de.jsonl"; by all that says which files those are, on every machine."""
    values = _fill(source, language) | {"split": split}
    if source.files:
        parts = _parts(source, task.family, language)
        files = without_place(source.files)
        named = [fill(files, values | {"part": part}) for part in parts]
        return " ".join(named + ([f"among {without_place(source.pool)}"] if source.pool else []))
    revision = f"@{source.revision}" if source.revision else ""
    shards = f", the first {source.first_files}" if source.first_files else ""
    config = fill(source.config or "", values)
    return f"{source.hub}{revision} {config} {split}{shards}"


def _fill(source: Source, language: str) -> dict[str, str]:
    """What {language} and {name} stand for in a source."""
    return {"language": language, "name": source.names.get(language, language)}


def _siblings(file: Path) -> list[Path]:
    try:
        return sorted(file.parent.iterdir())
    except OSError:
        return []


def _format(files: list[Path]) -> str | None:
    """The format of a hub data set's files. SpecError if one of them has no reader here, or if they
    are of several: one alone can be in a key."""
    form = format_of(files[0].name)
    for file in files:
        other = format_of(file.name)
        if other and form and other != form and {other, form} != {"json", "jsonl"}:
            raise SpecError(
                f"{file.parent}: {files[0].name} and {file.name} of one split are of two formats;"
                " name those of one by `files:`"
            )
        if other is None:
            raise SpecError(
                f"{file}: {file.suffix or 'a file without a suffix'} is not read here; save its"
                f" rows as one of {', '.join(SUFFIXES)}, and name that by `files:`"
            )
    return form


def _pool(task: Task, source: Source, split: str) -> dict[str, str]:
    """The files of a source's pool, each with the language that it is of; "" for one of all."""
    if not source.pool:
        return {}
    filled = {
        language: fill(source.pool, _fill(source, language) | {"split": split})
        for language in task.languages
    }
    several = len(set(filled.values())) > 1
    return {file: language if several else "" for language, file in filled.items()}


def _parts(source: Source, family: str, language: str) -> list[str | None]:
    """What {part} stands for, one after the other: sentences, their translations, and of heaps the
    pairs."""
    if source.format != "parts":
        return [None]
    if FAMILIES[family].parts == "heaps":
        return [language, ENGLISH, "gold"]
    return [source.names.get(one, one) for one in (language, ENGLISH)]
