"""data fetch, data lock, data verify: bring data and encoders to this machine, and name them
exactly."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.app import app, print_rows, say, store_to_read
from harness.cli.options import DataWanted, Json, Sources, StoreDir, Without, with_groups
from harness.run.here import DEFAULT_SUITE, STORE

if TYPE_CHECKING:
    from harness.sources.hub import Where
    from harness.spec.catalog import Catalog
    from harness.store import HashIndex

data_app = typer.Typer(
    help=(
        "Fetch data and encoders (fetch --suite NAME, fetch --all), write down which they are"
        " (lock), look again (verify)."
    ),
    no_args_is_help=True,
)
app.add_typer(data_app, name="data")


@data_app.command("fetch")
@with_groups
def data_fetch(
    wanted: DataWanted,
    sources: Sources,
    store: StoreDir = STORE,
    left_out: Without = None,
    as_json: Json = False,
) -> None:
    """Download into the hub cache what is not here yet, and add it to the lock file. Exit code 3 if
    something cannot be had."""
    from harness.common.errors import MissingError, SpecError
    from harness.sources import hub
    from harness.sources.lock import lock_to_write, updated, write_lock

    catalog = sources.catalog()
    names = _chosen(catalog, wanted)
    if left_out and not set(names) & set(catalog.suites):
        raise SpecError("--without says what of a suite is not needed; name one with --suite")

    lock = lock_to_write(sources.lock)
    where = sources.locked_by(lock)
    blocked = _survey(catalog, names, where, store, left_out or ())
    failed = []
    if where.wanted and where.may_fetch:
        failed = hub.fetch(where, say)
        # looked for once more: the lock names what is read, not what was asked for
        where = replace(where, wanted=[], found={})
        blocked = _survey(catalog, names, where, store, left_out or ())
    elif where.wanted:
        failed = ["HF_HUB_OFFLINE is set: nothing is fetched"]

    # what could be had is locked, also where something else could not
    made, _ = updated(lock, where.sources())
    write_lock(made)
    print_rows(_read(where), as_json)
    say(f"lock file {made.path}")
    if blocked:
        lines = [
            f"{reason}\n    needed by: {', '.join(dict.fromkeys(needs))}"
            for reason, needs in blocked.items()
        ]
        raise MissingError("\n".join([*failed, *lines]))


@data_app.command("lock")
@with_groups
def data_lock(
    wanted: DataWanted, sources: Sources, store: StoreDir = STORE, as_json: Json = False
) -> None:
    """Write into the lock file what is on this machine, as it is now: of what is named, else of
    every task and encoder."""
    from harness.sources.lock import lock_to_write, unchecked, updated, write_lock

    catalog = sources.catalog()
    before = lock_to_write(sources.lock)
    names = _chosen(catalog, wanted) if wanted else [*catalog.tasks, *catalog.encoders]
    # the old hashes would refuse the very change that this command is to write down
    where = sources.locked_by(unchecked(before), offline=True)
    blocked = _survey(catalog, names, where, store)

    made, changes = updated(before, where.sources())
    write_lock(made)
    print_rows(_read(where), as_json)
    for line in changes:
        say(f"changed: {line}")
    for reason in blocked if wanted else ():
        say(f"not locked: {reason}")
    absent = f"; {len(blocked)} things are not on this machine" if blocked else ""
    say(f"lock file {made.path}{absent}")


@data_app.command("verify")
@with_groups
def data_verify(sources: Sources) -> None:
    """Read and hash every file that the lock file names. Exit code 1 if one differs or is gone,
    each is named."""
    from harness.sources.lock import named_lock, verify

    locked = named_lock(sources.lock)
    count = bad = 0
    where = sources.locked_by(None, offline=True)
    for label, problem in verify(locked, sources.catalog(), where):
        count += 1
        if problem:
            bad += 1
            say(f"{label} {problem}")
    print(f"{count - bad} of {count} files are as {locked.path} says")
    if bad:
        raise typer.Exit(1)


def _chosen(catalog: "Catalog", wanted: DataWanted) -> list[str]:
    """Names of suites, tasks and encoders that are asked for."""
    from harness.common.errors import SpecError

    chosen = [*(wanted.names or []), *map(catalog.suite_called, wanted.suites or [])]
    if wanted.everything:
        own = [name for kind, name in sorted(catalog.user) if kind in ("task", "suite", "encoder")]
        default = [] if wanted.suites else [DEFAULT_SUITE]
        chosen += [name for name in [*default, *own] if name not in chosen]
    if not chosen:
        raise SpecError(
            "say what to fetch: --suite NAME, names of tasks and encoders, or --all for your own"
            " folders"
        )
    return chosen


def _survey(
    catalog: "Catalog",
    names: Iterable[str],
    where: "Where",
    store: Path,
    left_out: Iterable[str] = (),
) -> dict[str, list[str]]:
    """Look for everything that the named suites (less `left_out`), tasks and encoders read; what is
    missing → what needs it."""
    from harness.run.choice import Choice
    from harness.run.steps import plan_suite

    opened = store_to_read(store)
    index = opened.hash_index()
    blocked: dict[str, list[str]] = {}
    for name in names:
        if name in catalog.suites:
            plan = plan_suite(catalog, Choice(name, left_out=tuple(left_out)), where, opened)
            for reason, needs in plan.blocked.items():
                blocked.setdefault(reason, []).extend(f"suite {name}: {need}" for need in needs)
        # a task may be called as a suite is: then both are meant; what is neither is refused there
        if name in {*catalog.tasks, *catalog.encoders} or name not in catalog.suites:
            for reason in _missing(catalog, name, where, index):
                blocked.setdefault(reason, []).append(name)
    index.save()
    return blocked


def _missing(catalog: "Catalog", name: str, where: "Where", index: "HashIndex") -> list[str]:
    """What the encoder, or the task in all its splits and languages, lacks on this machine."""
    from harness.common.errors import MissingError, SpecError
    from harness.sources.encoders import find
    from harness.sources.locate import Locator, splits
    from harness.spec.explain import nearest

    missing = []
    if name in catalog.encoders:
        try:
            find(catalog.encoder(name), where, index)
        except MissingError as error:
            missing.append(str(error))
    elif name not in catalog.tasks:
        known = [*catalog.suites, *catalog.tasks, *catalog.encoders]
        raise SpecError(f"no suite, task or encoder is called {name!r}{nearest(name, known)}")
    if name not in catalog.tasks:
        return missing
    task, locator = catalog.task(name), Locator(catalog, where, index)
    for phase, language in splits(task):
        if why := locator.rows(task, phase, language).missing:
            missing.append(why)
    return list(dict.fromkeys(missing))


def _read(where: "Where") -> list[dict[str, Any]]:
    """One row for each folder that is read: what, commit, files, bytes, where."""
    from harness.sources.hub import commit_of

    rows = []
    for (section, name, folder), files in sorted(where.found.items()):
        size = sum((folder / path).stat().st_size for path in files)
        commit = commit_of(folder) or "unknown"
        rows.append(
            {
                "what": section,
                "name": name,
                "commit": commit,
                "files": len(files),
                "bytes": size,
                "where": str(folder),
            }
        )
    return rows
