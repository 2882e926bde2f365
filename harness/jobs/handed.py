"""Weights that one job hands to the next: a whole model to those that evaluate it, an encoder to
the next training."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from harness.jobs.adapters import adapters_of, left_by, merge
from harness.jobs.context import Context
from harness.models import TaskModel, build
from harness.models.half import TaskJson
from harness.models.loaded import LoadedEncoder
from harness.store.job import WEIGHTS


def load_model(
    ctx: Context, encoder: LoadedEncoder, task: TaskJson, key: str, where: str
) -> TaskModel:
    """The model of one task that the train job `key` left."""
    path = ctx.store.path(key, WEIGHTS)
    # whatever the heads are drawn from, the file's weights take their place
    filled = not left_by(path)[1]
    model = build(encoder, {"": task}, 0.0, 0.0, seed=lambda name: 0, filled=filled)
    weights = load_file(path)
    if adapters := adapters_of(weights):
        merge(adapters, model.encoder)
        own = {f"encoder.{name}": tensor for name, tensor in model.encoder.state_dict().items()}
        weights = own | {name: of for name, of in weights.items() if name not in adapters}
    model.load_state_dict(weights)
    return model.to(where)


def hand_over(path: Path, body: torch.nn.Module, pooler: torch.nn.Module | None = None) -> None:
    """What an intermediate stage hands over: every weight of the encoder, its pooler if both have
    one, no head. Adapters are merged."""
    weights = load_file(path)
    merge(adapters_of(weights), body)
    for name, module in (("encoder.", body), ("pooler.", pooler)):
        own = {
            key.removeprefix(name): tensor
            for key, tensor in weights.items()
            if key.startswith(name)
        }
        if module is not None and own:
            module.load_state_dict(own)
