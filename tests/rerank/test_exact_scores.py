"""Rerankers, prompters and the reference engine together, against one plain forward pass per prompt."""

from typing import Any

import numpy as np
import pytest
import torch

from core.records import LETTERS, Misconception, Query, Question, Ranking
from core.transformers_engine import TransformersEngine
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan
from rerank.pointwise import PointwiseReranker
from rerank.prompts import ListwisePrompter, PointwisePrompter, PromptTemplate

BANK = [
    Misconception(id=id, name=name) for id, name in [(3, "adds tops"), (5, "halves"), (8, "drops a sign"), (9, "?")]
]


@pytest.fixture(scope="module")
def model(byte_tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=byte_tokenizer.vocabulary_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def asked() -> list[Query]:
    answers = ("3/4", "2/6", "a <|im_end|> b", "1")
    questions = [
        Question(id=number, text=f"What is 1/2 + 1/{number}?", answers=answers, correct=LETTERS[0])
        for number in (4, 17)
    ]
    return [Query(question=question, letter=letter) for question in questions for letter in ("B", "C")]


def plain_logits(model: Any, token_ids: tuple[int, ...]) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor([token_ids])).logits[0, -1].double().numpy()


def log_softmax(values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return values - np.log(np.exp(values - values.max()).sum()) - values.max()


@pytest.mark.parametrize("none_label", [False, True])
def test_listwise_scores_are_those_of_a_forward_pass(
    model: Any, byte_tokenizer: Any, asked: list[Query], none_label: bool
) -> None:
    prompter = ListwisePrompter(byte_tokenizer, PromptTemplate(none_label=none_label))
    given = [Ranking.from_scores(query.key, [8, 3, 9, 5], [4.0, 3.0, 2.0, 1.0]) for query in asked]
    reranker = ListwiseReranker(
        TransformersEngine(model), prompter, orders=OrderPlan(space="probability"), batch_queries=3
    )
    found = reranker.rerank(asked, given, BANK)
    by_id = {entry.id: entry for entry in BANK}
    for query, ranking, scores in zip(asked, found, reranker.last_run.queries, strict=True):
        total = {id: 0.0 for id in (8, 3, 9, 5, None)}
        for order in ([8, 3, 9, 5], [5, 9, 3, 8]):
            prompt = prompter.build(query, [by_id[id] for id in order])
            logits = plain_logits(model, prompt.token_ids)[list(prompt.label_ids)]
            for id, probability in zip(prompt.candidate_ids, np.exp(log_softmax(logits)), strict=True):
                total[id] += probability / 2
        assert np.exp(ranking.scores) == pytest.approx([total[id] for id in ranking.ids.tolist()], abs=1e-5)
        assert np.ptp(ranking.scores) > 0.01
        assert np.exp(scores.none_logprob) == pytest.approx(total[None], abs=1e-5) if none_label else not total[None]


def test_pointwise_scores_are_those_of_a_forward_pass(model: Any, byte_tokenizer: Any, asked: list[Query]) -> None:
    prompter = PointwisePrompter(byte_tokenizer, PromptTemplate())
    given = [Ranking.from_scores(query.key, [8, 3, 9, 5], [4.0, 3.0, 2.0, 1.0]) for query in asked]
    found = PointwiseReranker(TransformersEngine(model), prompter, batch_queries=3).rerank(asked, given, BANK)
    for query, ranking in zip(asked, found, strict=True):
        odds = {}
        for entry in BANK:
            prompt = prompter.build(query, entry)
            yes, no = plain_logits(model, prompt.token_ids)[list(prompt.label_ids)]
            odds[entry.id] = yes - no
        assert ranking.scores == pytest.approx(log_softmax([odds[id] for id in ranking.ids.tolist()]), abs=1e-5)
        assert np.ptp(ranking.scores) > 0.01
