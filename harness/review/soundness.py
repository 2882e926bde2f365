"""One release, looked at as `leaderboard verify` does: its file, its numbers from its own evidence,
and, where the data and the store are here, its evidence from predictions and gold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.common.errors import MissingError
from harness.release.counts import Problem
from harness.release.document import Board, plain_bytes
from harness.release.schema import Content
from harness.release.verify import content_of, summary, verify
from harness.review.bundle import plan_of
from harness.review.predictions import PredictionsVerified, verify_predictions
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import Store

# A release's content → what its predictions say of it.
Again = Callable[[dict[str, Any]], PredictionsVerified]


@dataclass(frozen=True)
class Soundness:
    """A release by name, what of it was looked at, in words, and all that is wrong."""

    release: str
    checked: str
    problems: list[Problem]

    def __str__(self) -> str:
        verdict = f"{len(self.problems)} problems" if self.problems else "sound"
        return f"{self.release}: {verdict} · {self.checked}"

    def document(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "release": self.release,
            "sound": not self.problems,
            "checked": self.checked,
            "problems": [one._asdict() | {"text": str(one)} for one in self.problems],
        }


def soundness(shelf: Board, path: Path, again: Again | None = None) -> Soundness:
    """A release's file, looked at; `again`: also its evidence, once its numbers follow from that.

    raises  as `predictions_again`
    """
    try:
        data = plain_bytes(path)
    except OSError as error:
        said = f"nothing that can be read ({error.strerror or error})"
        return _unsound(path, [Problem("the file", said, "a release")])

    if problems := verify(data, shelf.sidecar(path)):
        return _unsound(path, problems)

    checked = summary(content_of(data))
    if again is None:
        return Soundness(path.stem, checked, [])
    found = again(shelf.load(path))
    return Soundness(path.stem, f"{checked}; {found.summary}", found.problems + found.missing)


def _unsound(path: Path, problems: list[Problem]) -> Soundness:
    return Soundness(path.stem, "not to be trusted as it stands", problems)


def predictions_again(
    catalog: Catalog, where: Where, folder: Path, say: Callable[[str], None]
) -> Again:
    """What scores a release's predictions again, of the store in that folder; `say` hears of each
    job.

    raises  MissingError: there is no store, or data or weights are not here
            SpecError: specs and data here lead to another plan than the release's
    """
    if not folder.is_dir():
        raise MissingError(
            f"{folder}: no store here; give --store DIR, the one in which the release was made"
        )
    store = Store(folder)

    def again(content: dict[str, Any]) -> PredictionsVerified:
        index = store.hash_index()
        plan = plan_of(content, catalog, where, index)
        read = Content.model_validate(content)
        return verify_predictions(read, plan, store, lambda name: say(f"scoring {name}"))

    return again
