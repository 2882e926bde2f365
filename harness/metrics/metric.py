"""What the harness must know of a metric: one record, in the metric's own file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from harness.metrics.scored import Examples, Scored

if TYPE_CHECKING:  # a spec is checked without numpy, which takes its time to load
    import numpy as np
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[np.float64]"
# one number, or one for each set of rows: arithmetic that is written once works for both
Number = TypeVar("Number", float, "Array")
Vector: TypeAlias = "Sequence[float] | Array"
Vectors: TypeAlias = Mapping[str, "Vector"]


class ScoredTask(Protocol):
    """What a metric may look at of the task that asks for it."""

    @property
    def languages(self) -> Collection[str]: ...
    @property
    def label_names(self) -> Collection[str]: ...
    @property
    def options(self) -> Mapping[str, Any]: ...  # the family's own fields, each of its own type


class MainFromTotals(Protocol):
    """The main score, 0-100, from {name: sum of each vector of `resampled`} and "n", the number of
    rows: all of them numbers, or all of them arrays of one shape. Where nothing is there it is 0.
    """

    def __call__(self, totals: Mapping[str, Number]) -> Number: ...


def _fits(task: ScoredTask) -> None:
    """No complaint: the metric scores every task whose answers are of its kind."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric is called as `(golds, predictions, language) -> Scored`; golds and predictions are
    equally long lists in the same order.

    name              in YAML
    version           raised when a change moves any number: it is part of result keys
    scores            what an answer may be; a family whose answers are of such a kind may be scored
                      so: label, choice, tags, span, id, pairs, pieces
    score             the metric itself; computes what it needs to know of each example, and its
                      score from that alone
    from_examples     the second half of `score`: the same `Scored`, to the last bit
    gold_side         examples that the golds alone decide
    prediction_side   examples that need predictions
    resampled         the vectors of which the main score needs the sums, besides the number of rows
    main_from_totals  the main score from those sums; they are not exact, so that it may differ from
                      `Scored.main` in the last digits
    additive          its examples are counts, so that those of several rows add to those of a block
    null_is_main      the null predictor is scored by `main` itself, so that both compare
    lowest            of the scale that ends at 100
    needs_answers     it cannot score a question without an answer
    unfit             what keeps it from scoring a task, as a line for the user; None: nothing
    """

    name: str
    version: int
    scores: tuple[str, ...]
    # golds and answers are of the metric's own types
    score: Callable[[list[Any], list[Any], str], Scored]
    from_examples: Callable[[Examples], Scored]
    gold_side: tuple[str, ...]
    prediction_side: tuple[str, ...]
    resampled: Callable[[Vectors], dict[str, Vector]]
    main_from_totals: MainFromTotals
    additive: bool = False
    null_is_main: bool = False
    lowest: int = 0
    needs_answers: bool = False
    unfit: Callable[[ScoredTask], str | None] = _fits

    def __call__(self, golds: list[Any], predictions: list[Any], language: str) -> Scored:
        return self.score(golds, predictions, language)

    @property
    def vectors(self) -> tuple[str, ...]:
        """The names of all its examples."""
        return *self.gold_side, *self.prediction_side


def sums_of(*names: str) -> Callable[[Vectors], dict[str, Vector]]:
    """`Metric.resampled` of a metric whose examples are what it sums.

    The number of rows is how many entries were drawn; where they are blocks of rows, "n" is among
    the examples, and it is the sum of that.
    """

    def resampled(examples: Vectors) -> dict[str, Vector]:
        summed = (*names, "n") if "n" in examples else names
        return {name: examples[name] for name in summed}

    return resampled


def share(part: Number, whole: Number) -> Number:
    """part / whole, and 0 where the whole is 0, since then the part is too."""
    quotient: Number = part / (whole + (whole == 0))
    return quotient


def ratio(part: str, whole: str) -> MainFromTotals:
    """The main score of a metric that is 100 times one sum by another."""

    def main(totals: Mapping[str, Number]) -> Number:
        return 100 * share(totals[part], totals[whole])

    return main


def f1_from_totals(totals: Mapping[str, Number]) -> Number:
    """F1, 0-100, from how many were right, answered and to be found: `tp`, `pred`, `gold`."""
    return 200 * share(totals["tp"], totals["pred"] + totals["gold"])


def precision_recall_f1(tp: float, pred: float, gold: float) -> tuple[float, float, float]:
    """Fractions 0-1; 0 where nothing is right."""
    if not tp:
        return 0.0, 0.0, 0.0
    precision, recall = tp / pred, tp / gold
    return precision, recall, 2 * precision * recall / (precision + recall)
