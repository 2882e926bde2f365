"""Bitext mining (BUCC 2018): exact k nearest neighbours, margin scores, a threshold from dev, and
F1 over pairs.

Rules of google-research/xtreme, third_party/utils_retrieve.py (mine_bitext, bucc_optimize,
bucc_extract), which goes back to LASER: Artetxe and Schwenk 2019, arXiv 1811.01136 (margins);
Zweigenbaum et al. 2018 (the data).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from harness.common.late import Late
from harness.metrics.knn import Search, knn
from harness.metrics.metric import Metric, f1_from_totals, precision_recall_f1, sums_of
from harness.metrics.scored import Examples, Scored, check_pairs, paired_difference

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    # floats of any width where a docstring says so, else float32 or int64
    Matrix = npt.NDArray[Any]
else:
    np = Late("numpy")

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
    x: Matrix,
    y: Matrix,
    neighbours: int = 4,
    margin: str = "ratio",
    retrieval: str = "max",
    search: Search | None = None,
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
    (x_cosines, x_near), (y_cosines, y_near) = knn(x, y, neighbours, search)
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
