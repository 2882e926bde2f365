"""The steps of `eval`, in order: plan the suite, run what is missing; the last, a release, is
`publishing`.

The command line calls these and prints; everything they need is an argument.
"""

import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import HarnessError, MissingError, SpecError
from harness.common.signals import stop
from harness.engines import ENGINES
from harness.engines.crew import folder_of, run_of
from harness.engines.drive import Outcome, drive, verify_results
from harness.engines.engine import Agents, Engine
from harness.engines.listener import Failure, Listener, Listeners
from harness.engines.process import MOST, ProcessEngine, fitting
from harness.engines.progress import Progress
from harness.engines.slurm import Cluster, script
from harness.plan.estimate import Sizes, operations
from harness.plan.graph import Job, Plan
from harness.plan.planner import make_plan
from harness.release.schema import Content
from harness.run.advice import not_learned
from harness.run.choice import Asked, Choice, ask
from harness.run.fits import check_disk
from harness.run.publishing import Publication, content_of, publish, refusals, write_suite
from harness.run.room import AUTO, room
from harness.run.track import trackers, tracking
from harness.sources.hub import Where, fetch
from harness.sources.inspect import Hear, unfit_jobs
from harness.spec.catalog import Catalog
from harness.spec.explain import show
from harness.spec.oneline import count_of, text_of
from harness.spec.recipe import Lora
from harness.spec.suite import Suite
from harness.store import HashIndex, Store

if TYPE_CHECKING:  # it needs its package
    from harness.engines.ray import RayCluster

CHECKERS = 4  # processes beside an engine whose workers are not this machine's cores


def plan_suite(catalog: Catalog, choice: Choice, where: Where, store: Store) -> Plan:
    """The plan of a choice, with what is on this machine and what is in the store."""
    asked = ask(choice, catalog, where, lambda _: None)
    return plan_of(asked.suite, catalog, where, store)


def plan_of(suite: Suite, catalog: Catalog, where: Where, store: Store) -> Plan:
    """The same of a suite as it is run."""
    return make_plan(suite, catalog, where, store.hash_index())


def plan_to_run(
    suite: Suite, catalog: Catalog, where: Where, store: Store, say: Callable[[str], None]
) -> Plan:
    """`plan_of`, after what is not here was downloaded if it may be; `say` hears of that, and of
    what failed.

    raises  as `hub.fetch`
    """
    found = plan_of(suite, catalog, where, store)
    if not (where.wanted and where.may_fetch):
        return found
    for line in fetch(where, say):
        say(line)
    return plan_of(suite, catalog, where, store)


@dataclass(frozen=True)
class How:
    """How a plan is run; none of it is in a key.

    workers             how many; None: one a GPU or CPU core; AUTO: by the memory of the GPUs
    checkpoint_seconds  from one checkpoint of a training to the next; None: `train` chooses
    keep_weights        trained models stay in the store
    engine              where workers run: a name of `engines.ENGINES`
    device              what they compute on: cpu, cuda, cuda:1, mps; None: a GPU where there is one
    track               names of `track.TRACKERS` that hear of it
    cluster             what engine `slurm` or `ray` asks for
    raises              SpecError: no number of workers or of seconds, no name of a device
    """

    workers: int | None = None
    checkpoint_seconds: float | None = None
    keep_weights: bool = False
    engine: str = "process"
    device: str | None = None
    track: tuple[str, ...] = ()
    cluster: "Cluster | RayCluster | None" = None

    @property
    def own(self) -> dict[str, Any]:
        """What only one engine is told."""
        return {"cluster": self.cluster} if self.cluster else {}

    def __post_init__(self) -> None:
        if self.workers != AUTO:
            count_of("workers", self.workers)
        text_of("engine", self.engine or "")
        text_of("device", self.device)
        seconds = self.checkpoint_seconds
        is_number = isinstance(seconds, Real) and not isinstance(seconds, bool)
        if seconds is not None and not (is_number and 0 <= seconds < math.inf):
            raise SpecError(
                f"checkpoint_seconds: {show(seconds)} is no number of seconds; write 0 (after every"
                " update) or more"
            )


class Evaluated(NamedTuple):
    """A finished run: the release document, as a file has it and typed, and where it was published;
    not, if it is partial."""

    document: dict[str, Any]
    content: Content
    published: Publication | None


def evaluate(
    asked: Asked,
    catalog: Catalog,
    where: Where,
    store: Store,
    board: Path,
    how: How,
    command: str,
    say: Callable[[str], None],
) -> Evaluated:
    """All of it: fetch, plan, run what is missing, publish. `command`: what the sidecar says it was
    asked by.

    raises  as `plan_to_run`, `run_plan`, `content_of` and `publish`
    """
    chosen = trackers(how.track)  # before hours are spent
    plan = plan_to_run(asked.suite, catalog, where, store, say)
    with tracking(chosen, plan, store, say) as told:
        outcome = run_plan(plan, store, how, [told])
        for line in refusals(outcome):
            say(line)
        document = content_of(plan, store, outcome)
        content = Content.model_validate(document)
        told.results(content)
    for line in not_learned(content, store):
        say(line)
    # fewer test rows than the suite has are no release: they are shown, and that is all
    if asked.partial:
        return Evaluated(document, content, None)

    published = publish(document, plan, store, board, command, say)
    if asked.written:
        file = write_suite(asked.written, published.path)
        say(f"its suite as YAML, which runs it again: {file}")
    return Evaluated(document, content, published)


def run_plan(plan: Plan, store: Store, how: How, listeners: Sequence[Listener] = ()) -> Outcome:
    """Run what is missing. Raises MissingError before anything
    runs if data or weights are not here.

    Jobs whose rows cannot be used have failed before the first one starts, and nothing is trained
    for them alone. `listeners` are told what `Progress` is told. KeyboardInterrupt (by `signals` on
    Ctrl-C and SIGTERM) leaves once the workers have saved, or on a second one. HarnessError if jobs
    failed.
    """
    started = ENGINES.chosen(how.engine, "engine")  # before anything is read
    if plan.blocked:
        lines = [
            f"{reason}\n    blocks: {', '.join(dict.fromkeys(blocks))}"
            for reason, blocks in plan.blocked.items()
        ]
        raise MissingError("\n".join(lines))

    store.clean_start()
    with Progress(sys.stderr) as progress:
        # before anything reads them: a damaged input would fail the jobs that need it
        for line in verify_results(plan, store):
            progress.note(f"damaged: {line}")

        progress.todo(todo := plan.todo(store))
        if any((job.body["spec"].get("recipe") or {}).get("lora") for job in todo):
            Lora.check_package()
        index = store.hash_index()
        sizes = Sizes(index)
        unusable = unfit(todo, plan.suite.waives, index, sizes.note)
        usable = [job for job in todo if job.key not in unusable]
        costs = operations(plan, usable, sizes)
        progress.weigh(costs)

        how = _sized(how, plan, usable)
        where = started(store.root, how.workers, how.checkpoint_seconds, how.device, **how.own)
        # checks are text work: no card waits for them, and no node of a cluster
        checker = ProcessEngine(store.root, CHECKERS, device="cpu") if _elsewhere(where) else None
        with stop.patient():
            try:
                _look_at_disk(plan, usable, costs, where, how, store, progress.note)
                told = Listeners(progress, *listeners)
                outcome = drive(
                    plan, store, where, told, how.keep_weights, unusable, costs, checker
                )
            except KeyboardInterrupt:
                progress.note(_farewell(where, plan))
                raise
            finally:
                killed = sum(one.stop() for one in (where, checker) if isinstance(one, Engine))
                if killed:
                    progress.note(
                        "a worker had to be killed; its training goes on from the checkpoint before"
                    )
    if outcome.failed:
        raise _failures(plan, outcome)
    return outcome


def _sized(how: How, plan: Plan, jobs: list[Job]) -> How:
    """With a number of workers in place of AUTO; agents find it out, each on its node."""
    if how.workers != AUTO:
        return how
    need = room(plan, jobs)
    if isinstance(how.cluster, Cluster):
        return replace(how, workers=None, cluster=replace(how.cluster, need=need))
    return replace(how, workers=fitting(need, how.device))


def _look_at_disk(
    plan: Plan,
    jobs: list[Job],
    costs: Mapping[str, float],
    where: Engine | Agents,
    how: How,
    store: Store,
    say: Callable[[str], None],
) -> None:
    """`check_disk`, but of a run whose agents are at work: they hold part of what it needs."""
    if not (isinstance(where, Agents) and where.at_work(run_of(plan))):
        check_disk(plan, jobs, costs, _places(where, how), how.keep_weights, store, say)


def _places(where: Engine | Agents, how: How) -> tuple[int, int]:
    """How many jobs an engine does at once: at least and at most, as far as it says."""
    if isinstance(where, Engine):
        # Ray's workers come once they are asked for
        count = max(1, getattr(where, "wanted", len(where.slots)))
        return count, count
    if not isinstance(cluster := how.cluster, Cluster):
        return 1, 1
    each = most = how.workers or cluster.gpus or cluster.cores
    if cluster.need and cluster.gpus:  # each agent finds out how many its GPUs have room for
        most = max(each, min(MOST * cluster.gpus, cluster.cores))
    return cluster.agents * each, cluster.agents * most


def script_of(how: How, plan: Plan, store: Store) -> str | None:
    """What sbatch would be given, if it would."""
    if not isinstance(how.cluster, Cluster):
        return None
    run = run_of(plan)
    cluster = how.cluster.with_room(plan)
    return script(cluster, store.root, run, folder_of(store, run))


def _elsewhere(where: Engine | Agents) -> bool:
    """Whether an engine's workers are not this machine's cores."""
    return isinstance(where, Agents) or bool(getattr(where, "gpus", None))


def _farewell(where: Engine | Agents, plan: Plan) -> str:
    if isinstance(where, Agents):
        return where.farewell(run_of(plan))
    return "stopping: workers save a checkpoint ... (once more: stop at once)"


def unfit(
    todo: Iterable[Job], waives: Collection[str], index: HashIndex, hear: Hear | None = None
) -> dict[str, Failure]:
    """Jobs to run whose rows cannot be used, by key. Reads all their rows once, and tells `hear` of
    them; not those that `index` remembers."""
    found = unfit_jobs((job.body for job in todo), waives, hear, index)
    index.save()
    return {key: Failure(str(error), error.exit_code, rows=True) for key, error in found.items()}


def refuse_unfit(plan: Plan, store: Store, index: HashIndex, hear: Hear | None = None) -> None:
    """Raise what `run_plan` would end with if rows of jobs to run cannot be used. `index`, `hear`:
    as in `unfit`."""
    if found := unfit(plan.todo(store), plan.suite.waives, index, hear):
        lines = dict.fromkeys(failure.why for failure in found.values())
        raise _worst("\n".join(lines), found.values())


def write_jobs(plan: Plan, store: Store) -> list[Job]:
    """Write the description of every job into the store, for schedulers; returns what is to run,
    inputs first.

    Raises as `refuse_unfit`: schedulers would train for rows that cannot be scored.
    """
    refuse_unfit(plan, store, store.hash_index())
    for key, job in plan.jobs.items():
        store.write_job(key, job.body)

    # in layers, since a scheduler may start jobs in the order in which they are printed
    waiting, ordered = plan.todo(store), []
    while waiting:
        keys = {job.key for job in waiting}
        ready = [job for job in waiting if keys.isdisjoint(job.needs)]
        ordered += ready
        waiting = [job for job in waiting if job not in ready]
    return ordered


def _failures(plan: Plan, outcome: Outcome) -> HarnessError:
    said = []
    for key, failure in outcome.failed.items():
        name = "" if failure.rows else f"{plan.jobs[key].name}: "
        said.append(f"{name}{failure.why}")
    # what is wrong with rows is said once, however many jobs read them
    lines = list(dict.fromkeys(said))

    lines.append(
        f"{len(outcome.failed)} jobs failed; what was done is kept, the same command tries the rest"
        " again"
    )
    # of bugs the first story will do: the others are in the workers' logs
    lines += [failure.trace for failure in outcome.failed.values() if failure.trace][:1]
    return _worst("\n".join(lines), outcome.failed.values())


def _worst(text: str, failures: Collection[Failure]) -> HarnessError:
    """An error with the highest exit code among the failures."""
    error = HarnessError(text)
    error.exit_code = max(failure.exit_code for failure in failures)
    return error
