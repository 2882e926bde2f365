"""What every metric returns, and the error bar that says whether a model has learned anything."""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import NamedTuple

# what a metric needs to know of each example: vectors by name, equally long
Examples = Mapping[str, Sequence[float]]


class Scored(NamedTuple):
    """The score of one model on one task in one language.

    All numbers but `examples` are on the 0-100 scale and unrounded; Matthews correlation is -100 to
    100.

    metrics     official names and values
    main        the one number that enters averages: accuracy; span F1; (EM + F1) / 2
    examples    per-example sufficient statistics, aligned with the golds: ints and floats, the
                latter 0-1. All other fields follow from them alone, to the last bit: see
                `harness.metrics.rescore`
    null        what a predictor that has learned nothing reaches on `null_name`
    null_name   which number that is, and how the null predictor answers
    above_null  the model minus the null predictor
    stderr      standard error of `above_null`, paired by example
    """

    metrics: dict[str, float]
    main: float
    examples: Examples
    null: float
    null_name: str
    above_null: float
    stderr: float

    @property
    def learned(self) -> bool:
        """Better than the null predictor by more than three standard errors."""
        return self.above_null > 0 and self.above_null > 3 * self.stderr


def check_pairs(golds: Sized, predictions: Sized) -> None:
    """Raise ValueError unless there is one prediction for each gold, and at least one."""
    if len(golds) != len(predictions):
        raise ValueError(
            f"{len(golds)} golds but {len(predictions)} predictions; they must be equally many"
        )
    if not golds:
        raise ValueError("nothing to score: 0 golds")


def numbered(values: Iterable[Hashable]) -> list[int]:
    """Each value as a number: 0 for the first that appears, 1 for the first other one, ..."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]


def mean(values: Iterable[float]) -> float:
    """Mean of a non-empty iterable. `fsum` is exact, so that the order of examples cannot move the
    last digit."""
    values = list(values)
    return math.fsum(values) / len(values)


def percent(values: Iterable[float]) -> float:
    """Mean of 0-1 values on the 0-100 scale; multiplied before dividing, as the SQuAD scripts
    do."""
    values = list(values)
    return 100 * math.fsum(values) / len(values)


def paired_difference(
    differences: Sequence[float],
    sizes: Sequence[float] | None = None,
    groups: Sequence[Hashable] | None = None,
) -> tuple[float, float]:
    """Mean of model minus null, and its cluster-robust standard error.

    differences  per example, summed over its `sizes` units (tokens of a sentence; 1 if None)
    groups       cluster of each example (the paragraph of a question); None: each is its own
    returns      (mean, stderr), in the units of `differences`

    The estimator is the ratio sum(d) / sum(n); linearised, its error is
    sqrt(sum over clusters of (d - mean n)^2) / sum(n) (Cochran 1977, Sampling Techniques, chapter
    6). Questions about one paragraph, and the tokens of one sentence, go right or wrong together;
    counted as independent they would make the error far too small.
    """
    sizes = [1] * len(differences) if sizes is None else sizes
    total = sum(sizes)
    average = math.fsum(differences) / total
    of_clusters: Iterable[tuple[float, float]] = zip(differences, sizes, strict=True)
    if groups is not None:
        of_clusters = _clusters(of_clusters, groups)
    clusters = list(of_clusters)
    if sum(1 for _, n in clusters if n) < 2:
        # one cluster tells nothing about its spread: the whole range, so that nothing is `learned`
        return average, 1.0
    squares = math.fsum([(d - average * n) ** 2 for d, n in clusters])
    return average, math.sqrt(squares) / total


def _clusters(
    examples: Iterable[tuple[float, float]], groups: Sequence[Hashable]
) -> Iterator[tuple[float, float]]:
    """(difference, size) of each group of examples."""
    found: dict[Hashable, tuple[list[float], list[float]]] = {}
    for (difference, size), group in zip(examples, groups, strict=True):
        of_group = found.setdefault(group, ([], []))
        of_group[0].append(difference)
        of_group[1].append(size)
    return ((math.fsum(differences), sum(sizes)) for differences, sizes in found.values())
