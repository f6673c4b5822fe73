"""The gate of `quantize_reranker.py`: both models asked about the same held-out queries, each opened once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import content_hash
from core.models import locate_model
from core.records import FloatArray, Query, Ranking
from eval.intervals import bootstrap_interval
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engines import engine_made_from
from pipelines.lm_reranker import open_language_model_reranker
from pipelines.plan import precision_metric
from pipelines.quantize_stage import QuantizeRun
from rerank.quantization_gate import GateResult, GateThresholds, judge
from rerank.recorded_scores import RecordingScorer
from rerank.score_store import StoredScorer

logger = logging.getLogger(__name__)

DEQUANTISED, KERNELS = "dequantised weights", "the checkpoint itself"


@dataclass(frozen=True, kw_only=True, eq=False)
class Gated:
    """What the gate measured.

    Attributes:
        result: The numbers and the verdict.
        queries: The queries.
        candidates: Their candidates.
        before: The 16-bit model's rankings.
        after: The quantised model's.
        facts: Which queries, which engines, for the manifest.
    """

    result: GateResult
    queries: tuple[Query, ...]
    candidates: list[Ranking]
    before: list[Ranking]
    after: list[Ranking]
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the gate's numbers with where they come from."""
        return {**self.result.to_json(), **self.facts}


def run_gate(run: QuantizeRun) -> Gated:
    """Measure the 16-bit and the quantised model on held-out queries; scores that were read are kept.

    Args:
        run: The stages; the quantised model runs in `quantization.quantised_engine`, or through its dequantised
            weights where none is named.
    """
    settings = run.settings
    queries, candidates = gate_lists(run)
    pool = EnginePool()
    before, asked = _rankings(run, pool, "16bit", run.source.folder, settings.engine, queries, candidates)
    through = KERNELS if settings.quantised_engine else DEQUANTISED
    folder = run.quantised() if settings.quantised_engine else run.dequantised()
    engine = settings.quantised_engine or settings.engine
    after, others = _rankings(run, pool, "quantised", folder, engine, queries, candidates)
    prompts = list(asked.found)
    scores = others.scores_of(prompts)
    pool.close()
    result = judge(
        before,
        after,
        asked.scores_of(prompts),
        scores,
        metric=precision_metric(queries),
        interval=partial(_interval, seed=settings.seed, resamples=run.job.settings.bootstrap),
        thresholds=GateThresholds(map_delta=settings.map_delta, agreement=settings.agreement),
        worst=settings.worst,
    )
    facts = {
        "measured_on": content_hash([query.key for query in queries]),
        "measured_through": through,
        "engines": {
            "16bit": engine_made_from(run.job.settings.engine(settings.engine)),
            "quantised": engine_made_from(run.job.settings.engine(engine)),
        },
    }
    return Gated(result=result, queries=tuple(queries), candidates=candidates, before=before, after=after, facts=facts)


def gate_lists(run: QuantizeRun) -> tuple[list[Query], list[Ranking]]:
    """Return the held-out queries that are measured, drawn by the seed, with their candidates."""
    plan = run.one.plan
    drawn = np.random.default_rng(run.settings.seed).permutation(len(plan.queries))[: run.settings.queries]
    rows = sorted(drawn.tolist())
    candidates = run.one.validation_candidates()
    return [plan.queries[row] for row in rows], [candidates[row].top(run.chosen.candidates) for row in rows]


def _rankings(
    run: QuantizeRun,
    pool: EnginePool,
    name: str,
    folder: Path,
    engine: str,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
) -> tuple[list[Ranking], RecordingScorer]:
    settings = run.job.settings.engine(engine)
    pinned = content_hash([locate_model(str(folder)).revision, engine_made_from(settings)])
    store = pool.store(run.stages.folder / f"gate-{name}.jsonl", pinned)
    opened = PooledEngine(pool, EngineKey(settings=settings, folder=folder, adapter=None))
    scorer = RecordingScorer(StoredScorer(opened, store))
    reranker = open_language_model_reranker(
        run.job, run.chosen.model_copy(update={"adapter": None}), scorer, store=None
    )
    logger.info("gate: %d queries asked of the %s model", len(queries), name)
    found: list[Ranking] = []
    run.stages.timed(f"gate, {name} model", lambda: found.extend(reranker.rerank(queries, candidates, run.job.bank)))
    return found, scorer


def _interval(differences: FloatArray, keys: Sequence[str], *, seed: int, resamples: int) -> tuple[float, float]:
    groups = [key.rpartition("_")[0] for key in keys]
    return bootstrap_interval(differences, groups, seed=seed, resamples=resamples)
