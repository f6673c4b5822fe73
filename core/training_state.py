"""Where a training run stands, on disk, so that a killed run goes on as if nothing had happened."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.artifacts import atomic_path

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


class Weights(Protocol):
    """A model's weights, or those of them that training changes (an adapter): what is kept and put back."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the tensors by name."""
        ...

    def load_state_dict(self, state_dict: dict[str, torch.Tensor], /) -> object:
        """Take the values of such tensors."""
        ...


@dataclass(kw_only=True)
class TrainingState:
    """Progress of one run; changes as it goes.

    Attributes:
        fingerprint: Hash of all that decides the run's result.
        epoch: Epochs finished.
        step: Steps finished in the present epoch.
        loss_sum: Sum of the present epoch's losses so far, one per step.
        losses: Mean loss of each finished epoch.
        scores: Validation score after each finished epoch; empty where there is no score.
        best_epoch: The epoch, from 1, with the best score; 0 before the first.
        best_weights: Its weights on the CPU; None where there is no score.
    """

    fingerprint: str
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] | None = None

    def close_epoch(self, model: Weights, score: float | None) -> None:
        """Count the epoch: its mean loss, its score if there is one, and its weights where they are the best."""
        self.losses.append(self.loss_sum / self.step)
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        logger.info("epoch %d: loss %.4f, score %s", self.epoch, self.losses[-1], score)
        if score is None:
            return
        self.scores.append(float(score))
        if not self.best_epoch or self.scores[-1] > self.scores[self.best_epoch - 1]:
            self.best_epoch = self.epoch
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}

    def out_of_patience(self, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought no better score; never where it is None."""
        return patience is not None and bool(self.scores) and self.epoch - self.best_epoch >= patience


def save_state(path: Path, state: TrainingState, model: Weights, optimizer: torch.optim.Optimizer, device: str) -> None:
    """Write progress, weights, optimiser and random state to one file, atomically."""
    import torch

    progress = {entry.name: getattr(state, entry.name) for entry in fields(state)}
    saved = {
        "progress": progress,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "cpu_rng": torch.get_rng_state(),
        "device_rng": torch.cuda.get_rng_state(device) if device.startswith("cuda") else None,
    }
    with atomic_path(path) as temporary:
        torch.save(saved, temporary)


def restore_state(
    path: Path, fingerprint: str, model: Weights, optimizer: torch.optim.Optimizer, device: str
) -> TrainingState:
    """Go on from a file of `save_state`; a fresh state where there is none or it belongs to another run.

    Only tensors and plain values are read (`weights_only`).
    """
    import torch

    if not path.is_file():
        return TrainingState(fingerprint=fingerprint)
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    state = TrainingState(**saved["progress"])
    if state.fingerprint != fingerprint:
        logger.warning("%s belongs to a run with other data or settings: starting afresh", path)
        return TrainingState(fingerprint=fingerprint)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["cpu_rng"])
    if saved["device_rng"] is not None and device.startswith("cuda"):
        torch.cuda.set_rng_state(saved["device_rng"], device)
    logger.info("going on from epoch %d, step %d (%s)", state.epoch, state.step, path)
    return state
