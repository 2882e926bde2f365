"""Hidden states of one layer, without running the layers above it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Hidden = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]


class _Reached(Exception):
    """The forward pass is where it was to go, with these hidden states."""

    def __init__(self, hidden: torch.Tensor):
        self.hidden = hidden


def hidden_at(body: "PreTrainedModel", layer: int) -> Hidden:
    """Batch → what transformers gives as `hidden_states[layer]`, to the last digit.

    layer  0: the embeddings; n: what the n-th layer gives; -1 and the like: from the end

    That is what the next layer reads, whatever stands between the two (DeBERTa's convolution), and
    no final norm is in it. So the pass ends there, and the layers above are taken out of `body`.
    The last layer's, and those of an architecture whose layers are not told, need the whole pass.
    """
    layers = _layers(body)
    count = len(layers) if layers is not None else 0
    at = layer if layer >= 0 else count + 1 + layer
    if layers is None or not 0 <= at < count:

        def whole(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
            hidden: torch.Tensor = body(**batch, output_hidden_states=True).hidden_states[layer]
            return hidden

        return whole

    del layers[at + 1 :]

    def reached(module: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, Any]) -> None:
        raise _Reached(inputs[0] if inputs else named["hidden_states"])

    layers[at].register_forward_pre_hook(reached, with_kwargs=True)

    def cut(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        try:
            body(**batch)
        except _Reached as end:
            return end.hidden
        raise AssertionError("a forward pass that does not come through its layers")

    return cut


def _layers(body: nn.Module) -> nn.ModuleList | None:
    """The encoder's layers: its one list of as many modules as its configuration says."""
    count = getattr(body.config, "num_hidden_layers", None)
    lists = [part for part in body.modules() if isinstance(part, nn.ModuleList)]
    found = [one for one in lists if len(one) == count]
    return found[0] if len(found) == 1 else None
