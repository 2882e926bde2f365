"""data fetch, data lock, data verify: bring data and encoders to this machine, and name them
exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import (
    DEFAULT_SUITE,
    DataRoot,
    EncoderRoot,
    Json,
    LockFile,
    StoreDir,
    Tasks,
    Without,
    app,
    catalog_of,
    names_of,
    print_rows,
    say,
    store_to_read,
)

data_app = typer.Typer(
    help=(
        "Fetch data and encoders (fetch --suite NAME, fetch --all), write down which they are"
        " (lock), look again (verify)."
    ),
    no_args_is_help=True,
)
app.add_typer(data_app, name="data")

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Tasks, encoders and suites by name.", autocompletion=names_of("task")),
]
Suites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite", "-s", help="What this suite reads; repeatable.", autocompletion=names_of("suite")
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--all", help="Also what the tasks, suites and encoders of your own folders read."
    ),
]


@data_app.command("fetch")
def data_fetch(
    names: Names = None,
    suites: Suites = None,
    everything: Everything = False,
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    store: StoreDir = Path("store"),
    left_out: Without = None,
    lock: LockFile = None,
    as_json: Json = False,
) -> None:
    """Download into the hub cache what is not here yet, and add it to the lock file. Exit code 3 if
    something cannot be had."""
    from harness.common.errors import MissingError, SpecError
    from harness.sources import hub
    from harness.sources.lock import read_lock, updated, write_lock

    catalog = catalog_of(tasks or [])
    wanted = _chosen(catalog, names, suites, everything)
    if left_out and not set(wanted) & set(catalog.suites):
        raise SpecError("--without says what of a suite is not needed; name one with --suite")
    where = hub.Where(data_root, encoder_root, lock=read_lock(lock, new=True))
    blocked = _survey(catalog, wanted, where, store, left_out)
    failed = []
    if where.wanted and where.may_fetch:
        failed = hub.fetch(where, say)
        where = replace(where, wanted=[], found={})
        blocked = _survey(catalog, wanted, where, store, left_out)
    elif where.wanted:
        failed = ["HF_HUB_OFFLINE is set: nothing is fetched"]
    made, _ = updated(where.lock, where.sources())
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
def data_lock(
    names: Names = None,
    suites: Suites = None,
    everything: Everything = False,
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    store: StoreDir = Path("store"),
    lock: LockFile = None,
    as_json: Json = False,
) -> None:
    """Write into the lock file what is on this machine, as it is now: of what is named, else of
    every task and encoder."""
    from harness.sources import hub
    from harness.sources.lock import read_lock, unchecked, updated, write_lock

    catalog = catalog_of(tasks or [])
    before = read_lock(lock, new=True)
    asked = bool(names or suites or everything)
    wanted = (
        _chosen(catalog, names, suites, everything)
        if asked
        else [*catalog.tasks, *catalog.encoders]
    )
    where = hub.Where(data_root, encoder_root, offline=True, lock=unchecked(before))
    blocked = _survey(catalog, wanted, where, store)
    made, changes = updated(before, where.sources())
    write_lock(made)
    print_rows(_read(where), as_json)
    for line in changes:
        say(f"changed: {line}")
    for reason in blocked if asked else ():
        say(f"not locked: {reason}")
    say(
        f"lock file {made.path}"
        + (f"; {len(blocked)} things are not on this machine" if blocked else "")
    )


@data_app.command("verify")
def data_verify(
    data_root: DataRoot = None,
    encoder_root: EncoderRoot = None,
    tasks: Tasks = None,
    lock: LockFile = None,
) -> None:
    """Read and hash every file that the lock file names. Exit code 1 if one differs or is gone,
    each is named."""
    from harness.sources.hub import Where
    from harness.sources.lock import DEFAULT, read_lock, verify

    locked = read_lock(lock or DEFAULT)
    count = bad = 0
    for label, problem in verify(
        locked, catalog_of(tasks or []), Where(data_root, encoder_root, offline=True)
    ):
        count += 1
        if problem:
            bad += 1
            say(f"{label} {problem}")
    print(f"{count - bad} of {count} files are as {locked.path} says")
    if bad:
        raise typer.Exit(1)


def _chosen(
    catalog, names: list[str] | None, suites: list[str] | None, everything: bool
) -> list[str]:
    """Names of suites, tasks and encoders that are asked for."""
    from harness.common.errors import SpecError

    chosen = [*(names or []), *(suites or [])]
    if everything:
        own = [name for kind, name in sorted(catalog.user) if kind in ("task", "suite", "encoder")]
        chosen += [
            name for name in [*([] if suites else [DEFAULT_SUITE]), *own] if name not in chosen
        ]
    if not chosen:
        raise SpecError(
            "say what to fetch: --suite NAME, names of tasks and encoders, or --all for your own"
            " folders"
        )
    return chosen


def _survey(
    catalog, names: list[str], where, store: Path, left_out: list[str] | None = None
) -> dict[str, list[str]]:
    """Look for everything that the named suites (less `left_out`), tasks and encoders read; what is
    missing → what needs it."""
    from harness.run import steps as runner
    from harness.store import HashIndex

    opened = store_to_read(store)
    index = HashIndex(opened.root / "index" / "files.json")
    blocked: dict[str, list[str]] = {}
    for name in names:
        if name in catalog.suites:
            for reason, needs in runner.plan_suite(
                catalog, name, False, None, where, opened, left_out or []
            ).blocked.items():
                blocked.setdefault(reason, []).extend(f"suite {name}: {need}" for need in needs)
        if name in {*catalog.tasks, *catalog.encoders} or name not in catalog.suites:
            for reason in _missing(catalog, name, where, index):
                blocked.setdefault(reason, []).append(name)
    index.save()
    return blocked


def _missing(catalog, name: str, where, index) -> list[str]:
    """What the encoder, or the task in all its splits and languages, lacks on this machine."""
    from harness.common.errors import MissingError, SpecError
    from harness.sources.encoders import find
    from harness.sources.locate import Locator, splits
    from harness.spec.explain import nearest

    missing: list[str | None] = []
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
    missing += [locator.rows(task, phase, language).missing for phase, language in splits(task)]
    return list(dict.fromkeys(filter(None, missing)))


def _read(where) -> list[dict]:
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
