"""What is rendered from the releases beside them: README.md, the page index.html, and a page of its
own for each release, releases/NAME.md."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.common.errors import StoreError
from harness.page import render
from harness.page.page import render as render_page
from harness.page.render import Listed
from harness.release.document import (
    NO_SIDECAR,
    Board,
    NewerError,
    as_content,
    is_listed,
    parsed,
    plain_bytes,
)
from harness.release.followed import followed
from harness.release.shelve import changing
from harness.store import atomic_write, disk_errors

README, PAGE = BOARD_FILES = ("README.md", "index.html")


def own_page(path: Path) -> Path:
    """The page of a release's file."""
    return path.with_suffix(".md")


def files(shelf: Board) -> list[Path]:
    """All that is rendered of what lies there now."""
    return [*(shelf.folder / name for name in BOARD_FILES), *map(own_page, shelf.list())]


def write_board(shelf: Board, say: Callable[[str], None]) -> list[StoreError]:
    """Render all from every release that can be shown. `say` hears why the others cannot; what is
    wrong with those that were damaged is returned.

    raises  StoreError: they cannot be written; what was there stays
    """
    with changing(shelf):
        while True:
            listed = shelf.list()
            shown, pages, left_out = _shown(shelf)
            _write(shelf, shown, pages)
            # or someone published meanwhile who did not wait for us, and would be left out
            if shelf.list() == listed:
                break
    for error in left_out:
        say(f"left out: {error}")
    return [error for error in left_out if not isinstance(error, NewerError)]


def _shown(shelf: Board) -> tuple[list[Listed], dict[Path, str], list[StoreError]]:
    """The releases that can be shown, oldest first, the own page of each, and why the others
    cannot."""
    shown, pages, left_out = [], {}, []
    for path in shelf.list():
        try:
            one = Listed(path, shelf.title(path), as_content(path, shelf.load(path)))
            with followed(shelf, path):
                pages[own_page(path)] = render.markdown(one.content, one.title)
        except StoreError as error:
            left_out.append(error)
        else:
            shown.append(one)
    return shown, pages, left_out


def _write(shelf: Board, releases: Sequence[Listed], pages: Mapping[Path, str]) -> None:
    page = render_page([(one.path.stem, one.content) for one in releases])
    # the list last: what it leads to is there
    texts = {**pages, shelf.folder / PAGE: page, shelf.folder / README: render.readme(releases)}
    for path, text in texts.items():
        atomic_write(path, text.encode())
    for path in _own_pages(shelf):
        if path not in texts:
            with disk_errors("remove", path):
                path.unlink()


def _own_pages(shelf: Board) -> Iterator[Path]:
    """Pages of releases, those that are gone included; not what somebody else wrote there."""
    for path in sorted(shelf.releases.glob("*.md")):
        if is_listed(path.with_suffix(".json")):
            yield path


def outdated(shelf: Board) -> list[str]:
    """Names of the files that are not there, or do not show the very releases that are; and of
    those that show one that is gone.

    Read from their own text, since rendering them anew takes seconds.
    """
    names = [path.stem for path in shelf.list()]
    unchecked = any(shelf.content_hash(path) is None for path in shelf.list())
    readme, page = (_text(shelf.folder / name) for name in BOARD_FILES)
    linked = re.findall(r"^- \[.*?\]\(releases/(.+?)\.md\)", readme, re.MULTILINE)
    found = [README] * (linked != names or (NO_SIDECAR in readme and not unchecked))
    found += [PAGE] * (_on_page(page) != names)
    current = set(map(own_page, shelf.list()))
    for path in sorted(current | set(_own_pages(shelf))):
        heading = _text(path).partition("\n")[0]
        if path not in current or heading != render.title_line(shelf.title(path)):
            found.append(f"{shelf.releases.name}/{path.name}")
    return found


def _text(path: Path) -> str:
    with suppress(OSError, ValueError):
        return plain_bytes(path).decode()
    return ""


def _on_page(page: str) -> list[str]:
    """Titles of the releases in a page's data, oldest first."""
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    with suppress(ValueError, KeyError, TypeError):
        said = parsed((data[1] if data else "").encode())
        return [*said["older"], *(release["title"] for release in said["releases"])]
    return []
