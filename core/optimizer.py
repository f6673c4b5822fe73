"""AdamW whose matrices alone decay, and its learning-rate schedule, which knows no state but the step's number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


def learning_rate_share(
    step: int, *, total_steps: int, warmup: float, shape: Literal["linear", "cosine"] = "linear"
) -> float:
    """Return the share of the peak learning rate at a step: linear rise over the warm-up, then a fall to nought.

    Args:
        step: From 0.
        total_steps: Steps of the whole run.
        warmup: Share of the steps that rise, 0 to 1.
        shape: Of the fall.
    """
    rising = round(total_steps * warmup)
    if step < rising:
        return (step + 1) / rising
    left = (total_steps - step) / max(total_steps - rising, 1)
    return left if shape == "linear" else 0.5 * (1.0 - math.cos(math.pi * left))


def decayed_adamw(
    parameters: Iterable[torch.nn.Parameter], *, learning_rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) in which matrices decay, biases and norms (one dimension) do not."""
    import torch

    trained = list(parameters)
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    plain = [parameter for parameter in trained if parameter.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}], lr=learning_rate
    )
