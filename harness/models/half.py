"""What the half of a family that wakes torch must have: the functions of one module.

Features are dicts with `input_ids` and what the module's own loss and decode need. `reads` says at
which positions the head looks, `whole` that it looks at all; without either it looks at the first
token. One may have `parts` (several texts: one a choice) and then says its `length`; `truncated`
says that text was cut, `row` which row it is of, if it is not the one in its place. `task` is the
part of a task spec that a job carries: family, labels, max_length, options, metric. A change that
moves a result raises the family's version.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.families.columns import Row
from harness.families.ranking import Candidate
from harness.metrics.knn import Search
from harness.models.loaded import LoadedEncoder

Feature = dict[str, Any]  # each family's own
TaskJson = Mapping[str, Any]  # as a job's JSON has it; options are each family's own
Targets = Mapping[str, torch.Tensor]  # a family's own
Floats = npt.NDArray[np.float32]


class Embed(Protocol):
    """Makes vectors."""

    def __call__(self, texts: list[str], passages: bool = False) -> Floats:
        """Texts → (n, width), an array that nobody else holds. `passages`: of a family with the
        option `passage_prompt`, they get that one."""
        ...


class Trained(Protocol):
    """Of a family that is trained."""

    def encode(
        self, rows: list[Row], encoder: LoadedEncoder, task: TaskJson, training: bool
    ) -> list[Feature]:
        """What the encoder reads. Rows that training can do nothing with have no feature."""

    def head(
        self, encoder: LoadedEncoder, body: nn.Module, task: TaskJson, dropout: float
    ) -> nn.Module:
        """Hidden states (n, width) of all that the features read → logits, in that order."""

    def terms(self, features: list[Feature]) -> int:
        """How many terms their loss sums; the batch's gradient is the mean over them."""

    def targets(self, features: list[Feature]) -> Targets:
        """What `loss` holds the logits of these features against."""

    def loss(self, logits: torch.Tensor, targets: Targets) -> torch.Tensor:
        """The summed loss of the features that both are of. On a GPU nothing in it waits for a
        number."""

    def decode(
        self, logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
    ) -> list[Any]:
        """One prediction a row, plain JSON, as the family's metrics take it. Of each feature its
        logits: (reads, ...), or one row where it reads its first token."""


@runtime_checkable
class Corrupting(Trained, Protocol):
    """Of one whose features are drawn anew for every update (masked-LM)."""

    def corrupt(
        self,
        features: list[Feature],
        rng: np.random.Generator,
        encoder: LoadedEncoder,
        task: TaskJson,
    ) -> list[Feature]:
        """What an update sees of them."""


@runtime_checkable
class Measured(Trained, Protocol):
    """Of one that says how probable a row's gold was (`Family.bits`)."""

    def bits(
        self, logits: list[Floats], features: list[Feature], rows: list[Row], task: TaskJson
    ) -> list[float]:
        """Per row −log2 of the probability of its gold."""

    def null_bits(self, training: list[Row], rows: list[Row], task: TaskJson) -> list[float]:
        """The same without any input: what is known from training labels alone."""


class Ranked(Protocol):
    """Of a family that ranks one pool of candidates for every query; nothing is trained."""

    def texts(self, pool: Sequence[Candidate], task: TaskJson) -> list[str]:
        """What of each candidate is embedded."""

    def ranked(
        self,
        queries: Floats,
        vectors: Floats,
        pool: Sequence[Candidate],
        nearest: Search | None = None,
    ) -> list[list[str]]:
        """Per query the ids of its nearest candidates, by a `search` as of `knn`; `vectors` are the
        pool's, of unit length."""


class Embedded(Protocol):
    """Of a family that finds sentences by their vectors; nothing is trained."""

    def predict(
        self,
        embed: Embed,
        rows: list[Row],
        task: TaskJson,
        dev: Sequence[Row],
        nearest: Search | None = None,
    ) -> tuple[list[Any], dict[str, Any]]:
        """One prediction a row, and facts about the language (`Family.facts`); of a family that is
        `centred` also `centred`, the predictions after centring."""
