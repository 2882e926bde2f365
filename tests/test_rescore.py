"""A score follows from its examples alone: to the last bit, through JSON and strings, from blocks
of rows, from sums."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.jobs.evaluate import score_language
from harness.metrics import METRICS, rescore
from harness.metrics.flags import language_flags
from harness.metrics.vectors import pack, unpack
from harness.models import retriever as retrieval
from tests.stress import times

quick = settings(max_examples=times(20, 200), deadline=None)
every_metric = pytest.mark.parametrize("metric", METRICS)
blocks_of_rows = pytest.mark.parametrize(
    "metric", [name for name, metric in METRICS.items() if metric.additive]
)

labels, bits, ids = (
    st.sampled_from(["yes", "no", "maybe"]),
    st.sampled_from("01"),
    st.lists(st.sampled_from("uvwxyz"), max_size=3),
)
tags = st.sampled_from(["NOUN", "SYM", "INTJ", "O", "B-PER", "I-PER", "B-LOC"])
phrases = st.lists(st.sampled_from(["the", "Nile", "25", "km", "a", "!"]), max_size=4).map(" ".join)


def questions(min_answers):
    answers, context = (
        st.lists(phrases, min_size=min_answers, max_size=2),
        st.lists(phrases, max_size=4).map(" ".join),
    )
    return st.fixed_dictionaries(
        {"answers": answers, "context": context, "group": st.sampled_from("pqr")}
    )


def two_of(entries):
    """Two equally long lists."""
    return st.lists(st.tuples(entries, entries), max_size=6).map(
        lambda pairs: ([a for a, _ in pairs], [b for _, b in pairs])
    )


guesses = st.none() | phrases
ROWS = {  # (gold, prediction)
    "accuracy": st.tuples(labels, labels),
    "accuracy_f1": st.tuples(bits, bits),
    "macro_f1": st.tuples(labels, labels),
    "matthews": st.tuples(labels, labels),
    "span_f1": two_of(tags),
    "token_accuracy": two_of(tags),
    "squad": st.tuples(questions(1), guesses),
    "mlqa": st.tuples(questions(1), guesses),
    "squad_v2": st.tuples(questions(0), guesses),
    "retrieval_accuracy": st.tuples(st.integers(0, 5), st.integers(0, 9)),
    "mining_f1": st.tuples(ids, ids),
    "map_at_20": st.tuples(ids.filter(bool), ids),
    "masked_accuracy": (
        two_of(st.integers(0, 3)).map(lambda two: ("row", {"gold": two[0], "predicted": two[1]}))
    ),
}


@st.composite
def data_sets(draw, metric, min_size=1):
    """(golds, predictions) that can be scored."""
    rows = draw(st.lists(ROWS[metric], min_size=min_size, max_size=30))
    if metric in ("span_f1", "token_accuracy", "mining_f1"):
        assume(any(gold for gold, _ in rows))
    if metric == "masked_accuracy":
        assume(any(guess["gold"] for _, guess in rows))
    return [gold for gold, _ in rows], [guess for _, guess in rows]


def scored(metric, min_size=1):
    return data_sets(metric, min_size).map(lambda two: METRICS[metric](*two, "en"))


# --- a score from its examples --------------------------------------------------------------------


@every_metric
@quick
@given(data=st.data())
def test_a_score_follows_from_its_examples_also_through_strings_and_json(metric, data):
    first = data.draw(scored(metric))
    assert rescore(metric, first.examples) == first
    packed = json.loads(json.dumps({name: pack(vector) for name, vector in first.examples.items()}))
    again = {name: unpack(vector) for name, vector in packed.items()}
    assert rescore(metric, again | {"id": ["x"], "centred": [0]}) == first
    assert rescore(metric, json.loads(json.dumps(first.examples))) == first


@every_metric
@quick
@given(data=st.data())
def test_the_vectors_are_those_of_the_table_and_gold_sides_do_not_depend_on_predictions(
    metric, data
):
    golds, answers = data.draw(data_sets(metric))
    first = METRICS[metric](golds, answers, "en").examples
    assert set(first) == {*METRICS[metric].vectors}
    assert {len(vector) for vector in first.values()} == {len(golds)}
    others = [gold if isinstance(gold, list) else "" for gold in golds]
    if metric == "accuracy_f1":
        others = ["1"] * len(golds)
    if metric != "masked_accuracy":  # it has no gold side: what is hidden is in the prediction
        second = METRICS[metric](golds, others, "en").examples
        assert [first[name] for name in METRICS[metric].gold_side] == [
            second[name] for name in METRICS[metric].gold_side
        ]


# theirs: test_confusion.py
@pytest.mark.parametrize("metric", sorted({*METRICS} - {"macro_f1", "matthews"}))
@quick
@given(data=st.data())
def test_a_changed_example_changes_the_score(metric, data):
    first = data.draw(scored(metric, min_size=2))
    # may change without a trace, as by one wrong id for another
    hidden = {"predicted", "group", "has_answer", "no_answer"}
    if "tp" in first.examples and not sum(first.examples["tp"]):
        hidden |= {"tp", "pred", "gold"}  # 0 of however many
    if metric == "retrieval_accuracy":
        hidden.add("gold")
    if "always" in first.null_name and metric == "squad_v2":
        hidden.add("null")  # the other null predictor was better
    name = data.draw(
        st.sampled_from(sorted(set(first.examples) - hidden))
        if set(first.examples) - hidden
        else st.nothing()
    )
    vector = list(first.examples[name])
    vector[data.draw(st.integers(0, len(vector) - 1))] += 1
    second = rescore(metric, {**first.examples, name: vector})
    assert second._replace(examples={}) != first._replace(examples={})


def test_a_right_answer_made_wrong_changes_a_retrieval_score():
    first = METRICS["retrieval_accuracy"]([7, 8, 9], [7, 8, 7], "de")
    wrong = {**first.examples, "predicted": [0, 2, 0]}
    assert rescore("retrieval_accuracy", wrong).main == pytest.approx(100 / 3) != first.main
    moved = {**METRICS["squad"](*four_questions(), "en").examples, "group": [0, 0, 0, 1]}
    assert rescore("squad", moved).stderr != METRICS["squad"](*four_questions(), "en").stderr


def four_questions():
    golds = [{"answers": ["x"], "context": "a b c d", "group": group} for group in "ppqq"]
    return golds, ["x", "y", "x", "x"]


def test_squad_v2_names_the_better_null_again():
    golds = [
        {"answers": answers, "context": "one", "group": "p"}
        for answers in (["one"], [], [], ["one"], ["the"])
    ]
    for rows in (golds, golds[:1], golds[1:3], golds[:2]):
        first = METRICS["squad_v2"](rows, [""] * len(rows), "en")
        assert rescore("squad_v2", first.examples) == first
    # "the" is an empty answer
    assert METRICS["squad_v2"](golds, [""] * 5, "en").examples["no_answer"] == [0, 1, 1, 0, 1]
    names = [
        METRICS["squad_v2"](rows, [""] * len(rows), "en").null_name for rows in (golds[:2], golds)
    ]
    assert names == ["f1 of a random span of the context", 'f1 of always answering ""']


@every_metric
def test_what_cannot_be_rescored_is_named(metric):
    names = METRICS[metric].vectors
    with pytest.raises(ValueError, match="nothing to score in 0 examples"):
        rescore(metric, {name: [] for name in names})
    with pytest.raises(ValueError, match=f"the examples have no {names[-1]}$"):
        rescore(metric, {name: [1] for name in names[:-1]})
    if len(names) > 1:
        with pytest.raises(ValueError, match="the examples are not equally many"):
            rescore(metric, {name: [1] * (1 + (name == names[0])) for name in names})
    if not METRICS[metric].additive:
        with pytest.raises(ValueError, match="its examples do not add"):
            rescore(metric, {name: [1] for name in [*names, "n"]})


def test_an_unknown_metric_is_named():
    with pytest.raises(ValueError, match="no metric 'bleu'; there are accuracy, "):
        rescore("bleu", {})


# --- blocks of rows -------------------------------------------------------------------------------


@blocks_of_rows
@quick
@given(data=st.data())
def test_blocks_of_rows_have_the_score_of_the_rows(metric, data):
    first = data.draw(scored(metric))
    rows = len(next(iter(first.examples.values())))
    assert rescore(metric, {**first.examples, "n": [1] * rows})._replace(
        examples={}
    ) == first._replace(examples={})
    cuts = sorted(data.draw(st.sets(st.integers(1, rows), max_size=5)) | {rows})
    parts = [slice(start, stop) for start, stop in zip([0, *cuts], cuts, strict=False)]
    blocks = {
        name: [sum(vector[part]) for part in parts] for name, vector in first.examples.items()
    }
    blocks["n"] = [part.stop - part.start for part in parts]
    second = rescore(metric, blocks)
    assert second._replace(examples={}, stderr=0.0) == first._replace(examples={}, stderr=0.0)
    assert METRICS[metric].main_from_totals(
        {k: sum(v) for k, v in METRICS[metric].resampled(blocks).items()}
    ) == pytest.approx(first.main)


def test_a_block_counts_as_one_draw():
    rows = METRICS["accuracy"](["a", "b"] * 40, ["a", "a"] * 20 + ["a", "b"] * 20, "en")
    blocks = {
        name: [sum(vector[:40]), sum(vector[40:])] for name, vector in rows.examples.items()
    } | {"n": [40, 40]}
    assert rescore("accuracy", blocks).stderr > rows.stderr


# --- from sums ------------------------------------------------------------------------------------


@every_metric
@quick
@given(data=st.data())
def test_the_main_score_follows_from_sums(metric, data):
    first = data.draw(scored(metric))
    vectors = METRICS[metric].resampled(first.examples)
    rows = len(next(iter(first.examples.values())))
    totals = {name: sum(vector) for name, vector in vectors.items()} | {"n": rows}
    assert abs(METRICS[metric].main_from_totals(totals) - first.main) < 1e-9
    # each metric's own answer to a resampled set
    draws = np.random.default_rng(0).integers(0, rows, (3, rows))
    arrays = {name: np.array(vector)[draws].sum(axis=1) for name, vector in vectors.items()} | {
        "n": np.full(3, rows)
    }
    mains = METRICS[metric].main_from_totals(arrays)
    for draw, main in zip(draws, mains, strict=True):
        chosen = {name: [vector[i] for i in draw] for name, vector in first.examples.items()}
        try:
            expected = rescore(metric, chosen).main
        except ValueError:  # no token, pair or piece was drawn
            expected = 0.0
        assert abs(main - expected) < 1e-9


@every_metric
def test_nothing_is_0_without_a_warning(metric):
    main = METRICS[metric].main_from_totals
    names = [
        *METRICS[metric].resampled({name: [1] for name in METRICS[metric].vectors}),
        "n",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(dict.fromkeys(names, 0)) == 0
        assert main(dict.fromkeys(names, np.zeros(2, int))).tolist() == [0, 0]
        assert main({name: np.array([[0.0, 4.0]]) for name in names}).tolist() == [
            [0, 0 if metric == "matthews" else 100]
        ]


# --- vectors as strings ---------------------------------------------------------------------------

numbers = (
    st.integers(-(10**20), 10**20)
    | st.integers(0, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=times(100, 1000), deadline=None)
@given(values=st.lists(numbers) | st.lists(st.integers(0, 9)))
def test_a_vector_comes_back_with_its_types(values):
    text = pack(values)
    again = unpack(text)
    assert again == values and [type(v) for v in again] == [type(v) for v in values]
    assert [math.copysign(1, v) for v in again] == [math.copysign(1, v) for v in values]
    assert (text.isdigit() or not text) == all(type(v) is int and 0 <= v <= 9 for v in values)


def test_vectors_by_hand():
    pairs = {
        "": [],
        "7": [7],
        "0110": [0, 1, 1, 0],
        "12,": [12],
        "12,0,0.5,": [12, 0, 0.5],
        "0.0,": [0.0],
        "-1,": [-1],
    }
    assert {text: unpack(text) for text in pairs} == pairs
    assert {pack(values): values for values in pairs.values()} == pairs


@pytest.mark.parametrize(
    "values", [[True], [1, math.nan], [math.inf], ["1"], [np.int64(1)], [np.float64(0.5)], [None]]
)
def test_only_plain_numbers_are_packed(values):
    with pytest.raises(ValueError, match=f"value {len(values) - 1} of a vector is"):
        pack(values)


BAD_TEXTS = [
    ",",
    "1,2",
    "1,2,",
    "12,x,",
    "12,,",
    " 12,",
    "12 ,",
    "+12,",
    "012,",
    "1_2,",
    "0.50,",
    "nan,",
    "inf,",
    "1e999,",
]


@pytest.mark.parametrize(
    "text", [*BAD_TEXTS, "٣", "²", "²,", "0110,", "-", "01-1", None, 12, ["1"]]
)
def test_only_what_pack_makes_is_unpacked(text):
    with pytest.raises(ValueError, match="vector"):
        unpack(text)


# --- facts and flags of an evaluation -------------------------------------------------------------


def test_flags_are_a_function_of_facts_and_score_in_one_order():
    fine = {"n": 50, "truncated": 0, "unknown": 0.05, "constant": False, "placeholder": False}
    good = METRICS["accuracy"](["a", "b"] * 40, ["a", "b"] * 40, "en")
    poor = METRICS["token_accuracy"]([["N", "N", "V"]] * 60, [["V", "V", "V"]] * 60, "en")
    assert language_flags(fine, good) == []
    bad = {"n": 49, "truncated": 1, "unknown": 0.06, "constant": True, "placeholder": False}
    assert language_flags(bad, poor) == [
        "few_rows",
        "truncated",
        "unknown",
        "constant",
        "floor",
        "below_majority",
    ]
    assert language_flags(bad | {"placeholder": True}, None) == [
        "few_rows",
        "truncated",
        "unknown",
        "placeholder",
    ]
    assert (
        language_flags(fine | {"truncated": 0.5}, good)
        == []
        != language_flags(fine | {"truncated": 0.51}, good)
    )


def test_an_evaluation_says_what_is_fact_and_what_follows():
    task = {"family": "retrieval", "metric": "retrieval_accuracy"}
    rows = [{"id": f"r{i}", "source": "s", "target": "t"} for i in range(4)]
    facts = {"truncated": 0, "unknown": 0.0, "centred": ["r0", "r1", "r2", "r0"]}
    summary, examples = score_language(task, rows, ["r0", "r0", "r2", "r1"], "de", facts)
    assert facts["centred"] and (summary["main"], summary["centred"]) == (50.0, 75.0)
    assert examples.pop("id") == ["r0", "r1", "r2", "r3"] and examples["centred"] == [1, 1, 1, 0]
    assert (summary["constant"], summary["placeholder"]) == (False, False)
    again = rescore(task["metric"], examples)
    assert {name: summary[name] for name in again._fields if name != "examples"} == {
        name: value for name, value in again._asdict().items() if name != "examples"
    }
    assert summary["flags"] == language_flags(summary, again) == ["few_rows", "floor"]


def test_hidden_labels_are_facts_and_flags_alone():
    rows = [{"id": str(i), "label": "a"} for i in range(3)]
    task = {"family": "classification", "metric": "accuracy"}
    summary, examples = score_language(
        task, rows, ["b"] * 3, "de", {"truncated": 0, "unknown": 0.0}
    )
    facts = {"n": 3, "truncated": 0, "unknown": 0.0, "constant": True, "placeholder": True}
    assert (summary, examples) == (facts | {"flags": ["few_rows", "placeholder"]}, {})


def test_centring_takes_away_what_a_side_has_in_common():
    rows = [{"id": str(i), "source": f"s{i}", "target": f"t{i}"} for i in range(5)]
    # each side's rows lie in one direction: its longest one is nearest to all
    far = np.eye(5, dtype=np.float32)[0] * 9
    side = {
        "s": np.eye(5, dtype=np.float32) * np.arange(1, 6)[:, None] + far,
        "t": np.eye(5, dtype=np.float32) + far[::-1],
    }
    task = {"options": {"direction": "english_to_foreign"}}

    def embed(texts):
        return side[texts[0][0]].astype(np.float32)

    found, facts = retrieval.predict(embed, rows, task, None)
    assert found != [row["id"] for row in rows] and set(facts) == {"centred"}
    shifted = {name: values + np.float32(100) for name, values in side.items()}
    plain = {name: values - values.mean(axis=0) for name, values in side.items()}
    assert retrieval.predict(lambda texts: shifted[texts[0][0]], rows, task, None)[1] == facts
    assert (
        retrieval.predict(lambda texts: plain[texts[0][0]], rows, task, None)[0] == facts["centred"]
    )
