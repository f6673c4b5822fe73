"""Checks of the config before anything is loaded."""

from pathlib import Path

import pytest

from core.config import load_config
from core.errors import ModelError, UserError
from pipelines.quantize_checks import check_environment, settings_checks
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings


def faults(settings: Settings, chosen: RerankerSettings, work: Path) -> str:
    told = []
    for check in settings_checks(lambda _: chosen, work):
        try:
            check(settings)
        except UserError as error:
            told += error.faults
    return "\n".join(told)


def settings_of(*overrides: str) -> Settings:
    return load_config(Settings, None, list(overrides))


def test_a_model_that_fits_passes(tiny_lm: Path, tmp_path: Path) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm))
    settings = settings_of("quantization.back_end=rtn", "quantization.group_size=32")
    assert faults(settings, chosen, tmp_path / "work") == ""
    assert not (tmp_path / "work").exists()


def test_widths_of_each_gpus_part(tiny_lm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm))
    options = ("quantization.back_end=rtn", "quantization.group_size=64", "quantization.tensor_parallel_size=2")
    found = faults(settings_of(*options), chosen, tmp_path)
    assert "o_proj: expected inputs that group_size 64 divides, got 32 on each of 2 GPUs" in found
    # 8-bit floats have a scale a row: no group has to fit.
    assert faults(settings_of(*options, "quantization.back_end=fp8"), chosen, tmp_path) == ""
    assert "rounds activations while running" in caplog.text


def test_memory_is_checked(tiny_lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.quantize_checks.free_memory", lambda: 1000)
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm))
    found = faults(settings_of("quantization.back_end=fp8"), chosen, tmp_path)
    assert "of main memory are needed, 0.0 GB are free" in found


def test_engines_that_cannot_measure_are_refused(tiny_lm: Path, tmp_path: Path) -> None:
    chosen = RerankerSettings(kind="listwise", model=str(tiny_lm))
    plain = ("quantization.back_end=fp8", "quantization.quantised_engine=transformers")
    assert "does not read quantised checkpoints" in faults(settings_of(*plain), chosen, tmp_path)
    server = ("engines.s.kind=vllm-server", "engines.s.base_url=http://127.0.0.1:1/v1", "quantization.engine=s")
    assert "a server holds one model" in faults(settings_of(*server, "quantization.back_end=fp8"), chosen, tmp_path)


def test_an_environment_is_asked_for_its_package(tmp_path: Path) -> None:
    settings = settings_of("quantization.back_end=auto-round", f"quantization.environments={tmp_path}")
    with pytest.raises(ModelError, match="make quantizer-env NAME=autoround"):
        check_environment(settings)
    check_environment(settings_of("quantization.back_end=rtn"))
