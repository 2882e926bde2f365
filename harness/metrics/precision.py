"""Mean average precision of ranked candidates (LAReQA, Mewsli-X): every query has one or several
right ones, anywhere in one pool."""

from collections import Counter
from collections.abc import Collection, Sequence

from harness.metrics.metric import Metric, Vector, Vectors, ratio
from harness.metrics.scored import Examples, Scored, check_pairs, mean, paired_difference

K = 20  # candidates that count


def map_at_20(
    golds: Sequence[Collection[str]], predictions: Sequence[Sequence[str]], language: str = ""
) -> Scored:
    """Mean over queries of the average precision of their first 20 candidates.

    Average precision of a query: the share of right ones among the first i, summed over the places
    i at which one stands, divided by how many there could be, min(right ones, 20). A candidate
    counts where it first stands. With one right candidate it is 1 / its place: the mean reciprocal
    rank.

    golds        per query the ids of its right candidates; [] scores 0
    predictions  per query ids by descending similarity, at most 20 of which count; [] scores 0
    metrics      map@20; mrr@20, of the first right one; hit@1, it stands first; 0-100
    examples     per query: relevant, how many right ones there could be; hits and null_hits, the
                 places of right ones among the first 20, as the bits of a number (1: first place)
    null         always the same ranking: the 20 candidates that are right most often
    raises       ValueError: different lengths, or nothing to score
    source       google-research/xtreme: third_party/utils_lareqa.py (`mean_avg_prec_at_k`, k=20),
                 third_party/utils_mewslix.py and evaluate.py; Ruder et al. 2021, arXiv 2104.07412
    """
    check_pairs(golds, predictions)
    right = [set(map(str.strip, gold)) for gold in golds]
    times = Counter(one for gold in right for one in sorted(gold))
    common = sorted(times, key=lambda one: (-times[one], one))[:K]
    return map_at_20_from(
        {
            "relevant": [min(len(gold), K) for gold in right],
            "hits": [_bits(gold, guess) for gold, guess in zip(right, predictions, strict=True)],
            "null_hits": [_bits(gold, common) for gold in right],
        }
    )


def _bits(gold: Collection[str], ranked: Sequence[str]) -> int:
    """The places, from 0, at which a right candidate stands for the first time, as bits."""
    found = 0
    seen: set[str] = set()
    for place, one in enumerate(ranked[:K]):
        if one in gold and one not in seen:
            found |= 1 << place
        seen.add(one)
    return found


def average_precision(hits: int, relevant: int) -> float:
    """Of one query, 0-1: from the places of right candidates and how many there could be."""
    total, right = 0.0, 0
    for place in range(K):
        if hits >> place & 1:
            right += 1
            total += right / (place + 1)
    return total / relevant if relevant else 0.0


def map_at_20_from(examples: Examples) -> Scored:
    """`map_at_20` of its examples."""
    own, constant = (_precisions(examples, name) for name in ("hits", "null_hits"))
    above, stderr = paired_difference([a - b for a, b in zip(own, constant, strict=True)])
    # the lowest bit that is set is the place of the first right one
    first = [int(hits) & -int(hits) for hits in examples["hits"]]
    return Scored(
        metrics={
            "map@20": 100 * mean(own),
            "mrr@20": 100 * mean([1 / bit.bit_length() if bit else 0.0 for bit in first]),
            "hit@1": 100 * mean([float(bit == 1) for bit in first]),
        },
        main=100 * mean(own),
        examples=examples,
        null=100 * mean(constant),
        null_name="mAP@20 of always giving the 20 candidates that are right most often",
        above_null=100 * above,
        stderr=100 * stderr,
    )


def _precisions(examples: Vectors, name: str) -> list[float]:
    pairs = zip(examples[name], examples["relevant"], strict=True)
    return [average_precision(int(hits), int(relevant)) for hits, relevant in pairs]


def _summed(examples: Vectors) -> dict[str, Vector]:
    """The average precision of each query: that of a mean of places is another one."""
    return {"precision": _precisions(examples, "hits")}


MAP_AT_20 = Metric(
    name="map_at_20",
    version=1,
    scores=("ranking",),
    score=map_at_20,
    from_examples=map_at_20_from,
    gold_side=("relevant", "null_hits"),
    prediction_side=("hits",),
    resampled=_summed,
    main_from_totals=ratio("precision", "n"),
    null_is_main=True,
)
