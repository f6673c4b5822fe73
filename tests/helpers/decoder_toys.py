"""A decoder small enough to train in a test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.lora import LoraPreset
from retrieval.adapted import put_adapter
from retrieval.encoder import SentenceEncoder

SMALL = LoraPreset(rank=4, alpha=8)


def write_decoder(folder: Path, words: Sequence[str], splitter: Any, **shape: Any) -> Path:
    """Write a Llama of two layers, 64 wide, random weights, with a vocabulary of whole words and a chat template.

    Args:
        folder: Made.
        words: The vocabulary, beside an end and a padding token.
        splitter: A pre-tokenizer of the package tokenizers.
        shape: More of its config.
    """
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = list(dict.fromkeys(["<|end|>", "<|pad|>", *words]))
    backend = Tokenizer(WordLevel({word: place for place, word in enumerate(known)}, unk_token="<|pad|>"))
    backend.pre_tokenizer = splitter
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = "what is {% for message in messages %}{{ message.content }}{% endfor %} top"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=len(known),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=1,
        **shape,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def adapted(folder: Path, *, four_bit: bool = False, seed: int = 3, **changed: Any) -> SentenceEncoder:
    """Open the toy decoder with a new adapter on it."""
    encoder = SentenceEncoder.load(
        str(folder), pooling="last", device="cpu", dtype="float32", four_bit=four_bit, max_length=24, **changed
    )
    put_adapter(encoder.model, SMALL, base_name=str(folder), base_revision="sha256:toy", seed=seed)
    return encoder


def loaded(folder: Path, base: Path, *, four_bit: bool = False, **changed: Any) -> SentenceEncoder:
    """Open a saved adapter on its base."""
    return SentenceEncoder.load(str(folder), base=base, device="cpu", dtype="float32", four_bit=four_bit, **changed)
