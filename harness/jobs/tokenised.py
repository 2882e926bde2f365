"""Tokenised rows, made once and shared by all jobs of a store that read the same rows with the same
tokenizer for the same task.

They lie there as a result of their own: an Arrow file that is mapped, so that the workers of a
machine share its memory and only the rows of a batch are made. They decide nothing. Where they are
absent or damaged, or the disk is full, a job encodes its rows; so do several that start together,
since waiting for the first would take as long.
"""

import functools
import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness import families, models, sources
from harness.common.errors import StoreError
from harness.families import Family
from harness.families.columns import Row
from harness.jobs.context import Context
from harness.models.batching import feature_length
from harness.models.half import Feature, TaskJson
from harness.models.loaded import LoadedEncoder
from harness.sources.encoder_files import DECISIVE
from harness.store import DamagedError, Store, key_of
from harness.store.columnar import NotPlainError, column_of, numbers_of, packed, reader
from harness.store.job import RowsJson
from harness.store.results import TOKENISED

FILE = "features.arrow"
# Subwords that are worth a file: a third of a second of encoding, of which opening it takes a
# thirtieth. Of fewer a store would have many files and nobody any gain.
WORTH = 100_000
_ROWS_AT_ONCE = 1000


class Tokenised(NamedTuple):
    """What became of some rows.

    rows      how many there were
    features  as their family's `encode` gives them: a list, or `Mapped`
    lengths   `feature_length` of each
    """

    rows: int
    features: Sequence[Feature]
    lengths: npt.NDArray[np.int64]


class Mapped(Sequence[Feature]):
    """Features that lie in an Arrow table; each is made anew whenever it is asked for."""

    def __init__(self, table: pa.Table):
        form = json.loads(table.schema.metadata[b"form"])
        self._count = len(table)
        self._read = reader(form, table["feature"].chunk(0))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(self._count))]
        if not -self._count <= place < self._count:
            raise IndexError(f"feature {place} of {self._count}")
        start = int(place) % self._count
        return self._read(start, start + 1)[0]

    def __iter__(self) -> Iterator[Feature]:
        for start in range(0, self._count, _ROWS_AT_ONCE):
            yield from self._read(start, min(start + _ROWS_AT_ONCE, self._count))


class RowsAsked(NamedTuple):
    """Some rows of a job: what they are, and how to come by them.

    dataset    the job's
    selection  what of the job decides which of its rows, in which order, with which labels
    read       reads them
    """

    dataset: RowsJson
    selection: Any
    read: Callable[[], list[Row]]


def tokenised(
    ctx: Context,
    encoder: LoadedEncoder,
    family: Family,
    task: TaskJson,
    rows: RowsAsked,
    training: bool,
) -> Tokenised:
    """The features of these rows; those of the store, or new ones, which are then left there."""
    key = _key(encoder, family, task, rows, training)
    if found := _kept(ctx.store, key):
        return found

    read = rows.read()
    features = family.trainer().encode(read, encoder, task, training)
    lengths = np.array([feature_length(feature) for feature in features], dtype=np.int64)
    made = Tokenised(len(read), features, lengths)
    table = _table(made) if lengths.sum() >= WORTH else None
    if table is None:
        return made
    # mapped or not, a column takes a fortieth of the memory of a list of Python's ints
    name = f"tokenised {rows.dataset['name']}"
    return _keep(ctx.store, key, table, name) or _opened(table)


def _key(
    encoder: LoadedEncoder, family: Family, task: TaskJson, rows: RowsAsked, training: bool
) -> str:
    """The hash of all that decides the features. Weights do not."""
    files = encoder.identity.get("files", {})
    identity = encoder.identity | {"files": {name: files.get(name) for name in DECISIVE}}
    return key_of(
        {
            "kind": TOKENISED,
            "code": _code(family),
            "encoder": identity,
            "data": rows.dataset["identity"],
            "selection": rows.selection,
            "task": task,
            "family": family.version,
            "training": training,
        }
    )


@functools.cache
def _code(family: Family) -> list[str]:
    """What reads and encodes rows: the packages, and a hash of the source. A version would not do:
    features may change their shape and give the same results."""
    rooms = [sources, families, models, inspect.getmodule(family.trainer())]
    folders = {Path(inspect.getfile(room)).parent for room in rooms if room}
    source = hashlib.sha256()
    for folder in sorted(folders):
        for file in sorted(folder.glob("*.py")):
            source.update(file.read_bytes())
    packages = [f"{name} {version(name)}" for name in ("tokenizers", "transformers")]
    return [*packages, source.hexdigest()]


def _table(made: Tokenised) -> pa.Table | None:
    """One column for features, one for lengths; None if the family's features are not plain."""
    try:
        form, features = packed(made.features)
    except NotPlainError:
        return None
    facts = {"form": json.dumps(form), "rows": str(made.rows)}
    columns = {"feature": features, "length": column_of(made.lengths)}
    return pa.table(columns).replace_schema_metadata(facts)


def _opened(table: pa.Table) -> Tokenised:
    rows = int(table.schema.metadata[b"rows"])
    return Tokenised(rows, Mapped(table), numbers_of(table["length"].chunk(0)))


def _kept(store: Store, key: str) -> Tokenised | None:
    """Those of the store, their hash just checked; None if there are none. What is damaged is set
    aside."""
    if store.manifest(key) is None:  # one that is garbled goes when a new one is kept
        return None
    try:
        path = store.path(key, FILE)
        with suppress(OSError):
            os.utime(path.parent)  # when they were used last, for `Store.collect`
        return _opened(pa.ipc.open_file(pa.memory_map(str(path))).read_all())
    except DamagedError as error:
        _say(f"{error.name} is damaged ({error.why}) and is made again", key)
        with suppress(StoreError):
            store.set_aside(key, error.why)
    except (StoreError, OSError) as error:
        _say(f"cannot be read: {error}", key)
    return None


def _keep(store: Store, key: str, table: pa.Table, name: str) -> Tokenised | None:
    """Leave them in the store; None, and it is said why, if that cannot be done."""
    try:
        with store.workdir(key) as folder:
            with pa.ipc.new_file(str(folder / FILE), table.schema) as file:
                file.write_table(table)
            store.commit(key, folder, {"kind": TOKENISED, "name": name})
    except (StoreError, OSError) as error:
        _say(f"are not kept: {error}", key)
        return None
    return _kept(store, key)


def _say(what: str, key: str) -> None:
    print(f"tokenised rows {key[:12]} {what}", file=sys.stderr, flush=True)
