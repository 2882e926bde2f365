"""Killed, interrupted, damaged, out of space: the same command goes on, and ends with the bytes of
an undisturbed run."""

import json
import random
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import Rig, copied, eventually, kill, releases, workers
from stress import times

from harness.store import Store

pytestmark = pytest.mark.slow


def pointers(store: Path) -> dict[str, int]:
    """Key → update of the last checkpoint, for every training that has one and no result."""
    found = {}
    for folder in (store / "checkpoints").glob("*"):
        with suppress(OSError, ValueError):  # it may be committed under our eyes
            file = json.loads((folder / "latest.json").read_text())["file"]
            if not (store / "results" / folder.name).exists():
                found[folder.name] = int(file.removeprefix("update-").removesuffix(".pt"))
    return found


def committed(store: Path) -> int:
    """How many results there are."""
    return len(list((store / "results").glob("*/manifest.json")))


def facts(store: Path, key: str) -> dict:
    """What the job noted about its own run."""
    return json.loads((store / "results" / key / "manifest.json").read_text())["meta"]["facts"]


def weights(store: Path) -> list[Path]:
    """Model files in the store."""
    return sorted((store / "results").glob("*/model.safetensors"))


def key_of_job(store: Path, name: str) -> str:
    """The key of the job that is called so."""
    return next(
        path.stem
        for path in (store / "jobs").glob("*.json")
        if json.loads(path.read_text())["name"] == name
    )


def flip(path: Path, at: float = 0.5) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 4
    path.write_bytes(data)


def caught_training(rig: Rig, cwd: Path, least: int, *more: object) -> subprocess.Popen:
    """A run of suite `long`, in the middle of its training: `least` updates are in a checkpoint."""
    run = rig.start(rig.eval("long", "--workers", 1, *more), cwd)

    def far_enough():
        assert run.poll() is None, (cwd / "said").read_text()
        return any(step >= least for step in pointers(cwd / "runs/store").values())

    eventually(far_enough, f"a checkpoint of update {least}")
    return run


# Ten kills ----------------------------------------------------------------------------------------

KILLS = "worker driver worker everything worker driver worker everything worker driver".split()  # noqa: SIM905


@pytest.mark.parametrize("seed", range(20, 20 + times(1, 6)))
def test_ten_kills_at_random_times_change_no_byte(rig, undisturbed, tmp_path, seed):
    rng = random.Random(seed)
    store, command = tmp_path / "runs/store", rig.eval("tiny")
    total = committed(undisturbed / "runs/store")
    # From the very start to the last few jobs, in order; the exact moment is random.
    moments = sorted([0, *rng.sample(range(total // 4, total - 10), len(KILLS) - 1)])
    run, hit = None, {}
    for moment, victim in zip(moments, KILLS, strict=True):
        if run is None or run.poll() is not None:
            run = rig.start(command, tmp_path)

        def ripe(run=run, moment=moment, victim=victim):
            assert run.poll() is None, (tmp_path / "said").read_text()
            if victim == "worker" and not workers(store, run.pid):
                return False
            return committed(store) >= moment and (victim != "everything" or pointers(store))

        eventually(ripe, f"{moment} results")
        with suppress(subprocess.TimeoutExpired):
            run.wait(rng.uniform(0, 0.2))
        assert run.poll() is None, "the run ended before it could be killed; let it be longer"
        if victim == "worker":
            kill(rng.choice(workers(store, run.pid)))
            continue
        kill(run.pid)
        if victim == "everything":
            for worker in workers(store):
                kill(worker)
        run.wait()
        if victim == "everything":
            eventually(lambda: not workers(store), "the death of killed workers")
            hit |= pointers(store)

    done = rig.run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert releases(tmp_path) == releases(undisturbed)
    eventually(lambda: not workers(store), "the end of workers without a driver")
    assert committed(store) == total
    assert not list((store / "tmp").iterdir())
    assert rig.run(rig.command("cache", "verify"), tmp_path).returncode == 0
    # A checkpoint follows every update, so a killed training loses at most the update it was in.
    assert hit, "no kill met a training with a checkpoint"
    for key, step in hit.items():
        assert facts(store, key).get("resumed_at", -1) >= step
    assert not weights(store), "weights that nobody needs any more"


def test_a_worker_that_dies_is_replaced_and_its_job_done_again(rig, long_run, tmp_path):
    store = tmp_path / "runs/store"
    run = caught_training(rig, tmp_path, 3)
    (victim,) = workers(store)
    key, step = next(iter(pointers(store).items()))
    kill(victim)
    assert run.wait() == 0
    said = (tmp_path / "said").read_text()
    assert "again: train tiny target tiny_mood seed 1: its worker ended with code -9" in said
    assert facts(store, key)["resumed_at"] >= step
    assert releases(tmp_path) == releases(long_run)
    assert victim not in workers(store)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_interrupted_it_says_how_to_go_on_and_does(rig, long_run, tmp_path, how):
    store = tmp_path / "runs/store"
    track = ("--track", "tensorboard") if find_spec("tensorboard") else ()
    run = caught_training(rig, tmp_path, 3, "--checkpoint-seconds", 0.05, *track)
    run.send_signal(how)
    assert run.wait() == 128 + how
    said = (tmp_path / "said").read_text()
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert not workers(store)
    ((key, step),) = pointers(store).items()
    done = rig.run(rig.eval("long", *track), tmp_path)
    assert done.returncode == 0, done.stderr
    assert facts(store, key)["resumed_at"] == step  # stopping in order loses nothing
    assert releases(tmp_path) == releases(long_run)
    if track:
        assert curve(store) == list(range(1, 161))


def curve(store: Path) -> list[int]:
    """After which updates a loss was told to TensorBoard, in the order in which it reads them."""
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    (folder,) = (store / "track/tensorboard").iterdir()
    read = EventMultiplexer().AddRunsFromDirectory(str(folder))
    read.Reload()
    (training,) = [run for run in read.Runs() if run.startswith("train")]
    return [point.step for point in read.Scalars(training, "loss")]


def test_a_torn_checkpoint_is_not_resumed_from(rig, long_run, tmp_path):
    store = tmp_path / "runs/store"
    run = caught_training(rig, tmp_path, 3)
    kill(run.pid)
    run.wait()
    for worker in workers(store):
        kill(worker)
    eventually(lambda: not workers(store), "the death of killed workers")
    ((key, step),) = pointers(store).items()
    flip(store / "checkpoints" / key / f"update-{step}.pt")
    done = rig.run(rig.eval("long", "--checkpoint-seconds", 1000), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hash" in facts(store, key)["checkpoint_refused"]
    assert "resumed_at" not in facts(store, key)
    assert releases(tmp_path) == releases(long_run)


# Again, and at once -------------------------------------------------------------------------------


def test_a_second_identical_run_does_nothing(rig, undisturbed, tmp_path):
    copied(undisturbed, tmp_path)
    before = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs/store" / "results").rglob("*")
    }
    board = {
        path: path.read_bytes() for path in (tmp_path / "runs/board").rglob("*") if path.is_file()
    }
    done = rig.run(rig.eval("tiny"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert not done.jobs
    assert "jobs to run" not in done.stderr
    assert "the same content as before, nothing written" in done.stderr
    assert before == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "runs/store" / "results").rglob("*")
    }
    assert board == {
        path: path.read_bytes() for path in (tmp_path / "runs/board").rglob("*") if path.is_file()
    }


def test_weights_that_a_kill_left_in_the_middle_of_a_drop_go(rig, undisturbed, tmp_path):
    """The manifest says dropped, the file is still there."""
    copied(undisturbed, tmp_path)
    first, *_ = (tmp_path / "runs/store" / "results").glob("*/train.json")
    manifest = first.with_name("manifest.json")
    assert "model.safetensors" in manifest.read_text()
    first.with_name("model.safetensors").write_bytes(b"left")
    before = manifest.read_bytes()
    assert rig.run(rig.eval("tiny"), tmp_path).returncode == 0
    assert not weights(tmp_path / "runs/store") and manifest.read_bytes() == before


def test_two_drivers_on_one_store_share_the_work(rig, undisturbed, tmp_path):
    store, seen, over = tmp_path / "runs/store", set(), threading.Event()

    def watch():  # every attempt at a job works in a directory of its own
        while not over.wait(0.002):
            with suppress(OSError):
                seen.update(
                    path.name for path in (store / "tmp").iterdir() if path.name.startswith("work@")
                )

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        folders = [tmp_path / "one", tmp_path / "two"]
        runs = [
            rig.start(rig.eval("tiny", "--workers", 1, "--store", store), folder)
            for folder in folders
        ]
        codes = [run.wait() for run in runs]
    finally:
        over.set()
        watcher.join()
    said = [(folder / "said").read_text() for folder in folders]
    assert codes == [0, 0], said
    assert releases(folders[0]) == releases(folders[1]) == releases(undisturbed)
    attempts = [name.split("@")[1] for name in seen]
    assert len(attempts) == len(set(attempts)), "a job was done twice"
    assert len({name.split("@")[3] for name in seen}) == 2, "one driver's worker did everything"
    assert committed(store) == committed(undisturbed / "runs/store")
    assert not workers(store)


# Damage -------------------------------------------------------------------------------------------


def test_damaged_results_are_named_and_only_they_are_computed_again(rig, kept, tmp_path):
    copied(kept, tmp_path)
    store = tmp_path / "runs/store"
    harmed = {
        "evaluate tiny tiny_mood after none": ("predictions/en.jsonl", flip),
        "evaluate tiny tiny_pairs after mini_topic": (
            "scores.json",
            lambda path: path.write_bytes(path.read_bytes()[:-20]),
        ),
        "evaluate tiny tiny_tags after tiny_colour": ("manifest.json", flip),
        "evaluate tiny tiny_quad after none": ("examples.json", Path.unlink),
        "overlap tiny_colour tiny_mood": ("overlap.json", flip),
        "train tiny target tiny_mood seed 1 after mini_topic": ("model.safetensors", flip),
    }
    for name, (file, harm) in harmed.items():
        harm(store / "results" / key_of_job(store, name) / file)
    done = rig.run(rig.eval("tiny", "--keep-weights"), tmp_path)
    assert done.returncode == 0, done.stderr
    damaged = [line for line in done.lines if line.startswith("damaged: ")]
    assert len(damaged) == len(harmed)
    for name, (file, _) in harmed.items():
        assert any(line.startswith(f"damaged: {name}: {file}") for line in damaged), name
    assert sorted(done.jobs) == sorted(harmed)
    assert releases(tmp_path) == releases(kept)
    assert "the same content as before" in done.stderr
    assert len(list((store / "damaged").iterdir())) == len(harmed)


def test_a_lost_score_brings_back_the_weights_it_needs_and_drops_them_again(
    rig, undisturbed, tmp_path
):
    copied(undisturbed, tmp_path)
    store = tmp_path / "runs/store"
    flip(
        store
        / "results"
        / key_of_job(store, "evaluate tiny tiny_tags after tiny_colour")
        / "scores.json"
    )
    done = rig.run(rig.eval("tiny"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.jobs == [
        "train tiny intermediate tiny_colour seed 1",
        "train tiny target tiny_tags seed 1 after tiny_colour",
        "evaluate tiny tiny_tags after tiny_colour",
    ]
    assert releases(tmp_path) == releases(undisturbed)
    assert not weights(store)


# No room ------------------------------------------------------------------------------------------


def board_of(folder: Path) -> dict[str, bytes]:
    """Every file of the board."""
    return {
        path.name: path.read_bytes()
        for path in (folder / "runs/board").rglob("*")
        if path.is_file()
    }


@pytest.fixture
def published(undisturbed, tmp_path) -> Path:
    """A folder whose board holds a release already."""
    shutil.copytree(undisturbed / "runs/board", tmp_path / "runs/board")
    return tmp_path


def one_clear_line(stderr: str, *phrases: str) -> None:
    """One line says all of it, and there is no traceback."""
    assert "Traceback" not in stderr
    assert any(all(phrase in line for phrase in phrases) for line in stderr.splitlines()), stderr


def test_a_file_where_the_store_should_be(rig, published):
    (published / "occupied").write_text("not a folder")
    before = board_of(published)
    done = rig.run(rig.eval("tiny", "--store", published / "occupied"), published)
    assert done.returncode == 74
    one_clear_line(done.stderr, str(published / "occupied"), "choose another store")
    assert board_of(published) == before


def test_a_board_that_cannot_be_written(rig, undisturbed, tmp_path):
    copied(undisturbed, tmp_path)
    (tmp_path / "occupied").write_text("not a folder")
    done = rig.run(rig.eval("tiny", "--board", tmp_path / "occupied"), tmp_path)
    assert done.returncode == 74
    one_clear_line(done.stderr, str(tmp_path / "occupied"), "--board")


# Kilobytes: the plan does not fit; checkpoints do not fit; results do not fit.
@pytest.mark.parametrize(("size", "seconds"), [(48, 1000), (900, 0), (500, 1000)])
def test_a_full_disk_is_said_in_one_line_and_leaves_the_last_release(rig, published, size, seconds):
    disk = published / "disk"
    disk.mkdir()
    before = board_of(published)
    # too small for the models, which is seen before the run; for all else, which is not
    said = [] if size == 48 else ["No space left on device", "same command again"]
    script = f'mount -t tmpfs -o size={size}k tmpfs "$0" || exit 77; exec "$@"'
    command = rig.eval("tiny", "--store", disk / "runs/store", "--checkpoint-seconds", seconds)
    try:
        done = rig.run(["unshare", "-rm", "sh", "-c", script, str(disk), *command], published)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount here")
    assert done.returncode == 74, done.stderr
    one_clear_line(done.stderr, "free space", *said)
    assert board_of(published) == before


def test_the_store_is_sound_after_a_full_disk(rig, long_run, tmp_path):
    """What was committed before the disk was full stays; with room again, the same command ends
    with the same bytes."""
    # no file above 32 KiB or so
    done = rig.run(["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *rig.eval("long")], tmp_path)
    assert done.returncode == 74, done.stderr
    one_clear_line(done.stderr, "File too large", "same command again")
    assert not Store(tmp_path / "runs/store").collect(dry_run=True).removed or not workers(
        tmp_path / "runs/store"
    )
    done = rig.run(rig.eval("long"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert releases(tmp_path) == releases(long_run)
