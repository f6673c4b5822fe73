"""The stage that trains a retriever on some questions and leaves a plain sentence-transformers folder."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import content_hash, read_manifest
from core.errors import InputError
from core.models import LocalModel
from core.records import Question
from pipelines.job import Job, base_model, check_model_folder, fingerprints
from pipelines.recipe import pairs_of, recipe_facts, train_by_recipe, training_parts
from pipelines.side_by_side import side_by_side
from pipelines.stages import Stages
from pipelines.trainable_encoder import base_facts
from rerank.processes import launched_processes
from retrieval.soup import average_models
from retrieval.text import query_text
from retrieval.train import TrainingResult

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)


def training_manifest(job: Job, questions: Sequence[Question], scored_on: Sequence[Question]) -> dict[str, Any]:
    """Return everything that a retriever trained on `questions` depends on."""
    start = base_model(job.settings)
    base = base_facts(job, start)
    continued = {"continued_from": [start.name, start.revision]} if base["revision"] != start.revision else {}
    return {
        "artifact": "retriever",
        **base,
        **continued,
        **recipe_facts(job),
        **_rows_facts(job, questions),
        # What the start has by heart, or was chosen on, holds for the result too.
        "fitted_on": sorted(fitted_on(start) | set(fingerprints(questions))),
        "scored_on": sorted(chosen_on(start) | set(fingerprints(scored_on))),
        "scored": _scored_hash(job, scored_on) if scored_on else None,
    }


def _rows_facts(job: Job, questions: Sequence[Question]) -> dict[str, Any]:
    if job.settings.training.stages or job.synthetic:
        return {"stages": [part.facts() for part in training_parts(job, questions)]}
    rows = [[p.query_key, p.query_text, p.hinted_text, *p.labels] for p in pairs_of(job, questions)]
    return {"pairs_hash": content_hash(rows)}


def _scored_hash(job: Job, questions: Sequence[Question]) -> str:
    template = job.forms.query
    queries = job.queries(questions, labelled_only=True)
    return content_hash([[query.key, query_text(query, template), *query.labels] for query in queries])


def trained_retriever(
    job: Job,
    stages: Stages,
    name: str,
    questions: Sequence[Question],
    *,
    scored_on: Sequence[Question] = (),
    score: "Callable[[SentenceTransformer], float] | None" = None,
    report: Callable[[TrainingResult], None] = lambda result: None,
) -> Path:
    """Return the folder of a retriever trained on `questions` by the config's recipe; reused while nothing changed.

    Args:
        job: The job.
        stages: Runs the stage and keeps its artifact.
        name: The artifact's name.
        questions: What it is fitted on.
        scored_on: The questions behind `score`, for the manifest.
        score: Validation score after each epoch; the best epoch is kept. None keeps the last.
        report: Receives what the training made, of each model where several are averaged; not called where the
            artifact is reused, nor for models trained in processes of their own.
    """
    training = job.settings.training
    members = stages.folder / f"{name}.members"

    def make(folder: Path) -> None:
        check_model_folder(folder)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
        if training.models == 1:
            report(train_by_recipe(job, questions, folder, score))
            return
        names = [f"{name}.members/{number}" for number in range(training.models)]
        jobs = [_of_member(job, number) for number in range(training.models)]
        # A score lives in this process, and under torchrun the processes train each model together.
        if training.parallel > 1 and score is None and launched_processes() == 1:
            tasks = [
                (of_member, stages.folder, member, tuple(questions))
                for of_member, member in zip(jobs, names, strict=True)
            ]
            side_by_side(_train_member, tasks, at_a_time=training.parallel, threads=job.settings.threads)
        folders = [
            trained_retriever(of_member, stages, member, questions, scored_on=scored_on, score=score, report=report)
            for of_member, member in zip(jobs, names, strict=True)
        ]
        average_models(folders, folder, trust_remote_code=job.settings.retriever.trust_remote_code)

    made = stages.artifact(name, training_manifest(job, questions, scored_on), make)
    shutil.rmtree(members, ignore_errors=True)  # also those that a killed run left beside a finished average
    return made


def _train_member(job: Job, folder: Path, name: str, questions: tuple[Question, ...]) -> None:
    trained_retriever(job, Stages(folder=folder), name, questions)


def _of_member(job: Job, number: int) -> Job:
    """Return the job of one of the models that are averaged."""
    training = job.settings.training
    own = training.model_copy(update={"seed": training.seed + number, "models": 1, "parallel": 1})
    return replace(job, settings=job.settings.model_copy(update={"training": own}))


def fitted_on(model: LocalModel | None) -> frozenset[str]:
    """Return the fingerprints of the questions that a model of this project was fitted on; none where unknown."""
    return frozenset(own_manifest(model).get("fitted_on") or ())


def chosen_on(model: LocalModel | None) -> frozenset[str]:
    """Return the fingerprints of the questions that chose a model's epoch; none where unknown."""
    return frozenset(own_manifest(model).get("scored_on") or ())


def warn_of_overlap(name: str, seen: frozenset[str], validation: Sequence[str]) -> None:
    """Warn where what a reranker learns from was fitted on held-out questions.

    Args:
        name: Of its base, or of its teacher.
        seen: Fingerprints of the questions that it was fitted on.
        validation: Those of the held-out part.
    """
    if overlap := len(seen.intersection(validation)):
        logger.warning(
            "warning: %s was fitted on %d of the %d held-out questions: numbers on them are too good, and "
            "ablate_rerankers.py will refuse the result",
            name,
            overlap,
            len(validation),
        )


def own_manifest(model: LocalModel | None) -> dict[str, Any]:
    """Return what a model of this project was made from; empty where the model is somebody else's."""
    try:
        return (read_manifest(model.folder) if model is not None else None) or {}
    except InputError:
        return {}  # the folder's `manifest.json` is somebody else's, and so is the model


def told_losses(losses: Sequence[float], scores: Sequence[float], best_epoch: int) -> str:
    """Return what a reranker's training says at its end: each epoch's loss, each validation score, the epoch kept."""
    lost = ", ".join(f"{loss:.4f}" for loss in losses)
    told = ", ".join(f"{score:.4f}" for score in scores)
    return f"{lost}; validation MAP@25 {told}, epoch {best_epoch} kept" if told else lost
