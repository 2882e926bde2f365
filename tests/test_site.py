"""The docs as a site: it builds, every link in it leads somewhere, and it asks nobody else for
anything."""

import importlib.util
import logging
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("material", reason="the extra `docs` is not installed")

BOARD = "board.html"  # the board's own page, which has tests of its own


class Page(HTMLParser):
    """What a page of HTML names: its own anchors, what it links to, what a browser loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        if said.get("id"):
            self.anchors.add(said["id"])
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        elif tag in ("link", "script", "img") and (said.get("href") or said.get("src")):
            self.loaded.append(said.get("href") or said["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> dict[Path, Page]:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {path: Page(path) for path in folder.glob("*.html") if path.name != BOARD}


def test_every_link_of_the_site_leads_to_a_page_a_heading_or_a_file(site):
    folder = next(iter(site)).parent
    dead = []
    for path, page in site.items():
        for link in page.links + page.loaded:
            url = urlsplit(link)
            if url.scheme or path.name == "404.html":  # that one's links are absolute
                continue
            # what leads out of the site leads into the checkout that it was built from
            there = Path(ROOT, "site", unquote(url.path)).resolve()
            here = folder / unquote(url.path) if url.path else path
            anchors = site[here].anchors if here in site else {url.fragment}
            if not (here.exists() or there.exists()) or (
                url.fragment and url.fragment not in anchors
            ):
                dead.append(f"{path.name}: {link}")
    assert len(site) > 10 and dead == []


def test_the_site_loads_nothing_from_elsewhere(site):
    elsewhere = [link for page in site.values() for link in page.loaded if urlsplit(link).netloc]
    assert elsewhere == []


def test_every_command_and_the_library_have_their_entry(site):
    pages = {path.name: page for path, page in site.items()}
    assert {"xstilts-harness-eval", "xstilts-harness-data-fetch"} <= pages["commands.html"].anchors
    assert {"evaluate", "load_release", "releaseto_dataframe"} <= pages["api.html"].anchors


def hook():
    spec = importlib.util.spec_from_file_location("site_hook", ROOT / "docs" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = SimpleNamespace(
    file=SimpleNamespace(abs_src_path=str(ROOT / "docs" / "suites.md"), src_uri="suites.md")
)
NO_FILES = SimpleNamespace(get_file_from_path=lambda uri: uri == "index.md")


def test_a_link_to_a_file_that_is_gone_stops_the_build(caplog):
    with caplog.at_level(logging.WARNING):
        hook().on_page_markdown("[a](../harness/gone.py)", PAGE, None, NO_FILES)
    assert [record.getMessage() for record in caplog.records] == [
        "suites.md links to ../harness/gone.py, which is not there"
    ]


@pytest.mark.parametrize(
    ("text", "led"),
    [
        ("[a](../README.md#the-board)", "[a](index.md#the-board)"),
        ("[a](../harness/cli)", "[a](https://there.example/me/it/blob/abc/harness/cli/)"),
        ("```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
        ("[a](https://there.example)", "[a](https://there.example)"),
    ],
)
def test_links_are_led_to_pages_and_else_to_the_repository(text, led, monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://there.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/it")
    monkeypatch.setenv("GITHUB_SHA", "abc")
    assert hook().on_page_markdown(text, PAGE, None, NO_FILES) == led
