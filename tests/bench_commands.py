"""`make bench`: what commands take that train nothing, as whole processes; the figures beside them
are those that issue 18 asks for, in CPU seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "--help (0.15)": ["--help"],
    "plan --suite xstilts-2020 (3)": ["plan", "--suite", "xstilts-2020"],
    "plan --suite mini": ["plan", "--suite", "mini"],
    "leaderboard verify, all releases (10)": ["leaderboard", "verify", "--board", "leaderboard"],
}


@pytest.mark.benchmark(group="commands")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command(benchmark, tmp_path, name):
    words = COMMANDS[name]
    if words[0] == "plan":
        words = [*words, "--store", str(tmp_path / "store")]
    command = [sys.executable, "-m", "harness", *words]

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)

    benchmark.pedantic(run, rounds=1 if words[0] == "leaderboard" else 3, warmup_rounds=0)
