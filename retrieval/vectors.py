"""The arrays that a search index takes, checked, and inner products that do not depend on their company."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.records import IntArray

IndexKind = Literal["exact", "hnsw", "ivf"]
KINDS: tuple[IndexKind, ...] = ("exact", "hnsw", "ivf")

_BLOCK = 256


def checked_bank(
    ids: Sequence[int] | IntArray, embeddings: npt.NDArray[np.float32], kind: str
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Return ids and embeddings in rising order of id, contiguous.

    Raises:
        ValueError: The kind is unknown, shapes do not fit, an id occurs twice or a value is not finite.
    """
    id_array = np.asarray(ids, dtype=np.int64)
    rows = np.asarray(embeddings, dtype=np.float32)
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    if rows.ndim != 2 or id_array.shape != rows.shape[:1] or not len(id_array):
        raise ValueError(f"ids {id_array.shape} and embeddings {rows.shape}: expected (n,) and (n, d), n at least 1")
    if not np.isfinite(rows).all():
        raise ValueError("embeddings hold a value that is not finite")
    order = np.argsort(id_array, kind="stable")
    rising = id_array[order]
    twice = rising[1:][rising[1:] == rising[:-1]]
    if len(twice):
        raise ValueError(f"misconception id {twice[0]} occurs twice in the bank")
    return rising, np.ascontiguousarray(rows[order]) if (order[1:] < order[:-1]).any() else np.ascontiguousarray(rows)


def checked_queries(
    embeddings: npt.NDArray[np.float32], keys: Sequence[str], width: int, top_n: int
) -> npt.NDArray[np.float32]:
    """Return query embeddings, contiguous.

    Raises:
        ValueError: Shapes do not fit, a value is not finite, or `top_n` is less than 1.
    """
    rows = np.ascontiguousarray(embeddings, dtype=np.float32)
    if rows.shape != (len(keys), width):
        raise ValueError(f"query embeddings have shape {rows.shape}, expected ({len(keys)}, {width})")
    if top_n < 1:
        raise ValueError(f"top_n is {top_n}, expected at least 1")
    if not np.isfinite(rows).all():
        raise ValueError("query embeddings hold a value that is not finite")
    return rows


def exact_scores(
    rows: npt.NDArray[np.float32], bank: npt.NDArray[np.float32], places: IntArray
) -> npt.NDArray[np.float32]:
    """Return inner products, each summed alone and in one order: equal vectors get equal scores, in any company.

    Args:
        rows: Queries, float32, shape (q, d).
        bank: Entries, float32, shape (n, d).
        places: Which entries for each query, int64, shape (q, k).

    Returns:
        float32, shape (q, k).
    """
    scores = np.empty(places.shape, dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        np.einsum("qd,qkd->qk", rows[block], bank[places[block]], out=scores[block])
    return scores
