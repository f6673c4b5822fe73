"""Stage 2's weights: a reranker fused with stage 1 at a fitted temperature and weight, and the prior for unseen labels.

What a reranker is and how it opens is in `pipelines.open_reranker`; its names may be imported from here.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from core.calibration import fit_temperature, label_places, temper_rankings
from core.fitting import fit_weight, reweighted_mean
from core.fusion import add_unseen_prior
from core.prior import fit_unseen_prior
from core.records import Query, Ranking
from core.stage_one_fusion import fuse_with_stage_one
from pipelines.job import Job, fingerprints
from pipelines.open_reranker import (
    KINDS,
    check_reranker,
    check_reranker_texts,
    open_reranker,
    parts_of,
    reranker_made_from,
    reranker_models,
    resolve_reranker,
)
from pipelines.plan import Plan, precision_metric
from pipelines.reranker_settings import RerankerSettings
from pipelines.reranker_texts import reranker_candidate_text, reranker_query_text, reranker_texts_hash
from pipelines.stage_one_weights import expected_share
from pipelines.train_stage import fitted_on

__all__ = [
    "KINDS",
    "StageTwoWeights",
    "apply_stage_two",
    "check_reranker",
    "check_reranker_texts",
    "fit_stage_two",
    "none_logprobs",
    "open_reranker",
    "parts_of",
    "reranker_candidate_text",
    "reranker_made_from",
    "reranker_models",
    "reranker_query_text",
    "reranker_texts_hash",
    "resolve_reranker",
    "tempered_rankings",
    "warn_of_overlap",
]

logger = logging.getLogger(__name__)

_LEAST_NONE = 1e-12
"""Probability that "none of these" has at least: rounding must not make it nought."""


@dataclass(frozen=True, kw_only=True)
class StageTwoWeights:
    """How a reranker's scores are mixed with stage 1, and the prior that is added.

    Attributes:
        weight: The reranker's share, 0 to 1.
        prior: Added to the score of every entry without a training example; 0 is off.
        prior_gain: MAP@25 with the prior minus without, cross-fitted on the inner split; None where it was not fitted.
        temperature: Divides the reranker's log-probabilities before anything else; 1 where it was not fitted.
    """

    weight: float
    prior: float
    prior_gain: float | None
    temperature: float = 1.0

    def to_json(self) -> dict[str, float | None]:
        """Return the weights for a file."""
        return asdict(self)


def fit_stage_two(
    job: Job,
    plan: Plan,
    chosen: RerankerSettings,
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    *,
    half: int | None,
    seen: frozenset[int],
) -> StageTwoWeights:
    """Fit the temperature, the fusion weight, then the prior, on one half of the validation part (None: all of it).

    Queries that the reranker did not reach in time (empty rankings) tell nothing of it and are left out; with none
    left its weight is 0.

    Args:
        job: The job.
        plan: Holds the validation queries.
        chosen: The reranker; its grid of weights.
        candidates: Stage 1's rankings of the validation queries.
        reranked: The reranker's.
        half: Which half to fit on.
        seen: The labels with a training example.
    """
    rows = [row for row in plan.rows(half) if len(reranked[row]) or chosen.kind == "identity"]
    if not rows:
        logger.warning("warning: no held-out query was reranked in time: the reranker's weight is 0")
        return StageTwoWeights(weight=0.0, prior=0.0, prior_gain=None)
    mask = [plan.unseen[row] for row in rows]
    share = expected_share(job, mask)
    queries = [plan.queries[row] for row in rows]
    metric = precision_metric(queries)
    first, second = [candidates[row] for row in rows], [reranked[row] for row in rows]
    temperature = _fitted_temperature(chosen, second, queries)
    second = tempered_rankings(chosen, second, temperature)

    def score(weight: float) -> float:
        return reweighted_mean(metric(_mixed(chosen, first, second, weight)), mask, share)

    weight = 0.0 if chosen.kind == "identity" else fit_weight(chosen.weights, score).value
    if not job.settings.prior.enabled or len(set(mask)) < 2:
        return StageTwoWeights(weight=weight, prior=0.0, prior_gain=None, temperature=temperature)
    prior = fit_unseen_prior(
        _mixed(chosen, first, second, weight),
        [query.labels for query in queries],
        seen,
        grid=job.settings.prior.grid,
        unseen_share=share,
        metric=lambda rankings, _: metric(rankings),
    )
    gain = prior.with_prior - prior.without_prior
    return StageTwoWeights(weight=weight, prior=prior.value, prior_gain=gain, temperature=temperature)


def warn_of_overlap(job: Job, chosen: RerankerSettings, spec: str, plan: Plan) -> None:
    """Say how many of the held-out questions a reranker was fitted on."""
    known: set[str] = set()
    for model in reranker_models(chosen, job.settings):
        known |= fitted_on(model)
    held_out = fingerprints(plan.validation)
    if overlap := len(known.intersection(held_out)):
        logger.warning(
            "warning: reranker %s was fitted on %d of the %d questions that its weight is fitted on: it will be "
            "trusted too much; train one with the same --train and the same [split]",
            spec,
            overlap,
            len(held_out),
        )


def _fitted_temperature(chosen: RerankerSettings, reranked: Sequence[Ranking], queries: Sequence[Query]) -> float:
    if not (chosen.reads_language_model and chosen.fit_temperature):
        return 1.0
    asked = [place for place, ranking in enumerate(reranked) if len(ranking) > 1]  # one alone is not asked about
    lists = [reranked[place] for place in asked]
    fitted = fit_temperature(
        [ranking.scores for ranking in lists],
        label_places(lists, [queries[place].labels for place in asked]),
        none_scores=none_logprobs(lists) if chosen.prompt.none_label else None,
    )
    if fitted.at_bound:
        logger.warning(
            "warning: the best temperature lies on the edge of its range (%.3g): look at the scores", fitted.temperature
        )
    return fitted.temperature


def none_logprobs(rankings: Sequence[Ranking]) -> list[float]:
    """Return the log-probability of "none of these" of each ranking: what its candidates leave of 1."""
    left = [1.0 - float(np.exp(ranking.scores).sum()) for ranking in rankings]
    return [float(np.log(max(share, _LEAST_NONE))) for share in left]


def tempered_rankings(chosen: RerankerSettings, reranked: Sequence[Ranking], temperature: float) -> list[Ranking]:
    """Return a reranker's rankings at a temperature; 1 leaves them as they are, and a candidate alone was not asked."""
    if temperature == 1.0:
        return list(reranked)
    nones = none_logprobs(reranked) if chosen.prompt.none_label else None
    made = temper_rankings(reranked, temperature, none_scores=nones)
    return [raw if len(raw) == 1 else new for raw, new in zip(reranked, made, strict=True)]


def apply_stage_two(
    chosen: RerankerSettings,
    candidates: Sequence[Ranking],
    reranked: Sequence[Ranking],
    weights: StageTwoWeights,
    *,
    seen: frozenset[int],
) -> list[Ranking]:
    """Return the final rankings: reranker and stage 1 mixed, the prior added.

    Where the reranker did not reach a query (an empty ranking) stage 1's order stays.
    """
    mixed = _mixed(chosen, candidates, tempered_rankings(chosen, reranked, weights.temperature), weights.weight)
    return add_unseen_prior(mixed, seen=seen, prior=weights.prior) if weights.prior else mixed


def _mixed(
    chosen: RerankerSettings, candidates: Sequence[Ranking], reranked: Sequence[Ranking], weight: float
) -> list[Ranking]:
    if chosen.kind == "identity" or weight == 0.0:
        return list(candidates)
    return fuse_with_stage_one(candidates, reranked, weight=weight, form=chosen.fusion)
