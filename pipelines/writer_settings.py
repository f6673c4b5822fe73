"""Which model writes: the table that every pipeline shares in which a language model writes texts."""

from typing import Annotated

from pydantic import Field

from core.config import StrictModel


class WriterSettings(StrictModel):
    """A language model that writes, and the engine that runs it."""

    engine: str = Field("transformers", description="transformers, or the NAME of an [engines.NAME] table.")
    model: str | None = Field(
        None,
        description="bundled:NAME, a folder, or a hub id. An engine of kind endpoint needs none (there it only counts "
        "tokens); a vllm-server needs the folder with the tokenizer of the model that it serves.",
    )
    revision: str | None = Field(None, description="For a hub id: the 40-digit commit.")
    adapter: str | None = Field(None, description="A LoRA adapter's folder over it; a server has its own name for it.")
    batch: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="What a kill loses at most. vllm: requests in flight, each answer kept on disk as it comes and the "
        "next request sent in its place; null: 512, of which vLLM works on max_num_seqs at a time. transformers, and "
        "vllm with workers: requests that are asked together and then kept; null: 8, with workers 512. Servers keep "
        "each answer as it comes: see concurrency.",
    )
