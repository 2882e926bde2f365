"""A model of transformers that was fine-tuned elsewhere, with its own head. Wakes torch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from harness.families import FAMILIES
from harness.models.loaded import LoadedEncoder
from harness.models.packed import Packed, arguments, padded, prepare_under_head
from harness.sources.outputs import as_answered, outputs_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class FinishedModel(nn.Module):
    """Logits as the family's own heads give them: classes in the order of the task's labels."""

    def __init__(self, model: "PreTrainedModel", choices: int | None, order: Sequence[int]):
        super().__init__()
        self.model, self.choices, self.order = model, choices, list(order)
        self.packs = prepare_under_head(model)

    def forward(self, packed: Packed, head: int = 0) -> torch.Tensor:
        """`head` is there for the shape of the call: it has one."""
        logits = self._of_packed(packed) if self.packs else self._of_padded(packed)
        return logits[..., self.order] if self.order else logits

    def _of_packed(self, packed: Packed) -> torch.Tensor:
        inputs = arguments(packed)
        if self.choices:  # transformers wants (rows, choices, tokens): here one row of one choice
            inputs |= {name: of[None] for name, of in packed.inputs.items()}
            inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        found = self.model(**inputs)
        if "start_logits" in found:
            return torch.cat([found.start_logits, found.end_logits], dim=-1)
        logits: torch.Tensor = found.logits
        if self.choices:
            return logits.view(-1, self.choices)
        return logits.flatten(0, -2)

    def _of_padded(self, packed: Packed) -> torch.Tensor:
        everything = list(range(len(packed.lengths)))
        batch = padded(packed, everything, self.model.config.pad_token_id)
        real = batch["attention_mask"].bool()
        if self.choices:  # (rows x choices, tokens), of which transformers wants three axes
            batch = {name: of.view(-1, self.choices, of.shape[-1]) for name, of in batch.items()}
        found = self.model(**batch)
        if "start_logits" in found:
            return torch.stack([found.start_logits, found.end_logits], dim=-1)[real]
        logits: torch.Tensor = found.logits
        return logits[real][packed.reads] if logits.ndim == 3 else logits  # of every token


def finished(
    encoder: LoadedEncoder, task: Mapping[str, Any], labels: Sequence[str]
) -> tuple[FinishedModel, dict[str, Any]]:
    """(the model of an encoder's folder with the head that is in it, the task as it answers it).

    labels  of its outputs in their order, where config.json does not name them
    raises  SpecError: as `as_answered`; the folder has no such head
    """
    named = outputs_of(encoder.config.to_dict())
    # transformers fills in LABEL_0, LABEL_1 where the file names none
    answered, order = as_answered(task, named, labels, encoder.files.encoder)
    family = FAMILIES[task["family"]]
    model = encoder.with_head(family.transformers_head or "")
    choices = len(task["labels"]) if "choices" in family.columns else None
    return FinishedModel(model, choices, order), answered
