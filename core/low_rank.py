"""Sums of products of two thin matrices, without ever making the products.

A pair stands for `B @ A`, a weight's delta: thousands by thousands, but of a rank of some dozens.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.adapter_factors import Factors

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple["Tensor", "Tensor"]
"""A and B, shapes (rank, inputs) and (outputs, rank); what they add is B @ A."""


def stacked(factors: Sequence[Factors], shares: Sequence[float]) -> Pair:
    """Return factors of the summed rank whose product is the weighted sum of the deltas."""
    import torch

    a = torch.cat([own.a for own in factors], dim=0)
    b = torch.cat([own.b * (share * own.scale) for own, share in zip(factors, shares, strict=True)], dim=1)
    return a, b


def mean_factors(factors: Sequence[Factors], shares: Sequence[float]) -> Pair:
    """Return the weighted means of A and of B, which are not the factors of any mean of products."""
    import torch

    a = torch.stack([own.a * share for own, share in zip(factors, shares, strict=True)]).sum(dim=0)
    b = torch.stack([own.b * share for own, share in zip(factors, shares, strict=True)]).sum(dim=0)
    return a, b


def refactored(pair: Pair, rank: int) -> tuple[Pair, float]:
    """Return the best factors of a rank (Eckart and Young), and the norm of what they lack.

    The product itself is never made: its singular values are those of a small matrix between two orthogonal ones.
    """
    import torch

    left, right = torch.linalg.qr(pair[1].double()), torch.linalg.qr(pair[0].double().T)
    inner = torch.linalg.svd(left.R @ right.R.T, full_matrices=False)
    root = inner.S[:rank].sqrt()
    b = (left.Q @ inner.U[:, :rank]) * root
    a = (right.Q @ inner.Vh[:rank].T * root).T
    return (a.float(), b.float()), float(inner.S[rank:].norm())


def padded(pair: Pair, rank: int) -> Pair:
    """Return the same product at a larger rank: engines want one rank for all modules."""
    from torch.nn.functional import pad

    lacking = rank - pair[0].shape[0]
    return pad(pair[0], (0, 0, 0, lacking)), pad(pair[1], (0, lacking))


def times(pair: Pair, scale: float) -> Pair:
    """Return a pair whose product is `scale` times this one's."""
    return pair[0], pair[1] * scale


def norm(pair: Pair) -> float:
    """Return the Frobenius norm of B @ A without making it."""
    import torch

    left, right = torch.linalg.qr(pair[1].double()).R, torch.linalg.qr(pair[0].double().T).R
    return float((left @ right.T).norm())


def distance(pair: Pair, exact: Pair) -> tuple[float, float]:
    """Return the norm of the difference of two products, and that of the second."""
    import torch

    difference = torch.cat([pair[0], exact[0]], dim=0), torch.cat([pair[1], -exact[1]], dim=1)
    return norm(difference), norm(exact)
