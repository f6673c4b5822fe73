"""A destroyed model is seen by its weights; scales moved into norms are not damage."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from rerank.plain_quantizer import compressed_config, quantise_plainly, round_to_int4
from rerank.weights_guard import check_weights


def changed(source: Path, folder: Path, **replaced: torch.Tensor) -> Path:
    shutil.copytree(source, folder)
    tensors = load_file(source / "model.safetensors")
    tensors |= replaced
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def rounded(word_lm: Path, tmp_path: Path) -> Path:
    quantise_plainly(word_lm, tmp_path / "rounded", group_size=16, dtype="bfloat16")
    return tmp_path / "rounded"


def test_rounding_passes_with_its_size(word_lm: Path, rounded: Path) -> None:
    found = check_weights(word_lm, rounded)
    assert found is not None and found.compared == 6  # q, k and gate of two layers
    assert 0.03 < found.mean < 0.15 and found.largest < 0.15


def test_a_scale_moved_into_the_norm_is_no_damage(word_lm: Path, tmp_path: Path) -> None:
    """What AWQ does: the weight's columns times s, the norm through s."""
    tensors = load_file(word_lm / "model.safetensors")
    s = torch.linspace(0.1, 4.0, 32)
    folder = tmp_path / "scaled"
    shutil.copytree(word_lm, folder)
    parts: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        fed = any(ending in name for ending in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"))
        norm = "layernorm.weight" in name
        if ".layers." in name and tensor.ndim == 2:
            rounded = round_to_int4(tensor * s if fed else tensor, 16, scale_dtype=torch.float32)
            parts |= {f"{name.removesuffix('.weight')}.{key}": value for key, value in rounded.items()}
        else:
            parts[name] = tensor / s if norm else tensor
    save_file(parts, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told = {**config, "quantization_config": compressed_config(16)}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    found = check_weights(word_lm, folder)
    assert found is not None and found.largest < 0.3
    # The same weights without the norm's share are another model.
    norms = {name: tensors[name] for name in tensors if "layernorm" in name}
    with pytest.raises(ModelError, match="not the model's any more"):
        check_weights(word_lm, changed(folder, tmp_path / "half", **norms))


def test_a_destroyed_model_is_refused(word_lm: Path, rounded: Path, tmp_path: Path) -> None:
    scale = load_file(rounded / "model.safetensors")["model.layers.1.self_attn.k_proj.weight_scale"]
    bad = changed(rounded, tmp_path / "bad", **{"model.layers.1.self_attn.k_proj.weight_scale": scale * 3})
    with pytest.raises(ModelError, match=r"layers\.1\.self_attn\.k_proj differs by 2\.0"):
        check_weights(word_lm, bad)
    nan = changed(
        rounded, tmp_path / "nan", **{"model.layers.0.mlp.up_proj.weight_scale": torch.full((64, 2), torch.nan)}
    )
    with pytest.raises(ModelError, match="not finite"):
        check_weights(word_lm, nan)


def test_a_layer_that_was_left_out_is_told(word_lm: Path, rounded: Path, tmp_path: Path) -> None:
    shutil.copytree(rounded, tmp_path / "less")
    tensors = load_file(rounded / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if "layers.1.mlp.down_proj" not in name}
    save_file(kept, tmp_path / "less" / "model.safetensors")
    with pytest.raises(ModelError, match=r"1 of the model's linear layers .*down_proj"):
        check_weights(word_lm, tmp_path / "less")
