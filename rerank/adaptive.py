"""When one order of the candidates is enough: where its margin is wide, once the bias towards slots is taken out.

Pure functions and small policies. What is fitted is fitted on an inner split on which every order was asked.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray, Ranking
from rerank.listwise_run import QueryScores
from rerank.slot_bias import margin, remove_slot_bias, slot_bias_of_orders


class SkipPolicy(Protocol):
    """Decides after a query's first order whether that order is enough."""

    def debias(self, logprobs: FloatArray) -> FloatArray:
        """Return the first order's log-probabilities by slot without its slot bias, shape (slots,), as total mass."""
        ...

    def chosen(self, keys: Sequence[str]) -> frozenset[str] | None:
        """Return the queries whose further orders are skipped whatever they score, or None where scores decide."""
        ...

    def is_sure(self, debiased: FloatArray) -> bool:
        """Return whether the margin is wide enough; only asked where `chosen` gave None."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptivePolicy:
    """Skips further orders where the first one's margin reaches a threshold.

    Attributes:
        threshold: In nats; infinite never skips.
        slot_bias: Mean log-probability deviation of each slot in the first order, by number of slots: float64, shape
            (slots,) each. Lists of a length that is not here are always asked in every order.
    """

    threshold: float
    slot_bias: Mapping[int, FloatArray]

    def __post_init__(self) -> None:
        if np.isnan(self.threshold):
            raise ValueError("the threshold is not a number")
        for slots, bias in self.slot_bias.items():
            if bias.shape != (slots,) or not np.isfinite(bias).all():
                raise ValueError(f"slot bias of {slots} slots: expected {slots} finite values, got {bias}")

    def debias(self, logprobs: FloatArray) -> FloatArray:
        """Return log-probabilities by slot without the bias; their total probability stays what it was."""
        bias = self.slot_bias.get(len(logprobs))
        return logprobs if bias is None else remove_slot_bias(logprobs, bias)

    def chosen(self, keys: Sequence[str]) -> None:
        """Scores decide."""

    def is_sure(self, debiased: FloatArray) -> bool:
        """Return whether the margin reaches the threshold."""
        return len(debiased) in self.slot_bias and margin(debiased) >= self.threshold

    def to_json(self) -> dict[str, Any]:
        """Return the policy for a file; an infinite threshold is None there."""
        threshold = float(self.threshold) if np.isfinite(self.threshold) else None
        return {
            "threshold": threshold,
            "slot_bias": {str(n): self.slot_bias[n].tolist() for n in sorted(self.slot_bias)},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned; equal to the bit."""
        threshold = float("inf") if value["threshold"] is None else float(value["threshold"])
        bias = {int(n): np.asarray(row, dtype=np.float64) for n, row in value["slot_bias"].items()}
        return cls(threshold=threshold, slot_bias=bias)


@dataclass(frozen=True, kw_only=True)
class ImposedSkip:
    """Skips the further orders of a seeded share of the queries, whatever they score: for speed measurements alone.

    Attributes:
        share: 0 to 1 of the queries of a run, rounded to whole queries.
        seed: Of the draw, which depends on the keys and on nothing else.
    """

    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0:
            raise ValueError(f"the share of queries to skip must lie between 0 and 1; got {self.share}")

    def debias(self, logprobs: FloatArray) -> FloatArray:
        """Return the log-probabilities as they are."""
        return logprobs

    def chosen(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the drawn queries; a larger share holds every query of a smaller one."""
        drawn = sorted(keys, key=lambda key: hashlib.sha256(f"{self.seed}\0{key}".encode()).digest())
        return frozenset(drawn[: round(self.share * len(drawn))])

    def is_sure(self, debiased: FloatArray) -> bool:
        """Never asked."""
        return False


@dataclass(frozen=True, kw_only=True)
class FittedThreshold:
    """What `fit_margin_threshold` found.

    Attributes:
        threshold: Skip where the margin is at least this; infinite where nothing may be skipped.
        skip_share: Share of the rows that it skips there.
        score: The metric at that share.
        all_orders: The metric where nothing is skipped.
        first_order: The metric where everything is.
        curve: Every `(skip share, metric, threshold)`, by rising share; the first skips nothing.
    """

    threshold: float
    skip_share: float
    score: float
    all_orders: float
    first_order: float
    curve: tuple[tuple[float, float, float], ...]


def fit_margin_threshold(
    margins: Sequence[float] | FloatArray,
    precision_first: Sequence[float] | FloatArray,
    precision_all: Sequence[float] | FloatArray,
    *,
    tolerance: float = 0.001,
    weights: Sequence[float] | npt.NDArray[np.floating] | None = None,
) -> FittedThreshold:
    """Find how many further orders can be left out before the metric falls.

    Rows are skipped from the widest margin down; the search stops at the first share whose metric is below the metric
    of all orders by more than `tolerance`, so one lucky row further down changes nothing.

    Args:
        margins: Margin of each query's debiased first order, shape (n,), n >= 1, finite.
        precision_first: The metric of each query after its debiased first order, e.g. average precision, shape (n,).
        precision_all: The same after all orders.
        tolerance: How much of the metric may be lost, not negative.
        weights: One per query, not negative (e.g. `core.fitting.query_weights`); all alike where None.

    Raises:
        ValueError: Shapes differ, there is no row, or an argument is out of range.
    """
    gaps = np.asarray(margins, dtype=np.float64)
    first, whole = np.asarray(precision_first, dtype=np.float64), np.asarray(precision_all, dtype=np.float64)
    shares = np.ones(len(gaps)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(gaps) or not gaps.shape == first.shape == whole.shape == shares.shape:
        raise ValueError(
            f"expected as many margins, metrics and weights; got {gaps.shape}, {first.shape}, {whole.shape}"
        )
    if not np.isfinite([gaps, first, whole]).all() or not tolerance >= 0:
        raise ValueError(f"a margin or metric is not finite, or the tolerance is negative ({tolerance})")
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise ValueError("the weights must be finite, not negative and not all 0")
    shares = shares / shares.sum()
    order = np.argsort(-gaps, kind="stable")
    gaps, gained = gaps[order], np.cumsum((shares * (first - whole))[order])
    base = float(shares @ whole)
    curve = [(0.0, base, float("inf"))]
    for count in range(1, len(gaps) + 1):
        if count == len(gaps) or gaps[count] < gaps[count - 1]:  # equal margins are skipped together
            curve.append((count / len(gaps), base + float(gained[count - 1]), float(gaps[count - 1])))
    place = 0
    # Twelve digits: the sum of many small gains must not fail a comparison with itself.
    while place + 1 < len(curve) and curve[place + 1][1] >= base - tolerance - 1e-12:
        place += 1
    share, score, threshold = curve[place]
    return FittedThreshold(
        threshold=threshold,
        skip_share=share,
        score=score,
        all_orders=base,
        first_order=curve[-1][1],
        curve=tuple(curve),
    )


def fit_adaptive(
    queries: Sequence[QueryScores],
    metric: Callable[[Sequence[Ranking]], Sequence[float] | FloatArray],
    *,
    tolerance: float = 0.001,
    weights: Sequence[float] | npt.NDArray[np.floating] | None = None,
) -> tuple[AdaptivePolicy, FittedThreshold]:
    """Fit slot biases and a threshold on an inner split on which every order of every list was asked.

    The bias is told from the orders of the same list (`rerank.slot_bias.slot_bias_of_orders`): the plain mean of the
    first order by slot would also hold the merit that stage 1 gave to its first places, and take it away.

    Args:
        queries: The run's queries (`ListwiseRun.queries`), asked whole, without a policy.
        metric: A value per ranking, higher is better, of rankings in the order of `queries` (e.g. average precision at
            25, after the fusion that will be used). It is asked once for the first orders and once for all.
        tolerance: See `fit_margin_threshold`.
        weights: One per query; all alike where None.

    Returns:
        The policy, and how it was chosen. Queries without a choice (one candidate or none) are left out of the latter.

    Raises:
        ValueError: A list was asked in windows or in one order alone, or no query had a choice.
    """
    rows = [row for row, query in enumerate(queries) if query.orders]
    for row in rows:
        orders = queries[row].orders
        if (
            len(orders) < 2
            or len({scores.window for scores in orders}) > 1
            or len(orders[0].ids) != len(queries[row].ids)
        ):
            raise ValueError(
                f"query {queries[row].key}: a threshold is fitted on lists asked whole, in two orders or more; got "
                f"{len(orders)} prompts, the first with {len(orders[0].ids)} of {len(queries[row].ids)} candidates"
            )
    if not rows:
        raise ValueError("no query has two candidates: there is nothing to fit a threshold on")
    policy = AdaptivePolicy(threshold=float("inf"), slot_bias=_slot_biases([queries[row] for row in rows]))
    debiased = {row: policy.debias(queries[row].orders[0].logprobs) for row in rows}
    first = [
        Ranking.from_scores(query.key, query.orders[0].ids, debiased[row])
        if row in debiased
        else Ranking.from_scores(query.key, query.ids, query.logprobs)
        for row, query in enumerate(queries)
    ]
    whole = [Ranking.from_scores(query.key, query.ids, query.logprobs) for query in queries]
    fitted = fit_margin_threshold(
        [margin(debiased[row]) for row in rows],
        np.asarray(metric(first), dtype=np.float64)[rows],
        np.asarray(metric(whole), dtype=np.float64)[rows],
        tolerance=tolerance,
        weights=None if weights is None else np.asarray(weights, dtype=np.float64)[rows],
    )
    return AdaptivePolicy(threshold=fitted.threshold, slot_bias=policy.slot_bias), fitted


def _slot_biases(queries: Sequence[QueryScores]) -> dict[int, FloatArray]:
    """Return the bias of each slot by number of slots."""
    grouped: dict[int, list[tuple[list[FloatArray], list[IntArray]]]] = {}
    for query in queries:
        place_of = {id: place for place, id in enumerate(query.ids.tolist())}
        permutations = [np.asarray([place_of[id] for id in s.ids.tolist()], dtype=np.int64) for s in query.orders]
        grouped.setdefault(len(query.ids), []).append(([s.logprobs for s in query.orders], permutations))
    return {slots: slot_bias_of_orders(group) for slots, group in sorted(grouped.items())}
