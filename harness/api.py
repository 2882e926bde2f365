"""The library: `from harness import evaluate, load_release`.

What the command line does, from Python: the same suite, the same keys, the same release. Progress
and downloads are told on stderr. What a user can act on is raised as a HarnessError, whose text
says what to do.
"""

import io
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.common import streams, variables
from harness.page.render import print_release
from harness.page.tidy import TableName, frame
from harness.release.document import Board, as_content
from harness.release.schema import Content
from harness.run import steps
from harness.run.choice import Choice, ask
from harness.run.here import BOARD, STORE, catalog_of
from harness.run.room import AUTO
from harness.sources.hub import Where
from harness.sources.lock import read_lock
from harness.spec.oneline import OneLine, count_of, entries, listed
from harness.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

Names = str | Iterable[str] | None  # one name, several, or "one,several"
Place = str | PathLike[str]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Release:
    """One release: what a run found. Printed, it is the board at a glance.

    path     its file; None of a partial run (`limit`), which no board takes
    content  all that the file holds, typed
    """

    def __init__(self, content: Content, path: Path | None = None):
        self.content, self.path = content, path

    @property
    def name(self) -> str:
        """`0001-mysuite`; of a partial run the suite's name."""
        return self.path.stem if self.path else self.content.suite.name

    @property
    def encoders(self) -> list[str]:
        """Names of its encoders."""
        return list(self.content.encoders)

    @property
    def targets(self) -> list[str]:
        """Names of its target tasks, as the board shows them: `xnli`, `xnli@small`."""
        return list(self.content.targets)

    @property
    def conditions(self) -> list[str]:
        """Names of its conditions, the baseline among them."""
        return list(self.content.arms)

    @cached_property
    def title(self) -> str:
        """Which release, and what a reader must know of it first."""
        return (
            Board(self.path.parent.parent).title(self.path)
            if self.path
            else f"PARTIAL: {self.name}, no release"
        )

    def to_dataframe(self) -> "DataFrame":
        """Every score: a row for an encoder, a condition, a target, a language and a seed.

        As every table here, a pandas one whose `attrs["columns"]` says what each column holds and
        in which unit: scores 0-100, gains in points of 100.
        """
        return self.table("scores")

    def gains(self) -> "DataFrame":
        """What a condition adds to the baseline: a row for an encoder, a condition and a target,
        with `value`, the 95% interval `low` to `high`, and `q`."""
        return self.table("gains")

    def averages(self) -> "DataFrame":
        """Mean gains over target tasks: a row for an encoder, a condition and a way to average."""
        return self.table("averages")

    def table(self, name: TableName) -> "DataFrame":
        """One of `scores`, `metrics` (every number a metric gives), `gains`, `language_gains`,
        `averages`, `difficulty`. SpecError if there is none of that name."""
        return frame(self.content, name)

    def __str__(self) -> str:
        text = io.StringIO()
        print_release(self.content, self.title, streams.console(text, 100))
        return text.getvalue()

    def __repr__(self) -> str:
        parts = {"encoders": self.encoders, "conditions": self.conditions, "targets": self.targets}
        size = ", ".join(f"{len(names)} {part}" for part, names in parts.items())
        return f"<Release {self.name}: {size}>"


def load_release(release: Place, board: Place | None = None) -> Release:
    """A release by its file, or by number, name or suite (the latest) on a board.

    raises  SpecError: there is none.  StoreError: it cannot be read, or is not what it was
    """
    shelf = Board(_path(board, variables.BOARD) or BOARD)
    path, content = shelf.open(str(release), _say)
    return Release(as_content(path, content), path)


def evaluate(
    encoder: Place | Iterable[Place] | None = None,
    intermediate: Names = None,
    targets: Names = None,
    *,
    trained: Names = None,
    seeds: int | str | Iterable[int] | None = None,
    languages: Names = None,
    protocol: str | None = None,
    precision: Literal["fp32", "tf32", "bf16"] | None = None,
    max_train_rows: int | None = None,
    name: str | None = None,
    suite: Place | None = None,
    everything: bool = False,
    without: Names = None,
    limit: int | None = None,
    specs: Place | Iterable[Place] = (),
    data_root: Place | None = None,
    encoder_root: Place | None = None,
    lock: Place | None = None,
    offline: bool = False,
    store: Place | None = None,
    board: Place | None = None,
    device: str | None = None,
    workers: int | Literal["auto"] | None = None,
    checkpoint_seconds: float | None = None,
    keep_weights: bool = False,
    engine: str = "process",
    track: Names = None,
    say: Callable[[str], None] = _say,
) -> Release:
    """Train, evaluate and publish; a call that was interrupted goes on where it was.

        evaluate("answerdotai/ModernBERT-base", targets=["xnli", "panx"])
        evaluate("./my-checkpoint", ["mnli", "squad"], ["xnli"], seeds=[1, 2, 3])
        evaluate(suite="small", max_train_rows=500)

    The arguments are the options of `xstilts-harness eval`, and mean the same; `everything` is
    its --all. The commands' environment variables (XSTILTS_STORE and others) set what is not given.
    `say` hears which suite it is, what was inferred, and what is downloaded.

    raises  SpecError: a name or value that is wrong, an empty list where one takes the suite's
            place.  MissingError: data or weights that are not here.  RefusedError: numbers that
            would mislead.  HarnessError: a job failed
    """
    given = locals()
    line = OneLine.of(
        encoder,
        intermediate,
        targets,
        trained,
        seeds,
        languages,
        protocol,
        precision,
        max_train_rows,
        name,
    )
    wanted = str(suite) if suite is not None else None
    left_out = listed("without", entries(without) or None)
    choice = Choice(wanted, everything, count_of("limit", limit), left_out, line)
    computing = device if device is not None else variables.told(variables.DEVICE)
    trackers = listed("track", entries(track) or None)
    count = AUTO if workers == "auto" else count_of("workers", workers)
    how = steps.How(count, checkpoint_seconds, keep_weights, engine, computing, trackers)
    catalog = catalog_of([Path(variables.at_home(str(one))) for one in entries(specs)])
    where = Where(
        _path(data_root, variables.DATA_ROOT),
        _path(encoder_root, variables.ENCODER_ROOT),
        offline,
        read_lock(_path(lock, variables.LOCK)),
    )

    asked = ask(choice, catalog, where, say)
    for told in (f"suite {asked.suite.suite}", *asked.lines):
        say(told)
    kept = Store(_path(store, variables.STORE) or STORE)
    shelf = _path(board, variables.BOARD) or BOARD
    done = steps.evaluate(asked, catalog, where, kept, shelf, how, _as_called(given), say)
    path = done.published.path if done.published else None
    return Release(done.content, path)


def _path(place: Place | None, variable: str) -> Path | None:
    """A place that is given, else the one that the environment names."""
    given = place if place is not None else variables.told(variable)
    return Path(variables.at_home(str(given))) if given is not None else None


def _as_called(given: dict[str, Any]) -> str:
    """The call, as the release's sidecar remembers it: what differs from the defaults."""
    usual = signature(evaluate).parameters
    said = {name: value for name, value in given.items() if value is not usual[name].default}
    return f"harness.evaluate({', '.join(f'{name}={value!r}' for name, value in said.items())})"
