"""One encoder's part of a release while its sections are derived: its cells with their evidence,
and its gains with their replicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from harness.metrics.metric import Array
from harness.release.schema import EvidenceCell, Known
from harness.release.schema_derived import Gain, ScoredCell
from harness.statistics.replicated import Replicated, averaged, mean_of

ENGLISH = "en"
Run = tuple[str, str, int]  # arm, target, seed
At = tuple[str, str]  # arm, target


class Pair(NamedTuple):
    """A cell and that of the baseline with the same target and seed."""

    seed: int
    cell: ScoredCell
    base: ScoredCell

    @property
    def flags(self) -> list[str]:
        return self.cell.flags + self.base.flags

    def at_floor(self, language: str) -> bool:
        """Whether one of them is not better than its null predictor there."""
        sides = self.cell.languages[language], self.base.languages[language]
        return any("floor" in scores.flags for scores in sides)

    def difference(self, languages: Sequence[str]) -> float:
        """Mean score minus mean score over languages that both have, at least one."""
        mine = fmean(self.cell.mains[language] for language in languages)
        return mine - fmean(self.base.mains[language] for language in languages)


@dataclass(frozen=True, eq=False)
class ReplicatedGain:
    """A gain as a release says it, and its replicates by language; none where it is not known."""

    said: Gain
    by_language: Mapping[str, Array]

    @cached_property
    def whole(self) -> Replicated | None:
        """The mean over languages."""
        return self._mean_over(self.said.gain, sorted(self.by_language), self.said.per_seed)

    @cached_property
    def zero_shot(self) -> Replicated | None:
        """The mean over languages other than English; its value by seed is not kept."""
        others = [language for language in sorted(self.by_language) if language != ENGLISH]
        return self._mean_over(self.said.zero_shot, others, {})

    def _mean_over(
        self, value: float | None, languages: list[str], per_seed: Mapping[str, float]
    ) -> Replicated | None:
        if value is None:
            return None
        drawn = averaged([self.by_language[language] for language in languages])
        return Replicated(value, drawn, per_seed)


@dataclass(frozen=True, eq=False)
class Study:
    """What was run with one encoder, and what came of it.

    cells, evidence  what each run scored, and what that is computed from
    baseline         the arm that trains on nothing first; "" where there is none
    arms, targets    in the order in which the cells name them, the baseline left out
    gains            of every arm and target that have a cell and a baseline with one seed; none
                     until `gains.measured` adds them
    """

    known: Known
    encoder: str
    cells: Mapping[Run, ScoredCell]
    evidence: Mapping[Run, EvidenceCell]
    baseline: str
    arms: list[str]
    targets: list[str]
    gains: Mapping[At, ReplicatedGain] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Known, cells: Sequence[ScoredCell], encoder: str) -> "Study":
        """Before anything is measured. `cells`: all of the release, in the order of its
        evidence."""
        mine: dict[Run, ScoredCell] = {}
        evidence: dict[Run, EvidenceCell] = {}
        for cell, given in zip(cells, known.evidence.cells, strict=True):
            if cell.encoder == encoder:
                run = cell.arm, cell.target, cell.seed
                mine[run], evidence[run] = cell, given

        arms = list(dict.fromkeys(arm for arm, _, _ in mine))
        baselines = [arm for arm in arms if known.arms[arm].kind == "baseline"]
        return cls(
            known,
            encoder,
            mine,
            evidence,
            baseline=baselines[0] if baselines else "",
            arms=[arm for arm in arms if arm not in baselines],
            targets=list(dict.fromkeys(target for _, target, _ in mine)),
        )

    # What was run

    @cached_property
    def rivals(self) -> list[str]:
        """Tasks and mixtures. Parts and controls answer other questions."""
        return [arm for arm in self.arms if self.known.arms[arm].kind in ("task", "mixture")]

    @cached_property
    def _fields(self) -> dict[At, dict[int, ScoredCell]]:
        fields: dict[At, dict[int, ScoredCell]] = {}
        for (arm, target, seed), cell in self.cells.items():
            fields.setdefault((arm, target), {})[seed] = cell
        return fields

    def cells_of(self, arm: str, target: str) -> dict[int, ScoredCell]:
        """Seed → cell."""
        return self._fields.get((arm, target), {})

    def pairs(self, arm: str, target: str) -> list[Pair]:
        """Of each seed that both have, by seed."""
        mine, bases = self.cells_of(arm, target), self.cells_of(self.baseline, target)
        return [Pair(seed, mine[seed], bases[seed]) for seed in sorted(mine.keys() & bases.keys())]

    def seeds(self, arm: str, target: str) -> list[int]:
        """Those that both the arm and the baseline have, in order."""
        return [pair.seed for pair in self.pairs(arm, target)]

    # What came of it

    def gain(self, arm: str, target: str) -> Gain | None:
        """What a release says of it."""
        found = self.gains.get((arm, target))
        return None if found is None else found.said

    @cached_property
    def _counted(self) -> dict[str, list[str]]:
        counted: dict[str, list[str]] = {}
        for (arm, target), gain in self.gains.items():
            if gain.said.counted:
                counted.setdefault(arm, []).append(target)
        return {arm: sorted(targets) for arm, targets in counted.items()}

    def counted(self, arm: str) -> list[str]:
        """Targets whose gain counts in this arm, by name."""
        return self._counted.get(arm, [])

    @cached_property
    def common(self) -> list[str]:
        """Targets that count in every task and mixture, by name. Parts and controls take none from
        them: they answer other questions, and have an average only where all of these count in them
        too."""
        return self.common_of(self.rivals or self.arms)

    def common_of(self, arms: Sequence[str]) -> list[str]:
        """Targets that count in each of these arms, by name; an arm of which nothing counts takes
        none from the others."""
        counted = [set(self.counted(arm)) for arm in arms if self.counted(arm)]
        return sorted(set.intersection(*counted)) if counted else []

    def average(
        self, arm: str, targets: Sequence[str], zero_shot: bool = False
    ) -> Replicated | None:
        """The mean of an arm's gains over targets; None of no target, and where one of them does
        not count in the arm.

        zero_shot  without English: targets that have no other language are left out
        """
        # a mean over the others would not compare with that of an arm that has them all
        if not set(targets) <= set(self.counted(arm)):
            return None
        gains = [self.gains[arm, target] for target in targets]
        numbers = [gain.zero_shot if zero_shot else gain.whole for gain in gains]
        return mean_of([number for number in numbers if number is not None])

    def other_tasks(self, arm: str) -> list[str]:
        """Targets of which this arm did not train on other rows first (flag `same`), and that count
        in every task and mixture but those that did: an arm's own data set, refused or shared as
        its rows may be, takes that target from no other arm."""
        rivals = [rival for rival in self.rivals if self.counted(rival)] or self.arms

        def is_fair(target: str) -> bool:
            return all(target in self.counted(a) or self.same(a, target) for a in rivals)

        return sorted(t for t in self.targets if is_fair(t) and not self.same(arm, t))

    def same(self, arm: str, target: str) -> bool:
        """Whether the arm trained on the target's own data set first."""
        gain = self.gain(arm, target)
        return gain is not None and "same" in gain.flags

    def without_retrieval(self, targets: Sequence[str]) -> list[str]:
        """Those of the targets that are trained on."""
        return [target for target in targets if self.known.targets[target].group != "retrieval"]
