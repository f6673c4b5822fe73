import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.engine_process import Engine
from core.models import locate_model
from core.records import Misconception, Query, Ranking
from pipelines.engine_pool import EngineKey, EnginePool, opened
from pipelines.job import Job
from pipelines.rerank_scores import TEST, VALIDATION, RerankScores
from pipelines.reranker_settings import PromptSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.time_limit import TimeLimit, no_limit
from rerank.adaptive import AdaptivePolicy
from rerank.reranker import Deadline
from retrieval.encoder_pool import PooledEncoder


@pytest.fixture
def one(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> StageOneRun:
    job = tiny_job()
    return StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))


def scores(one: StageOneRun, tiny_lm: Path, *, limit: TimeLimit | None = None, **changes: object) -> RerankScores:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm), candidates=5).model_copy(update=changes)
    return RerankScores(one, "mine", chosen, pool=EnginePool(), limit=limit or no_limit(), test_queries=60)


def test_scores_by_slot_lie_beside_the_rankings_and_come_back(one: StageOneRun, tiny_lm: Path) -> None:
    made = scores(one, tiny_lm)
    queries, candidates = one.plan.queries, made.validation_candidates()
    found = made.orders(VALIDATION, queries, candidates)
    assert found is not None and len(found) == 2 * len(queries)
    facts = made.facts()
    assert facts is not None and facts.prompts == len(found) and facts.gpus == 0
    stored = sorted(path.name for path in one.stages.folder.glob("scores-*.jsonl"))
    assert len(stored) == 1

    again = scores(one, tiny_lm)
    again.pool = EnginePool(lambda key: pytest.fail("nothing is to be scored"))
    reread = again.orders(VALIDATION, queries, candidates)
    assert reread is not None
    assert [r.logprobs.tobytes() for r in reread] == [r.logprobs.tobytes() for r in found]
    assert again.facts() == facts


def test_lost_order_scores_are_told_not_guessed(
    one: StageOneRun, tiny_lm: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = scores(one, tiny_lm)
    queries, candidates = one.plan.queries, made.validation_candidates()
    made.reranked(VALIDATION, queries, candidates)
    made.orders_path(VALIDATION).unlink()
    assert made.orders(VALIDATION, queries, candidates) is None
    assert "is missing: remove validation_reranked-mine" in caplog.text


def test_a_policy_is_part_of_what_test_scores_are_made_from(one: StageOneRun, tiny_lm: Path) -> None:
    made = scores(one, tiny_lm)
    queries = one.plan.queries
    candidates = made.validation_candidates()
    every = made.orders(TEST, queries, candidates)
    sure = AdaptivePolicy(threshold=0.0, slot_bias={5: made.orders(TEST, queries, candidates)[0].logprobs * 0})  # type: ignore[index]
    once = made.orders(TEST, queries, candidates, adaptive=sure)
    assert every is not None and once is not None
    assert len(once) == len(queries) == len(every) // 2


def test_a_deadline_keeps_what_was_finished_and_no_artifact(
    one: StageOneRun, tiny_lm: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 1.0
        return now[0]

    queries = one.plan.queries
    one.validation_candidates()
    limit = TimeLimit(seconds=60, reserve=0, clock=clock)
    made = scores(one, tiny_lm, limit=limit, batch_queries=1)
    with caplog.at_level(logging.INFO):
        found = made.reranked(VALIDATION, queries, made.validation_candidates())
    reached = [len(ranking) for ranking in found]
    assert 0 < sum(map(bool, reached)) < len(queries) and set(reached) == {0, 5}
    left_out = made.unfinished[VALIDATION].unreached
    assert len(left_out) == reached.count(0)
    assert "then the 60 test queries about" in caplog.text
    assert not list(one.stages.folder.glob("validation_reranked-*"))
    assert made.reranked(VALIDATION, queries, made.validation_candidates()) == found  # not scored twice in a run
    assert one.stages.records[-1].name.endswith("(stopped)")

    # Without a limit the next run goes on: the finished queries' scores are the very same.
    whole = scores(one, tiny_lm).reranked(VALIDATION, queries, made.validation_candidates())
    assert all(a == b for a, b in zip(found, whole, strict=True) if len(a))
    assert all(len(ranking) == 5 for ranking in whole)


class Late:
    """A reranker that notes the deadline it was given."""

    def __init__(self) -> None:
        self.given: Deadline | None = None

    @property
    def unreached(self) -> tuple[str, ...]:
        return ()

    def rerank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        deadline: Deadline | None = None,
    ) -> list[Ranking]:
        self.given = deadline
        return list(candidates)


def test_held_out_queries_get_their_share_of_the_time(
    one: StageOneRun, tiny_lm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Late()
    monkeypatch.setattr("pipelines.rerank_scores.open_reranker", lambda *_, **__: late)
    monkeypatch.setattr("pipelines.rerank_scores.opening_ahead", lambda *_: 0.0)
    now = [0.0]
    made = scores(one, tiny_lm, limit=TimeLimit(seconds=1000, reserve=0, clock=lambda: now[0]))
    queries = one.plan.queries
    made.reranked(VALIDATION, queries, made.validation_candidates())
    share = len(queries) / (len(queries) + 60)
    stop = late.given
    assert stop is not None
    now[0] = 1000 * share - 1
    assert not stop()
    now[0] = 1000 * share + 1
    assert stop()
    made.reranked(TEST, queries, made.validation_candidates())
    rest = late.given
    now[0] = 999.0
    assert rest is not None and not rest()
    now[0] = 1000.0
    assert rest()


def test_reused_scores_tell_what_was_cut(one: StageOneRun, tiny_lm: Path, caplog: pytest.LogCaptureFixture) -> None:
    def asked() -> RerankScores:
        return scores(one, tiny_lm, kind="pointwise", candidates=2, prompt=PromptSettings(max_tokens=237))

    made = asked()
    queries, candidates = one.plan.queries, made.validation_candidates()
    made.reranked(VALIDATION, queries, candidates)
    facts = made.all_facts()[VALIDATION]
    told = f"the question was cut in {facts.cut_queries} of {len(queries)} queries, by {facts.cut_tokens} tokens in all"
    assert facts.cut_queries > 0 and told not in caplog.text
    asked().reranked(VALIDATION, queries, candidates)
    assert told in caplog.text
    assert list(made.all_facts()) == [VALIDATION]


def test_an_engine_that_would_open_too_late_is_not_opened(
    one: StageOneRun, tiny_lm: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipelines.rerank_scores.opening_ahead", lambda *_: 3600.0)
    made = scores(one, tiny_lm, limit=TimeLimit(seconds=1800, reserve=0))
    made.pool = EnginePool(lambda key: pytest.fail("there is no time to open it"))
    found = made.reranked(VALIDATION, one.plan.queries, made.validation_candidates())
    assert not any(len(ranking) for ranking in found)
    assert caplog.text.count("the engine is not opened: that takes about 1 h 00 min") == 1
    assert made.time.left() == 0


class Slow:
    """A reranker that cannot stop early; its clock goes on by a second a query."""

    def __init__(self, now: list[float]) -> None:
        self.now = now

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        self.now[0] += len(queries)
        return list(candidates)


def test_a_reranker_that_cannot_stop_is_given_some_queries_at_a_time(
    one: StageOneRun, tiny_lm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("pipelines.rerank_scores.open_reranker", lambda *_, **__: Slow(now))
    monkeypatch.setattr("pipelines.rerank_scores.opening_ahead", lambda *_: 0.0)
    limit = TimeLimit(seconds=23, reserve=0, clock=lambda: now[0])
    made = scores(one, tiny_lm, limit=limit, batch_queries=5, kind="pointwise")
    candidates = made.validation_candidates()
    found = made.reranked(TEST, one.plan.queries, candidates)
    # Batches of 5 s: after the fourth, 3 s are left, too few for a fifth.
    assert [len(ranking) > 0 for ranking in found] == [True] * 20 + [False] * (len(candidates) - 20)
    assert now[0] == 20


def test_what_is_made_already_is_known(one: StageOneRun, tiny_lm: Path) -> None:
    made = scores(one, tiny_lm)
    queries, candidates = one.plan.queries, made.validation_candidates()
    assert not made.is_made(TEST, queries, candidates, None)
    made.reranked(TEST, queries, candidates)
    assert made.is_made(TEST, queries, candidates, None)
    assert not made.is_made(TEST, queries, candidates, AdaptivePolicy(threshold=0.0, slot_bias={}))


def test_the_encoder_is_closed_before_the_engine_opens(one: StageOneRun, tiny_lm: Path) -> None:
    """A retriever and a reranker of 14B each do not fit one GPU together."""
    made = scores(one, tiny_lm)
    candidates = made.validation_candidates()
    encoder = one.fitted.encoder
    assert isinstance(encoder, PooledEncoder) and encoder.is_open
    open_beside: list[bool] = []

    def opener(key: EngineKey) -> Engine:
        open_beside.append(encoder.is_open)
        return opened(key)

    made.pool = EnginePool(opener)
    made.reranked(VALIDATION, one.plan.queries, candidates)
    assert open_beside == [False]
