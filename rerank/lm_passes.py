"""Tasks as forward passes of a language model: all tensors that a step reads, so that nothing is copied within it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.next_token import PaddedPrompts, length_batches, padded_prompts
from rerank.lm_tasks import Task

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class ForwardPass:
    """Tasks whose prompts go through the model together.

    Attributes:
        tasks: Those tasks.
        prompts: All their prompts, task after task.
        rows: int64, shape (labels,): the prompt of each label, prompt after prompt.
        labels: int64, the same shape: the labels' token ids.
        targets: float32, shape (candidates,): weight times wanted probability, task after task.
    """

    tasks: tuple[Task, ...]
    prompts: PaddedPrompts
    rows: torch.Tensor
    labels: torch.Tensor
    targets: torch.Tensor

    def on(self, device: torch.device | str) -> ForwardPass:
        """Return it with its tensors on a device."""
        return replace(
            self,
            prompts=self.prompts.on(device),
            rows=self.rows.to(device),
            labels=self.labels.to(device),
            targets=self.targets.to(device),
        )


def forward_passes(tasks: Sequence[Task], budget: int) -> list[ForwardPass]:
    """Cut tasks into forward passes, see `micro_batches`, and make their tensors, on the CPU."""
    return [_forward_pass(micro) for micro in micro_batches(tasks, budget)]


def micro_batches(tasks: Sequence[Task], budget: int) -> list[list[Task]]:
    """Cut tasks into forward passes of at most so many tokens, padding included, those of like length together.

    Args:
        tasks: The tasks.
        budget: Tokens a pass; a task that is larger stands alone (its prompts share one softmax).

    Returns:
        Every task once.
    """
    counts = [len(task.prompts) for task in tasks]
    batches = length_batches([task.longest for task in tasks], budget, counts=counts)
    return [[tasks[place] for place in batch] for batch in batches]


def _forward_pass(tasks: Sequence[Task]) -> ForwardPass:
    import torch

    labels = [wanted for task in tasks for wanted in task.labels]
    return ForwardPass(
        tasks=tuple(tasks),
        prompts=padded_prompts([prompt for task in tasks for prompt in task.prompts]),
        rows=torch.tensor([row for row, wanted in enumerate(labels) for _ in wanted]),
        labels=torch.tensor([id for wanted in labels for id in wanted]),
        targets=torch.from_numpy(np.concatenate([task.weight * task.targets for task in tasks])).float(),
    )
