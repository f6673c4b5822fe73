"""A language model as listwise reranker: all candidates in one prompt, one token, each label's log-probability a score.

Orders are averaged to cancel position bias; a list that is longer than a prompt is asked in windows; a second order may
be left out where the first is sure. Every candidate gets an exact score.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from core.calibration import tempered
from core.language_model import TokenScorer
from core.records import IntArray, Misconception, Query, Ranking
from rerank.adaptive import SkipPolicy
from rerank.asked_list import AskedList, Asking, ask_lists
from rerank.listwise_plans import OrderPlan, WindowPlan
from rerank.listwise_run import ListwiseRun, QueryScores
from rerank.listwise_windows import ask_overlapping, ask_sliding
from rerank.pairs import candidate_lists
from rerank.prompts import ListwisePrompter
from rerank.query_jobs import QueryJob, run_query_jobs
from rerank.reranker import Deadline
from rerank.score_store import ScoreStore, StoredScorer

logger = logging.getLogger(__name__)

BOTH_ORDERS = OrderPlan()


class ListwiseReranker:
    """Scores all candidates of a query in one prompt an order; see `rerank.reranker.DeadlineReranker`.

    Attributes:
        scorer: The engine, without the store.
        last_run: What the last `rerank` read; None before it.

    Args:
        scorer: Gives the label scores.
        prompter: Writes the prompts; the one the model was trained with.
        orders: The orders asked and averaged.
        windows: How lists longer than a window are asked; None refuses lists longer than a prompt takes.
        adaptive: Leaves further orders out (`rerank.adaptive`); None asks all. A list whose further orders are left out
            is scored by its first order without the slot bias.
        temperature: Divides the averaged log-probabilities, "none of these" included; positive.
        batch_queries: Queries under way at once; does not change a score beyond the engine's float noise.
        store: Keeps finished prompts' scores; None keeps none.
        show_progress: Whether `rerank` shows a bar.

    Raises:
        ValueError: An argument is out of range, or a window is larger than a prompt takes.
    """

    def __init__(
        self,
        scorer: TokenScorer,
        prompter: ListwisePrompter,
        *,
        orders: OrderPlan = BOTH_ORDERS,
        windows: WindowPlan | None = None,
        adaptive: SkipPolicy | None = None,
        temperature: float = 1.0,
        batch_queries: int = 64,
        store: ScoreStore | None = None,
        show_progress: bool = False,
    ) -> None:
        if not temperature > 0 or batch_queries < 1:
            raise ValueError(
                f"expected a positive temperature and at least one query a batch; got {temperature}, {batch_queries}"
            )
        if windows is not None and windows.size > prompter.capacity:
            raise ValueError(f"windows of {windows.size} candidates, but a prompt takes {prompter.capacity}")
        self.scorer = scorer
        self.last_run: ListwiseRun | None = None
        self._asked = scorer if store is None else StoredScorer(scorer, store)
        self._prompter = prompter
        self._orders = orders
        self._windows = windows
        self._adaptive = adaptive
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
            Rankings whose scores are log-probabilities over the query's candidates and "none of these".

        Raises:
            ScoringError: A score did not come back; names the query.
            ValueError: Keys differ, a candidate is not in the bank, a list is longer than a prompt takes and there are
                no windows, or a prompt cannot be built.
        """
        lists = candidate_lists(queries, candidates, bank)
        self._check_lengths(candidates)
        began = time.perf_counter()
        chosen = self._adaptive.chosen([query.key for query in queries]) if self._adaptive else None
        jobs: list[tuple[str, Callable[[], QueryJob[QueryScores]]]] = [
            (query.key, partial(self._job, query, ranking.ids, listed, chosen))
            for query, ranking, listed in zip(queries, candidates, lists, strict=True)
        ]
        found = run_query_jobs(
            jobs,
            self._asked,
            batch_queries=self._batch_queries,
            deadline=deadline,
            show_progress=self._show_progress,
        )
        self.last_run = ListwiseRun(
            queries=tuple(scores for scores in found if scores is not None),
            unreached=tuple(query.key for query, scores in zip(queries, found, strict=True) if scores is None),
            seconds=time.perf_counter() - began,
        )
        _report(self.last_run)
        return [
            Ranking.from_scores(query.key, [], []) if scores is None else self._ranking(scores)
            for query, scores in zip(queries, found, strict=True)
        ]

    def check_prompts(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        shown: int | None = None,
    ) -> None:
        """Check that every prompt can be built, without asking any.

        Args:
            queries: As for `rerank`.
            candidates: As for `rerank`; of windows, the longest that they can make is checked.
            bank: As for `rerank`.
            shown: At most so many of a query's candidates will be asked about; None: all.

        Raises:
            InputError: One would be too long; says by how much.
            ValueError: As `rerank`.
        """
        lists = candidate_lists(queries, candidates, bank)
        most = self._prompter.capacity if self._windows is None else self._windows.size
        most = min(most, shown or most, max(map(len, candidates), default=0))
        self._prompter.require_room(
            [(query, listed) for query, listed in zip(queries, lists, strict=True) if len(listed) > 1],
            shown=most,
        )

    def _check_lengths(self, candidates: Sequence[Ranking]) -> None:
        longest = max(candidates, key=len, default=None)
        if self._windows is None and longest is not None and len(longest) > self._prompter.capacity:
            raise ValueError(
                f"query {longest.key}: {len(longest)} candidates, but a prompt takes {self._prompter.capacity}; rerank "
                "fewer, or set windows"
            )

    def _ranking(self, scores: QueryScores) -> Ranking:
        if self._temperature == 1.0:
            return Ranking.from_scores(scores.key, scores.ids, scores.logprobs)
        logprobs, _ = tempered(scores.logprobs, self._temperature, none_score=scores.none_logprob)
        return Ranking.from_scores(scores.key, scores.ids, logprobs)

    def _job(
        self, query: Query, ids: IntArray, candidates: list[Misconception], chosen: frozenset[str] | None
    ) -> QueryJob[QueryScores]:
        """Ask one query's list, whole or in windows; one candidate alone is not worth a question."""
        lists: list[AskedList] = []
        skip = None if chosen is None else query.key in chosen
        whole = np.arange(len(ids), dtype=np.int64)
        none: float | None = None

        def ask(stretches: Sequence[tuple[int, IntArray]]) -> Asking:
            """Ask stretches of the list, each a first place and the places in it."""
            new = [
                AskedList.of(
                    query,
                    [candidates[place] for place in places.tolist()],
                    start,
                    prompter=self._prompter,
                    plan=self._orders,
                )
                for start, places in stretches
            ]
            lists.extend(new)
            return ask_lists(new, plan=self._orders, policy=self._adaptive, skip=skip)

        if len(ids) < 2:
            logprobs = np.zeros(len(ids), dtype=np.float64)
        elif self._windows is None or len(ids) <= self._windows.size:
            [(logprobs, none)] = yield from ask([(0, whole)])
        else:
            walk = ask_sliding if self._windows.kind == "sliding" else ask_overlapping
            logprobs, none = yield from walk(ask, self._windows, whole)
        return QueryScores(
            key=query.key,
            ids=ids,
            logprobs=logprobs,
            none_logprob=none,
            orders=tuple(scores for asked in lists for scores in asked.asked),
            skipped=sum(bool(asked.waiting) for asked in lists),
            prompt_tokens=sum(asked.prompt_tokens for asked in lists),
            cut_tokens=max((prompt.cut_tokens for asked in lists for prompt in asked.prompts), default=0),
        )


def _report(run: ListwiseRun) -> None:
    """Log what was done, and what was cut or left out."""
    logger.info(
        "listwise: %d prompts (%d tokens) of %d queries in %.1f s; further orders left out %d times",
        run.prompts,
        run.prompt_tokens,
        len(run.queries),
        run.seconds,
        run.skipped,
    )
    if run.cut_queries:
        logger.warning("listwise: the question was cut in %d of %d queries", run.cut_queries, len(run.queries))
    if run.unreached:
        logger.warning("listwise: %d queries were not reached in time", len(run.unreached))
