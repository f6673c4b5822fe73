"""Back ends: what a tool leaves becomes a checkpoint with the model's own config and tokenizer."""

import ast
import errno
import json
import shutil
import sys
from pathlib import Path

import pytest

from core.errors import InputError, ModelError
from core.tokenizer import load_tokenizer
from rerank.dequantize import dequantise_checkpoint
from rerank.plain_quantizer import quantise_plainly
from rerank.quantize import (
    BACK_ENDS,
    EnvironmentQuantiser,
    PlainQuantiser,
    QuantiseOptions,
    open_quantiser,
    quantise,
)

ROOT = Path(__file__).parents[2]
OPTIONS = QuantiseOptions(group_size=16)
ALLOWED = {
    "llmcompressor": {"torch", "transformers", "llmcompressor", "compressed_tensors", "datasets", "psutil", "parent"},
    "autoround": {"torch", "transformers", "auto_round", "parent"},
    "autoawq": {"torch", "awq", "parent"},
}


def test_rounding_needs_nothing(word_lm: Path, tmp_path: Path) -> None:
    folder = quantise(PlainQuantiser(bits=4), word_lm, None, tmp_path / "out", OPTIONS)
    assert load_tokenizer(folder).name_hash == load_tokenizer(word_lm).name_hash
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["quantization_config"]["format"] == "pack-quantized" and config["hidden_size"] == 32
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def tool(tmp_path: Path, body: str) -> EnvironmentQuantiser:
    script = tmp_path / "tool.py"
    script.write_text("import json, shutil, sys\njob = json.load(open(sys.argv[1]))\n" + body, encoding="utf-8")
    return EnvironmentQuantiser(python=Path(sys.executable), script=script, method="awq", log=tmp_path / "tool.log")


def test_a_tool_is_told_its_job_and_its_folder_is_taken(word_lm: Path, tmp_path: Path) -> None:
    quantise_plainly(word_lm, tmp_path / "ready", group_size=16, dtype="float16")
    made = tool(tmp_path, f"print(sorted(job.items()))\nshutil.copytree({str(tmp_path / 'ready')!r}, job['output'])")
    calibration = tmp_path / "c.jsonl"
    calibration.write_text("{}\n")
    folder = quantise(made, word_lm, calibration, tmp_path / "out", OPTIONS)
    log = (tmp_path / "tool.log").read_text(encoding="utf-8")
    assert "('method', 'awq')" in log and "('group_size', 16)" in log and str(calibration) in log
    # float16 is what the tool left: the config says so.
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["dtype"] == "float16"


def test_a_tool_that_fails_leaves_what_stood_there(word_lm: Path, tmp_path: Path) -> None:
    quantise(PlainQuantiser(bits=4), word_lm, None, tmp_path / "out", OPTIONS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ModelError, match="No space left"):
        quantise(tool(tmp_path, "sys.exit('No space left on device')"), word_lm, None, tmp_path / "out", OPTIONS)
    shutil.rmtree(tmp_path / "out" / "none", ignore_errors=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert not list(tmp_path.glob(".out.*"))


def test_a_full_disk_is_one_clear_error_and_nothing_is_left(
    word_lm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, weights: object) -> None:
        (folder / "part-0.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rerank.settle.write_weights", full)
    with pytest.raises(InputError, match="the disk is full"):
        quantise(PlainQuantiser(bits=4), word_lm, None, tmp_path / "out", OPTIONS)
    assert list(tmp_path.iterdir()) == []
    quantise_plainly(word_lm, tmp_path / "ready", group_size=16, dtype="bfloat16")
    monkeypatch.setattr("rerank.dequantize.write_weights", full)
    with pytest.raises(InputError, match="the disk is full"):
        dequantise_checkpoint(tmp_path / "ready", tmp_path / "plain")
    assert [path.name for path in tmp_path.iterdir()] == ["ready"]


@pytest.mark.parametrize("name", sorted({facts.environment for facts in BACK_ENDS.values() if facts.environment}))
def test_each_environment_has_pins_and_a_script_that_imports_nothing_else(name: str) -> None:
    pins = (ROOT / "environments" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in pins if line and not line.startswith("#")]
    assert wanted[0] == "torch==2.13.0" and all("==" in line for line in wanted)
    tree = ast.parse((ROOT / "environments" / f"quantize_with_{name}.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {module.split(".", maxsplit=1)[0] for module in imported} - set(sys.stdlib_module_names)
    assert tops == ALLOWED[name]


@pytest.mark.parametrize("name", list(BACK_ENDS))
def test_every_back_end_opens(name: str, tmp_path: Path) -> None:
    made = open_quantiser(
        name,  # type: ignore[arg-type]
        environments=tmp_path,
        scripts=ROOT / "environments",
        log=tmp_path / "log",
    )
    if isinstance(made, EnvironmentQuantiser):
        assert made.script.is_file() and made.python.parts[-2:] == ("bin", "python")
    else:
        assert isinstance(made, PlainQuantiser) and made.bits == BACK_ENDS[name].bits  # type: ignore[index]
