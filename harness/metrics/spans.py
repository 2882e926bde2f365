"""Tag sequences: span F1 (UD-POS, PAN-X), as seqeval 0.0.12 counts it, which is what XTREME's
scorer calls; token accuracy (CCG supertags, which are no spans).

UD-POS has bare tags and is scored by spans all the same: a run of equal tags is one span, right
only as a whole. So the number is stricter than accuracy, and accuracy hides a model that always
says NOUN. Both are reported. seqeval 1.x gives other numbers (CCONJ and SCONJ become one type
there); the published ones are from 0.0.12.
"""

import re

from harness.metrics.accuracy import equal, most_frequent
from harness.metrics.metric import (
    Metric,
    ScoredTask,
    f1_from_totals,
    precision_recall_f1,
    ratio,
    sums_of,
)
from harness.metrics.scored import Examples, Scored, check_pairs, paired_difference


def span_f1(golds: list[list[str]], predictions: list[list[str]], language: str = "") -> Scored:
    """Micro-averaged F1 over spans of equal type, first and last token; every number 0-100.

    golds, predictions  n sentences each, every sentence a list of tags ("B-PER", "O", "NOUN"), one
                        a token
    metrics             f1, precision, recall; accuracy of tokens; majority, the share of the most
                        frequent gold tag
    main                f1
    examples            n counts each: tp, pred, gold (spans); right, tokens, null (tokens with the
                        most frequent gold tag)
    null                of tokens, the constant most frequent gold tag
    raises              ValueError: different lengths (names the first such sentence), an empty tag,
                        no tokens
    source              google-research/xtreme, evaluate.py with seqeval 0.0.12; Hu et al. 2020,
                        arXiv 2003.11080
    """
    # the null predictor is one of tokens: a constant tag hides in a span's F1
    scored = token_accuracy(golds, predictions)
    counts: dict[str, list[int]] = {"tp": [], "pred": [], "gold": []}
    for gold, guess in zip(golds, predictions, strict=True):
        gold_spans, guess_spans = spans(gold), spans(guess)
        counts["tp"].append(len(gold_spans & guess_spans))
        counts["pred"].append(len(guess_spans))
        counts["gold"].append(len(gold_spans))
    return span_f1_from({**counts, **scored.examples})


def span_f1_from(examples: Examples) -> Scored:
    """`span_f1` of its examples, also in blocks of sentences."""
    scored = token_accuracy_from(examples)
    precision, recall, f1 = precision_recall_f1(
        *(sum(examples[name]) for name in ("tp", "pred", "gold"))
    )
    metrics = {
        "f1": f1 * 100,
        "precision": precision * 100,
        "recall": recall * 100,
        **scored.metrics,
    }
    return scored._replace(metrics=metrics, main=f1 * 100)


def token_accuracy(
    golds: list[list[str]], predictions: list[list[str]], language: str = ""
) -> Scored:
    """Share of tokens with the right tag, over the tokens of all sentences together.

    golds, predictions  n sentences each, every sentence a list of tags, one a token
    metrics             accuracy; majority, the share of the most frequent gold tag; 0-100
    main                accuracy
    examples            n counts each: right, tokens, null (tokens with the most frequent gold tag)
    null                the constant most frequent gold tag; the error bar takes a sentence's tokens
                        together
    raises              ValueError: as `span_f1`
    source              Clark and Curran 2007, Computational Linguistics 33(4), for CCG supertags
                        (per-word accuracy)
    """
    check_pairs(golds, predictions)
    _check_sentences(golds, predictions)
    majority = most_frequent([tag for sentence in golds for tag in sentence])
    right = [equal(gold, guess) for gold, guess in zip(golds, predictions, strict=True)]
    tokens = [len(gold) for gold in golds]
    return token_accuracy_from(
        {"right": right, "tokens": tokens, "null": [gold.count(majority) for gold in golds]}
    )


def token_accuracy_from(examples: Examples) -> Scored:
    """`token_accuracy` of its examples, also in blocks of sentences."""
    right, tokens, constant = (examples[name] for name in ("right", "tokens", "null"))
    above, stderr = paired_difference(
        [r - c for r, c in zip(right, constant, strict=True)], sizes=tokens
    )
    score, null = sum(right) / sum(tokens) * 100, sum(constant) / sum(tokens) * 100
    return Scored(
        metrics={"accuracy": score, "majority": null},
        main=score,
        examples=examples,
        null=null,
        null_name="token accuracy of always answering the most frequent gold tag",
        above_null=100 * above,
        stderr=100 * stderr,
    )


def spans(tags: list[str]) -> set[tuple[str, int, int]]:
    """Spans (type, first token, last token) of one sentence, by the lenient rules of seqeval
    0.0.12.

    A tag's prefix is its first letter and its type what follows the last hyphen, also where there
    is no hyphen: NOUN has prefix N and type NOUN. Hence SYM and SCONJ look like single-token spans
    (S) and never merge, and INTJ looks like the inside of one (I), which changes nothing.

    The scorer joins sentences with an O between, so a span never crosses a sentence; sentence by
    sentence is the same.
    """
    found = set()
    begin, before, before_type = 0, "O", "O"
    for i, tag in enumerate([*tags, "O"]):  # the last O closes what is open
        prefix, type_ = tag[0], tag.split("-")[-1]
        changed = type_ != before_type
        closes = (
            before in "ES"
            or (before in "BI" and prefix in "BSO")
            or (before not in "O." and changed)
        )
        opens = (
            prefix in "BS"
            or (before in "ESO" and prefix in "EI")
            or (prefix not in "O." and changed)
        )
        if closes:
            found.add((before_type, begin, i - 1))
        if opens:
            begin = i
        before, before_type = prefix, type_
    return found


def _unfit(task: ScoredTask) -> str | None:
    """Labels of another scheme, whose spans would be others than they mean."""
    names = list(task.label_names)
    seen: dict[tuple[str, str], str] = {}
    for name in names:
        other = seen.setdefault((name[0], name.split("-")[-1]), name)
        why = other if other != name else _why_other(name, names)
        if why:
            return (
                f"span_f1 reads B-LOC, I-LOC, E-LOC, S-LOC and O, and would read {name} as {why};"
                " give the labels such names by a map ({S-LOC: U-LOC, ...}), or take token_accuracy"
            )
    return None


def _why_other(name: str, names: list[str]) -> str:
    """As what a label is read that means something else; "" if it is read as it means."""
    prefix, rest = name[:2], name[2:]
    if name != "O" and name[0] in "O.":
        return "no part of a span"
    if prefix in ("U-", "L-") and {f"B-{rest}", f"I-{rest}"} & set(names):
        return "the inside of a span"
    if prefix in ("I", "I_") and f"B{name[1:]}" in names:
        return "a span of another type"
    return "a type of its own" if re.fullmatch("[^-]+-[BIES]", name) and "O" in names else ""


def _check_sentences(golds: list[list[str]], predictions: list[list[str]]) -> None:
    for i, (gold, guess) in enumerate(zip(golds, predictions, strict=True)):
        if len(gold) != len(guess):
            raise ValueError(f"sentence {i}: {len(gold)} gold tags but {len(guess)} predicted")
        if not all(gold) or not all(guess):
            raise ValueError(f"sentence {i}: an empty tag")
    if not any(golds):
        raise ValueError(f"nothing to score: {len(golds)} sentences without a token")


SPAN_F1 = Metric(
    name="span_f1",
    version=1,
    scores=("tags",),
    score=span_f1,
    from_examples=span_f1_from,
    gold_side=("gold", "tokens", "null"),
    prediction_side=("tp", "pred", "right"),
    resampled=sums_of("tp", "pred", "gold"),
    main_from_totals=f1_from_totals,
    additive=True,
    unfit=_unfit,
)
TOKEN_ACCURACY = Metric(
    name="token_accuracy",
    version=1,
    scores=("tags",),
    score=token_accuracy,
    from_examples=token_accuracy_from,
    gold_side=("tokens", "null"),
    prediction_side=("right",),
    resampled=sums_of("right", "tokens"),
    main_from_totals=ratio("right", "tokens"),
    additive=True,
    null_is_main=True,
)
