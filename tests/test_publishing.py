"""Releases are published complete or absent, once, under a number of their own: killed anywhere,
and many at a time."""

import json
import os
import random
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from conftest import ROOT
from publisher import Order, Publishers
from stress import times

from harness.common.errors import SpecError, StoreError
from harness.page import board_files
from harness.page.board_files import BOARD_FILES, outdated, write_board
from harness.release import shelve
from harness.release.document import Board, content_bytes
from harness.release.shelve import leftovers
from harness.run import publishing
from harness.store import key_of
from harness.store.lease import this_process

GOLDEN = json.loads((ROOT / "tests" / "golden" / "release.json").read_bytes())
SIDECAR = {"command": "xstilts-harness eval", "environments": []}


def made(suite: str, about: str = "a release") -> dict:
    """A content of that suite."""
    return GOLDEN | {"suite": GOLDEN["suite"] | {"name": suite, "about": about}}


def wanted(folder: Path, suite: str, about: str = "a release") -> str:
    """The same in a file, for a publisher."""
    path = folder / f"{suite} {about}.json"
    path.write_bytes(content_bytes(made(suite, about)))
    return str(path)


def board_of(folder: Path, *suites: str) -> Board:
    """A board with a release of each suite."""
    shelf = Board(folder)
    for suite in suites:
        publishing.put(made(suite, "from before"), SIDECAR, shelf, print)
    return shelf


def held(shelf: Board) -> dict[str, bytes]:
    """Releases and sidecars."""
    return {path.name: path.read_bytes() for path in sorted(shelf.releases.glob("[0-9]*"))}


def seen(shelf: Board) -> list[str]:
    """What a reader meets now: names, each with a number of its own and a sidecar that fits, all of
    it whole."""
    paths = shelf.list()
    for path in paths:
        assert shelf.content_hash(path) == key_of(json.loads(path.read_bytes())), path
    assert len({path.name[:4] for path in paths}) == len(paths), paths
    for name in BOARD_FILES:
        if (shelf.folder / name).exists():
            assert (
                (shelf.folder / name)
                .read_text()
                .rstrip()
                .endswith("</html>" if name == "index.html" else ")")
            ), name
    return [path.stem for path in paths]


def sound(shelf: Board, *suites: str) -> None:
    """The board holds a release of each of these suites, shows all, and nothing else lies about."""
    assert sorted(name.split("-", 1)[1] for name in seen(shelf)) == sorted(suites)
    # One who died between making the draft of a lease and writing its name there: only its age will
    # tell, a minute later.
    nameless = [
        path for path in leftovers(shelf) if path.suffix == ".tmp" and path.stat().st_size == 0
    ]
    for path in nameless:
        os.utime(path, (time.time() - 600,) * 2)
    assert outdated(shelf) == [] and leftovers(shelf) == nameless
    shown = [(shelf.folder / name).read_bytes() for name in BOARD_FILES]
    write_board(shelf, print)
    assert [(shelf.folder / name).read_bytes() for name in BOARD_FILES] == shown and leftovers(
        shelf
    ) == []
    there = {path.name for path in shelf.releases.iterdir()}
    assert there == {path.name for path in shelf.list()} | {
        f"{path.stem}{ending}" for path in shelf.list() for ending in (".env.json", ".md")
    }


@pytest.fixture(scope="module")
def publishers() -> Iterator[Publishers]:
    started = Publishers()
    yield started
    started.close()


# Killed


@pytest.mark.slow
def test_killed_before_any_access_to_a_file_of_the_board(publishers, tmp_path):
    """At a part of them, or all."""
    new, stride, died = wanted(tmp_path, "new"), times(7, 1), 0
    for step in count(1, stride):
        shelf = board_of(tmp_path / f"board{step}", "old")
        before = held(shelf)
        status, _ = publishers.run(Order(str(shelf.folder), new, step=step))
        assert set(seen(shelf)) <= {"0001-old", "0002-new"}
        again, said = publishers.run(Order(str(shelf.folder), new))
        assert again == 0, said
        sound(shelf, "old", "new")
        assert held(shelf).items() >= before.items() and "0002-new.json" in held(shelf)
        if status == 0:
            break
        assert status == -9
        died += 1
    print(f"killed at {died} steps")
    assert died * stride > 30


@pytest.mark.slow
def test_killed_at_any_moment(publishers, tmp_path):
    """The same command repairs; the one after it does nothing."""
    new, chance, whole, died = wanted(tmp_path, "new"), random.Random(14), 0.0, 0
    for name in ("warm", "measured"):
        started = time.monotonic()
        publishers.run(Order(str(tmp_path / name), new))
        whole = time.monotonic() - started
    for i in count():
        shelf = board_of(tmp_path / f"board{i}", "old")
        before = held(shelf)
        pid = publishers.start(Order(str(shelf.folder), new))
        time.sleep(chance.uniform(0, whole))
        os.kill(pid, 9)
        died += publishers.wait(pid)[0] == -9
        assert set(seen(shelf)) <= {"0001-old", "0002-new"}
        assert publishers.run(Order(str(shelf.folder), new))[0] == 0
        sound(shelf, "old", "new")
        assert held(shelf).items() >= before.items()
        assert publishers.run(Order(str(shelf.folder), new)) == (0, "0002-new.json\nknown")
        if died == times(8, 200):
            break
    print(f"killed {died} of {i + 1}, within {whole:.3f} s each")


def test_one_of_two_is_killed(publishers, tmp_path):
    chance = random.Random(15)
    orders = [wanted(tmp_path, suite) for suite in ("one", "two")]
    for i in range(times(3, 50)):
        shelf = Board(tmp_path / f"board{i}")
        at = time.monotonic() + 0.02
        doomed, other = (
            publishers.start(Order(str(shelf.folder), content, at)) for content in orders
        )
        time.sleep(0.02 + chance.uniform(0, 0.15))
        os.kill(doomed, 9)
        publishers.wait(doomed)
        status, said = publishers.wait(other)
        assert status == 0, said
        assert "two" in [name.split("-")[1] for name in seen(shelf)]
        assert publishers.run(Order(str(shelf.folder), orders[0]))[0] == 0
        sound(shelf, "one", "two")


# Two at a time


PAIRS = {
    "two suites": (("a", "x"), ("b", "x")),
    "one suite": (("a", "x"), ("a", "y")),
    "one content": (("a", "x"), ("a", "x")),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_pairs_of_publishers_while_others_read(publishers, tmp_path, pair):
    """On one machine, and on two that share the disk."""
    contents = [wanted(tmp_path, *which) for which in PAIRS[pair]]
    suites = [suite for suite, _ in dict.fromkeys(PAIRS[pair])]
    for i in range(times(4, 34)):
        shelf = board_of(tmp_path / f"board{i}", "old")
        at, hosts = time.monotonic() + 0.02, [None, "elsewhere.0123abcd" if i % 2 else None]
        both = [
            publishers.start(Order(str(shelf.folder), one, at, host=host))
            for one, host in zip(contents, hosts, strict=True)
        ]
        while time.monotonic() < at + 0.1:
            seen(shelf)
        said = [publishers.wait(pid) for pid in both]
        assert [status for status, _ in said] == [0, 0], said
        assert sum("\nnew" in words for _, words in said) == len(suites)
        sound(shelf, "old", *suites)
        assert [name[:4] for name in seen(shelf)] == ["0001", "0002", "0003"][: len(suites) + 1]


def test_numbers_do_not_rest_on_the_lease(publishers, tmp_path):
    """Both take the board for their own, as after a sleep: still nothing is lost and no number is
    had twice.

    One may clear away the draft of the other's README, which then ends with 74; the same command
    repairs.
    """
    contents = [wanted(tmp_path, suite) for suite in "ab"]
    for i in range(times(6, 100)):
        shelf = board_of(tmp_path / f"board{i}", "old")
        at = time.monotonic() + 0.02
        both = [publishers.start(Order(str(shelf.folder), one, at, alone=True)) for one in contents]
        said = [publishers.wait(pid) for pid in both]
        # one may clear away a draft of the other, who then says so
        assert {status for status, _ in said} <= {0, 74}, said
        seen(shelf)
        assert [publishers.run(Order(str(shelf.folder), one))[0] for one in contents] == [0, 0]
        sound(shelf, "old", "a", "b")


def test_no_release_is_written_over_another_runs(monkeypatch, tmp_path):
    """Nor is its sidecar, not even where a network disk does not show that they are there."""
    shelf = board_of(tmp_path / "board", "mine")
    before = held(shelf)
    monkeypatch.setattr(shelve, "_numbers", lambda shelf: set())
    assert shelve.shelve(shelf, made("mine", "another"), SIDECAR)[0].name == "0002-mine.json"
    (shelf.releases / "0003-mine.json").write_bytes(b"somebody else's")
    assert shelve.shelve(shelf, made("mine", "a third"), SIDECAR)[0].name == "0004-mine.json"
    assert not (shelf.releases / "0003-mine.env.json").exists()
    assert held(shelf).items() >= before.items()


def test_a_number_taken_between_looking_and_claiming_is_another_suites(monkeypatch, tmp_path):
    shelf, meanwhile = (
        board_of(tmp_path / "board", "old"),
        board_of(tmp_path / "elsewhere", "x", "quick"),
    )

    class Late(shelve.Lease):
        def create(self) -> bool:
            for path in meanwhile.releases.glob("0002*"):
                (shelf.releases / path.name).write_bytes(path.read_bytes())
            return super().create()

    monkeypatch.setattr(shelve, "Lease", Late)
    assert shelve.shelve(shelf, made("slow"), SIDECAR)[0].name == "0003-slow.json"
    write_board(shelf, print)
    sound(shelf, "old", "quick", "slow")


def test_what_is_published_while_the_board_is_rendered_is_on_it(monkeypatch, tmp_path):
    """By somebody who did not wait: a pull, an older version."""
    shelf, other = (
        board_of(tmp_path / "board", "old"),
        board_of(tmp_path / "elsewhere", "x", "pulled"),
    )
    render = board_files._write

    def slow(*of) -> None:
        render(*of)
        for path in other.releases.glob("0002*"):
            (shelf.releases / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(board_files, "_write", slow)
    write_board(shelf, print)
    sound(shelf, "old", "pulled")


def test_a_disk_without_links(monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    shelf = board_of(tmp_path / "board", "a", "b")
    sound(shelf, "a", "b")


# Others' claims


def claim(shelf: Board, number: int, age: float = 0.0, **owner) -> Path:
    path = shelf.releases / f".{number:04d}.claim"
    path.write_text(json.dumps(this_process()._asdict() | {"token": "x", "time": 0} | owner))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_number_that_another_machine_has_claimed_is_left_to_it(tmp_path):
    """It may sleep in the middle. Nobody waits for it."""
    shelf = board_of(tmp_path / "board", "old")
    path = claim(shelf, 2, age=600, host="elsewhere.0123abcd")
    half = shelf.releases / "0002-theirs.env.json"
    half.write_text("{}")
    assert shelve.shelve(shelf, made("new"), SIDECAR)[0].name == "0003-new.json"
    assert path.exists() and half.exists()
    os.utime(path, (time.time() - 3 * 3600,) * 2)
    write_board(shelf, print)
    sound(shelf, "old", "new")


def test_what_a_dead_publisher_left_goes_and_its_number_is_taken(tmp_path):
    shelf = board_of(tmp_path / "board", "old")
    claim(shelf, 2, pid=2**22 + 1, pid_start="1")
    (shelf.releases / "0002-theirs.env.json").write_text("{}")
    (shelf.releases / ".0002-theirs.json.draft").write_text("{}")
    (shelf.releases / "0002-theirs.draft-17").write_text("{}")
    (shelf.folder / ".README.md.0123456789ab.tmp").write_text("{}")
    assert shelve.shelve(shelf, made("new"), SIDECAR)[0].name == "0002-new.json"
    write_board(shelf, print)
    sound(shelf, "old", "new")


def test_the_sidecar_of_a_release_that_was_lost_stays_and_keeps_its_number(tmp_path):
    shelf = board_of(tmp_path / "board", "old", "lost")
    (shelf.releases / "0002-lost.json").unlink()
    assert shelve.shelve(shelf, made("new"), SIDECAR)[0].name == "0003-new.json"
    assert (shelf.releases / "0002-lost.env.json").exists()


def test_a_dead_lease_of_another_machine_ends(tmp_path):
    shelf = board_of(tmp_path / "board", "old")
    lease = shelf.folder / ".publishing"
    owner = this_process()._asdict() | {"host": "elsewhere.0123abcd", "token": "x"}
    lease.write_text(json.dumps(owner))
    os.utime(lease, (time.time() - 600,) * 2)
    publishing.put(made("new"), SIDECAR, shelf, print)
    sound(shelf, "old", "new")


# Repaired


def test_the_same_command_writes_what_is_lacking(tmp_path):
    shelf = board_of(tmp_path / "board", "old", "new")
    content, beside = made("new", "from before"), shelf.releases / "0002-new.env.json"
    whole = held(shelf)

    def again() -> list[str]:
        done = publishing.put(content, SIDECAR, shelf, print)
        assert (done.path.name, done.new) == ("0002-new.json", False) and held(shelf) == whole
        sound(shelf, "old", "new")
        return ["sidecar"] * done.repaired + done.rendered

    assert again() == []
    for harm in (
        beside.unlink,
        lambda: beside.write_text("{}"),
        lambda: beside.write_text("{"),
        lambda: beside.write_text("[]"),
    ):
        harm()
        assert again() == ["sidecar"]
    for name in BOARD_FILES:
        (shelf.folder / name).unlink()
        assert again() == [name]
        (shelf.folder / name).write_bytes(b"\xff")
        assert again() == [name]
    # Killed before the board was rendered, and before the page was.
    release = {path: path.read_bytes() for path in shelf.releases.glob("0002*")}
    newer = [(shelf.folder / name).read_bytes() for name in BOARD_FILES]
    for path in release:
        path.unlink()
    write_board(shelf, print)
    older = [(shelf.folder / name).read_bytes() for name in BOARD_FILES]
    for path, data in release.items():
        path.write_bytes(data)
    assert again() == list(BOARD_FILES)
    (shelf.folder / "index.html").write_bytes(older[1])
    assert (
        again() == ["index.html"]
        and [(shelf.folder / name).read_bytes() for name in BOARD_FILES] == newer
    )


def test_a_board_that_has_it_all_is_only_read(tmp_path):
    shelf = board_of(tmp_path / "board", "old")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*")}
    (shelf.folder.chmod(0o555), shelf.releases.chmod(0o555))
    try:
        assert publishing.put(made("old", "from before"), SIDECAR, shelf, print)[2:] == (False, [])
    finally:
        (shelf.folder.chmod(0o755), shelf.releases.chmod(0o755))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "board").rglob("*")} == before


@pytest.mark.parametrize(("limit", "there"), [(30, []), (20_000, []), (200_000, ["0002-new"])])
def test_a_full_disk_leaves_nothing_half(publishers, tmp_path, limit, there):
    """Full before the lease, before the content, before the page."""
    shelf, new = board_of(tmp_path / "board", "old"), wanted(tmp_path, "new")
    status, said = publishers.run(Order(str(shelf.folder), new, limit=limit))
    assert status == 74 and "\n" not in said and "limit on file size" in said
    assert seen(shelf) == ["0001-old", *there] and leftovers(shelf) == []
    assert [path.name for path in shelf.releases.glob("0002*.env.json")] == [
        f"{name}.env.json" for name in there
    ]
    assert publishers.run(Order(str(shelf.folder), new))[0] == 0
    sound(shelf, "old", "new")


def test_a_suite_whose_release_would_be_no_release(tmp_path):
    shelf = board_of(tmp_path / "board", "a.env.b", "a")
    assert [path.name for path in shelf.list()] == ["0001-a.env.b.json", "0002-a.json"]
    with pytest.raises(SpecError, match="give the suite another name"):
        shelve.shelve(shelf, made("a.env"), SIDECAR)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "releases").write_text("")
    with pytest.raises(StoreError, match="choose another folder with --board"):
        shelve.shelve(Board(tmp_path / "board"), made("new"), SIDECAR)
