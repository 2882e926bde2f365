"""All derived sections of a release from its declared facts and its evidence.

A pure function: no torch, no data, no store, no clock. The same content gives the same bytes on
every machine, so that anyone can compute a release's numbers again and compare.
"""

from collections.abc import Mapping
from typing import Any

from harness.release.schema import Known
from harness.release.schema_derived import (
    Average,
    Best,
    Derived,
    DifficultyRow,
    Gain,
    HypothesisOutcome,
    Slice,
    Split,
    Subsets,
)
from harness.statistics.arrows import corrected
from harness.statistics.averages import averages
from harness.statistics.baselines import target_scores
from harness.statistics.best import best
from harness.statistics.cells import cells, dev_scores, selections
from harness.statistics.difficulty import difficulty
from harness.statistics.gains import measured
from harness.statistics.hypotheses import hypotheses
from harness.statistics.measured import Quantity
from harness.statistics.slices import slices
from harness.statistics.split import split
from harness.statistics.study import Study
from harness.statistics.subsets import subsets


def derive(known: Known) -> Derived:
    """What follows from what specs say and jobs reported.

    Encoders one after the other, each in the order in which the cells name it, so that what moves
    one encoder's gains is in memory at a time.
    """
    scored = dev_scores(known)
    devs = {score.key: score for score in scored}
    every = cells(known, devs)
    gains: list[Gain] = []
    means: list[Average] = []
    sliced: list[Slice] = []
    hardness: list[DifficultyRow] = []
    splits: list[Split] = []
    parts: list[Subsets] = []
    chosen: list[Best] = []
    outcomes: list[HypothesisOutcome] = []
    scores: dict[str, Mapping[str, Quantity]] = {}
    headline: dict[str, list[str]] = {}
    # by the cells, not by the declared encoders: one of which nothing was run has nothing to say
    for encoder in dict.fromkeys(cell.encoder for cell in every):
        study = measured(Study.of(known, every, encoder))
        rows = difficulty(known, encoder, devs)
        scores[encoder], headline[encoder] = study.scores, study.headline
        gains += [gain.said for gain in study.gains.values()]
        means += averages(study)
        sliced += slices(study)
        hardness += rows
        splits.append(split(study, rows))
        parts += subsets(study)
        chosen += best(study, devs)
        outcomes += hypotheses(study, rows)
    beside = target_scores(scores, headline)
    gains, means, beside = corrected(gains, means, beside)
    return Derived(
        dev_scores=scored,
        selections=selections(known),
        cells=every,
        headline=headline,
        scores=beside,
        gains=gains,
        averages=means,
        slices=sliced,
        difficulty=hardness,
        split=splits,
        subsets=parts,
        best=chosen,
        hypotheses=outcomes,
    )


def sections(content: dict[str, Any]) -> dict[str, Any]:
    """The same of a document as JSON has it; what derived sections it holds already is not read."""
    read = {field.alias or name for name, field in Known.model_fields.items()}
    known = {name: value for name, value in content.items() if name in read}
    return derive(Known.model_validate(known)).model_dump()
