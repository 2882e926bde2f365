"""Reading a release's evidence: packed vectors back to numbers, and what a training reached on its own dev rows."""

from statistics import fmean

import numpy as np

from harness.metrics import GOLD_SIDE, PREDICTION_SIDE, Scored, rescore
from harness.metrics.vectors import unpack

NULL_IS_MAIN = {"accuracy", "token_accuracy", "squad_v2", "masked_accuracy"}  # the null predictor is scored by `main` itself


def mean(values) -> float | None:
    """The mean, unrounded (fsum: no order of addition changes it); None of nothing."""
    values = list(values)
    return fmean(values) if values else None


def vectors(packed: dict, metric: str) -> dict[str, list]:
    """A metric's example vectors among the fields of one language, or of one task of a training; "n" and "unit" too."""
    names = (*GOLD_SIDE[metric], *PREDICTION_SIDE[metric], "n", "unit")
    return {name: unpack(packed[name]) for name in names if name in packed}


def arrays(packed: dict, metric: str) -> dict[str, np.ndarray]:
    """The same as numpy arrays, much faster; not checked, since `vectors` has read every one of them before."""
    return {name: _array(packed[name]) for name in (*GOLD_SIDE[metric], *PREDICTION_SIDE[metric], "n", "unit") if name in packed}


def _array(text: str) -> np.ndarray:
    if "," in text:
        return np.array(text.split(",")[:-1], dtype=np.float64)
    return (np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")).astype(np.float64)


def units_of(examples: dict[str, np.ndarray]) -> np.ndarray:
    """The resampling unit of each example: the vector "unit", or each row its own."""
    return examples["unit"] if "unit" in examples else np.arange(len(next(iter(examples.values()))))


def dev_of(training: dict) -> dict:
    """How a training did on its own dev rows, scored again from the vectors.

    main     mean over its tasks, 0-100; None where one of them has no dev rows, or there is no task
    learned  every task is above its null predictor by three standard errors; False where nothing was looked at
    null     mean over its tasks of what the null predictor reaches; None where that is another number than main (span F1)
    """
    scores: list[Scored | None] = []
    for _, part in sorted(training["tasks"].items()):
        examples = vectors(part, part["metric"])
        scores.append(rescore(part["metric"], examples) if any(examples.values()) else None)
    known = [score for score in scores if score is not None]
    whole = bool(scores) and len(known) == len(scores)
    like_main = whole and all(part["metric"] in NULL_IS_MAIN for part in training["tasks"].values())
    return {
        "main": mean(s.main for s in known) if whole else None,
        "learned": whole and all(s.learned for s in known),
        "null": mean(s.null for s in known) if like_main else None,
    }
