"""How often the intervals of a board cover the truth, and how often its arrows are wrong or found:
made-up answers whose true scores are known, through the project's own statistics.

    python tests/simulation.py [--boards N] [--seed S]      the tables of docs/statistics.md

A row is answered right where a sum of normal effects is above 0: of the row, of the condition and
the row, of the seed, of the seed and the row. So seeds and rows are crossed, rows are shared by all
systems of a target, and every true score is known exactly: Phi(mean / SD of the sum). "Noise of the
seeds 1" is a standard error of a gain over seeds as large as that over rows.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from harness.release.schema_derived import Estimate, Gain, Tested
from harness.statistics.arrows import corrected
from harness.statistics.averages import averages
from harness.statistics.intervals import Noise, benjamini_hochberg, holm, two_sided
from harness.statistics.jackknife import influences
from harness.statistics.measured import Quantity
from harness.statistics.split import Sides, contrast
from harness.statistics.study import MeasuredGain, Study

ROW, OF_CONDITION, OF_SEED = 1.0, 0.4, 0.4  # SD of the effects of a row, alone and with the others
SD = math.sqrt(ROW**2 + OF_CONDITION**2 + OF_SEED**2)
SLOPE = 100 / math.sqrt(2 * math.pi) / SD  # points of accuracy by which an effect of 1 moves 50%
GROUPS = ("pair", "pair", "tagging", "tagging", "qa", "qa", "qa", "retrieval", "retrieval")


@dataclass(frozen=True)
class World:
    """What a board's numbers are drawn from.

    rows    of each target, in one language
    seeds   of every condition
    spread  SD over seeds of a gain, in points
    """

    rows: int
    seeds: int
    spread: float

    @classmethod
    def noisy(cls, rows: int, seeds: int, noise: float) -> "World":
        """noise: the standard error of a gain over seeds, in those over rows."""
        return cls(rows, seeds, noise * rows_error(rows, seeds) * math.sqrt(seeds))


def rows_error(rows: int, seeds: int) -> float:
    """Standard error over rows of a gain of nothing, in points; by one draw of many rows."""
    random = np.random.default_rng(1)
    world = World(40_000, seeds, 0.0)
    row = random.normal(0, ROW, world.rows)
    gain = answers(random, world, row) - answers(random, world, row)
    return float(100 * gain.mean(axis=0).std() / math.sqrt(rows))


def answers(
    random: np.random.Generator, world: World, row: np.ndarray, effect: float = 0.0
) -> np.ndarray:
    """(seeds, rows) of one system: 1 where it is right.

    effect  points above 50 that it truly scores, in the mean over seeds and rows
    """
    of_seed = world.spread / SLOPE / math.sqrt(2)
    whole = math.sqrt(SD**2 + of_seed**2)
    shape = world.seeds, world.rows
    mean = whole * float(ndtri(0.5 + effect / 100))
    own = row + random.normal(0, OF_CONDITION, world.rows)
    seed = random.normal(0, of_seed, (world.seeds, 1))
    return (mean + own + seed + random.normal(0, OF_SEED, shape) > 0).astype(float)


def gains(
    random: np.random.Generator, world: World, target: str, effects: Sequence[float]
) -> list[Quantity]:
    """Of conditions with these true effects on one target, whose baseline they share."""
    row = random.normal(0, ROW, world.rows)
    base = answers(random, world, row)
    numbers = np.arange(world.rows, dtype=float)
    names = [str(seed) for seed in range(world.seeds)]
    found = []
    for effect in effects:
        mine = answers(random, world, row, effect)
        moved = influences("accuracy", numbers, [{"correct": one} for one in mine], numbers)
        moved -= influences("accuracy", numbers, [{"correct": one} for one in base], numbers)
        by_seed = 100 * (mine - base).mean(axis=1)
        per_seed = dict(zip(names, by_seed.tolist(), strict=True))
        found.append(Quantity(float(by_seed.mean()), per_seed, {(target, ""): moved}))
    return found


# One gain


def covers(number: Estimate, truth: float) -> bool:
    assert number.interval, "there are rows"
    return number.interval[0] <= truth <= number.interval[1]


class Coverage(NamedTuple):
    """Shares of simulations in which an interval covers the truth, and its mean width in points."""

    covered: float
    width: float


def coverage(world: World, times: int, seed: int = 0, effect: float = 2.0) -> Coverage:
    """Of a single gain's interval."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(times):
        (gain,) = gains(random, world, "target", [effect])
        found.append(gain.estimate)
    return _coverage(found, [effect] * times)


def _coverage(found: Sequence[Estimate], truths: Sequence[float]) -> Coverage:
    covered = [covers(number, truth) for number, truth in zip(found, truths, strict=True)]
    widths = [one.interval[1] - one.interval[0] for one in found if one.interval]
    return Coverage(float(np.mean(covered)), float(np.mean(widths)))


# Easy against hard


def split_coverage(
    world: World, between: float, times: int, seed: int = 0, each: int = 5, targets: int = 4
) -> Coverage:
    """Of easy minus hard with `each` tasks a side, whose true effects differ by SD `between`, in
    points; the sides' means are +1 and -1."""
    random = np.random.default_rng(seed)
    sides = Sides([f"easy {i}" for i in range(each)], [f"hard {i}" for i in range(each)])
    arms = [*sides.easy, *sides.hard]
    names = [f"target {i}" for i in range(targets)]
    found = []
    for _ in range(times):
        effects = random.normal(0, between, 2 * each) + np.repeat([1.0, -1.0], each)
        known = {}
        for name in names:
            of = gains(random, world, name, effects.tolist())
            known.update({(arm, name): gain for arm, gain in zip(arms, of, strict=True)})
        difference = contrast(sides, names, lambda arm, on, known=known: known[arm, on])
        found.append(difference.easy_minus_hard)
    return _coverage(found, [2.0] * times)


# A whole board


class Arrows(NamedTuple):
    """Shares: boards with a wrong arrow at a target, a group or the average; of true effects, those
    that have their arrow; of arrows, those that are wrong (mean over boards)."""

    boards: float
    found: float
    wrong: float


def arrows(
    world: World, share: float, effect: float, times: int, seed: int = 0, conditions: int = 9
) -> Arrows:
    """On boards of nine targets, of whose cells a share has a true effect, in points."""
    random = np.random.default_rng(seed)
    boards, found, wrong = [], [], []
    for _ in range(times):
        cells = conditions * len(GROUPS)
        chosen = np.zeros(cells, dtype=bool)
        chosen[random.permutation(cells)[: round(share * cells)]] = True
        true = chosen.reshape(conditions, len(GROUPS))
        shown, elsewhere = _arrows_of(random, world, np.where(true, effect, 0.0))
        boards.append(bool((shown & ~true).any()) or (elsewhere and not share))
        found.append(shown[true].mean() if share else 0.0)
        wrong.append((shown & ~true).sum() / max(1, shown.sum()))
    return Arrows(float(np.mean(boards)), float(np.mean(found)), float(np.mean(wrong)))


def _arrows_of(
    random: np.random.Generator, world: World, effects: np.ndarray
) -> tuple[np.ndarray, bool]:
    """(where a board's cells have an arrow, conditions by targets; whether a mean has one).
    `effects`: true ones, of the same shape."""
    arms, targets = [f"condition {i}" for i in range(len(effects))], list(_targets(GROUPS))
    said: dict[tuple[str, str], MeasuredGain] = {}
    for target, of in zip(targets, effects.T, strict=True):
        for arm, gain in zip(arms, gains(random, world, target, of.tolist()), strict=True):
            said[arm, target] = MeasuredGain(_gain(arm, target, gain), {"en": gain})

    study = replace(_study(arms, targets), gains=said)
    gained, means, _ = corrected([one.said for one in said.values()], averages(study), [])
    at = {(one.arm, one.target): one.gain.arrow for one in gained}
    shown = np.array([[at[arm, target] is not None for target in targets] for arm in arms])
    of_means = [mean.gain for one in means for mean in (one.overall, *one.groups.values())]
    return shown, any(one.arrow for one in of_means)


def _gain(arm: str, target: str, gain: Quantity) -> Gain:
    unknown = dict.fromkeys(("english", "zero_shot", "above_floor", "centred"))
    return Gain(
        encoder="",
        arm=arm,
        target=target,
        flags=[],
        gain=Tested(**dict(gain.estimate)),
        per_seed=dict(gain.per_seed),
        per_language={},
        **unknown,
    )


def _targets(groups: Sequence[str]) -> dict[str, SimpleNamespace]:
    return {
        f"{group} {i}": SimpleNamespace(group=group, task="", trained=True)
        for i, group in enumerate(groups)
    }


class _Counted(Study):
    """A study in which every target counts: its cells are not looked at."""

    @property
    def headline(self) -> list[str]:  # type: ignore[override]
        return self.targets


def _study(arms: list[str], targets: list[str]) -> Study:
    suite = SimpleNamespace(average_over=[], waives=[])
    known = SimpleNamespace(suite=suite, targets=_targets(GROUPS))
    return _Counted(known, "", {}, {}, "none", arms, targets)


# What was tried in its place


def ours(gain: Quantity) -> list[Noise]:
    return gain.parts


def rows_alone(gain: Quantity) -> list[Noise]:
    return [Noise(math.sqrt(gain.row_variance), math.inf)]


def satterthwaite(gain: Quantity) -> list[Noise]:
    """One t distribution for both, whose degrees of freedom follow from the two variances."""
    rows, seeds = gain.parts
    of_rows, of_seeds = gain.row_variance, seeds.error**2
    whole = max(rows.error**2 + of_seeds, of_rows)
    freedom = whole**2 / (of_seeds**2 / seeds.freedom + of_rows**2 / rows.freedom)
    return [Noise(math.sqrt(whole), max(freedom, seeds.freedom))]


Method = Callable[[Quantity], list[Noise]]
Correction = Callable[[Sequence[float]], list[float]]
METHODS: dict[str, tuple[Method, Correction]] = {
    "this one": (ours, benjamini_hochberg),
    "rows alone": (rows_alone, benjamini_hochberg),
    "Satterthwaite's t": (satterthwaite, benjamini_hochberg),
    "this one, by Holm": (ours, holm),
}


class Tried(NamedTuple):
    """Of a method: how often it covers; boards of cells without an effect that show an arrow; true
    effects found."""

    covered: float
    boards: float
    found: float


def methods(times: int, seed: int = 0) -> dict[str, Tried]:
    """Covered: five seeds as noisy as rows. Boards: three seeds twice as noisy. Found: effects of 4
    points in a quarter of the cells, five seeds that differ by 0.7 points."""
    random = np.random.default_rng(seed)
    single = World.noisy(300, 5, 1)
    alone = [gains(random, single, "target", [2.0])[0] for _ in range(20 * times)]
    null = [_cells(random, World.noisy(1000, 3, 2), np.zeros((9, 9))) for _ in range(times)]
    effects = np.where(np.arange(81).reshape(9, 9) % 4 == 0, 4.0, 0.0)
    some = [_cells(random, World(1000, 5, 0.7), effects) for _ in range(times)]
    true = effects.ravel() > 0

    found = {}
    for name, (method, correct) in METHODS.items():
        covered = [two_sided(gain.value - 2.0, method(gain)) > 0.05 for gain in alone]
        shown = [_effects(board, method, correct) for board in null]
        hits = [_effects(board, method, correct)[true].mean() for board in some]
        boards = float(np.mean([one.any() for one in shown]))
        found[name] = Tried(float(np.mean(covered)), boards, float(np.mean(hits)))
    return found


def _cells(random: np.random.Generator, world: World, effects: np.ndarray) -> list[Quantity]:
    """All cells of a board, condition by condition."""
    columns = [gains(random, world, f"target {i}", of.tolist()) for i, of in enumerate(effects.T)]
    return [gain for row in zip(*columns, strict=True) for gain in row]


def _effects(board: Sequence[Quantity], method: Method, correct: Correction) -> np.ndarray:
    """Which cells are called an effect."""
    return np.array(correct([two_sided(gain.value, method(gain)) for gain in board])) < 0.05


# The tables


def tables(boards: int, seed: int) -> Iterator[str]:
    yield "| seeds | noise of the seeds | a gain's 95% interval covers | its width, points |"
    yield "| --- | --- | --- | --- |"
    for seeds in (3, 5, 10):
        for noise in (0, 1, 2):
            found = coverage(World.noisy(300, seeds, noise), boards, seed)
            yield f"| {seeds} | {noise} | {found.covered:.1%} | {found.width:.1f} |"
    yield ""
    yield "| tasks differ by, points | noise of the seeds | easy − hard's interval covers | width |"
    yield "| --- | --- | --- | --- |"
    for between in (0, 1, 3):
        for noise in (0, 1, 2):
            world = World.noisy(300, 5, noise)
            found = split_coverage(world, between, boards, seed)
            yield f"| {between} | {noise} | {found.covered:.1%} | {found.width:.1f} |"
    yield ""
    yield "| seeds | noise of the seeds | boards of 9 × 9 without an effect that show an arrow |"
    yield "| --- | --- | --- |"
    for seeds in (3, 5, 10):
        for noise in (0, 1, 2):
            none = arrows(World.noisy(1000, seeds, noise), 0.0, 0.0, max(1, boards // 4), seed)
            yield f"| {seeds} | {noise} | {none.boards:.1%} |"
    yield ""
    yield "| seeds | a quarter of the cells gain, points | of these found | wrong arrows |"
    yield "| --- | --- | --- | --- |"
    for seeds in (3, 5, 10):
        for effect in (2, 4, 8):
            world = World(1000, seeds, 0.7)
            found = arrows(world, 0.25, effect, max(1, boards // 20), seed)
            yield f"| {seeds} | {effect} | {found.found:.0%} | {found.wrong:.1%} |"
    yield ""
    yield "| method | covers | boards without an effect that show an arrow | effects found |"
    yield "| --- | --- | --- | --- |"
    for name, tried in methods(max(1, boards // 10), seed).items():
        yield f"| {name} | {tried.covered:.1%} | {tried.boards:.1%} | {tried.found:.0%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for line in tables(given.boards, given.seed):
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
