"""A number with all that says how sure it is: differences and means of such numbers, and their
interval. All that the board shows of gains is made of these."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from harness.metrics.metric import Array
from harness.release.schema_derived import Estimate
from harness.statistics.intervals import Noise, half_width, rounded, two_sided

if TYPE_CHECKING:
    import numpy as np
else:
    from harness.common.late import Late

    np = Late("numpy")

# with fewer, how seeds differ is next to unknown, and nothing is called an effect
FEWEST_SEEDS = 3
# target, language: whose test rows; "" where a unit has rows of all languages
Block = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A number, and what it would have been with one seed alone, or without one of the test rows.

    value     in points, unrounded
    per_seed  seed → the number with that seed alone
    rows      block of units → (seeds, units), seeds as in `per_seed`: the influence of each unit
              on the number of each seed (`jackknife`)
    seedless  no seed enters: nothing was trained
    """

    value: float
    per_seed: Mapping[str, float]
    rows: Mapping[Block, Array] = field(default_factory=dict)
    seedless: bool = False

    def __sub__(self, other: "Quantity") -> "Quantity":
        """The paired difference: the same rows, the same seeds."""
        return _combined(self.value - other.value, [(1.0, self), (-1.0, other)])

    @cached_property
    def parts(self) -> list[Noise]:
        """Its errors over test rows, and over seeds; of fewer than three seeds over rows alone.

        Seeds and units are crossed: a number is the mean of effects of a seed, of a unit, and of
        both together (what one training happened to make of one row). The variance of the per-seed
        numbers holds the first and the last; the jackknife of their mean the second and the last.
        What both hold is counted once, with the seeds, of which there are fewer.
        """
        seeds = len(self.per_seed)
        of_mean, freedom = self.row_variance, self._freedom
        if self.seedless or seeds < FEWEST_SEEDS:
            return [Noise(math.sqrt(of_mean), freedom)]

        of_each = math.fsum(self._squares(self._together).values()) / seeds
        together = (of_each - of_mean) / (seeds - 1)
        return [
            Noise(math.sqrt(max(0.0, of_mean - together)), freedom),
            Noise(math.sqrt(_variance([*self.per_seed.values()]) / seeds), seeds - 1),
        ]

    @property
    def row_variance(self) -> float:
        """Of the mean over these seeds, over other test rows."""
        return math.fsum(self._of_blocks.values())

    @cached_property
    def _of_blocks(self) -> dict[Block, float]:
        return self._squares(self._together.mean(axis=0, keepdims=True)) if self.rows else {}

    @property
    def _together(self) -> Array:
        """(seeds, units of all blocks): a call of numpy costs more than what it does to one block,
        and a mean has hundreds."""
        return np.concatenate([*self.rows.values()], axis=1)

    def _squares(self, together: Array) -> dict[Block, float]:
        """Block → the sum of squares of its units, in each row."""
        squares = np.square(together).T.ravel().tolist()  # unit by unit
        found, start = {}, 0
        for block, rows in self.rows.items():
            stop = start + rows.shape[1] * len(together)
            # fsum: no order of addition, which processors differ in, changes it
            found[block] = math.fsum(squares[start:stop])
            start = stop
        return found

    @property
    def _freedom(self) -> float:
        """Degrees of freedom of the variance over rows, whose blocks are of unequal size.

        source  Satterthwaite 1946, Biometrics Bulletin 2(6), 110-114
        """
        total, spread = self.row_variance, 0.0
        for block, squares in self._of_blocks.items():
            units = self.rows[block].shape[1]
            spread += squares**2 / max(1, units - 1)
        return total**2 / spread if spread else math.inf

    @property
    def estimate(self) -> Estimate:
        """The number with its interval, for other seeds and other test rows of the same kind."""
        sampled = any(rows.shape[1] > 1 for rows in self.rows.values())
        if not sampled and not self._is_nothing:
            return Estimate(value=self.value)  # one unit tells nothing of how rows differ
        return self.estimate_by(self.parts)

    def estimate_by(self, errors: Sequence[Noise]) -> Estimate:
        """The number with the interval and the p that these errors make; what its rows and seeds
        add stands beside them."""
        half = half_width(errors)
        rows, *seeds = self.parts
        tested = self.seedless or bool(seeds)
        return Estimate(
            value=self.value,
            interval=[rounded(self.value - half), rounded(self.value + half)],
            rows=rounded(rows.error),
            seeds=rounded(seeds[0].error) if seeds else None,
            p=rounded(two_sided(self.value, errors), 6) if tested else None,
        )

    @property
    def _is_nothing(self) -> bool:
        """Whether it is 0 whatever the rows and seeds."""
        return self.seedless and not self.per_seed


NOTHING = Quantity(0.0, {}, seedless=True)  # what the baseline gains
UNKNOWN = Estimate()


def mean_of(numbers: Sequence[Quantity]) -> Quantity | None:
    """Their mean, row by row and seed by seed; None of nothing."""
    if not numbers:
        return None
    value = math.fsum(one.value for one in numbers) / len(numbers)
    return _combined(value, [(1 / len(numbers), one) for one in numbers])


def weighted(terms: Sequence[tuple[float, Quantity]]) -> Quantity:
    """The sum of numbers times their weights."""
    return _combined(math.fsum(weight * one.value for weight, one in terms), terms)


def _combined(value: float, terms: Sequence[tuple[float, Quantity]]) -> Quantity:
    # a number into which no seed enters (the baseline's gain) takes none from the others
    seeded = [one.per_seed for _, one in terms if one.per_seed or not one.seedless]
    seeds = _common(seeded)
    if seeded and not seeds:
        return Quantity(value, {})  # no seed has all of them, so that none tells how they vary
    per_seed = {}
    for seed in seeds:
        per_seed[seed] = math.fsum(weight * one.per_seed.get(seed, 0.0) for weight, one in terms)

    rows: dict[Block, Array] = {}
    for weight, one in terms:
        own = list(one.per_seed)
        chosen = [own.index(seed) for seed in seeds] if own else []
        for block, influences in one.rows.items():
            part = weight * (influences if own == seeds else influences[chosen])
            rows[block] = rows[block] + part if block in rows else part
    return Quantity(value, per_seed, rows, all(one.seedless for _, one in terms))


def _common(seeded: Sequence[Mapping[str, float]]) -> list[str]:
    """Seeds that all have, in the order of the first."""
    common = list(seeded[0]) if seeded else []
    for per_seed in seeded:
        common = [seed for seed in common if seed in per_seed]
    return common


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def estimate_of(number: Quantity | None) -> Estimate:
    return UNKNOWN if number is None else number.estimate


def value_of(number: Quantity | None) -> float | None:
    return None if number is None else number.value
