"""Which of a run's models are quantised, and whether their loss was measured."""

import logging
from collections.abc import Iterable
from pathlib import Path

from core.models import LocalModel
from pipelines.train_stage import own_manifest
from rerank.dequantize import quantization_config

logger = logging.getLogger(__name__)

NO_GATE = (
    "quantised reranker models whose loss against the 16-bit model is not known: no gate's numbers are in their "
    "manifests; make them with pipelines/quantize_reranker.py"
)


def models_without_gate(models: Iterable[LocalModel | None]) -> list[LocalModel]:
    """Return the models that are quantised and carry no gate's numbers, each once.

    Raises:
        ModelError: A model's config is no JSON.
    """
    found: dict[Path, LocalModel] = {}
    for model in models:
        if model is None or not (model.folder / "config.json").is_file():
            continue
        if quantization_config(model.folder) is not None and "gate" not in own_manifest(model):
            found[model.folder] = model
    return list(found.values())


def gate_warnings(models: Iterable[LocalModel | None]) -> list[tuple[str, int]]:
    """Return what a reader of a run's numbers should know of its quantised models, with a count; only what occurs."""
    count = len(models_without_gate(models))
    return [(NO_GATE, count)] if count else []


def warn_of_no_gate(models: Iterable[LocalModel | None]) -> None:
    """Log a warning for each quantised model that carries no gate's numbers."""
    for model in models_without_gate(models):
        logger.warning(
            "warning: %s is quantised and carries no gate's numbers: how much it lost is not known", model.name
        )
