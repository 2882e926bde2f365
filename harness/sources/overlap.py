"""Do training rows stand in a test set, or in another training set? Counted on normalised text, not
trusted to names.

Each row has fingerprints, which its family says (`Family.fingerprints`). Parallel test sets repeat
an English leak in every language, so test rows are compared in English as well as in their own
language, and by id.
"""

from collections.abc import Iterable

from harness.families import Family
from harness.families.columns import Row


def fingerprints_of(family: Family, rows: Iterable[Row]) -> set[str]:
    """The fingerprints of all rows."""
    found: set[str] = set()
    for row in rows:
        found |= family.fingerprints(row)
    return found


def shared_rows(family: Family, rows: Iterable[Row], known: set[str]) -> list[str]:
    """Ids of those `rows` that have one of the `known` fingerprints, in order."""
    return [row["id"] for row in rows if not known.isdisjoint(family.fingerprints(row))]
