"""Saved weights of an adapter put into one in memory: all of them, or none."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.adapter_weights import put_adapter_weights
from core.errors import ModelError


def own() -> dict[str, torch.nn.Parameter]:
    return {"a": torch.nn.Parameter(torch.zeros(2, 3)), "b": torch.nn.Parameter(torch.zeros(3, 2))}


def write(folder: Path, **tensors: torch.Tensor) -> Path:
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_weights_are_taken_over_in_the_type_they_are_held_in(tmp_path: Path) -> None:
    held = own()
    given = {"a": torch.full((2, 3), 1.5, dtype=torch.bfloat16), "b": torch.ones(3, 2)}
    put_adapter_weights(write(tmp_path, **given), held)
    assert held["a"].tolist() == [[1.5] * 3] * 2 and held["a"].dtype == torch.float32
    assert held["b"].sum().item() == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": (2, 3)}, "1 of 2 weights.* example b"),
        ({"a": (2, 3), "b": (3, 2), "c": (1, 1)}, "1 of 2 weights.* example c"),
        ({"a": (4, 3), "b": (3, 4)}, "2 of 2 weights.* example a.*rank"),
    ],
)
def test_another_adapters_weights_are_refused_and_change_nothing(
    tmp_path: Path, given: dict[str, tuple[int, int]], message: str
) -> None:
    held = own()
    with pytest.raises(ModelError, match=message):
        put_adapter_weights(write(tmp_path, **{name: torch.ones(shape) for name, shape in given.items()}), held)
    assert all(parameter.sum().item() == 0 for parameter in held.values())


def test_a_file_that_is_missing_or_cut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected an adapter's weights, cannot be read"):
        put_adapter_weights(tmp_path, own())
    file = write(tmp_path, a=torch.ones(2, 3)) / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ModelError, match="cannot be read"):
        put_adapter_weights(tmp_path, own())
