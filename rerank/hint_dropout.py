"""Queries with and without their hint, other ones each epoch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.records import Query


def drop_hints(queries: Sequence[Query], share: float, *, seed: int, epoch: int) -> list[Query]:
    """Take the hint from a share of the queries, other ones each epoch, so that a model works without.

    Args:
        queries: The queries.
        share: 0 to 1.
        seed: Of the draw.
        epoch: Gives each epoch a draw of its own.
    """
    dropped = np.random.default_rng([seed, epoch, len(queries)]).random(len(queries)) < share
    return [replace(query, hint=None) if drop else query for query, drop in zip(queries, dropped, strict=True)]
