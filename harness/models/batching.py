"""Which rows make up which batch, and how a batch is split to fit: plain numpy, and a pure function
of the seed.

Batches are drawn at random, as the papers did. A batch is then cut into micro-batches: the gradient
of a sum does not depend on how the sum is cut, beyond rounding.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def stream_seed(*parts: str | int) -> int:
    """Seed of a random stream: hash of (suite seed, phase, task, purpose), so that every arm draws
    the same for a target."""
    return (
        int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8], "little")
        >> 1
    )


def feature_length(feature: Mapping[str, Any]) -> int:
    """Pieces of a feature: its own, or what its family says (a multiple-choice row is several
    texts)."""
    return feature.get("length") or len(feature["input_ids"])


def turns(shares: list[float], updates: int, seed: int) -> list[tuple[int, int]]:
    """For each update, which part of a mixture gives the batch, and the how-manieth of that part's
    it is (from 0).

    Drawn per update with probability `shares`, from a stream of its own: the same whether a
    training was killed or not.
    """
    drawn = (
        np.random.default_rng(seed).choice(len(shares), size=updates, p=shares)
        if len(shares) > 1
        else [0] * updates
    )
    given = [0] * len(shares)
    sequence = []
    for part in drawn:
        sequence.append((int(part), given[part]))
        given[part] += 1
    return sequence


def epoch_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, batching: str
) -> list[np.ndarray]:
    """The batches of one epoch: arrays of row numbers, every row once, the last batch as short as
    it falls.

    `lengths`: tokens per row, shape (rows,). `batching`: "random", or "grouped" (rows of similar
    length together, the batches themselves in random order). Epochs are shuffled afresh.
    """
    rng = np.random.default_rng(stream_seed(seed, "epoch", epoch))
    order = rng.permutation(len(lengths))
    if batching == "grouped":
        # stable: rows of one length stay in the random order
        order = order[np.argsort(lengths[order], kind="stable")]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if batching == "grouped":
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches


def dealt(lengths: np.ndarray, size: int, first: int) -> list[np.ndarray]:
    """The rows of a batch for each of `size` processes: longest first they are dealt in turn, from
    process `first` % `size` on. So each has as many to compute; of few rows some have none."""
    order = np.argsort(-lengths, kind="stable")
    return [order[(number - first) % size :: size] for number in range(size)]


def micro_batches(rows: np.ndarray, lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Cut `rows` into groups of at most `budget` tokens, or of one row that has more; longest first
    (an encoder that pads, pads rows of similar length)."""
    order = rows[np.argsort(-lengths[rows], kind="stable")]
    groups, start, used = [], 0, 0
    for i, row in enumerate(order):
        if i > start and used + lengths[row] > budget:
            groups.append(order[start:i])
            start, used = i, 0
        used += lengths[row]
    if len(order):
        groups.append(order[start:])
    return groups
