"""The bias of slots: measured, told from merit, taken away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fusion import log_softmax
from core.records import FloatArray, IntArray
from rerank.orders import OrderKind, order_permutations
from rerank.slot_bias import margin, remove_slot_bias, slot_bias, slot_bias_of_orders

BIAS = np.array([1.0, 0.2, -0.5, -0.7])
Asked = tuple[list[FloatArray], list[IntArray]]


def asked(kind: OrderKind, count: int, queries: int = 6) -> list[Asked]:
    """Score queries whose merit falls along the stage-1 places with a scorer that adds `BIAS` to the slots."""
    draw = np.random.default_rng(5)
    made = []
    for number in range(queries):
        merit = draw.normal(size=4) - np.arange(4)
        orders = order_permutations(4, kind=kind, count=count, key=str(number))
        made.append(([log_softmax(merit[order] + BIAS) for order in orders], orders))
    return made


def test_the_mean_deviation_by_hand() -> None:
    np.testing.assert_allclose(slot_bias(np.array([[-1.0, -3.0], [-2.0, -2.0]])), [0.5, -0.5])


def test_a_pure_bias_is_found_and_removed() -> None:
    rows = [log_softmax(BIAS), log_softmax(BIAS)]
    found = slot_bias(rows)
    np.testing.assert_allclose(found, BIAS, atol=1e-12)
    np.testing.assert_allclose(remove_slot_bias(rows[0], found), np.log([0.25] * 4), atol=1e-12)


@pytest.mark.parametrize(("kind", "count"), [("cyclic", 4), ("random", 3)])
def test_several_orders_tell_bias_from_merit(kind: OrderKind, count: int) -> None:
    np.testing.assert_allclose(slot_bias_of_orders(asked(kind, count)), BIAS, atol=1e-9)
    # ascending lists alone: the mean takes the merit of the first places for bias
    assert slot_bias([rows[0] for rows, _ in asked(kind, count)])[0] > BIAS[0] + 0.5


def test_two_opposite_orders_tell_the_part_that_differs_between_the_ends() -> None:
    found = slot_bias_of_orders(asked("both", 2))
    np.testing.assert_allclose(found - found[::-1], BIAS - BIAS[::-1], atol=1e-9)
    np.testing.assert_allclose(found + found[::-1], 0, atol=1e-9)


def test_queries_of_one_order_are_left_out() -> None:
    many, one = asked("cyclic", 4), asked("ascending", 1)
    np.testing.assert_allclose(slot_bias_of_orders([*one, *many]), BIAS, atol=1e-9)
    with pytest.raises(ValueError, match="two orders or more"):
        slot_bias_of_orders(one)


@given(
    logits=st.lists(st.floats(-20, 20), min_size=1, max_size=52),
    shift=st.floats(-5, 5),
    total=st.floats(-4, 0),
)
def test_removal_keeps_the_total_and_ignores_the_level(logits: list[float], shift: float, total: float) -> None:
    scores = log_softmax(np.array(logits)) + total
    bias = np.linspace(-1, 1, len(logits))
    levelled = remove_slot_bias(scores, bias)
    np.testing.assert_allclose(np.logaddexp.reduce(levelled), total, atol=1e-9)
    np.testing.assert_allclose(remove_slot_bias(scores, bias + shift), levelled, atol=1e-9)
    np.testing.assert_allclose(remove_slot_bias(levelled, -bias), scores, atol=1e-9)


def test_margins() -> None:
    assert margin(np.array([-3.0, -1.0, -1.5])) == 0.5
    assert margin(np.array([-1.0, -1.0])) == 0.0
    assert margin(np.array([-1.0])) == float("inf")


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="several numbers of slots"):
        slot_bias([np.zeros(2), np.zeros(3)])
    with pytest.raises(ValueError, match="finite"):
        slot_bias(np.array([[0.0, -np.inf]]))
    with pytest.raises(ValueError, match="one number a slot"):
        remove_slot_bias(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="one shape"):
        slot_bias_of_orders([([np.zeros(2)] * 2, [np.arange(2)])])
