"""From a study's evidence to the replicates of its gains: which vectors of which cells are drawn
together."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.metrics.metric import Array
from harness.release.evidence import arrays, units_of
from harness.release.schema import Examples
from harness.statistics.bootstrap import Systems, replicate_scores
from harness.statistics.replicated import averaged
from harness.statistics.study import Study

System = tuple[str, int]  # arm, seed
Kept = npt.NDArray[np.bool_]
# language, unit of each example → whether to keep it
Keep = Callable[[str, Array], Kept]


class Drawn(NamedTuple):
    """gains: arm → language → replicates of its gain, (REPLICATES,), the mean over its seeds of arm
    minus baseline. units: language → how many units there were to draw from."""

    gains: dict[str, dict[str, Array]]
    units: dict[str, int]


def read(study: Study, target: str, language: str, systems: Sequence[System]) -> Systems:
    """(unit of each example, the vectors of each of `systems`) of one language."""
    metric = study.known.targets[target].metric
    golds = study.known.evidence.units.get(target, {})
    gold = arrays(golds[language], metric) if language in golds else {}
    given = []
    for arm, seed in systems:
        packed: Examples = study.evidence[arm, target, seed].languages[language]
        given.append(gold | arrays(packed, metric))
    return units_of(given[0]), given


def only(kept: Kept, units: Array, systems: Sequence[Mapping[str, Array]]) -> Systems:
    """The units and vectors of the examples where `kept`, (n,), is true."""
    left = []
    for system in systems:
        left.append({name: vector[kept] for name, vector in system.items()})
    return units[kept], left


def sample(
    study: Study,
    target: str,
    seeds: Mapping[str, Sequence[int]],
    languages: Mapping[str, Sequence[str]],
    keep: Keep | None = None,
) -> Drawn:
    """Replicates of the gains of several arms on one target, all from the same draws.

    seeds      arm → its seeds, each with a baseline; no arm, no draw
    languages  arm → the languages that all its cells and their baselines have
    keep       draws only among the units it keeps, from a stream of their own
    """
    facts = study.known.targets[target]
    systems = _systems(study.baseline, seeds, languages)
    if not systems:
        return Drawn({}, {})
    count: dict[str, int] = {}

    def read_one(language: str) -> Systems:
        units, vectors = read(study, target, language, systems[language])
        if keep:
            units, vectors = only(keep(language, units), units, vectors)
        count[language] = len(np.unique(units))
        return units, vectors

    # part of every stream's name, so never to be reworded
    purpose = "reported half" if keep else "bootstrap"
    scores = replicate_scores(
        target, facts.metric, list(systems), facts.parallel, read_one, purpose
    )

    gains: dict[str, dict[str, Array]] = {arm: {} for arm in seeds}
    for arm, own in seeds.items():
        for language in languages[arm]:
            of = dict(zip(systems[language], scores[language], strict=True))
            differences = [of[arm, seed] - of[study.baseline, seed] for seed in own]
            gains[arm][language] = averaged(differences)
    return Drawn(gains, count)


def _systems(
    baseline: str, seeds: Mapping[str, Sequence[int]], languages: Mapping[str, Sequence[str]]
) -> dict[str, list[System]]:
    """Language → whose answers are needed there, each once: arms share their baseline."""
    wanted: dict[str, dict[System, None]] = {}
    for arm, own in seeds.items():
        for language in languages[arm]:
            of = wanted.setdefault(language, {})
            for seed in own:
                of[baseline, seed] = of[arm, seed] = None
    return {language: list(of) for language, of in wanted.items()}
