"""Quantisers that need no other package: plain rounding to 4-bit integers, and 8-bit floats.

Both write compressed-tensors checkpoints, which vLLM reads. Rounding to integers is the baseline for calibrated methods
to beat; 8-bit floats (E4M3, a scale a row, activations scaled a token while running) lose little without calibration.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import write_json
from core.model_files import copy_companions, read_model_config, write_weights
from rerank.linear_layers import quantisable_layers
from rerank.packed_weights import pack
from rerank.weight_reader import open_weights

if TYPE_CHECKING:
    import torch

FP8_LARGEST = 448.0
_IGNORED = ["lm_head"]


def round_to_int4(weight: torch.Tensor, group_size: int, *, scale_dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Round a weight to the nearest of 16 levels a group, symmetric around 0.

    Args:
        weight: Shape (outputs, inputs), inputs a multiple of `group_size`.
        group_size: Neighbouring inputs that share a scale.
        scale_dtype: Type of the scales; rounding is done with the scale as it is kept.

    Returns:
        The parts of a `pack-quantized` layer: `weight_packed`, `weight_scale`, `weight_shape`.

    Raises:
        ValueError: The group size does not divide the inputs.
    """
    import torch

    outputs, inputs = weight.shape
    if inputs % group_size:
        raise ValueError(f"expected inputs that group size {group_size} divides, got {inputs}")
    groups = weight.float().reshape(outputs, -1, group_size)
    # -8 to 7: a step of largest / 7.5 uses the whole range, as compressed-tensors does.
    scale = (groups.abs().amax(dim=-1) / 7.5).to(scale_dtype)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    levels = (groups / scale.float()[:, :, None]).round().clamp(-8, 7).reshape(outputs, inputs)
    return {
        "weight_packed": pack((levels + 8).to(torch.int8)),
        "weight_scale": scale,
        "weight_shape": torch.tensor([outputs, inputs], dtype=torch.int64),
    }


def round_to_fp8(weight: torch.Tensor, *, scale_dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Round a weight to 8-bit floats (E4M3), a scale a row: `weight` and `weight_scale`, shape (outputs, 1)."""
    import torch

    wide = weight.float()
    scale = (wide.abs().amax(dim=1, keepdim=True) / FP8_LARGEST).to(scale_dtype)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    levels = (wide / scale.float()).clamp(-FP8_LARGEST, FP8_LARGEST).to(torch.float8_e4m3fn)
    return {"weight": levels, "weight_scale": scale}


def quantise_plainly(model: Path, output: Path, *, group_size: int | None, dtype: str) -> None:
    """Write a model with its linear layers (but the head) rounded; the other weights as `dtype`.

    Args:
        model: A plain model folder.
        output: The new folder, which does not exist yet.
        group_size: Of 4-bit integers; None rounds to 8-bit floats.
        dtype: Of scales and of what is not quantised: `bfloat16` or `float16`.

    Raises:
        ModelError: The model cannot be read.
        ValueError: The group size does not divide a layer's inputs.
    """
    import torch

    kind: torch.dtype = getattr(torch, dtype)
    with open_weights(model) as weights:
        layers = set(quantisable_layers(weights))

        def tensors() -> Iterator[tuple[str, torch.Tensor]]:
            for name in weights:
                tensor, layer = weights.get(name), name.removesuffix(".weight")
                if layer not in layers:
                    yield name, tensor.to(kind) if tensor.is_floating_point() else tensor
                elif group_size is None:
                    parts = round_to_fp8(tensor, scale_dtype=kind)
                    yield from ((f"{layer}.{part}", value) for part, value in parts.items())
                else:
                    parts = round_to_int4(tensor, group_size, scale_dtype=kind)
                    yield from ((f"{layer}.{part}", value) for part, value in parts.items())

        output.mkdir()
        write_weights(output, tensors())
    copy_companions(model, output)
    config = {**read_model_config(model), "dtype": dtype, "quantization_config": compressed_config(group_size)}
    write_json(output / "config.json", config)


def compressed_config(group_size: int | None) -> dict[str, Any]:
    """Return the `quantization_config` of a compressed-tensors checkpoint; see `quantise_plainly`."""
    floats = group_size is None
    form = "float-quantized" if floats else "pack-quantized"
    weights: dict[str, Any] = {"dynamic": False, "symmetric": True, "type": "float" if floats else "int"}
    weights |= (
        {"num_bits": 8, "strategy": "channel"}
        if floats
        else {"num_bits": 4, "strategy": "group", "group_size": group_size}
    )
    tokens = {"dynamic": True, "symmetric": True, "type": "float", "num_bits": 8, "strategy": "token"}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": tokens if floats else None}
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "quantization_status": "compressed",
        "config_groups": {"group_0": {**group, "output_activations": None, "format": form}},
        "ignore": _IGNORED,
        "kv_cache_scheme": None,
    }
