"""The part of `train_reranker.py` that trains cross-encoders, on real questions and on made ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.artifacts import content_hash
from core.models import LocalModel, locate_model
from pipelines.job import Job
from pipelines.out_of_fold import OutOfFold
from pipelines.precisions import DTYPES
from pipelines.reranker_training import (
    first_recipe,
    log_training,
    result_facts,
    rows_facts,
    training_stages,
    validation_map,
    validation_rows,
)
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import reranker_candidate_text, reranker_query_text, reranker_texts_hash, resolve_reranker
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on
from pipelines.training_settings import RerankerTrainingSettings
from rerank.reranker import Reranker
from rerank.train_cross_encoder import train_cross_encoder

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
    training, base = job.settings.reranker_training, _base(one)
    made, found = training_stages(one, found)
    if made is not None:
        base = _made_first(one, made, stages)
    stops_early = training.patience is not None
    made_from: dict[str, Any] = {
        **rows_facts(one, base, found, training, left_out=NOT_IN_RESULT),
        **result_facts(one, base, found, scored=_score_key(one) if stops_early else None),
        "kind": KIND,
        "texts": reranker_texts_hash(job),
        "bank_hash": content_hash([[entry.id, reranker_candidate_text(job)(entry)] for entry in job.bank]),
        "queries": one.queries_hash(found.queries),
    }

    def make(folder: Path) -> None:
        _train(job, training, base, found, folder, validation_score(one) if stops_early else None)

    # The model lies outside the work folder, but its stage is told with the others.
    return Stages(folder=output.parent, records=stages.records).artifact(output.name, made_from, make)


def _made_first(one: StageOneRun, made: OutOfFold, stages: Stages) -> LocalModel:
    """Return a cross-encoder trained on the made rows alone: what training on real ones starts from."""
    job, base = one.job, _base(one)
    training = first_recipe(job.settings.reranker_training, job.settings.synthetic)
    made_from: dict[str, Any] = {
        **rows_facts(one, base, made, training, left_out=NOT_IN_RESULT),
        "artifact": "reranker trained on made questions",
        "texts": reranker_texts_hash(job),
        "bank_hash": job.bank_hash,
        "queries": one.queries_hash(made.queries),
        "fitted_on": sorted(fitted_on(base)),
    }
    folder = stages.artifact(
        "reranker-made-first", made_from, lambda target: _train(job, training, base, made, target, None)
    )
    return locate_model(str(folder))


def validation_score(one: StageOneRun) -> Callable[[Reranker], float]:
    """Return MAP@25 of a reranker in memory on the held-out part, fused with stage 1 at `score_weight`."""
    settings = one.job.settings
    depth = resolve_reranker("identity", settings).candidates
    return validation_map(one, weight=settings.reranker_training.score_weight, depth=depth)


def _base(one: StageOneRun) -> LocalModel:
    training = one.job.settings.reranker_training
    return one.fitted.model if training.base is None else locate_model(training.base, revision=training.base_revision)


def _score_key(one: StageOneRun) -> str:
    """Return what the validation score depends on, besides the model."""
    weight = one.job.settings.reranker_training.score_weight
    return content_hash([weight, validation_rows(one), one.queries_hash(one.plan.queries)])


def _train(
    job: Job,
    training: RerankerTrainingSettings,
    base: LocalModel,
    found: OutOfFold,
    folder: Path,
    score: Callable[[Reranker], float] | None,
) -> None:
    made = train_cross_encoder(
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
    log_training(made, f"{made.groups} groups")
