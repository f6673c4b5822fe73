"""How a boosted reranker is trained: the `[boosted_training]` table."""

from typing import Annotated

from pydantic import Field

from core.config import StrictModel

AboveNought = Annotated[float, Field(gt=0.0, le=1.0)]


class BoostedTrainingSettings(StrictModel):
    """Trees over features of stage 1, of an untrained encoder and of labelled examples.

    The folds of the retrievers that find what it learns from are those of `[reranker_training]`.
    """

    encoder: str | None = Field(
        None, description="Embeds texts for the features; it must know no label. null: retriever.model, as it came."
    )
    encoder_revision: str | None = Field(None, description="For a hub id: the 40-digit commit.")
    candidates: Annotated[int, Field(ge=2)] = Field(50, description="First ranks of stage 1 that are learnt from.")
    models: Annotated[int, Field(ge=1)] = Field(4, description="Forests averaged; each draws other rows and columns.")
    rounds: Annotated[int, Field(ge=1)] = Field(150, description="Trees a forest.")
    learning_rate: AboveNought = 0.05
    leaves: Annotated[int, Field(ge=2)] = Field(8, description="Most leaves a tree.")
    min_rows: Annotated[int, Field(ge=1)] = Field(200, description="Fewest (query, candidate) pairs a leaf.")
    l2: Annotated[float, Field(ge=0.0)] = Field(5.0, description="Penalty on leaf values.")
    columns: AboveNought = Field(0.7, description="Share of the features that a tree may read.")
    rows: AboveNought = Field(0.8, description="Share of the pairs that a tree is grown on.")
    seed: Annotated[int, Field(ge=0)] = 0
