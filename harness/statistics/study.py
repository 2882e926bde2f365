"""One encoder's part of a release while its sections are derived: its cells with their evidence,
and its gains with what moves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import NamedTuple

from harness.release.schema import EvidenceCell, Known
from harness.release.schema_derived import Gain, ScoredCell
from harness.spec.languages import ENGLISH
from harness.statistics.measured import Quantity, mean_of

# flags of a baseline whose target counts in no average
BASELINE_BAD = frozenset({"unlearned", "placeholder", "leak"})
# flags with which a gain is shown nowhere: its test rows were trained on, or say nothing
REFUSED = frozenset({"leak", "placeholder"})
OWN_DATA = frozenset({"same", "shared"})
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
class MeasuredGain:
    """A gain as a release says it, and by language with what moves it; none where it is not
    known."""

    said: Gain
    by_language: Mapping[str, Quantity]

    @cached_property
    def whole(self) -> Quantity | None:
        """The mean over languages."""
        return mean_of([self.by_language[language] for language in sorted(self.by_language)])

    @cached_property
    def zero_shot(self) -> Quantity | None:
        """The mean over languages other than English; None where rows of them were trained on."""
        if self.said.zero_shot is None:
            return None
        others = [language for language in sorted(self.by_language) if language != ENGLISH]
        return mean_of([self.by_language[language] for language in others])


@dataclass(frozen=True, eq=False)
class Study:
    """What was run with one encoder, and what came of it.

    cells, evidence  what each run scored, and what that is computed from
    baseline         the arm that trains on nothing first; "" where there is none
    arms, targets    in the order in which the cells name them, the baseline left out
    scores           the baseline's own, of every target whose cells all have one
    gains            of every arm and target that have a cell and a baseline with one seed
                     (both are empty until `gains.measured` adds them)
    """

    known: Known
    encoder: str
    cells: Mapping[Run, ScoredCell]
    evidence: Mapping[Run, EvidenceCell]
    baseline: str
    arms: list[str]
    targets: list[str]
    scores: Mapping[str, Quantity] = field(default_factory=dict)
    gains: Mapping[At, MeasuredGain] = field(default_factory=dict)

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
    def headline(self) -> list[str]:
        """The targets over which averages are, by name: those that the suite declares, without one
        whose labels are placeholders or whose baseline is not above chance. No arm but the baseline
        has a say. Where it declares none, targets that trained on rows of other languages stand in
        no average with those that did not."""
        named, facts = self.known.suite.average_over, self.known.targets
        declared = [t for t in self.targets if not named or facts[t].task in named]
        if not named:
            declared = [t for t in declared if facts[t].regime is None] or declared
        return sorted(target for target in declared if self.is_learned(target))

    def is_learned(self, target: str) -> bool:
        """Whether the baseline is above chance on it, or that is waived."""
        cells = self.cells_of(self.baseline, target).values()
        bad = BASELINE_BAD - ({"unlearned"} & set(self.known.suite.waives))
        if any(bad & set(cell.flags) for cell in cells):
            return False
        if self.known.targets[target].trained or "unlearned" not in bad:
            return bool(cells)
        # what is not trained has no English to be learned in: it is above chance somewhere
        return any(cell.languages_above_floor for cell in cells)

    def known_gain(self, arm: str, target: str) -> Quantity | None:
        """A gain that may stand in an average: not where rows of the test set were trained on."""
        found = self.gains.get((arm, target))
        if found is None or REFUSED & set(found.said.flags):
            return None
        return found.whole

    def known_targets(self, arm: str, targets: Sequence[str]) -> list[str]:
        """Those of the targets of which the arm's gain is known."""
        return [target for target in targets if self.known_gain(arm, target)]

    def average(self, arm: str, targets: Sequence[str], zero_shot: bool = False) -> Quantity | None:
        """The mean of an arm's gains over targets; None of no target, and where one of them is not
        known.

        zero_shot  without English: targets that have no other language are left out
        """
        # a mean over the others would not compare with that of an arm that has them all
        if any(self.known_gain(arm, target) is None for target in targets):
            return None
        gains = [self.gains[arm, target] for target in targets]
        numbers = [gain.zero_shot if zero_shot else gain.whole for gain in gains]
        return mean_of([number for number in numbers if number is not None])

    def own_data(self, arm: str, target: str) -> bool:
        """Whether the arm trained on the target's own data set first."""
        gain = self.gain(arm, target)
        return gain is not None and bool(OWN_DATA & set(gain.flags))

    def is_seedless(self, arm: str, target: str) -> bool:
        """Whether nothing is trained, so that all seeds are one."""
        return all(
            (cell.trained, cell.intermediate) == (None, None)
            for (of, on, _), cell in self.evidence.items()
            if (of, on) == (arm, target)
        )

    def group_of(self, target: str) -> str:
        return self.known.targets[target].group
