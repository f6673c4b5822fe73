"""The identity reranker."""

from core.records import Misconception, Query, Ranking
from rerank.identity import IdentityReranker
from rerank.reranker import Reranker


def test_it_changes_nothing(queries: list[Query], candidates: list[Ranking], bank: list[Misconception]) -> None:
    reranker: Reranker = IdentityReranker()
    assert reranker.rerank(queries, candidates, bank) == candidates
