"""A trained model over rows: predictions, and what the gold labels cost it in bits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from harness.families import Family
from harness.families.columns import Row
from harness.jobs.context import JobError
from harness.models import TaskModel
from harness.models.batching import feature_length, micro_batches
from harness.models.half import Feature, Floats, Measured, TaskJson
from harness.models.loaded import LoadedEncoder

TOKENS_PER_FORWARD = {"cpu": 2048, "cuda": 16384, "mps": 16384}  # padded; not in keys

Batch = Mapping[str, torch.Tensor]


def predict_rows(
    model: torch.nn.Module,
    family: Family,
    encoder: LoadedEncoder,
    task: TaskJson,
    rows: list[Row],
    where: str,
    head: int = 0,
    features: list[Feature] | None = None,
) -> tuple[list[Any], list[Feature]]:
    """(one prediction a row, the features they were made from); `features`: if there are any
    already."""
    half = family.trainer()
    features = features or half.encode(rows, encoder, task, training=False)
    if not features:  # masked-LM, of texts in which nothing can be hidden
        raise JobError(f"none of {len(rows)} rows to predict has a text of two subwords or more")
    model.eval()
    logits = forward(lambda batch: model(batch, head), encoder, features, where)
    return half.decode(logits, features, rows, task), features


def measured_bits(
    model: TaskModel,
    family: Family,
    encoder: LoadedEncoder,
    task: TaskJson,
    rows: list[Row],
    where: str,
    features: list[Feature] | None = None,
) -> list[float]:
    """Per row −log2 of the probability of its gold (of a sentence the mean over its words)."""
    half = measuring(family)
    features = features or half.encode(rows, encoder, task, training=False)
    model.eval()
    logits = forward(lambda batch: model(batch, 0), encoder, features, where)
    return half.bits(logits, features, rows, task)


def measuring(family: Family) -> Measured:
    """The half of a family with `bits`."""
    half = family.trainer()
    if not isinstance(half, Measured):
        raise JobError(f"family {family.name} cannot say how probable a row's gold is")
    return half


def forward(
    compute: Callable[[Batch], torch.Tensor],
    encoder: LoadedEncoder,
    features: Sequence[Feature],
    where: str,
) -> list[Floats]:
    """`compute(batch)` over all features in batches of similar length; one float32 array a feature,
    padding cut off."""
    lengths = np.array([feature_length(feature) for feature in features])
    outputs: dict[int, Floats] = {}
    with torch.inference_mode():
        for group in micro_batches(np.arange(len(features)), lengths, TOKENS_PER_FORWARD[where]):
            result = compute(encoder.pad([features[i] for i in group], where)).float().cpu().numpy()
            for i, row in zip(group, result, strict=True):
                outputs[int(i)] = row[: lengths[i]] if row.ndim > 1 else row
    return [outputs[i] for i in range(len(features))]
