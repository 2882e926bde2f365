"""A text and several continuations, one of them right: HellaSwag, CosmosQA, CommonsenseQA.

Each choice is read with the text as a pair, so that a row is as many sequences as it has choices.
The head scores each, a softmax over a row's choices decides (Zellers et al. 2019, arXiv 1905.07830,
section 4).
"""

import math

import torch
from torch import nn

from harness.common.errors import SpecError
from harness.models import classifier as classification


def encode(rows: list[dict], encoder, task: dict, training: bool) -> list[dict]:
    """One feature a row: `parts`, a sequence for each choice; `length`, the padded tokens of them
    all.

    raises  SpecError: a row with more or fewer choices than the task has labels
    """
    index = {label: i for i, label in enumerate(task["labels"])}
    for row in rows:
        if len(row["choices"]) != len(index):
            raise SpecError(
                f"row {row['id']!r} has {len(row['choices'])} choices, but its task has"
                f" {len(index)} labels; every row needs one choice a label"
            )
    texts = encoder.tokenizer([row["text"] for row in rows], add_special_tokens=False)["input_ids"]
    choices = encoder.tokenizer(
        [c for row in rows for c in row["choices"]], add_special_tokens=False
    )["input_ids"]
    limit = min(task["max_length"], encoder.max_length) - sum(map(len, encoder.template))
    features = []
    for number, row in enumerate(rows):
        pairs = [
            (texts[number], choice)
            for choice in choices[number * len(index) : (number + 1) * len(index)]
        ]
        kept = [_cut(*pair, limit, task["options"]["truncate"]) for pair in pairs]
        parts = [classification.joined(*pair, encoder) for pair in kept]
        feature = {"parts": parts, "label": index[row["label"]]}
        feature["length"] = len(parts) * max(len(part["input_ids"]) for part in parts)
        if kept != pairs:
            feature["truncated"] = True
        features.append(feature)
    return features


def _cut(first: list[int], second: list[int], room: int, end: str) -> tuple[list[int], list[int]]:
    """Both texts in `room` places: piece by piece from the longer, from the first where they are
    equal, as jiant cuts.

    `end` is where pieces go: jiant drops the front of both texts, so that the words next to the
    choice stay.
    """
    a = min(len(first), max(room // 2, room - len(second)))
    b = min(len(second), room - a)
    return (
        (first[len(first) - a :], second[len(second) - b :])
        if end == "front"
        else (first[:a], second[:b])
    )


class _Head(nn.Module):
    def __init__(self, width: int, choices: int, dropout: float):
        super().__init__()
        self.choices = choices
        self.score = classification.Head(width, 1, dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.score(hidden).view(-1, self.choices)


def head(encoder, body: nn.Module, task: dict, dropout: float) -> nn.Module:
    """Hidden states (rows x choices, tokens, width) → logits (rows, choices): classification's head
    with one output."""
    return _Head(encoder.config.hidden_size, len(task["labels"]), dropout)


# From the logits on a choice is a label: cross-entropy over a row's choices, summed over rows; the
# highest is the answer.
terms = classification.terms
loss = classification.loss
decode = classification.decode
bits = classification.bits


def null_bits(training: list[dict], rows: list[dict], task: dict) -> list[float]:
    """Without a text all choices look alike to a head that scores each by itself: log2 of their
    number."""
    return [math.log2(len(task["labels"]))] * len(rows)
