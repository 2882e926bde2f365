"""list, show, validate, doctor: what there is, and whether it is sound."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.app import (
    BoardDir,
    DataRoot,
    EncoderRoot,
    Json,
    LockFile,
    Offline,
    StoreDir,
    Tasks,
    app,
    catalog_of,
    names_of,
    print_rows,
    say,
)
from harness.common.text import HIDDEN, short


@app.command("list")
def list_specs(
    what: Annotated[
        str, typer.Argument(help="tasks, encoders, suites, protocols, releases, or all")
    ] = "all",
    tasks: Tasks = None,
    board: BoardDir = Path("leaderboard"),
    as_json: Json = False,
) -> None:
    """Name the tasks, encoders, suites, protocols and releases there are."""
    from harness.release.document import Board
    from harness.spec.describe import listing

    rows = [] if what == "releases" else listing(what, catalog_of(tasks or []))
    if what in ("releases", "all"):
        for one in Board(board).read_all():
            if one.error:
                say(f"left out: {one.error}")
            else:
                rows.append(
                    {"kind": "release", "name": one.path.stem, "what": str(one.path), "from": ""}
                )
    print_rows(rows, as_json)


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(help="A task, encoder, suite or protocol.", autocompletion=names_of("task")),
    ],
    samples: Annotated[
        int, typer.Option("-n", "--samples", min=0, help="Rows of a task to show.")
    ] = 0,
    data_root: DataRoot = None,
    tasks: Tasks = None,
    offline: Offline = False,
    lock: LockFile = None,
    as_json: Json = False,
) -> None:
    """Print one spec with its defaults filled in, and sample rows of a task."""
    from harness.sources.hub import Where
    from harness.sources.inspect import samples_of
    from harness.sources.lock import read_lock
    from harness.spec.describe import described

    catalog = catalog_of(tasks or [], all_sound=False)
    spec = described(name, catalog)
    for line in catalog.broken:
        say(f"beside it: {line}")
    if samples:
        spec["samples"] = samples_of(
            catalog, catalog.task(name), samples, Where(data_root, None, offline, read_lock(lock))
        )
    if as_json:
        print(json.dumps(spec, indent=1, ensure_ascii=False))
        return
    print(as_yaml(spec), end="")


def as_yaml(data: dict[str, Any]) -> str:
    """The data as YAML; text with hidden characters in quotes, where the escapes that show them
    mean these characters."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def represent_str(self, text: str):
            return self.represent_scalar(
                "tag:yaml.org,2002:str", text, style='"' if HIDDEN.search(text) else None
            )

    Dumper.add_representer(str, Dumper.represent_str)
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


@app.command("validate")
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; default: ./tasks and the built-in ones."),
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Also read the data: columns, labels, placeholders.")
    ] = False,
    data_root: DataRoot = None,
    offline: Offline = False,
    lock: LockFile = None,
) -> None:
    """Check specs, and with --data the rows they name. Exit code 2 and one line per problem."""
    from harness.sources.hub import Where
    from harness.sources.inspect import check_data
    from harness.sources.lock import read_lock

    catalog = catalog_of(paths or [])
    print(
        f"{len(catalog.tasks)} tasks, {len(catalog.encoders)} encoders, {len(catalog.suites)}"
        " suites: sound"
    )
    if not data:
        return
    wanted = (
        [name for kind, name in sorted(catalog.user) if kind == "task"]
        if paths
        else sorted(catalog.tasks)
    )
    worst = 0
    for line in check_data(catalog, wanted, Where(data_root, None, offline, read_lock(lock))):
        print(short(line.text), flush=True)
        worst = max(worst, line.exit_code)
    if worst:
        raise typer.Exit(worst)


@app.command("doctor")
def doctor(
    store: StoreDir = Path("store"), encoder_root: EncoderRoot = None, as_json: Json = False
) -> None:
    """Check this machine: packages, GPU, cores, disk, encoders."""
    from harness.run.doctor import checkup

    rows = checkup(store, encoder_root, catalog_of([]))
    print_rows(rows, as_json)
    if any(row["state"] == "error" for row in rows):
        raise typer.Exit(1)
