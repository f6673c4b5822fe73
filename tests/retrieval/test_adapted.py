"""Adapters on encoders: what is trained, what is kept, and that it is the same model when it is loaded again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from decoder_toys import SMALL, adapted, loaded

from core.errors import ModelError
from retrieval.adapted import (
    adapter_weights,
    has_adapter,
    is_adapter,
    load_adapter_weights,
    put_adapter,
    save_encoder,
    shrink_adapter,
)

TEXTS = ["the top of the fraction", "what is 3 by 4", "sign"]


def moved(encoder: Any) -> Any:
    """Give the adapter's factor B values as after a training."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in adapter_weights(encoder.model).items():
            if ".lora_B." in name:
                weight.normal_(std=0.2)
    return encoder


def test_only_the_adapter_is_trained_and_a_new_one_changes_nothing(tiny_decoder: Path) -> None:
    from retrieval.encoder import SentenceEncoder

    plain = SentenceEncoder.load(str(tiny_decoder), pooling="last", device="cpu", dtype="float32", max_length=24)
    encoder = adapted(tiny_decoder)
    trained = [name for name, weight in encoder.model.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * 7 * 2 and all(".lora_" in name for name in trained)  # two factors, seven layers, two
    assert has_adapter(encoder.model) and not has_adapter(plain.model)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS), plain.encode_queries(TEXTS), atol=1e-6)
    with pytest.raises(ModelError, match="has an adapter already"):
        put_adapter(encoder.model, SMALL, base_name="x", base_revision=None, seed=0)


def test_the_adapter_is_float32_on_a_bfloat16_base(tiny_decoder: Path, tmp_path: Path) -> None:
    from retrieval.encoder import SentenceEncoder

    encoder = SentenceEncoder.load(str(tiny_decoder), pooling="last", device="cpu", dtype="bfloat16", max_length=24)
    put_adapter(encoder.model, SMALL, base_name="x", base_revision=None, seed=0)
    types = {(weight.requires_grad, weight.dtype) for weight in encoder.model.parameters()}
    assert types == {(True, torch.float32), (False, torch.bfloat16)}
    save_encoder(encoder.model, tmp_path / "a")
    for trainable, held in ((True, torch.float32), (False, torch.bfloat16)):
        again = SentenceEncoder.load(
            str(tmp_path / "a"), base=tiny_decoder, device="cpu", dtype="bfloat16", trainable=trainable
        )
        assert {weight.dtype for weight in adapter_weights(again.model).values()} == {held}


@pytest.mark.parametrize("four_bit", [False, True])
def test_a_saved_adapter_is_the_same_model_again(tiny_decoder: Path, tmp_path: Path, four_bit: bool) -> None:
    encoder = moved(adapted(tiny_decoder, four_bit=four_bit))
    encoder.model.prompts |= {"query": "the ", "document": ""}
    expected = encoder.encode_queries(TEXTS)
    save_encoder(encoder.model, tmp_path / "a")
    assert is_adapter(tmp_path / "a") and not is_adapter(tiny_decoder)
    files = {path.name for path in (tmp_path / "a").iterdir()}
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files, "the adapter alone is kept"
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["revision"]) == (str(tiny_decoder), "sha256:toy")
    assert config["target_modules"] == sorted(config["target_modules"])
    again = loaded(tmp_path / "a", tiny_decoder, four_bit=four_bit, query_prompt="")
    np.testing.assert_allclose(again.encode_queries(TEXTS), expected, atol=1e-5)
    assert (again.model.max_seq_length, again.model.prompts["query"]) == (24, "the ")
    assert not any(weight.requires_grad for weight in again.model.parameters())
    other = loaded(tmp_path / "a", tiny_decoder, four_bit=not four_bit, query_prompt="")
    assert np.abs(other.encode_queries(TEXTS) - expected).max() > 1e-3, "the other base is another model"
    assert other.fingerprint() != again.fingerprint()


def test_it_is_pulled_back_to_its_base(tiny_decoder: Path) -> None:
    """Half of the base's weights and half of the trained: the merged matrix is their mean."""
    encoder = moved(adapted(tiny_decoder))

    def delta() -> torch.Tensor:
        weights = adapter_weights(encoder.model)
        name = "base_model.model.layers.1.mlp.up_proj.lora_{}.weight"
        return weights[name.format("B")] @ weights[name.format("A")]

    before = delta().detach()
    shrink_adapter(encoder.model, base_share=0.25)
    torch.testing.assert_close(delta().detach(), 0.75 * before)
    with pytest.raises(ValueError, match="base_share is 2"):
        shrink_adapter(encoder.model, base_share=2)


def cut(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lose(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def rename(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    save_file({name.replace(".model.layers.", ".model.model.layers."): w for name, w in load_file(path).items()}, path)


@pytest.mark.parametrize(
    ("harm", "words"), [(cut, "cannot be read"), (lose, "cannot be read"), (rename, "does not fit its base")]
)
def test_a_broken_adapter_is_refused(
    tiny_decoder: Path, tmp_path: Path, harm: Callable[[Path], None], words: str
) -> None:
    encoder = adapted(tiny_decoder)
    save_encoder(encoder.model, tmp_path / "a")
    harm(tmp_path / "a")
    with pytest.raises(ModelError, match=words):
        load_adapter_weights(encoder.model, tmp_path / "a")
