"""When a listwise reranker's first order is enough: fitted on held-out queries that were asked in every order.

Fitted on the whole held-out part for the test file, and on each half, so that the held-out part's own numbers can be
those of the same rule: each half is ranked by what the other gave.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from core.fusion import log_softmax
from core.order_scores import OrderScores
from core.records import FloatArray, Query, Ranking
from pipelines.plan import Plan, precision_metric
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import HALVES, Half
from pipelines.stage_two import StageTwoWeights, apply_stage_two
from rerank.adaptive import AdaptivePolicy, fit_adaptive
from rerank.listwise_run import QueryScores


def fitted_adaptive(
    chosen: RerankerSettings,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    orders: Sequence[OrderScores],
    weights: StageTwoWeights,
) -> dict[str, Any]:
    """Fit the slot bias and the margin at which further orders change MAP@25 (fused with stage 1) by too little.

    Args:
        chosen: The reranker.
        queries: Labelled queries.
        candidates: Stage 1's rankings of them.
        reranked: The reranker's, all orders averaged.
        orders: The scores by slot, every query in every order, no windows.
        weights: The fusion that the rankings will go through.

    Returns:
        `policy` (see `AdaptivePolicy.to_json`), what it does to MAP@25, and the `curve`: rows of skip share, MAP@25 and
        threshold. A policy that never skips where no query had a choice.
    """
    by_key: dict[str, list[OrderScores]] = {}
    asked = {query.key for query in queries}
    for record in orders:
        if record.key in asked:
            by_key.setdefault(record.key, []).append(record)
    if not by_key:
        return {"policy": AdaptivePolicy(threshold=float("inf"), slot_bias={}).to_json(), "curve": []}
    read = [
        QueryScores(
            key=ranking.key,
            ids=ranking.ids,
            logprobs=ranking.scores,
            none_logprob=None,
            orders=tuple(by_key.get(ranking.key, ())),
            skipped=0,
            prompt_tokens=0,
            cut_tokens=0,
        )
        for ranking in reranked
    ]
    metric = precision_metric(queries)
    plain = StageTwoWeights(weight=weights.weight, prior=0.0, prior_gain=None, temperature=weights.temperature)

    def precision(rankings: Sequence[Ranking]) -> FloatArray:
        return metric(apply_stage_two(chosen, candidates, rankings, plain, seen=frozenset()))

    policy, fitted = fit_adaptive(read, precision, tolerance=chosen.adaptive.tolerance)
    curve = [[share, score, threshold if np.isfinite(threshold) else None] for share, score, threshold in fitted.curve]
    return {
        "policy": policy.to_json(),
        "skip_share": fitted.skip_share,
        "map_at_share": fitted.score,
        "map_all_orders": fitted.all_orders,
        "map_first_order": fitted.first_order,
        "curve": curve,
    }


def fitted_by_halves(
    chosen: RerankerSettings,
    plan: Plan,
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    orders: Sequence[OrderScores],
    weights: Mapping[Half, StageTwoWeights],
) -> dict[str, Any]:
    """Fit on the whole held-out part and on each half of it.

    Args:
        chosen: The reranker.
        plan: Holds the held-out queries and their halves.
        candidates: Stage 1's rankings of them.
        reranked: The reranker's, all orders averaged.
        orders: The scores by slot.
        weights: The fusion fitted on each part.

    Returns:
        What `fitted_adaptive` gives for the whole part, and under `halves` the same for each half, without its curve.
    """

    def fitted(half: Half) -> dict[str, Any]:
        rows = plan.rows(half)
        queries, first = [plan.queries[row] for row in rows], [candidates[row] for row in rows]
        return fitted_adaptive(chosen, queries, first, [reranked[row] for row in rows], orders, weights[half])

    halves = [{key: value for key, value in fitted(half).items() if key != "curve"} for half in (0, 1)]
    return {**fitted(None), "halves": halves}


def policies_of(found: Mapping[str, Any]) -> dict[Half, AdaptivePolicy]:
    """Return what `fitted_by_halves` fitted, by the part that it was fitted on."""
    fitted = {None: found, 0: found["halves"][0], 1: found["halves"][1]}
    return {half: AdaptivePolicy.from_json(fitted[half]["policy"]) for half in HALVES}


def first_order_rankings(policy: AdaptivePolicy, orders: Iterable[OrderScores]) -> dict[str, Ranking]:
    """Return the rankings of the queries that a policy asks in their first order alone, as the reranker makes them.

    Args:
        policy: Decides after the first order.
        orders: Scores by slot of lists asked whole; orders behind the first are not looked at.

    Returns:
        By query: log-probabilities over its candidates and "none of these", the slot bias taken out.
    """
    found: dict[str, Ranking] = {}
    for record in orders:
        debiased = policy.debias(record.logprobs)
        if record.order == 0 and policy.is_sure(debiased):
            none = [] if record.none_logprob is None else [record.none_logprob]
            scores = log_softmax(np.append(debiased, none))[: len(record.ids)]
            found[record.key] = Ranking.from_scores(record.key, record.ids, scores)
    return found


def first_order_by_halves(
    plan: Plan, policies: Mapping[Half, AdaptivePolicy], orders: Sequence[OrderScores]
) -> dict[str, Ranking]:
    """Return what `first_order_rankings` gives for held-out queries, each half by the policy fitted on the other."""
    half_of = {query.key: half for query, half in zip(plan.queries, plan.half, strict=True)}
    found: dict[str, Ranking] = {}
    for half in (0, 1):
        found |= first_order_rankings(policies[1 - half], [record for record in orders if half_of[record.key] == half])
    return found
