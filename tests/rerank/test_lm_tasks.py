from typing import Any

import numpy as np
import pytest

from core.records import Misconception, Query
from rerank.lm_tasks import Task, listwise_task, pointwise_task
from rerank.training_lists import TrainingList


@pytest.fixture
def by_id(bank: list[Misconception]) -> dict[int, Misconception]:
    return {entry.id: entry for entry in bank}


def test_a_listwise_task_is_the_prompt_of_inference_with_the_target_in_the_truths_slot(
    toy_prompts: Any, queries: list[Query], by_id: dict[int, Misconception]
) -> None:
    shown = TrainingList(query_index=0, ids=(12, 10, 15), truth=10)
    made = listwise_task(toy_prompts, queries[0], shown, by_id, np.array([0.0, 1.0, 0.0]))
    built = toy_prompts.build(queries[0], [by_id[12], by_id[10], by_id[15]])
    assert made.prompts == (built.token_ids,)
    assert made.labels == (built.label_ids,)
    assert made.targets.tolist() == [0.0, 1.0, 0.0]
    assert made.longest == len(built.token_ids)


def test_none_of_these_is_the_target_where_the_truth_is_withheld(
    toy_prompts: Any, none_prompts: Any, queries: list[Query], by_id: dict[int, Misconception]
) -> None:
    shown = TrainingList(query_index=0, ids=(12, 15), truth=None)
    made = listwise_task(none_prompts, queries[0], shown, by_id, np.zeros(2))
    assert made.targets.tolist() == [0.0, 0.0, 1.0]
    kept = TrainingList(query_index=0, ids=(12, 10), truth=10)
    assert listwise_task(none_prompts, queries[0], kept, by_id, np.array([0.0, 1.0])).targets.tolist() == [
        0.0,
        1.0,
        0.0,
    ]
    with pytest.raises(ValueError, match="no 'none of these' label"):
        listwise_task(toy_prompts, queries[0], shown, by_id, np.zeros(2))


def test_a_pointwise_task_has_a_prompt_a_candidate(
    toy_prompts: Any, queries: list[Query], by_id: dict[int, Misconception]
) -> None:
    shown = TrainingList(query_index=0, ids=(12, 10), truth=10)
    made = pointwise_task(toy_prompts, queries[0], shown, by_id, np.array([0.0, 1.0]))
    assert made.prompts == tuple(toy_prompts.build(queries[0], by_id[id]).token_ids for id in (12, 10))
    assert [len(wanted) for wanted in made.labels] == [2, 2]


def test_targets_must_be_one_a_candidate_and_sum_to_one() -> None:
    for targets in ([1.0], [0.5, 0.2, 0.1]):
        with pytest.raises(ValueError, match="expected 3 targets that sum to 1"):
            Task(kind="listwise", prompts=((1,),), labels=((4, 5, 6),), targets=np.array(targets))
