"""Intervals and tests: plain functions of numbers, with no idea of tasks or languages.

What comes from a distribution is rounded before it reaches a release, so that the last digits of a
C library do not.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

from harness.metrics.metric import Array
from harness.release.schema_derived import Interval

if TYPE_CHECKING:
    import numpy as np
else:
    from harness.common.late import Late

    np = Late("numpy")

LEVEL = 0.95
DIGITS = 4
FAR, MANY = 40.0, 30.0  # P(t > 40) is 1e-27 with 30 degrees of freedom
EXACT_RANKS = 8  # points up to which all orders are tried: 8! = 40,320


def rounded(value: float, digits: int = DIGITS) -> float:
    """Four decimals, and no negative zero."""
    return round(float(value), digits) + 0.0


class Noise(NamedTuple):
    """One source of error: its standard error, and the degrees of freedom that it is known by."""

    error: float
    freedom: float


def two_sided(value: float, parts: Sequence[Noise]) -> float:
    """p of "the number is 0", from the sum of independent t-distributed errors, one or two.

    A number whose variance is the sum of two that are known by unequal degrees of freedom: many
    rows and few seeds. The distribution is that of Behrens and Fisher. Satterthwaite's single t
    distribution has the right quantile at 95% on average, but is far too sure in its tails, where
    a whole board is tested: docs/statistics.md has both, by simulation.
    source  Behrens 1929, Landwirtschaftliche Jahrbücher 68, 807-837; Fisher 1935, Annals of
            Eugenics 6(4), 391-398; Robinson 1976, Annals of Statistics 4(5), 963-971 (it covers at
            least what it says)
    """
    scaled = [part for part in parts if part.error > 0]
    if not scaled:
        return 1.0 if value == 0 else 0.0
    wide, *narrow = sorted(scaled, reverse=True)
    return min(1.0, 2 * _upper_tail(abs(value), wide, narrow[0] if narrow else None))


def half_width(parts: Sequence[Noise], many: int = 1) -> float:
    """Of the 95% interval: the number of which `two_sided` is 5%. `many`: of the interval of each
    of so many numbers, all of which are in theirs with 95%.

    source  Dunn 1961, Journal of the American Statistical Association 56(293), 52-64 (Bonferroni)
    """
    return _half_width(tuple(parts), (1 - LEVEL) / many)


@lru_cache(maxsize=4096)  # a board shows many a number in more than one of its tables
def _half_width(parts: tuple[Noise, ...], outside: float) -> float:
    from scipy.special import stdtrit

    # that of the sum is about that of the widest one, or more, and no more than all together
    alone = [part.error * float(stdtrit(part.freedom, 1 - outside / 2)) for part in parts]
    low, high = 0.5 * max(alone, default=0.0), 1.01 * sum(alone)
    if sum(part.error > 0 for part in parts) < 2:
        return sum(alone)
    return _crossing(lambda x: two_sided(x, parts) - outside, low, high)


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, to a millionth of a digit that is kept: by secants that keep
    it between them. `scipy.optimize` can do that, and takes longer to import than a thousand of
    them.

    source  Dowell and Jarratt 1971, BIT 11, 168-174 (the Illinois method)
    """
    at_low, at_high, last, stayed = falling(low), falling(high), math.inf, ""
    assert at_low >= 0 >= at_high, "it is between the two"
    while True:
        x = (low * at_high - high * at_low) / (at_high - at_low)
        y = falling(x)
        if y == 0 or abs(x - last) <= 1e-10 * x:
            return x
        # a side that stays where it is, twice in a row, counts for half
        if y > 0:
            low, at_low = x, y
            at_high /= 2 if stayed == "high" else 1
        else:
            high, at_high = x, y
            at_low /= 2 if stayed == "low" else 1
        last, stayed = x, "high" if y > 0 else "low"


def _upper_tail(value: float, wide: Noise, narrow: Noise | None) -> float:
    """P(the sum of the errors > value)."""
    from scipy.special import stdtr

    if narrow is None:
        return float(stdtr(wide.freedom, -value / wide.error))
    nodes, weights = _nodes(narrow.freedom)
    left = (value - narrow.error * nodes) / wide.error
    beyond = np.where(left < 0, 1.0, 0.0)
    # of many degrees of freedom nothing is so far out, and to say so is what takes the time
    near = (np.abs(left) < FAR) | (wide.freedom < MANY)
    beyond[near] = stdtr(wide.freedom, -left[near])
    # what the order of a sum does is far below the digits that are kept
    return float((beyond * weights).sum())


@lru_cache(maxsize=1024)  # a board has thousands of degrees of freedom, most of them asked for once
def _nodes(freedom: float) -> tuple[Array, Array]:
    """Where a t distribution is looked at, and what each place weighs: the trapezoidal rule after
    t = sinh x, which reaches far into the tails and converges exponentially. Even of one degree of
    freedom an interval is right to 0.0003 of its width, and far better from two on."""
    x, step = np.linspace(-12, 12, 385, retstep=True)
    nodes = np.sinh(x)
    weights = _density(nodes, freedom) * np.cosh(x) * step
    return nodes, weights / weights.sum()


def _density(x: Array, freedom: float) -> Array:
    """Of the t distribution; with infinite freedom of the normal one. As `scipy.stats` computes
    them, which takes longer to import than many a release to verify."""
    from scipy.special import poch

    if math.isinf(freedom):
        return np.exp(-(x**2) / 2.0) / math.sqrt(2 * math.pi)
    scale = np.log(poch(0.5 * freedom, 0.5)) - 0.5 * (np.log(freedom) + np.log(np.pi))
    density: Array = np.exp(scale - (freedom + 1) / 2 * np.log1p(x * x / freedom))
    return density


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


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """q of each test, in the order given: the i-th smallest p times m / i, never above a later one.

    Among those that are called an effect at q < 0.05, at most 5% are none, in the mean over boards;
    where nothing has an effect, at most 5% of boards call anything one. Holm's method, which allows
    no false call on 95% of boards, finds a third as many true ones (docs/statistics.md).
    source  Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1), 289-300;
            under the dependence of gains that share a baseline: Benjamini and Yekutieli 2001,
            Annals of Statistics 29(4), 1165-1188
    """
    corrected, least = [1.0] * len(ps), 1.0
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    for place in range(len(ps) - 1, -1, -1):
        i = order[place]
        least = min(least, len(ps) / (place + 1) * ps[i])
        corrected[i] = least
    return corrected


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
