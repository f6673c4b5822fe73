"""Checkpoints become plain weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from rerank.dequantize import checkpoint_format, dequantise_checkpoint, quantization_config
from rerank.packed_weights import AWQ_ORDER, pack
from rerank.plain_quantizer import quantise_plainly


def write_awq(folder: Path, source: Path) -> dict[str, torch.Tensor]:
    """Write the source's linear layers as AWQ, with levels drawn at random; return the weights they stand for."""
    shutil.copytree(source, folder)
    tensors, plain = {}, {}
    generator = torch.Generator().manual_seed(4)
    for name, tensor in load_file(source / "model.safetensors").items():
        if ".layers." not in name or tensor.ndim != 2:
            tensors[name] = plain[name] = tensor
            continue
        outputs, inputs = tensor.shape
        levels = torch.randint(0, 16, (inputs, outputs), generator=generator)
        zeros = torch.randint(0, 16, (inputs // 16, outputs), generator=generator)
        scales = torch.rand((inputs // 16, outputs), generator=generator).half()
        layer = name.removesuffix(".weight")
        tensors |= {f"{layer}.qweight": pack(levels, AWQ_ORDER), f"{layer}.qzeros": pack(zeros, AWQ_ORDER)}
        tensors[f"{layer}.scales"] = scales
        rows = torch.arange(inputs) // 16
        plain[name] = ((levels - zeros[rows]) * scales.float()[rows]).T.contiguous()
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "awq", "bits": 4, "group_size": 16, "version": "gemm"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return plain


def test_awq(word_lm: Path, tmp_path: Path) -> None:
    plain = write_awq(tmp_path / "awq", word_lm)
    assert checkpoint_format(tmp_path / "awq") == "awq"
    folder = dequantise_checkpoint(tmp_path / "awq", tmp_path / "out")
    found = load_file(folder / "model.safetensors")
    assert found.keys() == plain.keys()
    assert all(torch.equal(found[name], plain[name].float()) for name in plain)
    assert quantization_config(folder) is None
    assert (folder / "tokenizer.json").is_file()


def test_the_model_opens_and_answers_like_its_weights(word_lm: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    quantise_plainly(word_lm, tmp_path / "fp8", group_size=None, dtype="bfloat16")
    folder = dequantise_checkpoint(tmp_path / "fp8", tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(word_lm)
    ids = torch.arange(12)[None]
    with torch.inference_mode():
        moved = (model(ids).logits - base(ids).logits).abs().max()
    assert model.dtype == torch.float32 and 0 < moved < 0.5


def test_other_formats_are_refused(word_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no quantization_config"):
        checkpoint_format(word_lm)
    shutil.copytree(word_lm, tmp_path / "gptq")
    config = json.loads((word_lm / "config.json").read_text(encoding="utf-8"))
    for told in (
        {"quant_method": "gptq", "bits": 4},
        {"quant_method": "awq", "bits": 8},
        {"quant_method": "awq", "version": "gemv"},
    ):
        (tmp_path / "gptq" / "config.json").write_text(json.dumps({**config, "quantization_config": told}), "utf-8")
        with pytest.raises(ModelError, match="expected compressed-tensors"):
            checkpoint_format(tmp_path / "gptq")


def test_a_layer_without_its_scales_is_told_and_nothing_is_left(word_lm: Path, tmp_path: Path) -> None:
    write_awq(tmp_path / "awq", word_lm)
    tensors = load_file(tmp_path / "awq" / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.scales"]
    save_file(tensors, tmp_path / "awq" / "model.safetensors")
    with pytest.raises(ModelError, match=r"up_proj\.scales"):
        dequantise_checkpoint(tmp_path / "awq", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["awq"]
