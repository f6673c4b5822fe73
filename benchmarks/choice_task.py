"""A task that a tiny listwise model learns from nothing: find the candidate whose word stands in the question.

Prompts, training, engine and rerankers are the product's own; the model is a Llama of three layers of 64 with random
weights. Used by `adaptive_learned.py`, and by the proof that the training path is right (tests/rerank).
"""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.records import Misconception, Query, Question, Ranking
from rerank.prompts import LETTERS, PromptTemplate

WORDS = [f"w{number}" for number in range(24)]
BANK = [Misconception(id=number, name=word) for number, word in enumerate(WORDS)]
SHOWN = 5
TEMPLATE = PromptTemplate(
    fields=("question", "incorrect"), instruction="x", separator="", closing="", max_tokens=256, alphabet=LETTERS
)


class Split(NamedTuple):
    """Queries with rankings of 12 entries, the truth at a random place among the first five."""

    queries: list[Query]
    candidates: list[Ranking]


def split(first: int, count: int, *, seed: int, silent: float = 0.0) -> Split:
    """Make questions.

    Args:
        first: Id of the first.
        count: How many.
        seed: Fixes them.
        silent: Share of questions that hold no candidate's word: nobody can answer those.
    """
    rng, shuffles, silences = random.Random(seed), np.random.default_rng(seed), random.Random(seed + 1)
    queries, candidates = [], []
    for number in range(first, first + count):
        truth = rng.randrange(len(WORDS))
        noise = f"v{rng.randrange(5)}"
        question = Question(
            id=number,
            text=f"{noise} v0" if silences.random() < silent else f"{noise} {WORDS[truth]}",
            answers=("r", "s", "t", "u"),
            correct="A",
            labels=((), (truth,), (), ()),
        )
        queries.append(Query(question=question, letter="B"))
        ids = [id for id in shuffles.permutation(len(WORDS)).tolist() if id != truth][:11]
        ids.insert(int(shuffles.integers(SHOWN)), truth)
        candidates.append(Ranking.from_scores(f"{number}_B", ids, -np.arange(12.0)))
    return Split(queries, candidates)


def empty_model(folder: Path) -> Path:
    """Write a Llama of three layers of 64 with seeded random weights and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["[PAD]", "[BOS]", "[EOS]", "[UNK]", *LETTERS, "Yes", "No", "Question", "Misconceptions", "Misconception"]
    words += [":", *WORDS, *(f"v{number}" for number in range(5))]
    backend = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", bos_token="[BOS]", eos_token="[EOS]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=256,
        initializer_range=0.1,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
