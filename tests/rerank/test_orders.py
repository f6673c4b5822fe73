"""Orders of candidates and the average over them."""

from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fusion import log_softmax
from core.records import FloatArray
from rerank.orders import ORDER_KINDS, OrderKind, Space, average_orders, by_candidate, order_permutations

SPACES: tuple[Space, ...] = ("log", "probability")
scores = st.floats(-30, 30, allow_nan=False, width=32)


def asked(content: FloatArray, slots: FloatArray, kind: OrderKind, count: int) -> FloatArray:
    """Score all orders with a scorer that adds what it reads to where it stands; rows by candidate."""
    orders = order_permutations(len(content), kind=kind, count=count, seed=3, key="1_A")
    return np.stack([by_candidate(log_softmax(content[order] + slots), order) for order in orders])


def test_orders_by_eye() -> None:
    def orders(n: int, kind: OrderKind, count: int = 2) -> list[list[int]]:
        return [order.tolist() for order in order_permutations(n, kind=kind, count=count)]

    assert orders(4, "ascending") == [[0, 1, 2, 3]]
    assert orders(4, "descending") == [[3, 2, 1, 0]]
    assert orders(4, "both") == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert orders(4, "cyclic", 2) == [[0, 1, 2, 3], [2, 3, 0, 1]]
    assert orders(3, "cyclic", 9) == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    assert orders(0, "both") == [[], []]


@given(n=st.integers(0, 60), count=st.integers(1, 8), kind=st.sampled_from(ORDER_KINDS))
def test_every_order_is_a_permutation(n: int, count: int, kind: OrderKind) -> None:
    for order in order_permutations(n, kind=kind, count=count, key="7_B"):
        assert order.dtype == np.int64
        assert sorted(order.tolist()) == list(range(n))


@given(n=st.integers(1, 60))
def test_all_cyclic_orders_bring_every_candidate_to_every_slot(n: int) -> None:
    orders = np.stack(order_permutations(n, kind="cyclic", count=n))
    assert (np.sort(orders, axis=0) == np.arange(n)[:, None]).all()


def test_random_orders_depend_on_seed_and_key_alone_and_differ() -> None:
    def drawn(seed: int, key: str, count: int = 4, n: int = 5) -> list[list[int]]:
        return [order.tolist() for order in order_permutations(n, kind="random", count=count, seed=seed, key=key)]

    assert drawn(0, "1_A") == drawn(0, "1_A")
    assert drawn(0, "1_A")[:2] == drawn(0, "1_A", count=2)
    assert drawn(0, "1_A") != drawn(0, "1_B")
    assert drawn(0, "1_A") != drawn(1, "1_A")
    assert len({tuple(order) for order in drawn(0, "x", count=factorial(3), n=3)}) == factorial(3)
    assert len(drawn(0, "x", count=5, n=1)) == 5  # more than there are: repeated, not lost


@given(slots=st.lists(scores, min_size=1, max_size=52), space=st.sampled_from(SPACES))
def test_a_scorer_of_slots_alone_is_uniform_after_all_cyclic_orders(slots: list[float], space: Space) -> None:
    n = len(slots)
    mean = average_orders(asked(np.zeros(n), np.array(slots), "cyclic", n), space=space)
    assert set(mean.tolist()) == {mean[0]}  # to the last bit: ties break by id, not by rounding
    np.testing.assert_allclose(np.exp(mean), 1 / n, rtol=1e-9)


@given(
    content=st.lists(scores, min_size=1, max_size=52),
    space=st.sampled_from(SPACES),
    kind=st.sampled_from(ORDER_KINDS),
    count=st.integers(1, 6),
)
def test_a_scorer_of_content_alone_is_unchanged(
    content: list[float], space: Space, kind: OrderKind, count: int
) -> None:
    merit = np.array(content)
    mean = average_orders(asked(merit, np.zeros(len(merit)), kind, count), space=space)
    np.testing.assert_allclose(mean, log_softmax(merit), rtol=1e-9, atol=1e-9)


def test_both_orders_cancel_a_bias_that_falls_along_the_slots() -> None:
    merit, slots = np.array([0.0, 1.0, 3.0, 2.0]), np.array([9.0, 6.0, 3.0, 0.0])
    rows = asked(merit, slots, "both", 2)
    assert (rows[0].argmax(), rows[1].argmax(), merit.argmax()) == (0, 3, 2)
    np.testing.assert_allclose(
        log_softmax(average_orders(rows, space="log")), log_softmax(merit), rtol=1e-12, atol=1e-12
    )


def test_averages_by_hand() -> None:
    rows = np.log([[0.8, 0.2], [0.2, 0.8]])
    np.testing.assert_allclose(np.exp(average_orders(rows, space="probability")), [0.5, 0.5])
    rows = np.log([[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(np.exp(average_orders(rows, space="probability")), [0.7, 0.3])
    # sqrt(0.9 * 0.5) = 0.6708 against sqrt(0.1 * 0.5) = 0.2236, three to one
    np.testing.assert_allclose(np.exp(average_orders(rows, space="log")), [0.75, 0.25])
    # with a quarter of the probability on "none of these", which is no column, the total stays 3/4
    rows = np.log([[0.5, 0.25], [0.25, 0.5]])
    np.testing.assert_allclose(np.exp(average_orders(rows, space="log")), [0.375, 0.375])


def test_tiny_probabilities_do_not_become_nought() -> None:
    rows = np.array([[-1e-30, -900.0], [-1e-30, -1000.0]])
    np.testing.assert_allclose(average_orders(rows, space="probability"), [0.0, -900 - np.log(2)], atol=1e-9)


def test_one_order_comes_back_as_it_is() -> None:
    row = np.log([0.5, 0.3])
    assert average_orders(row[None], space="log").tolist() == row.tolist()


def test_scores_go_back_to_their_candidates() -> None:
    order = np.array([2, 0, 1])
    assert by_candidate(np.array([0.1, 0.2, 0.3]), order).tolist() == [0.2, 0.3, 0.1]
    assert by_candidate(np.array([0.1, 0.2, 0.3, 9.0]), order).tolist() == [0.2, 0.3, 0.1, 9.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: order_permutations(-1, kind="both"), "n >= 0"),
        (lambda: order_permutations(2, kind="random", count=0), "count >= 1"),
        (lambda: order_permutations(2, kind="up"), "expected one of ascending"),  # type: ignore[arg-type]
        (lambda: by_candidate(np.zeros(2), np.arange(3)), "permutation"),
        (lambda: by_candidate(np.zeros(3), np.array([0, 0, 1])), "permutation"),
        (lambda: average_orders(np.zeros((0, 3)), space="log"), "one order at least"),
        (lambda: average_orders(np.array([[0.1]]), space="log"), "none above 0"),
        (lambda: average_orders(np.array([[np.nan]]), space="log"), "none NaN"),
        (lambda: average_orders(np.zeros((2, 1)), space="linear"), "expected 'log'"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_are_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
