"""No place of the machine stands in what a release says of its run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.release.document import sidecar
from harness.release.places import ABSOLUTE, command, without_places


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with a blank in its name, and the home of somebody whose name has one
    too."""
    folder = tmp_path / "my work"
    (folder / "store").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", "/home/jane doe")
    return folder


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (["--store=/x/y"], "--store=y"),
        (["--store", "/x/y"], "--store y"),
        (["--store", "/x/y/"], "--store y"),
        (["-t", "/x/my specs"], "-t 'my specs'"),
        (["-t/x/specs"], "-tspecs"),
        (["--store=~/s"], "--store=s"),
        (["--specs", "~bob/specs"], "--specs specs"),
        (["--specs", "~bob"], "--specs '~'"),
        (["--data-root", "/home/jane doe"], "--data-root '~'"),
        (["--data-root=/home/bob/"], "'--data-root=~'"),
        (["--data-root", "../shared/mirror"], "--data-root mirror"),
        (["--data-root", "../my work/store"], "--data-root store"),
        (["--lock=file:///home/bob/x.json"], "--lock=x.json"),
        (["-t", "mine/x.yaml", "-t", "./y.yaml"], "-t mine/x.yaml -t ./y.yaml"),
        (
            ["--suite", "easy-hard", "--without=a+b", "-L", "5"],
            "--suite easy-hard --without=a+b -L 5",
        ),
        (["--without", "x y"], "--without 'x y'"),
    ],
)
def test_a_command(given, written):
    assert command(["eval", *given]) == f"xstilts-harness eval {written}"


def test_folders_inside_are_relative(here, tmp_path):
    (tmp_path / "link").symlink_to(here)
    for folder in (here, tmp_path / "link"):
        assert (
            command(["eval", f"--store={folder}/store", "-t", str(folder)])
            == "xstilts-harness eval --store=store -t ."
        )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cannot read /mnt/scratch/store/x.pt: no space", "cannot read x.pt: no space"),
        ("cannot read /home/jane doe/store/x.pt: no space", "cannot read x.pt: no space"),
        ("host:/export/a, '/opt/b' (/opt/c) \"/opt/d\" `/opt/e`", "host:a, 'b' (c) \"d\" `e`"),
        ("file:///opt/a", "a"),
        (
            "xstilts-harness eval --store=/x/y --store /x/z",
            "xstilts-harness eval --store=y --store z",
        ),
        (
            "https://hub.co/a/b and/or 3/4, google/xtreme, ./x, a ~ b",
            "https://hub.co/a/b and/or 3/4, google/xtreme, ./x, a ~ b",
        ),
    ],
)
def test_a_text(text, clean):
    assert without_places({"notes": [text]}) == {"notes": [clean]}


def test_a_text_about_the_working_directory(here):
    assert (
        without_places(f"{here}/store/x.json is gone; look into {here}")
        == "store/x.json is gone; look into ."
    )


def test_without_a_working_directory_or_a_home(here, monkeypatch):
    monkeypatch.setenv("HOME", "/")
    here.joinpath("store").rmdir()
    here.rmdir()
    assert command(["eval", "--store=/x/y", "-t", "../z"]) == "xstilts-harness eval --store=y -t z"
    monkeypatch.chdir("/")
    assert command(["eval", "--store=/x/y"]) == "xstilts-harness eval --store=y"


def test_a_sidecar_has_no_place_in_it(here):
    """In the names of files that a spec gave in full, and in what a training noted of its
    checkpoint, neither."""
    facts = {
        "seconds": 1.0,
        "checkpoint_refused": f"{here}/store/checkpoints/k/1.pt: cut, see /scratch/bob/log",
    }
    meta = {
        "environment": {"python": "3.11", "processor": "AMD EPYC (family 26, model 2), AVX512"},
        "facts": facts,
    }
    files = {
        "/data/a/x.tsv": "a" * 64,
        "/data/b/x.tsv": "b" * 64,
        "default/x-00000-of-00001.parquet": "c" * 64,
    }
    plan = SimpleNamespace(
        jobs={"k" * 64: SimpleNamespace(name="train a")}, sources={"tasks": {"a": {"files": files}}}
    )
    store = SimpleNamespace(manifest=lambda key: SimpleNamespace(meta=meta))
    said = sidecar(
        plan,
        store,
        f"xstilts-harness eval --store {here}/store --data-root /data/a",
        {"commit": None},
    )
    assert said["command"] == "xstilts-harness eval --store store --data-root a"
    assert said["jobs"]["k" * 64]["checkpoint_refused"] == "store/checkpoints/k/1.pt: cut, see log"
    kept = {"x.tsv": "a" * 64, "x.tsv+": "b" * 64, "default/x-00000-of-00001.parquet": "c" * 64}
    assert said["data"]["tasks"]["a"]["files"] == kept
    assert not ABSOLUTE.search(str(said))
