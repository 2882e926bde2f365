"""What the updates of a training read, made one update ahead on a thread: while the device computes
one, the tensors of the next are stacked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch

from harness.jobs.predict import Batch
from harness.models.half import Feature

Made = TypeVar("Made")


class MicroBatch(NamedTuple):
    """What the model reads at once, and the number that divides its summed loss."""

    inputs: Batch
    examples: list[Feature]
    divisor: int


class Update(NamedTuple):
    """All that one update reads: the micro-batches of one part's batch."""

    part: int
    micro_batches: list[MicroBatch]
    tokens: int


@contextmanager
def ahead(make: Callable[[int], Made], first: int, end: int) -> Iterator[Iterator[Made]]:
    """`make(first)` to `make(end - 1)`, in order. What it raises is raised when its turn comes; the
    thread ends with the block, however that ends."""
    with ThreadPoolExecutor(1, "ahead") as thread:

        def each() -> Iterator[Made]:
            due = thread.submit(make, first)
            for following in range(first + 1, end + 1):
                made = due.result()
                if following < end:
                    due = thread.submit(make, following)
                yield made

        yield each()


def pinned(tensors: Batch, where: str) -> Batch:
    """The same in memory that a GPU may read by itself; as they are for any other device."""
    if where != "cuda":
        return tensors
    return {name: tensor.pin_memory() for name, tensor in tensors.items()}


def on(where: str, tensors: Batch) -> dict[str, torch.Tensor]:
    """The same on a device; nobody waits until they are there."""
    return {name: tensor.to(where, non_blocking=True) for name, tensor in tensors.items()}
