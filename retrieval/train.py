"""Train a retriever on pairs of query text and misconception, with negatives from its own rankings."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.artifacts import atomic_path, content_hash, sweep_temporaries
from core.errors import InputError
from retrieval.adapted import has_adapter, save_encoder, shrink_adapter
from retrieval.checkpoints import last_checkpoint, open_workspace, weights_hash
from retrieval.freeze import freeze, thaw
from retrieval.mine import BankTexts, MiningRule, bank_embeddings
from retrieval.negatives import near_duplicate_labels
from retrieval.pairs import TrainingPair
from retrieval.progress import Progress, TrainingResult
from retrieval.session import Session
from retrieval.soup import blend_weights, copy_weights
from retrieval.trainer import Precision, label_aware_loss, run, training_arguments

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["TrainingResult", "train_retriever"]

# Arguments that do not change the trained weights, or that are compared by their content instead.
_NOT_COMPARED = {
    "model", "pairs", "bank_texts", "output_dir", "score", "checkpoint_every", "resume", "log_every", "progress",
}  # fmt: skip


def train_retriever(
    model: "SentenceTransformer",
    pairs: Sequence[TrainingPair],
    bank_texts: Mapping[int, str],
    *,
    output_dir: Path,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 1e-4,
    lora_b_ratio: float = 1.0,
    temperature: float = 0.05,
    negatives_per_query: int = 4,
    negatives_from: Literal["bank", "seen"] = "bank",
    mine_every: int = 3,
    first_negatives: Literal["mined", "random"] = "mined",
    rank_window: tuple[int, int] = (1, 50),
    skip_top: int = 0,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    near_duplicate_threshold: float | None = None,
    unique_columns: bool = False,
    hint_dropout: float = 0.0,
    base_share: float = 0.0,
    query_prompt: str = "",
    document_prompt: str = "",
    warmup_ratio: float = 0.05,
    weight_decay: float = 0.01,
    mini_batch_size: int | None = None,
    chunk_rows: int | None = None,
    gradient_checkpointing: bool = False,
    precision: Precision = "auto",
    max_length: int | None = None,
    freeze_embeddings: bool = False,
    trainable_layers: int | None = None,
    seed: int = 0,
    score: "Callable[[SentenceTransformer], float] | None" = None,
    evaluate_every: int = 1,
    patience: int | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    mining_batch_size: int = 64,
    log_every: int = 10,
    progress: bool = True,
) -> TrainingResult:
    """Fine-tune a bi-encoder with the label-aware in-batch loss and hard negatives re-mined during training.

    What is trained is what requires gradients: every weight, or the LoRA adapter that was put on the encoder
    (`retrieval.adapted`); checkpoints and the result then hold the adapter alone.

    Every `mine_every` epochs the model as it stands ranks the bank for every pair, and `mine_negatives` draws from
    that. A text's tokens are read once a run, and a misconception that a step needs several times is embedded once:
    with dropout, its places share one mask. Under `torchrun` or `accelerate launch` each process trains on its share of
    every step, and the documents of all processes are negatives. The run keeps checkpoints in `OUTPUT_DIR.training`
    beside the output: killed and started again with the same arguments it goes on from the last one (on a CPU with the
    same number of threads to the same weights); started with others it begins anew. After success that folder is gone.

    Args:
        model: The encoder, on the device to train on; changed, and in the end it holds the weights that were saved.
        pairs: The training pairs.
        bank_texts: Misconception id to text, the whole bank.
        output_dir: Where the model goes; a folder already there is replaced at the end.
        epochs: Passes over the pairs; the learning rate falls along a cosine to 0 at the end.
        batch_size: Pairs a process and step.
        learning_rate: Peak rate of AdamW.
        lora_b_ratio: An adapter's factor B learns so many times faster than A (LoRA+, Hayou et al. 2024); 1: alike.
        temperature: Similarities are divided by it.
        negatives_per_query: Hard negatives of each pair; 0 uses those of the batch alone.
        negatives_from: Draw hard negatives from the whole `bank`, or from entries that are `seen` as a positive: one
            that never is, and often is a negative, sinks, and unseen labels pay for it (an idea of this house; on
            Eedi with 70 % unseen labels it lifts their MAP@25 from 0.241 to 0.286, docs/log.md).
        mine_every: Epochs between two minings.
        first_negatives: `random` starts with random ones until the first re-mining: mining with a model that knows
            nothing yet can collapse training.
        rank_window: See `mine_negatives`, as the next three.
        skip_top: See there.
        absolute_margin: See there.
        relative_margin: See there.
        near_duplicate_threshold: Cosine, by the model before training, from which two bank texts are never each
            other's mined negatives; None switches it off.
        unique_columns: Count an id that stands in several columns of a batch once.
        hint_dropout: Share of the hints left out, drawn anew each epoch.
        base_share: Share of the untrained weights in the saved ones, see `blend_weights`; 0 keeps the trained ones. Of
            an adapter: its base's share, however often it was trained on.
        query_prompt: Put before each query text; kept in the saved model as its prompt `query`.
        document_prompt: Put before each bank text; kept as `document`.
        warmup_ratio: Share of the steps in which the learning rate rises from 0; below 1.
        weight_decay: Of AdamW; not on biases and norms.
        mini_batch_size: Embed so many texts at a time with cached gradients (bounds the memory); None: all at once.
        chunk_rows: Without `mini_batch_size`: embed rows of like length in chunks of this many; saves padding.
        gradient_checkpointing: Recompute activations in the backward pass (saves memory).
        precision: `auto` is bf16 where the device is fast at it, else float32.
        max_length: Tokens a text is cut to; kept in the saved model. None leaves the model's own.
        freeze_embeddings: See `freeze`.
        trainable_layers: See `freeze`.
        seed: Of order, hints, negatives and dropout.
        score: Validation score, higher is better; the best epoch's weights are kept. None keeps the last.
        evaluate_every: Epochs between two scores; the last epoch is always scored.
        patience: Stop after so many scores in a row without a better one; None never stops early.
        checkpoint_every: Steps between two checkpoints inside an epoch; each epoch's end has one in any case.
        resume: False discards an unfinished run.
        mining_batch_size: Texts encoded at once when mining.
        log_every: Steps between two log entries (loss, learning rate, effective negatives).
        progress: Show progress bars.

    Raises:
        InputError: A label is not in the bank, or bank or data are too small for what is asked.
        ValueError: An argument is out of range.
    """
    # First of all, while nothing but the arguments is local.
    settings: dict[str, Any] = {name: value for name, value in locals().items() if name not in _NOT_COMPARED}
    _check(
        pairs,
        bank_texts,
        epochs=epochs,
        mine_every=mine_every,
        evaluate_every=evaluate_every,
        batch_size=batch_size,
    )
    adapted = has_adapter(model)
    base = copy_weights(model) if base_share and not adapted else {}
    output_dir = Path(output_dir)
    work = output_dir.with_name(f"{output_dir.name}.training")
    pairs = [_prompted(pair, query_prompt) for pair in pairs]
    drawn_from = set(bank_texts) if negatives_from == "bank" else {label for pair in pairs for label in pair.labels}
    bank = BankTexts.of({id: document_prompt + bank_texts[id] for id in drawn_from})
    settings |= {
        "pairs": content_hash([asdict(pair) for pair in pairs]),
        "bank": content_hash([bank.ids.tolist(), bank.texts]),
        "model": weights_hash(model),
        "scored": score is not None,
    }
    if max_length is not None:
        model.max_seq_length = max_length
    args = training_arguments(
        model,
        work,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_b_ratio=lora_b_ratio if adapted else 1.0,
        warmup_ratio=warmup_ratio,
        weight_decay=weight_decay,
        precision=precision,
        seed=seed,
        log_every=log_every,
    )
    if args.process_index == 0:
        sweep_temporaries(output_dir.parent, [output_dir.name])
        open_workspace(work, settings, resume=resume)
    args.distributed_state.wait_for_everyone()
    checkpoint = last_checkpoint(work)
    session = Session(
        model=model,
        pairs=pairs,
        bank=bank,
        rule=MiningRule(
            per_query=negatives_per_query,
            rank_window=rank_window,
            skip_top=skip_top,
            absolute_margin=absolute_margin,
            relative_margin=relative_margin,
        ),
        mine_every=mine_every,
        first_random=first_negatives == "random",
        near_duplicates=_near_duplicates(model, bank, near_duplicate_threshold, mining_batch_size),
        hint_dropout=hint_dropout,
        score=score,
        evaluate_every=evaluate_every,
        patience=patience,
        epochs=epochs,
        batch_size=batch_size,
        mining_batch_size=mining_batch_size,
        processes=args.world_size,
        seed=seed,
        show_progress=progress and args.process_index == 0,
        checkpoint_every=checkpoint_every,
        progress=Progress() if checkpoint is None else Progress.load(checkpoint),
    )
    if gradient_checkpointing:
        # Not through the trainer: its newer versions pass a keyword that sentence-transformers 6.0 does not know.
        model.gradient_checkpointing_enable({"use_reentrant": False})  # the reentrant kind needs trainable embeddings
    frozen = freeze(model, embeddings=freeze_embeddings, trainable_layers=trainable_layers)
    loss = label_aware_loss(
        model,
        temperature=temperature,
        mini_batch_size=mini_batch_size,
        chunk_rows=chunk_rows,
        unique_columns=unique_columns,
        gather=args.world_size > 1,
    )
    run(session, args, loss, checkpoint)
    thaw(frozen)
    args.distributed_state.wait_for_everyone()  # others may still read the best weights from the folder removed below
    if adapted:
        shrink_adapter(model, base_share=base_share)
    elif base_share:
        blend_weights(model, base, base_share=base_share)
    model.prompts |= {"query": query_prompt, "document": document_prompt}
    if args.process_index == 0:
        with atomic_path(output_dir) as folder:
            save_encoder(model, folder)
        shutil.rmtree(work)
    args.distributed_state.wait_for_everyone()
    return session.progress.result(output_dir, resumed=checkpoint is not None)


def _check(
    pairs: Sequence[TrainingPair],
    bank_texts: Mapping[int, str],
    **at_least_one: int,
) -> None:
    """Refuse what could only fail, or silently mislead, after hours of work."""
    for name, value in at_least_one.items():
        if value < 1:
            raise ValueError(f"{name} {value}: expected at least 1")
    if not pairs:
        raise InputError("there are no training pairs: nothing to train on.")
    missing = sorted({label for pair in pairs for label in pair.labels} - set(bank_texts))
    if missing:
        shown = ", ".join(str(label) for label in missing[:10])
        raise InputError(f"{len(missing)} labels of the training pairs are not in the bank (for example {shown}).")


def _prompted(pair: TrainingPair, prompt: str) -> TrainingPair:
    hinted = None if pair.hinted_text is None else prompt + pair.hinted_text
    return replace(pair, query_text=prompt + pair.query_text, hinted_text=hinted) if prompt else pair


def _near_duplicates(
    model: "SentenceTransformer", bank: BankTexts, threshold: float | None, batch_size: int
) -> dict[int, set[int]] | None:
    if threshold is None:
        return None
    return near_duplicate_labels(bank_embeddings(model, bank, batch_size=batch_size), bank.ids, threshold=threshold)
