"""The model in training as a `TokenScorer`, computed in the type it is trained in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.language_model import EngineStats, LabelScores, TokenIds

if TYPE_CHECKING:
    import torch


class TrainingScorer:
    """Exact scores of the weights as they are now; puts the model in eval mode.

    Args:
        model: What `core.lora.open_trainable` returned.
        device: A torch device name.
        dtype: Type of the forward pass, float32 or bfloat16.
        batch_tokens: Tokens a forward pass, padding included.
    """

    def __init__(self, model: Any, *, device: str, dtype: torch.dtype, batch_tokens: int = 8192) -> None:  # noqa: ANN401
        from core.transformers_engine import TransformersEngine

        self._engine = TransformersEngine(model, batch_tokens=batch_tokens)
        self._device, self._dtype = device, dtype

    @property
    def stats(self) -> EngineStats:
        """Counts since the scorer was made."""
        return self._engine.stats

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """Return the scores of each prompt's labels; see `core.language_model.TokenScorer`."""
        import torch

        kind = torch.device(self._device).type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._dtype == torch.bfloat16):
            return self._engine.score(prompts, labels)
