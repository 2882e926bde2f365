"""The scorers give the official numbers.

Two kinds of cases: small ones worked by hand, which run anywhere, and the parity cases, which hold
the scorers against what the official scripts answered (XTREME's evaluate.py with seqeval 0.0.12)
and skip where those answers are not at hand. Per language the numbers are equal to the last bit;
averages are within 1e-12, since ours do not depend on the order of languages and the official sum
does.
"""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import MOCK, ORACLES, needs_shared

from harness.metrics import METRICS, TASK_GROUPS
from harness.metrics.aggregate import language_mean, overall, task_score
from harness.metrics.neighbours import search
from harness.metrics.qa import normalise_mlqa, normalise_squad, null_answer
from harness.metrics.scored import paired_difference
from harness.metrics.spans import spans

METRIC_OF = {
    "xnli": "accuracy",
    "pawsx": "accuracy",
    "udpos": "span_f1",
    "panx": "span_f1",
    "xquad": "squad",
}
METRIC_OF |= {"tydiqa": "squad", "mlqa": "mlqa", "tatoeba": "retrieval_accuracy"}


# --- parity with the official scripts -------------------------------------------------------------


def read_lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def read_tags(path):
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [block.split("\n") for block in blocks]


def read_questions(path):
    golds = {}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = [answer["text"] for answer in question["answers"]]
                golds[question["id"]] = {
                    "answers": answers,
                    "context": paragraph["context"],
                    "group": question["id"],
                }
    return golds


def score_mock(task, language):
    labels, predictions = (MOCK / side / task for side in ("labels", "predictions"))
    metric = METRICS[METRIC_OF[task]]
    if METRIC_OF[task] in ("squad", "mlqa"):
        golds = read_questions(labels / f"test-{language}.json")
        answers = json.loads((predictions / f"test-{language}.json").read_text(encoding="utf-8"))
        return metric(list(golds.values()), [answers.get(id_) for id_ in golds], language)
    read = read_tags if METRIC_OF[task] == "span_f1" else read_lines
    return metric(
        read(labels / f"test-{language}.tsv"), read(predictions / f"test-{language}.tsv"), language
    )


def expected_scores():
    return json.loads((ORACLES / "xtreme_mock_scores.json").read_text())["seqeval_0.0.12"]


@needs_shared
@pytest.mark.parametrize("task", METRIC_OF)
def test_mock_submission_per_language_is_bit_equal(task):
    expected = expected_scores()[task]
    names = [name for name in expected if not name.startswith("avg_")]
    languages = list(expected[names[0]])
    assert languages
    scored = {language: score_mock(task, language) for language in languages}
    for name in names:
        assert {language: s.metrics[name] for language, s in scored.items()} == expected[name]
    averages = task_score(scored)
    for name in names:
        assert averages[name] == pytest.approx(expected[f"avg_{name}"], rel=0, abs=1e-12)
    assert averages["main"] == pytest.approx(expected["avg_metric"], rel=0, abs=1e-12)
    assert language_mean({k: s.main for k, s in scored.items()}) == averages["main"]


@needs_shared
def test_mock_submission_of_mewslix_is_the_official_number():
    """14.39025156130419 stands in the official evaluate_test.py, as avg_map@20."""
    scores = []
    for language in "ar de en es fa ja pl ro ta tr uk".split():  # noqa: SIM905
        gold, found = (
            json.loads((MOCK / side / "mewslix" / f"test-{language}.json").read_text())
            for side in ("labels", "predictions")
        )
        scored = METRICS["map_at_20"](
            list(gold.values()), [found.get(one, []) for one in gold], language
        )
        assert scored.metrics["mrr@20"] == pytest.approx(scored.main, rel=1e-12)
        scores.append(scored.main)
    assert sum(scores) / len(scores) == pytest.approx(14.39025156130419, rel=0, abs=1e-12)


@needs_shared
def test_mock_submission_overall():
    expected = expected_scores()
    # mining is scored where pairs are mined, not here
    scores = {"bucc2018": expected["bucc2018"]["avg_metric"]}
    for task in METRIC_OF:
        languages = next(iter(expected[task].values()))
        scores[task] = task_score({language: score_mock(task, language) for language in languages})[
            "main"
        ]
    ours = overall(scores)
    assert set(ours) == {*TASK_GROUPS, "all_task"}
    for name, value in ours.items():
        assert value == pytest.approx(expected[name], rel=0, abs=1e-12)


def official_cases():
    return json.loads((ORACLES / "scorer_cases_official.json").read_text(encoding="utf-8"))


def test_span_cases_of_the_official_scorer():
    cases = official_cases()["cases"]
    assert cases
    for name, case in cases.items():
        assert (
            METRICS["span_f1"](case["gold"], case["pred"], "en").metrics["f1"] == case["f1"] * 100
        ), name


def test_answer_normalisation_of_the_official_scripts():
    rows = official_cases()["mlqa_vs_squad_norm"]
    assert rows
    for row in rows:
        assert normalise_mlqa(row["text"], row["lang"]) == row["mlqa"]
        assert normalise_squad(row["text"]) == row["squad"]


def test_answer_pairs_of_the_official_scripts():
    rows = official_cases()["qa_pairs"]
    assert rows
    for row in rows:
        gold = {"answers": [row["gold"]], "context": "some words", "group": "p"}
        for metric in ("mlqa", "squad"):
            examples = METRICS[metric]([gold], [row["pred"]], row["lang"]).examples
            assert (examples["em"], examples["f1"]) == (
                [int(row[f"{metric}_em"])],
                [row[f"{metric}_f1"]],
            )


@pytest.mark.parametrize("size", ["small", "rect"])
def test_search_finds_what_the_official_search_found(size):
    arrays = np.load(ORACLES / "retrieval" / "arrays.npz")
    expected = json.loads((ORACLES / "retrieval" / "expected.json").read_text())
    foreign, english, gold = (arrays[f"tat_{size}_{name}"] for name in ("x", "y", "gold"))
    found = search(english, foreign)
    assert np.array_equal(found, arrays[f"tat_{size}_pred_norm1"][:, 0])
    scored = METRICS["retrieval_accuracy"](gold.tolist(), found.tolist(), "de")
    assert scored.main == pytest.approx(
        100 * expected[f"tatoeba_{size}_acc_query_en_normalize=True"], abs=1e-12
    )


# --- worked by hand: every metric -----------------------------------------------------------------


def question(*answers, context="one two three four five six", group="p"):
    return {"answers": list(answers), "context": context, "group": group}


A_GOLD = {
    "accuracy": "yes",
    "span_f1": ["NOUN"],
    "squad": question("one"),
    "mlqa": question("one"),
    "squad_v2": question("one"),
    "retrieval_accuracy": 7,
    "accuracy_f1": "1",
    "macro_f1": "yes",
    "matthews": "yes",
    "token_accuracy": ["NOUN"],
    "mining_f1": ["en-7"],
    "map_at_20": ["Q7"],
    "masked_accuracy": "row 7",  # what was hidden stands in the prediction
}
AN_ANSWER = {name: "one" if isinstance(gold, dict) else gold for name, gold in A_GOLD.items()}
AN_ANSWER["masked_accuracy"] = {"gold": [5, 6], "predicted": [5, 6]}


def test_every_metric_has_a_version():
    assert METRICS.keys() == A_GOLD.keys()
    assert all(metric.name == name for name, metric in METRICS.items())
    assert all(metric.version >= 1 for metric in METRICS.values())


@pytest.mark.parametrize("name", METRICS)
def test_lengths_must_agree_and_something_must_be_there(name):
    with pytest.raises(ValueError, match="1 golds but 0 predictions"):
        METRICS[name]([A_GOLD[name]], [], "en")
    with pytest.raises(ValueError, match="nothing to score"):
        METRICS[name]([], [], "en")


@pytest.mark.parametrize("name", METRICS)
def test_one_example_is_never_learned_and_scored_is_json(name):
    scored = METRICS[name]([A_GOLD[name]], [AN_ANSWER[name]], "en")
    # which is 0 where there is but one class
    assert scored.main == (0 if name == "matthews" else 100)
    assert not scored.learned
    assert json.loads(json.dumps(scored._asdict())) == scored._asdict()
    assert all(len(values) == 1 for values in scored.examples.values())


def test_accuracy_strips_and_compares_with_the_majority():
    scored = METRICS["accuracy"](["a", "a ", "b", "a"], ["a", "a\n", "b", "c"], "en")
    assert scored.metrics == {"accuracy": 75.0} and scored.examples == {
        "correct": [1, 1, 1, 0],
        "null": [1, 1, 0, 1],
    }
    assert (scored.null, scored.above_null) == (75.0, 0.0)  # differences 0, 0, 1, -1
    assert scored.stderr == pytest.approx(100 * math.sqrt(2) / 4)
    assert not scored.learned
    golds = ["a", "b"] * 50
    assert METRICS["accuracy"](golds, golds, "en").learned


def test_paired_difference_by_hand():
    assert paired_difference([1, 0, 1, 0]) == (0.5, 0.25)  # sqrt(4 x 0.25) / 4
    # clusters (2 of 2) and (0 of 2): residuals 1 and -1
    assert paired_difference([1, 1, 0, 0], groups=["p", "p", "q", "q"]) == (0.5, math.sqrt(2) / 4)
    # sentences of 4 and 2 tokens: mean 3/6, residuals 3 - 2 and 0 - 1; an empty one changes nothing
    assert paired_difference([3, 0, 0], sizes=[4, 2, 0]) == (0.5, math.sqrt(2) / 6)
    assert paired_difference([3, 0], sizes=[4, 0]) == (0.75, 1.0)  # one cluster only


# --- worked by hand: tagging ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("NOUN NOUN VERB", {("NOUN", 0, 1), ("VERB", 2, 2)}),
        ("SYM SYM", {("SYM", 0, 0), ("SYM", 1, 1)}),
        ("INTJ INTJ X", {("INTJ", 0, 1), ("X", 2, 2)}),
        ("CCONJ SCONJ SCONJ", {("CCONJ", 0, 0), ("SCONJ", 1, 1), ("SCONJ", 2, 2)}),
        ("O I-PER I-PER", {("PER", 1, 2)}),
        ("B-LOC I-PER O", {("LOC", 0, 0), ("PER", 1, 1)}),
        ("B-PER B-PER I-PER", {("PER", 0, 0), ("PER", 1, 2)}),
        ("B-PER E-PER I-PER S-PER", {("PER", 0, 1), ("PER", 2, 2), ("PER", 3, 3)}),
        ("O O", set()),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("O PER ORG LOC", "would read ORG as no part of a span"),
        ("O B I", "would read I as a span of another type"),
        ("O B-LOC I-LOC L-LOC U-LOC", "would read L-LOC as the inside of a span"),
        ("O LOC-B LOC-I", "would read LOC-B as a type of its own"),
        ("O B_LOC I_LOC", "would read I_LOC as a span of another type"),
        ("O B-art-other B-person-other", "would read B-person-other as B-art-other"),
        ("O B-LOC I-LOC E-LOC S-LOC M-LOC", None),
        ("AUX PART O B-ORG I-ORG SYM SCONJ INTJ X", None),
        ("O B-creative-work I-creative-work U-turn", None),
        ("O LOC PER B_V", None),
    ],
)
def test_tags_of_another_scheme_are_no_spans(labels, why):
    """ORG was never counted; LOC-B LOC-I were two spans."""
    said = METRICS["span_f1"].unfit(SimpleNamespace(label_names=labels.split()))
    assert said is None if why is None else why in said


def test_span_f1_counts_runs_and_reports_accuracy_beside():
    golds = [["NOUN", "NOUN", "VERB"], ["DET", "NOUN"]]
    scored = METRICS["span_f1"](golds, [["NOUN", "VERB", "VERB"], ["DET", "NOUN"]], "en")
    spans_ = {"tp": [0, 2], "pred": [2, 2], "gold": [2, 2]}
    assert scored.examples == {**spans_, "right": [2, 2], "tokens": [3, 2], "null": [2, 1]}
    assert scored.metrics == {
        "f1": 50.0,
        "precision": 50.0,
        "recall": 50.0,
        "accuracy": 80.0,
        "majority": 60.0,
    }
    assert (scored.main, scored.null) == (50.0, 60.0)
    assert scored.above_null == pytest.approx(20.0)
    # differences 0 of 3 and 1 of 2; residuals -0.6 and 0.6
    assert scored.stderr == pytest.approx(100 * math.sqrt(0.72) / 5)


def test_a_constant_tag_hides_in_f1_but_not_in_learned():
    golds = [["NOUN"], ["NOUN"], ["VERB"], ["NOUN"]] * 20
    scored = METRICS["span_f1"](golds, [["NOUN"]] * 80, "en")
    assert scored.metrics["f1"] == 75.0 and scored.above_null == 0 and not scored.learned


def test_nothing_to_find_is_f1_zero():
    assert METRICS["span_f1"]([["O", "O"]], [["O", "O"]], "en").metrics["f1"] == 0.0
    assert METRICS["span_f1"]([["O", "O"]], [["B-PER", "O"]], "en").metrics["f1"] == 0.0


def test_bad_sentences_are_named():
    with pytest.raises(ValueError, match="sentence 1: 2 gold tags but 1 predicted"):
        METRICS["span_f1"]([["O"], ["O", "O"]], [["O"], ["O"]], "en")
    with pytest.raises(ValueError, match="sentence 0: an empty tag"):
        METRICS["span_f1"]([["O"]], [[""]], "en")
    with pytest.raises(ValueError, match="2 sentences without a token"):
        METRICS["span_f1"]([[], []], [[], []], "en")


# --- worked by hand: question answering -----------------------------------------------------------


def test_squad_takes_the_best_answer_for_each_number():
    golds = [
        question("the Nile", "Nile river"),
        question("25", group="q"),
        question("x", group="r"),
    ]
    scored = METRICS["squad"](golds, ["Nile!", "25 km", None], "en")
    assert scored.examples == {
        "em": [1, 0, 0],
        "f1": [1.0, 2 / 3, 0.0],
        "null": [0, 0, 0],
        "group": [0, 1, 2],
    }
    assert scored.metrics["exact_match"] == 100 * 1 / 3
    assert scored.metrics["f1"] == pytest.approx(100 * (5 / 3) / 3)
    assert scored.main == (scored.metrics["exact_match"] + scored.metrics["f1"]) / 2


def test_both_sides_empty_is_em_1_f1_0_in_squad_1_and_mlqa_but_f1_1_in_squad_2():
    for name, f1 in (("squad", 0.0), ("mlqa", 0.0), ("squad_v2", 1.0)):
        assert METRICS[name]([question("a")], ["the"], "en").examples["f1"] == [f1]
        assert METRICS[name]([question("a")], ["the"], "en").examples["em"] == [1]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The  Tower, a “tower”.", "tower tower"),
        ("es", "El niño y la casa", "niño y casa"),
        ("de", "Der Hund und das Haus", "hund und haus"),
        ("vi", "của những cái nhà", "nhà"),
        ("ar", "\u0642\u0627\u0644", "\u0642"),  # the article goes inside a word as well
        ("hi", "राम।", "राम"),
        (
            "zh",
            "北京 PKU，2020年",
            "北 京 pku2020 年",
        ),  # punctuation goes first and leaves no space
    ],
)
def test_mlqa_normalises_by_language(language, text, expected):
    assert normalise_mlqa(text, language) == expected


def test_mlqa_names_its_languages():
    with pytest.raises(ValueError, match="'fr'; it has ar, de, en, es, hi, vi, zh"):
        METRICS["mlqa"]([question("x")], ["x"], "fr")


def test_squad_v2_reports_answerable_and_unanswerable_rows():
    golds = [question("one"), question("two"), question(group="q"), question(group="q")]
    scored = METRICS["squad_v2"](golds, ["one", "", "", "six"], "en")
    nulls = {
        "null": [0.0, 1.0, 0.0, 0.0],
        "no_answer": [0, 0, 1, 1],
        "has_answer": [1, 1, 0, 0],
        "group": [0, 0, 1, 1],
    }
    assert scored.examples == {"em": [1, 0, 1, 0], "f1": [1.0, 0.0, 1.0, 0.0], **nulls}
    halves = {"HasAns_exact": 50.0, "HasAns_f1": 50.0, "NoAns_exact": 50.0, "NoAns_f1": 50.0}
    assert scored.metrics == {"exact": 50.0, "f1": 50.0, **halves}
    only_answerable = METRICS["squad_v2"](golds[:2], ["one", "two"], "en")
    assert set(only_answerable.metrics) == {"exact", "f1", "HasAns_exact", "HasAns_f1"}


def test_always_no_answer_is_not_learned_in_squad_v2():
    golds = [
        question("one", group=f"p{i}") if i % 2 else question(group=f"p{i}") for i in range(80)
    ]
    scored = METRICS["squad_v2"](golds, [""] * 80, "en")
    assert (scored.main, scored.null, scored.above_null, scored.learned) == (50.0, 50.0, 0.0, False)
    assert "always answering" in scored.null_name
    assert METRICS["squad_v2"](golds, [(g["answers"] or [""])[0] for g in golds], "en").learned


def test_gold_of_a_question_must_be_whole():
    with pytest.raises(ValueError, match="question 0: the gold has no context, group"):
        METRICS["squad"]([{"answers": ["x"]}], ["x"], "en")
    with pytest.raises(ValueError, match="question 1: no gold answer"):
        METRICS["squad"]([question("x"), question()], ["x", "x"], "en")


def test_null_answer_is_a_short_span_of_the_context():
    contexts = [f"w{i} x{i} y{i} z{i}" for i in range(300)]
    drawn = [null_answer(question("x", context=context), "en") for context in contexts]
    assert all(answer in context for answer, context in zip(drawn, contexts, strict=True))
    lengths = [len(answer.split()) for answer in drawn]
    assert all(lengths.count(n) > 70 for n in (1, 2, 3)) and set(lengths) == {1, 2, 3}
    assert null_answer(question("x", context="word"), "en") == "word"
    assert null_answer(question("x", context=" "), "en") == ""
    # The same draw on every machine, for ever: a change here changes results and raises the
    # metric's version.
    assert null_answer(question("x"), "en") == "four"


def test_null_answer_counts_characters_where_words_are_not_set_apart():
    clause = "电动势源所供应的能量每单位电荷是其电动势"
    for language in ("zh", "ja", "th", "xx"):  # xx: recognised by its long words
        answer = null_answer(question("x", context=clause), language)
        assert answer in clause and 1 <= len(answer) <= 10
    assert null_answer(question("x", context="abc def"), "th") in "abc def"


def test_questions_about_one_paragraph_count_as_one_draw():
    golds = [question("zero", group=f"p{i // 10}") for i in range(40)]
    predictions = ["zero"] * 20 + ["none"] * 20
    alone = [{**gold, "group": f"q{i}"} for i, gold in enumerate(golds)]
    clustered, independent = (
        METRICS["squad"](rows, predictions, "en").stderr for rows in (golds, alone)
    )
    assert clustered == pytest.approx(independent * math.sqrt(10))


# --- worked by hand: retrieval and averages -------------------------------------------------------


def test_retrieval_accuracy_and_weighted_f1():
    scored = METRICS["retrieval_accuracy"]([0, 1, 2, 3], ["0", "0 ", "2", 9], "de")
    # F1 of ids 0..3: 2/3 (right once, predicted twice), 0, 1, 0
    assert scored.metrics == {"accuracy": 50.0, "f1": pytest.approx(100 * (2 / 3 + 1) / 4)}
    assert scored.null == 25.0
    assert scored.examples == {
        "gold": [0, 1, 2, 3],
        "predicted": [0, 0, 2, 4],
        "null": [1, 0, 0, 0],
    }
    repeated = METRICS["retrieval_accuracy"]([5, 5, 5, 6] * 25, [5] * 100, "de")
    assert repeated.main == repeated.null == 75.0 and not repeated.learned


def test_map_at_20_by_hand():
    """The official average_precision_at_k: right at 1 and 4 of three: (1/1 + 2/4) / 3."""
    golds = [["a", "b", "c"], ["x"], ["y"]]
    ranked = [["a", "q", "r", "c"], ["q", "x"], ["q", "r"]]
    scored = METRICS["map_at_20"](golds, ranked, "de")
    assert scored.main == pytest.approx(100 * (1.5 / 3 + 1 / 2 + 0) / 3)
    assert scored.metrics["mrr@20"] == pytest.approx(100 * (1 + 1 / 2 + 0) / 3)
    assert scored.metrics["hit@1"] == pytest.approx(100 / 3)
    # one is as often right as another: a, b, c, x, y
    constant = ((1 / 1 + 2 / 2 + 3 / 3) / 3 + 1 / 4 + 1 / 5) / 3
    assert scored.null == pytest.approx(100 * constant)


def test_map_at_20_counts_a_candidate_once_and_twenty_places():
    one = METRICS["map_at_20"]([["a", "b"]], [["a", "a", "b"]], "de").main
    assert one == pytest.approx(100 * (1 / 1 + 2 / 3) / 2)
    late = [f"q{i}" for i in range(20)] + ["a"]
    assert METRICS["map_at_20"]([["a"]], [late], "de").main == 0
    many = [f"a{i}" for i in range(30)]
    assert METRICS["map_at_20"]([many], [many], "de").main == 100  # of 30, 20 can be there


def test_search_is_cosine_with_ties_to_the_lowest_row():
    index = np.array([[9, 0], [0, 1], [1, 1], [1, 0], [0, 0]])
    assert search(np.array([[5, 0.1], [0, 3], [2, 2.5], [0, 0]]), index).tolist() == [0, 1, 2, 0]
    assert search(np.zeros((0, 2)), index).tolist() == []


def test_equal_rows_answer_with_the_first_of_them_however_the_product_rounds(monkeypatch):
    """BLAS may round two equal rows apart, by where they lie in its blocks; which one is nearest is
    then chance."""
    random = np.random.default_rng(0)
    for width in range(8, 800, 8):
        index = np.tile(random.normal(size=(5, width)).astype(np.float32), (3, 1))
        assert search(index[:3] + np.float32(0.01), index).tolist() == [0, 1, 2]
    monkeypatch.setattr(
        np,
        "argmax",
        lambda scores, axis: scores.shape[axis] - 1 - np.flip(scores, axis).argmax(axis),
    )
    assert search(index[:3], index).tolist() == [0, 1, 2]


def test_rows_that_are_equally_near_and_not_equal_go_to_the_lowest():
    corners = np.array([[1, -1], [1, 1], [-1, 1], [2, 2]])
    assert search(np.array([[1, 0], [0, 1], [-1, 0], [3, 3]]), corners).tolist() == [0, 1, 2, 1]


def test_search_in_blocks_is_search_at_once(monkeypatch):
    random = np.random.default_rng(0)
    # every row three times: the first must win
    index = np.tile(random.normal(size=(37, 8)).astype(np.float32), (3, 1))
    queries = random.normal(size=(101, 8)).astype(np.float32)
    at_once = search(queries, index)
    assert at_once.max() < 37
    assert search(index, index).tolist() == list(range(37)) * 3
    monkeypatch.setattr("harness.metrics.neighbours._SCORES_AT_ONCE", 300)
    assert np.array_equal(search(queries, index), at_once)


def test_search_refuses_what_has_no_nearest_row():
    good = np.ones((2, 3))
    for queries, index in ((good, np.ones((2, 4))), (good, np.ones((0, 3))), (np.ones(3), good)):
        with pytest.raises(ValueError, match="search needs"):
            search(queries, index)
    for bad in (np.nan, np.inf, 1e30):  # the last is a float32; its square is not
        with pytest.raises(ValueError, match="index hold NaN"), np.errstate(over="ignore"):
            search(good, good * bad)


def test_averages():
    assert language_mean({"en": 90.0, "sw": 30.0}) == 60.0
    with pytest.raises(ValueError, match="no language"):
        language_mean({})
    with pytest.raises(ValueError, match="language sw: the score is nan"):
        language_mean({"en": 1.0, "sw": math.nan})
    assert overall({"xnli": 80.0, "pawsx": 90.0, "udpos": 70.0, "mine": 1.0}) == {
        "classification": 85.0
    }
    nine = {
        task: 10.0 if group == "qa" else 40.0
        for group, tasks in TASK_GROUPS.items()
        for task in tasks
    }
    assert overall(nine)["all_task"] == 30.0  # three of nine tasks, not one of four groups


def test_task_score_averages_metrics_that_all_languages_have():
    both = METRICS["squad_v2"]([question("one"), question()], ["one", "six"], "en")
    one = METRICS["squad_v2"]([question("one")], ["two"], "de")
    averages = task_score({"en": both, "de": one})
    assert averages == {
        "exact": 25.0,
        "f1": 25.0,
        "HasAns_exact": 50.0,
        "HasAns_f1": 50.0,
        "main": 25.0,
    }
    with pytest.raises(ValueError, match="no language"):
        task_score({})
