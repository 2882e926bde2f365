"""The nearest rows of two heaps of vectors, both ways at once, by inner product: exact, in blocks,
each product computed once.

A block of similarities is read twice where it still lies in the cache: which of its entries beat
the k-th best of their row so far, and which that of their column. Few do, once the first blocks are
through, and only those are sorted in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common import variables
from harness.common.late import Late

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    # floats of any width where a docstring says so, else float32 or int64
    Matrix = npt.NDArray[Any]
    Entries = tuple[Matrix, Matrix, Matrix]  # values, whose they are, with whom
else:
    np = Late("numpy")

# A block of similarities is at most 2,048 rows of x by 1,024 of y: 8 MiB, which a processor's cache
# holds. Never derived from the number of threads, as a product's last digits may depend on the
# blocks.
_BLOCK = (2048, 1024)
_BLOCKS_AT_ONCE = 8  # of x, between two points where threads wait for each other
_SLAB = 64  # rows of a block whose maxima are looked at before they are
_DENSE = 16  # more entries a row than this that beat its k-th best: look for the k best at once


class Nearest(NamedTuple):
    """The best so far of some rows: similarities (rows, k) descending, and with whom."""

    values: Matrix
    rows: Matrix

    @staticmethod
    def nothing(rows: int, k: int) -> Nearest:
        """Before the first block."""
        return Nearest(np.full((rows, k), -np.inf, np.float32), np.zeros((rows, k), np.int64))

    def part(self, start: int, rows: int) -> Nearest:
        """Some of them, as views."""
        return Nearest(self.values[start : start + rows], self.rows[start : start + rows])

    def put(self, at: Matrix | slice, *found: Nearest) -> None:
        """Set rows to the k best of what was found; of equals the first wins."""
        values = np.concatenate([one.values for one in found], axis=1)
        rows = np.concatenate([one.rows for one in found], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, : self.values.shape[1]]
        self.values[at] = np.take_along_axis(values, order, axis=1)
        self.rows[at] = np.take_along_axis(rows, order, axis=1)


class Distinct:
    """The distinct vectors of a side in the order of their first row; `group`: which of them each
    row is.

    A matrix product may round two equal rows apart, by where they lie in its blocks. So only
    distinct rows are searched, and spread to their equals afterwards.
    """

    def __init__(self, vectors: Matrix):
        seen: dict[bytes, int] = {}
        self.group = np.empty(len(vectors), np.int64)
        for i, row in enumerate(vectors):
            digest = hashlib.blake2b(row, digest_size=16).digest()
            self.group[i] = seen.setdefault(digest, len(seen))
        self.vectors, self.count = vectors, len(seen)
        self._first = np.unique(self.group, return_index=True)[1]

    def block(self, start: int, rows: int) -> Matrix:
        """At most `rows` of them."""
        at = slice(start, min(self.count, start + rows))
        if self.count == len(self.vectors):
            return self.vectors[at]
        return self.vectors[self._first[at]]


Search = Callable[[Distinct, Distinct, int], tuple[Nearest, Nearest]]


def normalise(vectors: Matrix) -> Matrix:
    """Rows divided by their L2 norm, in place where the array is float32, contiguous and writeable;
    a zero row stays.

    vectors  (n, d), any float type
    raises   ValueError: NaN or infinite values
    """
    vectors = np.require(vectors, np.float32, ["C", "W"])
    for start in range(0, len(vectors), _BLOCK[0]):  # blocks: norm() squares into a copy
        block = vectors[start : start + _BLOCK[0]]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        if not np.isfinite(norms).all():
            raise ValueError("embeddings hold NaN or infinite values")
        block /= np.where(norms == 0, 1, norms)
    return vectors


def knn(
    x: Matrix, y: Matrix, k: int, search: Search | None = None
) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
    """The k nearest rows of y for each row of x, and of x for each row of y, by inner product;
    exact.

    x, y     (n, d) and (m, d), finite, float32 (another type is copied to it)
    search   among distinct vectors: `on_cores`, or one like it on another device
    returns  (similarities float32, rows int64) twice, (n, min(k, m)) and (m, min(k, n)), by
             descending similarity; equal ones by ascending row
    raises   ValueError: shapes that do not fit, k below 1, NaN or infinite values

    Memory beyond x and y, for n = m = 400,000, d = 1024, k = 4 and T threads:
        a block of 2,048 by 1,024 and one gathered from it, for each thread     16·T MiB
        its two blocks of vectors, where they must be gathered                  12·T MiB
        what it found, until the threads' are put together                     0.8·T MiB
        neighbours found, twice while they are spread      2 · 12·k·(n + m)       74 MiB
        which rows are equal: 8-byte numbers, hash table       ~250·(n + m)      191 MiB
    together 0.3 GiB for one thread and 0.7 GiB for 16, whatever n · m is.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or k < 1:
        raise ValueError(
            f"knn needs (n, d) and (m, d) vectors and k > 0; got {x.shape}, {y.shape}, k {k}"
        )
    x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
    # a sum, since isfinite(x) is a matrix itself
    if not all(np.isfinite(side.sum(dtype=np.float64)) for side in (x, y)):
        raise ValueError("knn: vectors hold NaN or infinite values")
    of, to = Distinct(x), Distinct(y)
    of_x, of_y = (search or on_cores)(of, to, k)
    return (
        _spread(of_x, of.group, to.group, min(k, len(y))),
        _spread(of_y, to.group, of.group, min(k, len(x))),
    )


def on_cores(x: Distinct, y: Distinct, k: int) -> tuple[Nearest, Nearest]:
    """The search on as many cores as the process owns. Their number changes no digit: the blocks
    stay the same, and each is computed by one thread, which has a share of y for itself."""
    of_x = Nearest.nothing(x.count, min(k, y.count))
    of_y = Nearest.nothing(y.count, min(k, x.count))
    threads = variables.own_cores()
    tall, wide = _BLOCK
    blocks = range(0, y.count, wide)
    each = max(1, -(-len(blocks) // threads))
    shares = [blocks[i : i + each] for i in range(0, len(blocks), each)]
    panel = _BLOCKS_AT_ONCE * tall

    def fold(start: int, share: range) -> Nearest:
        """The best of `panel` rows of x among a thread's share of y, whose own best it moves."""
        rows = min(panel, x.count - start)
        found = Nearest.nothing(rows, of_x.values.shape[1])
        buffer = np.empty((tall + _SLAB) * wide, np.float32)
        for j in share:
            y_block = y.block(j, wide)
            for i in range(0, rows, tall):
                x_block = x.block(start + i, tall)
                height, width = len(x_block), len(y_block)
                similar = buffer[: -(-height // _SLAB) * _SLAB * width].reshape(-1, width)
                similar[height:] = -np.inf  # whole slabs
                np.matmul(x_block, y_block.T, out=similar[:height])
                _merge(found.part(i, height), similar[:height], j, axis=1)
                _merge(of_y.part(j, width), similar, start + i, axis=0)
        return found

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, x.count, panel):
            parts = list(pool.map(fold, [start] * len(shares), shares))
            if parts:
                of_x.put(slice(start, start + panel), *parts)
    return of_x, of_y


def _merge(best: Nearest, block: Matrix, offset: int, axis: int) -> None:
    """Fold a block of similarities into the best so far.

    best    of the block's rows (axis 1: they look along it) or of its columns (axis 0); whom they
            found before stands lower than the block
    offset  the number of the block's first column, or row
    """
    found = (_beating_of_rows if axis else _beating_of_columns)(best, block)
    if found is None:
        _merge_dense(best, block if axis else block.T, offset)
    elif len(found[0]):
        values, owner, other = found
        _merge_sparse(best, values, owner, other + offset)


def _beating_of_rows(best: Nearest, block: Matrix) -> Entries | None:
    """The entries that beat the worst of their row's best, in their order; None if they are
    many."""
    worst = best.values[:, -1]
    if np.isneginf(worst).any():
        return None
    rows = np.flatnonzero(block.max(axis=1) > worst)
    some = block[rows]
    found = np.flatnonzero(some > worst[rows, None])
    if len(found) > _DENSE * len(worst):
        return None
    row, column = np.divmod(found, block.shape[1])
    return some[row, column], rows[row], column


def _beating_of_columns(best: Nearest, block: Matrix) -> Entries | None:
    """The same of columns; those of one by ascending row."""
    worst, k = best.values[:, -1], best.values.shape[1]
    # a column is no run of memory, and a slab of it is soon gathered
    slabs = block.reshape(-1, _SLAB, block.shape[1])
    top = slabs.max(axis=1)
    if np.isneginf(worst).any() and k <= len(top):  # k entries are at least as large as this
        least = np.partition(top, -k, axis=0)[-k]
        worst = np.maximum(worst, np.nextafter(least, np.float32(-np.inf)))
    slab, column = np.nonzero(top > worst)
    if len(column) > _DENSE * len(worst):
        return None
    some = slabs[slab, :, column]
    pair, row = np.divmod(np.flatnonzero(some > worst[column, None]), _SLAB)
    return some[pair, row], column[pair], slab[pair] * _SLAB + row


def _merge_sparse(best: Nearest, values: Matrix, owner: Matrix, other: Matrix) -> None:
    """Fold in single entries; those of an owner come by ascending `other`."""
    order = np.lexsort((-values, owner))  # stable
    values, owner, other = values[order], owner[order], other[order]
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    size = np.diff(np.append(first, len(owner)))
    rank = np.arange(len(owner)) - np.repeat(first, size)
    fits = rank < best.values.shape[1]
    row = np.repeat(np.arange(len(first)), size)[fits], rank[fits]

    fresh = Nearest.nothing(len(first), best.values.shape[1])
    fresh.values[row], fresh.rows[row] = values[fits], other[fits]
    owners = owner[first]
    best.put(owners, Nearest(best.values[owners], best.rows[owners]), fresh)


def _merge_dense(best: Nearest, block: Matrix, offset: int) -> None:
    """Fold in a block whose every row may hold k that are better."""
    block = np.array(block, order="C")
    found = [best]
    for _ in range(min(best.values.shape[1], block.shape[1])):
        column = block.argmax(axis=1)[:, None]  # the first of equals
        found.append(Nearest(np.take_along_axis(block, column, axis=1), column + offset))
        np.put_along_axis(block, column, -np.inf, axis=1)
    best.put(slice(None), *found)


def _spread(best: Nearest, group: Matrix, other_group: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """From neighbours among distinct vectors to neighbours among rows: every vector stands for all
    its equal rows.

    Each of the k nearest rows equals one of the k nearest distinct vectors, and is among the first
    k that do.
    """
    values, rows = np.empty((len(group), k), np.float32), np.empty((len(group), k), np.int64)
    if not k:
        return values, rows
    side_by_side = np.argsort(other_group, kind="stable")
    size = np.bincount(other_group)
    begin = np.cumsum(size) - size
    for start in range(0, len(group), _BLOCK[0]):
        at = slice(start, start + _BLOCK[0])
        similar, near = best.values[group[at], :, None], best.rows[group[at], :, None]
        copies = np.arange(min(k, size.max()))
        member = side_by_side[np.minimum(begin[near] + copies, len(side_by_side) - 1)].reshape(
            len(near), -1
        )
        similar = np.where(copies < size[near], similar, -np.inf).reshape(len(near), -1)
        order = np.lexsort((member, -similar), axis=1)[:, :k]
        values[at], rows[at] = (
            np.take_along_axis(similar, order, axis=1),
            np.take_along_axis(member, order, axis=1),
        )
    return values, rows
