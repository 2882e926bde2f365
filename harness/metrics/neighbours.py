"""Retrieval of translations (Tatoeba): exact search by cosine, and the accuracy of its first
hit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from harness.common.late import Late
from harness.metrics.accuracy import most_frequent
from harness.metrics.metric import Metric, Vector, Vectors, ratio
from harness.metrics.scored import Examples, Scored, check_pairs, numbered, paired_difference

if TYPE_CHECKING:
    import numpy as np
else:
    np = Late("numpy")

_SCORES_AT_ONCE = 1 << 24  # similarities held in memory at a time: 64 MiB of float32


def retrieval_accuracy(
    golds: Sequence[int | str], predictions: Sequence[int | str], language: str = ""
) -> Scored:
    """Share of queries whose first hit is the gold row.

    golds, predictions  n ids each, ints or strings (compared as stripped strings, as XTREME's
                        evaluate.py reads them)
    metrics             accuracy; f1 weighted by class, each gold id being a class, as MTEB reports
                        Tatoeba; 0-100
    examples            n each: gold and predicted, the ids numbered by their first appearance in
                        golds, then in predictions; null, 0 or 1, whether the gold is the most
                        frequent one
    null                the constant most frequent gold id; where no gold repeats, as in Tatoeba,
                        that is chance, 100 / number of golds
    raises              ValueError: different lengths, or nothing to score
    source              google-research/xtreme, evaluate.py; Artetxe and Schwenk 2019, arXiv
                        1812.10464 (the data); f1: Muennighoff et al. 2023, arXiv 2210.07316 (bitext
                        mining)
    """
    check_pairs(golds, predictions)
    gold_ids = [str(row).strip() for row in golds]
    found_ids = [str(row).strip() for row in predictions]
    frequent = most_frequent(gold_ids)
    numbers = numbered([*gold_ids, *found_ids])
    gold, predicted = numbers[: len(golds)], numbers[len(golds) :]
    return retrieval_accuracy_from(
        {"gold": gold, "predicted": predicted, "null": [int(id_ == frequent) for id_ in gold_ids]}
    )


def retrieval_accuracy_from(examples: Examples) -> Scored:
    """`retrieval_accuracy` of its examples."""
    golds, predictions, constant = (examples[name] for name in ("gold", "predicted", "null"))
    correct = [int(gold == guess) for gold, guess in zip(golds, predictions, strict=True)]
    above, stderr = paired_difference([c - k for c, k in zip(correct, constant, strict=True)])
    score = sum(correct) / len(golds) * 100
    return Scored(
        metrics={"accuracy": score, "f1": 100 * weighted_f1(golds, predictions)},
        main=score,
        examples=examples,
        null=sum(constant) / len(golds) * 100,
        null_name="accuracy of always answering the most frequent gold id",
        above_null=100 * above,
        stderr=100 * stderr,
    )


def weighted_f1(golds: Sequence[Hashable], predictions: Sequence[Hashable]) -> float:
    """F1 of each class, averaged with its share of the golds as weight; 0-1.

    A class that is never right has F1 0; a class that is only ever predicted has weight 0.
    """
    gold, guess = Counter(golds), Counter(predictions)
    right = Counter(g for g, p in zip(golds, predictions, strict=True) if g == p)
    return math.fsum(n * 2 * right[c] / (n + guess[c]) for c, n in gold.items()) / len(golds)


def search(queries: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The nearest row of `index` for each query, by cosine; exact, ties to the lowest row.

    queries  (n, d), index (m, d); any float type, computed in float32. An all-zero vector has
             cosine 0 with everything
    returns  (n,) int64 row numbers
    raises   ValueError: shapes that do not fit, an empty index, NaN or infinite values
    source   XTREME's Tatoeba: squared L2 distance of normalised vectors, which orders rows as
             cosine does
    """
    if queries.ndim != 2 or index.ndim != 2 or queries.shape[1] != index.shape[1] or not len(index):
        raise ValueError(
            f"search needs (n, d) queries and a (m, d) index, m > 0; got {queries.shape} and"
            f" {index.shape}"
        )
    queries, index = _unit_rows(queries, "queries"), _unit_rows(index, "index")
    # A matrix product may round two equal rows apart, by where they lie in its blocks. So equal
    # rows are found by their bytes, and each answers with its first.
    first: dict[bytes, int] = {}
    lowest = np.array(
        [first.setdefault(row.tobytes(), i) for i, row in enumerate(index)], dtype=np.int64
    )
    rows = max(1, _SCORES_AT_ONCE // len(index))
    found = [
        np.argmax(queries[i : i + rows] @ index.T, axis=1) for i in range(0, len(queries), rows)
    ]
    return lowest[np.concatenate(found)] if found else np.zeros(0, dtype=np.int64)


def _unit_rows(vectors: np.ndarray, name: str) -> np.ndarray:
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    # nor may a square overflow: the row would be all zeros, and as near to one as to another
    if not np.isfinite(norms).all():
        raise ValueError(f"search: {name} hold NaN or infinite values, or some whose squares are")
    return vectors / np.where(norms == 0, 1, norms)


def _hits(examples: Vectors) -> dict[str, Vector]:
    """0 or 1 of each query. Ids are compared, which no sum of ids could tell."""
    pairs = zip(examples["gold"], examples["predicted"], strict=True)
    return {"correct": [int(gold == guess) for gold, guess in pairs]}


RETRIEVAL_ACCURACY = Metric(
    name="retrieval_accuracy",
    version=1,
    scores=("id",),
    score=retrieval_accuracy,
    from_examples=retrieval_accuracy_from,
    gold_side=("gold", "null"),
    prediction_side=("predicted",),
    resampled=_hits,
    main_from_totals=ratio("correct", "n"),
)
