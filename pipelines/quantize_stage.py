"""The stages of `quantize_reranker.py` up to the gate: merged model, calibration prompts, checkpoint, plain weights."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.adapter_merge import Into, merge_adapter
from core.artifacts import atomic_path, content_hash, file_hash
from core.errors import ModelError
from core.models import LocalModel, locate_model, vouched_key
from core.records import Query, Question, Ranking
from core.tokenizer import load_tokenizer
from pipelines.job import ROOT, fingerprints
from pipelines.lm_prompts import prompts_hash
from pipelines.lm_reranker import (
    locate_adapter,
    locate_language_model,
    table_prompter,
)
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.quantization_settings import QuantizationSettings
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_stage import own_manifest
from rerank.calibration_prompts import calibration_prompts, check_no_overlap, write_calibration
from rerank.dequantize import dequantise_checkpoint
from rerank.environment_process import installed_version
from rerank.lm_tasks import LmKind
from rerank.quantize import (
    BACK_ENDS,
    QuantiseOptions,
    environment_python,
    open_quantiser,
    quantise,
    script_of,
)
from rerank.weights_guard import check_weights

logger = logging.getLogger(__name__)

SCRIPTS = ROOT / "environments"


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

    @cached_property
    def base(self) -> LocalModel:
        """The model that the table names."""
        return locate_language_model(self.chosen, self.job.settings)

    @cached_property
    def source(self) -> LocalModel:
        """The 16-bit model: the base, or the adapter merged into it."""
        base, adapter = self.base, locate_adapter(self.chosen)
        if adapter is None:
            return base
        into = merged_into(self.settings, adapter)
        made_from = {
            "artifact": "merged model",
            "base": base.revision,
            **vouched_key(base),
            "adapter": adapter.revision,
            "into": into,
            "dtype": self.settings.dtype,
        }
        folder = self.stages.artifact(
            "merged",
            made_from,
            lambda path: _none(merge_adapter(base.folder, adapter.folder, path, into=into, dtype=self.settings.dtype)),
        )
        return locate_model(str(folder))

    def calibration(self) -> Path | None:
        """Return the file of calibration prompts; None where the back end reads none."""
        if not self.facts.calibrates:
            return None
        queries, candidates = self._calibration_lists
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
            logger.info("%d calibration prompts of %d queries, %d tokens", len(prompts), len(prompts) // 2, sum(tokens))

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
            **vouched_key(self.base),
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

    def publish(self, output: Path, gate: Mapping[str, Any]) -> Path:
        """Put the accepted checkpoint under its final name, the gate's numbers in its manifest.

        Files are linked where the disk allows it, so that nothing is there twice.
        """
        checkpoint = self.quantised()
        trained = locate_adapter(self.chosen) or self.base
        known = own_manifest(trained)
        kept: dict[str, Any] = {key: known[key] for key in ("prompts", "fitted_on", "scored_on") if key in known}
        own = {"artifact": "quantised reranker", "kind": self.chosen.kind, "gate": dict(gate)}
        made_from: dict[str, Any] = {**self.quantised_from(), **kept, **own}

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

    @cached_property
    def _calibration_lists(self) -> tuple[list[Query], list[Ranking]]:
        """Return labelled training queries with candidates found by a retriever that never saw them."""
        if self._own is None:
            found = out_of_fold_candidates(self.one)
            return found.queries, [ranking.top(self.chosen.candidates) for ranking in found.candidates]
        check_no_overlap(self._own, self.one.plan.validation)
        queries = self.job.queries(self._own)
        rankings = self.one.fitted.dense(queries, top_n=self.chosen.candidates)
        return queries, rankings


def merged_into(settings: QuantizationSettings, adapter: LocalModel) -> Into:
    """Return what an adapter is merged into: the config's choice, or the kind of base that its manifest names."""
    if settings.merge_into != "auto":
        return settings.merge_into
    training = own_manifest(adapter).get("training")
    return "dequantised" if isinstance(training, dict) and training.get("method") == "qlora" else "16bit"


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _none(_: object) -> None:
    """Drop what a function returns."""
