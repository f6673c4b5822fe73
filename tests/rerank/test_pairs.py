"""Queries, candidates and bank must belong together."""

import pytest

from core.records import Misconception, Query, Ranking
from rerank.pairs import candidate_lists, check_candidates


def test_it_gives_the_bank_by_id(queries: list[Query], candidates: list[Ranking], bank: list[Misconception]) -> None:
    assert check_candidates(queries, candidates, bank)[12] is bank[2]


def test_it_says_what_does_not_fit(queries: list[Query], candidates: list[Ranking], bank: list[Misconception]) -> None:
    with pytest.raises(ValueError, match="23 for 24"):
        check_candidates(queries, candidates[1:], bank)
    with pytest.raises(ValueError, match="candidates 0 are for 1_B, but the query is 0_B"):
        check_candidates(queries[:2], candidates[1::-1], bank)
    with pytest.raises(ValueError, match=r"\[17\] are not in the bank"):
        check_candidates(queries, candidates, bank[:-1])
    with pytest.raises(ValueError, match="different ids"):
        check_candidates(queries, candidates, [*bank, bank[0]])


def test_the_lists_stand_in_the_order_of_the_rankings(
    queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    found = candidate_lists(queries, candidates, bank)
    assert [[entry.id for entry in row] for row in found] == [ranking.ids.tolist() for ranking in candidates]
    with pytest.raises(ValueError, match="are not in the bank"):
        candidate_lists(queries, candidates, bank[:1])
