"""Stage 1 from training questions to candidates: trained, weighted on a held-out part, every result an artifact."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, write_json
from core.models import LocalModel, locate_model
from core.records import Query, Question, Ranking
from pipelines.job import Job, base_model, fingerprints
from pipelines.learned_fusion import fusion_made_from, fusion_views, with_channels
from pipelines.plan import Plan, make_plan, precision_metric
from pipelines.stage_one import StageOne
from pipelines.stage_one_weights import StageOneRuns, StageOneWeights, fit_stage_one, fuse
from pipelines.stages import Stages
from pipelines.synthetic_rows import synthetic_rows
from pipelines.train_stage import fitted_on, trained_retriever, warn_of_overlap
from pipelines.view_vectors import ViewVectors
from retrieval.encoder_pool import EncoderPool
from retrieval.text import query_text

logger = logging.getLogger(__name__)

Half = int | None
HALVES: tuple[Half, ...] = (None, 0, 1)


class StageOneRun:
    """One pass of stage 1 over some training questions; nothing is computed before it is asked for.

    Args:
        job: The job.
        stages: Keeps the artifacts.
        questions: The training questions: a validation part is held out of them.
        given: A model to use as it is; None trains the config's on the fitted part.

    Attributes:
        encoders: Holds the one encoder that is open; close it before a language model needs the memory.
    """

    def __init__(self, job: Job, stages: Stages, questions: Sequence[Question], *, given: LocalModel | None) -> None:
        self.job = job
        self.stages = stages
        self.questions = tuple(questions)
        self.given = given
        self.encoders = EncoderPool()
        self._runs: dict[str, StageOneRuns] = {}

    @cached_property
    def plan(self) -> Plan:
        """The fitted and the held-out part."""
        return make_plan(self.job, self.questions)

    @cached_property
    def fitted(self) -> StageOne:
        """The retriever fitted without the held-out part: weights are fitted with it."""
        if self.given is not None:
            return StageOne(self.job, self.given, self.stages.folder / "bank", pool=self.encoders, views=self.views)
        folder = trained_retriever(self.job, self.stages, "retriever", self.plan.fit)
        return StageOne(
            self.job, locate_model(str(folder)), self.stages.folder / "bank", pool=self.encoders, views=self.views
        )

    @cached_property
    def final(self) -> StageOne:
        """The retriever that ranks the test questions: fitted on all rows where the config says `training.refit`."""
        if self.given is not None or not self.job.settings.training.refit:
            return self.fitted
        folder = trained_retriever(self.job, self.stages, "retriever-refit", self.questions)
        return StageOne(
            self.job, locate_model(str(folder)), self.stages.folder / "bank-refit", pool=self.encoders, views=self.views
        )

    @cached_property
    def zero_shot(self) -> StageOne | None:
        """The base model as it came, to compare with; None where it is the one in use, or the config leaves it out."""
        if self.given is not None or not self.job.settings.zero_shot:
            return None
        cache = self.stages.folder / "bank-zero-shot"
        return StageOne(self.job, base_model(self.job.settings), cache, joined=False, pool=self.encoders)

    @cached_property
    def views(self) -> ViewVectors | None:
        """The base model's vectors that a learned fusion compares; None where the fusion is another."""
        if not self.job.settings.fusion.learned:
            return None
        views = fusion_views(self.job, self.stages.folder, pool=self.encoders)
        warn_of_overlap(views.model.name, fitted_on(views.model), fingerprints(self.plan.validation))
        return views

    @cached_property
    def weights(self) -> Mapping[Half, StageOneWeights]:
        """The fusion weights fitted on the whole held-out part (None) and on each half of it (0, 1)."""
        made_from = {
            **self.fitted.made_from(),
            "artifact": "stage-1 weights",
            "validation": self.queries_hash(self.plan.queries),
            "memory": self.memory_hash(self.memory(self.plan.fit)),
            **self._fusion_settings(),
        }
        path = self.stages.artifact("stage_one.json", made_from, self._write_weights)
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {half: StageOneWeights(**stored[_name(half)]) for half in HALVES}

    def validation_candidates(self) -> list[Ranking]:
        """Return the held-out queries' candidates; each half's weights are those fitted on the other."""
        plan = self.plan

        def make() -> list[Ranking]:
            halves = {half: self._fused(self._validation_runs(), self.weights[1 - half]) for half in (0, 1)}
            return [halves[half][row] for row, half in enumerate(plan.half)]

        return self.stages.rankings("validation_candidates.parquet", self._rankings_from("validation"), make)

    def validation_dense(self) -> list[Ranking]:
        """Return the held-out queries' rankings by the dense retriever alone."""
        top = self.job.settings.candidates
        return self.stages.rankings(
            "validation_dense.parquet",
            {**self.fitted.made_from(), "queries": self.queries_hash(self.plan.queries), "top": top},
            lambda: [ranking.top(top) for ranking in self._validation_runs().dense],
        )

    def candidates(self, queries: Sequence[Query]) -> list[Ranking]:
        """Return the candidates of test queries; every training question votes as a neighbour."""
        made_from = {
            **self.final.made_from(),
            "artifact": "candidates",
            "queries": self.queries_hash(queries),
            "memory": self.memory_hash(self.memory(self.questions)),
            "weights": self.weights[None].to_json(),
            "top": self.job.settings.candidates,
            **self._fusion_settings(),
        }
        return self.stages.rankings(
            "candidates.parquet", made_from, lambda: self._fused(self._test_runs(queries), self.weights[None])
        )

    def dense(self, queries: Sequence[Query]) -> list[Ranking]:
        """Return the rankings of test queries by the dense retriever alone."""
        top = self.job.settings.candidates
        return self.stages.rankings(
            "dense.parquet",
            {**self.final.made_from(), "queries": self.queries_hash(queries), "top": top},
            lambda: [ranking.top(top) for ranking in self._test_runs(queries).dense],
        )

    def zero_shot_rankings(self, queries: Sequence[Query]) -> list[Ranking] | None:
        """Return the untrained model's rankings, or None where there is nothing to compare with."""
        zero_shot = self.zero_shot
        if zero_shot is None:
            return None
        top = self.job.settings.candidates
        return self.stages.rankings(
            "zero_shot.parquet",
            {**zero_shot.made_from(), "queries": self.queries_hash(queries), "top": top},
            lambda: zero_shot.dense(queries, top_n=top),
        )

    def memory(self, fitted: Sequence[Question]) -> tuple[Question, ...]:
        """Return the questions that vote as neighbours: fitted ones, and made ones where `[synthetic]` lets them."""
        return (*fitted, *(synthetic_rows(self.job, fitted) if self.job.settings.synthetic.neighbours else ()))

    def _write_weights(self, path: Path) -> None:
        fitted = {half: self._fit_weights(half) for half in HALVES}
        logger.info("stage-1 weights: %s", fitted[None])
        write_json(path, {_name(half): weights.to_json() for half, weights in fitted.items()})

    def _fit_weights(self, half: Half) -> StageOneWeights:
        plan, runs = self.plan, self._validation_runs()
        rows = plan.rows(half)
        weights = fit_stage_one(self.job, runs, rows, plan.unseen, precision_metric(plan.queries))
        if not self.job.settings.fusion.learned:
            return weights
        return with_channels(self.job, runs, weights, rows, plan.queries, plan.unseen)

    def _validation_runs(self) -> StageOneRuns:
        if "validation" not in self._runs:
            settings = self.job.settings
            self._runs["validation"] = self.fitted.runs(
                self.plan.queries,
                self.memory(self.plan.fit),
                thresholds=settings.neighbours.thresholds if settings.neighbours.enabled else (),
                lexical=any(settings.lexical.weights) or settings.fusion.learned,
            )
        return self._runs["validation"]

    def _test_runs(self, queries: Sequence[Query]) -> StageOneRuns:
        weights = self.weights[None]
        key = self.queries_hash(queries)
        if key not in self._runs:
            self._runs[key] = self.final.runs(
                queries,
                self.memory(self.questions),
                thresholds=(weights.threshold,) if weights.neighbours > 0 else (),
                lexical=weights.reads_words,
            )
        return self._runs[key]

    def _fused(self, runs: StageOneRuns, weights: StageOneWeights) -> list[Ranking]:
        fusion = self.job.settings.fusion
        return fuse(runs, weights, method=fusion.method, top=self.job.settings.candidates, window=fusion.window)

    def _rankings_from(self, artifact: str) -> dict[str, Any]:
        return {
            **self.fitted.made_from(),
            "artifact": artifact,
            "queries": self.queries_hash(self.plan.queries),
            "memory": self.memory_hash(self.memory(self.plan.fit)),
            "weights": [self.weights[half].to_json() for half in HALVES],
            "top": self.job.settings.candidates,
            **self._fusion_settings(),
        }

    def _fusion_settings(self) -> dict[str, Any]:
        settings = self.job.settings
        return {
            "neighbours": settings.neighbours.model_dump(mode="json"),
            "lexical": settings.lexical.model_dump(mode="json"),
            **fusion_made_from(self.job),
        }

    def queries_hash(self, queries: Sequence[Query]) -> str:
        """Return what pins some queries in manifests: keys, labels, texts and hints."""
        form, views = self.job.forms.query, self.views
        rows = [[query.key, *query.labels, query_text(query, form), query.hint] for query in queries]
        if views is not None:  # the retriever may read less of a question than they do
            rows = [[*row, *views.texts_of(query)] for row, query in zip(rows, queries, strict=True)]
        return content_hash(rows)

    def memory_hash(self, questions: Sequence[Question]) -> str:
        """Return what pins labelled questions as texts and labels, for manifests."""
        return self.queries_hash(self.job.queries(questions, labelled_only=True))


def _name(half: Half) -> str:
    return "all" if half is None else f"half{half}"
