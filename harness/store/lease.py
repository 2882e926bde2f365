"""Who works on what: leases that die with their owner.

A process is named by host, pid and start time, since pids come back. On its own host a dead owner
is known at once; on another one only by a heartbeat that stopped.
"""

import functools
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from harness.common.errors import StoreError
from harness.store.files import NO_LINKS, canonical_json, disk_errors, draft_of, key_of
from harness.store.shared import asks_again

STALE_SECONDS = 60.0  # a lease of another machine without a heartbeat for this long is dead
BEAT_SECONDS = 5.0
PATIENCE = 10 * STALE_SECONDS  # until who waits for another's lease gives up


class Owner(NamedTuple):
    """A process, told from a later one of the same number. `host` None: nobody knows whose it
    was."""

    host: str | None
    pid: int = 0
    pid_start: str = ""


class Seen(NamedTuple):
    """A lease as it was read.

    token  what its owner knows it by
    since  when it was taken, in seconds by its owner's clock
    mtime  its last heartbeat, in seconds by the file server's clock
    """

    owner: Owner
    token: str
    since: float
    mtime: float


class Holder(NamedTuple):
    """A process that works on a key: its host's name, its id there, and since when (seconds, by its
    own clock)."""

    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host}, since"
            f" {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}"
        )


@functools.cache
def _host() -> str:
    """This host, boot and pid namespace: containers may share a host name, and each counts its pids
    on its own."""
    facts = []
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    return re.sub(r"[^\w.-]", "_", socket.gethostname()) + "." + key_of(facts)[:8]


def _birth(pid: int) -> str:
    """When the process started, in kernel ticks; "" if it is dead, "?" where the system does not
    tell."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return ""
    except PermissionError:
        pass  # another user's, alive
    # the name in brackets may hold anything; after it come field 3, the state, and field 22, the
    # start
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "?"
    return "" if fields[0] in "ZX" else fields[19]


def this_process() -> Owner:
    """This process, as its leases and its entries of tmp/ name it."""
    return Owner(_host(), os.getpid(), _birth(os.getpid()))


def is_dead(owner: Owner) -> bool | None:
    """Whether that process is dead; None on another host: nobody here can tell."""
    if owner.host != _host():
        return None
    birth = _birth(owner.pid)
    return not birth or (birth != owner.pid_start and "?" not in (birth, owner.pid_start))


@asks_again
def read_lease(path: Path) -> Seen | None:
    """Owner and mtime through one open file: opening makes NFS ask its server, a bare stat may be a
    minute old."""
    try:
        with path.open("rb") as file:
            mtime = os.fstat(file.fileno()).st_mtime_ns
            raw = file.read()
    except FileNotFoundError:
        return None
    try:
        said = json.loads(raw)
        owner = Owner(said["host"], int(said["pid"]), said["pid_start"])
        return Seen(owner, str(said["token"]), float(said["time"]), mtime / 1e9)
    except (ValueError, TypeError, KeyError):
        # not yet written, or its owner died right there: only its age can tell
        return Seen(Owner(None), f"bad-{mtime:x}", 0.0, mtime / 1e9)


class Lease:
    """The right to work on one key. A context manager: a thread beats until the block ends, then
    the lease is gone. Ask `held()` right before committing: a machine that slept may have lost its
    lease. `lost`: the thread saw that."""

    def __init__(self, path: Path):
        self.path, self.token = path, uuid.uuid4().hex
        self._stop, self.lost = threading.Event(), False

    def create(self) -> bool:
        """False if there is a lease already. StoreError if none can be written."""
        with disk_errors("write the lease", self.path):
            try:
                said = {"token": self.token, "time": time.time()}
                self._write(canonical_json(this_process()._asdict() | said))
            except FileExistsError:
                if not self.held():  # NFS can lose the answer to a write that worked
                    return False
        threading.Thread(
            target=self._beat, name=f"lease {self.path.name[:12]}", daemon=True
        ).start()
        return True

    def _write(self, data: bytes) -> None:
        # a link appears with its content; killed after a mere create, the owner would be unknown
        with draft_of(self.path) as draft:
            try:
                draft.write_bytes(data)
                os.link(draft, self.path)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                with self.path.open("xb") as file:
                    file.write(data)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            with suppress(OSError, StoreError):  # a disk that hiccups: the next beat may do
                if not self.heartbeat():
                    self.lost = not self._stop.is_set()
                    return

    def heartbeat(self) -> bool:
        """Say that the owner lives; False, and nothing done, if the lease is no longer ours."""
        if held := self.held():
            os.utime(self.path)  # no times given: the file server's own clock
        return held

    def held(self) -> bool:
        with disk_errors("read the lease", self.path):
            return _token(self.path) == self.token

    def release(self) -> None:
        """Remove the lease if it is still ours. Never fails: what is left is stale once this
        process is gone."""
        self._stop.set()
        with suppress(OSError, StoreError):
            if self.held():
                self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def acquire(path: Path) -> Lease | None:
    """The lease at `path`, or None while another owner lives. StoreError if it cannot be
    written."""
    with disk_errors("take the lease", path):
        while True:
            seen = read_lease(path)
            if seen is None:
                if (lease := Lease(path)).create():
                    return lease
                time.sleep(0.01)  # someone else did
                continue
            if not is_stale(seen, path.parent):
                return None
            # Two who judge the same lease stale must not both remove what is there: the slower one
            # would remove the lease of the faster. So removing this very lease, known by its token,
            # takes a lease of its own.
            right = acquire(path.with_name(f"{path.name}.{seen.token[:20]}"))
            if right is None:
                return None
            with right:
                if _token(path) == seen.token:
                    path.unlink()


@contextmanager
def waited_for(path: Path, what: str) -> Iterator[Lease]:
    """The lease at `path`, as soon as it is free. StoreError, which names `what` one wanted to
    change, if it is still held after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while (lease := acquire(path)) is None:
        if time.monotonic() > deadline:
            raise StoreError(f"cannot change {what}: {path} is held; end its owner, then try again")
        time.sleep(0.02)
    with lease:
        yield lease


def is_stale(seen: Seen, directory: Path) -> bool:
    """Whether the lease, as `read_lease` saw it, may be taken over."""
    dead = is_dead(seen.owner)
    return server_clock(directory) - seen.mtime > STALE_SECONDS if dead is None else dead


def beats(seen: Seen, directory: Path) -> bool:
    """Whether the owner of a lease has just given a heartbeat, or a few are late."""
    return server_clock(directory) - seen.mtime < 4 * BEAT_SECONDS


def _token(path: Path) -> str | None:
    """Of the lease that is there now."""
    seen = read_lease(path)
    return seen.token if seen else None


@asks_again
def server_clock(directory: Path) -> float:
    """The time by the file server's clock, which is the one that stamps leases."""
    path = directory / f".clock.{uuid.uuid4().hex[:12]}.tmp"
    try:
        with path.open("xb") as file:
            return os.fstat(file.fileno()).st_mtime
    finally:
        path.unlink(missing_ok=True)
