import json
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from core import vllm_options
from core.errors import ModelError
from core.vllm_options import VllmOptions, engine_arguments, set_environment, start_fault


def arguments(options=None, *, on_cpu=False, masked=False, adapter=None):
    return engine_arguments(options or VllmOptions(), on_cpu=on_cpu, masked=masked, adapter=adapter)


def test_what_is_not_said_is_left_to_vllm():
    made = arguments()
    assert (made["dtype"], made["enforce_eager"], made["tensor_parallel_size"]) == ("auto", False, 1)
    left = {"quantization", "kv_cache_memory_bytes", "max_model_len", "max_num_batched_tokens", "enable_lora"}
    assert not (left | {"logprobs_mode"}) & set(made)


def test_what_is_said_goes_under_the_same_name():
    options = VllmOptions(quantization="fp8", max_model_len=2048, cpu_offload_gb=3.0, kv_cache_dtype="fp8", seed=4)
    made = arguments(replace(options, kv_cache_memory_bytes=2**30))
    assert made["kv_cache_memory_bytes"] == 2**30
    assert (made["quantization"], made["max_model_len"], made["cpu_offload_gb"]) == ("fp8", 2048, 3.0)
    assert (made["kv_cache_dtype"], made["seed"], made["load_format"]) == ("fp8", 4, "auto")


def test_a_cpu_computes_in_float32_and_eagerly_unless_told():
    made = arguments(on_cpu=True)
    assert (made["dtype"], made["enforce_eager"]) == ("float32", True)
    made = arguments(VllmOptions(dtype="bfloat16", enforce_eager=False), on_cpu=True)
    assert (made["dtype"], made["enforce_eager"]) == ("bfloat16", False)


@pytest.mark.parametrize(
    ("options", "chunked"),
    [
        (VllmOptions(), False),
        (VllmOptions(enable_chunked_prefill=True), True),
        (VllmOptions(max_model_len=2048, max_num_batched_tokens=2048), False),
        (VllmOptions(max_model_len=2049, max_num_batched_tokens=2048), None),
        (VllmOptions(max_num_batched_tokens=2048), None),
    ],
)
def test_a_cpu_reads_no_prompt_in_parts_unless_told_or_where_one_could_not_be_read_at_once(options, chunked):
    assert arguments(options, on_cpu=True).get("enable_chunked_prefill") is chunked
    assert arguments(options).get("enable_chunked_prefill") is options.enable_chunked_prefill


def test_the_masked_path_reports_after_the_mask():
    made = arguments(VllmOptions(max_logprobs=53), masked=True)
    assert (made["logprobs_mode"], made["max_logprobs"]) == ("processed_logprobs", 53)


@pytest.mark.parametrize(("rank", "served"), [(1, 8), (8, 8), (9, 16), (64, 64), (100, 128)])
def test_an_adapter_brings_its_rank(tmp_path, rank, served):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": rank}))
    made = arguments(adapter=tmp_path)
    assert (made["enable_lora"], made["max_lora_rank"]) == (True, served)
    assert arguments(VllmOptions(max_lora_rank=256), adapter=tmp_path)["max_lora_rank"] == 256


def test_what_is_no_adapter_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        arguments(adapter=tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="no LoRA folder"):
        arguments(adapter=tmp_path)


def test_an_engine_that_died_of_others_on_its_gpu_says_what_to_do():
    error = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")
    measured = start_fault(Path("/models/a"), error, arguments())
    assert "/models/a: vLLM could not start (Engine core" in measured and "'seed': 0" in measured
    assert measured.endswith("set kv_cache_memory_bytes")
    # Who has set it, or whose model is not there, is told nothing of it.
    assert "other processes" not in start_fault(Path("a"), error, arguments(VllmOptions(kv_cache_memory_bytes=2**30)))
    assert "other processes" not in start_fault(Path("a"), OSError("no config.json"), arguments())


@pytest.mark.parametrize("gpu", [True, False])
def test_the_environment_of_the_caller_wins(monkeypatch, gpu):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr(os, "environ", {"VLLM_CPU_KVCACHE_SPACE": "7"})
    assert set_environment() is not gpu
    assert os.environ["VLLM_CPU_KVCACHE_SPACE"] == "7"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    assert ("TORCHDYNAMO_DISABLE" in os.environ) is not gpu


@pytest.mark.vllm
def test_vllm_knows_every_variable_that_is_set_for_it():
    envs = pytest.importorskip("vllm.envs")
    named = {**vllm_options._ON_A_GPU, **vllm_options._ON_A_CPU, **vllm_options._EVERYWHERE}
    named |= vllm_options._WITHOUT_FLASHINFER
    own = {name for name in named if name.startswith("VLLM_")}
    assert own <= set(envs.environment_variables)


@pytest.mark.vllm
def test_vllm_knows_every_argument_that_is_given_to_it():
    options = VllmOptions(
        quantization="fp8",
        kv_cache_memory_bytes=2**30,
        max_model_len=64,
        max_num_batched_tokens=64,
        max_num_seqs=2,
        enable_chunked_prefill=False,
    )
    arg_utils = pytest.importorskip("vllm.engine.arg_utils")
    assert set(arguments(options, masked=True)) <= {field.name for field in fields(arg_utils.EngineArgs)}
