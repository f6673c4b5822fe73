"""A toy world that a tiny cross-encoder can learn in seconds: the wrong answer names its misconception's word."""

from pathlib import Path

import pytest

from core.records import LETTERS, Misconception, Query, Question, Ranking

WORDS = ("adds", "doubles", "halves", "squares", "swaps", "drops", "counts", "rounds")


@pytest.fixture(scope="session")
def bank() -> list[Misconception]:
    return [Misconception(id=10 + place, name=f"student {word} it") for place, word in enumerate(WORDS)]


@pytest.fixture(scope="session")
def queries(bank: list[Misconception]) -> list[Query]:
    """24 queries; the label of number i is bank entry i modulo 8."""
    made = []
    for number in range(24):
        place = number % len(WORDS)
        question = Question(
            id=number,
            text=f"what is {number}",
            answers=("right", f"{WORDS[place]} wrong", "left", "none"),
            correct=LETTERS[0],
            labels=((), (bank[place].id,), (), ()),
        )
        made.append(Query(question=question, letter="B", hint=f"hint {WORDS[place]}" if number % 2 else None))
    return made


@pytest.fixture(scope="session")
def candidates(queries: list[Query], bank: list[Misconception]) -> list[Ranking]:
    """Stage 1 ranks the bank by id, turned by the query's number: no information about the label."""
    rankings = []
    for number, query in enumerate(queries):
        scores = [-float((place + 3 * number) % len(bank)) for place in range(len(bank))]
        rankings.append(Ranking.from_scores(query.key, [m.id for m in bank], scores))
    return rankings


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, 32 wide, random weights, a vocabulary of whole words; no head, as in a bi-encoder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "base"
    words = [*WORDS, "student", "it", "what", "is", "right", "wrong", "left", "none", "hint", "topic", "subject"]
    words += ["question", "answer", "correct", ":", *map(str, range(24))]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    numbered = {word: number for number, word in enumerate(vocabulary)}
    BertTokenizerFast(vocab=numbered, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    return folder
