"""Metrics of intermediate tasks by hand and against scikit-learn, and what else must hold of every
scorer."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import METRICS, language_mean, task_score

quick = settings(max_examples=60, deadline=None)

binary = st.lists(st.tuples(st.sampled_from("01"), st.sampled_from("01")), min_size=1, max_size=40)
categories = st.sampled_from(["N", "N/N", "NP[nb]/N", r"(S[dcl]\NP)/NP", ",", "."])
words = st.sampled_from(["Nile", "river", "the", "25", "km", "North", "Süd", "北京"])
phrases = st.lists(words, min_size=1, max_size=4).map(" ".join)


@st.composite
def tagged(draw, tags=categories):
    """Sentences of (gold, prediction) tags, none of them empty."""
    return draw(
        st.lists(st.lists(st.tuples(tags, tags), min_size=1, max_size=8), min_size=1, max_size=8)
    )


def apart(sentences):
    return [[gold for gold, _ in s] for s in sentences], [
        [guess for _, guess in s] for s in sentences
    ]


def but_null(scored):
    """Examples that no name can move: of equally frequent golds the constant answer is the one with
    the smallest name."""
    return {name: values for name, values in scored.examples.items() if name != "null"}


def questions(pairs):
    golds = [
        {"answers": answers, "context": "w1 w2 w3 w4", "group": str(i)}
        for i, (answers, _) in enumerate(pairs)
    ]
    return golds, [guess for _, guess in pairs]


asked = st.lists(
    st.tuples(st.lists(phrases, min_size=1, max_size=3), phrases), min_size=1, max_size=12
)


# --- accuracy and F1 of the positive label (QQP) --------------------------------------------------


def test_accuracy_f1_by_hand():
    golds, guesses = ["1", "1 ", "0", "0", "0"], ["1", "0", "1\n", "0", "0"]
    scored = METRICS["accuracy_f1"](golds, guesses, "en")
    assert scored.metrics == {"accuracy": 60.0, "f1": 50.0}  # right once; said twice, true twice
    assert scored.main == 55.0
    assert scored.examples == {
        "correct": [1, 0, 0, 1, 1],
        "null": [0, 0, 1, 1, 1],
        "tp": [1, 0, 0, 0, 0],
        "pred": [1, 0, 1, 0, 0],
        "gold": [1, 1, 0, 0, 0],
    }
    assert (scored.null, scored.null_name) == (
        60.0,
        "accuracy of always answering the most frequent gold label",
    )


def test_the_positive_label_is_1_whichever_is_rarer_or_first():
    golds = ["1", "1", "1", "0"]
    always_1, always_0 = (
        METRICS["accuracy_f1"](golds, [label] * 4, "en").metrics for label in "10"
    )
    assert always_1 == {"accuracy": 75.0, "f1": pytest.approx(600 / 7)}
    assert always_0 == {"accuracy": 25.0, "f1": 0.0}
    assert METRICS["accuracy_f1"](golds[::-1], ["1"] * 4, "en").metrics == always_1


def test_accuracy_f1_takes_no_other_labels():
    for golds, guesses in ((["0", "yes"], ["0", "1"]), (["0", "1"], ["0", "2"])):
        with pytest.raises(
            ValueError, match=r"row 1: label '(yes|2)'; F1 needs the labels '0' and '1'"
        ):
            METRICS["accuracy_f1"](golds, guesses, "en")


def test_nothing_positive_is_f1_zero():
    assert METRICS["accuracy_f1"](["0", "0"], ["0", "0"], "en").metrics == {
        "accuracy": 100.0,
        "f1": 0.0,
    }


@quick
@given(pairs=binary)
def test_accuracy_f1_is_scikit_learns(pairs):
    sklearn = pytest.importorskip("sklearn.metrics")
    golds, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    scored = METRICS["accuracy_f1"](golds, guesses, "en")
    assert scored.metrics["accuracy"] == pytest.approx(100 * sklearn.accuracy_score(golds, guesses))
    assert scored.metrics["f1"] == pytest.approx(
        100 * sklearn.f1_score(golds, guesses, pos_label="1", zero_division=0)
    )
    assert scored.main == (scored.metrics["accuracy"] + scored.metrics["f1"]) / 2


@quick
@given(pairs=binary)
def test_accuracy_f1_is_learned_when_accuracy_is(pairs):
    golds, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    plain, both = (METRICS[name](golds, guesses, "en") for name in ("accuracy", "accuracy_f1"))
    assert (both.null, both.above_null, both.stderr) == (plain.null, plain.above_null, plain.stderr)


# --- token accuracy (CCG) -------------------------------------------------------------------------


def test_token_accuracy_by_hand():
    golds = [["N/N", "N", "."], ["N"]]
    scored = METRICS["token_accuracy"](golds, [["N/N", "N/N", "."], ["N"]], "en")
    assert scored.metrics == {"accuracy": 75.0, "majority": 50.0}
    assert (scored.main, scored.null, scored.above_null) == (75.0, 50.0, 25.0)
    assert scored.examples == {"right": [2, 1], "tokens": [3, 1], "null": [1, 1]}
    # differences 1 of 3 and 0 of 1; residuals 1 - 0.75 and 0 - 0.25
    assert scored.stderr == pytest.approx(100 * math.sqrt(2 * 0.25**2) / 4)


def test_token_accuracy_names_bad_sentences():
    with pytest.raises(ValueError, match="sentence 1: 2 gold tags but 1 predicted"):
        METRICS["token_accuracy"]([["N"], ["N", "N"]], [["N"], ["N"]], "en")
    with pytest.raises(ValueError, match="2 sentences without a token"):
        METRICS["token_accuracy"]([[], []], [[], []], "en")


@quick
@given(sentences=tagged())
def test_token_accuracy_is_scikit_learns_over_all_tokens(sentences):
    sklearn = pytest.importorskip("sklearn.metrics")
    golds, guesses = apart(sentences)
    expected = sklearn.accuracy_score(
        [t for s in golds for t in s], [t for s in guesses for t in s]
    )
    assert METRICS["token_accuracy"](golds, guesses, "en").main == pytest.approx(100 * expected)


@quick
@given(sentences=tagged())
def test_sentence_borders_do_not_move_token_accuracy(sentences):
    golds, guesses = apart(sentences)
    one_gold, one_guess = (
        [tag for sentence in side for tag in sentence] for side in (golds, guesses)
    )
    joined, split = (
        METRICS["token_accuracy"]([one_gold], [one_guess], "en"),
        METRICS["token_accuracy"](golds, guesses, "en"),
    )
    assert (joined.main, joined.null) == (split.main, split.null)


@quick
@given(sentences=tagged(), names=st.permutations(["a", "b", "c", "d", "e", "f"]))
def test_renamed_tags_have_the_same_token_accuracy(sentences, names):
    rename = dict(zip(["N", "N/N", "NP[nb]/N", r"(S[dcl]\NP)/NP", ",", "."], names, strict=True))
    renamed = [[(rename[gold], rename[guess]) for gold, guess in s] for s in sentences]
    here, there = (METRICS["token_accuracy"](*apart(s), "en") for s in (sentences, renamed))
    assert (here.main, here.null, but_null(here)) == (there.main, there.null, but_null(there))


# --- relations that hold between scores -----------------------------------------------------------

spans = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"])


@quick
@given(sentences=tagged(spans), names=st.permutations(["PER", "LOC", "ORG"]))
def test_renamed_entities_have_the_same_span_f1(sentences, names):
    rename = dict(zip(["PER", "LOC", "ORG"], names, strict=True))

    def renamed(tag):
        return tag if tag == "O" else tag[:2] + rename[tag[2:]]

    other = [[(renamed(gold), renamed(guess)) for gold, guess in s] for s in sentences]
    here, there = (METRICS["span_f1"](*apart(s), "en") for s in (sentences, other))
    assert here.metrics == there.metrics
    assert but_null(here) == but_null(there)


@quick
@given(sentences=tagged(spans))
def test_span_f1_and_token_accuracy_count_tokens_alike(sentences):
    spans_, tokens = (
        METRICS[name](*apart(sentences), "en") for name in ("span_f1", "token_accuracy")
    )
    assert spans_.metrics["accuracy"] == tokens.main
    assert (spans_.null, spans_.above_null, spans_.stderr) == (
        tokens.null,
        tokens.above_null,
        tokens.stderr,
    )


@quick
@given(sentences=tagged(spans))
def test_swapping_gold_and_prediction_swaps_precision_and_recall(sentences):
    golds, guesses = apart(sentences)
    here, there = (
        METRICS["span_f1"](golds, guesses, "en").metrics,
        METRICS["span_f1"](guesses, golds, "en").metrics,
    )
    assert (here["precision"], here["recall"]) == (there["recall"], there["precision"])
    assert here["f1"] == pytest.approx(there["f1"])


@quick
@given(pairs=asked, data=st.data())
def test_case_punctuation_and_articles_do_not_matter_to_squad(pairs, data):
    changes = [
        str.upper,
        lambda text: f"The {text}",
        lambda text: f"{text}.",
        lambda text: f'"{text}"!',
    ]
    dressed = [(answers, data.draw(st.sampled_from(changes))(guess)) for answers, guess in pairs]
    for name in ("squad", "squad_v2", "mlqa"):
        here, there = (METRICS[name](*questions(rows), "en") for rows in (pairs, dressed))
        assert here.examples == there.examples


@quick
@given(pairs=asked, lost=st.sets(st.integers(0, 11)))
def test_a_missing_answer_counts_zero_and_stays_in_the_denominator(pairs, lost):
    golds, guesses = questions(pairs)
    partial = [None if i in lost else guess for i, guess in enumerate(guesses)]
    for name in ("squad", "mlqa", "squad_v2"):
        whole, part = METRICS[name](golds, guesses, "en"), METRICS[name](golds, partial, "en")
        for key in ("em", "f1"):
            assert part.examples[key] == [
                0 if i in lost else value for i, value in enumerate(whole.examples[key])
            ]


@quick
@given(
    pairs=st.lists(
        st.tuples(st.lists(st.sampled_from(["Nile", "25 km", "North river"]), min_size=1), phrases),
        min_size=1,
    )
)
def test_squad_v2_is_squad_where_every_question_has_an_answer(pairs):
    pairs = [
        (answers, guess if guess.replace("the", "").strip() else "Nile") for answers, guess in pairs
    ]
    one, two = (
        METRICS["squad"](*questions(pairs), "en"),
        METRICS["squad_v2"](*questions(pairs), "en"),
    )
    assert (one.main, one.metrics["exact_match"], one.metrics["f1"]) == (
        two.main,
        two.metrics["exact"],
        two.metrics["f1"],
    )


@quick
@given(
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1),
    shift=st.integers(1, 99),
)
def test_renumbered_rows_are_retrieved_as_well(pairs, shift):
    golds, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    here = METRICS["retrieval_accuracy"](golds, guesses, "de")
    there = METRICS["retrieval_accuracy"](
        [g + shift for g in golds], [f" {p + shift} " for p in guesses], "de"
    )
    assert here.metrics == pytest.approx(there.metrics)
    assert but_null(here) == but_null(there)


heaps = st.lists(
    st.tuples(st.sets(st.integers(0, 5), max_size=2), st.sets(st.integers(0, 5), max_size=3)),
    min_size=1,
)


@quick
@given(rows=heaps.filter(lambda rows: any(gold for gold, _ in rows)), data=st.data())
def test_a_wrong_pair_less_or_a_right_one_more_never_lowers_mining_f1(rows, data):
    golds = [sorted(gold) for gold, _ in rows]
    before = METRICS["mining_f1"](golds, [sorted(guess) for _, guess in rows], "de").main
    at = data.draw(st.integers(0, len(rows) - 1))
    gold, guess = rows[at]
    fewer, more = [sorted(g) for _, g in rows], [sorted(g) for _, g in rows]
    fewer[at], more[at] = sorted(guess & gold), sorted(guess | gold)
    assert METRICS["mining_f1"](golds, fewer, "de").main >= before - 1e-9
    assert METRICS["mining_f1"](golds, more, "de").main >= before - 1e-9


@quick
@given(pairs=binary, data=st.data())
def test_one_error_mended_never_lowers_a_score_of_labels(pairs, data):
    golds, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    at = data.draw(st.integers(0, len(pairs) - 1))
    mended = [golds[i] if i == at else guess for i, guess in enumerate(guesses)]
    for name in ("accuracy", "accuracy_f1"):
        assert METRICS[name](golds, mended, "en").main >= METRICS[name](golds, guesses, "en").main
    sentence = [[g] for g in golds], [[p] for p in guesses], [[p] for p in mended]
    before, after = (METRICS["token_accuracy"](sentence[0], s, "en").main for s in sentence[1:])
    assert after >= before


@quick
@given(pairs=binary.filter(lambda pairs: len(pairs) > 1), copies=st.integers(2, 5))
def test_more_of_the_same_rows_score_the_same_with_a_smaller_error(pairs, copies):
    golds, guesses = [g for g, _ in pairs], [p for _, p in pairs]
    for name in ("accuracy", "accuracy_f1"):
        once, often = (
            METRICS[name](golds, guesses, "en"),
            METRICS[name](golds * copies, guesses * copies, "en"),
        )
        assert often.metrics == pytest.approx(once.metrics)
        assert often.stderr == pytest.approx(once.stderr / math.sqrt(copies))


@quick
@given(
    scores=st.dictionaries(
        st.sampled_from(["en", "de", "sw", "th", "zh"]), st.floats(0, 100), min_size=1
    ),
    data=st.data(),
)
def test_a_mean_over_languages_lies_between_them_in_any_order(scores, data):
    shuffled = dict(data.draw(st.permutations(list(scores.items()))))
    assert language_mean(shuffled) == language_mean(scores)
    assert min(scores.values()) - 1e-9 <= language_mean(scores) <= max(scores.values()) + 1e-9


@quick
@given(sets=st.lists(binary, min_size=1, max_size=4))
def test_a_tasks_main_score_is_the_mean_of_its_languages_and_of_its_metrics(sets):
    scored = {
        f"l{i}": METRICS["accuracy_f1"]([g for g, _ in s], [p for _, p in s], "")
        for i, s in enumerate(sets)
    }
    averages = task_score(scored)
    assert averages["main"] == pytest.approx((averages["accuracy"] + averages["f1"]) / 2)
