from collections.abc import Sequence

import pytest

from core.records import Misconception, Query, Question, Ranking
from rerank.in_batches import InBatches
from rerank.reranker import DeadlineReranker


class Turned:
    """Turns rankings round and counts its calls."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        self.sizes.append(len(queries))
        return [Ranking.from_scores(one.key, one.ids[::-1], [2.0, 1.0]) for one in candidates]


class Until:
    """A deadline that comes after so many batches, and notes what it is told."""

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.told: list[tuple[int, int]] = []

    def __call__(self) -> bool:
        return len(self.told) >= self.batches

    def finished(self, done: int, of: int) -> None:
        self.told.append((done, of))


def asked(count: int) -> tuple[list[Query], list[Ranking]]:
    questions = [
        Question(id=number, text="q", answers=("1", "2", "3", "4"), correct="A", labels=((), (), (), ()))
        for number in range(count)
    ]
    queries = [Query(question=question, letter="B") for question in questions]
    return queries, [Ranking.from_scores(query.key, [1, 2], [2.0, 1.0]) for query in queries]


def test_all_queries_in_batches() -> None:
    inner = Turned()
    batched = InBatches(inner, queries=3)
    assert isinstance(batched, DeadlineReranker)
    queries, candidates = asked(7)
    found = batched.rerank(queries, candidates, [])
    assert [ranking.ids.tolist() for ranking in found] == [[2, 1]] * 7
    assert inner.sizes == [3, 3, 1] and batched.unreached == ()


def test_it_stops_between_batches() -> None:
    batched = InBatches(Turned(), queries=3)
    queries, candidates = asked(7)
    deadline = Until(2)
    found = batched.rerank(queries, candidates, [], deadline=deadline)
    assert [len(ranking) for ranking in found] == [2] * 6 + [0]
    assert [ranking.key for ranking in found] == [query.key for query in queries]
    assert batched.unreached == (queries[6].key,) and deadline.told == [(3, 7), (6, 7)]
    assert len(batched.rerank(queries, candidates, [], deadline=lambda: True)[0]) == 0


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one query a batch"):
        InBatches(Turned(), queries=0)
