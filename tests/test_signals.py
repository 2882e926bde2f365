"""SIGTERM and SIGINT end every command with 143 and 130, whatever it does at that moment, also as
process 1."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import fake_hub
import pytest
from conftest import (
    PATIENCE,
    SLOW_DISK,
    Rig,
    eventually,
    finished,
    once,
    put_to_sleep,
    releases,
    workers,
)
from stress import times

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])

# Python reads this file at its start. The named module takes for ever to import; whoever gets there
# leaves a mark.
SLOW = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            Path({mark!r}).touch()
            {what}

sys.meta_path.insert(0, Slow())
"""
SLEEPS = "sleep(9999)"
# As libraries do: the exception that a signal raises waits for threads, which hear of nothing.
WAITS = "with ThreadPoolExecutor() as pool: pool.submit(sleep, 9999).result()"


# Each update of a training takes a while and leaves a mark.
SLOW_STEPS = """
import harness.jobs.run, os, time
from pathlib import Path

class Slow(harness.jobs.run.Context):
    def __init__(self, *args, **kept):
        super().__init__(*args, **kept)
        self.progress = lambda *so_far: (time.sleep(0.2), Path(os.environ["MARK"]).touch())

harness.jobs.run.Context = Slow
"""


def at_start(folder: Path, code: str) -> str:
    """PYTHONPATH for a Python that runs this code at its start."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return str(folder)


def slow(folder: Path, module: str, what: str = SLEEPS) -> tuple[Path, str]:
    """(the mark that will be left, PYTHONPATH)."""
    mark = folder / "mark"
    return mark, at_start(folder / "site", SLOW.format(module=module, mark=str(mark), what=what))


def stopped(run: subprocess.Popen, how: signal.Signals, cwd: Path) -> str:
    """Send the signal; what the command said. It ends with the signal's code, by that signal alone,
    and shows no traceback."""
    run.send_signal(how)
    assert run.wait(PATIENCE) == 128 + how
    said = (cwd / "said").read_text()
    assert "Traceback" not in said
    assert "interrupted; " in said.splitlines()[-1]
    return said


COMMANDS = {
    "--help": ("harness.cli", []),
    "list tasks": ("harness.spec.catalog", []),
    "show xnli": ("harness.spec.catalog", []),
    "validate": ("harness.spec.reader", []),
    "plan": ("harness.plan.planner", []),
    "score . .": ("harness.xtreme.scoring", []),
    "leaderboard show": ("harness.release.document", []),
    "leaderboard build": ("harness.release.document", []),
    "reproduce": ("harness.published.reproduce", []),
    "bundle": ("harness.review.bundle", []),
    "cache verify": ("harness.store", []),
    "data verify": ("harness.sources.lock", []),
    "doctor": ("harness.run.doctor", []),
    "job run " + 64 * "a": ("harness.jobs.run", []),
    "eval": ("harness.run.steps", []),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_at_once(rig, tmp_path, command):
    module, more = COMMANDS[command]
    how = signal.SIGTERM if len(command) % 2 else signal.SIGINT
    mark, path = slow(tmp_path, module, WAITS if len(command) % 3 else SLEEPS)
    run = rig.start(rig.command(*command.split(), *more), tmp_path, PYTHONPATH=path)
    eventually(lambda: mark.exists() or run.poll() is not None, "the command's own work")
    assert run.poll() is None, (tmp_path / "said").read_text()
    stopped(run, how, tmp_path)


@BOTH
def test_a_second_signal_that_comes_with_the_first_is_no_second(rig, tmp_path, how):
    mark, path = slow(tmp_path, "harness.spec.catalog")
    run = rig.start(rig.command("list", "tasks"), tmp_path, PYTHONPATH=path)
    eventually(mark.exists, "the command's own work")
    run.send_signal(how)
    stopped(run, how, tmp_path)


def test_a_stream_that_was_closed_is_not_taken_for_signals(rig, tmp_path):
    """What a process opens first gets the numbers of streams that it was started without."""
    mark, path = slow(tmp_path, "harness.spec.catalog")
    run = rig.start(
        ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *rig.command("list", "tasks")],
        tmp_path,
        PYTHONPATH=path,
    )
    eventually(mark.exists, "the command's own work")
    assert [os.readlink(f"/proc/{run.pid}/fd/{number}") for number in range(3)] == [os.devnull] * 3  # noqa: PTH115
    run.send_signal(signal.SIGTERM)
    assert run.wait(PATIENCE) == 143


@contextmanager
def deaf_server():
    """A server that takes connections and says nothing; its URL, and a list that grows with
    each."""
    callers, listening = [], socket.create_server(("127.0.0.1", 0))

    def arrived() -> bool:
        listening.settimeout(0.01)
        with suppress(TimeoutError):
            callers.append(listening.accept()[0])
        return bool(callers)

    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", arrived
    finally:
        for caller in callers:
            caller.close()
        listening.close()


HUB_ENCODER = """
encoder: small-encoder
version: 1
source: {hub: some/encoder}
pretrained_on: english
seen: []
max_length: 64
"""


def fetching(rig: Rig, cwd: Path, url: str) -> subprocess.Popen:
    """A `data fetch` that the hub's own timeouts do not end."""
    patient = {
        "HF_HUB_DOWNLOAD_TIMEOUT": "9999",
        "HF_HUB_ETAG_TIMEOUT": "9999",
        "HF_HUB_DISABLE_XET": "1",
    }
    (cwd / "tasks").mkdir()
    (cwd / "tasks" / "encoder.yaml").write_text(HUB_ENCODER.lstrip())
    where = {"HF_ENDPOINT": url, "HF_HOME": str(cwd / "home"), "HF_HUB_OFFLINE": "0"}
    return rig.start(rig.command("data", "fetch", "small-encoder"), cwd, **where, **patient)


@BOTH
def test_data_fetch_from_a_hub_that_does_not_answer(rig, tmp_path, how):
    with deaf_server() as (url, arrived):
        run = fetching(rig, tmp_path, url)
        eventually(lambda: arrived() or run.poll() is not None, "the first question")
        stopped(run, how, tmp_path)


@BOTH
def test_data_fetch_in_the_middle_of_files(rig, tmp_path, how, monkeypatch):
    """Files come in threads of the library, which hear of no signal, and none of them ends."""
    asked, answer = [], fake_hub._Handler._file

    def silent(handler, match):
        if handler.command == "GET":
            asked.append(match["path"])
            time.sleep(2 * PATIENCE)
        answer(handler, match)

    monkeypatch.setattr(fake_hub._Handler, "_file", silent)
    with fake_hub.FakeHub() as hub:
        hub.server.daemon_threads, hub.server.block_on_close = True, False
        names = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")
        hub.commit("model", "some/encoder", dict.fromkeys(names, b"{}"))
        run = fetching(rig, tmp_path, hub.url)
        eventually(lambda: asked or run.poll() is not None, "the first file")
        stopped(run, how, tmp_path)


# Process 1 ----------------------------------------------------------------------------------------


def as_process_1(
    rig: Rig, command: list[str], cwd: Path, **environment: str
) -> tuple[subprocess.Popen, int]:
    """The command as process 1 of a namespace of its own, and its id here. Skips where that is not
    allowed."""
    try:
        run = rig.start(["unshare", "-rp", "--fork", "--mount-proc", *command], cwd, **environment)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")

    def child() -> list[str]:
        if run.poll() is not None:
            pytest.skip("no namespace here: " + (cwd / "said").read_text())
        return children.read_text().split()

    return run, int(eventually(child, "process 1")[0])


@BOTH
def test_process_1_of_a_container_ends_too(rig, tmp_path, how):
    mark, path = slow(tmp_path, "harness.cli")
    run, pid = as_process_1(rig, rig.command("list", "tasks"), tmp_path, PYTHONPATH=path)
    eventually(mark.exists, "the first import")
    os.kill(pid, how)
    assert run.wait(PATIENCE) == 128 + how
    assert "Traceback" not in (tmp_path / "said").read_text()


def checkpoint(store: Path) -> int:
    """The update of the last checkpoint of a store with one training; 0 if there is none."""
    with suppress(OSError, ValueError, StopIteration):
        pointer = next((store / "checkpoints").glob("*/latest.json"))
        return int(
            json.loads(pointer.read_text())["file"].removeprefix("update-").removesuffix(".pt")
        )
    return 0


def slow_disk(cwd: Path) -> dict[str, str]:
    """The environment of a command whose disk takes its time, so that a short training can be
    caught in the middle."""
    return {"PYTHONPATH": at_start(cwd / "slow", SLOW_DISK)}


def short(rig: Rig, *more: object) -> list[str]:
    """`eval` of a training of 12 updates with one worker."""
    return rig.eval("short", "--workers", 1, *more)


@pytest.fixture(scope="module")
def short_run(rig, tmp_path_factory) -> Path:
    """The folder of a run of suite `short` that nobody disturbed."""
    return once(tmp_path_factory, "short", partial(finished, rig, short(rig)))


def facts(store: Path) -> dict:
    """What the one training noted about its own run."""
    manifests = [
        json.loads(path.read_text()) for path in (store / "results").glob("*/manifest.json")
    ]
    (found,) = (
        manifest["meta"]["facts"] for manifest in manifests if manifest["meta"]["kind"] == "train"
    )
    return found


def test_training_as_process_1_saves_a_checkpoint(rig, short_run, tmp_path):
    """A scheduler sends the signal to workers too, and then the driver sends it once more: that is
    no second one."""
    store = tmp_path / "runs/store"
    run, pid = as_process_1(rig, short(rig), tmp_path, **slow_disk(tmp_path))
    eventually(lambda: checkpoint(store) >= 3, "a checkpoint")
    for worker in workers(store):
        os.kill(worker, signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)
    assert run.wait(PATIENCE) == 143
    assert "killed" not in (tmp_path / "said").read_text()
    step = checkpoint(store)
    done = rig.run(short(rig), tmp_path)
    assert done.returncode == 0, done.stderr
    assert facts(store)["resumed_at"] == step
    assert releases(tmp_path) == releases(short_run)


# Workers ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("module", ["torch", "harness.jobs.run"])
def test_workers_that_still_import_end_with_the_driver(rig, tmp_path, how, module):
    mark, path = slow(tmp_path, module, WAITS)
    run = rig.start(rig.eval("long"), tmp_path, PYTHONPATH=path)
    eventually(mark.exists, "a worker's import")
    said = stopped(run, how, tmp_path)
    assert "killed" not in said
    assert not workers(tmp_path / "runs/store")


def asleep(rig: Rig, cwd: Path, seconds: float) -> tuple[subprocess.Popen, int]:
    """A run whose driver gives its workers `seconds` to end, and its one worker, which trains and
    has been put to sleep."""
    code = f"""
import harness.engines.process, harness.common.signals
harness.engines.process.GRACE = {seconds}
harness.common.signals.PATIENCE = 9999
"""
    run = rig.start(short(rig), cwd, PYTHONPATH=at_start(cwd / "site", SLOW_DISK + code))
    eventually(lambda: checkpoint(cwd / "runs/store"), "a checkpoint")
    (worker,) = workers(cwd / "runs/store")
    put_to_sleep(worker)
    return run, worker


@BOTH
def test_a_second_signal_ends_at_once(rig, tmp_path, how):
    run, worker = asleep(rig, tmp_path, 9999)
    run.send_signal(how)
    eventually(lambda: "stopping:" in (tmp_path / "said").read_text(), "the driver's word")
    time.sleep(0.3)  # what comes at once is no second signal
    stopped(run, how, tmp_path)
    assert worker not in workers(tmp_path / "runs/store")


def test_a_worker_that_does_not_end_is_killed_and_nothing_before_is_lost(rig, tmp_path):
    run, worker = asleep(rig, tmp_path, 0.5)
    before = checkpoint(tmp_path / "runs/store")
    assert "had to be killed" in stopped(run, signal.SIGTERM, tmp_path)
    assert worker not in workers(tmp_path / "runs/store")
    assert checkpoint(tmp_path / "runs/store") == before > 0


# Single jobs --------------------------------------------------------------------------------------


def test_job_run_saves_a_checkpoint_and_goes_on_from_there(rig, tmp_path):
    store = tmp_path / "runs/store"
    where = ["--suite", "short", "--specs", rig.specs, "--encoder-root", rig.encoders]
    written = rig.run(rig.command("plan", *where, "--write"), tmp_path)
    key = next(
        line.split()[0] for line in written.stdout.splitlines() if line.split()[1] == "train"
    )
    command = rig.command("job", "run", key)
    # Checkpoints come after a minute: what is found is that of the signal.
    slow_steps = at_start(tmp_path / "slow", SLOW_STEPS)
    run = rig.start(command, tmp_path, PYTHONPATH=slow_steps, MARK=str(tmp_path / "mark"))
    eventually(lambda: (tmp_path / "mark").exists() or run.poll() is not None, "the training")
    stopped(run, signal.SIGTERM, tmp_path)
    step = checkpoint(store)
    assert step > 0
    done = rig.run(command, tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{key}: done\n"), done.stderr
    assert facts(store)["resumed_at"] == step
    assert not list((store / "tmp").iterdir()) and not list((store / "leases").iterdir())


def test_a_signal_at_any_moment_of_a_run(rig, short_run, tmp_path):
    """Interrupted again and again, wherever it is, it ends with the signal's code and goes on in
    the end."""
    rng = random.Random(14)
    for turn in range(times(3, 100)):
        how = rng.choice([signal.SIGTERM, signal.SIGINT])
        run = rig.start(short(rig), tmp_path)
        with suppress(subprocess.TimeoutExpired):
            run.wait(rng.uniform(0.1, 4.0))
        run.send_signal(how)
        code = run.wait(PATIENCE)
        said = (tmp_path / "said").read_text()
        assert code in (0, 128 + how), (turn, code, said)
        assert "Traceback" not in said
        assert not workers(tmp_path / "runs/store")
    done = rig.run(short(rig), tmp_path)
    assert done.returncode == 0, done.stderr
    assert releases(tmp_path) == releases(short_run)
