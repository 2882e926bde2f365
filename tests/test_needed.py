"""How many seeds a margin takes."""

import json
import math
import subprocess
import sys

import pytest
from conftest import ROOT
from page_fixtures import SUITE

from harness.release.schema_derived import Estimate
from harness.statistics.intervals import Noise, half_width
from harness.statistics.needed import half_with, seeds_for


def number(rows: float, seeds: float | None) -> Estimate:
    return Estimate(value=0.0, interval=[-1.0, 1.0], rows=rows, seeds=seeds)


def test_with_as_many_seeds_the_interval_is_the_same():
    assert half_with([number(0.5, 0.7)], had=4, seeds=4) == pytest.approx(
        half_width([Noise(0.5, math.inf), Noise(0.7, 3)])
    )


def test_four_times_the_seeds_halve_their_error_and_leave_that_of_the_rows():
    expected = half_width([Noise(0.5, math.inf), Noise(0.35, 15)])
    assert half_with([number(0.5, 0.7)], had=4, seeds=16) == pytest.approx(expected)


def test_it_is_the_median_and_unknown_noise_is_left_out():
    numbers = [number(1.0, 0.0), number(2.0, 0.0), number(9.0, 0.0), number(1.0, None)]
    assert half_with(numbers, had=3, seeds=5) == pytest.approx(2 * 1.959964, abs=1e-4)
    assert half_with([number(1.0, None)], had=1, seeds=5) is None


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_one_seed_fewer_would_not_do(margin):
    numbers = [number(0.1, 0.8)]
    needed = seeds_for(numbers, had=3, margin=margin)
    assert needed is not None and half_with(numbers, 3, needed) <= margin
    assert needed == 3 or half_with(numbers, 3, needed - 1) > margin


def test_no_number_of_seeds_makes_up_for_too_few_rows():
    assert seeds_for([number(1.0, 0.5)], had=3, margin=1.9) is None
    assert seeds_for([], had=3, margin=1.0) is None


def test_the_command_says_what_a_release_would_need():
    done = run(SUITE, "--margin", "1", "--json")
    said = json.loads(done.stdout)
    average = next(row for row in said["numbers"] if row["number"] == "average gain")
    assert average["half_with"]["3"] > average["half_with"]["10"]
    needed = average["seeds_needed"]
    assert needed and f"±1 takes {needed} seeds" in run(SUITE).stdout


def test_a_release_of_one_seed_is_no_guide():
    done = run("mini")
    assert done.returncode == 4 and "fewer than three seeds" in done.stderr


def run(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "harness", "leaderboard", "seeds", *words]
    command += ["--board", str(ROOT / "leaderboard")]
    return subprocess.run(command, capture_output=True, text=True)
