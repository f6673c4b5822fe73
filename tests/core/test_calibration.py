"""Temperatures against numbers worked out by hand, and against data drawn at a known temperature."""

import numpy as np
import pytest

from core.calibration import fit_temperature, label_places, temper_rankings, tempered
from core.records import Ranking
from core.stage_one_fusion import log_softmax


def drawn(temperature: float, *, rows: int = 4000, width: int = 6) -> tuple[list[np.ndarray], list[list[int]]]:
    """Log-probabilities, and truths that follow them at a temperature."""
    generator = np.random.default_rng(7)
    scores = [log_softmax(row) for row in generator.normal(0, 2, (rows, width))]
    truth = [[int(generator.choice(width, p=np.exp(log_softmax(row, temperature=temperature))))] for row in scores]
    return scores, truth


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_data_is_found(temperature: float) -> None:
    scores, truth = drawn(temperature)
    fitted = fit_temperature(scores, truth)
    assert fitted.temperature == pytest.approx(temperature, rel=0.08)
    assert fitted.before is not None and fitted.after is not None and fitted.after <= fitted.before
    assert (fitted.rows, fitted.skipped, fitted.at_bound) == (len(scores), 0, False)


def test_two_rows_by_hand() -> None:
    # Odds 3:1, right three times of four: the scores are honest. Right once in two: worthless, the flattest is best.
    row = np.log([0.75, 0.25])
    honest = fit_temperature([row] * 4, [[0], [0], [0], [1]])
    assert honest.temperature == pytest.approx(1.0, abs=1e-3)
    assert honest.after == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    useless = fit_temperature([row] * 2, [[0], [1]], bounds=(0.1, 10.0))
    assert useless.at_bound and useless.temperature == pytest.approx(10.0, rel=1e-3)


def test_several_labels_count_together() -> None:
    row = np.log([0.5, 0.3, 0.2])
    assert fit_temperature([row], [[0, 2]]).before == pytest.approx(-np.log(0.7))
    assert fit_temperature([row], [[0, 1, 2]]).temperature == 1.0  # certain at any temperature: left alone


def test_rows_without_a_label_count_none_of_these() -> None:
    rows = [np.log([0.6, 0.2]), np.log([0.1, 0.1])]
    none = [float(np.log(0.2)), float(np.log(0.8))]
    fitted = fit_temperature(rows, [[0], []], none_scores=none)
    assert fitted.before == pytest.approx(-(np.log(0.6) + np.log(0.8)) / 2)
    assert (fitted.rows, fitted.skipped) == (2, 0)
    without = fit_temperature(rows, [[0], []])
    assert without.before == pytest.approx(-np.log(0.75))
    assert (without.rows, without.skipped) == (1, 1)


def test_weights_count() -> None:
    row = np.log([0.75, 0.25])
    fitted = fit_temperature([row, row], [[0], [1]], weights=[3.0, 1.0])
    assert fitted.temperature == pytest.approx(1.0, abs=1e-3)
    assert fit_temperature([row, row], [[0], [1]], weights=[1.0, 0.0]).rows == 1


def test_nothing_to_fit_on_changes_nothing() -> None:
    fitted = fit_temperature([np.zeros(0), np.log([0.5, 0.5])], [[], []])
    assert (fitted.temperature, fitted.rows, fitted.skipped, fitted.before) == (1.0, 0, 2, None)
    assert fitted.to_json()["temperature"] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truth": []}, "each of 1 rows"),
        ({"truth": [[2]]}, "2 candidates"),
        ({"scores": [np.array([0.0, -np.inf])]}, "not finite"),
        ({"none_scores": [np.nan]}, "not finite"),
        ({"weights": [-1.0]}, "negative"),
        ({"bounds": (2.0, 1.0)}, "bounds"),
    ],
)
def test_bad_arguments(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(**{"scores": [np.log([0.5, 0.5])], "truth": [[0]], **changes})


def test_tempered_shares_with_none_of_these() -> None:
    scores, none = tempered(np.log([0.5, 0.1]), 2.0, none_score=float(np.log(0.4)))
    roots = np.sqrt([0.5, 0.1, 0.4])
    assert np.exp([*scores, none]) == pytest.approx(roots / roots.sum())
    alone, nothing = tempered(np.log([0.5, 0.1]), 1.0)
    assert np.exp(alone) == pytest.approx([5 / 6, 1 / 6])
    assert nothing == -np.inf


def test_rankings_keep_their_order() -> None:
    rankings = [Ranking.from_scores("1_A", [4, 9, 2], np.log([0.2, 0.5, 0.3])), Ranking.from_scores("2_B", [], [])]
    cooled = temper_rankings(rankings, 0.5)
    assert [r.ids.tolist() for r in cooled] == [[9, 2, 4], []]
    assert np.exp(cooled[0].scores) == pytest.approx(np.array([0.25, 0.09, 0.04]) / 0.38)
    with_none = temper_rankings(rankings[:1], 1.0, none_scores=[0.0])
    assert np.exp(with_none[0].scores).sum() == pytest.approx(0.5)


def test_places_of_labels() -> None:
    rankings = [Ranking.from_scores("1_A", [4, 9, 2], [3.0, 2.0, 1.0]), Ranking.from_scores("2_B", [], [])]
    assert label_places(rankings, [(2, 4, 77), (1,)]) == [[0, 2], []]
    with pytest.raises(ValueError, match="zip"):
        label_places(rankings, [(1,)])
