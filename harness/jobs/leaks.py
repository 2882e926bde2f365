"""Counts training rows that stand in a test set (a leak) or in the target's own training set
(shared training)."""

import json
from typing import NamedTuple

from harness.families import Family
from harness.families.columns import Row
from harness.jobs.context import Context
from harness.sources.overlap import fingerprints_of, shared_rows
from harness.sources.shapes import family_of
from harness.store.job import RowsJson


class Compared(NamedTuple):
    """Rows of one dataset, with the family that says what they share with others."""

    family: Family
    rows: list[Row]

    @property
    def fingerprints(self) -> set[str]:
        return fingerprints_of(self.family, self.rows)

    def known_in(self, fingerprints: set[str]) -> set[str]:
        """Ids of the rows that have one of these fingerprints."""
        return set(shared_rows(self.family, self.rows, fingerprints))

    @property
    def ids(self) -> set[str]:
        return {row["id"] for row in self.rows}


def run(ctx: Context) -> None:
    """Compare each training set of an arm's chain with the target's tests; writes overlap.json."""

    def compared(dataset: RowsJson) -> Compared:
        return Compared(family_of(dataset["identity"]), ctx.rows(dataset))

    job = ctx.job
    tests = {language: compared(dataset) for language, dataset in sorted(job["tests"].items())}
    trained: dict[str, list[Compared]] = {}
    known: dict[str, set[str]] = {}
    for phase, sets in job["trained"].items():
        trained[phase] = [compared(one) for one in sets]
        known[phase] = set().union(*(one.fingerprints for one in trained[phase]))
    sizes = {phase: _rows_of(sets) for phase, sets in trained.items()}

    # A parallel test set repeats an English leak under the same id in every language, also where
    # English is not tested.
    original = compared(job["english"]) if "english" in job else None
    leaks: dict[str, dict[str, int]] = {}
    for phase, marks in known.items():
        english = original.known_in(marks) if original else set()
        found = {
            language: len(test.known_in(marks) | (english & test.ids))
            for language, test in tests.items()
        }
        if any(found.values()):
            leaks[phase] = {language: count for language, count in found.items() if count}

    shared = 0
    if {"intermediate", "target"} <= set(trained):
        # an id may stand in several of the sets: rows count, not ids
        shared = sum(
            len(shared_rows(one.family, one.rows, known["intermediate"]))
            for one in trained["target"]
        )
    result = {
        "leaks": leaks,
        "shared": shared,
        "rows": sizes,
        "test_rows": {language: len(test.rows) for language, test in tests.items()},
    }
    (ctx.workdir / "overlap.json").write_text(json.dumps(result, indent=1, sort_keys=True))


def _rows_of(sets: list[Compared]) -> int:
    return sum(len(one.rows) for one in sets)
