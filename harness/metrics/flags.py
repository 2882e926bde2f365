"""What is wrong with the score of one language, from facts about its rows and from the score
itself."""

from typing import NotRequired, TypedDict

from harness.metrics.scored import Scored

FEW_ROWS = 50
TRUNCATED_SHARE = 0.01  # rows that lost text
ODD = ("empty_text", "misplaced")  # facts that are there only where some rows say nothing: how many
UNKNOWN_SHARE = 0.05  # pieces the vocabulary does not know: above it the encoder reads holes


class RowFacts(TypedDict):
    """What is known of the rows of one language, and of the answers to them."""

    n: int  # rows
    truncated: int  # rows that lost text
    unknown: float  # share of pieces, 0-1
    constant: bool
    placeholder: bool
    empty_text: NotRequired[int]  # rows that say nothing; absent where there are none
    misplaced: NotRequired[int]


def language_flags(facts: RowFacts, scored: Scored | None) -> list[str]:
    """The flags that hold, always in this order.

    scored          None where there is no score: the gold labels are placeholders

    few_rows        fewer than FEW_ROWS
    truncated       more than TRUNCATED_SHARE of the rows
    unknown         more than UNKNOWN_SHARE of the pieces
    empty_text      a row has an empty text
    misplaced       an answer is not where the row says
    placeholder     the gold labels are hidden; no flag below is given then
    constant        every row got the same answer
    floor           not better than the null predictor
    below_majority  fewer tokens right than the most frequent tag gives
    """
    found = {
        "few_rows": facts["n"] < FEW_ROWS,
        "truncated": facts["truncated"] > TRUNCATED_SHARE * facts["n"],
        "unknown": facts["unknown"] > UNKNOWN_SHARE,
        **{name: bool(facts.get(name)) for name in ODD},
        "placeholder": facts["placeholder"],
    }
    if scored is not None:
        metrics = scored.metrics
        found["constant"] = facts["constant"]
        found["floor"] = not scored.learned
        found["below_majority"] = (
            "majority" in metrics and metrics["accuracy"] < metrics["majority"]
        )
    return [flag for flag, holds in found.items() if holds]
