from collections.abc import Sequence

import numpy as np
import pytest

from retrieval.ensemble import JoinedEncoder, concatenate_embeddings


def test_concatenated_inner_product_is_the_weighted_mean() -> None:
    random = np.random.default_rng(0)

    def unit(n: int, d: int) -> np.ndarray:
        rows = random.normal(size=(n, d))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    queries, bank = [unit(4, 8), unit(4, 3)], [unit(6, 8), unit(6, 3)]
    weights = [3.0, 1.0]
    joined_q, joined_b = concatenate_embeddings(queries, weights), concatenate_embeddings(bank, weights)
    expected = 0.75 * queries[0] @ bank[0].T + 0.25 * queries[1] @ bank[1].T
    assert joined_q.shape == (4, 11)
    assert joined_q.dtype == np.float32
    assert np.allclose(joined_q @ joined_b.T, expected, atol=1e-6)
    assert np.allclose(np.linalg.norm(joined_b, axis=1), 1, atol=1e-6)
    equal = 0.5 * (queries[0] @ bank[0].T + queries[1] @ bank[1].T)
    assert np.allclose(concatenate_embeddings(queries) @ concatenate_embeddings(bank).T, equal, atol=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    rows = np.ones((2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="weights"):
        concatenate_embeddings([rows, rows], weights)
    with pytest.raises(ValueError, match="rows"):
        concatenate_embeddings([rows, rows[:1]])


class Axis:
    """An encoder that writes the length of a text into one of two directions."""

    def __init__(self, place: int) -> None:
        self.place = place

    def fingerprint(self) -> str:
        return f"axis {self.place}"

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 2), dtype=np.float32)
        rows[:, self.place] = 1
        return rows

    encode_documents = encode_queries


def test_joined_encoders_give_the_weighted_mean_of_their_cosines() -> None:
    queries, documents = JoinedEncoder([Axis(0), Axis(1)], [1.0, 3.0]), JoinedEncoder([Axis(0), Axis(0)], [1.0, 3.0])
    query, document = queries.encode_queries(["a"]), documents.encode_documents(["b"])
    assert query.shape == (1, 4)
    assert (query @ document.T).item() == pytest.approx(0.25)  # (1 · 1 + 3 · 0) / 4
    assert np.linalg.norm(query) == pytest.approx(1.0)
    assert queries.fingerprint() != JoinedEncoder([Axis(0), Axis(1)]).fingerprint()


def test_a_join_of_nothing_and_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one or more"):
        JoinedEncoder([])
    with pytest.raises(ValueError, match="one each"):
        JoinedEncoder([Axis(0)], [1.0, 2.0])
