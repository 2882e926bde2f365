"""Two releases side by side, as `leaderboard compare` shows them: what moved and why, and whether
the one is what the other is, computed again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.release import compare, tolerance
from harness.release.comparer import Difference
from harness.release.document import Board, as_content
from harness.release.followed import followed


@dataclass(frozen=True)
class Findings:
    """What two releases that are not the same bytes differ in; `points` is the tolerance.

    suites  the names of their two suites; None if they are of one
    """

    suites: str | None
    moved: compare.Comparison
    held: tolerance.Held
    hardware: str | None
    points: float

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        by_kind = {}
        for kind, changes in self.moved.moved.items():
            by_kind[kind] = [one._asdict() for one in changes]
        return self.moved._asdict() | {
            "moved": by_kind,
            "differences": [_fields(one) for one in self.held.differences],
            "flips": [_fields(one) for one in self.held.flips],
            "answers": self.held.answers,
            "points": self.held.points,
            "hardware": self.hardware,
        }

    def lines(self) -> Iterator[str]:
        """As text."""
        yield from compare.lines(self.moved)
        if self.suites:
            yield f"not the same: of two suites, {self.suites}"
        else:
            yield from tolerance.lines(self.held, self.points)
        if self.hardware:
            yield self.hardware


@dataclass(frozen=True)
class TwoReleases:
    """Two releases' files, and what differs between them: nothing where they are the same bytes."""

    before: Path
    after: Path
    findings: Findings | None

    @property
    def agree(self) -> bool:
        """Whether the second is what the first is: what it states equal, scores within the
        tolerance."""
        return self.findings is None or not self.findings.held.differences

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        head = {"before": str(self.before), "after": str(self.after)}
        rest = self.findings.document() if self.findings else {}
        return {**head, "byte_identical": self.findings is None, **rest}

    def lines(self) -> Iterator[str]:
        """As text."""
        if self.findings is None:
            yield f"{self.before} and {self.after}: byte-identical"
            return
        yield f"{self.before} → {self.after}"
        yield from self.findings.lines()


def _fields(one: Difference) -> dict[str, Any]:
    return {"path": one.path, "before": one.before, "after": one.after, "of": one.of}


def pair(
    shelf: Board,
    before: tuple[Path, dict[str, Any]],
    after: tuple[Path, dict[str, Any]],
    points: float | None = None,
) -> TwoReleases:
    """Two releases, as `Board.open` gives them.

    points  by which the score of a language may differ, `tolerance.POINTS` unless said
    """
    (first, old), (second, new) = before, after
    if first.read_bytes() == second.read_bytes():
        return TwoReleases(first, second, None)

    points = tolerance.POINTS if points is None else points
    sidecars = shelf.sidecar(first), shelf.sidecar(second)
    contents = as_content(first, old), as_content(second, new)
    names = [content.suite.name for content in contents]
    apart = names[0] != names[1]
    if apart:  # nobody expects the one to be the other computed again: no cell stands where it did
        old, new = ({"suite": document["suite"]} for document in (old, new))
    with followed(shelf, first), followed(shelf, second):
        findings = Findings(
            " and ".join(names) if apart else None,
            compare.compare(*contents, *sidecars),
            tolerance.hold(old, new, points),
            compare.hardware(*sidecars),
            points,
        )
    return TwoReleases(first, second, findings)
