"""list, show, validate, doctor: what there is, and whether it is sound."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import app, print_json, print_rows, say
from harness.cli.options import (
    BoardDir,
    DataRoot,
    EncoderRoot,
    Json,
    LockFile,
    Offline,
    Sources,
    Specs,
    StoreDir,
    names_of,
)
from harness.common.errors import SpecError
from harness.common.text import as_yaml, short
from harness.run.here import BOARD, STORE, catalog_of


@app.command("list")
def list_specs(
    what: Annotated[
        str, typer.Argument(help="tasks, encoders, suites, protocols, releases, or all")
    ] = "all",
    specs: Specs = None,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Name the tasks, encoders, suites, protocols and releases there are."""
    from harness.spec.describe import listing

    rows = [] if what == "releases" else listing(what, catalog_of(specs))
    if what in ("releases", "all"):
        rows += _releases(board, asked_for=what == "releases")
    print_rows(rows, as_json)


def _releases(board: Path, asked_for: bool) -> list[dict[str, str]]:
    """One row a release; where there is none, who asked for them hears what makes one."""
    from harness.release.document import Board

    shelf, rows = Board(board), []
    if asked_for and not shelf.list():
        say(shelf.lacks())
    for one in shelf.read_all():
        if one.error:
            say(f"left out: {one.error}")
            continue
        rows.append({"kind": "release", "name": one.path.stem, "what": str(one.path), "from": ""})
    return rows


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
    specs: Specs = None,
    offline: Offline = False,
    lock: LockFile = None,
    as_json: Json = False,
) -> None:
    """Print one spec with its defaults filled in, and sample rows of a task."""
    from harness.sources.inspect import samples_of
    from harness.spec.describe import described

    catalog = catalog_of(specs, all_sound=False)
    spec = described(name, catalog)
    for line in catalog.broken:
        say(f"beside it: {line}")
    if samples:
        where = Sources(data_root, lock=lock).where(offline)
        spec["samples"] = samples_of(catalog, catalog.task(name), samples, where)
    if as_json:
        print_json(spec)
    else:
        print(as_yaml(spec), end="")


@app.command("validate")
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or folders; default: ./tasks and the built-in ones."),
    ] = None,
    specs: Specs = None,
    data: Annotated[
        bool, typer.Option("--data", help="Also read the data: columns, labels, placeholders.")
    ] = False,
    data_root: DataRoot = None,
    offline: Offline = False,
    lock: LockFile = None,
) -> None:
    """Check specs, and with --data the rows they name. Exit code 2 and one line per problem."""
    from harness.sources.inspect import check_data

    paths = [*(paths or []), *(specs or [])]
    catalog = catalog_of(paths)
    print(
        f"{len(catalog.tasks)} tasks, {len(catalog.encoders)} encoders, {len(catalog.suites)}"
        " suites: sound"
    )
    if not data:
        return
    wanted = sorted(catalog.tasks)
    if paths:
        wanted = [name for kind, name in sorted(catalog.user) if kind == "task"]
    worst = 0
    for line in check_data(catalog, wanted, Sources(data_root, lock=lock).where(offline)):
        print(short(line.text), flush=True)
        worst = max(worst, line.exit_code)
    if worst:
        raise typer.Exit(worst)


@app.command("schema")
def show_schema(
    kind: Annotated[str, typer.Argument(help="task, encoder, suite or protocol.")],
) -> None:
    """Print the JSON Schema of a kind of YAML, which editors complete from."""
    from harness.spec.catalog import KINDS
    from harness.spec.explain import nearest
    from harness.spec.json_schema import text

    if kind not in KINDS:
        raise SpecError(f"no kind of YAML is called {kind}{nearest(kind, KINDS)}")
    print(text(kind), end="")


@app.command("doctor")
def doctor(
    store: StoreDir = STORE, encoder_root: EncoderRoot = None, as_json: Json = False
) -> None:
    """Check this machine: packages, GPU, cores, disk, encoders."""
    from harness.run.doctor import checkup

    rows = checkup(store, encoder_root, catalog_of([]))
    print_rows(rows, as_json)
    if any(row["state"] == "error" for row in rows):
        raise typer.Exit(1)
