"""`make bench`, small things as ratios within one run. Nothing here is asserted; a score never
depends on it.

Groups put the alternatives side by side: read the relative column of pytest-benchmark's table.
Training and evaluation beside other libraries: `tests.peers.cpu`.
"""

import os
import subprocess
import sys

import pytest

from harness.engines.process import KEEP_MEMORY

UPDATES = """
import torch, transformers
torch.set_num_threads(1)
config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
model = transformers.BertModel(config)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
while input():
    for micro_batch in range(6):
        model(torch.arange(256).view(2, 128)).last_hidden_state.square().mean().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    print("done", flush=True)
"""


@pytest.mark.benchmark(group="one update of 6 x 256 tokens, memory of a worker")
@pytest.mark.parametrize("memory", ["given back", "kept"])
def test_memory(benchmark, memory):
    """A process of its own: glibc reads its tunables when it starts."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "GLIBC_TUNABLES": KEEP_MEMORY if memory == "kept" else "",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", UPDATES], env=environment, **pipes) as worker:

        def update():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            assert worker.stdout.readline() == "done\n"

        benchmark.pedantic(update, rounds=5, warmup_rounds=1)
        worker.stdin.write("\n")
