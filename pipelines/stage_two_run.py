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
from pipelines.adaptive_stage import first_order_by_halves, fitted_by_halves, policies_of
from pipelines.engine_pool import EnginePool
from pipelines.fewer_orders import Lowered, forecast, lower_orders
from pipelines.rerank_scores import TEST, VALIDATION, RerankScores
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import HALVES, Half, StageOneRun
from pipelines.stage_two import (
    StageTwoWeights,
    apply_stage_two,
    fit_stage_two,
    resolve_reranker,
    tempered_rankings,
    warn_of_overlap,
)
from pipelines.time_limit import TimeLimit, no_limit
from rerank.adaptive import AdaptivePolicy

logger = logging.getLogger(__name__)


class StageTwoRun:
    """A reranker over the candidates of stage 1; nothing is computed before it is asked for.

    Attributes:
        scores: Makes and keeps the reranker's own scores.
        lowered: Further orders of the test queries given up for the time limit; None before they are asked, and where
            nothing is given up.

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
        self.lowered: Lowered | None = None
        self._has_looked_at_the_clock = False

    @property
    def unreached(self) -> dict[str, int]:
        """How many queries of each list the time limit left at stage 1's order; empty where none."""
        return {name: len(scored.unreached) for name, scored in self.scores.unfinished.items()}

    def time_limit_json(self) -> dict[str, Any] | None:
        """Return what the time limit did, for metrics.json; None without one."""
        if not self.scores.time.limit.is_set:
            return None
        lowered = self.lowered and self.lowered.to_json()
        return {"fewer_orders": lowered, "not_described": self.scores.undescribed}

    @property
    def policies(self) -> Mapping[Half, AdaptivePolicy]:
        """When the first order is enough, by the part it was fitted on; empty where every query is asked in all."""
        if self.lowered is not None:
            return self.lowered.policies
        return policies_of(self.adaptive_fit) if self.adaptive_fit else {}

    @cached_property
    def adaptive_fit(self) -> dict[str, Any] | None:
        """How that was fitted, with the curve of skip share against MAP@25; None where the config asks for none."""
        if self.chosen.kind != "listwise" or self.chosen.adaptive.mode != "fitted":
            return None
        if self.validation_orders() is None or VALIDATION in self.scores.unfinished:
            logger.warning("warning: no full scores of the held-out part: every query is asked in every order")
            return None
        path = self.stages.artifact(
            f"adaptive-{self.scores.name}{self._form}.json",
            {
                "artifact": "adaptive orders by halves",
                **self.scores.made_from(self.stage_one.plan.queries, self.scores.validation_candidates()),
                "tolerance": self.chosen.adaptive.tolerance,
                "weights": [self.weights[half].to_json() for half in HALVES],
                "fusion": self.chosen.fusion,
                "labels": self._labels_hash(),
            },
            lambda target: write_json(target, self._fitted_orders()),
        )
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _fitted_orders(self) -> dict[str, Any] | None:
        orders = self.validation_orders()
        if not orders:
            return None
        candidates, reranked = self.scores.validation_candidates(), self.reranked_validation()
        return fitted_by_halves(self.chosen, self.stage_one.plan, candidates, reranked, orders, self.weights)

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

    @property
    def validation_first_order(self) -> dict[str, Ranking]:
        """The held-out queries that the other half's policy asks once, with what ranks them; none without a policy."""
        policies = self.policies
        orders = self.validation_orders() if policies else None
        return first_order_by_halves(self.stage_one.plan, policies, orders) if orders else {}

    def validation_ranked(self, *, all_orders: bool = False) -> list[Ranking]:
        """Return the reranker's own rankings of the held-out queries, as it would rank test queries.

        Args:
            all_orders: Average all orders also where the policy leaves some out, to show what it costs.
        """
        first = {} if all_orders else self.validation_first_order
        return [first.get(ranking.key, ranking) for ranking in self.reranked_validation()]

    def validation_rankings(self, *, with_prior: bool = True, all_orders: bool = False) -> list[Ranking]:
        """Return the held-out queries' final rankings; each half's weights are those fitted on the other.

        What is left of a leak: the candidates that stage 2's weight for one half is fitted on were fused at stage-1
        weights fitted on that half, so the few numbers of stage 1 pass from a half to its own score by way of one of
        stage 2. Measured on labels of a test file there is none.

        Args:
            with_prior: False leaves the prior for unseen labels out, to show what it does.
            all_orders: See `validation_ranked`.
        """
        candidates = self.scores.validation_candidates()
        reranked = self.validation_ranked(all_orders=all_orders)
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
        return apply_stage_two(self.chosen, candidates, self.validation_ranked(), alone, seen=frozenset())

    def validation_tempered(self) -> list[Ranking]:
        """Return the reranker's own probabilities for held-out queries, each half at the other's temperature."""
        ranked = self.validation_ranked()
        halves = [tempered_rankings(self.chosen, ranked, self.weights[1 - half].temperature) for half in (0, 1)]
        return [halves[half][row] for row, half in enumerate(self.stage_one.plan.half)]

    def rankings(self, queries: Sequence[Query], *, with_prior: bool = True) -> list[Ranking]:
        """Return the final rankings of test queries.

        Args:
            queries: The queries.
            with_prior: False leaves the prior for unseen labels out, to show what it does.
        """
        # Stage 1 first: its encoder and the reranker's engine may not fit the memory together.
        self.stage_one.candidates(queries)
        # Then weights: under a time limit the test queries get what the held-out ones leave.
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
        candidates = self.scores.test_candidates(queries)
        return self.scores.reranked(TEST, queries, candidates, adaptive=self._test_policy(queries, candidates))

    def reranked_validation(self) -> list[Ranking]:
        """Return the reranker's own rankings of the held-out queries' candidates."""
        return self.scores.reranked(VALIDATION, self.stage_one.plan.queries, self.scores.validation_candidates())

    def test_orders(self, queries: Sequence[Query]) -> list[OrderScores] | None:
        """Return the scores by slot of test queries; None for other rerankers than listwise ones."""
        candidates = self.scores.test_candidates(queries)
        return self.scores.orders(TEST, queries, candidates, adaptive=self._test_policy(queries, candidates))

    def validation_orders(self) -> list[OrderScores] | None:
        """Return the scores by slot of the held-out queries; None for other rerankers than listwise ones."""
        return self.scores.orders(VALIDATION, self.stage_one.plan.queries, self.scores.validation_candidates())

    def _test_policy(self, queries: Sequence[Query], candidates: Sequence[Ranking]) -> AdaptivePolicy | None:
        """Return when a test query's first order is enough; the first call gives orders up where time is short."""
        if not self._has_looked_at_the_clock and self.scores.time.limit.is_set:
            self._has_looked_at_the_clock = True
            facts = self.scores.facts(VALIDATION)
            speed = facts.queries_per_second if facts and self.chosen.kind == "listwise" else None
            if speed and not self.scores.is_made(TEST, queries, candidates, self.policies.get(None)):
                told = forecast(
                    self.chosen,
                    self.job.settings,
                    queries=len(queries),
                    queries_per_second=speed,
                    left=self.scores.time.left(),
                    skip_share=self.adaptive_fit.get("skip_share", 0.0) if self.adaptive_fit else 0.0,
                )
                self.lowered = lower_orders(self.chosen, told, self._fitted_orders)
        return self.policies.get(None)

    def _labels_hash(self) -> str:
        return content_hash([[q.key, *q.labels] for q in self.stage_one.plan.queries])

    def _fitted(self) -> dict[Half, StageTwoWeights]:
        candidates = self.scores.validation_candidates()
        reranked = self.reranked_validation()
        plan = self.stage_one.plan
        warn_of_overlap(self.job, self.chosen, self.spec, plan)
        seen = seen_labels(plan.fit)
        fitted = {
            half: fit_stage_two(self.job, plan, self.chosen, candidates, reranked, half=half, seen=seen)
            for half in HALVES
        }
        logger.info("stage-2 weights (%s): %s", self.spec, fitted[None])
        return fitted


def _without_prior(weights: StageTwoWeights) -> StageTwoWeights:
    return replace(weights, prior=0.0, prior_gain=None)
