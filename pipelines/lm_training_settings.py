"""The `[lm_training]` table: how a language model is trained as a listwise or pointwise reranker."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.reranker_recipe import RerankerRecipe
from pipelines.reranker_settings import Share


class LmTrainingSettings(RerankerRecipe):
    """The recipe of `train_reranker.py --kind listwise` and `pointwise`.

    Folds and their seed are those of `[reranker_training]`: both kinds of reranker learn from the same candidates.
    """

    table: str | None = Field(
        None,
        description="NAME of the [rerankers.NAME] table to train for: its model is the base, its prompts are the "
        "prompts. null: `base`, with the default prompts.",
    )
    base: str = Field("bundled:SmolLM2-135M-Instruct", description="Without a table: bundled:NAME, a folder, a hub id.")
    method: Literal["lora", "qlora", "full"] = Field(
        "lora", description="An adapter; an adapter on the 4-bit base (NF4); or all weights, up to 150 M parameters."
    )
    preset: Literal["r64", "r16"] = Field(
        "r64", description="Adapter: r64 is rank 64, alpha 128, learning rate 2e-4; r16 is rank 16, alpha 32, 2e-5."
    )
    alpha: Annotated[int, Field(ge=1)] | None = Field(None, description="Adapter's alpha; null: the preset's.")
    adapter_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Peak; null: the preset's, and 2e-5 for the method full."
    )
    batch_queries: Annotated[int, Field(ge=1)] = Field(8, description="Candidate lists a step, over all processes.")
    micro_tokens: Annotated[int, Field(ge=1)] = Field(
        8192,
        description="Tokens a forward pass, padding included; the gradient is the same. After an out-of-memory, lower "
        "it and start again: the run goes on.",
    )
    smallest_list: Annotated[int, Field(ge=2)] = Field(3, description="Fewest candidates shown.")
    largest_list: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None, description="Most candidates shown; null: listwise as many as there are labels (52), pointwise 8."
    )
    window: Annotated[int, Field(ge=2)] | None = Field(
        None, description="Wrong candidates come from so many first ranks; null: 25, or the largest list if longer."
    )
    spread: Annotated[float, Field(ge=1)] = Field(
        2.0, description="A list of n draws from the first spread * (n - 1) wrong candidates; 1 is always the best."
    )
    none_share: Share = Field(
        0.0, description="Listwise, prompts with none_label: share of lists whose truth is withheld."
    )
    gradient_checkpointing: bool = Field(
        False, description="Less memory, a third slower, the same gradient; may be switched on for a run that goes on."
    )
    teacher: str | None = Field(
        None,
        description="Distillation: the parquet file of pipelines/teacher_rankings.py, a teacher's rankings "
        "(log-probabilities) of these queries.",
    )
    teacher_weight: Share = Field(0.5, description="The teacher's share in the targets.")
    teacher_temperature: Annotated[float, Field(gt=0)] = 1.0
    seed: int = Field(0, ge=0, description="Of adapter, draws, orders and dropout.")

    @model_validator(mode="after")
    def _fits(self) -> "LmTrainingSettings":
        faults = []
        if self.largest_list is not None and self.largest_list < self.smallest_list:
            faults.append("lm_training.largest_list must be at least smallest_list")
        if None not in (self.window, self.largest_list) and self.window < self.largest_list:  # type: ignore[operator]
            faults.append("lm_training.window must be at least largest_list")
        if faults:
            raise ValueError("; ".join(faults))
        return self
