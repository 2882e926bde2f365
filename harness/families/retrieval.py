"""Find a sentence's translation among all others by cosine: Tatoeba. Nothing is trained.

A row is {id, source, target}, a sentence and its English translation.
"""

from typing import Literal

from pydantic import Field

from harness.families.columns import Cells, Labels, Row
from harness.families.embedding import EmbeddingOptions
from harness.families.family import Family


class RetrievalOptions(EmbeddingOptions):
    """Nearest-neighbour search between sentences and their English translations; nothing is
    trained."""

    direction: Literal["english_to_foreign", "foreign_to_english"] = Field(
        "english_to_foreign", description="which side is the query; XTREME searches from English"
    )


class Retrieval(Family):
    """The first hit of each query is its answer."""

    name = "retrieval"
    version = 1
    group = "retrieval"
    half = "harness.models.retriever"
    hub_task = "sentence-similarity"
    trained = False
    options = RetrievalOptions
    columns = frozenset({"source", "target"})
    optional = frozenset({"id"})
    answers = "id"
    parts = "aligned"
    layout = "row numbers"
    centred = True

    def row(self, cells: Cells, labels: Labels) -> Row:
        return {"source": cells.text("source"), "target": cells.text("target")}

    def texts(self, row: Row) -> list[str]:
        return [row["source"], row["target"]]

    def gold(self, row: Row) -> str:
        """A row's translation is its own other side."""
        own: str = row["id"]
        return own


RETRIEVAL = Retrieval()
