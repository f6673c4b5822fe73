"""A model's shape from its files' heads."""

from pathlib import Path

from rerank.linear_layers import LinearLayer, model_shape


def test_the_toy_models_shape(word_lm: Path) -> None:
    shape = model_shape(word_lm)
    assert len(shape.layers) == 2 * 7
    by_name = {layer.name: layer for layer in shape.layers}
    down = by_name["model.layers.0.mlp.down_proj"]
    assert (down.outputs, down.inputs) == (32, 64)
    block = 4 * 32 * 32 + 3 * 32 * 64
    assert shape.quantised_parameters == 2 * block
    assert shape.largest_block == block + 2 * 32  # two norms
    assert shape.parameters == 2 * shape.largest_block + 40 * 32 + 32  # 40 words, tied; the last norm


def test_tensor_parallelism_shares_inputs_of_some_layers_and_outputs_of_others() -> None:
    down = LinearLayer(name="model.layers.0.mlp.down_proj", outputs=8192, inputs=29568)
    up = LinearLayer(name="model.layers.0.mlp.up_proj", outputs=29568, inputs=8192)
    assert down.inputs_of_a_part(8) == 3696 and up.inputs_of_a_part(8) == 8192
