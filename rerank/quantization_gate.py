"""The gate: whether a quantised reranker ranks as well as the 16-bit model it was made from.

Pure functions of label scores and rankings. What is measured (MAP@25, its interval) is handed in by the pipeline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.language_model import LabelScores
from core.records import FloatArray, Ranking

Metric = Callable[[Sequence[Ranking]], FloatArray]
"""Rankings of n labelled queries -> a number each, higher is better, float64, shape (n,)."""
Interval = Callable[[FloatArray, Sequence[str]], tuple[float, float]]
"""Differences, shape (n,), and the queries' keys -> low and high of their mean."""


@dataclass(frozen=True, kw_only=True)
class GateThresholds:
    """What a quantised model must keep.

    Attributes:
        map_delta: The least difference of the metric's mean, quantised minus 16-bit; 0 or below.
        agreement: The least share of prompts whose best label is the same, 0 to 1.
    """

    map_delta: float = -0.005
    agreement: float = 0.97

    def __post_init__(self) -> None:
        if not self.map_delta <= 0 or not 0 <= self.agreement <= 1:
            raise ValueError(
                f"expected map_delta of at most 0 and agreement from 0 to 1, got {self.map_delta}, {self.agreement}"
            )


@dataclass(frozen=True, kw_only=True)
class LostQuery:
    """One query's change.

    Attributes:
        key: The query.
        before: Its metric with the 16-bit model.
        after: With the quantised one.
        divergence: KL divergence of its ranking's probabilities, 16-bit from quantised, in nats.
        best_before: The misconception that the 16-bit model ranks first.
        best_after: The same of the quantised model.
    """

    key: str
    before: float
    after: float
    divergence: float
    best_before: int
    best_after: int


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What the gate found.

    Attributes:
        queries: Queries measured.
        prompts: Prompts compared.
        before: Mean metric of the 16-bit model.
        after: Mean metric of the quantised one.
        low: Lower end of the difference's interval.
        high: Upper end of it.
        agreement: Share of prompts whose best label is the same.
        divergence: Mean KL divergence over the labels, 16-bit from quantised, in nats.
        largest_divergence: The largest of a prompt.
        worst: The queries that changed most for the worse.
        thresholds: What was asked.
    """

    queries: int
    prompts: int
    before: float
    after: float
    low: float
    high: float
    agreement: float
    divergence: float
    largest_divergence: float
    worst: tuple[LostQuery, ...]
    thresholds: GateThresholds

    @property
    def delta(self) -> float:
        """The metric's mean difference, quantised minus 16-bit."""
        return self.after - self.before

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the model is refused, one reason a line; empty where it is accepted."""
        reasons = []
        if self.delta < self.thresholds.map_delta - 1e-12:
            reasons.append(
                f"MAP@25 changed by {self.delta:+.4f} (95 % interval {self.low:+.4f} to {self.high:+.4f}) over "
                f"{self.queries} queries; accepted is {self.thresholds.map_delta:+.4f} or better"
            )
        if self.agreement < self.thresholds.agreement - 1e-12:
            reasons.append(
                f"the best label is the same in {self.agreement:.1%} of {self.prompts} prompts; accepted are "
                f"{self.thresholds.agreement:.1%} or more"
            )
        return tuple(reasons)

    @property
    def accepted(self) -> bool:
        """Whether the quantised model kept what was asked."""
        return not self.refusals

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval of the difference is on the side of the verdict."""
        least = self.thresholds.map_delta
        return self.low >= least if self.delta >= least else self.high < least

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers, rounded to 6 decimals, for manifests."""
        return {
            "accepted": self.accepted,
            "queries": self.queries,
            "prompts": self.prompts,
            "map@25_16bit": round(self.before, 6),
            "map@25_quantised": round(self.after, 6),
            "map@25_delta": round(self.delta, 6),
            "map@25_delta_low": round(self.low, 6),
            "map@25_delta_high": round(self.high, 6),
            "top1_agreement": round(self.agreement, 6),
            "mean_kl": round(self.divergence, 6),
            "largest_kl": round(self.largest_divergence, 6),
            "thresholds": {"map_delta": self.thresholds.map_delta, "agreement": self.thresholds.agreement},
        }


def same_best_label(before: Sequence[LabelScores], after: Sequence[LabelScores]) -> FloatArray:
    """Return 1 for each prompt whose best label is the same in both models, else 0; ties go to the first label.

    Raises:
        ValueError: The prompts or their labels differ in number, or there are none.
    """
    _check(before, after)
    pairs = zip(before, after, strict=True)
    return np.array([float(a.logprobs.argmax() == b.logprobs.argmax()) for a, b in pairs], dtype=np.float64)


def label_divergences(before: Sequence[LabelScores], after: Sequence[LabelScores]) -> FloatArray:
    """Return each prompt's KL divergence over its labels, before from after, in nats: float64, shape (n,).

    Raises:
        ValueError: The prompts or their labels differ in number, or there are none.
    """
    _check(before, after)
    return np.array([_divergence(a.logprobs, b.logprobs) for a, b in zip(before, after, strict=True)])


def judge(
    before: Sequence[Ranking],
    after: Sequence[Ranking],
    scores_before: Sequence[LabelScores],
    scores_after: Sequence[LabelScores],
    *,
    metric: Metric,
    interval: Interval,
    thresholds: GateThresholds,
    worst: int = 10,
) -> GateResult:
    """Compare a quantised model with the 16-bit one it was made from, on the same queries and prompts.

    Args:
        before: Rankings of labelled queries by the 16-bit model; scores are log-probabilities.
        after: The same queries, in the same order, by the quantised one.
        scores_before: The 16-bit model's label scores of the prompts it was asked.
        scores_after: The quantised model's of the same prompts.
        metric: See `Metric`.
        interval: See `Interval`.
        thresholds: What must be kept.
        worst: How many queries to name.

    Raises:
        ValueError: Queries, prompts or labels differ, or there are none.
    """
    if [r.key for r in before] != [r.key for r in after] or not before:
        raise ValueError("expected rankings of the same queries, in one order, at least one")
    first, second = np.asarray(metric(before), dtype=np.float64), np.asarray(metric(after), dtype=np.float64)
    low, high = interval(second - first, [ranking.key for ranking in before])
    divergences = label_divergences(scores_before, scores_after)
    lost = [
        LostQuery(
            key=a.key,
            before=float(first[row]),
            after=float(second[row]),
            divergence=_ranking_divergence(a, b),
            best_before=int(a.ids[0]),
            best_after=int(b.ids[0]),
        )
        for row, (a, b) in enumerate(zip(before, after, strict=True))
        if len(a)
    ]
    lost.sort(key=lambda query: (query.after - query.before, -query.divergence, query.key))
    return GateResult(
        queries=len(before),
        prompts=len(scores_before),
        before=float(first.mean()),
        after=float(second.mean()),
        low=low,
        high=high,
        agreement=float(same_best_label(scores_before, scores_after).mean()),
        divergence=float(divergences.mean()),
        largest_divergence=float(divergences.max()),
        worst=tuple(lost[:worst]),
        thresholds=thresholds,
    )


def _check(before: Sequence[LabelScores], after: Sequence[LabelScores]) -> None:
    if len(before) != len(after) or not before:
        raise ValueError(f"expected scores of the same prompts, at least one; got {len(before)} and {len(after)}")
    for number, (a, b) in enumerate(zip(before, after, strict=True)):
        if a.logprobs.shape != b.logprobs.shape:
            raise ValueError(f"prompt {number}: expected the same labels, got {a.logprobs.shape}, {b.logprobs.shape}")


def _ranking_divergence(before: Ranking, after: Ranking) -> float:
    places = {id: place for place, id in enumerate(after.ids.tolist())}
    if set(places) != set(before.ids.tolist()):
        raise ValueError(f"query {before.key}: expected the same candidates from both models")
    return _divergence(before.scores, after.scores[[places[id] for id in before.ids.tolist()]])


def _divergence(before: FloatArray | Any, after: FloatArray | Any) -> float:  # noqa: ANN401 - float32 or float64
    p, q = _log_softmax(np.asarray(before, dtype=np.float64)), _log_softmax(np.asarray(after, dtype=np.float64))
    return max(0.0, float((np.exp(p) * (p - q)).sum()))


def _log_softmax(row: FloatArray) -> FloatArray:
    shifted = row - row.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
