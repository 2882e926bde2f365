"""Intervals, tests and the bootstrap against hand calculations, brute force, scipy, and simulated
data."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import bootstrap
from harness.statistics import intervals as statistics
from harness.statistics.bootstrap import REPLICATES, draws, replicate_scores, stream
from harness.statistics.intervals import (
    holm,
    interval,
    limits,
    permutation_test,
    spearman,
    t_interval,
    two_sided,
)
from harness.statistics.replicated import Replicated, mean_of

PS = st.floats(0, 1, allow_nan=False)


def no_draws():
    raise AssertionError("an exact test draws nothing")


# --- intervals and p of a bootstrap


def test_limits_are_the_50th_and_the_1951st_of_2000():
    values = np.random.RandomState(0).permutation(np.arange(1, 2001)).astype(float)
    assert limits(values) == (50.0, 1951.0)
    assert limits(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)  # too few for the tails: all of them


def test_an_interval_has_four_decimals_and_no_negative_zero():
    assert interval(np.array([-0.00001, 0.123456])) == [0.0, 0.1235]
    assert math.copysign(1, interval(np.array([-0.00001, 1.0]))[0]) == 1


def test_two_sided_by_hand():
    assert two_sided(np.zeros(2000)) == 1.0
    assert two_sided(np.ones(2000)) == two_sided(-np.ones(2000)) == 2 / 2001
    assert two_sided(np.array([-1.0, 1.0, 1.0, 1.0])) == 2 * (1 + 1) / 5
    # a 0 counts on both sides
    assert two_sided(np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])) == 2 * (1 + 1) / 10


@given(st.integers(0, 100), st.sampled_from([199, 999, 2000]), st.sampled_from([-1, 1]))
def test_the_interval_leaves_out_0_exactly_where_p_is_at_most_5_percent(others, size, sign):
    values = sign * np.array([-1.0] * others + [1.0] * (size - others))
    low, high = limits(values)
    assert (low > 0 or high < 0) == (two_sided(values) <= 0.05)


# --- Holm, t


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


def test_t_interval_is_scipys_and_needs_three_values():
    values = [1.0, 2.5, 0.25, 4.0]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(values) == [round(low, 4), round(high, 4)]
    assert t_interval([1.0, 2.0]) is None
    assert t_interval([2.0, 2.0, 2.0]) == [2.0, 2.0]


# --- permutation test, Spearman


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=4),
    st.lists(st.integers(-3, 3), min_size=1, max_size=3),
)
def test_permutation_p_is_that_of_all_orders(a, b):
    def difference(values):
        return abs(sum(values[: len(a)]) / len(a) - sum(values[len(a) :]) / len(b))

    orders = [
        difference(order) >= difference([*a, *b]) - 1e-9
        for order in itertools.permutations([*a, *b])
    ]
    p, count = permutation_test(a, b, no_draws)
    assert p == pytest.approx(sum(orders) / len(orders))
    assert count == math.comb(len(a) + len(b), len(a))


def test_permutation_by_hand():
    assert permutation_test([0, 0], [1, 1], no_draws) == (2 / 6, 6)
    assert permutation_test([1.0], [1.0], no_draws) == (1.0, 2)
    assert permutation_test([1, 2, 3, 4], [5, 6, 7, 8], no_draws) == (2 / 70, 70)


def test_permutations_beyond_the_limit_are_sampled(monkeypatch):
    a, b = [0.1, 0.5, 0.9, 0.2, 0.3], [0.6, 0.8, 0.4, 1.0, 1.1]
    exact, _ = permutation_test(a, b, no_draws)
    monkeypatch.setattr(statistics, "MAX_ASSIGNMENTS", 251)  # of 252
    sampled, count = permutation_test(a, b, lambda: stream("a test"))
    assert count == 251 and sampled == pytest.approx(exact, abs=0.06)
    assert (sampled, count) == permutation_test(a, b, lambda: stream("a test"))
    far, _ = permutation_test([0] * 5, [100] * 5, lambda: stream("another"))
    assert far >= 1 / 251  # the observed assignment is among them


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


def test_fishers_interval():
    x = list(range(12))
    y = [5, 0, 3, 1, 8, 2, 4, 11, 6, 10, 7, 9]
    found = spearman(x, y)
    z, half = math.atanh(found.rho), stats.norm.ppf(0.975) * math.sqrt(1.06 / 9)
    assert found.interval == [round(math.tanh(z - half), 4), round(math.tanh(z + half), 4)]
    assert spearman([1, 2, 3], [1, 3, 2]).interval is None  # below 4 points
    assert spearman([1, 2, 3, 4], [1, 2, 3, 4]).interval is None  # z is infinite
    assert spearman([1, 2], [1, 2]) is None


# --- the bootstrap


def scores(metric, languages, parallel=False, target="a target"):
    """languages: language → (units, [examples of each system])."""
    read = {
        language: (np.asarray(units), systems) for language, (units, systems) in languages.items()
    }
    return replicate_scores(target, metric, list(languages), parallel, read.__getitem__)


def one(values, units=None, **how):
    """Replicates of the accuracy of one system in one language."""
    return scores(
        "accuracy",
        {"sw": (range(len(values)) if units is None else units, [{"correct": list(values)}])},
        **how,
    )["sw"][0]


def test_the_stream_is_frozen():
    """These numbers are part of every release: they may never change."""
    assert stream("xnli", "sw", "bootstrap").randint(0, 1000, size=5, dtype=np.int64).tolist() == [
        771,
        389,
        928,
        642,
        344,
    ]
    assert stream("xnli", "", "bootstrap").randint(0, 1000, size=3, dtype=np.int64).tolist() == [
        826,
        835,
        804,
    ]


def test_a_draw_is_of_as_many_units_as_there_are_and_does_not_depend_on_the_chunk(monkeypatch):
    whole = np.concatenate([counts for _, counts in draws(7, stream("x"))])
    assert whole.shape == (REPLICATES, 7) and (whole.sum(axis=1) == 7).all()
    assert whole.mean() == 1 and 0.8 < whole.var() < 0.92  # binomial: 1 - 1/7
    monkeypatch.setattr(bootstrap, "_DRAWN_AT_ONCE", 50)
    assert (np.concatenate([counts for _, counts in draws(7, stream("x"))]) == whole).all()


def test_replicates_are_the_scores_of_the_drawn_examples():
    """Against the plain way: repeat the examples as often as their paragraph is drawn, and score
    them."""
    rng = random.Random(0)
    units = [0, 0, 1, 2, 2, 2, 5]
    systems = [
        {"em": [rng.randint(0, 1) for _ in units], "f1": [rng.random() for _ in units]}
        for _ in range(2)
    ]
    found = scores("squad", {"sw": (units, systems)})["sw"]
    counts = np.concatenate(
        [counts for _, counts in draws(4, stream("a target", "sw", "bootstrap"))]
    )
    for system, replicates in zip(systems, found, strict=True):
        for i in range(0, REPLICATES, 97):
            times = [int(counts[i, [0, 1, 2, 5].index(unit)]) for unit in units]
            em, f1 = (
                sum(t * v for t, v in zip(times, system[name], strict=True))
                for name in ("em", "f1")
            )
            # F1 counts in millionths
            assert replicates[i] == pytest.approx(50 * (em + f1) / sum(times), abs=1e-3)


def test_replicates_of_a_ratio_and_of_blocks():
    """F1 is taken of the drawn counts, not averaged; blocks of rows weigh as many rows as they
    hold."""
    tags = {"tp": [1, 0, 3], "pred": [2, 4, 3], "gold": [1, 5, 4]}
    counts = np.concatenate(
        [counts for _, counts in draws(3, stream("a target", "sw", "bootstrap"))]
    )
    expected = 200 * (counts @ [1, 0, 3]) / (counts @ [3, 9, 7])
    assert scores("span_f1", {"sw": (range(3), [tags])})["sw"][0] == pytest.approx(expected)
    blocks = {"correct": [3, 0, 1], "n": [4, 1, 1]}
    found = scores("accuracy", {"sw": (range(3), [blocks])})["sw"][0]
    assert found == pytest.approx(100 * (counts @ [3, 0, 1]) / (counts @ [4, 1, 1]))


def test_equal_systems_never_differ():
    """One draw serves all systems of a target."""
    found = scores("accuracy", {"sw": (range(40), [{"correct": [0, 1] * 20}] * 2)})["sw"]
    assert (found[0] == found[1]).all() and found[0].std() > 0


def test_parallel_units_are_drawn_jointly():
    """The mean of two languages with the same answers varies as much as one, and half as much where
    each draws its own."""
    values = {"correct": [0, 1, 1, 0, 1] * 20}
    both = {"sw": (range(100), [values]), "th": (range(100), [values])}
    joint, apart = scores("accuracy", both, parallel=True), scores("accuracy", both)
    assert (joint["sw"][0] == joint["th"][0]).all()
    mean = (joint["sw"][0] + joint["th"][0]) / 2
    assert mean.var() == joint["sw"][0].var() == pytest.approx(100**2 * 0.24 / 100, rel=0.1)
    mean = (apart["sw"][0] + apart["th"][0]) / 2
    assert mean.var() == pytest.approx(100**2 * 0.24 / 200, rel=0.1)


def test_parallel_languages_may_lack_units():
    found = scores(
        "accuracy",
        {"sw": ([0, 1, 2, 3], [{"correct": [1, 0, 1, 0]}]), "th": ([1, 3], [{"correct": [1, 1]}])},
        parallel=True,
    )
    counts = np.concatenate([counts for _, counts in draws(4, stream("a target", "", "bootstrap"))])
    assert (found["sw"][0] == 100 * (counts @ [1, 0, 1, 0]) / 4).all()
    drawn = counts @ [0, 1, 0, 1]
    assert (found["th"][0] == np.where(drawn > 0, 100, 0)).all()


def test_rows_of_one_unit_are_drawn_together():
    """Four equal questions a paragraph: a quarter of the information, twice the spread."""
    values = np.repeat([0, 1, 1, 0, 1] * 20, 4)
    rows, paragraphs = one(values), one(values, np.repeat(np.arange(100), 4))
    assert paragraphs.std() / rows.std() == pytest.approx(2, rel=0.06)


def test_languages_and_targets_draw_apart():
    values = [0, 1] * 25
    found = scores(
        "accuracy",
        {"sw": (range(50), [{"correct": values}]), "th": (range(50), [{"correct": values}])},
    )
    others = [found["th"][0], one(values, target="another target")]
    assert all(abs(np.corrcoef(found["sw"][0], other)[0, 1]) < 0.1 for other in others)


def test_sums_that_would_not_be_exact_are_refused():
    with pytest.raises(AssertionError, match="exact"):
        scores("token_accuracy", {"sw": ([0, 1], [{"right": [1, 2**52], "tokens": [1, 2**52]}])})


def test_the_interval_covers_the_truth():
    """Paired systems on simulated rows: the interval of their difference holds the true one in
    about 95 of 100 runs."""
    rng = np.random.RandomState(7)
    covered = 0
    for run in range(200):
        hard = rng.random_sample(120)  # how hard a row is, for both systems
        a, b = (rng.random_sample(120) < skill + 0.4 * hard for skill in (0.45, 0.30))
        found = scores(
            "accuracy",
            {"sw": (range(120), [{"correct": a.astype(int)}, {"correct": b.astype(int)}])},
            target=f"run {run}",
        )
        low, high = limits(found["sw"][0] - found["sw"][1])
        covered += low <= 15 <= high
    assert 180 <= covered <= 198


@pytest.mark.slow
def test_p_of_no_difference_is_uniform():
    """Two systems of equal skill: p is below 0.05 in about 5 of 100 runs, and above 0.5 in about
    half."""
    rng = np.random.RandomState(8)
    ps = []
    for run in range(200):
        a, b = ({"correct": (rng.random_sample(150) < 0.6).astype(int)} for _ in range(2))
        found = scores("accuracy", {"sw": (range(150), [a, b])}, target=f"null run {run}")["sw"]
        ps.append(two_sided(found[0] - found[1]))
    assert 2 <= sum(p < 0.05 for p in ps) <= 22
    assert 70 <= sum(p > 0.5 for p in ps) <= 130


# --- numbers with their replicates


def replicated(value, per_seed):
    replicates = np.linspace(value - 1, value + 1, REPLICATES)
    return Replicated(value, replicates, per_seed)


def test_a_difference_is_paired_by_replicate_and_by_seed():
    one, other = replicated(3.0, {"1": 2.0, "2": 4.0}), replicated(1.0, {"2": 1.0, "3": 1.0})
    found = one - other
    assert (found.value, found.per_seed) == (2.0, {"2": 3.0})
    assert found.interval == [2.0, 2.0]  # each replicate is of the same draw in both
    assert found.seed_interval is None  # one seed


def test_a_mean_is_over_the_seeds_that_all_have():
    numbers = [replicated(1.0, {"1": 0.0, "2": 2.0}), replicated(3.0, {"2": 4.0, "1": 2.0, "3": 9})]
    found = mean_of(numbers)
    assert (found.value, found.per_seed) == (2.0, {"1": 1.0, "2": 3.0})
    assert found.interval == [pytest.approx(limit + 1) for limit in numbers[0].interval]
    assert mean_of([]) is None
    # where the seeds of one are not kept, those of the mean are not known
    assert mean_of([numbers[0], replicated(3.0, {})]).per_seed == {}
