"""A BERT small enough to train in a test: two layers of 32, a few dozen words, seeded random weights, no dropout."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from decoder_toys import write_decoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WORDS = """the student adds subtracts multiplies divides doubles halves squares number numbers fraction decimal ratio
angle area top bottom both sign left right first last forgets swaps what is of and to by from not""".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved sentence-transformers folder of the tiny model (dropout 0.1, as real models have)."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    root = tmp_path_factory.mktemp("tiny")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *(f"##{i}" for i in range(10)), *"0123456789"]
    (root / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab={word: place for place, word in enumerate(vocabulary)})
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=40,
    )
    BertModel(config).save_pretrained(root / "bert")
    tokenizer.save_pretrained(root / "bert")
    transformer = Transformer(str(root / "bert"))
    model = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
    model.save_pretrained(str(root / "model"), create_model_card=False)
    return root / "model"


@pytest.fixture
def tiny(tiny_folder: Path) -> "Callable[[], SentenceTransformer]":
    """Load the tiny model anew; `tiny()` gives equal weights each time."""

    def load() -> "SentenceTransformer":
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(tiny_folder), device="cpu")

    return load


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved Llama of two layers, 64 wide (NF4 works on blocks of 64), with a tokenizer of the same words."""
    from tokenizers.pre_tokenizers import WhitespaceSplit

    return write_decoder(
        tmp_path_factory.mktemp("decoder") / "base",
        [*WORDS, *(str(number) for number in range(20))],
        WhitespaceSplit(),
        intermediate_size=128,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
