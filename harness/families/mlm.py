"""Masked language modelling, the control of an intermediate: the same updates, no labels.

A row is {id, text}.
"""

from pydantic import Field

from harness.common.strict import Strict
from harness.families.columns import Cells, Labels, Row
from harness.families.family import Family


class MLMOptions(Strict):
    """Masked language modelling (Devlin et al. 2019, arXiv 1810.04805, section 3.1): 80% masked,
    10% random, 10% kept."""

    mask_probability: float = Field(
        0.15, gt=0, lt=1, description="share of the subwords to be predicted"
    )


class MaskedLM(Family):
    """Cross-entropy at the hidden pieces, by the encoder's own head."""

    name = "mlm"
    version = 1
    group = "masked-LM"
    half = "harness.models.masked_lm"
    hub_task = "fill-mask"
    trained = True
    options = MLMOptions
    columns = frozenset({"text"})
    optional = frozenset({"id"})
    answers = "pieces"
    difficulty = False
    looked_at = False

    def row(self, cells: Cells, labels: Labels) -> Row:
        return {"text": cells.text("text")}

    def texts(self, row: Row) -> list[str]:
        return [row["text"]]

    def gold(self, row: Row) -> str:
        """The row's id: what was hidden is known to the prediction alone, since it depends on the
        tokenizer."""
        own: str = row["id"]
        return own


MLM = MaskedLM()
