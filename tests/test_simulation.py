"""What the board's intervals and arrows promise, by simulation: few draws here, thousands under
`make stress`; docs/statistics.md has the whole table."""

import pytest
from simulation import World, arrows, coverage, split_coverage
from stress import times

POINTS = [(seeds, noise) for seeds in (3, 5, 10) for noise in (0, 1, 2)]
# what few draws may miss by: three standard errors of a share of 95%
SLACK = 3 * (0.95 * 0.05) ** 0.5


def slack(draws: int) -> float:
    return SLACK / draws**0.5


@pytest.mark.parametrize(("seeds", "noise"), POINTS)
def test_a_gains_interval_covers_what_other_seeds_and_rows_would_give(seeds, noise):
    draws = times(100, 2000)
    found = coverage(World.noisy(300, seeds, noise), draws)
    assert found.covered >= 0.93 - slack(draws)
    if seeds >= 5:
        assert found.covered <= 0.97 + slack(draws)


@pytest.mark.parametrize("between", [0, 3])
@pytest.mark.parametrize("noise", [0, 2])
def test_easy_minus_hard_covers_what_other_tasks_would_give(between, noise):
    draws = times(60, 2000)
    found = split_coverage(World.noisy(300, 5, noise), between, draws)
    assert found.covered >= 0.93 - slack(draws)
    assert found.covered <= 0.98 + slack(draws)


@pytest.mark.parametrize(("seeds", "noise"), times([(3, 2), (10, 0)], POINTS))
def test_boards_without_an_effect_show_no_arrow(seeds, noise):
    draws = times(10, 1000)
    found = arrows(World.noisy(1000, seeds, noise), 0.0, 0.0, draws)
    # 5% of boards and three standard errors
    assert found.boards <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_effects_of_four_points_are_found():
    found = arrows(World(1000, 5, 0.7), share=0.25, effect=4.0, times=times(6, 200))
    assert found.found >= 0.6
    assert found.wrong <= 0.05 + times(10, 2) / 100
