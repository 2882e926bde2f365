"""One encoder's part of a release while its sections are derived: its cells, their evidence, and
the replicates of each gain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

import numpy as np

from harness.release.evidence import arrays, units_of
from harness.statistics.bootstrap import replicate_scores
from harness.statistics.cells import ENGLISH

Key = tuple[str, str, int]  # arm, target, seed
Drawn = dict[str, dict[str, np.ndarray]]  # arm → language → replicates
# language, unit of each example → whether to keep it
Keep = Callable[[str, np.ndarray], np.ndarray]


@dataclass
class Study:
    """cells and evidence by (arm, target, seed); gains and replicates by (arm, target).

    replicates  what `sample` gives, of every gain that is known
    units       by (target, language): how many units there were to draw from; filled by `sample`
    """

    content: dict
    encoder: str
    cells: dict[Key, dict]
    evidence: dict[Key, dict]
    baseline: str
    arms: list[str]
    targets: list[str]
    gains: dict[tuple[str, str], dict] = field(default_factory=dict)
    replicates: dict[tuple[str, str], dict[str, np.ndarray]] = field(default_factory=dict)
    units: dict[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, content: dict, cells: list[dict], encoder: str) -> "Study":
        """Arms (the baseline left out) and targets stand in the order in which the cells name
        them."""
        pairs = [
            pair
            for pair in zip(cells, content["evidence"]["cells"], strict=True)
            if pair[0]["encoder"] == encoder
        ]
        at = {(cell["arm"], cell["target"], cell["seed"]): (cell, given) for cell, given in pairs}
        kinds = {arm: facts["kind"] for arm, facts in content["arms"].items()}
        return cls(
            content,
            encoder,
            {key: cell for key, (cell, _) in at.items()},
            {key: given for key, (_, given) in at.items()},
            baseline=next((arm for arm, _, _ in at if kinds[arm] == "baseline"), ""),
            arms=list(dict.fromkeys(arm for arm, _, _ in at if kinds[arm] != "baseline")),
            targets=list(dict.fromkeys(target for _, target, _ in at)),
        )

    def pairs(self, arm: str, target: str) -> list[tuple[int, dict, dict]]:
        """(seed, cell, cell of the baseline) for each seed that has both, by seed."""
        seeds = sorted(seed for a, t, seed in self.cells if (a, t) == (arm, target))
        both = [
            (s, self.cells[arm, target, s], self.cells.get((self.baseline, target, s)))
            for s in seeds
        ]
        return [(seed, cell, base) for seed, cell, base in both if base is not None]

    def counted(self, arm: str) -> list[str]:
        """Targets whose gain counts in this arm, by name."""
        return sorted(
            target for (a, target), gain in self.gains.items() if a == arm and gain["counted"]
        )

    @cached_property
    def common(self) -> list[str]:
        """Targets that count in every task and mixture, by name. Parts and controls take none from
        them: they answer other questions, and have an average only where all of these count in them
        too."""
        facts = self.content["arms"]
        return self.common_of(
            [arm for arm in self.arms if facts[arm]["kind"] in ("task", "mixture")] or self.arms
        )

    def common_of(self, arms: list[str]) -> list[str]:
        """Targets that count in each of these arms, by name; an arm of which nothing counts takes
        none from the others."""
        counted = [set(targets) for arm in arms if (targets := self.counted(arm))]
        return sorted(set.intersection(*counted)) if counted else []

    def average(
        self, arm: str, targets: list[str], name: str = "gain"
    ) -> tuple[float, np.ndarray] | None:
        """(mean of a gain's field `name` over targets, its replicates); None where one of them does
        not count in the arm.

        name  "gain", or "zero_shot": targets without another language than English are left out
        """
        if not set(targets) <= set(self.counted(arm)):
            return None
        known = [target for target in targets if self.gains[arm, target][name] is not None]
        if not known:
            return None
        return fmean(self.gains[arm, t][name] for t in known), averaged(
            [self.replicate(arm, t, name) for t in known]
        )

    def per_seed(self, arm: str, targets: list[str]) -> dict[str, float]:
        """The mean gain over these targets of each seed that all of them have; {} where `average`
        is None."""
        if not targets or not set(targets) <= set(self.counted(arm)):
            return {}
        of = [self.gains[arm, target]["per_seed"] for target in targets]
        return {
            seed: fmean(gains[seed] for gains in of)
            for seed in of[0]
            if all(seed in gains for gains in of)
        }

    def replicate(self, arm: str, target: str, name: str = "gain") -> np.ndarray:
        """Replicates of a gain's field `name`: the mean over languages."""
        of = self.replicates[arm, target]
        return averaged(
            [of[language] for language in sorted(of) if name == "gain" or language != ENGLISH]
        )

    def other_tasks(self, arm: str) -> list[str]:
        """Targets of which this arm did not train on other rows first (flag `same`), and that count
        in every task and mixture but those that did: an arm's own data set, refused or shared as
        its rows may be, takes that target from no other arm."""
        facts = self.content["arms"]
        rivals = [
            a for a in self.arms if facts[a]["kind"] in ("task", "mixture") and self.counted(a)
        ] or self.arms
        fair = [
            t for t in self.targets if all(t in self.counted(a) or self.same(a, t) for a in rivals)
        ]
        return sorted(target for target in fair if not self.same(arm, target))

    def same(self, arm: str, target: str) -> bool:
        """Whether the arm trained on the target's own data set first."""
        return (arm, target) in self.gains and "same" in self.gains[arm, target]["flags"]

    def without_retrieval(self, targets: list[str]) -> list[str]:
        return [
            target for target in targets if self.content["targets"][target]["group"] != "retrieval"
        ]

    def read(
        self, target: str, language: str, keys: list[tuple[str, int]]
    ) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
        """(unit of each example, the vectors of each of `keys`, (arm, seed)) of one language."""
        metric = self.content["targets"][target]["metric"]
        gold = arrays(self.content["evidence"]["units"].get(target, {}).get(language, {}), metric)
        given = [self.evidence[arm, target, seed]["languages"][language] for arm, seed in keys]
        systems = [gold | arrays(packed, metric) for packed in given]
        return units_of(systems[0]), systems

    def sample(
        self,
        target: str,
        arms: dict[str, list[int]],
        languages: dict[str, list[str]],
        keep: Keep | None = None,
    ) -> Drawn:
        """arm → language → replicates of its gain, (REPLICATES,): the mean over its seeds of arm
        minus baseline.

        arms       arm → its seeds, each with a baseline
        languages  arm → the languages that all its cells and their baselines have
        keep       draws only among the units it keeps, from a stream of their own
        """
        keys: dict[str, dict[tuple[str, int], None]] = {}
        for arm, seeds in arms.items():
            for language in languages[arm]:
                keys.setdefault(language, {}).update(
                    dict.fromkeys((a, seed) for seed in seeds for a in (self.baseline, arm))
                )
        facts = self.content["targets"][target]

        def read(language: str):
            units, systems = self.read(target, language, list(keys[language]))
            if keep:
                return only(keep(language, units), units, systems)
            self.units[target, language] = len(np.unique(units))
            return units, systems

        purpose = "reported half" if keep else "bootstrap"
        found = replicate_scores(
            target, facts["metric"], list(keys), facts["parallel"], read, purpose
        )
        at = {
            language: dict(zip(keys[language], found.pop(language), strict=True))
            for language in keys
        }
        return {
            arm: {
                lang: averaged([at[lang][arm, s] - at[lang][self.baseline, s] for s in seeds])
                for lang in languages[arm]
            }
            for arm, seeds in arms.items()
        }


def only(kept: np.ndarray, units: np.ndarray, systems: list[dict]) -> tuple[np.ndarray, list[dict]]:
    """The units and vectors of the examples where `kept`, (n,) booleans, is true."""
    return units[kept], [
        {name: vector[kept] for name, vector in system.items()} for system in systems
    ]


def averaged(replicates: list[np.ndarray]) -> np.ndarray:
    """Their mean, element by element, added in the order given."""
    total = replicates[0]
    for other in replicates[1:]:
        total = total + other
    return total / len(replicates)
