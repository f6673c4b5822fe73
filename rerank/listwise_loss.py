"""Softmax cross-entropy over each query's candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def listwise_softmax_loss(
    logits: torch.Tensor,
    sizes: Sequence[int],
    label_indices: Sequence[int],
    offsets: torch.Tensor | None = None,
    weights: Sequence[float] | None = None,
) -> torch.Tensor:
    """Return the mean of `-log softmax(group)[label]`: ListNet with one relevant document (Cao et al., ICML 2007).

    Groups may differ in size; a group of one costs nothing.

    Args:
        logits: Shape (sum of sizes,), the groups one after the other.
        sizes: Candidates of each group, g of them, none nought.
        label_indices: Place of the truth in each group.
        offsets: Added to the logits, same shape; with stage-1 log-scores here the logits learn what stage 1 lacks.
        weights: Each group's loss is multiplied by its own before the mean; 1 where None.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: The sizes do not add up to the logits, or a label index lies outside its group.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    if sum(sizes) != logits.shape[0] or logits.ndim != 1:
        raise ValueError(f"expected {sum(sizes)} logits in one dimension; got shape {tuple(logits.shape)}")
    if not all(0 <= index < size for index, size in zip(label_indices, sizes, strict=True)):
        raise ValueError(f"label indices {list(label_indices)} must lie inside groups of {list(sizes)}")
    total = logits.float() if offsets is None else logits.float() + offsets.float()
    padded = pad_sequence(
        list(torch.split(total, list(sizes))), batch_first=True, padding_value=float("-inf")
    )  # (g, largest)
    labels = torch.tensor(list(label_indices), device=logits.device)
    if weights is None:
        return cross_entropy(padded, labels)
    shares = torch.tensor(list(weights), dtype=torch.float32, device=logits.device)
    return (cross_entropy(padded, labels, reduction="none") * shares).mean()
