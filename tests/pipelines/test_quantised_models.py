"""Quantised models whose loss was not measured are told."""

import json
import shutil
from pathlib import Path

import pytest

from core.artifacts import write_manifest
from core.models import locate_model
from pipelines.quantised_models import NO_GATE, gate_warnings, models_without_gate, warn_of_no_gate


@pytest.fixture
def quantised(tiny_lm: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_lm, tmp_path / "q")
    config = json.loads((tiny_lm / "config.json").read_text(encoding="utf-8"))
    told = {**config, "quantization_config": {"quant_method": "awq"}}
    (tmp_path / "q" / "config.json").write_text(json.dumps(told), encoding="utf-8")
    return tmp_path / "q"


def test_only_quantised_models_without_numbers_are_told(
    quantised: Path, tiny_lm: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = [locate_model(str(quantised)), locate_model(str(tiny_lm)), None, locate_model(str(quantised))]
    assert [model.folder for model in models_without_gate(models) if model] == [quantised]
    assert gate_warnings(models) == [(NO_GATE, 1)]
    warn_of_no_gate(models)
    assert f"{quantised} is quantised and carries no gate's numbers" in caplog.text
    write_manifest(quantised, {"gate": {"accepted": True}})
    assert gate_warnings([locate_model(str(quantised))]) == []
