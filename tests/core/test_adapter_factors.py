"""Factors read and written: what peft puts on the base is what they say."""

import json
from pathlib import Path

import pytest
import torch
from adapter_toys import adapted, logits, toy_adapter, toy_base, whole
from safetensors.torch import load_file, save_file

from core.adapter_factors import Factors, load_factors, write_adapter
from core.adapters import read_adapter
from core.errors import ModelError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_base(tmp_path_factory.mktemp("factors") / "base")


def test_a_delta_by_hand() -> None:
    factors = Factors(a=torch.tensor([[1.0, 2.0]]), b=torch.tensor([[3.0], [4.0]]), scale=0.5)
    assert factors.delta().tolist() == [[1.5, 3.0], [2.0, 4.0]]


@pytest.mark.parametrize("use_rslora", [False, True])
def test_deltas_are_what_peft_adds(base: Path, tmp_path: Path, use_rslora: bool) -> None:
    folder = toy_adapter(base, tmp_path / "a", use_rslora=use_rslora, rank_pattern={"q_proj": 2})
    model = adapted(base, folder)
    factors = load_factors(read_adapter(folder))
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if hasattr(layer, "lora_A")
    }
    assert list(factors) == sorted(layers)
    for module, layer in layers.items():
        torch.testing.assert_close(factors[module].delta(), layer.get_delta_weight("default"), rtol=1e-6, atol=1e-7)


def test_what_is_written_reads_back_and_peft_opens_it(base: Path, tmp_path: Path) -> None:
    one = read_adapter(toy_adapter(base, tmp_path / "a"))
    doubled = {module: (2 * own.a, own.b) for module, own in load_factors(one).items()}
    write_adapter(tmp_path / "b", doubled, like=one, changes={"lora_alpha": 4})
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    config = json.loads((tmp_path / "b" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["lora_alpha"], config["base_model_name_or_path"]) == (4, str(base))
    torch.testing.assert_close(logits(adapted(base, tmp_path / "b")), logits(adapted(base, tmp_path / "a")))
    assert (logits(adapted(base, tmp_path / "b")) - logits(whole(base))).abs().max() > 0.1


def test_numbers_that_are_not_finite_are_refused(base: Path, tmp_path: Path) -> None:
    folder = toy_adapter(base, tmp_path / "a")
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name][0, 0] = torch.nan
    save_file(tensors, path)
    with pytest.raises(ModelError, match=f"corrupted .{name} holds a number that is not finite"):
        load_factors(read_adapter(folder))


def test_dora_has_no_factors_here(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a DoRA adapter"):
        load_factors(read_adapter(toy_adapter(base, tmp_path / "a", use_dora=True)))
