"""Whether a training fits the memory of its GPU, asked before hours are spent on it; and what any
job says whose memory runs out."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from harness.jobs.context import HostError, JobError

OURS = 2e9  # bytes of a GPU that this process may hold beside its tensors: CUDA's, NCCL's


class Memory(NamedTuple):
    """Of a GPU, in bytes: what this process's tensors hold now and held at most, what there is, and
    what all else holds."""

    held: int
    peak: int
    whole: int
    others: float


def of_gpu() -> Memory:
    """Of the one that this process computes on."""
    free, whole = torch.cuda.mem_get_info()
    held, peak = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    return Memory(held, peak, whole, whole - free - torch.cuda.memory_reserved())


def rehearse(name: str, micro_tokens: int, longest: int, passes: Callable[[int], None]) -> None:
    """Compute the largest forward and backward pass once.

    longest   subwords of the longest row, which no budget splits
    passes    does it under a budget of so many tokens, and leaves nothing behind
    raises    JobError: it does not fit; the most that does is found by halving. HostError where
              other programs hold some of it
    """
    before, tokens = of_gpu(), micro_tokens
    refused = HostError if before.others > OURS else JobError
    while not _fits(passes, tokens):
        if tokens <= longest:
            raise refused(
                f"{name}: one row of {longest} subwords does not fit the memory of this GPU"
                f" ({_gb(before.whole)}); take a larger one, or a shorter max_length"
            )
        tokens = max(longest, tokens // 2)
    if tokens < micro_tokens:
        need = before.held + (of_gpu().peak - before.held) * micro_tokens / tokens
        raise refused(
            f"{name}: micro_tokens: {micro_tokens} takes about {_gb(need)}, more than this GPU has"
            f" left ({_gb(before.whole)} in all); write micro_tokens: {tokens} in its recipe"
        )


def _fits(passes: Callable[[int], None], tokens: int) -> bool:
    torch.cuda.reset_peak_memory_stats()
    try:
        passes(tokens)
    except torch.OutOfMemoryError:
        return False
    finally:
        torch.cuda.empty_cache()
    return True


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


@contextmanager
def said(name: str, micro_tokens: int) -> Iterator[None]:
    """HostError in place of torch's own, where memory runs out though the largest pass had
    fitted."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise HostError(
            f"{name}: the memory of this GPU ran out, though a pass of micro_tokens: {micro_tokens}"
            f" had fitted: another program uses it too. Give it fewer --workers, or write"
            f" micro_tokens: {max(1, micro_tokens // 2)} in its recipe"
        ) from None


def ran_out(name: str, said: str) -> HostError:
    """What a job ends with whose memory ran out; `said`: torch's own message."""
    asked = re.search(r"allocate ([\d.]+ \w+)", said)
    need = f"{asked[1]} more" if asked else "more than there was"
    if torch.cuda.is_available():
        memory = of_gpu()
        need += f" beside the {_gb(memory.peak)} that it held, of {_gb(memory.whole)} in all"
        torch.cuda.empty_cache()  # for the job that this worker does next
    return HostError(
        f"{name}: the memory of this GPU ran out: it asked for {need}. Give it fewer --workers,"
        " keep other programs off it, take a larger one (--device), or write a smaller max_length"
        " into the suite's `settings`"
    )
