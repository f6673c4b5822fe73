"""Fitting of fusion weights and priors on a grid, for a stated share of unseen labels.

`core.fusion` hands these names on, so readers may import them from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.records import FloatArray


@dataclass(frozen=True, kw_only=True)
class FittedWeight:
    """The best value of a grid.

    Attributes:
        value: The chosen value.
        score: Its score.
        table: Every `(value, score)` that was tried, in rising order of value.
    """

    value: float
    score: float
    table: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class FittedWeights:
    """The best point that coordinate ascent found on a grid.

    Attributes:
        values: The chosen values, one per grid.
        score: Their score.
        table: Every `(values, score)` that was tried, in the order of trying.
        rounds: Passes over the coordinates; the last one changed nothing unless `max_rounds` was reached.
    """

    values: tuple[float, ...]
    score: float
    table: tuple[tuple[tuple[float, ...], float], ...]
    rounds: int


def _caution(value: float) -> tuple[float, float]:
    """Sort key: the value nearest to nought first, the negative one of a pair first."""
    return abs(value), value


def fit_weight(candidates: Sequence[float], score: Callable[[float], float]) -> FittedWeight:
    """Try every value of a grid and keep the best; a tie goes to the one nearest to nought.

    Args:
        candidates: The grid, at least one finite value; repeats are tried once.
        score: The metric of one value, higher is better (e.g. MAP@25 on an inner split).

    Raises:
        ValueError: The grid is empty or a value or score is not finite.
    """
    grid = sorted({float(value) for value in candidates})
    if not grid or not np.isfinite(grid).all():
        raise ValueError(f"the grid of weights must hold at least one value, all finite; got {list(candidates)!r}")
    table = tuple((value, float(score(value))) for value in grid)
    if not np.isfinite([found for _, found in table]).all():
        raise ValueError(f"a score on the grid of weights is not finite: {table!r}")
    value, best = min(table, key=lambda row: (-row[1], _caution(row[0])))
    return FittedWeight(value=value, score=best, table=table)


def fit_weights(
    grids: Sequence[Sequence[float]],
    score: Callable[[tuple[float, ...]], float],
    *,
    start: Sequence[float] | None = None,
    max_rounds: int = 10,
) -> FittedWeights:
    """Fit several weights by coordinate ascent: one at a time, in order, until a whole pass changes nothing.

    A weight moves only where that raises the score, so a tie keeps the present point; among several that raise it
    alike, the one nearest to nought is taken. Deterministic. A point is scored once.

    Args:
        grids: One grid per weight, none empty.
        score: The metric of one point (a value per grid), higher is better.
        start: Where to begin (values need not be on the grids); the value nearest to nought of each grid where None.
        max_rounds: Passes over the coordinates at most.

    Raises:
        ValueError: No grid or an empty one, a start of another length, `max_rounds` below 1, or a score not finite.
    """
    if not grids or not all(len(grid) for grid in grids):
        raise ValueError("each weight needs a grid of at least one value")
    if start is not None and len(start) != len(grids):
        raise ValueError(f"start has {len(start)} values for {len(grids)} grids")
    if max_rounds < 1:
        raise ValueError(f"max_rounds must be at least 1; got {max_rounds}")
    known: dict[tuple[float, ...], float] = {}

    def scored(point: tuple[float, ...]) -> float:
        if point not in known:
            known[point] = float(score(point))
            if not np.isfinite(known[point]):
                raise ValueError(f"the score at weights {point} is not finite: {known[point]}")
        return known[point]

    first = start if start is not None else [min(grid, key=_caution) for grid in grids]
    point = tuple(float(value) for value in first)
    rounds, settled = 0, False
    while not settled and rounds < max_rounds:
        rounds, before = rounds + 1, point
        for place, grid in enumerate(grids):
            tried = [(*point[:place], float(value), *point[place + 1 :]) for value in sorted(set(grid), key=_caution)]
            best = max(tried, key=scored)  # max keeps the first of equals: the most cautious
            if scored(best) > scored(point):
                point = best
        settled = point == before
    return FittedWeights(values=point, score=scored(point), table=tuple(known.items()), rounds=rounds)


def query_weights(unseen_mask: Sequence[bool] | npt.NDArray[np.bool_], unseen_share: float) -> FloatArray:
    """Weigh queries so that those with unseen labels count for a stated share.

    An inner split has the share of unseen labels that its cut happens to give; the user expects another (0.6 in the
    competition's private test set). Weighted means answer for that one.

    Args:
        unseen_mask: Shape (n,), True where a query's label does not occur in training.
        unseen_share: The share wanted, 0 to 1.

    Returns:
        float64, shape (n,), summing to 1: `share / n_unseen` for the unseen and `(1 - share) / n_seen` for the seen.

    Raises:
        ValueError: The share is outside 0 to 1, or a side that must count has no query.
    """
    mask = np.asarray(unseen_mask, dtype=bool)
    if not 0.0 <= unseen_share <= 1.0:
        raise ValueError(f"unseen_share must lie between 0 and 1; got {unseen_share}")
    n_unseen = int(mask.sum())
    n_seen = len(mask) - n_unseen
    if (unseen_share > 0 and not n_unseen) or (unseen_share < 1 and not n_seen):
        raise ValueError(
            f"an unseen share of {unseen_share} was asked for, but the split has {n_seen} seen and {n_unseen} unseen "
            "queries: cut a split that has both, or ask for its own share"
        )
    return np.where(mask, unseen_share / max(n_unseen, 1), (1.0 - unseen_share) / max(n_seen, 1))


def reweighted_mean(
    values: Sequence[float] | npt.NDArray[np.floating],
    unseen_mask: Sequence[bool] | npt.NDArray[np.bool_],
    unseen_share: float,
) -> float:
    """Return `share * mean over unseen + (1 - share) * mean over seen` of a value per query.

    Args:
        values: Shape (n,), e.g. the average precision of each query.
        unseen_mask: Shape (n,), True where a query's label does not occur in training.
        unseen_share: The share of unseen labels to score for, 0 to 1.

    Raises:
        ValueError: The lengths differ, the share is outside 0 to 1, or a side that must count has no query.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != np.shape(unseen_mask):
        raise ValueError(f"values {array.shape} and unseen_mask {np.shape(unseen_mask)} must have one shape")
    return float(array @ query_weights(unseen_mask, unseen_share))
