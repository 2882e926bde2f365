"""Word embeddings of which only the rows that occur in the training texts are trained. The result
is the full table's, within rounding.

XLM-R's table has 250,002 rows, half of its base model's weights; a task's English training texts
hold a few thousand. The gradient of the other rows is zero in every update. AdamW then does nothing
to a row but let it decay, by the same factor as every other, so that one number stands for all: the
product of the factors so far.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from harness.jobs.part import Part
from harness.models.half import Corrupting


class OccurringRows(nn.Embedding):
    """In training a table of the rows `occurring` (ascending ids, shape (n,)); else, and in its
    state, the full one. `weight` stays as it was read; its other rows count `shrunk` times."""

    occurring: torch.Tensor
    place: torch.Tensor  # id → row of the small table, -1 where it has none

    def __init__(self, table: nn.Embedding, occurring: torch.Tensor):
        rows, width = table.weight.shape
        weight, padding = table.weight.detach(), table.padding_idx
        super().__init__(rows, width, padding_idx=padding, _weight=weight, _freeze=True)
        # an id that was not announced is an error, not another row
        place = torch.full((self.num_embeddings,), -1)
        place[occurring] = torch.arange(len(occurring))
        self.register_buffer("occurring", occurring, persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.rows = nn.Parameter(self.weight[occurring])
        pad = -1 if padding is None else int(place[padding])
        self.pad = None if pad < 0 else pad
        self.shrunk = 1.0

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        place = self.place[ids]
        if self.training:
            return functional.embedding(place, self.rows, self.pad)
        others = super().forward(ids) * self.shrunk
        own = functional.embedding(place.clamp(min=0), self.rows)
        return torch.where((place < 0).unsqueeze(-1), others, own)

    def decay(self, share: float) -> None:
        """What an update whose rate × weight decay is `share` does to the rows that are not
        trained."""
        self.shrunk *= 1.0 - share

    @torch.no_grad()
    def full(self) -> torch.Tensor:
        """The whole table as it is now, shape (vocabulary, width)."""
        table = self.weight * self.shrunk
        return table.index_copy_(0, self.occurring, self.rows)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        del destination[f"{prefix}rows"]
        destination[f"{prefix}weight"] = self.full()


def narrow(encoder: PreTrainedModel, parts: list[Part], padding: int) -> OccurringRows | None:
    """Make `encoder` train only the word embeddings that the features of `parts` hold, and
    `padding`. None, and nothing done, where more would move (masks drawn anew in each update) or
    the table is one of a model's own kind (Gemma's is scaled)."""
    table = encoder.get_input_embeddings()
    drawn_anew = any(isinstance(part.half, Corrupting) for part in parts)
    if drawn_anew or type(table) is not nn.Embedding:
        return None
    # padding is no text, and stands in nearly every batch
    ids = {padding}
    for part in parts:
        for feature in part.features:
            for text in feature.get("parts", [feature]):
                ids.update(text["input_ids"])
    narrowed = OccurringRows(table, torch.tensor(sorted(ids)))
    encoder.set_input_embeddings(narrowed)
    return narrowed
