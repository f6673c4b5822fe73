"""Opening models for training: what is trained, in which type, and that what is saved is what was trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from core import lora
from core.errors import ModelError
from core.lora import PRESETS, LoraPreset, TrainedWeights, nf4_config, open_trainable, save_trained

SMALL = LoraPreset(rank=4, alpha=8)
IDS = torch.tensor([[1, 5, 9, 2, 7, 3]])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers, 64 wide (NF4 works on blocks of 64), with a tokenizer of one word."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("lora") / "base"
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a"))).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def opened(base: Path, **changed: Any) -> Any:
    settings: dict[str, Any] = {"method": "lora", "lora": SMALL, "device": "cpu", "dtype": torch.float32}
    return open_trainable(base, **{**settings, **changed})


def one_step(model: Any, rate: float = 0.05) -> float:
    """One AdamW step towards token 11 after IDS; return the loss before it."""
    optimizer = torch.optim.AdamW(TrainedWeights(model).parameters(), lr=rate)
    loss = -torch.log_softmax(model(input_ids=IDS).logits[0, -1].float(), dim=0)[11]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def last_logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(input_ids=IDS).logits[0, -1].float()
    return logits


def test_the_presets_are_those_of_the_winners() -> None:
    assert (PRESETS["r64"].rank, PRESETS["r64"].alpha, PRESETS["r64"].learning_rate) == (64, 128, 2e-4)
    assert (PRESETS["r16"].rank, PRESETS["r16"].learning_rate) == (16, 2e-5)
    for wrong in ({"rank": 0}, {"alpha": 0}, {"dropout": 1.0}):
        with pytest.raises(ValueError, match="rank and alpha of at least 1"):
            LoraPreset(**{"rank": 4, "alpha": 8, **wrong})


def test_an_adapter_lies_on_every_linear_layer_but_the_head_and_nothing_else_is_trained(base: Path) -> None:
    model = opened(base)
    names = [name for name, _ in TrainedWeights(model).named()]
    assert all("lora_" in name for name in names)
    seven = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in names} == seven
    assert len(names) == 2 * 7 * 2  # two factors, two layers
    assert model.training


def test_adapters_are_float32_on_a_bfloat16_base(base: Path) -> None:
    model = opened(base, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in TrainedWeights(model).parameters()} == {torch.float32}
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16


def test_full_training_is_float32_and_only_for_small_models(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened(base, method="full", dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(parameter.requires_grad for parameter in model.parameters())
    monkeypatch.setattr(lora, "LARGEST_FULL", 1000)
    with pytest.raises(ModelError, match="Use the method lora or qlora"):
        opened(base, method="full")


def test_the_seed_decides_the_first_weights(base: Path) -> None:
    def first(seed: int) -> torch.Tensor:
        return next(tensor for name, tensor in TrainedWeights(opened(base, seed=seed)).named() if "lora_A" in name)

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


def test_a_saved_adapter_is_the_trained_model_on_its_base(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = opened(base)
    before = last_logits(model)
    model.train()
    one_step(model)
    trained = last_logits(model)
    assert (trained - before).abs().max() > 0.1
    save_trained(model, tmp_path / "adapter", base=base, base_name="owner/name")
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("owner/name", 4, 8)
    again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter")
    torch.testing.assert_close(last_logits(again), trained, rtol=0, atol=1e-5)


def test_a_fully_trained_model_is_saved_whole(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = opened(base, method="full")
    one_step(model, 1e-3)
    trained = last_logits(model)
    save_trained(model, tmp_path / "model", base=base)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    torch.testing.assert_close(last_logits(again), trained, rtol=0, atol=1e-5)
    assert again.config.use_cache
    assert AutoTokenizer.from_pretrained(tmp_path / "model").get_vocab() == {"a": 0}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_training_starts_where_an_earlier_one_ended(base: Path, tmp_path: Path, method: str) -> None:
    model = opened(base, method=method)
    one_step(model, 1e-2)
    trained = last_logits(model)
    save_trained(model, tmp_path / "first", base=base)
    again = opened(base, method=method, start=tmp_path / "first")
    torch.testing.assert_close(last_logits(again), trained, rtol=0, atol=1e-5)
    assert (last_logits(opened(base, method=method)) - trained).abs().max() > 0.01
    trained_now = {name for name, _ in TrainedWeights(again).named()}
    assert trained_now == {name for name, _ in TrainedWeights(model).named()}


def test_an_adapter_of_another_shape_is_no_start(base: Path, tmp_path: Path) -> None:
    save_trained(opened(base), tmp_path / "first", base=base)
    with pytest.raises(ModelError, match="does not fit its base: 28 of 28 weights"):
        opened(base, lora=LoraPreset(rank=8, alpha=8), start=tmp_path / "first")


def test_trained_weights_go_and_come_back(base: Path) -> None:
    model = opened(base)
    weights = TrainedWeights(model)
    kept = {name: tensor.clone() for name, tensor in weights.state_dict().items()}
    one_step(model)
    assert any(not torch.equal(tensor, kept[name]) for name, tensor in weights.state_dict().items())
    weights.load_state_dict(kept)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in weights.state_dict().items())
    with pytest.raises(ModelError, match="another model's"):
        weights.load_state_dict({"x": torch.zeros(1)})


def test_tied_weights_are_kept_once(word_model_with_tied_head: Any) -> None:
    names = [name for name, _ in TrainedWeights(word_model_with_tied_head).named()]
    assert "model.embed_tokens.weight" in names and "lm_head.weight" not in names


@pytest.fixture
def word_model_with_tied_head() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=16,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
            tie_word_embeddings=True,
        )
    )


def test_four_bits_are_nf4_with_quantised_scales() -> None:
    made = nf4_config(torch.bfloat16)
    assert (made.load_in_4bit, made.bnb_4bit_quant_type, made.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert made.bnb_4bit_compute_dtype == torch.bfloat16


def test_qlora_steps_on_a_cpu(base: Path, tmp_path: Path) -> None:
    """NF4 with double quantisation, computed in float32: the loss falls, and the adapter is a plain one."""
    pytest.importorskip("bitsandbytes")
    model = opened(base, method="qlora", gradient_checkpointing=True)
    layer = model.get_base_model().model.layers[0].self_attn.q_proj.base_layer
    assert (layer.weight.quant_type, layer.weight.quant_state.nested) == ("nf4", True)
    assert layer.compute_dtype == torch.float32
    losses = [one_step(model, 0.02) for _ in range(4)]
    assert losses[-1] < losses[0] - 0.2
    save_trained(model, tmp_path / "adapter", base=base)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_what_is_missing_is_named(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="cannot be opened as a causal language model"):
        opened(tmp_path)
    torn = shutil.copytree(base, tmp_path / "torn")
    (torn / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"torn: cannot be opened as a causal language model .*not fully covered"):
        opened(torn)
    monkeypatch.setattr(lora, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="training by lora needs the package peft; install the extra `train`"):
        opened(base)
