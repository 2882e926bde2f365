"""A text and several continuations, one of them right: HellaSwag, CosmosQA, CommonsenseQA.

Each choice is read with the text as a pair, so that a row is as many sequences as it has choices.
The head scores each, a softmax over a row's choices decides (Zellers et al. 2019, arXiv 1905.07830,
section 4).
"""

import math

import torch
from torch import nn

from harness.common.errors import SpecError
from harness.families.columns import Row
from harness.models import classifier as classification
from harness.models.half import Feature, TaskJson
from harness.models.loaded import LoadedEncoder


def encode(
    rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
) -> list[Feature]:
    """One feature a row: `parts`, a sequence for each choice; `length`, the tokens of them all.

    raises  SpecError: a row with more or fewer choices than the task has labels
    """
    index = {label: i for i, label in enumerate(task["labels"])}
    for row in rows:
        if len(row["choices"]) != len(index):
            raise SpecError(
                f"row {row['id']!r} has {len(row['choices'])} choices, but its task has"
                f" {len(index)} labels; every row needs one choice a label"
            )
    texts = encoder.pieces([row["text"] for row in rows])
    choices = encoder.pieces([choice for row in rows for choice in row["choices"]])
    limit = min(task["max_length"], encoder.max_length) - sum(map(len, encoder.template))
    features = []
    for number, row in enumerate(rows):
        own = choices[number * len(index) : (number + 1) * len(index)]
        pairs = [(texts[number], choice) for choice in own]
        kept = [_cut(*pair, limit, task["options"]["truncate"]) for pair in pairs]
        parts = [classification.joined(*pair, encoder) for pair in kept]
        feature: Feature = {"parts": parts, "label": index[row["label"]]}
        feature["length"] = sum(len(part["input_ids"]) for part in parts)
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
    if end == "front":
        return first[len(first) - a :], second[len(second) - b :]
    return first[:a], second[:b]


class _ChoiceHead(nn.Module):
    def __init__(self, score: nn.Module, choices: int):
        super().__init__()
        self.choices, self.score = choices, score

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.score(hidden)
        return scores.view(-1, self.choices)


def head(encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float) -> nn.Module:
    """Hidden states (rows x choices, width) → logits (rows, choices): classification's head with
    one output."""
    return _ChoiceHead(classification.scorer(encoder, task, 1, dropout), len(task["labels"]))


# From the logits on a choice is a label: cross-entropy over a row's choices, summed over rows; the
# highest is the answer.
terms = classification.terms
targets = classification.targets
loss = classification.loss
decode = classification.decode
bits = classification.bits


def null_bits(training: list[Row], rows: list[Row], task: TaskJson) -> list[float]:
    """Without a text all choices look alike to a head that scores each by itself: log2 of their
    number."""
    return [math.log2(len(task["labels"]))] * len(rows)
