"""Nearest labelled neighbours: an entry scores by its most similar training queries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.records import IntArray, Query, Ranking
from retrieval.encoder import Embeddings, Encoder
from retrieval.text import QueryTemplate, query_text
from retrieval.top import top_rankings

_BLOCK = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledQueries:
    """The training queries that vote.

    Attributes:
        keys: Their keys, t of them, distinct.
        groups: int64, shape (t,): the question group of each (equal ids or equal texts; the splits make them).
        labels: For each the misconception ids that explain it; may be empty.
        embeddings: float32, shape (t, d), rows of length 1, made by the encoder and template that queries get.

    Raises:
        ValueError: Lengths differ, or a key occurs twice.
    """

    keys: tuple[str, ...]
    groups: IntArray = field(repr=False)
    labels: tuple[tuple[int, ...], ...] = field(repr=False)
    embeddings: Embeddings = field(repr=False)

    def __post_init__(self) -> None:
        counts = {len(self.keys), len(self.groups), len(self.labels), len(self.embeddings)}
        if len(counts) != 1 or self.embeddings.ndim != 2 or self.groups.ndim != 1:
            raise ValueError(
                f"labelled queries: {len(self.keys)} keys, groups {self.groups.shape}, {len(self.labels)} labels, "
                f"embeddings {self.embeddings.shape}; expected t, (t,), t and (t, d)"
            )
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("labelled queries: a key occurs twice")


class NeighbourRetriever:
    """Ranks the bank by the most similar training query that carries each entry's label; see `neighbour_scores`.

    It is worth a great deal for labels seen in training and knows nothing of others, so fuse it with a dense retriever.

    Args:
        encoder: Encodes the queries.
        query_template: How they are written; the template behind `training.embeddings`.
        training: The queries that vote.
        groups: The question group of every query that will be asked, by key. One without a group is refused: it might
            be a training question under another id, and would find its own answer.
        bank_ids: The whole bank.
        threshold: Cosine below which a neighbour counts nothing, in [-1, 1).
        with_hints: Write hints.
        positive_only: Return only entries that got a score: what a rank-based fusion needs, since the order among the
            zeros is that of their ids and means nothing.
    """

    def __init__(
        self,
        encoder: Encoder,
        query_template: QueryTemplate,
        training: LabelledQueries,
        *,
        groups: Mapping[str, int],
        bank_ids: Sequence[int] | IntArray,
        threshold: float = 0.7,
        with_hints: bool = True,
        positive_only: bool = False,
    ) -> None:
        self._encoder = encoder
        self._template = query_template
        self._training = training
        self._groups = groups
        self._bank_ids = np.asarray(bank_ids, dtype=np.int64)
        self._threshold = threshold
        self._with_hints = with_hints
        self._positive_only = positive_only

    def retrieve(self, queries: Sequence[Query], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query; see `Retriever`.

        Raises:
            ValueError: A query has no group, or a training label is not in the bank.
        """
        if not queries:
            return []
        keys = [query.key for query in queries]
        strangers = [key for key in keys if key not in self._groups]
        if strangers:
            raise ValueError(
                f"{len(strangers)} queries have no question group, the first is {strangers[0]}; make groups over "
                "training and asked questions together"
            )
        texts = [query_text(query, self._template, with_hint=self._with_hints) for query in queries]
        scores = neighbour_scores(
            self._encoder.encode_queries(texts),
            np.array([self._groups[key] for key in keys], dtype=np.int64),
            self._training.embeddings,
            self._training.groups,
            self._training.labels,
            self._bank_ids,
            threshold=self._threshold,
        )
        return top_rankings(keys, self._bank_ids, scores, top_n=top_n, positive_only=self._positive_only)


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
