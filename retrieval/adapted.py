"""LoRA adapters on encoders: put on a base, kept without it, put on again whether it is held in 16 bits or in 4.

An encoder is a language model without its head, so the names in its adapter's file lack the `model.` that an adapter of
the whole language model has; the file is a plain peft adapter all the same.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapter_weights import put_adapter_weights
from core.adapters import CONFIG_NAME, read_adapter_config
from core.errors import ModelError
from core.lora import LoraPreset, lora_config

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from torch import nn

_PREFIX, _ADAPTER = "base_model.model.", "default"


def is_adapter(folder: str | Path) -> bool:
    """Say whether a folder holds an adapter, which needs its base, and not a whole model."""
    return (Path(folder) / CONFIG_NAME).is_file()


def has_adapter(model: "nn.Module") -> bool:
    """Say whether an encoder in memory has an adapter on it."""
    return bool(getattr(getattr(model, "transformers_model", None), "_hf_peft_config_loaded", False))


def put_adapter(
    model: "SentenceTransformer", lora: LoraPreset, *, base_name: str, base_revision: str | None, seed: int
) -> None:
    """Freeze an encoder and put a new adapter on all its linear layers, to be trained in float32.

    Args:
        model: The base, in whatever type it is held in; changed.
        lora: Shape of the adapter.
        base_name: What the adapter names as its base: a hub id, a folder, `bundled:NAME`.
        base_revision: What pins the base's content.
        seed: Of the adapter's first weights.

    Raises:
        ModelError: The encoder has an adapter already.
    """
    if has_adapter(model):
        raise ModelError(f"base '{base_name}': has an adapter already; a second one on top is not supported")
    _add(model, lora_config(lora, task="FEATURE_EXTRACTION"), name=base_name, revision=base_revision, seed=seed)
    for parameter in adapter_weights(model).values():
        parameter.data = parameter.data.float()  # AdamW's small steps are lost in bfloat16's 8 bits


def load_adapter(
    model: "SentenceTransformer", folder: str | Path, *, trainable: bool, dtype: "torch.dtype | None" = None
) -> None:
    """Put a saved adapter on an encoder.

    Args:
        model: Its base; changed.
        folder: The adapter.
        trainable: Train it on, in float32; else it is frozen.
        dtype: What a frozen one is held in; None leaves float32.

    Raises:
        ModelError: The adapter is corrupted, or does not fit this base.
    """
    import torch
    from peft import LoraConfig

    found = read_adapter_config(Path(folder))
    config = LoraConfig.from_pretrained(str(folder))
    config.inference_mode = False  # peft would freeze what may be trained on
    _add(model, config, name=found.get("base_model_name_or_path") or "", revision=found.get("revision"), seed=0)
    load_adapter_weights(model, folder)
    held = torch.float32 if trainable or dtype is None else dtype
    for parameter in adapter_weights(model).values():
        parameter.data = parameter.data.to(held)
        parameter.requires_grad_(trainable)


def adapter_weights(model: "SentenceTransformer") -> "dict[str, nn.Parameter]":
    """Return the adapter's weights in memory, by their names in its file."""
    return {
        _PREFIX + name.replace(f".{_ADAPTER}.", "."): parameter
        for name, parameter in model.transformers_model.named_parameters()
        if f".{_ADAPTER}." in name
    }


def load_adapter_weights(model: "SentenceTransformer", folder: str | Path) -> None:
    """Put the saved weights of an adapter into the one that a model has on it.

    Raises:
        ModelError: The file is missing or corrupted, or names or shapes are another adapter's.
    """
    put_adapter_weights(folder, adapter_weights(model))


def save_encoder(model: "SentenceTransformer", folder: str | Path) -> None:
    """Write an encoder as a plain sentence-transformers folder: whole, or, where it has one, its adapter alone.

    Args:
        model: The encoder.
        folder: Where to.
    """
    adapter = model.transformers_model.peft_config[_ADAPTER] if has_adapter(model) else None
    if adapter is None:
        model.save_pretrained(str(folder), create_model_card=False)
        return
    named = adapter.base_model_name_or_path
    # Told a name that is no folder, peft asks the hub for the base's config, and waits for minutes without a network.
    adapter.base_model_name_or_path = str(model.transformers_model.name_or_path)
    try:
        model.save_pretrained(str(folder), create_model_card=False)
    finally:
        adapter.base_model_name_or_path = named
    path = Path(folder) / CONFIG_NAME
    told = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": named}
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def shrink_adapter(model: "SentenceTransformer", *, base_share: float) -> None:
    """Pull an adapted model back towards its base: its weights become `(1 - base_share) * own + base_share * base`.

    What `blend_weights` does to a whole model; the change that an adapter makes is linear in its factor B.

    Raises:
        ValueError: The share is out of range.
    """
    import torch

    if not 0 <= base_share <= 1:
        raise ValueError(f"base_share is {base_share}, expected a share from 0 to 1")
    with torch.no_grad():
        for name, parameter in adapter_weights(model).items():
            if ".lora_B." in name:
                parameter.mul_(1 - base_share)


def _add(model: "SentenceTransformer", config: Any, *, name: str, revision: str | None, seed: int) -> None:  # noqa: ANN401
    import torch

    transformer = model.transformers_model
    torch.manual_seed(seed)
    transformer.add_adapter(config, adapter_name=_ADAPTER)
    own = transformer.peft_config[_ADAPTER]
    own.base_model_name_or_path, own.revision = name, revision
    own.target_modules = sorted(own.target_modules)  # a set's order, and so the file's bytes, differ between runs
