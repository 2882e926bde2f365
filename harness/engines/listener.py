"""Who is told what a run does, and in which words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.plan.graph import Job
from harness.store.lease import Holder


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result.

    exit_code  what the command ends with
    trace      of a bug of ours
    rows       whether its rows cannot be used: then `why` names them, and is the same for every job
               that reads them
    by_host    whether another host may do better: where a worker died, memory ran out or we have a
               bug. A bad spec, or a loss that is no number, are the same everywhere
    """

    why: str
    exit_code: int = 1
    trace: str = ""
    rows: bool = False
    by_host: bool = False


@dataclass(frozen=True)
class Logged:
    """A line of a training's log, about 200 in all: what the updates since the line before came to,
    or a look at English dev.

    update         after so many updates
    loss           the mean of these updates
    learning_rate  of the next one
    tokens         subwords read since the training began
    dev            task → metric → score, 0-100
    again          read back from a checkpoint: it was said before, perhaps to nobody
    """

    update: int
    loss: float | None = None
    learning_rate: float | None = None
    tokens: int | None = None
    dev: dict[str, dict[str, float]] = field(default_factory=dict)
    again: bool = False

    @staticmethod
    def of(line: Mapping[str, Any]) -> "Logged":
        """Of a line as `metrics.jsonl` has it, which may say more."""
        known = Logged.__dataclass_fields__.keys() & line.keys()
        return Logged(**{name: line[name] for name in known})


class Listener:
    """Who is told what a run does, in this order: a display, a tracker. This one does nothing.

    Called by the driver between two looks at its workers: who takes long here keeps them waiting.
    """

    def note(self, text: str) -> None:
        """A line on the run as a whole, for a person."""

    def unfit(self, job: Job, failure: Failure) -> None:
        """It failed before the run began: its rows cannot be used."""

    def todo(self, jobs: list[Job]) -> None:
        """These are left to do. Told again when some turn out not to be: their cell is refused."""

    def start(self, job: Job, slot: str) -> None:
        """The worker of that name has it."""

    def progress(self, job: Job, done: int, total: int, tokens: int) -> None:
        """It has done so many of all updates (training), languages (evaluation) or models (a choice
        of rows), and read so many subwords for them: 0 where nobody counts. Told where it begins
        (at 0, or a checkpoint), then twice a second at most, and at the last."""

    def logged(self, job: Job, line: Logged) -> None:
        """A line of its log, as soon as it is there."""

    def waiting(self, job: Job, holder: Holder) -> None:
        """Another process does it, and there is nothing else to do here."""

    def retry(self, job: Job, why: str) -> None:
        """It came to nothing, for that reason; another worker gets it, here or elsewhere."""

    def done(self, job: Job) -> None:
        """Its result is committed."""

    def elsewhere(self, job: Job) -> None:
        """Another run has done it, and all that would have read it."""

    def failed(self, job: Job, failure: Failure) -> None:
        """It gave no result, or cannot start without one that failed."""


class Listeners(Listener):
    """Several, each told in turn."""

    def __init__(self, *each: Listener) -> None:
        self.each = each


def _tell_each(name: str) -> Callable[..., None]:
    def tell(self: Listeners, *what: Any) -> None:
        for listener in self.each:
            getattr(listener, name)(*what)

    return tell


# every method of a listener, also one that comes later
for _name in [name for name in vars(Listener) if not name.startswith("_")]:
    setattr(Listeners, _name, _tell_each(_name))
