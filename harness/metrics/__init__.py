"""Official scorers of XTREME and SQuAD, in plain Python and numpy.

A metric is one function, `(golds, predictions, language) -> Scored`; its golds and predictions are equally long
lists in the same order. Adding one: a function in the file of its family, and one line in `_TABLE`.

    accuracy            labels                   XNLI, PAWS-X and most intermediate tasks
    accuracy_f1         labels "0" and "1"       QQP
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

from harness.metrics.accuracy import accuracy, accuracy_f1
from harness.metrics.aggregate import TASK_GROUPS, language_mean, overall, task_score
from harness.metrics.masked import masked_accuracy
from harness.metrics.mining import mining_f1
from harness.metrics.qa import MLQA_LANGUAGES, mlqa, squad, squad_v2
from harness.metrics.retrieval import retrieval_accuracy, search
from harness.metrics.scored import Scored
from harness.metrics.tagging import span_f1, token_accuracy

# name in YAML: (function, result version). Raise the version when a change moves any number: it is part of result keys.
_TABLE: dict[str, tuple[Callable[[list, list, str], Scored], int]] = {
    "accuracy": (accuracy, 1),
    "accuracy_f1": (accuracy_f1, 1),
    "span_f1": (span_f1, 1),
    "token_accuracy": (token_accuracy, 1),
    "squad": (squad, 1),
    "mlqa": (mlqa, 1),
    "squad_v2": (squad_v2, 1),
    "retrieval_accuracy": (retrieval_accuracy, 1),
    "mining_f1": (mining_f1, 1),
    "masked_accuracy": (masked_accuracy, 1),
}

METRICS: dict[str, Callable[[list, list, str], Scored]] = {name: row[0] for name, row in _TABLE.items()}
METRIC_VERSIONS: dict[str, int] = {name: row[1] for name, row in _TABLE.items()}

__all__ = [
    "METRICS",
    "METRIC_VERSIONS",
    "MLQA_LANGUAGES",
    "TASK_GROUPS",
    "Scored",
    "language_mean",
    "overall",
    "search",
    "task_score",
]
