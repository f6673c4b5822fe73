"""The `[engines.NAME]` tables: what runs a language model, with vLLM's options under vLLM's own names."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.config import StrictModel

Count = Annotated[int, Field(ge=1)]
EngineKind = Literal["transformers", "vllm", "vllm-server"]
Quantization = Literal["none", "awq", "awq_marlin", "gptq", "gptq_marlin", "compressed-tensors", "fp8", "bitsandbytes"]


class EngineSettings(StrictModel):
    """One `[engines.NAME]` table: transformers anywhere, vLLM in this process, or a vLLM server that runs already."""

    kind: EngineKind = Field(
        "transformers", description="transformers: the reference, any device; vllm: in process; vllm-server: over HTTP."
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
    base_url: str | None = Field(None, description="vllm-server: where it listens, e.g. http://127.0.0.1:8000/v1")
    served_model: str | None = Field(
        None, description="vllm-server: the model's (or adapter's) name there; null: the only one it serves."
    )
    api_key_env: str | None = Field(None, description="vllm-server: the environment variable that holds the key.")
    concurrency: Count = Field(32, description="vllm-server: requests in flight.")
    timeout_seconds: Annotated[float, Field(gt=0)] = Field(120.0, description="vllm-server: for one request.")
    retries: Annotated[int, Field(ge=0)] = Field(6, description="vllm-server: after 429, 5xx and time-outs, a request.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "EngineSettings":
        if (self.kind == "vllm-server") != (self.base_url is not None):
            raise ValueError("base_url belongs to kind = 'vllm-server', which needs it")
        if self.kind == "transformers" and self.quantization not in ("none", "bitsandbytes"):
            raise ValueError(f"kind = 'transformers' knows quantization none and bitsandbytes, not {self.quantization}")
        if self.kind == "transformers" and self.load_format != "auto":
            raise ValueError("load_format belongs to kind = 'vllm'")
        if self.kind != "vllm" and self.workers > 1:
            raise ValueError("workers belongs to kind = 'vllm'")
        return self
