"""Encoders from the config: an encoder beside the retriever has its own prompts and base."""

from collections.abc import Callable
from pathlib import Path

from pipelines.job import Job
from pipelines.loading import load_encoder


def test_another_encoder_keeps_its_own_prompts(tiny_job: Callable[..., Job], tiny_model: Path) -> None:
    job = tiny_job('retriever.query_prompt="ask: "')
    assert load_encoder(job, tiny_model).query_prompt == "ask: "
    assert load_encoder(job, tiny_model, beside=True).query_prompt == ""
