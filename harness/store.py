"""Job results by key, on a disk that several machines may share.

    ROOT/jobs/KEY.json       what a job is to do
    ROOT/results/KEY/        its files and manifest.json: complete or absent, never half
    ROOT/tmp/                working directories; the name says whose
    ROOT/leases/             who works on what now
    ROOT/checkpoints/KEY/    the train job's own
    ROOT/damaged/KEY.N/      set aside, with the reason in a file WHY
    ROOT/index/              caches that can be rebuilt

What makes this safe is one rename: files and manifest are flushed in tmp/, the manifest last, and then the directory
appears under results/ whole. Leases only save work: if two machines ever hold the same one (a clock that jumps, a
network that stalls), both compute, the first commit stays, the second is thrown away. No flock: network file systems lie.
"""
import errno
import functools
import hashlib
import json
import os
import re
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from harness.errors import StoreError

SCHEMA = 1
MANIFEST = "manifest.json"
STALE_SECONDS = 60.0  # a lease of another machine without a heartbeat for this long is dead
BEAT_SECONDS = 5.0
ROOMS = ("jobs", "results", "tmp", "leases", "checkpoints", "damaged", "index")

_ADVICE = {
    errno.ENOSPC: "free space on that disk or choose another store, then run the same command again",
    errno.EDQUOT: "your quota there is used up: free space or choose another store, then run the same command again",
    errno.EROFS: "choose a store on a disk that can be written",
    errno.EACCES: "make it accessible to this user or choose another store",
    errno.EPERM: "make it accessible to this user or choose another store",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then run the same command again",
    errno.ENFILE: "the machine has too many files open: close some, then run the same command again",
    errno.EFBIG: "raise the limit on file size (ulimit -f) or choose another disk, then run the same command again",
    errno.ENOTDIR: "a file is in the way: move it, or choose another store",
    errno.EEXIST: "a file is in the way: move it, or choose another store",
    errno.EXDEV: "work in the directory that Store.workdir gives: it is on the store's own disk",
}
# What reading a damaged result gives; any other error (too many open files, permissions) says nothing about the result.
_DAMAGE = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EIO, errno.EBADMSG}


class DamagedError(StoreError):
    """A committed file is not what its manifest says. `key`, `name`, `why`; set the result aside and compute it again."""

    def __init__(self, key: str, name: str, why: str):
        super().__init__(f"result {key[:12]} is damaged: {name}: {why}; set it aside and run the same command again")
        self.key, self.name, self.why = key, name, why


@contextmanager
def disk_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a StoreError of one line: what could not be done, where, why, what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno, "check that disk, then run the same command again")
        raise StoreError(f"cannot {what} {path}: {error.strerror or error}; {advice}") from error


def canonical_json(obj: Any) -> bytes:
    """The one way to write `obj` as JSON. ValueError for NaN and infinity, TypeError for what JSON does not have,
    keys that are no strings included: JSON would write 1 and "1" alike, and two different jobs would share a key."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    _refuse_odd_keys(obj)
    return text.encode()


def _refuse_odd_keys(obj: Any) -> None:
    if isinstance(obj, dict):
        if odd := [key for key in obj if not isinstance(key, str)]:
            raise TypeError(f"a key must be a string, not {odd[0]!r}")
        obj = obj.values()
    elif not isinstance(obj, (list, tuple)):
        return
    for item in obj:
        _refuse_odd_keys(item)


def key_of(obj: Any) -> str:
    """SHA-256, in hex, of the canonical JSON."""
    return hashlib.sha256(canonical_json(obj)).hexdigest()


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(path: Path) -> tuple[str, Path]:
    return file_sha256(path), path


def _bytes(path: Path) -> tuple[str, bytes]:
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), data


def atomic_write(path: Path, data: bytes, sync: bool = True) -> None:
    """Whoever reads `path`, now or after a crash, finds the old bytes or the new ones. StoreError, and the old bytes
    untouched, if it cannot be done. `sync=False` for what can be rebuilt: safe from a kill, not from a power cut."""
    path = Path(path)
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    with disk_errors("write", path):
        try:
            with open(temp, "xb") as file:  # not mkstemp: its mode 0600 would hide a shared store from the group
                file.write(data)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(temp, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise
        if sync:
            _sync(path.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):  # some network disks cannot, for a directory
            raise
    finally:
        os.close(fd)


def _seal(body: dict) -> bytes:
    """Readable JSON that carries its own hash."""
    return json.dumps({**body, "seal": key_of(body)}, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _unseal(raw: bytes) -> dict:
    """The body, or ValueError if a single bit differs from what `_seal` wrote, white space included."""
    body = json.loads(raw)
    if not isinstance(body, dict) or body.pop("seal", None) is None or _seal(body) != raw:
        raise ValueError("its bytes do not match its own seal")
    return body


class HashIndex:
    """SHA-256 of big files that seldom change, remembered. Only a cache: a garbled one is dropped, deleting it is safe."""

    def __init__(self, path: Path):
        self.path, self._known = Path(path), {}
        with suppress(OSError, ValueError):
            self._known = _unseal(self.path.read_bytes())["files"]

    def sha256(self, path: Path) -> str:
        """Of the file as it is now. A remembered hash counts only if size, mtime, ctime and inode are unchanged."""
        path = Path(path).absolute()
        with disk_errors("read", path):
            now, before = time.time_ns(), _signature(path)
            known = self._known.get(str(path))
            if known and known[:-1] == before:
                return known[-1]
            sha = file_sha256(path)
            # A file written within the clock's tick can change again and look the same: remember only what has settled.
            if before == _signature(path) and before[1] < now - 2_000_000_000:
                self._known[str(path)] = [*before, sha]
            else:
                self._known.pop(str(path), None)
        return sha

    def save(self) -> None:
        """Write the index, whole or not at all. StoreError if it cannot be written."""
        atomic_write(self.path, _seal({"files": self._known}), sync=False)


def _signature(path: Path) -> list[int]:
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


# Who is alive. A process is named by host, pid and start time, since pids come back.


@functools.cache
def _host() -> str:
    """This host, this boot, this pid namespace: containers may share a host name, and then their pids mean nothing to each other."""
    facts = []
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return re.sub(r"[^\w.-]", "_", socket.gethostname()) + "." + key_of(facts)[:8]


def _birth(pid: int) -> str:
    """When the process started, in kernel ticks; "" if it is dead, "?" where the system does not tell."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        pass  # another user's, alive
    try:  # the name in brackets may hold anything; after it come field 3, the state, and field 22, the start
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "?"
    return "" if fields[0] in "ZX" else fields[19]


def _me() -> dict:
    return {"host": _host(), "pid": os.getpid(), "pid_start": _birth(os.getpid())}


def _dead(owner: dict) -> bool | None:
    """None: on another host, nobody here can tell."""
    if owner["host"] != _host():
        return None
    birth = _birth(owner["pid"])
    return not birth or (birth != owner["pid_start"] and "?" not in (birth, owner["pid_start"]))


def _owner(path: Path) -> dict:
    """Who made this entry of tmp/, as its name says."""
    parts = path.name.split("@")
    if len(parts) != 6 or not parts[3].isdigit():
        return {"host": None, "key": ""}
    return {"key": parts[1], "host": parts[2], "pid": int(parts[3]), "pid_start": parts[4]}


def _read_lease(path: Path) -> dict | None:
    """Owner and mtime through one open file: opening makes NFS ask its server, a bare stat may be a minute old."""
    try:
        with open(path, "rb") as file:
            mtime = os.fstat(file.fileno()).st_mtime_ns
            raw = file.read()
    except FileNotFoundError:
        return None
    try:
        owner = json.loads(raw)
        owner = {"host": owner["host"], "pid": int(owner["pid"]), "pid_start": owner["pid_start"], "token": str(owner["token"])}
    except (ValueError, TypeError, KeyError):  # not yet written, or its owner died right there: only its age can tell
        owner = {"host": None, "token": f"bad-{mtime:x}"}
    return {**owner, "mtime": mtime / 1e9}


class Lease:
    """The right to work on one key. A context manager: a thread beats until the block ends, then the lease is gone.
    Ask `held()` right before committing: a machine that slept may have lost its lease."""

    def __init__(self, path: Path):
        self.path, self.token = path, uuid.uuid4().hex
        self._stop = threading.Event()

    def create(self) -> bool:
        """False if there is a lease already. StoreError if none can be written."""
        with disk_errors("write the lease", self.path):
            try:
                with open(self.path, "xb") as file:
                    file.write(canonical_json({**_me(), "token": self.token, "time": time.time()}))
            except FileExistsError:
                return self.held()  # NFS can lose the answer to a create that worked
            except OSError:
                with suppress(OSError):
                    os.unlink(self.path)
                raise
        threading.Thread(target=self._beat, name=f"lease {self.path.name[:12]}", daemon=True).start()
        return True

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            with suppress(OSError, StoreError):  # a disk that hiccups: the next beat may do
                if not self.heartbeat():
                    return

    def heartbeat(self) -> bool:
        """Say that the owner lives; False, and nothing done, if the lease is no longer ours."""
        if held := self.held():
            os.utime(self.path)  # no times given: the file server's own clock
        return held

    def held(self) -> bool:
        with disk_errors("read the lease", self.path):
            return (_read_lease(self.path) or {}).get("token") == self.token

    def release(self) -> None:
        """Remove the lease if it is still ours. Never fails: what is left is stale once this process is gone."""
        self._stop.set()
        with suppress(OSError, StoreError):
            if self.held():
                os.unlink(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.release()


def acquire(path: Path) -> Lease | None:
    """The lease at `path`, or None while another owner lives. StoreError if it cannot be written."""
    with disk_errors("take the lease", path):
        while not (lease := Lease(path)).create():
            seen = _read_lease(path)
            if seen is None:
                time.sleep(0.01)  # released just now
                continue
            if not _stale(seen, path.parent):
                return None
            # Two who judge the same lease stale must not both remove what is there: the slower one would remove the
            # lease of the faster. So removing this very lease, known by its token, takes a lease of its own.
            right = acquire(path.with_name(f"{path.name}.{seen['token'][:20]}"))
            if right is None:
                return None
            with right:
                if (_read_lease(path) or {}).get("token") == seen["token"]:
                    os.unlink(path)
    return lease


def _stale(seen: dict, directory: Path) -> bool:
    dead = _dead(seen)
    return _clock(directory) - seen["mtime"] > STALE_SECONDS if dead is None else dead


def _clock(directory: Path) -> float:
    """The time by the file server's clock, which is the one that stamps leases."""
    path = directory / f".clock.{uuid.uuid4().hex[:12]}.tmp"
    try:
        with open(path, "xb") as file:
            return os.fstat(file.fileno()).st_mtime
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Manifest:
    """What a result holds: {name: {"sha256", "bytes"}}; `dropped` names files removed on purpose; `meta` is the caller's."""

    key: str
    files: dict[str, dict]
    dropped: dict[str, dict] = field(default_factory=dict)
    meta: dict = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass
class Collected:
    """What `collect` removed, or would remove: path under the root and bytes."""

    removed: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.removed)


class Store:
    """The results under `root`, made on first use. StoreError if it is not a directory that can be written."""

    def __init__(self, root: Path):
        self.root = Path(root).expanduser().absolute()
        for room in ROOMS:
            with disk_errors("use the store", self.root):
                (self.root / room).mkdir(parents=True, exist_ok=True)
                if not os.access(self.root / room, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, f"{room}/ cannot be written")

    def _at(self, room: str, key: str, suffix: str = "") -> Path:
        if not re.fullmatch("[0-9a-f]{64}", key):
            raise StoreError(f"not a key: {key!r}; a key is 64 hexadecimal digits, as in the names under {self.root / room}")
        return self.root / room / (key + suffix)

    # Jobs

    def write_job(self, key: str, job: dict) -> None:
        """The job's description, whole or not at all; the plan can write it again, so it is not flushed to the disk."""
        path, data = self._at("jobs", key, ".json"), canonical_json(job)
        with suppress(OSError):
            if path.read_bytes() == data:
                return
        atomic_write(path, data, sync=False)

    def read_job(self, key: str) -> dict:
        path = self._at("jobs", key, ".json")
        try:
            with disk_errors("read the job", path):
                return json.loads(path.read_bytes())
        except ValueError as error:
            raise StoreError(f"cannot read the job {path}: {error}; plan the suite again, which rewrites it") from error

    # Working directories

    def _temp(self, kind: str, key: str) -> Path:
        return self.root / "tmp" / "@".join([kind, key, *map(str, _me().values()), uuid.uuid4().hex[:8]])

    @contextmanager
    def workdir(self, key: str) -> Iterator[Path]:
        """A fresh directory on the store's disk; what is still there when the block ends is removed."""
        self._at("tmp", key)
        path = self._temp("work", key)
        with disk_errors("make the working directory", path):
            path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def clean_start(self) -> list[str]:
        """Remove what killed processes of this host left in tmp/. Returns the names."""
        with disk_errors("clean", self.root / "tmp"):
            left = [path for path in sorted((self.root / "tmp").iterdir()) if _dead(_owner(path))]
            return [path.name for path in left if self._remove(path)]

    def _remove(self, path: Path) -> bool:
        if path.parent.name == "tmp" and path.name.startswith("old@"):
            # Killed between the two renames of a replacement: put the old result back, unless the new one is there.
            with suppress(OSError):
                os.rename(path, self._at("results", _owner(path)["key"]))
                return False
        if path.is_dir() and path.parent.name == "results":  # leave results/ whole, never file by file
            path = path.rename(self._temp("gone", path.name))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        return True

    # Results

    def commit(self, key: str, directory: Path, meta: dict) -> Manifest:
        """Move `directory` (from `workdir`) into the store as the result of `key`, flushed to the disk. Atomic: killed
        anywhere, the result is complete or absent. If a sound result is there already, that one stays and is returned;
        one with dropped files is replaced whole; one that is damaged is set aside. `manifest.json` is the store's name.
        StoreError if it cannot be written; what was committed before is unharmed."""
        final, directory = self._at("results", key), Path(directory)
        with disk_errors("commit", final):
            files = {}
            for path in sorted(directory.rglob("*")):
                if path.is_symlink() or not (path.is_file() or path.is_dir()):
                    raise StoreError(f"cannot commit {path}: a link or device; a result holds plain files only")
                _sync(path)
                if path.is_file() and path != directory / MANIFEST:
                    name = path.relative_to(directory).as_posix()
                    files[name] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
            raw = _seal(asdict(Manifest(key, files, meta=meta)))
            ours = Manifest(**_unseal(raw))  # as a reader will see it: tuples are lists
            atomic_write(directory / MANIFEST, raw)  # last of the files; flushes the directory too
            with self._changing(key):
                return self._put(final, directory, ours)

    def _put(self, final: Path, directory: Path, ours: Manifest) -> Manifest:
        old = None
        while True:
            theirs, problems = self.manifest(ours.key), self.verify(ours.key)
            if theirs and not problems and not theirs.dropped:
                shutil.rmtree(directory, ignore_errors=True)
                break
            if theirs and not problems:
                old = self._temp("old", ours.key)
                os.rename(final, old)
            elif os.path.lexists(final):
                self._move_aside(ours.key, "; ".join(problems))
            try:
                os.rename(directory, final)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    continue  # someone came between after all: look again
                if self.manifest(ours.key) != ours:  # NFS can lose the answer to a rename that worked
                    if old is not None:
                        self._remove(old)  # puts it back
                    raise
            theirs = ours
            break
        _sync(final.parent)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
        return theirs

    @contextmanager
    def _changing(self, key: str) -> Iterator[None]:
        """A moment's exclusive right to change what is committed under `key`."""
        path, deadline = self._at("leases", key, ".change"), time.monotonic() + 10 * STALE_SECONDS
        while (lease := acquire(path)) is None:
            if time.monotonic() > deadline:
                raise StoreError(f"cannot change result {key[:12]}: another process holds {path}; see that it ends, then try again")
            time.sleep(0.02)
        with lease:
            yield

    def _load(self, key: str) -> tuple[Manifest | None, str]:
        """The manifest, or None and what is wrong."""
        path = self._at("results", key) / MANIFEST
        try:
            manifest = Manifest(**_unseal(path.read_bytes()))
        except (ValueError, TypeError) as error:
            return None, f"garbled ({error})"
        except OSError as error:
            if error.errno in _DAMAGE:
                return None, error.strerror if os.path.lexists(path.parent) else "no such result"
            with disk_errors("read", path):
                raise
        if (manifest.schema, manifest.key) != (SCHEMA, key):
            return None, f"it is of schema {manifest.schema} and key {manifest.key[:12]}, not of schema {SCHEMA} and {key[:12]}"
        return manifest, ""

    def manifest(self, key: str) -> Manifest | None:
        """None: no such result, or not a complete one. Cheap: hashes the manifest only."""
        return self._load(key)[0]

    def _check(self, path: Path, entry: dict, read: Callable[[Path], tuple[str, Any]]) -> tuple[Any, str]:
        """What `read` makes of the file, and what is wrong with it."""
        try:
            sha, value = read(path)
        except OSError as error:
            if error.errno in _DAMAGE:
                return None, error.strerror
            with disk_errors("read", path):
                raise
        return value, "" if sha == entry["sha256"] else f"SHA-256 is {sha[:12]}, the manifest says {entry['sha256'][:12]}"

    def verify(self, key: str) -> list[str]:
        """Re-hash every file that was not dropped: a line per problem, none if the result is sound."""
        manifest, why = self._load(key)
        if manifest is None:
            return [f"{MANIFEST}: {why}"]
        checks = ((name, self._check(self._at("results", key) / name, entry, _hash)[1]) for name, entry in manifest.files.items())
        return [f"{name}: {why}" for name, why in checks if why]

    def _checked(self, key: str, name: str, read: Callable[[Path], tuple[str, Any]]) -> Any:
        before = None
        while True:
            manifest, why = self._load(key)
            if manifest is not None:
                if name not in manifest.files:
                    state = "was dropped, compute it again" if name in manifest.dropped else f"is not one of {sorted(manifest.files)}"
                    raise StoreError(f"result {key[:12]} has no file {name!r}: it {state}")
                value, why = self._check(self._at("results", key) / name, manifest.files[name], read)
                if not why:
                    return value
            if before == (manifest, why):
                break
            before = manifest, why
            time.sleep(0.02)  # a commit may be replacing the result under us: believe what is seen twice
        if manifest is None and not self._at("results", key).exists():
            raise StoreError(f"no result {key[:12]} in {self.root}; run the job first")
        raise DamagedError(key, name if manifest else MANIFEST, why)

    def path(self, key: str, name: str) -> Path:
        """A file of a result, its hash just checked. DamagedError if it does not match, StoreError if there is none."""
        return self._checked(key, name, _hash)

    def read_json(self, key: str, name: str) -> Any:
        """What the file holds; the bytes hashed are the bytes parsed. Errors as for `path`."""
        return json.loads(self._checked(key, name, _bytes))

    def set_aside(self, key: str, why: str) -> Path | None:
        """Move a damaged result to damaged/KEY.N. None if it is sound or gone: another process was faster."""
        with self._changing(key), disk_errors("set aside", self._at("results", key)):
            gone = not os.path.lexists(self._at("results", key))
            return None if gone or not self.verify(key) else self._move_aside(key, why)

    def _move_aside(self, key: str, why: str) -> Path:
        n = 1
        while os.path.lexists(target := self._at("damaged", key, f".{n}")):
            n += 1
        os.rename(self._at("results", key), target)
        with suppress(OSError):
            (target / "WHY").write_text(why + "\n")
        return target

    def drop(self, key: str, names: Iterable[str]) -> None:
        """Remove files of a result for good; the manifest keeps their hashes. The manifest goes first: killed in
        between, the result is sound, and dropping again or `collect` removes the rest."""
        final, names = self._at("results", key), set(names)
        with self._changing(key), disk_errors("drop files of", final):
            manifest, why = self._load(key)
            if manifest is None:
                raise StoreError(f"cannot drop files of {final}: {why}")
            if unknown := names - manifest.files.keys() - manifest.dropped.keys():
                raise StoreError(f"cannot drop {sorted(unknown)} of {final}: it has {sorted(manifest.files)}")
            if names & manifest.files.keys():
                files = {name: entry for name, entry in manifest.files.items() if name not in names}
                dropped = manifest.dropped | {name: manifest.files[name] for name in names & manifest.files.keys()}
                atomic_write(final / MANIFEST, _seal(asdict(Manifest(key, files, dropped, manifest.meta))))
            for name in names:
                (final / name).unlink(missing_ok=True)

    def keys(self, complete: bool = True) -> list[str]:
        """The keys that have a result; with `complete=False` also those whose manifest is missing or garbled."""
        with disk_errors("list", self.root / "results"):
            names = sorted(path.name for path in (self.root / "results").iterdir() if re.fullmatch("[0-9a-f]{64}", path.name))
        return [key for key in names if not complete or self.manifest(key)]

    def sizes(self) -> dict[str, int]:
        """Bytes of each complete result, dropped files not counted."""
        manifests = filter(None, map(self.manifest, self.keys(complete=False)))
        return {manifest.key: sum(entry["bytes"] for entry in manifest.files.values()) for manifest in manifests}

    # Leases

    def lease(self, key: str) -> Lease | None:
        """The right to work on `key`, or None while another owner lives. A dead owner on this host is replaced at once."""
        return acquire(self._at("leases", key))

    # Collecting what nobody needs

    def collect(self, keep: set[str] | None = None, dry_run: bool = False) -> Collected:
        """Remove leftovers of the dead in tmp/, dead leases, checkpoints of committed keys, what was set aside, and,
        if `keep` is given, results and checkpoints of keys not in it. What a live lease protects stays."""
        report = Collected()
        with disk_errors("collect in", self.root):
            for path in list(self._garbage(keep, _clock(self.root / "leases"))):
                inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
                size = sum(item.lstat().st_size for item in inside if item.is_symlink() or item.is_file())
                if not dry_run and path.parent.name == "leases" and not path.name.startswith("."):
                    if lease := acquire(path):  # the one safe way to remove a dead one
                        lease.release()
                elif not dry_run and not self._remove(path):
                    continue
                report.removed.append((path.relative_to(self.root).as_posix(), size))
        return report

    def _garbage(self, keep: set[str] | None, now: float) -> Iterator[Path]:
        rooms = {room: sorted((self.root / room).iterdir()) for room in ROOMS}
        leases = {path.name: seen for path in rooms["leases"] if path.name[0] != "." and (seen := _read_lease(path))}
        live = {name for name, seen in leases.items() if not _stale(seen, self.root / "leases")}
        yield from rooms["damaged"]
        yield from (self.root / "leases" / name for name in leases if name not in live)
        for path in rooms["tmp"]:
            dead, unused = _dead(owner := _owner(path)), owner["key"] not in live and now - path.lstat().st_mtime > STALE_SECONDS
            if dead or (dead is None and unused):
                yield path
        for path in rooms["checkpoints"]:
            committed = re.fullmatch("[0-9a-f]{64}", path.name) and self.manifest(path.name)
            if path.name not in live and (committed or (keep is not None and path.name not in keep)):
                yield path
        for path in rooms["results"]:
            if keep is not None and path.name not in live | keep:
                yield path
            elif manifest := re.fullmatch("[0-9a-f]{64}", path.name) and self.manifest(path.name):
                yield from (path / name for name in manifest.dropped if (path / name).exists())
        for room in ("jobs", "leases", "index", "results/*"):
            for path in self.root.glob(f"{room}/.*.tmp"):  # of a killed atomic_write
                if now - path.lstat().st_mtime > STALE_SECONDS:
                    yield path
