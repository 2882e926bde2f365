"""Accuracy of masked pieces (masked language modelling). Pieces are an encoder's own: no two
encoders compare by it."""

from typing import TypedDict

from harness.metrics.accuracy import equal, most_frequent
from harness.metrics.metric import Metric, ratio, sums_of
from harness.metrics.scored import Examples, Scored, check_pairs, paired_difference


class Pieces(TypedDict):
    """The hidden pieces of one row, and what was guessed for them."""

    gold: list[int]
    predicted: list[int]


def masked_accuracy(golds: list[str], predictions: list[Pieces], language: str = "") -> Scored:
    """Share of hidden pieces that are guessed, over those of all rows together.

    golds        n row ids; not read, since what was hidden is known to the prediction
    predictions  n of {"gold": ids of the hidden pieces, "predicted": as many ids}; [] where a text
                 was too short
    metrics      accuracy, 0-100
    examples     n counts each: right, masked, null (hidden pieces that are the most frequent one)
    null         always the most frequent gold piece; the error bar takes a row's pieces together
    raises       ValueError: different lengths (names the first such row), or no hidden piece at all
    source       the objective of Devlin et al. 2019, arXiv 1810.04805, section 3.1; accuracy is
                 ours, no paper's benchmark
    """
    check_pairs(golds, predictions)
    for i, row in enumerate(predictions):
        if len(row["gold"]) != len(row["predicted"]):
            raise ValueError(
                f"row {i}: {len(row['gold'])} hidden subwords but {len(row['predicted'])} predicted"
            )
    pieces = [piece for row in predictions for piece in row["gold"]]
    if not pieces:
        raise ValueError(f"nothing to score: {len(predictions)} rows without a hidden subword")
    # of this encoder's own pieces: two encoders have two null predictors
    majority = most_frequent(pieces)
    right = [equal(row["gold"], row["predicted"]) for row in predictions]
    masked = [len(row["gold"]) for row in predictions]
    constant = [row["gold"].count(majority) for row in predictions]
    return masked_accuracy_from({"right": right, "masked": masked, "null": constant})


def masked_accuracy_from(examples: Examples) -> Scored:
    """`masked_accuracy` of its examples, also in blocks of rows."""
    right, masked, constant = (examples[name] for name in ("right", "masked", "null"))
    above, stderr = paired_difference(
        [r - c for r, c in zip(right, constant, strict=True)], sizes=masked
    )
    score = 100 * sum(right) / sum(masked)
    return Scored(
        metrics={"accuracy": score},
        main=score,
        examples=examples,
        null=100 * sum(constant) / sum(masked),
        null_name="accuracy of always guessing the most frequent hidden piece",
        above_null=100 * above,
        stderr=100 * stderr,
    )


MASKED_ACCURACY = Metric(
    name="masked_accuracy",
    version=1,
    scores=("pieces",),
    score=masked_accuracy,
    from_examples=masked_accuracy_from,
    # what is hidden depends on the encoder, so that the golds alone decide nothing
    gold_side=(),
    prediction_side=("right", "masked", "null"),
    resampled=sums_of("right", "masked"),
    main_from_totals=ratio("right", "masked"),
    additive=True,
    null_is_main=True,
)
