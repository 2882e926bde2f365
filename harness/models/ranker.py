"""Rank the candidates of one pool for every query by cosine: LAReQA, Mewsli-X. Nothing is trained.

As XTREME-R's evaluate_retrieval.py, on vectors of the encoder as it is, or as an intermediate task
left it: what XTREME-R calls the frozen model. Its own numbers for LAReQA are those of a dual
encoder that was trained on questions and answers of SQuAD; no family here trains one.
"""

from collections.abc import Sequence

from harness.families.ranking import Candidate
from harness.metrics.knn import Search, knn, normalise
from harness.metrics.precision import K
from harness.models.half import Floats, TaskJson


def texts(pool: Sequence[Candidate], task: TaskJson) -> list[str]:
    """What of each candidate is embedded: a sentence with its paragraph right behind it, and no
    line ends, as official."""
    if task["options"]["candidate"] == "text":
        return [one.text for one in pool]
    return [(one.text + one.context).replace("\n", "") for one in pool]


def ranked(
    queries: Floats, vectors: Floats, pool: Sequence[Candidate], nearest: Search | None = None
) -> list[list[str]]:
    """Per query the ids of the 20 nearest candidates, the nearest first; of equals that which
    stands first in the pool.

    queries  (n, width); vectors  (len(pool), width), of unit length already
    """
    near = knn(normalise(queries), vectors, K, nearest)[0][1]
    ids = [one.id for one in pool]
    return [list(map(ids.__getitem__, row)) for row in near.tolist()]
