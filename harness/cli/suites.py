"""eval, plan, job run: plan a suite, run it, publish."""

import math
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import app, console, job_app, print_json, say, store_to_read
from harness.cli.options import (
    BOARD,
    DEFAULT_SUITE,
    STORE,
    BoardDir,
    Json,
    Offline,
    Sources,
    StoreDir,
    SuiteChoice,
    Workers,
    with_groups,
)

if TYPE_CHECKING:
    from harness.plan.graph import Plan
    from harness.store import Store


def _seconds(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(
            f"{value} is no number of seconds; write 0 (after every update) or more"
        )
    return value


CheckpointSeconds = Annotated[
    float | None,
    typer.Option(
        callback=_seconds,
        show_default="60, or 20 times what writing one takes if that is more",
        help=(
            "From one checkpoint to the next; 0: after every update. A killed training loses no"
            " more than this, and the step that it was in."
        ),
    ),
]


@app.command("eval")
@with_groups
def evaluate(
    chosen: SuiteChoice,
    sources: Sources,
    store: StoreDir = STORE,
    board: BoardDir = BOARD,
    workers: Workers = None,
    engine: Annotated[
        str, typer.Option(help="Where workers run: process (this machine), or a package's own.")
    ] = "process",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Print the plan and stop.")
    ] = False,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep every trained model in the store.")
    ] = False,
    checkpoint_seconds: CheckpointSeconds = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Run a suite: train, evaluate, write a release. The same command resumes and does only what is
    missing."""
    from harness.page.render import print_release
    from harness.release.document import Board
    from harness.release.places import command
    from harness.release.schema import Content
    from harness.run import steps
    from harness.store import Store

    _first_line(chosen.suite, as_json)
    # who only wants to see the plan may lack the right to write the store
    catalog, opened = sources.catalog(), store_to_read(store) if dry_run else Store(store)
    asked = catalog, chosen.choice(), sources.where(offline), opened
    if dry_run:
        _print_plan(steps.plan_suite(*asked), opened, as_json)
        return

    plan = steps.plan_to_run(*asked, say)
    outcome = steps.run_plan(plan, opened, workers, checkpoint_seconds, keep_weights, engine)
    for line in steps.refusals(outcome):
        say(line)
    content = steps.content_of(plan, opened, outcome)

    # fewer test rows than the suite has are no release: they are shown, and that is all
    done, title = None, f"PARTIAL: at most {chosen.limit} test rows, no release"
    if not chosen.limit:
        done = steps.publish(content, plan, opened, board, command(sys.argv[1:]), say)
        title = Board(board).title(done.path)
    if as_json:
        print_json({"release": str(done.path) if done else None, "content": content})
    else:
        print_release(Content.model_validate(content), title, console())
    if done:
        say(f"release {done}; table in {board / 'README.md'}")


def _first_line(suite: str, as_json: bool) -> None:
    """Which suite, why, and how to choose another; on stdout unless a program reads that."""
    line = f"suite {suite} (you chose it with --suite)"
    if suite == DEFAULT_SUITE:
        line = (
            f"suite {suite} (the default: made-up smoke data, runs anywhere); "
            "choose another with --suite NAME, see `xstilts-harness list suites`"
        )
    print(line, file=sys.stderr if as_json else sys.stdout, flush=True)


@app.command("plan")
@with_groups
def show_plan(
    chosen: SuiteChoice,
    sources: Sources,
    store: StoreDir = STORE,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the jobs into the store; print keys in running order."),
    ] = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Print what eval would do: what is cached, to run, blocked, and an estimate."""
    from harness.run import steps
    from harness.store import Store

    _first_line(chosen.suite, as_json or write)
    opened = Store(store) if write else store_to_read(store)
    plan = steps.plan_suite(sources.catalog(), chosen.choice(), sources.where(offline), opened)
    if write:
        for job in steps.write_jobs(plan, opened):
            print(job.key, job.name)
    else:
        _print_plan(plan, opened, as_json)


def _print_plan(plan: "Plan", store: "Store", as_json: bool) -> None:
    """The graph as a tree, then what it costs."""
    from harness.engines.drive import refusals
    from harness.plan import shown as graph
    from harness.plan.estimate import Sizes, estimate
    from harness.run.steps import refuse_unfit

    # what eval would refuse, plan refuses; the rows that are read for it are counted on the way
    sizes = Sizes()
    refuse_unfit(plan, store, sizes.note)
    state = graph.states(plan, store, plan.todo(store, frozenset(refusals(plan, store))))
    summary = estimate(plan, store, state, sizes) | {"sharing": graph.sharing(plan)}
    if as_json:
        print_json(summary | {"jobs": graph.jobs(plan, state)})
        return
    from rich.table import Table

    for line in graph.tree(plan, state):
        print(line)
    table = Table("job", "jobs", "cached", "to run", "blocked", "tokens to run", "hours (1 worker)")
    for kind, row in summary["kinds"].items():
        # rows that are not here cannot be counted; an overlap check reads text, not tokens
        unknown = " + unknown" if row["blocked"] and kind != "overlap" else ""
        counts = (f"{row[c]:,}" for c in ("jobs", "cached", "to_run", "blocked"))
        table.add_row(
            kind, *counts, f"{row['tokens']:,}{unknown}", f"{row['seconds'] / 3600:.2f}{unknown}"
        )
    out = console()
    out.print(table)
    out.print(graph.sharing_line(plan), markup=False, highlight=False)
    out.print(f"estimate: {summary['basis']}", markup=False, highlight=False)
    for line in graph.blocked_lines(plan):
        out.print(line, style="red", markup=False, highlight=False)


@job_app.command("run")
def job_run(
    key: Annotated[str, typer.Argument(help="A key that a plan wrote into the store.")],
    store: StoreDir = STORE,
) -> None:
    """Run one job of a plan in this process and commit its result (for schedulers; eval does this
    by itself)."""
    from harness.jobs.run import run_alone
    from harness.store import Store

    opened = Store(store)
    outcome = run_alone(opened, key)
    print(f"{key}: {outcome}")
    if outcome == "busy":
        say(
            f"another process works on it: {opened.holder(key) or 'it has just ended'}; ask again"
            " later"
        )
        raise typer.Exit(75)
