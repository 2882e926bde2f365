"""A finished store, damaged at random: whatever is read from it is what was committed, or an error
that names it.

The long form (make stress) does it 500 times, and each tenth time runs the suite again on what is
left.
"""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import copied, releases
from stress import times

from harness.common.errors import StoreError
from harness.store import Store

Damage = Callable[[Path, random.Random, list[Path]], None]


def flip(path: Path, draw: random.Random, _: list[Path]) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def cut(path: Path, draw: random.Random, _: list[Path]) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def longer(path: Path, draw: random.Random, _: list[Path]) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.randint(1, 40)))


def zeros(path: Path, draw: random.Random, _: list[Path]) -> None:
    """As a file system leaves a file after a power cut."""
    path.write_bytes(bytes(path.stat().st_size))


def gone(path: Path, draw: random.Random, _: list[Path]) -> None:
    path.unlink()


def another(path: Path, draw: random.Random, files: list[Path]) -> None:
    """Another result's file of that name, whole and sound: a copy that went wrong."""
    alike = [
        file for file in files if file.name == path.name and file.read_bytes() != path.read_bytes()
    ]
    path.write_bytes((draw.choice(alike) if alike else draw.choice(files)).read_bytes())


def folder(path: Path, draw: random.Random, _: list[Path]) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path, draw: random.Random, files: list[Path]) -> None:
    path.unlink()
    path.symlink_to(draw.choice([path, *files]))


def swapped(path: Path, draw: random.Random, files: list[Path]) -> None:
    """Two whole results change places."""
    mine = next(parent for parent in path.parents if parent.parent.name == "results")
    other = draw.choice([found for found in mine.parent.iterdir() if found != mine])
    spare = mine.with_name("spare")
    mine.rename(spare)
    other.rename(mine)
    spare.rename(other)


DAMAGE: tuple[Damage, ...] = (flip, flip, cut, longer, zeros, gone, another, folder, link, swapped)


def contents(store: Store) -> dict[tuple[str, str], bytes]:
    """Every file of every result, as a reader gets it."""
    found = {}
    for key in store.keys():  # noqa: SIM118 - not a dict
        for name in store.manifest(key).files:
            found[key, name] = store.path(key, name).read_bytes()
    return found


@pytest.mark.slow
def test_nothing_wrong_is_read_from_a_damaged_store(rig, undisturbed, tmp_path):
    draw = random.Random(14)
    sound = contents(Store(undisturbed / "runs/store"))
    whole = copied(undisturbed, tmp_path / "whole")
    for i in range(times(40, 500)):
        run = Path(shutil.copytree(whole, tmp_path / "run", symlinks=True))
        store = Store(run / "runs/store")
        files = sorted(path for path in (store.root / "results").rglob("*") if path.is_file())
        hurt = [draw.choice(files) for _ in range(draw.choice((1, 1, 3)))]
        done = [damage.__name__ for damage in hit(hurt, draw, files)]
        for key, name in sound:
            try:
                assert store.path(key, name).read_bytes() == sound[key, name], (i, done, hurt)
            except StoreError as error:
                assert "\n" not in str(error)
        if i % times(40, 10) == 0:
            again = rig.run(rig.eval("tiny"), run)
            assert again.returncode == 0, again.stderr
            assert releases(run) == releases(undisturbed), (i, done, hurt)
        shutil.rmtree(run)


def hit(paths: list[Path], draw: random.Random, files: list[Path]) -> list[Damage]:
    """Damage each of these, unless one before it took its place."""
    done = []
    for path in paths:
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            done.append(draw.choice(DAMAGE))
            there = [file for file in files if file.is_file()]
            done[-1](path, draw, there)
    return done


def test_a_damaged_index_and_damaged_jobs_are_made_again(rig, undisturbed, tmp_path):
    """What is beside the results can be made again, and is not believed."""
    run = copied(undisturbed, tmp_path / "run")
    for path in [
        *(run / "runs/store" / "index").iterdir(),
        *(run / "runs/store" / "jobs").iterdir(),
    ]:
        path.write_bytes(json.dumps({"files": {}, "spec": {}}).encode())
    again = rig.run(rig.eval("tiny"), run)
    assert again.returncode == 0, again.stderr
    assert releases(run) == releases(undisturbed)
