"""The part of `train_reranker.py` that trains language models: kinds `listwise` and `pointwise`.

Under `accelerate launch` stage 1 must be there already (`--prepare` in one process makes it); each process then reads
the same candidates and trains on its share of every batch.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, differing_keys, file_hash
from core.language_model import TokenScorer
from core.lora import PRESETS
from core.models import LocalModel
from core.stage_one_fusion import fuse_with_stage_one
from core.tokenizer import load_tokenizer
from pipelines.job import Job, fingerprints
from pipelines.lm_prompts import listwise_prompter, pointwise_prompter, prompt_template, prompts_hash
from pipelines.lm_reranker import locate_language_model, open_language_model_reranker
from pipelines.lm_training_table import language_model_table, list_sizes
from pipelines.out_of_fold import OutOfFold
from pipelines.plan import precision_metric
from pipelines.precisions import DTYPES
from pipelines.reranker_settings import Kind, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.teachers import read_teacher, taught_by, warn_of_gaps
from pipelines.train_stage import fitted_on, told_losses, warn_of_overlap
from rerank.lm_tasks import LmKind
from rerank.processes import is_first_process, join_processes, launched_processes
from rerank.prompts import Example, ListwisePrompter, PointwisePrompter
from rerank.train_language_model import TrainedLanguageModel, train_language_model

logger = logging.getLogger(__name__)

_NOT_IN_RESULT = {"table", "base", "base_revision", "teacher", "score_weight"} | {
    *("checkpoint_steps", "micro_tokens", "gradient_checkpointing")
}
"""Settings that reach the manifest by another key, or that change no weight (but for rounding and dropout's draws)."""


def trained_language_model(
    one: StageOneRun, found: OutOfFold, kind: Kind, output: Path, stages: Stages
) -> RerankerSettings:
    """Return the table of a reranker trained by the config's recipe; reused while nothing changed.

    Args:
        one: Stage 1; with `lm_training.patience` its held-out part chooses the epoch.
        found: The candidates to train on.
        kind: `listwise` or `pointwise`.
        output: Where the adapter or model goes.
        stages: Records the stage.

    Raises:
        InputError: The teacher lacks a query.
    """
    job = one.job
    training = job.settings.lm_training
    chosen = language_model_table(kind, job.settings)
    found = _without_examples(found, prompt_template(job, chosen.prompt).examples)
    base = locate_language_model(chosen, job.settings)
    # What the base has by heart, the reranker has too; what its teacher has, it may have.
    by_base, by_teacher = fitted_on(base), taught_by(training.teacher)
    for name, seen in ((base.name, by_base), (f"the teacher of {training.teacher}", by_teacher)):
        warn_of_overlap(name, seen, fingerprints(one.plan.validation))
    seen_before = by_base | by_teacher
    if training.method == "qlora" and job.settings.engine(chosen.engine).quantization != "bitsandbytes":
        logger.warning(
            "warning: the adapter is trained on the 4-bit base, but engine '%s' measures it on another one; set its "
            "quantization to bitsandbytes",
            chosen.engine,
        )
    stops_early = training.patience is not None
    made_from: dict[str, Any] = {
        "artifact": "reranker",
        "kind": kind,
        "model": base.name,
        "revision": base.revision,
        "prompts": prompts_hash(job, chosen.prompt),
        "bank_hash": job.bank_hash,
        "queries": content_hash([repr(query) for query in found.queries]),
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in found.candidates]),
        "training": training.model_dump(mode="json", exclude=_NOT_IN_RESULT),
        "teacher": file_hash(Path(training.teacher)) if training.teacher else None,
        "device": job.settings.retriever.device,
        "processes": launched_processes(),
        **({"weights": content_hash(found.weights)} if found.weights else {}),
        "scored": _score_key(one, chosen) if stops_early else None,
        "fitted_on": sorted(seen_before | set(fingerprints(one.plan.fit))),
        "scored_on": fingerprints(one.plan.validation) if stops_early else [],
    }

    def make(folder: Path) -> None:
        score = lm_validation_score(one, chosen) if stops_early else None
        _log_training(_train(job, chosen, base, found, folder, score))

    if launched_processes() == 1:
        # The model lies outside the work folder, but its stage is told with the others.
        Stages(folder=output.parent, records=stages.records).artifact(output.name, made_from, make)
    elif differing_keys(output, made_from) != ():
        if is_first_process():
            Stages(folder=output.parent, records=stages.records).artifact(output.name, made_from, make)
        else:
            make(output)
        join_processes("cpu" if not _on_cuda(job) else "cuda").leave()
    if training.method == "full":
        return chosen.model_copy(update={"model": str(output), "revision": None})
    return chosen.model_copy(update={"adapter": str(output)})


def lm_validation_score(one: StageOneRun, chosen: RerankerSettings) -> Callable[[TokenScorer], float]:
    """Return MAP@25 of a scorer in memory on the held-out part, fused with stage 1 at `lm_training.score_weight`."""
    weight = one.job.settings.lm_training.score_weight
    queries, candidates = one.plan.queries, one.validation_candidates()
    cut = [ranking.top(chosen.candidates) for ranking in candidates]
    metric = precision_metric(queries)

    def score(scorer: TokenScorer) -> float:
        reranker = open_language_model_reranker(one.job, chosen, scorer, store=None)
        reranked = reranker.rerank(queries, cut, one.job.bank)
        return float(metric(fuse_with_stage_one(candidates, reranked, weight=weight, form=chosen.fusion)).mean())

    return score


def _without_examples(found: OutOfFold, examples: Sequence[Example]) -> OutOfFold:
    """Leave the questions of few-shot examples out, with their copies: their prompts would show the answer."""
    shown = {example.query.key for example in examples}
    groups = {group for query, group in zip(found.queries, found.groups, strict=True) if query.key in shown}
    rows = [row for row, group in enumerate(found.groups) if group not in groups]
    if not groups:
        return found
    logger.info(
        "%d queries are not trained on: examples in the prompt are of their questions", len(found.groups) - len(rows)
    )
    return replace(
        found,
        queries=[found.queries[row] for row in rows],
        candidates=[found.candidates[row] for row in rows],
        groups=[found.groups[row] for row in rows],
        weights=found.weights and [found.weights[row] for row in rows],
    )


def _on_cuda(job: Job) -> bool:
    from core.device import resolve_device

    return resolve_device(job.settings.retriever.device).startswith("cuda")


def _score_key(one: StageOneRun, chosen: RerankerSettings) -> str:
    """Return what the validation score depends on, besides the model."""
    rows = [[ranking.key, ranking.ids.tolist()] for ranking in one.validation_candidates()]
    asking = {"candidates", "orders", "order_count", "order_seed", "average", "windows", "adaptive"}
    asked = chosen.model_dump(mode="json", include=asking)
    queries = [repr(query) for query in one.plan.queries]
    return content_hash([one.job.settings.lm_training.score_weight, chosen.fusion, rows, asked, queries])


def _train(
    job: Job,
    chosen: RerankerSettings,
    base: LocalModel,
    found: OutOfFold,
    folder: Path,
    score: Callable[[TokenScorer], float] | None,
) -> TrainedLanguageModel:
    training = job.settings.lm_training
    kind: LmKind = "listwise" if chosen.kind == "listwise" else "pointwise"
    tokenizer = load_tokenizer(base.folder)
    prompter: ListwisePrompter | PointwisePrompter
    capacity = None
    if kind == "listwise":
        prompter = listwise_prompter(job, chosen.prompt, tokenizer)
        capacity = prompter.capacity
    else:
        prompter = pointwise_prompter(job, chosen.prompt, tokenizer)
    sizes, window = list_sizes(training, chosen.kind, capacity)
    teacher = read_teacher(training.teacher, found.queries)
    if teacher is not None:
        warn_of_gaps(teacher, found.candidates, window=window)
    preset = PRESETS[training.preset]
    return train_language_model(
        base.folder,
        found.queries,
        found.candidates,
        job.bank,
        kind=kind,
        prompter=prompter,
        output_dir=folder,
        method=training.method,
        lora=replace(preset, alpha=training.alpha or preset.alpha, dropout=training.adapter_dropout),
        base_name=base.name,
        epochs=training.epochs,
        sizes=sizes,
        window=window,
        spread=training.spread,
        none_share=training.none_share,
        batch_queries=training.batch_queries,
        micro_tokens=training.micro_tokens,
        learning_rate=training.learning_rate,
        warmup=training.warmup_ratio,
        weight_decay=training.weight_decay,
        hint_dropout=training.hint_dropout,
        gradient_checkpointing=training.gradient_checkpointing,
        teacher=teacher,
        teacher_weight=training.teacher_weight,
        teacher_temperature=training.teacher_temperature,
        provenance=found.provenance,
        groups=found.groups,
        weights=found.weights,
        seed=training.seed,
        device=job.settings.retriever.device,
        precision=DTYPES[training.precision],
        score=score,
        patience=training.patience,
        checkpoint_steps=training.checkpoint_steps,
    )


def _log_training(result: TrainedLanguageModel) -> None:
    logger.info(
        "trained %d epochs over %d lists; losses %s; question cut in %d lists, teacher used in %d",
        result.epochs,
        result.lists,
        told_losses(result.losses, result.scores, result.best_epoch),
        result.cut_prompts,
        result.taught,
    )
