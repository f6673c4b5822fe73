"""What is put together from kept token ids is, to the last tensor, what the model makes of the texts itself."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from core.models import locate_model
from retrieval.encoder import SentenceEncoder
from retrieval.token_cache import TokenCache

SHORT, LONG = "the student adds", "what is the top of the fraction and the bottom of the ratio " * 9
BATCHES = [[SHORT, LONG, "squares", SHORT], ["halves", "squares"], [LONG, "Doubles  the\tnumber é"], ["squares"], [""]]


def told(model: SentenceTransformer, texts: Sequence[str]) -> dict[str, Any]:
    return dict(model.preprocess(list(texts), prompt=""))


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for key, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert found[key].dtype == value.dtype
            assert torch.equal(found[key], value), key
        else:
            assert found[key] == value


@pytest.fixture(params=["minilm", "bert", "decoder", "smollm2", "chat", "left"])
def model(request: pytest.FixtureRequest, tiny_folder: Path, tiny_decoder: Path) -> SentenceTransformer:
    """MiniLM and a toy BERT (token_type_ids), decoders with their end token, a chat template, padding on the left."""
    if request.param == "minilm":
        folder = locate_model("bundled:all-MiniLM-L6-v2").folder
        return SentenceEncoder.load(str(folder), device="cpu", dtype="float32", max_length=24).model
    if request.param == "bert":
        return SentenceTransformer(str(tiny_folder), device="cpu")
    if request.param == "chat":
        found = SentenceTransformer(str(tiny_decoder), device="cpu")
        assert found.preprocess(["the top"])["modality"] == "message"
        return found
    folder = request.getfixturevalue("smollm2_folder") if request.param == "smollm2" else tiny_decoder
    found = SentenceEncoder.load(str(folder), pooling="last", device="cpu", dtype="float32", max_length=24).model
    if request.param == "left":
        found.tokenizer.padding_side = "left"
    return found


def test_a_batch_equals_what_the_model_makes_of_it(
    model: SentenceTransformer, caplog: pytest.LogCaptureFixture
) -> None:
    model.prompts, model.default_prompt_name = {"query": "the sign "}, "query"  # prompts are part of the texts here
    cache = TokenCache(model)
    with caplog.at_level(logging.INFO, logger="retrieval.token_cache"):
        for texts in BATCHES:
            expected = told(model, texts)
            for _ in range(2):
                assert_same(cache(texts), expected)
    assert not caplog.messages
    assert len(cache) == len({text for texts in BATCHES for text in texts})


def test_prompts_before_the_texts_count_when_they_are_cut(tiny: Callable[[], SentenceTransformer]) -> None:
    model = tiny()
    model.max_seq_length = 8
    texts = ["the ratio " + text for text in (SHORT, LONG)]
    cache = TokenCache(model)
    assert_same(cache(texts), told(model, texts))
    assert cache(texts)["input_ids"].shape == (2, 8)


def test_a_text_is_read_once(tiny: Callable[[], SentenceTransformer], monkeypatch: pytest.MonkeyPatch) -> None:
    model, read = tiny(), []
    own = model.preprocess
    monkeypatch.setattr(model, "preprocess", lambda texts, prompt: (read.extend(texts), own(texts, prompt=prompt))[1])
    cache = TokenCache(model)
    for texts in BATCHES[:4]:
        cache(texts)
    assert read == [SHORT, LONG, "squares", "halves", "Doubles  the\tnumber é"]
    first = cache([SHORT])
    first["input_ids"].zero_()
    assert cache([SHORT])["input_ids"].any(), "a batch is the caller's own"


def test_a_model_that_pads_in_its_own_way_is_asked_every_time(
    tiny: Callable[[], SentenceTransformer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="retrieval.token_cache")
    model = tiny()
    own = model.preprocess

    def preprocess(texts: list[str], prompt: str) -> dict[str, Any]:
        made = own(texts, prompt=prompt)
        made["input_ids"] = torch.nn.functional.pad(made["input_ids"], (0, 3), value=7)
        made["attention_mask"] = torch.nn.functional.pad(made["attention_mask"], (0, 3))
        return dict(made)

    monkeypatch.setattr(model, "preprocess", preprocess)
    cache = TokenCache(model)
    for texts in BATCHES:
        assert_same(cache(texts), told(model, texts))
    assert len(cache) == 0
    assert [message.split(": ")[0] for message in caplog.messages] == [
        "token ids are not kept, every batch is tokenised anew"
    ]


def test_other_input_modules_and_options_are_left_to_the_model(
    tiny: Callable[[], SentenceTransformer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="retrieval.token_cache")
    static = SentenceTransformer(modules=[StaticEmbedding(tiny().tokenizer.backend_tokenizer, embedding_dim=4)])
    multiples = tiny()
    multiples[0].processing_kwargs = {"text": {"pad_to_multiple_of": 8}}
    for model in (static, multiples):
        cache = TokenCache(model)
        for texts in BATCHES[:3]:
            assert_same(cache(texts), told(model, texts))
        assert len(cache) == 0
    assert "is a StaticEmbedding, expected a Transformer" in caplog.messages[0]
    assert "options of its own (text)" in caplog.messages[1]
    assert len(caplog.messages) == 2
