"""The linear layers of a language model by name and shape, read from the weights' heads: nothing is loaded."""

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

from rerank.weight_reader import WeightReader, open_weights

_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\..+\.weight$")
_SPLIT_INPUTS = ("o_proj", "down_proj", "dense_4h_to_h", "out_proj")
"""Layers whose inputs are shared out under tensor parallelism; of the others the outputs are."""


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """One linear layer.

    Attributes:
        name: E.g. `model.layers.0.mlp.down_proj`.
        outputs: Rows of its weight.
        inputs: Columns of its weight.
    """

    name: str
    outputs: int
    inputs: int

    def inputs_of_a_part(self, parts: int) -> int:
        """Return how many inputs each of `parts` GPUs holds; whole where the outputs are shared out."""
        return self.inputs // parts if self.splits_inputs else self.inputs

    @property
    def splits_inputs(self) -> bool:
        """Whether tensor parallelism shares out the inputs."""
        return self.name.endswith(_SPLIT_INPUTS)


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What of a model's size is known from its files' heads.

    Attributes:
        parameters: All weights, a tied head once.
        layers: The linear layers of the decoder, the head left out.
        largest_block: Parameters of the largest decoder layer.
    """

    parameters: int
    layers: tuple[LinearLayer, ...]
    largest_block: int

    @property
    def quantised_parameters(self) -> int:
        """Weights in the linear layers."""
        return sum(layer.outputs * layer.inputs for layer in self.layers)


def quantisable_layers(weights: WeightReader) -> list[str]:
    """Return the names of the decoder's linear layers, sorted: matrices inside `layers.N`, not the head."""
    matrices = [name for name, shape in weights.shapes.items() if len(shape) == 2 and _LAYER.search(name)]
    return sorted(name.removesuffix(".weight") for name in matrices)


def model_shape(folder: Path) -> ModelShape:
    """Read a plain model's shape.

    Raises:
        ModelError: The weights are missing or corrupted.
    """
    with open_weights(folder) as weights:
        names = quantisable_layers(weights)
        shapes = {name: weights.shapes[f"{name}.weight"] for name in names}
        blocks: dict[str, int] = {}
        for name, shape in weights.shapes.items():
            if found := _LAYER.search(name):
                blocks[found[1]] = blocks.get(found[1], 0) + prod(shape)
        return ModelShape(
            parameters=sum(prod(shape) for shape in weights.shapes.values()),
            layers=tuple(LinearLayer(name=name, outputs=shapes[name][0], inputs=shapes[name][1]) for name in names),
            largest_block=max(blocks.values(), default=0),
        )
