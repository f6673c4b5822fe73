"""The `[synthesis]` table: which model writes questions for which misconceptions, and what a row must pass."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel
from pipelines.writer_settings import WriterSettings
from synth.judge import JUDGE_INSTRUCTION
from synth.languages import LANGUAGES
from synth.prompts import INSTRUCTION

Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
Cosine = Annotated[float, Field(gt=0.0, le=1.0)]


class ExampleSettings(StrictModel):
    """Which real questions a prompt shows; each becomes a parent of the row."""

    many: Annotated[int, Field(ge=0, le=100)] = Field(
        0,
        description="Examples that all prompts share, at their head (the engine reads them once): as many of these as "
        "max_prompt_tokens leaves room for. All rows then have all of them as parents.",
    )
    random: Count = Field(2, description="Examples drawn anew for each row.")
    same: Count = Field(
        2,
        description="Examples of the same misconception; where it has fewer, of the most similar ones that have some.",
    )


class JudgeSettings(StrictModel):
    """A model that marks each row by a rubric, 0 to 10."""

    enabled: bool = True
    threshold: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        7.0, description="Rows are rejected whose lowest mark (follows, right, clear, level) is below it."
    )
    instruction: str = Field(JUDGE_INSTRUCTION, min_length=1, description="What the judge is told first.")
    max_tokens: Some = 256
    writer: WriterSettings | None = Field(None, description="Another model; null: the one that writes.")
    check_rows: Count = Field(
        100,
        description="The judge is judged by so many real rows, and the same rows with another misconception: can it "
        "tell them apart? 0: it is not.",
    )


class DuplicateSettings(StrictModel):
    """What counts as the same question twice; copies up to spacing and case always do."""

    near: Cosine | None = Field(
        0.98, description="Cosine of stage-1 embeddings from which two questions are one; null: not compared."
    )


class LeakSettings(StrictModel):
    """What counts as a copy of a validation or test question; copies up to spacing and case always do."""

    near: Cosine | None = Field(0.95, description="Cosine of stage-1 embeddings; null: not compared.")
    words: Annotated[int, Field(ge=2)] = Field(20, description="So many words in a row in common are a copy.")


class SynthesisSettings(StrictModel):
    """Questions that a language model makes for misconceptions."""

    writer: WriterSettings = WriterSettings()
    labels: Literal["all", "unseen"] = Field(
        "all", description="unseen: only misconceptions without a training example. Those come first in any case."
    )
    at_least: Some = Field(1, description="Rows wanted for each misconception: asked again until they are there.")
    at_most: Annotated[int, Field(ge=1, le=999)] = Field(
        4, description="Rows for each misconception; those beyond at_least are asked for once."
    )
    attempts: Annotated[int, Field(ge=1, le=99)] = Field(3, description="Most tries for a wanted row.")
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.8
    max_tokens: Some = Field(768, description="Longest answer.")
    max_prompt_tokens: Some = Field(6144, description="Longest prompt; examples that do not fit are left out.")
    seed: Count = 0
    guide: bool = Field(True, description="Give the engine the JSON schema; false leaves the form to the prompt.")
    instruction: str = Field(INSTRUCTION, min_length=1, description="What the model is told first.")
    language: str | None = Field("en", description=f"Expected language: {', '.join(LANGUAGES)}; null: not checked.")
    similar: Count = Field(5, description="Similar misconceptions that a prompt sets apart; 0: none.")
    confusion_weight: Annotated[float, Field(ge=0.0)] = Field(
        0.5, description="With --confusions: how much being confused adds to the cosine of two misconceptions."
    )
    examples: ExampleSettings = ExampleSettings()
    hold_out: bool = Field(
        True,
        description="Keep the [split]'s validation part out of the examples, reject rows that copy it, and take its "
        "labels for unseen where no other question has them.",
    )
    arithmetic: bool = Field(
        True, description="Let sympy check the right answer of what it can work out (needs the extra synth)."
    )
    solve: bool = Field(True, description="Keep a row only where the model, asked to solve it, finds the same answers.")
    solve_max_tokens: Some = 512
    judge: JudgeSettings = JudgeSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    leaks: LeakSettings = LeakSettings()

    @model_validator(mode="after")
    def _holds_together(self) -> "SynthesisSettings":
        faults = []
        if self.at_most < self.at_least:
            faults.append(f"at_most ({self.at_most}) must not be below at_least ({self.at_least})")
        if self.language is not None and self.language not in LANGUAGES:
            faults.append(f"language: expected one of {', '.join(LANGUAGES)} or null, got '{self.language}'")
        if self.attempts > 1 and self.temperature == 0 and not self.examples.random:
            faults.append("attempts above 1 at temperature 0 ask the same again: raise temperature, or examples.random")
        if faults:
            raise ValueError("; ".join(faults))
        return self
