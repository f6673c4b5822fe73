import math
from collections import Counter

import numpy as np
import pytest

from core.records import Ranking
from rerank.training_groups import CandidateGroup
from rerank.training_lists import TrainingList, soft_targets, training_lists


def group(wrong: int = 30, truth: int = 900, query: int = 0) -> CandidateGroup:
    ids = (truth, *range(wrong))
    return CandidateGroup(query_index=query, ids=ids, label_index=0, stage_one=(0.0,) * len(ids))


def test_sizes_vary_between_the_bounds_and_the_truth_is_always_there_at_a_random_place() -> None:
    made = training_lists([group() for _ in range(600)], sizes=(3, 7))
    sizes = Counter(len(shown.ids) for shown in made)
    assert sorted(sizes) == [3, 4, 5, 6, 7]
    assert min(sizes.values()) > 80  # 120 each
    assert all(shown.truth == 900 and len(set(shown.ids)) == len(shown.ids) for shown in made)
    places = Counter(shown.ids.index(900) for shown in made if len(shown.ids) == 4)
    assert sorted(places) == [0, 1, 2, 3] and min(places.values()) > 10  # 30 each


def test_wrong_candidates_come_from_the_top_of_the_ranking() -> None:
    """A list of n draws from the first spread * (n - 1): with spread 1 it is the top itself."""
    tight = training_lists([group()] * 50, sizes=(5, 5), spread=1.0)
    assert {frozenset(shown.ids) for shown in tight} == {frozenset({900, 0, 1, 2, 3})}
    loose = training_lists([group()] * 200, sizes=(5, 5), spread=2.0)
    assert {id for shown in loose for id in shown.ids} == {900, *range(8)}


def test_a_group_with_few_candidates_gives_what_it_has() -> None:
    (shown,) = training_lists([group(wrong=2)], sizes=(10, 10))
    assert sorted(shown.ids) == [0, 1, 900]


def test_a_draw_depends_on_seed_epoch_and_place_alone() -> None:
    many = [group(query=number) for number in range(5)]
    first = training_lists(many, sizes=(3, 20))
    assert training_lists(many, sizes=(3, 20)) == first
    assert training_lists([*many, group()], sizes=(3, 20))[:5] == first
    assert training_lists(many, sizes=(3, 20), epoch=1) != first
    assert training_lists(many, sizes=(3, 20), seed=1) != first


def test_a_withheld_truth_is_replaced_by_one_more_wrong_candidate() -> None:
    made = training_lists([group()] * 400, sizes=(4, 4), none_share=0.25)
    withheld = [shown for shown in made if shown.truth is None]
    assert 70 < len(withheld) < 130
    assert all(900 not in shown.ids and len(shown.ids) == 4 for shown in withheld)
    assert all(900 in shown.ids and len(shown.ids) == 4 for shown in made if shown.truth is not None)


@pytest.mark.parametrize(
    "wrong", [{"sizes": (1, 5)}, {"sizes": (6, 5)}, {"spread": 0.5}, {"none_share": 1.5}, {"spread": math.nan}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected 2 <= smallest"):
        training_lists([group()], **wrong)  # type: ignore[arg-type]


def test_a_list_without_its_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="the truth 9 is not among"):
        TrainingList(query_index=0, ids=(1, 2), truth=9)


def test_targets_by_hand() -> None:
    """Teacher log-probabilities log 6, log 3, log 1 -> 0.6, 0.3, 0.1; a quarter of it mixed with (0, 1, 0)."""
    shown = TrainingList(query_index=0, ids=(5, 7, 9), truth=7)
    assert soft_targets(shown)[0].tolist() == [0.0, 1.0, 0.0]
    teacher = Ranking.from_scores("1_A", [9, 7, 5, 4], np.log([1.0, 3.0, 6.0, 50.0]))
    targets, used = soft_targets(shown, teacher=teacher, weight=0.25)
    assert used
    assert targets == pytest.approx([0.15, 0.825, 0.025])
    warm, _ = soft_targets(shown, teacher=teacher, weight=1.0, temperature=2.0)
    roots = np.sqrt([6.0, 3.0, 1.0])
    assert warm == pytest.approx(roots / roots.sum())


def test_a_teacher_that_lacks_a_candidate_or_the_truth_is_not_used() -> None:
    teacher = Ranking.from_scores("1_A", [7, 5], [0.0, -1.0])
    targets, used = soft_targets(TrainingList(query_index=0, ids=(5, 7, 9), truth=7), teacher=teacher, weight=0.5)
    assert (targets.tolist(), used) == ([0.0, 1.0, 0.0], False)
    withheld, used = soft_targets(TrainingList(query_index=0, ids=(5, 7), truth=None), teacher=teacher, weight=0.5)
    assert (withheld.tolist(), used) == ([0.0, 0.0], False)


def test_a_weight_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match="weight from 0 to 1"):
        soft_targets(TrainingList(query_index=0, ids=(5, 7), truth=7), weight=1.1)
