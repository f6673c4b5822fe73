"""The `[hints]` and `[reasoner_training]` tables: how hints are written, and how a model learns to write them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel
from pipelines.reranker_settings import Share
from pipelines.writer_settings import WriterSettings

Count = Annotated[int, Field(ge=1)]
Form = Literal["plain", "json"]
_TEMPLATE = (
    "A file with the sections [system] and [user] and placeholders like {question}; null: the built-in one, which "
    "--show-template prints."
)


class HintSettings(StrictModel):
    """How hints are written. A reasoner brings its own form and template, those it was taught with."""

    writer: WriterSettings = WriterSettings()
    form: Form = Field("json", description="json: reasoning, then hint, as an object; plain: the answer is the hint.")
    guide: bool = Field(True, description="json: give the engine the schema; false leaves the form to the prompt.")
    template: str | None = Field(None, description=_TEMPLATE)
    max_tokens: Count = Field(512, description="Longest answer in tokens; one that is cut is rejected.")
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(0.0, description="Of the first attempt; 0 is greedy.")
    retry_temperature: Annotated[float, Field(gt=0, le=2)] = Field(
        0.7, description="Of further attempts, at least: a greedy model would say the same again."
    )
    attempts: Count = Field(2, description="Answers asked for a wrong answer in one run, at most.")
    seed: Annotated[int, Field(ge=0)] = 0
    shortest: Count = Field(20, description="Of a hint, in characters; others are rejected, as are longer ones below.")
    longest: Count = 800
    longest_reasoning: Count = 4000

    @model_validator(mode="after")
    def _fits(self) -> "HintSettings":
        if self.shortest > self.longest:
            raise ValueError("hints.shortest must be at most longest")
        return self


class ReasonerTrainingSettings(StrictModel):
    """How a small language model learns to write hints as a teacher did."""

    base: str = Field("bundled:SmolLM2-135M-Instruct", description="bundled:NAME, a folder, or a hub id.")
    base_revision: str | None = Field(None, description="For a hub id as base: the 40-digit commit.")
    form: Form = Field("plain", description="What it learns to write; json needs hints with their reasoning.")
    template: str | None = Field(None, description=_TEMPLATE)
    first_paragraph: bool = Field(
        True, description="Teach a hint's first paragraph alone: teachers trail off into a solution after it."
    )
    method: Literal["lora", "qlora", "full"] = Field(
        "lora", description="An adapter; an adapter on the 4-bit base (NF4); or all weights, up to 150 M parameters."
    )
    preset: Literal["r64", "r16"] = Field(
        "r64", description="Adapter: r64 is rank 64, alpha 128, learning rate 2e-4; r16 is rank 16, alpha 32, 2e-5."
    )
    alpha: Count | None = Field(None, description="Adapter's alpha; null: the preset's.")
    adapter_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Peak; null: the preset's, and 2e-5 for the method full."
    )
    epochs: Count = 3
    batch_lessons: Count = Field(16, description="Hints a step.")
    micro_tokens: Count = Field(
        8192,
        description="Tokens a forward pass, padding included; the gradient is the same. After an out-of-memory, lower "
        "it and start again: the run goes on.",
    )
    max_tokens: Count = Field(1024, description="Longest question and hint together; longer ones are left out.")
    warmup_ratio: Share = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    gradient_checkpointing: bool = Field(False, description="Less memory, a third slower, the same gradient.")
    precision: Literal["auto", "bf16", "float32"] = "auto"
    checkpoint_steps: Count | None = Field(None, description="Keep progress every so many steps, not only epochs.")
    measured: Annotated[int, Field(ge=0)] = Field(200, description="Held-out hints to measure the loss on, at most.")
    seed: Annotated[int, Field(ge=0)] = 0
