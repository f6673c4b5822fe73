"""What a LoRA step costs in arithmetic, counted from the model's own matrices and the batch's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PEAK = 790e12
"""Bf16 matrix products a second that one H200 reached (field notes), in floating-point operations."""


@dataclass(frozen=True, kw_only=True)
class Matrices:
    """Weights that every token passes through; the head, which sees one place a prompt, is left out.

    Attributes:
        base: In the frozen linear layers.
        adapter: In the LoRA factors.
    """

    base: int
    adapter: int


def matrices_of(model: Any) -> Matrices:  # noqa: ANN401 - a transformers model with adapters
    """Count a model's matrices; a 4-bit layer by its widths, since its weights are packed."""
    import torch

    base = adapter = 0
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or name.endswith("lm_head"):
            continue
        size = module.in_features * module.out_features
        if "lora_A." in name or "lora_B." in name:
            adapter += size
        else:
            base += size
    return Matrices(base=base, adapter=adapter)


def step_operations(
    matrices: Matrices, tokens: int, *, recomputed: bool, embedded_first: bool = False
) -> dict[str, float]:
    """Return the floating-point operations of one optimiser step, attention's products left out (about 1 %).

    A frozen matrix costs 2 a weight and token forwards and 2 backwards (for its input alone); a trained factor 2 and 4.

    Args:
        matrices: Of the model.
        tokens: Real ones, padding not counted.
        recomputed: Gradient checkpointing does the forward pass once more.
        embedded_first: The cached loss embeds everything once without gradients before.

    Returns:
        `needed`: a forward and a backward pass; `done`: with what is computed again to save memory.
    """
    forward = 2.0 * (matrices.base + matrices.adapter) * tokens
    backward = (2.0 * matrices.base + 4.0 * matrices.adapter) * tokens
    return {"needed": forward + backward, "done": forward * (1 + recomputed + embedded_first) + backward}


def padded_tokens(batches: Sequence[Sequence[int]]) -> int:
    """Return the tokens of forward passes whose rows are padded to the longest: lengths of the rows of each pass."""
    return sum(len(lengths) * max(lengths) for lengths in batches if lengths)
