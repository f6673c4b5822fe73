"""The order of an epoch: rows shuffled, but with those of like length together."""

from collections.abc import Sequence

import numpy as np

POOL = 8
"""Batches that are sorted by length together: large enough to save most padding, small enough to stay random."""


def training_batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Deal rows into batches: shuffle, sort each stretch of eight batches by length, cut, shuffle the batches.

    Args:
        lengths: A length per row, in any unit.
        batch_size: Rows a batch, at least 1; the shortest stretch may leave one smaller batch.
        seed: Of both shuffles.
        epoch: Gives each epoch an order of its own.

    Returns:
        Batches of row numbers; every row once. Their number depends on the sizes alone.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    stretch = POOL * batch_size
    batches: list[list[int]] = []
    for start in range(0, len(order), stretch):
        pool = sorted(order[start : start + stretch].tolist(), key=lambda row: (lengths[row], row))
        batches += [pool[cut : cut + batch_size] for cut in range(0, len(pool), batch_size)]
    return [batches[place] for place in rng.permutation(len(batches))]
