import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.records import Misconception, Query, Question, Ranking
from core.tokenizer import load_tokenizer
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine, opened
from pipelines.engine_settings import EngineSettings
from pipelines.scoring import ScoringFacts, gpus_of, score_queries
from rerank.cascade import CascadeReranker, CascadeStage
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
    facts = ScoringFacts(
        queries=100, seconds=20.0, prompts=200, prompt_tokens=112_600, fresh_tokens=56_300, cached_tokens=5_630, gpus=2
    )
    assert facts.cached_share == 0.1
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


def listed(engine: PooledEngine, tiny_lm: Path, **options: Any) -> ListwiseReranker:
    return ListwiseReranker(engine, ListwisePrompter(load_tokenizer(tiny_lm), PromptTemplate()), **options)


def test_an_engine_stays_closed_where_every_score_is_in_the_store(
    engine: PooledEngine, tiny_lm: Path, tmp_path: Path
) -> None:
    store = ScoreStore(tmp_path / "scores.jsonl", engine="x")
    first = score_queries(listed(engine, tiny_lm, store=store), QUERIES, CANDIDATES, BANK)

    def refused(key: EngineKey) -> Any:
        raise AssertionError("nothing is to be asked")

    closed = PooledEngine(EnginePool(refused), engine._key)
    again = score_queries(listed(closed, tiny_lm, store=store), QUERIES, CANDIDATES, BANK)
    assert again.rankings == first.rankings
    assert (again.facts.prompts, again.facts.fresh_tokens, again.facts.cached_share) == (8, 0, None)


def slow_pool(*, seconds: float) -> EnginePool:
    def opening(key: EngineKey) -> Any:
        time.sleep(seconds)
        return opened(key)

    return EnginePool(opening)


def test_opening_is_no_part_of_the_time(tiny_lm: Path) -> None:
    key = EngineKey(settings=EngineSettings(device="cpu", dtype="float32"), folder=tiny_lm, adapter=None)
    engine = PooledEngine(slow_pool(seconds=3.0), key)
    scored = score_queries(listed(engine, tiny_lm), QUERIES, CANDIDATES, BANK)
    assert engine.opening_seconds >= 3.0
    assert scored.facts.seconds is not None and 0 < scored.facts.seconds < 3.0


def test_a_cascade_tells_what_all_its_stages_read(tiny_lm: Path, tmp_path: Path) -> None:
    key = EngineKey(settings=EngineSettings(device="cpu", dtype="float32"), folder=tiny_lm, adapter=None)
    pool = slow_pool(seconds=3.0)
    stores = [ScoreStore(tmp_path / f"{name}.jsonl", engine="x") for name in "ab"]
    pairs = PointwisePrompter(load_tokenizer(tiny_lm), PromptTemplate())

    def cascade(listwise_store: ScoreStore | None) -> CascadeReranker:
        bottom = PointwiseReranker(PooledEngine(pool, key), pairs, store=stores[0])
        top = listed(PooledEngine(pool, key), tiny_lm, store=listwise_store)
        stages = [CascadeStage(first=3, last=6, reranker=bottom), CascadeStage(first=1, last=4, reranker=top)]
        return CascadeReranker([*stages, CascadeStage(first=1, last=2, reranker=IdentityReranker())])

    facts = score_queries(cascade(stores[1]), QUERIES, CANDIDATES, BANK, gpus=1).facts
    assert (facts.queries, facts.prompts, facts.gpus) == (4, 4 * 4 + 4 * 2, 1)
    assert facts.tokens_per_query == facts.prompt_tokens / 4 > 6 * 20
    assert facts.fresh_tokens == facts.prompt_tokens
    assert facts.seconds is not None and 0 < facts.seconds < 3.0
    # One stage out of the store: its time is not known from this run.
    half = score_queries(cascade(None), QUERIES, CANDIDATES, BANK).facts
    assert (half.prompts, half.prompt_tokens, half.seconds) == (24, facts.prompt_tokens, None)
    assert 0 < half.fresh_tokens < half.prompt_tokens


def test_prompts_without_room_are_told_before_an_engine_opens(tiny_lm: Path) -> None:
    def refused(key: EngineKey) -> Any:
        raise AssertionError("a 32B model takes minutes to open")

    key = EngineKey(settings=EngineSettings(), folder=tiny_lm, adapter=None)
    engine = PooledEngine(EnginePool(refused), key)
    tokenizer, short = load_tokenizer(tiny_lm), PromptTemplate(max_tokens=300)
    wordy = replace(QUERIES[3], question=replace(QUERIES[3].question, answers=("1", "so " * 400, "3", "4")))
    asked = [*QUERIES[:3], wordy]
    pairs = PointwiseReranker(engine, PointwisePrompter(tokenizer, short))
    lists = ListwiseReranker(engine, ListwisePrompter(tokenizer, short))
    cascade = CascadeReranker([CascadeStage(first=2, last=4, reranker=lists)])
    for reranker, shown in ((pairs, 1), (lists, 6), (cascade, 3)):
        with pytest.raises(InputError, match=f"query 3_B: {shown} candidates.*in 1 of 4 queries"):
            score_queries(reranker, asked, CANDIDATES, BANK)


@pytest.mark.parametrize("kind", ["listwise", "pointwise"])
def test_what_was_cut_is_counted(engine: PooledEngine, tiny_lm: Path, kind: str) -> None:
    tokenizer, short = load_tokenizer(tiny_lm), PromptTemplate(max_tokens=500)
    wordy = replace(QUERIES[3], question=replace(QUERIES[3].question, text="so " * 900))
    reranker = (
        ListwiseReranker(engine, ListwisePrompter(tokenizer, short))
        if kind == "listwise"
        else PointwiseReranker(engine, PointwisePrompter(tokenizer, short))
    )
    facts = score_queries(reranker, [*QUERIES[:3], wordy], CANDIDATES, BANK).facts
    assert facts.cut_queries == 1 and 400 < facts.cut_tokens < 3000
    assert facts.cut == {"queries": 4, "cut_queries": 1, "cut_tokens": facts.cut_tokens}
    assert score_queries(reranker, QUERIES, CANDIDATES, BANK).facts.cut_queries == 0
