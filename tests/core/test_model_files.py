"""Model folders: what goes along, and weights in parts."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.errors import ModelError
from core.model_files import copy_companions, read_model_config, weight_files, weight_shapes, write_weights


def test_all_but_weights_pickles_and_manifests_goes_along(tmp_path: Path) -> None:
    folder, target = tmp_path / "model", tmp_path / "copy"
    for name in (
        "config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja", "modules.json",
        "1_Dense/model.safetensors", "1_Dense/config.json",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "modules.json").write_text('[{"path": ""}, {"path": "1_Dense"}]', encoding="utf-8")
    for name in (
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "optimizer.pt", "README.md",
        "manifest.json", "adapter_config.json", ".hidden", "onnx/model.json",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    target.mkdir()
    (target / "tokenizer.json").write_text("the base's", encoding="utf-8")
    copy_companions(folder, target, only_tokenizer=True)
    assert sorted(path.name for path in target.iterdir()) == ["chat_template.jinja", "tokenizer.json"]
    assert (target / "tokenizer.json").read_text(encoding="utf-8") == "tokenizer.json"
    copy_companions(folder, target)
    copied = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert copied == [
        "1_Dense/config.json", "1_Dense/model.safetensors", "chat_template.jinja", "config.json",
        "generation_config.json", "modules.json", "tokenizer.json",
    ]  # fmt: skip


def test_weights_come_in_files_of_a_size(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(8.0), "b": torch.arange(4.0), "c": torch.arange(100.0).T, "d": torch.ones(1)}
    one, several = tmp_path / "one", tmp_path / "several"
    for folder, size in ((one, 1 << 20), (several, 48)):
        folder.mkdir()
        write_weights(folder, iter(tensors.items()), shard_bytes=size)
    assert sorted(path.name for path in one.iterdir()) == ["model.safetensors"]
    index = json.loads((several / "model.safetensors.index.json").read_text(encoding="utf-8"))
    first, second, third = (f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3))
    # 32 + 16 bytes fill a file; 400 are more than one and stand alone.
    assert index == {
        "metadata": {"total_size": 4 * 113},
        "weight_map": {"a": first, "b": first, "c": second, "d": third},
    }
    for folder in (one, several):
        files = weight_files(folder)
        assert weight_shapes(files) == {"a": (8,), "b": (4,), "c": (100,), "d": (1,)}
        for name, path in files.items():
            assert torch.equal(load_file(path)[name], tensors[name])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config.json: expected JSON, cannot be read"):
        read_model_config(tmp_path)
    with pytest.raises(ModelError, match=r"expected safetensors weights, model\.safetensors is not there"):
        weight_files(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "x.safetensors"}}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"x.safetensors is not there"):
        weight_files(tmp_path)
    (tmp_path / "x.safetensors").write_bytes(b"not this")
    with pytest.raises(ModelError, match=r"x.safetensors: corrupted"):
        weight_files(tmp_path)
    (tmp_path / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="expected a table, came list"):
        read_model_config(tmp_path)
