"""A trained model over rows: predictions, and what the gold labels cost it in bits."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from harness.families import Family
from harness.families.columns import Row
from harness.jobs.context import JobError, lowered
from harness.models import TaskModel
from harness.models.batching import feature_length, micro_batches
from harness.models.half import Feature, Floats, Measured, TaskJson
from harness.models.loaded import LoadedEncoder
from harness.models.packed import Packed

TOKENS_PER_FORWARD = {"cpu": 2048, "cuda": 16384, "mps": 16384}  # not in keys


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
    compute: Callable[[Packed], torch.Tensor],
    encoder: LoadedEncoder,
    features: Sequence[Feature],
    where: str,
) -> list[Floats]:
    """`compute(batch)` over all features; of each one its float32 array, as `half` says of
    `decode`."""
    lengths = np.array([feature_length(feature) for feature in features])
    outputs: dict[int, Floats] = {}
    with torch.inference_mode(), lowered(where):
        for group in micro_batches(np.arange(len(features)), lengths, TOKENS_PER_FORWARD[where]):
            some = [features[i] for i in group]
            result = compute(encoder.pack(some).to(where)).float().cpu().numpy()
            outputs |= zip(group, _of_each(result, some), strict=True)
    return [outputs[i] for i in range(len(features))]


def _of_each(result: Floats, features: list[Feature]) -> Iterator[Floats]:
    place = 0
    for feature in features:
        reads = feature["input_ids"] if feature.get("whole") else feature.get("reads")
        if reads is None:  # the first token alone
            yield result[place]
            place += 1
            continue
        yield result[place : place + len(reads)]
        place += len(reads)
