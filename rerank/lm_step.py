"""One optimiser step of a language model on the label token alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.errors import ModelError
from core.next_token import length_batches, next_token_logits
from core.optimizer import decayed_adamw, learning_rate_share
from rerank.lm_tasks import Task
from rerank.processes import Processes

if TYPE_CHECKING:
    import torch

_RANK_STRIDE = 1 << 20  # steps of a run stay below this, so that no two processes and steps share a dropout mask


def label_logits(
    model: Any,  # noqa: ANN401 - a transformers model, or peft's wrapper of one
    prompts: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]],
) -> list[torch.Tensor]:
    """Return the logits of each prompt's labels as its next token.

    Args:
        model: A causal language model.
        prompts: Token ids, n prompts, none empty.
        labels: Token ids of the labels, a list for each prompt; sizes may differ.

    Returns:
        n float32 tensors, the i-th of shape (labels of prompt i,); gradients flow where the model's do.
    """
    import torch

    rows = next_token_logits(model, prompts)
    return [rows[row, torch.tensor(list(wanted), device=rows.device)] for row, wanted in enumerate(labels)]


def candidate_logits(tasks: Sequence[Task], logits: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the candidates' logits of each task: the labels' own, or for Yes/No prompts the log-odds of Yes.

    Args:
        tasks: The tasks.
        logits: Of `label_logits` for all their prompts, task after task.

    Returns:
        A tensor for each task, shape (candidates,).
    """
    import torch

    made, start = [], 0
    for task in tasks:
        own = logits[start : start + len(task.prompts)]
        start += len(task.prompts)
        made.append(own[0] if task.kind == "listwise" else torch.stack([pair[0] - pair[1] for pair in own]))
    return made


def soft_label_loss(logits: Sequence[torch.Tensor], targets: Sequence[Sequence[float]]) -> torch.Tensor:
    """Return the SUM over tasks of `-sum(target * log softmax(logits))`.

    With one target of 1 it is the usual cross-entropy; with a teacher's probabilities it is distillation (Hinton et
    al. 2015), the Kullback-Leibler divergence but for a constant.

    Args:
        logits: A tensor for each task, shape (candidates,).
        targets: Wanted probabilities, as many.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: Lengths differ.
    """
    import torch

    terms = []
    for row, wanted in zip(logits, targets, strict=True):
        if row.shape != (len(wanted),):
            raise ValueError(f"expected {len(wanted)} logits; got shape {tuple(row.shape)}")
        aim = torch.tensor(list(wanted), dtype=torch.float32, device=row.device)
        terms.append(-(aim * torch.log_softmax(row.float(), dim=0)).sum())
    return torch.stack(terms).sum()


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
        micro_tokens: See `micro_batches`.
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

    def step(self, tasks: Sequence[Task], number: int, *, batch: int) -> float:
        """Make one step and return the mean loss over the batch of all processes.

        Args:
            tasks: This process's share of the batch; may be none.
            number: Of the step, from 0, over the whole run.
            batch: Tasks in the whole batch.

        Raises:
            ModelError: The loss is not finite.
        """
        import torch

        share = learning_rate_share(number, total_steps=self._total_steps, warmup=self._warmup, shape="cosine")
        for setting in self.optimizer.param_groups:
            setting["lr"] = self._learning_rate * share
        self.optimizer.zero_grad(set_to_none=True)
        total = self._processes.summed(self.gradient(tasks, number, batch=batch))
        if total != total or total in (float("inf"), float("-inf")):
            raise ModelError(f"step {number}: the training loss is {total}; lower learning_rate or use float32")
        self._processes.sum_gradients(self._parameters)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_norm)
        self.optimizer.step()
        return total

    def gradient(self, tasks: Sequence[Task], number: int, *, batch: int) -> float:
        """Add the gradient of `sum of losses / batch` to the parameters' and return that value; see `step`."""
        import torch

        torch.manual_seed((self._seed * 31 + self._processes.rank + 1) * _RANK_STRIDE + number)
        total = 0.0
        for micro in micro_batches(tasks, self._micro_tokens):
            prompts = [prompt for task in micro for prompt in task.prompts]
            labels = [wanted for task in micro for wanted in task.labels]
            kind = torch.device(self._device).type
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._dtype == torch.bfloat16):
                logits = label_logits(self._model, prompts, labels)
            targets = [(task.weight * task.targets).tolist() for task in micro]  # the loss is linear in them
            loss = soft_label_loss(candidate_logits(micro, logits), targets) / batch
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total
