"""The loss of a language model on what it should write, and on nothing that it only reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.next_token import length_batches
from synth.lessons import TokenLesson

if TYPE_CHECKING:
    import torch


def completion_loss(model: Any, lessons: Sequence[TokenLesson]) -> torch.Tensor:  # noqa: ANN401 - no types there
    """Return the SUM over all completion tokens of `-log p(token | what stands before it)`.

    Padded on the right; only the hidden states that a completion token is read from go through the head: with a
    vocabulary of 150,000 the logits of the prompts would be most of the memory.

    Args:
        model: A causal language model of transformers, or peft's wrapper of one.
        lessons: At least one.

    Returns:
        A float32 scalar; gradients flow where the caller lets them.
    """
    import torch

    device = model.get_input_embeddings().weight.device
    ids = torch.zeros((len(lessons), max(map(len, lessons))), dtype=torch.long)  # (lessons, longest)
    mask = torch.zeros_like(ids)
    rows: list[int] = []
    places: list[int] = []
    targets: list[int] = []
    for row, lesson in enumerate(lessons):
        ids[row, : len(lesson)] = torch.tensor([*lesson.prompt, *lesson.completion])
        mask[row, : len(lesson)] = 1
        first = len(lesson.prompt) - 1
        rows += [row] * len(lesson.completion)
        places += range(first, first + len(lesson.completion))
        targets += lesson.completion
    read_from = (torch.tensor(rows, device=device), torch.tensor(places, device=device))

    def before_completions(_: object, states: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (states[0][read_from][None],)  # (lessons, longest, hidden) -> (1, completion tokens, hidden)

    # A hook before the head, not a head of our own: what a model does after it (soft caps, scales) stays.
    hook = model.get_output_embeddings().register_forward_pre_hook(before_completions)
    try:
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[0]
    finally:
        hook.remove()
    return torch.nn.functional.cross_entropy(logits.float(), torch.tensor(targets, device=device), reduction="sum")


def micro_batches(lessons: Sequence[TokenLesson], budget: int) -> list[list[TokenLesson]]:
    """Cut lessons into forward passes of at most so many tokens, padding included; a larger one stands alone."""
    return [[lessons[place] for place in batch] for batch in length_batches([len(one) for one in lessons], budget)]


def mean_loss(model: Any, lessons: Sequence[TokenLesson], *, micro_tokens: int) -> float:  # noqa: ANN401
    """Return the mean loss of a completion token over lessons that are not trained on; the model's mode is kept.

    Args:
        model: A causal language model.
        lessons: At least one.
        micro_tokens: Tokens a forward pass.
    """
    import torch

    training = model.training
    model.eval()
    with torch.inference_mode():
        total = sum(float(completion_loss(model, micro)) for micro in micro_batches(lessons, micro_tokens))
    model.train(training)
    return total / sum(len(lesson.completion) for lesson in lessons)
