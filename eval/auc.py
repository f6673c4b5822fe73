"""How well a score tells two kinds of rows apart: the area under the ROC curve, with its interval."""

from dataclasses import dataclass

import numpy as np

from core.records import FloatArray, IntArray
from eval.intervals import Groups, Values


@dataclass(frozen=True, kw_only=True)
class Auc:
    """The chance that a row of the first kind scores above one of the second; a tie counts half.

    Attributes:
        value: 0 to 1; 0.5 is a coin.
        low: Lower end of the 95 % bootstrap interval, clustered by group.
        high: Upper end of it.
    """

    value: float
    low: float
    high: float


def auc(
    positive: Values,
    negative: Values,
    positive_groups: Groups,
    negative_groups: Groups,
    *,
    seed: int,
    resamples: int,
    level: float = 0.95,
) -> Auc:
    """Return the area under the ROC curve (the Mann-Whitney statistic over its maximum) with a percentile interval.

    Whole groups are drawn with both kinds of their rows, since the rows of one question rise and fall together.
    A draw in which one kind is missing is left out.

    Args:
        positive: Shape (n,), finite, n >= 1: scores of rows that should score high.
        negative: Shape (m,), finite, m >= 1: scores of rows that should score low.
        positive_groups: Shape (n,): the group of each, e.g. its question.
        negative_groups: Shape (m,).
        seed: Seed of the draws.
        resamples: How many, at least 1.
        level: Share of the resampled values inside the interval, in (0, 1).

    Raises:
        ValueError: A shape or range does not hold.
    """
    if resamples < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"expected resamples >= 1 and 0 < level < 1, got {resamples} and {level}")
    high, low = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    for scores, groups in ((high, positive_groups), (low, negative_groups)):
        if scores.ndim != 1 or not len(scores) or len(groups) != len(scores) or not np.isfinite(scores).all():
            raise ValueError(f"expected finite scores, one group each and at least one, got {scores.shape}")
    places = np.unique(np.concatenate([high, low]), return_inverse=True)[1]
    names = np.unique(np.concatenate([np.asarray(positive_groups), np.asarray(negative_groups)]), return_inverse=True)[
        1
    ]
    wins = _counts(names[: len(high)], places[: len(high)], names.max() + 1, places.max() + 1)
    losses = _counts(names[len(high) :], places[len(high) :], names.max() + 1, places.max() + 1)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        weights = np.bincount(generator.integers(len(wins), size=len(wins)), minlength=len(wins)).astype(np.float64)
        drawn.append(_area(weights @ wins, weights @ losses))
    tail = (1.0 - level) / 2.0
    ends = np.nanquantile(drawn, [tail, 1.0 - tail])
    return Auc(value=_area(wins.sum(axis=0), losses.sum(axis=0)), low=float(ends[0]), high=float(ends[1]))


def _counts(groups: IntArray, places: IntArray, rows: int, columns: int) -> FloatArray:
    """Return how often each group (row) has each score (column, rising)."""
    counts = np.zeros((rows, columns))
    np.add.at(counts, (groups, places), 1.0)
    return counts


def _area(wins: FloatArray, losses: FloatArray) -> float:
    pairs = wins.sum() * losses.sum()
    below = np.cumsum(losses) - losses
    return float(wins @ (below + losses / 2.0) / pairs) if pairs else float("nan")
