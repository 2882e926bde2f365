"""Exact match and F1 of answers: SQuAD 1.1 (XQuAD, TyDiQA), MLQA's per-language version, SQuAD 2.0.

A gold is a dict: `answers` (every accepted string), `context` (what the null predictor draws from)
and `group` (the paragraph; questions about one paragraph are not independent). A prediction is a
string, or None where there is none, which scores 0.
"""

import hashlib
import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TypedDict

from harness.metrics.metric import Metric, Number, ScoredTask, share, sums_of
from harness.metrics.scored import (
    Examples,
    Scored,
    check_pairs,
    numbered,
    paired_difference,
    percent,
)

# What MLQA's script takes for articles. Vietnamese has classifiers and a particle there; Hindi and
# Chinese have none.
_ENGLISH_ARTICLES = re.compile(r"\b(a|an|the)\b")
_MLQA_ARTICLES: dict[str, re.Pattern[str] | None] = {
    "en": _ENGLISH_ARTICLES,
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "hi": None,
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    # al-, everywhere, inside words too: the script's pattern has no word boundary
    "ar": re.compile("\u0627\u0644"),
    "zh": None,
}
MLQA_LANGUAGES: tuple[str, ...] = tuple(sorted(_MLQA_ARTICLES))
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_HAN = re.compile("([\u4e00-\u9fa5])")

_UNSPACED = {"zh", "ja", "th"}  # languages written without spaces between words
# mean characters a whitespace word from which on it must be a clause (Telugu and Finnish words: 8
# to 9)
_CLAUSE = 15

# null predictors: the vector that holds the f1 of each, and its name. The first of equals counts.
_NULL_NAMES = {
    "null": "f1 of a random span of the context",
    "no_answer": 'f1 of always answering ""',
}


class Gold(TypedDict):
    """One question: every accepted answer, what the null predictor draws from, its paragraph."""

    answers: list[str]
    context: str
    group: str


# prediction, answers -> exact match 0 or 1, F1 0-1
Scorer = Callable[[str, list[str]], tuple[int, float]]


def squad(golds: list[Gold], predictions: list[str | None], language: str = "") -> Scored:
    """SQuAD 1.1, the same English normalisation for all languages; XTREME uses it for XQuAD and
    TyDiQA.

    golds        n dicts {"answers": [str, ...], "context": str, "group": str}
    predictions  n strings; None, an unanswered question, counts 0 in the same denominator
    metrics      exact_match, f1; 0-100. main is their mean
    examples     n each: em, 0 or 1; f1 and null, the null predictor's, 0-1; group, numbered by
                 first appearance
    null         f1 of a random span of 1 to 3 words of the context (where there are no spaces: 1 to
                 10 characters)
    raises       ValueError: different lengths, nothing to score, a gold without answers, context or
                 group
    source       the SQuAD 1.1 script (Rajpurkar et al. 2016, arXiv 1606.05250) in
                 google-research/xtreme, third_party/evaluate_squad.py. Two sides that normalise to
                 nothing get EM 1 and F1 0, as there
    """
    _check(golds, predictions, need_answers=True)
    return squad_from(_examples(golds, predictions, language, partial(_best, normalise_squad)))


def squad_from(examples: Examples) -> Scored:
    """`squad`, or `mlqa`, of its examples."""
    return _summary(examples, "null")


def mlqa(golds: list[Gold], predictions: list[str | None], language: str) -> Scored:
    """MLQA: as `squad`, with the normalisation of the answer's language.

    raises  ValueError: as `squad`; a language that MLQA does not define
    source  facebookresearch/MLQA, mlqa_evaluation_v1.py; Lewis et al. 2020, arXiv 1910.07475
    """
    _check_mlqa_language(language)
    _check(golds, predictions, need_answers=True)
    return squad_from(
        _examples(
            golds, predictions, language, partial(_best, partial(normalise_mlqa, language=language))
        )
    )


def squad_v2(golds: list[Gold], predictions: list[str | None], language: str = "") -> Scored:
    """SQuAD 2.0: as `squad`, with questions that have no answer (`answers` empty), where "" is
    right.

    metrics   exact, f1; HasAns_exact, HasAns_f1, NoAns_exact, NoAns_f1 where there are such rows;
              0-100
    examples  as `squad`; has_answer, 0 or 1; no_answer, 0 or 1: what always "no answer" gets
    null      f1 of a random span, or of always "no answer", whichever is better
    source    the SQuAD 2.0 script (Rajpurkar et al. 2018, arXiv 1806.03822), without its
              probability threshold. That script leaves missing predictions out of the denominator;
              here they count 0, lest a partial run look good
    """
    _check(golds, predictions, need_answers=False)
    examples = _examples(golds, predictions, language, _best_or_none)
    examples["has_answer"] = [int(bool(gold["answers"])) for gold in golds]
    examples["no_answer"] = [_best_or_none("", gold["answers"])[0] for gold in golds]
    return squad_v2_from(examples)


def squad_v2_from(examples: Examples) -> Scored:
    """`squad_v2` of its examples."""
    scored = _summary(examples, max(_NULL_NAMES, key=lambda name: percent(examples[name])))
    metrics = {"exact": scored.metrics["exact_match"], "f1": scored.metrics["f1"]}
    for name, wanted in (("HasAns", 1), ("NoAns", 0)):
        rows = [i for i, has in enumerate(examples["has_answer"]) if has == wanted]
        if rows:
            metrics[f"{name}_exact"] = percent(examples["em"][i] for i in rows)
            metrics[f"{name}_f1"] = percent(examples["f1"][i] for i in rows)
    return scored._replace(metrics=metrics)


def normalise_squad(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, single spaces."""
    return " ".join(_ENGLISH_ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split())


def normalise_mlqa(text: str, language: str) -> str:
    """Lower case, without Unicode and ASCII punctuation and the language's articles; Chinese split
    by character.

    raises  ValueError: a language that MLQA does not define
    """
    _check_mlqa_language(language)
    text = "".join(c for c in text.lower() if not _is_punctuation(c))
    articles = _MLQA_ARTICLES[language]
    if articles:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _HAN.sub(r" \1 ", text)
    return " ".join(text.split())


def null_answer(gold: Gold, language: str) -> str:
    """A random span of the context: 1 to 3 words, or 1 to 10 characters where words are not set
    apart by spaces.

    Every length is equally likely, then every start. The draw is a hash of context and answers, so
    it is the same on every machine and in any order of the questions.
    """
    context, words = gold["context"], gold["context"].split()
    unspaced = language in _UNSPACED or len(context) > _CLAUSE * len(words)
    units, most, glue = (context.strip(), 10, "") if unspaced else (words, 3, " ")
    if not units:
        return ""
    digest = hashlib.sha256(json.dumps([context, gold["answers"]]).encode()).digest()
    length = 1 + int.from_bytes(digest[:8], "big") % min(most, len(units))
    start = int.from_bytes(digest[8:16], "big") % (len(units) - length + 1)
    return glue.join(units[start : start + length])


def _examples(
    golds: list[Gold], predictions: list[str | None], language: str, score: Scorer
) -> dict[str, list[float]]:
    pairs = [
        (0, 0.0) if p is None else score(p, g["answers"])
        for g, p in zip(golds, predictions, strict=True)
    ]
    null = [score(null_answer(gold, language), gold["answers"])[1] for gold in golds]
    return {
        "em": [int(em) for em, _ in pairs],
        "f1": [float(f1) for _, f1 in pairs],
        "null": null,
        "group": list(numbered(gold["group"] for gold in golds)),
    }


def _summary(examples: Examples, null: str) -> Scored:
    """The score against the null predictor whose F1 is the vector `null`."""
    em, f1, constant = examples["em"], examples["f1"], examples[null]
    above, stderr = paired_difference(
        [a - b for a, b in zip(f1, constant, strict=True)], groups=examples["group"]
    )
    metrics = {"exact_match": percent(em), "f1": percent(f1)}
    return Scored(
        metrics=metrics,
        main=(metrics["exact_match"] + metrics["f1"]) / 2,
        examples=examples,
        null=percent(constant),
        null_name=_NULL_NAMES[null],
        above_null=100 * above,
        stderr=100 * stderr,
    )


def _best(
    normalise: Callable[[str], str], prediction: str, answers: list[str]
) -> tuple[int, float]:
    """Best EM and best F1 over the answers, each for itself."""
    guess = normalise(prediction)
    golds = [normalise(answer) for answer in answers]
    return max(int(guess == gold) for gold in golds), max(
        _overlap_f1(guess.split(), gold.split()) for gold in golds
    )


def _best_or_none(prediction: str, answers: list[str]) -> tuple[int, float]:
    """SQuAD 2.0: an empty side is right only against an empty side, and then F1 is 1, unlike in
    SQuAD 1.1."""
    guess = normalise_squad(prediction)
    golds = [normalise_squad(answer) for answer in _real_answers(answers)] or [""]
    exact = max(int(guess == gold) for gold in golds)
    if not guess or golds == [""]:
        return exact, float(exact)
    return exact, max(_overlap_f1(guess.split(), gold.split()) for gold in golds)


def _real_answers(answers: list[str]) -> list[str]:
    """Those that normalise to something; SQuAD 2.0 scores a question with none as one without an
    answer."""
    return [answer for answer in answers if normalise_squad(answer)]


def _overlap_f1(guess: list[str], gold: list[str]) -> float:
    """F1 over the bags of words, 0-1; 0 without overlap, also where both are empty."""
    common = sum((Counter(guess) & Counter(gold)).values())
    if not common:
        return 0.0
    precision, recall = common / len(guess), common / len(gold)
    return 2 * precision * recall / (precision + recall)


@cache
def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _check_mlqa_language(language: str) -> None:
    if language not in _MLQA_ARTICLES:
        raise ValueError(
            f"MLQA does not define language {language!r}; it has {', '.join(MLQA_LANGUAGES)}"
        )


def _check(golds: list[Gold], predictions: list[str | None], need_answers: bool) -> None:
    check_pairs(golds, predictions)
    for i, gold in enumerate(golds):
        missing = [name for name in ("answers", "context", "group") if name not in gold]
        if missing:
            raise ValueError(f"question {i}: the gold has no {', '.join(missing)}")
        if need_answers and not gold["answers"]:
            raise ValueError(
                f"question {i}: no gold answer; only squad_v2 scores questions without one"
            )


def _em_f1_from_totals(totals: Mapping[str, Number]) -> Number:
    return 100 * share(totals["em"] + totals["f1"], 2 * totals["n"])


def _squad_unfit(task: ScoredTask) -> str | None:
    if not task.options.get("unanswerable"):
        return None
    return "squad has no unanswerable questions; use squad_v2"


def _mlqa_unfit(task: ScoredTask) -> str | None:
    strange = [one for one in task.languages if one.split("-")[0] not in MLQA_LANGUAGES]
    if not strange:
        return None
    known = ", ".join(MLQA_LANGUAGES)
    return f"mlqa normalises {known} only, not {', '.join(strange)}; squad takes any"


SQUAD = Metric(
    name="squad",
    version=1,
    scores=("span",),
    score=squad,
    from_examples=squad_from,
    gold_side=("null", "group"),
    prediction_side=("em", "f1"),
    resampled=sums_of("em", "f1"),
    main_from_totals=_em_f1_from_totals,
    needs_answers=True,
    unfit=_squad_unfit,
)
MLQA = replace(SQUAD, name="mlqa", version=1, score=mlqa, unfit=_mlqa_unfit)
SQUAD_V2 = Metric(
    name="squad_v2",
    version=1,
    scores=("span",),
    score=squad_v2,
    from_examples=squad_v2_from,
    gold_side=("null", "no_answer", "has_answer", "group"),
    prediction_side=("em", "f1"),
    resampled=sums_of("em", "f1"),
    main_from_totals=_em_f1_from_totals,
    null_is_main=True,
)
