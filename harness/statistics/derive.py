"""All derived sections of a release from its declared facts and its evidence.

A pure function: no torch, no data, no store, no clock. The same content gives the same bytes on
every machine, so that anyone can compute a release's numbers again and compare.
"""

from harness.statistics.averages import averages, slices
from harness.statistics.cells import cells, dev_scores, selections
from harness.statistics.contrasts import best, subsets
from harness.statistics.difficulty import difficulty
from harness.statistics.gains import measure
from harness.statistics.split import split
from harness.statistics.study import Study

SECTIONS = (
    "dev_scores",
    "selections",
    "cells",
    "gains",
    "averages",
    "slices",
    "difficulty",
    "split",
    "subsets",
    "best",
)


def derive(content: dict) -> dict:
    """SECTIONS of a content document (schema 4), in that order; whatever derived sections it holds
    already are not read.

    Scores and gains are 0-100 and unrounded; intervals and p are rounded to 4 decimals. Encoders
    one after the other, each in the order in which the cells name it, so that one encoder's
    replicates are in memory at a time.
    """
    out: dict[str, list] = {section: [] for section in SECTIONS}
    out["dev_scores"] = dev_scores(content)
    out["selections"] = selections(content)
    out["cells"] = cells(content)
    for encoder in dict.fromkeys(cell["encoder"] for cell in out["cells"]):
        study = Study.of(content, out["cells"], encoder)
        entries = difficulty(content, encoder)
        out["gains"] += measure(study)
        out["averages"] += averages(study)
        out["slices"] += slices(study)
        out["difficulty"] += entries
        out["split"].append(split(study, entries))
        out["subsets"] += subsets(study)
        out["best"] += best(study)
    return out
