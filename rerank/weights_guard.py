"""Whether a quantised checkpoint still holds the model: its weights against the plain ones, layer by layer.

A quantiser can finish without a word and leave a destroyed model (AutoAWQ on a CPU). AWQ moves scales between a norm
and the layers that it feeds, so weights alone may differ; weight times norm may not, beyond rounding. That product is
compared, for the layers whose rows no method scales.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelError
from core.model_files import read_model_config
from rerank.dequantize import checkpoint_format, dequantised_layer, quantised_layers
from rerank.linear_layers import quantisable_layers
from rerank.weight_reader import WeightReader, open_weights

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

LARGEST_ERROR = 0.35
"""Relative to the weights' norm. Measured on SmolLM2 at group size 64: plain rounding at most 0.13, AWQ and GPTQ 0.18;
AutoAWQ on a CPU, unmended, 0.51 on average."""
_FED_BY = {
    "self_attn.q_proj": "input_layernorm",
    "self_attn.k_proj": "input_layernorm",
    "mlp.gate_proj": "post_attention_layernorm",
}


@dataclass(frozen=True, kw_only=True)
class WeightErrors:
    """How far a quantised model's weights are from the plain ones.

    Attributes:
        mean: Mean relative error of the layers compared.
        largest: The largest.
        layer: Where that is.
        compared: How many layers were compared.
    """

    mean: float
    largest: float
    layer: str
    compared: int


def check_weights(plain: Path, quantised: Path) -> WeightErrors | None:
    """Compare a quantised checkpoint with the plain model that it was made from.

    Args:
        plain: The plain model's folder.
        quantised: The checkpoint's folder.

    Returns:
        The errors; None where the model has no layers of the names known here (then only the gate sees damage).

    Raises:
        ModelError: Layers are missing, a weight is not finite, or a layer is not the model's any more.
    """
    form = checkpoint_format(quantised)
    errors: dict[str, float] = {}
    # Gemma's norms multiply by one more than their weight.
    shift = 1.0 if str(read_model_config(plain).get("model_type", "")).startswith("gemma") else 0.0
    with open_weights(plain) as before, open_weights(quantised) as after:
        layers = quantised_layers(after, form)
        missing = sorted(set(quantisable_layers(before)) - set(layers))
        if missing:
            raise ModelError(
                f"{quantised}: {len(missing)} of the model's linear layers were not quantised, for example {missing[0]}"
            )
        for layer in layers:
            weight = dequantised_layer(after, layer, form)
            if not bool(weight.isfinite().all()):
                raise ModelError(f"{quantised}: layer {layer} holds values that are not finite; quantise it again")
            if any(layer.endswith(ending) for ending in _FED_BY):
                errors[layer] = _relative_error(before, after, layer, weight, shift)
    if not errors:
        logger.info("%s: its layers have other names than those compared here; the gate alone judges", quantised)
        return None
    worst = max(errors, key=lambda name: errors[name])
    if errors[worst] > LARGEST_ERROR:
        raise ModelError(
            f"{quantised}: the weights are not the model's any more: layer {worst} differs by {errors[worst]:.2f} of "
            f"its size (rounding makes about 0.1, accepted is {LARGEST_ERROR}). The quantiser failed without a word; "
            "use another back end, or the versions pinned in environments/"
        )
    mean = sum(errors.values()) / len(errors)
    return WeightErrors(mean=mean, largest=errors[worst], layer=worst, compared=len(errors))


def _relative_error(before: WeightReader, after: WeightReader, layer: str, weight: torch.Tensor, shift: float) -> float:
    ending = next(ending for ending in _FED_BY if layer.endswith(ending))
    norm = f"{layer.removesuffix(ending)}{_FED_BY[ending]}.weight"
    plain = before.get(f"{layer}.weight").float()
    if norm in before and norm in after:
        plain, weight = plain * (before.get(norm).float() + shift), weight * (after.get(norm).float() + shift)
    return float((weight - plain).norm() / plain.norm().clamp(min=1e-12))
