"""Reading weights tensor by tensor."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.errors import ModelError
from rerank.weight_reader import open_weights


def test_shapes_and_types_come_from_the_heads(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, 3, dtype=torch.bfloat16), "b": torch.arange(4)}, tmp_path / "model.safetensors")
    with open_weights(tmp_path) as weights:
        assert list(weights) == ["a", "b"] and "a" in weights and "c" not in weights
        assert weights.shapes == {"a": (2, 3), "b": (4,)}
        assert weights.dtypes == {"a": "BF16", "b": "I64"}
        assert weights.get("b").tolist() == [0, 1, 2, 3]
        with pytest.raises(ModelError, match="expected a tensor c"):
            weights.get("c")


def test_shards_are_one_model(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    save_file({"b": torch.ones(1)}, tmp_path / "y.safetensors")
    index = {"weight_map": {"a": "x.safetensors", "b": "y.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with open_weights(tmp_path) as weights:
        assert weights.get("b").tolist() == [1.0]
    (tmp_path / "y.safetensors").unlink()
    with pytest.raises(ModelError, match=r"y\.safetensors is not there"), open_weights(tmp_path):
        pass


def test_a_torn_file_is_told(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000)}, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="corrupted"), open_weights(tmp_path):
        pass
