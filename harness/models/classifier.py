"""One or two texts in, one label out: XNLI, PAWS-X, MNLI, ...

The head is XTREME's (RobertaClassificationHead): dropout, dense, tanh, dropout, out, on the first
token of the last layer; of BERT, where `head: native` asks for it, that of
BertForSequenceClassification: dropout and out, on the pretrained pooler.
"""

from collections import Counter

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from harness.families.columns import Row
from harness.models.half import Feature, Floats, Targets, TaskJson
from harness.models.loaded import LoadedEncoder


def encode(
    rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
) -> list[Feature]:
    """Tokenise; a pair that is too long loses pieces of the longer text first. `truncated` marks
    what was cut."""
    index = {label: i for i, label in enumerate(task["labels"])}
    before, middle, after = encoder.template
    limit = min(task["max_length"], encoder.max_length) - len(before) - len(after)

    texts = encoder.pieces([row["text"] for row in rows])
    seconds: list[list[int]] | list[None] = [None] * len(rows)
    if rows[0].get("text_pair") is not None:
        seconds = encoder.pieces([row["text_pair"] for row in rows])

    features = []
    for row, first, second in zip(rows, texts, seconds, strict=True):
        kept: tuple[list[int], list[int] | None] = first[:limit], None
        if second is not None:
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
    # the rule for a shorter first text; the other case is its mirror
    if first > second:
        second, first = longest_first(second, first, room)
        return first, second
    first = min(first, max(room // 2, room - second))
    return first, min(second, room - first)


def joined(first: list[int], second: list[int] | None, encoder: LoadedEncoder) -> Feature:
    """Pieces of one text, or of two, between the encoder's special tokens: input_ids,
    token_type_ids if it has them."""
    before, middle, after = encoder.template
    # segment ids: what stands before the second text is of the first one
    lead = [*before, *first] if second is None else [*before, *first, *middle]
    rest = [*after] if second is None else [*second, *after]
    feature: Feature = {"input_ids": lead + rest}
    if encoder.has_token_types:
        feature["token_type_ids"] = [0] * len(lead) + [0 if second is None else 1] * len(rest)
    return feature


class Head(nn.Module):
    """Hidden states of first tokens, (rows, width) → (rows, labels)."""

    def __init__(self, width: int, labels: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.out = nn.Linear(width, labels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        first = self.dropout(hidden)
        logits: torch.Tensor = self.out(self.dropout(torch.tanh(self.dense(first))))
        return logits


class LinearHead(nn.Module):
    """The same without a dense layer of its own: what it stands on, a pooler, has one; a tagger's
    words need none."""

    def __init__(self, width: int, labels: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, labels)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.dropout(hidden))
        return logits


def on_a_pooler(encoder: LoadedEncoder, task: TaskJson) -> bool:
    """Whether a task's head stands on the model's pooler."""
    return task["options"].get("head") == "pooled" or _of_bert(encoder, task)


def _of_bert(encoder: LoadedEncoder, task: TaskJson) -> bool:
    return bool(task["options"].get("head") == "native" and encoder.config.model_type == "bert")


def scorer(encoder: LoadedEncoder, task: TaskJson, outputs: int, dropout: float) -> nn.Module:
    """The head that a task's option `head` names, of so many outputs."""
    kind = LinearHead if _of_bert(encoder, task) else Head
    return kind(encoder.config.hidden_size, outputs, dropout)


def head(encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float) -> nn.Module:
    """Logits of shape (rows, labels)."""
    return scorer(encoder, task, len(task["labels"]), dropout)


def terms(features: list[Feature]) -> int:
    """One term a row."""
    return len(features)


def targets(features: list[Feature]) -> dict[str, torch.Tensor]:
    """`labels`: one a row."""
    return {"labels": torch.tensor([feature["label"] for feature in features])}


def loss(logits: torch.Tensor, targets: Targets) -> torch.Tensor:
    """Summed cross-entropy."""
    return functional.cross_entropy(logits.float(), targets["labels"], reduction="sum")


def decode(
    logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[str]:
    """The label with the highest logit."""
    return [task["labels"][int(row.argmax())] for row in logits]


def bits(
    logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[float]:
    """Per row −log2 of the probability of its label."""
    return [
        float(code_lengths(row)[feature["label"]])
        for row, feature in zip(logits, features, strict=True)
    ]


def null_bits(training: list[Row], rows: list[Row], task: TaskJson) -> list[float]:
    """Per row −log2 of its label's share of the training rows, one added to each count."""
    return label_bits(
        [row["label"] for row in training], [row["label"] for row in rows], task["labels"]
    )


def code_lengths(logits: Floats) -> npt.NDArray[np.float64]:
    """−log2 of the softmax over the last axis; float64."""
    exact = logits.astype(np.float64)
    peak = exact.max(-1, keepdims=True)
    nats: npt.NDArray[np.float64] = np.log(np.exp(exact - peak).sum(-1, keepdims=True))
    bits: npt.NDArray[np.float64] = (nats + peak - exact) / np.log(2)
    return bits


def label_bits(known: list[str], asked: list[str], labels: list[str]) -> list[float]:
    """−log2 of each asked label's share of the known ones.

    A model that is trained on the same labels without any input (Ethayarajh et al. 2022, section 2)
    can only come to these shares, so they stand for it. One is added to each count, since a label
    may be missing.
    """
    counts = Counter(known)
    total = len(known) + len(labels)
    return [float(np.log2(total / (counts[label] + 1))) for label in asked]
