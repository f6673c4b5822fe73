from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.records import Misconception, Query, Question, Ranking
from core.tokenizer import load_tokenizer
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engine_settings import EngineSettings
from pipelines.scoring import ScoringFacts, gpus_of, score_queries
from rerank.identity import IdentityReranker
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.prompts import ListwisePrompter, PointwisePrompter, PromptTemplate
from rerank.score_store import ScoreStore

BANK = [Misconception(id=id, name=f"believes {id}") for id in range(6)]


def query(number: int) -> Query:
    question = Question(id=number, text=f"what is {number}", answers=("1", "2", "3", "4"), correct="A")
    return Query(question=question, letter="B")


QUERIES = [query(number) for number in range(4)]
CANDIDATES = [Ranking.from_scores(one.key, range(6), -np.arange(6.0)) for one in QUERIES]


@pytest.fixture
def engine(tiny_lm: Path) -> PooledEngine:
    key = EngineKey(settings=EngineSettings(device="cpu", dtype="float32"), folder=tiny_lm, adapter=None)
    return PooledEngine(EnginePool(), key)


def test_facts_by_hand() -> None:
    facts = ScoringFacts(queries=100, seconds=20.0, prompts=200, prompt_tokens=112_600, gpus=2)
    assert (facts.queries_per_second, facts.tokens_per_query, facts.gpu_seconds) == (5.0, 1126.0, 400.0)
    assert ScoringFacts(**facts.to_json()) == facts
    on_cpu = ScoringFacts(queries=100, seconds=20.0)
    assert (on_cpu.tokens_per_query, on_cpu.gpu_seconds) == (None, None)
    assert ScoringFacts(queries=100, seconds=None).queries_per_second is None


def test_a_listwise_run_tells_prompts_and_orders(engine: PooledEngine, tiny_lm: Path, tmp_path: Path) -> None:
    prompter = ListwisePrompter(load_tokenizer(tiny_lm), PromptTemplate())
    store = ScoreStore(tmp_path / "scores.jsonl", engine="x")
    scored = score_queries(ListwiseReranker(engine, prompter, store=store), QUERIES, CANDIDATES, BANK, gpus=1)
    assert scored.orders is not None and len(scored.orders) == 8
    assert scored.unreached == ()
    tokens = sum(
        len(prompter.build(one, [BANK[id] for id in order]).token_ids)
        for one in QUERIES
        for order in (range(6), range(5, -1, -1))
    )
    assert (scored.facts.queries, scored.facts.prompts, scored.facts.prompt_tokens) == (4, 8, tokens)
    assert (scored.facts.seconds or 0) > 0
    # Again out of the store: the same scores, and no time that could be taken for a speed.
    again = score_queries(ListwiseReranker(engine, prompter, store=store), QUERIES, CANDIDATES, BANK)
    assert again.rankings == scored.rankings
    assert (again.facts.prompts, again.facts.prompt_tokens, again.facts.seconds) == (8, tokens, None)


def test_half_out_of_the_store_is_told_at_the_engines_speed(
    engine: PooledEngine, tiny_lm: Path, tmp_path: Path
) -> None:
    prompter = PointwisePrompter(load_tokenizer(tiny_lm), PromptTemplate())
    store = ScoreStore(tmp_path / "scores.jsonl", engine="x")
    score_queries(PointwiseReranker(engine, prompter, store=store), QUERIES[:2], CANDIDATES[:2], BANK)
    before = engine.stats.seconds
    scored = score_queries(PointwiseReranker(engine, prompter, store=store), QUERIES, CANDIDATES, BANK)
    fresh = engine.stats.seconds - before
    assert scored.facts.prompts == 24 and scored.orders is None
    assert scored.facts.seconds == pytest.approx(2 * fresh)


def test_the_deadline_leaves_queries_out(engine: PooledEngine, tiny_lm: Path) -> None:
    prompter = ListwisePrompter(load_tokenizer(tiny_lm), PromptTemplate())
    asked = iter([False, False, True])  # before the engine opens, before the first call, before the second
    scored = score_queries(
        ListwiseReranker(engine, prompter, batch_queries=1),
        QUERIES,
        CANDIDATES,
        BANK,
        deadline=lambda: next(asked, True),
    )
    assert len(scored.unreached) == 3 and scored.facts.queries == 1
    assert [len(ranking) for ranking in scored.rankings] == [6, 0, 0, 0]


def test_a_late_run_does_not_open_its_engine(tiny_lm: Path) -> None:
    def refused(key: EngineKey) -> Any:
        raise AssertionError("a 32B model takes minutes to open")

    key = EngineKey(settings=EngineSettings(), folder=tiny_lm, adapter=None)
    prompter = ListwisePrompter(load_tokenizer(tiny_lm), PromptTemplate())
    reranker = ListwiseReranker(PooledEngine(EnginePool(refused), key), prompter)
    late = score_queries(reranker, QUERIES, CANDIDATES, BANK, deadline=lambda: True)
    assert len(late.unreached) == 4 and late.facts.prompts == 0


class Plain:
    """A reranker that knows no deadline."""

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        return list(candidates)


def test_one_that_cannot_stop_is_left_out_after_the_deadline() -> None:
    late = score_queries(Plain(), QUERIES, CANDIDATES, BANK, deadline=lambda: True)
    assert len(late.unreached) == 4 and all(not len(ranking) for ranking in late.rankings)
    assert late.facts.queries == 0
    in_time = score_queries(Plain(), QUERIES, CANDIDATES, BANK, deadline=lambda: False)
    assert in_time.rankings == CANDIDATES and in_time.unreached == ()
    assert score_queries(IdentityReranker(), QUERIES, CANDIDATES, BANK).rankings == CANDIDATES


def test_gpus_of_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    both = EngineSettings(kind="vllm", tensor_parallel_size=2, workers=2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpus_of(both) == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert gpus_of(both) == 4
    assert gpus_of(EngineSettings()) == 1 and gpus_of(EngineSettings(device="cpu")) == 0
    assert gpus_of(None, "cpu") == 0 and gpus_of(None, "auto") == 1
    assert gpus_of(EngineSettings(kind="vllm-server", base_url="http://x")) is None
