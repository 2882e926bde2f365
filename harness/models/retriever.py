"""Find a sentence's translation among all others by cosine: Tatoeba. Nothing is trained.

As XTREME's evaluate_retrieval.py: vectors are L2-normalised, the nearest neighbour is the answer,
the first of equals wins. XTREME asks from English (index = foreign side); MTEB asks from the
foreign side. XTREME sorts the English side before it asks, which changes the order of its
prediction file and no answer.

A control beside it: the same search after each side's mean was taken from its vectors. The sentence
vectors of an encoder that was never trained for similarity share a large part, another one in each
language, and taking it away alone brings translations nearer (Libovický, Rosa and Fraser 2020,
arXiv 2004.05160). Training moves that part too: a gain that is gone after centring was only that.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.families.columns import Row
from harness.metrics.knn import Search
from harness.metrics.neighbours import search
from harness.models.half import Embed, Floats, TaskJson


def predict(
    embed: Embed,
    rows: list[Row],
    task: TaskJson,
    dev: Sequence[Row],
    nearest: Search | None = None,
) -> tuple[list[str], dict[str, list[str]]]:
    """(for each row the id of the row whose sentence on the other side is nearest, {"centred": the
    same after centring}). `nearest` is there for the shape of the call: a thousand sentences are
    searched in a moment."""
    foreign = embed([row["source"] for row in rows])
    english = embed([row["target"] for row in rows])
    from_english = task["options"]["direction"] == "english_to_foreign"
    queries, index = (english, foreign) if from_english else (foreign, english)
    # the control is a second search of the same vectors: nothing is embedded twice
    found, centred = search(queries, index), search(_centred(queries), _centred(index))
    return [rows[i]["id"] for i in found], {"centred": [rows[i]["id"] for i in centred]}


def _centred(vectors: Floats) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = vectors.mean(axis=0, dtype=np.float64)
    return vectors - mean
