"""How a retriever and a cross-encoder are trained: the `[training]` and `[reranker_training]` tables."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel
from core.lora import PRESETS, LoraPreset
from pipelines.reranker_recipe import RerankerRecipe
from pipelines.reranker_settings import Share

Weight = Annotated[float, Field(ge=0.0, le=100.0)]
LEARNING_RATE = 1e-4
"""Peak rate where all weights are trained and the config names none."""


class LoraSettings(StrictModel):
    """The adapter that the methods lora and qlora train, on all linear layers."""

    preset: Literal["r64", "r16"] = Field(
        "r64",
        description="r64: rank 64, alpha 128, learning rate 2e-4; r16: rank 16, alpha 32, learning rate 2e-5.",
    )
    rank: Annotated[int, Field(ge=1, le=1024)] | None = Field(None, description="null: the preset's.")
    alpha: Annotated[int, Field(ge=1)] | None = Field(None, description="null: the preset's.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="On the adapter's input.")
    b_ratio: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="LoRA+: factor B learns so many times faster than A; 1: alike, 16 is published."
    )


class TrainingStage(StrictModel):
    """One stage of a training in several: on which rows, how long and how fast."""

    rows: Literal["real", "synthetic", "both"] = "real"
    folder: str | None = Field(None, description="For synthetic rows: a folder with questions.csv and rows.jsonl.")
    weight: Annotated[float, Field(gt=0, le=100)] = Field(1.0, description="Weight of a synthetic row in the loss.")
    epochs: Annotated[int, Field(ge=1, le=200)] | None = Field(None, description="null: training.epochs.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(None, description="null: training.learning_rate.")

    @model_validator(mode="after")
    def _names_its_rows(self) -> "TrainingStage":
        if (self.folder is None) != (self.rows == "real"):
            raise ValueError("training.stages: rows 'synthetic' and 'both' need a folder, and rows 'real' have none")
        return self


class TrainingSettings(StrictModel):
    """The retriever's training recipe."""

    method: Literal["full", "lora", "qlora"] = Field(
        "full",
        description="Train all weights; an adapter (LoRA) on a 16-bit base; or one on a 4-bit base (QLoRA, NF4).",
    )
    lora: LoraSettings = LoraSettings()
    stages: tuple[TrainingStage, ...] = Field(
        (), description="Train in stages, e.g. on synthetic rows first, then on real ones. (): one stage, on real rows."
    )
    sharding: Literal["off", "fsdp"] = Field(
        "off",
        description="Under torchrun or accelerate launch, method lora: 'fsdp' shards the frozen base over the GPUs.",
    )
    epochs: Annotated[int, Field(ge=1, le=200)] = 8
    batch_size: Annotated[int, Field(ge=2)] = 128
    mini_batch_size: int | None = Field(None, ge=1, description="Set: the cached loss, in chunks of this many texts.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Peak; null: 1e-4 for the method full, else the adapter preset's."
    )
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.05
    negatives: Annotated[int, Field(ge=0, le=64)] = Field(4, description="Hard negatives a row.")
    window_from: Annotated[int, Field(ge=1)] = Field(1, description="First rank that hard negatives are drawn from.")
    window_to: Annotated[int, Field(ge=1)] = Field(50, description="Last rank that hard negatives are drawn from.")
    skip_top: Annotated[int, Field(ge=0)] = Field(0, description="Skip so many of the best that pass the guards.")
    absolute_margin: Annotated[float, Field(ge=0)] | None = Field(
        None, description="No negatives that score above the positive's cosine minus this; null: off."
    )
    relative_margin: Annotated[float, Field(ge=0)] | None = Field(
        None, description="No negatives above the positive's cosine minus this share of it; null: off."
    )
    negatives_from: Literal["bank", "seen"] = Field(
        "seen",
        description="Mine negatives from the whole bank, or from entries with a training example only: an entry that "
        "is never a positive and often a negative sinks, which unseen labels pay for.",
    )
    mine_every: Annotated[int, Field(ge=1)] = Field(3, description="Mine anew every so many epochs.")
    first_negatives: Literal["mined", "random"] = "mined"
    near_duplicate_threshold: Annotated[float, Field(gt=0, le=1)] | None = Field(
        0.98,
        description="Entries whose text is this similar to the label's (cosine, base model) are no negatives; null: "
        "off (an untrained decoder finds all texts similar).",
    )
    hint_dropout: Share = Field(0.3, description="Share of rows trained without their hint.")
    base_share: Share = Field(0.2, description="Share of the untrained weights in the saved ones (WiSE-FT); 0 is off.")
    warmup_ratio: Share = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    precision: Literal["auto", "bf16", "float32"] = "auto"
    gradient_checkpointing: bool = False
    chunk_rows: int | None = Field(None, ge=1, description="Embed rows of like length in chunks: less padding (CPU).")
    freeze_embeddings: bool = False
    trainable_layers: int | None = Field(None, ge=1, description="Train only the last so many layers; null: all.")
    evaluate_every: Annotated[int, Field(ge=1)] = Field(1, description="With --keep-best: epochs between two scores.")
    patience: int | None = Field(
        None, ge=1, description="With --keep-best: stop after so many scores without a better one; null: never."
    )
    checkpoint_every: int | None = Field(None, ge=1, description="Keep progress every so many steps, not only epochs.")
    seed: int = 0
    models: Annotated[int, Field(ge=1, le=32)] = Field(
        1, description="Train so many with seeds from `seed` on and average their weights (model soup): one model."
    )
    parallel: Annotated[int, Field(ge=1, le=32)] = Field(
        1, description="Of those, train so many at a time, each in a process of its own on the same device."
    )
    refit: bool = Field(
        False, description="After weights are fitted, train once more on all rows for the submission (twice the time)."
    )

    @model_validator(mode="after")
    def _window(self) -> "TrainingSettings":
        if self.window_to < self.window_from:
            raise ValueError("training.window_to must not be smaller than training.window_from")
        return self

    @model_validator(mode="after")
    def _adapters(self) -> "TrainingSettings":
        if self.method != "full" and self.models > 1:
            raise ValueError(
                "training.models: adapters are not averaged while training (a mean of their factors is not "
                "their mean); train them one by one and use pipelines/average_adapters.py"
            )
        if self.sharding != "off" and self.method != "lora":
            raise ValueError(
                "training.sharding: shards a frozen base in 16 bits, so it needs training.method=lora (a 4-bit base is "
                "small enough for each GPU; full training is not sharded)"
            )
        return self

    @property
    def preset(self) -> LoraPreset:
        """The adapter's shape, and its learning rate."""
        preset, own = PRESETS[self.lora.preset], self.lora
        return replace(preset, rank=own.rank or preset.rank, alpha=own.alpha or preset.alpha, dropout=own.dropout)

    @property
    def peak_rate(self) -> float:
        """The learning rate that is meant."""
        default = LEARNING_RATE if self.method == "full" else self.preset.learning_rate
        return default if self.learning_rate is None else self.learning_rate


class RerankerTrainingSettings(RerankerRecipe):
    """The cross-encoder's training recipe."""

    base: str | None = Field(None, description="null: start from the trained retriever's weights.")
    folds: Annotated[int, Field(ge=2)] = Field(3, description="Folds of the out-of-fold retrievers.")
    fold_models: int | None = Field(
        1, ge=1, description="Models averaged into each of those; null: as many as training.models."
    )
    epochs: Annotated[int, Field(ge=1)] = 2
    group_size: Annotated[int, Field(ge=2)] = Field(8, description="Candidates a query, the truth among them.")
    window: Annotated[int, Field(ge=2)] = Field(25, description="Wrong candidates are drawn from so many first ranks.")
    batch_queries: Annotated[int, Field(ge=1)] = Field(16, description="Queries a step.")
    micro_queries: int | None = Field(None, ge=1, description="Queries a forward pass, for memory; null: the step's.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-5
    warmup_ratio: Share = 0.1
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(None, description="null: as the base has it.")
    max_length: Annotated[int, Field(ge=8)] = Field(192, description="Tokens a pair is cut to, from its beginning.")
    use_stage_one: bool = Field(False, description="Add stage 1's log-score to the logit while training.")
    stage_one_weight: Weight = Field(1.0, description="What that is multiplied by; 1 asks for a fusion weight of 0.5.")
    seed: int = Field(0, ge=0, description="Of folds, head, draws, order and dropout.")

    @model_validator(mode="after")
    def _window_holds_a_group(self) -> "RerankerTrainingSettings":
        if self.window < self.group_size:
            raise ValueError("reranker_training.window must be at least group_size")
        return self
