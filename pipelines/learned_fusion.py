"""The learned fusion of stage 1: the base model's vectors that it compares, and the fit of its linear score."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError, ModelError
from core.fitting import query_weights
from core.linear_fusion import fit_linear_scores
from core.models import LocalModel
from core.records import FloatArray, Query, Ranking
from pipelines.job import Job, base_model, check_length
from pipelines.stage_one_weights import StageOneRuns, StageOneWeights, expected_share, summed
from pipelines.view_vectors import ViewVectors, encoder_key
from retrieval.encoder_pool import EncoderPool
from retrieval.text import MisconceptionTemplate, QueryTemplate

_LEARNED_ONLY = {"views", "window", "penalty"}


def fusion_views(job: Job, folder: Path, *, pool: EncoderPool | None = None) -> ViewVectors:
    """Return the vectors that `fusion.views` asks for, by the model that the retriever starts from.

    Args:
        job: The job.
        folder: Keeps the vectors: `fusion-queries.safetensors` and `fusion-bank.safetensors`.
        pool: Where that model takes its turn with the retriever's: two may not fit the memory.

    Raises:
        ConfigError: `retriever.max_length` is beyond the model's limit.
        ModelError: The model is not there.
    """
    latex = job.settings.text.latex
    return ViewVectors(
        job,
        _base(job),
        queries={" + ".join(fields): QueryTemplate(fields=fields, latex=latex) for fields in job.settings.fusion.views},
        bank={"name": MisconceptionTemplate(latex=latex)},
        folder=folder,
        name="fusion",
        beside=False,
        pool=pool,
    )


def _base(job: Job) -> LocalModel:
    try:
        model = base_model(job.settings)
    except ModelError as error:
        raise ModelError(
            f"retriever.model: fusion.method learned reads the config's model too, also where --retriever gives "
            f"another; {error}"
        ) from error
    check_length(model, job.settings)
    return model


def scored_window(job: Job) -> int:
    """Return how many candidates of a query the linear score is fitted and used on: at least those that are kept."""
    return max(job.settings.fusion.window, job.settings.candidates)


def fusion_made_from(job: Job) -> dict[str, Any]:
    """Return what a fusion depends on beside weights, queries and retriever, for manifests."""
    fusion = job.settings.fusion
    if not fusion.learned:
        return {"fusion": fusion.model_dump(mode="json", exclude=_LEARNED_ONLY)}
    base = _base(job)
    return {
        "fusion": fusion.model_dump(mode="json"),
        "views": [base.revision, encoder_key(job, base, beside=False), job.settings.text.latex],
        "window": scored_window(job),
    }


def with_channels(
    job: Job,
    runs: StageOneRuns,
    weights: StageOneWeights,
    rows: Sequence[int],
    queries: Sequence[Query],
    unseen: Sequence[bool],
) -> StageOneWeights:
    """Return weights with a linear score fitted on the candidates that the retrievers' sum gives.

    Args:
        job: The job; its config holds the share of unseen labels to fit for.
        runs: What the retrievers and channels say of an inner split's queries.
        weights: Those of the sum.
        rows: Which queries to fit on.
        queries: The split's queries.
        unseen: For each of them, whether none of its labels occurs in training.

    Raises:
        InputError: None of the queries has a label among its candidates.
        ValueError: The runs have no channels.
    """
    part, mask = runs.part(rows), [unseen[row] for row in rows]
    if part.channels is None:
        raise ValueError("a learned fusion needs channels beside the runs; there are none")
    first = summed(part, weights, method=job.settings.fusion.method, top=scored_window(job))
    fitted = fitted_channels(
        job, part.channels.features(first, part.single), first, [queries[row] for row in rows], mask
    )
    return replace(weights, channels=dict(zip(part.channels.names(part.single), fitted.tolist(), strict=True)))


def fitted_channels(
    job: Job,
    features: Sequence[FloatArray],
    candidates: Sequence[Ranking],
    queries: Sequence[Query],
    unseen: Sequence[bool],
) -> FloatArray:
    """Return the weights of a linear score over channels, for the share of unseen labels that the config expects.

    Args:
        job: The job.
        features: n matrices, shape (candidates, columns).
        candidates: n rankings.
        queries: n labelled queries.
        unseen: For each of them, whether none of its labels occurs in training.

    Returns:
        float64, shape (columns,).

    Raises:
        InputError: None of the queries has a label among its candidates.
    """
    right = [np.isin(ranking.ids, query.labels) for ranking, query in zip(candidates, queries, strict=True)]
    if not any(hits.any() for hits in right):
        raise InputError(
            f"fusion.method learned: none of {len(right)} held-out queries has its label among "
            f"{max(map(len, candidates), default=0)} candidates, so there is nothing to fit on; use method scores, or "
            "a larger fusion.window"
        )
    return fit_linear_scores(
        features,
        right,
        query_weights=query_weights(unseen, expected_share(job, unseen)),
        penalty=job.settings.fusion.penalty,
    )
