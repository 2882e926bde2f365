"""What is rendered from the releases beside them: README.md and the page, index.html."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.page import render
from harness.page.page import render as render_page
from harness.page.tables import Release
from harness.release.document import NO_SIDECAR, Board, NewerError, Read, parsed, plain_bytes
from harness.release.shelve import changing
from harness.store import atomic_write

README, PAGE = BOARD_FILES = ("README.md", "index.html")


def write_board(shelf: Board, say: Callable[[str], None]) -> list[Read]:
    """Render both from every release that can be shown. `say` hears of the others; those that were
    damaged are returned.

    raises  StoreError: they cannot be written; what was there stays
    """
    with changing(shelf):
        while True:
            listed, found = shelf.list(), list(shelf.read_all())
            _write(shelf, [(one.path, one.content) for one in found if not one.error])
            # or someone published meanwhile who did not wait for us, and would be left out
            if shelf.list() == listed:
                break
    for one in found:
        if one.error:
            say(f"left out: {one.error}")
    return [one for one in found if one.error and not isinstance(one.error, NewerError)]


def _write(shelf: Board, found: list[tuple[Path, Release]]) -> None:
    readme = render.readme([(path, shelf.title(path), content) for path, content in found])
    page = render_page([(path.stem, content) for path, content in found])
    for name, text in zip(BOARD_FILES, (readme, page), strict=True):
        atomic_write(shelf.folder / name, text.encode())


def outdated(shelf: Board) -> list[str]:
    """Names of the files that are not there, or do not show the very releases that are.

    Read from their own text, since rendering them anew takes seconds.
    """
    names = [path.stem for path in shelf.list()]
    unchecked = any(shelf.content_hash(path) is None for path in shelf.list())
    readme, page = (_text(shelf, name) for name in BOARD_FILES)
    linked = re.findall(r"^- \[.*\]\(releases/(.+)\.json\)$", readme, re.MULTILINE)
    old = {
        README: linked != names or (NO_SIDECAR in readme and not unchecked),
        PAGE: _on_page(page) != names,
    }
    return [name for name in BOARD_FILES if old[name]]


def _text(shelf: Board, name: str) -> str:
    with suppress(OSError, ValueError):
        return plain_bytes(shelf.folder / name).decode()
    return ""


def _on_page(page: str) -> list[str]:
    """Titles of the releases in a page's data, oldest first."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    with suppress(ValueError, KeyError, TypeError):
        said = parsed((data[1] if data else "").encode())
        return [*said["older"], *(release["title"] for release in said["releases"])]
    return []
