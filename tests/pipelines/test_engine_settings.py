import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.engine_settings import EngineSettings


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
        (["kind=vlm"], "vllm"),
        (["kind=vllm", "gpu_memory_utilization=1.5"], "less than or equal to 1|<= 1"),
        (["kind=vllm", "tensor_paralel_size=2"], "did you mean 'tensor_parallel_size'"),
    ],
)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_config(EngineSettings, None, overrides)
