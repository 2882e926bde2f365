"""Files that a job reads and no result holds (rows, pretrained weights), held against the SHA-256
that its key names.

A plan hashes them, and hours may pass before a job reads them. What is read under `unchanged` has
the named hash: the file is hashed before, and after it inode, size and times must be what they
were. A process hashes a file once and then only looks at its status, a few microseconds, until that
changes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.common.errors import MissingError, SpecError
from harness.store.files import HashIndex, signature

_seen = HashIndex()  # of this process, never written


def hold(files: Mapping[Path, str]) -> None:
    """Check that each file (path → SHA-256) is still what was planned.

    raises  SpecError: another hash; both are named.  MissingError: the file is gone
    """
    for file, planned in files.items():
        if not file.exists():
            raise MissingError(
                f"{file} is gone since the job was planned; put it back, or plan again without it"
            )
        now = _seen.sha256(file)
        if now != planned:
            raise SpecError(
                f"{file} has changed since the job was planned: its SHA-256 is {now}, the job's key"
                f" names {planned}. Nothing was kept of it; put the file back, or run the same"
                " command again, which plans with the new one"
            )


@contextmanager
def unchanged(files: Mapping[Path, str]) -> Iterator[None]:
    """What the block reads of these files is what their hashes name, or it ends in an error as of
    `hold`."""
    hold(files)
    before = {file: signature(file) for file in files}
    yield
    hold(files)
    for file, seen in before.items():
        if signature(file) != seen:
            raise SpecError(
                f"{file} was written while it was read; run the same command again once nobody"
                " changes it"
            )
