"""plan: what eval would do, and what it costs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.app import app, console, print_json, say, store_to_read
from harness.cli.options import (
    Json,
    Offline,
    PlannedDevice,
    PlannedGpus,
    Sources,
    StoreDir,
    SuiteChoice,
    with_groups,
)
from harness.run.here import STORE

if TYPE_CHECKING:
    from harness.plan.devices import Machine
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
    gpus: PlannedGpus = None,
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
        print_plan(plan, opened, where, asked, device, verbose, as_json, gpus)


def print_plan(
    plan: "Plan",
    store: "Store",
    where: "Where",
    asked: "Asked",
    device: str | None,
    verbose: bool,
    as_json: bool,
    gpus: list[str] | None = None,
) -> None:
    """What is missing and what it costs; `verbose`: the graph as a tree and tables before that;
    `gpus`: a table for so many in place of it."""
    from harness.engines.drive import refusals
    from harness.plan import shown as graph
    from harness.plan.estimate import Left, Sizes
    from harness.run.fits import free_disk
    from harness.run.steps import refuse_unfit
    from harness.sources.hub import to_download

    machines = _planned(device, gpus)
    # what eval would refuse, plan refuses; the rows that are read for it are counted on the way
    index = store.hash_index()
    sizes = Sizes(index)
    refuse_unfit(plan, store, index, sizes.note)
    state = graph.states(plan, store, plan.todo(store, frozenset(refusals(plan, store))))
    left = Left(plan, store, state, sizes)
    index.save()
    summary = left.estimate(machines[0]) | {
        "runs": [left.run(machine) for machine in machines],
        "sharing": graph.sharing(plan),
        "repositories": list(dict.fromkeys(wanted.repo for wanted in where.wanted)),
        "download": to_download(where) if where.wanted else 0,
    }
    if as_json:
        print_json(summary | {"jobs": graph.jobs(plan, state)})
        return
    if verbose:
        _print_tables(plan, state, summary)
    if len(machines) > 1 or gpus:
        for line in [*graph.sizing(summary["runs"]), *graph.assumed(summary)]:
            print(line)
        return
    # only eval knows a suite that no file holds, and it fetches too
    name = asked.suite.suite
    fetch = "the same with eval, which fetches" if asked.written else f"{FETCH} --suite {name}"
    for line in graph.summary(plan, summary, fetch, free_disk(store.root)):
        print(line)


def _planned(device: str | None, gpus: list[str] | None) -> "list[Machine]":
    """The machines that a plan is asked for: those that `--device` names, each with so many cards
    as `--gpus` says. SpecError for what is no card or no number."""
    from harness.common.errors import SpecError
    from harness.engines.process import OWN_DEVICES, machine
    from harness.plan.devices import CARD, Machine, by_card
    from harness.spec.oneline import listed

    named = [by_card(words) for words in (device or "").split(",")]
    found = [one for one in named if one]
    if len(found) < len(named):  # of this machine, or a word that it does not know
        found = [machine(device)]
    if not gpus:
        return found
    if device is None and found[0].device == "cpu":
        found = [Machine(1, CARD)]
    if found[0].device in OWN_DEVICES:
        raise SpecError(f"--gpus: --device {device} is no GPU; name a card, such as H100")
    counts = listed("gpus", gpus)
    for count in counts:
        if not (count.isascii() and count.isdigit() and int(count)):
            raise SpecError(f"--gpus {count}: write numbers from 1, such as 1,8,64")
    return [one._replace(workers=int(count)) for one in found for count in counts]


def _print_tables(plan: "Plan", state: dict[str, str], summary: dict[str, Any]) -> None:
    """The graph as a tree, what each kind of job takes, and all that blocks."""
    from rich.table import Table

    from harness.plan import shown as graph

    for line in graph.tree(plan, state):
        print(line)
    table = Table("job", "jobs", "cached", "to run", "blocked", "tokens to run", "hours (1 worker)")
    for kind, row in summary["kinds"].items():
        unknown = " + unknown" if row["unsized"] else ""
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
