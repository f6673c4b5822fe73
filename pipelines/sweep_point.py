"""One point of a sweep: a retriever trained by its settings and scored on the held-out part; the score is kept."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from core.artifacts import MANIFEST_NAME, content_hash, write_json, write_text
from core.models import locate_model
from eval.evaluation import evaluate
from eval.splits import seen_labels
from pipelines.job import Job
from pipelines.plan import Plan
from pipelines.stage_one import StageOne
from pipelines.stages import Stages
from pipelines.sweep_results import PointScore
from pipelines.train_stage import trained_retriever, training_manifest
from retrieval.text import query_text

MAP_DEPTH = 25
_SCORE, _TOLD = "score.json", "training.json"
_UNKEPT = "unkept"
"""A file that stands beside a model from before it is trained until it is deleted: a kill in between is made good."""


def point_score(job: Job, plan: Plan, stages: Stages, *, keep_model: bool) -> PointScore:
    """Return a point's score: read where it is there, else of a retriever trained now.

    Args:
        job: The job with the point's settings.
        plan: What is fitted on, and what is held out to score on.
        stages: Of the point's own folder.
        keep_model: Keep the model and the bank's vectors; else they are deleted once scored, also those that a killed
            run left.
    """
    unkept = stages.folder / _UNKEPT

    def make(path: Path) -> None:
        if not keep_model:
            write_text(unkept, "The model is deleted once it is scored.\n")
        told = stages.folder / _TOLD
        # Written before the model's manifest: where that is found, this is there too.
        folder = trained_retriever(
            job,
            stages,
            "retriever",
            plan.fit,
            report=lambda result: write_json(told, {"effective_negatives": result.effective_negatives}),
        )
        one = StageOne(job, locate_model(str(folder)), stages.folder / "bank")
        evaluation = evaluate(
            one.dense(plan.queries, top_n=MAP_DEPTH),
            plan.labels,
            seen=seen_labels(plan.fit),
            ks=(MAP_DEPTH,),
            resamples=job.settings.bootstrap,
        )
        effective = json.loads(told.read_text(encoding="utf-8"))["effective_negatives"]
        write_json(path, PointScore.of(evaluation, effective_negatives=effective).to_json())

    path = stages.artifact(_SCORE, _made_from(job, plan), make)
    if not keep_model and unkept.exists():  # a model that an earlier run kept has no such file, and stays
        _discard_model(stages.folder)
    unkept.unlink(missing_ok=True)
    return PointScore(**json.loads(path.read_text(encoding="utf-8")))


def _discard_model(folder: Path) -> None:
    """Delete all of a point's folder but its score: model, bank's vectors, and what a kill left of a training."""
    stay = {_SCORE, f"{_SCORE}.{MANIFEST_NAME}", _TOLD, _UNKEPT}
    for path in [path for path in folder.iterdir() if path.name not in stay]:
        # Out of its place first: a model that is half deleted must not be taken for a whole one.
        holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=folder))
        path.rename(holder / path.name)
        shutil.rmtree(holder)


def _made_from(job: Job, plan: Plan) -> dict[str, Any]:
    template = job.forms.query
    asked = [[query.key, query_text(query, template), query.hint, *query.labels] for query in plan.queries]
    retriever = job.settings.retriever
    # Of whole models, whose scores do not depend on it, the manifest stays as it was.
    held = {} if job.settings.training.method == "full" else {"base_quantization": retriever.base_quantization}
    return {
        **training_manifest(job, plan.fit, ()),
        **held,
        "artifact": "sweep score",
        "validation": content_hash(asked),
        "explanations": content_hash([[entry.id, entry.explanation] for entry in job.bank]),
        "index": job.settings.index.model_dump(mode="json"),
        "bootstrap": job.settings.bootstrap,
    }
