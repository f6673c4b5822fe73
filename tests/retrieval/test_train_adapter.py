"""Training an adapter: it learns, goes on after a kill to the same weights, and B may learn faster than A."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from decoder_toys import adapted, loaded
from training_toys import BANK, PAIRS, KilledError, recall_at_1, train

from retrieval.adapted import adapter_weights
from retrieval.train import train_retriever
from retrieval.trainer import training_arguments


def kept(encoder: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in adapter_weights(encoder.model).items()}


@pytest.mark.parametrize("four_bit", [False, True])
def test_it_learns_and_leaves_the_adapter_alone(tiny_decoder: Path, tmp_path: Path, four_bit: bool) -> None:
    encoder = adapted(tiny_decoder, four_bit=four_bit)
    base = {name: weight.clone() for name, weight in encoder.model.named_parameters() if not weight.requires_grad}
    result = train(encoder.model, tmp_path / "model", epochs=4, query_prompt="the ", gradient_checkpointing=four_bit)
    assert result.history[-1].loss < 0.6 * result.history[0].loss
    assert all(torch.equal(weight, base[n]) for n, weight in encoder.model.named_parameters() if n in base)
    assert sum(path.stat().st_size for path in (tmp_path / "model").rglob("*.safetensors")) < 60_000
    again = loaded(tmp_path / "model", tiny_decoder, four_bit=four_bit, query_prompt=None)
    assert again.query_prompt == "the ", "the instruction is kept with the model"
    texts = [pair.query_text for pair in PAIRS[:4]]
    expected = encoder.model.encode(["the " + text for text in texts], normalize_embeddings=True)
    np.testing.assert_allclose(again.encode_queries(texts), expected, atol=1e-5)


def test_the_instruction_stands_before_queries_only(tiny_decoder: Path, tmp_path: Path) -> None:
    encoder = adapted(tiny_decoder)
    seen: list[str] = []
    preprocess = encoder.model.preprocess

    def watched(texts: list[str], **given: Any) -> Any:
        seen.extend(texts)
        return preprocess(texts, **given)

    encoder.model.preprocess = watched
    train(encoder.model, tmp_path / "model", epochs=1, query_prompt="the student ", document_prompt="")
    queries = {text for text in seen if text.startswith("the student ")}
    assert queries <= {"the student " + text for p in PAIRS for text in (p.query_text, p.hinted_text) if text}
    assert queries and set(seen) - queries <= set(BANK.values())


def test_killed_it_goes_on_to_the_same_weights(tiny_decoder: Path, tmp_path: Path) -> None:
    straight = adapted(tiny_decoder, four_bit=True)
    train(straight.model, tmp_path / "straight", score=recall_at_1, checkpoint_every=3, lora_b_ratio=4.0)
    calls = []

    def dies(model: Any) -> float:
        calls.append(1)
        if len(calls) == 3:
            raise KilledError
        return recall_at_1(model)

    again = {"score": recall_at_1, "checkpoint_every": 3, "lora_b_ratio": 4.0}
    with pytest.raises(KilledError):
        train(adapted(tiny_decoder, four_bit=True).model, tmp_path / "killed", **{**again, "score": dies})
    checkpoints = sorted((tmp_path / "killed.training").glob("checkpoint-*"))
    assert checkpoints and not any((folder / "model.safetensors").exists() for folder in checkpoints)
    assert all((folder / "adapter_model.safetensors").exists() for folder in checkpoints)
    resumed = adapted(tiny_decoder, four_bit=True)
    assert train(resumed.model, tmp_path / "killed", **again).resumed
    expected = kept(straight)
    assert all(torch.equal(weight, expected[name]) for name, weight in kept(resumed).items())


def test_factor_b_has_a_rate_of_its_own(tiny_decoder: Path, tmp_path: Path) -> None:
    """LoRA+: the first step of AdamW moves every weight by its rate; B begins at 0, so it lies exactly there."""
    common: dict[str, Any] = {"epochs": 1, "batch_size": 20, "learning_rate": 1e-3, "warmup_ratio": 0.0}
    largest = {}
    for ratio in (1.0, 16.0):
        encoder = adapted(tiny_decoder)
        before = kept(encoder)
        train(encoder.model, tmp_path / str(ratio), lora_b_ratio=ratio, weight_decay=0.0, **common)
        moved = {name: (weight - before[name]).abs().max().item() for name, weight in kept(encoder).items()}
        largest[ratio] = max(step for name, step in moved.items() if ".lora_B." in name)
        assert largest[ratio] == pytest.approx(1e-3 * ratio, rel=0.01)
        assert max(step for name, step in moved.items() if ".lora_A." in name) <= 1.01e-3
    args = training_arguments(
        adapted(tiny_decoder).model, tmp_path, epochs=1, batch_size=2, learning_rate=2e-4, lora_b_ratio=16,
        warmup_ratio=0, weight_decay=0, precision="float32", seed=0, log_every=1,
    )  # fmt: skip
    assert list(args.learning_rate_mapping.values()) == [pytest.approx(3.2e-3)]


@pytest.mark.slow
def test_qlora_steps_lower_the_loss_of_smollm2(smollm2_folder: Path, tmp_path: Path) -> None:
    from core.lora import PRESETS
    from retrieval.adapted import put_adapter
    from retrieval.encoder import SentenceEncoder

    encoder = SentenceEncoder.load(
        str(smollm2_folder), pooling="last", device="cpu", dtype="float32", four_bit=True, max_length=24
    )
    put_adapter(encoder.model, PRESETS["r16"], base_name="bundled:SmolLM2-135M-Instruct", base_revision=None, seed=0)
    result = train_retriever(
        encoder.model, PAIRS[:8], BANK, output_dir=tmp_path / "m", epochs=4, batch_size=8, learning_rate=2e-4,
        negatives_per_query=0, first_negatives="random", mini_batch_size=8, progress=False, warmup_ratio=0.0,
        query_prompt="Query: ",
    )  # fmt: skip
    assert result.history[-1].loss < result.history[0].loss - 0.1
    found = loaded(tmp_path / "m", smollm2_folder, four_bit=True)
    texts = ["Query: " + pair.query_text for pair in PAIRS[:3]]
    expected = encoder.model.encode(texts, prompt="", normalize_embeddings=True)
    np.testing.assert_allclose(found.model.encode(texts, prompt="", normalize_embeddings=True), expected, atol=1e-5)
