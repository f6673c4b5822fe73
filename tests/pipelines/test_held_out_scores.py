"""Numbers on the held-out part: those of the reranker and metric that everything else uses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from adapter_toys import randomise, toy_adapter

from core.artifacts import write_manifest
from core.errors import ArtifactMismatchError, InputError
from core.models import locate_model
from core.stage_one_fusion import fuse_with_stage_one
from core.transformers_engine import TransformersEngine
from eval.metrics import average_precisions
from pipelines.held_out_scores import Candidate, HeldOutScores
from pipelines.job import Job, fingerprints
from pipelines.lm_reranker import open_language_model_reranker
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages


def test_a_rerankers_number_is_the_trainings(
    tiny_job: Callable[..., Job], tiny_lm: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """MAP@25 fused with stage 1 at `lm_training.score_weight`, beside that of the reranker alone."""
    adapter = toy_adapter(tiny_lm, tmp_path / "adapter")
    job = tiny_job("lm_training.score_weight=0.7")
    table = RerankerSettings(kind="pointwise", model=str(tiny_lm), adapter=str(adapter))
    given = locate_model(str(tiny_model))
    stages = Stages(folder=tmp_path / "work")
    held_out = HeldOutScores(job, stages, given=given, table=table, known=[])
    asked: list[str] = []

    def make() -> Path:
        asked.append("made")
        return adapter

    candidate = Candidate(name="one", made_from={"revision": 1}, make=make, is_adapter=True)
    found = held_out.score(candidate)
    assert held_out.score(candidate) == found and asked == ["made"]
    held_out.close()

    one = StageOneRun(job, stages, job.train, given=given)
    candidates, labels = one.validation_candidates(), one.plan.labels
    engine = TransformersEngine.load(tiny_lm, adapter=adapter, device="cpu", dtype="float32")
    reranker = open_language_model_reranker(job, table, engine, store=None)
    reranked = reranker.rerank(one.plan.queries, [ranking.top(25) for ranking in candidates], job.bank)
    for value, weight in ((found.map25, 0.7), (found.alone, 1.0)):
        fused = fuse_with_stage_one(candidates, reranked, weight=weight, form="rank")
        assert value == pytest.approx(float(average_precisions(fused, labels).mean()), abs=1e-6)
    assert (held_out.queries, held_out.held_out) == (len(labels), fingerprints(one.plan.validation))
    told = json.loads((tmp_path / "work" / "score-one.json").read_text(encoding="utf-8"))
    assert told == found.to_json()

    other = HeldOutScores(tiny_job("lm_training.score_weight=0.2"), stages, given=given, table=table, known=[])
    assert other.measured_on != held_out.measured_on
    other.score(candidate)
    assert asked == ["made", "made"]  # a number on other terms is another number


def test_known_questions_are_not_measured_on(
    tiny_job: Callable[..., Job], tiny_lm: Path, tiny_model: Path, tmp_path: Path
) -> None:
    job = tiny_job()
    one = StageOneRun(job, Stages(folder=tmp_path), job.train, given=locate_model(str(tiny_model)))
    seen = fingerprints(one.plan.validation)[:2]
    with pytest.raises(InputError, match="the adapters were fitted on 2 of the"):
        HeldOutScores(job, Stages(folder=tmp_path), given=None, table=None, known=[*seen, "other"])


def test_prompts_of_the_adapter_must_be_the_tables(
    tiny_job: Callable[..., Job], tiny_lm: Path, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = toy_adapter(tiny_lm, tmp_path / "adapter")
    write_manifest(adapter, {"prompts": "others"})
    table = RerankerSettings(kind="pointwise", model=str(tiny_lm), adapter=str(adapter))
    with pytest.raises(ArtifactMismatchError, match="keys of its manifest differ: prompts"):
        HeldOutScores(tiny_job(), Stages(folder=tmp_path), given=locate_model(str(tiny_model)), table=table, known=[])


def test_merged_encoders_are_measured_as_retrievers(
    tiny_job: Callable[..., Job], tiny_lm: Path, tmp_path: Path
) -> None:
    """An adapter of a retriever: its merge ranks as the adapted encoder does."""
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    from core.adapter_merge import merge_adapter

    modules = [Transformer(str(tiny_lm)), Pooling(64, pooling_mode="lasttoken"), Normalize()]
    encoder = SentenceTransformer(modules=modules, device="cpu")
    encoder.add_adapter(LoraConfig(task_type="FEATURE_EXTRACTION", r=4, lora_alpha=8, target_modules="all-linear"))
    randomise(encoder, 7)
    encoder.eval().save_pretrained(str(tmp_path / "adapter"), create_model_card=False)
    job = tiny_job()
    held_out = HeldOutScores(job, Stages(folder=tmp_path / "work"), given=None, table=None, known=[])
    merged = Candidate(
        name="merged",
        made_from={},
        make=lambda: merge_adapter(tiny_lm, tmp_path / "adapter", tmp_path / "m", into="16bit"),
        is_adapter=False,
    )
    found = held_out.score(merged)
    assert found.alone is None

    from retrieval.text import query_text

    one = StageOneRun(job, Stages(folder=tmp_path), job.train, given=None)
    with torch.no_grad():
        queries = encoder.encode([query_text(query, job.forms.query) for query in one.plan.queries])
        bank = encoder.encode([entry.name for entry in job.bank])
    order = (-(queries @ bank.T)).argsort(axis=1, kind="stable")
    ids = [entry.id for entry in job.bank]
    precisions = []
    for query, row in zip(one.plan.queries, order, strict=True):
        rank = [ids[place] for place in row].index(query.labels[0]) + 1
        precisions.append(1 / rank if rank <= 25 else 0.0)
    assert all(len(query.labels) == 1 for query in one.plan.queries)
    assert found.map25 == pytest.approx(sum(precisions) / len(precisions), abs=0.02)
