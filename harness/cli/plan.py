"""plan: what eval would do, and what it costs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import app, console, print_json, say, store_to_read
from harness.cli.options import (
    Json,
    Offline,
    PlannedDevice,
    Sources,
    StoreDir,
    SuiteChoice,
    with_groups,
)
from harness.run.here import STORE

if TYPE_CHECKING:
    from harness.plan.graph import Plan
    from harness.run.choice import Asked
    from harness.sources.hub import Where
    from harness.spec.catalog import Catalog
    from harness.store import Store

FETCH = "xstilts-harness data fetch"

Verbose = Annotated[
    bool, typer.Option("--verbose", help="Also the graph of jobs, and tables of what they take.")
]


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
    device: PlannedDevice = None,
    verbose: Verbose = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Print what eval would do: what is missing, and what the rest costs."""
    from harness.run import steps
    from harness.store import Store

    opened = Store(store) if write else store_to_read(store)
    catalog, where = sources.catalog(), sources.where(offline)
    asked = ask_aloud(chosen, catalog, where, as_json or write)
    plan = steps.plan_of(asked.suite, catalog, where, opened)
    if write:
        for job in steps.write_jobs(plan, opened):
            print(job.key, job.name)
    else:
        print_plan(plan, opened, where, asked, device, verbose, as_json)


def print_plan(
    plan: "Plan",
    store: "Store",
    where: "Where",
    asked: "Asked",
    device: str | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """What is missing and what it costs; `verbose`: the graph as a tree and tables before that."""
    from harness.engines.drive import refusals
    from harness.engines.process import machine
    from harness.plan import shown as graph
    from harness.plan.devices import by_card
    from harness.plan.estimate import Sizes, estimate
    from harness.run.steps import refuse_unfit
    from harness.sources.hub import to_download

    computing = (by_card(device) if device else None) or machine(device)
    # what eval would refuse, plan refuses; the rows that are read for it are counted on the way
    sizes = Sizes()
    refuse_unfit(plan, store, sizes.note)
    state = graph.states(plan, store, plan.todo(store, frozenset(refusals(plan, store))))
    summary = estimate(plan, store, state, sizes, computing) | {
        "sharing": graph.sharing(plan),
        "repositories": list(dict.fromkeys(wanted.repo for wanted in where.wanted)),
        "download": to_download(where) if where.wanted else 0,
    }
    if as_json:
        print_json(summary | {"jobs": graph.jobs(plan, state)})
        return
    if verbose:
        _print_tables(plan, state, summary)
    # only eval knows a suite that no file holds, and it fetches too
    name = asked.suite.suite
    fetch = "the same with eval, which fetches" if asked.written else f"{FETCH} --suite {name}"
    for line in graph.summary(plan, summary, fetch):
        print(line)


def _print_tables(plan: "Plan", state: dict[str, str], summary: dict[str, Any]) -> None:
    """The graph as a tree, what each kind of job takes, and all that blocks."""
    from rich.table import Table

    from harness.plan import shown as graph

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
    for line in graph.blocked_lines(plan):
        out.print(line, style="red", markup=False, highlight=False)


def ask_aloud(chosen: SuiteChoice, catalog: "Catalog", where: "Where", as_json: bool) -> "Asked":
    """The suite that is asked for. It says which one, why, how to choose another, and what was
    inferred; on stdout unless a program reads that."""
    from harness.run.choice import ask

    def tell(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    choice = chosen.choice()
    if chosen.suite and not choice.line:
        tell(f"suite {choice.suite} (you chose it with --suite)")
    elif not choice.line:
        tell(
            f"suite {choice.suite} (the default: made-up smoke data, runs anywhere); "
            "choose another with --suite NAME, see `xstilts-harness list suites`"
        )
    asked = ask(choice, catalog, where, say)
    if choice.line:
        tell(f"suite {asked.suite.suite} (made of your options)")
    for line in asked.lines:
        tell(line)
    return asked
