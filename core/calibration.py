"""Temperature scaling of a reranker's log-scores, fitted on an inner split (Guo et al., ICML 2017).

Dividing log-scores by one positive number changes no order; it makes the probabilities as sure as they are right.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, Ranking
from core.stage_one_fusion import log_softmax

_GRID = 81
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


@dataclass(frozen=True, kw_only=True)
class FittedTemperature:
    """What `fit_temperature` found.

    Attributes:
        temperature: Divides the log-scores; above 1 where the model is too sure. 1 where no row could be used.
        before: Mean negative log-likelihood at temperature 1, in nats; None where no row could be used.
        after: The same at the fitted temperature.
        rows: Rows that were used.
        skipped: Rows left out, because no label is among the candidates and there is no "none of these".
        at_bound: Whether the best temperature lies on the edge of the range: look at the scores before trusting it.
    """

    temperature: float
    before: float | None
    after: float | None
    rows: int
    skipped: int
    at_bound: bool

    def to_json(self) -> dict[str, float | int | bool | None]:
        """Return the result for a file."""
        return asdict(self)


def fit_temperature(
    scores: Sequence[FloatArray],
    truth: Sequence[Sequence[int]],
    *,
    none_scores: Sequence[float] | None = None,
    weights: Sequence[float] | npt.NDArray[np.floating] | None = None,
    bounds: tuple[float, float] = (0.05, 20.0),
) -> FittedTemperature:
    """Find the temperature at which the labels are most likely.

    A row with several labels counts their total probability. A row without a label among its candidates counts the
    probability of "none of these" where the model has one, and is skipped where it has not.

    Args:
        scores: One array of log-scores per query, float64, shape (candidates,); lengths may differ, also 0.
        truth: The places of the labels in each array, 0 to candidates - 1; empty where no label is a candidate.
        none_scores: Log-score of "none of these" per query, on the scale of its candidates; None without such a label.
        weights: One per query, finite and not negative (e.g. `core.fitting.query_weights`); all alike where None.
        bounds: The range of temperatures, both positive.

    Raises:
        ValueError: Lengths differ, a score is not finite, a place is not in its row, or an argument is out of range.
    """
    shares = _checked(scores, truth, none_scores, weights, bounds)
    used = [row for row, places in enumerate(truth) if (none_scores is not None or len(places)) and shares[row] > 0]
    if not used:
        return FittedTemperature(temperature=1.0, before=None, after=None, rows=0, skipped=len(scores), at_bound=False)
    matrix, right = _padded(scores, truth, none_scores, used)
    share = shares[used] / shares[used].sum()

    def loss(log_temperature: float) -> float:
        scaled = matrix / np.exp(log_temperature)
        return float(share @ (_log_sum(scaled) - _log_sum(np.where(right, scaled, -np.inf))))

    low, high = float(np.log(bounds[0])), float(np.log(bounds[1]))
    best = _minimise(loss, low, high)
    step = (high - low) / (_GRID - 1)
    before, after = loss(0.0), loss(best)
    if low <= 0.0 <= high and before <= after:  # flat: nothing is gained, so nothing is changed
        best, after = 0.0, before
    return FittedTemperature(
        temperature=float(np.exp(best)),
        before=before,
        after=after,
        rows=len(used),
        skipped=len(scores) - len(used),
        at_bound=best - low < step / 100 or high - best < step / 100,
    )


def label_places(rankings: Sequence[Ranking], labels: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return where each query's labels stand in its ranking, from 0: the `truth` of `fit_temperature`.

    Raises:
        ValueError: The lengths differ.
    """
    return [
        np.flatnonzero(np.isin(ranking.ids, np.asarray(list(wanted), dtype=np.int64))).tolist()
        for ranking, wanted in zip(rankings, labels, strict=True)
    ]


def tempered(scores: FloatArray, temperature: float, *, none_score: float | None = None) -> tuple[FloatArray, float]:
    """Return log-probabilities at a temperature, and the log-probability of "none of these" (minus infinity without).

    Args:
        scores: Log-scores, float64, shape (candidates,).
        temperature: Positive.
        none_score: Log-score of "none of these" on the same scale, or None.

    Returns:
        float64, shape (candidates,), and one number; together their exponentials sum to 1.

    Raises:
        ValueError: The temperature is not positive.
    """
    if none_score is None:
        return log_softmax(scores, temperature=temperature), float("-inf")
    joined = log_softmax(np.append(scores, none_score), temperature=temperature)
    return joined[:-1], float(joined[-1])


def temper_rankings(
    rankings: Sequence[Ranking], temperature: float, *, none_scores: Sequence[float | None] | None = None
) -> list[Ranking]:
    """Return rankings at a temperature; their order stays, but for neighbours whom rounding makes equal.

    Args:
        rankings: Scores are log-probabilities; an empty ranking stays empty.
        temperature: Positive; 1 changes nothing but normalises.
        none_scores: Log-probability of "none of these" per query; None without such a label.

    Raises:
        ValueError: The lengths differ, or the temperature is not positive.
    """
    nones: Sequence[float | None] = [None] * len(rankings) if none_scores is None else none_scores
    made = []
    for ranking, none_score in zip(rankings, nones, strict=True):
        scores, _ = tempered(ranking.scores, temperature, none_score=none_score)
        # Rounding may make two neighbours equal whose ids then stand in falling order; sorting mends that alone.
        made.append(Ranking.from_scores(ranking.key, ranking.ids, scores))
    return made


def _checked(
    scores: Sequence[FloatArray],
    truth: Sequence[Sequence[int]],
    none_scores: Sequence[float] | None,
    weights: Sequence[float] | npt.NDArray[np.floating] | None,
    bounds: tuple[float, float],
) -> FloatArray:
    """Check the arguments of `fit_temperature`; return the weights."""
    if not 0 < bounds[0] < bounds[1] < np.inf:
        raise ValueError(f"bounds must be two positive numbers, the lower first; got {bounds}")
    count = len(scores)
    shares = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(truth) != count or len(shares) != count or (none_scores is not None and len(none_scores) != count):
        raise ValueError(f"expected labels, weights and none-scores for each of {count} rows of scores")
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError("a weight is negative or not finite")
    for row, (values, places) in enumerate(zip(scores, truth, strict=True)):
        none_score = 0.0 if none_scores is None else none_scores[row]
        if not (np.isfinite(values).all() and np.isfinite(none_score)):
            raise ValueError(f"row {row}: a score is not finite")
        if any(not 0 <= place < len(values) for place in places):
            raise ValueError(f"row {row}: places {list(places)} of the labels, but there are {len(values)} candidates")
    return shares


def _padded(
    scores: Sequence[FloatArray], truth: Sequence[Sequence[int]], none_scores: Sequence[float] | None, used: list[int]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return scores padded with minus infinity, "none of these" first, and what is right, both (rows, 1 + width)."""
    width = 1 + max(len(scores[row]) for row in used)
    matrix = np.full((len(used), width), -np.inf)
    right = np.zeros((len(used), width), dtype=bool)
    for place, row in enumerate(used):
        matrix[place, 1 : 1 + len(scores[row])] = scores[row]
        right[place, [1 + label for label in truth[row]]] = True
        if none_scores is not None:
            matrix[place, 0] = none_scores[row]
            right[place, 0] = not len(truth[row])
    return matrix, right


def _log_sum(values: FloatArray) -> FloatArray:
    """Return the log of the sum of exponentials of each row; every row holds a finite value."""
    top = values.max(axis=1)
    total: FloatArray = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
    return total


def _minimise(loss: Callable[[float], float], low: float, high: float) -> float:
    """Search a grid, then narrow the best cell by the golden section; several labels a row can make two valleys."""
    grid = np.linspace(low, high, _GRID)
    place = int(np.argmin([loss(float(point)) for point in grid]))
    left, right = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, _GRID - 1)])
    while right - left > 1e-6:
        inner, outer = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
        if loss(inner) <= loss(outer):
            right = outer
        else:
            left = inner
    return min((left, right, (left + right) / 2, float(grid[place])), key=loss)
