"""runs status, runs attach, runs cancel: runs that agents do on a cluster."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import print_rows, runs_app, say
from harness.cli.options import Json, StoreDir
from harness.run.here import STORE

if TYPE_CHECKING:
    from harness.store import Store

Run = Annotated[
    str | None, typer.Argument(help="Its name, as `runs status` has it. Default: the only one.")
]


@runs_app.command("status")
def runs_status(store: StoreDir = STORE, as_json: Json = False) -> None:
    """What each run of the store has done, and where its agents are."""
    from harness.engines.crew import Crew, Shared, folder_of, runs_of
    from harness.engines.slurm import agents_of
    from harness.store import Store

    opened = Store(store, writable=False)
    committed = set(opened.listed())
    rows = []
    for run in runs_of(opened):
        folder = folder_of(opened, run)
        shared = Shared.read(folder)
        crew = Crew(folder, shared.agents)
        done = committed.intersection(shared.jobs.jobs)
        states = Counter(state.lower() for state in agents_of(run).values())
        row = {
            "run": run,
            "done": f"{len(done)} of {len(shared.jobs.jobs)} jobs",
            "failed": len(crew.failures()),
            "agents": ", ".join(f"{count} {state}" for state, count in states.items()) or "none",
            "asked for by": " ".join(shared.command),
        }
        rows.append(row)
    print_rows(rows, as_json)


@runs_app.command("attach")
def runs_attach(run: Run = None, store: StoreDir = STORE) -> None:
    """Come back to a run: its eval command again, which watches, and writes the release."""
    import os
    import sys

    from harness.cli.app import app
    from harness.engines.crew import Shared, folder_of
    from harness.store import Store

    opened = Store(store, writable=False)
    shared = Shared.read(folder_of(opened, _chosen(opened, run)))
    say(f"in {shared.cwd}: xstilts-harness {' '.join(shared.command)}")
    os.chdir(shared.cwd)
    sys.argv[1:] = shared.command  # what the release's sidecar is to say
    app(shared.command)


@runs_app.command("cancel")
def runs_cancel(run: Run = None, store: StoreDir = STORE) -> None:
    """Let a run's agents save and end. What is done is kept; the same eval goes on from there."""
    from harness.engines.slurm import cancel
    from harness.store import Store

    opened = Store(store, writable=False)
    chosen = _chosen(opened, run)
    cancel(chosen)
    print(f"{chosen}: its agents save and end")


def _chosen(store: "Store", run: str | None) -> str:
    """The run that is meant. SpecError if there is no such one, or several."""
    from harness.common.errors import SpecError
    from harness.engines.crew import runs_of

    there = runs_of(store)
    if run in there:
        return str(run)
    if run is None and len(there) == 1:
        return there[0]
    which = f"no run {run}" if run else f"{len(there)} runs, say which"
    raise SpecError(f"{which}: in {store.root} there are {', '.join(there) or 'none'}")
