"""`make bench`, small things as ratios within one run. Nothing here is asserted; a score never
depends on it.

Groups put the alternatives side by side: read the relative column of pytest-benchmark's table.
Training and evaluation beside other libraries: `tests.peers.cpu`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.engines.process import KEEP_MEMORY
from harness.page import page
from harness.release.document import Board
from harness.statistics.derive import sections

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

        benchmark.pedantic(update, rounds=10, warmup_rounds=2)
        worker.stdin.write("\n")


@pytest.fixture(scope="module")
def release():
    """The newest release of the project's own board."""
    board = Board(Path(__file__).parents[1] / "leaderboard")
    return board.load(board.list()[-1])


@pytest.mark.benchmark(group="the newest release")
@pytest.mark.parametrize("what", ["its scores and intervals from its evidence", "its page"])
def test_a_release(benchmark, release, what):
    page.render([("warm", release)])  # the library is read once a process
    if what == "its page":
        benchmark.pedantic(page.render, ([("0000-any", release)],), rounds=3, iterations=1)
    else:
        benchmark.pedantic(sections, (release,), rounds=3, iterations=1)
