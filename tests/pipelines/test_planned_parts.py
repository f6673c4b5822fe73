import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError
from pipelines.cost_model import SHAPES
from pipelines.engine_pool import EnginePool
from pipelines.engine_settings import EngineSettings
from pipelines.job import Job
from pipelines.lm_reranker import pooled_engine
from pipelines.planned_parts import (
    PlannedPart,
    device_present,
    opening_ahead,
    opening_seconds,
    orders_of,
    planned_parts,
    quantisation_of,
    reads_a_prefix_once,
    shape_named,
)
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings


def settings(**tables: dict[str, object]) -> Settings:
    given = {name: {"model": "x/y-7B", **table} for name, table in tables.items()}
    return Settings.model_validate({"rerankers": given})


def tokens(**table: object) -> float:
    made = settings(mine={"kind": "listwise", **table})
    (part,) = planned_parts(made.rerankers["mine"], made, name="mine")
    return part.workload(queries=1, validation=1).query_tokens


def test_an_engine_without_a_prefix_cache_reads_the_question_in_every_order() -> None:
    engines = [EngineSettings(), EngineSettings(kind="vllm", enable_prefix_caching=False), EngineSettings(kind="vllm")]
    assert [reads_a_prefix_once(engine) for engine in engines] == [False, False, True]
    assert tokens() == pytest.approx(2 * 146 + 50 * 16.7)


def test_a_pair_costs_its_frame_and_the_block_that_is_not_full() -> None:
    # transformers: nothing is cached, so each of 10 prompts reads the question, its candidate and its frame.
    assert tokens(kind="pointwise", candidates=10) == pytest.approx(10 * (146 + 16.7 + 6.2))


@pytest.mark.parametrize(
    ("table", "prompts", "size"),
    [
        # 30 places in windows of 10, 5 apart: 5 of them.
        ({"candidates": 30, "windows": {"kind": "sliding", "size": 10, "stride": 5}}, 2 * 5, 10),
        ({"candidates": 30, "windows": {"kind": "sliding", "size": 10, "stride": 5, "passes": 2}}, 2 * 10, 10),
        # All cyclic orders of a window are as many as its places, not as the candidates.
        ({"candidates": 30, "orders": "cyclic", "windows": {"kind": "overlapping", "size": 10, "stride": 10}}, 30, 10),
        ({"candidates": 8, "windows": {"kind": "sliding", "size": 10, "stride": 5}}, 2, 8),
        ({"candidates": 12, "orders": "cyclic"}, 12, 12),
        ({"candidates": 12, "orders": "random", "order_count": 3}, 3, 12),
        ({"candidates": 10, "describe": True, "describe_extra": 5}, 2, 15),
    ],
)
def test_prompts_are_counted_by_windows_and_orders(table: dict[str, object], prompts: int, size: int) -> None:
    assert tokens(**table) == pytest.approx(prompts * (146 + size * 16.7))


def test_orders_of_a_stretch_and_of_a_window() -> None:
    cyclic = RerankerSettings(kind="listwise", model="m", orders="cyclic", candidates=20)
    assert (orders_of(cyclic, 5), cyclic.order_total) == (5, 20)
    both = RerankerSettings(kind="listwise", model="m")
    assert orders_of(both, 5) == 2
    windows = {"kind": "sliding", "size": 10, "stride": 5}
    slid = RerankerSettings.model_validate(
        {"kind": "listwise", "model": "m", "orders": "cyclic", "candidates": 30, "windows": windows}
    )
    assert slid.order_total == 10


def test_a_cascade_has_the_widths_of_its_stretches_and_no_cross_encoder() -> None:
    stages = [
        {"reranker": "pairs", "first": 1, "last": 25},
        {"reranker": "wide", "first": 1, "last": 20},
        {"reranker": "small", "first": 8, "last": 17},
    ]
    made = Settings.model_validate(
        {
            "rerankers": {
                "pairs": {"kind": "cross-encoder", "model": "m"},
                "wide": {"kind": "pointwise", "model": "m"},
                "small": {"kind": "listwise", "model": "m", "candidates": 25},
                "all": {"kind": "cascade", "stages": tuple(stages)},
            }
        }
    )
    parts = planned_parts(made.rerankers["all"], made, name="all")
    assert [(part.name, part.width) for part in parts] == [("wide", 20), ("small", 10)]
    assert planned_parts(made.rerankers["pairs"], made, name="pairs") == []


def test_engines_side_by_side_are_part_of_the_setting() -> None:
    made = Settings.model_validate(
        {
            "rerankers": {"mine": {"kind": "listwise", "model": "m", "engine": "gpus"}},
            "engines": {"gpus": {"kind": "vllm", "workers": 4, "tensor_parallel_size": 2}},
        }
    )
    (part,) = planned_parts(made.rerankers["mine"], made, name="mine")
    setting = part.setting("h200", SHAPES["7B"])
    assert (setting.gpus, setting.engines) == (2, 4)
    work = part.workload(queries=1, validation=1)
    one = setting.query_seconds(work)[0]
    engine = part.engine.model_copy(update={"workers": 1})
    assert one == pytest.approx(planned_with(part, engine).setting("h200", SHAPES["7B"]).query_seconds(work)[0] / 4)


def planned_with(part: PlannedPart, engine: EngineSettings) -> PlannedPart:
    return replace(part, engine=engine)


def test_what_opening_an_engine_takes() -> None:
    made = settings(mine={"kind": "listwise"})
    (part,) = planned_parts(made.rerankers["mine"], made, name="mine")
    setting = part.setting("h200", SHAPES["7B"])
    reading = 2 * SHAPES["7B"].parameters / 1e9
    assert opening_seconds(setting, EngineSettings()) == pytest.approx(5 + reading)
    assert opening_seconds(setting, EngineSettings(kind="vllm")) == pytest.approx(60 + reading)
    server = EngineSettings(kind="vllm-server", base_url="http://localhost:8000/v1")
    assert opening_seconds(setting, server) == 0


def test_shapes_by_name_and_by_folder(tmp_path: Path) -> None:
    assert shape_named("Qwen/Qwen2.5-32B-Instruct-AWQ").name == "32B"
    assert shape_named("bundled:SmolLM2-135M-Instruct").name == "135M"
    assert shape_named("x/Model-24B").parameters == 24e9
    config = {
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "vocab_size": 10,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    # 2 × (q, k, v, o: 4 × 8 × 8; gate, up, down: 3 × 8 × 16) + embedding and head: 2 × 10 × 8
    assert shape_named(str(tmp_path)).parameters == 2 * (4 * 64 + 3 * 128) + 160
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="Llama-like"):
        shape_named(str(tmp_path))


@pytest.mark.parametrize(
    ("engine", "model", "device", "found"),
    [
        (EngineSettings(kind="vllm", quantization="fp8"), "x/y-32B", "h200", "fp8"),
        (EngineSettings(kind="vllm"), "x/y-32B-AWQ", "h200", "awq"),
        (EngineSettings(kind="vllm"), "x/y-32B", "h200", "bf16"),
        (EngineSettings(dtype="float32"), "x/y-32B", "h200", "float32"),
        (EngineSettings(), "x/y-32B", "cpu", "float32"),
        (None, "x/y-7B-FP8", "h100", "fp8"),
    ],
)
def test_weights_as_config_and_name_tell(engine: EngineSettings | None, model: str, device: str, found: str) -> None:
    assert quantisation_of(engine, model, device) == found


def test_the_device_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_present() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    assert device_present() == "h200"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Something New")
    with pytest.raises(InputError, match="not in the cost model"):
        device_present()


class Closable:
    """An engine that does nothing."""

    def close(self) -> None:
        """Hold nothing."""


def test_an_engine_that_is_open_needs_no_time(
    tiny_job: Callable[..., Job], tiny_lm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, pool = tiny_job(), EnginePool(lambda key: Closable())  # type: ignore[arg-type,return-value]
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm))
    assert opening_ahead(job, chosen, pool) == pytest.approx(5.0, abs=0.1)
    pool.engine(pooled_engine(job, chosen, pool)._key)
    assert opening_ahead(job, chosen, pool) == 0.0
    assert opening_ahead(job, RerankerSettings(), pool) == 0.0
    pool.close()

    def unknown(engine: object) -> str:
        raise InputError("this machine's GPU is not in the cost model")

    monkeypatch.setattr("pipelines.planned_parts.device_present", unknown)
    assert opening_ahead(job, chosen, pool) == 0.0
