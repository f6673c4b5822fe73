"""A reranker chosen by its SPEC: what it is, whether all it needs is there, what its scores depend on, and opened."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from core.artifacts import require_match
from core.errors import ConfigError, InputError, ModelError, UserError, did_you_mean
from core.models import LocalModel, locate_model
from core.records import Question
from pipelines.engine_pool import EnginePool
from pipelines.job import Job
from pipelines.lm_reranker import (
    check_language_model,
    check_prompts,
    language_model_made_from,
    locate_adapter,
    locate_language_model,
    open_language_model_reranker,
    pooled_engine,
    score_store,
)
from pipelines.reranker_settings import Kind, RerankerSettings
from pipelines.reranker_texts import reranker_candidate_text, reranker_query_text, reranker_texts_hash
from pipelines.settings import Settings
from pipelines.train_boosted_reranker import (
    boosted_texts_hash,
    check_boosted,
    locate_boosted,
    open_boosted,
    told_candidates,
)
from pipelines.train_stage import own_manifest
from rerank.adaptive import SkipPolicy
from rerank.cascade import CascadeReranker, CascadeStage
from rerank.cross_encoder import CrossEncoderReranker
from rerank.identity import IdentityReranker
from rerank.reranker import Reranker

KINDS: tuple[str, ...] = tuple(kind for kind in get_args(Kind) if kind != "cascade")
"""The kinds that a SPEC may name; a cascade is a table."""


def resolve_reranker(spec: str, settings: Settings) -> RerankerSettings:
    """Return the settings of a reranker SPEC: `identity`, `KIND:MODEL`, or the name of a `[rerankers.NAME]` table.

    Raises:
        ConfigError: The SPEC is none of these.
    """
    if spec in settings.rerankers:
        return settings.rerankers[spec]
    if spec == "identity":
        return RerankerSettings(candidates=25)
    kind, colon, model = spec.partition(":")
    if colon and model and kind == "boosted":
        return RerankerSettings(kind="boosted", model=model, candidates=told_candidates(model))
    if colon and model and kind in KINDS and kind != "identity":
        return RerankerSettings.model_validate({"kind": kind, "model": model})
    known = ["identity", *settings.rerankers]
    raise ConfigError(
        f"reranker '{spec}': expected identity, KIND:MODEL_DIR with KIND one of {', '.join(KINDS)}, or a "
        f"[rerankers.NAME] table of the config; there is {', '.join(known)}{did_you_mean(spec, known)}"
    )


def parts_of(chosen: RerankerSettings, settings: Settings) -> list[RerankerSettings]:
    """Return a cascade's tables in the order of its stages; any other reranker alone."""
    return [settings.rerankers[stage.reranker] for stage in chosen.stages] or [chosen]


def looks_at_examples(chosen: RerankerSettings, settings: Settings) -> bool:
    """Return whether a reranker, or a stage of a cascade, looks at labelled questions when it ranks."""
    return any(part.kind == "boosted" for part in parts_of(chosen, settings))


def reranker_models(chosen: RerankerSettings, settings: Settings) -> list[LocalModel]:
    """Return every model and adapter that a reranker uses.

    Raises:
        ModelError: One is not there.
    """
    found: list[LocalModel | None] = []
    for part in parts_of(chosen, settings):
        if part.reads_language_model:
            found += [locate_language_model(part, settings), locate_adapter(part)]
        elif part.kind == "boosted":
            found.append(locate_boosted(part))
        elif part.model:
            found.append(locate_model(part.model))
    return [model for model in found if model is not None]


def check_reranker(spec: str) -> Callable[[Settings], None]:
    """Return a check that a SPEC is known, its models there and its engines installed, for `read_job`."""

    def check(settings: Settings) -> None:
        faults: list[str] = []
        for part in parts_of(resolve_reranker(spec, settings), settings):
            try:
                if part.reads_language_model:
                    check_language_model(spec, part, settings)
                elif part.kind == "boosted":
                    check_boosted(part, settings)
                elif part.model is not None:
                    _check_is_cross_encoder(spec, locate_model(part.model).folder)
            except UserError as error:
                faults += error.faults
        if len(faults) == 1:
            raise ModelError(faults)
        if faults:
            raise InputError(faults)

    return check


def _check_is_cross_encoder(spec: str, folder: Path) -> None:
    """Refuse a bi-encoder: the library would open it with a random head and rank at random."""
    config = folder / "config.json"
    names = json.loads(config.read_text(encoding="utf-8")).get("architectures") if config.is_file() else None
    if not any(name.endswith("ForSequenceClassification") for name in names or []):
        raise ModelError(
            f"reranker '{spec}': {folder} is no cross-encoder (config.json names {names or 'no architecture'}); "
            "make one with pipelines/train_reranker.py"
        )


def check_reranker_texts(job: Job, chosen: RerankerSettings) -> None:
    """Refuse a model that this project trained with other texts than the config's; a foreign model's are not known.

    A language model's labels are checked against its tokenizer here too, before any stage runs.

    Raises:
        ArtifactMismatchError: The texts differ.
        ModelError: The tokenizer cannot serve the labels.
    """
    for part in parts_of(chosen, job.settings):
        if part.reads_language_model:
            check_prompts(job, part)
            continue
        if part.kind == "boosted":
            require_match(locate_boosted(part).folder, {"texts": boosted_texts_hash(job)})
            continue
        model = locate_model(part.model) if part.model else None
        if model is not None and own_manifest(model):
            require_match(model.folder, {"texts": reranker_texts_hash(job)})


def reranker_made_from(job: Job, chosen: RerankerSettings) -> dict[str, Any]:
    """Return what a reranker's scores depend on besides its candidates, for manifests."""
    if chosen.reads_language_model:
        return {**language_model_made_from(job, chosen), "describe": [chosen.describe, chosen.describe_extra]}
    if chosen.kind == "cascade":
        stages = [
            [stage.first, stage.last, stage.weight, reranker_made_from(job, job.settings.rerankers[stage.reranker])]
            for stage in chosen.stages
        ]
        return {"kind": chosen.kind, "depth": chosen.candidates, "stages": stages}
    if chosen.kind == "boosted":
        revision = locate_boosted(chosen).revision
        return {
            "kind": chosen.kind,
            "model_revision": revision,
            "depth": chosen.candidates,
            "texts": boosted_texts_hash(job),
        }
    model = locate_model(chosen.model) if chosen.model else None
    return {
        "kind": chosen.kind,
        "model_revision": model.revision if model else None,
        "depth": chosen.candidates,
        "max_length": chosen.max_length,
        "int8": chosen.int8,
        "texts": reranker_texts_hash(job),
    }


def open_reranker(
    job: Job,
    chosen: RerankerSettings,
    *,
    pool: EnginePool | None = None,
    scores: Path | None = None,
    adaptive: SkipPolicy | None = None,
    memory: Sequence[Question] = (),
) -> Reranker:
    """Open a reranker; a language model's engine opens when it is first asked.

    Args:
        job: The job.
        chosen: The reranker.
        pool: Holds the engine; one of its own where None.
        scores: Folder of the stored scores of language models; None stores none.
        adaptive: For a listwise reranker: leaves further orders out.
        memory: For a boosted reranker: the labelled questions that are its examples.

    Raises:
        ArtifactMismatchError: The model was trained by this project with other texts than the config's.
        ModelError: The model cannot be loaded.
    """
    if chosen.kind == "identity":
        return IdentityReranker()
    pool = pool or EnginePool()
    if chosen.kind == "cascade":
        return CascadeReranker(
            [
                CascadeStage(
                    first=stage.first,
                    last=stage.last,
                    weight=stage.weight,
                    name=stage.reranker,
                    reranker=open_reranker(
                        job, job.settings.rerankers[stage.reranker], pool=pool, scores=scores, memory=memory
                    ),
                )
                for stage in chosen.stages
            ]
        )
    check_reranker_texts(job, chosen)
    if chosen.kind == "boosted":
        return open_boosted(job, chosen, memory=memory, folder=scores)
    if chosen.reads_language_model:
        store = score_store(job, chosen, scores, pool) if scores is not None else None
        engine = pooled_engine(job, chosen, pool)
        return open_language_model_reranker(job, chosen, engine, store=store, adaptive=adaptive)
    return CrossEncoderReranker.load(
        locate_model(str(chosen.model)).folder,
        query_text=reranker_query_text(job),
        candidate_text=reranker_candidate_text(job),
        batch_size=chosen.batch_size,
        device=job.settings.retriever.device,
        max_length=chosen.max_length,
        int8=chosen.int8,
        show_progress=True,
    )
