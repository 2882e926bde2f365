"""Word embeddings of which only the rows that occur in the training texts are trained. The result
is the same, bit for bit.

XLM-R's table has 250,002 rows, half of its base model's weights; a task's English training texts
hold a few thousand. The gradient of the other rows is zero in every update, AdamW without weight
decay leaves such rows as they are, and so neither gradients nor moments of them are computed.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm
from transformers import PreTrainedModel

from harness.jobs.part import Part
from harness.models.half import Corrupting

# numbers a CPU handles at once, at most: a row that is a multiple of it is computed as it is inside
# the full table
LANES = 16


class OccurringRows(nn.Embedding):
    """In training a table of the rows `occurring` (ascending ids, shape (n,)); else, and in its
    state, the full one."""

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
        pad = -1 if table.padding_idx is None else int(place[table.padding_idx])
        self.pad = None if pad < 0 else pad
        self._full: torch.Tensor | None = None

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(ids)
        return functional.embedding(self.place[ids], self.rows, self.pad)

    def train(self, mode: bool = True) -> "OccurringRows":
        self.fill()
        return super().train(mode)

    @torch.no_grad()
    def fill(self) -> None:
        """Write the trained rows into the full table."""
        self.weight[self.occurring] = self.rows

    def full_gradient(self) -> torch.Tensor:
        """The gradient of the full table, shape (vocabulary, width); the same memory in each
        call."""
        if self._full is None:
            self._full = torch.zeros_like(self.weight)
        assert self.rows.grad is not None, "no backward pass yet"
        self._full[self.occurring] = self.rows.grad
        return self._full

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        self.fill()
        super()._save_to_state_dict(destination, prefix, keep_vars)
        del destination[f"{prefix}rows"]

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *others: Any
    ) -> None:
        weight = state_dict[f"{prefix}weight"]
        super()._load_from_state_dict(
            {**state_dict, f"{prefix}rows": weight[self.occurring.to(weight.device)]},
            prefix,
            *others,
        )


def narrow(
    encoder: PreTrainedModel, parts: list[Part], padding: int, weight_decay: float
) -> OccurringRows | None:
    """Make `encoder` train only the word embeddings that the features of `parts` hold, and
    `padding`. None, and nothing done, where more would move: weight decay, masks drawn anew in each
    update, a table that is scaled or of an odd width."""
    table = encoder.get_input_embeddings()
    drawn_anew = any(isinstance(part.half, Corrupting) for part in parts)
    if weight_decay or drawn_anew or type(table) is not nn.Embedding or table.embedding_dim % LANES:
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


def clip(model: nn.Module, narrowed: OccurringRows | None, most: float) -> None:
    """Scale the gradients so that their common norm is at most `most`, taken over the full table:
    the order of a sum counts."""
    if narrowed is None:
        clip_grad_norm_(model.parameters(), most)
        return
    full = narrowed.full_gradient()
    gradients = [
        full if p is narrowed.rows else p.grad for p in model.parameters() if p.grad is not None
    ]
    clip_grads_with_norm_(model.parameters(), most, get_total_norm(gradients))
