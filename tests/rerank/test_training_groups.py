"""Candidate groups and the guard against candidates from a retriever that knew the question."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.records import Query, Question, Ranking
from rerank.training_groups import FoldProvenance, check_out_of_fold, training_groups


def query(number: int, labels: tuple[int, ...] = (1,)) -> Query:
    question = Question(id=number, text="q", answers=("a", "b", "c", "d"), correct="A", labels=((), labels, (), ()))
    return Query(question=question, letter="B")


def ranking(number: int, ids: list[int]) -> Ranking:
    return Ranking.from_scores(f"{number}_B", ids, [-float(place) for place in range(len(ids))])


def test_the_truth_stands_first_with_its_own_log_score() -> None:
    (group,) = training_groups([query(5)], [ranking(5, [7, 8, 1, 9])], group_size=4, seed=0)
    assert group.ids == (1, 7, 8, 9)
    assert group.label_index == 0
    assert group.stage_one == pytest.approx((-math.log(3), 0.0, -math.log(2), -math.log(4)))


def test_a_truth_that_stage_one_missed_is_there_all_the_same() -> None:
    (group,) = training_groups([query(5)], [ranking(5, [7, 8])], group_size=3, seed=0)
    assert group.ids == (1, 7, 8)
    assert group.stage_one[0] == pytest.approx(-math.log(3))
    (scored,) = training_groups([query(5)], [ranking(5, [7, 8])], group_size=3, seed=0, form="score")
    assert scored.stage_one[0] == scored.stage_one[2] < scored.stage_one[1]


def test_other_labels_of_the_query_are_never_wrong() -> None:
    groups = training_groups([query(5, (1, 2))], [ranking(5, [1, 2, 3])], group_size=3, seed=0)
    assert [group.ids for group in groups] == [(1, 3), (2, 3)]


@given(st.integers(2, 8), st.integers(8, 30), st.integers(0, 3), st.lists(st.integers(0, 40), unique=True, max_size=40))
def test_whatever_the_ranking(size: int, window: int, epoch: int, ids: list[int]) -> None:
    (group,) = training_groups([query(5)], [ranking(5, ids)], group_size=size, seed=3, epoch=epoch, window=window)
    assert group.ids[0] == 1
    assert len(set(group.ids)) == len(group.ids) == len(group.stage_one)
    allowed = [id for id in ids[:window] if id != 1]
    assert set(group.ids[1:]) <= set(allowed)
    assert len(group.ids) == 1 + min(size - 1, len(allowed))


def test_seed_and_epoch_decide_the_draw_and_the_other_queries_do_not() -> None:
    ids = list(range(2, 40))
    queries, rankings = [query(5), query(6)], [ranking(5, ids), ranking(6, ids)]
    one = training_groups(queries, rankings, group_size=6, seed=0)
    assert one == training_groups(queries, rankings, group_size=6, seed=0)
    assert one[0] == training_groups(queries[:1], rankings[:1], group_size=6, seed=0)[0]
    assert one[0].ids != one[1].ids
    assert one != training_groups(queries, rankings, group_size=6, seed=0, epoch=1)
    assert one != training_groups(queries, rankings, group_size=6, seed=1)


def test_queries_without_a_label_are_left_out() -> None:
    queries, rankings = [query(5, ()), query(6)], [ranking(5, [3]), ranking(6, [3])]
    (group,) = training_groups(queries, rankings, group_size=2, seed=0)
    assert group.query_index == 1
    with pytest.raises(InputError, match="none of the 1 queries"):
        training_groups(queries[:1], rankings[:1], group_size=2, seed=0)


def test_candidates_of_a_retriever_that_knew_the_question_are_refused() -> None:
    queries = [query(5), query(6)]
    good = [
        FoldProvenance(model="fold 0", ranked=frozenset({"5_B"}), fitted_on=frozenset({6})),
        FoldProvenance(model="fold 1", ranked=frozenset({"6_B"}), fitted_on=frozenset({5})),
    ]
    check_out_of_fold(queries, good)
    # question 6 is a copy of question 5 under another id: one group
    with pytest.raises(InputError, match="6_B: its candidates come from fold 1, which was fitted on question group 5"):
        check_out_of_fold(queries, good, groups=[5, 5])
    leaky = [FoldProvenance(model="all", ranked=frozenset({"5_B", "6_B"}), fitted_on=frozenset({5, 6}))]
    with pytest.raises(InputError) as caught:
        training_groups(queries, [ranking(5, [3]), ranking(6, [3])], group_size=2, seed=0, provenance=leaky)
    assert len(caught.value.faults) == 2


def test_a_maker_must_be_stated_once() -> None:
    one = FoldProvenance(model="m", ranked=frozenset({"5_B"}), fitted_on=frozenset())
    check_out_of_fold([query(5)], [one])
    with pytest.raises(InputError, match="0 are stated"):
        check_out_of_fold([query(6)], [one])
    with pytest.raises(InputError, match="2 are stated"):
        check_out_of_fold([query(5)], [one, one])


def test_many_faults_are_counted() -> None:
    with pytest.raises(InputError, match="and 15 more"):
        check_out_of_fold([query(number) for number in range(20)], [])


def test_sizes_and_keys_are_checked() -> None:
    with pytest.raises(ValueError, match="group_size"):
        training_groups([query(5)], [ranking(5, [3])], group_size=1, seed=0)
    with pytest.raises(ValueError, match="window 3"):
        training_groups([query(5)], [ranking(5, [3])], group_size=4, window=3, seed=0)
    with pytest.raises(ValueError, match="one order"):
        training_groups([query(5)], [ranking(6, [3])], group_size=2, seed=0)
    with pytest.raises(ValueError, match="one ranking per query"):
        training_groups([query(5)], [], group_size=2, seed=0)
    with pytest.raises(ValueError, match="a group for each"):
        check_out_of_fold([query(5)], [], groups=[])


def test_groups_bear_their_querys_weight() -> None:
    queries, rankings = [query(5, (1, 2)), query(6)], [ranking(5, [7, 8]), ranking(6, [7, 8])]
    groups = training_groups(queries, rankings, group_size=2, seed=0, weights=[0.25, 1.0])
    assert [group.weight for group in groups] == [0.25, 0.25, 1.0]
    assert {group.weight for group in training_groups(queries, rankings, group_size=2, seed=0)} == {1.0}
    for weights in ([1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="a weight above 0 for each of 2 queries"):
            training_groups(queries, rankings, group_size=2, seed=0, weights=weights)
