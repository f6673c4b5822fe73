"""A linear score over a candidate's features, fitted so that the right candidates are likely.

The model is the conditional logit of choice theory (McFadden, 1974), in learning to rank known as a softmax
cross-entropy over the list: a candidate is right with the softmax of its score among its query's candidates.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray

Features = npt.NDArray[np.floating]


def fit_linear_scores(
    features: Sequence[Features],
    right: Sequence[npt.NDArray[np.bool_]],
    *,
    query_weights: Sequence[float] | FloatArray | None = None,
    penalty: float = 1e-3,
) -> FloatArray:
    """Return the weights of a linear score that make the right candidates most likely.

    Minimised (L-BFGS, deterministic) is the weighted mean over queries of `log sum exp(scores) - log sum over right of
    exp(scores)`, plus `penalty` times the squared length of the weights as they are for features of deviation 1.
    What is the same for all candidates of a query changes nothing.

    Args:
        features: One float matrix of shape (candidates, c) a query; finite.
        right: For each query, shape (candidates,): which candidates are right. Queries without one are left out.
        query_weights: One a query, not negative; all alike where None.
        penalty: Not negative.

    Returns:
        float64, shape (c,): `features @ weights` is the score, in nats. A feature that never varies weighs 0.

    Raises:
        ValueError: Lengths or widths differ, a value is not finite, no query has a right candidate, or a weight or the
            penalty is negative.
    """
    weights = np.ones(len(features)) if query_weights is None else np.asarray(query_weights, dtype=np.float64)
    _check(features, right, weights, penalty)
    used = [row for row, hits in enumerate(right) if hits.any() and weights[row] > 0]
    if not used:
        raise ValueError("no query has a right candidate and a weight above 0: there is nothing to fit on")
    table = np.concatenate([features[row] for row in used]).astype(np.float64)
    hits = np.concatenate([right[row] for row in used])
    starts: IntArray = np.concatenate([[0], np.cumsum([len(features[row]) for row in used])[:-1]])
    lengths = [len(features[row]) for row in used]
    share = np.repeat(weights[used] / weights[used].sum(), lengths)
    deviation = table.std(axis=0)
    # A column that differs by rounding alone is no feature.
    varies = deviation > 1e-12 * np.maximum(1.0, np.abs(table).max(axis=0))
    scaled = np.where(varies, table / np.where(varies, deviation, 1.0), 0.0)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        scores = scaled @ point
        among_all = _log_shares(scores, starts, lengths)
        among_right = _log_shares(np.where(hits, scores, -np.inf), starts, lengths)
        gap = np.exp(among_all[0]) - np.exp(among_right[0])
        mean = (share[starts] * (among_all[1] - among_right[1])).sum()
        return float(mean + penalty * point @ point), scaled.T @ (share * gap) + 2 * penalty * point

    from scipy.optimize import minimize

    found = minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.where(varies, np.asarray(found.x, dtype=np.float64) / np.where(varies, deviation, 1.0), 0.0)


def _log_shares(scores: FloatArray, starts: IntArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Return each candidate's log-softmax within its query, and each query's log of the sum."""
    sums = np.logaddexp.reduceat(scores, starts)
    return scores - np.repeat(sums, lengths), sums


def _check(
    features: Sequence[Features], right: Sequence[npt.NDArray[np.bool_]], weights: FloatArray, penalty: float
) -> None:
    if not len(features) == len(right) == len(weights):
        raise ValueError(f"{len(features)} queries of features, {len(right)} of truths, {len(weights)} weights")
    for row, (matrix, hits) in enumerate(zip(features, right, strict=True)):
        if matrix.ndim != 2 or matrix.shape[1] != features[0].shape[1] or hits.shape != matrix.shape[:1]:
            raise ValueError(
                f"query {row}: features {matrix.shape} and truths {hits.shape}; expected (candidates, "
                f"{features[0].shape[-1]}) and (candidates,)"
            )
        if not np.isfinite(matrix).all():
            raise ValueError(f"query {row}: a feature is not finite")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and penalty >= 0):
        raise ValueError("query weights and penalty must be finite and not negative")
