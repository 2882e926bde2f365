"""eval, job run: run a suite and publish its release; run one job of it."""

import math
import sys
from typing import Annotated

import typer

from harness.cli.app import app, console, job_app, print_json, say, store_to_read
from harness.cli.options import (
    BOARD,
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
from harness.cli.plan import first_line, print_plan


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

Track = Annotated[
    list[str] | None,
    typer.Option(
        help=(
            "Log curves and results to tensorboard, wandb, mlflow or trackio, whose package you"
            " install; repeatable."
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
    track: Track = None,
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
    from harness.run.advice import not_learned
    from harness.run.track import trackers, tracking
    from harness.store import Store

    first_line(chosen.suite, as_json)
    # who only wants to see the plan may lack the right to write the store
    catalog, opened = sources.catalog(), store_to_read(store) if dry_run else Store(store)
    asked = catalog, chosen.choice(), sources.where(offline), opened
    if dry_run:
        print_plan(steps.plan_suite(*asked), opened, as_json)
        return

    chosen_trackers = trackers(track or [])  # before hours are spent
    plan = steps.plan_to_run(*asked, say)
    with tracking(chosen_trackers, plan, opened, say) as told:
        outcome = steps.run_plan(
            plan, opened, workers, checkpoint_seconds, keep_weights, engine, [told]
        )
        for line in steps.refusals(outcome):
            say(line)
        content = steps.content_of(plan, opened, outcome)
        released = Content.model_validate(content)
        told.results(released)
    for line in not_learned(released, opened):
        say(line)

    # fewer test rows than the suite has are no release: they are shown, and that is all
    done, title = None, f"PARTIAL: at most {chosen.limit} test rows, no release"
    if not chosen.limit:
        done = steps.publish(content, plan, opened, board, command(sys.argv[1:]), say)
        title = Board(board).title(done.path)
    if as_json:
        print_json({"release": str(done.path) if done else None, "content": content})
    else:
        print_release(released, title, console())
    if done:
        say(f"release {done}; table in {board / 'README.md'}")


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
