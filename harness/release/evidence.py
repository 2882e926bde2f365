"""Reading a release's evidence: packed vectors back to numbers, what a training reached on its own
dev rows, what it read."""

from statistics import fmean

import numpy as np

from harness.metrics import METRICS, Scored, rescore
from harness.metrics.vectors import unpack

SCHEMAS = (1, 2, 3, 4, 5)  # all that were ever written; `load` reads them forever
# the first that holds evidence and jobs, so that its numbers can be computed again
WITH_EVIDENCE = 3


def mean(values) -> float | None:
    """The mean, unrounded (fsum: no order of addition changes it); None of nothing."""
    values = list(values)
    return fmean(values) if values else None


def vectors(packed: dict, metric: str) -> dict[str, list]:
    """A metric's example vectors among the fields of one language, or of one task of a training;
    "n" and "unit" too."""
    names = (*METRICS[metric].vectors, "n", "unit")
    return {name: unpack(packed[name]) for name in names if name in packed}


def arrays(packed: dict, metric: str) -> dict[str, np.ndarray]:
    """The same as numpy arrays, much faster; not checked, since `vectors` has read every one of
    them before."""
    return {
        name: _array(packed[name])
        for name in (*METRICS[metric].vectors, "n", "unit")
        if name in packed
    }


def _array(text: str) -> np.ndarray:
    if "," in text:
        return np.array(text.split(",")[:-1], dtype=np.float64)
    return (np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")).astype(np.float64)


def units_of(examples: dict[str, np.ndarray]) -> np.ndarray:
    """The resampling unit of each example: the vector "unit", or each row its own."""
    return examples["unit"] if "unit" in examples else np.arange(len(next(iter(examples.values()))))


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


def dev_of(training: dict) -> dict:
    """How a training did on its own dev rows, scored again from the vectors.

    main     mean over its tasks, 0-100; None where one of them has no dev rows, or there is no task
    learned  every task is above its null predictor by three standard errors; False where nothing
             was looked at
    null     mean over its tasks of what the null predictor reaches; None where that is another
             number than main (span F1)
    """
    scores: list[Scored | None] = []
    for _, part in sorted(training["tasks"].items()):
        examples = vectors(part, part["metric"])
        scores.append(rescore(part["metric"], examples) if any(examples.values()) else None)
    known = [score for score in scores if score is not None]
    whole = bool(scores) and len(known) == len(scores)
    metrics = [METRICS[part["metric"]] for part in training["tasks"].values()]
    like_main = whole and all(metric.null_is_main for metric in metrics)
    return {
        "main": mean(s.main for s in known) if whole else None,
        "learned": whole and all(s.learned for s in known),
        "null": mean(s.null for s in known) if like_main else None,
    }
