"""Official scorers of XTREME and SQuAD, in plain Python and numpy.

A metric is one function, `(golds, predictions, language) -> Scored`; its golds and predictions are
equally long lists in the same order. It computes what it needs to know of each example, and its
score from that alone (`rescore`). Adding one: both functions in the file of its family, a line each
in `_TABLE` and `_VECTORS`, and one in `resample`.

    accuracy            labels                   XNLI, PAWS-X and most intermediate tasks
    accuracy_f1         labels "0" and "1"       QQP
    macro_f1            labels                   classes that are not equally frequent
    matthews            labels                   CoLA
    span_f1             lists of tags            UD-POS, PAN-X
    token_accuracy      lists of tags            CCG
    squad               answers                  XQuAD, TyDiQA-GoldP, SQuAD 1.1
    mlqa                answers, by language     MLQA
    squad_v2            answers or none          SQuAD 2.0
    retrieval_accuracy  ids                      Tatoeba
    mining_f1           lists of ids             BUCC 2018
    masked_accuracy     hidden pieces            masked-LM
"""

from collections.abc import Callable

from harness.metrics.accuracy import accuracy, accuracy_f1, accuracy_f1_from, accuracy_from
from harness.metrics.aggregate import TASK_GROUPS, language_mean, overall, task_score
from harness.metrics.confusion import macro_f1, macro_f1_from, matthews, matthews_from
from harness.metrics.masked import masked_accuracy, masked_accuracy_from
from harness.metrics.mining import mining_f1, mining_f1_from
from harness.metrics.neighbours import retrieval_accuracy, retrieval_accuracy_from, search
from harness.metrics.qa import MLQA_LANGUAGES, mlqa, squad, squad_from, squad_v2, squad_v2_from
from harness.metrics.resample import main_from_totals, resampled
from harness.metrics.scored import Scored
from harness.metrics.spans import span_f1, span_f1_from, token_accuracy, token_accuracy_from

# name in YAML: (function, the same from its examples alone, result version).
# Raise the version when a change moves any number: it is part of result keys.
_TABLE: dict[
    str, tuple[Callable[[list, list, str], Scored], Callable[[dict[str, list]], Scored], int]
] = {
    "accuracy": (accuracy, accuracy_from, 1),
    "accuracy_f1": (accuracy_f1, accuracy_f1_from, 1),
    "macro_f1": (macro_f1, macro_f1_from, 1),
    "matthews": (matthews, matthews_from, 1),
    "span_f1": (span_f1, span_f1_from, 1),
    "token_accuracy": (token_accuracy, token_accuracy_from, 1),
    "squad": (squad, squad_from, 1),
    "mlqa": (mlqa, squad_from, 1),
    "squad_v2": (squad_v2, squad_v2_from, 1),
    "retrieval_accuracy": (retrieval_accuracy, retrieval_accuracy_from, 1),
    "mining_f1": (mining_f1, mining_f1_from, 1),
    "masked_accuracy": (masked_accuracy, masked_accuracy_from, 1),
}

# metric: (examples that the golds alone decide, examples that need predictions). What masked-LM
# hides depends on the encoder.
_VECTORS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "accuracy": (("null",), ("correct",)),
    "accuracy_f1": (("gold", "null"), ("correct", "tp", "pred")),
    "macro_f1": (("gold",), ("predicted",)),
    "matthews": (("gold",), ("predicted",)),
    "span_f1": (("gold", "tokens", "null"), ("tp", "pred", "right")),
    "token_accuracy": (("tokens", "null"), ("right",)),
    "squad": (("null", "group"), ("em", "f1")),
    "mlqa": (("null", "group"), ("em", "f1")),
    "squad_v2": (("null", "no_answer", "has_answer", "group"), ("em", "f1")),
    "retrieval_accuracy": (("gold", "null"), ("predicted",)),
    "mining_f1": (("gold",), ("tp", "pred")),
    "masked_accuracy": ((), ("right", "masked", "null")),
}

METRICS: dict[str, Callable[[list, list, str], Scored]] = {
    name: row[0] for name, row in _TABLE.items()
}
METRIC_VERSIONS: dict[str, int] = {name: row[2] for name, row in _TABLE.items()}
GOLD_SIDE: dict[str, tuple[str, ...]] = {name: row[0] for name, row in _VECTORS.items()}
PREDICTION_SIDE: dict[str, tuple[str, ...]] = {name: row[1] for name, row in _VECTORS.items()}
# Metrics whose examples are counts, so that those of several rows add to those of a block of rows.
ADDITIVE = frozenset(
    {"accuracy", "accuracy_f1", "span_f1", "token_accuracy", "mining_f1", "masked_accuracy"}
)


def rescore(metric: str, examples: dict[str, list]) -> Scored:
    """The `Scored` that a metric gave, from its `examples` alone: every field the same to the last
    bit.

    examples  the vectors of GOLD_SIDE[metric] and PREDICTION_SIDE[metric], equally long; others are
              ignored. Of the ADDITIVE metrics an entry may be the sums over a block of rows, with
              how many rows each stands for in a further vector "n". Then the metrics, `main`,
              `null` and `above_null` are those of the rows, and `stderr` takes a block for what
              goes right or wrong together
    raises    ValueError: an unknown metric, a vector that is missing, vectors of several lengths,
              nothing to score, blocks where the metric has none
    """
    if metric not in _TABLE:
        raise ValueError(f"no metric {metric!r}; there are {', '.join(_TABLE)}")
    names = [*GOLD_SIDE[metric], *PREDICTION_SIDE[metric]]
    if missing := [name for name in names if name not in examples]:
        raise ValueError(f"{metric}: the examples have no {', '.join(missing)}")
    if "n" in examples:
        if metric not in ADDITIVE:
            raise ValueError(
                f"{metric}: its examples do not add, so there are no blocks of them; leave out n"
            )
        names.append("n")
    given = {name: examples[name] for name in names}
    lengths = {name: len(vector) for name, vector in given.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{metric}: the examples are not equally many: {lengths}")
    try:
        return _TABLE[metric][1](given)
    except ZeroDivisionError:
        raise ValueError(
            f"{metric}: nothing to score in {lengths[names[0]]} examples, or counts that cannot be"
        ) from None


__all__ = [
    "ADDITIVE",
    "GOLD_SIDE",
    "METRICS",
    "METRIC_VERSIONS",
    "MLQA_LANGUAGES",
    "PREDICTION_SIDE",
    "TASK_GROUPS",
    "Scored",
    "language_mean",
    "main_from_totals",
    "overall",
    "resampled",
    "rescore",
    "search",
    "task_score",
]
