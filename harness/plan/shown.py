"""A plan as text: what is trained on what, for which test sets, and what of it is done.

Seeds are folded, and arms whose targets stand alike share one list of them, so that thirteen arms
by nine targets by three seeds fit on a screen:

    xlm-roberta-base, seeds 1, 2, 3
      none
      train mnli (intermediate)                          to run
        then, after each of these 2:
          train squad → xquad, mlqa                      to run
          evaluate tatoeba                               to run
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from harness.common.text import line, short
from harness.plan.graph import Cell, Job, Plan
from harness.spec.suite import Arm
from harness.store import Store

Lines = tuple[tuple[str, str], ...]  # of text, each with its state

# A kind of job, for a person.
KINDS = {
    "train": "trainings",
    "evaluate": "evaluations",
    "overlap": "checks of training against test rows",
    "select": "choices of rows",
    "pvi": "measures of difficulty",
}
# In the order in which they are said. `refused`: a leak was found, so that the job will not run.
STATES = ("cached", "to run", "blocked", "refused")


def states(plan: Plan, store: Store, todo: list[Job]) -> dict[str, str]:
    """key → one of STATES, for every job of the plan. `todo`: what `plan.todo` returned."""
    waiting = {job.key for job in todo}

    def state(key: str) -> str:
        if plan.jobs[key].blocked:
            return "blocked"
        return "to run" if key in waiting else "cached" if store.manifest(key) else "refused"

    return {key: state(key) for key in plan.jobs}


def jobs(plan: Plan, state: dict[str, str]) -> list[dict[str, Any]]:
    """The graph for programs: key, kind, name, the keys a job needs, its state."""
    return [
        {
            "key": job.key,
            "kind": job.kind,
            "name": job.name,
            "needs": job.needs,
            "state": state[job.key],
        }
        for job in plan.jobs.values()
    ]


def sharing(plan: Plan) -> dict[str, int]:
    """How many cells and trainings, how many there would be if no two cells shared one, and how
    many only rank rows."""
    trainings = {key for cell in plan.cells for key in (cell.intermediate, cell.trained) if key}
    unshared = sum(
        (cell.intermediate is not None) + (cell.trained is not None) for cell in plan.cells
    )
    ranking = sum(job.kind == "train" and job.key not in trainings for job in plan.jobs.values())
    return {
        "cells": len(plan.cells),
        "trainings": len(trainings),
        "unshared": unshared,
        "ranking": ranking,
    }


def sharing_line(plan: Plan) -> str:
    """`sharing` in words."""
    of = sharing(plan)
    saved = of["unshared"] - of["trainings"]
    ranking = f"; {of['ranking']} more trainings rank rows for subsets" if of["ranking"] else ""
    return (
        f"{of['cells']} cells; {of['trainings']} trainings do the work of {of['unshared']}: sharing"
        f" saved {saved}{ranking}"
    )


def blocked_lines(plan: Plan) -> list[str]:
    """What is missing and what that blocks; the many configs or files of one source are one
    line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for reason, blocks in plan.blocked.items():
        source = reason.partition(",")[0]  # a hub id; a missing file's whole message
        alike.setdefault((source, *dict.fromkeys(blocks)), []).append(reason)
    lines = []
    for (source, *blocks), reasons in alike.items():
        more = (
            f"; and {len(reasons) - 1} more of {source} (--json lists them)"
            if len(reasons) > 1
            else ""
        )
        lines.append(f"blocked: {', '.join(blocks)}: {reasons[0]}{more}")
    return lines


def summary(plan: Plan, estimated: dict[str, Any], fetch: str, free: float = 0) -> list[str]:
    """What is missing, what it all costs, and where it is said at length: twelve lines at most.

    estimated  of `estimate.estimate`, with `download` (bytes, None: unknown) and `repositories`
    fetch      the command that gets what is missing
    free       bytes on the store's disk
    """
    kinds = estimated["kinds"]
    count: Counter[str] = Counter()
    for kind in kinds.values():
        count.update({state: kind[state] for state in ("jobs", "cached", "to_run", "blocked")})
    lines = []
    if count["blocked"]:
        lines += _missing(plan, estimated, count["blocked"], fetch)
    if count["to_run"]:
        of = [f"{KINDS[kind]} {row['to_run']:,}" for kind, row in kinds.items() if row["to_run"]]
        cached = f"; {count['cached']:,} are cached" if count["cached"] else ""
        lines.append(f"{count['to_run']:,} jobs can run: {', '.join(of)}{cached}")
    elif not count["blocked"]:
        lines.append(f"nothing is to run: all {count['jobs']:,} jobs are cached")
    lines += _costs(estimated, free)
    lines.append(sharing_line(plan))
    lines.append("--verbose shows every job and what blocks it, --json all of it")
    return lines


def _costs(estimated: dict[str, Any], free: float) -> list[str]:
    """What the jobs take that are not done; nothing where nobody knows how much data they read."""
    if not estimated["rows"]:
        return []
    tokens = sum(row["tokens"] for row in estimated["kinds"].values())
    lines = [
        f"{estimated['rows']:,} rows, about {_round(tokens)} tokens read:"
        f" {_hours(estimated['hours'])} on {estimated['device']}{_idle(estimated)}",
        *assumed(estimated),
    ]
    disk = estimated["disk"]
    if disk["most"] > min(WORTH_SAYING, free / 2):
        models = estimated["models"]
        lines.append(
            f"disk: at most {in_bytes(disk['most'])} while it runs, with {models} trained"
            f" model{'s' * (models > 1)} and checkpoints; {in_bytes(disk['after'])} stay;"
            f" {in_bytes(free)} are free"
        )
    return lines


WORTH_SAYING = 10e9  # bytes of a disk


def assumed(estimated: dict[str, Any]) -> list[str]:
    """What the hours rest on."""
    lines = [f"at {estimated['basis']}"]
    if names := estimated["published"]:
        lines.append(f"rows as published, where they are not here: {', '.join(names)}")
    if unsized := sum(kind["unsized"] for kind in estimated["kinds"].values()):
        lines.append(f"{unsized:,} jobs are not counted: nobody says how large their data are")
    if (processes := estimated["processes"]) > 1:
        lines.append(
            f"up to {processes} processes share a training (world_size), each with a GPU of its own"
            " on one machine, or a CPU thread"
        )
    return lines


def sizing(runs: list[dict[str, Any]]) -> list[str]:
    """A table of what the same jobs take on several machines (`estimate.Left.run`), and the chain
    of jobs below whose length no number of workers gets."""
    head = ["", "hours", "GPU-hours", "busy", "models kept", "disk, at most", "disk, after"]
    rows = [
        [
            run["device"],
            f"{run['hours']:,.1f}",
            f"{run['worker_hours']:,.1f}",
            f"{run['busy']:.0%}",
            f"{run['models']:,}",
            in_bytes(run["disk"]["most"]),
            in_bytes(run["disk"]["after"]),
        ]
        for run in runs
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [("-" * (width - 1) + ":" if at else "-" * width) for at, width in enumerate(widths)]

    def line(cells: list[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    chains = {run["device"].split(" × ")[-1]: f"{run['chain_hours']:.1f}" for run in runs}
    longest = ", ".join(f"{hours} hours on one {card}" for card, hours in chains.items())
    last = f", up to {runs[0]['chain'][-1]}" if runs[0]["chain"] else ""
    return [
        *map(line, [head, rule, *rows]),
        f"the longest chain of jobs takes {longest}{last}",
    ]


WAITED_FOR = 0.5  # hours from which one asks what a run waits for


def _idle(estimated: dict[str, Any]) -> str:
    """Why more workers would not shorten the run much, if that is so."""
    shared = estimated["chain_hours"] < 0.5 * estimated["hours"] or estimated["busy"] > 0.95
    if shared or estimated["hours"] < WAITED_FOR:
        return ""
    first, last = estimated["chain"][0], estimated["chain"][-1]
    if first == last:
        return f", nearly all of it for {first} alone"
    return (
        f", busy {estimated['busy']:.0%} of it; jobs that wait for each other take"
        f" {_hours(estimated['chain_hours'])}, from {first} to {last}"
    )


def _missing(plan: Plan, estimated: dict[str, Any], blocked: int, fetch: str) -> list[str]:
    """What jobs wait for, and the command that gets it."""
    repositories = estimated["repositories"]
    # what the hub does not have is said in the words of who looked for it
    others = [why for why in plan.blocked if not _of(why, repositories)]
    lines = []
    if repositories:
        size = estimated["download"]
        download = "unknown (offline)" if size is None else in_bytes(size)
        lines.append(f"{blocked:,} jobs wait for data: run {fetch}")
        shown = ", ".join(repositories[:4])
        more = f" and {len(repositories) - 4} more" if len(repositories) > 4 else ""
        lines.append(f"to download: {download}, of {shown}{more}")
    else:
        lines.append(f"{blocked:,} jobs wait for what no command fetches")
    if others:
        more = f"; and {len(others) - 1} more such files" if len(others) > 1 else ""
        lines.append(f"not on the hub: {short(line(others[0]), 300)}{more}")
    return lines


def _of(why: str, repositories: list[str]) -> bool:
    return any(repo in why for repo in repositories)


def _round(count: float) -> str:
    """A number nobody knows exactly."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {name}"
    return f"{round(count, -2):,.0f}"


def in_bytes(size: float) -> str:
    """For a person."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _hours(hours: float) -> str:
    if hours < 0.95:
        minutes = max(1, round(hours * 60))
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {hours:,.1f} hours"


def tree(plan: Plan, state: dict[str, str]) -> list[str]:
    """The whole graph as indented lines, each with its state."""
    lines: list[tuple[str, str]] = []
    for encoder in plan.encoders:
        seeds = plan.suite.seeds
        lines.append((f"{encoder}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}", ""))
        groups: dict[Lines, list[tuple[Arm, list[Cell]]]] = {}
        for arm in plan.suite.arms:
            cells = [cell for cell in plan.cells if (cell.encoder, cell.arm) == (encoder, arm.name)]
            groups.setdefault(tuple(_targets(plan, cells, state)), []).append((arm, cells))
        for number, (part, arms) in enumerate(groups.items()):
            for arm, cells in arms:
                trained = {cell.intermediate for cell in cells}
                lines.append((f"  {_first(arm)}", _folded(trained, state)))
            lines += [(f"    {text}", of) for text, of in _then(part, len(arms), seen=number > 0)]
    lines += _overlaps(plan, state)
    width = max(len(text) for text, _ in lines)
    return [f"{text:<{width}}  {of}".rstrip() for text, of in lines]


def _first(arm: Arm) -> str:
    """What an arm trains on first."""
    given = arm.intermediate
    if given is None:
        return arm.name
    tasks = "+".join(given.tasks)
    if given.subset:
        tasks = f"the {given.subset.keep} {given.subset.fraction:.0%} of {tasks}"
    tasks += f" with {given.control.replace('_', ' ')}" if given.control else ""
    languages = f" in {', '.join(given.languages)}" if given.languages else ""
    return (
        f"train {tasks}{languages} (intermediate{'' if arm.name == tasks else f' of {arm.name}'})"
    )


def _then(part: Lines, arms: int, seen: bool) -> list[tuple[str, str]]:
    """What follows the intermediates of `arms` arms; in one line if it is all in one state and the
    list was `seen`."""
    after = "" if arms == 1 else f", after each of these {arms}"
    common = {of for _, of in part}
    if seen and len(common) == 1 and not any("(" in text for text, _ in part):
        return [(f"then the same targets{after}", common.pop())]
    return [(f"then{after}:", ""), *((f"  {text}", of) for text, of in part)]


def _targets(plan: Plan, cells: list[Cell], state: dict[str, str]) -> list[tuple[str, str]]:
    """An arm's target trainings, each with the targets it is evaluated on, then the targets that
    need none.

    A target's state is said beside its name where it is not that of its training.
    """
    evaluations: dict[str, set[str]] = {}
    trainings: dict[str, set[str | None]] = {}
    for cell in cells:
        evaluations.setdefault(cell.target, set()).add(cell.evaluate)
        trainings.setdefault(cell.target, set()).add(cell.trained)
    lines: dict[tuple[frozenset[str], str], list[str]] = {}
    for target, trained in trainings.items():
        keys = frozenset(key for key in trained if key)
        done = _folded(evaluations[target], state)
        own = _folded(keys, state) if keys else done
        # Targets without a training share a line if they share a state.
        lines.setdefault((keys, own), []).append(target if own == done else f"{target} ({done})")
    found = []
    for (keys, own), targets in sorted(lines.items(), key=lambda line: not line[0][0]):
        names = sorted({"+".join(plan.jobs[key].body["spec"]["tasks"]) for key in keys})
        found.append(
            (
                (
                    f"train {', '.join(names)} → {', '.join(targets)}"
                    if keys
                    else f"evaluate {', '.join(targets)}"
                ),
                own,
            )
        )
    return found


def _overlaps(plan: Plan, state: dict[str, str]) -> list[tuple[str, str]]:
    """The checks whether training rows stand in test sets: one line for the arms that have as many,
    in the same states."""
    alike: dict[tuple[int, str], list[str]] = {}
    for arm in plan.suite.arms:
        keys = {cell.overlap for cell in plan.cells if cell.arm == arm.name and cell.overlap}
        if keys:
            alike.setdefault((len(keys), _folded(keys, state)), []).append(arm.name)
    lines = [
        (f"  {', '.join(arms)}: {count} test sets{' each' * (len(arms) > 1)}", of)
        for (count, of), arms in alike.items()
    ]
    return (
        [("overlap of training with test rows, once for all encoders and seeds", ""), *lines]
        if lines
        else []
    )


def _folded(keys: Iterable[str | None], state: dict[str, str]) -> str:
    """The one state of several jobs, or how many are in which; "" if there is no job."""
    counts = Counter(state[key] for key in keys if key)
    if len(counts) <= 1:
        return next(iter(counts), "")
    return "partly: " + ", ".join(f"{counts[of]} {of}" for of in STATES if counts[of])
