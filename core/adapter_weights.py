"""The saved weights of an adapter, put into one that a model in memory has on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters import WEIGHTS_NAME
from core.errors import ModelError

if TYPE_CHECKING:
    import torch


def put_adapter_weights(folder: str | Path, own: Mapping[str, torch.nn.Parameter]) -> None:
    """Take over an adapter's saved weights; none where one does not fit.

    Args:
        folder: The adapter, as peft or this project wrote it.
        own: The weights in memory by their names in the file; changed.

    Raises:
        ModelError: The file is missing or corrupted, or names or shapes are another adapter's.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / WEIGHTS_NAME
    try:
        found = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: expected an adapter's weights, cannot be read ({error})") from error
    if strange := sorted(
        name
        for name in own.keys() | found.keys()
        if name not in own or name not in found or own[name].shape != found[name].shape
    ):
        raise ModelError(
            f"{path}: does not fit its base: {len(strange)} of {len(own)} weights have other names or shapes, for "
            f"example {strange[0]}. Expected an adapter of this base, kind (encoder or language model) and rank."
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(found[name])
