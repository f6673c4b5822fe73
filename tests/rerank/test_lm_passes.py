"""Tasks as tensors, written out by hand, and cut into passes."""

import numpy as np
import pytest
import torch

from rerank.lm_passes import forward_passes, micro_batches
from rerank.lm_tasks import Task

LONG = Task(
    kind="listwise",
    prompts=((1, 30, 4, 31, 5, 2),),
    labels=((4, 5, 6),),
    targets=np.array([0.5, 0.25, 0.25]),
    weight=0.1,
)
PAIRS = Task(kind="pointwise", prompts=((1, 2), (1, 7, 2)), labels=((4, 5), (4, 5)), targets=np.eye(2)[1])
SHORT = Task(kind="listwise", prompts=((9,),), labels=((7, 8),), targets=np.eye(2)[0])


def test_a_pass_by_hand() -> None:
    (one,) = forward_passes([PAIRS, LONG], 10_000)
    assert one.tasks == (LONG, PAIRS)  # longest first
    assert one.prompts.ids.tolist() == [[1, 30, 4, 31, 5, 2], [1, 2, 0, 0, 0, 0], [1, 7, 2, 0, 0, 0]]
    assert one.prompts.mask.tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]]
    assert one.prompts.last.tolist() == [5, 1, 2]
    assert one.rows.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert one.labels.tolist() == [4, 5, 6, 4, 5, 4, 5]
    assert one.targets.dtype == torch.float32
    assert one.targets.tolist() == pytest.approx([0.05, 0.025, 0.025, 0.0, 1.0])


def test_it_moves_as_a_whole() -> None:
    (one,) = forward_passes([SHORT], 10)
    moved = one.on("meta")
    tensors = (moved.prompts.ids, moved.prompts.last, moved.prompts.mask, moved.rows, moved.labels, moved.targets)
    assert all(tensor.is_meta for tensor in tensors) and moved.tasks == one.tasks
    assert not one.rows.is_meta


def test_micro_batches_hold_every_task_once_within_the_budget() -> None:
    tasks = [LONG, PAIRS, SHORT, LONG, PAIRS]
    made = micro_batches(tasks, 12)
    assert sorted(id(task) for micro in made for task in micro) == sorted(map(id, tasks))
    for micro in made:
        padded = max(task.longest for task in micro) * sum(len(task.prompts) for task in micro)
        assert padded <= 12 or len(micro) == 1
    assert len(micro_batches(tasks, 10_000)) == 1
    assert [len(one.tasks) for one in forward_passes(tasks, 12)] == [len(micro) for micro in made]
    assert forward_passes([], 12) == []
