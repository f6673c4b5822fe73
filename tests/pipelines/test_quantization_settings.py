"""The `[quantization]` table."""

from pathlib import Path

import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.quantization_settings import QuantizationSettings
from pipelines.settings import Settings


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    return load_config(Settings, tmp_path / "c.toml", [])


def test_the_gates_defaults_are_the_published_ones() -> None:
    found = QuantizationSettings()
    assert (found.map_delta, found.agreement, found.group_size) == (-0.005, 0.97, 128)


def test_autoawq_is_told_its_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set quantization\.dtype=float16"):
        read(tmp_path, '[quantization]\nback_end = "autoawq"')
    assert read(tmp_path, '[quantization]\nback_end = "autoawq"\ndtype = "float16"').quantization.dtype == "float16"


def test_an_engine_that_is_no_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"quantization\.quantised_engine: no table \[engines\.vlm\].*did you mean 'vllm'"
    ):
        read(tmp_path, '[engines.vllm]\nkind = "vllm"\n[quantization]\nquantised_engine = "vlm"')


@pytest.mark.parametrize(
    "line", ["group_size = 48", 'back_end = "awq"', "map_delta = 0.1", "agreement = 1.5", "bits = 4"]
)
def test_wrong_values_are_told(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=line.split(" ")[0]):
        read(tmp_path, f"[quantization]\n{line}")
