"""The part of `train_reranker.py` that trains language models: kinds `listwise` and `pointwise`.

Under `accelerate launch` stage 1 must be there already (`--prepare` in one process makes it); each process then reads
the same candidates and trains on its share of every batch.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, file_hash, folder_hash
from core.language_model import TokenScorer
from core.lora import PRESETS
from core.models import LocalModel
from core.tokenizer import load_tokenizer
from pipelines.job import Job
from pipelines.lm_prompts import listwise_prompter, pointwise_prompter, prompt_template, prompts_hash
from pipelines.lm_reranker import locate_language_model, open_language_model_reranker
from pipelines.lm_training_settings import LmTrainingSettings
from pipelines.lm_training_table import language_model_table, list_sizes
from pipelines.out_of_fold import OutOfFold
from pipelines.precisions import DTYPES
from pipelines.reranker_settings import Kind, RerankerSettings
from pipelines.reranker_training import (
    first_recipe,
    log_training,
    made_by_all,
    result_facts,
    rows_facts,
    training_stages,
    validation_map,
    validation_rows,
)
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.teachers import read_teacher, warn_of_gaps
from pipelines.train_stage import fitted_on
from rerank.lm_tasks import LmKind
from rerank.processes import launched_processes, leave_processes
from rerank.prompts import Example, ListwisePrompter, PointwisePrompter
from rerank.train_language_model import train_language_model

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
    if training.method == "qlora" and job.settings.engine(chosen.engine).quantization != "bitsandbytes":
        logger.warning(
            "warning: the adapter is trained on the 4-bit base, but engine '%s' measures it on another one; set its "
            "quantization to bitsandbytes",
            chosen.engine,
        )
    made, found = training_stages(one, found)
    start = None if made is None else _made_first(one, chosen, base, made, stages)
    stops_early = training.patience is not None
    made_from: dict[str, Any] = {
        **_facts(one, chosen, base, found, training),
        **result_facts(
            one, base, found, scored=_score_key(one, chosen) if stops_early else None, teacher=training.teacher
        ),
        "teacher": file_hash(Path(training.teacher)) if training.teacher else None,
        **({"started_from": start.revision} if start else {}),
    }

    def make(folder: Path) -> None:
        score = lm_validation_score(one, chosen) if stops_early else None
        _train(job, chosen, training, base, found, folder, start=start, score=score)

    made_by_all(stages, output, made_from, make)
    leave_processes()
    if training.method == "full":
        return chosen.model_copy(update={"model": str(output), "revision": None})
    return chosen.model_copy(update={"adapter": str(output)})


def _made_first(
    one: StageOneRun, chosen: RerankerSettings, base: LocalModel, made: OutOfFold, stages: Stages
) -> LocalModel:
    """Return what was trained on the made rows alone: its weights are what training on real ones starts from."""
    settings = one.job.settings
    training = first_recipe(settings.lm_training, settings.synthetic)
    training = training.model_copy(update={"teacher": None})  # it is asked about real rows
    made_from: dict[str, Any] = {
        **_facts(one, chosen, base, made, training),
        "artifact": "reranker trained on made questions",
        "fitted_on": sorted(fitted_on(base)),
    }
    folder = made_by_all(
        stages,
        stages.folder / f"{chosen.kind}-made-first",
        made_from,
        lambda target: _train(one.job, chosen, training, base, made, target, start=None, score=None),
    )
    return LocalModel(name=str(folder), folder=folder, revision=f"sha256:{folder_hash(folder)}")


def _facts(
    one: StageOneRun, chosen: RerankerSettings, base: LocalModel, found: OutOfFold, training: LmTrainingSettings
) -> dict[str, Any]:
    """Return what both stages of a training depend on."""
    return {
        **rows_facts(one, base, found, training, left_out=_NOT_IN_RESULT),
        "kind": chosen.kind,
        "prompts": prompts_hash(one.job, chosen.prompt),
        "bank_hash": one.job.bank_hash,
        "queries": content_hash([repr(query) for query in found.queries]),
        "processes": launched_processes(),
    }


def lm_validation_score(one: StageOneRun, chosen: RerankerSettings) -> Callable[[TokenScorer], float]:
    """Return MAP@25 of a scorer in memory on the held-out part, fused with stage 1 at `lm_training.score_weight`."""
    weight = one.job.settings.lm_training.score_weight
    score = validation_map(one, weight=weight, depth=chosen.candidates, form=chosen.fusion)
    return lambda scorer: score(open_language_model_reranker(one.job, chosen, scorer, store=None))


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
        real=sum(row < found.real for row in rows),
    )


def _score_key(one: StageOneRun, chosen: RerankerSettings) -> str:
    """Return what the validation score depends on, besides the model."""
    asking = {"candidates", "orders", "order_count", "order_seed", "average", "windows", "adaptive"}
    asked = chosen.model_dump(mode="json", include=asking)
    queries = [repr(query) for query in one.plan.queries]
    weight = one.job.settings.lm_training.score_weight
    return content_hash([weight, chosen.fusion, validation_rows(one), asked, queries])


def _train(
    job: Job,
    chosen: RerankerSettings,
    training: LmTrainingSettings,
    base: LocalModel,
    found: OutOfFold,
    folder: Path,
    *,
    start: LocalModel | None,
    score: Callable[[TokenScorer], float] | None,
) -> None:
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
    made = train_language_model(
        base.folder,
        found.queries,
        found.candidates,
        job.bank,
        kind=kind,
        prompter=prompter,
        output_dir=folder,
        method=training.method,
        lora=replace(preset, alpha=training.alpha or preset.alpha, dropout=training.adapter_dropout),
        start=start.folder if start else None,
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
    further = f"question cut in {made.cut_prompts} lists, teacher used in {made.taught}"
    log_training(made, f"{made.lists} lists", further)
