"""The losses of a run's steps, read one step late: a GPU that is asked for its loss at once has nothing to do next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.errors import ModelError

if TYPE_CHECKING:
    import torch


def zero_loss(device: str) -> torch.Tensor:
    """Return a scalar on the device to add a step's losses to; float64, so that it is the sum that Python makes."""
    import torch

    # MPS has no float64.
    return torch.zeros((), dtype=torch.float32 if device.startswith("mps") else torch.float64, device=device)


@dataclass(kw_only=True, eq=False)
class LateLoss:
    """Holds back the loss of the last step."""

    _held: tuple[int, torch.Tensor | float] | None = field(default=None, init=False)

    def exchanged(self, number: int, loss: torch.Tensor | float) -> float:
        """Hold back a step's loss and return the one held before, 0 where there was none.

        Args:
            number: Of the step.
            loss: Its loss, a scalar that is not read yet.

        Raises:
            ModelError: The one held before is no finite number.
        """
        before = self.read()
        self._held = number, loss
        return before

    def read(self) -> float:
        """Return the loss held back, once; 0 where there is none.

        Raises:
            ModelError: It is no finite number.
        """
        if self._held is None:
            return 0.0
        (number, loss), self._held = self._held, None
        value = float(loss)
        if not math.isfinite(value):
            raise ModelError(f"step {number}: the training loss is {value}; lower learning_rate or use float32")
        return value
