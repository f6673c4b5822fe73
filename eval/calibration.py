"""Whether a reranker's probabilities are honest: of the answers given at 70 %, 70 % should be right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.records import FloatArray, Ranking

BINS = 10


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """The answers whose confidence lies in one interval.

    Attributes:
        low: Its lower end, excluded (but 0 is in the first bin).
        high: Its upper end, included.
        n: How many.
        confidence: Their mean confidence.
        accuracy: The share that is right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How honest some probabilities are.

    Attributes:
        n: Answers.
        error: Expected calibration error, 0 (honest) to 1.
        confidence: Mean confidence.
        accuracy: Share that is right.
        bins: Those that are not empty.
    """

    n: int
    error: float
    confidence: float
    accuracy: float
    bins: tuple[CalibrationBin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json, rounded to 6 decimals."""
        return {
            "n": self.n,
            "expected_calibration_error": round(self.error, 6),
            "mean_confidence": round(self.confidence, 6),
            "accuracy": round(self.accuracy, 6),
        }


def calibration(confidences: Sequence[float] | FloatArray, right: Sequence[bool], *, bins: int = BINS) -> Calibration:
    """Return the expected calibration error over bins of equal width (Naeini et al., AAAI 2015; Guo et al., ICML 2017).

    It is the mean over answers of |accuracy − mean confidence| of the bin that the answer falls in.

    Args:
        confidences: Probability given to each answer, in [0, 1]; n >= 1.
        right: Whether it was right, n.
        bins: How many.

    Raises:
        ValueError: Lengths differ, there is no answer, or a confidence is out of range.
    """
    values, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=bool)
    if values.shape != hits.shape or values.ndim != 1 or not len(values) or bins < 1:
        raise ValueError(f"expected one answer or more and as many truths; got {values.shape} and {hits.shape}")
    if not ((values >= 0) & (values <= 1 + 1e-9)).all():
        raise ValueError(f"expected confidences from 0 to 1; got {values.min()} to {values.max()}")
    places = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    found = []
    for place in np.unique(places).tolist():
        rows = places == place
        found.append(
            CalibrationBin(
                low=place / bins,
                high=(place + 1) / bins,
                n=int(rows.sum()),
                confidence=float(values[rows].mean()),
                accuracy=float(hits[rows].mean()),
            )
        )
    error = sum(item.n * abs(item.accuracy - item.confidence) for item in found) / len(values)
    return Calibration(
        n=len(values), error=error, confidence=float(values.mean()), accuracy=float(hits.mean()), bins=tuple(found)
    )


def ranking_calibration(
    rankings: Sequence[Ranking], labels: Mapping[str, Sequence[int]], *, bins: int = BINS
) -> Calibration | None:
    """Return how honest the first entries' probabilities are; None where no ranking has an entry and a label.

    Args:
        rankings: Their scores are log-probabilities (they may sum to less than 1: "none of these").
        labels: True ids by key; rankings without any are left out.
        bins: How many.

    Raises:
        ValueError: A score is above 0, so no log-probability.
    """
    kept = [ranking for ranking in rankings if len(ranking) and labels.get(ranking.key)]
    if not kept:
        return None
    confidences = [float(np.exp(ranking.scores[0])) for ranking in kept]
    right = [int(ranking.ids[0]) in labels[ranking.key] for ranking in kept]
    return calibration(confidences, right, bins=bins)
