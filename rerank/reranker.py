"""The protocol of stage 2: anything that scores the candidates which stage 1 found."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from core.records import Misconception, Query, Ranking

Deadline = Callable[[], bool]
"""Returns True once a run must stop."""


@runtime_checkable
class WatchingDeadline(Protocol):
    """A deadline that is told how far a run is, so that it can tell again how long the rest will take."""

    def __call__(self) -> bool:
        """Return True once the run must stop; asked right before each call of the engine."""
        ...

    def finished(self, done: int, of: int) -> None:
        """Take notice, after a call of the engine, that so many of the run's queries are finished."""
        ...


class Reranker(Protocol):
    """Scores each query's candidates.

    A reranker knows nothing of fusion: `core.fusion.fuse_with_stage_one` mixes its scores with the order it was given.
    """

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        """Score every given candidate of every query.

        Args:
            queries: The queries, n of them.
            candidates: One ranking per query, with the queries' keys in their order; any length, also none.
            bank: The misconceptions; holds at least every candidate.

        Returns:
            n rankings with the same keys in the same order, each with exactly the ids it was given. Scores are
            log-probabilities over the query's candidates where the reranker has them.

        Raises:
            ValueError: The keys differ, or a candidate is not in the bank.
        """
        ...


@runtime_checkable
class DeadlineReranker(Protocol):
    """A reranker that can stop early and says which queries it did not reach."""

    @property
    def unreached(self) -> tuple[str, ...]:
        """Keys of the queries that the last `rerank` did not finish; their rankings came back empty."""
        ...

    def rerank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        deadline: Deadline | None = None,
    ) -> list[Ranking]:
        """Score every candidate of every query that is finished before the deadline; see `Reranker.rerank`.

        Args:
            queries: See `Reranker.rerank`.
            candidates: See `Reranker.rerank`.
            bank: See `Reranker.rerank`.
            deadline: Asked between calls of the engine; True stops. None never stops.

        Returns:
            As `Reranker.rerank`, but a query that was not finished has an empty ranking, with which
            `core.fusion.fuse_with_stage_one` leaves its stage-1 order as it was.
        """
        ...
