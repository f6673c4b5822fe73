"""The frame of a reranker's training: epochs, validation, patience and progress on disk; the step is handed in."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from tqdm import tqdm

from core.ahead import made_ahead
from core.artifacts import atomic_path
from core.records import Misconception, Query, Ranking
from core.training_state import TrainingState, Weights, restore_state, save_state
from rerank.late_loss import LateLoss
from rerank.pairs import check_candidates
from rerank.processes import Processes
from rerank.training_groups import FoldProvenance

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


Batch = TypeVar("Batch")


class Lessons(Protocol[Batch]):
    """What one kind of reranker learns from: its rows, epoch by epoch, and a step on some of them."""

    def batches(self, epoch: int) -> list[list[int]]:
        """Draw an epoch (from 0) and put the model into training mode.

        Returns:
            The epoch's batches of row numbers, the same whenever it is drawn; as many in every epoch.
        """
        ...

    def prepare(self, batch: Sequence[int]) -> Batch:
        """Make what a step takes of a batch of the epoch drawn last: prompts, tokens, tensors on the CPU.

        A thread of its own calls it for the next batches while `step` works on one: it must leave the weights, the
        optimiser and torch's random state alone.

        Args:
            batch: Row numbers.
        """
        ...

    def step(self, prepared: Batch, number: int) -> torch.Tensor | float:
        """Make one optimiser step.

        Args:
            prepared: What `prepare` made.
            number: Of the step, from 0, over the whole run.

        Returns:
            The mean loss of the batch, a scalar that is read later: a step that waits for it leaves the device idle.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TrainedReranker:
    """What a training run made.

    Attributes:
        folder: Where the result lies.
        epochs: Epochs that were run.
        best_epoch: The epoch, from 1, whose weights were kept: the one with the best score, else the last.
        best_score: Its validation score; None where there is no score.
        losses: Mean loss of each epoch.
        scores: Validation score after each epoch; empty where there is no score.
    """

    folder: Path
    epochs: int
    best_epoch: int
    best_score: float | None
    losses: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(kw_only=True, eq=False)
class TrainingRun(Generic[Batch]):
    """One run: where it stands, and where that is kept.

    Attributes:
        lessons: What differs between kinds of reranker.
        weights: What is trained.
        optimizer: Of those.
        state: Where the run stands; changes as it goes.
        path: The file that progress is kept in, written by the first process alone.
        processes: Which take part.
        score: Validation score of the weights as they are, asked in the first process alone; None: the last epoch is
            kept.
        checkpoint_steps: Also keep progress every so many steps within an epoch.
    """

    lessons: Lessons[Batch]
    weights: Weights
    optimizer: torch.optim.Optimizer
    state: TrainingState
    path: Path
    processes: Processes
    score: Callable[[], float] | None = None
    checkpoint_steps: int | None = None

    def train(self, *, epochs: int, steps: int, patience: int | None, show_progress: bool, title: str) -> None:
        """Train from where the state stands to the last epoch, or until patience ends; then put the best weights in.

        Args:
            epochs: Passes over the rows.
            steps: Steps an epoch.
            patience: Stop after so many epochs without a better score.
            show_progress: Whether to show a bar.
            title: Of the bar.

        Raises:
            ModelError: A loss is no finite number; nothing of that step is kept.
        """
        state = self.state
        bar = tqdm(
            total=steps * epochs,
            initial=state.epoch * steps + state.step,
            desc=title,
            disable=not show_progress or not self.processes.first,
        )
        while state.epoch < epochs and not state.out_of_patience(patience):
            late = LateLoss()
            with made_ahead(self.lessons.prepare, self.lessons.batches(state.epoch)[state.step :]) as batches:
                for batch in batches:
                    number = state.epoch * steps + state.step
                    state.loss_sum += late.exchanged(number, self.lessons.step(batch, number))
                    state.step += 1
                    bar.update(1)
                    if self.checkpoint_steps and state.step % self.checkpoint_steps == 0:
                        state.loss_sum += late.read()
                        self._keep()
            state.loss_sum += late.read()
            state.close_epoch(self.weights, self._scored())
            self._keep()
        bar.close()
        if state.best_weights is not None:
            self.weights.load_state_dict(state.best_weights)

    def save(self, output: Path, write: Callable[[Path], None]) -> TrainedReranker:
        """Write the result in place of what is there, atomically and by the first process alone; progress goes.

        Args:
            output: Where the result goes.
            write: Writes it into a folder that does not exist yet.
        """
        if self.processes.first:
            with atomic_path(output) as temporary:
                write(temporary)
            shutil.rmtree(self.path.parent, ignore_errors=True)
        self.processes.wait()
        state = self.state
        return TrainedReranker(
            folder=output,
            epochs=state.epoch,
            best_epoch=state.best_epoch or state.epoch,
            best_score=state.scores[state.best_epoch - 1] if state.best_epoch else None,
            losses=tuple(state.losses),
            scores=tuple(state.scores),
        )

    def _keep(self) -> None:
        if self.processes.first:
            save_state(self.path, self.state, self.weights, self.optimizer, self.processes.device)

    def _scored(self) -> float | None:
        """Return the first process's score, in all of them: they must stop together."""
        if self.score is None:
            return None
        return self.processes.told(float(self.score()) if self.processes.first else None)


def run_training(
    lessons: Lessons[Batch],
    weights: Weights,
    optimizer: torch.optim.Optimizer,
    *,
    output: Path,
    fingerprint: str,
    write: Callable[[Path], None],
    epochs: int,
    steps: int,
    title: str,
    processes: Processes,
    score: Callable[[], float] | None,
    patience: int | None,
    resume: bool,
    checkpoint_steps: int | None,
    show_progress: bool,
) -> TrainedReranker:
    """Train, from what a killed run with the same fingerprint left, and write the result.

    Progress is kept in a folder beside the result (`NAME.training`) until the end.

    Args:
        lessons: The rows, and the step.
        weights: What is trained.
        optimizer: Of those.
        output: Where the result goes, replacing what is there as a whole.
        fingerprint: Hash of all that decides the result, see `run_fingerprint`.
        write: Writes the result into a folder that does not exist yet.
        epochs: Passes over the rows.
        steps: Steps an epoch.
        title: Of the bar.
        processes: Which take part.
        score: See `TrainingRun`.
        patience: See `TrainingRun.train`.
        resume: Go on from what a killed run left; start afresh where False.
        checkpoint_steps: See `TrainingRun`.
        show_progress: Whether to show a bar.
    """
    began = time.perf_counter()
    path = output.with_name(f"{output.name}.training") / "state.pt"
    if not resume and processes.first:
        shutil.rmtree(path.parent, ignore_errors=True)
    processes.wait()
    state = restore_state(path, fingerprint, weights, optimizer, processes.device)
    processes.wait()  # nobody writes before all have read
    run = TrainingRun(
        lessons=lessons,
        weights=weights,
        optimizer=optimizer,
        state=state,
        path=path,
        processes=processes,
        score=score,
        checkpoint_steps=checkpoint_steps,
    )
    run.train(epochs=epochs, steps=steps, patience=patience, show_progress=show_progress, title=title)
    trained = run.save(output, write)
    logger.info("%s: %d epochs of %d steps, %.1f s", output, trained.epochs, steps, time.perf_counter() - began)
    return trained


def checked_bank(
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    bank: Sequence[Misconception],
    provenance: Sequence[FoldProvenance] | None,
) -> dict[int, Misconception]:
    """Return the bank by id, once candidates and labels are found to be in it; warn where nobody states provenance.

    Raises:
        ValueError: See `check_candidates`; or a label is not in the bank.
    """
    by_id = check_candidates(queries, candidates, bank)
    if strangers := {label for query in queries for label in query.labels} - by_id.keys():
        raise ValueError(f"labels {sorted(strangers)[:5]} are not in the bank")
    if provenance is None:
        logger.warning("nobody stated which retriever made the training candidates: they may not be out of fold")
    return by_id


def check_numbers(*, epochs: int, batch_queries: int, learning_rate: float, warmup: float, hint_dropout: float) -> None:
    """Check what every training takes and nothing further down checks.

    Raises:
        ValueError: A number is out of range.
    """
    if min(epochs, batch_queries) < 1:
        raise ValueError(f"expected epochs and batch_queries of at least 1; got {epochs}, {batch_queries}")
    if not learning_rate > 0 or not 0 <= warmup <= 1 or not 0 <= hint_dropout <= 1:
        raise ValueError(
            "expected learning_rate > 0, warmup and hint_dropout between 0 and 1; "
            f"got {learning_rate}, {warmup}, {hint_dropout}"
        )
