"""Queries in, candidates out: the `Retriever` protocol, and one over several views of query and entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.records import Query, Ranking
from retrieval.bank import BankEmbeddings
from retrieval.encoder import Embeddings, Encoder
from retrieval.index import MisconceptionIndex
from retrieval.text import QueryTemplate, applies, query_text
from retrieval.vectors import IndexKind


class Retriever(Protocol):
    """The first stage: finds candidates for queries."""

    def retrieve(self, queries: Sequence[Query], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query, in the order of the queries, of at most `top_n` entries."""
        ...


@dataclass(frozen=True, kw_only=True)
class ViewPair:
    """One term of a multi-view score: a way to write the query, against one view of the bank.

    Attributes:
        query: How the query is written.
        bank: Which of the bank's views, counted from 0.
        weight: Its weight, more than 0.

    Raises:
        ValueError: The weight is not positive, or the view's number negative.
    """

    query: QueryTemplate
    bank: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight) and self.weight > 0) or self.bank < 0:
            raise ValueError(
                f"view pair: weight {self.weight} (expected above 0), bank view {self.bank} (expected >= 0)"
            )


class MultiViewRetriever:
    """Embeds views apart and adds their scores: `sum_p w_p <query view of p, bank view of p>`.

    The bank's views are put side by side in one vector an entry, and a query's vector holds, for each of them, the
    weighted sum of the query views that are paired with it; so one search of one index computes the whole sum.

    A pair whose query template does not apply (the hint alone, in a row without a hint) is left out for that row and
    the other weights grow in proportion to the same total: such a row is ranked by its question views alone, on the
    same scale as the others. An entry without an explanation has its name in that place (`misconception_text`).

    Args:
        encoder: Encodes the queries; the model that made the bank's embeddings.
        banks: The bank's views, with the same ids in the same order.
        pairs: The terms of the sum.
        kind: Kind of index over the joined vectors.
        with_hints: Write hints.

    Raises:
        ValueError: There is no pair or view, a pair names a view that is not there, or ids differ between views.
    """

    def __init__(
        self,
        encoder: Encoder,
        banks: Sequence[BankEmbeddings],
        pairs: Sequence[ViewPair],
        *,
        kind: IndexKind = "exact",
        with_hints: bool = True,
    ) -> None:
        if not banks or not pairs:
            raise ValueError(f"{len(banks)} bank views and {len(pairs)} pairs: expected at least one of each")
        beyond = [pair.bank for pair in pairs if pair.bank >= len(banks)]
        if beyond:
            raise ValueError(f"a pair names bank view {beyond[0]}, but there are {len(banks)} (counted from 0)")
        if any(not np.array_equal(bank.ids, banks[0].ids) for bank in banks):
            raise ValueError("the bank's views must hold the same ids in the same order")
        self._encoder = encoder
        self._pairs = tuple(pairs)
        self._views = len(banks)
        self._with_hints = with_hints
        joined = np.concatenate([bank.embeddings for bank in banks], axis=1)
        self._index = MisconceptionIndex.build(banks[0].ids, joined, kind=kind)

    def retrieve(self, queries: Sequence[Query], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query; see `Retriever`.

        Raises:
            ValueError: No pair's template applies to a query.
        """
        if not queries:
            return []
        keys = [query.key for query in queries]
        return self._index.search(self._query_vectors(queries), keys, top_n=top_n)

    def _query_vectors(self, queries: Sequence[Query]) -> Embeddings:
        width = self._index.dimension // self._views
        templates = tuple(dict.fromkeys(pair.query for pair in self._pairs))
        embedded, there = [], []
        for template in templates:
            rows = [row for row, query in enumerate(queries) if applies(query, template, with_hint=self._with_hints)]
            texts = [query_text(queries[row], template, with_hint=self._with_hints) for row in rows]
            vectors = np.zeros((len(queries), width), dtype=np.float32)
            if rows:
                vectors[rows] = self._encoder.encode_queries(texts)
            embedded.append(vectors)
            there.append(np.isin(np.arange(len(queries)), rows))
        weights = renormalised_weights(
            np.array([pair.weight for pair in self._pairs]),
            np.stack([there[templates.index(pair.query)] for pair in self._pairs], axis=1),
            [query.key for query in queries],
        )
        joined = np.zeros((len(queries), self._views, width), dtype=np.float32)
        for column, pair in enumerate(self._pairs):
            joined[:, pair.bank] += weights[:, column, None] * embedded[templates.index(pair.query)]
        return joined.reshape(len(queries), -1)


def renormalised_weights(
    weights: npt.NDArray[np.float64], present: npt.NDArray[np.bool_], keys: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return the weights of each row: those of absent views are 0, the others keep their proportions and the total.

    Args:
        weights: Shape (p,), positive.
        present: Shape (q, p).
        keys: The rows' names, for the error.

    Returns:
        float32, shape (q, p); every row sums to `weights.sum()`.

    Raises:
        ValueError: A row has no view at all.
    """
    kept = present * weights
    totals = kept.sum(axis=1)
    if (totals == 0).any():
        raise ValueError(f"query {keys[int(np.argmin(totals))]}: no view applies to it; give one of the question")
    return np.asarray(kept * (weights.sum() / totals)[:, None], dtype=np.float32)
