"""How a release comes to be: complete or absent, one number each, whoever is killed and however
many publish at once.

    BOARD/.publishing                     a lease: who changes the board now; the others wait
    BOARD/releases/.0003.claim            a lease on the number, whatever the suite, while its files
                                          are written
    BOARD/releases/0003-small.env.json    then the sidecar
    BOARD/releases/0003-small.json        then the content, which makes it a release; both appear by
                                          a link, whole, over nothing

The first lease saves work, and lets the second of two equal contents see the first one. It may be
lost: a machine that slept is taken for dead. So no number rests on it: that one has a name of its
own, which on a network disk too only one can make, and which only its maker takes away, or whoever
knows that its maker is dead. What the dead leave, the next publisher clears.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.common.errors import SpecError, StoreError
from harness.release.document import Board, beside, content_bytes, is_listed, plain_bytes
from harness.store import atomic_write, disk_errors, draft_of, flush, key_of
from harness.store.files import NO_LINKS
from harness.store.lease import Lease, is_dead, is_stale, read_lease, waited_for

FORGOTTEN = 3600.0  # seconds after which a claim of another machine is no publisher's any more
_LEASE = ".publishing"
_CLAIM = re.compile(r"\.\d{4}\.claim")
# with what `store.lease` writes beside them
_LEASES = re.compile(r"\.\.?(publishing|\d{4}\.claim|clock)\b.*")
_DRAFTS = re.compile(
    r"\.(README\.md|index\.html)\..*\.tmp|\.\.?(\d{4})-.*\.(draft|tmp)|\d{4}-.*\.draft-\d+"
)


class Shelved(NamedTuple):
    """A release's file, whether it is new, and whether only its sidecar was written: that had been
    lost."""

    path: Path
    new: bool
    repaired: bool


def shelve(shelf: Board, content: dict[str, Any], sidecar: dict[str, Any]) -> Shelved:
    """Put a content on the board, once: with a new number, or not at all if it is there.

    raises  StoreError: it cannot be written; then nothing of it is there, and the same call may be
            tried again
    """
    digest = key_of(content)
    told = content_bytes(sidecar | {"content_sha256": digest})
    data = content_bytes(content)
    found = _same(shelf, digest, len(data))
    if found and shelf.content_hash(found) == digest and not leftovers(shelf):
        return Shelved(found, False, False)  # a board that nobody may write can be looked at
    if not is_listed(Path(f"0001-{content['suite']['name']}.json")):
        raise SpecError(
            f"a release of suite {content['suite']['name']!r} would be taken for a sidecar; give"
            " the suite another name"
        )
    try:
        shelf.releases.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make {shelf.releases}: {error.strerror}; choose another folder with --board"
        ) from None
    with changing(shelf):
        found = _same(shelf, digest, len(data))
        if found is None:
            return Shelved(_new(shelf, content["suite"]["name"], data, told), True, False)
        lost = shelf.content_hash(found) != digest
        if lost:
            atomic_write(beside(found), told)
        return Shelved(found, False, lost)


def _same(shelf: Board, digest: str, size: int) -> Path | None:
    """The release of that content. Only files are read that may be it, by their sidecar or their
    size."""
    for path in reversed(shelf.list()):
        # what cannot be read is not this content; `write_board` says so
        with suppress(OSError, StoreError):
            likely = shelf.content_hash(path) in (digest, None) or path.stat().st_size == size
            if likely and shelf.read(path)[1] == digest:
                return path
    return None


# One after the other


@contextmanager
def changing(shelf: Board) -> Iterator[None]:
    """A moment's right to change the board, cleared of what killed publishers left. StoreError if
    it cannot be had."""
    with waited_for(shelf.folder / _LEASE, f"the board {shelf.folder}"):
        _clear(shelf)
        yield


def leftovers(shelf: Board) -> list[Path]:
    """What publishers need for a moment, or left when they were killed; nothing while nobody
    publishes."""
    found = []
    for folder in filter(Path.is_dir, (shelf.folder, shelf.releases)):
        with disk_errors("list", folder):
            there = sorted(folder.iterdir())
        found += [
            path for path in there if _LEASES.fullmatch(path.name) or _DRAFTS.fullmatch(path.name)
        ]
    return found


def _clear(shelf: Board) -> None:
    """Remove what the dead left: drafts, leases, sidecars of releases that they did not finish."""
    with disk_errors("clean", shelf.folder):
        found = leftovers(shelf)
        claims = {path for path in found if _CLAIM.fullmatch(path.name)}
        dead = set(filter(_is_dead, claims))
        live = {claim.name[1:5] for claim in claims - dead}
        for claim in dead:
            _unfinished(shelf, claim.name[1:5])
        for path in found:
            used = path.name == _LEASE or path.name.lstrip(".")[:4] in live
            if not used and (path in dead or not _LEASES.fullmatch(path.name) or _is_left(path)):
                path.unlink(missing_ok=True)


def _unfinished(shelf: Board, number: str) -> None:
    """Remove the sidecar that stands alone under a number whose publisher died. Others may be of a
    release that was lost."""
    for sidecar in shelf.releases.glob(f"{number}-*.env.json"):
        if not os.path.lexists(sidecar.with_name(sidecar.name.removesuffix(".env.json") + ".json")):
            sidecar.unlink(missing_ok=True)


def _is_dead(claim: Path) -> bool:
    """Whether the process that claimed this number is dead, as far as can be told."""
    seen = read_lease(claim)
    if seen is None:
        return True
    dead = is_dead(seen.owner)
    return time.time() - seen.mtime > FORGOTTEN if dead is None else dead


def _is_left(lease: Path) -> bool:
    """Whether a lease, or a file in which one was being written, is of the dead."""
    seen = read_lease(lease)
    return seen is not None and is_stale(seen, lease.parent)


# A new one


def _new(shelf: Board, suite: str, data: bytes, told: bytes) -> Path:
    """Write the two files under the next number that nobody has."""
    number = max(map(int, _numbers(shelf)), default=0)
    while True:
        number += 1
        claim = Lease(shelf.releases / f".{number:04d}.claim")
        if not claim.create():
            continue  # of one who sleeps or works on another machine: a gap harms nobody
        with claim:
            path = shelf.releases / f"{number:04d}-{suite}.json"
            # Only now: whoever finished under this number has given up its claim, and making ours
            # made the disk look anew.
            if f"{number:04d}" not in _numbers(shelf) and _both(path, data, told):
                return path


def _numbers(shelf: Board) -> set[str]:
    """The numbers of all that lies there, sidecars without a release included."""
    with disk_errors("list", shelf.releases):
        return {
            path.name[:4] for path in shelf.releases.iterdir() if re.match(r"\d{4}-", path.name)
        }


def _both(path: Path, data: bytes, told: bytes) -> bool:
    """Sidecar, then content; False, and nothing of ours left, if a file of either name is there."""
    if not _appear(beside(path), told):
        return False
    try:
        return _appear(path, data)
    finally:
        if not _holds(path, data) and _holds(beside(path), told):
            beside(path).unlink()


def _holds(path: Path, data: bytes) -> bool:
    with suppress(OSError):
        return plain_bytes(path) == data
    return False


def _appear(path: Path, data: bytes) -> bool:
    """Make a file, whole at once. False, and what is there untouched, if one of that name is
    there."""
    with draft_of(path) as draft:
        atomic_write(draft, data)
        with disk_errors("write the release", path):
            try:
                os.link(draft, path)
            except FileExistsError:
                # a network disk can lose the answer to a link that worked
                return _holds(path, data)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                if os.path.lexists(path):
                    return False
                draft.rename(path)  # the number is ours alone
            flush(path.parent)
    return True
