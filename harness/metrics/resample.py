"""The main score from sums over examples: what a bootstrap needs, which draws the examples anew
many thousand times:

    vectors = resampled(metric, examples)
    totals = {name: weights @ vector, ...} | {"n": weights.sum(axis=-1)}  # weights: how often each
    entry was drawn main_from_totals(metric)(totals)

An entry is a row, or a block of rows whose number is in the vector "n" (see
`harness.metrics.rescore`).
"""

from collections.abc import Callable

from harness.metrics.confusion import class_vectors, counts_of, macro_f1_of, matthews_of


def resampled(metric: str, examples: dict[str, list]) -> dict[str, list]:
    """The vectors of which the metric's main score needs the sums, besides the number of rows.

    That number is how many entries were drawn; where they are blocks, "n" is among the vectors, and
    it is the sum of that.
    """
    if metric == "retrieval_accuracy":
        return {
            "correct": [
                int(a == b) for a, b in zip(examples["gold"], examples["predicted"], strict=True)
            ]
        }
    if metric in ("macro_f1", "matthews"):
        return class_vectors(examples)
    names = [*_TABLE[metric][0], *(name for name in ("n",) if name in examples)]
    return {name: examples[name] for name in names}


def main_from_totals(metric: str) -> Callable[[dict], float]:
    """The function from totals to the metric's main score, 0-100 (of matthews -100 to 100).

    It takes {name: sum of each vector of `resampled`} and "n", the number of rows, all of them
    numbers or all of them numpy arrays of one shape, and gives the same. Where nothing is there the
    score is 0. Sums are not exact, so that it may differ from `Scored.main` in the last digits.
    """
    return _TABLE[metric][1]


def _share(part, whole):
    """part / whole, and 0 where the whole is 0, since then the part is too."""
    return part / (whole + (whole == 0))


def _accuracy(totals):
    return 100 * _share(totals["correct"], totals["n"])


def _f1(totals):
    return 200 * _share(totals["tp"], totals["pred"] + totals["gold"])


def _accuracy_f1(totals):
    return (_accuracy(totals) + _f1(totals)) / 2


def _em_f1(totals):
    return 100 * _share(totals["em"] + totals["f1"], 2 * totals["n"])


# metric: (vectors that are summed, main score of their sums)
_TABLE: dict[str, tuple[tuple[str, ...], Callable[[dict], float]]] = {
    "accuracy": (("correct",), _accuracy),
    "accuracy_f1": (("correct", "tp", "pred", "gold"), _accuracy_f1),
    "macro_f1": ((), lambda totals: 100 * macro_f1_of(counts_of(totals))),
    "matthews": ((), lambda totals: 100 * matthews_of(counts_of(totals))),
    "span_f1": (("tp", "pred", "gold"), _f1),
    "token_accuracy": (
        ("right", "tokens"),
        lambda totals: 100 * _share(totals["right"], totals["tokens"]),
    ),
    "squad": (("em", "f1"), _em_f1),
    "mlqa": (("em", "f1"), _em_f1),
    "squad_v2": (("em", "f1"), _em_f1),
    "retrieval_accuracy": (("correct",), _accuracy),
    "mining_f1": (("tp", "pred", "gold"), _f1),
    "masked_accuracy": (
        ("right", "masked"),
        lambda totals: 100 * _share(totals["right"], totals["masked"]),
    ),
}
