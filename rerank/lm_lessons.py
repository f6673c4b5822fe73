"""What a language model's training shows, epoch by epoch: each process takes its share of every batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.records import Query
from core.training_batches import training_batches
from rerank.lm_passes import ForwardPass
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.processes import Processes
from rerank.training_lists import TrainingList

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What a step takes.

    Attributes:
        passes: This process's share of the batch, on the CPU.
        batch: Tasks in the batch, over all processes.
    """

    passes: list[ForwardPass]
    batch: int


@dataclass(kw_only=True, eq=False)
class ListLessons:
    """The `Lessons` of a language model; the arguments are those of `train_language_model`.

    Attributes:
        model: What `core.lora.open_trainable` returned.
        stepper: Its optimiser.
        source: Draws lists and makes tasks of them.
        processes: Which take part.
    """

    model: Any
    stepper: LanguageModelStepper
    source: TaskSource
    processes: Processes
    batch_queries: int
    seed: int
    drawn: list[TrainingList] = field(default_factory=list, init=False)
    shown: list[Query] = field(default_factory=list, init=False)

    def batches(self, epoch: int) -> list[list[int]]:
        """Draw an epoch; see `Lessons`. The batches are those of all processes together."""
        self.drawn, self.shown = self.source.lists(epoch), self.source.shown(epoch)
        self.model.train()
        lengths = [self.source.length(shown) for shown in self.drawn]
        return training_batches(lengths, batch_size=self.batch_queries, seed=self.seed, epoch=epoch)

    def prepare(self, batch: Sequence[int]) -> Prepared:
        """Build the prompts of this process's share of a batch; see `Lessons`."""
        own = batch[self.processes.rank :: self.processes.world]
        tasks = [self.source.task(self.drawn[row], self.shown) for row in own]
        return Prepared(passes=self.stepper.passes(tasks), batch=len(batch))

    def step(self, prepared: Prepared, number: int) -> torch.Tensor:
        """Make a step on this process's share of a batch; see `Lessons`."""
        return self.stepper.step(prepared.passes, number, batch=prepared.batch)
