"""The store against real processes, real kills and real full disks."""

import errno
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.errors import StoreError
from harness.store import (
    DamagedError,
    HashIndex,
    Store,
    atomic_write,
    canonical_json,
    file_sha256,
    key_of,
)
from harness.store import files as files_room
from harness.store import lease as lease_room

KEY, OTHER = "ab" * 32, "cd" * 32
FILES = {
    "metrics.json": b'{"acc": 0.5}',
    "weights.bin": bytes(range(256)) * 40,
    "model/config.json": b"{}",
}


@pytest.fixture(autouse=True)
def no_real_fsync(monkeypatch):
    """A kill does not lose what the kernel has; `test_flushed_before_it_is_there` looks at the
    order instead."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def commit(store, key=KEY, files=None, meta=None):
    with store.workdir(key) as directory:
        for name, data in (files or FILES).items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(data)
        return store.commit(key, directory, meta or {"device": "cpu"})


def fork(body):
    """Run `body` in a process of its own; its exit status (negative: killed by that signal)."""
    if (pid := os.fork()) == 0:
        code = 99
        try:
            code = body() or 0
        finally:
            os._exit(code)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.utime"}


def at_step(n, act):
    """In a forked child: call `act` right before the n-th change to the disk (audit events and
    fsync), from 0."""
    seen = -1

    def step(event, *_):
        nonlocal seen
        if event in EVENTS:
            seen += 1
            if seen == n:
                act()

    sync = os.fsync
    os.fsync = lambda fd: (step("os.rename"), sync(fd))
    sys.addaudithook(step)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def every_kill(prepare, body, check):
    """Kill `body` before each of its steps, each time in a world made anew by `prepare`."""
    for n in range(500):
        world = prepare(n)

        def child(world=world, n=n):
            at_step(n, die)
            body(world)

        code = wait(fork(child))
        assert code in (0, -signal.SIGKILL), code
        check(world)
        if code == 0:
            return n
    raise AssertionError("never got to the end")


def no_leftovers(store):
    store.clean_start()
    assert not list((store.root / "tmp").iterdir())


def leases(store):
    return [path.name for path in (store.root / "leases").iterdir() if path.name[0] != "."]


# Canonical JSON and keys

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def shuffled(value, rng):
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {key: shuffled(item, rng) for key, item in items}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def leaves(value, path=()):
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


def replaced(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=150, deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_order_of_fields_does_not_matter(value, rng):
    assert key_of(shuffled(value, rng)) == key_of(value)
    assert repr(json.loads(canonical_json(value))) == repr(
        json.loads(canonical_json(shuffled(value, rng)))
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_changed_value_changes_the_key(data):
    value = data.draw(VALUES)
    paths = list(leaves(value))
    if paths:
        path, new = data.draw(st.sampled_from(paths)), data.draw(SCALARS)
        other = replaced(value, path, new)
        # repr: 1, 1.0 and True are three values
        assert (key_of(other) == key_of(value)) == (repr(other) == repr(value))


def test_canonical_json_is_pinned():
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'.encode()
    assert key_of({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    for bad in (math.nan, {"x": [math.inf]}, "\ud800"):
        with pytest.raises(ValueError):
            canonical_json(bad)
    for bad in ({1: 2}, [{"a": {None: 1}}], {"x": {1, 2}}, Path("x")):
        with pytest.raises(TypeError):
            canonical_json(bad)


# Commit


def test_commit_and_read(store):
    manifest = commit(store, meta={"seconds": 1.5, "shape": (1, 2)})
    assert manifest == store.manifest(KEY) and manifest.meta == {"seconds": 1.5, "shape": [1, 2]}
    assert set(manifest.files) == set(FILES) and store.verify(KEY) == [] and store.keys() == [KEY]
    assert store.path(KEY, "weights.bin").read_bytes() == FILES["weights.bin"]
    assert store.read_json(KEY, "metrics.json") == {"acc": 0.5}
    assert store.sizes() == {KEY: sum(map(len, FILES.values()))}
    on_disk = json.loads((store.root / "results" / KEY / "manifest.json").read_bytes())
    assert on_disk["schema"] == 1 and on_disk["key"] == KEY
    assert on_disk["files"]["metrics.json"] == {
        "sha256": file_sha256(store.path(KEY, "metrics.json")),
        "bytes": 12,
    }
    assert not list((store.root / "tmp").iterdir()) and not list((store.root / "leases").iterdir())


def test_flushed_before_it_is_there(store, monkeypatch):
    flushed, rename = [], os.rename
    monkeypatch.setattr(
        os, "fsync", lambda fd: flushed.append(Path(f"/proc/self/fd/{fd}").readlink().name)
    )
    monkeypatch.setattr(os, "rename", lambda *paths: (flushed.append("rename"), rename(*paths)))
    commit(store)
    before, after = flushed[: flushed.index("rename")], flushed[flushed.index("rename") :]
    assert {Path(name).name for name in FILES} | {"model"} <= set(before[:-2])
    assert (
        before[-2].startswith(".manifest.json.")
        and before[-1].startswith("work@")
        and after == ["rename", "results"]
    )


def test_absent_results(store):
    assert store.manifest(KEY) is None and store.verify(KEY) == []
    with pytest.raises(StoreError, match="no result"):
        store.path(KEY, "metrics.json")
    (store.root / "results" / KEY).mkdir()  # as a killed `look_again` leaves it
    assert (
        store.manifest(KEY) is None and store.verify(KEY) == [] and store.keys(complete=False) == []
    )
    assert store.set_aside(KEY, "nothing there") is None
    with pytest.raises(StoreError, match="no result"):
        store.path(KEY, "metrics.json")
    (store.root / "results" / KEY / "half").write_bytes(b"x")
    assert store.manifest(KEY) is None and store.verify(KEY) == [
        "manifest.json: No such file or directory"
    ]
    assert store.set_aside(KEY, "an orphan") is not None
    commit(store)
    with pytest.raises(StoreError, match="no file 'x'") as caught:
        store.path(KEY, "x")
    assert not isinstance(caught.value, DamagedError)
    for bad in ("", "../" + KEY, KEY.upper(), KEY[:-1]):
        with pytest.raises(StoreError, match="not a key"):
            store.manifest(bad)


def test_the_first_commit_stays(store):
    first = commit(store)
    assert commit(store, files={"metrics.json": b"other"}) == first == store.manifest(KEY)
    assert store.verify(KEY) == []


def test_a_commit_over_damage_replaces_it(store):
    orphan = store.root / "results" / KEY
    orphan.mkdir()
    (orphan / "half").write_bytes(b"x")
    commit(store)
    (orphan / "metrics.json").write_bytes(b"rotten")
    commit(store)
    assert store.verify(KEY) == [] and not (orphan / "half").exists()
    assert sorted(path.name for path in (store.root / "damaged").iterdir()) == [
        f"{KEY}.1",
        f"{KEY}.2",
    ]


def test_a_commit_removes_the_checkpoints_of_its_key(store, monkeypatch):
    for key in (KEY, OTHER):
        (store.checkpoint_dir(key) / "update-1.pt").write_bytes(b"x")
    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr(Store, "_put", lambda *_: full())
        commit(store)
    # not committed: they are still worth something
    assert (store.root / "checkpoints" / KEY / "update-1.pt").exists()
    for _ in range(2):  # a second commit is thrown away, its checkpoints too
        commit(store)
        assert [path.name for path in (store.root / "checkpoints").iterdir()] == [OTHER]
        store.checkpoint_dir(KEY)


def test_links_are_refused(store, tmp_path):
    with pytest.raises(StoreError, match="link"), store.workdir(KEY) as directory:
        (directory / "weights.bin").symlink_to(tmp_path / "elsewhere")
        store.commit(KEY, directory, {})
    assert store.manifest(KEY) is None and not list((store.root / "tmp").iterdir())


def test_meta_that_is_no_json_harms_nothing(store):
    with pytest.raises(ValueError):
        commit(store, meta={"seconds": math.nan})
    assert store.manifest(KEY) is None and not list((store.root / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("before", ["absent", "orphan", "dropped", "damaged"])
def test_killed_at_every_step_of_a_commit(tmp_path, before):
    def prepare(n):
        store = Store(tmp_path / str(n))
        commit(store, OTHER)
        if before == "orphan":
            (store.root / "results" / KEY).mkdir()
            (store.root / "results" / KEY / "half").write_bytes(b"x")
        elif before != "absent":
            commit(store, files=FILES | {"old": b"old"})
            if before == "dropped":
                store.drop(KEY, ["weights.bin"])
            else:
                (store.root / "results" / KEY / "old").write_bytes(b"odd")
        return store

    states, begun = set(), time.time()

    def check(store):
        manifest = store.manifest(KEY)
        state = "absent" if manifest is None else "dropped" if manifest.dropped else "complete"
        states.add(state)
        # what the dead held is taken over at once
        assert store.verify(OTHER) == [] and time.time() - begun < 30
        if before != "damaged" and manifest:
            assert store.verify(KEY) == []
        no_leftovers(store)
        # a committed result is never lost, not even between the two renames
        if before == "dropped":
            assert store.manifest(KEY) is not None and store.verify(KEY) == []
        commit(store)
        assert (
            store.verify(KEY) == []
            and set(store.manifest(KEY).files) >= {"weights.bin"}
            and not store.manifest(KEY).dropped
        )
        no_leftovers(store)
        store.collect()
        assert not leases(store) and not list((store.root / "damaged").iterdir())

    steps = every_kill(prepare, commit, check)
    assert steps > 20 and "complete" in states and (before == "damaged" or len(states) >= 2)


WRITES = {
    "commit": lambda store, directory: store.commit(KEY, directory, {}),
    "replace": lambda store, directory: store.commit(KEY, directory, {}),
    "drop": lambda store, directory: store.drop(KEY, ["weights.bin"]),
    "job": lambda store, directory: store.write_job(KEY, {"a": 2}),
    "write": lambda store, directory: atomic_write(store.root / "file", b"new"),
    "lease": lambda store, directory: store.lease(KEY).release(),
    "set aside": lambda store, directory: store.set_aside(OTHER, "test"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_no_space_at_every_step(tmp_path, name):
    """One clear StoreError, nothing half, nothing committed earlier harmed."""
    refused = 0
    for n in range(500):
        store = Store(tmp_path / str(n))
        commit(store, OTHER)
        store.write_job(KEY, {"a": 1})
        atomic_write(store.root / "file", b"old")
        if name in ("replace", "drop"):
            commit(store)
        if name == "replace":
            store.drop(KEY, ["weights.bin"])

        def child(store=store, n=n):
            fired = []
            with store.workdir(KEY) as directory:
                (directory / "a").write_bytes(b"1")
                at_step(n, lambda: (fired.append(1), full()))
                try:
                    WRITES[name](store, directory)
                except StoreError as error:
                    text = str(error)
                    return (
                        74
                        if "No space left" in text and "free space" in text and "\n" not in text
                        else 98
                    )
            return 1 if fired else 0

        code = wait(fork(child))
        assert code in (0, 1, 74), code
        refused += code == 74
        no_leftovers(store)
        assert store.verify(OTHER) == []
        if store.manifest(KEY) or name in ("replace", "drop"):
            assert store.verify(KEY) == []
        assert store.read_job(KEY)["a"] in (1, 2) and (store.root / "file").read_bytes() in (
            b"old",
            b"new",
        )
        if code == 0:
            break
    assert refused


FILLER = """
import os, sys
from pathlib import Path
from harness.common.errors import StoreError
from harness.store import Store, atomic_write
store = Store(Path(sys.argv[1]))
size = int(sys.argv[2])
with store.workdir("ab" * 32) as directory:
    (directory / "small").write_bytes(b"1")
    store.commit("ab" * 32, directory, {})
file = store.root / "file"
atomic_write(file, b"old")
for write in (lambda: atomic_write(file, b"x" * size),
              lambda: store.write_job("ab" * 32, {"x": "x" * size})):
    try:
        write()
        sys.exit("nothing stopped it")
    except StoreError as error:
        print(error)
assert file.read_bytes() == b"old" and store.verify("ab" * 32) == [], "harmed"
assert not list(store.root.rglob("*.tmp")), "left a temporary file"
"""


def test_a_really_full_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    script = 'mount -t tmpfs -o size=256k tmpfs "$0" || exit 77; exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        tmp_path / "disk",
        sys.executable,
        "-c",
        FILLER,
        tmp_path / "disk",
        "400000",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
        )
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("No space left on device; free space") == 2


def test_a_file_size_limit(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILLER, tmp_path / "s", "400000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("File too large; raise the limit on file size (ulimit -f)") == 2


def test_too_many_open_files_is_not_damage(store):
    commit(store)

    def child():
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 3,) * 2
        )
        opened = []
        while len(opened) < 500:
            try:
                opened.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        for call in (
            lambda: store.verify(KEY),
            lambda: store.path(KEY, "weights.bin"),
            lambda: commit(store, OTHER),
        ):
            try:
                call()
                return 1
            except DamagedError:
                return 2
            except StoreError as error:
                if "ulimit -n" not in str(error):
                    return 3
            except OSError:
                pass  # the test's own file, before commit
        return 0

    assert wait(fork(child)) == 0
    assert store.verify(KEY) == []


def test_a_root_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            StoreError, match=r"cannot use the store .*a file is in the way"
        ) as caught:
            Store(root)
        assert "\n" not in str(caught.value) and caught.value.exit_code == 74
    if os.getuid():
        (tmp_path / "shut").mkdir(mode=0o500)
        with pytest.raises(StoreError, match="cannot use the store"):
            Store(tmp_path / "shut")


READER = """
import sys
from pathlib import Path
from harness.common.errors import StoreError
from harness.store import Store
root, key = Path(sys.argv[1]), "ab" * 32
store = Store(root, writable=False)
assert store.keys() == [key] and store.verify(key) == []
assert store.manifest(key).files and store.sizes()[key]
assert store.read_json(key, "metrics.json") == {"acc": 0.5}
assert store.path(key, "weights.bin").exists()
assert store.read_job(key) == {"a": 1}
for write in (lambda: Store(root), lambda: store.write_job(key, {"a": 2}),
              lambda: store.lease(key), lambda: store.collect(),
              lambda: store.drop(key, ["weights.bin"]), lambda: store.workdir(key).__enter__()):
    try:
        write()
        sys.exit("it could be written")
    except StoreError as error:
        print(error)
"""


def test_a_read_only_mount(store):
    commit(store)
    store.write_job(KEY, {"a": 1})
    (store.root / "index").rmdir()  # so that a writable store would have to make one
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" || exit 77; exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        store.root,
        sys.executable,
        "-c",
        READER,
        store.root,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
        )
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mount here")
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert "cannot use the store" in first and len(others) == 5, done.stdout
    assert all(
        "Read-only file system; choose a store on a disk that can be written" in line
        for line in others
    ), done.stdout


def test_opened_for_reading_makes_nothing(store, tmp_path):
    commit(store)
    for room in ("index", "leases", "tmp"):
        (store.root / room).rmdir()
    before = sorted(store.root.rglob("*"))
    assert Store(store.root, writable=False).read_json(KEY, "metrics.json") == {"acc": 0.5}
    assert sorted(store.root.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name in ("absent", "empty", "file", "file/below"):
        with pytest.raises(
            StoreError, match=f"no store at {tmp_path / name}: .*; check the path"
        ) as caught:
            Store(tmp_path / name, writable=False)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "absent").exists() and not list((tmp_path / "empty").iterdir())


# Damage


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_any_damage_is_found(store, name):
    commit(store)
    commit(
        store, OTHER, {name: b"[" + data + b"]" for name, data in FILES.items()}, {"device": "gpu"}
    )
    path = store.root / "results" / KEY / name
    good = path.read_bytes()
    step = max(1, len(good) // 60)
    bad = [
        good[:i] + bytes([good[i] ^ 1 << i % 8]) + good[i + 1 :] for i in range(0, len(good), step)
    ]
    bad += [
        good[:-1],
        good[: len(good) // 2],
        b"",
        bytes(len(good)),
        good + b"\n",
        good * 2,
        (store.root / "results" / OTHER / name).read_bytes(),
    ]
    bad += [(store.root / "results" / KEY / other).read_bytes() for other in FILES if other != name]
    reader = "metrics.json" if name == "manifest.json" else name
    for data in bad:
        path.write_bytes(data)
        assert [problem for problem in store.verify(KEY) if problem.startswith(name + ": ")]
        with pytest.raises(DamagedError) as caught:
            store.path(KEY, reader)
        assert (caught.value.key, caught.value.name) == (KEY, name) and caught.value.why
    path.unlink()
    assert store.verify(KEY) == [f"{name}: No such file or directory"]
    with pytest.raises(DamagedError):
        store.read_json(KEY, reader)
    path.mkdir()
    assert store.verify(KEY)
    with pytest.raises(DamagedError):
        store.path(KEY, reader)
    assert store.keys(complete=False) == [KEY, OTHER]
    path.rmdir()
    path.write_bytes(good)
    assert store.verify(KEY) == []


def test_set_aside(store):
    commit(store)
    assert store.set_aside(KEY, "no reason") is None and store.verify(KEY) == []
    for n in (1, 2):
        (store.root / "results" / KEY / "metrics.json").write_bytes(b"{}")
        moved = store.set_aside(KEY, "hash")
        assert (
            moved == store.root / "damaged" / f"{KEY}.{n}"
            and (moved / "WHY").read_text() == "hash\n"
        )
        assert store.manifest(KEY) is None and store.set_aside(KEY, "again") is None
        commit(store)
    assert store.verify(KEY) == []


def test_jobs(store):
    store.write_job(KEY, {"b": 1, "a": "é"})
    assert store.read_job(KEY) == {"a": "é", "b": 1}
    before = (store.root / "jobs" / f"{KEY}.json").stat().st_mtime_ns
    store.write_job(KEY, {"a": "é", "b": 1})
    assert (store.root / "jobs" / f"{KEY}.json").stat().st_mtime_ns == before
    with pytest.raises(StoreError, match="cannot read the job"):
        store.read_job(OTHER)
    (store.root / "jobs" / f"{KEY}.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="plan the suite again"):
        store.read_job(KEY)
    store.write_job(KEY, {"a": 1})
    assert store.read_job(KEY) == {"a": 1}


# Looking again


def test_looking_again(store):
    assert not store.look_again(KEY) and not list((store.root / "results").iterdir())
    commit(store)
    assert store.look_again(KEY) and store.verify(KEY) == []
    store.root.joinpath("results", KEY, "metrics.json").write_bytes(b"?")
    assert store.look_again(KEY)  # there, if not sound
    (store.root / "results" / OTHER).touch()
    assert store.look_again(OTHER)


def test_killed_at_every_step_of_looking_again(tmp_path):
    left = []

    def check(store):
        folder = store.root / "results" / KEY
        left.append(folder.exists())
        assert (
            store.keys(complete=False) == []
            and store.verify(KEY) == []
            and store.manifest(KEY) is None
        )
        if folder.exists():
            assert store.collect().removed == []  # whoever looks may be at work
            os.utime(folder, (1, 1))
            assert [name for name, _ in store.collect(dry_run=True).removed] == [f"results/{KEY}"]
        assert not store.look_again(KEY) and (not left[-1] or folder.exists())
        commit(store)
        assert store.verify(KEY) == [] and not list((store.root / "damaged").iterdir())

    every_kill(lambda n: Store(tmp_path / str(n)), lambda store: store.look_again(KEY) and 1, check)
    assert set(left) == {True, False}


# Dropping


def test_drop(store):
    entry = commit(store).files["weights.bin"]
    store.drop(KEY, ["weights.bin"])
    store.drop(KEY, ["weights.bin"])
    manifest = store.manifest(KEY)
    assert (
        manifest.dropped == {"weights.bin": entry}
        and "weights.bin" not in manifest.files
        and store.verify(KEY) == []
    )
    with pytest.raises(StoreError, match="dropped") as caught:
        store.path(KEY, "weights.bin")
    assert not isinstance(caught.value, DamagedError)
    with pytest.raises(StoreError, match="cannot drop"):
        store.drop(KEY, ["nothing"])
    with pytest.raises(StoreError, match="no such result"):
        store.drop(OTHER, ["weights.bin"])
    assert commit(store, meta={"n": 2}).meta == {"n": 2}  # replaced whole
    assert store.path(KEY, "weights.bin").exists() and not store.manifest(KEY).dropped
    assert not list((store.root / "tmp").iterdir())


def test_killed_at_every_step_of_a_drop(tmp_path):
    states = set()

    def prepare(n):
        store = Store(tmp_path / str(n))
        commit(store)
        return store

    def check(store):
        states.add(
            (
                bool(store.manifest(KEY).dropped),
                (store.root / "results" / KEY / "weights.bin").exists(),
            )
        )
        assert store.verify(KEY) == []
        store.drop(KEY, ["weights.bin"])
        assert (
            store.verify(KEY) == [] and not (store.root / "results" / KEY / "weights.bin").exists()
        )

    every_kill(prepare, lambda store: store.drop(KEY, ["weights.bin"]), check)
    assert states == {(False, True), (True, True), (True, False)}


def test_drops_and_recommits_at_once(store):
    """Two processes that rewrite one manifest must not lose each other's drops."""
    files = {f"{i}": bytes([i]) * 100 for i in range(6)}
    commit(store, files=files)

    def child(i):
        for turn in range(8):
            if i == 5 and turn % 4 == 3:
                commit(store, files=files)
            else:
                store.drop(KEY, [f"{i}"])

    assert [wait(pid) for pid in [fork(lambda i=i: child(i)) for i in range(6)]] == [0] * 6
    assert store.verify(KEY) == []


# Leases


def hold(store, ready):
    lease = store.lease(KEY)
    os.write(ready, b"1" if lease else b"0")
    time.sleep(60)


def holder(store):
    ready, there = os.pipe()
    pid = fork(lambda: hold(store, there))
    assert os.read(ready, 1) == b"1"
    os.close(ready)
    os.close(there)
    return pid


def test_lease_of_the_living_and_of_the_dead(store):
    pid = holder(store)
    try:
        assert store.lease(KEY) is None and store.lease(OTHER) is not None
        os.utime(store.root / "leases" / KEY, (1, 1))  # however old: its owner lives
        assert store.lease(KEY) is None
    finally:
        os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # dead, but a zombie still
    with store.lease(KEY) as lease:
        assert lease.held() and store.lease(KEY) is None
    wait(pid)
    with store.lease(KEY) as lease:
        assert lease.held()
    assert not lease.held() and not (store.root / "leases" / KEY).exists()


def forge(store, key=KEY, age=0.0, **change):
    path = store.root / "leases" / key
    owner = {
        "host": "elsewhere",
        "pid": os.getpid(),
        "pid_start": "1",
        "token": "feed" * 8,
        "time": 0,
    } | change
    path.write_text(json.dumps(owner))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_pid_that_came_back_is_another_process(store):
    forge(store, host=lease_room.this_process().host, pid_start="1")
    assert store.lease(KEY) is not None


def test_lease_of_another_host(store):
    path = forge(store, age=lease_room.STALE_SECONDS - 10)
    assert store.lease(KEY) is None
    forge(store, age=lease_room.STALE_SECONDS + 5)
    with store.lease(KEY) as lease:
        assert lease.held() and json.loads(path.read_text())["pid"] == os.getpid()
    # its owner died while writing it, or is writing it now
    for garbled in (b"", b"{", b"[]", b'{"host": 1}'):
        path.write_bytes(garbled)
        assert store.lease(KEY) is None
        os.utime(path, (1, 1))
        with store.lease(KEY) as lease:
            assert lease.held()


def test_a_lost_lease_is_noticed_and_left_alone(store):
    lease = store.lease(KEY)
    assert lease.heartbeat()
    path = forge(store)
    assert not lease.held() and not lease.heartbeat()
    lease.release()
    assert path.exists()


def test_lease_on_a_disk_without_links(store, monkeypatch):
    monkeypatch.setattr(
        os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EPERM, "no links"))
    )
    with store.lease(KEY) as lease:
        assert lease.held() and store.lease(KEY) is None
    assert not list((store.root / "leases").iterdir())


def test_heartbeat(store, monkeypatch):
    monkeypatch.setattr(lease_room, "BEAT_SECONDS", 0.02)
    with store.lease(KEY) as lease:
        os.utime(lease.path, (1, 1))
        deadline = time.time() + 5
        while lease.path.stat().st_mtime == 1 and time.time() < deadline:
            time.sleep(0.01)
        assert time.time() - lease.path.stat().st_mtime < 5


def test_eight_processes_one_key(store, tmp_path):
    """They take the lease in turn, some die holding it; `inside` shows that there is never more
    than one."""
    inside, count = tmp_path / "inside", tmp_path / "count"
    count.mkdir()

    def child(i):
        for turn in range(6):
            deadline = time.time() + 30
            while (lease := store.lease(KEY)) is None:
                if time.time() > deadline:
                    return 3
                time.sleep(0.001)
            if not lease.held():
                return 4
            fd = os.open(inside, os.O_CREAT | os.O_EXCL)  # fails if another is inside
            os.close(fd)
            (count / f"{i}.{turn}").touch()
            time.sleep(0.002)
            inside.unlink()
            if i % 2 and turn == 3:
                die()
            lease.release()
        commit(store, meta={"who": i})
        return 0

    codes = [wait(pid) for pid in [fork(lambda i=i: child(i)) for i in range(8)]]
    assert codes == [0, -signal.SIGKILL] * 4
    assert len(list(count.iterdir())) == 4 * 6 + 4 * 4
    assert store.verify(KEY) == [] and store.keys() == [KEY]
    no_leftovers(store)
    store.collect()
    assert not leases(store)


@pytest.mark.slow
def test_eight_processes_take_over_one_dead_lease(store):
    for turn in range(15):
        forge(store, age=lease_room.STALE_SECONDS * 2, token=f"{turn:032}")
        (ready, asked), (waiting, go), (left, end) = os.pipe(), os.pipe(), os.pipe()

        def child(asked=asked, waiting=waiting, left=left, go=go, end=end):
            os.close(go)
            os.close(end)
            os.read(waiting, 1)
            lease = store.lease(KEY)
            os.write(asked, b"1")
            # whoever ended before all had asked would be dead again, and its lease free
            os.read(left, 1)
            return 1 if lease and lease.held() else 2 if lease else 0

        pids = [fork(child) for _ in range(8)]
        os.close(go)
        for _ in pids:
            assert os.read(ready, 1)
        os.close(end)
        codes = [wait(pid) for pid in pids]
        for fd in (ready, asked, waiting, left):
            os.close(fd)
        assert sorted(codes) == [0] * 7 + [1], codes


def test_eight_processes_commit_at_once(store):
    pids = [
        fork(lambda i=i: commit(store, files={"who": bytes([i])}, meta={"who": i}) and 0)
        for i in range(8)
    ]
    assert [wait(pid) for pid in pids] == [0] * 8
    assert store.verify(KEY) == []
    assert store.path(KEY, "who").read_bytes() == bytes([store.manifest(KEY).meta["who"]])
    assert not list((store.root / "damaged").iterdir()) and not list((store.root / "tmp").iterdir())


# Working directories, cleaning, collecting


def test_workdir_is_removed_on_failure(store):
    with pytest.raises(RuntimeError), store.workdir(KEY) as directory:
        (directory / "x").write_bytes(b"x")
        raise RuntimeError
    assert not list((store.root / "tmp").iterdir())


def test_clean_start_removes_only_what_the_dead_left(store):
    def child():
        with store.workdir(KEY) as directory:
            (directory / "x").write_bytes(b"x")
            die()

    wait(fork(child))
    foreign = store.root / "tmp" / f"work@{KEY}@elsewhere@1@1@00000000"
    foreign.mkdir()
    with store.workdir(KEY) as mine:
        assert len(store.clean_start()) == 1
        assert sorted((store.root / "tmp").iterdir()) == sorted([mine, foreign])


def test_collect(store):
    third, fourth = "ef" * 32, "01" * 32
    for key in (KEY, OTHER, third, fourth):
        commit(store, key)
        (store.root / "checkpoints" / key).mkdir()
        (store.root / "checkpoints" / key / "step").write_bytes(b"12345")
    (store.root / "checkpoints" / ("23" * 32)).mkdir()  # not committed yet
    (store.root / "results" / third / "metrics.json").write_bytes(b"?")
    store.set_aside(third, "hash")
    wait(fork(lambda: (store.lease(third), die())))
    stale = store.root / "tmp" / f"work@{KEY}@elsewhere@1@1@00000000"
    stale.mkdir()
    (store.root / "jobs" / ".x.json.0123.tmp").write_bytes(b"half")
    for path in (stale, store.root / "jobs" / ".x.json.0123.tmp"):
        os.utime(path, (1, 1))
    with store.lease(fourth), store.workdir(OTHER):
        dry = store.collect({KEY}, dry_run=True)
        assert store.keys() == sorted([KEY, OTHER, fourth]) and stale.exists()
        done = store.collect({KEY})
        assert done.removed == dry.removed and done.bytes == dry.bytes
        expected = {
            f"damaged/{third}.1",
            f"leases/{third}",
            f"checkpoints/{KEY}",
            f"checkpoints/{OTHER}",
            f"checkpoints/{third}",
            f"checkpoints/{'23' * 32}",
            f"results/{OTHER}",
            f"tmp/{stale.name}",
            "jobs/.x.json.0123.tmp",
        }
        assert {name for name, _ in done.removed} == expected
        assert (
            store.keys() == sorted([KEY, fourth]) and (store.root / "checkpoints" / fourth).exists()
        )
        assert len(list((store.root / "tmp").iterdir())) == 1
    assert dict(done.removed)[f"checkpoints/{KEY}"] == 5
    # its lease is gone now
    assert [name for name, _ in store.collect().removed] == [f"checkpoints/{fourth}"]
    assert store.collect().removed == [] and store.keys() == sorted([KEY, fourth])


# The index of hashes


def test_hash_index(tmp_path, monkeypatch):
    path, index = tmp_path / "data", tmp_path / "files.json"
    path.write_bytes(b"one")
    hashed = []
    monkeypatch.setattr(
        files_room, "file_sha256", lambda path: hashed.append(path) or file_sha256(path)
    )
    cache = HashIndex(index)
    # too fresh to be trusted
    assert cache.sha256(path) == cache.sha256(path) == file_sha256(path) and len(hashed) == 2
    os.utime(path, (1, 1))
    assert cache.sha256(path) == cache.sha256(path) and len(hashed) == 3
    cache.save()
    assert HashIndex(index).sha256(path) == file_sha256(path) and len(hashed) == 3
    path.write_bytes(b"two")
    os.utime(path, (1, 1))  # same size, same mtime, same inode
    time.sleep(0.02)
    assert HashIndex(index).sha256(path) == file_sha256(path)
    good = index.read_bytes()
    for bad in (b"", b"{", good[:-9], good.replace(b"1", b"2"), b"[]", b'{"files": 3}', b"\xff"):
        index.write_bytes(bad)
        assert HashIndex(index).sha256(path) == file_sha256(path)
    with pytest.raises(StoreError, match="cannot read"):
        cache.sha256(tmp_path / "absent")


def test_atomic_write_keeps_the_umask(tmp_path):
    mask = os.umask(0o027)
    try:
        atomic_write(tmp_path / "x", b"1")
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(mask)
    with pytest.raises(StoreError, match="cannot write"):
        atomic_write(tmp_path / "absent" / "x", b"1")
