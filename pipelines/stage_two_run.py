"""Stage 2 on top of a stage-1 run: reranked, fused at weights fitted on the held-out part, every result an artifact."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, write_json
from core.models import locate_model
from core.records import Query, Ranking
from eval.splits import seen_labels
from pipelines.job import fingerprints
from pipelines.stage_one_run import HALVES, Half, StageOneRun
from pipelines.stage_two import (
    StageTwoWeights,
    apply_stage_two,
    fit_stage_two,
    open_reranker,
    reranker_made_from,
    resolve_reranker,
)
from pipelines.train_stage import fitted_on
from rerank.reranker import Reranker

logger = logging.getLogger(__name__)


class StageTwoRun:
    """A reranker over the candidates of stage 1; nothing is computed before it is asked for.

    Args:
        stage_one: Makes the candidates.
        spec: The reranker's SPEC.
    """

    def __init__(self, stage_one: StageOneRun, spec: str) -> None:
        self.stage_one = stage_one
        self.spec = spec
        self.job = stage_one.job
        self.stages = stage_one.stages
        self.chosen = resolve_reranker(spec, self.job.settings)
        # Artifacts of one reranker stay when another is tried: its SPEC is part of their names.
        self._name = "".join(c if c.isalnum() else "-" for c in spec.rpartition("/")[2])[-40:]
        self._name += "-" + content_hash(spec)[:8]

    @cached_property
    def reranker(self) -> Reranker:
        """The reranker, loaded now."""
        return open_reranker(self.job, self.chosen)

    @cached_property
    def weights(self) -> Mapping[Half, StageTwoWeights]:
        """The fusion weight and prior fitted on the whole held-out part (None) and on each half (0, 1)."""
        candidates = self.stage_one.validation_candidates()
        made_from = {
            "artifact": "stage-2 weights",
            **self._made_from(self.stage_one.plan.queries, candidates),
            "weights": [list(self.chosen.weights), self.chosen.fusion],
            "prior": self.job.settings.prior.model_dump(mode="json"),
            "fusion": self.job.settings.fusion.model_dump(mode="json"),
            "labels": content_hash([[q.key, *q.labels] for q in self.stage_one.plan.queries]),
            "memory": self.stage_one.memory_hash(self.stage_one.plan.fit),
        }
        path = self.stages.artifact(f"stage_two-{self._name}.json", made_from, self._write_weights)
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {half: StageTwoWeights(**stored["all" if half is None else f"half{half}"]) for half in HALVES}

    def validation_rankings(self, *, with_prior: bool = True) -> list[Ranking]:
        """Return the held-out queries' final rankings; each half's weights are those fitted on the other.

        What is left of a leak: the candidates that stage 2's weight for one half is fitted on were fused at stage-1
        weights fitted on that half, so two numbers of stage 1 pass from a half to its own score by way of one of
        stage 2. Measured on labels of a test file there is none.

        Args:
            with_prior: False leaves the prior for unseen labels out, to show what it does.
        """
        candidates = self.stage_one.validation_candidates()
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
        candidates = self.stage_one.validation_candidates()
        return apply_stage_two(self.chosen, candidates, self.reranked_validation(), alone, seen=frozenset())

    def validation_seconds(self) -> float | None:
        """Return how long the held-out queries took to rerank in this run, loading included; None where reused."""
        name = self._artifact("validation_reranked")
        return next(
            (record.seconds for record in self.stages.records if record.name == name and not record.reused), None
        )

    def rankings(self, queries: Sequence[Query], *, with_prior: bool = True) -> list[Ranking]:
        """Return the final rankings of test queries.

        Args:
            queries: The queries.
            with_prior: False leaves the prior for unseen labels out, to show what it does.
        """
        candidates = self.stage_one.candidates(queries)
        weights = self.weights[None] if with_prior else _without_prior(self.weights[None])
        return apply_stage_two(
            self.chosen,
            candidates,
            self.reranked("reranked", queries, candidates),
            weights,
            seen=seen_labels(self.stage_one.questions),
        )

    def reranked_validation(self) -> list[Ranking]:
        """Return the reranker's own rankings of the held-out queries' candidates."""
        plan = self.stage_one.plan
        return self.reranked("validation_reranked", plan.queries, self.stage_one.validation_candidates())

    def reranked(self, name: str, queries: Sequence[Query], candidates: Sequence[Ranking]) -> list[Ranking]:
        """Return the reranker's own rankings of the first `candidates` of each query."""
        cut = [ranking.top(self.chosen.candidates) for ranking in candidates]
        if self.chosen.kind == "identity":
            return cut
        return self.stages.rankings(
            self._artifact(name),
            {"artifact": name, **self._made_from(queries, candidates)},
            lambda: self.reranker.rerank(queries, cut, self.job.bank),
        )

    def _artifact(self, name: str) -> str:
        return f"{name}-{self._name}.parquet"

    def _made_from(self, queries: Sequence[Query], candidates: Sequence[Ranking]) -> dict[str, Any]:
        return {
            **reranker_made_from(self.job, self.chosen),
            "candidates": content_hash([[r.key, *r.ids[: self.chosen.candidates].tolist()] for r in candidates]),
            "scores": content_hash([r.scores.tolist() for r in candidates]),
            "queries": self.stage_one.queries_hash(queries),
            "bank_hash": self.job.bank_hash,
            "device": self.job.settings.retriever.device,
        }

    def _write_weights(self, path: Path) -> None:
        candidates = self.stage_one.validation_candidates()
        reranked = self.reranked_validation()
        plan = self.stage_one.plan
        self._warn_of_overlap(fingerprints(plan.validation))
        seen = seen_labels(plan.fit)
        fitted = {
            half: fit_stage_two(self.job, plan, self.chosen, candidates, reranked, half=half, seen=seen)
            for half in HALVES
        }
        logger.info("stage-2 weights (%s): %s", self.spec, fitted[None])
        write_json(path, {"all" if half is None else f"half{half}": w.to_json() for half, w in fitted.items()})

    def _warn_of_overlap(self, held_out: Sequence[str]) -> None:
        model = locate_model(self.chosen.model) if self.chosen.model else None
        if overlap := len(fitted_on(model).intersection(held_out)):
            logger.warning(
                "warning: reranker %s was fitted on %d of the %d questions that its weight is fitted on: it will be "
                "trusted too much; train one with the same --train and the same [split]",
                self.spec,
                overlap,
                len(held_out),
            )


def _without_prior(weights: StageTwoWeights) -> StageTwoWeights:
    return replace(weights, prior=0.0, prior_gain=None)
