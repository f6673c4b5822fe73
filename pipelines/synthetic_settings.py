"""The `[synthetic]` table: how made questions (`--synthetic FOLDER`) take part in training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel


class SyntheticSettings(StrictModel):
    """What made questions count for."""

    mode: Literal["mixed", "first"] = Field(
        "mixed",
        description="Retrievers and rerankers: 'mixed' trains on real and made rows together; 'first' on made rows "
        "alone, then, from those weights, on real ones (a teacher and a validation score have their say then).",
    )
    weight: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="Weight of a made row in the loss; real: 1. (Rerankers, first: all rows of a stage weigh 1.)"
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Mixed: at most this share of the training rows are made ones; the rest is left out, those of the "
        "most frequent labels first. 1: all of them.",
    )
    labels: Literal["all", "unseen"] = Field(
        "all", description="'unseen': only rows whose labels no real row of the fitted part has."
    )
    epochs: Annotated[int, Field(ge=1, le=200)] | None = Field(
        None, description="First: epochs on made rows; null: as many as on real ones."
    )
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="First: peak rate on made rows; null: as on real ones."
    )
    neighbours: bool = Field(False, description="Let made rows vote as labelled neighbours too.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Of what `share` leaves out.")

    @model_validator(mode="after")
    def _of_its_mode(self) -> "SyntheticSettings":
        faults = []
        for key in ("epochs", "learning_rate"):
            if self.mode == "mixed" and getattr(self, key) is not None:
                faults.append(f"synthetic.{key} is for synthetic.mode='first'; with 'mixed' leave it out")
        if self.mode == "first" and self.share < 1:
            faults.append("synthetic.share is for synthetic.mode='mixed'; with 'first' leave it out")
        if faults:
            raise ValueError("; ".join(faults))
        return self
