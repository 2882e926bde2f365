"""What a board shows of what lies there: a changed digit, a later schema, a file that is no
release."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import ROOT, copied

from harness.api import load_release
from harness.cli import main
from harness.common.errors import StoreError
from harness.page.board_files import outdated, own_page, write_board
from harness.published import reproduce
from harness.release.document import NO_SIDECAR, Board, beside, content_bytes
from harness.release.schema import SCHEMA
from harness.run import publishing
from harness.sources.hub import Where
from harness.spec.catalog import Catalog
from harness.store import Store, key_of

GOLDEN = ROOT / "tests" / "golden" / "release.json"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs a command in this process."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["xstilts-harness", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return Ran(end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A board of three: two suites, the first with two releases."""
    made = Board(tmp_path_factory.mktemp("whole") / "board")
    for suite, about in (("mine", "first"), ("mine", "second"), ("other", "third")):
        text = GOLDEN.read_text(encoding="utf-8").replace("golden", suite)
        content = json.loads(text.replace("a small release of this schema", about))
        publishing.put(content, {}, made, print)
    return made.folder


@pytest.fixture
def shelf(whole, tmp_path) -> Board:
    """A copy of it, to be maltreated."""
    return Board(copied(whole, tmp_path / "board"))


def changed(path: Path) -> None:
    """One digit is another one."""
    content = json.loads(path.read_bytes())
    content["cells"][0]["score"] += 1.0
    path.write_bytes(content_bytes(content))


def newer(path: Path, schema: object = SCHEMA + 1) -> None:
    """As a later version would write it."""
    content = json.loads(path.read_bytes()) | {"schema": schema}
    path.write_bytes(content_bytes(content))
    beside(path).write_bytes(content_bytes({"content_sha256": key_of(content)}))


# A changed digit


@pytest.mark.parametrize(
    "words",
    [
        ("show", "2"),
        ("show", "mine", "--json"),
        ("show", "board/releases/0002-mine.json"),
        ("compare", "2", "1"),
        ("export", "2"),
        ("bundle", "2"),
    ],
    ids=" ".join,
)
def test_a_changed_digit_is_not_shown(command, shelf, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    changed(shelf.releases / "0002-mine.json")
    words = words if words[0] == "bundle" else ("leaderboard", *words)
    done = command(*words, "--board", "board")
    assert done.code == 74 and done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("board/releases/0002-mine.json: changed since it was released")
    assert "xstilts-harness leaderboard verify board/releases/0002-mine.json" in line
    assert not (tmp_path / "export").exists()
    assert command("leaderboard", "show", "1", "--board", "board").code == 0
    # what the line says to run
    assert command("leaderboard", "verify", "board/releases/0002-mine.json").code == 1


def test_it_is_not_built_nor_listed_and_the_others_are(command, shelf):
    changed(shelf.releases / "0002-mine.json")
    done = command("leaderboard", "build", "--board", shelf.folder)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert line.startswith("left out: ") and "0002-mine.json: changed since" in line
    readme, page = ((shelf.folder / name).read_text() for name in ("README.md", "index.html"))
    assert "0001-mine" in readme and "0003-other" in readme and "0002-mine" not in readme + page
    done = command("list", "releases", "--board", shelf.folder)
    assert (
        (done.code, len(done.err.splitlines())) == (0, 1)
        and "0003-other" in done.out
        and "0002-mine" not in done.out
    )


def test_a_release_is_published_beside_a_changed_one_and_says_so(shelf):
    changed(shelf.releases / "0002-mine.json")
    content, said = json.loads(GOLDEN.read_bytes()), []
    done = publishing.put(content, {}, shelf, said.append)
    assert done.new and done.path.name == "0004-golden.json"
    (line,) = said
    assert line.startswith("left out: ") and "0002-mine.json" in line


# No sidecar: its numbers are shown, with a word


@pytest.mark.parametrize("sidecar", [None, b"{", b"[]", b"{}"], ids=str)
def test_a_release_without_a_sidecar_is_shown_with_a_word(command, shelf, sidecar):
    path = shelf.releases / "0003-other.json"
    beside(path).unlink() if sidecar is None else beside(path).write_bytes(sidecar)
    done = command("leaderboard", "show", "--board", shelf.folder)
    assert done.code == 0 and f"release 0003-other · {NO_SIDECAR}" in " ".join(done.out.split())
    (line,) = done.err.splitlines()
    assert line.startswith(f"{path}: {NO_SIDECAR}")
    assert command("leaderboard", "build", "--board", shelf.folder).code == 0
    assert f"release 0003-other · {NO_SIDECAR} · " in (shelf.folder / "README.md").read_text()
    assert command("leaderboard", "verify", "--board", shelf.folder).code == 1


def test_an_older_schema_is_refused(command, shelf):
    """Nothing of it is shown; the version that wrote it can."""
    newer(shelf.releases / "0002-mine.json", SCHEMA - 1)
    done = command("leaderboard", "show", "2", "--board", shelf.folder)
    assert (done.code, done.out) == (74, "")
    assert f"a release of schema {SCHEMA - 1}, and this version reads schema {SCHEMA}" in done.err


# A later schema


def test_a_later_schema_ends_nothing_but_itself(command, shelf):
    newer(shelf.releases / "0002-mine.json")
    newer(shelf.releases / "0003-other.json")
    board = ("--board", shelf.folder)
    done = command("leaderboard", "show", *board)
    assert done.code == 0 and "0001-mine" in done.out
    assert [line[:12] for line in done.err.splitlines()] == ["passed over:"] * 2
    done = command("leaderboard", "show", "mine", *board)
    assert done.code == 0 and "0001-mine" in done.out and len(done.err.splitlines()) == 1
    for name in ("2", "0002-mine", "0002-mine.json", "other", shelf.releases / "0003-other.json"):
        done = command("leaderboard", "show", name, *board)
        assert (done.code, done.out, len(done.err.splitlines())) == (
            74,
            "",
            1,
        ) and "update xstilts-harness" in done.err
    done = command("leaderboard", "build", *board)
    assert (
        done.code == 0 and len(done.err.splitlines()) == 2 and "update xstilts-harness" in done.err
    )
    assert "(releases/0001-mine.json)" in (shelf.folder / "README.md").read_text()
    done = command("list", "releases", *board)
    assert done.code == 0 and len(done.err.splitlines()) == 2 and "0001-mine" in done.out
    done = command("leaderboard", "verify", *board)
    assert (
        done.code == 1
        and "0001-mine: sound" in done.out
        and "a newer one needs a newer xstilts-harness" in done.err
    )


def test_a_later_schema_that_was_changed_is_a_changed_release(command, shelf):
    path = shelf.releases / "0002-mine.json"
    newer(path)
    changed(path)
    done = command("leaderboard", "build", "--board", shelf.folder)
    assert done.code == 1 and "0002-mine.json: changed since" in done.err


# No release at all


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def text(written: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(
        written if isinstance(written, bytes) else written.encode()
    )


def golden(**sections: object) -> bytes:
    return content_bytes(json.loads(GOLDEN.read_bytes()) | sections)


def schema(spelt: str) -> bytes:
    """A release with something else where its schema stands."""
    return GOLDEN.read_bytes().replace(
        f'"schema": {SCHEMA}'.encode(), f'"schema": {spelt}'.encode()
    )


ODD: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a loop": loop,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "nothing": text(""),
    "cut": text(GOLDEN.read_bytes()[:999]),
    "not text": text(b"\xff\xfe\x00"),
    "a list": text("[]"),
    "another document": text('{"name": "x"}'),
    "no section": text(f'{{"schema": {SCHEMA}}}'),
    "odd sections": text(golden(cells=[1])),
    "no number": text(schema("NaN")),
    "too large a number": text(schema(f'{SCHEMA}, "x": 1e999')),
    "half a letter": text(schema(f'{SCHEMA}, "x": "\\ud800"')),
    "true": text(schema("true")),
    "deep": text(f'{{"schema": {SCHEMA}, "x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_release_ends_nothing_but_itself(command, shelf, what):
    path = shelf.releases / "0004-odd.json"
    ODD[what](path)
    board = ("--board", shelf.folder)
    done = command("leaderboard", "show", "4", *board)
    assert (done.code, done.out) == (74, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"{path}: not a ") and "restore it from version control" in line
    assert command("leaderboard", "show", "mine", *board).code == 0
    said: list[str] = []
    assert [str(error).startswith(f"{path}: ") for error in write_board(shelf, said.append)] == [
        True
    ]
    assert len(said) == 1 and said[0].startswith(f"left out: {path}")
    done = command("leaderboard", "verify", "4", "1", *board)
    assert done.code == 1 and "0004-odd: sound" not in done.out and "0001-mine: sound" in done.out
    assert (
        publishing.put(json.loads(GOLDEN.read_bytes()), {}, shelf, said.append).path.name
        == "0005-golden.json"
    )


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, loop], ids=["pipe", "directory", "loop"])
def test_a_sidecar_that_is_no_file_is_none(command, shelf, make):
    path = shelf.releases / "0003-other.json"
    beside(path).unlink()
    make(beside(path))
    assert command("leaderboard", "show", "3", "--board", shelf.folder).code == 0


def test_a_board_file_that_is_no_file(shelf, tmp_path):
    page = shelf.folder / "index.html"
    page.unlink()
    os.mkfifo(page)
    content = json.loads(shelf.list()[0].read_bytes())
    assert publishing.put(content, {}, shelf, print).rendered == ["index.html"]
    assert page.is_file()


def test_each_release_has_a_page_of_its_own(command, shelf):
    done = command("leaderboard", "build", "--board", shelf.folder)
    pages = [shelf.releases / f"{name}.md" for name in ("0001-mine", "0002-mine", "0003-other")]
    assert done.code == 0 and done.out.split()[2:] == list(map(str, pages))
    for path, about in zip(pages, ("first", "second", "third"), strict=True):
        text = path.read_text()
        assert text.startswith(f"# release {path.stem}\n\n{about}\n") and "in full" in text


def test_the_page_of_a_release_that_is_gone_goes_and_what_somebody_wrote_stays(shelf):
    notes = shelf.releases / "notes.md"
    notes.write_text("what I thought of it")
    for path in shelf.releases.glob("0002-mine.*json"):
        path.unlink()
    assert outdated(shelf) == ["README.md", "index.html", "releases/0002-mine.md"]
    write_board(shelf, print)
    assert outdated(shelf) == []
    assert [path.name for path in sorted(shelf.releases.glob("*.md"))] == [
        *("0001-mine.md", "0003-other.md", "notes.md")
    ]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("# release 0001-x")])
def test_a_page_that_is_gone_or_of_another_release_is_written_again(shelf, harm):
    path = own_page(shelf.list()[1])
    whole = path.read_bytes()
    harm(path)
    content = json.loads(shelf.list()[0].read_bytes())
    assert publishing.put(content, {}, shelf, print).rendered == ["releases/0002-mine.md"]
    assert path.read_bytes() == whole


def test_a_page_says_that_its_release_cannot_be_checked(shelf):
    path = shelf.list()[0]
    beside(path).unlink()
    assert outdated(shelf) == ["releases/0001-mine.md"]
    write_board(shelf, print)
    assert own_page(path).read_text().startswith(f"# release 0001-mine · {NO_SIDECAR}\n")


def test_the_tables_behind_the_first_are_asked_for_by_name(command, shelf):
    def shown(*options: str) -> str:
        return command("leaderboard", "show", "1", *options, "--board", shelf.folder).out

    glance, targets, languages = shown(), shown("--targets"), shown("--languages")
    assert "average gain" in glance and "gain on each target task" not in glance
    assert "gain on each target task" in targets and "in each language" not in targets
    assert "in each language" in languages and "Helps:" not in languages
    assert "what each learned of it" in shown("--difficulty")
    both, full = shown("--targets", "--languages"), shown("--full")
    assert targets.strip() in both and languages.strip() in both
    for part in ("Helps:", "gain on each target task", "in each language", "what each learned"):
        assert part in full


def test_no_board(command, tmp_path):
    done = command("leaderboard", "build", "--board", tmp_path / "none")
    assert done.code == 2 and "eval --all" in done.err and not (tmp_path / "none").exists()


COMMANDS = {
    "show": ("show", "4"),
    "export": ("export", "4", "-o", "out"),
    "compare": ("compare", "1", "4"),
    "seeds": ("seeds", "4"),
}


def refused(command, shelf: Board, name: str, content: dict[str, Any], why: str) -> None:
    """A release with this content, whose sidecar names it, is refused by a command, and left out of
    the board."""
    path = shelf.releases / "0004-edited.json"
    path.write_bytes(content_bytes(content))
    beside(path).write_bytes(content_bytes({"content_sha256": key_of(content)}))
    done = command("leaderboard", *COMMANDS[name], "--board", shelf.folder)
    assert (done.code, done.out) == (74, "")
    assert done.err.startswith(f"{path}: {why}")
    said: list[str] = []
    assert len(write_board(shelf, said.append)) == 1 and said[0].startswith(f"left out: {path}")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_left_its_schema_is_refused_though_its_sidecar_names_it(
    command, shelf, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    content = json.loads(golden())
    content["cells"][0]["seed"] = "one"
    refused(command, shelf, name, content, "not a release: cells.0.seed: ")


@pytest.mark.parametrize("name", ["show", "export"])
def test_what_names_what_is_not_in_it_is_refused(command, shelf, name, tmp_path, monkeypatch):
    """Of its schema, and of the very sidecar: somebody took things out, and the hash again."""
    monkeypatch.chdir(tmp_path)
    content = json.loads(golden(encoders={}))
    for cell in content["cells"]:
        for scores in cell["languages"].values():
            scores["metrics"] = {}
    refused(command, shelf, name, content, "cannot be shown: ")


def test_a_number_that_two_releases_have_is_no_name(command, shelf):
    """Boards that were merged have such: either could be meant."""
    first = shelf.releases / "0001-mine.json"
    for file in (first, beside(first)):
        file.with_name(file.name.replace("mine", "theirs")).write_bytes(file.read_bytes())
    board = ("--board", shelf.folder)
    done = command("leaderboard", "show", "1", *board)
    assert done.code == 2 and "number 1 is of 0001-mine and 0001-theirs" in done.err
    assert command("leaderboard", "show", "0001-theirs", *board).code == 0


def test_a_tilde_is_the_home_folder_where_no_shell_saw_it(command, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(whole.parent))
    monkeypatch.chdir(tmp_path)
    assert command("leaderboard", "show", "1", f"--board=~/{whole.name}").code == 0
    monkeypatch.setenv("XSTILTS_BOARD", f"~/{whole.name}")
    assert command("leaderboard", "show", "1").code == 0
    assert len(load_release("1", f"~/{whole.name}").targets) > 0


@pytest.mark.parametrize("words", [("--board", ""), ("--board=",)])
def test_an_empty_argument_is_no_place(command, tmp_path, monkeypatch, words):
    """It would be the folder here, or the default: --store "$STORE" of a variable that is not
    set."""
    monkeypatch.chdir(tmp_path)
    done = command("leaderboard", "build", *words)
    assert (done.code, done.err[:39]) == (2, "--board: the text behind it is empty; a")
    assert not list(tmp_path.iterdir())


def test_releases_of_two_suites_are_not_compared_leaf_by_leaf(command, shelf):
    """A task that one of them lacks is one difference; a mean over other targets says so."""
    path = shelf.releases / "0003-other.json"
    content = json.loads(path.read_bytes())
    average = next(one for one in content["averages"] if one["overall"]["targets"])
    average["overall"]["targets"] = ["elsewhere"]
    average["overall"]["gain"]["value"] += 1
    content["inputs"]["files"].pop("tiny_mood")
    path.write_bytes(content_bytes(content))
    beside(path).write_bytes(content_bytes({"content_sha256": key_of(content)}))
    done = command("leaderboard", "compare", "1", "3", "--board", shelf.folder)
    lines = done.out.splitlines()
    assert done.code == 1 and lines[-1] == "not the same: of two suites, mine and other"
    assert len(lines) < 60
    assert [line for line in lines if line.startswith("  files.tiny_mood")] == [
        "  files.tiny_mood: 8 values → absent"
    ]
    assert ", with elsewhere): " in done.out


# Claims


def means(shelf: Board, tmp_path: Path, *names: str) -> tuple[reproduce.Means, list[str]]:
    said: list[str] = []
    made = reproduce.Means(
        Catalog.load([]), Store(tmp_path / "store"), Where(offline=True), shelf, said.append
    )
    made.releases = [shelf.find(name) for name in names]
    return made, said


def test_a_claim_is_held_against_a_release_that_stands(shelf, tmp_path):
    """What is of another suite, or of a later version, is passed over aloud; what is of this suite
    and was changed is not."""
    changed(shelf.releases / "0003-other.json")
    newer(shelf.releases / "0002-mine.json")
    known, said = means(shelf, tmp_path)
    assert reproduce._release("mine", known)[1] == "0001-mine"
    assert [line.split(": ")[0] for line in said] == ["passed over"] * 2
    with pytest.raises(StoreError, match="changed since it was released"):
        reproduce._release("other", known)
    for name, why in {"2": "update xstilts-harness", "3": "changed since"}.items():
        with pytest.raises(StoreError, match=why):
            reproduce._release("mine", means(shelf, tmp_path, name)[0])
