"""The most similar of many vectors, block by block, so that memory stays small."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray

Vectors = npt.NDArray[np.float32]

_CELLS = 4_000_000
"""Similarities held at once (16 MB)."""


def check_vectors(name: str, vectors: Vectors, rows: int) -> None:
    """Refuse vectors that cannot belong to the rows.

    Args:
        name: For the message.
        vectors: Shape (rows, d), length 1 each.
        rows: How many there are.

    Raises:
        ValueError: Another shape, or a vector whose length is not 1 (within 1e-3).
    """
    if vectors.ndim != 2 or len(vectors) != rows:
        raise ValueError(f"{name}: expected one vector for each of {rows} texts, got shape {vectors.shape}")
    if len(vectors) and not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):
        raise ValueError(f"{name}: expected vectors of length 1, so that an inner product is a cosine")


def most_similar(vectors: Vectors, known: Vectors) -> tuple[IntArray, FloatArray]:
    """Return for each vector the row of the most similar known one, and its cosine; ties: the first.

    Args:
        vectors: Shape (n, d), length 1 each.
        known: Shape (m, d), length 1 each; m may be 0, which gives row -1 and cosine -1.

    Returns:
        int64 and float64, shape (n,).
    """
    rows = np.full(len(vectors), -1, dtype=np.int64)
    cosines = np.full(len(vectors), -1.0)
    if len(known):
        for block, similarity in _blocks(vectors, known):
            best = similarity.argmax(axis=1)
            rows[block] = best
            cosines[block] = similarity[np.arange(len(best)), best]
    return rows, cosines


def similar_pairs(vectors: Vectors, least: float) -> dict[int, list[tuple[int, float]]]:
    """Return for each row the other rows at least so similar to it, with their cosines, in rising order.

    Args:
        vectors: Shape (n, d), length 1 each.
        least: The lowest cosine that counts.
    """
    found: dict[int, list[tuple[int, float]]] = {}
    for block, similarity in _blocks(vectors, vectors):
        for inside, other in zip(*np.nonzero(similarity >= least), strict=True):
            row = block.start + int(inside)
            if row != int(other):
                found.setdefault(row, []).append((int(other), float(similarity[inside, other])))
    return found


def _blocks(vectors: Vectors, known: Vectors) -> Iterator[tuple[slice, FloatArray]]:
    step = max(1, _CELLS // max(1, len(known)))
    for start in range(0, len(vectors), step):
        block = slice(start, min(start + step, len(vectors)))
        yield block, (vectors[block] @ known.T).astype(np.float64)
