"""A trained model over rows: predictions, the score on dev rows, and what the gold labels cost it
in bits."""

import numpy as np
import torch

from harness.jobs.context import JobError
from harness.metrics import METRICS
from harness.models import TaskModel
from harness.models.batching import feature_length, micro_batches

TOKENS_PER_FORWARD = {"cpu": 2048, "cuda": 16384}  # padded; not in keys


def score_dev(model: TaskModel, head: int, part, encoder, where: str) -> dict:
    """One part of a training on its dev rows: its score, and under `examples` what that follows
    from."""
    predictions, _ = predict_rows(model, part.family, encoder, part.task, part.dev, where, head)
    scored = METRICS[part.task["metric"]](
        [part.family.gold(row) for row in part.dev], predictions, "en"
    )
    named = {
        name: getattr(scored, name) for name in ("metrics", "main", "null", "above_null", "stderr")
    }
    return named | {
        "learned": bool(scored.learned),
        "dev_rows": len(part.dev),
        "examples": scored.examples,
    }


def predict_rows(
    model: TaskModel, family, encoder, task: dict, rows: list[dict], where: str, head: int = 0
) -> tuple[list, list[dict]]:
    """(one prediction a row, the features they were made from)."""
    features = family.encode(rows, encoder, task, training=False)
    if not features:  # masked-LM, of texts in which nothing can be hidden
        raise JobError(f"none of {len(rows)} rows to predict has a text of two pieces or more")
    model.eval()
    logits = forward(lambda batch: model(batch, head), encoder, features, where)
    return family.decode(logits, features, rows, task), features


def measured_bits(
    model: TaskModel, family, encoder, task: dict, rows: list[dict], where: str
) -> list[float]:
    """Per row −log2 of the probability of its gold (of a sentence the mean over its words)."""
    features = family.encode(rows, encoder, task, training=False)
    model.eval()
    return family.bits(
        forward(lambda batch: model(batch, 0), encoder, features, where), features, rows, task
    )


def forward(compute, encoder, features: list[dict], where: str) -> list[np.ndarray]:
    """`compute(batch)` over all features in batches of similar length; one float32 array a feature,
    padding cut off."""
    lengths = np.array([feature_length(feature) for feature in features])
    outputs: list[np.ndarray | None] = [None] * len(features)
    with torch.inference_mode():
        for group in micro_batches(np.arange(len(features)), lengths, TOKENS_PER_FORWARD[where]):
            result = compute(encoder.pad([features[i] for i in group], where)).float().cpu().numpy()
            for i, row in zip(group, result, strict=True):
                outputs[i] = row[: lengths[i]] if row.ndim > 1 else row
    return outputs
