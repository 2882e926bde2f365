"""Low-rank adapters in place of the encoder's weights: put on, kept, merged. The package peft
trains them; to use them takes no package.

A result of such a training holds no encoder. It has, of each training of its chain in turn,

    adapters.N.LAYER.A, adapters.N.LAYER.B    (rank, inputs), (outputs, rank) of each adapted layer
    adapters.N.scale                          alpha/rank

beside heads and pooler as ever: a layer's weight is the pretrained one, and scale x B x A of each.
Where a training began with the weights of one that moved them all, its result holds them all too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from harness.jobs.context import JobError
from harness.spec.recipe import Lora

PREFIX = "adapters."
_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"
Weights = dict[str, torch.Tensor]


def adapters_of(weights: Weights) -> Weights:
    """Those of a result, of its whole chain."""
    return {name: tensor for name, tensor in weights.items() if name.startswith(PREFIX)}


def left_by(result: Path) -> tuple[Weights, bool]:
    """(the adapters of a result's chain, whether it has all weights of the encoder too)."""
    with safe_open(result, framework="pt") as stream:
        names = list(stream.keys())
        adapters = {n: stream.get_tensor(n) for n in names if n.startswith(PREFIX)}
    return adapters, any(name.startswith("encoder.") for name in names)


@torch.no_grad()
def merge(adapters: Weights, body: nn.Module) -> None:
    """Add what adapters have learned to the weights of an encoder."""
    _add(adapters, dict(body.named_parameters(remove_duplicate=False)))


def _add(adapters: Weights, weights: Mapping[str, torch.Tensor]) -> None:
    """Add scale x B x A to each adapted layer's weight, in place."""
    for name in sorted(adapters):
        layer, _, side = name.rpartition(".")
        if side != "A":
            continue
        number, path = layer.removeprefix(PREFIX).split(".", 1)
        scale = float(adapters[f"{PREFIX}{number}.scale"])
        weight = weights[f"{path}.weight"]
        weight.add_(scale * (adapters[f"{layer}.B"] @ adapters[name]).to(weight))


class Adapted:
    """A model whose encoder is frozen under new adapters.

    before  adapters of the trainings that came before, which are merged already
    whole   a training before moved all weights of the encoder: no file has them but the result
    """

    def __init__(
        self, body: nn.Module, lora: dict[str, Any], seed: int, before: Weights, whole: bool
    ):
        Lora.check_package()
        from peft import LoraConfig, inject_adapter_in_model

        self.body, self.before, self.whole = body, before, whole
        self.scale = lora["alpha"] / lora["rank"]
        config = LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=_linear(body, lora["targets"]),
        )
        body.requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # the same first adapters in every condition
            inject_adapter_in_model(config, body)

    @staticmethod
    def trained(state: Weights) -> Weights:
        """What of a model's state its training moves."""
        return {
            name: tensor
            for name, tensor in state.items()
            if not name.startswith("encoder.") or name.endswith((_A, _B))
        }

    def result(self, trained: Weights) -> Weights:
        """The weights of a result, from those that were trained."""
        count = len({name.split(".")[1] for name in self.before})
        found = {n: t for n, t in trained.items() if not n.startswith("encoder.")}
        own: Weights = {f"{PREFIX}{count}.scale": torch.tensor(self.scale)}
        for name, tensor in trained.items():
            path = name.removeprefix("encoder.")
            for ending, side in ((_A, "A"), (_B, "B")):
                if path.endswith(ending):
                    own[f"{PREFIX}{count}.{path.removesuffix(ending)}.{side}"] = tensor
        if not self.whole:
            return found | self.before | own
        return found | {f"encoder.{name}": of for name, of in self._merged(own).items()}

    def _merged(self, own: Weights) -> Weights:
        """All weights of the encoder, with the adapters in them, under its own names."""
        state = {
            name.replace(".base_layer.", "."): tensor.detach().cpu().clone()
            for name, tensor in self.body.state_dict().items()
            if not name.endswith((_A, _B))
        }
        _add(own, state)
        return state


def _linear(body: nn.Module, wanted: list[str]) -> list[str]:
    """The linear layers with one of these names, all without a name. JobError if a name fits
    none."""
    paths = [path for path, layer in body.named_modules() if isinstance(layer, nn.Linear)]
    if not wanted:
        return paths
    for name in wanted:
        if not any(path == name or path.endswith(f".{name}") for path in paths):
            there = ", ".join(sorted({path.rpartition(".")[2] for path in paths}))
            raise JobError(f"lora: targets: no linear layer is called {name}; there are {there}")
    return wanted
