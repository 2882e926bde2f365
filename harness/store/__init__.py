"""Job results by key, on a disk that several machines may share.

    ROOT/jobs/KEY.json       what a job is to do
    ROOT/results/KEY/        its files and manifest.json: complete or absent, never half; so are
                             tokenised rows, by a key of their own
    ROOT/tmp/                working directories; the name says whose
    ROOT/leases/             who works on what now
    ROOT/checkpoints/KEY/    the train job's own, until its result is committed
    ROOT/damaged/KEY.N/      set aside, with the reason in a file WHY
    ROOT/index/              caches that can be rebuilt

What makes this safe is one rename: files and manifest are flushed in tmp/, the manifest last, and
then the directory appears under results/ whole. Leases only save work: if two machines ever hold
the same one (a clock that jumps, a network that stalls), both compute, the first commit stays, the
second is thrown away. No flock: network disks lie.
"""

from harness.store.files import (
    DamagedError,
    HashIndex,
    Keys,
    atomic_write,
    canonical_json,
    disk_errors,
    draft_of,
    file_sha256,
    flush,
    key_of,
    signature,
)
from harness.store.inputs import hold, unchanged
from harness.store.lease import Lease
from harness.store.results import Collected, Manifest, Store

__all__ = [
    "Collected",
    "DamagedError",
    "HashIndex",
    "Keys",
    "Lease",
    "Manifest",
    "Store",
    "atomic_write",
    "canonical_json",
    "disk_errors",
    "draft_of",
    "file_sha256",
    "flush",
    "hold",
    "key_of",
    "signature",
    "unchanged",
]
