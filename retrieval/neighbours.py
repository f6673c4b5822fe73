"""Nearest labelled neighbours: an entry scores by its most similar training queries."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from core.records import IntArray
from retrieval.encoder import Embeddings

_BLOCK = 512


def neighbour_scores(
    query_embeddings: Embeddings,
    query_groups: IntArray,
    train_embeddings: Embeddings,
    train_groups: IntArray,
    train_labels: Sequence[Collection[int]],
    bank_ids: IntArray,
    *,
    threshold: float = 0.7,
) -> npt.NDArray[np.float32]:
    """Score every bank entry by its most similar labelled training query of another question.

    `score(q, m) = max over training queries t labelled m, group(t) != group(q), of max(0, cosine(q, t) - threshold)`,
    and 0 for an entry that no such query carries.

    Args:
        query_embeddings: float32, shape (q, d), rows of length 1.
        query_groups: int64, shape (q,): question groups, on the same numbering as `train_groups`.
        train_embeddings: float32, shape (t, d), rows of length 1.
        train_groups: int64, shape (t,).
        train_labels: t collections of misconception ids.
        bank_ids: int64, shape (m,), distinct.
        threshold: In [-1, 1).

    Returns:
        float32, shape (q, m), from 0 to 1 - threshold.

    Raises:
        ValueError: Lengths or widths do not fit, the threshold is out of range, or a label is not in the bank.
    """
    _check(query_embeddings, query_groups, train_embeddings, train_groups, train_labels, threshold)
    rows, columns = _votes(train_labels, bank_ids)
    scores = np.zeros((len(query_embeddings), len(bank_ids)), dtype=np.float32)
    if not len(rows):
        return scores
    # Votes stand grouped by bank entry, so that each entry's maximum is one segment.
    voters, voter_groups = train_embeddings[rows], train_groups[rows]
    starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]])
    for start in range(0, len(scores), _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines = query_embeddings[block] @ voters.T
        cosines[query_groups[block, None] == voter_groups[None, :]] = -np.inf
        best = np.maximum.reduceat(cosines, starts, axis=1)
        scores[block, columns[starts]] = np.maximum(best - np.float32(threshold), 0)
    return scores


def _votes(train_labels: Sequence[Collection[int]], bank_ids: IntArray) -> tuple[IntArray, IntArray]:
    """Return (training row, bank column) of every label, sorted by column."""
    pairs = [(row, label) for row, labels in enumerate(train_labels) for label in sorted(labels)]
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    wanted = np.array([label for _, label in pairs], dtype=np.int64)
    by_id = np.argsort(bank_ids, kind="stable")
    places = np.minimum(np.searchsorted(bank_ids, wanted, sorter=by_id), len(bank_ids) - 1)
    columns = by_id[places] if len(bank_ids) else places
    unknown = wanted[bank_ids[columns] != wanted] if len(bank_ids) else wanted
    if len(unknown):
        raise ValueError(f"training label {unknown[0]} is not in the bank; expected every label to be one of its ids")
    order = np.lexsort((rows, columns))
    return rows[order], columns[order]


def _check(
    queries: Embeddings,
    query_groups: IntArray,
    training: Embeddings,
    train_groups: IntArray,
    labels: Sequence[Collection[int]],
    threshold: float,
) -> None:
    if queries.shape[1:] != training.shape[1:] or query_groups.shape != queries.shape[:1]:
        raise ValueError(
            f"queries {queries.shape} with groups {query_groups.shape}, training {training.shape}; expected (q, d), "
            "(q,), (t, d)"
        )
    if train_groups.shape != training.shape[:1] or len(labels) != len(training):
        raise ValueError(
            f"training {training.shape} with groups {train_groups.shape} and {len(labels)} label sets; "
            "expected one of each a row"
        )
    if not -1 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}, expected a cosine from -1 up to but not including 1")
