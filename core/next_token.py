"""The next token's logits after prompts of different lengths: one forward pass, for scoring and for training alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedPrompts:
    """Prompts as one rectangle, padded on the right.

    Attributes:
        ids: int64, shape (prompts, longest).
        last: int64, shape (prompts,): the place of each one's last token.
    """

    ids: torch.Tensor
    last: torch.Tensor

    @property
    def mask(self) -> torch.Tensor:
        """What is a prompt's own: int64, the shape of `ids`, 0 for padding. Made where they are, not copied there."""
        import torch

        return (torch.arange(self.ids.shape[1], device=self.ids.device) <= self.last[:, None]).long()

    def on(self, device: torch.device | str) -> PaddedPrompts:
        """Return them on a device."""
        return PaddedPrompts(ids=self.ids.to(device), last=self.last.to(device))


def padded_prompts(prompts: Sequence[Sequence[int]]) -> PaddedPrompts:
    """Pad prompts, on the CPU.

    Args:
        prompts: Token ids, n prompts, none empty.
    """
    import torch

    lengths = torch.tensor([len(prompt) for prompt in prompts])
    ids = torch.zeros((len(prompts), int(lengths.max())), dtype=torch.long)  # (prompts, longest)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(list(prompt))
    return PaddedPrompts(ids=ids, last=lengths - 1)


def next_token_logits(
    model: Any,  # noqa: ANN401
    prompts: Sequence[Sequence[int]] | PaddedPrompts,
) -> torch.Tensor:
    """Return each prompt's logits of the next token over the whole vocabulary.

    Prompts are padded on the RIGHT (fully masked rows of left padding give NaN in SDPA), and only the hidden state of
    each last real token goes through the head: one row of logits a prompt, not one a token.

    Args:
        model: A causal language model of transformers, or peft's wrapper of one.
        prompts: Token ids, n prompts, none empty; or what `padded_prompts` made of them.

    Returns:
        float32, shape (n, vocabulary), on the model's device; gradients flow where the caller lets them.
    """
    import torch

    device = model.get_input_embeddings().weight.device
    padded = (prompts if isinstance(prompts, PaddedPrompts) else padded_prompts(prompts)).on(device)
    places = (torch.arange(len(padded.last), device=device), padded.last)

    def last_real(_: object, states: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (states[0][places][:, None],)  # (prompts, longest, hidden) -> (prompts, 1, hidden)

    # A hook before the head, not a head of our own: what a model does after it (soft caps, scales) stays.
    hook = model.get_output_embeddings().register_forward_pre_hook(last_real)
    try:
        made = model(input_ids=padded.ids, attention_mask=padded.mask, use_cache=False)
    finally:
        hook.remove()
    logits: torch.Tensor = made.logits[:, 0].float()
    return logits


def length_batches(lengths: Sequence[int], budget: int, *, counts: Sequence[int] | None = None) -> list[list[int]]:
    """Group places by length, longest first, so that a batch's prompts × its longest stay within a budget.

    Args:
        lengths: Tokens of each place's longest prompt.
        budget: Tokens a batch, padding included; a place that is larger stands alone.
        counts: How many prompts each place has, where they must not be parted; None: one each.

    Returns:
        Places, each exactly once; equal lengths keep their order.
    """
    counts = counts or [1] * len(lengths)
    batches: list[list[int]] = []
    prompts = 0  # of the last batch
    for place in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if batches and lengths[batches[-1][0]] * (prompts + counts[place]) <= budget:
            batches[-1].append(place)
            prompts += counts[place]
        else:
            batches.append([place])
            prompts = counts[place]
    return batches
