"""Look at the rows a spec names: samples for `show`, every split and language for `validate --data`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.data import rows as data_rows
from harness.data.locate import Locator, splits
from harness.errors import HarnessError, MissingError
from harness.hub import Where
from harness.spec.catalog import Catalog
from harness.spec.task import Task
from harness.store import HashIndex


class Line(NamedTuple):
    """One finding of `check_data`; the exit code it asks for (0: fine)."""

    text: str
    exit_code: int


def _locator(catalog: Catalog, where: Where) -> Locator:
    return Locator(catalog, where, HashIndex(Path(tempfile.gettempdir()) / "xstilts-harness-inspect.json"))


def _load(locator: Locator, task: Task, phase: str, language: str | None) -> list[dict]:
    dataset = locator.rows(task, phase, language)
    if dataset.missing:
        raise MissingError(dataset.missing)
    return data_rows.load(dataset.to_json())


def samples_of(catalog: Catalog, task: Task, count: int, where: Where) -> list[dict]:
    """The first `count` rows of the task's test (or training) rows in its first language."""
    phase = "test" if task.test else "train"
    language = task.languages[0] if phase == "test" else None
    return _load(_locator(catalog, where), task, phase, language)[:count]


def check_data(catalog: Catalog, names: list[str], where: Where) -> Iterator[Line]:
    """Reads every split and language of the tasks; one line each: rows, or what is wrong and where."""
    locator = _locator(catalog, where)
    for name in names:
        task = catalog.task(name)
        for phase, language in splits(task):
            label = f"{name} {phase}" + (f" {language}" if language else "")
            try:
                rows = _load(locator, task, phase, language)
            except MissingError as error:
                yield Line(f"{label}: missing: {error}", error.exit_code)
            except HarnessError as error:
                yield Line(f"{label}: {error}", error.exit_code)
            else:
                hidden = placeholder(task.family, rows)
                yield Line(
                    f"{label}: {len(rows)} rows" + ("; PLACEHOLDER labels, cannot be scored" if hidden else ""),
                    1 if hidden else 0,
                )


def placeholder(family: str, rows: list[dict]) -> bool:
    """Whether the labels carry no information, as benchmark test sets with hidden labels do: all the same, or all empty."""
    if family == "span_qa":
        return not any(text.strip() for row in rows for text in row["answers"]["text"])
    if family in ("classification", "multiple_choice"):
        return len(rows) > 1 and len({row["label"] for row in rows}) == 1
    if family == "tagging":
        return sum(len(row["tags"]) for row in rows) > 1 and len({tag for row in rows for tag in row["tags"]}) == 1
    if family == "bitext_mining":
        return not any(row["pairs"] for row in rows)
    return False
