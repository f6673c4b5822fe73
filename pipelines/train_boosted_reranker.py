"""The part of `train_reranker.py` that grows a boosted reranker, and what opens it again."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.artifacts import content_hash
from core.errors import ModelError
from core.models import LocalModel, locate_model
from core.records import Question
from pipelines.boosted_evidence import Evidence, EvidencePlan, evidence_plan
from pipelines.boosted_settings import BoostedTrainingSettings
from pipelines.job import Job, base_model, fingerprints
from pipelines.out_of_fold import OutOfFold
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on, warn_of_overlap
from rerank.boosted import CONFIG, BoostedRecipe, BoostedReranker, BoostedTrees, train_boosted

logger = logging.getLogger(__name__)

KIND = "boosted"
NOT_IN_RECIPE = {"encoder", "encoder_revision", "candidates"}


def trained_boosted(one: StageOneRun, found: OutOfFold, output: Path, stages: Stages) -> Path:
    """Return the folder of a boosted reranker grown by the config's recipe; reused while nothing changed.

    Made questions are left out: their labels come from rules, whose examples would tell the trees what to expect.

    Args:
        one: Stage 1; the questions that it was fitted on are the examples.
        found: The candidates to learn from, out of fold.
        output: Where the model goes.
        stages: Records the stage; its folder keeps the embeddings.

    Raises:
        ModelError: The encoder was fitted on labels of these questions, or no query has its label among its candidates.
    """
    job = one.job
    training = job.settings.boosted_training
    if found.weights:
        logger.info("a boosted reranker learns from the %d real queries alone", found.real)
        found = found.part(slice(0, found.real))
    encoder, plan = feature_encoder(job.settings), evidence_plan(job)
    known = fitted_on(encoder)
    if already := known.intersection(fingerprints(one.plan.fit)):
        raise ModelError(
            f"boosted_training.encoder {encoder.name}: was fitted on {len(already)} of the questions to train on; its "
            "similarities would be too good there. Name a model that was not, e.g. the one that training started from"
        )
    warn_of_overlap(encoder.name, known, fingerprints(one.plan.validation))
    made_from: dict[str, Any] = {
        "artifact": "reranker",
        "kind": KIND,
        "texts": boosted_texts_hash(job),
        "model": encoder.name,
        "revision": encoder.revision,
        "columns": list(plan.columns),
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in found.candidates]),
        "queries": one.queries_hash(found.queries),
        "memory": one.memory_hash(one.plan.fit),
        "bank_hash": job.bank_hash,
        "training": training.model_dump(mode="json", exclude={"encoder", "encoder_revision"}),
        "fitted_on": sorted(known | set(fingerprints(one.plan.fit))),
        "scored_on": [],
    }

    def make(folder: Path) -> None:
        evidence = Evidence(job, encoder, plan, one.plan.fit, stages.folder)
        trees = grown(evidence, found, training, threads=job.settings.threads or 1)
        trees.save(folder, facts=_facts(encoder, training, plan))

    return Stages(folder=output.parent, records=stages.records).artifact(output.name, made_from, make)


def grown(evidence: Evidence, found: OutOfFold, training: BoostedTrainingSettings, *, threads: int) -> BoostedTrees:
    """Return trees grown on out-of-fold candidates, and tell which features they use most."""
    cut = [ranking.top(training.candidates) for ranking in found.candidates]
    features = evidence.features(found.queries, cut)
    truths = [
        [int(entry) in query.labels for entry in ranking.ids] for query, ranking in zip(found.queries, cut, strict=True)
    ]
    recipe = BoostedRecipe(**training.model_dump(exclude=NOT_IN_RECIPE), threads=threads)
    trees = train_boosted(features, truths, evidence.plan.columns, recipe)
    most = [f"{name} {share:.0%}" for name, share in list(trees.importance().items())[:5]]
    used = sum(any(truth) and not all(truth) for truth in truths)
    logger.info(
        "%d forests of %d trees on %d queries; most of the gain: %s",
        recipe.models,
        recipe.rounds,
        used,
        ", ".join(most),
    )
    return trees


def feature_encoder(settings: Settings) -> LocalModel:
    """Find the encoder of the features: `boosted_training.encoder`, or the model that the retriever starts from.

    Raises:
        ModelError: It is not there.
    """
    training = settings.boosted_training
    if training.encoder is None:
        return base_model(settings)
    return locate_model(training.encoder, revision=training.encoder_revision)


def locate_boosted(chosen: RerankerSettings) -> LocalModel:
    """Find a boosted reranker's folder.

    Raises:
        ModelError: It is not there, or holds something else.
    """
    model = locate_model(str(chosen.model), needs_weights=False)
    BoostedTrees.load(model.folder)
    return model


def told_candidates(folder: str) -> int:
    """Return how many first ranks a boosted reranker learnt from; the default where the folder is not there."""
    path = Path(folder).expanduser() / CONFIG
    told = json.loads(path.read_text(encoding="utf-8")).get("candidates") if path.is_file() else None
    return told if isinstance(told, int) else BoostedTrainingSettings().candidates


def own_encoder(model: LocalModel) -> LocalModel:
    """Find the encoder that a boosted reranker was grown with.

    Raises:
        ModelError: It is not there, or is another one now.
    """
    about = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))
    encoder = locate_model(about["encoder"], revision=about["encoder_commit"])
    if encoder.revision != about["encoder_revision"]:
        raise ModelError(
            f"{model.folder}: was grown with {about['encoder']} at {about['encoder_revision']}, but that model is now "
            f"{encoder.revision}; train the reranker again"
        )
    return encoder


def open_boosted(
    job: Job, chosen: RerankerSettings, *, memory: Sequence[Question], folder: Path | None
) -> BoostedReranker:
    """Open a boosted reranker.

    Args:
        job: The job.
        chosen: The reranker.
        memory: Labelled questions: the examples.
        folder: Keeps the embeddings; None keeps none.

    Raises:
        ModelError: The folder holds something else, or its encoder is gone.
    """
    model = locate_boosted(chosen)
    about = json.loads((model.folder / CONFIG).read_text(encoding="utf-8"))
    plan = EvidencePlan(
        pairs=tuple((query, entry) for query, entry in about["pairs"]),
        remembered=tuple(about["remembered"]),
        latex=job.settings.text.latex,
    )
    if missing := sorted(set(plan.columns) - set(evidence_plan(job).columns)):
        logger.warning(
            "warning: reranker %s was grown with hints or explanations that are not given now: %d of its %d features "
            "are unknown",
            chosen.model,
            len(missing),
            len(plan.columns),
        )
    evidence = Evidence(job, own_encoder(model), plan, memory, folder)
    return BoostedReranker(BoostedTrees.load(model.folder), evidence.features)


def boosted_texts_hash(job: Job) -> str:
    """Return what pins the texts of a boosted reranker: it must be used with those it was grown with."""
    return content_hash([job.settings.text.latex, job.settings.retriever.max_length])


def _facts(encoder: LocalModel, training: BoostedTrainingSettings, plan: EvidencePlan) -> dict[str, Any]:
    is_folder = encoder.revision.startswith("sha256:")
    return {
        "encoder": encoder.name,
        "encoder_revision": encoder.revision,
        "encoder_commit": None if is_folder else encoder.revision,
        "pairs": [list(pair) for pair in plan.pairs],
        "remembered": list(plan.remembered),
        "candidates": training.candidates,
    }
