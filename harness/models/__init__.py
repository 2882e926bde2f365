"""What a family of tasks is, in code. One file a family, two protocols, one line each in the table
below.

`trained` families (classification, multiple_choice, tagging, span_qa, mlm) are modules with

    encode(rows, encoder, task, training)       → features: dicts with input_ids and what loss and
                                                decode need
    corrupt(features, rng, encoder, task)       → what an update sees of them (mlm only: its masks
                                                are drawn anew)
    head(encoder, body, task, dropout)          → torch module: hidden states (rows, tokens, width)
                                                → logits
    terms(features)                             → how many terms their loss sums; the batch's
                                                gradient is the mean over them
    loss(logits, features)                      → the summed loss of these features
    decode(logits, features, rows, task)        → one prediction a row (plain JSON)
    gold(row)                                   → what the metric compares a prediction with
    bits(logits, features, rows, task)          → −log2 of the probability of each row's gold
                                                (FamilySpec.bits)
    null_bits(training, rows, task)             → the same without any input: what is known from
                                                training labels alone

`embedded` families (retrieval, bitext_mining) have predict(embed, rows, task, dev) and gold(row):
nothing is trained. A feature may have `parts` (several texts: one a choice) and then says its
`length`; `truncated` says that text was cut. A change here that moves a result raises the family's
version in `spec/family.py`. `task` is the part of a task spec that a job carries: labels,
max_length, options, metric.
"""

from collections.abc import Callable

import torch
from torch import nn

from harness.models import chooser as multiple_choice
from harness.models import classifier as classification
from harness.models import masked_lm as mlm
from harness.models import pair_miner as bitext_mining
from harness.models import retriever as retrieval
from harness.models import span_reader as span_qa
from harness.models import tagger as tagging

TRAINED = {
    "classification": classification,
    "multiple_choice": multiple_choice,
    "tagging": tagging,
    "span_qa": span_qa,
    "mlm": mlm,
}
EMBEDDED = {"retrieval": retrieval, "bitext_mining": bitext_mining}
FAMILIES = TRAINED | EMBEDDED


INITIAL_STD = 0.02  # of new layers, as in BERT and RoBERTa (config.initializer_range)


class Pooler(nn.Module):
    """Dense and tanh over the first token, (rows, 1, width). An intermediate hands it over; jiant's
    heads sit on it."""

    def __init__(self, width: int):
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.dense(hidden[:, :1]))


class TaskModel(nn.Module):
    """An encoder with the heads of its tasks on top of its last hidden states, or of a pooler's
    (option `head: pooled`)."""

    def __init__(
        self,
        encoder: nn.Module,
        heads: list[nn.Module],
        pooler: nn.Module | None,
        pooled: list[bool],
    ):
        super().__init__()
        self.encoder, self.heads, self.pooler, self.pooled = (
            encoder,
            nn.ModuleList(heads),
            pooler,
            pooled,
        )

    def forward(self, batch: dict[str, torch.Tensor], head: int = 0) -> torch.Tensor:
        """Logits of one head for a padded batch. `predict` in it is the head's: which pieces
        masked-LM is to guess."""
        asked = {name: batch[name] for name in batch if name == "predict"}
        hidden = self.encoder(
            **{name: tensor for name, tensor in batch.items() if name not in asked}
        ).last_hidden_state
        return self.heads[head](self.pooler(hidden) if self.pooled[head] else hidden, **asked)


def build(
    encoder,
    tasks: dict[str, dict],
    dropout: float,
    attention_dropout: float,
    seed: Callable[[str], int],
) -> TaskModel:
    """The pretrained encoder under new heads, one a task. `seed(name)` seeds a task's head,
    `seed("pooler")` the pooler."""
    body = encoder.fresh(dropout, attention_dropout)
    heads, pooler = [], None
    pooled = [task["options"].get("head") == "pooled" for task in tasks.values()]
    with torch.random.fork_rng(devices=[]):
        for name, task in tasks.items():
            torch.manual_seed(seed(name))
            heads.append(TRAINED[task["family"]].head(encoder, body, task, dropout))
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
