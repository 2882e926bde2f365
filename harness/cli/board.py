"""leaderboard build, show, compare, verify, export; bundle: releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.app import app, console, leaderboard_app, print_json, say
from harness.cli.options import (
    RELEASE,
    BoardDir,
    EncoderRoot,
    Json,
    LockFile,
    Release,
    Sources,
    Specs,
    StoreDir,
    with_groups,
)
from harness.run.here import BOARD, STORE

if TYPE_CHECKING:
    from harness.page.tables import Choice


@leaderboard_app.command("show")
def leaderboard_show(
    release: Release = None,
    targets: Annotated[bool, typer.Option("--targets", help="By target task.")] = False,
    languages: Annotated[bool, typer.Option("--languages", help="By language.")] = False,
    difficulty: Annotated[
        bool,
        typer.Option("--difficulty", help="Of the intermediate tasks; their parts and controls."),
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="All of it.")] = False,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Print a release: at a glance, or the tables behind that."""
    from harness.page.render import print_release
    from harness.release.document import Board, as_content
    from harness.release.followed import followed

    shelf = Board(board)
    path, content = shelf.open(release, say)
    if as_json:
        print_json(content)
        return
    asked: dict[Choice, bool] = {
        "targets": targets,
        "languages": languages,
        "difficulty": difficulty,
        "full": full,
    }
    chosen = [choice for choice, is_asked in asked.items() if is_asked] or ["glance"]
    with followed(shelf, path):
        print_release(as_content(path, content), shelf.title(path), console(), chosen)


@leaderboard_app.command("build")
def leaderboard_build(board: BoardDir = BOARD) -> None:
    """Render README.md, the page index.html, and each release's own page from the releases.

    One that was changed since it was released, or is none, is left out: exit code 1. So is one of a
    later version: exit code 0.
    """
    from harness.page.board_files import files, write_board
    from harness.release.document import Board

    shelf = Board(board)
    if not shelf.folder.is_dir():
        shelf.find(None)  # says that there is none, and what makes one
    damaged = write_board(shelf, say)
    for path in files(shelf):
        print(path)
    if damaged:
        raise typer.Exit(1)


@leaderboard_app.command("diff", hidden=True)
def leaderboard_diff(
    releases: Annotated[list[str] | None, typer.Argument()] = None,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Refused: `leaderboard compare` says what moved and why."""
    from harness.common.errors import SpecError

    named = " ".join(releases or ["A", "B"])
    raise SpecError(f"no command `leaderboard diff`; it is `leaderboard compare {named}`")


@leaderboard_app.command("compare")
def leaderboard_compare(
    before: Annotated[str, typer.Argument(metavar="A", help=f"The older release: {RELEASE}.")],
    after: Annotated[
        str, typer.Argument(metavar="B", help="The newer one, of another board perhaps.")
    ],
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help=(
                "Points by which the score of a language may differ, a mean over languages by half."
                " Default: 5."
            ),
        ),
    ] = None,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """What moved between two releases and why; and whether B is what A is, computed again.

    Fails (exit code 1) where keys, rows or anything stated differs, or a score by more than the
    tolerance, with each difference as `path: before, after`.
    """
    from harness.release.document import Board
    from harness.review.pair import pair

    shelf = Board(board)
    found = pair(shelf, shelf.open(before, say), shelf.open(after, say), tolerance)
    if as_json:
        print_json(found.document())
    else:
        print("\n".join(found.lines()))
    if not found.agree:
        raise typer.Exit(1)


@leaderboard_app.command("verify")
def leaderboard_verify(
    releases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RELEASE]...", help="Numbers, names or files. Default: all."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All releases of the board.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Score again from predictions and gold; the folder is as --data-root.",
        ),
    ] = None,
    store: StoreDir = STORE,
    encoder_root: EncoderRoot = None,
    specs: Specs = None,
    lock: LockFile = None,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Recompute every number of releases from their own evidence: no data, no torch. With --data
    also the evidence.

    Fails (exit code 1) on any number, language, split or seed that is not what the rest of the
    release says, whatever hashes stand beside it. --data needs the data, the store that holds the
    predictions, and torch.
    """
    from harness.release.document import Board
    from harness.review.soundness import predictions_again, soundness

    shelf = Board(board)
    paths = shelf.list() if everything or not releases else list(map(shelf.find, releases))
    if not paths:
        shelf.find(None)  # says that there is none, and what makes one
    again = None
    if data:
        sources = Sources(data, encoder_root, specs, lock)
        again = predictions_again(sources.catalog(), sources.where(offline=True), store, say)

    looked_at = []
    for path in paths:
        found = soundness(shelf, path, again)
        looked_at.append(found)
        if not as_json:
            print(found, flush=True)
            for problem in found.problems:
                say(f"  {found.release}: {problem}")
    if as_json:
        print_json([one.document() for one in looked_at])
    if any(one.problems for one in looked_at):
        raise typer.Exit(1)


@leaderboard_app.command("export")
def leaderboard_export(
    release: Release = None,
    form: Annotated[
        Literal["csv", "latex", "svg", "pdf", "png"],
        typer.Option("--format", help="Tables as csv or latex, pictures as svg, pdf or png."),
    ] = "csv",
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="Where to write.")
    ] = Path("export"),
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Write a release as files: its tables, or the pictures that a paper prints."""
    from harness.page.export import export
    from harness.release.document import Board, as_content
    from harness.release.followed import followed

    shelf = Board(board)
    path, content = shelf.open(release, say)
    with followed(shelf, path):
        written = export(as_content(path, content), path.stem, out, form)
    if as_json:
        print_json({"release": path.stem, "files": [str(file) for file in written]})
    else:
        for file in written:
            print(file)


@app.command("bundle")
@with_groups
def bundle_release(
    sources: Sources,
    release: Release = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", dir_okay=False, help="Default: ./RELEASE-bundle.tar.gz."),
    ] = None,
    store: StoreDir = STORE,
    without_predictions: Annotated[
        bool,
        typer.Option(
            "--without-predictions",
            help="No store in it: it can be checked and rerun, not scored again.",
        ),
    ] = False,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Pack a release into one file for a reviewer: specs, lock files, predictions as a store, and a
    page with the commands.

    Only what leads to the release goes in: specs and data here must give its keys (exit code 2 if
    not), the store must hold its results (3). Needs the data, to know the keys, and no torch.
    """
    from harness.release.document import Board, suite_beside
    from harness.review import bundle
    from harness.store import Store

    shelf = Board(board)
    path, content = shelf.open(release, say)
    chosen = bundle.opened(path, content, shelf.sidecar(path))
    catalog, where = sources.catalog(), sources.where(offline=True)
    if (made := suite_beside(path)).is_file():  # of options: no other file has it
        catalog.suite_called(str(made))
    opened = None if without_predictions else Store(store, writable=False)
    folder = f"{chosen.name}-bundle"
    file = out or Path(f"{folder}.tar.gz")
    count, size = bundle.write(file, folder, bundle.bundle(chosen, catalog, where, opened))
    if as_json:
        print_json({"release": chosen.name, "file": str(file), "files": count, "bytes": size})
    else:
        print(
            f"{file}: {count:,} files, {size:,} bytes"
            + (", without predictions" if without_predictions else "")
        )
