"""Queries that lose their hint."""

from core.records import Query, Question
from rerank.hint_dropout import drop_hints


def test_hints_are_dropped_from_a_share_of_the_queries_others_each_epoch() -> None:
    question = Question(id=1, text="q", answers=("a", "b", "c", "d"), correct="A", labels=((), (), (), ()))
    queries = [Query(question=question, letter="B", hint="h") for _ in range(400)]
    first = [query.hint is None for query in drop_hints(queries, 0.25, seed=1, epoch=0)]
    assert 70 < sum(first) < 130
    assert first == [query.hint is None for query in drop_hints(queries, 0.25, seed=1, epoch=0)]
    assert first != [query.hint is None for query in drop_hints(queries, 0.25, seed=1, epoch=1)]
    assert drop_hints(queries, 0.0, seed=1, epoch=0) == queries
