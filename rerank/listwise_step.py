"""One optimiser step of a cross-encoder on a batch of candidate groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.optimizer import decayed_adamw, learning_rate_share
from rerank.late_loss import zero_loss
from rerank.listwise_loss import listwise_softmax_loss
from rerank.training_groups import CandidateGroup

if TYPE_CHECKING:
    import torch
    from sentence_transformers import CrossEncoder


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupPass:
    """Groups that go through the model together.

    Attributes:
        groups: Those groups.
        features: Their pairs as the model takes them.
        share: Of the step's groups, above 0 to 1.
    """

    groups: Sequence[CandidateGroup]
    features: dict[str, Any]
    share: float


class ListwiseStepper:
    """AdamW on the listwise softmax loss, with clipping, a schedule that knows no state, and micro-batches.

    Attributes:
        optimizer: AdamW; biases and norms (one dimension) do not decay.

    Args:
        model: The cross-encoder, float32 weights on `device`.
        device: A torch device name.
        dtype: Type of the forward pass; float32 or bfloat16.
        total_steps: Steps of the whole run.
        learning_rate: The peak.
        warmup: See `learning_rate_share`.
        weight_decay: Of matrices.
        max_norm: Gradients are clipped to this norm.
        offset: What stage-1 log-scores are multiplied by before they are added to the logits; 0 leaves them out.
        micro_groups: Groups a forward pass.
    """

    def __init__(
        self,
        model: CrossEncoder,
        *,
        device: str,
        dtype: torch.dtype,
        total_steps: int,
        learning_rate: float,
        warmup: float,
        weight_decay: float,
        max_norm: float,
        offset: float,
        micro_groups: int,
    ) -> None:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = decayed_adamw(parameters, learning_rate=learning_rate, weight_decay=weight_decay)
        self._model, self._parameters = model, parameters
        self._device, self._dtype = device, dtype
        self._total_steps, self._learning_rate, self._warmup = total_steps, learning_rate, warmup
        self._max_norm, self._offset, self._micro_groups = max_norm, offset, micro_groups

    def passes(self, groups: Sequence[CandidateGroup], pairs: Sequence[tuple[str, str]]) -> list[GroupPass]:
        """Return what `step` takes, on the CPU; touches neither weights nor random state, so any thread may call it.

        Args:
            groups: The batch.
            pairs: Texts of all its candidates, group after group.
        """
        made, start = [], 0
        for cut in range(0, len(groups), self._micro_groups):
            micro = groups[cut : cut + self._micro_groups]
            stop = start + sum(len(group.ids) for group in micro)
            features = self._model.preprocess(list(pairs[start:stop]))
            made.append(GroupPass(groups=micro, features=features, share=len(micro) / len(groups)))
            start = stop
        return made

    def step(self, passes: Sequence[GroupPass], number: int) -> torch.Tensor:
        """Make one step and return the mean loss of the groups.

        Args:
            passes: Of `passes`.
            number: Of the step, from 0, over the whole run.

        Returns:
            A scalar on the device, not read yet: reading it waits for the step to end. Whether it is a finite number is
            the caller's to check.
        """
        import torch

        share = learning_rate_share(number, total_steps=self._total_steps, warmup=self._warmup)
        for setting in self.optimizer.param_groups:
            setting["lr"] = self._learning_rate * share
        self.optimizer.zero_grad(set_to_none=True)
        total = zero_loss(self._device)
        for one in passes:
            loss = self._loss(one) * one.share
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_norm)
        self.optimizer.step()
        return total

    def _loss(self, one: GroupPass) -> torch.Tensor:
        import torch
        from sentence_transformers.util import batch_to_device

        groups = one.groups
        features = batch_to_device(one.features, torch.device(self._device))
        with torch.autocast(
            torch.device(self._device).type, dtype=torch.bfloat16, enabled=self._dtype == torch.bfloat16
        ):
            logits: torch.Tensor = self._model(features)["scores"].reshape(-1)
        offsets = None
        if self._offset:
            values = [self._offset * value for group in groups for value in group.stage_one]
            offsets = torch.tensor(values, dtype=torch.float32, device=logits.device)
        sizes = [len(group.ids) for group in groups]
        weights = [group.weight for group in groups]
        return listwise_softmax_loss(
            logits,
            sizes,
            [group.label_index for group in groups],
            offsets,
            weights=None if set(weights) == {1.0} else weights,
        )
