"""Leave parts of an encoder as they are, to train the rest faster."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# `encoder.layer.3.` (BERT), `transformer.layer.3.` (DistilBERT), `layers.3.` (Llama, Qwen), `h.3.` (GPT)
_LAYER = re.compile(r"(?:^|\.)(?:layer|layers|h|block|blocks)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:embeddings|embed_tokens|wte|wpe|shared|tok_embeddings)\.")


def freeze(model: "nn.Module", *, embeddings: bool, trainable_layers: int | None) -> "list[nn.Parameter]":
    """Freeze the token embeddings, or all but the last layers.

    Args:
        model: A transformer encoder; changed.
        embeddings: Freeze the embeddings (they are half of a small model's weights, and most of its rare words never
            get a gradient).
        trainable_layers: Train only so many last layers; the embeddings are frozen with the rest. None trains all.

    Returns:
        The parameters that were frozen here, so that they can be thawed.

    Raises:
        ValueError: There are fewer layers than that, or nothing would be left to train.
    """
    numbers = {name: int(found[1]) for name, _ in model.named_parameters() if (found := _LAYER.search(name))}
    count = max(numbers.values(), default=-1) + 1
    if trainable_layers is not None and not 1 <= trainable_layers <= count:
        raise ValueError(f"trainable_layers {trainable_layers}: the model has {count} layers; expected 1 to {count}")
    frozen = []
    for name, parameter in model.named_parameters():
        below = trainable_layers is not None and name in numbers and numbers[name] < count - trainable_layers
        embedding = bool(_EMBEDDING.search(name)) and (embeddings or trainable_layers is not None)
        if parameter.requires_grad and (below or embedding):
            parameter.requires_grad_(False)
            frozen.append(parameter)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError("every parameter is frozen: nothing is left to train")
    return frozen


def thaw(parameters: "list[nn.Parameter]") -> None:
    """Undo `freeze`."""
    for parameter in parameters:
        parameter.requires_grad_(True)
