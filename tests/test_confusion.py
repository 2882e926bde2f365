"""Macro-F1 and Matthews correlation: as scikit-learn has them, by hand, and what they say of
whoever answers without looking."""

import math
import random
from itertools import permutations
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import METRICS, rescore
from harness.metrics.confusion import _shuffled, _spread, class_counts, matthews_of

quick = settings(max_examples=50, deadline=None)
both = pytest.mark.parametrize("name", ["macro_f1", "matthews"])
labels = st.sampled_from(["yes", "no", "maybe", "never"])
answers = st.lists(st.tuples(labels, labels), min_size=1, max_size=40)


def score(name, pairs):
    return METRICS[name]([gold for gold, _ in pairs], [guess for _, guess in pairs], "en")


def sklearn_score(name, pairs):
    metrics = pytest.importorskip("sklearn.metrics")
    golds, guesses = [gold for gold, _ in pairs], [guess for _, guess in pairs]
    if name == "matthews":
        return 100 * metrics.matthews_corrcoef(golds, guesses)
    return 100 * metrics.f1_score(golds, guesses, average="macro", zero_division=0)


@both
@pytest.mark.filterwarnings("ignore")  # scikit-learn warns of a single label
@quick
@given(pairs=answers)
def test_scikit_learn_has_the_same(name, pairs):
    assert score(name, pairs).main == pytest.approx(sklearn_score(name, pairs), abs=1e-9)


@both
@pytest.mark.filterwarnings("ignore")
@quick
@given(pairs=answers, seed=st.integers(0, 99))
def test_any_set_of_rows_is_scored_from_its_sums(name, pairs, seed):
    """Also where the draw has lost a class: macro-F1 leaves it out, as it does in a test set that
    never had it."""
    vectors = METRICS[name].resampled(score(name, pairs).examples)
    drawn = np.random.default_rng(seed).integers(0, len(pairs), len(pairs))
    weights = np.bincount(drawn, minlength=len(pairs)).astype(float)
    totals = {
        vector: np.array([weights @ values, values.sum()]) for vector, values in vectors.items()
    }
    found = METRICS[name].main_from_totals(totals | {"n": np.array([len(pairs)] * 2)})
    assert found == pytest.approx(
        [sklearn_score(name, [pairs[i] for i in drawn]), score(name, pairs).main], abs=1e-9
    )


def test_by_hand():
    """Ten rows, two classes: tp 3, fp 2, fn 1, tn 4."""
    pairs = [("1", "1")] * 3 + [("0", "1")] * 2 + [("1", "0")] + [("0", "0")] * 4
    assert score("matthews", pairs).main == pytest.approx(
        100 * (3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5)
    )
    macro = score("macro_f1", pairs)
    assert macro.main == pytest.approx(100 * (6 / 9 + 8 / 11) / 2)
    assert macro.metrics == {"macro_f1": macro.main, "accuracy": 70.0}
    assert macro.null == 50.0


def test_a_perfect_answer_is_100_to_the_last_bit():
    for rows in range(2, 200, 7):
        pairs = [(str(i % 3), str(i % 3)) for i in range(rows)]
        assert [score(name, pairs).main for name in ("macro_f1", "matthews")] == [100.0, 100.0]


def test_opposite_answers_are_minus_100():
    assert score("matthews", [("1", "0"), ("0", "1")] * 9).main == -100.0


def test_a_class_that_the_test_set_lacks_takes_nothing_from_macro_f1():
    assert score("macro_f1", [("yes", "yes"), ("no", "no")]).main == 100.0
    # answered, so it counts
    assert score("macro_f1", [("yes", "yes"), ("no", "maybe")]).main == pytest.approx(100 / 3)


@both
def test_blanks_around_a_label_are_no_part_of_it(name):
    assert score(name, [("yes ", " yes"), ("no", "no\n")]).main == 100.0


@both
@quick
@given(pairs=answers, names=st.permutations(["yes", "no", "maybe", "never"]))
def test_names_of_labels_do_not_matter(name, pairs, names):
    other = dict(zip(["yes", "no", "maybe", "never"], names, strict=True))
    assert score(name, [(other[gold], other[guess]) for gold, guess in pairs]) == score(name, pairs)


@both
def test_a_changed_answer_changes_the_score(name):
    first = score(name, [("yes", "yes"), ("no", "no"), ("no", "yes"), ("yes", "yes")])
    for at in range(4):
        examples = {
            **first.examples,
            "predicted": [
                1 - p if i == at else p for i, p in enumerate(first.examples["predicted"])
            ],
        }
        assert rescore(name, examples).main != first.main


# --- who has learned nothing ----------------------------------------------------------------------


@both
@quick
@given(golds=st.lists(labels, min_size=1, max_size=60))
def test_no_constant_answer_is_above_the_null(name, golds):
    for label in sorted(set(golds)):
        scored = score(name, [(gold, label) for gold in golds])
        assert scored.above_null <= 0
        assert not scored.learned


@both
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.6, 0.3, 0.1)])
def test_random_answers_are_hardly_ever_learned_and_reach_the_null_on_average(name, shares):
    draw = random.Random(3)
    names = "abc"[: len(shares)]
    found = []
    for _ in range(150):
        golds, guesses = (draw.choices(names, shares, k=200) for _ in range(2))
        found.append(METRICS[name](golds, guesses, "en"))
    assert sum(scored.learned for scored in found) <= 2
    assert fmean(scored.above_null for scored in found) == pytest.approx(0, abs=2.5)


@both
def test_good_answers_are_learned(name):
    draw = random.Random(4)
    golds = draw.choices("ab", (0.7, 0.3), k=300)
    guesses = [gold if draw.random() < 0.8 else draw.choice("ab") for gold in golds]
    assert METRICS[name](golds, guesses, "en").learned


@both
def test_a_few_rows_that_happen_to_be_right_are_not_learned(name):
    """Leaving one out moves nothing here; shuffled answers would."""
    scored = score(name, [("yes", "yes"), ("no", "no")] * 2)
    assert scored.main == 100.0
    assert not scored.learned


@both
def test_the_error_of_chance_is_that_of_all_orders_of_the_answers(name):
    golds, guesses = list("aaabbc"), list("aabbbc")
    every = [METRICS[name](golds, list(order), "en").main for order in set(permutations(guesses))]
    counts = class_counts(METRICS[name](golds, guesses, "en").examples)
    if name == "macro_f1":
        weights = [
            2 / (pred + gold) / 3 for pred, gold in zip(counts.pred, counts.gold, strict=True)
        ]
    else:
        weights = [counts.rows / _spread(counts)] * 3
    # orders of equal answers are equally many
    assert 100 * _shuffled(counts, weights) == pytest.approx(pstdev(every))


@both
def test_the_error_is_about_what_other_rows_would_give(name):
    draw = random.Random(5)
    kinds = [("a", "a")] * 5 + [("a", "b")] * 2 + [("b", "b")] * 4 + [("b", "a")]
    sets = [[draw.choice(kinds) for _ in range(240)] for _ in range(200)]
    scored = [score(name, pairs) for pairs in sets]
    spread = pstdev(one.main for one in scored)
    assert fmean(one.stderr for one in scored) == pytest.approx(spread, rel=0.35)


def test_headroom_takes_their_null_for_chance():
    assert METRICS["macro_f1"].null_is_main and METRICS["matthews"].null_is_main


def test_many_rows_do_not_overflow():
    counts = class_counts({"gold": [0, 1] * 5, "predicted": [0, 1] * 5})
    large = type(counts)(*([count * 10**7 for count in vector] for vector in counts))
    assert matthews_of(large) == 1.0
