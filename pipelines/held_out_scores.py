"""MAP@25 of models and adapters on the held-out part: what decides between merges, and what goes into an average.

A reranker's number is fused with stage 1 at `lm_training.score_weight`, as in training: no weight is fitted, so that
the number is the same whatever else is measured. Each number is an artifact, and a run that was killed goes
on inside one, too.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, write_json
from core.errors import InputError
from core.models import LocalModel, locate_model
from core.stage_one_fusion import fuse_with_stage_one
from pipelines.engine_pool import EnginePool
from pipelines.engines import engine_made_from
from pipelines.job import Job, fingerprints
from pipelines.lm_prompts import prompts_hash
from pipelines.lm_reranker import check_prompts
from pipelines.lm_training_table import NF4_ENGINE
from pipelines.plan import precision_metric
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one import StageOne
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is measured.

    Attributes:
        name: Names its artifacts.
        made_from: What it is made from; JSON-able.
        make: Returns its folder; called where its number is not there yet.
        is_adapter: Whether that is an adapter, put on its base, or a whole model.
    """

    name: str
    made_from: Mapping[str, Any]
    make: Callable[[], Path]
    is_adapter: bool


@dataclass(frozen=True, kw_only=True)
class HeldOutScore:
    """Numbers on the held-out part.

    Attributes:
        map25: MAP@25: a reranker's fused with stage 1 at `lm_training.score_weight`, a retriever's own.
        alone: MAP@25 in the reranker's own order; None for a retriever.
    """

    map25: float
    alone: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers for a manifest, rounded to 6 decimals."""
        return {"map@25": round(self.map25, 6), "alone": None if self.alone is None else round(self.alone, 6)}


class HeldOutScores:
    """Measures candidates on one held-out part.

    Args:
        job: The job; its training file holds the part.
        stages: Keeps the numbers.
        given: The retriever of stage 1, used as it is; None trains the config's. Not used for retrievers' adapters.
        table: The reranker; None measures retrievers.
        known: Fingerprints of the questions that the candidates were fitted on.

    Raises:
        InputError: Some of these are held out: the numbers would mean nothing.
        ArtifactMismatchError: The adapter was trained with other prompts than the table's.
    """

    def __init__(
        self,
        job: Job,
        stages: Stages,
        *,
        given: LocalModel | None,
        table: RerankerSettings | None,
        known: Sequence[str],
    ) -> None:
        self.job = job
        self.stages = stages
        self.table = table
        self._one = StageOneRun(job, stages, job.train, given=given)
        self._pool = EnginePool()
        held_out = fingerprints(self._one.plan.validation)
        if overlap := len(set(known).intersection(held_out)):
            raise InputError(
                f"the adapters were fitted on {overlap} of the {len(held_out)} questions that they would be measured "
                "on; give the same --train and the same [split] as in their training, which hold them out"
            )
        if table is not None:
            check_prompts(job, table)

    @property
    def held_out(self) -> list[str]:
        """Fingerprints of the questions measured on."""
        return fingerprints(self._one.plan.validation)

    @property
    def queries(self) -> int:
        """How many labelled wrong answers are measured on."""
        return len(self._one.plan.queries)

    def close(self) -> None:
        """Close the engine that is open, if one is."""
        self._pool.close()

    def score(self, candidate: Candidate) -> HeldOutScore:
        """Return a candidate's numbers, measured now where they are not there."""

        def make(path: Path) -> None:
            folder = candidate.make()
            measure = self._retriever_score if self.table is None else self._reranker_score
            write_json(path, measure(candidate, folder).to_json())

        made_from = {"artifact": "held-out score", "of": dict(candidate.made_from), "on": self.measured_on}
        path = self.stages.artifact(f"score-{candidate.name}.json", made_from, make)
        stored = json.loads(path.read_text(encoding="utf-8"))
        found = HeldOutScore(map25=stored["map@25"], alone=stored["alone"])
        logger.info("%s: MAP@25 %.4f on the held-out part", candidate.name, found.map25)
        return found

    @cached_property
    def measured_on(self) -> str:
        """What the numbers depend on besides the candidate."""
        job, table = self.job, self.table
        queries = [repr(query) for query in self._one.plan.queries]
        if table is None:
            retriever = job.settings.retriever.model_dump(mode="json", exclude={"model", "revision", "batch_size"})
            index = job.settings.index.model_dump(mode="json")
            return content_hash([queries, job.bank_hash, job.forms.hash(), retriever, index])
        asking = table.model_dump(mode="json", exclude={"model", "revision", "adapter", "batch_queries", "bias_sample"})
        return content_hash(
            [
                queries,
                [[r.key, r.ids.tolist(), r.scores.tolist()] for r in self._one.validation_candidates()],
                asking,
                engine_made_from(job.settings.engine(table.engine)),
                prompts_hash(job, table.prompt),
                job.bank_hash,
                job.settings.lm_training.score_weight,
            ]
        )

    def _retriever_score(self, candidate: Candidate, folder: Path) -> HeldOutScore:
        queries = self._one.plan.queries
        cache, pool = self.stages.folder / f"bank-{candidate.name}", self._one.encoders
        one = StageOne(self.job, locate_model(str(folder)), cache, joined=False, pool=pool)
        found = one.dense(queries, top_n=25)
        return HeldOutScore(map25=float(precision_metric(queries)(found).mean()), alone=None)

    def _reranker_score(self, candidate: Candidate, folder: Path) -> HeldOutScore:
        assert self.table is not None  # else a retriever is measured
        changed = {"adapter": str(folder)}
        if not candidate.is_adapter:
            engine = "transformers" if self.table.engine == NF4_ENGINE else self.table.engine
            changed = {"model": str(folder), "revision": None, "adapter": None, "engine": engine}  # type: ignore[dict-item]
        chosen = self.table.model_copy(update=changed)
        two = StageTwoRun(self._one, f"{chosen.kind}:{candidate.name}", chosen=chosen, pool=self._pool)
        candidates, reranked = two.scores.validation_candidates(), two.reranked_validation()
        metric = precision_metric(self._one.plan.queries)

        def fused(weight: float) -> float:
            return float(metric(fuse_with_stage_one(candidates, reranked, weight=weight, form=chosen.fusion)).mean())

        return HeldOutScore(map25=fused(self.job.settings.lm_training.score_weight), alone=fused(1.0))
