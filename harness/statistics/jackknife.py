"""How far each test row moves a score: the delete-one jackknife.

The influence of a unit is what the score would lose without it, scaled so that the squares of all
influences sum to the score's variance over other test rows of the same kind (Efron and Tibshirani
1993, An Introduction to the Bootstrap, chapter 11; Miller 1974, The Jackknife: A Review, Biometrika
61). A unit is what was sampled as one: a row, or a paragraph with all its questions. Influences add
as scores do: those of a difference between two systems that answered the same rows are the
differences of theirs, so that its interval is a paired one.

Nothing is drawn at random. Sums are of whole numbers below 2^53, which no order of addition
changes; the rest is one operation an element: the same on every machine.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.metrics import METRICS
from harness.metrics.metric import Array, Vector

Index = npt.NDArray[np.intp]
FLOAT_SCALE = 10**6  # a fractional vector (F1 of an answer) counts in millionths


def influences(
    metric: str, units: Array, systems: Sequence[Mapping[str, Array]], numbers: Array
) -> Array:
    """Of each unit on the main score of each system, in points: (systems, len(numbers)).

    units    (n,) unit number of each example
    systems  of each, vector name → (n,)
    numbers  (u,) ascending unit numbers; a unit of which there is no example has no influence
    """
    present, index = np.unique(np.asarray(units, dtype=np.int64), return_inverse=True)
    at = np.searchsorted(np.asarray(numbers, dtype=np.int64), present)
    found = np.zeros((len(systems), len(numbers)))
    for row, examples in zip(found, systems, strict=True):
        row[at] = _influences(metric, examples, index, len(present))
    return found


def _influences(metric: str, examples: Mapping[str, Array], index: Index, units: int) -> Array:
    """(units,): of one system. `index`: the unit of each example, counted from 0."""
    vectors = {"n": np.ones(len(index))} | METRICS[metric].resampled(examples)
    without = {name: _without_each(vector, index, units) for name, vector in vectors.items()}
    scores = METRICS[metric].main_from_totals(without)
    # one unit alone tells nothing of how units differ: its influence is 0
    found: Array = np.sqrt((units - 1) / units) * (scores.mean() - scores)
    return found


def _without_each(vector: Vector, index: Index, units: int) -> Array:
    """(units,): the sum of a vector over all examples but those of one unit."""
    values = np.asarray(vector, dtype=np.float64)
    scale = 1 if (values == np.rint(values)).all() else FLOAT_SCALE
    whole = np.rint(values * scale)
    assert np.abs(whole).max(initial=0.0) * max(len(whole), 1) < 2**53, "sums would not be exact"
    sums = np.bincount(index, weights=whole, minlength=units)
    left: Array = (sums.sum() - sums) / scale
    return left
