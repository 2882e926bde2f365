"""Intervals and tests: plain functions of numbers, with no idea of tasks or languages.

What they return is rounded to 4 decimals where it comes from resampling or from a table of a
distribution, so that the last digits of a C library do not reach a release.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, permutations
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np

from harness.metrics.metric import Array
from harness.release.schema_derived import Interval

LEVEL = 0.95
DIGITS = 4
EXACT_RANKS = 8  # points up to which all orders are tried: 8! = 40,320
MAX_ASSIGNMENTS = 200_000  # more are sampled: 12 against 12 tasks would be 2.7 million
_SLACK = 1e-12  # a difference that is equal but for rounding counts as equal


def rounded(value: float) -> float:
    """Four decimals, and no negative zero."""
    return round(float(value), DIGITS) + 0.0


def limits(replicates: Array) -> tuple[float, float]:
    """The 95% percentile interval of a bootstrap, unrounded: the k-th smallest and the k-th
    largest, k = floor(0.025 (B + 1)).

    Order statistics, so that no interpolation rule enters; it leaves out 0 exactly where
    `two_sided` is at most 0.05.
    source  Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; Davison and
            Hinkley 1997, section 5.2
    """
    ordered = np.sort(replicates)
    k = max(1, math.floor((1 - LEVEL) / 2 * (len(ordered) + 1)))
    return float(ordered[k - 1]), float(ordered[-k])


def interval(replicates: Array) -> Interval:
    """`limits`, rounded."""
    return [rounded(limit) for limit in limits(replicates)]


def two_sided(replicates: Array) -> float:
    """p of "the difference is 0" from its bootstrap distribution: min(1, 2 (1 + min(#<=0, #>=0)) /
    (B + 1)); unrounded.

    So the smallest p is 2 / (B + 1), and where all differences are 0 it is 1.
    source  Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2 (the 1 +
            is the data's own)
    """
    fewer = min(int((replicates <= 0).sum()), int((replicates >= 0).sum()))
    return min(1.0, 2 * (1 + fewer) / (len(replicates) + 1))


def holm(ps: Sequence[float]) -> list[float]:
    """Corrected p of each test, in the order given: the i-th smallest times (m - i + 1), never
    below an earlier one, at most 1.

    source  Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70
    """
    corrected, least = [0.0] * len(ps), 0.0
    for place, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - place) * ps[i]))
        corrected[i] = least
    return corrected


def t_interval(values: Sequence[float]) -> Interval | None:
    """95% Student t interval of a mean over seeds; None below 3 values, where it would say next to
    nothing."""
    if len(values) < 3:
        return None
    from scipy.stats import t

    half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return [rounded(fmean(values) - half), rounded(fmean(values) + half)]


def permutation_test(
    a: Sequence[float], b: Sequence[float], draws: Callable[[], np.random.RandomState]
) -> tuple[float, int]:
    """(p, number of assignments) of "the two groups differ in nothing": how often |mean - mean| is
    as large as observed.

    All assignments to groups of these sizes, the observed one among them, so p is exact and at
    least 1 / their number. Beyond MAX_ASSIGNMENTS, that many minus one random ones and the observed
    one, from the stream that `draws` gives.
    a, b    non-empty
    source  Fisher 1935, The Design of Experiments, section 21; sampled: Phipson and Smyth 2010,
            SAGMB 9(1), article 39
    """
    values, size = [*a, *b], len(a)
    total, rest = math.fsum(values), len(b)

    def difference(chosen: Sequence[int]) -> float:
        part = math.fsum(values[i] for i in chosen)
        return abs(part / size - (total - part) / rest)

    least = difference(range(size)) - _SLACK
    assignments = math.comb(len(values), size)
    if assignments <= MAX_ASSIGNMENTS:
        chosen: Iterator[Sequence[int]] = combinations(range(len(values)), size)
    else:
        stream, assignments = draws(), MAX_ASSIGNMENTS
        chosen = chain(
            [range(size)],
            (stream.permutation(len(values))[:size].tolist() for _ in range(assignments - 1)),
        )
    return sum(difference(one) >= least for one in chosen) / assignments, assignments


class RankCorrelation(NamedTuple):
    """`rho` unrounded, `p` two-sided, over `points` pairs."""

    rho: float
    interval: Interval | None
    p: float
    points: int


def spearman(x: Sequence[float], y: Sequence[float]) -> RankCorrelation | None:
    """Spearman's rank correlation; None below 3 points, or where all of one side are equal.

    rho       Pearson's correlation of the ranks, equal values sharing their mean rank
    interval  Fisher's z with variance 1.06 / (n - 3): Fieller, Hartley and Pearson 1957, Biometrika
              44, 470-481. None below 4 points, and at rho = 1 or -1, where z is infinite
    p         over all orders up to EXACT_RANKS points, beyond them rho sqrt(n - 1) is taken as
              normal
    """
    n = len(x)
    if n < 3 or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    # whole numbers, so that equal correlations are equal
    a, b = _centred_ranks(x), _centred_ranks(y)
    covariance, spread = _dot(a, b), _dot(a, a) * _dot(b, b)
    rho = max(-1.0, min(1.0, covariance / math.sqrt(spread)))
    if n <= EXACT_RANKS:
        orders = [abs(_dot(a, order)) >= abs(covariance) for order in permutations(b)]
        p = sum(orders) / len(orders)
    else:
        p = math.erfc(abs(rho) * math.sqrt(n - 1) / math.sqrt(2))
    known = n > 3 and covariance * covariance < spread
    return RankCorrelation(rho, _fisher(rho, n) if known else None, rounded(p), n)


def _dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(map(int.__mul__, a, b))


def _centred_ranks(values: Sequence[float]) -> list[int]:
    """Twice (rank - mean rank): smaller values minus larger ones, a whole number also where ranks
    are shared."""
    ranks = []
    for value in values:
        smaller = sum(other < value for other in values)
        larger = sum(other > value for other in values)
        ranks.append(smaller - larger)
    return ranks


def _fisher(rho: float, n: int) -> Interval:
    half = 1.959963984540054 * math.sqrt(1.06 / (n - 3))
    return [rounded(math.tanh(math.atanh(rho) - half)), rounded(math.tanh(math.atanh(rho) + half))]
