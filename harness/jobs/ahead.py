"""What the updates of a training read, made one update ahead on a thread: while the device computes
one, the tensors of the next are stacked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from harness.models.half import Targets
from harness.models.packed import Packed

Made = TypeVar("Made")


class MicroBatch(NamedTuple):
    """What the model reads at once, its place among those of the update, and the number that
    divides its summed loss."""

    place: int
    packed: Packed
    targets: Targets
    divisor: float

    def pinned(self, where: str) -> "MicroBatch":
        """The same in memory that a GPU may read by itself; as it is for any other device."""
        if where != "cuda":
            return self
        targets = {name: tensor.pin_memory() for name, tensor in self.targets.items()}
        return self._replace(packed=self.packed.pinned(), targets=targets)

    def on(self, where: str) -> "MicroBatch":
        """The same on a device; nobody waits until it is there."""
        targets = {name: of.to(where, non_blocking=True) for name, of in self.targets.items()}
        return self._replace(packed=self.packed.to(where), targets=targets)


class Update(NamedTuple):
    """What one update reads: this process's micro-batches of one part's batch, and the tokens of
    all."""

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
