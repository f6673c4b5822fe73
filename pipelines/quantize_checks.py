"""What `quantize_reranker.py` checks before anything is loaded; every fault is told at once."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from core.adapter_merge import check_merge
from core.adapters import read_adapter
from core.errors import InputError, ModelError
from core.model_files import read_model_config
from core.records import Question
from pipelines.cli import check_all
from pipelines.engines import engine_faults
from pipelines.job import Job, fingerprints
from pipelines.lm_reranker import locate_adapter, locate_language_model
from pipelines.quantize_stage import environments_folder, merged_into
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.train_stage import fitted_on
from rerank.calibration_prompts import check_no_overlap
from rerank.dequantize import quantization_config
from rerank.environment_process import installed_version
from rerank.linear_layers import model_shape
from rerank.quantization_checks import free_memory, group_size_faults, kernel_warning, need_faults, needs
from rerank.quantize import BACK_ENDS, environment_python

logger = logging.getLogger(__name__)

_TOKENS_A_CANDIDATE, _TOKENS_BESIDE = 40, 600  # of a listwise prompt, generously


def settings_checks(
    chosen: Callable[[Settings], RerankerSettings], work: Path
) -> tuple[Callable[[Settings], None], ...]:
    """Return the checks that need the config alone, for `read_job`.

    Args:
        chosen: Finds the reranker's table.
        work: Where everything but the result goes.
    """

    def check_model(settings: Settings) -> None:
        table = chosen(settings)
        check_all([lambda: _check_plain(table, settings), lambda: _check_adapter(table, settings)])

    def check_fit(settings: Settings) -> None:
        _check_fit(chosen(settings), settings, work)

    def check_engines(settings: Settings) -> None:
        named = (settings.quantization.engine, settings.quantization.quantised_engine)
        faults = [fault for name in named if name for fault in engine_faults(name, settings.engine(name))]
        second = settings.quantization.quantised_engine
        if second is not None and settings.engine(second).kind == "transformers":
            faults.append(
                f"quantization.quantised_engine '{second}': an engine of kind transformers does not read quantised "
                "checkpoints; expected kind vllm, or null, which checks the dequantised weights"
            )
        for name in named:
            if name and settings.engine(name).kind == "vllm-server":
                faults.append(f"quantization.engine '{name}': a server holds one model; expected transformers or vllm")
        if faults:
            raise InputError(list(dict.fromkeys(faults)))

    return (check_model, check_fit, check_engines, check_environment)


def check_environment(settings: Settings) -> None:
    """Refuse a back end whose environment is not there.

    Raises:
        ModelError: Says how to make it.
    """
    facts = BACK_ENDS[settings.quantization.back_end]
    if facts.environment is None or facts.package is None:
        return
    python = environment_python(environments_folder(settings.quantization), facts.environment)
    installed_version(python, facts.package)


def check_questions(job: Job, chosen: RerankerSettings, held_out: Sequence[Question], own: Sequence[Question]) -> None:
    """Refuse to measure on what the model, or the calibration, was made from.

    Args:
        job: The job.
        chosen: The reranker's table.
        held_out: The gate's questions.
        own: The user's calibration questions; may be none.

    Raises:
        InputError: The model or adapter was fitted on held-out questions, or they are calibrated on.
    """
    scored = fingerprints(held_out)

    def check_fitted() -> None:
        for model in (locate_language_model(chosen, job.settings), locate_adapter(chosen)):
            if model is not None and (overlap := len(fitted_on(model).intersection(scored))):
                raise InputError(
                    f"{model.name}: was fitted on {overlap} of the {len(scored)} questions that the gate measures on; "
                    "give the same --train and the same [split] as in its training, which hold them out"
                )

    check_all([check_fitted, lambda: check_no_overlap(own, held_out)])


def _check_plain(chosen: RerankerSettings, settings: Settings) -> None:
    folder = locate_language_model(chosen, settings).folder
    if quantization_config(folder) is not None:
        raise ModelError(
            f"{folder}: is quantised already (config.json, quantization_config); give the 16-bit model that it was "
            "made from"
        )


def _check_adapter(chosen: RerankerSettings, settings: Settings) -> None:
    adapter = locate_adapter(chosen)
    if adapter is not None:
        base = locate_language_model(chosen, settings)
        options = settings.quantization
        check_merge(
            base.folder, [read_adapter(adapter.folder)], into=merged_into(options, adapter), dtype=options.dtype
        )


def _check_fit(chosen: RerankerSettings, settings: Settings, work: Path) -> None:
    """Check group size, memory and disk by the heads of the model's files."""
    import torch

    folder = locate_language_model(chosen, settings).folder
    options = settings.quantization
    facts = BACK_ENDS[options.back_end]
    shape = model_shape(folder)
    faults = []
    if facts.bits == 4:
        told = group_size_faults(shape, group_size=options.group_size, parts=options.tensor_parallel_size)
        faults += [f"quantization.group_size: {fault}" for fault in told]
        warning = kernel_warning(
            shape, group_size=options.group_size, parts=options.tensor_parallel_size, symmetric=options.symmetric
        )
        if warning and not told:
            logger.warning("warning: %s", warning)
    elif options.quantised_engine is None:
        logger.warning(
            "warning: %s rounds activations while running, which dequantised weights do not show: the gate sees the "
            "weights' loss alone; name an engine of kind vllm in quantization.quantised_engine",
            options.back_end,
        )
    on_gpu = torch.cuda.is_available()
    tokens = min(chosen.prompt.max_tokens, _TOKENS_BESIDE + _TOKENS_A_CANDIDATE * chosen.candidates)
    wanted = needs(
        shape,
        bits=facts.bits,
        merges=chosen.adapter is not None,
        dequantises=options.quantised_engine is None,
        on_gpu=on_gpu,
        offloads=facts.offloads,
        streams=facts.environment is None,
        calibration_tokens=options.prompts * tokens if facts.calibrates else 0,
        hidden=int(read_model_config(folder).get("hidden_size", 0)),
    )
    free = torch.cuda.mem_get_info()[0] if on_gpu else None
    faults += need_faults(wanted, folder=work.absolute(), memory=free_memory(), device=free)
    if faults:
        raise InputError(faults)
