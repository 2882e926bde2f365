"""Pictures of the leaderboard's page, light and dark, wide and narrow, and as printed: `python -m tests.screenshots OUT [PAGE]`.

PAGE is leaderboard/index.html unless said. Needs Chromium and playwright; the tests of the page use the same browser.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    "light-360": {"viewport": {"width": 360, "height": 1500}, "color_scheme": "light"},
    "dark-360": {"viewport": {"width": 360, "height": 1500}, "color_scheme": "dark"},
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


def take(page_file: Path, folder: Path, whole: bool = False) -> list[Path]:
    """Write the pictures (`whole`: the full page, not only its top) and the page as printed."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with browser() as opened:
        for name, look in LOOKS.items():
            page = opened.new_page(**look)
            page.goto(page_file.resolve().as_uri())
            page.wait_for_selector(".chart svg")
            page.wait_for_timeout(300)
            made.append(folder / f"leaderboard-{name}.png")
            page.screenshot(path=made[-1], full_page=whole)
            if name == "light-1280":
                made.append(folder / "leaderboard.pdf")
                page.pdf(path=made[-1], format="A4")
            page.close()
    return made


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(*take(Path(sys.argv[2] if len(sys.argv) == 3 else "leaderboard/index.html"), Path(sys.argv[1])), sep="\n")
