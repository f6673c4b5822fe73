import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.engine_settings import _READ_BY, EngineSettings


def test_the_default_is_the_reference():
    made = load_config(EngineSettings, None)
    assert (made.kind, made.dtype, made.quantization, made.enable_prefix_caching) == (
        "transformers",
        "auto",
        "none",
        True,
    )


def test_vllm_options_go_by_their_own_names():
    made = load_config(
        EngineSettings,
        None,
        ["kind=vllm", "quantization=awq", "dtype=half", "tensor_parallel_size=2", "kv_cache_dtype=fp8", "workers=2"],
    )
    assert (made.tensor_parallel_size, made.kv_cache_dtype, made.workers) == (2, "fp8", 2)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["kind=vllm-server"], "base_url"),
        (["base_url=http://x/v1"], "base_url"),
        (["quantization=awq"], "knows quantization none and bitsandbytes"),
        (["load_format=dummy"], "load_format"),
        (["workers=2"], "workers"),
        (
            ["tensor_parallel_size=8"],
            "tensor_parallel_size is not read by an engine of kind 'transformers'",
        ),
        (["kind=vllm", "batch_tokens=5"], "batch_tokens is not read by an engine of kind 'vllm', only by transformers"),
        (["kv_cache_memory_bytes=5"], "kv_cache_memory_bytes is not read by an engine of kind 'transformers'"),
        (["kind=vllm", "device=cpu"], "device is not read by an engine of kind 'vllm'"),
        (["kind=vllm", "retries=1"], "retries is not read by an engine of kind 'vllm', only by vllm-server and"),
        (["kind=vllm-server", "base_url=http://x/v1", "seed=1"], "seed is not read by an engine of kind 'vllm-server'"),
        (["kind=endpoint"], "base_url belongs to the kinds vllm-server and endpoint"),
        (["kind=endpoint", "base_url=http://x/v1", "labels_path=allowed_token_ids"], "labels_path is not read"),
        (["kind=vllm-server", "base_url=http://x/v1", "guide=none"], "guide is not read by an engine of kind"),
        (["kind=vlm"], "vllm"),
        (["kind=vllm", "worker_timeout_seconds=0"], "greater than 0|> 0"),
        (["kind=vllm", "gpu_memory_utilization=1.5"], "less than or equal to 1|<= 1"),
        (["kind=vllm", "tensor_paralel_size=2"], "did you mean 'tensor_parallel_size'"),
    ],
)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(EngineSettings, None, overrides)


def test_all_that_is_not_read_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        load_config(EngineSettings, None, ["tensor_parallel_size=8", "workers=2", "quantization=awq", "retries=1"])
    for word in ("tensor_parallel_size", "workers", "awq", "retries"):
        assert word in str(caught.value)


def test_every_setting_has_its_kinds():
    """A new setting must say which engine reads it."""
    always = {"kind", "dtype", "quantization", "base_url"}
    assert set(_READ_BY) | always == set(EngineSettings.model_fields)
    assert not set(_READ_BY) & always


def test_a_servers_table_may_tell_the_plan_what_it_runs_on():
    told = ["tensor_parallel_size=2", "quantization=fp8", "max_model_len=4104", "enable_prefix_caching=false"]
    made = load_config(EngineSettings, None, ["kind=vllm-server", "base_url=http://x/v1", *told])
    assert (made.tensor_parallel_size, made.quantization) == (2, "fp8")
