"""`make bench-gpu`: training on one GPU, in bf16, beside transformers' padded Trainer; then one to
three workers on the card.

    python -m tests.peers.gpu .benchmarks/gpu.json [--minutes 8] [--smoke]

Weights and rows are drawn, so that it needs nothing but the card. What most depends on comes first:
when the minutes are over, the rest is left out, and said to be. Writes JSON for `tests.peers.page`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers

from harness.models.batching import feature_length
from harness.plan.devices import PEAKS
from tests.peers import contenders
from tests.peers.contenders import Ours, Work
from tests.peers.cpu import TINY, machine, spread
from tests.peers.material import MINILM, XLMR_BASE, XLMR_LARGE, Shape, material
from tests.peers.names import OURS, PADDED
from tests.peers.rounds import Measured, compare

ROUNDS = 3
MICRO_TOKENS = 64 * 256  # what the largest batch has: nothing is cut for memory


@dataclass(frozen=True)
class Workload:
    """A batch's shape. `workers`: so many processes on the card at most, after the comparison."""

    shape: Shape
    workers: int = 1
    updates: int = 8  # in a round


def _pairs(name: str, sizes: Any, batch: int, tokens: int | None) -> Shape:
    return Shape(name, "classification", tokens or 128, sizes, batch, tokens=tokens)


WORKLOADS = [
    Workload(_pairs("XLM-R Large, 32 × 128", XLMR_LARGE, 32, 128)),
    Workload(_pairs("XLM-R Large, 32 pairs of XNLI's lengths", XLMR_LARGE, 32, None)),
    Workload(_pairs("MiniLM, 32 pairs of XNLI's lengths", MINILM, 32, None), workers=3),
    Workload(_pairs("XLM-R Large, 64 × 256", XLMR_LARGE, 64, 256)),
    Workload(
        Shape("XLM-R Large, 32 QA windows of 384", "span_qa", 384, XLMR_LARGE, 32, tokens=384)
    ),
    Workload(_pairs("XLM-R base, 32 pairs of XNLI's lengths", XLMR_BASE, 32, None), workers=3),
]
SMALL = replace(TINY, kind="xlm-roberta")
# of another kind than `cpu`'s, whose head transformers lays out in its own way
SMOKE = [
    Workload(
        Shape("smoke", "classification", 24, SMALL, batch=4, pool=12, tokens=24),
        workers=2,
        updates=1,
    )
]


def main(arguments: Sequence[str] | None = None, processes: Any = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.gpu", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSON that is written")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing new after them")
    parser.add_argument("--smoke", action="store_true", help="a tiny shape, on a CPU too")
    told = parser.parse_args(arguments)
    there = torch.cuda.is_available()
    if not there and not told.smoke:
        sys.exit(
            "no GPU is seen here, so nothing was measured; --smoke tries the machinery on the CPU"
        )
    card = torch.cuda.get_device_name() if there else "CPU"
    # that of bf16 is the last
    peak = next((peaks[-1] * 1e12 for name, peaks in PEAKS.items() if name in card), None)
    found = {"card": card, "peak": peak, "machine": machine(), "comparisons": []}
    found["left_out"] = []
    end = time.monotonic() + 60 * told.minutes
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        for workload in SMOKE if told.smoke else WORKLOADS:
            if time.monotonic() > end:
                found["left_out"].append(workload.shape.name)
                continue
            started = time.monotonic()
            found["comparisons"] += measure(workload, Path(folder), peak, processes)
            took = time.monotonic() - started
            print(f"{workload.shape.name}: {took:.0f} s", file=sys.stderr, flush=True)
            told.out.parent.mkdir(parents=True, exist_ok=True)
            told.out.write_text(json.dumps(found, indent=1) + "\n")
    for name in found["left_out"]:
        print(f"{name}: not measured, the {told.minutes:g} minutes were over", file=sys.stderr)
    told.out.write_text(json.dumps(found, indent=1) + "\n")


def measure(
    workload: Workload, folder: Path, peak: float | None, processes: Any = None
) -> list[dict[str, Any]]:
    """A line for each contender, then for each number of workers."""
    there = torch.cuda.is_available()
    updates = ROUNDS * workload.updates + 1
    shape = replace(workload.shape, pool=min(workload.shape.pool, updates * workload.shape.batch))
    given = material(shape, folder / shape.name.replace(" ", "-"), real=False)
    given.recipe = {"precision": "bf16" if there else "fp32", "micro_tokens": MICRO_TOKENS}
    own = Ours(given)
    own.save_heads()
    features, size = own.part.features, shape.batch
    del own
    cut = [features[i : i + size] for i in range(0, len(features) - size + 1, size)]
    batches = [cut[i % len(cut)] for i in range(updates)]
    precision = given.recipe["precision"]
    works = {
        PADDED: (contenders.trainer, Work(given, batches, "max_length", precision)),
        OURS: (contenders.ours, Work(given, batches, precision=precision)),
    }
    config = transformers.AutoConfig.from_pretrained(given.encoder)
    lengths = [[feature_length(feature) for feature in batch] for batch in batches]
    cost = Cost(lengths, workload.updates, config, peak)

    lines = []
    with watched(there) as samples:
        found = compare(works, dict.fromkeys(works, cost.rounds), processes=processes)
    for name, one in found.items():
        lines.append({"shape": shape.name, "who": name} | cost.line([one], samples))
    if "tokens_per_second" in lines[0] and "tokens_per_second" in lines[1]:
        lines[1]["ratio"] = lines[1]["tokens_per_second"][0] / lines[0]["tokens_per_second"][0]
    for count in range(2, workload.workers + 1):
        several = {f"{OURS}, worker {i + 1}": works[OURS] for i in range(count)}
        with watched(there) as samples:
            found = compare(several, dict.fromkeys(several, cost.rounds), None, True, processes)
        who = f"{OURS}, {count} workers"
        lines.append({"shape": shape.name, "who": who} | cost.line([*found.values()], samples))
    return lines


class Cost:
    """What the updates of a workload ask of a card. `lengths`: real tokens of each row, by update,
    of which the first warms up."""

    def __init__(self, lengths: list[list[int]], updates: int, config: Any, peak: float | None):
        self.peak = peak
        counted = [(sum(batch), sum(batch)) for batch in lengths]
        self.rounds = [counted[:1]]
        self.operations: list[float] = []
        for start in range(1, len(counted), updates):
            self.rounds.append(counted[start : start + updates])
            done = [contenders.operations(config, one) for one in lengths[start : start + updates]]
            self.operations.append(sum(done))

    def line(self, workers: list[Measured], samples: list[tuple[float, float]]) -> dict[str, Any]:
        """Of one process or of several that computed their rounds at once."""
        failed = next((one.failed for one in workers if one.failed), None)
        if failed:
            return {"failed": failed}
        rounds = list(zip(*(one.rounds for one in workers), strict=True))
        took = [max(done.wall for done in together) for together in rounds]
        tokens = [sum(done.real for done in together) for together in rounds]
        rates = [count / seconds for count, seconds in zip(tokens, took, strict=True)]
        spent = len(workers) * sum(self.operations) / sum(took)
        busy = [
            share
            for share_at, share in samples
            if any(
                one.began <= share_at <= one.began + one.wall for w in workers for one in w.rounds
            )
        ]
        return {
            "tokens_per_second": spread(rates),
            "mfu": spent / self.peak if self.peak else None,
            "memory": sum(one.device_peak or one.peak for one in workers),
            "busy": sum(busy) / len(busy) / 100 if busy else None,
        }


@contextmanager
def watched(there: bool) -> Iterator[list[tuple[float, float]]]:
    """(time, utilisation in per cent) of the card, ten times a second, while the block runs."""
    samples: list[tuple[float, float]] = []
    if not there:
        yield samples
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        command = subprocess.Popen([*query, "-lms", "100"], stdout=subprocess.PIPE, text=True)
    except OSError:  # without it the column stays empty
        yield samples
        return

    def read() -> None:
        assert command.stdout is not None
        for line in command.stdout:
            if line.strip().isdigit():
                samples.append((time.time(), float(line)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield samples
    finally:
        command.terminate()
        command.wait()
        reader.join(5)


if __name__ == "__main__":
    main()
