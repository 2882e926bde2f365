"""Accuracy of labels (XNLI, PAWS-X, most intermediate tasks)."""

from collections import Counter

from harness.metrics.scored import Scored, check_pairs, paired_difference


def accuracy(golds: list[str], predictions: list[str], language: str = "") -> Scored:
    """Share of labels that agree after `strip`, as XTREME's evaluate.py reads them.

    golds, predictions  n label strings each
    metrics             accuracy, 0-100
    examples            correct: n of 0 or 1
    null                the constant most frequent gold label
    raises              ValueError: different lengths, or nothing to score
    source              google-research/xtreme, evaluate.py; Hu et al. 2020, arXiv 2003.11080
    """
    check_pairs(golds, predictions)
    golds = [label.strip() for label in golds]
    correct = [int(gold == guess.strip()) for gold, guess in zip(golds, predictions, strict=True)]
    majority = most_frequent(golds)
    constant = [int(gold == majority) for gold in golds]
    above, stderr = paired_difference([c - k for c, k in zip(correct, constant, strict=True)])
    score = sum(correct) / len(golds) * 100
    return Scored(
        metrics={"accuracy": score},
        main=score,
        examples={"correct": correct},
        null=sum(constant) / len(golds) * 100,
        null_name="accuracy of always answering the most frequent gold label",
        above_null=100 * above,
        stderr=100 * stderr,
    )


def most_frequent(labels: list[str]) -> str:
    """The most frequent label. Ties go to the smallest name, so that the order of the rows does not matter."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))
