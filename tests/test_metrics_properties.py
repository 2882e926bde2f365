"""What holds for every input: bounds, symmetry, and that the stored counts carry the whole
score."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import METRICS
from harness.metrics.scored import numbered
from tests.stress import times

quick = settings(max_examples=times(20, 200), deadline=None)

labels = st.sampled_from(["entailment", "neutral", "contradiction"])
tags = st.sampled_from(
    ["NOUN", "VERB", "SYM", "INTJ", "CCONJ", "SCONJ", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
)
words = st.sampled_from(["the", "Nile", "25", "km", "river", "a", "!", "North", ""])
answers = st.lists(words, max_size=4).map(" ".join)
ids = st.lists(st.sampled_from("uvwxyz"), max_size=3)


@st.composite
def sentence(draw):
    length = draw(st.integers(1, 6))
    return [draw(st.lists(tags, min_size=length, max_size=length)) for _ in range(2)]


@st.composite
def question(draw, min_answers=1):
    gold = {
        "answers": draw(st.lists(answers, min_size=min_answers, max_size=3)),
        "context": draw(st.lists(words, max_size=12).map(" ".join)),
        "group": draw(st.sampled_from("pqrs")),
    }
    return gold, draw(answers)


@st.composite
def masked(draw):
    length = draw(st.integers(0, 5))
    sides = [draw(st.lists(st.integers(0, 3), min_size=length, max_size=length)) for _ in range(2)]
    return "id", {"gold": sides[0], "predicted": sides[1]}


PAIRS = {
    "accuracy": st.tuples(labels, labels),
    "accuracy_f1": st.tuples(st.sampled_from("01"), st.sampled_from("01")),
    "macro_f1": st.tuples(labels, labels),
    "matthews": st.tuples(labels, labels),
    "span_f1": sentence(),
    "token_accuracy": sentence(),
    "squad": question(),
    "mlqa": question(),
    "squad_v2": question(min_answers=0),
    "retrieval_accuracy": st.tuples(st.integers(0, 9), st.integers(0, 9)),
    "mining_f1": st.tuples(ids, ids),
    "map_at_20": st.tuples(
        st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=3, unique=True),
        st.permutations("uvwxyz"),
    ),
    "masked_accuracy": masked(),
}
# A set without a gold pair, or a hidden piece, cannot be scored.
ANY = {
    "mining_f1": lambda pairs: any(gold for gold, _ in pairs),
    "masked_accuracy": lambda pairs: any(guess["gold"] for _, guess in pairs),
}


def data_sets(name, **limits):
    pairs = st.lists(PAIRS[name], **({"min_size": 1, "max_size": 20} | limits))
    return pairs.filter(ANY[name]) if name in ANY else pairs


def score(name, pairs, language="en"):
    return METRICS[name]([gold for gold, _ in pairs], [guess for _, guess in pairs], language)


@pytest.mark.parametrize("name", METRICS)
@quick
@given(data=st.data())
def test_everything_is_within_bounds(name, data):
    scored = score(name, data.draw(data_sets(name)))
    numbers = [*scored.metrics.values(), scored.main, scored.null, scored.stderr]
    least = -100 if name == "matthews" else 0
    assert all(math.isfinite(x) and least <= x <= 100 for x in numbers)
    assert -100 <= scored.above_null <= 100


@pytest.mark.parametrize("name", METRICS)
@quick
@given(data=st.data())
def test_the_order_of_examples_does_not_matter(name, data):
    pairs = data.draw(data_sets(name))
    order = data.draw(st.permutations(range(len(pairs))))
    here, there = score(name, pairs), score(name, [pairs[i] for i in order])
    moved = {key: [values[i] for i in order] for key, values in here.examples.items()}
    if "group" in moved:  # numbers are given by first appearance
        moved["group"] = numbered(moved["group"])
    if "predicted" in moved:
        numbers = numbered([*moved["gold"], *moved["predicted"]])
        moved |= {"gold": numbers[: len(order)], "predicted": numbers[len(order) :]}
    assert there.examples == moved
    assert there._replace(examples={}) == here._replace(examples={})


@pytest.mark.parametrize("name", METRICS)
@quick
@given(data=st.data())
def test_the_gold_itself_scores_100(name, data):
    pairs = data.draw(data_sets(name))
    golds = [gold for gold, _ in pairs]
    if name == "span_f1":
        golds = [*golds, ["NOUN"]]  # without a span F1 is 0, as in the official scorer
    if name == "accuracy_f1":
        golds = [*golds, "1"]  # without a positive row F1 is 0
    if name == "matthews":
        golds = [*golds, "another"]  # of one class it is 0
    if name in ("squad", "mlqa"):
        # an answer that is not only articles
        golds = [{**gold, "answers": [*gold["answers"], "Nile"]} for gold in golds]
        assert METRICS[name](golds, ["Nile"] * len(golds), "en").main == 100
    elif name == "squad_v2":
        assert (
            METRICS[name](
                golds, [next(filter(real, gold["answers"]), "") for gold in golds], "en"
            ).main
            == 100
        )
    elif name == "masked_accuracy":  # its golds are ids; what was hidden is in the prediction
        assert (
            METRICS[name](golds, [{**row, "predicted": row["gold"]} for _, row in pairs], "en").main
            == 100
        )
    else:
        assert METRICS[name](golds, golds, "en").main == 100


def real(answer):
    return bool(set(answer.split()) - {"the", "a", "!"})


@pytest.mark.parametrize("name", METRICS)
@quick
@given(data=st.data())
def test_the_examples_carry_the_score(name, data):
    scored = score(name, data.draw(data_sets(name)))
    total = {key: math.fsum(values) for key, values in scored.examples.items()}
    n = len(next(iter(scored.examples.values())))
    if name == "span_f1":
        denominator = total["pred"] + total["gold"]
        f1 = 200 * total["tp"] / denominator if denominator else 0
        assert scored.main == pytest.approx(f1)
        assert scored.metrics["accuracy"] == pytest.approx(100 * total["right"] / total["tokens"])
    elif name == "token_accuracy":
        assert scored.main == pytest.approx(100 * total["right"] / total["tokens"])
    elif name == "masked_accuracy":
        assert scored.main == pytest.approx(100 * total["right"] / total["masked"])
    elif name == "mining_f1":
        assert scored.main == pytest.approx(200 * total["tp"] / (total["pred"] + total["gold"]))
    elif name == "accuracy_f1":
        positives = total["pred"] + total["gold"]
        f1 = 200 * total["tp"] / positives if positives else 0
        assert scored.main == pytest.approx((100 * total["correct"] / n + f1) / 2)
    elif name == "retrieval_accuracy":
        right = [
            a == b
            for a, b in zip(scored.examples["gold"], scored.examples["predicted"], strict=True)
        ]
        assert scored.main == pytest.approx(100 * sum(right) / n)
    elif name in ("macro_f1", "matthews", "map_at_20"):
        columns = METRICS[name].resampled(scored.examples)
        totals = {key: math.fsum(values) for key, values in columns.items()} | {"n": n}
        assert METRICS[name].main_from_totals(totals) == pytest.approx(scored.main)
    elif name == "accuracy":
        assert scored.main == pytest.approx(100 * total["correct"] / n)
    else:
        assert scored.main == pytest.approx(100 * (total["em"] + total["f1"]) / (2 * n))


@pytest.mark.parametrize("name", METRICS)
@quick
@given(data=st.data())
def test_a_constant_answer_is_never_learned(name, data):
    pairs = data.draw(data_sets(name, max_size=40))
    golds = [gold for gold, _ in pairs]
    if name in ("span_f1", "token_accuracy"):
        tag = data.draw(tags)
        constant = [[tag] * len(gold) for gold in golds]
    elif isinstance(golds[0], dict):
        constant = [""] * len(golds)
    elif name == "mining_f1":
        constant = [[]] * len(golds)
    elif name == "masked_accuracy":
        piece = data.draw(st.integers(0, 3))
        constant = [{**row, "predicted": [piece] * len(row["gold"])} for _, row in pairs]
    else:
        constant = [data.draw(st.sampled_from(golds))] * len(golds)
    assert not METRICS[name](golds, constant, "en").learned


@quick
@given(
    pairs=data_sets("accuracy"),
    names=st.permutations(["contradiction", "entailment", "neutral", "other"]),
)
def test_renamed_labels_score_the_same(pairs, names):
    rename = dict(zip(["entailment", "neutral", "contradiction"], names, strict=False))
    here, there = (
        score("accuracy", pairs),
        score("accuracy", [(rename[g], rename[p]) for g, p in pairs]),
    )
    assert (here.main, here.examples["correct"], here.null) == (
        there.main,
        there.examples["correct"],
        there.null,
    )


@pytest.mark.parametrize("name", ["squad", "mlqa"])
@quick
@given(data=st.data(), extra=answers)
def test_one_more_accepted_answer_never_lowers_the_score(name, data, extra):
    pairs = data.draw(data_sets(name))
    more = [({**gold, "answers": [*gold["answers"], extra]}, guess) for gold, guess in pairs]
    before, after = score(name, pairs), score(name, more)
    for key in ("em", "f1"):
        assert all(a <= b for a, b in zip(before.examples[key], after.examples[key], strict=True))
