"""`make bench`: what commands take that train nothing, as whole processes. `cpu` in the JSON has
each run's CPU seconds; the goal stands behind a name."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MIRROR, needs_shared
from many_cells import thousand

ROOT = Path(__file__).parents[1]
STUDY = "plan --suite easy-hard, with its rows (2)"
DONE = "eval, nothing to do in 1,008 cells (4)"
COMMANDS = {
    "--help (0.15)": ["--help"],
    "plan --suite xstilts-2020 (3)": ["plan", "--suite", "xstilts-2020"],
    "plan --suite mini": ["plan", "--suite", "mini"],
    STUDY: ["plan", "--suite", "easy-hard", "--data-root", str(MIRROR)],
    DONE: [],
    "validate": ["validate"],
    "leaderboard verify, all releases (10)": ["leaderboard", "verify", "--board", "leaderboard"],
}


@pytest.mark.benchmark(group="commands")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[needs_shared] * (name == STUDY)) for name in COMMANDS],
)
def test_a_command(benchmark, rig, tmp_path, name):
    words, folder, environment = COMMANDS[name], ROOT, None
    if name == DONE:
        words, folder, environment = thousand(rig, tmp_path), tmp_path, rig.environment()
    elif words[0] == "plan":
        words = [*words, "--store", str(tmp_path / "store")]
    command = [sys.executable, "-m", "harness", *words]

    def run() -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        benchmark.extra_info.setdefault("cpu", []).append(round(user + system, 2))

    benchmark.pedantic(run, rounds=1 if words[0] == "leaderboard" else 3, warmup_rounds=0)
