"""What a family of tasks is, in code. One file a family, two protocols, one line each in the table below.

`trained` families (classification, tagging, span_qa) are modules with

    encode(rows, encoder, task, training)       → features: dicts with input_ids and what loss and decode need
    head(width, task, dropout)                  → torch module: hidden states (rows, tokens, width) → logits
    terms(features)                             → how many terms their loss sums; the batch's gradient is the mean over them
    loss(logits, features)                      → the summed loss of these features
    decode(logits, features, rows, task)        → one prediction a row (plain JSON)
    gold(row)                                   → what the metric compares a prediction with

`embedded` families (retrieval) have predict(embed, rows, task) and gold(row): nothing is trained.
A change here that moves a result raises the family's version in `spec/family.py`.
`task` is the part of a task spec that a job carries: labels, max_length, options, metric.
"""

from typing import TYPE_CHECKING

from torch import nn

from harness.families import classification, retrieval, span_qa, tagging

if TYPE_CHECKING:
    import torch

TRAINED = {"classification": classification, "tagging": tagging, "span_qa": span_qa}
EMBEDDED = {"retrieval": retrieval}
FAMILIES = TRAINED | EMBEDDED


class TaskModel(nn.Module):
    """An encoder with a task's head on top of its last hidden states."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, batch: "dict[str, torch.Tensor]") -> "torch.Tensor":
        """Logits of the head for a padded batch."""
        return self.head(self.encoder(**batch).last_hidden_state)
