"""Which of a run's models are quantised, and whether their loss was measured."""

from collections.abc import Iterable

from core.models import LocalModel
from pipelines.train_stage import own_manifest
from rerank.dequantize import quantization_config

NO_GATE = (
    "quantised reranker models whose loss against the 16-bit model is not known: no gate's numbers are in their "
    "manifests; make them with pipelines/quantize_reranker.py"
)


def models_without_gate(models: Iterable[LocalModel | None]) -> list[LocalModel]:
    """Return the models that are quantised and carry no gate's numbers.

    Raises:
        ModelError: A model's config is no JSON.
    """
    found = []
    for model in models:
        if model is None or not (model.folder / "config.json").is_file():
            continue
        if quantization_config(model.folder) is not None and "gate" not in own_manifest(model):
            found.append(model)
    return found


def gate_warnings(models: Iterable[LocalModel | None]) -> list[tuple[str, int]]:
    """Return what a reader of a run's numbers should know of its quantised models, with a count; only what occurs."""
    count = len(models_without_gate(models))
    return [(NO_GATE, count)] if count else []
