"""Official scorers of XTREME and SQuAD, in plain Python and numpy.

Adding a metric: its two functions and its record (`harness.metrics.metric`) in one file, a line in
METRICS. A package outside adds one by an entry point of the same form, in the group
`xstilts_harness.metrics`.

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
    map_at_20           ranked ids               LAReQA, Mewsli-X
    masked_accuracy     hidden pieces            masked-LM
"""

from harness.common.plugins import Table
from harness.metrics.aggregate import (
    TASK_GROUPS,
    XTREME_R_GROUPS,
    language_mean,
    overall,
    task_score,
)
from harness.metrics.metric import Metric
from harness.metrics.scored import Examples, Scored


def _sound(name: str, found: object) -> str | None:
    if not isinstance(found, Metric):
        return f"it is a {type(found).__name__}, not a harness.metrics.Metric"
    if found.name != name:
        return f"the metric is named {found.name!r}; the two names must be one"
    return None


METRICS: Table[Metric] = Table(
    "metrics",
    {
        "accuracy": "harness.metrics.accuracy:ACCURACY",
        "accuracy_f1": "harness.metrics.accuracy:ACCURACY_F1",
        "macro_f1": "harness.metrics.confusion:MACRO_F1",
        "matthews": "harness.metrics.confusion:MATTHEWS",
        "span_f1": "harness.metrics.spans:SPAN_F1",
        "token_accuracy": "harness.metrics.spans:TOKEN_ACCURACY",
        "squad": "harness.metrics.qa:SQUAD",
        "mlqa": "harness.metrics.qa:MLQA",
        "squad_v2": "harness.metrics.qa:SQUAD_V2",
        "retrieval_accuracy": "harness.metrics.neighbours:RETRIEVAL_ACCURACY",
        "mining_f1": "harness.metrics.mining:MINING_F1",
        "map_at_20": "harness.metrics.precision:MAP_AT_20",
        "masked_accuracy": "harness.metrics.masked:MASKED_ACCURACY",
    },
    _sound,
)


def scoring(answers: str) -> list[str]:
    """The metrics that score answers of a kind (`Metric.scores`, `Family.answers`)."""
    return [name for name, metric in METRICS.items() if answers in metric.scores]


def rescore(name: str, examples: Examples) -> Scored:
    """The `Scored` that a metric gave, from its `examples` alone: every field the same to the last
    bit.

    examples  the metric's `vectors`, equally long; others are ignored. Of an `additive` metric an
              entry may be the sums over a block of rows, with how many rows each stands for in a
              further vector "n". Then the metrics, `main`, `null` and `above_null` are those of the
              rows, and `stderr` takes a block for what goes right or wrong together
    raises    ValueError: an unknown metric, a vector that is missing, vectors of several lengths,
              nothing to score, blocks where the metric has none
    """
    if name not in METRICS:
        raise ValueError(f"no metric {name!r}; there are {', '.join(METRICS)}")
    metric = METRICS[name]
    names = list(metric.vectors)
    if missing := [vector for vector in names if vector not in examples]:
        raise ValueError(f"{name}: the examples have no {', '.join(missing)}")
    if "n" in examples:
        if not metric.additive:
            raise ValueError(
                f"{name}: its examples do not add, so there are no blocks of them; leave out n"
            )
        names.append("n")

    given = {vector: examples[vector] for vector in names}
    lengths = {vector: len(values) for vector, values in given.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name}: the examples are not equally many: {lengths}")
    try:
        return metric.from_examples(given)
    except ZeroDivisionError:
        raise ValueError(
            f"{name}: nothing to score in {lengths[names[0]]} examples, or counts that cannot be"
        ) from None


__all__ = [
    "METRICS",
    "TASK_GROUPS",
    "XTREME_R_GROUPS",
    "Metric",
    "Scored",
    "language_mean",
    "overall",
    "rescore",
    "scoring",
    "task_score",
]
