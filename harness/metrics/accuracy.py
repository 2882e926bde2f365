"""Accuracy of labels (XNLI, PAWS-X, most intermediate tasks), alone or with the F1 of the positive
label (QQP)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from harness.metrics.metric import Metric, Number, ScoredTask, f1_from_totals, ratio, sums_of
from harness.metrics.scored import Examples, Scored, check_pairs, paired_difference

Label = TypeVar("Label", int, str)
NEGATIVE, POSITIVE = "0", "1"  # label names of a task that is scored by F1


def accuracy(golds: list[str], predictions: list[str], language: str = "") -> Scored:
    """Share of labels that agree after `strip`, as XTREME's evaluate.py reads them.

    golds, predictions  n label strings each
    metrics             accuracy, 0-100
    examples            n of 0 or 1 each: correct; null, whether the gold is the most frequent one
    null                the constant most frequent gold label
    raises              ValueError: different lengths, or nothing to score
    source              google-research/xtreme, evaluate.py; Hu et al. 2020, arXiv 2003.11080
    """
    check_pairs(golds, predictions)
    golds = [label.strip() for label in golds]
    correct = [int(gold == guess.strip()) for gold, guess in zip(golds, predictions, strict=True)]
    majority = most_frequent(golds)
    return accuracy_from({"correct": correct, "null": [int(gold == majority) for gold in golds]})


def accuracy_from(examples: Examples) -> Scored:
    """`accuracy` of its examples. In blocks of rows (see `harness.metrics.rescore`) they are
    counts."""
    correct, constant, sizes = examples["correct"], examples["null"], examples.get("n")
    above, stderr = paired_difference(
        [c - k for c, k in zip(correct, constant, strict=True)], sizes=sizes
    )
    rows = sum(sizes) if sizes else len(correct)
    score = sum(correct) / rows * 100
    return Scored(
        metrics={"accuracy": score},
        main=score,
        examples=examples,
        null=sum(constant) / rows * 100,
        null_name="accuracy of always answering the most frequent gold label",
        above_null=100 * above,
        stderr=100 * stderr,
    )


def accuracy_f1(golds: list[str], predictions: list[str], language: str = "") -> Scored:
    """Mean of accuracy and the F1 of the positive label, of two labels named "0" and "1" (QQP,
    MRPC).

    golds, predictions  n label strings each, "1" being the positive one
    metrics             accuracy; f1, 0 where "1" is never right; 0-100
    main                their mean
    examples            n of 0 or 1 each: correct, null, tp, pred (answered "1"), gold (is "1")
    null                of accuracy, the constant most frequent gold label
    raises              ValueError: as `accuracy`; another label than "0" and "1" (names the row)
    source              GLUE (Wang et al. 2018, arXiv 1804.07461), which reports both; jiant's
                        `acc_and_f1` is their mean
    """
    scored = accuracy(golds, predictions)
    gold, pred = _positive(golds), _positive(predictions)
    tp = [p & g for p, g in zip(pred, gold, strict=True)]
    return accuracy_f1_from({**scored.examples, "tp": tp, "pred": pred, "gold": gold})


def _positive(labels: Sequence[str]) -> list[int]:
    """1 where a label is the positive one, 0 where it is the other."""
    found = []
    for i, label in enumerate(labels):
        if label.strip() not in (NEGATIVE, POSITIVE):
            needed = f"the labels {NEGATIVE!r} and {POSITIVE!r} (positive)"
            raise ValueError(f"row {i}: label {label.strip()!r}; F1 needs {needed}")
        found.append(int(label.strip() == POSITIVE))
    return found


def accuracy_f1_from(examples: Examples) -> Scored:
    """`accuracy_f1` of its examples, also in blocks of rows."""
    scored = accuracy_from(examples)
    tp, pred, gold = (sum(examples[name]) for name in ("tp", "pred", "gold"))
    # the scorers' convention: nothing right is 0, also where there was nothing to find
    f1 = 200 * tp / (pred + gold) if tp else 0.0
    return scored._replace(
        metrics={**scored.metrics, "f1": f1}, main=(scored.metrics["accuracy"] + f1) / 2
    )


def equal(golds: Sequence[object], guesses: Sequence[object]) -> int:
    """In how many places two lists of one length agree."""
    return sum(gold == guess for gold, guess in zip(golds, guesses, strict=True))


def most_frequent(labels: Sequence[Label]) -> Label:
    """The most frequent label. Ties go to the smallest name, so that the order of the rows does not
    matter."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _accuracy_f1_from_totals(totals: Mapping[str, Number]) -> Number:
    return (_accuracy_from_totals(totals) + f1_from_totals(totals)) / 2


def _needs_two_labels(task: ScoredTask) -> str | None:
    if set(task.label_names) == {NEGATIVE, POSITIVE}:
        return None
    return 'accuracy_f1 needs the labels "0" and "1"; its F1 is that of "1"'


_accuracy_from_totals = ratio("correct", "n")

ACCURACY = Metric(
    name="accuracy",
    version=1,
    scores=("label", "choice"),
    score=accuracy,
    from_examples=accuracy_from,
    gold_side=("null",),
    prediction_side=("correct",),
    resampled=sums_of("correct"),
    main_from_totals=_accuracy_from_totals,
    additive=True,
    null_is_main=True,
)
ACCURACY_F1 = Metric(
    name="accuracy_f1",
    version=1,
    scores=("label",),
    score=accuracy_f1,
    from_examples=accuracy_f1_from,
    gold_side=("gold", "null"),
    prediction_side=("correct", "tp", "pred"),
    resampled=sums_of("correct", "tp", "pred", "gold"),
    main_from_totals=_accuracy_f1_from_totals,
    additive=True,
    unfit=_needs_two_labels,
)
