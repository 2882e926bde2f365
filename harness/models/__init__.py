"""The halves of families that wake torch, one file a family (what is in it: `half`), and the model
that they make together: an encoder under the heads of its tasks.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import PreTrainedModel

from harness.families import FAMILIES
from harness.models.classifier import on_a_pooler
from harness.models.half import Corrupting, Embedded, Measured, TaskJson, Trained
from harness.models.loaded import LoadedEncoder
from harness.models.packed import Packed, read

INITIAL_STD = 0.02  # of new layers, as in BERT and RoBERTa (config.initializer_range)


class Pooler(nn.Module):
    """Dense and tanh over the first token of each text, (texts, width). An intermediate hands it
    over; jiant's heads sit on it."""

    def __init__(self, width: int):
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dense(hidden))


class TaskModel(nn.Module):
    """An encoder with the heads of its tasks on top of its last hidden states, or of a pooler's
    (option `head`)."""

    encoder: PreTrainedModel
    heads: nn.ModuleList
    pooler: Pooler | None

    def __init__(
        self,
        encoder: PreTrainedModel,
        heads: list[nn.Module],
        pooler: Pooler | None,
        pooled: list[bool],
    ):
        super().__init__()
        self.encoder, self.heads = encoder, nn.ModuleList(heads)
        self.pooler, self.pooled = pooler, pooled

    def forward(self, batch: Packed, head: int = 0) -> torch.Tensor:
        """Logits of one head, of all that it reads of a batch."""
        hidden = read(self.encoder, batch)
        if self.pooler is not None and self.pooled[head]:
            hidden = self.pooler(hidden)
        logits: torch.Tensor = self.heads[head](hidden)
        return logits


def build(
    encoder: LoadedEncoder,
    tasks: Mapping[str, TaskJson],
    dropout: float,
    attention_dropout: float,
    seed: Callable[[str], int],
    filled: bool = True,
) -> TaskModel:
    """The pretrained encoder under new heads, one a task. `seed(name)` seeds a task's head,
    `seed("pooler")` the pooler. Not `filled`: the caller sets every weight of the encoder."""
    body = (encoder.fresh if filled else encoder.unfilled)(dropout, attention_dropout)
    heads: list[nn.Module] = []
    pooler = None
    pooled = [on_a_pooler(encoder, task) for task in tasks.values()]
    with torch.random.fork_rng(devices=[]):
        for name, task in tasks.items():
            torch.manual_seed(seed(name))
            heads.append(FAMILIES[task["family"]].trainer().head(encoder, body, task, dropout))
            if not getattr(heads[-1], "pretrained", False):
                _initialise(heads[-1])
        if any(pooled):
            torch.manual_seed(seed("pooler"))
            pooler = Pooler(encoder.config.hidden_size)
            _initialise(pooler)
            if weights := encoder.pretrained_pooler():
                pooler.dense.load_state_dict(weights)
    return TaskModel(body, heads, pooler, pooled)


def _initialise(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=INITIAL_STD)
            nn.init.zeros_(layer.bias)


if TYPE_CHECKING:  # mypy holds every file of the room against what it must have
    from harness.models import (
        chooser,
        classifier,
        masked_lm,
        pair_miner,
        retriever,
        span_reader,
        tagger,
    )

    _MEASURED: tuple[Measured, ...] = (classifier, chooser, tagger)
    _TRAINED: tuple[Trained, ...] = (*_MEASURED, span_reader, masked_lm)
    _CORRUPTING: tuple[Corrupting, ...] = (masked_lm,)
    _EMBEDDED: tuple[Embedded, ...] = (retriever, pair_miner)
