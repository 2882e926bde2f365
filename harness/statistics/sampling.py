"""From a study's evidence to scores with what moves them: which vectors of which cells belong
together."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.metrics.metric import Array
from harness.release.evidence import arrays, units_of
from harness.release.schema import Examples
from harness.statistics.jackknife import influences
from harness.statistics.measured import Block
from harness.statistics.study import Run, Study

System = tuple[str, int]  # arm, seed
Systems = tuple[Array, list[Mapping[str, Array]]]  # unit of each example (n,); of each system (n,)s
Kept = npt.NDArray[np.bool_]
# language, unit of each example → whether to keep it
Keep = Callable[[str, Array], Kept]


class Influences:
    """The influence of each unit of a target's test rows on the scores of systems, by language.

    Where a target is parallel the same units stand in every language, and one block has them all;
    elsewhere each language has its own.
    """

    def __init__(self, study: Study, target: str, keep: Keep | None = None) -> None:
        """`keep`: of these units alone."""
        self._study, self._target, self._keep = study, target, keep
        self._facts = study.known.targets[target]
        self._numbers: dict[str, Array] = {}
        self._found: dict[tuple[str, System], Array] = {}

    def read(self, languages: Mapping[str, Sequence[System]]) -> None:
        """Of these systems (each once) in each language."""
        given = {}
        for language, systems in languages.items():
            units, vectors = read(self._study, self._target, language, systems)
            if self._keep:
                units, vectors = only(self._keep(language, units), units, vectors)
            given[language] = units, vectors
        for language, (units, _) in given.items():
            every = [of for of, _ in given.values()] if self._facts.parallel else [units]
            self._numbers[language] = np.unique(np.concatenate(every))
        for language, (units, vectors) in given.items():
            numbers = self._numbers[language]
            moved = influences(self._facts.metric, units, vectors, numbers)
            for system, row in zip(languages[language], moved, strict=True):
                self._found[language, system] = row

    def block(self, language: str) -> Block:
        """Whose units they are."""
        return self._target, "" if self._facts.parallel else language

    def of(self, language: str, systems: Sequence[System]) -> Array:
        """(systems, units)."""
        return np.stack([self._found[language, system] for system in systems])


def read(study: Study, target: str, language: str, systems: Sequence[System]) -> Systems:
    """(unit of each example, the vectors of each of `systems`) of one language."""
    metric = study.known.targets[target].metric
    golds = study.known.evidence.units.get(target, {})
    gold = arrays(golds[language], metric) if language in golds else {}
    given: list[Mapping[str, Array]] = []
    for arm, seed in systems:
        run: Run = arm, target, seed
        packed: Examples = study.evidence[run].languages[language]
        given.append(gold | arrays(packed, metric))
    return units_of(given[0]), given


def only(kept: Kept, units: Array, systems: Sequence[Mapping[str, Array]]) -> Systems:
    """The units and vectors of the examples where `kept`, (n,), is true."""
    left: list[Mapping[str, Array]] = []
    for system in systems:
        left.append({name: vector[kept] for name, vector in system.items()})
    return units[kept], left
