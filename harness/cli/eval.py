"""eval, job run: run a suite and publish its release; run one job of it."""

import sys
from typing import Annotated

import typer

from harness.cli.app import app, console, job_app, print_json, say, store_to_read
from harness.cli.options import (
    BoardDir,
    ClusterChoice,
    Device,
    Json,
    Offline,
    Sources,
    StoreDir,
    SuiteChoice,
    Workers,
    with_groups,
)
from harness.cli.plan import ask_aloud, print_plan
from harness.run.here import BOARD, STORE

CheckpointSeconds = Annotated[
    float | None,
    typer.Option(
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
    on: ClusterChoice,
    store: StoreDir = STORE,
    board: BoardDir = BOARD,
    workers: Workers = None,
    device: Device = None,
    engine: Annotated[
        str,
        typer.Option(help="Where workers run: process (here), slurm, ray, or a package's own."),
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
    from harness.run import steps
    from harness.run.track import trackers
    from harness.store import Store

    cluster = on.cluster(engine, workers)
    tracked = tuple(track or ())
    how = steps.How(workers, checkpoint_seconds, keep_weights, engine, device, tracked, cluster)
    # who only wants to see the plan may lack the right to write the store
    opened = store_to_read(store) if dry_run else Store(store)
    catalog, where = sources.catalog(), sources.where(offline)
    asked = ask_aloud(chosen, catalog, where, as_json)
    if dry_run:
        trackers(track or [])
        plan = steps.plan_of(asked.suite, catalog, where, opened)
        print_plan(plan, opened, where, asked, device, False, as_json)
        script = steps.script_of(how, plan, opened)
        if script and not as_json:
            print(script)
        return

    by = command(sys.argv[1:])
    document, content, done = steps.evaluate(asked, catalog, where, opened, board, how, by, say)
    if as_json:
        print_json({"release": str(done.path) if done else None, "content": document})
    else:
        title = f"PARTIAL: at most {chosen.limit} test rows, no release"
        if done:
            title = Board(board).title(done.path)
        print_release(content, title, console())
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
