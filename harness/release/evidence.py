"""Reading a release's evidence: packed vectors back to numbers, what a training reached on its own
dev rows, what it read."""

from collections.abc import Iterable
from statistics import fmean

import numpy as np

from harness.metrics import METRICS
from harness.metrics.metric import Array
from harness.metrics.vectors import unpack
from harness.release.schema import Examples

SCHEMAS = (1, 2, 3, 4, 5)  # all that were ever written; `load` reads them forever
# the first that holds evidence and jobs, so that its numbers can be computed again
WITH_EVIDENCE = 3


def mean(values: Iterable[float]) -> float | None:
    """The mean, unrounded (fsum: no order of addition changes it); None of nothing."""
    values = list(values)
    return fmean(values) if values else None


def vectors(packed: Examples, metric: str) -> dict[str, list[float]]:
    """A metric's example vectors among the fields of one language, or of one task of a training;
    "n" and "unit" too. Whole numbers are ints."""
    return {name: unpack(text) for name, text in _of_metric(packed, metric).items()}


def arrays(packed: Examples, metric: str) -> dict[str, Array]:
    """The same as numpy arrays, much faster; not checked, since `vectors` has read every one of
    them before."""
    return {name: _array(text) for name, text in _of_metric(packed, metric).items()}


def _of_metric(packed: Examples, metric: str) -> dict[str, str]:
    names = (*METRICS[metric].vectors, "n", "unit")
    return {name: packed.vectors[name] for name in names if name in packed.vectors}


def _array(text: str) -> Array:
    if "," in text:
        return np.array(text.split(",")[:-1], dtype=np.float64)
    return (np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")).astype(np.float64)


def units_of(examples: dict[str, Array]) -> Array:
    """The resampling unit of each example: the vector "unit", or each row its own."""
    if "unit" in examples:
        return examples["unit"]
    return np.arange(len(next(iter(examples.values()))), dtype=np.float64)


def data_of(content: dict, job: dict) -> dict:
    """The rows of a job."""
    return content["rows"][job["data"]]


def leaves(rows: dict) -> list[dict]:
    """The single splits of which rows are made."""
    return (
        [leaf for member in rows["union"] for leaf in leaves(member)] if "union" in rows else [rows]
    )


def hashes(rows: dict) -> list[str]:
    """SHA-256 of every file that rows are read from, in order."""
    return [sha for leaf in leaves(rows) for part in leaf["parts"] for sha in part["sha256"]]


def same_data(content: dict, cell: dict) -> bool:
    """Whether a cell's intermediate trained on rows of a file whose rows its target trains on: by
    the files' hashes, so that a task under another name is found too, and parts and controls of
    it."""
    keys = cell["intermediate"], cell["trained"]
    if None in keys:
        return False
    trained = [data_of(content, content["jobs"][key])["train"].values() for key in keys]
    first, second = ({sha for rows in several for sha in hashes(rows)} for several in trained)
    return not first.isdisjoint(second)
