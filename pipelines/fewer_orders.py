"""Under a time limit: whether the test queries can be asked in every order, and what is done where they cannot."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.adaptive_stage import policies_of
from pipelines.planned_parts import planned_parts
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_one_run import Half
from pipelines.time_limit import duration
from rerank.adaptive import AdaptivePolicy

logger = logging.getLogger(__name__)

_ALWAYS = 0.0
"""A margin that every first order reaches."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What the test queries will take at the speed of the held-out ones.

    Attributes:
        queries: How many they are.
        queries_per_second: The held-out part's, which was asked in every order.
        needed: Seconds, with as many orders as are asked.
        first_order: Seconds, with the first order alone.
        left: Seconds that are left.
    """

    queries: int
    queries_per_second: float
    needed: float
    first_order: float
    left: float

    @property
    def is_late(self) -> bool:
        """Whether the time does not last for all."""
        return self.needed > self.left

    def reached(self, needed: float) -> int:
        """Return how many queries are reached in time where all would take `needed` seconds."""
        return self.queries if needed <= self.left else int(self.queries * self.left / needed)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json."""
        return {
            "held_out_queries_per_second": round(self.queries_per_second, 4),
            "seconds_left": round(self.left, 1),
            "seconds_needed": round(self.needed, 1),
            "seconds_needed_for_the_first_order": round(self.first_order, 1),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Lowered:
    """Orders that were given up for time: every query is asked in its first order, the slot bias taken out.

    Attributes:
        orders: How many orders the table asks for.
        forecast: Why.
        policies: That rule, by the part of the held-out queries that its slot bias was fitted on.
    """

    orders: int
    forecast: Forecast
    policies: Mapping[Half, AdaptivePolicy]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json."""
        return {"orders_of_the_table": self.orders, "orders_asked": 1, **self.forecast.to_json()}


def forecast(
    chosen: RerankerSettings,
    settings: Settings,
    *,
    queries: int,
    queries_per_second: float,
    left: float,
    skip_share: float = 0.0,
) -> Forecast:
    """Tell from the held-out speed how long the test queries take.

    Args:
        chosen: A listwise reranker.
        settings: Holds its engine.
        queries: Test queries.
        queries_per_second: Of the held-out part, in every order.
        left: Seconds that are left.
        skip_share: Share of the queries that the fitted margin asks in the first order alone.
    """
    (part,) = planned_parts(chosen, settings, name="")
    work = part.workload(queries=queries, validation=0)
    first = replace(work, orders=1).query_tokens / work.query_tokens
    whole = queries / queries_per_second
    return Forecast(
        queries=queries,
        queries_per_second=queries_per_second,
        needed=whole * (1.0 - skip_share * (1.0 - first)),
        first_order=whole * first,
        left=left,
    )


def may_lower(chosen: RerankerSettings) -> bool:
    """Return whether a table's further orders can be left out: several orders of lists asked whole, none imposed."""
    return (
        chosen.kind == "listwise"
        and chosen.order_total > 1
        and chosen.windows.kind == "none"
        and chosen.adaptive.mode != "share"
    )


def lower_orders(
    chosen: RerankerSettings, told: Forecast, fit: Callable[[], Mapping[str, Any] | None]
) -> Lowered | None:
    """Say whether the test queries will be done in time and, where not, give the further orders up.

    Args:
        chosen: The reranker.
        told: What they will take.
        fit: Fits slot biases on the held-out part (`pipelines.adaptive_stage.fitted_by_halves`); None where it cannot.

    Returns:
        None where all orders are asked, since the time lasts or the table does not allow less.
    """
    if not told.is_late:
        return None
    found = fit() if may_lower(chosen) else None
    if found is None:
        logger.warning(
            "warning: at %.3g queries/s the %d test queries take %s and %s are left: about %d will keep stage 1's "
            "order",
            told.queries_per_second,
            told.queries,
            duration(told.needed),
            duration(told.left),
            told.queries - told.reached(told.needed),
        )
        return None
    missed = told.queries - told.reached(told.first_order)
    logger.warning(
        "warning: at %.3g queries/s the %d test queries take %s and %s are left: they are asked in the first of %d "
        "orders alone, its slot bias taken out, which takes about %s%s",
        told.queries_per_second,
        told.queries,
        duration(told.needed),
        duration(told.left),
        chosen.order_total,
        duration(told.first_order),
        f"; about {missed} will keep stage 1's order" if missed else "",
    )
    policies = {half: replace(policy, threshold=_ALWAYS) for half, policy in policies_of(found).items()}
    return Lowered(orders=chosen.order_total, forecast=told, policies=policies)


def warnings_of(
    lowered: Lowered | None, unreached: Mapping[str, int], names: Mapping[str, str]
) -> list[tuple[str, int]]:
    """Return what the report says of a time limit, with counts.

    Args:
        lowered: Orders that were given up.
        unreached: Queries that were not reached, by list.
        names: What a list's queries are called.
    """
    found = [(f"{names[key]} that the time limit left at stage 1's order", n) for key, n in unreached.items() if n]
    if lowered is not None:
        told = f"test queries asked in one order instead of {lowered.orders}, for the time limit"
        found.append((told, lowered.forecast.queries))
    return found
