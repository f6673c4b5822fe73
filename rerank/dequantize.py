"""A quantised checkpoint becomes plain weights: what its kernels compute with, for machines without those kernels.

Reads what the back ends of `rerank.quantize` write: compressed-tensors (`pack-quantized` 4-bit integers,
`float-quantized` 8-bit floats) and AWQ (GEMM), the form auto-round is asked for too. vLLM's CPU build computes with
4-bit weights on AVX512 only; on other machines a quantised model is checked through these weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.artifacts import atomic_path, write_json
from core.disk import full_disk_told
from core.errors import ModelError
from core.model_files import copy_companions, read_model_config, write_weights
from rerank.packed_weights import dequantise_awq, dequantise_compressed
from rerank.weight_reader import WeightReader, open_weights

if TYPE_CHECKING:
    import torch

Format = Literal["pack-quantized", "float-quantized", "awq"]
FORMATS: tuple[Format, ...] = ("pack-quantized", "float-quantized", "awq")
_ENDINGS: dict[Format, str] = {
    "pack-quantized": ".weight_packed",
    "float-quantized": ".weight_scale",
    "awq": ".qweight",
}
_BESIDE: dict[Format, tuple[str, ...]] = {
    "pack-quantized": (".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_shape", ".weight_g_idx"),
    "float-quantized": (".weight", ".weight_scale", ".input_scale"),
    "awq": (".qweight", ".qzeros", ".scales"),
}


def quantization_config(folder: Path) -> dict[str, Any] | None:
    """Return what a model's config says of its quantisation; None where the weights are plain.

    Raises:
        ModelError: There is no config, or it is no JSON.
    """
    found = read_model_config(folder).get("quantization_config")
    return found if isinstance(found, dict) else None


def checkpoint_format(folder: Path) -> Format:
    """Return which of the formats read here a checkpoint has.

    Raises:
        ModelError: It is not quantised, or in another way.
    """
    config = quantization_config(folder)
    if config is None:
        raise ModelError(f"{folder}: expected a quantised model, its config.json has no quantization_config")
    method, bits = config.get("quant_method"), config.get("bits", 4)
    if method == "compressed-tensors":
        found = config.get("format")
    else:
        found = "awq" if method == "awq" and config.get("version", "gemm").lower() == "gemm" and bits == 4 else None
    for known in FORMATS:
        if found == known:
            return known
    raise ModelError(
        f"{folder}: expected compressed-tensors (pack-quantized, float-quantized) or AWQ (gemm, 4 bits), got "
        f"{method} {found or ''}; quantise it with pipelines/quantize_reranker.py"
    )


def dequantise_checkpoint(source: Path, output: Path, *, dtype: str = "float32") -> Path:
    """Write the model of a quantised checkpoint with plain weights, atomically; everything else is copied.

    Args:
        source: The quantised folder.
        output: The new folder; one that stands there is replaced.
        dtype: Of the weights that were quantised and of all others: float32 loses nothing.

    Raises:
        ModelError: The checkpoint cannot be read, or is in another format.
        InputError: The disk is full.
    """
    import torch

    form = checkpoint_format(source)
    kind: torch.dtype = getattr(torch, dtype)
    with full_disk_told(output), atomic_path(output) as temporary, open_weights(source) as weights:
        temporary.mkdir()
        write_weights(temporary, ((name, tensor.to(kind)) for name, tensor in plain_tensors(weights, form)))
        config = read_model_config(source)
        del config["quantization_config"]
        copy_companions(source, temporary)
        write_json(temporary / "config.json", {**config, "dtype": dtype})
    return output


def plain_tensors(weights: WeightReader, form: Format) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor of the model, the quantised ones as float32 under the names they have in a plain model.

    Raises:
        ModelError: A part of a layer is missing, or its parts do not belong together.
    """
    layers = quantised_layers(weights, form)
    parts = {layer + ending for layer in layers for ending in _BESIDE[form]}
    for name in weights:
        if name not in parts:
            yield name, weights.get(name)
    for layer in layers:
        yield f"{layer}.weight", dequantised_layer(weights, layer, form)


def quantised_layers(weights: WeightReader, form: Format) -> list[str]:
    """Return the names of the quantised layers, e.g. `model.layers.0.mlp.up_proj`, sorted."""
    ending = _ENDINGS[form]
    return sorted(name.removesuffix(ending) for name in weights if name.endswith(ending))


def dequantised_layer(weights: WeightReader, layer: str, form: Format) -> torch.Tensor:
    """Return one layer's weight as float32, shape (outputs, inputs).

    Raises:
        ModelError: A part is missing, or the parts do not belong together.
    """
    try:
        if form == "awq":
            return dequantise_awq(*(weights.get(layer + ending) for ending in _BESIDE[form]))
        if form == "float-quantized":
            return weights.get(f"{layer}.weight").float() * weights.get(f"{layer}.weight_scale").float()
        outputs, inputs = weights.get(f"{layer}.weight_shape").tolist()
        optional = [f"{layer}.weight_zero_point", f"{layer}.weight_g_idx"]
        zero_point, groups = (weights.get(name) if name in weights else None for name in optional)
        return dequantise_compressed(
            weights.get(f"{layer}.weight_packed"),
            weights.get(f"{layer}.weight_scale"),
            zero_point=zero_point,
            shape=(outputs, inputs),
            groups=groups,
        )
    except ValueError as error:
        raise ModelError(f"{weights.folder}: layer {layer}: {error}") from error
