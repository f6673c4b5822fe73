"""A prior for unseen labels: fitted on an inner split for the unseen share the user expects, off where it loses.

The mechanics (add one number, sort again) are `core.fusion.add_unseen_prior`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.fitting import fit_weight, query_weights
from core.fusion import add_unseen_prior
from core.records import FloatArray, Ranking

QueryMetric = Callable[[Sequence[Ranking], Sequence[tuple[int, ...]]], Sequence[float] | npt.NDArray[np.floating]]
"""Rankings and their labels -> one value per query, higher is better (e.g. the average precision at 25)."""


@dataclass(frozen=True, kw_only=True)
class FittedPrior:
    """What a prior for unseen labels is worth.

    Attributes:
        value: The prior to use, in the unit of the scores; 0 where it is not used.
        with_prior: The metric with a prior, cross-fitted: each part of the split is scored with the value that was
            fitted on the others. A value scored on the rows it was fitted on could never lose.
        without_prior: The metric without one.
        used: Whether `with_prior` is above `without_prior`; else `value` is 0.
        fitted: The best value of the grid on the whole split, used or not.
        table: `(value, metric)` for every value of the grid on the whole split, in rising order.
    """

    value: float
    with_prior: float
    without_prior: float
    used: bool
    fitted: float
    table: tuple[tuple[float, float], ...]


def fit_unseen_prior(
    rankings: Sequence[Ranking],
    labels: Sequence[Sequence[int]],
    seen: Collection[int],
    *,
    grid: Sequence[float],
    unseen_share: float,
    metric: QueryMetric,
    parts: int = 5,
) -> FittedPrior:
    """Fit the additive score of entries absent from training, and switch it off where it does not pay.

    The metric is taken as `unseen_share * mean over unseen + (1 - unseen_share) * mean over seen`. A query counts as
    unseen where none of its labels was seen.

    Args:
        rankings: One per query of an inner split that no part of the model was fitted on. Give all the candidates, not
            the first 25: the prior can lift an entry only from where it is.
        labels: The labels of each query, none empty.
        seen: Ids of the misconceptions that are a label in the training part of the inner split.
        grid: Values to try; 0 is always tried too.
        unseen_share: The share of unseen labels to fit for, 0 to 1.
        metric: See `QueryMetric`.
        parts: Parts of the cross-fit, at least 2. A question (the number before `_` in the key) stays in one part.

    Raises:
        ValueError: Lengths differ, a query has no label, a side that must count is empty, the metric returns another
            number of values, or `parts` is below 2.
    """
    if len(rankings) != len(labels) or not all(labels):
        raise ValueError(f"expected labels for each of {len(rankings)} rankings, none empty; got {len(labels)}")
    if parts < 2:
        raise ValueError(f"parts must be at least 2; got {parts}")
    truth = [tuple(ids) for ids in labels]
    known = frozenset(seen)
    weights = query_weights([known.isdisjoint(ids) for ids in truth], unseen_share)
    values = {prior: _values(rankings, truth, known, prior, metric) for prior in sorted({0.0, *map(float, grid)})}

    def best(rows: npt.NDArray[np.bool_]) -> float:
        return fit_weight(list(values), lambda prior: float(values[prior][rows] @ weights[rows])).value

    part = _parts([ranking.key for ranking in rankings], parts)
    crossed = 0.0
    for number in range(parts):
        held = part == number
        crossed += float(values[best(~held)][held] @ weights[held])
    whole = fit_weight(list(values), lambda prior: float(values[prior] @ weights))
    without = float(values[0.0] @ weights)
    used = whole.value != 0.0 and crossed > without
    return FittedPrior(
        value=whole.value if used else 0.0,
        with_prior=crossed,
        without_prior=without,
        used=used,
        fitted=whole.value,
        table=whole.table,
    )


def _values(
    rankings: Sequence[Ranking],
    labels: Sequence[tuple[int, ...]],
    seen: frozenset[int],
    prior: float,
    metric: QueryMetric,
) -> FloatArray:
    found = np.asarray(metric(add_unseen_prior(rankings, seen=seen, prior=prior), labels), dtype=np.float64)
    if found.shape != (len(rankings),):
        raise ValueError(f"the metric returned shape {found.shape}; expected one value for each of {len(rankings)}")
    return found


def _parts(keys: Sequence[str], parts: int) -> npt.NDArray[np.int64]:
    """Deal questions to parts in rising order of their id: the same whatever the order of the rows."""
    questions = [key.rpartition("_")[0] for key in keys]
    order = {question: place for place, question in enumerate(sorted(set(questions), key=lambda q: (len(q), q)))}
    return np.array([order[question] % parts for question in questions], dtype=np.int64)
