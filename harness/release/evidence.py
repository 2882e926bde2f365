"""Reading a release's evidence: packed vectors back to numbers, what a training reached on its own
dev rows, what it read."""

from collections.abc import Iterable, Mapping
from statistics import fmean

import numpy as np

from harness.metrics import METRICS
from harness.metrics.metric import Array
from harness.release.schema import Examples


def mean(values: Iterable[float]) -> float | None:
    """The mean, unrounded (fsum: no order of addition changes it); None of nothing."""
    values = list(values)
    return fmean(values) if values else None


def vectors(packed: Examples, metric: str) -> dict[str, list[float]]:
    """A metric's example vectors among the fields of one language, or of one task of a training;
    "n" and "unit" too. Whole numbers are ints."""
    return {name: packed.numbers[name] for name in _of_metric(packed, metric)}


def arrays(packed: Examples, metric: str) -> dict[str, Array]:
    """The same as numpy arrays, much faster; not checked, since `vectors` has read every one of
    them before."""
    return {name: _array(packed.vectors[name]) for name in _of_metric(packed, metric)}


def _of_metric(packed: Examples, metric: str) -> list[str]:
    names = (*METRICS[metric].vectors, "n", "unit")
    return [name for name in names if name in packed.vectors]


def _array(text: str) -> Array:
    if "," in text:
        return np.fromstring(text[:-1], dtype=np.float64, sep=",")
    return (np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")).astype(np.float64)


def units_of(examples: Mapping[str, Array]) -> Array:
    """The resampling unit of each example: the vector "unit", or each row its own."""
    if "unit" in examples:
        return examples["unit"]
    return np.arange(len(next(iter(examples.values()))), dtype=np.float64)
