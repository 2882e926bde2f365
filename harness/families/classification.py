"""One or two texts in, one label out: XNLI, PAWS-X, MNLI, ...

The head is XTREME's (RobertaClassificationHead): dropout, dense, tanh, dropout, out, on the first token of the last layer.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def encode(rows: list[dict], encoder, task: dict, training: bool) -> list[dict]:
    """Tokenise; a pair that is too long loses pieces of the longer text first."""
    pairs = rows[0].get("text_pair") is not None
    encoded = encoder.tokenizer(
        [row["text"] for row in rows],
        [row["text_pair"] for row in rows] if pairs else None,
        truncation="longest_first",
        max_length=min(task["max_length"], encoder.max_length),
        return_attention_mask=False,
    )
    index = {label: i for i, label in enumerate(task["labels"])}
    features = []
    for i, row in enumerate(rows):
        feature = {name: encoded[name][i] for name in encoded if name in ("input_ids", "token_type_ids")}
        feature["label"] = index[row["label"]]
        features.append(feature)
    return features


class _Head(nn.Module):
    def __init__(self, width: int, labels: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.out = nn.Linear(width, labels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        first = self.dropout(hidden[:, 0])
        return self.out(self.dropout(torch.tanh(self.dense(first))))


def head(width: int, task: dict, dropout: float) -> nn.Module:
    """Logits of shape (rows, labels)."""
    return _Head(width, len(task["labels"]), dropout)


def terms(features: list[dict]) -> int:
    """One term a row."""
    return len(features)


def loss(logits: torch.Tensor, features: list[dict]) -> torch.Tensor:
    """Summed cross-entropy."""
    labels = torch.tensor([feature["label"] for feature in features], device=logits.device)
    return functional.cross_entropy(logits.float(), labels, reduction="sum")


def decode(logits: list[np.ndarray], features: list[dict], rows: list[dict], task: dict) -> list[str]:
    """The label with the highest logit."""
    return [task["labels"][int(row.argmax())] for row in logits]


def gold(row: dict) -> str:
    """The row's label."""
    return row["label"]
