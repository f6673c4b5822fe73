"""Stage 2 on top of a stage-1 run: reranked, fused at weights fitted on the held-out part, every result an artifact."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, write_json
from core.order_scores import OrderScores
from core.records import Query, Ranking
from eval.splits import seen_labels
from pipelines.adaptive_stage import fitted_adaptive
from pipelines.engine_pool import EnginePool
from pipelines.job import fingerprints
from pipelines.rerank_scores import TEST, VALIDATION, RerankScores
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import HALVES, Half, StageOneRun
from pipelines.stage_two import (
    StageTwoWeights,
    apply_stage_two,
    fit_stage_two,
    reranker_models,
    resolve_reranker,
    tempered_rankings,
)
from pipelines.time_limit import TimeLimit, no_limit
from pipelines.train_stage import fitted_on
from rerank.adaptive import AdaptivePolicy

logger = logging.getLogger(__name__)


class StageTwoRun:
    """A reranker over the candidates of stage 1; nothing is computed before it is asked for.

    Attributes:
        scores: Makes and keeps the reranker's own scores.

    Args:
        stage_one: Makes the candidates.
        spec: The reranker's SPEC.
        chosen: Its settings, where they differ from the SPEC's.
        variant: Names what of that difference changes scores, in file names; empty without one.
        title: What it is called in tables; the SPEC where None.
        pool: Holds the engines; shared by runs that use the same model.
        limit: The run's time limit.
        test_queries: How many test queries will follow the held-out ones: the time left is shared out by that.
    """

    def __init__(
        self,
        stage_one: StageOneRun,
        spec: str,
        *,
        chosen: RerankerSettings | None = None,
        variant: str = "",
        title: str | None = None,
        pool: EnginePool | None = None,
        limit: TimeLimit | None = None,
        test_queries: int = 0,
    ) -> None:
        self.stage_one = stage_one
        self.spec = title or spec
        self.job = stage_one.job
        self.stages = stage_one.stages
        self.chosen = chosen or resolve_reranker(spec, self.job.settings)
        self.scores = RerankScores(
            stage_one,
            f"{spec} [{variant}]" if variant else spec,
            self.chosen,
            pool=pool or EnginePool(),
            limit=limit or no_limit(),
            test_queries=test_queries,
        )

    @property
    def unreached(self) -> dict[str, int]:
        """How many queries of each list the time limit left at stage 1's order; empty where none."""
        return {name: len(scored.unreached) for name, scored in self.scores.unfinished.items()}

    @cached_property
    def adaptive(self) -> AdaptivePolicy | None:
        """When the first order is enough, fitted on the held-out part; None where the config does not ask for it."""
        found = self.adaptive_fit
        return AdaptivePolicy.from_json(found["policy"]) if found else None

    @cached_property
    def adaptive_fit(self) -> dict[str, Any] | None:
        """How that was fitted, with the curve of skip share against MAP@25."""
        if self.chosen.kind != "listwise" or self.chosen.adaptive.mode != "fitted":
            return None
        plan, candidates = self.stage_one.plan, self.scores.validation_candidates()
        reranked, orders = self.reranked_validation(), self.validation_orders()
        weights = self.weights[None]
        if orders is None or VALIDATION in self.scores.unfinished:
            logger.warning("warning: no full scores of the held-out part: every query is asked in every order")
            return None
        path = self.stages.artifact(
            f"adaptive-{self.scores.name}.json",
            {
                "artifact": "adaptive orders",
                **self.scores.made_from(plan.queries, candidates),
                "tolerance": self.chosen.adaptive.tolerance,
                "weights": weights.to_json(),
                "fusion": self.chosen.fusion,
                "labels": self._labels_hash(),
            },
            lambda target: write_json(
                target, fitted_adaptive(self.chosen, plan.queries, candidates, reranked, orders, weights)
            ),
        )
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @cached_property
    def weights(self) -> Mapping[Half, StageTwoWeights]:
        """The temperature, fusion weight and prior fitted on the whole held-out part (None) and each half (0, 1)."""
        self.reranked_validation()
        if VALIDATION in self.scores.unfinished:
            return self._fitted()
        candidates = self.scores.validation_candidates()
        made_from = {
            "artifact": "stage-2 weights",
            **self.scores.made_from(self.stage_one.plan.queries, candidates),
            "weights": [list(self.chosen.weights), self.chosen.fusion],
            "temperature": self.chosen.fit_temperature and self.chosen.reads_language_model,
            "prior": self.job.settings.prior.model_dump(mode="json"),
            "fusion": self.job.settings.fusion.model_dump(mode="json"),
            "labels": self._labels_hash(),
            "memory": self.stage_one.memory_hash(self.stage_one.plan.fit),
        }

        def write(path: Path) -> None:
            found = self._fitted()
            write_json(path, {"all" if half is None else f"half{half}": w.to_json() for half, w in found.items()})

        path = self.stages.artifact(f"stage_two-{self.scores.name}{self._form}.json", made_from, write)
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {half: StageTwoWeights(**stored["all" if half is None else f"half{half}"]) for half in HALVES}

    @property
    def _form(self) -> str:
        """Weights of two forms of fusion over the same scores lie side by side."""
        return "" if self.chosen.fusion == "rank" else f"-{self.chosen.fusion}"

    def validation_rankings(self, *, with_prior: bool = True) -> list[Ranking]:
        """Return the held-out queries' final rankings; each half's weights are those fitted on the other.

        What is left of a leak: the candidates that stage 2's weight for one half is fitted on were fused at stage-1
        weights fitted on that half, so two numbers of stage 1 pass from a half to its own score by way of one of
        stage 2. Measured on labels of a test file there is none.

        Args:
            with_prior: False leaves the prior for unseen labels out, to show what it does.
        """
        candidates = self.scores.validation_candidates()
        reranked = self.reranked_validation()
        seen = seen_labels(self.stage_one.plan.fit)
        halves = {}
        for half in (0, 1):
            weights = self.weights[1 - half] if with_prior else _without_prior(self.weights[1 - half])
            halves[half] = apply_stage_two(self.chosen, candidates, reranked, weights, seen=seen)
        return [halves[half][row] for row, half in enumerate(self.stage_one.plan.half)]

    def validation_alone(self) -> list[Ranking]:
        """Return the held-out queries' rankings in the reranker's own order (weight 1, no prior)."""
        alone = StageTwoWeights(weight=1.0, prior=0.0, prior_gain=None)
        candidates = self.scores.validation_candidates()
        return apply_stage_two(self.chosen, candidates, self.reranked_validation(), alone, seen=frozenset())

    def validation_tempered(self) -> list[Ranking]:
        """Return the reranker's own probabilities for held-out queries, each half at the other's temperature."""
        reranked = self.reranked_validation()
        halves = [tempered_rankings(self.chosen, reranked, self.weights[1 - half].temperature) for half in (0, 1)]
        return [halves[half][row] for row, half in enumerate(self.stage_one.plan.half)]

    def rankings(self, queries: Sequence[Query], *, with_prior: bool = True) -> list[Ranking]:
        """Return the final rankings of test queries.

        Args:
            queries: The queries.
            with_prior: False leaves the prior for unseen labels out, to show what it does.
        """
        # Weights first: under a time limit the test queries get what the held-out ones leave.
        weights = self.weights[None] if with_prior else _without_prior(self.weights[None])
        return apply_stage_two(
            self.chosen,
            self.scores.test_candidates(queries),
            self.reranked_test(queries),
            weights,
            seen=seen_labels(self.stage_one.questions),
        )

    def reranked_test(self, queries: Sequence[Query]) -> list[Ranking]:
        """Return the reranker's own rankings of test queries' candidates."""
        return self.scores.reranked(TEST, queries, self.scores.test_candidates(queries), adaptive=self.adaptive)

    def reranked_validation(self) -> list[Ranking]:
        """Return the reranker's own rankings of the held-out queries' candidates."""
        return self.scores.reranked(VALIDATION, self.stage_one.plan.queries, self.scores.validation_candidates())

    def test_orders(self, queries: Sequence[Query]) -> list[OrderScores] | None:
        """Return the scores by slot of test queries; None for other rerankers than listwise ones."""
        return self.scores.orders(TEST, queries, self.scores.test_candidates(queries), adaptive=self.adaptive)

    def validation_orders(self) -> list[OrderScores] | None:
        """Return the scores by slot of the held-out queries; None for other rerankers than listwise ones."""
        return self.scores.orders(VALIDATION, self.stage_one.plan.queries, self.scores.validation_candidates())

    def _labels_hash(self) -> str:
        return content_hash([[q.key, *q.labels] for q in self.stage_one.plan.queries])

    def _fitted(self) -> dict[Half, StageTwoWeights]:
        candidates = self.scores.validation_candidates()
        reranked = self.reranked_validation()
        plan = self.stage_one.plan
        self._warn_of_overlap(fingerprints(plan.validation))
        seen = seen_labels(plan.fit)
        fitted = {
            half: fit_stage_two(self.job, plan, self.chosen, candidates, reranked, half=half, seen=seen)
            for half in HALVES
        }
        logger.info("stage-2 weights (%s): %s", self.spec, fitted[None])
        return fitted

    def _warn_of_overlap(self, held_out: Sequence[str]) -> None:
        known: set[str] = set()
        for model in reranker_models(self.chosen, self.job.settings):
            known |= fitted_on(model)
        if overlap := len(known.intersection(held_out)):
            logger.warning(
                "warning: reranker %s was fitted on %d of the %d questions that its weight is fitted on: it will be "
                "trusted too much; train one with the same --train and the same [split]",
                self.spec,
                overlap,
                len(held_out),
            )


def _without_prior(weights: StageTwoWeights) -> StageTwoWeights:
    return replace(weights, prior=0.0, prior_gain=None)
