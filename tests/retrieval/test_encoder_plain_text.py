"""Encoders made of a bare transformer read texts as they are, whatever chat template the tokenizer has."""

import shutil
from pathlib import Path

import pytest

from core.lora import LoraPreset
from retrieval.adapted import put_adapter
from retrieval.encoder import SentenceEncoder


@pytest.fixture
def chatting_decoder(tiny_decoder: Path, tmp_path: Path) -> Path:
    """The toy decoder with a chat template, as instruct models have."""
    folder = tmp_path / "chatting"
    shutil.copytree(tiny_decoder, folder)
    template = "{% for m in messages %}the student adds {{ m.content }} top bottom{% endfor %}"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def test_texts_are_never_put_into_a_chat_template(chatting_decoder, tiny_decoder):
    texts = ["number from top", "angle"]
    plain, chatting = (
        SentenceEncoder.load(str(folder), pooling="last", device="cpu", dtype="float32")
        for folder in (tiny_decoder, chatting_decoder)
    )
    assert chatting.model.tokenizer.chat_template, "or this test says nothing"
    fed = chatting.model.preprocess(texts, prompt="")
    ends = fed["attention_mask"].sum(dim=1) - 1
    end = chatting.model.tokenizer.eos_token_id
    assert ends.tolist() == [3, 1] and [int(row[place]) for row, place in zip(fed["input_ids"], ends, strict=True)] == [
        end,
        end,
    ]
    assert (plain.encode_documents(texts) == chatting.encode_documents(texts)).all()


def test_a_saved_adapter_reads_texts_as_it_was_trained(chatting_decoder, tmp_path):
    first = SentenceEncoder.load(str(chatting_decoder), pooling="last", device="cpu", dtype="float32")
    put_adapter(first.model, LoraPreset(rank=4, alpha=8), base_name="toy", base_revision=None, seed=0)
    first.model.save_pretrained(str(tmp_path / "adapter"), create_model_card=False)
    again = SentenceEncoder.load(str(tmp_path / "adapter"), base=chatting_decoder, device="cpu", dtype="float32")
    texts = ["number from top", "angle"]
    assert abs(first.encode_queries(texts) - again.encode_queries(texts)).max() < 1e-5
