"""Merging: the merged model is the trained one, on the base that it was trained on."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from adapter_toys import TEMPLATE, adapted, in_float32, logits, open_base, randomise, toy_adapter, toy_base, whole
from safetensors.torch import load_file, save_file

from core import adapter_merge, model_files
from core.adapter_factors import load_factors
from core.adapter_merge import check_merge, merge_adapter, merge_adapters
from core.adapters import read_adapter
from core.errors import ConfigError, InputError, ModelError
from core.lora import nf4_config


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_base(tmp_path_factory.mktemp("merge") / "base")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_adapter(base, tmp_path_factory.mktemp("merge") / "adapter")


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    return float((one - two).abs().max())


@pytest.mark.parametrize(
    "options",
    [{}, {"use_rslora": True}, {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"down_proj": 3}, "rank": 3}],
)
def test_merged_into_the_16_bit_base_it_is_the_trained_model(
    base: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    folder = toy_adapter(base, tmp_path / "a", **options)
    merged = merge_adapter(base, folder, tmp_path / "merged", into="16bit", dtype="float32")
    trained = logits(adapted(base, folder))
    assert distance(logits(whole(merged)), trained) < 1e-4
    assert distance(logits(whole(base)), trained) > 0.1


def test_a_qlora_adapter_is_the_trained_model_in_the_dequantised_base_only(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    options = {"quantization_config": nf4_config(torch.float32), "device_map": {"": "cpu"}}
    trained = logits(in_float32(adapted(base, adapter, **options)))
    found = {
        into: logits(whole(merge_adapter(base, adapter, tmp_path / into, into=into, dtype="float32", device="cpu")))
        for into in adapter_merge.INTO
    }
    assert distance(found["dequantised"], trained) < 1e-4
    assert distance(found["16bit"], trained) > 0.05


def test_the_rounded_base_is_what_transformers_dequantises(base: Path, adapter: Path, tmp_path: Path) -> None:
    """With factors of zero the merged weights are those of `model.dequantize()`, bit for bit."""
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForCausalLM

    folder = shutil.copytree(adapter, tmp_path / "zero")
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(
        {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}, folder / "adapter_model.safetensors"
    )
    merged = whole(merge_adapter(base, folder, tmp_path / "m", into="dequantised", dtype="float32")).state_dict()
    four_bit = open_base(
        base, AutoModelForCausalLM, quantization_config=nf4_config(torch.float32), device_map={"": "cpu"}
    )
    expected = four_bit.dequantize().state_dict()
    assert merged.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in merged.items())
    stored = load_file(base / "model.safetensors")
    changed = {name for name, tensor in merged.items() if not torch.equal(tensor, stored[name])}
    assert changed == {name for name in stored if "_proj" in name}


def test_the_sum_is_made_in_float32_also_for_a_bfloat16_base(base: Path, adapter: Path, tmp_path: Path) -> None:
    """Rounded once, at the end: bfloat16(W + delta), with a delta far below the weights' 8 bits kept until then."""
    half = tmp_path / "half"
    model = whole(base).to(torch.bfloat16)
    model.save_pretrained(half)
    merged = merge_adapter(half, adapter, tmp_path / "m", into="16bit")  # auto: the base's own type
    found, stored = load_file(merged / "model.safetensors"), load_file(half / "model.safetensors")
    factors = load_factors(read_adapter(adapter))
    for module, own in factors.items():
        name = f"{module}.weight"
        assert torch.equal(found[name], (stored[name].float() + own.delta()).to(torch.bfloat16))
    assert json.loads((merged / "config.json").read_text(encoding="utf-8"))["dtype"] == "bfloat16"
    full = merge_adapter(half, adapter, tmp_path / "f", into="16bit", dtype="float32")
    assert load_file(full / "model.safetensors")["model.norm.weight"].dtype == torch.float32


def test_tokenizer_generation_config_and_chat_template_travel(base: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    folder = shutil.copytree(adapter, tmp_path / "a")
    (folder / "optimizer.pt").write_bytes(b"x")
    merged = merge_adapter(base, folder, tmp_path / "m", into="16bit")
    tokenizer = AutoTokenizer.from_pretrained(merged)
    assert tokenizer.chat_template == TEMPLATE and tokenizer.get_vocab()["w9"] == 9
    assert GenerationConfig.from_pretrained(merged).max_new_tokens == 7
    assert not {"adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "manifest.json"}.intersection(
        path.name for path in merged.iterdir()
    )
    tokenizer.chat_template = "other"
    tokenizer.save_pretrained(folder)
    again = merge_adapter(base, folder, tmp_path / "m", into="16bit")
    assert AutoTokenizer.from_pretrained(again).chat_template == "other"


def test_a_merged_base_in_several_files_is_the_same(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = merge_adapter(base, adapter, tmp_path / "one", into="16bit")
    parts = tmp_path / "parts"
    whole(base).save_pretrained(parts, max_shard_size="100KB")
    assert len(list(parts.glob("*.safetensors"))) > 2
    monkeypatch.setattr(model_files.write_weights, "__kwdefaults__", {"shard_bytes": 50_000})
    several = merge_adapter(parts, adapter, tmp_path / "several", into="16bit")
    assert len(list(several.glob("*.safetensors"))) > 2
    assert torch.equal(logits(whole(one)), logits(whole(several)))


def test_several_adapters_with_weights_are_added(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = toy_adapter(base, tmp_path / "b", seed=2, rank=2)
    first, second = read_adapter(adapter), read_adapter(other)
    merged = merge_adapters(base, [(first, 0.25), (second, 0.75)], tmp_path / "m", into="16bit")
    found, stored = load_file(merged / "model.safetensors"), load_file(base / "model.safetensors")
    one, two = load_factors(first), load_factors(second)
    for module in one:
        expected = stored[f"{module}.weight"] + 0.25 * one[module].delta() + 0.75 * two[module].delta()
        torch.testing.assert_close(found[f"{module}.weight"], expected, rtol=1e-6, atol=1e-6)


def test_a_transposed_base_gets_transposed_deltas(tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=32, n_embd=16, n_layer=1, n_head=2, n_positions=16)).eval()
    model.save_pretrained(tmp_path / "base")
    config = LoraConfig(r=2, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, task_type="CAUSAL_LM")
    peft = get_peft_model(model, config)
    randomise(peft, 4)
    peft.save_pretrained(tmp_path / "a")
    merged = merge_adapter(tmp_path / "base", tmp_path / "a", tmp_path / "m", into="16bit")
    fresh = GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    trained = logits(PeftModel.from_pretrained(fresh, tmp_path / "a").eval())
    assert distance(logits(GPT2LMHeadModel.from_pretrained(merged).eval()), trained) < 1e-4


@pytest.mark.parametrize("into", adapter_merge.INTO)
def test_an_encoder_of_a_language_model_merges_and_keeps_its_modules(base: Path, tmp_path: Path, into: Any) -> None:
    """sentence-transformers adapters: module names lack the `model.`, and pooling lies beside the adapter."""
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    options: dict[str, Any] = {"dtype": torch.float32}
    if into == "dequantised":
        pytest.importorskip("bitsandbytes")
        options |= {"quantization_config": nf4_config(torch.float32), "device_map": {"": "cpu"}}
    modules = [Transformer(str(base), model_kwargs=options), Pooling(64, pooling_mode="lasttoken"), Normalize()]
    trained = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "w3 "})
    trained.add_adapter(LoraConfig(task_type="FEATURE_EXTRACTION", r=4, lora_alpha=8, target_modules="all-linear"))
    randomise(trained, 7)
    in_float32(trained).eval().save_pretrained(str(tmp_path / "a"), create_model_card=False)
    found = read_adapter(tmp_path / "a")
    assert found.is_encoder and found.target_modules[0] == "layers.0.mlp.down_proj"
    merged = merge_adapter(base, tmp_path / "a", tmp_path / "m", into=into, dtype="float32")
    again = SentenceTransformer(str(merged), device="cpu", model_kwargs={"dtype": torch.float32})
    assert [type(module).__name__ for module in again] == ["Transformer", "Pooling", "Normalize"]
    assert again.prompts["query"] == "w3 "
    texts = ["w4", "w5", "w6"]
    expected = torch.from_numpy(trained.encode(texts))
    assert distance(torch.from_numpy(again.encode(texts)), expected) < 1e-4
    plain = SentenceTransformer(modules=[Transformer(str(base)), *modules[1:]], device="cpu")
    assert distance(torch.from_numpy(plain.encode(texts)), expected) > 0.01


def test_an_adapter_of_another_base_is_refused_before_anything_loads(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = toy_base(tmp_path / "wide", hidden=128)
    with pytest.raises(ModelError, match=r"does not fit the base .*wide: of 14 modules 14 differ, for example model"):
        merge_adapter(other, adapter, tmp_path / "m", into="16bit")
    short = toy_base(tmp_path / "short", layers=1)
    with pytest.raises(ModelError, match=r"of 14 modules 7 differ, for example model.layers.1.*weight is not there"):
        check_merge(short, [read_adapter(adapter)], into="16bit")
    assert not (tmp_path / "m").exists()


def test_bases_that_cannot_be_merged_into_are_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    def merge(folder: Path, **changes: Any) -> None:
        merge_adapter(folder, adapter, tmp_path / "m", **{"into": "16bit", "dtype": "float32", **changes})

    with pytest.raises(ModelError, match=r"config.json: expected JSON, cannot be read"):
        merge(tmp_path / "nowhere")
    quantised = shutil.copytree(base, tmp_path / "quantised")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (quantised / "config.json").write_text(json.dumps({**config, "quantization_config": {}}), encoding="utf-8")
    with pytest.raises(ModelError, match="is quantised already"):
        merge(quantised)
    torn = shutil.copytree(base, tmp_path / "torn")
    content = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(ModelError, match=r"torn/model.safetensors: corrupted"):
        merge(torn)
    with pytest.raises(ConfigError, match="got '8bit', 'float32'"):
        merge(base, into="8bit")
    with pytest.raises(ConfigError, match="got '16bit', 'int8'"):
        merge(base, dtype="int8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quantised", "torn"]


def test_weights_that_overflow_are_refused(base: Path, tmp_path: Path) -> None:
    folder = toy_adapter(base, tmp_path / "a", alpha=4_000_000)
    with pytest.raises(ModelError, match=r"merged, it is not finite in torch.float16; choose bfloat16 or float32"):
        merge_adapter(base, folder, tmp_path / "m", into="16bit", dtype="float16")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("stands", [False, True])
def test_a_disk_that_fills_up_leaves_nothing_half_written(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stands: bool
) -> None:
    output = tmp_path / "out" / "merged"
    if stands:
        merge_adapter(base, adapter, output, into="16bit")
    before = {path.name: path.read_bytes() for path in output.glob("*")}

    def full(tensors: object, path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(InputError, match=r"merged: the disk is full; nothing was left under that name"):
        merge_adapter(base, adapter, output, into="16bit", dtype="bfloat16")
    assert {path.name: path.read_bytes() for path in output.glob("*")} == before
    assert [path.name for path in output.parent.iterdir()] == (["merged"] if stands else [])


def test_a_disk_without_room_is_told_before_anything_is_written(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_merge, "_SPARE", 1 << 60)
    with pytest.raises(InputError, match="GB of disk, but"):
        merge_adapter(base, adapter, tmp_path / "m", into="16bit")
    assert list(tmp_path.iterdir()) == []
