"""What a check came to."""

from typing import Literal, NamedTuple

from harness.published.numbers import Check

Outcome = Literal["holds", "fails", "inconclusive", "not run"]


class Verdict(NamedTuple):
    """One check's outcome, in the words of its level, and the numbers behind it."""

    check: Check
    outcome: Outcome
    says: str  # one line: what was found, or why it did not run
    details: tuple[str, ...] = ()  # what differs, a line each

    @property
    def word(self) -> str:
        """The outcome in the level's own words."""
        if self.known_to_differ:
            return "does not recompute"
        if self.outcome == "holds":
            return {1: "equal", 2: "recomputes", 3: "reproduced"}[self.check.level]
        if self.outcome == "fails":
            return {1: "differs", 2: "not as recorded", 3: "not reproduced"}[self.check.level]
        return self.outcome

    @property
    def known_to_differ(self) -> bool:
        """Whether a printed average does not follow from printed cells, and the file says so."""
        return (
            self.outcome == "holds"
            and self.check.derive is not None
            and self.check.derive.found == "differs"
        )
