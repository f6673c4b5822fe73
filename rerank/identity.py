"""The reranker that changes nothing: the baseline of every comparison."""

from collections.abc import Sequence

from core.records import Misconception, Query, Ranking
from rerank.pairs import check_candidates


class IdentityReranker:
    """Hands the candidates back as they came, stage-1 scores included."""

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        """Return the candidates.

        Raises:
            ValueError: The keys differ, or a candidate is not in the bank.
        """
        check_candidates(queries, candidates, bank)
        return list(candidates)
