"""What a quantising tool left becomes a checkpoint as this project keeps it: the model's own config and tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.artifacts import write_json
from core.errors import ModelError
from core.model_files import copy_companions, read_model_config, write_weights
from rerank.dequantize import checkpoint_format
from rerank.weight_reader import WeightReader, open_weights

if TYPE_CHECKING:
    import torch

Dtype16 = Literal["bfloat16", "float16"]


def settle(raw: Path, model: Path, output: Path, *, dtype: Dtype16) -> None:
    """Write a tool's checkpoint as this project keeps it.

    Args:
        raw: What the tool left.
        model: The model it was made from.
        output: The new folder.
        dtype: What float32 tensors (scales and weights left alone, where the tool worked in float32) become; AWQ's
            form is float16 throughout.

    Raises:
        ModelError: It is no quantised model of a form that can be read, or its layers differ from the model's.
    """
    form = checkpoint_format(raw)
    told = read_model_config(raw)["quantization_config"]
    output.mkdir()
    with open_weights(raw) as weights:
        kinds = {weights.dtypes[name] for name in weights}
        # AWQ's form keeps its scales in float16: in another type its kernels would round them again.
        half = form == "awq" or ("F16" in kinds and "BF16" not in kinds)
        kept: Dtype16 = "float16" if half else dtype
        write_weights(output, _cast(weights, kept, every=form == "awq"))
    copy_companions(model, output)
    write_json(output / "config.json", {**read_model_config(model), "dtype": kept, "quantization_config": told})


def _cast(weights: WeightReader, kept: Dtype16, *, every: bool) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield all tensors, those in float32 (or all 16-bit and 32-bit floats) as `kept`."""
    import torch

    kind: torch.dtype = getattr(torch, kept)
    wide = (torch.float32, torch.bfloat16) if every else (torch.float32,)
    for name in weights:
        tensor = weights.get(name)
        if tensor.dtype in wide:
            cast = tensor.to(kind)
            if bool(tensor.isfinite().all()) and not bool(cast.isfinite().all()):
                raise ModelError(
                    f"{weights.folder}: {name} has values beyond {kept}; use a back end that keeps bfloat16"
                )
            tensor = cast
        yield name, tensor
