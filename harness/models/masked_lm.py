"""Masked language modelling (Devlin et al. 2019, arXiv 1810.04805, section 3.1), a control beside
intermediate tasks.

A text is cut into consecutive chunks that fill the window; a chunk of fewer than two pieces has no
context and is left out. Of a chunk's pieces `mask_probability` (rounded, at least one) are to be
predicted: 80% of them are masked, 10% become another piece, 10% stay. Training draws them anew for
each update (RoBERTa, Liu et al. 2019, arXiv 1907.11692, section 4.1), evaluation from a hash of the
row's id, so that every arm answers the same questions.
"""

from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from harness.common.errors import SpecError
from harness.families.columns import Row
from harness.metrics.masked import Pieces
from harness.models import tagger as tagging
from harness.models.batching import stream_seed
from harness.models.half import Feature, Floats, TaskJson
from harness.models.loaded import LoadedEncoder

MASKED, REPLACED = 0.8, 0.1  # the rest stays as it is
ROWS_AT_ONCE = 1000  # articles: their pieces as Python ints would fill memory


def encode(
    rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
) -> list[Feature]:
    """One feature a chunk: `row`, input_ids (an int32 array); with training=False also what
    `corrupt` adds.

    raises  SpecError: the tokenizer has no mask
    """
    if encoder.tokenizer.mask_token_id is None:
        raise SpecError(
            f"mlm: the tokenizer of {encoder.folder} has no mask token; masked-LM cannot train this"
            " encoder"
        )
    before, _, after = encoder.template
    room = min(task["max_length"], encoder.max_length) - len(before) - len(after)

    features: list[Feature] = []
    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[first : first + ROWS_AT_ONCE]
        texts = encoder.pieces([row["text"] for row in some])
        for number, (row, pieces) in enumerate(zip(some, texts, strict=True), start=first):
            chunks = [pieces[start : start + room] for start in range(0, len(pieces), room)]
            own = [
                _feature(number, [*before, *chunk, *after], encoder)
                for chunk in chunks
                if len(chunk) > 1
            ]
            if not training:
                rng = np.random.default_rng(stream_seed("mlm", row["id"]))
                own = corrupt(own, rng, encoder, task)
            features += own
    return features


def _feature(row: int, ids: list[int], encoder: LoadedEncoder) -> Feature:
    feature: Feature = {"row": row, "input_ids": np.array(ids, dtype=np.int32)}
    if encoder.has_token_types:
        feature["token_type_ids"] = np.zeros(len(ids), dtype=np.int8)
    return feature


def corrupt(
    features: list[Feature], rng: np.random.Generator, encoder: LoadedEncoder, task: TaskJson
) -> list[Feature]:
    """Copies with some pieces hidden: input_ids (a list), `reads` (their positions, ascending),
    `labels` (what stood there)."""
    before, _, after = encoder.template
    tokenizer = encoder.tokenizer
    ordinary = np.setdiff1d(np.arange(len(tokenizer)), tokenizer.all_special_ids)
    corrupted = []
    for feature in features:
        ids = feature["input_ids"].copy()
        pieces = len(ids) - len(before) - len(after)
        # special tokens are never hidden
        count = max(1, round(pieces * task["options"]["mask_probability"]))
        at = len(before) + np.sort(rng.choice(pieces, size=count, replace=False))
        labels, draw = ids[at].tolist(), rng.random(count)
        # drawn for every place, used or not: the stream does not depend on what is drawn from it
        others = ordinary[rng.integers(len(ordinary), size=count)]
        ids[at] = np.where(
            draw < MASKED,
            tokenizer.mask_token_id,
            np.where(draw < MASKED + REPLACED, others, ids[at]),
        )
        corrupted.append(
            {**feature, "input_ids": ids.tolist(), "reads": at.tolist(), "labels": labels}
        )
    return corrupted


class _Given(nn.Module):
    """Stands where a masked-LM model has its encoder: the hidden states are already there."""

    def forward(
        self, input_ids: None = None, inputs_embeds: torch.Tensor | None = None, **_: Any
    ) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=inputs_embeds)


class _PieceHead(nn.Module):
    """The checkpoint's masked-LM head on given hidden states. What it shares with the encoder stays
    the encoder's own."""

    pretrained = True  # whoever draws new heads leaves this one alone

    def __init__(self, encoder: LoadedEncoder, body: PreTrainedModel):
        super().__init__()
        self.model = encoder.masked_lm()
        embedding = self.model.get_input_embeddings().weight
        setattr(self.model, self.model.base_model_prefix, _Given())
        getattr(self.model, self.model.base_model_prefix).__dict__["embeddings"] = getattr(
            body, "embeddings", None
        )
        # A parameter that is tied to another is no parameter of the head: it is read from its owner
        # at every call, so that it is optimised, moved and saved once. `__dict__`, since a module
        # registers what is assigned to it.
        owners: dict[int, tuple[nn.Module, str]] = {
            id(embedding): (body.get_input_embeddings(), "weight")
        }
        self.tied: list[tuple[nn.Module, str, nn.Module, str]] = []
        for module in self.model.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                owner = owners.setdefault(id(parameter), (module, name))
                if owner != (module, name):
                    del module._parameters[name]
                    self.tied.append((module, name, *owner))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states of the pieces to predict, (pieces, width) → logits (pieces, vocabulary).

        Not in training: (pieces,), the likeliest of each, since the logits of an evaluation would
        be a vocabulary a piece: 1 MB with XLM-R's.
        """
        for module, name, owner, theirs in self.tied:
            module.__dict__[name] = getattr(owner, theirs)
        logits: torch.Tensor = self.model(inputs_embeds=hidden[None]).logits[0]
        # as numbers exact up to 2^24 pieces
        return logits if self.training else logits.argmax(-1).float()


def head(encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float) -> nn.Module:
    """The encoder's own masked-LM head, its output tied to `body`'s embeddings as in pretraining;
    it has no dropout."""
    return _PieceHead(encoder, cast(PreTrainedModel, body))


def terms(features: list[Feature]) -> int:
    """One term a piece to predict."""
    return sum(len(feature["labels"]) for feature in features)


targets = tagging.targets  # `labels`: one a piece to predict
loss = tagging.loss


def decode(
    answers: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
) -> list[Pieces]:
    """Per row the ids of its hidden pieces, `gold` and `predicted`; empty lists for a text of fewer
    than two pieces."""
    predictions: list[Pieces] = [{"gold": [], "predicted": []} for _ in rows]
    for answer, feature in zip(answers, features, strict=True):
        predictions[feature["row"]]["gold"] += feature["labels"]
        predictions[feature["row"]]["predicted"] += [int(piece) for piece in answer]
    return predictions
