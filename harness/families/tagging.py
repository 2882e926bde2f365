"""One tag a word: UD-POS, PAN-X, CCG.

A row is {id, tokens, tags}, as many tags as tokens.
"""

from collections.abc import Sequence

from pydantic import Field, PositiveInt

from harness.common.strict import Strict
from harness.families.columns import Cells, Labels, Row, Unfit
from harness.families.family import Family


class TaggingOptions(Strict):
    """One label a word, predicted at the word's first piece. XTREME utils_tag.py sets both
    defaults."""

    max_word_pieces: PositiveInt = Field(
        125, description="a word with more subwords becomes one unknown token"
    )
    extra_separator: bool = Field(
        True,
        description=(
            "end as the first text of a pair does: XTREME gives RoBERTa-like encoders two"
            " separators, jiant one"
        ),
    )
    outside: bool = Field(
        True,
        description="prepend a class O if the labels lack it: XTREME has 18 for UD-POS, jiant 17",
    )


class Tagging(Family):
    """Cross-entropy at each word's first piece."""

    name = "tagging"
    version = 2  # 2: the separators and the extra class of XTREME
    group = "tagging"
    half = "harness.models.tagger"
    transformers_head = "AutoModelForTokenClassification"
    label_outputs = True
    hub_task = "token-classification"
    trained = True
    options = TaggingOptions
    columns = frozenset({"tokens", "tags"})
    optional = frozenset({"id"})
    answers = "tags"
    labelled = True
    bits = True
    head_options = frozenset({"outside"})
    sentences = True
    layout = "tags"

    def row(self, cells: Cells, labels: Labels) -> Row:
        """As many tags as tokens, and at least one."""
        tokens, tags = cells.texts("tokens", "token"), cells.entries("tags", "tag")
        if len(tags) != len(tokens):
            raise Unfit(f"has {len(tokens)} tokens but {len(tags)} tags")
        if not tokens:
            raise Unfit("has no tokens; leave such rows out")
        return {"tokens": tokens, "tags": labels.tags(tags)}

    def texts(self, row: Row) -> list[str]:
        """The sentence. One blank token in it is no harm, many corpora have some."""
        return [" ".join(row["tokens"])]

    def gold(self, row: Row) -> list[str]:
        """The sentence's tags."""
        tags: list[str] = row["tags"]
        return tags

    def labels(self, row: Row) -> list[str]:
        return self.gold(row)

    def relabelled(self, row: Row, labels: Sequence[str]) -> Row:
        return {**row, "tags": list(labels)}


TAGGING = Tagging()
