"""A reranker at work on one list of queries: its rankings, what it read, and what that cost."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.language_model import EngineStats
from core.order_scores import OrderScores
from core.records import Misconception, Query, Ranking
from pipelines.engine_pool import PooledEngine
from pipelines.engine_settings import EngineSettings
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from rerank.cascade import CascadeReranker
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.reranker import Deadline, DeadlineReranker, Reranker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ScoringFacts:
    """What scoring some queries cost; kept beside the scores, so that a run that reuses them can tell it too.

    Attributes:
        queries: Queries reranked.
        seconds: Wall time without opening the model; where a part came out of the store of finished scores, the time
            that all would have taken at the engine's speed. None where nothing was scored anew.
        prompts: Prompts of a language model, those out of the store included.
        prompt_tokens: Their tokens.
        fresh_tokens: How many of these tokens were scored now, not found in the store.
        cached_tokens: How many of the fresh ones came out of the engine's prefix cache.
        cut_queries: Queries whose question was cut to keep to the longest prompt.
        cut_tokens: Tokens of their questions that no prompt shows, of each query the most that any prompt leaves out.
        gpus: GPUs at work; 0 on a CPU, None where that is not known (a server).
    """

    queries: int
    seconds: float | None
    prompts: int = 0
    prompt_tokens: int = 0
    fresh_tokens: int = 0
    cached_tokens: int = 0
    cut_queries: int = 0
    cut_tokens: int = 0
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
    def cached_share(self) -> float | None:
        """Share of the tokens scored now that the prefix cache held; None where none were."""
        return self.cached_tokens / self.fresh_tokens if self.fresh_tokens else None

    @property
    def cut(self) -> dict[str, int]:
        """What was cut, for metrics.json: the same whether scores were read now or came out of the store."""
        return {"queries": self.queries, "cut_queries": self.cut_queries, "cut_tokens": self.cut_tokens}

    def tell_cut(self, name: str) -> None:
        """Log what was cut, if anything was.

        Args:
            name: Of the scores.
        """
        if self.cut_queries:
            told = "warning: %s: the question was cut in %d of %d queries, by %d tokens in all"
            logger.warning(told, name, self.cut_queries, self.queries, self.cut_tokens)

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
    late = deadline is not None and deadline()
    if not late:
        _check_prompts(reranker, queries, candidates, bank)
    before = [_counted(part) for part in _parts(reranker)]
    began = time.perf_counter()
    if isinstance(reranker, DeadlineReranker):
        rankings = reranker.rerank(queries, candidates, bank, deadline=deadline)
        unreached = tuple(reranker.unreached)
    elif late:
        rankings = [Ranking.from_scores(query.key, [], []) for query in queries]
        unreached = tuple(query.key for query in queries)
    else:
        rankings, unreached = reranker.rerank(queries, candidates, bank), ()
    seconds = [time.perf_counter() - began]
    if isinstance(reranker, CascadeReranker) and reranker.last_run is not None:
        seconds = list(reranker.last_run.stage_seconds)
    parts = [
        _part_facts(part, counted, taken)
        for part, counted, taken in zip(_parts(reranker), before, seconds, strict=True)
    ]
    facts = _joined(parts, _cut(reranker), queries=len(queries) - len(unreached), gpus=gpus)
    orders = None
    if isinstance(reranker, ListwiseReranker) and reranker.last_run is not None:
        orders = list(reranker.last_run.orders)
    return Scored(rankings=rankings, unreached=unreached, orders=orders, facts=facts)


def _parts(reranker: Reranker) -> list[Reranker]:
    """Return a cascade's rerankers by stage; any other one alone."""
    return [stage.reranker for stage in reranker.stages] if isinstance(reranker, CascadeReranker) else [reranker]


def _check_prompts(
    reranker: Reranker, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
) -> None:
    """Refuse what no prompt has room for before an engine opens; which candidates reach a stage is not known yet."""
    ranks: list[tuple[int, int | None]] = [(1, None)]
    if isinstance(reranker, CascadeReranker):
        ranks = [(stage.first, stage.last) for stage in reranker.stages]
    for part, (first, last) in zip(_parts(reranker), ranks, strict=True):
        if isinstance(part, ListwiseReranker):
            part.check_prompts(queries, candidates, bank, shown=None if last is None else last - first + 1)
        elif isinstance(part, PointwiseReranker):
            part.check_prompts(queries, candidates, bank)


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """What an engine had done by some moment."""

    stats: EngineStats
    opening: float


def _counted(reranker: Reranker) -> _Counted | None:
    engine = getattr(reranker, "scorer", None)
    if not isinstance(engine, PooledEngine):
        return None
    return _Counted(stats=EngineStats(**asdict(engine.stats)), opening=engine.opening_seconds)


def _part_facts(reranker: Reranker, before: _Counted | None, seconds: float) -> ScoringFacts:
    """Return what one reranker read; of its queries nothing."""
    after = _counted(reranker)
    if before is None or after is None:
        return ScoringFacts(queries=0, seconds=seconds)
    then, now = before.stats, after.stats
    fresh, fresh_tokens = now.prompts - then.prompts, now.prompt_tokens - then.prompt_tokens
    prompts, tokens = fresh, fresh_tokens
    if isinstance(reranker, ListwiseReranker) and reranker.last_run is not None:
        prompts, tokens = reranker.last_run.prompts, reranker.last_run.prompt_tokens
    elif isinstance(reranker, PointwiseReranker) and reranker.last_run is not None:
        prompts = sum(scores.prompts for scores in reranker.last_run.scores)
        tokens = sum(scores.prompt_tokens for scores in reranker.last_run.scores)
    whole: float | None = seconds - (after.opening - before.opening)
    if fresh < prompts:
        whole = (now.seconds - then.seconds) * prompts / fresh if fresh else None
    return ScoringFacts(
        queries=0,
        seconds=whole,
        prompts=prompts,
        prompt_tokens=tokens,
        fresh_tokens=fresh_tokens,
        cached_tokens=now.cached_tokens - then.cached_tokens,
    )


def _cut(reranker: Reranker) -> dict[str, int]:
    """Return the most tokens that any prompt leaves out of a query's question, by key; queries shown whole are none."""
    cut: dict[str, int] = {}
    for part in _parts(reranker):
        found: dict[str, int] = {}
        if isinstance(part, ListwiseReranker) and part.last_run is not None:
            found = {scores.key: scores.cut_tokens for scores in part.last_run.queries}
        elif isinstance(part, PointwiseReranker) and part.last_run is not None:
            found = {scores.key: scores.cut_tokens for scores in part.last_run.scores}
        for key, tokens in found.items():
            cut[key] = max(tokens, cut.get(key, 0))
    return {key: tokens for key, tokens in cut.items() if tokens}


def _joined(parts: Sequence[ScoringFacts], cut: dict[str, int], *, queries: int, gpus: int | None) -> ScoringFacts:
    known = [part.seconds for part in parts if part.seconds is not None]
    return ScoringFacts(
        queries=queries,
        seconds=sum(known) if len(known) == len(parts) else None,
        prompts=sum(part.prompts for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        fresh_tokens=sum(part.fresh_tokens for part in parts),
        cached_tokens=sum(part.cached_tokens for part in parts),
        cut_queries=len(cut),
        cut_tokens=sum(cut.values()),
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


def most_gpus(parts: Sequence[RerankerSettings], settings: Settings) -> int | None:
    """Return how many GPUs the hungriest stage of a reranker keeps busy; None where one's cannot be known."""
    counts = [
        gpus_of(settings.engine(part.engine) if part.reads_language_model else None, settings.retriever.device)
        for part in parts
    ]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
