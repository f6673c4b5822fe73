"""A toy world that a tiny cross-encoder can learn in seconds: the wrong answer names its misconception's word."""

import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

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


LETTER_IDS = tuple(range(4, 4 + 20))
"""Token ids of the labels in `WordPrompts`: 20 letters, the last for "none of these" where there is one."""


@dataclass(frozen=True)
class ToyPrompt:
    token_ids: tuple[int, ...]
    label_ids: tuple[int, ...]
    candidate_ids: tuple[int | None, ...]
    cut_tokens: int = 0


@dataclass(frozen=True)
class WordPrompts:
    """Prompts of whole words without any tokenizer: ids 0 padding, 1 start, 2 answer, 3 unknown, then letters, words.

    Serves as listwise (`build` with several candidates) and as pointwise prompter (with one).
    """

    none_label: bool = False

    @property
    def capacity(self) -> int:
        return len(LETTER_IDS) - self.none_label

    def words(self, text: str) -> list[int]:
        known = {word: 30 + place for place, word in enumerate(WORDS)}
        return [known.get(word, 3) for word in text.split()]

    def build(self, query: Query, candidates: list[Misconception] | Misconception) -> Any:
        head = [1, *self.words(query.wrong_answer), *self.words(query.hint or "")]
        if isinstance(candidates, Misconception):
            ids = [*head, *self.words(candidates.name), 2]
            return ToyPrompt(tuple(ids), (LETTER_IDS[0], LETTER_IDS[1]), (candidates.id,))
        slots: list[int | None] = [candidate.id for candidate in candidates]
        for letter, candidate in zip(LETTER_IDS, candidates, strict=False):
            head += [letter, *self.words(candidate.name)]
        if self.none_label:
            head.append(LETTER_IDS[len(slots)])
            slots.append(None)
        return ToyPrompt((*head, 2), LETTER_IDS[: len(slots)], tuple(slots))


@pytest.fixture(scope="session")
def toy_prompts() -> WordPrompts:
    return WordPrompts()


@pytest.fixture(scope="session")
def none_prompts() -> WordPrompts:
    return WordPrompts(none_label=True)


@pytest.fixture(scope="session")
def word_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers, 32 wide, random weights, for `WordPrompts`; its tokenizer knows the words too."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("word-lm") / "model"
    vocabulary = ["[PAD]", "[START]", "[ANSWER]", "[UNK]", *[f"L{n}" for n in range(20)], *[f"x{n}" for n in range(6)]]
    vocabulary += [*WORDS, "y0", "y1"]
    backend = Tokenizer(WordLevel({word: id for id, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", bos_token="[START]", eos_token="[ANSWER]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """Fake prompters and scorers (`score_toys.py` beside this file, which a killed process runs as well)."""
    spec = spec_from_file_location("score_toys", Path(__file__).with_name("score_toys.py"))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["score_toys"] = module
    spec.loader.exec_module(module)
    return module
