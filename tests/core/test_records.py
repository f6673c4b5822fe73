from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Misconception, Query, Question, Ranking, queries_of


def question(**changes):
    facts = {
        "id": 7,
        "text": "What is 1/2 + 1/3?",
        "answers": ("5/6", "2/5", "1/6", "1/5"),
        "correct": "A",
        "labels": ((), (3,), (), (4, 5)),
    }
    return Question(**{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": -1}, "negative"),
        ({"text": " "}, "empty text"),
        ({"correct": "E"}, "expected one of A, B, C, D"),
        ({"answers": ("1", "2", "3")}, "four answers"),
        ({"answers": ("1", "", "3", "4")}, "answer B is empty"),
        ({"labels": ((), (3, 3), (), ())}, "answer B carries a label twice"),
        ({"labels": ((3,), (), (), ())}, "correct answer A carries a label"),
    ],
)
def test_a_malformed_question_cannot_exist(changes, message):
    with pytest.raises(ValueError, match=message):
        question(**changes)


def test_records_are_frozen():
    with pytest.raises(FrozenInstanceError):
        question().text = "other"


@pytest.mark.parametrize(("id", "name"), [(-1, "x"), (1, " ")])
def test_a_malformed_misconception_cannot_exist(id, name):
    with pytest.raises(ValueError, match=r"negative|empty"):
        Misconception(id=id, name=name)


def test_a_query_is_a_question_with_a_wrong_answer():
    query = Query(question=question(), letter="D")
    assert (query.key, query.labels, query.wrong_answer, query.correct_answer) == ("7_D", (4, 5), "1/5", "5/6")
    with pytest.raises(ValueError, match="correct answer"):
        Query(question=question(), letter="A")


def test_queries_come_in_the_order_of_questions_and_letters():
    questions = [question(), question(id=3, correct="C", labels=((9,), (), (), ()))]
    assert [q.key for q in queries_of(questions)] == ["7_B", "7_C", "7_D", "3_A", "3_B", "3_D"]
    assert [q.key for q in queries_of(questions, labelled_only=True)] == ["7_B", "7_D", "3_A"]


@pytest.mark.parametrize(
    ("ids", "scores", "message"),
    [
        ([1, 2], [1.0], "equal and flat"),
        ([1, 2], [1.0, np.nan], "not finite"),
        ([1, 1], [2.0, 1.0], "twice"),
        ([1, 2], [1.0, 2.0], "must not rise"),
        ([2, 1], [1.0, 1.0], "ties must stand in rising order"),
    ],
)
def test_a_malformed_ranking_cannot_exist(ids, scores, message):
    with pytest.raises(ValueError, match=message):
        Ranking(key="1_A", ids=np.array(ids), scores=np.array(scores))


def test_scores_are_sorted_and_ties_broken_by_id():
    ranking = Ranking.from_scores("1_A", [5, 9, 2, 7], [0.1, 0.5, 0.5, 0.3], top=3)
    assert ranking.ids.tolist() == [2, 9, 7]
    assert (ranking.rank_of(9), ranking.rank_of(5), len(ranking)) == (2, None, 3)
    assert ranking.top(1).ids.tolist() == [2]


def test_a_ranking_cannot_be_changed_through_its_arrays():
    scores = np.array([2.0, 1.0])
    ranking = Ranking(key="1_A", ids=np.array([1, 2]), scores=scores)
    scores[0] = 0.0
    assert ranking.scores.tolist() == [2.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        ranking.ids[0] = 9


def test_equality_is_of_content():
    one = Ranking.from_scores("1_A", [1, 2], [2.0, 1.0])
    assert one == Ranking.from_scores("1_A", [2, 1], [1.0, 2.0])
    assert hash(one) == hash(Ranking.from_scores("1_A", [2, 1], [1.0, 2.0]))
    assert one != Ranking.from_scores("1_B", [1, 2], [2.0, 1.0])
    assert one != "1_A"


@given(st.dictionaries(st.integers(0, 50), st.integers(-3, 3).map(float), max_size=20))
def test_any_scores_make_a_valid_ranking_whatever_the_order_they_came_in(scores):
    ids = list(scores)
    ranking = Ranking.from_scores("1_A", ids, [scores[id] for id in ids])
    assert ranking.ids.tolist() == sorted(ids, key=lambda id: (-scores[id], id))
    assert ranking == Ranking.from_scores("1_A", ids[::-1], [scores[id] for id in ids[::-1]])


def test_replace_checks_again():
    with pytest.raises(ValueError, match="correct answer B carries"):
        replace(question(), correct="B")
