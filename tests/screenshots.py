"""Pictures of the leaderboard's page, light and dark, wide and narrow, and as printed; and the one
figure of README.md and docs/study.md.

`python -m tests.screenshots OUT [PAGE]`; PAGE is leaderboard/index.html unless said. It is shown at
the newest release of SUITE, whose table the README has, or else at the newest.
Needs Chromium and playwright; the tests of the page use the same browser.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SUITE = "easy-hard"
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOOKS = {
    "light-1280": {"viewport": {"width": 1280, "height": 1500}, "color_scheme": "light"},
    "dark-1280": {"viewport": {"width": 1280, "height": 1500}, "color_scheme": "dark"},
    "light-390": {"viewport": {"width": 390, "height": 1500}, "color_scheme": "light"},
    "dark-390": {"viewport": {"width": 390, "height": 1500}, "color_scheme": "dark"},
}


@contextmanager
def browser() -> Iterator:
    """Headless Chromium, the one on the machine."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield opened
        finally:
            opened.close()


def newest(page_file: Path, suite: str) -> str:
    """The newest release of a suite on the page's board, as the page's address names it; nothing if
    there is none."""
    return "".join(
        f"#{path.stem}"
        for path in sorted(page_file.parent.glob(f"releases/[0-9]*-{suite}.json"))[-1:]
    )


def take(page_file: Path, folder: Path, whole: bool = False, at: str = "") -> list[Path]:
    """Write the pictures (`whole`: the full page, not only its top; `at`: a release) and the page
    as printed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with browser() as opened:
        for name, look in LOOKS.items():
            page = opened.new_page(**look)
            page.goto(page_file.resolve().as_uri() + at)
            page.wait_for_selector(".chart svg")
            page.wait_for_timeout(300)
            made.append(folder / f"leaderboard-{name}.png")
            page.screenshot(path=made[-1], full_page=whole)
            if name == "light-1280":
                made.append(folder / "leaderboard.pdf")
                page.pdf(path=made[-1], format="A4")
            page.close()
    return made


def figure(page_file: Path, folder: Path, suite: str) -> list[Path]:
    """Write easy against hard of a suite's newest release, if there is one."""
    from harness.page.export import export
    from harness.release.document import Board
    from harness.release.schema import Content

    if not newest(page_file, suite):
        return []
    shelf = Board(page_file.parent)
    path = shelf.find(suite)
    content = Content.model_validate(shelf.load(path))
    with TemporaryDirectory() as drafts:
        export(content, path.stem, Path(drafts), "svg")
        made = folder / "easy-against-hard.svg"
        shutil.copyfile(Path(drafts) / made.name, made)
    return [made]


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    shown, out = (
        Path(sys.argv[2] if len(sys.argv) == 3 else "leaderboard/index.html"),
        Path(sys.argv[1]),
    )
    print(*take(shown, out, at=newest(shown, SUITE)), *figure(shown, out, SUITE), sep="\n")
