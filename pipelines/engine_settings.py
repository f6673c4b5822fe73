"""The `[engines.NAME]` tables: what runs a language model, with vLLM's options under vLLM's own names."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel

Count = Annotated[int, Field(ge=1)]
EngineKind = Literal["transformers", "vllm", "vllm-server", "endpoint"]
Quantization = Literal["none", "awq", "awq_marlin", "gptq", "gptq_marlin", "compressed-tensors", "fp8", "bitsandbytes"]


class EngineSettings(StrictModel):
    """One `[engines.NAME]` table: transformers anywhere, vLLM in this process, a vLLM server, or any endpoint."""

    kind: EngineKind = Field(
        "transformers",
        description="transformers: the reference, any device; vllm: in process; vllm-server: over HTTP; endpoint: any "
        "OpenAI-compatible API (POST /chat/completions), which writes texts but scores nothing.",
    )
    dtype: Literal["auto", "bfloat16", "float16", "half", "float32"] = Field(
        "auto",
        description="auto: transformers takes bfloat16 where the device is fast at it, else float32; vLLM takes the "
        "checkpoint's own on a GPU (a T4 needs half), float32 on a CPU.",
    )
    quantization: Quantization = Field(
        "none",
        description="none: what the checkpoint's own config says, with vLLM's fastest kernel for it (Marlin for awq "
        "and gptq, which the plain names switch off). fp8 and bitsandbytes also quantise full weights while loading; "
        "transformers knows none and bitsandbytes (NF4).",
    )
    device: str = Field("auto", description="transformers only: auto, cpu, mps, cuda or cuda:N.")
    batch_tokens: Count = Field(8192, description="transformers only: tokens a forward pass, padding included.")
    tensor_parallel_size: Count = Field(1, description="vLLM: GPUs that share every layer.")
    pipeline_parallel_size: Count = Field(1, description="vLLM: groups of GPUs that hold successive layers.")
    workers: Count = Field(
        1, description="vLLM, data parallel: so many processes with an engine each; prompts are shared out."
    )
    enable_prefix_caching: bool = Field(True, description="vLLM: read a shared beginning of prompts only once.")
    enable_chunked_prefill: bool | None = Field(None, description="vLLM: null is vLLM's own choice.")
    cpu_offload_gb: Annotated[float, Field(ge=0)] = Field(0.0, description="vLLM: GiB of weights kept in main memory.")
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = Field(0.9, description="vLLM: share of the GPU used.")
    kv_cache_memory_bytes: Count | None = Field(
        None,
        description="vLLM: bytes of a GPU for keys and values; null: what vLLM measures that is left of its share. Set "
        "it where other processes take or free memory of that GPU while vLLM starts, which spoils the measurement. Of "
        "no effect on a CPU, where the variable VLLM_CPU_KVCACHE_SPACE says it in GiB (1 unless set).",
    )
    max_model_len: Count | None = Field(None, description="vLLM: longest prompt; null: as the model says.")
    max_num_batched_tokens: Count | None = Field(None, description="vLLM: tokens a step; null: vLLM's own choice.")
    max_num_seqs: Count | None = Field(None, description="vLLM: prompts a step; null: vLLM's own choice.")
    enforce_eager: bool | None = Field(None, description="vLLM: no CUDA graphs; null: true on a CPU, else false.")
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16"] = "auto"
    load_format: Literal["auto", "safetensors", "dummy", "bitsandbytes", "runai_streamer", "sharded_state"] = Field(
        "auto", description="vLLM: dummy makes random weights, for measurements of speed."
    )
    max_lora_rank: Count | None = Field(None, description="vLLM: null: the adapter's own.")
    max_logprobs: Count = Field(64, description="vLLM without logprob_token_ids: the most labels a prompt may have.")
    labels_path: Literal["auto", "logprob_token_ids", "allowed_token_ids"] = Field(
        "auto", description="How exact scores are asked for; auto: logprob_token_ids where this vLLM has it."
    )
    seed: int = Field(0, ge=0, description="vLLM's own.")
    base_url: str | None = Field(None, description="Servers: where it listens, e.g. http://127.0.0.1:8000/v1")
    served_model: str | None = Field(
        None, description="Servers: the model's (or adapter's) name there; null: the only one it serves."
    )
    api_key_env: str | None = Field(None, description="Servers: the environment variable that holds the key.")
    concurrency: Count = Field(32, description="Servers: requests in flight.")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(120.0, description="Servers: for one request.")
    retries: Annotated[int, Field(ge=0)] = Field(6, description="Servers: after 429, 5xx and time-outs, a request.")
    guide: Literal["json_schema", "guided_json", "none"] = Field(
        "json_schema",
        description="endpoint: how a JSON schema is sent: json_schema (response_format), guided_json (older vLLM), or "
        "not at all.",
    )
    worker_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        3600.0,
        description="vLLM with workers: the longest that a worker may take for one call, or to open its engine; one "
        "that hangs for longer is ended, and named in the error.",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "EngineSettings":
        faults = []
        if (self.kind in _SERVERS) != (self.base_url is not None):
            faults.append(f"base_url belongs to the kinds {' and '.join(_SERVERS)}, which need it")
        if self.kind == "transformers" and self.quantization not in ("none", "bitsandbytes"):
            faults.append(f"kind = 'transformers' knows quantization none and bitsandbytes, not {self.quantization}")
        faults += [
            f"{key} is not read by an engine of kind '{self.kind}', only by {' and '.join(kinds)}"
            for key, kinds in _READ_BY.items()
            if self.kind not in kinds and getattr(self, key) != type(self).model_fields[key].default
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self


_TRANSFORMERS: tuple[EngineKind, ...] = ("transformers",)
_VLLM: tuple[EngineKind, ...] = ("vllm",)
_SERVER: tuple[EngineKind, ...] = ("vllm-server",)
_ENDPOINT: tuple[EngineKind, ...] = ("endpoint",)
_SERVERS = _SERVER + _ENDPOINT

# What is quietly ignored misleads. Not here: kind; dtype and quantization, which a server's table may state for
# `plan.py`; base_url, which has a rule of its own.
_READ_BY: dict[str, tuple[EngineKind, ...]] = {
    "device": _TRANSFORMERS,
    "batch_tokens": _TRANSFORMERS,
    # A server's own, stated for `plan.py`.
    "tensor_parallel_size": _VLLM + _SERVER,
    "pipeline_parallel_size": _VLLM + _SERVER,
    "enable_prefix_caching": _VLLM + _SERVER,
    "workers": _VLLM,
    "worker_timeout_seconds": _VLLM,
    "enable_chunked_prefill": _VLLM,
    "cpu_offload_gb": _VLLM,
    "gpu_memory_utilization": _VLLM,
    "kv_cache_memory_bytes": _VLLM,
    "max_model_len": _VLLM + _SERVERS,  # prompts are checked against it
    "max_num_batched_tokens": _VLLM,
    "max_num_seqs": _VLLM,
    "enforce_eager": _VLLM,
    "kv_cache_dtype": _VLLM,
    "load_format": _VLLM,
    "max_lora_rank": _VLLM,
    "max_logprobs": _VLLM + _SERVER,
    "labels_path": _VLLM + _SERVER,
    "seed": _VLLM,
    "served_model": _SERVERS,
    "api_key_env": _SERVERS,
    "concurrency": _SERVERS,
    "timeout_seconds": _SERVERS,
    "retries": _SERVERS,
    "guide": _ENDPOINT,
}
