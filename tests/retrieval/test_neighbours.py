import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.neighbours import neighbour_scores

BANK = np.array([40, 10, 30, 20])


def at(*degrees: float) -> npt.NDArray[np.float32]:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_worked_by_hand() -> None:
    # Cosines of 0, 60 and 90 degrees are 1, 0.5 and 0; the threshold takes 0.25 off.
    scores = neighbour_scores(
        at(0), np.array([9]), at(60, 0, 90), np.array([1, 2, 3]), [(10, 20), (10,), (30,)], BANK, threshold=0.25
    )
    assert scores.dtype == np.float32
    assert np.allclose(scores, [[0, 0.75, 0, 0.25]], atol=1e-6)


def test_a_query_never_sees_its_own_question_group() -> None:
    # The query's own row and its sibling answer (group 1) are identical to it; only the far row of group 2 may count.
    scores = neighbour_scores(
        at(0, 0), np.array([1, 2]), at(0, 0, 30), np.array([1, 1, 2]), [(10,), (20,), (30,)], BANK, threshold=0.0
    )
    far = np.cos(np.radians(30))
    assert np.allclose(scores[0], [0, 0, far, 0], atol=1e-6)
    assert np.allclose(scores[1], [0, 1, 0, 1], atol=1e-6)


def test_an_entry_whose_only_voters_are_of_the_own_group_scores_nothing() -> None:
    scores = neighbour_scores(at(0), np.array([1]), at(0), np.array([1]), [(10,)], BANK, threshold=-1.0)
    assert scores.tolist() == [[0, 0, 0, 0]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 30))
def test_equals_the_definition_in_plain_loops(seed: int, q: int, t: int) -> None:
    random = np.random.default_rng(seed)
    queries, training = at(*random.uniform(0, 180, q)), at(*random.uniform(0, 180, t))
    query_groups, train_groups = random.integers(0, 4, q), random.integers(0, 4, t)
    labels = [tuple(random.choice(BANK, size=random.integers(0, 3), replace=False).tolist()) for _ in range(t)]
    found = neighbour_scores(queries, query_groups, training, train_groups, labels, BANK, threshold=0.5)
    for i in range(q):
        for column, entry in enumerate(BANK.tolist()):
            votes = [
                float(queries[i] @ training[j]) - 0.5
                for j in range(t)
                if entry in labels[j] and train_groups[j] != query_groups[i]
            ]
            assert found[i, column] == pytest.approx(max([0.0, *votes]), abs=1e-6)


def test_more_queries_than_a_block() -> None:
    queries = at(*np.linspace(0, 90, 1100))
    scores = neighbour_scores(queries, np.arange(1100), at(0), np.array([-1]), [(30,)], BANK, threshold=0.0)
    assert np.allclose(scores[:, 2], np.maximum(queries[:, 0], 0), atol=1e-6)


def test_impossible_input_is_refused() -> None:
    with pytest.raises(ValueError, match="label 99 is not in the bank"):
        neighbour_scores(at(0), np.array([1]), at(0), np.array([2]), [(99,)], BANK)
    with pytest.raises(ValueError, match="threshold"):
        neighbour_scores(at(0), np.array([1]), at(0), np.array([2]), [(10,)], BANK, threshold=1.0)
    with pytest.raises(ValueError, match="groups"):
        neighbour_scores(at(0), np.array([1, 2]), at(0), np.array([2]), [(10,)], BANK)
    with pytest.raises(ValueError, match="label sets"):
        neighbour_scores(at(0), np.array([1]), at(0), np.array([2]), [], BANK)
