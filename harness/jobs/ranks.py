"""One training by several processes of one machine (`world_size` of its recipe).

Each computes the gradient of its share of every batch (`batching.dealt`); then all have the sum,
bit for bit the same, and do the same update. Terms are divided by their number in the whole batch
and dropout's streams name the micro-batch, so that who computes which one moves only the order of
the sum.

The first process is the worker that got the job: it looks at dev, keeps checkpoints and the
result. It starts the others (`follow`), which do nothing but updates, and ends them. If one of them
is lost, it ends itself too: whoever started it begins again at the last checkpoint.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

from harness.jobs.context import Context, JobError, device

# Of one that waits for another, which may look at dev meanwhile. Who is lost is seen at once.
PATIENCE = timedelta(hours=12)
GRACE = 5.0  # seconds in which the others end, or in which it shows who was lost
SAME = 1.0  # seconds in which the first finds by itself, and says, what ended another
BUNDLE = 1 << 24  # numbers that are summed at once: a copy of 64 MB


class Ranks:
    """The processes of a training, seen by the one that has this `number`, from 0."""

    def __init__(self, number: int = 0, size: int = 1):
        self.number, self.size = number, size

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give each tensor, which has the same shape in all processes, the sum over these."""
        if self.size == 1:
            return
        for some in _bundles(tensors):
            flat = torch.cat([one.reshape(-1) for one in some])
            try:
                distributed.all_reduce(flat)
            except RuntimeError:  # if one of them is lost, all will have ended before this goes on
                time.sleep(GRACE)
                raise
            parts = flat.split([one.numel() for one in some])
            for one, part in zip(some, parts, strict=True):
                one.copy_(part.view_as(one))

    def meet(self, update: int) -> None:
        """Wait until all are here. RuntimeError if some stand before another update."""
        if self.size == 1:  # an MPS device has no float64
            return
        here = torch.tensor(float(update), dtype=torch.float64, device=device())
        self.sum([here])
        if here.item() != update * self.size:
            raise RuntimeError(f"process {self.number} is at update {update}, others are not")


ALONE = Ranks()


def _bundles(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The same in order, few large sums in place of many small ones."""
    some: list[torch.Tensor] = []
    numbers = 0
    for one in tensors:
        if some and numbers + one.numel() > BUNDLE:
            yield some
            some, numbers = [], 0
        some.append(one)
        numbers += one.numel()
    yield some


class _First(Ranks):
    """The first of them, which starts the others and ends them."""

    def __init__(self, ctx: Context, size: int, meeting: Path):
        super().__init__(0, size)
        self.name, self.failed, self.meeting = ctx.job["name"], ctx.failed, meeting
        self.over = threading.Event()
        words = ["harness.jobs.follow", str(ctx.store.root), ctx.key]
        self.others = [
            subprocess.Popen(
                [sys.executable, "-m", *words, str(number), str(meeting), device()],
                stdin=subprocess.PIPE,  # its end tells them to end, also if we are killed
                stdout=2,
                env=os.environ | environment,
            )
            for number, environment in enumerate(_cards(ctx, size), start=1)
        ]
        threading.Thread(target=self._watch, name="ranks", daemon=True).start()

    def _watch(self) -> None:
        """End this process if another has ended: it may wait for that one in vain."""
        while not self.over.wait(0.1):
            ended = {n: one.returncode for n, one in enumerate(self.others, 1) if one.poll()}
            if ended and not self.over.wait(SAME):
                for number, code in ended.items():
                    what = f"process {number} of {self.size} ended with code {code}"
                    print(f"{self.name}: {what}; so do the others", file=sys.stderr, flush=True)
                    if (path := reason(self.meeting, number)).exists():
                        self.failed(json.loads(path.read_bytes()))
                        break
                os._exit(1)

    def end(self) -> None:
        """End the others."""
        self.over.set()
        deadline = time.monotonic() + GRACE
        for one in self.others:
            assert one.stdin
            with suppress(BrokenPipeError):
                one.stdin.close()
        for one in self.others:
            with suppress(subprocess.TimeoutExpired):
                one.wait(max(0.0, deadline - time.monotonic()))
            one.kill()
            one.wait()


def _cards(ctx: Context, size: int) -> list[dict[str, str]]:
    """The environment of each other process: its GPU.

    raises  JobError: there are too few
    """
    where = device()
    if where == "cpu":
        return [{} for _ in range(1, size)]
    told = ctx.cards if where == "cuda" else []
    if told is None:  # nobody but us computes here
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        every = visible.split(",") if visible else map(str, range(torch.cuda.device_count()))
        told = [*every][1:]
    if len(told) < size - 1:
        raise JobError(
            f"{ctx.job['name']}: {size} processes share it (`world_size` of its recipe), each with"
            f" an NVIDIA GPU of its own; those given to it here: {1 + len(told)}"
        )
    return [{"CUDA_VISIBLE_DEVICES": card} for card in told[: size - 1]]


@contextmanager
def together(ctx: Context) -> Iterator[Ranks]:
    """All processes of a job's training, of which this is the first."""
    size = ctx.job["versions"]["world_size"]
    if size == 1:
        yield ALONE
        return
    with tempfile.TemporaryDirectory(prefix="xstilts-") as folder:
        meeting = Path(folder) / "meeting"
        first = _First(ctx, size, meeting)
        try:
            join(first, meeting)
            yield first
        finally:
            first.end()
            if distributed.is_initialized():
                distributed.destroy_process_group()


def reason(meeting: Path, number: int) -> Path:
    """Where that process leaves what it ended with (`context.failure`): the first alone is heard
    by the driver."""
    return meeting.with_name(f"failed-{number}")


def join(ranks: Ranks, meeting: Path) -> None:
    """Wait for the others; `meeting`: a file by which they find each other."""
    loopback = "lo0" if sys.platform == "darwin" else "lo"  # they are on one machine
    for library in ("GLOO", "NCCL"):
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", loopback)
    distributed.init_process_group(
        "nccl" if device() == "cuda" else "gloo",
        init_method=f"file://{meeting}",
        rank=ranks.number,
        world_size=ranks.size,
        timeout=PATIENCE,
    )
