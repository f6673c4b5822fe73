"""Plain rounding to 4-bit integers and 8-bit floats."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rerank.packed_weights import dequantise_compressed, unpack
from rerank.plain_quantizer import quantise_plainly, round_to_fp8, round_to_int4


def test_rounding_by_hand() -> None:
    weight = torch.tensor([[7.5, -7.5, 1.4, 1.6, 0.0, 3.0, -1.0, -0.4]])
    parts = round_to_int4(weight, 8, scale_dtype=torch.float32)
    assert parts["weight_scale"].tolist() == [[1.0]] and parts["weight_shape"].tolist() == [1, 8]
    # 7.5 rounds to the even 8, which is above the largest level.
    assert (unpack(parts["weight_packed"]) - 8).tolist() == [[7, -8, 1, 2, 0, 3, -1, 0]]


def test_a_group_of_zeros_stays_zero() -> None:
    parts = round_to_int4(torch.zeros(2, 16), 8, scale_dtype=torch.bfloat16)
    found = dequantise_compressed(parts["weight_packed"], parts["weight_scale"], zero_point=None, shape=(2, 16))
    assert found.abs().sum() == 0
    floats = round_to_fp8(torch.zeros(2, 16), scale_dtype=torch.bfloat16)
    assert floats["weight"].float().abs().sum() == 0


def test_no_weight_moves_by_more_than_a_step() -> None:
    weight = torch.randn(16, 64, generator=torch.Generator().manual_seed(3))
    parts = round_to_int4(weight, 32, scale_dtype=torch.bfloat16)
    scale = parts["weight_scale"]
    assert scale.dtype == torch.bfloat16 and scale.shape == (16, 2)
    found = dequantise_compressed(parts["weight_packed"], scale, zero_point=None, shape=(16, 64))
    steps = scale.float().repeat_interleave(32, 1)
    assert ((found - weight).abs() / steps).max() <= 0.6  # half a step; the largest, half a step above 7, and rounding
    floats = round_to_fp8(weight, scale_dtype=torch.float32)
    back = floats["weight"].float() * floats["weight_scale"]
    assert ((back - weight).abs() <= weight.abs() / 16 + floats["weight_scale"] / 64).all()  # three bits of mantissa


def test_a_group_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="group size 24"):
        round_to_int4(torch.ones(2, 32), 24, scale_dtype=torch.float32)


@pytest.mark.parametrize("group_size", [16, None])
def test_a_whole_model(word_lm: Path, tmp_path: Path, group_size: int | None) -> None:
    quantise_plainly(word_lm, tmp_path / "out", group_size=group_size, dtype="bfloat16")
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert config["quantization_config"]["quant_method"] == "compressed-tensors" and config["dtype"] == "bfloat16"
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    layer = "model.layers.1.mlp.down_proj"
    if group_size is None:
        assert tensors[f"{layer}.weight"].dtype == torch.float8_e4m3fn
        assert tensors[f"{layer}.weight_scale"].shape == (32, 1)
    else:
        assert tensors[f"{layer}.weight_packed"].shape == (32, 8) and f"{layer}.weight" not in tensors
    assert tensors["model.embed_tokens.weight"].dtype == torch.bfloat16
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (word_lm / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("group_size", [16, None])
def test_compressed_tensors_reads_the_same_weights(word_lm: Path, tmp_path: Path, group_size: int | None) -> None:
    """transformers opens the checkpoint through compressed-tensors' own code; ours must give the same model."""
    pytest.importorskip("compressed_tensors")
    from transformers import AutoModelForCausalLM, CompressedTensorsConfig

    from rerank.dequantize import dequantise_checkpoint

    quantise_plainly(word_lm, tmp_path / "out", group_size=group_size, dtype="bfloat16")
    plain = load_file(dequantise_checkpoint(tmp_path / "out", tmp_path / "plain") / "model.safetensors")
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", quantization_config=CompressedTensorsConfig(run_compressed=False), dtype=torch.float32
    )
    own = dict(theirs.named_parameters())
    layers = [name for name in plain if ".layers." in name and plain[name].ndim == 2]
    assert len(layers) == 14
    for name in layers:
        assert torch.allclose(own[name].float(), plain[name], atol=2e-3), name
