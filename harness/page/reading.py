"""One encoder's part of a release, as a reader looks at it: what stands where on its board, in
which order, under which name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from harness.release.schema import Concluded, Kind
from harness.release.schema_derived import (
    Average,
    DevScore,
    DifficultyRow,
    Gain,
    HypothesisOutcome,
    MeanGain,
    ScoredCell,
    Split,
    TargetScore,
)
from harness.spec.hypothesis import Hypothesis

KINDS: tuple[Kind, ...] = ("task", "mixture", "subset", "control")
RIVALS: tuple[Kind, ...] = ("task", "mixture")  # parts and controls answer other questions
AVERAGE = "average gain"
GROUPS = {"pair": "pairs", "tagging": "tagging", "qa": "QA", "retrieval": "retrieval"}
GROUPS |= {"sentence": "sentences"}


@dataclass(frozen=True, eq=False)
class Reading:
    release: Concluded
    encoder: str

    @cached_property
    def baseline(self) -> str:
        """The name of the condition that trains on nothing first."""
        arms = self.release.arms.items()
        return next((name for name, arm in arms if arm.kind == "baseline"), "")

    # What was run, and what came of it

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[ScoredCell]]:
        """(condition, target) → its cells, all seeds."""
        found: dict[tuple[str, str], list[ScoredCell]] = {}
        for cell in self.release.cells:
            if cell.encoder == self.encoder:
                found.setdefault((cell.arm, cell.target), []).append(cell)
        return found

    @cached_property
    def gains(self) -> dict[tuple[str, str], Gain]:
        """(condition, target) → its gain."""
        mine = [gain for gain in self.release.gains if gain.encoder == self.encoder]
        return {(gain.arm, gain.target): gain for gain in mine}

    @cached_property
    def scores(self) -> dict[str | None, TargetScore]:
        """Target → the baseline's score; None: the mean over the headline targets."""
        mine = [score for score in self.release.scores if score.encoder == self.encoder]
        return {score.target: score for score in mine}

    @cached_property
    def difficulty(self) -> dict[str, DifficultyRow]:
        """Condition → how hard its task was."""
        mine = [row for row in self.release.difficulty if row.encoder == self.encoder]
        return {row.arm: row for row in mine}

    @cached_property
    def split(self) -> Split | None:
        return next((one for one in self.release.split if one.encoder == self.encoder), None)

    @cached_property
    def hypotheses(self) -> list[tuple[Hypothesis, HypothesisOutcome]]:
        """What was expected before the run, in the suite's order, and what came of it."""
        mine = [one for one in self.release.hypotheses if one.encoder == self.encoder]
        came = {one.hypothesis: one for one in mine}
        asked = self.release.suite.hypotheses
        return [(one, came[one.hypothesis]) for one in asked if one.hypothesis in came]

    @property
    def has_sides(self) -> bool:
        """Whether tasks are told apart as easy and hard: of one alone nothing can be told."""
        return any(row.bucket in ("easy", "hard") for row in self.difficulty.values())

    # What stands where

    @cached_property
    def targets(self) -> list[str]:
        """Those with a cell, in the release's order."""
        with_cell = {target for _, target in self.cells}
        return [target for target in self.release.targets if target in with_cell]

    @cached_property
    def not_zero_shot(self) -> dict[str, str]:
        """Target → what it trained on, where that is not English alone."""
        regimes = self.release.suite.regimes
        return {
            name: regimes[target.task].about
            for name, target in self.release.targets.items()
            if target.regime
        }

    @cached_property
    def headline(self) -> list[str]:
        """The targets of the average, in the release's order."""
        counted = self.release.headline.get(self.encoder, [])
        return [target for target in self.targets if target in counted]

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Kind of target → those of them that count in the average; the benchmark's order first."""
        found: dict[str, list[str]] = {}
        for target in self.headline:
            found.setdefault(self.group(target), []).append(target)
        order = [*GROUPS, *found]
        return dict(sorted(found.items(), key=lambda item: order.index(item[0])))

    @cached_property
    def columns(self) -> dict[str, list[str]]:
        """Column of the board → its targets: each kind, and all together if there are several."""
        return self.groups if len(self.groups) == 1 else {**self.groups, AVERAGE: self.headline}

    @cached_property
    def ranked(self) -> list[Average]:
        """Tasks and mixtures, best first; those without an overall average; parts; controls."""
        mine = [average for average in self.release.averages if average.encoder == self.encoder]
        return sorted(mine, key=self._place)

    def _place(self, average: Average) -> tuple[int, bool, float]:
        kind = self.release.arms[average.arm].kind
        place = 0 if kind in RIVALS else KINDS.index(kind)
        return place, average.rest is not None, -(shown_mean(average).gain.value or 0.0)

    @cached_property
    def rivals(self) -> list[Average]:
        """Tasks and mixtures, in the board's order."""
        kinds = self.release.arms
        return [average for average in self.ranked if kinds[average.arm].kind in RIVALS]

    def learned(self, arm: str) -> bool:
        """False where a training was looked at and was not above chance on its own English dev."""
        return not self.at_chance(arm)[0]

    def at_chance(self, arm: str) -> tuple[int, int]:
        """How many of a condition's trainings were not above chance on their own English dev, and
        of how many that were looked at."""
        known = [score for score in self._dev(arm) if score.main is not None]
        return sum(not score.learned for score in known), len(known)

    def score(self, targets: Iterable[str]) -> float | None:
        """The baseline's mean score over targets; None where one of them has none."""
        scores = [self.scores[target].score.value for target in targets if target in self.scores]
        known = [score for score in scores if score is not None]
        return fmean(known) if known and len(known) == len(scores) else None

    def trained_dev(self, arm: str) -> float | None:
        """What a condition's intermediate training reached on its task's English dev, mean over
        seeds; with shuffled labels, on the true ones. None where that is not known, and of
        masked-LM, which is scored by the subwords that it fills in."""
        known = [score.main for score in self._dev(arm) if score.main is not None]
        is_masked = self.release.arms[arm].control == "masked_lm"
        return fmean(known) if known and not is_masked else None

    def _dev(self, arm: str) -> list[DevScore]:
        runs = self.release.arms[arm].trained
        keys = {run.key for run in runs if run.encoder == self.encoder}
        return [score for score in self.release.dev_scores if score.key in keys]

    # Names

    @cached_property
    def suffix(self) -> str:
        """What all reduced tasks have at the end of their names ("@small"), "" where they differ or
        a name would be that of another without it. A target that is not zero-shot keeps its whole
        name, which says so."""
        names = {*self.release.targets, *(arm.shown for arm in self.release.arms.values())}
        reduced = {name for name in names if "@" in name} - self.not_zero_shot.keys()
        suffixes = {"@" + name.partition("@")[2] for name in reduced}
        suffix = suffixes.pop() if len(suffixes) == 1 else ""
        plain = {name.removesuffix(suffix) for name in reduced}
        return "" if plain & names else suffix

    def condition(self, arm: str) -> str:
        """A condition's name on the board."""
        return (self.release.arms[arm].shown or arm).removesuffix(self.suffix)

    def task(self, target: str) -> str:
        """A target's name on the board."""
        return target.removesuffix(self.suffix)

    def conditions(self, arms: Iterable[str]) -> str:
        return ", ".join(map(self.condition, arms))

    def tasks(self, targets: Iterable[str]) -> str:
        return ", ".join(map(self.task, targets))

    def group(self, target: str) -> str:
        return self.release.targets[target].group


def shown_mean(average: Average) -> MeanGain:
    """The overall average, or the mean over those of its targets that are known."""
    return average.rest or average.overall


def group_name(group: str) -> str:
    return GROUPS.get(group, group)


def readings(release: Concluded) -> list[Reading]:
    """One for each encoder of which something was run."""
    ran = {cell.encoder for cell in release.cells}
    return [Reading(release, encoder) for encoder in release.encoders if encoder in ran]


def surest(releases: Sequence[Concluded]) -> int:
    """Which of these, oldest first, a reader should see first: real data before made up, gains
    before scores alone, one with a primary hypothesis before others, many seeds before few; of
    equal ones the newest."""

    def weight(number: int) -> tuple[bool, bool, bool, int, int]:
        suite = releases[number].suite
        has_primary = any(asked.primary for asked in suite.hypotheses)
        return (
            not suite.smoke,
            bool(releases[number].averages),
            has_primary,
            len(suite.seeds),
            number,
        )

    return max(range(len(releases)), key=weight)
