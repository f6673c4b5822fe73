import numpy as np
import pytest

from core.records import Ranking
from eval.calibration import calibration, ranking_calibration


def test_the_error_by_hand() -> None:
    """Bins (0.6, 0.7]: two at 0.65, one right, off by 0.15; (0.9, 1]: two at 0.95, both right, 0.05; mean 0.1."""
    found = calibration([0.65, 0.65, 0.95, 0.95], [True, False, True, True])
    assert found.error == pytest.approx((2 * 0.15 + 2 * 0.05) / 4)
    assert [(one.low, one.high, one.n) for one in found.bins] == [(0.6, 0.7, 2), (0.9, 1.0, 2)]
    assert (found.confidence, found.accuracy, found.n) == (pytest.approx(0.8), 0.75, 4)
    assert found.to_json()["expected_calibration_error"] == 0.1


def test_bins_hold_their_upper_end_and_the_first_holds_nought() -> None:
    found = calibration([0.0, 0.1, 0.5, 1.0], [False, False, True, True])
    assert [(one.high, one.n) for one in found.bins] == [(0.1, 2), (0.5, 1), (1.0, 1)]


def test_an_honest_model_has_no_error() -> None:
    found = calibration([0.5] * 10, [True, False] * 5)
    assert found.error == 0.0


@pytest.mark.parametrize(
    ("confidences", "right"), [([], []), ([0.5], [True, False]), ([1.2], [True]), ([-0.1], [True]), ([np.nan], [True])]
)
def test_what_cannot_be_is_refused(confidences: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match="expected"):
        calibration(confidences, right)


def test_rankings_answer_with_their_first_entry() -> None:
    rankings = [
        Ranking.from_scores("1_A", [5, 6], np.log([0.75, 0.25])),
        Ranking.from_scores("2_A", [5, 6], np.log([0.5, 0.2])),  # the rest is "none of these"
        Ranking.from_scores("3_A", [], []),  # not reached
        Ranking.from_scores("4_A", [5], [0.0]),  # no label
    ]
    found = ranking_calibration(rankings, {"1_A": (5,), "2_A": (6,), "3_A": (5,)})
    assert found is not None
    assert (found.n, found.accuracy, found.confidence) == (2, 0.5, pytest.approx(0.625))
    assert ranking_calibration(rankings, {}) is None
