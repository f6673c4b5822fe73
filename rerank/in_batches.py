"""A reranker that cannot stop early, made to stop: some queries at a time."""

from collections.abc import Sequence

from core.records import Misconception, Query, Ranking
from rerank.reranker import Deadline, Reranker, WatchingDeadline


class InBatches:
    """Hands a reranker a batch of queries at a time and stops at a deadline; a `rerank.reranker.DeadlineReranker`.

    Args:
        reranker: Its scores of a query must not depend on the other queries.
        queries: Queries a batch, at least 1.

    Raises:
        ValueError: `queries` is below 1.
    """

    def __init__(self, reranker: Reranker, *, queries: int) -> None:
        if queries < 1:
            raise ValueError(f"expected at least one query a batch; got {queries}")
        self._reranker = reranker
        self._size = queries
        self._unreached: tuple[str, ...] = ()

    @property
    def unreached(self) -> tuple[str, ...]:
        """Keys of the queries that the last `rerank` did not begin."""
        return self._unreached

    def rerank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        deadline: Deadline | None = None,
    ) -> list[Ranking]:
        """Rerank until the deadline; see `rerank.reranker.DeadlineReranker`.

        Raises:
            ValueError: As the reranker does.
        """
        found: list[Ranking] = []
        while len(found) < len(queries) and not (deadline is not None and deadline()):
            batch = slice(len(found), len(found) + self._size)
            found += self._reranker.rerank(queries[batch], candidates[batch], bank)
            if isinstance(deadline, WatchingDeadline):
                deadline.finished(len(found), len(queries))
        self._unreached = tuple(query.key for query in queries[len(found) :])
        return [*found, *(Ranking.from_scores(key, [], []) for key in self._unreached)]
