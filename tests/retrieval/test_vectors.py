import numpy as np

from retrieval.vectors import checked_bank, exact_scores


def test_scores_by_hand() -> None:
    rows = np.array([[1, 2], [0, 1]], dtype=np.float32)
    bank = np.array([[1, 0], [0, 3], [1, 1]], dtype=np.float32)
    assert exact_scores(rows, bank, np.array([[2, 1], [0, 1]])).tolist() == [[3.0, 6.0], [0.0, 3.0]]


def test_a_score_is_the_same_in_any_company() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 383)).astype(np.float32)
    bank = random.normal(size=(40, 383)).astype(np.float32)
    every = np.tile(np.arange(40), (300, 1))
    together = exact_scores(rows, bank, every)
    for row in (0, 255, 256, 299):
        for place in (0, 7, 39):
            assert exact_scores(rows[row : row + 1], bank, np.array([[place]]))[0, 0] == together[row, place]


def test_the_bank_is_put_in_rising_order_of_id() -> None:
    ids, rows = checked_bank([5, 1, 3], np.array([[5.0], [1.0], [3.0]], dtype=np.float32), "exact")
    assert ids.tolist() == [1, 3, 5]
    assert rows.ravel().tolist() == [1, 3, 5]
