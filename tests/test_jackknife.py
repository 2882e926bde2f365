"""How far test rows move a score, against scores of what is left without them, and textbooks."""

import math
from statistics import variance

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import METRICS
from harness.statistics.jackknife import influences
from tests.stress import times
from tests.test_metrics_properties import data_sets, score

quick = settings(max_examples=times(20, 200), deadline=None)


def moved(metric, examples, units=None, numbers=None):
    """Influences of the units of one system."""
    rows = len(next(iter(examples.values())))
    units = np.arange(rows) if units is None else np.asarray(units)
    numbers = np.unique(units) if numbers is None else np.asarray(numbers)
    vectors = {name: np.asarray(values, dtype=float) for name, values in examples.items()}
    (found,) = influences(metric, units, [vectors], numbers)
    return found


def scaled(without):
    """What the definition makes of the scores without each unit (Efron and Tibshirani, 11.5)."""
    n = len(without)
    return [math.sqrt((n - 1) / n) * (math.fsum(without) / n - one) for one in without]


# --- by hand


def test_accuracy_by_hand():
    """3 of 4 right. Without a right row 2 of 3, without the wrong one 3 of 3."""
    found = moved("accuracy", {"correct": [1, 0, 1, 1], "null": [0, 0, 0, 0]})
    low, high = 200 / 3, 100.0
    mean = (3 * low + high) / 4
    assert found == pytest.approx([math.sqrt(3 / 4) * (mean - x) for x in (low, high, low, low)])
    # a row that is right holds the score up
    assert found[0] > 0 > found[1]
    # s^2 / n, with s^2 = 3/4 · 1/4 · 4/3
    assert math.fsum(found**2) == pytest.approx(100**2 * (1 / 4) / 4)


def test_span_f1_by_hand():
    """F1 is 200 tp / (pred + gold) of the sentences that are left."""
    counts = {"tp": [1, 0, 3], "pred": [3, 4, 2], "gold": [1, 5, 4]}
    without = [200 * 3 / 15, 200 * 4 / 10, 200 * 1 / 13]
    assert moved("span_f1", counts) == pytest.approx(scaled(without))


def test_squad_is_the_mean_of_exact_match_and_f1():
    found = moved("squad", {"em": [1, 0, 0], "f1": [1.0, 0.5, 0.0]})
    assert found == pytest.approx(scaled([12.5, 50.0, 62.5]))


def test_rows_of_one_unit_are_left_out_together():
    """Two questions about paragraph 3, one about 5 and one about 9."""
    found = moved("retrieval_accuracy", {"gold": [1] * 4, "predicted": [1, 0, 1, 1]}, [3, 9, 3, 5])
    assert found == pytest.approx(scaled([50.0, 200 / 3, 100.0]))  # in the order 3, 5, 9


def test_a_block_counts_as_many_rows_as_it_stands_for():
    found = moved("accuracy", {"correct": [3, 0, 1], "n": [4, 1, 1]})
    assert found == pytest.approx(scaled([50.0, 80.0, 60.0]))


def test_units_that_a_language_lacks_have_no_influence():
    """A parallel target: the other language has units 0, 2 and 7 too."""
    found = moved("accuracy", {"correct": [1, 0]}, [1, 4], [0, 1, 2, 4, 7])
    assert found == pytest.approx([0, math.sqrt(1 / 2) * 50, 0, -math.sqrt(1 / 2) * 50, 0])


def test_one_unit_has_no_influence():
    """It tells nothing of how units differ."""
    assert moved("accuracy", {"correct": [1, 0, 1]}, [6, 6, 6]).tolist() == [0.0]
    assert moved("accuracy", {"correct": [1]}, [6], [5, 6]).tolist() == [0.0, 0.0]
    assert moved("macro_f1", {"gold": [0], "predicted": [0]}).tolist() == [0.0]


@pytest.mark.parametrize("metric", ["accuracy", "mining_f1", "matthews", "macro_f1"])
def test_where_all_rows_are_alike_none_has_an_influence(metric):
    names = METRICS[metric].vectors
    assert moved(metric, {name: [1] * 5 for name in names}).tolist() == [0.0] * 5


def test_each_system_is_by_itself():
    first = {"correct": np.array([1.0, 0, 1, 1])}
    second = {"correct": np.array([0.0, 0, 1, 1])}
    units = np.arange(4)
    both = influences("accuracy", units, [first, second], units)
    assert both.shape == (2, 4)
    assert (both[0] == moved("accuracy", first)).all()
    assert (both[1] == moved("accuracy", second)).all()


def test_sums_that_would_not_be_exact_are_refused():
    with pytest.raises(AssertionError, match="exact"):
        moved("token_accuracy", {"right": [1, 2**52], "tokens": [1, 2**52]})


# --- against the plain way: score what is left without each unit


# MLQA's alone differs from SQuAD's by language, which an influence knows nothing of
@pytest.mark.parametrize("metric", [name for name in METRICS if name != "mlqa"])
@quick
@given(data=st.data())
def test_every_metric_is_scored_anew_without_each_unit(metric, data):
    """From the answers themselves, whatever rows each unit has."""
    pairs = data.draw(data_sets(metric, min_size=2, max_size=12))
    units = data.draw(st.lists(st.integers(0, 5), min_size=len(pairs), max_size=len(pairs)))
    without = []
    for unit in sorted(set(units)):
        rows = [i for i, of in enumerate(units) if of != unit]
        without.append(_score(metric, [pairs[i] for i in rows]))
    found = moved(metric, score(metric, pairs).examples, units)
    # F1 of an answer counts in millionths
    assert found == pytest.approx(scaled(without), abs=1e-3)


def _score(metric, pairs):
    """The main score; 0 where there is nothing to score, as in `main_from_totals`."""
    try:
        return score(metric, pairs).main if pairs else 0.0
    except (ValueError, ZeroDivisionError):
        return 0.0


@pytest.mark.parametrize("metric", [name for name, of in METRICS.items() if of.additive])
@quick
@given(data=st.data())
def test_blocks_of_rows_are_units_of_their_rows(metric, data):
    """The sums over a block say what its rows say as one unit."""
    pairs = data.draw(data_sets(metric, min_size=2, max_size=12))
    blocks = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    examples = score(metric, pairs).examples
    summed = {name: [] for name in (*METRICS[metric].vectors, "n")}
    for block in sorted(set(blocks)):
        rows = [i for i, of in enumerate(blocks) if of == block]
        summed["n"].append(len(rows))
        for name in METRICS[metric].vectors:
            summed[name].append(sum(examples[name][i] for i in rows))
    expected = moved(metric, examples, blocks)
    assert moved(metric, summed, sorted(set(blocks))) == pytest.approx(expected)


# --- what textbooks say


@quick
@given(st.lists(st.integers(0, 1), min_size=2, max_size=40))
def test_squares_of_influences_on_a_mean_sum_to_its_variance(right):
    found = moved("accuracy", {"correct": right})
    textbook = 100**2 * variance(right) / len(right)
    assert math.fsum(found**2) == pytest.approx(textbook, abs=1e-9)


@quick
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_influences_of_a_difference_are_those_of_a_paired_test(pairs):
    """The variance is that of the mean of the rows' differences, as in a paired t-test."""
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    found = moved("accuracy", {"correct": a}) - moved("accuracy", {"correct": b})
    differences = [100 * (x - y) for x, y in pairs]
    textbook = variance(differences) / len(pairs)
    assert math.fsum(found**2) == pytest.approx(textbook, abs=1e-9)


@quick
@given(st.data())
def test_squares_on_a_ratio_are_near_the_linearised_variance(data):
    """F1 of many sentences, by the delta method."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    gold, pred = rng.integers(1, 6, 400), rng.integers(1, 6, 400)
    tp = rng.binomial(np.minimum(gold, pred), 0.7)
    found = moved("span_f1", {"tp": tp, "pred": pred, "gold": gold})
    f1 = 2 * tp.sum() / (pred + gold).sum()
    apart = 2 * tp - f1 * (pred + gold)
    linear = 100**2 * (apart**2).sum() / (pred + gold).sum() ** 2
    assert math.fsum(found**2) == pytest.approx(linear, rel=0.02)


@quick
@given(st.data())
def test_no_order_of_rows_changes_a_digit(data):
    pairs = data.draw(data_sets("squad", min_size=2, max_size=12))
    units = data.draw(st.lists(st.integers(0, 5), min_size=len(pairs), max_size=len(pairs)))
    examples = score("squad", pairs).examples
    order = data.draw(st.permutations(range(len(pairs))))
    turned = {name: [values[i] for i in order] for name, values in examples.items()}
    expected = moved("squad", examples, units)
    assert (moved("squad", turned, [units[i] for i in order]) == expected).all()
