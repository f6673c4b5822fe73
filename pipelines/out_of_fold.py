"""Out-of-fold candidates: rankings of the questions that stage 1 is fitted on, by retrievers that never saw them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.errors import InputError
from core.fingerprint import fingerprint
from core.models import locate_model
from core.records import Query, Question, Ranking, queries_of
from eval.groups import question_groups
from eval.splits import question_folds
from pipelines.job import Job, base_model, fingerprints
from pipelines.learned_fusion import fusion_made_from
from pipelines.stage_one import StageOne
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_one_weights import fuse
from pipelines.synthetic_rows import synthetic_rows
from pipelines.train_stage import fitted_on, trained_retriever
from rerank.training_groups import FoldProvenance

logger = logging.getLogger(__name__)

ARTIFACT = "out_of_fold.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfFold:
    """Candidates to train a reranker on.

    Attributes:
        queries: The labelled queries of the fitted part.
        candidates: Their rankings, in the same order.
        provenance: Which retriever made which ranking, and the question groups it was fitted on.
        groups: The question group of each query, as `provenance` counts them.
        weights: What each query's loss counts for: made ones as `[synthetic]` says; None where all are real.
        real: How many of the queries are real; made ones follow them.
    """

    queries: list[Query]
    candidates: list[Ranking]
    provenance: list[FoldProvenance]
    groups: list[int]
    weights: list[float] | None = None
    real: int = 0

    def part(self, rows: slice) -> "OutOfFold":
        """Return the rows of a slice, each of weight 1."""
        queries = self.queries[rows]
        keys = {query.key for query in queries}
        told = [replace(one, ranked=one.ranked & keys) for one in self.provenance]
        return OutOfFold(queries=queries, candidates=self.candidates[rows], provenance=told, groups=self.groups[rows])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fold:
    stage: StageOne
    queries: list[Query]
    memory: tuple[Question, ...]
    provenance: FoldProvenance


def out_of_fold_candidates(run: StageOneRun) -> OutOfFold:
    """Rank the fitted part's labelled queries as stage 1 will rank questions that are new to it.

    A retriever has the questions it was fitted on by heart: a reranker trained on its candidates learns to trust an
    order that will not be there. So each fold is ranked by a retriever trained on the other folds by the same recipe,
    whose questions alone vote as neighbours; the fusion weights are the run's. A given retriever that was fitted on
    none of these questions needs no folds: it ranks them all, and a query's own question group never votes.

    Made questions are dealt out to the folds too: each is ranked by a retriever that was not trained on it.

    Args:
        run: Stage 1; its stages keep the fold retrievers (`foldK/retriever`) and the rankings (`out_of_fold.parquet`).

    Raises:
        InputError: There are fewer questions than folds, or the base model was fitted on these questions already.
    """
    questions = run.plan.fit
    made_rows = synthetic_rows(run.job, questions)
    everything = [*questions, *made_rows]
    numbers = dict(zip([q.id for q in everything], question_groups(everything).tolist(), strict=True))
    folds = _folds(run, numbers, made_rows)
    weights, settings = run.weights[None], run.job.settings
    real = run.job.queries(questions, labelled_only=True)
    queries = [*real, *queries_of(made_rows, labelled_only=True)]

    def make() -> list[Ranking]:
        found: dict[str, Ranking] = {}
        for fold in folds:
            runs = fold.stage.runs(
                fold.queries,
                fold.memory,
                thresholds=(weights.threshold,) if weights.neighbours > 0 else (),
                lexical=weights.reads_words,
            )
            fusion, top = settings.fusion, settings.candidates
            fused = fuse(runs, weights, method=fusion.method, top=top, window=fusion.window)
            found |= {ranking.key: ranking for ranking in fused}
        return [found[query.key] for query in queries]

    made_from = {
        "artifact": "out-of-fold candidates",
        "retrievers": [fold.stage.made_from() for fold in folds],
        "queries": run.queries_hash(queries),
        "ranked": [run.queries_hash(fold.queries) for fold in folds],
        "memory": [run.queries_hash(run.job.queries(fold.memory, labelled_only=True)) for fold in folds],
        "weights": weights.to_json(),
        "method": [settings.fusion.method, settings.fusion.depth, settings.lexical.kind],
        **({"learned": fusion_made_from(run.job)} if settings.fusion.learned else {}),
        "top": settings.candidates,
    }
    return OutOfFold(
        queries=queries,
        candidates=run.stages.rankings(ARTIFACT, made_from, make),
        provenance=[fold.provenance for fold in folds],
        groups=[numbers[query.question.id] for query in queries],
        weights=_weights(run.job, len(real), len(queries) - len(real)),
        real=len(real),
    )


def fold_job(job: Job) -> Job:
    """Return the job that out-of-fold retrievers are trained by: `reranker_training.fold_models` models each."""
    models = job.settings.reranker_training.fold_models
    if models is None:
        return job
    training = job.settings.training.model_copy(update={"models": models})
    return replace(job, settings=job.settings.model_copy(update={"training": training}))


def _folds(run: StageOneRun, numbers: dict[int, int], made_rows: Sequence[Question]) -> list[_Fold]:
    """Return the folds, their retrievers trained; one fold of all questions where the retriever knows none of them."""
    questions = run.plan.fit
    known = set(fingerprints(questions))
    for name in run.job.settings.retriever.also:
        if already := known & fitted_on(locate_model(name)):
            raise InputError(
                f"retriever.also {name}: was fitted on {len(already)} of the {len(known)} questions to train on, so "
                "its candidates are too easy to learn from; leave it out here"
            )
    if run.given is not None and known.isdisjoint(fitted_on(run.given)):
        logger.info("%s states no fit on these questions: it ranks them all, no fold is trained", run.given.name)
        queries = [*run.job.queries(questions, labelled_only=True), *queries_of(made_rows, labelled_only=True)]
        provenance = _provenance(run.given.name, queries, frozenset())
        return [_Fold(stage=run.fitted, queries=queries, memory=run.memory(questions), provenance=provenance)]
    base = base_model(run.job.settings)
    if already := known & fitted_on(base):
        raise InputError(
            f"retriever.model {base.name}: was fitted on {len(already)} of the {len(known)} questions to train on, so "
            "no fold of them can be new to it; name a base model that was not"
        )
    training = run.job.settings.reranker_training
    folds = []
    for number, split in enumerate(question_folds(questions, k=training.folds, seed=training.seed)):
        own = made_rows[number :: training.folds]
        queries = [*run.job.queries(split.validation, labelled_only=True), *queries_of(own, labelled_only=True)]
        if not queries:
            continue
        job = _without(fold_job(run.job), own)
        name = f"fold{number}/retriever"
        folder = trained_retriever(job, run.stages, name, split.train)
        stage = StageOne(
            run.job, locate_model(str(folder)), folder.with_name("bank"), pool=run.encoders, views=run.views
        )
        learnt = synthetic_rows(job, split.train) if job.synthetic else []
        fitted = frozenset(numbers[question.id] for question in (*split.train, *learnt))
        provenance = _provenance(name, queries, fitted)
        voters = (*split.train, *learnt) if job.settings.synthetic.neighbours else split.train
        folds.append(_Fold(stage=stage, queries=queries, memory=voters, provenance=provenance))
    return folds


def _weights(job: Job, real: int, made: int) -> list[float] | None:
    return [1.0] * real + [job.settings.synthetic.weight] * made if made else None


def _without(job: Job, made: Sequence[Question]) -> Job:
    """Return the job without some made questions, nor copies of them."""
    gone = {fingerprint(question) for question in made}
    kept = tuple(one for one in job.synthetic if fingerprint(one.question) not in gone)
    return replace(job, inputs=replace(job.inputs, synthetic=kept))


def _provenance(name: str, queries: Sequence[Query], fitted: frozenset[int]) -> FoldProvenance:
    return FoldProvenance(model=name, ranked=frozenset(query.key for query in queries), fitted_on=fitted)
