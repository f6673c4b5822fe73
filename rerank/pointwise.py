"""A language model as pointwise reranker: Yes or No to each candidate alone, softmax over the query's candidates."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from core.fusion import log_softmax
from core.language_model import LabelScores, TokenScorer
from core.records import FloatArray, IntArray, Misconception, Query, Ranking
from rerank.pairs import candidate_lists
from rerank.prompts import BuiltPrompt, PointwisePrompter
from rerank.query_jobs import QueryJob, run_query_jobs
from rerank.reranker import Deadline
from rerank.score_store import ScoreStore, StoredScorer

logger = logging.getLogger(__name__)

PointwiseForm = Literal["log-odds", "log-probability"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PointwiseScores:
    """What one query's candidates got.

    Attributes:
        key: The query's key.
        ids: The candidates in stage-1 order, int64, shape (n,).
        log_odds: log p(Yes) - log p(No) of each, float64, shape (n,).
        mass: Lowest probability that Yes and No had together in the vocabulary; None where the engine does not say, or
            nothing was asked.
        cut_tokens: Tokens of the question that were left out, the most of any of its prompts.
        prompts: Prompts asked; 0 where there was no choice to make.
        prompt_tokens: Their tokens.
    """

    key: str
    ids: IntArray
    log_odds: FloatArray
    mass: float | None
    cut_tokens: int
    prompts: int
    prompt_tokens: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PointwiseRun:
    """What one call of `rerank` read.

    Attributes:
        scores: Per finished query, in the order of the queries.
        unreached: Keys of the queries that the deadline left out.
        seconds: Wall time.
    """

    scores: tuple[PointwiseScores, ...]
    unreached: tuple[str, ...]
    seconds: float


class PointwiseReranker:
    """Asks Yes or No for every candidate; a query's prompts stand side by side, so they share the question's prefix.

    Attributes:
        scorer: The engine, without the store.
        last_run: What the last `rerank` read; None before it.

    Args:
        scorer: Gives the label scores.
        prompter: Writes the prompts; labels are Yes, then No.
        form: What the softmax over a query's candidates runs over: `log-odds`, log p(Yes) - log p(No), as in training
            (`rerank.lm_step`); or `log-probability`, log p(Yes), which cannot tell two candidates apart that are both
            as good as certain.
        temperature: Divides these before the softmax; positive.
        batch_queries: Queries a call of the engine; does not change a score beyond float noise.
        store: Keeps finished prompts' scores; None keeps none.
        show_progress: Whether `rerank` shows a bar.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        scorer: TokenScorer,
        prompter: PointwisePrompter,
        *,
        form: PointwiseForm = "log-odds",
        temperature: float = 1.0,
        batch_queries: int = 8,
        store: ScoreStore | None = None,
        show_progress: bool = False,
    ) -> None:
        if form not in ("log-odds", "log-probability"):
            raise ValueError(f"form must be 'log-odds' or 'log-probability'; got {form!r}")
        if not temperature > 0 or batch_queries < 1:
            raise ValueError(
                f"expected a positive temperature and at least one query a batch; got {temperature}, {batch_queries}"
            )
        self.scorer = scorer
        self.last_run: PointwiseRun | None = None
        self._asked = scorer if store is None else StoredScorer(scorer, store)
        self._prompter = prompter
        self._form = form
        self._temperature = temperature
        self._batch_queries = batch_queries
        self._show_progress = show_progress

    @property
    def unreached(self) -> tuple[str, ...]:
        """Keys of the queries that the last `rerank` did not finish."""
        return self.last_run.unreached if self.last_run else ()

    def rerank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        deadline: Deadline | None = None,
    ) -> list[Ranking]:
        """Score every candidate; see `rerank.reranker.DeadlineReranker`.

        Returns:
            Rankings whose scores are log-probabilities over the query's candidates.

        Raises:
            ScoringError: A score did not come back; names the query.
            ValueError: Keys differ, a candidate is not in the bank, or a prompt cannot be built.
        """
        lists = candidate_lists(queries, candidates, bank)
        began = time.perf_counter()
        jobs: list[tuple[str, Callable[[], QueryJob[PointwiseScores]]]] = [
            (query.key, partial(self._job, query, ranking.ids, listed))
            for query, ranking, listed in zip(queries, candidates, lists, strict=True)
        ]
        found = run_query_jobs(
            jobs,
            self._asked,
            batch_queries=self._batch_queries,
            deadline=deadline,
            show_progress=self._show_progress,
        )
        self.last_run = PointwiseRun(
            scores=tuple(scores for scores in found if scores is not None),
            unreached=tuple(query.key for query, scores in zip(queries, found, strict=True) if scores is None),
            seconds=time.perf_counter() - began,
        )
        self._report(len(queries))
        return [
            Ranking.from_scores(query.key, [], []) if scores is None else self._ranking(scores)
            for query, scores in zip(queries, found, strict=True)
        ]

    def check_prompts(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> None:
        """Check that every prompt can be built, without asking any.

        Raises:
            InputError: One would be too long; says by how much.
            ValueError: As `rerank`.
        """
        lists = candidate_lists(queries, candidates, bank)
        self._prompter.require_room(
            [(query, listed) for query, listed in zip(queries, lists, strict=True) if len(listed) > 1],
            shown=1,
        )

    def _job(self, query: Query, ids: IntArray, candidates: Sequence[Misconception]) -> QueryJob[PointwiseScores]:
        """Ask for all candidates at once; one candidate alone is not worth a question."""
        prompts: list[BuiltPrompt] = []
        scores: list[LabelScores] = []
        if len(candidates) > 1:
            prompts = [self._prompter.build(query, candidate) for candidate in candidates]
            scores = yield prompts
        odds = [float(found.logprobs[0]) - float(found.logprobs[1]) for found in scores]
        masses = [found.mass for found in scores if found.mass is not None]
        return PointwiseScores(
            key=query.key,
            ids=ids,
            log_odds=np.asarray(odds if scores else [0.0] * len(ids), dtype=np.float64),
            mass=min(masses) if masses else None,
            cut_tokens=max((prompt.cut_tokens for prompt in prompts), default=0),
            prompts=len(prompts),
            prompt_tokens=sum(len(prompt.token_ids) for prompt in prompts),
        )

    def _ranking(self, scores: PointwiseScores) -> Ranking:
        values = scores.log_odds
        if self._form == "log-probability":
            values = -np.logaddexp(0.0, -values)  # log p(Yes) of the two
        return Ranking.from_scores(scores.key, scores.ids, log_softmax(values, temperature=self._temperature))

    def _report(self, queries: int) -> None:
        run = self.last_run
        if run is None:
            return
        prompts = sum(scores.prompts for scores in run.scores)
        cut = sum(scores.cut_tokens > 0 for scores in run.scores)
        logger.info("pointwise: %d prompts of %d queries in %.1f s", prompts, queries, run.seconds)
        if cut:
            logger.warning("pointwise: the question was cut in %d of %d queries", cut, queries)
        if run.unreached:
            logger.warning("pointwise: %d of %d queries were not reached in time", len(run.unreached), queries)
