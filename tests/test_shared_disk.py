"""A store on a disk that several machines share: names remembered as absent, stale files, sleepers,
a disk that goes.

forgetful.c plays the client of such a disk, below the real code; `node` gives a process another
machine's name.
"""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import (
    GATED,
    ROOT,
    SLOW_DISK,
    Rig,
    copied,
    eventually,
    put_to_sleep,
    releases,
    trainings_at,
    workers,
)
from stress import times

from harness.common.errors import StoreError
from harness.engines.crew import Shared, folder_of, run_of
from harness.engines.progress import Progress
from harness.jobs import checkpoint
from harness.jobs import run as run_room
from harness.jobs.context import Context, Stopped
from harness.jobs.run import Telling, run_job
from harness.plan.graph import Job, Jobs
from harness.store import Store
from harness.store import lease as lease_room
from harness.store.lease import Holder

pytestmark = pytest.mark.slow

KEY = "ab" * 32

# Read by Python at its start: a machine's name, other constants, and a mark for each module of jobs
# that is imported, which happens when one is computed.
NODE = """
import sys
from pathlib import Path

class Computing:
    def find_spec(self, name, path=None, target=None):
        if name in ("harness.jobs.train", "harness.jobs.evaluate", "harness.jobs.leaks"):
            Path({marks!r}, name).touch()

sys.meta_path.insert(0, Computing())

import harness.store.lease, harness.store.results
harness.store.lease._host = lambda: {host!r} + ".00000000"
harness.store.lease.BEAT_SECONDS = {stale} / 10
harness.store.lease.STALE_SECONDS = harness.store.results.STALE_SECONDS = {stale}
{more}
"""


@dataclass
class Node:
    """One machine of several."""

    folder: Path
    environment: dict[str, str]

    def computed(self) -> list[str]:
        """The kinds of jobs that it began to compute."""
        return sorted(path.name.rpartition(".")[2] for path in (self.folder / "marks").iterdir())

    def python(self, code: str, *arguments: object) -> subprocess.CompletedProcess:
        """Run code there."""
        env = {**os.environ, **self.environment}
        env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(ROOT)])
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def node(folder: Path, host: str, stale: float = 60.0, more: str = "", **environment: str) -> Node:
    """A machine of that name, which takes leases of others over after `stale` seconds."""
    made = folder / host
    (made / "marks").mkdir(parents=True)
    code = NODE.format(marks=str(made / "marks"), host=host, stale=stale, more=more)
    (made / "sitecustomize.py").write_text(code)
    return Node(made, {"PYTHONPATH": str(made), **environment})


@pytest.fixture(scope="session")
def forgetful(tmp_path_factory) -> Path:
    """The shared library."""
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler here")
    made = tmp_path_factory.mktemp("forgetful") / "forgetful.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", made, Path(__file__).with_name("forgetful.c"), "-ldl"],
        check=True,
    )
    return made


@pytest.fixture
def forgetting(forgetful, tmp_path):
    """Makes machines that remember the absence of names in tmp_path/store."""

    def make(host: str, seconds: float = 9999, more: str = "", **environment: str) -> Node:
        cache = tmp_path / f"cache-{host}"
        cache.mkdir()
        disk = {
            "FORGETFUL_ROOT": str(tmp_path / "runs/store"),
            "FORGETFUL_CACHE": str(cache),
            "FORGETFUL_SECONDS": str(seconds),
        }
        return node(tmp_path, host, more=more, LD_PRELOAD=str(forgetful), **disk, **environment)

    return make


def plan(rig: Rig, suite: str, *more: object) -> list[str]:
    """The command that looks at every result of a suite."""
    return rig.command(
        "plan", "--suite", suite, "--specs", rig.specs, "--encoder-root", rig.encoders, *more
    )


def keys_of(store: Path, kind: str) -> list[str]:
    """Keys of the jobs of a kind."""
    bodies = [json.loads(path.read_text()) for path in sorted((store / "jobs").glob("*.json"))]
    return [body["key"] for body in bodies if body["kind"] == kind]


def with_a_model(store: Path) -> tuple[str, str]:
    """(an evaluation, the training whose model it reads)."""
    for key in keys_of(store, "evaluate"):
        body = json.loads((store / "jobs" / f"{key}.json").read_text())
        if body["needs"]:
            return key, body["needs"][0]
    raise AssertionError


# Names that were absent ---------------------------------------------------------------------------


def test_the_client_is_as_forgetful_as_it_should_be(forgetting, tmp_path):
    (tmp_path / "runs/store").mkdir(parents=True)
    there, look = (
        tmp_path / "runs/store" / "there" / "file",
        "import os, sys; print(os.path.exists(sys.argv[1]))",
    )
    one, other = forgetting("one"), forgetting("other")
    assert one.python(look, there).stdout == "False\n"
    there.parent.mkdir()
    there.write_text("x")
    assert one.python(look, there).stdout == "False\n"
    assert other.python(look, there).stdout == "True\n"
    assert (
        "FileExistsError"
        in one.python("import os, sys; os.mkdir(sys.argv[1])", there.parent).stderr
    )
    assert one.python(look, there).stdout == "True\n"


def test_what_another_machine_committed_is_not_computed_again(
    rig, undisturbed, forgetting, tmp_path
):
    here = forgetting("here")
    looked = rig.run(plan(rig, "tiny"), tmp_path, **here.environment)
    assert looked.returncode == 0, looked.stderr
    shutil.copytree(
        undisturbed / "runs/store" / "results",
        tmp_path / "runs/store" / "results",
        dirs_exist_ok=True,
    )
    done = rig.run(rig.eval("tiny"), tmp_path, **here.environment)
    assert done.returncode == 0, done.stderr
    assert f"{len(list((undisturbed / 'runs/store/results').iterdir()))} jobs to run" in done.stderr
    assert here.computed() == []
    assert releases(tmp_path) == releases(undisturbed)
    assert sorted(path.name for path in (tmp_path / "runs/store" / "results").iterdir()) == sorted(
        path.name for path in (undisturbed / "runs/store" / "results").iterdir()
    )


@contextmanager
def no_job_twice(store: Path) -> Iterator[None]:
    """Fails if a job was begun more than once in this block."""
    seen, over = set(), threading.Event()

    def watch():  # every attempt at a job works in a directory of its own
        while not over.wait(0.002):
            with suppress(OSError):
                seen.update(path.name for path in (store / "tmp").iterdir())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    attempts = [name.split("@")[1] for name in seen if name.startswith("work@")]
    assert len(attempts) == len(set(attempts)), "a job was done twice"


def test_two_forgetful_machines_share_the_work(rig, undisturbed, forgetting, tmp_path):
    store = tmp_path / "runs/store"
    nodes = [forgetting(name, seconds=30) for name in ("one", "two")]
    with no_job_twice(store):
        runs = [
            rig.start(
                rig.eval("tiny", "--workers", 1, "--store", store),
                tmp_path / f"at-{one.folder.name}",
                **one.environment,
            )
            for one in nodes
        ]
        codes = [run.wait() for run in runs]
    said = [(tmp_path / f"at-{one.folder.name}" / "said").read_text() for one in nodes]
    assert codes == [0, 0], said
    assert releases(tmp_path / "at-one") == releases(tmp_path / "at-two") == releases(undisturbed)
    assert all(one.computed() for one in nodes), "one machine did everything"


def test_two_forgetful_agents_share_a_run(rig, undisturbed, forgetting, tmp_path):
    """Both have looked for every job before the other did it. What is left to do are the baseline's
    three trainings and four evaluations."""
    copied(undisturbed, tmp_path)
    store, gate = Store(tmp_path / "runs/store"), tmp_path / "gate"
    shutil.rmtree(store.root.parent / "board")
    jobs = baseline(store.root)
    for key in jobs.jobs:
        shutil.rmtree(store.root / "results" / key)
    folder = folder_of(store, run_of(jobs))
    Shared(jobs, {}, agents=2, workers=1, checkpoint_seconds=0.0).write(folder)

    gate.write_text("2")
    more = GATED.format(gate=str(gate)) + AGENT
    nodes = [forgetting(name, 30, more) for name in ("one", "two")]
    command = [sys.executable, "-m", "harness.engines", str(store.root), folder.name]
    with no_job_twice(store.root):
        agents = [
            rig.start([*command, name], tmp_path / "at" / name, **one.environment)
            for name, one in zip(("1", "2"), nodes, strict=True)
        ]
        eventually(lambda: len(trainings_at(store.root, 1)) == 2, "both in a training")
        gate.write_text("9999")
        codes = [agent.wait() for agent in agents]
    assert codes == [0, 0], [path.read_text() for path in (tmp_path / "at").glob("*/said")]
    assert not list((folder / "failed").iterdir())
    done = rig.run(rig.eval("tiny"), tmp_path)
    assert done.jobs == [] and releases(tmp_path) == releases(undisturbed)


LOOKING_ON = """
import subprocess, sys
from pathlib import Path
from harness.engines import watch
from harness.engines.crew import Shared
from harness.engines.listener import Listener
from harness.store import Store

root, folder, done = map(Path, sys.argv[1:])
store = Store(root)
who = watch.Watch(Shared.read(folder).jobs, store, folder, Listener())
before = sum(store.manifest(key) is not None for key in who.waiting)  # as who plans asks
subprocess.run(["cp", "-r", *done.iterdir(), root / "results"], env={}, check=True)
watch.ASK_SECONDS = 0.0
who.until_done(lambda: 0)
print(before, len(who.done))
"""


def test_who_looks_on_sees_what_agents_did_before_they_left(undisturbed, forgetting, tmp_path):
    copied(undisturbed, tmp_path)
    store, done = Store(tmp_path / "runs/store"), tmp_path / "done"
    jobs = baseline(store.root)
    done.mkdir()
    for key in jobs.jobs:
        (store.root / "results" / key).rename(done / key)
    folder = folder_of(store, run_of(jobs))
    Shared(jobs, {}, agents=2).write(folder)
    looked = forgetting("desk").python(LOOKING_ON, store.root, folder, done)
    assert looked.stdout == f"0 {len(jobs.jobs)}\n", looked.stderr


# An agent asks for jobs of others sooner than it would.
AGENT = """
if "harness.engines" in __import__("sys").orig_argv:
    import harness.engines.drive
    harness.engines.drive.CREW_WAIT = 0.5
"""


def baseline(store: Path) -> Jobs:
    """The trainings without an intermediate, and the evaluations of these models or of none."""
    bodies = [json.loads(path.read_text()) for path in sorted((store / "jobs").glob("*.json"))]
    first = [body for body in bodies if body["kind"] == "train" and is_first(body)]
    keys = {body["key"] for body in first}
    then = [
        body for body in bodies if body["kind"] == "evaluate" and keys.issuperset(body["needs"])
    ]
    jobs = [
        Job(body["key"], body["kind"], body["name"], body["needs"], {}, (place,))
        for place, body in enumerate(first + then)
    ]
    return Jobs(jobs={job.key: job for job in jobs})


def is_first(training: dict) -> bool:
    """Whether it trains a target, from the pretrained encoder."""
    return training["spec"]["phase"] == "target" and not training["needs"]


@pytest.fixture
def waiting(rig, kept, tmp_path) -> tuple[str, str, Path]:
    """(an evaluation that was not done, the training that it needs, where that one's result lies:
    not in the store yet)."""
    copied(kept, tmp_path)
    key, needed = with_a_model(tmp_path / "runs/store")
    shutil.rmtree(tmp_path / "runs/store" / "results" / key)
    away = tmp_path / "away"
    (tmp_path / "runs/store" / "results" / needed).rename(away)
    return key, needed, away


def test_a_missing_input_is_waited_for(rig, waiting, forgetting, tmp_path):
    key, needed, away = waiting
    here = forgetting("here")
    run = rig.start(rig.command("job", "run", key), tmp_path, **here.environment)
    said = tmp_path / "said"
    eventually(
        lambda: "waits for result" in said.read_text() or run.poll() is not None, "its patience"
    )
    assert here.computed() == [] and not list((tmp_path / "runs/store" / "leases").iterdir())
    away.rename(tmp_path / "runs/store" / "results" / needed)
    assert run.wait() == 0, said.read_text()
    assert said.read_text().count("waits for result") == 1
    assert Store(tmp_path / "runs/store").verify(key) == []


def test_an_input_that_never_comes_is_named(rig, waiting, tmp_path):
    key, needed, _ = waiting
    here = node(
        tmp_path, "here", more="import harness.jobs.run; harness.jobs.run.INPUT_SECONDS = 0.2"
    )
    done = rig.run(rig.command("job", "run", key), tmp_path, **here.environment)
    assert done.returncode == 74
    assert done.lines[-1].startswith(
        f"no result {needed[:12]} in {tmp_path / 'runs/store'}, which evaluate tiny"
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs/store" / "results" / needed).exists()


def test_a_job_and_a_lease_that_were_absent_a_moment_ago(rig, kept, forgetting, tmp_path):
    copied(kept, tmp_path)
    here, store = forgetting("here"), Store(tmp_path / "runs/store")
    key, _ = with_a_model(store.root)
    shutil.rmtree(store.root / "results" / key)
    body = (store.root / "jobs" / f"{key}.json").rename(tmp_path / "body")
    command = rig.command("job", "run", key)
    early = rig.run(command, tmp_path, **here.environment)
    assert early.returncode == 74 and "cannot read the job" in early.stderr
    look = (
        "import sys, harness.store.lease as room; from pathlib import Path;"
        " print(room.read_lease(Path(sys.argv[1])))"
    )
    assert here.python(look, store.root / "leases" / key).stdout == "None\n"
    body.rename(store.root / "jobs" / f"{key}.json")
    with store.lease(key):
        busy = rig.run(command, tmp_path, **here.environment)
        assert (busy.returncode, busy.stdout) == (75, f"{key}: busy\n"), busy.stderr
        assert f"process {os.getpid()} on " in busy.stderr
    done = rig.run(command, tmp_path, **here.environment)
    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_opened_anew(rig, kept, forgetting, tmp_path):
    copied(kept, tmp_path)
    here = forgetting("here", FORGETFUL_STALE="1")
    key, _ = with_a_model(tmp_path / "runs/store")
    shutil.rmtree(tmp_path / "runs/store" / "results" / key)
    done = rig.run(rig.command("job", "run", key), tmp_path, **here.environment)
    assert done.returncode == 0, done.stderr
    sound = rig.run(rig.command("cache", "verify"), tmp_path, **here.environment)
    assert sound.returncode == 0, sound.stderr
    assert any(path.name.startswith("stale-") for path in (tmp_path / "cache-here").iterdir())


def test_looking_again_while_another_commits(tmp_path):
    """The directory that asks for a name is gone, or in the way, at any moment of a commit."""
    store, over = Store(tmp_path / "runs/store"), tmp_path / "over"
    code = """
import sys
from pathlib import Path
from harness.plan.graph import Job, Jobs
from harness.store import Store
store, key, over = Store(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
while not over.exists():
    store.look_again(key)
"""
    lookers = [
        subprocess.Popen([sys.executable, "-c", code, store.root, KEY, over], cwd=ROOT)
        for _ in range(2)
    ]
    try:
        for turn in range(times(60, 2000)):
            with store.workdir(KEY) as directory:
                (directory / "turn").write_text(str(turn))
                store.commit(KEY, directory, {})
            assert store.path(KEY, "turn").read_text() == str(turn)
            store.drop(KEY, ["turn"])  # so that the next one is committed over it
            if turn % 2:
                shutil.rmtree(store.root / "results" / KEY)
    finally:
        over.touch()
        assert [looker.wait() for looker in lookers] == [0, 0]
    assert not list((store.root / "damaged").iterdir()) and not list((store.root / "tmp").iterdir())


# Leases of others ---------------------------------------------------------------------------------


def training(store: Path) -> bool:
    """Whether a training has a checkpoint."""
    return any((store / "checkpoints").glob("*/latest.json"))


@pytest.fixture
def taken(rig, tmp_path):
    """Two runs of suite `short` on two machines: the first one's worker sleeps, the second one's is
    in the middle of its job. (runs, workers)."""
    store = tmp_path / "runs/store"
    runs, found = [], []
    for name in ("one", "two"):
        at = node(tmp_path, name, stale=1.0, more=SLOW_DISK)
        runs.append(
            rig.start(
                rig.eval("short", "--workers", 1, "--store", store),
                tmp_path / f"at-{name}",
                **at.environment,
            )
        )

        def works(driver=runs[-1].pid) -> list[int]:
            mine = workers(store, driver)
            return mine if training(store) and lease_pid(store) in mine else []

        found += eventually(works, f"the worker of {name}")
        if name == "one":
            put_to_sleep(found[0])
    yield runs, found
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    for run in runs:
        run.kill()
        run.wait()


def lease_pid(store: Path) -> int | None:
    """Who has the lease of the one training; not who is only about to take it over."""
    seen = lease_room.read_lease(store / "leases" / keys_of(store, "train")[0])
    return seen.owner.pid if seen else None


def test_a_worker_that_lost_its_lease_in_its_sleep_ends_quietly(taken, tmp_path):
    """Its machine slept; another took over and finished; the first one finds the result and ends as
    if nothing had been."""
    store, (runs, pids) = tmp_path / "runs/store", taken
    assert runs[1].wait() == 0
    os.kill(pids[0], signal.SIGCONT)
    assert runs[0].wait() == 0
    logs = [tmp_path / "at-one" / "said", tmp_path / "at-two" / "said", *(store / "logs").iterdir()]
    said = "".join(path.read_text() for path in logs)
    assert "Traceback" not in said and "FAILED" not in said and "again:" not in said
    assert releases(tmp_path / "at-one") == releases(tmp_path / "at-two") != {}
    for room in ("tmp", "leases", "checkpoints", "damaged"):
        assert not list((store / room).iterdir()), room


def test_a_sleeper_leaves_the_checkpoints_of_whoever_took_over_alone(taken, tmp_path):
    store, (runs, pids) = tmp_path / "runs/store", taken
    put_to_sleep(pids[1])  # within a second of its lease
    folder = store / "checkpoints" / keys_of(store, "train")[0]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    os.kill(pids[0], signal.SIGCONT)
    time.sleep(0.5)
    after = {path: path.read_bytes() for path in folder.iterdir()}
    if lease_pid(store) == pids[1]:  # or, on a slow machine, it slept too long itself
        assert before == after
    os.kill(pids[1], signal.SIGCONT)
    assert [run.wait() for run in runs] == [0, 0]


@pytest.mark.parametrize("asleep_at", [1, 2, 3])
def test_a_sleep_in_any_write_of_a_checkpoint_harms_no_other_ones(tmp_path, monkeypatch, asleep_at):
    """The machine sleeps in a flush, which is what takes time: of the file, of the pointer, of the
    folder. Meanwhile another loads what is there, and saves its own."""
    store = Store(tmp_path / "store")
    folder, flushed = store.checkpoint_dir(KEY), []

    def save(step: int, held=lambda: True) -> None:
        ctx = Context(store, KEY, {}, tmp_path, print, lambda: False, held=held)
        checkpoint.save(ctx, step, {"step": step})

    def sleep(fd: int, sync=os.fsync) -> None:
        sync(fd)
        flushed.append(fd)
        if len(flushed) == asleep_at:
            save(8)

    save(1)
    monkeypatch.setattr(os, "fsync", sleep)
    # the other one tidies the first draft away: nothing is said of that to who lost the lease
    ends = {1: pytest.raises(FileNotFoundError), 2: pytest.raises(Stopped), 3: nullcontext()}
    with ends[asleep_at]:
        save(2, held=lambda: len(flushed) < asleep_at)
    assert sorted(path.name for path in folder.iterdir()) == ["latest.json", "update-8.pt"]
    assert json.loads((folder / "latest.json").read_text())["file"] == "update-8.pt"


def test_a_checkpoint_that_the_disk_lost_sight_of_once_is_written_again(tmp_path, monkeypatch):
    """ESTALE, once: at the file, and at the pointer."""
    store, seen = Store(tmp_path / "store"), set()

    def replace(path: Path, to: Path, real=Path.replace) -> Path:
        if to not in seen:
            seen.add(to)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, to)

    monkeypatch.setattr(Path, "replace", replace)
    ctx = Context(store, KEY, {}, tmp_path, print, lambda: False)
    checkpoint.save(ctx, 2, {"model": {}})
    assert checkpoint.load(ctx, {}) == {"model": {}} and len(seen) == 2
    folder = store.checkpoint_dir(KEY)
    assert sorted(path.name for path in folder.iterdir()) == ["latest.json", "update-2.pt"]


def test_a_run_that_waits_for_another_says_so_once(rig, tmp_path):
    store = Store(tmp_path / "runs/store")
    assert rig.run(plan(rig, "short", "--write"), tmp_path).returncode == 0
    (key,) = keys_of(store.root, "train")
    host = lease_room.this_process().host.rpartition(".")[0]
    line = (
        f"waiting for train tiny target tiny_mood seed 1: process {os.getpid()} on {host}, since 20"
    )
    more = f"""
import harness.engines.drive, harness.store.results
from pathlib import Path
harness.engines.drive.BUSY_WAIT = 0.1

def asked(store, key, lease=harness.store.results.Store.lease):
    with Path({str(tmp_path / "asked")!r}).open("a") as file:
        print(key, file=file)
    return lease(store, key)

harness.store.results.Store.lease = asked
"""
    here = node(tmp_path, "here", more=more)
    with store.lease(key):
        run = rig.start(rig.eval("short", "--workers", 1), tmp_path, **here.environment)
        eventually(lambda: (tmp_path / "asked").exists(), "the first question")
        eventually(
            lambda: (tmp_path / "asked").read_text().count(key) > 3 or run.poll() is not None,
            "more questions",
        )
    assert run.wait() == 0
    assert (tmp_path / "said").read_text().count(line) == 1


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_waiting_is_said_on_a_terminal_too():
    shown, holder = Terminal(), Holder("node7", 12, 0.0)
    job = Job(KEY, "train", "train something", [], {})
    with Progress(shown) as progress:
        progress.todo([job])
        for since in (0.0, 0.0, 9.0):
            progress.waiting(job, holder._replace(since=since))
    assert (
        shown.getvalue().count("waiting for train something: process 12 on node7, since 1970-") == 2
    )


JOB = {"key": KEY, "kind": "test", "name": "a test", "needs": []}


def forge(store: Store) -> None:
    """Another machine's lease on KEY."""
    owner = {"host": "elsewhere", "pid": 1, "pid_start": "1", "token": "feed" * 8, "time": 0}
    (store.root / "leases" / KEY).write_text(json.dumps(owner))


@pytest.mark.parametrize("how", ["done", "failed"])
def test_a_job_without_its_lease_commits_nothing_and_blames_nobody(tmp_path, monkeypatch, how):
    store = Store(tmp_path / "runs/store")
    store.write_job(KEY, JOB)

    class Job:
        @staticmethod
        def run(ctx):
            (ctx.workdir / "result").write_text("mine")
            forge(store)
            assert not ctx.held()
            if how == "failed":
                raise StoreError("whoever took over dropped what this reads")

    monkeypatch.setitem(run_room.JOBS, "test", "test")
    monkeypatch.setattr(run_room, "import_module", lambda _: Job)
    monkeypatch.setattr(run_room, "environment", lambda _: {})
    monkeypatch.setattr(run_room, "verify_job", lambda key, job: None)  # it is no job of a plan
    with pytest.raises(Stopped):
        run_job(store, KEY, Telling(), lambda: False)
    assert not store.look_again(KEY) and not list((store.root / "tmp").iterdir())
    assert json.loads((store.root / "leases" / KEY).read_text())["host"] == "elsewhere"


# A disk that goes ---------------------------------------------------------------------------------


def test_a_store_that_is_deleted_meanwhile(rig, tmp_path):
    store = tmp_path / "runs/store"
    slow = node(tmp_path, "here", more=SLOW_DISK)
    run = rig.start(rig.eval("short", "--workers", 1), tmp_path, **slow.environment)
    eventually(lambda: training(store), "a checkpoint")
    while store.exists():
        shutil.rmtree(store, ignore_errors=True)
    assert run.wait() == 74
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    assert str(store) in said
    eventually(lambda: not workers(store), "the workers' end")


def test_a_store_that_becomes_read_only_meanwhile(rig, forgetting, tmp_path):
    frozen = tmp_path / "frozen"
    here = forgetting("here", more=SLOW_DISK, FORGETFUL_FROZEN=str(frozen))
    run = rig.start(rig.eval("short", "--workers", 1), tmp_path, **here.environment)
    eventually(lambda: training(tmp_path / "runs/store"), "a checkpoint")
    frozen.touch()
    assert run.wait() == 74
    said = (tmp_path / "said").read_text()
    assert "Traceback" not in said
    assert "Read-only file system; choose a store on a disk that can be written" in said
