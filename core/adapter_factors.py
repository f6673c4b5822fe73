"""The factors of a LoRA adapter: what it adds to each weight, read from its folder and written into one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters import (
    CONFIG_NAME,
    FACTOR_KEY,
    WEIGHTS_NAME,
    Adapter,
    corrupted,
    read_adapter_config,
    require_plain,
)
from core.artifacts import atomic_path
from core.disk import full_disk_told
from core.model_files import copy_companions, is_sentence_transformer

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """What an adapter adds to one module's weight: `scale * b @ a`.

    Attributes:
        a: float32, shape (rank, inputs).
        b: float32, shape (outputs, rank).
        scale: See above.
    """

    a: "Tensor"
    b: "Tensor"
    scale: float

    def delta(self) -> "Tensor":
        """Return what is added: float32, shape (outputs, inputs)."""
        return (self.b @ self.a) * self.scale


def load_factors(adapter: Adapter) -> dict[str, Factors]:
    """Return the factors of each module, sorted by its name, in float32 on the CPU.

    Raises:
        ModelError: The file is corrupted, holds a number that is not finite, or the adapter is no plain one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    require_plain(adapter)
    path = adapter.folder / WEIGHTS_NAME
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise corrupted(path, error) from error
    sides: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = FACTOR_KEY.fullmatch(key)
        if match is None:
            raise corrupted(path, f"{key} is no factor")
        if not tensor.isfinite().all():
            raise corrupted(path, f"{key} holds a number that is not finite")
        sides.setdefault(match["module"], {})[match["factor"]] = tensor.float()
    return {
        module: Factors(a=sides[module]["A"], b=sides[module]["B"], scale=adapter.scales[module])
        for module in adapter.target_modules
    }


def write_adapter(
    output: Path,
    factors: Mapping[str, tuple["Tensor", "Tensor"]],
    *,
    like: Adapter,
    changes: Mapping[str, Any],
) -> Path:
    """Write an adapter in peft's format, whole or not at all.

    Args:
        output: The folder; one that stands there is replaced.
        factors: A and B of each module.
        like: The adapter whose config, tokenizer and (of a retriever) further modules it gets.
        changes: Keys of the config that differ.

    Returns:
        `output`.

    Raises:
        InputError: The disk is full.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for module, (a, b) in factors.items():
        tensors[f"base_model.model.{module}.lora_A.weight"] = a.float().contiguous()
        tensors[f"base_model.model.{module}.lora_B.weight"] = b.float().contiguous()
    config = {**read_adapter_config(like.folder), **changes}
    with full_disk_told(output), atomic_path(output) as folder:
        folder.mkdir()
        copy_companions(like.folder, folder, only_tokenizer=not is_sentence_transformer(like.folder))
        save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt"})
        (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return output
