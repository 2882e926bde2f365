"""Official scorers of XTREME and SQuAD, in plain Python and numpy.

Adding a metric: its two functions and its record (`harness.metrics.metric`) in one file, a line in
`METRICS`.

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

from harness.metrics.accuracy import ACCURACY, ACCURACY_F1
from harness.metrics.aggregate import TASK_GROUPS, language_mean, overall, task_score
from harness.metrics.confusion import MACRO_F1, MATTHEWS
from harness.metrics.masked import MASKED_ACCURACY
from harness.metrics.metric import Metric
from harness.metrics.mining import MINING_F1
from harness.metrics.neighbours import RETRIEVAL_ACCURACY
from harness.metrics.qa import MLQA, SQUAD, SQUAD_V2
from harness.metrics.scored import Examples, Scored
from harness.metrics.spans import SPAN_F1, TOKEN_ACCURACY

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        ACCURACY,
        ACCURACY_F1,
        MACRO_F1,
        MATTHEWS,
        SPAN_F1,
        TOKEN_ACCURACY,
        SQUAD,
        MLQA,
        SQUAD_V2,
        RETRIEVAL_ACCURACY,
        MINING_F1,
        MASKED_ACCURACY,
    )
}


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
    "Metric",
    "Scored",
    "language_mean",
    "overall",
    "rescore",
    "task_score",
]
