"""A number with all that says how sure it is: differences and means of such numbers, and their
intervals. All that the board shows of gains is made of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from harness.metrics.metric import Array
from harness.release.schema_derived import Interval
from harness.statistics.bootstrap import REPLICATES
from harness.statistics.intervals import interval, t_interval


@dataclass(frozen=True, eq=False)
class Replicated:
    """A number and what it would have been with other test rows, or with one seed alone.

    value       in points, unrounded
    replicates  (REPLICATES,): the number in each bootstrap replicate. Two numbers of one encoder
                are paired: the i-th replicate of both is of the same draw of rows
    per_seed    seed → the number with that seed alone; {} where that is not kept
    """

    value: float
    replicates: Array
    per_seed: Mapping[str, float] = field(default_factory=dict)

    def __sub__(self, other: "Replicated") -> "Replicated":
        """The paired difference; by seed, over the seeds that both have."""
        per_seed = {
            seed: mine - other.per_seed[seed]
            for seed, mine in self.per_seed.items()
            if seed in other.per_seed
        }
        return Replicated(self.value - other.value, self.replicates - other.replicates, per_seed)

    @property
    def interval(self) -> Interval:
        """95%, over test rows of the same kind."""
        return interval(self.replicates)

    @property
    def seed_interval(self) -> Interval | None:
        """95%, over seeds; None below three of them."""
        return t_interval(list(self.per_seed.values()))


NOTHING = Replicated(0.0, np.zeros(REPLICATES))  # what the baseline gains


def mean_of(numbers: Sequence[Replicated]) -> Replicated | None:
    """Their mean, replicate by replicate; by seed, over the seeds that all have. None of
    nothing."""
    if not numbers:
        return None
    per_seed = {}
    for seed in numbers[0].per_seed:
        values = [one.per_seed[seed] for one in numbers if seed in one.per_seed]
        if len(values) == len(numbers):
            per_seed[seed] = fmean(values)
    value = fmean(one.value for one in numbers)
    return Replicated(value, averaged([one.replicates for one in numbers]), per_seed)


def averaged(replicates: Sequence[Array]) -> Array:
    """Their mean, element by element, added in the order given, which decides the last digit."""
    total = replicates[0]
    for other in replicates[1:]:
        total = total + other
    return total / len(replicates)


def value_of(number: Replicated | None) -> float | None:
    return None if number is None else number.value


def interval_of(number: Replicated | None) -> Interval | None:
    return None if number is None else number.interval


def seed_interval_of(number: Replicated | None) -> Interval | None:
    return None if number is None else number.seed_interval
