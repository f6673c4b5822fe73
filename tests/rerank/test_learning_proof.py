"""The proof that the training path is right: a tiny model that knows nothing learns a task from our loop alone.

The task is to find the candidate whose word stands in the question. Prompts, training, engine and rerankers are the
product's own; the model is a Llama of three layers with random weights, which ranks at chance before.
"""

import random
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest

from core.records import Misconception, Query, Question, Ranking
from core.tokenizer import load_tokenizer
from core.transformers_engine import TransformersEngine
from eval.metrics import average_precisions
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.prompts import LETTERS, ListwisePrompter, PointwisePrompter, PromptTemplate
from rerank.train_language_model import train_language_model
from rerank.training_groups import FoldProvenance

WORDS = [f"w{number}" for number in range(24)]
SHOWN = 5
TEMPLATE = PromptTemplate(
    fields=("question", "incorrect"), instruction="x", separator="", closing="", max_tokens=256, alphabet=LETTERS
)


class Split(NamedTuple):
    """Queries with rankings of 12 entries, the truth at a random place among the first five."""

    queries: list[Query]
    candidates: list[Ranking]


@pytest.fixture(scope="module")
def bank() -> list[Misconception]:
    return [Misconception(id=number, name=word) for number, word in enumerate(WORDS)]


def split(first: int, count: int, seed: int) -> Split:
    rng, shuffles = random.Random(seed), np.random.default_rng(seed)
    queries, candidates = [], []
    for number in range(first, first + count):
        truth = rng.randrange(len(WORDS))
        question = Question(
            id=number,
            text=f"v{rng.randrange(5)} {WORDS[truth]}",
            answers=("r", "s", "t", "u"),
            correct="A",
            labels=((), (truth,), (), ()),
        )
        queries.append(Query(question=question, letter="B"))
        ids = [id for id in shuffles.permutation(len(WORDS)).tolist() if id != truth][:11]
        ids.insert(int(shuffles.integers(SHOWN)), truth)
        candidates.append(Ranking.from_scores(f"{number}_B", ids, -np.arange(12.0)))
    return Split(queries, candidates)


@pytest.fixture(scope="module")
def knows_nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of three layers of 64 with seeded random weights and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("proof") / "model"
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


def mean_average_precision(
    kind: Literal["listwise", "pointwise"], model: Path, base: Path, test: Split, bank: list[Misconception]
) -> float:
    """MAP of the product's own reranker on new questions, five candidates each."""
    engine = TransformersEngine.load(model, device="cpu", dtype="float32")
    tokenizer = load_tokenizer(base)
    reranker = (
        ListwiseReranker(engine, ListwisePrompter(tokenizer, TEMPLATE))
        if kind == "listwise"
        else PointwiseReranker(engine, PointwisePrompter(tokenizer, TEMPLATE))
    )
    out = reranker.rerank(test.queries, [ranking.top(SHOWN) for ranking in test.candidates], bank)
    return float(average_precisions(out, {query.key: query.labels for query in test.queries}).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "epochs", "count"),
    [("listwise", 24, 1600), ("pointwise", 6, 400)],
)
def test_a_model_that_knows_nothing_learns_the_task(
    kind: Literal["listwise", "pointwise"],
    epochs: int,
    count: int,
    knows_nothing: Path,
    bank: list[Misconception],
    tmp_path: Path,
) -> None:
    train, test = split(0, count, seed=0), split(10_000, 200, seed=1)
    assert mean_average_precision(kind, knows_nothing, knows_nothing, test, bank) < 0.6  # chance is 0.457
    tokenizer = load_tokenizer(knows_nothing)
    made = train_language_model(
        knows_nothing,
        train.queries,
        train.candidates,
        bank,
        kind=kind,
        prompter=(ListwisePrompter if kind == "listwise" else PointwisePrompter)(tokenizer, TEMPLATE),
        output_dir=tmp_path / "model",
        method="full",
        epochs=epochs,
        sizes=(3, SHOWN),
        window=12,
        batch_queries=16,
        learning_rate=3e-3,
        weight_decay=0.0,
        provenance=[
            FoldProvenance(model="by hand", ranked=frozenset(q.key for q in train.queries), fitted_on=frozenset())
        ],
        device="cpu",
        precision="float32",
        show_progress=False,
    )
    assert mean_average_precision(kind, made.folder, knows_nothing, test, bank) >= 0.95
