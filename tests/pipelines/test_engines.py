from dataclasses import fields

import pytest
from fake_engine import FakeEngine
from fake_vllm import FakeVllm, serving

from core.errors import ConfigError
from core.vllm_engine import VllmEngine
from core.vllm_options import VllmOptions
from core.vllm_workers import WorkerPool
from pipelines.engine_settings import EngineSettings
from pipelines.engines import engine_faults, engine_made_from, open_engine, open_generator, open_scorer, vllm_options


def settings(**values):
    return EngineSettings.model_validate(values)


def test_transformers_scores_and_writes(tiny_lm):
    engine = settings(dtype="float32", device="cpu", batch_tokens=64)
    (scores,) = open_scorer(engine, tiny_lm).score([[5, 6]], [[7, 8]])
    assert len(scores.logprobs) == 2
    assert open_generator(engine, tiny_lm).generate([[5, 6]], max_tokens=2)[0].error is None


def test_a_server_is_connected_with_its_key(monkeypatch):
    with serving(FakeVllm(models=("a", "b"))) as fake:
        table = settings(kind="vllm-server", base_url=fake.url, served_model="b", api_key_env="THE_KEY", retries=0)
        with pytest.raises(ConfigError, match="THE_KEY is not set"):
            open_scorer(table, None)
        assert engine_faults("gpu", table) == ["engines.gpu: api_key_env: the environment variable THE_KEY is not set"]
        monkeypatch.setenv("THE_KEY", "abc")
        open_scorer(table, None).score([[5]], [[100]])
        assert fake.asked[-1]["model"] == "b"
        assert fake.headers[-1]["Authorization"] == "Bearer abc"


def test_what_does_not_fit_together_is_refused(tmp_path):
    with serving(FakeVllm()) as fake:
        table = settings(kind="vllm-server", base_url=fake.url)
        with pytest.raises(ConfigError, match="served_model"):
            open_engine(table, None, tmp_path)
    with pytest.raises(ConfigError, match="needs a model folder"):
        open_engine(settings(), None)


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
    monkeypatch.setattr("pipelines.engines.WorkerPool", lambda opener, environments: made.append(environments))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3,4,5")
    open_engine(settings(kind="vllm", workers=2, tensor_parallel_size=2), tmp_path)
    assert made == [[{"CUDA_VISIBLE_DEVICES": "2,3"}, {"CUDA_VISIBLE_DEVICES": "4,5"}]]


def test_manifests_hold_what_changes_scores_and_nothing_else():
    one = engine_made_from(settings(kind="vllm", gpu_memory_utilization=0.5, max_num_seqs=4))
    assert one == engine_made_from(settings(kind="vllm", workers=3, enforce_eager=True))
    assert one != engine_made_from(settings(kind="vllm", quantization="fp8"))
    assert one != engine_made_from(settings())


def test_a_pool_is_an_engine():
    pool = WorkerPool(FakeEngine, [{}])
    assert pool.generate([[4]], max_tokens=1)[0].text.startswith("4 ")
    pool.close()
