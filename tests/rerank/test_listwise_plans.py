"""Orders and windows as a reranker is given them."""

import pytest

from rerank.listwise_plans import OrderPlan, WindowPlan


def test_how_many_orders() -> None:
    assert [len(OrderPlan(kind=kind).permutations(5, "1_A")) for kind in ("ascending", "both", "random")] == [1, 2, 2]
    assert len(OrderPlan(kind="cyclic").permutations(5, "1_A")) == 5
    assert len(OrderPlan(kind="cyclic", count=3).permutations(5, "1_A")) == 3


def test_both_asks_the_best_first_order_first() -> None:
    assert [order.tolist() for order in OrderPlan().permutations(3, "1_A")] == [[0, 1, 2], [2, 1, 0]]


def test_random_orders_follow_key_and_seed() -> None:
    def of(key: str, seed: int) -> list[list[int]]:
        return [order.tolist() for order in OrderPlan(kind="random", seed=seed).permutations(9, key)]

    assert of("1_A", 0) == of("1_A", 0)
    assert of("1_A", 0) != of("1_B", 0)
    assert of("1_A", 0) != of("1_A", 1)


def test_windows_by_hand() -> None:
    sliding = WindowPlan(kind="sliding", size=4, stride=2)
    assert sliding.one_pass(8) == [range(4, 8), range(2, 6), range(0, 4)]
    assert WindowPlan(kind="overlapping", size=4, stride=3).one_pass(8) == [range(0, 4), range(3, 7), range(4, 8)]


@pytest.mark.parametrize("wrong", [{"kind": "upward"}, {"space": "odds"}, {"count": 0}])
def test_orders_out_of_range(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        OrderPlan(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "jumping"},
        {"size": 1, "stride": 1},
        {"stride": 5},
        {"stride": 0},
        {"passes": 0},
        {"kind": "overlapping", "passes": 2},
    ],
)
def test_windows_out_of_range(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"expected|overlapping"):
        WindowPlan(**{"kind": "sliding", "size": 4, "stride": 2, **wrong})
