"""Find the pairs of translations among two heaps of sentences: BUCC 2018. Nothing is trained.

As XTREME's third_party/utils_retrieve.py (see `harness.metrics.mining`), except that the threshold
comes from dev alone: there, a gold file given for the test set moves it.

A row is {"id", "side": "source" or "target", "text", "pairs": ids of its translations; [] on the
target side}.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.common.errors import SpecError
from harness.families.columns import Row
from harness.metrics.knn import Search, normalise
from harness.metrics.mining import mine, pair_f1, threshold
from harness.models.half import Embed, TaskJson

# sentences of both sides → (which of the first, which of the second, score), as `mine` has them
Mined = Callable[[tuple[str, ...], tuple[str, ...]], list[tuple[int, int, float]]]


def predict(
    embed: Embed,
    rows: list[Row],
    task: TaskJson,
    dev: Sequence[Row],
    nearest: Search | None = None,
) -> tuple[list[list[str]], dict[str, float]]:
    """(for each row the ids of its translations, [] at target rows; facts about the threshold).

    embed   texts → (n, width) array that nobody else holds: it is normalised in place
    dev     rows of the same language. Their pairs set the threshold; the pairs of `rows` are never
            read
    facts   threshold; candidates: test pairs before it; dev_f1: 0-100, at the threshold
    raises  SpecError: no dev row has a pair
    """
    gold_pairs = {
        (row["id"], pair) for row in dev for pair in row["pairs"] if row["side"] == "source"
    }
    if not gold_pairs:
        raise SpecError(
            f"bitext_mining: no threshold: none of the {len(dev)} dev rows has a pair; name dev"
            " rows that have"
        )
    mined = _miner(embed, task["options"], nearest)
    # the threshold is chosen among dev's own candidates, at the best F1 that any cut reaches
    of_dev = _candidates(mined, dev, task["options"])
    cut = threshold(of_dev, gold_pairs)
    dev_f1 = pair_f1(
        gold_pairs, [(source, target) for source, target, score in of_dev if score >= cut]
    )["f1"]
    candidates = _candidates(mined, rows, task["options"])
    found: dict[str, list[str]] = {}
    for source, target, score in candidates:
        if score >= cut:
            found.setdefault(source, []).append(target)
    predictions = [found.get(row["id"], []) if row["side"] == "source" else [] for row in rows]
    return predictions, {"threshold": cut, "candidates": len(candidates), "dev_f1": dev_f1}


def _miner(embed: Embed, options: Mapping[str, Any], nearest: Search | None) -> Mined:
    """`mine` for two lists of sentences, embedded and searched once though dev and test may be the
    same."""

    @functools.cache
    def mined(sources: tuple[str, ...], targets: tuple[str, ...]) -> list[tuple[int, int, float]]:
        x, y = (normalise(embed(list(texts))) for texts in (sources, targets))
        return mine(
            x, y, options["neighbours"], options["margin"], options["retrieval"], search=nearest
        )

    return mined


def _candidates(
    mined: Mined, rows: Sequence[Row], options: Mapping[str, Any]
) -> list[tuple[str, str, float]]:
    """(source id, target id, score), by descending score, each pair once.

    Every distinct text is one sentence; ids come in afterwards. A text with several ids on its side
    gets none of its pairs ("drop", XTREME) or all of them ("all", jiant). Ids are looked up without
    surrounding blanks, as official.
    """
    (sources, source_ids), (targets, target_ids) = (
        _sentences(rows, side) for side in ("source", "target")
    )
    if not sources or not targets:
        return []
    pairs = mined(tuple(sources), tuple(targets))
    # a text is one sentence; how many ids it may stand for is the option's to say
    most = 1 if options["duplicates"] == "drop" else len(rows)
    scores: dict[tuple[str, str], float] = {}
    for i, j, score in pairs:
        ids, partners = source_ids[sources[i].strip()], target_ids[targets[j].strip()]
        if len(ids) <= most and len(partners) <= most:
            for pair in ((source, target) for source in ids for target in partners):
                scores.setdefault(pair, score)  # the first is the highest
    return [(source, target, score) for (source, target), score in scores.items()]


def _sentences(rows: Sequence[Row], side: str) -> tuple[list[str], dict[str, list[str]]]:
    """Distinct texts of a side in the order of their first row, and the ids of each text without
    surrounding blanks."""
    texts = [row["text"] for row in rows if row["side"] == side]
    ids: dict[str, list[str]] = {}
    for row in rows:
        if row["side"] == side:
            ids.setdefault(row["text"].strip(), []).append(row["id"])
    return list(dict.fromkeys(texts)), ids
