"""Rows that have their family's shape and say nothing."""

from collections.abc import Mapping
from typing import NamedTuple

# of a split's rows that say nothing: above it the split is refused, whatever is read from it
ODD_SHARE = 0.2


class Odd(NamedTuple):
    """How many rows of a split say nothing; each name is a flag of the scores that such rows are
    in."""

    empty_text: int = 0
    misplaced: int = 0

    def counts(self) -> dict[str, int]:
        """Those that are not 0."""
        return {name: count for name, count in self._asdict().items() if count}


WORDS = {"empty_text": "with an empty text", "misplaced": "whose answer is not where it says"}


def too_many(found: Mapping[str, int], rows: int) -> list[str]:
    """The flags of `Odd` that more than ODD_SHARE of the rows have."""
    return [name for name in WORDS if found.get(name, 0) > ODD_SHARE * rows]


def in_words(found: Mapping[str, int]) -> str:
    """Counts of odd rows as they are said: "1 with an empty text, 3 whose answer is not where it
    says"."""
    return ", ".join(f"{found[name]} {words}" for name, words in WORDS.items() if found.get(name))
