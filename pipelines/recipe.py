"""The config's recipe at work: texts and pairs to train on, encoders loaded as it says, one retriever trained by it."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.device import Dtype
from core.errors import InputError
from core.records import Question
from eval.splits import seen_labels
from pipelines.job import Job, base_model, without_hints
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


def load_encoder(job: Job, folder: Path | str, *, dtype: Dtype | None = None) -> SentenceEncoder:
    """Load an encoder the way the config says.

    A folder that this project trained names its own pooling; the config's pooling is for bare transformers.

    Args:
        job: The job.
        folder: The model.
        dtype: Instead of the config's, on one device: to train.
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
        dtype=retriever.dtype if dtype is None else dtype,
        max_length=retriever.max_length,
        batch_size=retriever.batch_size,
        trust_remote_code=retriever.trust_remote_code,
        devices=(retriever.devices or None) if dtype is None else None,
    )


def train_by_recipe(
    job: Job,
    questions: Sequence[Question],
    folder: Path,
    score: "Callable[[SentenceTransformer], float] | None" = None,
) -> TrainingResult:
    """Train one retriever on some questions, into `folder`.

    Args:
        job: The job; `training.models` is not read.
        questions: What it is fitted on.
        folder: Where it goes; see `train_retriever`.
        score: Validation score after each epoch; the best epoch is kept. None keeps the last.

    Raises:
        InputError: The questions show too few labels to draw negatives from.
    """
    _check_labels(job, questions)
    training, retriever = job.settings.training, job.settings.retriever
    # Weights are trained in float32 (bf16 is an autocast around them): AdamW at 1e-4 is lost in bf16's 8 bits.
    encoder = load_encoder(job, base_model(job.settings).folder, dtype="float32")
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
