"""cache ls, cache verify, cache gc: the store of job results."""

from typing import Annotated

import typer

from harness.cli.app import cache_app, print_rows, say
from harness.cli.options import Json, StoreDir
from harness.run.here import STORE


@cache_app.command("ls")
def cache_ls(store: StoreDir = STORE, as_json: Json = False) -> None:
    """List committed results with their sizes."""
    from harness.store import Store

    opened = Store(store, writable=False)
    rows = []
    for key, size in sorted(opened.sizes().items()):
        row = {"key": key[:12], "name": "", "bytes": size, "dropped": ""}
        if manifest := opened.manifest(key):
            row["name"] = manifest.meta.get("name", "")
            row["dropped"] = ", ".join(manifest.dropped)
        rows.append(row)
    print_rows(rows, as_json)


@cache_app.command("verify")
def cache_verify(store: StoreDir = STORE) -> None:
    """Re-hash every committed result. Exit code 1 if one is damaged; the next eval computes it
    again."""
    from harness.store import Store

    opened = Store(store, writable=False)
    keys = opened.keys(complete=False)
    bad = {key: problems for key in keys if (problems := opened.verify(key))}
    for key, problems in bad.items():
        say(f"{key}: {'; '.join(problems)}")
    print(f"{len(keys) - len(bad)} of {len(keys)} results are sound")
    if bad:
        raise typer.Exit(1)


@cache_app.command("gc")
def cache_gc(
    store: StoreDir = STORE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only say what would go.")
    ] = False,
    unused_days: Annotated[
        float,
        typer.Option(min=0, help="Tokenised rows go that no job has used for so many days."),
    ] = 7.0,
) -> None:
    """Remove what the dead left: working directories, leases, checkpoints of finished jobs, damaged
    results; and tokenised rows that are no longer used."""
    from harness.store import Store

    report = Store(store).collect(dry_run=dry_run, unused_days=unused_days)
    for name, size in report.removed:
        print(f"{name}  {size:,} bytes")
    print(f"{'would free' if dry_run else 'freed'} {report.bytes:,} bytes")
