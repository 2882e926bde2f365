"""One or two texts in, one label out: XNLI, PAWS-X, MNLI, ...

The head is XTREME's (RobertaClassificationHead): dropout, dense, tanh, dropout, out, on the first
token of the last layer.
"""

from collections import Counter

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def encode(rows: list[dict], encoder, task: dict, training: bool) -> list[dict]:
    """Tokenise; a pair that is too long loses pieces of the longer text first. `truncated` marks
    what was cut."""
    index = {label: i for i, label in enumerate(task["labels"])}
    before, middle, after = encoder.template
    limit = min(task["max_length"], encoder.max_length) - len(before) - len(after)
    texts = encoder.tokenizer([row["text"] for row in rows], add_special_tokens=False)["input_ids"]
    seconds: list = [None] * len(rows)
    if rows[0].get("text_pair") is not None:
        seconds = encoder.tokenizer([row["text_pair"] for row in rows], add_special_tokens=False)[
            "input_ids"
        ]
    features = []
    for row, first, second in zip(rows, texts, seconds, strict=True):
        if second is None:
            kept = first[:limit], None
        else:
            sizes = longest_first(len(first), len(second), limit - len(middle))
            kept = first[: sizes[0]], second[: sizes[1]]
        feature = joined(*kept, encoder) | {"label": index[row["label"]]}
        if kept != (first, second):
            feature["truncated"] = True
        features.append(feature)
    return features


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many pieces of each text stay in `room` places: the longer loses until both are equal,
    then both do.

    An odd place goes to the longer text, between equals to the second. That is `longest_first` of
    fast tokenizers, whose ids these are; theirs is not called, since it also builds every cut-off
    part, which costs more than all the rest.
    """
    if first > second:
        second, first = longest_first(second, first, room)
        return first, second
    first = min(first, max(room // 2, room - second))
    return first, min(second, room - first)


def joined(first: list[int], second: list[int] | None, encoder) -> dict:
    """Pieces of one text, or of two, between the encoder's special tokens: input_ids,
    token_type_ids if it has them."""
    before, middle, after = encoder.template
    lead = [*before, *first] if second is None else [*before, *first, *middle]
    rest = [*after] if second is None else [*second, *after]
    feature = {"input_ids": lead + rest}
    if encoder.has_token_types:
        feature["token_type_ids"] = [0] * len(lead) + [0 if second is None else 1] * len(rest)
    return feature


class Head(nn.Module):
    """Hidden states (rows, tokens, width) → (rows, labels), from the first token."""

    def __init__(self, width: int, labels: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.out = nn.Linear(width, labels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        first = self.dropout(hidden[:, 0])
        return self.out(self.dropout(torch.tanh(self.dense(first))))


def head(encoder, body: nn.Module, task: dict, dropout: float) -> nn.Module:
    """Logits of shape (rows, labels)."""
    return Head(encoder.config.hidden_size, len(task["labels"]), dropout)


def terms(features: list[dict]) -> int:
    """One term a row."""
    return len(features)


def loss(logits: torch.Tensor, features: list[dict]) -> torch.Tensor:
    """Summed cross-entropy."""
    labels = torch.tensor([feature["label"] for feature in features], device=logits.device)
    return functional.cross_entropy(logits.float(), labels, reduction="sum")


def decode(
    logits: list[np.ndarray], features: list[dict], rows: list[dict], task: dict
) -> list[str]:
    """The label with the highest logit."""
    return [task["labels"][int(row.argmax())] for row in logits]


def bits(
    logits: list[np.ndarray], features: list[dict], rows: list[dict], task: dict
) -> list[float]:
    """Per row −log2 of the probability of its label."""
    return [
        float(code_lengths(row)[feature["label"]])
        for row, feature in zip(logits, features, strict=True)
    ]


def null_bits(training: list[dict], rows: list[dict], task: dict) -> list[float]:
    """Per row −log2 of its label's share of the training rows, one added to each count."""
    return label_bits(
        [row["label"] for row in training], [row["label"] for row in rows], task["labels"]
    )


def code_lengths(logits: np.ndarray) -> np.ndarray:
    """−log2 of the softmax over the last axis; float64."""
    logits = logits.astype(np.float64)
    peak = logits.max(-1, keepdims=True)
    return (np.log(np.exp(logits - peak).sum(-1, keepdims=True)) + peak - logits) / np.log(2)


def label_bits(known: list[str], asked: list[str], labels: list[str]) -> list[float]:
    """−log2 of each asked label's share of the known ones.

    A model that is trained on the same labels without any input (Ethayarajh et al. 2022, section 2)
    can only come to these shares, so they stand for it. One is added to each count, since a label
    may be missing.
    """
    counts = Counter(known)
    total = len(known) + len(labels)
    return [float(np.log2(total / (counts[label] + 1))) for label in asked]
