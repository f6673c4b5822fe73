"""vLLM's options under its own names, and what they become on the machine at hand."""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from core.errors import ModelError

_ON_A_CPU = {
    # Measured on two cores: start-up 25 s instead of 94 s.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
}
# Forking after CUDA was touched (stage 1 does) breaks; vLLM's own test for it comes too late.
_ON_A_GPU = {"VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
_WITHOUT_FLASHINFER = {"VLLM_USE_FLASHINFER_SAMPLER": "0"}  # vLLM 0.24 asks for it unseen, and does not start without
_LEFT_OUT = (
    "quantization",
    "kv_cache_memory_bytes",
    "max_model_len",
    "max_num_batched_tokens",
    "max_num_seqs",
    "enable_chunked_prefill",
)
_EVERYWHERE = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_LOGGING_LEVEL": "WARNING"}


@dataclass(frozen=True, kw_only=True)
class VllmOptions:
    """vLLM's options under its own names; None leaves vLLM its own choice.

    Attributes:
        quantization: None: as the checkpoint's config says, with the fastest kernel for it.
        kv_cache_memory_bytes: Bytes of a GPU for keys and values. None: what vLLM measures that is left of its share,
            for which no other process may take or free memory of that GPU while it starts. On a CPU the variable
            VLLM_CPU_KVCACHE_SPACE goes first (GiB; 1 unless set).
        enforce_eager: None: True on a CPU, else False.
        max_lora_rank: None: the adapter's own.
        max_logprobs: Most labels of a prompt on the path `allowed_token_ids`.
        labels_path: `auto` takes `logprob_token_ids` where this vLLM has it.
    """

    dtype: str = "auto"
    quantization: str | None = None
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    enable_prefix_caching: bool = True
    enable_chunked_prefill: bool | None = None
    cpu_offload_gb: float = 0.0
    gpu_memory_utilization: float = 0.9
    kv_cache_memory_bytes: int | None = None
    max_model_len: int | None = None
    max_num_batched_tokens: int | None = None
    max_num_seqs: int | None = None
    enforce_eager: bool | None = None
    kv_cache_dtype: str = "auto"
    load_format: str = "auto"
    max_lora_rank: int | None = None
    max_logprobs: int = 64
    labels_path: Literal["auto", "logprob_token_ids", "allowed_token_ids"] = "auto"
    seed: int = 0


def engine_arguments(options: VllmOptions, *, on_cpu: bool, masked: bool, adapter: Path | None) -> dict[str, Any]:
    """Return the arguments of `vllm.LLM` besides the model.

    Args:
        options: What was asked for.
        on_cpu: Whether there is no GPU: float32, eager and no prompt read in parts then, where the options leave the
            choice (vLLM 0.32 dies there of a prompt with a seed that it reads in parts).
        masked: Whether scores are asked for by `allowed_token_ids`.
        adapter: A peft LoRA folder; its rank is read.

    Raises:
        ModelError: The adapter is no peft LoRA folder.
    """
    made: dict[str, Any] = {
        "dtype": "float32" if on_cpu and options.dtype == "auto" else options.dtype,
        "enforce_eager": on_cpu if options.enforce_eager is None else options.enforce_eager,
        "disable_log_stats": True,
        # Else a model under a JSON schema may write line ends until max_tokens (seen with SmolLM2).
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
    }
    for name in ("tensor_parallel_size", "pipeline_parallel_size", "enable_prefix_caching", "cpu_offload_gb"):
        made[name] = getattr(options, name)
    for name in ("gpu_memory_utilization", "kv_cache_dtype", "load_format", "seed"):
        made[name] = getattr(options, name)
    # What is None is left out: vLLM's own default is not always None.
    for name in _LEFT_OUT:
        if getattr(options, name) is not None:
            made[name] = getattr(options, name)
    if on_cpu and options.enable_chunked_prefill is None and _whole_prompts_fit(options):
        made["enable_chunked_prefill"] = False
    if masked:
        made |= {"logprobs_mode": "processed_logprobs", "max_logprobs": options.max_logprobs}
    if adapter is not None:
        made |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": options.max_lora_rank or _served_rank(adapter)}
    return made


def start_fault(folder: Path, error: Exception, arguments: dict[str, Any]) -> str:
    """Say why vLLM did not start, and what to do where its own message leaves that to another process's."""
    told = f"{folder}: vLLM could not start ({error}). Its options were {arguments}"
    if "Engine core initialization failed" not in str(error) or "kv_cache_memory_bytes" in arguments:
        return told
    return (
        f"{told}. The engine's own messages, before this one, say why. If they speak of memory and other processes use "
        "this GPU: what these take or free while vLLM starts spoils its measurement; set kv_cache_memory_bytes"
    )


def _whole_prompts_fit(options: VllmOptions) -> bool:
    """Say whether a step takes the longest prompt; vLLM wants that where prompts are not read in parts."""
    step, longest = options.max_num_batched_tokens, options.max_model_len
    return step is None or (longest is not None and longest <= step)


def _served_rank(adapter: Path) -> int:
    """Return the smallest rank that vLLM serves and the adapter fits in."""
    config = adapter / "adapter_config.json"
    try:
        rank = int(json.loads(config.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"adapter {adapter}: no LoRA folder that peft saved ({config}: {error})") from error
    return next((served for served in (8, 16, 32, 64, 128, 256, 320, 512) if served >= rank), rank)


def set_environment() -> bool:
    """Set what vLLM reads when it is imported, where the caller has not; return whether it runs on a CPU."""
    import torch

    on_cpu = not torch.cuda.is_available()
    own = _ON_A_CPU if on_cpu else _ON_A_GPU
    if not on_cpu and find_spec("flashinfer") is None:
        own = own | _WITHOUT_FLASHINFER
    for name, value in {**_EVERYWHERE, **own}.items():
        os.environ.setdefault(name, value)
    return on_cpu
