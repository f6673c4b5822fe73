from dataclasses import fields

import pytest
from fake_vllm import FakeVllm, serving

from core.errors import ConfigError, ModelError
from core.vllm_engine import VllmEngine
from core.vllm_options import VllmOptions
from pipelines.engine_settings import EngineSettings
from pipelines.engines import engine_faults, engine_made_from, open_engine, vllm_options


def settings(**values):
    return EngineSettings.model_validate(values)


def test_transformers_scores_and_writes(tiny_lm):
    engine = settings(dtype="float32", device="cpu", batch_tokens=64)
    (scores,) = open_engine(engine, tiny_lm).score([[5, 6]], [[7, 8]])
    assert len(scores.logprobs) == 2
    assert open_engine(engine, tiny_lm).generate([[5, 6]], max_tokens=2)[0].error is None


def test_a_server_is_connected_with_its_key(monkeypatch):
    with serving(FakeVllm(models=("a", "b"))) as fake:
        table = settings(kind="vllm-server", base_url=fake.url, served_model="b", api_key_env="THE_KEY", retries=0)
        with pytest.raises(ConfigError, match="THE_KEY is not set"):
            open_engine(table, None)
        assert engine_faults("gpu", table) == ["engines.gpu: api_key_env: the environment variable THE_KEY is not set"]
        monkeypatch.setenv("THE_KEY", "abc")
        open_engine(table, None).score([[5]], [[100]])
        assert fake.asked[-1]["model"] == "b"
        assert fake.headers[-1]["Authorization"] == "Bearer abc"


def test_what_does_not_fit_together_is_refused(tmp_path):
    with serving(FakeVllm()) as fake:
        table = settings(kind="vllm-server", base_url=fake.url)
        with pytest.raises(ConfigError, match="served_model"):
            open_engine(table, None, tmp_path)
    with pytest.raises(ConfigError, match="needs a model folder"):
        open_engine(settings(), None)


def test_an_endpoint_scores_nothing():
    with pytest.raises(ConfigError, match="writes texts and scores nothing"):
        open_engine(settings(kind="endpoint", base_url="http://127.0.0.1:9/v1"), None)


def test_a_missing_vllm_is_told_before_any_cost(monkeypatch):
    monkeypatch.setattr("pipelines.engines.vllm_fault", lambda: "vLLM is not installed")
    assert engine_faults("gpu", settings(kind="vllm")) == ["engines.gpu: vLLM is not installed"]
    assert engine_faults("cpu", settings()) == []


def test_every_vllm_option_comes_from_the_table():
    names = {field.name for field in fields(VllmOptions)}
    assert names <= set(EngineSettings.model_fields)
    made = vllm_options(settings(kind="vllm", quantization="fp8", max_model_len=99, load_format="dummy"))
    assert (made.quantization, made.max_model_len, made.load_format) == ("fp8", 99, "dummy")
    assert vllm_options(settings(kind="vllm")).quantization is None
    assert vllm_options(EngineSettings()) == VllmOptions()  # the same defaults in both places


def test_vllm_is_opened_in_this_process_or_in_workers(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("pipelines.engines.vllm_fault", lambda: None)
    monkeypatch.setattr(
        VllmEngine, "open", lambda folder, options, adapter=None: asked.append((folder, options, adapter)) or "engine"
    )
    assert open_engine(settings(kind="vllm"), tmp_path, tmp_path / "lora") == "engine"
    assert asked == [(tmp_path, VllmOptions(), tmp_path / "lora")]
    made = []
    monkeypatch.setattr(
        "pipelines.engines.WorkerPool",
        lambda opener, environments, timeout_seconds: made.append((environments, timeout_seconds)),
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3,4,5")
    open_engine(settings(kind="vllm", workers=2, tensor_parallel_size=2, worker_timeout_seconds=77), tmp_path)
    assert made == [([{"CUDA_VISIBLE_DEVICES": "2,3"}, {"CUDA_VISIBLE_DEVICES": "4,5"}], 77.0)]


def test_a_device_that_is_not_here_is_told_before_any_cost(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    (fault,) = engine_faults("gpu", settings(device="cuda:3"))
    assert fault.startswith("engines.gpu: device: 'cuda:3' was asked for")


def test_manifests_hold_what_changes_scores_and_nothing_else():
    one = engine_made_from(settings(kind="vllm", gpu_memory_utilization=0.5, max_num_seqs=4))
    assert one == engine_made_from(settings(kind="vllm", workers=3, enforce_eager=True, worker_timeout_seconds=9))
    assert one != engine_made_from(settings(kind="vllm", quantization="fp8"))
    assert one != engine_made_from(settings())
    assert engine_made_from(settings(dtype="half")) == engine_made_from(settings(dtype="float16"))


@pytest.mark.parametrize(
    ("kind", "capability", "made"),
    [
        ("transformers", None, ("cpu", "float32")),
        ("transformers", (7, 5), ("cuda", "float32")),
        ("transformers", (9, 0), ("cuda", "bfloat16")),
        ("vllm", None, ("cpu", "float32")),
        ("vllm", (7, 5), ("cuda", "the checkpoint's, float32 GPU")),
        ("vllm", (9, 0), ("cuda", "the checkpoint's, bfloat16 GPU")),
    ],
)
def test_manifests_tell_device_and_dtype_as_they_turn_out(monkeypatch, kind, capability, made):
    """A folder that moves to another machine must not mix float32 scores of a CPU with bfloat16 ones of a GPU."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    found = engine_made_from(settings(kind=kind))
    assert (found["device"], found["dtype"]) == made


def test_one_kind_of_device_is_one_key(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    first, second, cpu = (
        engine_made_from(settings(device=name, dtype="float32")) for name in ("cuda:0", "cuda:1", "cpu")
    )
    assert first == second != cpu


def test_a_servers_scores_are_pinned_to_the_model_that_it_serves_now():
    with serving(FakeVllm(models=("base",))) as fake:
        table = settings(kind="vllm-server", base_url=fake.url, retries=0)
        first = engine_made_from(table)
        assert first == engine_made_from(table.model_copy(update={"concurrency": 3, "timeout_seconds": 9.0}))
        assert first["served"] == {"name": "base", "root": "weights/base", "parent": None}
        fake.models = ("other",)  # started again with another model, and the table names none
        assert engine_made_from(table) != first
        fake.models, fake.root = ("base",), "elsewhere"  # other weights under the same name
        assert engine_made_from(table) != first
    with serving(FakeVllm(models=("base",))) as fake:
        assert engine_made_from(settings(kind="vllm-server", base_url=fake.url)) != first  # another server


def test_a_server_that_is_gone_cannot_say_whose_scores_these_are():
    with serving(FakeVllm()) as fake:
        table = settings(kind="vllm-server", base_url=fake.url, retries=0)
    with pytest.raises(ModelError, match="Start it, even to read finished scores"):
        engine_made_from(table)
