"""Intervals and tests, numbers with all that moves them, and the difference of two sides of tasks:
against hand calculations, brute force, scipy, and simulated data."""

import itertools
import math
from functools import partial
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.statistics.intervals import (
    Noise,
    _density,
    benjamini_hochberg,
    half_width,
    holm,
    rounded,
    spearman,
    two_sided,
)
from harness.statistics.measured import NOTHING, Quantity, estimate_of, mean_of, value_of, weighted
from harness.statistics.split import Sides, contrast
from tests.stress import times

quick = settings(max_examples=times(30, 300), deadline=None)
PS = st.floats(0, 1, allow_nan=False)
ERRORS = st.floats(0.01, 20)
FREEDOM = st.sampled_from([1.0, 2.0, 2.7, 4.0, 9.0, 57.3, 999.0, math.inf])
near = partial(pytest.approx, abs=1e-4)  # intervals and errors have four decimals


# --- p and interval of a sum of errors


@pytest.mark.parametrize("freedom", [1, 2, 3.5, 20, 1000])
def test_one_error_is_a_t_test(freedom):
    parts = [Noise(2.0, freedom)]
    assert two_sided(3.0, parts) == pytest.approx(2 * stats.t.sf(1.5, freedom))
    assert half_width(parts) == pytest.approx(2 * stats.t.ppf(0.975, freedom), abs=1e-6)


def test_an_error_that_is_known_is_a_normal_test():
    assert two_sided(3.0, [Noise(2.0, math.inf)]) == pytest.approx(2 * stats.norm.sf(1.5))
    assert half_width([Noise(2.0, math.inf)]) == pytest.approx(2 * 1.9599640, abs=1e-6)


def test_two_errors_that_are_known_add_as_squares():
    parts = [Noise(3.0, math.inf), Noise(4.0, math.inf)]
    assert two_sided(7.0, parts) == pytest.approx(2 * stats.norm.sf(7 / 5))
    assert half_width(parts) == pytest.approx(5 * 1.9599640, abs=1e-6)


def test_two_errors_of_one_degree_of_freedom_add_as_they_are():
    """The t distribution with one degree of freedom is Cauchy's: the sum of two is a third."""
    parts = [Noise(3.0, 1), Noise(4.0, 1)]
    assert half_width(parts) == pytest.approx(7 * stats.cauchy.ppf(0.975), rel=5e-4)
    assert two_sided(20.0, parts) == pytest.approx(2 * stats.cauchy.sf(20 / 7), rel=1e-3)


@pytest.mark.parametrize(
    ("first", "other", "degrees", "table"),
    [(6, 6, 15, 2.440), (6, 6, 45, 2.435), (6, 8, 45, 2.364), (8, 6, 30, 2.398), (6, 8, 30, 2.331)],
)
def test_the_interval_is_that_of_the_tables(first, other, degrees, table):
    """Sukhatme 1938, Sankhya 4: errors sin and cos of an angle."""
    angle = math.radians(degrees)
    parts = [Noise(math.sin(angle), first), Noise(math.cos(angle), other)]
    assert half_width(parts) == pytest.approx(table, abs=1e-3)


@pytest.mark.parametrize(
    ("value", "wide", "narrow"),
    [
        (3.0, Noise(1.0, 2), Noise(0.5, 50)),
        (6.0, Noise(1.0, 2), Noise(0.9, 2)),
        (10.0, Noise(1.0, 999), Noise(0.5, 2)),
        (2.1, Noise(1.0, 999), Noise(0.01, 4)),
        (9.0, Noise(1.5, 4), Noise(1.0, 4)),
    ],
)
def test_p_is_the_integral(value, wide, narrow):
    def density(x):
        rest = (value - narrow.error * x) / wide.error
        return stats.t.pdf(x, narrow.freedom) * stats.t.sf(rest, wide.freedom)

    middle = value / narrow.error
    expected = sum(
        integrate.quad(density, *limits, epsabs=1e-12, limit=200)[0]
        for limits in ((-np.inf, middle), (middle, np.inf))
    )
    assert two_sided(value, [wide, narrow]) == pytest.approx(2 * expected, rel=1e-5)


def test_p_is_how_often_the_errors_reach_as_far():
    rng = np.random.default_rng(3)
    draws = 400_000
    for value, (a, b) in {
        3.0: (Noise(1.0, 2), Noise(0.8, 30)),
        2.2: (Noise(0.5, 4), Noise(1.0, 999)),
        1.0: (Noise(0.5, 3), Noise(0.5, 3)),
    }.items():
        drawn = a.error * rng.standard_t(a.freedom, draws) + b.error * rng.standard_t(
            b.freedom, draws
        )
        share = (np.abs(drawn) >= value).mean()
        assert two_sided(value, [a, b]) == pytest.approx(share, abs=4 * math.sqrt(share / draws))


@pytest.mark.parametrize("many", [1, 2, 30, 1000])
@pytest.mark.parametrize("freedoms", [(1, 2), (2, 4), (4, math.inf)])
def test_of_many_it_is_where_p_is_5_percent_of_one_of_them(many, freedoms):
    parts = [Noise(1.0, freedom) for freedom in freedoms]
    assert many * two_sided(half_width(parts, many), parts) == pytest.approx(0.05, rel=1e-6)


@quick
@given(ERRORS, FREEDOM, ERRORS, FREEDOM)
def test_the_half_width_is_where_p_is_5_percent(error, freedom, other, others):
    parts = [Noise(error, freedom), Noise(other, others)]
    half = half_width(parts)
    assert two_sided(half, parts) == pytest.approx(0.05, abs=1e-6)
    assert two_sided(half * 1.001, parts) < 0.05 < two_sided(half * 0.999, parts)


@quick
@given(st.floats(-50, 50), ERRORS, FREEDOM, ERRORS, FREEDOM)
def test_p_depends_on_no_sign_and_no_order(value, error, freedom, other, others):
    parts = [Noise(error, freedom), Noise(other, others)]
    p = two_sided(value, parts)
    assert 0 <= p <= 1
    assert p == two_sided(-value, parts) == two_sided(value, parts[::-1])
    # an error that is 0 is none
    assert two_sided(value, [*parts[:1], Noise(0.0, 1)]) == two_sided(value, parts[:1])


@quick
@given(ERRORS, FREEDOM, ERRORS, FREEDOM)
def test_a_further_error_widens_and_is_never_below_that_of_one_variance(e, freedom, f, others):
    """Below by how well a normal distribution is known; above by that each quantile adds."""
    both = half_width([Noise(e, freedom), Noise(f, others)])
    one, other = half_width([Noise(e, freedom)]), half_width([Noise(f, others)])
    assert both >= max(one, other) * (1 - 1e-3)
    assert 1.9599 * math.hypot(e, f) <= both * (1 + 1e-3)
    assert both <= (one + other) * (1 + 1e-3)


def test_without_any_error_a_number_is_0_or_it_is_not():
    assert two_sided(0.0, []) == two_sided(0.0, [Noise(0.0, 3)]) == 1.0
    assert two_sided(-0.1, [Noise(0.0, 3), Noise(0.0, 9)]) == 0.0
    assert half_width([]) == half_width([Noise(0.0, 3), Noise(0.0, math.inf)]) == 0.0
    assert two_sided(0.0, [Noise(1.0, 3)]) == 1.0


def test_numbers_have_four_decimals_and_no_negative_zero():
    assert rounded(0.123456) == 0.1235 and rounded(0.1234567, 6) == 0.123457
    assert math.copysign(1, rounded(-0.00001)) == 1


# --- corrections for many tests


@given(st.lists(PS, min_size=1, max_size=7))
def test_holm_is_the_closed_test_of_bonferronis(ps):
    """The corrected p of a hypothesis is the largest Bonferroni p of all intersections that it is
    part of."""
    tests = range(len(ps))
    subsets = [s for size in range(1, len(ps) + 1) for s in itertools.combinations(tests, size)]
    expected = [
        max(min(1.0, len(s) * min(ps[j] for j in s)) for s in subsets if i in s) for i in tests
    ]
    assert holm(ps) == pytest.approx(expected)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@given(st.lists(st.sampled_from([0.0, 1e-6, 0.01, 0.02, 0.03, 0.05, 0.4, 1.0]), max_size=9))
def test_q_is_the_least_level_at_which_a_test_is_called(ps):
    """Benjamini and Hochberg's own words: with the largest k for which p(k) <= k/m · level, the k
    smallest are called."""

    def is_called(p, level):
        ordered = sorted(ps)
        passed = [one for k, one in enumerate(ordered, 1) if one <= k / len(ps) * level]
        return bool(passed) and p <= passed[-1]

    for p, q in zip(ps, benjamini_hochberg(ps), strict=True):
        assert q <= 1 and (q == 1 or is_called(p, q * (1 + 1e-9)))
        assert q == 0 or not is_called(p, q * (1 - 1e-9))


def test_benjamini_hochberg_by_hand():
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.2]) == [0.2]
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.05, 0.02]) == pytest.approx([0.05] * 5)
    assert benjamini_hochberg([0.9, 0.001, 0.4]) == pytest.approx([0.9, 0.003, 0.6])
    assert benjamini_hochberg([1.0, 0.0, 1.0]) == [1.0, 0.0, 1.0]


def test_the_example_of_benjamini_and_hochberg():
    """Of the 15 p of a study of heart attacks (their section 4) 4 are called at 5%, by Holm 3."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
    ps += [0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    found = benjamini_hochberg(ps)
    assert found[3] == pytest.approx(15 / 4 * 0.0095) and found[4] == pytest.approx(3 * 0.0201)
    # never above a later one, as 15/6 · 0.0278 is
    assert found[5:8] == pytest.approx([15 / 7 * 0.0298] * 2 + [15 / 8 * 0.0344])
    assert sum(q < 0.05 for q in found) == 4
    assert sum(p < 0.05 for p in holm(ps)) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_spearman_is_scipys(points):
    x, y = zip(*points, strict=True)
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found is None
    else:
        assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert found.points == len(points)
        assert 0 < found.p <= 1


@pytest.mark.parametrize("y", [(1, 2, 3, 5, 4), (2, 2, 1, 5, 4), (5, 1, 4, 2, 3)])
def test_spearman_p_of_few_points_is_over_all_orders(y):
    x = (10, 20, 30, 40, 50)
    observed = abs(stats.spearmanr(x, y).statistic)
    orders = [
        abs(stats.spearmanr(x, order).statistic) >= observed - 1e-12
        for order in itertools.permutations(y)
    ]
    assert spearman(x, y).p == round(sum(orders) / len(orders), 4)


def test_spearman_p_of_many_points_is_normal():
    x, y = range(10), [3, 1, 2, 0, 5, 4, 9, 6, 7, 8]
    rho = stats.spearmanr(x, y).statistic
    assert spearman(x, y).p == round(2 * stats.norm.sf(abs(rho) * 3), 4)


def test_spearman_p_is_exact_up_to_eight_points():
    """Two neighbours out of eight are exchanged: 7 orders are as far from none, one is further, and
    so are their opposites. Of nine the normal distribution is taken."""
    x, y = range(8), [1, 0, 2, 3, 4, 5, 6, 7]
    assert spearman(x, y).p == round(2 * (7 + 1) / math.factorial(8), 4) == 0.0004
    rho = spearman([*x, 8], [*y, 8]).rho
    assert spearman([*x, 8], [*y, 8]).p == round(2 * stats.norm.sf(rho * math.sqrt(8)), 4) > 0.001


def test_fishers_interval():
    x = list(range(12))
    y = [5, 0, 3, 1, 8, 2, 4, 11, 6, 10, 7, 9]
    found = spearman(x, y)
    z, half = math.atanh(found.rho), stats.norm.ppf(0.975) * math.sqrt(1.06 / 9)
    assert found.interval == [round(math.tanh(z - half), 4), round(math.tanh(z + half), 4)]
    assert spearman([1, 2, 3], [1, 3, 2]).interval is None  # below 4 points
    assert spearman([1, 2, 3, 4], [1, 2, 3, 4]).interval is None  # z is infinite
    assert spearman([1, 2], [1, 2]) is None


# --- a number with what moves it


def number(per_seed, blocks, seedless=False):
    """`blocks`: name → the influences of its units, a list for each seed."""
    rows = {("t", name): np.array(moved, dtype=float) for name, moved in blocks.items()}
    seeds = {str(i): one for i, one in enumerate(per_seed, start=1)}
    return Quantity(fmean(per_seed), seeds, rows, seedless)


def of_answers(answers):
    """Of an accuracy: `answers` is (seeds, rows) of what each gets of 100."""
    answers = np.asarray(answers, dtype=float)
    rows = answers.shape[1]
    scale = math.sqrt(rows * (rows - 1))
    apart = (answers - answers.mean(axis=1, keepdims=True)) / scale
    return number(answers.mean(axis=1).tolist(), {"": apart})


def test_one_seed_is_known_over_rows_alone_and_is_not_tested():
    found = number([4.0], {"": [[0.6, -0.8, 0.0]]})
    assert found.parts == [Noise(1.0, pytest.approx(2))]
    half = stats.t.ppf(0.975, 2)
    said = found.estimate
    assert said.interval == [near(4 - half), near(4 + half)]
    assert (said.rows, said.seeds, said.p, said.tasks) == (1.0, None, None, None)


def test_two_seeds_are_known_over_rows_alone_and_are_not_tested():
    """Over the rows of the mean of both."""
    said = number([4.0, 6.0], {"": [[0.6, -0.8, 0.2], [1.0, -0.8, -0.2]]}).estimate
    error = math.hypot(0.8, 0.8)
    half = error * stats.t.ppf(0.975, 2)
    assert said.interval == [near(5 - half), near(5 + half)]
    assert (said.rows, said.seeds, said.p) == (near(error), None, None)


def test_where_nothing_is_trained_rows_are_all_there_is():
    """However many seeds a suite lists, they are one."""
    for seeds in (1, 2, 3):
        said = number([4.0] * seeds, {"": [[0.6, -0.8, 0.0]] * seeds}, seedless=True).estimate
        half = stats.t.ppf(0.975, 2)
        assert said.interval == [near(4 - half), near(4 + half)]
        assert (said.rows, said.seeds) == (1.0, None)
        assert said.p == near(2 * stats.t.sf(4, 2))


def test_three_seeds_by_hand():
    """Seeds 4, 5 and 9 have variance 7, so their mean 7/3. Rows move the mean by 0.5, -0.5 and 0,
    so by 1/2 in squares, and the single seeds by 2, 2 and 1.5. Of what is of both a seed and a row
    there are (11/6 - 1/2) / 2 = 2/3 in either, so that nothing is left for rows alone."""
    found = number([4.0, 5.0, 9.0], {"": [[1, 0, -1], [1, -1, 0], [-0.5, -0.5, 1]]})
    rows, seeds = found.parts
    assert rows == Noise(0.0, pytest.approx(2))
    assert seeds == Noise(pytest.approx(math.sqrt(7 / 3)), 2)
    half = stats.t.ppf(0.975, 2) * math.sqrt(7 / 3)
    assert found.estimate.interval == [near(6 - half), near(6 + half)]
    assert found.estimate.p == near(2 * stats.t.sf(6 / math.sqrt(7 / 3), 2))


def test_rows_that_all_seeds_agree_on_and_seeds_add():
    """The seeds' 4, 5 and 9 again; the rows move each of them alike, so nothing is of both."""
    found = number([4.0, 5.0, 9.0], {"": [[0.6, -0.8, 0.0]] * 3})
    assert found.parts == [
        Noise(pytest.approx(1.0), pytest.approx(2)),
        Noise(pytest.approx(math.sqrt(7 / 3)), 2),
    ]
    said = found.estimate
    assert (said.rows, said.seeds) == (1.0, near(math.sqrt(7 / 3)))
    assert said.interval[1] - 6 == near(half_width(found.parts))
    assert said.p == near(two_sided(6, found.parts))


@quick
@given(st.integers(3, 6), st.integers(2, 9), st.integers(0, 10_000))
def test_parts_are_those_of_an_analysis_of_variance(seeds, rows, draw):
    """Two ways crossed, one answer a cell: mean squares of rows, of seeds, and of what is left."""
    rng = np.random.default_rng(draw)
    answers = rng.normal(size=(seeds, rows)) + rng.normal(size=rows) + rng.normal(size=(seeds, 1))
    answers *= 20
    of_rows, of_seeds = answers.mean(axis=0), answers.mean(axis=1)
    left = answers - of_rows - of_seeds[:, None] + answers.mean()
    for_rows = seeds * np.var(of_rows, ddof=1)
    for_seeds = rows * np.var(of_seeds, ddof=1)
    for_both = (left**2).sum() / (seeds - 1) / (rows - 1)

    found = of_answers(answers).parts
    expected = max(0.0, (for_rows - for_both) / (seeds * rows))
    assert found[0].error ** 2 == pytest.approx(expected, abs=1e-9)
    assert found[0].freedom == pytest.approx(rows - 1)
    assert found[1].error ** 2 == pytest.approx(for_seeds / (seeds * rows))
    assert found[1].freedom == seeds - 1


def test_parts_are_unbiased():
    """Simulated crossed effects: the squares of both errors are, in the mean, the true variance of
    the number."""
    rng = np.random.default_rng(11)
    seeds, rows, runs = 4, 60, 1500
    squares, values = [], []
    for _ in range(runs):
        answers = 2 * rng.normal(size=(seeds, 1)) + 8 * rng.normal(size=rows)
        found = of_answers(answers + 10 * rng.normal(size=(seeds, rows)))
        values.append(found.value)
        squares.append(sum(part.error**2 for part in found.parts))
    truth = 4 / seeds + 64 / rows + 100 / (seeds * rows)
    assert fmean(squares) == pytest.approx(truth, rel=0.04)
    assert variance(values) == pytest.approx(truth, rel=0.12)


def test_blocks_of_unequal_size_by_satterthwaite():
    """Of 3 units 2, of 5 units 4 squared: (2 + 4)^2 / (2^2 / 2 + 4^2 / 4)."""
    found = number([1.0], {"sw": [[1, -1, 0]], "th": [[1, 1, -1, -1, 0]]})
    assert found.parts == [Noise(pytest.approx(math.sqrt(6)), pytest.approx(36 / 6))]


def test_a_block_of_one_unit_adds_nothing_to_what_the_others_know():
    found = number([1.0], {"sw": [[0.6, -0.8, 0.0]], "th": [[0.0]]})
    assert found.parts == [Noise(pytest.approx(1.0), pytest.approx(2))]


def test_one_unit_tells_nothing():
    assert number([4.0, 5.0, 9.0], {"": [[0.0]] * 3}).estimate.model_dump() == {
        "value": 6.0,
        "interval": None,
        "rows": None,
        "seeds": None,
        "p": None,
    }


def test_where_nothing_moves_a_number_it_is_sure():
    """Equal systems are never an effect, whatever their rows."""
    same = number([4.0, 5.0, 9.0], {"": [[1, 0, -1], [1, -1, 0], [0, -1, 1]]})
    said = (same - same).estimate
    assert (said.value, said.interval, said.rows, said.seeds, said.p) == (0, [0, 0], 0, 0, 1)


def test_unknown_numbers():
    assert estimate_of(None).model_dump(exclude_none=True) == {}
    assert value_of(None) is None and value_of(number([2.0], {})) == 2.0
    assert mean_of([]) is None


# --- differences and means of such numbers


def test_a_difference_is_paired_by_row_and_by_seed():
    a = number([4.0, 5.0, 9.0], {"": [[0.6, -0.8, 0.0]] * 3})
    b = number([1.0, 2.0, 3.0], {"": [[0.6, -0.8, 0.5]] * 3})
    found = a - b
    assert found.value == 4 and found.per_seed == {"1": 3.0, "2": 3.0, "3": 6.0}
    assert found.parts == [
        Noise(pytest.approx(0.5), pytest.approx(2)),
        Noise(pytest.approx(1.0), 2),
    ]


def test_a_mean_adds_what_rows_do_to_its_numbers():
    """Two languages about the same rows move together; about rows of their own they do not."""
    a, b = number([4.0], {"": [[0.6, -0.8]]}), number([8.0], {"": [[0.6, -0.8]]})
    assert mean_of([a, b]).value == 6
    assert mean_of([a, b]).parts == [Noise(pytest.approx(1.0), pytest.approx(1))]
    apart = number([8.0], {"other": [[0.6, -0.8]]})
    assert mean_of([a, apart]).parts == [Noise(pytest.approx(math.sqrt(1 / 2)), pytest.approx(2))]


def test_a_weighted_sum():
    a, b = number([4.0, 6.0], {"": [[1, -1], [2, -2]]}), number([8.0, 8.0], {"": [[0, 0], [1, -1]]})
    found = weighted([(2.0, a), (-0.5, b)])
    assert found.value == 2 * 5 - 4 and found.per_seed == {"1": 4.0, "2": 8.0}
    assert found.rows["t", ""].tolist() == [[2, -2], [3.5, -3.5]]


@quick
@given(st.permutations(["1", "2", "3"]))
def test_seeds_are_paired_by_name(order):
    per_seed = {"1": 4.0, "2": 5.0, "3": 9.0}
    moved = {"1": [0.6, -0.8], "2": [0.1, 0.1], "3": [1.0, -1.0]}
    plain = Quantity(6.0, per_seed, {("t", ""): np.array(list(moved.values()))})
    turned = Quantity(
        6.0,
        {seed: per_seed[seed] for seed in order},
        {("t", ""): np.array([moved[seed] for seed in order])},
    )
    found = plain - turned
    assert found.per_seed == {"1": 0, "2": 0, "3": 0} and not found.rows["t", ""].any()
    assert turned.parts == [pytest.approx(part) for part in plain.parts]


def test_a_seed_that_one_lacks_tells_nothing_of_both():
    """The value is of all seeds that each has; how sure it is follows from those of both."""
    a = number([4.0, 5.0, 9.0], {"": [[1, -1], [3, -3], [5, -5]]})
    b = Quantity(2.0, {"3": 1.0, "2": 3.0}, {("t", ""): np.array([[4.0, -4.0], [2.0, -2.0]])})
    found = a - b
    assert found.value == 4 and found.per_seed == {"2": 2.0, "3": 8.0}
    assert found.rows["t", ""].tolist() == [[1, -1], [1, -1]]
    assert found.estimate.p is None  # two seeds


def test_without_a_seed_that_all_have_nothing_is_known_but_the_value():
    a = number([4.0, 5.0, 9.0], {"": [[1, -1], [3, -3], [5, -5]]})
    b = Quantity(2.0, {"7": 2.0}, {("t", ""): np.array([[4.0, -4.0]])})
    apart = mean_of([a, b])
    assert apart.estimate.model_dump(exclude_none=True) == {"value": 4.0}
    # nor in what is made of it: its own errors are not 0
    for further in (apart - a, a - apart, mean_of([apart, a]), weighted([(1.0, apart)])):
        assert further.estimate.interval is None and further.estimate.p is None
    assert (a - apart).value == 2.0


def test_what_has_no_seeds_takes_none_from_the_others():
    """A target on which the baseline was chosen gains nothing, and halves the rest."""
    a = number([4.0, 5.0, 9.0], {"": [[0.6, -0.8, 0.0]] * 3})
    half = mean_of([NOTHING, a])
    assert half.value == 3 and half.per_seed == {"1": 2.0, "2": 2.5, "3": 4.5}
    assert [part.error for part in half.parts] == pytest.approx([p.error / 2 for p in a.parts])
    assert not half.seedless
    assert (a - NOTHING).estimate == a.estimate
    for nothing in (NOTHING, NOTHING - NOTHING, mean_of([NOTHING, NOTHING])):
        said = nothing.estimate
        assert (said.value, said.interval, said.seeds, said.p) == (0.0, [0, 0], None, 1.0)


def test_seedless_and_seeded_numbers_together():
    """Retrieval beside a trained target: the seeds move one half, the rows both."""
    trained = number([4.0, 5.0, 9.0], {"": [[0.6, -0.8, 0.0]] * 3})
    fixed = number([2.0] * 3, {"retrieval": [[1.2, -1.6]] * 3}, seedless=True)
    found = mean_of([trained, fixed])
    rows, seeds = found.parts
    assert rows.error == pytest.approx(math.hypot(1, 2) / 2)
    assert rows.freedom == pytest.approx((1 + 4) ** 2 / (1 / 2 + 16 / 1))
    assert seeds.error == pytest.approx(math.sqrt(7 / 3) / 2)
    # of one seed it is tested no more than the trained one is
    alone = mean_of([number([4.0], {"": [[0.6, -0.8]]}), number([2.0], {}, seedless=True)])
    assert alone.estimate.p is None
    assert mean_of([fixed, fixed]).seedless


# --- easy minus hard


def gain(per_seed, moved=None, target=""):
    """A gain on a target; rows do not move it unless `moved` says how, the same for each seed."""
    given = [[0.0, 0.0]] if moved is None else [moved]
    return number(per_seed, {target: given * len(per_seed)})


def differ(easy, hard, targets=("t",)):
    """`easy`, `hard`: arm → target → its gain."""
    of = easy | hard
    return contrast(Sides(list(easy), list(hard)), targets, lambda arm, on: of[arm].get(on))


def fixed(values, name, targets=("t",)):
    """Arms with these gains on every target, which neither seeds nor rows move."""
    return {
        f"{name}{i}": {target: gain([value] * 3) for target in targets}
        for i, value in enumerate(values)
    }


@pytest.mark.parametrize("targets", [("t",), ("t", "u", "v")])
def test_welchs_test_where_only_tasks_differ(targets):
    """Without noise of seeds and rows it is scipy's, on the tasks' gains."""
    easy, hard = [1.0, 2.0, 4.0, 7.0], [3.0, 3.5, 9.0]
    found = differ(fixed(easy, "e", targets), fixed(hard, "h", targets), targets)
    said, welch = found.easy_minus_hard, stats.ttest_ind(easy, hard, equal_var=False)
    assert found.targets == list(targets)
    assert said.value == pytest.approx(3.5 - 15.5 / 3)
    assert said.p == pytest.approx(welch.pvalue, abs=1e-6)
    assert said.interval == [near(limit) for limit in welch.confidence_interval(0.95)]
    assert said.tasks == near(math.sqrt(variance(easy) / 4 + variance(hard) / 3))
    assert (said.rows, said.seeds) == (0, 0)


def test_welchs_degrees_of_freedom_of_equal_sides():
    """Sides of n tasks with equal spreads: 2 (n - 1)."""
    found = differ(fixed([1, 2, 3], "e"), fixed([5, 6, 7], "h")).easy_minus_hard
    half = stats.t.ppf(0.975, 4) * math.sqrt(1 / 3 + 1 / 3)
    assert found.interval == [near(-4 - half), near(-4 + half)]
    assert found.p == near(2 * stats.t.sf(4 / math.sqrt(2 / 3), 4))


def test_noise_that_single_tasks_have_is_in_their_spread_already():
    """Four tasks with rows of their own: what rows do to the difference is in the tasks' spread,
    and is not added again."""
    easy = {f"e{i}": {"t": gain([v] * 3, [0.6, -0.8], f"e{i}")} for i, v in enumerate((1, 5))}
    hard = {f"h{i}": {"t": gain([v] * 3, [0.6, -0.8], f"h{i}")} for i, v in enumerate((2, 8))}
    found = differ(easy, hard).easy_minus_hard
    assert found.tasks == near(math.sqrt(8 / 2 + 18 / 2))
    assert found.rows == near(1.0)  # four halves
    welch = stats.ttest_ind([1, 5], [2, 8], equal_var=False)
    assert found.interval == [near(limit) for limit in welch.confidence_interval(0.95)]


def test_noise_that_a_side_shares_is_added():
    """All easy tasks are moved by the same rows: no spread shows it."""
    easy = {f"e{i}": {"t": gain([v] * 3, [0.6, -0.8])} for i, v in enumerate((1, 5))}
    found = differ(easy, fixed([2, 8], "h")).easy_minus_hard
    tasks = math.sqrt(8 / 2 + 18 / 2)
    freedom = (4 + 9) ** 2 / (4**2 + 9**2)
    assert (found.tasks, found.rows) == (near(tasks), near(1.0))
    half = half_width([Noise(tasks, freedom), Noise(1.0, math.inf)])
    assert found.interval == [near(-2 - half), near(-2 + half)]
    assert found.p == near(two_sided(-2, [Noise(tasks, freedom), Noise(1.0, math.inf)]))


def test_noise_that_both_sides_share_cancels():
    """The baseline's rows and seeds move every gain alike."""
    base = [0.0, 3.0, -4.0]
    easy = {f"e{i}": {"t": gain([v + b for b in base], [0.6, -0.8])} for i, v in enumerate((1, 5))}
    hard = {f"h{i}": {"t": gain([v + b for b in base], [0.6, -0.8])} for i, v in enumerate((2, 8))}
    found = differ(easy, hard).easy_minus_hard
    assert (found.rows, found.seeds) == (0, 0)
    welch = stats.ttest_ind([1, 5], [2, 8], equal_var=False)
    assert found.interval == [near(limit) for limit in welch.confidence_interval(0.95)]


def test_tasks_that_happen_to_agree_are_no_surer_than_their_rows():
    easy = {f"e{i}": {"t": gain([3.0] * 3, [0.6, -0.8], f"e{i}")} for i in range(2)}
    found = differ(easy, fixed([1, 1], "h")).easy_minus_hard
    assert (found.tasks, found.rows) == (0, near(math.sqrt(1 / 2)))
    half = 1.95996 * math.sqrt(1 / 2)
    assert found.interval == [near(2 - half), near(2 + half)]


def test_the_difference_is_target_by_target():
    """An arm that lacks the target on which all gain much is not hard for it."""
    easy = {"a": {"t": gain([1.0] * 3), "u": gain([21.0] * 3)}, "b": {"t": gain([3.0] * 3)}}
    hard = {"c": {"t": gain([0.0] * 3), "u": gain([20.0] * 3)}}
    hard["d"] = {"t": gain([2.0] * 3), "u": gain([22.0] * 3)}
    found = differ(easy, hard, ("t", "u"))
    assert found.easy_minus_hard.value == pytest.approx((1 + 0) / 2)
    # a target that no hard task has says nothing of easy and hard
    del hard["c"]["u"], hard["d"]["u"]
    found = differ(easy, hard, ("t", "u"))
    assert found.targets == ["t"] and found.easy_minus_hard.value == pytest.approx(1)


def test_the_spread_of_tasks_that_lack_targets():
    """a is on t and u, b on t alone, where they are 8 apart. a is 2 from its side in the mean over
    its targets, b 4; set against how much of either's effect that holds (1/8 and 1/2), their
    variance is 32, as it would be with all targets. a weighs 3/4 of the side, b 1/4."""
    easy = {"a": {"t": gain([1.0] * 3), "u": gain([1.0] * 3)}, "b": {"t": gain([9.0] * 3)}}
    hard = fixed([2, 2], "h", ("t", "u"))
    found = differ(easy, hard, ("t", "u")).easy_minus_hard
    assert found.value == pytest.approx((5 + 1) / 2 - 2)
    tasks = math.sqrt(32 * (9 / 16 + 1 / 16))
    assert found.tasks == near(tasks)
    half = stats.t.ppf(0.975, 1) * tasks
    assert found.interval == [near(found.value - half), near(found.value + half)]


def test_the_spread_of_tasks_that_lack_targets_is_unbiased():
    """Simulated effects of tasks: the square of the error is, in the mean, the variance of the
    difference, whichever cells are missing."""
    rng = np.random.default_rng(4)
    missing = {("e0", "u"), ("e1", "v"), ("e1", "u"), ("h2", "t"), ("h0", "v")}
    squares, values = [], []
    for _ in range(400):
        sides = []
        for name, tasks in (("e", 3), ("h", 4)):
            effects = {f"{name}{i}": float(rng.normal()) for i in range(tasks)}
            sides.append(
                {
                    arm: {t: gain([of] * 3) for t in "tuv" if (arm, t) not in missing}
                    for arm, of in effects.items()
                }
            )
        found = differ(*sides, tuple("tuv")).easy_minus_hard
        values.append(found.value)
        squares.append(found.tasks**2)
    assert fmean(squares) == pytest.approx(variance(values), rel=0.15)


@pytest.mark.parametrize(
    "easy",
    [
        {"a": {"t": gain([1.0] * 3)}},
        {"a": {"t": gain([1.0] * 3)}, "b": {"u": gain([9.0] * 3)}},
    ],
    ids=["one task", "no two on one target"],
)
def test_a_spread_that_no_two_tasks_show_is_not_known(easy):
    found = differ(easy, fixed([2, 3], "h", ("t", "u")), ("t", "u")).easy_minus_hard
    assert found.value is not None
    assert (found.interval, found.tasks, found.p) == (None, None, None)


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_fewer_than_three_seeds_the_difference_is_not_tested(seeds):
    easy = {f"e{i}": {"t": gain([v] * seeds, [0.6, -0.8])} for i, v in enumerate((1.0, 5.0))}
    hard = {f"h{i}": {"t": gain([v] * seeds)} for i, v in enumerate((2.0, 8.0))}
    found = differ(easy, hard).easy_minus_hard
    assert found.interval is not None and found.tasks is not None
    assert (found.seeds, found.p) == (None, None)


def test_sides_that_share_no_target_do_not_compare():
    found = differ({"a": {"t": gain([1.0])}}, {"b": {"u": gain([1.0])}}, ("t", "u"))
    assert found.targets == [] and found.easy_minus_hard.value is None
    assert differ({}, fixed([1, 2], "h")).targets == []


@pytest.mark.parametrize("freedom", [1, 2.5, 29, 1e6, math.inf])
def test_the_density_that_is_integrated_is_students(freedom):
    x = np.sinh(np.linspace(-12, 12, 385))
    theirs = stats.norm.pdf(x) if math.isinf(freedom) else stats.t.pdf(x, freedom)
    assert _density(x, freedom) == pytest.approx(theirs, rel=1e-13)
