import json
import logging

import pytest

from core import gguf_model
from core.errors import ModelError
from core.gguf_model import cache_folder, dequantised


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MISCONCEPTION_MINING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch):
    """Count conversions; each takes the tiny model's bytes instead of a real GGUF file's."""
    made = []

    def convert(gguf, folder):
        made.append(folder)
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(gguf_model, "_write_model", convert)
    return made


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MISCONCEPTION_MINING_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("MISCONCEPTION_MINING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "misconception-mining"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "misconception-mining"


def test_it_is_made_once(cache, conversions, tmp_path):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    first = dequantised(gguf, sha256="a" * 64)
    assert dequantised(gguf, sha256="a" * 64) == first
    assert first.is_relative_to(cache)
    assert len(conversions) == 1
    assert dequantised(gguf, sha256="b" * 64) != first
    assert len(conversions) == 2


@pytest.mark.parametrize("damage", ["bytes", "receipt", "no receipt", "version", "weights gone"])
def test_what_is_not_whole_is_made_again(cache, conversions, tmp_path, damage, monkeypatch, caplog):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")
    folder = dequantised(gguf, sha256="a" * 64)
    receipt = folder.with_name(f"{folder.name}.conversion.json")
    if damage == "bytes":
        (folder / "model.safetensors").write_bytes(b"weightz!")
    elif damage == "receipt":
        receipt.write_text("{")
    elif damage == "no receipt":
        receipt.unlink()
    elif damage == "version":
        receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "version": 0}))
    else:
        (folder / "model.safetensors").unlink()
    with caplog.at_level(logging.WARNING):
        assert dequantised(gguf, sha256="a" * 64) == folder
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert len(conversions) == 2
    assert ("made again" in caplog.text) is (damage == "bytes")


def test_a_killed_conversion_leaves_no_folder(cache, conversions, tmp_path, monkeypatch):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"weights")

    def killed(source, folder):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(gguf_model, "_write_model", killed)
        with pytest.raises(KeyboardInterrupt):
            dequantised(gguf, sha256="a" * 64)
    assert [path for path in cache.iterdir() if path.is_dir()] == []
    assert (dequantised(gguf, sha256="a" * 64) / "config.json").is_file()


def test_the_package_gguf_is_asked_for(cache, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install gguf"):
        dequantised(tmp_path / "model.gguf", sha256="a" * 64)


def test_a_file_that_is_no_gguf_is_refused(cache, tmp_path):
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"not a GGUF file at all")
    with pytest.raises(ModelError, match="cannot read this GGUF"):
        dequantised(gguf, sha256="a" * 64)


def test_smollm2_is_a_plain_folder(smollm2_folder):
    config = json.loads((smollm2_folder / "config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["LlamaForCausalLM"], "float32")
    assert "quantization_config" not in config
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {p.name for p in smollm2_folder.iterdir()}
