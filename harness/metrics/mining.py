"""Bitext mining (BUCC 2018): exact k nearest neighbours, margin scores, a threshold from dev, and
F1 over pairs.

Rules of google-research/xtreme, third_party/utils_retrieve.py (mine_bitext, bucc_optimize,
bucc_extract), which goes back to LASER: Artetxe and Schwenk 2019, arXiv 1811.01136 (margins);
Zweigenbaum et al. 2018 (the data).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from harness.common.late import Late
from harness.metrics.metric import Metric, f1_from_totals, precision_recall_f1, sums_of
from harness.metrics.scored import Examples, Scored, check_pairs, paired_difference

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    # floats of any width where a docstring says so, else float32 or int64
    Matrix = npt.NDArray[Any]
else:
    np = Late("numpy")

# a block of similarities is at most this many rows of x by as many of y: 64 MiB
_ROWS_AT_ONCE = 4096

Id = int | str


def mining_f1(golds: list[list[Id]], predictions: list[list[Id]], language: str = "") -> Scored:
    """F1 over (row, id on the other side) pairs; every number 0-100.

    golds, predictions  n rows each, the sentences of both sides; a row is a list of ids on the
                        other side. Pairs stand at source rows, so target rows have []; an id given
                        twice counts once
    metrics             f1, precision, recall
    main                f1
    examples            n counts each: tp, pred, gold (pairs)
    null                predicting no pair, which has F1 0. (One random pair per source sentence
                        finds about one gold pair in all, whatever the size of the corpora.)
    stderr              F1 is the ratio sum(2 tp) / sum(pred + gold), linearised as every ratio
                        here, by row
    raises              ValueError: different lengths, or no gold pair
    """
    check_pairs(golds, predictions)
    if not any(golds):
        raise ValueError(f"nothing to score: {len(golds)} rows without a gold pair")
    gold_sets, guess_sets = [set(row) for row in golds], [set(row) for row in predictions]
    tp = [len(gold & guess) for gold, guess in zip(gold_sets, guess_sets, strict=True)]
    return mining_f1_from(
        {
            "tp": tp,
            "pred": [len(guess) for guess in guess_sets],
            "gold": [len(gold) for gold in gold_sets],
        }
    )


def mining_f1_from(examples: Examples) -> Scored:
    """`mining_f1` of its examples, also in blocks of rows."""
    tp, pred, gold = (examples[name] for name in ("tp", "pred", "gold"))
    precision, recall, f1 = precision_recall_f1(sum(tp), sum(pred), sum(gold))
    _, stderr = paired_difference(
        [2 * n for n in tp], sizes=[p + g for p, g in zip(pred, gold, strict=True)]
    )
    return Scored(
        metrics={"f1": 100 * f1, "precision": 100 * precision, "recall": 100 * recall},
        main=100 * f1,
        examples=examples,
        null=0.0,
        null_name="F1 of predicting no pair",
        above_null=100 * f1,
        stderr=100 * stderr,
    )


def pair_f1(
    gold_pairs: Collection[Hashable], predicted_pairs: Collection[Hashable]
) -> dict[str, float]:
    """precision, recall and f1 (0-100) of two sets of pairs; 0 where nothing is right."""
    gold, predicted = set(gold_pairs), set(predicted_pairs)
    scores = precision_recall_f1(len(gold & predicted), len(predicted), len(gold))
    return {
        name: 100 * score for name, score in zip(("precision", "recall", "f1"), scores, strict=True)
    }


def threshold(
    candidates: Sequence[tuple[Hashable, Hashable, float]], gold: Collection[Hashable]
) -> float:
    """The score from which candidates are to be kept so that F1 is best. For dev: on test it would
    learn from the gold.

    candidates  (source, target, score), each pair once, in any order; gold: its set of (source,
                target)
    returns     halfway between the last candidate of the best list and the next one; the shortest
                of equally good lists. 0 if no candidate is right, as the official code.
                If the best list holds all candidates there is no next, and the threshold is the
                last one's own score. There bucc_optimize raises IndexError.
    """
    # stable, so that equal scores stay as they were given
    items = sorted(candidates, key=lambda item: -item[2])
    best, cut, right = 0.0, 0.0, 0
    for n, (source, target, score) in enumerate(items, start=1):
        right += (source, target) in gold
        _, _, f1 = precision_recall_f1(right, n, len(gold))
        if f1 > best:
            following = items[n][2] if n < len(items) else score
            best, cut = f1, (score + following) / 2
    return cut


def mine(
    x: Matrix, y: Matrix, neighbours: int = 4, margin: str = "ratio", retrieval: str = "max"
) -> list[tuple[int, int, float]]:
    """Candidate pairs (row of x, row of y, score), by descending score; equal scores in the order
    of rows.

    x, y        (n, d) and (m, d) unit vectors of distinct sentences (see `normalise`); either may
                be empty
    margin      how the cosine of a pair is held against b, the mean of both sentences' mean cosine
                with their `neighbours` nearest: ratio cos / b, distance cos - b, absolute cos. A
                pair with b = 0 has ratio 0
    retrieval   forward: the best-scored neighbour of each x; backward: of each y; intersect: pairs
                that are both; max: both lists joined, from the top each sentence used once, and
                scores above 0 only
    raises      ValueError: an unknown margin or retrieval, or what `knn` refuses
    """
    if margin not in ("ratio", "distance", "absolute") or retrieval not in (
        "max",
        "intersect",
        "forward",
        "backward",
    ):
        raise ValueError(f"no such mining: margin {margin!r}, retrieval {retrieval!r}")
    (x_cosines, x_near), (y_cosines, y_near) = knn(x, y, neighbours)
    if not len(x) or not len(y):
        return []
    x_mean, y_mean = x_cosines.mean(axis=1), y_cosines.mean(axis=1)
    x_score, x_best = _best(x_cosines, x_near, x_mean, y_mean, margin)
    y_score, y_best = _best(y_cosines, y_near, y_mean, x_mean, margin)
    x_rows, y_rows = np.arange(len(x)), np.arange(len(y))
    if retrieval == "forward":
        pairs, scores = (x_rows, x_best), x_score
    elif retrieval == "backward":
        pairs, scores = (y_best, y_rows), y_score
    elif retrieval == "intersect":
        both = np.flatnonzero(y_best[x_best] == x_rows)
        pairs, scores = (both, x_best[both]), x_score[both]
    else:
        pairs, scores = (
            (np.append(x_rows, y_best), np.append(x_best, y_rows)),
            np.append(x_score, y_score),
        )
    order = np.argsort(-scores, kind="stable")
    found = list(
        zip(pairs[0][order].tolist(), pairs[1][order].tolist(), scores[order].tolist(), strict=True)
    )
    return _one_to_one(found) if retrieval == "max" else found


def _best(
    cosines: Matrix, near: Matrix, mean: Matrix, other_mean: Matrix, margin: str
) -> tuple[Matrix, Matrix]:
    """(score, row on the other side) of each sentence's best-scored neighbour; the nearest of
    equals."""
    about = (mean[:, None] + other_mean[near]) / 2
    if margin == "ratio":
        scores = np.divide(cosines, about, out=np.zeros_like(cosines), where=about != 0)
    else:
        scores = cosines - about if margin == "distance" else cosines
    column = scores.argmax(axis=1)[:, None]
    return (
        np.take_along_axis(scores, column, axis=1)[:, 0],
        np.take_along_axis(near, column, axis=1)[:, 0],
    )


def _one_to_one(candidates: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """From the top, each candidate with a positive score neither of whose sentences is taken."""
    taken_x, taken_y, kept = set(), set(), []
    for i, j, score in candidates:
        if score > 0 and i not in taken_x and j not in taken_y:
            taken_x.add(i)
            taken_y.add(j)
            kept.append((i, j, score))
    return kept


def normalise(vectors: Matrix) -> Matrix:
    """Rows divided by their L2 norm, in place where the array is float32, contiguous and writeable;
    a zero row stays.

    vectors  (n, d), any float type
    raises   ValueError: NaN or infinite values
    """
    vectors = np.require(vectors, np.float32, ["C", "W"])
    for start in range(0, len(vectors), _ROWS_AT_ONCE):  # blocks: norm() squares into a copy
        block = vectors[start : start + _ROWS_AT_ONCE]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        if not np.isfinite(norms).all():
            raise ValueError("embeddings hold NaN or infinite values")
        block /= np.where(norms == 0, 1, norms)
    return vectors


def knn(x: Matrix, y: Matrix, k: int) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
    """The k nearest rows of y for each row of x, and of x for each row of y, by inner product;
    exact.

    x, y     (n, d) and (m, d), finite, float32 (another type is copied to it)
    returns  (similarities float32, rows int64) twice, (n, min(k, m)) and (m, min(k, n)), by
             descending similarity; equal ones by ascending row
    raises   ValueError: shapes that do not fit, k below 1, NaN or infinite values

    Memory beyond x and y, with B = _ROWS_AT_ONCE, for n = m = 400,000, d = 1024, k = 4:
        a block of similarities and one gathered from it  2 · 4·B²          128 MiB
        the two blocks of vectors                         2 · 4·B·d          32 MiB
        neighbours found, twice while they are spread     2 · 12·k·(n + m)   74 MiB
        which rows are equal: 8-byte numbers, hash table  ~250·(n + m)      191 MiB
    together under 0.5 GiB, whatever n · m is; 1 GiB is reached at about 1.5 million sentences.
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or k < 1:
        raise ValueError(
            f"knn needs (n, d) and (m, d) vectors and k > 0; got {x.shape}, {y.shape}, k {k}"
        )
    x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
    # a sum, since isfinite(x) is a matrix itself
    if not all(np.isfinite(side.sum(dtype=np.float64)) for side in (x, y)):
        raise ValueError("knn: vectors hold NaN or infinite values")
    # A matrix product may round two equal rows apart, by where they lie in its blocks. So only
    # distinct rows are searched, in the order of their first occurrence, and spread to their equals
    # afterwards.
    x_first, x_group = _distinct(x)
    y_first, y_group = _distinct(y)
    of_x = _nothing(len(x_first), min(k, len(y_first)))
    of_y = _nothing(len(y_first), min(k, len(x_first)))
    for i in range(0, len(x_first), _ROWS_AT_ONCE):
        x_block = x[x_first[i : i + _ROWS_AT_ONCE]]
        for j in range(0, len(y_first), _ROWS_AT_ONCE):
            block = x_block @ y[y_first[j : j + _ROWS_AT_ONCE]].T
            _merge(of_x, i, block, j)
            _merge(of_y, j, block.T, i)
            del block
    return _spread(of_x, x_group, y_group, min(k, len(y))), _spread(
        of_y, y_group, x_group, min(k, len(x))
    )


def _distinct(vectors: Matrix) -> tuple[Matrix, Matrix]:
    """(first row of each distinct vector, ascending; for each row, which distinct vector it is);
    int64."""
    seen: dict[bytes, int] = {}
    group = np.empty(len(vectors), np.int64)
    for i, row in enumerate(vectors):
        group[i] = seen.setdefault(hashlib.blake2b(row, digest_size=16).digest(), len(seen))
    return np.unique(group, return_index=True)[1], group


def _nothing(rows: int, k: int) -> tuple[Matrix, Matrix]:
    return np.full((rows, k), -np.inf, np.float32), np.zeros((rows, k), np.int64)


def _merge(best: tuple[Matrix, Matrix], start: int, block: Matrix, offset: int) -> None:
    """Fold a block of similarities into the best so far.

    best    similarities and columns, (rows, k) each, descending; columns that were folded in before
            are lower
    start   the row of `best` at which the block's rows begin; offset: the number of the block's
            first column
    """
    values, columns = (array[start : start + len(block)] for array in best)
    k = values.shape[1]
    # later blocks rarely hold a neighbour; an equal one loses
    rows = np.flatnonzero(block.max(axis=1) > values[:, -1])
    block = block[rows]
    found, at = [values[rows]], [columns[rows]]
    for _ in range(min(k, block.shape[1])):
        column = block.argmax(axis=1)[:, None]  # the first of equals
        found.append(np.take_along_axis(block, column, axis=1))
        at.append(column + offset)
        np.put_along_axis(block, column, -np.inf, axis=1)
    both, both_at = np.concatenate(found, axis=1), np.concatenate(at, axis=1)
    order = np.argsort(-both, axis=1, kind="stable")[:, :k]
    values[rows], columns[rows] = (
        np.take_along_axis(both, order, axis=1),
        np.take_along_axis(both_at, order, axis=1),
    )


def _spread(
    best: tuple[Matrix, Matrix], group: Matrix, other_group: Matrix, k: int
) -> tuple[Matrix, Matrix]:
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
    for start in range(0, len(group), _ROWS_AT_ONCE):
        at = slice(start, start + _ROWS_AT_ONCE)
        similar, near = best[0][group[at], :, None], best[1][group[at], :, None]
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


MINING_F1 = Metric(
    name="mining_f1",
    version=1,
    scores=("pairs",),
    score=mining_f1,
    from_examples=mining_f1_from,
    gold_side=("gold",),
    prediction_side=("tp", "pred"),
    resampled=sums_of("tp", "pred", "gold"),
    main_from_totals=f1_from_totals,
    additive=True,
)
