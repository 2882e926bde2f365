"""AdamW over a clipped gradient, at a rate that warms up and falls to 0. Nothing here waits for the
device."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm


def adamw(model: nn.Module, recipe: dict[str, Any]) -> torch.optim.AdamW:
    """The optimizer of all that is trained; biases and LayerNorms do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": recipe["weight_decay"]},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=recipe["learning_rate"], eps=recipe["adam_epsilon"], fused=True
    )


def rate(recipe: dict[str, Any], updates: int, update: int) -> float:
    """The learning rate of an update (from 0) of so many; 0 after the last one."""
    warmup = recipe["warmup_updates"] or int(recipe["warmup"] * updates)
    if update < warmup:
        share = update / warmup
    else:
        share = max(0.0, (updates - update) / max(1, updates - warmup))
    return float(recipe["learning_rate"] * share)


def step(optimizer: torch.optim.AdamW, learning_rate: float, most: float) -> torch.Tensor:
    """One step, over the gradient scaled so that its norm is at most `most`; then there is none.

    Returns the norm that it had, shape (), on the device.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    if norm.device.type == "mps":
        clip_grads_with_norm_(parameters, most, norm)
    else:
        # The fused kernel divides by it as it reads a gradient: to clip costs no pass of its own.
        scale = ((norm + 1e-6) / most).clamp(min=1.0)
        setattr(optimizer, "grad_scale", scale)  # noqa: B010 - torch's GradScaler sets it so too
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
