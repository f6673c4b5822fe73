"""The config's recipe at work: texts and pairs to train on, encoders loaded as it says, one retriever trained by it."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import content_hash
from core.errors import InputError
from core.models import LocalModel, locate_model
from core.records import Question, queries_of
from pipelines.job import Job, base_model, without_hints
from pipelines.stages import Stages
from pipelines.synthetic_rows import read_rows, synthetic_rows
from pipelines.trainable_encoder import base_facts, open_to_train
from pipelines.training_settings import TrainingStage
from retrieval.pairs import TrainingPair, training_pairs
from retrieval.text import misconception_text, query_text
from retrieval.train import TrainingResult, train_retriever

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainingPart:
    """One stage of a training: its pairs, how often they are passed, and the peak learning rate."""

    pairs: list[TrainingPair]
    epochs: int
    learning_rate: float

    def facts(self) -> dict[str, Any]:
        """Return what a model trained so depends on, for manifests."""
        rows = [[p.query_key, p.query_text, p.hinted_text, p.weight, *p.labels] for p in self.pairs]
        return {"epochs": self.epochs, "learning_rate": self.learning_rate, "pairs_hash": content_hash(rows)}


def pairs_of(job: Job, questions: Sequence[Question]) -> list[TrainingPair]:
    """Return the training pairs of some questions, with and without hint where there is one."""
    queries = job.queries(questions, labelled_only=True)
    template = job.forms.query
    plain = [query_text(query, template, with_hint=False) for query in without_hints(queries)]
    hinted = [query_text(query, template) if query.hint and "hint" in template.fields else None for query in queries]
    return training_pairs(queries, plain, hinted)


def synthetic_pairs(job: Job, stage: TrainingStage, questions: Sequence[Question]) -> list[TrainingPair]:
    """Return the training pairs of a stage's synthetic rows that may teach a model fitted on `questions`.

    Raises:
        InputError: The folder cannot be read, or none of its rows may be trained on.
    """
    return _made_pairs(job, read_rows(job, Path(str(stage.folder)), questions), weight=stage.weight)


def _made_pairs(job: Job, made: Sequence[Question], *, weight: float) -> list[TrainingPair]:
    # Not `job.queries`: a hint belongs to a real question's id, which a made one may bear in its own file.
    queries = queries_of(made, labelled_only=True)
    return training_pairs(queries, [query_text(query, job.forms.query) for query in queries], weight=weight)


def bank_texts(job: Job) -> dict[int, str]:
    """Return the text of every bank entry, as trained and searched with."""
    return {entry.id: misconception_text(entry, job.forms.entry) for entry in job.bank}


def training_parts(job: Job, questions: Sequence[Question]) -> list[TrainingPart]:
    """Return the stages of a training on some questions, in order; one, on all of them, where the config names none.

    Made questions (`--synthetic`) join the only stage, or make one before it, as `[synthetic]` says.

    Raises:
        InputError: A stage's rows cannot be read, or show too few labels to draw negatives from.
    """
    training = job.settings.training
    real = pairs_of(job, questions)
    parts = []
    made = synthetic_rows(job, questions)
    if made:
        return _with_made(job, real, made)
    for stage in training.stages or (TrainingStage(),):
        pairs = real if stage.rows == "real" else synthetic_pairs(job, stage, questions)
        parts.append(
            TrainingPart(
                pairs=[*pairs, *real] if stage.rows == "both" else pairs,
                epochs=stage.epochs or training.epochs,
                learning_rate=stage.learning_rate or training.peak_rate,
            )
        )
    for part in parts:
        _check_labels(job, part.pairs)
    return parts


def _with_made(job: Job, real: list[TrainingPair], made: Sequence[Question]) -> list[TrainingPart]:
    """Return the stages of a training on real and made rows: one of both, or the made ones first."""
    training, synthetic = job.settings.training, job.settings.synthetic
    pairs = _made_pairs(job, made, weight=synthetic.weight)
    if synthetic.mode == "mixed":
        parts = [TrainingPart(pairs=[*pairs, *real], epochs=training.epochs, learning_rate=training.peak_rate)]
    else:
        first = TrainingPart(
            pairs=pairs,
            epochs=synthetic.epochs or training.epochs,
            learning_rate=synthetic.learning_rate or training.peak_rate,
        )
        parts = [first, TrainingPart(pairs=real, epochs=training.epochs, learning_rate=training.peak_rate)]
    for part in parts:
        _check_labels(job, part.pairs)
    return parts


def train_by_recipe(
    job: Job,
    questions: Sequence[Question],
    folder: Path,
    score: "Callable[[SentenceTransformer], float] | None" = None,
) -> TrainingResult:
    """Train one retriever on some questions, into `folder`.

    A training in several stages keeps the models of finished ones in `FOLDER.stages` until its end; each stage starts
    from the one before, and a run that was killed goes on in the stage that it was in.

    Args:
        job: The job; `training.models` is not read.
        questions: What it is fitted on.
        folder: Where it goes; see `train_retriever`.
        score: Validation score after each epoch of the last stage; the best epoch is kept. None keeps the last.

    Raises:
        InputError: The questions show too few labels to draw negatives from.
    """
    *first, last = training_parts(job, questions)
    start = base_model(job.settings)
    stages = Stages(folder=folder.with_name(f"{folder.name}.stages"))
    made_from: dict[str, Any] = {**base_facts(job, start), **recipe_facts(job)}
    for number, part in enumerate(first, start=1):
        made_from = {**made_from, "parts": [*made_from.get("parts", []), part.facts()]}  # also those before

        def make(target: Path, part: TrainingPart = part, start: LocalModel = start) -> None:
            _log_training(_train(job, part, start, target, base_share=0.0, score=None))

        start = locate_model(str(stages.artifact(str(number), made_from, make)))
    result = _train(job, last, start, folder, base_share=job.settings.training.base_share, score=score)
    shutil.rmtree(stages.folder, ignore_errors=True)
    _log_training(result)
    return result


def recipe_facts(job: Job) -> dict[str, Any]:
    """Return the settings that a trained model depends on, for manifests."""
    training = job.settings.training
    skipped = {"refit", "checkpoint_every", "parallel", "sharding", "stages"}
    if training.method == "full":
        skipped |= {"method", "lora"}  # so that the manifest of a model trained before there were adapters still holds
    retriever = job.settings.retriever
    return {
        "template_hash": job.forms.hash(),
        "encoder": content_hash([retriever.pooling, retriever.query_prompt, retriever.document_prompt]),
        "max_length": retriever.max_length,
        "device_dtype": [retriever.device, retriever.dtype],
        "training": {**training.model_dump(mode="json", exclude=skipped), "learning_rate": training.peak_rate},
        "bank_hash": content_hash(sorted(bank_texts(job).items())),
    }


def _train(
    job: Job,
    part: TrainingPart,
    start: LocalModel,
    folder: Path,
    *,
    base_share: float,
    score: "Callable[[SentenceTransformer], float] | None",
) -> TrainingResult:
    training, retriever = job.settings.training, job.settings.retriever
    encoder = open_to_train(job, start)
    return train_retriever(
        encoder.model,
        part.pairs,
        bank_texts(job),
        output_dir=folder,
        epochs=part.epochs,
        batch_size=training.batch_size,
        learning_rate=part.learning_rate,
        lora_b_ratio=training.lora.b_ratio,
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
        base_share=base_share,
        query_prompt=encoder.query_prompt,
        document_prompt=encoder.document_prompt,
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


def _check_labels(job: Job, pairs: Sequence[TrainingPair]) -> None:
    """Refuse, before any model loads, too few labels to draw negatives from."""
    training = job.settings.training
    labels = len({label for pair in pairs for label in pair.labels})
    if training.negatives_from == "seen" and labels <= training.negatives:
        raise InputError(
            f"the {len(pairs)} training rows show {labels} different labels, too few to draw "
            f"{training.negatives} negatives a row from; set training.negatives_from=bank, or fewer negatives"
        )


def _log_training(result: TrainingResult) -> None:
    logger.info(
        "trained %d steps in %.0f s; %.0f effective negatives a row; dropped by guards: %s",
        result.steps,
        result.seconds,
        result.effective_negatives,
        result.dropped,
    )
