from collections.abc import Sequence

import pytest

from core.records import Query, Question, Ranking
from pipelines.measures import measure, table


def queries(*labels: tuple[int, ...]) -> list[Query]:
    return [
        Query(
            question=Question(
                id=row, text=f"q{row}", answers=("1", "2", "3", "4"), correct="A", labels=((), label, (), ())
            ),
            letter="B",
        )
        for row, label in enumerate(labels)
    ]


def run(*orders: Sequence[int]) -> list[Ranking]:
    return [
        Ranking.from_scores(f"{row}_B", order, [-place for place in range(len(order))])
        for row, order in enumerate(orders)
    ]


ASKED = queries((1,), (2,), (3,), ())
FIRST = run([9, 1, 2, 3], [9, 8, 2, 1], [8, 9, 1, 2], [1, 2, 3, 4])
SECOND = run([1, 9, 2, 3], [2, 8, 9, 1], [8, 9, 1, 2], [1, 2, 3, 4])


def test_numbers_by_hand() -> None:
    found = measure({"first": FIRST, "second": SECOND}, ASKED, candidates="first", seen=frozenset({1}), resamples=100)
    # first: ranks 2, 3, none; second: 1, 1, none. The query without a label is left out.
    assert [query.key for query in found.queries] == ["0_B", "1_B", "2_B"]
    first, second = (result.evaluation for result in found.runs)
    assert first.map25.value == pytest.approx((1 / 2 + 1 / 3) / 3)
    assert second.map25.value == pytest.approx(2 / 3)
    assert first.seen is not None and first.seen.map25.value == 0.5
    assert first.unseen is not None and first.unseen.map25.value == pytest.approx((1 / 3) / 2)
    assert found.runs[0].curve == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    assert found.labels == {"0_B": (1,), "1_B": (2,), "2_B": (3,)}


def test_each_run_is_tested_against_the_one_before_and_the_last_against_all() -> None:
    third = {"third": FIRST}
    found = measure(
        {"first": FIRST, "second": SECOND, **third}, ASKED, candidates="first", seen=frozenset(), resamples=100
    )
    pairs = [(test.first, test.second) for test in found.comparisons]
    assert pairs == [("second", "first"), ("third", "second"), ("third", "first")]
    assert found.comparisons[0].test.difference == pytest.approx(2 / 3 - (1 / 2 + 1 / 3) / 3)
    assert found.comparisons[1].test.difference == -found.comparisons[0].test.difference


def test_the_budget_is_of_the_last_run_over_the_named_candidates() -> None:
    found = measure({"first": FIRST, "second": SECOND}, ASKED, candidates="first", seen=frozenset(), resamples=100)
    assert found.budget.cap == pytest.approx(2 / 3)
    assert found.budget.reached == pytest.approx(2 / 3)
    assert found.budget.retriever == pytest.approx((1 / 2 + 1 / 3) / 3)


def test_json_is_plain_and_rounded() -> None:
    found = measure({"first": FIRST, "second": SECOND}, ASKED, candidates="first", seen=frozenset({1}), resamples=100)
    numbers = found.to_json()
    assert numbers["queries"] == 3
    assert list(numbers["runs"]) == ["first", "second"]
    assert numbers["runs"]["first"]["all"]["map@25"]["value"] == 0.277778
    assert numbers["comparisons"][0]["difference"] == 0.388889
    assert 0 < numbers["comparisons"][0]["p"] <= 1
    assert numbers["loss_budget"]["cap"] == 0.666667


def test_a_line_a_run_with_seen_and_unseen() -> None:
    found = measure({"first": FIRST, "second": SECOND}, ASKED, candidates="first", seen=frozenset({1}), resamples=100)
    head, first, second = table(found).splitlines()
    assert head.split() == ["MAP@25", "95", "%", "interval", "seen", "unseen", "recall@25"]
    assert first.split()[:2] == ["first", "0.2778"] and first.split()[-3:-1] == ["0.5000", "0.1667"]
    assert second.split()[-1] == "–", "the rankings are shorter than 25"


def test_a_side_without_queries_is_a_dash() -> None:
    found = measure({"first": FIRST}, ASKED, candidates="first", seen=frozenset(), resamples=100)
    assert table(found).splitlines()[1].split()[-3:] == ["–", "0.2778", "–"]
