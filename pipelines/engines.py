"""Open what an `[engines.NAME]` table describes: the one place that knows which engines there are."""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

from core.device import Dtype, dtype_name, resolve_device
from core.engine_process import Engine
from core.errors import ConfigError
from core.transformers_engine import TransformersEngine
from core.vllm_engine import VllmEngine, vllm_fault
from core.vllm_options import VllmOptions
from core.vllm_server import VllmServer, found_on_server
from core.vllm_workers import WorkerPool, device_environments
from pipelines.engine_settings import EngineSettings

_log = logging.getLogger(__name__)


def engine_faults(name: str, settings: EngineSettings) -> list[str]:
    """Return what keeps an engine from opening here, found before any cost: one message a fault, none where it can.

    Args:
        name: Of the `[engines.NAME]` table, for messages.
        settings: The table.
    """
    faults = []
    if settings.kind == "vllm":
        missing = vllm_fault()
        if missing is not None:
            faults.append(f"engines.{name}: {missing}")
    try:
        resolve_device(settings.device)
    except ConfigError as error:
        faults += [f"engines.{name}: {fault}" for fault in error.faults]
    if settings.api_key_env is not None and not os.environ.get(settings.api_key_env):
        faults.append(f"engines.{name}: api_key_env: the environment variable {settings.api_key_env} is not set")
    return faults


def engine_made_from(settings: EngineSettings) -> dict[str, Any]:
    """Return what an engine's scores depend on besides the model's folder, for manifests; what only costs time is not.

    Device and dtype are told as they turn out here: `auto` is another thing on another machine. A server is asked which
    model it serves now.

    Raises:
        ConfigError: This machine has no such device.
        ModelError: The server cannot be reached, or does not serve the model.
    """
    if settings.kind == "vllm-server":
        return {
            "kind": settings.kind,
            "base_url": settings.base_url,
            "served": asdict(found_on_server(**_address(settings))),
            "stated": [settings.dtype, settings.quantization],
        }
    device, dtype = _computed_in(settings)
    kept = {"kind", "quantization", "kv_cache_dtype", "load_format"}
    return {**settings.model_dump(include=kept, mode="json"), "device": device, "dtype": dtype}


def _computed_in(settings: EngineSettings) -> tuple[str, str]:
    """Return the kind of device (cpu, cuda, mps) and the dtype that an engine will compute in here."""
    device = resolve_device(settings.device if settings.kind == "transformers" else "auto")
    if settings.kind == "vllm":
        device = "cuda" if device == "cuda" else "cpu"  # vLLM has no MPS
        if settings.dtype == "auto" and device == "cuda":
            # The checkpoint's own, which its revision pins, unless this GPU lacks bfloat16.
            return device, f"the checkpoint's, {dtype_name('auto', device)} GPU"
        if settings.dtype == "auto":
            return device, "float32"
    return device.partition(":")[0], dtype_name(_torch_dtype(settings), device)


def _torch_dtype(settings: EngineSettings) -> Dtype:
    return "float16" if settings.dtype == "half" else settings.dtype


def open_engine(settings: EngineSettings, folder: Path | None, adapter: Path | None = None) -> Engine:
    """Open an engine; it scores and writes, and is closed with `close()`.

    Args:
        settings: The `[engines.NAME]` table.
        folder: The model's folder; a server has its own, and needs none.
        adapter: A peft LoRA folder over it; a server knows an adapter by a name of its own (`served_model`).

    Raises:
        ConfigError: The table asks for what cannot be: no model folder, an adapter for a server, a key that is not set.
        ModelError: The model cannot be loaded, or the server refused; says what to do.
        WorkerError: A worker process could not open its engine.
    """
    faults = engine_faults(settings.kind, settings)
    if settings.kind == "endpoint":
        faults.append("an engine of kind endpoint writes texts and scores nothing; use transformers, vllm, vllm-server")
    elif settings.kind == "vllm-server":
        if adapter is not None:
            faults.append("a vLLM server loads adapters itself (--lora-modules): name it with served_model instead")
    elif folder is None:
        faults.append(f"an engine of kind {settings.kind} needs a model folder")
    if faults:
        raise ConfigError(faults)
    if settings.kind == "vllm-server" or folder is None:
        return _server(settings)
    return _vllm(settings, folder, adapter) if settings.kind == "vllm" else _transformers(settings, folder, adapter)


def _transformers(settings: EngineSettings, folder: Path, adapter: Path | None) -> Engine:
    return TransformersEngine.load(
        folder,
        adapter=adapter,
        device=settings.device,
        dtype=_torch_dtype(settings),
        quantization="bitsandbytes" if settings.quantization == "bitsandbytes" else "none",
        batch_tokens=settings.batch_tokens,
    )


def _vllm(settings: EngineSettings, folder: Path, adapter: Path | None) -> Engine:
    options = vllm_options(settings)
    if settings.workers == 1:
        return VllmEngine.open(folder, options, adapter=adapter)
    each = settings.tensor_parallel_size * settings.pipeline_parallel_size
    environments = device_environments(settings.workers, each, _visible_devices())
    return WorkerPool(
        partial(VllmEngine.open, folder, options, adapter=adapter),
        environments,
        timeout_seconds=settings.worker_timeout_seconds,
    )


def vllm_options(settings: EngineSettings) -> VllmOptions:
    """Return the table's options as vLLM names them."""
    named = {field.name: getattr(settings, field.name) for field in fields(VllmOptions)}
    named["quantization"] = None if settings.quantization == "none" else settings.quantization
    return VllmOptions(**named)


def _visible_devices() -> Sequence[str]:
    import torch

    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told:
        return [name.strip() for name in told.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def _server(settings: EngineSettings) -> Engine:
    return VllmServer.connect(
        **_address(settings),
        concurrency=settings.concurrency,
        max_labels=settings.max_logprobs,
        labels_path=settings.labels_path,
    )


def _address(settings: EngineSettings) -> dict[str, Any]:
    """Return how a server is reached, and which model of it is meant."""
    if settings.base_url is None:
        raise ConfigError("an engine of kind vllm-server needs base_url")
    return {
        "base_url": settings.base_url,
        "model": settings.served_model,
        "api_key": os.environ.get(settings.api_key_env) if settings.api_key_env else None,
        "timeout_seconds": settings.timeout_seconds,
        "retries": settings.retries,
    }
