"""Word overlap: BM25 and TF-IDF, the baselines that need no model."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from core.records import Misconception, Query, Ranking
from retrieval.text import MisconceptionTemplate, QueryTemplate, misconception_text, query_text
from retrieval.top import top_rankings

# sparse matrices of scipy, which has no types
Sparse = Any
Pieces = Literal["words", "characters"]


class Bm25Retriever:
    """Okapi BM25 (Robertson and Walker 1994) of the query's words against each bank entry.

    `score = sum over the query's words w of count_q(w) idf(w) tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length))`
    with `idf = ln(1 + (n - df + 0.5) / (df + 0.5))`, which is never negative (Lucene's form).

    Args:
        bank: The entries.
        query_template: How a query is written.
        bank_template: How an entry is written.
        k1: How fast a repeated word stops counting, not negative.
        b: How much long entries are held back, 0 to 1.
        with_hints: Write hints.

    Raises:
        ValueError: The bank has no words, or `k1` or `b` is out of range.
    """

    def __init__(
        self,
        bank: Sequence[Misconception],
        query_template: QueryTemplate,
        bank_template: MisconceptionTemplate,
        *,
        k1: float = 1.5,
        b: float = 0.75,
        with_hints: bool = True,
    ) -> None:
        from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

        if k1 < 0 or not 0 <= b <= 1:
            raise ValueError(f"k1 is {k1} (expected 0 or more) and b is {b} (expected 0 to 1)")
        self._ids = np.array([entry.id for entry in bank], dtype=np.int64)
        self._template = query_template
        self._with_hints = with_hints
        self._words = CountVectorizer()
        counts = self._words.fit_transform([misconception_text(entry, bank_template) for entry in bank])
        self._bank = _bm25_weights(counts.tocsr().astype(np.float64), k1, b)

    def retrieve(self, queries: Sequence[Query], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query; see `Retriever`."""
        if not queries:
            return []
        texts = [query_text(query, self._template, with_hint=self._with_hints) for query in queries]
        scores = (self._words.transform(texts) @ self._bank.T).toarray()
        return top_rankings([query.key for query in queries], self._ids, scores, top_n=top_n)


class TfidfRetriever:
    """Cosine of TF-IDF vectors (logarithmic counts), their vocabulary and weights fitted on the bank.

    Args:
        bank: The entries.
        query_template: How a query is written.
        bank_template: How an entry is written.
        pieces: What is counted: words, or their runs of 3 to 5 characters, which see that "adding" is near "adds"
            (MAP@25 on the real Eedi training file: 0.167 against 0.143 with words, without labels before the fields).
        with_hints: Write hints.

    Raises:
        ValueError: The bank has no words, or `pieces` is unknown.
    """

    def __init__(
        self,
        bank: Sequence[Misconception],
        query_template: QueryTemplate,
        bank_template: MisconceptionTemplate,
        *,
        pieces: Pieces = "characters",
        with_hints: bool = True,
    ) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        if pieces not in ("words", "characters"):
            raise ValueError(f"pieces is {pieces!r}, expected 'words' or 'characters'")
        self._ids = np.array([entry.id for entry in bank], dtype=np.int64)
        self._template = query_template
        self._with_hints = with_hints
        self._words = (
            TfidfVectorizer(sublinear_tf=True)
            if pieces == "words"
            else TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 5))
        )
        self._bank = self._words.fit_transform([misconception_text(entry, bank_template) for entry in bank])

    def retrieve(self, queries: Sequence[Query], *, top_n: int) -> list[Ranking]:
        """Return one ranking a query; see `Retriever`."""
        if not queries:
            return []
        texts = [query_text(query, self._template, with_hint=self._with_hints) for query in queries]
        scores = (self._words.transform(texts) @ self._bank.T).toarray()
        return top_rankings([query.key for query in queries], self._ids, scores, top_n=top_n)


def _bm25_weights(counts: Sparse, k1: float, b: float) -> Sparse:
    """Return the weight of every word in every entry, shape (entries, words), from its counts."""
    entries = counts.shape[0]
    held_by = np.bincount(counts.indices, minlength=counts.shape[1])
    rarity = np.log1p((entries - held_by + 0.5) / (held_by + 0.5))
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    damping = k1 * (1 - b + b * lengths / lengths.mean())
    weights = counts.copy()
    rows = np.repeat(np.arange(entries), np.diff(counts.indptr))
    weights.data = rarity[counts.indices] * counts.data * (k1 + 1) / (counts.data + damping[rows])
    return weights
