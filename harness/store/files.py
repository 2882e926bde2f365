"""What the store writes and reads: whole files or none, one spelling of JSON, hashes, and errors
that say what to do."""

import errno
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import StoreError
from harness.store.shared import asks_again

_ADVICE = {
    errno.ENOSPC: (
        "free space on that disk or choose another store, then run the same command again"
    ),
    errno.EDQUOT: (
        "your quota there is used up: free space or choose another store, then run the same command"
        " again"
    ),
    errno.EROFS: "choose a store on a disk that can be written",
    errno.EACCES: "make it accessible to this user or choose another store",
    errno.EPERM: "make it accessible to this user or choose another store",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then run the same command again",
    errno.ENFILE: (
        "the machine has too many files open: close some, then run the same command again"
    ),
    errno.EFBIG: (
        "raise the limit on file size (ulimit -f) or choose another disk, then run the same command"
        " again"
    ),
    errno.ENOTDIR: "a file is in the way: move it, or choose another store",
    errno.EEXIST: "a file is in the way: move it, or choose another store",
    errno.ESTALE: (
        "the file server no longer knows it: look at the mount, then run the same command again"
    ),
    errno.EXDEV: "work in the directory that Store.workdir gives: it is on the store's own disk",
}
# What a disk without hard links says to one.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
# What reading a damaged result gives; any other error (too many open files, permissions) says
# nothing about the result.
DAMAGE = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EIO, errno.EBADMSG}


class DamagedError(StoreError):
    """A committed file is not what its manifest says. `key`, `name`, `why`; set the result aside,
    compute it again."""

    def __init__(self, key: str, name: str, why: str):
        super().__init__(
            f"result {key[:12]} is damaged: {name}: {why}; set it aside and run the same command"
            " again"
        )
        self.key, self.name, self.why = key, name, why


@contextmanager
def disk_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a StoreError of one line: what could not be done, where,
    why, what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check that disk, then run the same command again")
        raise StoreError(f"cannot {what} {path}: {error.strerror or error}; {advice}") from error


def canonical_json(obj: Any) -> bytes:
    """The one way to write `obj` as JSON. ValueError for NaN and infinity, TypeError for what JSON
    does not have, keys that are no strings included: JSON would write 1 and "1" alike, and two
    different jobs would share a key."""
    text = json.dumps(
        obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    _refuse_odd_keys([obj])
    return text.encode()


def _refuse_odd_keys(obj: Any) -> None:
    if isinstance(obj, dict):
        if not set(map(type, obj)) <= {str} and (odd := [k for k in obj if not isinstance(k, str)]):
            raise TypeError(f"a key must be a string, not {odd[0]!r}")
        obj = obj.values()
    # nearly all that it looks at is no container: it must not be called for each of them
    for item in obj:
        if isinstance(item, (dict, list, tuple)):
            _refuse_odd_keys(item)


def key_of(obj: Any) -> str:
    """SHA-256, in hex, of the canonical JSON."""
    return hashlib.sha256(canonical_json(obj)).hexdigest()


class Keys:
    """`key_of`, of objects that many name and nobody changes: each once."""

    def __init__(self) -> None:
        # by `id`; the object is kept with it, so that no other one takes its place
        self._known: dict[int, tuple[Any, str]] = {}

    def of(self, obj: Any) -> str:
        if id(obj) not in self._known:
            self._known[id(obj)] = obj, key_of(obj)
        return self._known[id(obj)][1]


@asks_again
def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(path: Path) -> tuple[str, Path]:
    """The file's hash, and the path itself."""
    return file_sha256(path), path


@asks_again
def bytes_of(path: Path) -> tuple[str, bytes]:
    """The file's hash and the very bytes that were hashed."""
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), data


def atomic_write(path: Path, data: bytes, sync: bool = True) -> None:
    """Whoever reads `path`, now or after a crash, finds the old bytes or the new ones. StoreError,
    and the old bytes untouched, if it cannot be done. `sync=False` for what can be rebuilt: safe
    from a kill, not from a power cut."""
    path = Path(path)
    with disk_errors("write", path):
        _replace(path, data, sync)
        if sync:
            flush(path.parent)


@asks_again
def _replace(path: Path, data: bytes, sync: bool) -> None:
    with draft_of(path) as draft:
        draft.write_bytes(data)
        if sync:
            flush(draft)
        draft.replace(path)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A new name beside `path`, for a file that is to take its place once it is whole; what is left
    under that name goes at the end."""
    # not mkstemp: its mode 0600 would hide a shared store from the group
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@asks_again
def flush(path: Path) -> None:
    """Flush a file or a directory to the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network disks cannot flush a directory.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(fd)


def seal(body: Mapping[str, Any]) -> bytes:
    """Readable JSON that carries its own hash."""
    return (
        json.dumps(
            {**body, "seal": key_of(body)}, sort_keys=True, indent=1, ensure_ascii=False
        ).encode()
        + b"\n"
    )


def unseal(raw: bytes) -> dict[str, Any]:
    """The body, or ValueError if a single bit differs from what `seal` wrote, white space
    included."""
    body = json.loads(raw)
    if not isinstance(body, dict) or body.pop("seal", None) is None or seal(body) != raw:
        raise ValueError("its bytes do not match its own seal")
    return body


ANSWERS = 4096  # that are kept: a file of a megabyte


class _Remembered(NamedTuple):
    """A file's hash, and what the file looked like when it was taken."""

    signature: list[int]
    sha256: str


class HashIndex:
    """SHA-256 of big files that seldom change, remembered, and what else follows from such hashes.
    Only a cache: a garbled one is dropped.

    Without a path it lasts as long as the process, and is never written.
    """

    def __init__(self, path: Path | None = None):
        self.path = path
        self._known: dict[str, _Remembered] = {}
        self._answers: dict[str, Any] = {}
        self._new = False  # whether something was learned since it was read
        if path is not None:
            with suppress(OSError, ValueError):
                body = unseal(Path(path).read_bytes())
                for name, (*seen, sha) in body["files"].items():
                    self._known[name] = _Remembered(seen, sha)
                self._answers = body.get("answers", {})

    def sha256(self, path: Path) -> str:
        """Of the file as it is now. A remembered hash counts only if size, mtime, ctime and inode
        are unchanged."""
        path = Path(path).absolute()
        with disk_errors("read", path):
            now, before = time.time_ns(), signature(path)
            known = self._known.get(str(path))
            if known and known.signature == before:
                return known.sha256

            sha, self._new = file_sha256(path), True
            # A file written within the clock's tick can change again and look the same: remember
            # only what has settled.
            if before == signature(path) and before[1] < now - 2_000_000_000:
                self._known[str(path)] = _Remembered(before, sha)
            else:
                self._known.pop(str(path), None)
        return sha

    def answer(self, of: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, a JSON value, made once and remembered; None is asked for again.

        of  all that it follows from, as JSON: content by its hash, never a path alone
        """
        key = key_of(of)
        found = self._answers.pop(key, None)
        if found is None:
            found, self._new = make(), True
        if found is not None:
            self._answers[key] = found  # the last that was asked for stands last
        return found

    def save(self) -> None:
        """Write the index, whole or not at all, if something was learned since; not into a store
        that may only be read. StoreError if it cannot be written."""
        if self.path is None or not self._new:
            return
        if self.path.parent.is_dir() and not os.access(self.path.parent, os.W_OK):
            return
        known = {name: [*seen, sha] for name, (seen, sha) in self._known.items()}
        answers = dict(list(self._answers.items())[-ANSWERS:])
        atomic_write(self.path, seal({"files": known, "answers": answers}), sync=False)
        self._new = False


def signature(path: Path) -> list[int]:
    """What changes with a file's content: size, times of content and status, inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
