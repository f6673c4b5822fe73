"""What is trained: everything in float32, or an adapter; and an LLM retriever from config to candidates."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_folder import write_made

from core.artifacts import read_manifest
from core.models import locate_model
from pipelines.job import Job
from pipelines.loading import load_encoder
from pipelines.stage_one import StageOne
from pipelines.stages import Stages
from pipelines.train_stage import trained_retriever
from pipelines.trainable_encoder import base_facts, open_to_train

TinyJob = Callable[..., Job]
SMALL = ("training.lora.rank=4", "training.lora.alpha=8", "training.epochs=1", "training.near_duplicate_threshold=null")


@pytest.fixture
def decoder_job(tiny_job: TinyJob, toy_decoder: Path) -> TinyJob:
    def make(*overrides: str, method: str = "lora") -> Job:
        model = (f'retriever.model="{toy_decoder}"', 'retriever.pooling="last"', 'retriever.query_prompt="the "')
        return tiny_job(*model, *SMALL, f'training.method="{method}"', *overrides)

    return make


def test_all_weights_or_the_adapter_require_gradients(
    tiny_job: TinyJob, decoder_job: TinyJob, tiny_model: Path
) -> None:
    full = open_to_train(tiny_job(), locate_model(str(tiny_model)))
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in full.model.parameters())
    for method in ("lora", "qlora"):
        job = decoder_job(method=method)
        start = locate_model(job.settings.retriever.model)
        encoder = open_to_train(job, start)
        assert bool(getattr(encoder.model.transformers_model, "is_loaded_in_4bit", False)) == (method == "qlora")
        assert {".lora_" in name for name, weight in encoder.model.named_parameters() if weight.requires_grad} == {True}
        assert base_facts(job, start) == {"model": start.name, "revision": start.revision}


def test_in_two_stages_killed_between_them_and_used(
    decoder_job: TinyJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synthetic rows first, then real ones; the second stage starts from the first's adapter on the 4-bit base."""
    plain = decoder_job()
    made = [replace(q, id=9000 + n, text=f"{q.text} again") for n, q in enumerate(plain.train[:20])]
    folder = tmp_path / "synthetic"
    write_made(folder, made, {})
    stages = f'[{{rows="synthetic", folder="{folder}", learning_rate=1e-3}}, {{rows="real"}}]'
    job = decoder_job(f"training.stages={stages}", method="qlora")
    calls: list[Any] = []
    from pipelines import recipe

    real = recipe.train_retriever

    def dies_in_the_second(*given: Any, **options: Any) -> Any:
        calls.append((len(given[1]), options["learning_rate"]))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "train_retriever", dies_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            trained_retriever(job, Stages(folder=tmp_path), "model", job.train)
    assert calls[0][1] == 1e-3 and calls[1][0] > calls[0][0]
    assert (tmp_path / "model.stages" / "1" / "adapter_model.safetensors").is_file()
    seen = []
    monkeypatch.setattr(recipe, "train_retriever", lambda *a, **o: seen.append(o["learning_rate"]) or real(*a, **o))
    found = trained_retriever(job, Stages(folder=tmp_path), "model", job.train)
    assert seen == [calls[1][1]], "the first stage is not trained again"
    assert not (tmp_path / "model.stages").exists()
    manifest = read_manifest(found) or {}
    start = locate_model(job.settings.retriever.model)
    assert (manifest["model"], manifest["revision"]) == (start.name, start.revision)
    assert manifest["training"]["method"] == "qlora" and len(manifest["stages"]) == 2
    encoder = load_encoder(job, found)
    assert encoder.model.transformers_model.is_loaded_in_4bit, "as it was trained"

    # Beside another encoder: each model's vectors are kept apart, and one more computes its own alone.
    one = StageOne(job, locate_model(str(found)), tmp_path / "bank")
    (bank,) = one.embed_bank()
    both = decoder_job(f'retriever.also=["{start.folder}"]', method="qlora")
    two = StageOne(both, locate_model(str(found)), tmp_path / "bank")
    (joined,) = two.embed_bank()
    np.testing.assert_allclose(joined.embeddings[:, :64], bank.embeddings / np.sqrt(2), atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "bank").glob("*.safetensors")) == [
        "bank-beside-1.safetensors",
        "bank.safetensors",
    ]
    assert one.made_from()["bases"] == [[start.revision, True]]
    shutil.rmtree(tmp_path / "bank")
