"""The part of `train_reranker.py` that trains cross-encoders, on real questions and on made ones."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.artifacts import content_hash
from core.models import LocalModel, locate_model
from core.stage_one_fusion import fuse_with_stage_one
from pipelines.job import Job, fingerprints
from pipelines.out_of_fold import OutOfFold
from pipelines.plan import precision_metric
from pipelines.precisions import DTYPES
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import reranker_candidate_text, reranker_query_text, reranker_texts_hash, resolve_reranker
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on, told_losses, warn_of_overlap
from rerank.reranker import Reranker
from rerank.train_cross_encoder import TrainedCrossEncoder, train_cross_encoder

logger = logging.getLogger(__name__)

KIND = "cross-encoder"
NOT_IN_RESULT = {"base", "base_revision", "folds", "fold_models", "score_weight", "checkpoint_steps"}
"""Training settings that reach the manifest by another key, or that change no weight."""


def trained_reranker(one: StageOneRun, found: OutOfFold, output: Path, stages: Stages) -> Path:
    """Return the folder of a cross-encoder trained by the config's recipe; reused while nothing changed.

    Args:
        one: Stage 1; with `reranker_training.patience` its held-out part chooses the epoch.
        found: The candidates to train on.
        output: Where the model goes.
        stages: Records the stage.
    """
    job = one.job
    base = _base(one)
    if found.weights and job.settings.synthetic.mode == "first":
        base = _made_first(one, found, stages)
        found = found.part(slice(0, found.real))
    stops_early = job.settings.reranker_training.patience is not None
    seen_before = fitted_on(base)  # what the base has by heart, the reranker has too
    warn_of_overlap(base.name, seen_before, fingerprints(one.plan.validation))
    made_from: dict[str, Any] = {
        "artifact": "reranker",
        "kind": KIND,
        "model": base.name,
        "revision": base.revision,
        "texts": reranker_texts_hash(job),
        "bank_hash": content_hash([[entry.id, reranker_candidate_text(job)(entry)] for entry in job.bank]),
        "queries": one.queries_hash(found.queries),
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in found.candidates]),
        "training": job.settings.reranker_training.model_dump(mode="json", exclude=NOT_IN_RESULT),
        "device": job.settings.retriever.device,
        **({"weights": content_hash(found.weights)} if found.weights else {}),
        "scored": _score_key(one) if stops_early else None,
        "fitted_on": sorted(seen_before | set(fingerprints(one.plan.fit))),
        "scored_on": fingerprints(one.plan.validation) if stops_early else [],
    }

    def make(folder: Path) -> None:
        score = validation_score(one) if stops_early else None
        _log_training(_train(job, base, found, folder, score))

    # The model lies outside the work folder, but its stage is told with the others.
    return Stages(folder=output.parent, records=stages.records).artifact(output.name, made_from, make)


def _made_first(one: StageOneRun, found: OutOfFold, stages: Stages) -> LocalModel:
    """Return a cross-encoder trained on the made rows alone: what training on real ones starts from."""
    job, synthetic = one.job, one.job.settings.synthetic
    training = job.settings.reranker_training
    own: dict[str, Any] = {"epochs": synthetic.epochs or training.epochs, "patience": None}
    if synthetic.learning_rate is not None:
        own["learning_rate"] = synthetic.learning_rate
    settings = job.settings.model_copy(update={"reranker_training": training.model_copy(update=own)})
    base, made = _base(one), found.part(slice(found.real, None))
    made_from: dict[str, Any] = {
        "artifact": "reranker trained on made questions",
        "model": base.name,
        "revision": base.revision,
        "texts": reranker_texts_hash(job),
        "bank_hash": job.bank_hash,
        "queries": one.queries_hash(made.queries),
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in made.candidates]),
        "training": settings.reranker_training.model_dump(mode="json", exclude=NOT_IN_RESULT),
        "device": job.settings.retriever.device,
        "fitted_on": sorted(fitted_on(base)),
    }
    folder = stages.artifact(
        "reranker-made-first",
        made_from,
        lambda target: _log_training(_train(replace(job, settings=settings), base, made, target, None)),
    )
    return locate_model(str(folder))


def validation_score(one: StageOneRun) -> Callable[[Reranker], float]:
    """Return MAP@25 of a reranker in memory on the held-out part, fused with stage 1 at `score_weight`."""
    weight = one.job.settings.reranker_training.score_weight
    depth = resolve_reranker("identity", one.job.settings).candidates
    queries, candidates = one.plan.queries, one.validation_candidates()
    cut = [ranking.top(depth) for ranking in candidates]
    metric = precision_metric(queries)

    def score(reranker: Reranker) -> float:
        reranked = reranker.rerank(queries, cut, one.job.bank)
        return float(metric(fuse_with_stage_one(candidates, reranked, weight=weight)).mean())

    return score


def _base(one: StageOneRun) -> LocalModel:
    training = one.job.settings.reranker_training
    return one.fitted.model if training.base is None else locate_model(training.base, revision=training.base_revision)


def _score_key(one: StageOneRun) -> str:
    """Return what the validation score depends on, besides the model."""
    weight = one.job.settings.reranker_training.score_weight
    rows = [[ranking.key, ranking.ids.tolist()] for ranking in one.validation_candidates()]
    return content_hash([weight, rows, one.queries_hash(one.plan.queries)])


def _train(
    job: Job, base: LocalModel, found: OutOfFold, folder: Path, score: Callable[[Reranker], float] | None
) -> TrainedCrossEncoder:
    training = job.settings.reranker_training
    return train_cross_encoder(
        base.folder,
        found.queries,
        found.candidates,
        job.bank,
        query_text=reranker_query_text(job),
        candidate_text=reranker_candidate_text(job),
        output_dir=folder,
        epochs=training.epochs,
        group_size=training.group_size,
        window=training.window,
        batch_queries=training.batch_queries,
        micro_queries=training.micro_queries,
        learning_rate=training.learning_rate,
        warmup=training.warmup_ratio,
        weight_decay=training.weight_decay,
        dropout=training.dropout,
        hint_dropout=training.hint_dropout,
        max_length=training.max_length,
        use_stage_one=training.use_stage_one,
        stage_one_weight=training.stage_one_weight,
        provenance=found.provenance,
        groups=found.groups,
        weights=found.weights,
        seed=training.seed,
        device=job.settings.retriever.device,
        precision=DTYPES[training.precision],
        score=score,
        patience=training.patience,
        checkpoint_steps=training.checkpoint_steps,
    )


def _log_training(result: TrainedCrossEncoder) -> None:
    logger.info(
        "trained %d epochs over %d groups; losses %s",
        result.epochs,
        result.groups,
        told_losses(result.losses, result.scores, result.best_epoch),
    )
