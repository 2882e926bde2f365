"""leaderboard build, show, compare, verify, export; bundle: releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.app import app, console, leaderboard_app, print_json, say
from harness.cli.options import (
    BOARD,
    RELEASE,
    STORE,
    BoardDir,
    EncoderRoot,
    Json,
    LockFile,
    Release,
    Sources,
    StoreDir,
    Tasks,
    with_groups,
)

if TYPE_CHECKING:
    from harness.page.tables import Choice
    from harness.release.comparer import Difference
    from harness.release.counts import Problem


@leaderboard_app.command("show")
def leaderboard_show(
    release: Release = None,
    targets: Annotated[bool, typer.Option("--targets", help="Each target task.")] = False,
    languages: Annotated[bool, typer.Option("--languages", help="Languages.")] = False,
    difficulty: Annotated[
        bool, typer.Option("--difficulty", help="How hard each intermediate was; its parts.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="All of it.")] = False,
    board: BoardDir = BOARD,
    as_json: Json = False,
) -> None:
    """Print a release: at a glance, or the tables behind that."""
    from harness.page.render import print_release
    from harness.release.document import Board
    from harness.release.schema import Content

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
    print_release(Content.model_validate(content), shelf.title(path), console(), chosen)


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
    from harness.release import compare
    from harness.release import tolerance as held
    from harness.release.document import Board
    from harness.release.schema import Content

    shelf, points = Board(board), held.POINTS if tolerance is None else tolerance
    (a, old), (b, new) = shelf.open(before, say), shelf.open(after, say)
    same = a.read_bytes() == b.read_bytes()
    head = {"before": str(a), "after": str(b), "byte_identical": same}
    if same:
        if as_json:
            print_json(head)
        else:
            print(f"{a} and {b}: byte-identical")
        return

    sidecars = shelf.sidecar(a), shelf.sidecar(b)
    contents = Content.model_validate(old), Content.model_validate(new)
    moved = compare.compare(*contents, *sidecars)
    found = held.hold(old, new, points)
    unlike = compare.hardware(*sidecars)
    if as_json:
        by_kind = {}
        for kind, changes in moved.moved.items():
            by_kind[kind] = [one._asdict() for one in changes]
        rest = moved._asdict() | {
            "moved": by_kind,
            "differences": [_as_json(one) for one in found.differences],
            "flips": [_as_json(one) for one in found.flips],
            "answers": found.answers,
            "points": found.points,
            "hardware": unlike,
        }
        print_json(head | rest)
    else:
        said = [f"{a} → {b}", *compare.lines(moved), *held.lines(found, points)]
        print("\n".join([*said, *filter(None, [unlike])]))
    if found.differences:
        raise typer.Exit(1)


def _as_json(one: "Difference") -> dict[str, Any]:
    return {"path": one.path, "before": one.before, "after": one.after, "of": one.of}


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
    tasks: Tasks = None,
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
    from harness.release.schema import Content
    from harness.release.verify import summary, verify

    shelf = Board(board)
    report: list[dict[str, Any]] = []
    paths = [shelf.find(name) for name in releases] if releases and not everything else shelf.list()
    if not paths:
        shelf.find(None)  # says that there is none, and what makes one
    for path in paths:
        read, problems = _read(path)
        problems = problems or verify(read, shelf.sidecar(path))
        checked = "not to be trusted as it stands"
        if not problems:
            checked = summary(Content.model_validate_json(read))
        if data and not problems:
            sources = Sources(data, encoder_root, tasks, lock)
            again, more, missing = _verify_predictions(shelf.load(path), sources, store)
            checked, problems = f"{checked}; {again}", more + missing
        report.append(
            {"release": path.stem, "sound": not problems, "checked": checked, "problems": problems}
        )
        if not as_json:
            print(
                f"{path.stem}: {'sound' if not problems else f'{len(problems)} problems'} ·"
                f" {checked}",
                flush=True,
            )
            for problem in problems:
                say(f"  {path.stem}: {problem}")
    if as_json:
        listed = []
        for entry in report:
            problems = [problem._asdict() | {"text": str(problem)} for problem in entry["problems"]]
            listed.append(entry | {"problems": problems})
        print_json(listed)
    if any(entry["problems"] for entry in report):
        raise typer.Exit(1)


def _read(path: Path) -> tuple[bytes, list["Problem"]]:
    """A release's bytes, or why there are none, as a problem."""
    from harness.release.counts import Problem
    from harness.release.document import plain_bytes

    try:
        return plain_bytes(path), []
    except OSError as error:
        return b"", [
            Problem(
                "the file", f"nothing that can be read ({error.strerror or error})", "a release"
            )
        ]


def _verify_predictions(
    content: dict[str, Any], sources: Sources, store: Path
) -> tuple[str, list["Problem"], list["Problem"]]:
    """(what was scored again, problems, what the store lacks as problems) of one release."""
    from harness.common.errors import MissingError
    from harness.release.schema import Content
    from harness.review import bundle, predictions
    from harness.store import HashIndex, Store

    if not store.is_dir():
        raise MissingError(
            f"{store}: no store here; give --store DIR, the one in which the release was made"
        )
    opened = Store(store)
    index = HashIndex(opened.root / "index" / "files.json")
    plan = bundle.plan_of(content, sources.catalog(), sources.where(offline=True), index)
    found = predictions.verify_predictions(
        Content.model_validate(content), plan, opened, lambda name: say(f"scoring {name}")
    )
    return found.summary, found.problems, found.missing


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
    from harness.release.document import Board
    from harness.release.schema import Content

    shelf = Board(board)
    path, content = shelf.open(release, say)
    written = export(Content.model_validate(content), path.stem, out, form)
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
    from harness.release.document import Board
    from harness.review import bundle
    from harness.store import Store

    shelf = Board(board)
    path, content = shelf.open(release, say)
    chosen = bundle.opened(path, content, shelf.sidecar(path))
    where = sources.where(offline=True)
    opened = None if without_predictions else Store(store, writable=False)
    folder = f"{chosen.name}-bundle"
    file = out or Path(f"{folder}.tar.gz")
    count, size = bundle.write(
        file, folder, bundle.bundle(chosen, sources.catalog(), where, opened)
    )
    if as_json:
        print_json({"release": chosen.name, "file": str(file), "files": count, "bytes": size})
    else:
        print(
            f"{file}: {count:,} files, {size:,} bytes"
            + (", without predictions" if without_predictions else "")
        )
