"""The `[explaining]` table: which model writes explanations of the bank's entries, and how it is asked."""

from typing import Annotated

from pydantic import Field, model_validator

from core.config import StrictModel
from pipelines.writer_settings import WriterSettings
from synth.explaining import EXPLAIN_INSTRUCTION, EXPLAIN_TEMPLATE, template_fault

Some = Annotated[int, Field(ge=1)]


class ExplainingSettings(StrictModel):
    """Explanations that a language model writes."""

    writer: WriterSettings = WriterSettings()
    instruction: str = Field(EXPLAIN_INSTRUCTION, min_length=1, description="What the model is told first.")
    template: str = Field(
        EXPLAIN_TEMPLATE,
        description="What it is asked then: {name} is the entry, {similar} a list of those like it.",
    )
    similar: Annotated[int, Field(ge=0)] = Field(4, description="Similar entries that {similar} lists; 0: none.")
    max_tokens: Some = Field(400, description="Longest answer.")
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.3
    seed: Annotated[int, Field(ge=0)] = 0
    attempts: Annotated[int, Field(ge=1, le=99)] = Field(3, description="Most tries at an entry.")
    shortest: Some = Field(60, description="Fewest characters of an explanation.")
    longest: Some = Field(2000, description="Most characters of an explanation.")
    guide: bool = Field(True, description="Give the engine the JSON schema; false leaves the form to the prompt.")

    @model_validator(mode="after")
    def _holds_together(self) -> "ExplainingSettings":
        faults = []
        if fault := template_fault(self.template):
            faults.append(f"template: {fault}")
        if self.longest <= self.shortest:
            faults.append(f"longest ({self.longest}) must be above shortest ({self.shortest})")
        if self.attempts > 1 and self.temperature == 0:
            faults.append(
                "attempts above 1 at temperature 0 ask the same again: raise temperature, or set attempts = 1"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return self
