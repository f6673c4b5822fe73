"""Small labelled queries, and dense rankings of them."""

from collections.abc import Sequence

from core.records import Query, Question, Ranking


def labelled(*labels: int) -> list[Query]:
    """Return the queries 0_B, 1_B, … with one label each."""
    return [
        Query(
            question=Question(
                id=row, text=f"q{row}", answers=("1", "2", "3", "4"), correct="A", labels=((), (label,), (), ())
            ),
            letter="B",
        )
        for row, label in enumerate(labels)
    ]


def run(*orders: Sequence[int]) -> list[Ranking]:
    """Return rankings with scores 1, 0.9, … of the queries 0_B, 1_B, …"""
    return [
        Ranking.from_scores(f"{row}_B", order, [1 - place / 10 for place in range(len(order))])
        for row, order in enumerate(orders)
    ]
