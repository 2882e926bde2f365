"""The store itself: jobs, results with their manifests, working directories, and collecting what
nobody needs."""

import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from harness.common.errors import StoreError
from harness.store.files import (
    DAMAGE,
    DamagedError,
    HashIndex,
    atomic_write,
    bytes_of,
    canonical_json,
    disk_errors,
    file_sha256,
    flush,
    hash_of,
    seal,
    unseal,
)
from harness.store.lease import (
    STALE_SECONDS,
    Holder,
    Lease,
    Owner,
    Seen,
    acquire,
    beats,
    is_dead,
    is_stale,
    read_lease,
    server_clock,
    this_process,
    waited_for,
)
from harness.store.shared import absent, blank, insist, unmade

SCHEMA = 1
MANIFEST, NOTHING = "manifest.json", "no such result"
# the kind, in `meta`, of a result that saves work and is made anew where it is gone
TOKENISED = "tokenised"
UNUSED_DAYS, DAY = 7.0, 86400.0
ROOMS = ("jobs", "results", "tmp", "leases", "checkpoints", "damaged", "index")


T = TypeVar("T")
Read = Callable[[Path], tuple[str, T]]  # a file → its hash, and what the caller wants of it


class FileEntry(TypedDict):
    """What a manifest says of one file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a result holds: name → hash and size; `dropped`: removed on purpose; `meta`: the
    caller's own JSON."""

    key: str
    files: dict[str, FileEntry]
    dropped: dict[str, FileEntry] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA


# a run reads each of them many times, and to check a seal takes longer than to read it
@lru_cache(maxsize=8192)
def _unsealed(raw: bytes) -> Manifest:
    return Manifest(**unseal(raw))


class _WrongFile(Exception):
    """A file of a result is gone, or not what its manifest says; the text says how."""


@dataclass
class Collected:
    """What `collect` removed, or would remove: path under the root and bytes."""

    removed: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.removed)


class _Temp(NamedTuple):
    """An entry of tmp/, as its name says: whose it is, and of what result."""

    key: str
    owner: Owner

    @staticmethod
    def of(path: Path) -> "_Temp":
        parts = path.name.split("@")
        if len(parts) != 6 or not parts[3].isdigit():
            return _Temp("", Owner(None))  # not made by `Store._temp`
        _, key, host, pid, pid_start, _ = parts
        return _Temp(key, Owner(host, int(pid), pid_start))


def _is_key(name: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", name) is not None


class Store:
    """The results under `root`, made on first use. StoreError if it is not a directory that can be
    written. With `writable=False` a store that exists is opened for reading, on a read-only mount
    too: nothing is made."""

    def __init__(self, root: Path, writable: bool = True):
        self.root = Path(root).expanduser().absolute()
        if not writable:
            with disk_errors("read the store", self.root):
                if not (self.root / "results").is_dir():
                    raise StoreError(
                        f"no store at {self.root}: no results/ there; check the path, or run a"
                        " suite first"
                    )
            return
        for room in ROOMS:
            with disk_errors("use the store", self.root):
                (self.root / room).mkdir(parents=True, exist_ok=True)
                if not os.access(self.root / room, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, f"{room}/ cannot be written")

    def _at(self, room: str, key: str, suffix: str = "") -> Path:
        if not _is_key(key):
            raise StoreError(
                f"not a key: {key!r}; a key is 64 hexadecimal digits, see the names in"
                f" {self.root / room}"
            )
        return self.root / room / (key + suffix)

    # Jobs

    def write_job(self, key: str, job: Mapping[str, Any]) -> None:
        """The job's description, whole or not at all; the plan can write it again, so it is not
        flushed to the disk."""
        path, data = self._at("jobs", key, ".json"), canonical_json(job)
        with suppress(OSError):
            if path.read_bytes() == data:
                return
        atomic_write(path, data, sync=False)

    def hash_index(self) -> HashIndex:
        """What this store remembers of files that lie elsewhere."""
        return HashIndex(self.root / "index" / "files.json")

    def read_job(self, key: str) -> Any:
        """What the file says; `job.verify_job` tells whether it is the job of that key."""
        path = self._at("jobs", key, ".json")
        try:
            with disk_errors("read the job", path):
                return json.loads(insist(bytes_of, path)[1])
        except ValueError as error:
            raise StoreError(
                f"cannot read the job {path}: {error}; plan the suite again, which rewrites it"
            ) from error

    # Working directories

    def _temp(self, kind: str, key: str) -> Path:
        name = "@".join([kind, key, *map(str, this_process()), uuid.uuid4().hex[:8]])
        return self.root / "tmp" / name

    @contextmanager
    def workdir(self, key: str) -> Iterator[Path]:
        """A fresh directory on the store's disk; what is still there when the block ends is
        removed."""
        self._at("tmp", key)
        path = self._temp("work", key)
        with disk_errors("make the working directory", path):
            path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def checkpoint_dir(self, key: str) -> Path:
        """Where the train job of `key` keeps its checkpoints; made if it is not there."""
        path = self._at("checkpoints", key)
        with disk_errors("make the checkpoint directory", path):
            path.mkdir(exist_ok=True)
        return path

    def checkpoint_bytes(self, key: str) -> int:
        """What the checkpoints of `key` take of the disk; 0 if they change meanwhile."""
        try:
            return sum(path.stat().st_size for path in self._at("checkpoints", key).iterdir())
        except OSError:
            return 0

    def clean_start(self) -> list[str]:
        """Remove what killed processes of this host left in tmp/. Returns the names."""
        with disk_errors("clean", self.root / "tmp"):
            entries = sorted((self.root / "tmp").iterdir())
            left = [path for path in entries if is_dead(_Temp.of(path).owner)]
            return [path.name for path in left if self._remove(path)]

    def _remove(self, path: Path) -> bool:
        if path.parent.name == "tmp" and path.name.startswith("old@"):
            # Killed between the two renames of a replacement: put the old result back, unless the
            # new one is there.
            with suppress(OSError):
                path.rename(self._at("results", _Temp.of(path).key))
                return False
        # leave results/ whole, never file by file
        if path.is_dir() and path.parent.name == "results":
            path = path.rename(self._temp("gone", path.name))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        return True

    # Results

    def commit(self, key: str, directory: Path, meta: dict[str, Any]) -> Manifest:
        """Move `directory` (from `workdir`) into the store as the result of `key`, flushed to the
        disk. Atomic: killed anywhere, the result is complete or absent. If a sound result is there
        already, that one stays and is returned; one with dropped files is replaced whole; one that
        is damaged is set aside. `manifest.json` is the store's name. The checkpoints of `key`,
        useless now, go. StoreError if it cannot be written; what was committed before is
        unharmed."""
        final, directory = self._at("results", key), Path(directory)
        with disk_errors("commit", final):
            raw = seal(asdict(Manifest(key, _flushed(directory), meta=meta)))
            ours = Manifest(**unseal(raw))  # as a reader will see it: tuples are lists
            atomic_write(directory / MANIFEST, raw)  # last of the files; flushes the directory too
            with self._changing(key):
                manifest = self._put(final, directory, ours)
        # killed before this: `collect` does it
        shutil.rmtree(self._at("checkpoints", key), ignore_errors=True)
        return manifest

    def _put(self, final: Path, directory: Path, ours: Manifest) -> Manifest:
        old = None
        while True:
            theirs, problems = self.manifest(ours.key), self.verify(ours.key)
            if theirs and not problems and not theirs.dropped:
                shutil.rmtree(directory, ignore_errors=True)
                break
            if theirs and not problems:
                old = self._temp("old", ours.key)
                final.rename(old)
            elif (
                os.path.lexists(final) and not unmade(final) and not blank(final)
            ):  # of one that looks again, and gone
                self._move_aside(ours.key, "; ".join(problems))
            try:
                directory.rename(final)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ESTALE):
                    self.look_again(ours.key)
                    continue  # someone came between after all
                # NFS can lose the answer to a rename that worked
                if self.manifest(ours.key) != ours:
                    if old is not None:
                        self._remove(old)  # puts it back
                    raise
            theirs = ours
            break
        flush(final.parent)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
        return theirs

    @contextmanager
    def _changing(self, key: str) -> Iterator[None]:
        """A moment's exclusive right to change what is committed under `key`."""
        with waited_for(self._at("leases", key, ".change"), f"result {key[:12]}"):
            yield

    def _load(self, key: str) -> tuple[Manifest | None, str]:
        """The manifest, or None and what is wrong."""
        path = self._at("results", key) / MANIFEST
        try:
            manifest = _unsealed(insist(bytes_of, path)[1])
        except (ValueError, TypeError) as error:
            return None, f"garbled ({error})"
        except OSError as error:
            if error.errno not in DAMAGE:
                with disk_errors("read", path):
                    raise
            return None, NOTHING if blank(path.parent) else str(error.strerror)
        if (manifest.schema, manifest.key) != (SCHEMA, key):
            said = f"schema {manifest.schema}, key {manifest.key[:12]}"
            return None, f"{said}; expected {SCHEMA} and {key[:12]}"
        return manifest, ""

    def look_again(self, key: str) -> bool:
        """Whether a result is there, sound or not, by the server's word: this machine may remember
        that there was none."""
        path = self._at("results", key)
        with disk_errors("look for", path):
            return not blank(path) or not (absent(path) or blank(path))

    def manifest(self, key: str) -> Manifest | None:
        """None: no such result, or not a complete one. Cheap: hashes the manifest only."""
        return self._load(key)[0]

    def _sound(self, path: Path, entry: FileEntry, read: Read[T]) -> T:
        """What `read` makes of the file; _WrongFile if it is not what its manifest says."""
        try:
            sha, value = insist(read, path)
        except OSError as error:
            if error.errno not in DAMAGE:
                with disk_errors("read", path):
                    raise
            raise _WrongFile(error.strerror) from None

        if sha != entry["sha256"]:
            said = entry["sha256"][:12]
            raise _WrongFile(f"SHA-256 is {sha[:12]}, the manifest says {said}")
        return value

    def verify(self, key: str) -> list[str]:
        """Re-hash every file that was not dropped: a line per problem; none if all is sound or
        nothing is there."""
        manifest, why = self._load(key)
        if manifest is None:
            return [f"{MANIFEST}: {why}"] if why != NOTHING else []
        found = []
        for name, entry in manifest.files.items():
            try:
                self._sound(self._at("results", key) / name, entry, hash_of)
            except _WrongFile as wrong:
                found.append(f"{name}: {wrong}")
        return found

    def _checked(self, key: str, name: str, read: Read[T]) -> T:
        before = None
        while True:
            manifest, why = self._load(key)
            if manifest is not None:
                entry = _entry(manifest, name)
                try:
                    return self._sound(self._at("results", key) / name, entry, read)
                except _WrongFile as wrong:
                    why = str(wrong)

            # a commit may be replacing the result under us: believe what is seen twice
            if before == (manifest, why):
                break
            before = manifest, why
            time.sleep(0.02)

        if manifest is None and why == NOTHING:
            raise StoreError(f"no result {key[:12]} in {self.root}; run the job first")
        raise DamagedError(key, name if manifest else MANIFEST, why)

    def path(self, key: str, name: str) -> Path:
        """A file of a result, its hash just checked. DamagedError if it does not match, StoreError
        if there is none."""
        return self._checked(key, name, hash_of)

    def read_json(self, key: str, name: str) -> Any:
        """What the file holds; the bytes hashed are the bytes parsed. Errors as for `path`."""
        return json.loads(self._checked(key, name, bytes_of))

    def set_aside(self, key: str, why: str) -> Path | None:
        """Move a damaged result to damaged/KEY.N. None if it is sound or gone: another process was
        faster."""
        with self._changing(key), disk_errors("set aside", self._at("results", key)):
            return self._move_aside(key, why) if self.verify(key) else None

    def _move_aside(self, key: str, why: str) -> Path:
        n = 1
        while os.path.lexists(target := self._at("damaged", key, f".{n}")):
            n += 1
        self._at("results", key).rename(target)
        with suppress(OSError):
            (target / "WHY").write_text(why + "\n")
        return target

    def drop(self, key: str, names: Iterable[str]) -> None:
        """Remove files of a result for good; the manifest keeps their hashes. The manifest goes
        first: killed in between, the result is sound, and dropping again or `collect` removes the
        rest."""
        final, names = self._at("results", key), set(names)
        with self._changing(key), disk_errors("drop files of", final):
            manifest, why = self._load(key)
            if manifest is None:
                raise StoreError(f"cannot drop files of {final}: {why}")
            if unknown := names - manifest.files.keys() - manifest.dropped.keys():
                raise StoreError(
                    f"cannot drop {sorted(unknown)} of {final}: it has {sorted(manifest.files)}"
                )
            if names & manifest.files.keys():
                files = {name: entry for name, entry in manifest.files.items() if name not in names}
                dropped = manifest.dropped | {
                    name: manifest.files[name] for name in names & manifest.files.keys()
                }
                atomic_write(
                    final / MANIFEST, seal(asdict(Manifest(key, files, dropped, manifest.meta)))
                )
            for name in names:
                (final / name).unlink(missing_ok=True)

    def on_disk(self, key: str, name: str) -> bool:
        """Whether a file of a result lies there, also where the manifest has it as dropped
        already."""
        return (self._at("results", key) / name).is_file()

    def listed(self) -> list[str]:
        """The keys under which something lies, complete or not: one look at the directory."""
        with disk_errors("list", self.root / "results"):
            names = [path.name for path in (self.root / "results").iterdir()]
        return sorted(filter(_is_key, names))

    def keys(self, complete: bool = True) -> list[str]:
        """The keys that have a result; with `complete=False` also those whose manifest is missing
        or garbled."""
        with disk_errors("list", self.root / "results"):
            return [
                key
                for key in self.listed()
                if (self.manifest(key) if complete else not blank(self._at("results", key)))
            ]

    def sizes(self) -> dict[str, int]:
        """Bytes of each complete result, dropped files not counted."""
        found = {}
        for manifest in filter(None, map(self.manifest, self.keys(complete=False))):
            found[manifest.key] = sum(entry["bytes"] for entry in manifest.files.values())
        return found

    # Leases

    def lease(self, key: str) -> Lease | None:
        """The right to work on `key`, or None while another owner lives. A dead one of this host is
        replaced."""
        return acquire(self._at("leases", key))

    def is_alive(self, key: str) -> bool:
        """Whether somebody works on `key` who was heard of just now."""
        with disk_errors("read the lease", path := self._at("leases", key)):
            seen = read_lease(path)
            return seen is not None and beats(seen, path.parent)

    def is_held(self, key: str) -> bool:
        """Whether a living process works on `key`, as far as can be told from here."""
        with disk_errors("read the lease", path := self._at("leases", key)):
            seen = read_lease(path)
            return seen is not None and not is_stale(seen, path.parent)

    def holder(self, key: str) -> Holder | None:
        """Who works on `key` now, as far as the lease says."""
        with disk_errors("read the lease", path := self._at("leases", key)):
            seen = read_lease(path)
        if seen is None or not seen.owner.host:
            return None
        # without the mark of boot and pid namespace
        host = seen.owner.host.rpartition(".")[0]
        return Holder(host, seen.owner.pid, seen.since)

    # Collecting what nobody needs

    def collect(
        self, keep: set[str] | None = None, dry_run: bool = False, unused_days: float = UNUSED_DAYS
    ) -> Collected:
        """Remove leftovers of the dead in tmp/, dead leases, checkpoints of committed keys, what
        was set aside, tokenised rows that were not used for so many days, and, if `keep` is given,
        results and checkpoints of keys not in it. What a live lease protects stays."""
        report = Collected()
        with disk_errors("collect in", self.root):
            now = server_clock(self.root / "leases")
            for path in list(self._garbage(keep, now, unused_days)):
                inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
                size = sum(
                    item.lstat().st_size for item in inside if item.is_symlink() or item.is_file()
                )
                if not dry_run and path.parent.name == "leases" and not path.name.startswith("."):
                    if lease := acquire(path):  # the one safe way to remove a dead one
                        lease.release()
                elif not dry_run and not self._remove(path):
                    continue
                report.removed.append((path.relative_to(self.root).as_posix(), size))
        return report

    def _garbage(self, keep: set[str] | None, now: float, unused_days: float) -> Iterator[Path]:
        """What `collect` may remove; `now` by the file server's clock."""
        # listed before any lease is read: what appears later has a lease that is not seen here
        rooms = {room: sorted((self.root / room).iterdir()) for room in ROOMS}
        leases = _leases(rooms["leases"])
        live = {name for name, seen in leases.items() if not is_stale(seen, self.root / "leases")}

        def unwanted(path: Path) -> bool:
            return keep is not None and path.name not in keep

        yield from rooms["damaged"]
        yield from (self.root / "leases" / name for name in leases if name not in live)
        for path in rooms["tmp"]:
            if _is_left(path, live, now):
                yield path

        for path in rooms["checkpoints"]:
            committed = _is_key(path.name) and self.manifest(path.name)
            if path.name not in live and (committed or unwanted(path)):
                yield path

        for path in rooms["results"]:
            left = blank(path) and _is_old(path, now)
            if path.name not in live and (left or unwanted(path)):
                yield path
            elif _is_key(path.name) and (manifest := self.manifest(path.name)):
                yield from _superfluous(path, manifest, now - unused_days * DAY)

        for room in ("jobs", "leases", "index", "results/*"):
            drafts = self.root.glob(f"{room}/.*.tmp")  # of a killed atomic_write
            yield from (path for path in drafts if _is_old(path, now))


def _superfluous(path: Path, manifest: Manifest, unused_since: float) -> Iterator[Path]:
    """What of a sound result may go: all of tokenised rows whose directory says, by its time, that
    nobody used them; of a job's what it dropped and a kill in `drop` left."""
    if manifest.meta.get("kind") == TOKENISED and path.stat().st_mtime <= unused_since:
        yield path
    yield from (path / name for name in manifest.dropped if (path / name).exists())


def _leases(paths: Iterable[Path]) -> dict[str, Seen]:
    """Name → lease, of those that are still there."""
    found = {}
    for path in paths:
        if not path.name.startswith(".") and (seen := read_lease(path)):
            found[path.name] = seen
    return found


def _is_old(path: Path, now: float) -> bool:
    """Whether nobody can be at it any more, also on a machine whose processes are not seen here."""
    return now - path.lstat().st_mtime > STALE_SECONDS


def _is_left(path: Path, live: set[str], now: float) -> bool:
    """Whether an entry of tmp/ is of the dead; of another machine's, whether no live lease needs
    it."""
    temp = _Temp.of(path)
    dead = is_dead(temp.owner)
    if dead is None:
        return temp.key not in live and _is_old(path, now)
    return dead


def _flushed(directory: Path) -> dict[str, FileEntry]:
    """The files of a working directory, on the disk for good. StoreError for a link or device."""
    files: dict[str, FileEntry] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError(
                f"cannot commit {path}: a link or device; a result holds plain files only"
            )
        flush(path)
        if path.is_file() and path != directory / MANIFEST:
            name = path.relative_to(directory).as_posix()
            files[name] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    return files


def _entry(manifest: Manifest, name: str) -> FileEntry:
    """What the manifest says of a file; StoreError if the result has none of that name."""
    if name in manifest.files:
        return manifest.files[name]
    why = "dropped, compute it again" if name in manifest.dropped else ""
    why = why or f"it has {[*manifest.files]}"
    raise StoreError(f"result {manifest.key[:12]} has no file {name!r}: {why}")
