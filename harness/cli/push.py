"""push: a release to the hub."""

from typing import Annotated

import typer

from harness.cli.app import app, say, store_to_read
from harness.cli.options import BoardDir, Release, StoreDir
from harness.run.here import BOARD, STORE


@app.command("push")
def push(
    repo: Annotated[
        str, typer.Option(metavar="USER/NAME", help="Model repository; made if it is not there.")
    ],
    release: Release = None,
    weights: Annotated[
        bool,
        typer.Option("--weights", help="Also the encoders after their intermediate task, if kept."),
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="A repository that is made is private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Print what would go, and stop.")
    ] = False,
    store: StoreDir = STORE,
    board: BoardDir = BOARD,
) -> None:
    """Bring a release and its model card to the hub, as who `hf auth login` or HF_TOKEN says."""
    from harness.release.document import Board
    from harness.run.to_hub import check_repo, listing, send, uploads

    check_repo(repo)
    shelf = Board(board)
    path, content = shelf.open(release, say)
    found = uploads(shelf, path, content, repo, store_to_read(store) if weights else None)
    if dry_run:
        print("\n".join(listing(found)))
        print(f"\n{found[0].path}:\n\n{found[0].data().decode()}")
        return
    print(send(repo, found, f"Release {path.stem}", private))
