"""One run of a language model's training: its epochs, and its progress on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from core.language_model import TokenScorer
from core.lora import TrainedWeights
from core.training_batches import training_batches
from core.training_state import TrainingState, save_state
from rerank.lm_scorer import TrainingScorer
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.processes import Processes

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True, eq=False)
class LanguageModelRun:
    """What the epochs of one run share; the arguments are those of `train_language_model`.

    Attributes:
        state: Where the run stands; changes as it goes.
        path: The file that progress is kept in, written by the first process alone.
    """

    model: Any
    weights: TrainedWeights
    stepper: LanguageModelStepper
    source: TaskSource
    state: TrainingState
    path: Path
    processes: Processes
    dtype: torch.dtype
    batch_queries: int
    micro_tokens: int
    seed: int
    score: Callable[[TokenScorer], float] | None
    checkpoint_steps: int | None

    def train(self, *, epochs: int, steps: int, patience: int | None, show_progress: bool, title: str) -> None:
        """Train from where the state stands to the last epoch, or until patience ends; then put the best weights in.

        Args:
            epochs: Passes over the lists.
            steps: Steps an epoch.
            patience: See `train_language_model`.
            show_progress: Whether to show a bar.
            title: Of the bar.
        """
        bar = tqdm(
            total=steps * epochs,
            initial=self.state.epoch * steps + self.state.step,
            desc=title,
            disable=not show_progress or not self.processes.first,
        )
        while self.state.epoch < epochs and not self.state.out_of_patience(patience):
            self._epoch(steps, bar)
        bar.close()
        if self.state.best_weights is not None:
            self.weights.load_state_dict(self.state.best_weights)

    def _epoch(self, steps: int, bar: Any) -> None:  # noqa: ANN401 - tqdm has no types
        """Train the rest of the present epoch, score, and keep progress."""
        state, processes = self.state, self.processes
        drawn, queries = self.source.lists(state.epoch), self.source.shown(state.epoch)
        lengths = [self.source.length(shown) for shown in drawn]
        batches = training_batches(lengths, batch_size=self.batch_queries, seed=self.seed, epoch=state.epoch)
        self.model.train()
        for batch in batches[state.step :]:
            own = batch[processes.rank :: processes.world]
            tasks = [self.source.task(drawn[row], queries) for row in own]
            state.loss_sum += self.stepper.step(tasks, state.epoch * steps + state.step, batch=len(batch))
            state.step += 1
            bar.update(1)
            if self.checkpoint_steps and state.step % self.checkpoint_steps == 0:
                self._keep()
        state.close_epoch(self.weights, self._scored())
        self._keep()

    def _keep(self) -> None:
        if self.processes.first:
            save_state(self.path, self.state, self.weights, self.stepper.optimizer, self.processes.device)

    def _scored(self) -> float | None:
        """Return the first process's score, in all of them: they must stop together."""
        if self.score is None:
            return None
        found = None
        if self.processes.first:
            scorer = TrainingScorer(
                self.model, device=self.processes.device, dtype=self.dtype, batch_tokens=self.micro_tokens
            )
            found = float(self.score(scorer))
        return self.processes.told(found)
