"""One or two texts in, one label out: XNLI, PAWS-X, MNLI, ...

A row is {id, text, text_pair?, label}.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from harness.common.strict import Strict
from harness.families.columns import Cells, Labels, Row
from harness.families.family import OneLabel, normalise

Head = Annotated[
    Literal["plain", "pooled", "native"],
    Field(
        description=(
            "plain: on the first token's hidden state (XTREME's XLM-R); pooled: on a pooler that an"
            " intermediate hands over; native: of BERT a linear layer on the pooler that it was"
            " pretrained with (XTREME's mBERT), of other encoders as plain"
        )
    ),
]


class ClassificationOptions(Strict):
    """One or two texts in, one of `labels` out."""

    head: Head = "plain"


class Classification(OneLabel):
    """Cross-entropy over `labels`."""

    name = "classification"
    version = 1
    group = "pair"
    half = "harness.models.classifier"
    transformers_head = "AutoModelForSequenceClassification"
    label_outputs = True
    hub_task = "text-classification"
    trained = True
    options = ClassificationOptions
    columns = frozenset({"text", "label"})
    optional = frozenset({"text_pair", "id"})
    answers = "label"
    head_options = frozenset({"head"})
    one_feature = True
    layout = "labels"

    def group_of(self, columns: Iterable[str]) -> str:
        """XTREME's are pairs; one text alone is another kind of task."""
        return self.group if "text_pair" in columns else "sentence"

    def row(self, cells: Cells, labels: Labels) -> Row:
        row = {"text": cells.text("text")}
        if "text_pair" in cells:
            row["text_pair"] = cells.text("text_pair")
        return row | {"label": labels.name(cells.value("label"))}

    def texts(self, row: Row) -> list[str]:
        return [row[name] for name in ("text", "text_pair") if row.get(name) is not None]

    def fingerprints(self, row: Row) -> set[str]:
        """A pair counts as one text: the same premise stands under many hypotheses."""
        texts = [normalise(text) for text in self.texts(row)]
        return {("pair:" if len(texts) > 1 else "text:") + "\t".join(texts)}


CLASSIFICATION = Classification()
