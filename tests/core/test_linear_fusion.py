from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.linear_fusion import fit_linear_scores
from core.records import FloatArray


def choice(*columns: Sequence[float]) -> FloatArray:
    """Return the features of one query: a row a candidate."""
    return np.array(columns, dtype=np.float64)


def hits(*right: int, of: int) -> np.ndarray:
    return np.isin(np.arange(of), right)


def log_likelihood(features: Sequence[FloatArray], right: Sequence[np.ndarray], weights: FloatArray) -> float:
    shares = [np.exp(matrix @ weights) / np.exp(matrix @ weights).sum() for matrix in features]
    return float(np.mean([np.log(share[mask].sum()) for share, mask in zip(shares, right, strict=True)]))


def test_worked_by_hand() -> None:
    """Three of four choices fall on the candidate that is ahead by 2: its odds are 3, so the weight is ln 3 / 2."""
    features = [choice([2.0], [0.0])] * 4
    right = [hits(0, of=2)] * 3 + [hits(1, of=2)]
    assert fit_linear_scores(features, right, penalty=0.0) == pytest.approx([np.log(3) / 2], abs=1e-4)


def test_weights_of_queries_count() -> None:
    features = [choice([1.0], [0.0])] * 2
    right = [hits(0, of=2), hits(1, of=2)]
    assert fit_linear_scores(features, right, penalty=0.0) == pytest.approx([0.0], abs=1e-4)
    found = fit_linear_scores(features, right, penalty=0.0, query_weights=[0.8, 0.2])
    assert found == pytest.approx([np.log(4)], abs=1e-4)


def test_a_penalty_shortens_the_weights_whatever_their_unit() -> None:
    features = [choice([2.0], [0.0])] * 4
    right = [hits(0, of=2)] * 3 + [hits(1, of=2)]
    free, held = (fit_linear_scores(features, right, penalty=penalty)[0] for penalty in (0.0, 0.1))
    assert 0 < held < free - 0.05
    in_thousandths = fit_linear_scores([matrix * 1000 for matrix in features], right, penalty=0.1)[0]
    assert in_thousandths * 1000 == pytest.approx(held, rel=1e-4)


def test_what_is_alike_for_all_candidates_weighs_nothing() -> None:
    features = [choice([1.0, 7.0], [0.0, 7.0]), choice([0.0, 7.0], [1.0, 7.0], [0.0, 7.0])]
    found = fit_linear_scores(features, [hits(0, of=2), hits(1, of=3)], penalty=0.01)
    assert found[0] > 0 and found[1] == 0
    # Alike within each query, but not over queries: no likelihood to gain, and the penalty takes it to nought.
    shifted = [matrix + np.array([[0.0, row]]) for row, matrix in enumerate(features)]
    assert fit_linear_scores(shifted, [hits(0, of=2), hits(1, of=3)], penalty=0.01)[1] == pytest.approx(0, abs=1e-6)


def test_queries_without_a_right_candidate_are_left_out() -> None:
    features = [choice([1.0], [0.0])] * 4
    right = [hits(0, of=2), hits(0, of=2), hits(1, of=2), hits(of=2)]
    with_it = fit_linear_scores(features, right, penalty=0.0)
    assert with_it == pytest.approx(fit_linear_scores(features[:3], right[:3], penalty=0.0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_no_step_away_is_more_likely(seed: int) -> None:
    random = np.random.default_rng(seed)
    features = [random.normal(size=(random.integers(3, 9), 3)) for _ in range(60)]
    right = [random.random(len(matrix)) < 0.4 for matrix in features]
    for mask in right:
        mask[random.integers(len(mask))] = True
    found = fit_linear_scores(features, right, penalty=0.0)
    best = log_likelihood(features, right, found)
    for _ in range(20):
        assert log_likelihood(features, right, found + random.normal(scale=0.05, size=3)) <= best + 1e-6


def test_the_same_input_gives_the_same_bits() -> None:
    random = np.random.default_rng(0)
    features = [random.normal(size=(30, 4)) for _ in range(50)]
    right = [hits(int(random.integers(30)), of=30) for _ in features]
    assert fit_linear_scores(features, right).tolist() == fit_linear_scores(features, right).tolist()


def test_impossible_input_is_refused() -> None:
    good, mask = choice([1.0], [0.0]), hits(0, of=2)
    with pytest.raises(ValueError, match="2 queries of features, 1 of truths"):
        fit_linear_scores([good, good], [mask])
    with pytest.raises(ValueError, match="query 1: features"):
        fit_linear_scores([good, choice([1.0, 2.0], [0.0, 0.0])], [mask, mask])
    with pytest.raises(ValueError, match="query 0: features"):
        fit_linear_scores([good], [hits(0, of=3)])
    with pytest.raises(ValueError, match="query 0: a feature is not finite"):
        fit_linear_scores([choice([np.nan], [0.0])], [mask])
    with pytest.raises(ValueError, match="no query has a right candidate"):
        fit_linear_scores([good], [hits(of=2)])
    with pytest.raises(ValueError, match="no query has a right candidate"):
        fit_linear_scores([good], [mask], query_weights=[0.0])
    for bad in ({"penalty": -1.0}, {"query_weights": [-1.0]}, {"query_weights": [np.inf]}):
        with pytest.raises(ValueError, match="finite and not negative"):
            fit_linear_scores([good], [mask], **bad)  # type: ignore[arg-type]
