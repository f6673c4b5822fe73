"""Reading adapters: what they are, and every reason to refuse one."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_toys import toy_adapter, toy_base
from safetensors.torch import load_file, save_file

from core.adapters import Adapter, read_adapter, require_base, require_plain
from core.artifacts import file_hash, write_manifest
from core.errors import ModelError
from core.models import LocalModel, locate_model, vouched


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_base(tmp_path_factory.mktemp("adapters") / "base")


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return toy_adapter(base, tmp_path / "adapter")


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_an_adapter_tells_what_it_is(base: Path, adapter: Path) -> None:
    found = read_adapter(adapter)
    assert (found.folder, found.base_name, found.base_revision) == (adapter, str(base), None)
    assert (found.task, found.is_encoder, found.rank, found.alpha, found.scale) == ("CAUSAL_LM", False, 4, 8.0, 2.0)
    assert (found.use_rslora, found.use_dora, found.fan_in_fan_out, found.unsupported) == (False, False, False, ())
    assert len(found.target_modules) == 2 * 7
    assert found.target_modules[0] == "model.layers.0.mlp.down_proj"
    assert found.shapes["model.layers.0.mlp.down_proj"] == (64, 128, 4)
    require_plain(found)


def test_rslora_divides_by_the_root_of_the_rank(base: Path, tmp_path: Path) -> None:
    found = read_adapter(toy_adapter(base, tmp_path / "a", rank=16, alpha=8, use_rslora=True))
    assert (found.use_rslora, found.scale) == (True, 2.0)
    assert set(found.scales.values()) == {2.0}


def test_ranks_and_alphas_by_module(base: Path, tmp_path: Path) -> None:
    """The scales are those that peft itself computes."""
    from adapter_toys import adapted

    folder = toy_adapter(
        base,
        tmp_path / "a",
        rank_pattern={"q_proj": 2, "layers.1.mlp.up_proj": 8},
        alpha_pattern={"q_proj": 6, "k_proj": 3},
        use_rslora=True,
    )
    found = read_adapter(folder)
    expected = {
        name.removeprefix("base_model.model."): layer.scaling["default"]
        for name, layer in adapted(base, folder).named_modules()
        if hasattr(layer, "lora_A")
    }
    assert found.scales == pytest.approx(expected)
    assert found.scales["model.layers.0.self_attn.q_proj"] == pytest.approx(6 / math.sqrt(2))
    assert found.shapes["model.layers.1.mlp.up_proj"][2] == found.rank == 8


def test_the_base_is_pinned_by_the_manifest_or_by_the_config(adapter: Path) -> None:
    change_config(adapter, revision="c" * 40)
    assert read_adapter(adapter).base_revision == "c" * 40
    write_manifest(adapter, {"model": "bundled:x", "revision": "sha256:1"})
    assert read_adapter(adapter).base_revision == "sha256:1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "is a DoRA adapter"),
        ({"modules_to_save": ["lm_head"]}, "holds whole modules"),
        ({"bias": "lora_only"}, "trains biases"),
        ({"lora_bias": True}, "has biases on its factors"),
        ({"trainable_token_indices": [3]}, "holds embeddings of tokens"),
        ({"init_lora_weights": "pissa"}, "changed its base when it began"),
    ],
)
def test_more_than_a_sum_of_low_rank_is_refused(base: Path, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    found = read_adapter(toy_adapter(base, tmp_path / "a", **options))
    assert found.use_dora == bool(options.get("use_dora"))
    with pytest.raises(ModelError, match=said) as caught:
        require_plain(found)
    assert all(str(tmp_path / "a") in fault for fault in caught.value.faults)


def test_an_adapter_on_embeddings_is_refused(base: Path, tmp_path: Path) -> None:
    found = read_adapter(toy_adapter(base, tmp_path / "a", target_modules=["q_proj", "embed_tokens"]))
    with pytest.raises(ModelError, match="holds 2 tensors that are no factor of a linear layer"):
        require_plain(found)


def test_what_is_missing_or_corrupted_is_said(adapter: Path, tmp_path: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    whole = weights.read_bytes()
    with pytest.raises(ModelError, match=r"expected a folder with adapter_config\.json"):
        read_adapter(tmp_path / "nowhere")
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"adapter_model.safetensors: corrupted"):
        read_adapter(adapter)
    weights.write_bytes(b"")
    with pytest.raises(ModelError, match=r"adapter_model.safetensors: corrupted"):
        read_adapter(adapter)
    weights.unlink()
    with pytest.raises(ModelError, match="no such file; pickled adapters"):
        read_adapter(adapter)
    weights.write_bytes(whole)
    change_config(adapter, r=5)
    with pytest.raises(ModelError, match="has rank 4, its config states 5"):
        read_adapter(adapter)
    change_config(adapter, r=4, lora_alpha=None)
    with pytest.raises(ModelError, match="a number `lora_alpha`; got 4, None"):
        read_adapter(adapter)
    change_config(adapter, peft_type="IA3")
    with pytest.raises(ModelError, match="expected an adapter of peft_type LORA, came 'IA3'"):
        read_adapter(adapter)
    (adapter / "adapter_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="expected JSON as peft writes it"):
        read_adapter(adapter)


def test_factors_that_do_not_belong_together_are_told(adapter: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "q_proj.lora_B" in name)
    save_file({**tensors, name: torch.zeros(64, 3)}, path)
    with pytest.raises(ModelError, match=r"the factors of .*q_proj do not belong together"):
        read_adapter(adapter)
    save_file({key: tensor for key, tensor in tensors.items() if key != name}, path)
    with pytest.raises(ModelError, match="do not belong together"):
        read_adapter(adapter)
    save_file({"x": torch.from_numpy(np.zeros(1))}, path)
    with pytest.raises(ModelError, match="holds no LoRA factors"):
        read_adapter(adapter)


def test_another_base_is_refused_where_it_is_known(adapter: Path, base: Path) -> None:
    def given(name: str, revision: str = "sha256:2") -> LocalModel:
        return LocalModel(name=name, folder=base, revision=revision)

    def named(name: str, revision: str | None = None) -> Adapter:
        change_config(adapter, base_model_name_or_path=name, revision=revision)
        return read_adapter(adapter)

    require_base(named("owner/model"), given("/a/folder"))  # may be the same
    require_base(named("owner/model"), given("owner/model"))
    require_base(named("owner/model", "sha256:2"), given("/a/folder"))
    with pytest.raises(ModelError, match="was trained on the base 'owner/model', came 'owner/other'"):
        require_base(named("owner/model"), given("owner/other"))
    with pytest.raises(ModelError, match="'owner/model' at sha256:1, came 'owner/model' at sha256:2"):
        require_base(named("owner/model", "sha256:1"), given("owner/model"))


def test_a_folder_is_a_hubs_model_where_that_is_proven_or_vouched_for(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    commit = "c" * 40
    change_config(adapter, base_model_name_or_path="owner/model", revision=commit)
    folder = shutil.copytree(base, tmp_path / "copy")
    model = locate_model(str(folder))
    with pytest.raises(ModelError, match=r"at c{40}, came .* A folder is taken as its copy where .* you vouch for it"):
        require_base(read_adapter(adapter), model)
    require_base(read_adapter(adapter), vouched(model, commit))
    with pytest.raises(ModelError, match="was trained on the base"):
        require_base(read_adapter(adapter), vouched(model, "d" * 40))

    records = folder / ".cache" / "huggingface" / "download"
    records.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        told = f"{commit}\n{file_hash(folder / name)}\n1.0\n"
        (records / f"{name}.metadata").write_text(told, encoding="utf-8")
    require_base(read_adapter(adapter), locate_model(str(folder)))
    (folder / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="was trained on the base"):
        require_base(read_adapter(adapter), locate_model(str(folder)))
