from typing import Any

import pytest

from pipelines.fewer_orders import Forecast, Lowered, forecast, lower_orders, may_lower, warnings_of
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from rerank.adaptive import AdaptivePolicy

MINE = RerankerSettings(kind="listwise", model="m", candidates=10)


def policy(threshold: float) -> dict[str, Any]:
    return AdaptivePolicy(threshold=threshold, slot_bias={}).to_json()


FIT = {"policy": policy(3.0), "halves": [{"policy": policy(1.0)}, {"policy": policy(2.0)}]}


def told(left: float) -> Forecast:
    return Forecast(queries=100, queries_per_second=2.0, needed=50.0, first_order=30.0, left=left)


def table(**values: object) -> RerankerSettings:
    return RerankerSettings.model_validate({"kind": "listwise", "model": "m", "candidates": 10, **values})


def test_the_forecast_by_hand() -> None:
    """The default engine caches nothing: one order of two is half of the tokens."""
    found = forecast(MINE, Settings(), queries=100, queries_per_second=2.0, left=30.0)
    assert (found.needed, found.first_order, found.is_late) == (50.0, 25.0, True)
    assert found.reached(found.needed) == 60 and found.reached(found.first_order) == 100
    skipping = forecast(MINE, Settings(), queries=100, queries_per_second=2.0, left=30.0, skip_share=0.8)
    assert skipping.needed == pytest.approx(30.0) and not skipping.is_late
    assert found.to_json()["seconds_needed"] == 50.0


def test_orders_are_given_up_where_the_time_does_not_last(caplog: pytest.LogCaptureFixture) -> None:
    lowered = lower_orders(MINE, told(40.0), lambda: FIT)
    assert lowered is not None
    assert [lowered.policies[half].threshold for half in (None, 0, 1)] == [0.0, 0.0, 0.0]  # every first order is enough
    assert "asked in the first of 2 orders alone, its slot bias taken out, which takes about 30 s" in caplog.text
    assert "will keep" not in caplog.text
    assert lowered.to_json()["orders_of_the_table"] == 2
    lower_orders(MINE, told(15.0), lambda: FIT)
    assert "which takes about 30 s; about 50 will keep stage 1's order" in caplog.text


def test_with_enough_time_nothing_is_fitted() -> None:
    assert lower_orders(MINE, told(50.0), lambda: pytest.fail("there is no need")) is None


@pytest.mark.parametrize(
    ("values", "may"),
    [
        ({}, True),
        ({"orders": "cyclic"}, True),
        ({"orders": "ascending"}, False),
        ({"windows": {"kind": "sliding", "size": 5, "stride": 3}}, False),
        ({"adaptive": {"mode": "share"}}, False),
        ({"adaptive": {"mode": "fitted"}}, True),
        ({"kind": "pointwise"}, False),
    ],
)
def test_what_a_table_allows(values: dict[str, object], may: bool) -> None:
    assert may_lower(table(**values)) is may


def test_what_cannot_be_lowered_is_told(caplog: pytest.LogCaptureFixture) -> None:
    fixed = table(orders="ascending")
    assert lower_orders(fixed, told(25.0), lambda: pytest.fail("the table does not allow it")) is None
    assert "take 50 s and 25 s are left: about 50 will keep stage 1's order" in caplog.text
    assert lower_orders(MINE, told(25.0), lambda: None) is None


def test_what_the_report_says() -> None:
    names = {"reranked": "test queries"}
    assert warnings_of(None, {}, names) == []
    lowered = Lowered(orders=2, forecast=told(25.0), policies={})
    assert warnings_of(lowered, {"reranked": 3}, names) == [
        ("test queries that the time limit left at stage 1's order", 3),
        ("test queries asked in one order instead of 2, for the time limit", 100),
    ]
