"""The part of `train_reranker.py` that grows a boosted reranker, and what opens it again."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.artifacts import content_hash
from core.errors import ModelError
from core.models import LocalModel, locate_model
from core.records import Question
from pipelines.boosted_evidence import Evidence, EvidencePlan, evidence_hash, evidence_plan
from pipelines.boosted_settings import BoostedTrainingSettings
from pipelines.job import Job, base_model, fingerprints
from pipelines.out_of_fold import OutOfFold
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on, warn_of_overlap
from pipelines.view_vectors import encoder_key
from rerank.boosted import BoostedRecipe, BoostedReranker, BoostedTrees, check_installed, train_boosted
from rerank.boosted_folder import BoostedFacts, forest_hashes, read_boosted, read_facts, write_boosted

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
        "encoder": encoder_key(job, encoder),
        "queries": evidence_hash(job, found.queries),
        "memory": evidence_hash(job, job.queries(one.plan.fit, labelled_only=True)),
        "bank_hash": job.bank_hash,
        "training": training.model_dump(mode="json", exclude={"encoder", "encoder_revision"}),
        "fitted_on": sorted(known | set(fingerprints(one.plan.fit))),
        "scored_on": [],
    }

    def make(folder: Path) -> None:
        evidence = Evidence(job, encoder, plan, one.plan.fit, stages.folder)
        trees = grown(evidence, found, training, threads=job.settings.threads or 1)
        is_folder = encoder.revision.startswith("sha256:")
        facts = BoostedFacts(
            forests=forest_hashes(trees),
            columns=trees.columns,
            pairs=plan.pairs,
            remembered=plan.remembered,
            encoder=encoder.name,
            encoder_revision=encoder.revision,
            encoder_commit=None if is_folder else encoder.revision,
            candidates=training.candidates,
            fusion=job.settings.fusion.method,
        )
        write_boosted(folder, trees, facts)

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
    read_facts(model.folder)
    return model


def check_boosted(chosen: RerankerSettings, settings: Settings) -> None:
    """Read a boosted reranker with all it needs, before any cost.

    Raises:
        ModelError: A file is damaged, stage 1 is fused in another way now, its encoder is gone or another one, or
            LightGBM cannot be loaded.
    """
    check_installed()
    facts, trees = read_boosted(locate_boosted(chosen).folder)
    if facts.fusion != settings.fusion.method:
        raise ModelError(
            f"{chosen.model}: was grown on a stage 1 with fusion.method={facts.fusion}, whose scores it reads, but the "
            f"config says {settings.fusion.method}; set the one or train the reranker again"
        )
    own_encoder(facts, settings)
    trees.importance()  # LightGBM reads every forest


def told_candidates(folder: str) -> int:
    """Return how many first ranks a boosted reranker learnt from; the default where the folder holds none."""
    try:
        return read_facts(Path(folder).expanduser()).candidates
    except ModelError:
        return BoostedTrainingSettings().candidates


def own_encoder(facts: BoostedFacts, settings: Settings) -> LocalModel:
    """Find the encoder that a boosted reranker was grown with.

    Raises:
        ModelError: It is not there, is another one now, or the folder chose it while code of models is trusted.
    """
    named = {settings.retriever.model, settings.boosted_training.encoder}
    if settings.retriever.trust_remote_code and facts.encoder not in named:
        raise ModelError(
            f"a boosted reranker was grown with {facts.encoder}, and retriever.trust_remote_code would run code of "
            f"that model: set boosted_training.encoder={facts.encoder} if you trust it"
        )
    encoder = locate_model(facts.encoder, revision=facts.encoder_commit)
    if encoder.revision != facts.encoder_revision:
        raise ModelError(
            f"a boosted reranker was grown with {facts.encoder} at {facts.encoder_revision}, but that model is now "
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
    facts, trees = read_boosted(locate_boosted(chosen).folder)
    plan = EvidencePlan(pairs=facts.pairs, remembered=facts.remembered, latex=job.settings.text.latex)
    if plan.columns != trees.columns:
        raise ModelError(f"{chosen.model}: its features are not those that its views make; train the reranker again")
    if missing := sorted(set(plan.columns) - set(evidence_plan(job).columns)):
        logger.warning(
            "warning: reranker %s was grown with hints or explanations that are not given now: %d of its %d features "
            "are not what they were",
            chosen.model,
            len(missing),
            len(plan.columns),
        )
    if not memory:
        logger.warning(
            "warning: reranker %s has no labelled examples to look at: it ranks worse than stage 1", chosen.model
        )
    return BoostedReranker(trees, Evidence(job, own_encoder(facts, job.settings), plan, memory, folder).features)


def boosted_texts_hash(job: Job) -> str:
    """Return what pins the texts of a boosted reranker: it must be used with those it was grown with."""
    retriever = job.settings.retriever
    return content_hash([job.settings.text.latex, retriever.max_length, retriever.pooling])
