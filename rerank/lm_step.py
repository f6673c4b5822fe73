"""One optimiser step of a language model on the label token alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.next_token import next_token_logits
from core.optimizer import decayed_adamw, learning_rate_share
from rerank.late_loss import zero_loss
from rerank.lm_passes import ForwardPass, forward_passes
from rerank.lm_tasks import Task
from rerank.processes import Processes

if TYPE_CHECKING:
    import torch

_RANK_STRIDE = 1 << 20  # steps of a run stay below this, so that no two processes and steps share a dropout mask


def label_logits(model: Any, one: ForwardPass) -> torch.Tensor:  # noqa: ANN401 - a transformers model, or peft's
    """Return the logits of each prompt's labels as its next token.

    Args:
        model: A causal language model, or peft's wrapper of one.
        one: A pass on the model's device.

    Returns:
        float32, shape (labels,), prompt after prompt; gradients flow where the model's do.
    """
    return next_token_logits(model, one.prompts)[one.rows, one.labels]


def candidate_logits(tasks: Sequence[Task], logits: torch.Tensor) -> list[torch.Tensor]:
    """Return the candidates' logits of each task: the labels' own, or for Yes/No prompts the log-odds of Yes.

    Args:
        tasks: The tasks.
        logits: Of `label_logits` for all their prompts, task after task.

    Returns:
        A tensor for each task, shape (candidates,).
    """
    import torch

    own = torch.split(logits, [sum(len(wanted) for wanted in task.labels) for task in tasks])
    return [
        part if task.kind == "listwise" else part.view(-1, 2)[:, 0] - part.view(-1, 2)[:, 1]
        for task, part in zip(tasks, own, strict=True)
    ]


def soft_label_loss(logits: Sequence[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Return the SUM over tasks of `-sum(target * log softmax(logits))`.

    With one target of 1 it is the usual cross-entropy; with a teacher's probabilities it is distillation (Hinton et
    al. 2015), the Kullback-Leibler divergence but for a constant.

    Args:
        logits: A tensor for each task, shape (candidates,).
        targets: Wanted probabilities, float32, task after task, on the same device.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: There are not as many targets as logits.
    """
    import torch

    sizes = [len(row) for row in logits]
    if targets.shape != (sum(sizes),):
        raise ValueError(f"expected {sum(sizes)} targets, one for each of the logits; got {tuple(targets.shape)}")
    terms = [
        -(aim * torch.log_softmax(row.float(), dim=0)).sum()
        for row, aim in zip(logits, torch.split(targets, sizes), strict=True)
    ]
    return torch.stack(terms).sum()


class LanguageModelStepper:
    """AdamW with clipping, warm-up and cosine, the gradient summed over micro-batches and processes.

    It knows no state but the optimiser's: learning rate and dropout follow from the step's number.

    Attributes:
        optimizer: AdamW; norms and biases do not decay.

    Args:
        model: What `core.lora.open_trainable` returned.
        processes: Which take part; each sees its own tasks.
        device: A torch device name.
        dtype: Type of the forward pass, float32 or bfloat16.
        total_steps: Steps of the whole run, below a million.
        learning_rate: The peak.
        warmup: See `learning_rate_share`.
        weight_decay: Of matrices.
        max_norm: Gradients are clipped to this norm.
        micro_tokens: Tokens a forward pass, see `rerank.lm_passes.micro_batches`.
        seed: Of dropout.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        *,
        processes: Processes,
        device: str,
        dtype: torch.dtype,
        total_steps: int,
        learning_rate: float,
        warmup: float,
        weight_decay: float,
        max_norm: float,
        micro_tokens: int,
        seed: int,
    ) -> None:
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = decayed_adamw(self._parameters, learning_rate=learning_rate, weight_decay=weight_decay)
        self._model, self._processes = model, processes
        self._device, self._dtype = device, dtype
        self._total_steps, self._learning_rate, self._warmup = total_steps, learning_rate, warmup
        self._max_norm, self._micro_tokens, self._seed = max_norm, micro_tokens, seed

    def passes(self, tasks: Sequence[Task]) -> list[ForwardPass]:
        """Return what `step` takes, on the CPU; touches neither model nor random state, so any thread may call it.

        Args:
            tasks: This process's share of a batch; may be none.
        """
        return forward_passes(tasks, self._micro_tokens)

    def step(self, passes: Sequence[ForwardPass], number: int, *, batch: int) -> torch.Tensor:
        """Make one step and return the mean loss over the batch of all processes.

        Args:
            passes: Of `passes`.
            number: Of the step, from 0, over the whole run.
            batch: Tasks in the whole batch.

        Returns:
            A scalar on the device, not read yet: reading it waits for the step to end. Whether it is a finite number is
            the caller's to check.
        """
        import torch

        share = learning_rate_share(number, total_steps=self._total_steps, warmup=self._warmup, shape="cosine")
        for setting in self.optimizer.param_groups:
            setting["lr"] = self._learning_rate * share
        self.optimizer.zero_grad(set_to_none=True)
        total = self._processes.summed(self.gradient(passes, number, batch=batch))
        self._processes.sum_gradients(self._parameters)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_norm)
        self.optimizer.step()
        return total

    def gradient(self, passes: Sequence[ForwardPass], number: int, *, batch: int) -> torch.Tensor:
        """Add the gradient of `sum of losses / batch` to the parameters' and return that value; see `step`."""
        import torch

        torch.manual_seed((self._seed * 31 + self._processes.rank + 1) * _RANK_STRIDE + number)
        kind = torch.device(self._device).type
        total = zero_loss(self._device)
        # All copies before the first pass: one in between would wait for the device to be done with what it was given.
        for one in [one.on(self._device) for one in passes]:
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._dtype == torch.bfloat16):
                logits = label_logits(self._model, one)
            loss = soft_label_loss(candidate_logits(one.tasks, logits), one.targets) / batch
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total
