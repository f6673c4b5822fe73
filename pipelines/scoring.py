"""A reranker at work on one list of queries: its rankings, what it read, and what that cost."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.language_model import EngineStats
from core.order_scores import OrderScores
from core.records import Misconception, Query, Ranking
from pipelines.engine_pool import PooledEngine
from pipelines.engine_settings import EngineSettings
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.reranker import Deadline, DeadlineReranker, Reranker


@dataclass(frozen=True, kw_only=True)
class ScoringFacts:
    """What scoring some queries cost; kept beside the scores, so that a run that reuses them can tell it too.

    Attributes:
        queries: Queries reranked.
        seconds: Wall time without opening the model; where a part came out of the store of finished scores, the time
            that all would have taken at the engine's speed. None where nothing was scored anew.
        prompts: Prompts of a language model, those out of the store included.
        prompt_tokens: Their tokens.
        cached_tokens: How many of the tokens scored now came out of the engine's prefix cache.
        gpus: GPUs at work; 0 on a CPU, None where that is not known (a server).
    """

    queries: int
    seconds: float | None
    prompts: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    gpus: int | None = 0

    @property
    def queries_per_second(self) -> float | None:
        """Queries a second."""
        return self.queries / self.seconds if self.seconds and self.queries else None

    @property
    def tokens_per_query(self) -> float | None:
        """Prompt tokens a query, cached ones included; None without a language model."""
        return self.prompt_tokens / self.queries if self.prompts and self.queries else None

    @property
    def gpu_seconds(self) -> float | None:
        """GPU-seconds per 1,000 queries; None on a CPU."""
        speed = self.queries_per_second
        return 1000.0 * self.gpus / speed if self.gpus and speed else None

    def to_json(self) -> dict[str, Any]:
        """Return the facts for a file."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """What a reranker gave.

    Attributes:
        rankings: Its rankings; empty ones where it was stopped before.
        unreached: Keys of those queries.
        orders: The scores by slot of a listwise reranker; None for other kinds.
        facts: What it cost.
    """

    rankings: list[Ranking]
    unreached: tuple[str, ...]
    orders: list[OrderScores] | None
    facts: ScoringFacts


def score_queries(
    reranker: Reranker,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    bank: Sequence[Misconception],
    *,
    deadline: Deadline | None = None,
    gpus: int | None = 0,
) -> Scored:
    """Run a reranker and take down what it read and what that took.

    Args:
        reranker: The reranker; one that cannot stop early is left out where the deadline has passed already.
        queries: The queries.
        candidates: Theirs.
        bank: The bank.
        deadline: See `rerank.reranker.DeadlineReranker`.
        gpus: For the facts.
    """
    engine = getattr(reranker, "scorer", None)
    late = deadline is not None and deadline()
    if isinstance(engine, PooledEngine) and not late:  # a large model takes minutes that a late run does not have
        engine.open()
    before = _copy(engine.stats) if isinstance(engine, PooledEngine) else EngineStats()
    began = time.perf_counter()
    if isinstance(reranker, DeadlineReranker):
        rankings = reranker.rerank(queries, candidates, bank, deadline=deadline)
        unreached = tuple(reranker.unreached)
    elif late:
        rankings = [Ranking.from_scores(query.key, [], []) for query in queries]
        unreached = tuple(query.key for query in queries)
    else:
        rankings, unreached = reranker.rerank(queries, candidates, bank), ()
    seconds = time.perf_counter() - began
    done = len(queries) - len(unreached)
    facts = ScoringFacts(queries=done, seconds=seconds, gpus=gpus)
    if isinstance(engine, PooledEngine):
        facts = _engine_facts(reranker, before, engine.stats, queries=done, seconds=seconds, gpus=gpus)
    orders = None
    if isinstance(reranker, ListwiseReranker) and reranker.last_run is not None:
        orders = list(reranker.last_run.orders)
    return Scored(rankings=rankings, unreached=unreached, orders=orders, facts=facts)


def _engine_facts(
    reranker: Reranker, before: EngineStats, now: EngineStats, *, queries: int, seconds: float, gpus: int | None
) -> ScoringFacts:
    fresh, tokens = now.prompts - before.prompts, now.prompt_tokens - before.prompt_tokens
    prompts = fresh
    if isinstance(reranker, ListwiseReranker) and reranker.last_run is not None:
        prompts = reranker.last_run.prompts
    elif isinstance(reranker, PointwiseReranker) and reranker.last_run is not None:
        prompts = sum(scores.prompts for scores in reranker.last_run.scores)
    whole: float | None = seconds
    if fresh < prompts:
        whole = (now.seconds - before.seconds) * prompts / fresh if fresh else None
        tokens = round(tokens * prompts / fresh) if fresh else 0
    if isinstance(reranker, ListwiseReranker) and reranker.last_run is not None:
        tokens = reranker.last_run.prompt_tokens
    return ScoringFacts(
        queries=queries,
        seconds=whole,
        prompts=prompts,
        prompt_tokens=tokens,
        cached_tokens=now.cached_tokens - before.cached_tokens,
        gpus=gpus,
    )


def gpus_of(engine: EngineSettings | None, device: str = "auto") -> int | None:
    """Return how many GPUs an engine (or, where None, a cross-encoder on `device`) keeps busy."""
    import torch

    if engine is not None and engine.kind == "vllm-server":
        return None
    if not torch.cuda.is_available():
        return 0
    if engine is not None and engine.kind == "vllm":
        return engine.tensor_parallel_size * engine.pipeline_parallel_size * engine.workers
    return 0 if (device if engine is None else engine.device) == "cpu" else 1


def _copy(stats: EngineStats) -> EngineStats:
    return EngineStats(**asdict(stats))
