"""What a quantising tool left becomes a checkpoint as this project keeps it."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from rerank.plain_quantizer import quantise_plainly
from rerank.settle import settle


def test_a_tools_folder_is_settled(word_lm: Path, tmp_path: Path) -> None:
    """A tool that works in float32 and writes another config and no tokenizer."""
    quantise_plainly(word_lm, tmp_path / "raw", group_size=16, dtype="bfloat16")
    tensors = load_file(tmp_path / "raw" / "model.safetensors")
    wide = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file(wide, tmp_path / "raw" / "model.safetensors")
    told = json.loads((tmp_path / "raw" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "raw" / "config.json").write_text(
        json.dumps({"torch_dtype": "float32", "rope_theta": 1.0, "quantization_config": told["quantization_config"]})
    )
    (tmp_path / "raw" / "tokenizer.json").write_text("{}")
    (tmp_path / "raw" / "recipe.yaml").write_text("x: 1")
    settle(tmp_path / "raw", word_lm, tmp_path / "out", dtype="bfloat16")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    own = json.loads((word_lm / "config.json").read_text(encoding="utf-8"))
    assert config == {**own, "dtype": "bfloat16", "quantization_config": told["quantization_config"]}
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (word_lm / "tokenizer.json").read_bytes()
    assert not (tmp_path / "out" / "recipe.yaml").exists()


def test_awqs_form_is_float16_throughout(word_lm: Path, tmp_path: Path) -> None:
    shutil.copytree(word_lm, tmp_path / "raw")
    tensors = load_file(word_lm / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"].bfloat16()
    save_file(tensors, tmp_path / "raw" / "model.safetensors")
    config = json.loads((word_lm / "config.json").read_text(encoding="utf-8"))
    told = {**config, "quantization_config": {"quant_method": "awq", "bits": 4, "version": "gemm"}}
    (tmp_path / "raw" / "config.json").write_text(json.dumps(told), encoding="utf-8")
    settle(tmp_path / "raw", word_lm, tmp_path / "out", dtype="bfloat16")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in found.values()} == {torch.float16}
    assert json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))["dtype"] == "float16"
    tensors["model.norm.weight"] = torch.full((32,), 1e6, dtype=torch.bfloat16)
    save_file(tensors, tmp_path / "raw" / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.norm\.weight has values beyond float16"):
        settle(tmp_path / "raw", word_lm, tmp_path / "again", dtype="bfloat16")


def test_a_plain_folder_is_no_result(word_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no quantization_config"):
        settle(word_lm, word_lm, tmp_path / "out", dtype="bfloat16")
