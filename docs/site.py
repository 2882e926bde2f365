"""What MkDocs asks of this repository: pages that lie outside docs/, and links that lead there.

A link is written for whoever reads the file in a checkout or on GitHub. On the site it leads to the
page, if there is one, and else to the file: in the repository, where the build knows which one that
is (a workflow), or in this checkout.
"""

import logging
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
# a file of the repository, where it stands on the site
JOINED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "leaderboard/index.html": "board.html",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")
FENCE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)

log = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Files, config: Any) -> Files:
    """The pages from outside docs/ join the others."""
    for path, uri in JOINED.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page's text with its links as the site needs them."""
    if not page.file.abs_src_path:  # made from the code: it has the site's own links
        return markdown
    folder = Path(page.file.abs_src_path).resolve().parent

    def led(link: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / link[1]))
        if not path.exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, link[1])
            return link[1]
        return _target(path.relative_to(ROOT).as_posix(), files) + ("/" if path.is_dir() else "")

    # what stands in a fence is no link
    parts = FENCE.split(markdown)
    parts[::2] = [LINK.sub(led, part) for part in parts[::2]]
    return "".join(parts)


def _target(path: str, files: Files) -> str:
    """Where a link to a file of the repository leads. Every page lies at the top of the site."""
    uri = JOINED.get(path, str(PurePosixPath(path).relative_to("docs")) if _inside(path) else "")
    if uri and files.get_file_from_path(uri):
        return uri
    return f"{_repository()}/{path}"


def _inside(path: str) -> bool:
    return path.startswith("docs/")


def _repository() -> str:
    """The repository's files: on its server in a workflow of GitHub, else beside the site."""
    environment = os.environ
    if "GITHUB_REPOSITORY" not in environment:
        return ".."
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    return (
        f"{server}/{environment['GITHUB_REPOSITORY']}/blob/{environment.get('GITHUB_SHA', 'main')}"
    )
