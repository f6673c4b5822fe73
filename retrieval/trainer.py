"""The library's trainer, fed from a session whose negatives are renewed during training.

Optimiser, schedule, bf16, DDP under `torchrun` and checkpoints are sentence-transformers' own. The class is made when
it is first asked for, so that importing this module loads nothing heavy.
"""

import logging
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.artifacts import atomic_path
from core.device import resolve_dtype
from retrieval.adapted import has_adapter, load_adapter_weights
from retrieval.events import SessionEvents
from retrieval.session import Collator, Session
from retrieval.sharding import is_sharded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import SentenceTransformerTrainer as _LibraryTrainer
    from torch import Tensor
else:
    _LibraryTrainer = object  # the real one is put under `TrainerParts` by `trainer_class`

BEST_FOLDER = "best"
Precision = Literal["auto", "bf16", "float32"]
_FACTOR_B = r"\.lora_B\."
_KEPT_CHECKPOINTS = 2  # the newest may be half written when the run is killed
_log = logging.getLogger(__name__)


def training_arguments(
    model: "SentenceTransformer",
    folder: Path,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    lora_b_ratio: float = 1.0,
    warmup_ratio: float,
    weight_decay: float,
    precision: Precision,
    seed: int,
    log_every: int,
) -> Any:  # noqa: ANN401 - SentenceTransformerTrainingArguments
    """Return the library's arguments: nothing is reported anywhere, nothing evaluated or saved on its own."""
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments

    device = model.device.type
    wanted = {"auto": "auto", "bf16": "bfloat16", "float32": "float32"}[precision]
    args = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        learning_rate_mapping={_FACTOR_B: lora_b_ratio * learning_rate} if lora_b_ratio != 1 else {},
        lr_scheduler_type="cosine",
        warmup_steps=warmup_ratio,  # below 1 it is a share of the steps
        weight_decay=weight_decay,
        bf16=resolve_dtype(wanted, device) == torch.bfloat16,  # type: ignore[arg-type]
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        seed=seed,
        logging_steps=log_every,
        save_strategy="no",
        eval_strategy="no",
        save_total_limit=_KEPT_CHECKPOINTS,
        report_to="none",
        disable_tqdm=True,
    )
    if args.n_gpu > 1:
        args._n_gpu = 1  # several GPUs are for torchrun; nn.DataParallel would gather no negatives
    return args


def label_aware_loss(
    model: "SentenceTransformer",
    *,
    temperature: float,
    mini_batch_size: int | None,
    chunk_rows: int | None,
    unique_columns: bool,
    gather: bool,
) -> Any:  # noqa: ANN401 - one of the two losses
    """Return the cached loss where `mini_batch_size` is set, else the plain one."""
    from retrieval.loss import (
        LabelAwareCachedMultipleNegativesRankingLoss,
        LabelAwareMultipleNegativesRankingLoss,
    )

    if mini_batch_size is not None:
        return LabelAwareCachedMultipleNegativesRankingLoss(
            model,
            scale=1.0 / temperature,
            mini_batch_size=mini_batch_size,
            gather_across_devices=gather,
            unique_columns=unique_columns,
        )
    return LabelAwareMultipleNegativesRankingLoss(
        model,
        scale=1.0 / temperature,
        gather_across_devices=gather,
        unique_columns=unique_columns,
        chunk_rows=chunk_rows,
    )


class EpochBatches:
    """The batches of the session's running epoch."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.batch_size = session.batch_size
        self.drop_last = False

    def __len__(self) -> int:
        return len(self.session.batches(0))

    def __iter__(self) -> Iterator[list[int]]:
        # The session knows the epoch even where wrappers swallow `set_epoch`, as on a resumed epoch under DDP.
        yield from self.session.batches(self.session.progress.epoch)


class TrainerParts(_LibraryTrainer):  # type: ignore[misc]
    """What the library's trainer is given: a session's sampler, score and sidecar files; it writes no model card."""

    def __init__(self, *, session: Session, args: Any, dataset: Any, loss: Any) -> None:  # noqa: ANN401
        from transformers import PrinterCallback, TrainerCallback

        self.session = session
        self.started = time.perf_counter()
        super().__init__(
            model=session.model, args=args, train_dataset=dataset, loss=loss, data_collator=Collator(session)
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(type("SessionCallback", (SessionEvents, TrainerCallback), {})(self))

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """A card names hosts and would describe row numbers as a data set."""

    def get_batch_sampler(self, *args: Any, **kwargs: Any) -> EpochBatches:  # noqa: ANN401
        """Return the session's batches instead of the library's."""
        return EpochBatches(self.session)

    def read_meter(self) -> float:
        """Move the loss's counts into the progress; return the mean effective negatives since the last call."""
        loss_sum, kept_sum, rows = self.loss.meter.take()
        self.session.progress.absorb(loss_sum, kept_sum, rows)
        return float(kept_sum / rows) if rows else 0.0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log what the library logs, and the effective negatives of the same steps."""
        if "loss" in logs:
            logs = {**logs, "effective_negatives": self.read_meter()}
            _log.info(
                "step %d: loss %.4f, learning rate %.2e, %.0f effective negatives a row",
                self.state.global_step,
                logs["loss"],
                logs.get("learning_rate", 0.0),
                logs["effective_negatives"],
            )
        super().log(logs, start_time)

    def take_score(self) -> float:
        """Score on the first process and give every process the same number: they must stop together."""
        from accelerate.utils import broadcast_object_list

        value: list[Any] = [None]
        # The others help where each holds a part of the base.
        if self.session.score is not None and (self.is_world_process_zero() or is_sharded(self.model)):
            value = [float(self.session.score(self.model))]
        return float(broadcast_object_list(value)[0])

    def save_best(self) -> None:
        """Keep the model as it is as the best one."""
        if self.is_world_process_zero():
            with atomic_path(Path(self.args.output_dir) / BEST_FOLDER) as folder:
                self.model.save_pretrained(str(folder), create_model_card=False)

    def restore(self, folder: Path) -> None:
        """Load the weights of a saved model into the one in memory."""
        self._load_from_checkpoint(str(folder))

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        if has_adapter(self.model):
            load_adapter_weights(self.model, checkpoint_path)  # its base stays as it is
        else:
            super()._load_from_checkpoint(checkpoint_path)

    def _save(self, output_dir: str | None = None, state_dict: "dict[str, Tensor] | None" = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.read_meter()
        self.model.save_pretrained(str(folder), create_model_card=False)
        self.session.progress.seconds += self.take_seconds()
        self.session.progress.save(folder)

    def take_seconds(self) -> float:
        """Return the seconds since the last call, or since the start."""
        before, self.started = self.started, time.perf_counter()
        return self.started - before


@cache
def trainer_class() -> type:
    """Return the library's trainer with `TrainerParts` before it."""
    from sentence_transformers import SentenceTransformerTrainer

    return type("RetrieverTrainer", (TrainerParts, SentenceTransformerTrainer), {})


def run(session: Session, args: Any, loss: Any, checkpoint: Path | None) -> None:  # noqa: ANN401
    """Train to the end, from a checkpoint on where there is one; the model then holds the best or last weights."""
    from datasets import Dataset

    dataset = Dataset.from_dict({"row": list(range(len(session.pairs)))})
    trainer = trainer_class()(session=session, args=args, dataset=dataset, loss=loss)
    done = session.progress.stopped or len(session.progress.history) == session.epochs
    if not done:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    elif checkpoint is not None:
        trainer.restore(checkpoint)
    session.progress.seconds += trainer.take_seconds()
    best = Path(args.output_dir) / BEST_FOLDER
    if session.score is not None and best.is_dir():
        trainer.restore(best)
