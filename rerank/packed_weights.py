"""How 4-bit weights lie in memory: eight to an int32, in the layouts of compressed-tensors and of AWQ.

Weights are (outputs, inputs) here, as in torch. Tests hold both layouts against the tools' own code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PER_WORD = 8
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Nibble i of an AWQ word holds the column AWQ_ORDER[i] of its eight (the GEMM kernel's order)."""
_IN_ORDER = tuple(range(PER_WORD))


def pack(values: torch.Tensor, order: tuple[int, ...] = _IN_ORDER) -> torch.Tensor:
    """Put eight neighbouring columns into one word, the first in the lowest bits.

    Args:
        values: Integers from 0 to 15, shape (rows, columns), columns a multiple of 8.
        order: Which of the eight columns each nibble takes, from the lowest.

    Returns:
        int32, shape (rows, columns / 8).

    Raises:
        ValueError: The shape does not fit, or a value is out of range.
    """
    import torch

    if values.ndim != 2 or values.shape[1] % PER_WORD:
        raise ValueError(f"expected shape (rows, a multiple of {PER_WORD}), got {tuple(values.shape)}")
    if values.numel() and (int(values.min()) < 0 or int(values.max()) > 15):
        raise ValueError(f"expected values from 0 to 15, got {int(values.min())} to {int(values.max())}")
    wide = values.to(torch.int64).reshape(values.shape[0], -1, PER_WORD)[:, :, list(order)]
    words = sum(wide[:, :, place] << (4 * place) for place in range(PER_WORD))
    assert isinstance(words, torch.Tensor)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def unpack(words: torch.Tensor, order: tuple[int, ...] = _IN_ORDER) -> torch.Tensor:
    """Return what `pack` packed: int8 from 0 to 15, shape (rows, 8 × columns)."""
    import torch

    nibbles = torch.stack([(words >> (4 * place)) & 15 for place in range(PER_WORD)], dim=-1).to(torch.int8)
    back = torch.empty_like(nibbles)
    back[:, :, list(order)] = nibbles
    return back.reshape(words.shape[0], -1)


def dequantise_compressed(
    packed: torch.Tensor,
    scale: torch.Tensor,
    *,
    zero_point: torch.Tensor | None,
    shape: tuple[int, int],
    groups: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the weight of a compressed-tensors `pack-quantized` layer.

    Args:
        packed: int32, (outputs, inputs / 8): value + 8 in each nibble.
        scale: (outputs, inputs / group size).
        zero_point: int32, (outputs / 8, inputs / group size), packed along the outputs; None where symmetric.
        shape: (outputs, inputs).
        groups: The group of each input (`weight_g_idx`); None where they stand in order.

    Returns:
        float32, shape (outputs, inputs).

    Raises:
        ValueError: The shapes do not belong together.
    """
    import torch

    outputs, inputs = shape
    values = unpack(packed)[:, :inputs].float() - 8
    count = scale.shape[1]
    if values.shape != shape or inputs % count or scale.shape[0] != outputs:
        raise ValueError(
            f"expected packed weights of shape {shape}, got {tuple(values.shape)} with scales {tuple(scale.shape)}"
        )
    index = torch.arange(inputs) // (inputs // count) if groups is None else groups.long()
    if zero_point is not None:
        zeros = unpack(zero_point.T.contiguous()).T[:outputs].float() - 8
        values = values - zeros[:, index]
    return values * scale.float()[:, index]


def dequantise_awq(qweight: torch.Tensor, qzeros: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Return the weight of an AWQ (GEMM) layer.

    Args:
        qweight: int32, (inputs, outputs / 8).
        qzeros: int32, (inputs / group size, outputs / 8).
        scales: (inputs / group size, outputs).

    Returns:
        float32, shape (outputs, inputs).

    Raises:
        ValueError: The shapes do not belong together.
    """
    values, zeros = unpack(qweight, AWQ_ORDER).float(), unpack(qzeros, AWQ_ORDER).float()
    inputs, count = values.shape[0], scales.shape[0]
    if values.shape[1] != scales.shape[1] or zeros.shape != scales.shape or inputs % count:
        raise ValueError(
            f"expected weights, zeros and scales of one layer, got {tuple(values.shape)}, {tuple(zeros.shape)} and "
            f"{tuple(scales.shape)}"
        )
    size = inputs // count
    return ((values - zeros.repeat_interleave(size, 0)) * scales.float().repeat_interleave(size, 0)).T.contiguous()
