"""leaderboard show, leaderboard build: releases."""

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import BoardDir, Json, console, leaderboard_app


@leaderboard_app.command("show")
def leaderboard_show(
    release: Annotated[str | None, typer.Argument(help="A number, a name, or a suite (its latest). Default: the latest.")] = None,
    board: BoardDir = Path("leaderboard"),
    as_json: Json = False,
) -> None:
    """Print a release."""
    from harness.leaderboard.release import Board
    from harness.leaderboard.render import print_release

    shelf = Board(board)
    path = shelf.find(release)
    content = shelf.load(path)
    if as_json:
        print(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        print_release(content, shelf.title(path), console())


@leaderboard_app.command("build")
def leaderboard_build(board: BoardDir = Path("leaderboard")) -> None:
    """Render README.md from the releases."""
    from harness.leaderboard.release import Board
    from harness.runner import write_readme

    write_readme(Board(board))
    print(board / "README.md")
