"""Fusion of rankings: several retrievers into one, a reranker with stage 1, and a prior for unseen labels.

All functions are pure: rankings in, rankings out, in the same order of queries. The fitting of the weights lives in
`core.fitting`, the fusion of a reranker with stage 1 in `core.stage_one_fusion`; both may be imported from here.
"""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from core.fitting import FittedWeight, FittedWeights, fit_weight, fit_weights, query_weights, reweighted_mean
from core.records import FloatArray, IntArray, Ranking
from core.stage_one_fusion import check_same_queries, fuse_with_stage_one, log_softmax, stage_one_log_scores

__all__ = [
    "FittedWeight",
    "FittedWeights",
    "add_unseen_prior",
    "check_same_queries",
    "fit_weight",
    "fit_weights",
    "fuse_scores",
    "fuse_with_stage_one",
    "log_softmax",
    "query_weights",
    "reciprocal_rank_fusion",
    "reweighted_mean",
    "stage_one_log_scores",
]

Normalise = Literal["none", "minmax", "zscore", "softmax"]


def reciprocal_rank_fusion(
    runs: Sequence[Sequence[Ranking]],
    *,
    weights: Sequence[float] | None = None,
    k: float = 60,
    top: int | None = None,
) -> list[Ranking]:
    """Fuse runs by `sum of weight / (k + rank)` (Cormack, Clarke and Buettcher, SIGIR 2009).

    An id that a run does not hold gets nothing from it.

    Args:
        runs: One list of rankings per retriever; all over the same queries in the same order.
        weights: One per run, finite and not negative; all 1 where None.
        k: What is added to each rank; larger trusts the head less. 60 is the paper's. Not negative.
        top: Entries to keep per query; all where None.

    Returns:
        One ranking per query; its scores are the sums.

    Raises:
        ValueError: No run, runs over other queries, or weights or `k` out of range.
    """
    shares = _checked_weights(runs, weights)
    if not k >= 0:
        raise ValueError(f"k must not be negative; got {k}")
    fused = []
    for rankings in zip(*runs, strict=True):
        ids = _union(rankings)
        total = np.zeros(len(ids), dtype=np.float64)
        for ranking, weight in zip(rankings, shares, strict=True):
            total[np.searchsorted(ids, ranking.ids)] += weight / (k + np.arange(1, len(ranking) + 1))
        fused.append(Ranking.from_scores(rankings[0].key, ids, total, top=top))
    return fused


def fuse_scores(
    runs: Sequence[Sequence[Ranking]],
    *,
    weights: Sequence[float],
    normalise: Normalise = "none",
    top: int | None = None,
) -> list[Ranking]:
    """Fuse runs by the weighted sum of their scores.

    An id that a run does not hold gets that run's lowest score for the query: a run is cut at its top N, so an absent
    id scored at most that. Nought would be a high score where scores are log-probabilities, or cosines below nought.

    Args:
        runs: One list of rankings per retriever; all over the same queries in the same order.
        weights: One per run, finite and not negative.
        normalise: What is done to each run's scores for each query first: `none`; `minmax` to 0..1; `zscore` to mean 0
            and deviation 1 (both give nought where all scores are equal); `softmax` to probabilities.
        top: Entries to keep per query; all where None.

    Returns:
        One ranking per query; its scores are the sums.

    Raises:
        ValueError: No run, runs over other queries, weights out of range, or an unknown `normalise`.
    """
    shares = _checked_weights(runs, weights)
    fused = []
    for rankings in zip(*runs, strict=True):
        ids = _union(rankings)
        total = np.zeros(len(ids), dtype=np.float64)
        for ranking, weight in zip(rankings, shares, strict=True):
            if not len(ranking):
                continue
            scores = _normalised(ranking.scores, normalise)
            column = np.full(len(ids), scores[-1])
            column[np.searchsorted(ids, ranking.ids)] = scores
            total += weight * column
        fused.append(Ranking.from_scores(rankings[0].key, ids, total, top=top))
    return fused


def add_unseen_prior(rankings: Sequence[Ranking], *, seen: Collection[int], prior: float) -> list[Ranking]:
    """Add one number to the score of every misconception that training never showed, and sort again.

    Training teaches a model that labels it has seen are likely; a test set with many unseen ones wants some of that
    taken back. The prior is in the unit of the scores: nats for log-probabilities.

    Args:
        rankings: The rankings.
        seen: Ids of the misconceptions that are a label in training.
        prior: What is added to all others; negative lowers them, 0 changes nothing.

    Raises:
        ValueError: The prior is not finite.
    """
    if not np.isfinite(prior):
        raise ValueError(f"the prior must be finite; got {prior}")
    if prior == 0:
        return list(rankings)
    known = np.fromiter(seen, dtype=np.int64, count=len(seen))
    return [
        Ranking.from_scores(
            ranking.key, ranking.ids, ranking.scores + np.where(np.isin(ranking.ids, known), 0.0, prior)
        )
        for ranking in rankings
    ]


def _checked_weights(runs: Sequence[Sequence[Ranking]], weights: Sequence[float] | None) -> list[float]:
    """Check that runs cover the same queries and weights fit them; return the weights."""
    check_same_queries(runs)
    shares = [1.0] * len(runs) if weights is None else [float(weight) for weight in weights]
    if len(shares) != len(runs) or not all(np.isfinite(share) and share >= 0 for share in shares):
        raise ValueError(f"expected {len(runs)} finite weights, none negative; got {shares}")
    return shares


def _union(rankings: Sequence[Ranking]) -> IntArray:
    return np.unique(np.concatenate([ranking.ids for ranking in rankings]))


def _normalised(scores: FloatArray, how: Normalise) -> FloatArray:
    """Normalise one query's scores (not empty, non-increasing)."""
    if how == "none":
        return scores
    if how == "minmax":
        span = scores[0] - scores[-1]
        return (scores - scores[-1]) / span if span > 0 else np.zeros_like(scores)
    if how == "zscore":
        deviation = scores.std() if scores[0] > scores[-1] else 0.0
        return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros_like(scores)
    if how == "softmax":
        return np.exp(log_softmax(scores))
    raise ValueError(f"normalise must be 'none', 'minmax', 'zscore' or 'softmax'; got {how!r}")
