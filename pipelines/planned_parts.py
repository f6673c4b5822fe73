"""What a reranker's language models cost: each part's machine and its work, as the cost model takes them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from pipelines.cost_model import SHAPES, ModelShape, Quantisation, device_of
from pipelines.cost_model import shape_of_config as shape_of
from pipelines.engine_pool import EnginePool
from pipelines.engine_settings import EngineSettings
from pipelines.estimates import Setting, Workload
from pipelines.job import Job
from pipelines.lm_reranker import locate_language_model, pooled_engine
from pipelines.open_reranker import parts_of
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from rerank.windows import overlapping_windows

_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z0-9])", re.IGNORECASE)
_QUANTISATIONS: dict[str, Quantisation] = {
    "awq": "awq",
    "awq_marlin": "awq",
    "gptq": "awq",
    "gptq_marlin": "awq",
    "bitsandbytes": "awq",
    "compressed-tensors": "awq",
    "fp8": "fp8",
    "none": "bf16",
}
"""Engine settings -> what the cost model knows. All 4-bit forms cost about what AWQ does."""

_TRANSFORMERS_START = 5.0
"""Seconds that the transformers engine takes besides reading the weights: it compiles nothing. An assumption."""


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """A reranker, or one stage of a cascade.

    Attributes:
        name: Its table's, or its model's.
        table: Its settings.
        engine: Its engine's.
        width: How many candidates it is given.
    """

    name: str
    table: RerankerSettings
    engine: EngineSettings
    width: int

    def workload(self, *, queries: int, validation: int) -> Workload:
        """Return what it has to score."""
        table, windows = self.table, self.table.windows
        size, lists = self.width, 1
        if table.kind == "listwise" and windows.kind != "none" and self.width > windows.size:
            size = windows.size
            lists = windows.passes * len(overlapping_windows(self.width, size=size, stride=windows.stride))
        return Workload(
            queries=queries,
            validation=validation,
            candidates=size,
            orders=orders_of(table, size),
            cached=reads_a_prefix_once(self.engine),
            kind="pointwise" if table.kind == "pointwise" else "listwise",
            windows=lists,
        )

    def setting(self, device: str, shape: ModelShape) -> Setting:
        """Return its model on a device."""
        return Setting(
            shape=shape,
            device=device,
            quantisation=quantisation_of(self.engine, self.table.model, device),
            gpus=self.engine.tensor_parallel_size * self.engine.pipeline_parallel_size,
            engines=self.engine.workers,
        )


def planned_parts(chosen: RerankerSettings, settings: Settings, *, name: str) -> list[PlannedPart]:
    """Return the parts that read a language model; a cascade's stages have the width of their stretch of ranks.

    Args:
        chosen: The reranker.
        settings: Holds the tables and engines.
        name: What the reranker is called.
    """
    tables = parts_of(chosen, settings)
    if chosen.stages:
        found = [
            (stage.reranker, table, stage.last - stage.first + 1)
            for stage, table in zip(chosen.stages, tables, strict=True)
        ]
    else:
        found = [(name, chosen, chosen.candidates + (chosen.describe_extra if chosen.describe else 0))]
    return [
        PlannedPart(name=called, table=table, engine=settings.engine(table.engine), width=width)
        for called, table, width in found
        if table.reads_language_model
    ]


def orders_of(table: RerankerSettings, size: int) -> int:
    """Return how many orders a list of `size` candidates is asked in, adaptive orders left aside."""
    return (
        size if table.orders == "cyclic" and not table.order_count and table.kind == "listwise" else table.order_total
    )


def opening_seconds(setting: Setting, engine: EngineSettings) -> float:
    """Return what opening a part's engine takes, computed; 0 for a server, which is open."""
    if engine.kind == "vllm-server":
        return 0.0
    return setting.reading_seconds + _TRANSFORMERS_START if engine.kind == "transformers" else setting.loading_seconds


def opening_ahead(job: Job, chosen: RerankerSettings, pool: EnginePool) -> float:
    """Return what opening a reranker's engine will take here, in seconds.

    0 where it is open, where machine or model is unknown, and for a cascade, whose engines open one after another.
    """
    if not chosen.reads_language_model or pooled_engine(job, chosen, pool).is_open:
        return 0.0
    (part,) = planned_parts(chosen, job.settings, name="")
    try:
        shape = shape_named(str(locate_language_model(chosen, job.settings).folder))
        device = device_present(part.engine)
    except InputError:
        return 0.0
    return opening_seconds(part.setting(device, shape), part.engine)


def reads_a_prefix_once(engine: EngineSettings | None) -> bool:
    """Return whether an engine has a prefix cache; vLLM's own is on unless the config says no."""
    return engine is None or (engine.kind != "transformers" and engine.enable_prefix_caching)


def device_present(engine: EngineSettings | None = None) -> str:
    """Return the key in `DEVICES` of what this machine has.

    Raises:
        InputError: It has a GPU that the cost model does not know.
    """
    import torch

    if not torch.cuda.is_available() or (
        engine is not None and engine.kind == "transformers" and engine.device == "cpu"
    ):
        return "cpu"
    name = torch.cuda.get_device_name()
    found = device_of(name)
    if found is None:
        raise InputError(f"this machine's GPU, {name}, is not in the cost model; name a similar one with --gpu")
    return found


def shape_named(model: str) -> ModelShape:
    """Return the shape of a model from its folder's config.json, or from the size in its name (`Qwen2.5-32B`).

    Raises:
        InputError: Neither is there.
    """
    config = Path(model) / "config.json"
    if config.is_file():
        try:
            return shape_of(json.loads(config.read_text(encoding="utf-8")), name=Path(model).name)
        except (KeyError, ValueError) as error:
            raise InputError(f"{config}: expected the config of a Llama-like model; lacks {error}") from error
    found = _SIZE.search(model.rpartition("/")[2])
    if found is None:
        raise InputError(
            f"model '{model}': expected a size such as 7B or 135M in its name, or a folder with config.json"
        )
    billions = float(found[1]) * (1e-3 if found[2].lower() == "m" else 1.0)
    nearest = min(SHAPES.values(), key=lambda shape: abs(shape.parameters / 1e9 - billions))
    share = billions * 1e9 / nearest.parameters
    if 0.9 <= share <= 1.1:
        return nearest
    return ModelShape(
        name=found[0],
        parameters=billions * 1e9,
        embedding=nearest.embedding * min(1.0, share),
        hidden=nearest.hidden,
        layers=nearest.layers,
        kv_width=nearest.kv_width,
    )


def quantisation_of(engine: EngineSettings | None, model: str | None, device: str) -> Quantisation:
    """Return the weights that an engine will use, as far as config and model name tell."""
    if device == "cpu":
        return "float32"
    stated = _QUANTISATIONS[engine.quantization] if engine else "bf16"
    named = (model or "").lower()
    if stated == "bf16" and any(word in named for word in ("awq", "gptq", "int4", "4bit")):
        return "awq"
    if stated == "bf16" and "fp8" in named:
        return "fp8"
    if engine is not None and stated == "bf16" and engine.dtype == "float32":
        return "float32"
    return stated
