import numpy as np
import pytest

from synth import nearness
from synth.nearness import check_vectors, most_similar, similar_pairs


def unit(rows: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(rows, 8))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_the_most_similar_in_blocks_equals_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearness, "_CELLS", 50)
    vectors, known = unit(33, 0), unit(17, 1)
    rows, cosines = most_similar(vectors, known)
    everything = vectors @ known.T
    assert rows.tolist() == everything.argmax(axis=1).tolist()
    np.testing.assert_allclose(cosines, everything.max(axis=1), atol=1e-6)


def test_nothing_known_is_similar_to_nothing() -> None:
    rows, cosines = most_similar(unit(2, 0), np.empty((0, 8), dtype=np.float32))
    assert (rows.tolist(), cosines.tolist()) == ([-1, -1], [-1.0, -1.0])


def test_pairs_are_those_over_the_limit_without_the_row_itself() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    assert {row: [other for other, _ in pairs] for row, pairs in similar_pairs(vectors, 0.7).items()} == {
        0: [1],
        1: [0],
    }
    assert similar_pairs(vectors, 0.5)[1] == [(0, pytest.approx(0.8)), (2, pytest.approx(0.6))]


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one vector for each of 3"):
        check_vectors("v", unit(2, 0), 3)
    with pytest.raises(ValueError, match="length 1"):
        check_vectors("v", unit(2, 0) * 2, 2)
