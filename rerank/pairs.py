"""Checks that queries, candidates and bank belong together, shared by all rerankers."""

from collections.abc import Sequence

from core.records import Misconception, Query, Ranking


def check_candidates(
    queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
) -> dict[int, Misconception]:
    """Check that there is one ranking per query and that the bank holds every candidate.

    Returns:
        The bank by id.

    Raises:
        ValueError: The number of rankings or a key differs, an id occurs twice in the bank, or a candidate is not in
            it.
    """
    if len(queries) != len(candidates):
        raise ValueError(f"expected one ranking of candidates per query; got {len(candidates)} for {len(queries)}")
    by_id = {misconception.id: misconception for misconception in bank}
    if len(by_id) != len(bank):
        raise ValueError(f"the bank holds {len(bank)} misconceptions but only {len(by_id)} different ids")
    for row, (query, ranking) in enumerate(zip(queries, candidates, strict=True)):
        if query.key != ranking.key:
            raise ValueError(f"candidates {row} are for {ranking.key}, but the query is {query.key}: keep one order")
        strangers = [id for id in ranking.ids.tolist() if id not in by_id]
        if strangers:
            raise ValueError(f"query {query.key}: candidates {strangers[:5]} are not in the bank")
    return by_id


def candidate_lists(
    queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
) -> list[list[Misconception]]:
    """Return each query's candidates as misconceptions, in the order of its ranking.

    Raises:
        ValueError: As `check_candidates`.
    """
    by_id = check_candidates(queries, candidates, bank)
    return [[by_id[id] for id in ranking.ids.tolist()] for ranking in candidates]
