"""How wide an interval would be with other numbers of seeds, by the noise that a release has."""

import math
from collections.abc import Sequence
from statistics import median

from harness.release.schema_derived import Estimate
from harness.statistics.intervals import Noise, half_width
from harness.statistics.measured import FEWEST_SEEDS

MOST_SEEDS = 100  # more are not looked at: nobody trains so many


def half_with(numbers: Sequence[Estimate], had: int, seeds: int) -> float | None:
    """Half the 95% interval that numbers like these would have with `seeds` seeds, the median over
    them; None where how seeds differ is not known of any.

    had  seeds that they have
    """
    known = [number for number in numbers if number.rows is not None and number.seeds is not None]
    widths = []
    for number in known:
        assert number.rows is not None and number.seeds is not None
        of_seeds = number.seeds * math.sqrt(had / seeds)
        widths.append(half_width([Noise(number.rows, math.inf), Noise(of_seeds, seeds - 1)]))
    return median(widths) if widths else None


def seeds_for(numbers: Sequence[Estimate], had: int, margin: float) -> int | None:
    """The fewest seeds with which half the interval is at most `margin` points; None where no
    number of seeds does it, since the test rows alone are too few."""
    low, high = FEWEST_SEEDS, MOST_SEEDS
    widest = half_with(numbers, had, high)
    if widest is None or widest > margin:
        return None
    while low < high:
        middle = (low + high) // 2
        half = half_with(numbers, had, middle)
        assert half is not None, "it is known with any number of seeds, or with none"
        low, high = (low, middle) if half <= margin else (middle + 1, high)
    return low
