"""Look at the rows a spec names: samples for `show`, every split and language for `validate
--data`, and before a run those of the jobs that it will do, so that nothing is trained for a test
set that cannot be scored.
"""

import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import HarnessError, MissingError, RefusedError, SpecError
from harness.families import FAMILIES
from harness.families.columns import Row
from harness.families.odd import ODD_SHARE, in_words, too_many
from harness.sources import rows as data_rows
from harness.sources.hub import Where
from harness.sources.locate import Locator, splits
from harness.spec.catalog import Catalog
from harness.spec.task import Task
from harness.store import HashIndex, Keys, key_of
from harness.store.job import JobJson, RowsJson


class Checked(NamedTuple):
    """One finding of `check_data`; the exit code it asks for (0: fine)."""

    text: str
    exit_code: int


def _locator(catalog: Catalog, where: Where) -> Locator:
    return Locator(
        catalog, where, HashIndex(Path(tempfile.gettempdir()) / "xstilts-harness-inspect.json")
    )


class Reader(NamedTuple):
    """What of a task decides which rows it can use; a job's JSON has the same under the same
    names."""

    family: str
    metric: str
    options: dict[str, Any]

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> "Reader":
        """Of the task in a job's spec."""
        return cls(task["family"], task["metric"], task["options"])


class Looked(NamedTuple):
    """What was seen in the rows of a split: how many, whether their labels are placeholders, how
    many say nothing."""

    rows: int
    hidden: bool
    odd: dict[str, int]

    @property
    def too_many(self) -> list[str]:
        """What is wrong with so many rows that the split is refused."""
        return too_many(self.odd, self.rows)

    @property
    def words(self) -> str:
        """In a line of `validate --data`."""
        found = f"{self.rows} rows"
        if self.odd:
            found += f"; {in_words(self.odd)}"
        if self.hidden:
            found += "; PLACEHOLDER labels, cannot be scored"
        if self.too_many:
            found += f": REFUSED, more than {ODD_SHARE:.0%} say nothing"
        return found


# a dataset and its rows, for whoever wants to know more of them
Hear = Callable[[RowsJson, list[Row]], None]


def look(dataset: RowsJson, reader: Reader, phase: str, hear: Hear | None = None) -> Looked:
    """Read all rows of a split (train, dev or test) as a job would. `hear` is told of them.

    raises  SpecError: a row has not its family's shape, its metric cannot score it, or dev sets no
            threshold
    """
    rows = data_rows.load(dataset, reader.metric if phase != "train" else None)
    if hear:
        hear(dataset, rows)
    family = FAMILIES[reader.family]
    hidden = family.placeholder(rows)
    if phase == "dev" and family.tuned and hidden:
        raise SpecError(
            f"{dataset['name']}: none of {len(rows)} rows {family.known_gold}, so that they set no"
            " threshold"
        )
    odd = family.odd(rows, hidden, reader.options if phase == "train" else None)
    return Looked(len(rows), hidden, odd.counts())


# A number that rises with what makes rows fit to be used: what was seen of them is remembered.
LOOKED = 3


def unfit_jobs(
    bodies: Iterable[JobJson],
    waived: Iterable[str] = (),
    hear: Hear | None = None,
    index: HashIndex | None = None,
) -> dict[str, HarnessError]:
    """Read all rows that these jobs will train on or test, each set once: key → what is wrong with
    rows of that job.

    bodies  as workers take them
    waived  flags of odd rows that the suite lets pass, whatever their share
    hear    is told of the rows of each set that is read
    index   remembers sets that can be used, which are not read again
    A SpecError: rows that cannot be used; a RefusedError: a split of which too many rows say
    nothing.
    """
    known: dict[str, HarnessError | None] = {}
    keys, index = Keys(), index or HashIndex()
    found: dict[str, HarnessError] = {}
    for body in bodies:
        for phase, dataset, reader in _read_by(body):
            at = key_of([keys.of(dataset["identity"]), phase, *reader])
            if at not in known:
                see = functools.partial(look, dataset, reader, phase, hear)
                seen = functools.partial(index.answer, ["looked", LOOKED, at], see)
                known[at] = _unfit(dataset, set(waived), seen)
            if (error := known[at]) is not None:
                found.setdefault(body["key"], error)
    return found


def _unfit(
    dataset: RowsJson, waived: set[str], seen: Callable[[], Sequence[Any]]
) -> HarnessError | None:
    """`seen`: gives what `look` does, as JSON has it."""
    try:
        found = Looked(*seen())
    except HarnessError as error:
        return error
    flags = [flag for flag in found.too_many if flag not in waived]
    if not flags:
        return None
    hint = f"mend the rows, or write `waives: [{', '.join(flags)}]` into the suite"
    return RefusedError(f"{dataset['name']}: {found.words}; {hint}")


def _read_by(body: JobJson) -> Iterator[tuple[str, RowsJson, Reader]]:
    """(phase, data set, who reads it) of a job. Masked-LM reads text of any kind, much of it, and
    its own job says so."""
    if body["kind"] == "evaluate":
        reader = Reader.of(body["spec"]["task"])
        for phase, sets in (("test", body["tests"]), ("dev", body.get("devs", {}))):
            yield from ((phase, dataset, reader) for dataset in sets.values())
    elif body["kind"] == "train":
        for name, task in body["spec"]["tasks"].items():
            if FAMILIES[task["family"]].looked_at:
                yield "train", body["train"][name], Reader.of(task)
                yield "dev", body["dev"][name], Reader.of(task)


def _described(locator: Locator, task: Task, phase: str, language: str | None) -> RowsJson:
    dataset = locator.rows(task, phase, language)
    if dataset.missing:
        raise MissingError(dataset.missing)
    return dataset.to_json()


def samples_of(catalog: Catalog, task: Task, count: int, where: Where) -> list[Row]:
    """The first `count` rows of the task's test (or training) rows in its first language."""
    phase = "test" if task.test else "train"
    language = task.languages[0] if phase == "test" else None
    return data_rows.load(_described(_locator(catalog, where), task, phase, language))[:count]


def check_data(catalog: Catalog, names: list[str], where: Where) -> Iterator[Checked]:
    """Reads every split and language of the tasks; one line each: rows, or what is wrong and
    where."""
    locator = _locator(catalog, where)
    for name in names:
        task = catalog.task(name)
        reader = Reader(task.family, task.metric, task.family_options.model_dump())
        for phase, language in splits(task):
            label = f"{name} {phase}" + (f" {language}" if language else "")
            named = label
            try:
                dataset = _described(locator, task, phase, language)
                named = dataset["name"]
                found = look(dataset, reader, phase)
            except MissingError as error:
                yield Checked(f"{label}: missing: {error}", error.exit_code)
            except HarnessError as error:
                said = str(error).removeprefix(f"{named}: ")  # the line begins with that already
                yield Checked(f"{label}: {said}", error.exit_code)
            else:
                code = RefusedError.exit_code if found.too_many else 1 if found.hidden else 0
                other = _published_otherwise(locator, task, phase, language, found.rows)
                yield Checked(f"{label}: {found.words}{other}", code)


def _published_otherwise(
    locator: Locator, task: Task, phase: str, language: str | None, rows: int
) -> str:
    """What is published of a split that has other rows here: a part of it, mostly."""
    owner = locator.owner(task, phase)
    own, size = locator.own(owner, phase), owner.about.size
    if not (size and own and own.split) or len(own.languages) > 1:
        return ""
    said = size.count(own.split, language or own.spoken[0])
    return f"; {said:,} are published" if said not in (None, rows) else ""
