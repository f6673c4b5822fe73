"""The protocol of stage 2: anything that scores the candidates which stage 1 found."""

from collections.abc import Sequence
from typing import Protocol

from core.records import Misconception, Query, Ranking


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
