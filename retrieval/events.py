"""What happens around the steps of a training run: mining, scoring, checkpoints, the progress bar."""

import logging
from pathlib import Path
from typing import Any, Protocol

from retrieval.session import Session

COMPLETE_MARK = "complete"
_log = logging.getLogger(__name__)


class ScoringTrainer(Protocol):
    """What the events ask of the trainer."""

    session: Session

    def read_meter(self) -> float:
        """Move the loss's counts into the session's progress."""

    def take_score(self) -> float:
        """Return the validation score, the same on every process."""

    def save_best(self) -> None:
        """Keep the model as it is as the best one."""


class SessionEvents:
    """Mines at epoch begin, scores at epoch end, asks for checkpoints, shows progress."""

    def __init__(self, trainer: ScoringTrainer) -> None:
        self.trainer = trainer
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Open the progress bar."""
        from tqdm import tqdm

        shown = self.trainer.session.show_progress and state.is_world_process_zero
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="training", disable=not shown)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Draw texts and, where due, negatives."""
        session = self.trainer.session
        session.begin_epoch(state.global_step // session.steps_per_epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Ask for a checkpoint inside an epoch."""
        session = self.trainer.session
        if self.bar is not None:
            self.bar.update(1)
        due = session.checkpoint_every is not None and state.global_step % session.checkpoint_every == 0
        # At the end of an epoch the checkpoint waits for the score, which belongs into it.
        if due and state.global_step % session.steps_per_epoch:
            control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Score, keep the best weights, stop early, ask for a checkpoint."""
        session, progress = self.trainer.session, self.trainer.session.progress
        self.trainer.read_meter()
        last = progress.epoch + 1 == session.epochs
        due = session.score is not None and (last or (progress.epoch + 1) % session.evaluate_every == 0)
        score = self.trainer.take_score() if due else None
        row = progress.close_epoch(steps=state.global_step, score=score)
        scored = "" if score is None else f", score {score:.4f}"
        _log.info(
            "epoch %d of %d: loss %.4f, %.0f effective negatives a row%s",
            row.epoch,
            session.epochs,
            row.loss,
            row.effective_negatives,
            scored,
        )
        if score is not None and progress.judge(score, patience=session.patience):
            self.trainer.save_best()
        if progress.stopped:
            _log.info("early stop after epoch %d; best was epoch %s", progress.epoch + 1, progress.best_epoch)
            control.should_training_stop = True
        control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Mark the checkpoint as whole."""
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE_MARK).touch()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Close the progress bar."""
        if self.bar is not None:
            self.bar.close()
