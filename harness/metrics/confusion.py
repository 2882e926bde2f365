"""Scores of labels that accuracy does not give: macro-F1, in which a rare class counts as much as a
frequent one, and Matthews correlation (CoLA), which is 0 for whoever answers without looking,
however the classes are spread.

Both follow from how often each class was answered, was right, and was both: counts, which add over
rows.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, cast

from harness.common.late import Late
from harness.metrics.metric import Metric, Number, Vector, Vectors, share
from harness.metrics.scored import Examples, Scored, check_pairs, numbered

if TYPE_CHECKING:
    import numpy as np
else:
    np = Late("numpy")


class Counts(NamedTuple, Generic[Number]):
    """Of each class, a number (or an array of numbers, one for each set of rows)."""

    tp: list[Number]
    pred: list[Number]
    gold: list[Number]

    @property
    def rows(self) -> Number:
        return _total(self.gold)


def macro_f1(golds: list[str], predictions: list[str], language: str = "") -> Scored:
    """The mean over classes of their F1. The classes are those that some gold label or some answer
    has.

    A class that neither has is left out, so that a perfect answer is 100 also where a test set
    lacks a label of its task; one that is only ever answered counts with F1 0.

    golds, predictions  n label strings each, stripped
    metrics             macro_f1; accuracy; 0-100
    examples            n class numbers each: gold, predicted
    null                100 / (classes of the golds): of all that answer without looking, drawing
                        each class as often as the golds have it does best, with an expected F1 of
                        each class's own share, which are 1 together
    raises              ValueError: different lengths, or nothing to score
    source              sklearn.metrics.f1_score(golds, predictions, average="macro",
                        zero_division=0)
    """
    return macro_f1_from(_examples(golds, predictions))


def macro_f1_from(examples: Examples) -> Scored:
    """`macro_f1` of its examples."""
    counts = class_counts(examples)
    classes = sum(p + g > 0 for p, g in zip(counts.pred, counts.gold, strict=True))
    weights = [2 / (p + g) / classes for p, g in zip(counts.pred, counts.gold, strict=True)]
    null = 1 / sum(g > 0 for g in counts.gold)
    return _scored(
        "macro_f1",
        examples,
        counts,
        null,
        "macro-F1 of drawing labels as often as the gold has them",
        weights,
    )


def matthews(golds: list[str], predictions: list[str], language: str = "") -> Scored:
    """Matthews correlation times 100, of two classes or more; -100 to 100, 0 where one side has one
    class only.

    golds, predictions  n label strings each, stripped
    metrics             matthews; accuracy, 0-100
    examples            n class numbers each: gold, predicted
    null                0, which is what any answer without looking reaches on average
    raises              ValueError: different lengths, or nothing to score
    source              sklearn.metrics.matthews_corrcoef: R_K of Gorodkin 2004, Computational
                        Biology and Chemistry 28(5); CoLA: Warstadt et al. 2019, arXiv 1805.12471;
                        GLUE: Wang et al. 2018, arXiv 1804.07461
    """
    return matthews_from(_examples(golds, predictions))


def matthews_from(examples: Examples) -> Scored:
    """`matthews` of its examples."""
    counts = class_counts(examples)
    spread = _spread(counts)
    weights = [counts.rows / spread if spread else 0.0] * len(counts.gold)
    return _scored(
        "matthews", examples, counts, 0.0, "Matthews correlation of any constant answer", weights
    )


def macro_f1_of(counts: Counts[Number]) -> Number:
    """0-1; 0 of nothing."""
    rows = zip(counts.tp, counts.pred, counts.gold, strict=True)
    there = cast(Number, sum(p + g > 0 for p, g in zip(counts.pred, counts.gold, strict=True)))
    shares = [share(2 * t, p + g) for t, p, g in rows]
    if isinstance(there, np.ndarray):
        return share(_total(shares), there)
    # of numbers the exact sum, which no order of the classes changes
    return share(math.fsum(shares), there)


def matthews_of(counts: Counts[Number]) -> Number:
    """-1 to 1; 0 where one side has one class only."""
    both = _total([p * g for p, g in zip(counts.pred, counts.gold, strict=True)])
    return share(counts.rows * _total(counts.tp) - both, _spread(counts))


_OF = {"macro_f1": macro_f1_of, "matthews": matthews_of}


def class_vectors(examples: Vectors) -> dict[str, Vector]:
    """0 or 1 of each row, for each class c: `tp c`, `pred c`, `gold c`. Their sums are the
    counts."""
    gold, predicted = (np.asarray(examples[name]) for name in ("gold", "predicted"))
    found: dict[str, Vector] = {}
    for i, one in enumerate(np.unique(np.concatenate([gold, predicted]))):
        is_gold, is_predicted = gold == one, predicted == one
        found[f"gold {i}"] = is_gold.astype(np.float64)
        found[f"pred {i}"] = is_predicted.astype(np.float64)
        found[f"tp {i}"] = (is_gold & is_predicted).astype(np.float64)
    return found


def counts_of(totals: Mapping[str, Number]) -> Counts[Number]:
    """The counts from the sums of `class_vectors`."""
    classes = range(sum(name.startswith("gold ") for name in totals))

    def of_each(what: str) -> list[Number]:
        return [totals[f"{what} {i}"] for i in classes]

    return Counts(*map(of_each, Counts._fields))


def class_counts(examples: Examples) -> Counts[float]:
    """The counts of all rows; classes in the order of their numbers."""
    gold, predicted = Counter(examples["gold"]), Counter(examples["predicted"])
    right = Counter(
        g for g, p in zip(examples["gold"], examples["predicted"], strict=True) if g == p
    )
    classes = sorted(gold | predicted)

    def by_class(counted: Counter[float]) -> list[float]:
        return [counted[one] for one in classes]

    return Counts(tp=by_class(right), pred=by_class(predicted), gold=by_class(gold))


def _examples(golds: list[str], predictions: list[str]) -> Examples:
    """Numbers of classes as they first appear, those of the golds first: no answer changes a gold's
    number."""
    check_pairs(golds, predictions)
    numbers = numbered([label.strip() for label in (*golds, *predictions)])
    return {"gold": numbers[: len(golds)], "predicted": numbers[len(golds) :]}


def _scored(
    name: str,
    examples: Examples,
    counts: Counts[float],
    null: float,
    null_name: str,
    weights: list[float],
) -> Scored:
    score = float(_OF[name](counts))
    error = max(_jackknife(name, examples, counts, score), _shuffled(counts, weights))
    return Scored(
        metrics={name: 100 * score, "accuracy": sum(counts.tp) / counts.rows * 100},
        main=100 * score,
        examples=examples,
        null=100 * null,
        null_name=null_name,
        above_null=100 * (score - null),
        stderr=100 * min(1.0, error),
    )


def _jackknife(name: str, examples: Examples, counts: Counts[float], score: float) -> float:
    """Standard error of a score by leaving out one row at a time (Efron and Tibshirani 1993,
    chapter 11).

    Rows with the same gold label and the same answer are alike, so that one of each kind is left
    out.
    """
    rows = counts.rows
    if rows < 2:
        return 1.0  # one row tells nothing about the spread: the whole range
    place = {one: i for i, one in enumerate(sorted({*examples["gold"], *examples["predicted"]}))}
    without: list[tuple[int, float]] = []
    for (gold, guess), many in Counter(
        zip(examples["gold"], examples["predicted"], strict=True)
    ).items():
        less = Counts(*(list(vector) for vector in counts))
        less.gold[place[gold]] -= 1
        less.pred[place[guess]] -= 1
        less.tp[place[gold]] -= gold == guess
        without.append((many, float(_OF[name](less)) - score))
    average = math.fsum(many * moved for many, moved in without) / rows
    squares = math.fsum(many * (moved - average) ** 2 for many, moved in without)
    return math.sqrt((rows - 1) / rows * squares)


def _shuffled(counts: Counts[float], weights: list[float]) -> float:
    """Standard deviation of a score over all orders of the same answers: what chance alone moves it
    by.

    Both scores are sums over classes of weight x tp where the totals of both sides are fixed; the
    variance is that of a permutation statistic (Hoeffding 1951, Annals of Mathematical Statistics
    22(4)). It keeps a few rows that happen to be right, whose jackknife says that nothing can move,
    from looking `learned`.
    """
    rows = counts.rows
    if rows < 2:
        return 1.0
    own = (
        w * w * p * g * (1 - (p + g) / rows)
        for w, p, g in zip(weights, counts.pred, counts.gold, strict=True)
    )
    together = (
        math.fsum(w * p * g for w, p, g in zip(weights, counts.pred, counts.gold, strict=True))
        / rows
    )
    return math.sqrt(max(0.0, math.fsum([*own, together * together]) / (rows - 1)))


def _total(values: Sequence[Number]) -> Number:
    """Their sum; 0 of none."""
    return cast(Number, sum(values))


def _spread(counts: Counts[Number]) -> Number:
    rows = counts.rows
    pred = rows * rows - _total([count * count for count in counts.pred])
    gold = rows * rows - _total([count * count for count in counts.gold])
    return cast(Number, np.sqrt(pred * 1.0 * gold))


def _macro_f1_from_totals(totals: Mapping[str, Number]) -> Number:
    return 100 * macro_f1_of(counts_of(totals))


def _matthews_from_totals(totals: Mapping[str, Number]) -> Number:
    return 100 * matthews_of(counts_of(totals))


MACRO_F1 = Metric(
    name="macro_f1",
    version=1,
    scores=("label",),
    score=macro_f1,
    from_examples=macro_f1_from,
    gold_side=("gold",),
    prediction_side=("predicted",),
    resampled=class_vectors,
    main_from_totals=_macro_f1_from_totals,
    null_is_main=True,
)
MATTHEWS = Metric(
    name="matthews",
    version=1,
    scores=("label",),
    score=matthews,
    from_examples=matthews_from,
    gold_side=("gold",),
    prediction_side=("predicted",),
    resampled=class_vectors,
    main_from_totals=_matthews_from_totals,
    null_is_main=True,
    lowest=-100,
)
