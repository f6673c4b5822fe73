"""What can be set of every reranker's training: the keys that `[reranker_training]` and `[lm_training]` share."""

from typing import Annotated, Literal

from pydantic import Field

from core.config import StrictModel
from pipelines.reranker_settings import Share


class RerankerRecipe(StrictModel):
    """A reranker's training, whatever is trained."""

    base: str | None = None
    base_revision: str | None = Field(None, description="For a hub id as base: the 40-digit commit.")
    epochs: Annotated[int, Field(ge=1)] = 1
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    batch_queries: Annotated[int, Field(ge=1)] = 8
    warmup_ratio: Share = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    hint_dropout: Share = Field(0.3, description="Share of queries trained without their hint, others each epoch.")
    patience: int | None = Field(
        None,
        ge=1,
        description="Set: keep the epoch with the best validation score, and stop after so many without a better one. "
        "null: keep the last.",
    )
    score_weight: Share = Field(0.5, description="The reranker's share in that score, a MAP@25 fused with stage 1.")
    precision: Literal["auto", "bf16", "float32"] = "auto"
    checkpoint_steps: int | None = Field(None, ge=1, description="Keep progress every so many steps, not only epochs.")
    seed: Annotated[int, Field(ge=0)] = 0
