"""A score for every bank entry becomes a ranking."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from core.records import IntArray, Ranking


def top_rankings(
    keys: Sequence[str],
    ids: IntArray,
    scores: npt.NDArray[np.floating[Any]],
    *,
    top_n: int,
) -> list[Ranking]:
    """Return one ranking a row, its `top_n` best entries, ties by rising id.

    Args:
        keys: The queries' keys, q of them.
        ids: int64, shape (m,), distinct.
        scores: Shape (q, m), finite.
        top_n: Entries to keep, at least 1; all where the bank is smaller.

    Raises:
        ValueError: A shape does not fit, or `top_n` is less than 1.
    """
    if scores.shape != (len(keys), len(ids)):
        raise ValueError(
            f"scores have shape {scores.shape}, expected ({len(keys)}, {len(ids)}): queries x bank entries"
        )
    if top_n < 1:
        raise ValueError(f"top_n is {top_n}, expected at least 1")
    by_id = np.argsort(ids, kind="stable")
    rising, rankings = ids[by_id], []
    for key, row in zip(keys, scores, strict=True):
        ordered = row[by_id]
        # A stable sort of entries that stand in rising order of id breaks ties by id.
        order = np.argsort(-ordered, kind="stable")[:top_n]
        rankings.append(Ranking(key=key, ids=rising[order], scores=ordered[order].astype(np.float64)))
    return rankings
