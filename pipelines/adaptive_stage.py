"""When a listwise reranker's first order is enough: fitted on held-out queries that were asked in every order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.order_scores import OrderScores
from core.records import FloatArray, Query, Ranking
from pipelines.plan import precision_metric
from pipelines.reranker_settings import RerankerSettings
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
    for record in orders:
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
