"""The stage that trains a retriever on some questions and leaves a plain sentence-transformers folder."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import content_hash, read_manifest
from core.errors import InputError
from core.models import LocalModel
from core.records import Question
from eval.splits import seen_labels
from pipelines.job import Job, base_model, check_model_folder, fingerprints, without_hints
from pipelines.stages import Stages
from retrieval.encoder import SentenceEncoder
from retrieval.pairs import TrainingPair, training_pairs
from retrieval.text import misconception_text, query_text
from retrieval.train import TrainingResult, train_retriever

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


def pairs_of(job: Job, questions: Sequence[Question]) -> list[TrainingPair]:
    """Return the training pairs of some questions, with and without hint where there is one."""
    queries = job.queries(questions, labelled_only=True)
    template = job.forms.query
    plain = [query_text(query, template, with_hint=False) for query in without_hints(queries)]
    hinted = [query_text(query, template) if query.hint and "hint" in template.fields else None for query in queries]
    return training_pairs(queries, plain, hinted)


def bank_texts(job: Job) -> dict[int, str]:
    """Return the text of every bank entry, as trained and searched with."""
    return {entry.id: misconception_text(entry, job.forms.entry) for entry in job.bank}


def training_manifest(job: Job, questions: Sequence[Question], scored_on: Sequence[Question]) -> dict[str, Any]:
    """Return everything that a retriever trained on `questions` depends on."""
    base = base_model(job.settings)
    retriever = job.settings.retriever
    return {
        "artifact": "retriever",
        "model": base.name,
        "revision": base.revision,
        "template_hash": job.forms.hash(),
        "encoder": content_hash([retriever.pooling, retriever.query_prompt, retriever.document_prompt]),
        "max_length": retriever.max_length,
        "device_dtype": [retriever.device, retriever.dtype],
        "training": job.settings.training.model_dump(mode="json", exclude={"refit", "checkpoint_every"}),
        "pairs_hash": content_hash(
            [[p.query_key, p.query_text, p.hinted_text, *p.labels] for p in pairs_of(job, questions)]
        ),
        "bank_hash": content_hash(sorted(bank_texts(job).items())),
        "fitted_on": fingerprints(questions),
        "scored_on": fingerprints(scored_on),
        "scored": _scored_hash(job, scored_on) if scored_on else None,
    }


def _scored_hash(job: Job, questions: Sequence[Question]) -> str:
    template = job.forms.query
    queries = job.queries(questions, labelled_only=True)
    return content_hash([[query.key, query_text(query, template), *query.labels] for query in queries])


def trained_retriever(
    job: Job,
    stages: Stages,
    name: str,
    questions: Sequence[Question],
    *,
    scored_on: Sequence[Question] = (),
    score: "Callable[[SentenceTransformer], float] | None" = None,
    report: Callable[[TrainingResult], None] = lambda result: None,
) -> Path:
    """Return the folder of a retriever trained on `questions` by the config's recipe; reused while nothing changed.

    Args:
        job: The job.
        stages: Runs the stage and keeps its artifact.
        name: The artifact's name.
        questions: What it is fitted on.
        scored_on: The questions behind `score`, for the manifest.
        score: Validation score after each epoch; the best epoch is kept. None keeps the last.
        report: Receives what the training made; not called where the artifact is reused.
    """

    def make(folder: Path) -> None:
        check_model_folder(folder)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
        report(_train(job, questions, folder, score))

    return stages.artifact(name, training_manifest(job, questions, scored_on), make)


def fitted_on(model: LocalModel | None) -> frozenset[str]:
    """Return the fingerprints of the questions that a model of this project was fitted on; none where unknown."""
    return frozenset(own_manifest(model).get("fitted_on") or ())


def chosen_on(model: LocalModel | None) -> frozenset[str]:
    """Return the fingerprints of the questions that chose a model's epoch; none where unknown."""
    return frozenset(own_manifest(model).get("scored_on") or ())


def warn_of_overlap(base: LocalModel, seen: frozenset[str], validation: Sequence[str]) -> None:
    """Warn where a base was fitted on held-out questions.

    Args:
        base: What a reranker starts from.
        seen: Fingerprints of the questions that it was fitted on.
        validation: Those of the held-out part.
    """
    if overlap := len(seen.intersection(validation)):
        logger.warning(
            "warning: %s was fitted on %d of the %d held-out questions: numbers on them are too good, and "
            "ablate_rerankers.py will refuse the result",
            base.name,
            overlap,
            len(validation),
        )


def own_manifest(model: LocalModel | None) -> dict[str, Any]:
    """Return what a model of this project was made from; empty where the model is somebody else's."""
    try:
        return (read_manifest(model.folder) if model is not None else None) or {}
    except InputError:
        return {}  # the folder's `manifest.json` is somebody else's, and so is the model


def load_encoder(job: Job, folder: Path | str) -> SentenceEncoder:
    """Load an encoder the way the config says.

    A folder that this project trained names its own pooling; the config's pooling is for bare transformers.
    """
    _quiet_loading()
    retriever = job.settings.retriever
    own = (Path(folder) / "modules.json").is_file()
    return SentenceEncoder.load(
        str(folder),
        pooling="model" if own else retriever.pooling,
        query_prompt=retriever.query_prompt,
        document_prompt=retriever.document_prompt,
        device=retriever.device,
        dtype=retriever.dtype,
        max_length=retriever.max_length,
        batch_size=retriever.batch_size,
        trust_remote_code=retriever.trust_remote_code,
        devices=retriever.devices or None,
    )


def _train(
    job: Job,
    questions: Sequence[Question],
    folder: Path,
    score: "Callable[[SentenceTransformer], float] | None",
) -> TrainingResult:
    _check_labels(job, questions)
    _quiet_loading()
    training, retriever = job.settings.training, job.settings.retriever
    base = base_model(job.settings)
    own = (base.folder / "modules.json").is_file()
    # Weights are trained in float32 (bf16 is an autocast around them): AdamW at 1e-4 is lost in bf16's 8 bits.
    encoder = SentenceEncoder.load(
        str(base.folder),
        pooling="model" if own else retriever.pooling,
        device=retriever.device,
        dtype="float32",
        trust_remote_code=retriever.trust_remote_code,
    )
    result = train_retriever(
        encoder.model,
        pairs_of(job, questions),
        bank_texts(job),
        output_dir=folder,
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        temperature=training.temperature,
        negatives_per_query=training.negatives,
        negatives_from=training.negatives_from,
        mine_every=training.mine_every,
        first_negatives=training.first_negatives,
        rank_window=(training.window_from, training.window_to),
        skip_top=training.skip_top,
        absolute_margin=training.absolute_margin,
        relative_margin=training.relative_margin,
        near_duplicate_threshold=training.near_duplicate_threshold,
        unique_columns=True,
        hint_dropout=training.hint_dropout,
        base_share=training.base_share,
        query_prompt=retriever.query_prompt,
        document_prompt=retriever.document_prompt,
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        mini_batch_size=training.mini_batch_size,
        chunk_rows=training.chunk_rows,
        gradient_checkpointing=training.gradient_checkpointing,
        precision=training.precision,
        max_length=retriever.max_length,
        freeze_embeddings=training.freeze_embeddings,
        trainable_layers=training.trainable_layers,
        seed=training.seed,
        score=score,
        evaluate_every=training.evaluate_every,
        patience=training.patience,
        checkpoint_every=training.checkpoint_every,
        mining_batch_size=retriever.batch_size,
    )
    _log_training(result)
    return result


def _check_labels(job: Job, questions: Sequence[Question]) -> None:
    """Refuse, before any model loads, too few labels to draw negatives from."""
    training = job.settings.training
    labels = len(seen_labels(questions))
    if training.negatives_from == "seen" and labels <= training.negatives:
        raise InputError(
            f"the {len(questions)} training questions show {labels} different labels, too few to draw "
            f"{training.negatives} negatives a row from; set training.negatives_from=bank, or fewer negatives"
        )


def _quiet_loading() -> None:
    """Keep back the bars that transformers draws for every file it loads or writes."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()


def _log_training(result: TrainingResult) -> None:
    logger.info(
        "trained %d steps in %.0f s; %.0f effective negatives a row; dropped by guards: %s",
        result.steps,
        result.seconds,
        result.effective_negatives,
        result.dropped,
    )
