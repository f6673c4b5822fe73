"""The stages of `quantize_reranker.py`: merged model, calibration prompts, checkpoint, dequantised weights, gate."""

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from core.adapters import merge_adapter
from core.artifacts import atomic_path, content_hash, file_hash
from core.errors import InputError, ModelError
from core.language_model import LabelScores
from core.models import LocalModel, locate_model
from core.records import FloatArray, Query, Question, Ranking
from core.tokenizer import load_tokenizer
from eval.intervals import bootstrap_interval
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engines import engine_made_from
from pipelines.job import ROOT, fingerprints
from pipelines.lm_prompts import prompts_hash
from pipelines.lm_reranker import (
    locate_adapter,
    locate_language_model,
    open_language_model_reranker,
    table_prompter,
)
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.plan import precision_metric
from pipelines.quantization_settings import QuantizationSettings
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_stage import own_manifest
from rerank.calibration_prompts import calibration_prompts, check_no_overlap, write_calibration
from rerank.dequantize import dequantise_checkpoint
from rerank.environment_process import installed_version
from rerank.lm_tasks import LmKind
from rerank.quantization_gate import GateResult, GateThresholds, judge
from rerank.quantize import (
    BACK_ENDS,
    QuantiseOptions,
    environment_python,
    open_quantiser,
    quantise,
    script_of,
)
from rerank.recorded_scores import RecordingScorer
from rerank.score_store import StoredScorer
from rerank.weights_guard import check_weights

logger = logging.getLogger(__name__)

SCRIPTS = ROOT / "environments"


@dataclass(frozen=True, kw_only=True, eq=False)
class Gated:
    """What the gate measured, with the rankings behind it."""

    result: GateResult
    queries: tuple[Query, ...]
    before: list[Ranking]
    after: list[Ranking]


def environments_folder(settings: QuantizationSettings) -> Path:
    """Return where environments lie; a relative folder is this project's."""
    return ROOT / Path(settings.environments).expanduser()


def quantise_options(settings: QuantizationSettings) -> QuantiseOptions:
    """Return the options of the back ends."""
    named = ("group_size", "symmetric", "grid", "iterations", "batch", "clip", "dtype", "seed")
    return QuantiseOptions(**{name: getattr(settings, name) for name in named})


class QuantizeRun:
    """Quantises one reranker's model; every result is an artifact, and nothing is done before it is asked for.

    Args:
        one: Stage 1: its candidates are what the model is asked about.
        chosen: The reranker's table: kind, model, adapter, prompts, orders.
        stages: Keeps the artifacts.
        own: Questions to calibrate on instead of the fitted part; None takes that.
    """

    def __init__(
        self, one: StageOneRun, chosen: RerankerSettings, stages: Stages, *, own: Sequence[Question] | None = None
    ) -> None:
        self.one = one
        self.job = one.job
        self.stages = stages
        self.settings = one.job.settings.quantization
        self.facts = BACK_ENDS[self.settings.back_end]
        # Every prompt in every order: what is left out is not measured.
        self.chosen = chosen.model_copy(update={"adaptive": AdaptiveSettings(), "describe": False})
        self._own = None if own is None else tuple(own)
        self._pool = EnginePool()

    @cached_property
    def source(self) -> LocalModel:
        """The 16-bit model: the base, or the adapter merged into it."""
        base, adapter = locate_language_model(self.chosen, self.job.settings), locate_adapter(self.chosen)
        if adapter is None:
            return base
        into = merged_into(self.settings, adapter)
        made_from = {
            "artifact": "merged model",
            "base": base.revision,
            "adapter": adapter.revision,
            "into": into,
            "dtype": self.settings.dtype,
        }
        folder = self.stages.artifact(
            "merged",
            made_from,
            lambda path: _none(
                merge_adapter(base.folder, adapter.folder, path, into=into, dtype=self.settings.dtype)
            ),
        )
        return locate_model(str(folder))

    def calibration(self) -> Path | None:
        """Return the file of calibration prompts; None where the back end reads none."""
        if not self.facts.calibrates:
            return None
        queries, candidates = self._calibration_lists()
        asked = [[query.key, ranking.ids.tolist()] for query, ranking in zip(queries, candidates, strict=True)]
        made_from = {
            "artifact": "calibration prompts",
            "kind": self.chosen.kind,
            "prompts": prompts_hash(self.job, self.chosen.prompt),
            "tokenizer": load_tokenizer(self.source.folder).name_hash,
            "bank_hash": self.job.bank_hash,
            "queries": content_hash([asked, [repr(query) for query in queries]]),
            "drawn": [self.settings.prompts, self.settings.seed, self.chosen.candidates],
            "questions": fingerprints([query.question for query in queries]),
        }

        def make(path: Path) -> None:
            kind: LmKind = "listwise" if self.chosen.kind == "listwise" else "pointwise"
            prompts = calibration_prompts(
                table_prompter(self.job, self.chosen),
                queries,
                candidates,
                {entry.id: entry for entry in self.job.bank},
                kind=kind,
                count=self.settings.prompts,
                shown=self._shown,
                seed=self.settings.seed,
                held_out=self.one.plan.validation,
            )
            write_calibration(prompts, path)
            tokens = [len(prompt.token_ids) for prompt in prompts]
            logger.info(
                "%d calibration prompts of %d queries, %d tokens", len(prompts), len(prompts) // 2, sum(tokens)
            )

        return self.stages.artifact("calibration.jsonl", made_from, make)

    def quantised_from(self) -> dict[str, Any]:
        """Return what the checkpoint is made from."""
        calibration = self.calibration()
        python = self._python()
        return {
            "artifact": "quantised model",
            "back_end": self.settings.back_end,
            "version": installed_version(python, self.facts.package) if python and self.facts.package else None,
            "script": file_hash(script_of(SCRIPTS, self.facts.environment)) if self.facts.environment else None,
            "model": self.chosen.model,
            "adapter": self.chosen.adapter,
            "source": self.source.revision,
            "calibration": file_hash(calibration) if calibration else None,
            "options": vars(quantise_options(self.settings)),
        }

    def quantised(self) -> Path:
        """Return the checkpoint, its weights checked against the model's."""

        def make(path: Path) -> None:
            quantiser = open_quantiser(
                self.settings.back_end,
                environments=environments_folder(self.settings),
                scripts=SCRIPTS,
                log=self.stages.folder / f"{self.settings.back_end}.log",
            )
            source = self.source.folder
            with atomic_path(path) as temporary:
                quantise(quantiser, source, self.calibration(), temporary, quantise_options(self.settings))
                if load_tokenizer(temporary).name_hash != load_tokenizer(source).name_hash:
                    raise ModelError(f"{path}: expected the tokenizer of {source} beside the quantised weights")
                errors = check_weights(source, temporary)
            if errors:
                logger.info(
                    "weights differ by %.3f of their size on average, at most %.3f (%s)",
                    errors.mean,
                    errors.largest,
                    errors.layer,
                )

        return self.stages.artifact("quantised", self.quantised_from(), make)

    def dequantised(self) -> Path:
        """Return the checkpoint's weights as plain ones."""
        checkpoint = self.quantised()
        revision = locate_model(str(checkpoint)).revision
        made_from = {"artifact": "dequantised model", "checkpoint": revision, "dtype": "float32"}
        return self.stages.artifact(
            "dequantised", made_from, lambda path: _none(dequantise_checkpoint(checkpoint, path))
        )

    def gate(self) -> Gated:
        """Measure the 16-bit and the quantised model on held-out queries; scores that were read are kept."""
        queries, candidates = self._gate_lists()
        before, scores = self._rankings("16bit", self.source.folder, self.settings.engine, queries, candidates)
        asked = list(scores.found)
        engine = self.settings.quantised_engine
        folder = self.dequantised() if engine is None else self.quantised()
        after, others = self._rankings("quantised", folder, engine or self.settings.engine, queries, candidates)
        found: list[LabelScores] = others.scores_of(asked)
        self._pool.close()
        result = judge(
            before,
            after,
            scores.scores_of(asked),
            found,
            metric=precision_metric(queries),
            interval=partial(_interval, seed=self.settings.seed, resamples=self.job.settings.bootstrap),
            thresholds=GateThresholds(map_delta=self.settings.map_delta, agreement=self.settings.agreement),
            worst=self.settings.worst,
        )
        return Gated(result=result, queries=tuple(queries), before=before, after=after)

    def publish(self, output: Path, gated: Gated) -> Path:
        """Put the accepted checkpoint under its final name, the gate's numbers in its manifest.

        Files are linked where the disk allows it, so that nothing is there twice.
        """
        checkpoint = self.quantised()
        trained = locate_adapter(self.chosen) or locate_language_model(self.chosen, self.job.settings)
        known = own_manifest(trained)
        made_from = {
            **self.quantised_from(),
            "artifact": "quantised reranker",
            "kind": self.chosen.kind,
            **{key: known[key] for key in ("prompts", "fitted_on", "scored_on") if key in known},
            "gate": gated.result.to_json(),
            "gate_queries": content_hash([query.key for query in gated.queries]),
            "gate_engines": self._gate_engines(),
        }

        def make(path: Path) -> None:
            with atomic_path(path) as temporary:
                shutil.copytree(checkpoint, temporary, copy_function=_link_or_copy)
                (temporary / "manifest.json").unlink(missing_ok=True)

        return Stages(folder=output.parent, records=self.stages.records).artifact(output.name, made_from, make)

    @property
    def _shown(self) -> int:
        windows = self.chosen.windows
        return self.chosen.candidates if windows.kind == "none" else min(windows.size, self.chosen.candidates)

    def _python(self) -> Path | None:
        if self.facts.environment is None:
            return None
        return environment_python(environments_folder(self.settings), self.facts.environment)

    def _calibration_lists(self) -> tuple[list[Query], list[Ranking]]:
        """Return labelled training queries with candidates found by a retriever that never saw them."""
        if self._own is None:
            found = out_of_fold_candidates(self.one)
            return found.queries, [ranking.top(self.chosen.candidates) for ranking in found.candidates]
        check_no_overlap(self._own, self.one.plan.validation)
        queries = self.job.queries(self._own)
        rankings = self.one.fitted.dense(queries, top_n=self.chosen.candidates)
        return queries, rankings

    def _gate_lists(self) -> tuple[list[Query], list[Ranking]]:
        plan = self.one.plan
        rows = np.random.default_rng(self.settings.seed).permutation(len(plan.queries))[: self.settings.queries]
        kept = sorted(rows.tolist())
        candidates = self.one.validation_candidates()
        return (
            [plan.queries[row] for row in kept],
            [candidates[row].top(self.chosen.candidates) for row in kept],
        )

    def _rankings(
        self, name: str, folder: Path, engine: str, queries: Sequence[Query], candidates: Sequence[Ranking]
    ) -> tuple[list[Ranking], RecordingScorer]:
        settings = self.job.settings.engine(engine)
        pinned = content_hash([locate_model(str(folder)).revision, engine_made_from(settings)])
        store = self._pool.store(self.stages.folder / f"gate-{name}.jsonl", pinned)
        engine_of = PooledEngine(self._pool, EngineKey(settings=settings, folder=folder, adapter=None))
        scorer = RecordingScorer(StoredScorer(engine_of, store))
        chosen = self.chosen.model_copy(update={"adapter": None})
        reranker = open_language_model_reranker(self.job, chosen, scorer, store=None)
        logger.info("gate: %d queries, the %s model", len(queries), name)
        return reranker.rerank(queries, candidates, self.job.bank), scorer

    def _gate_engines(self) -> dict[str, Any]:
        names = {"16bit": self.settings.engine, "quantised": self.settings.quantised_engine or self.settings.engine}
        made = {key: engine_made_from(self.job.settings.engine(name)) for key, name in names.items()}
        return {**made, "through": "dequantised weights" if self.settings.quantised_engine is None else "its kernels"}


def merged_into(settings: QuantizationSettings, adapter: LocalModel) -> Any:  # noqa: ANN401 - a literal of two
    """Return what an adapter is merged into: the config's choice, or what the adapter's manifest says it was made on."""
    if settings.merge_into != "auto":
        return settings.merge_into
    training = own_manifest(adapter).get("training")
    return "dequantised" if isinstance(training, dict) and training.get("method") == "qlora" else "16bit"


def _interval(differences: FloatArray, keys: Sequence[str], *, seed: int, resamples: int) -> tuple[float, float]:
    groups = [key.rpartition("_")[0] for key in keys]
    return bootstrap_interval(differences, groups, seed=seed, resamples=resamples)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _none(_: object) -> None:
    """Drop what a function returns."""
