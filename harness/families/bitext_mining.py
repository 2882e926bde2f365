"""Find the pairs of translations among two heaps of sentences: BUCC 2018. Nothing is trained.

A row is {id, side: "source" or "target", text, pairs: ids of its translations, [] on the target
side}; `sources.read.heaps` makes it of three files, not of the cells of one.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, PositiveInt

from harness.families.columns import Cells, Labels, Row, Unfit
from harness.families.embedding import EmbeddingOptions
from harness.families.family import Family


class BitextMiningOptions(EmbeddingOptions):
    """Pairs of translations among two heaps of sentences; nothing is trained. Defaults: XTREME's
    utils_retrieve.py."""

    margin: Literal["ratio", "distance", "absolute"] = Field(
        "ratio", description="how a cosine is held against the neighbours'"
    )
    retrieval: Literal["max", "intersect", "forward", "backward"] = Field(
        "max", description="which side may propose a pair"
    )
    neighbours: PositiveInt = 4
    duplicates: Literal["drop", "all"] = Field(
        "drop",
        description=(
            "a text that occurs twice on its side: no id is given (XTREME), or all of them are"
            " (jiant)"
        ),
    )


class BitextMining(Family):
    """Pairs whose margin score is above a threshold, which dev pairs of the language set."""

    name = "bitext_mining"
    version = 1
    group = "retrieval"
    half = "harness.models.pair_miner"
    hub_task = "sentence-similarity"
    trained = False
    options = BitextMiningOptions
    columns = frozenset()
    answers = "pairs"
    tuned = True
    parts = "heaps"
    layout = "pairs"
    facts = frozenset({"candidates", "threshold", "dev_f1"})
    known_gold = "has a pair"

    def row(self, cells: Cells, labels: Labels) -> Row:
        raise Unfit("is of no use alone; bitext_mining reads two heaps of sentences")

    def texts(self, row: Row) -> list[str]:
        return [row["text"]]

    def gold(self, row: Row) -> list[str]:
        """The ids of a sentence's translations; pairs stand at the source side."""
        pairs: list[str] = row["pairs"]
        return pairs

    def placeholder(self, rows: Sequence[Row]) -> bool:
        return not any(row["pairs"] for row in rows)


BITEXT_MINING = BitextMining()
