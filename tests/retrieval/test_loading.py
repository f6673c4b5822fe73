"""Opening encoders: what is refused; what is opened is in `test_encoder.py` and `test_adapted.py`."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from decoder_toys import adapted

from core.errors import ModelError
from retrieval.adapted import save_encoder
from retrieval.loading import open_encoder


def opened(folder: Path, **changed: Any) -> Any:
    return open_encoder(str(folder), **{"device": "cpu", "dtype": "float32", **changed})


def test_an_adapter_needs_its_base_and_its_pooling(tiny_decoder: Path, tmp_path: Path) -> None:
    save_encoder(adapted(tiny_decoder).model, tmp_path / "a")
    with pytest.raises(ModelError, match="cannot be loaded without its base"):
        opened(tmp_path / "a")
    assert opened(tmp_path / "a", base=tiny_decoder)[1].pooling_mode == "lasttoken"
    shutil.rmtree(tmp_path / "a" / "1_Pooling")
    with pytest.raises(ModelError, match="is it the adapter of a reranker"):
        opened(tmp_path / "a", base=tiny_decoder)


def test_an_adapter_on_a_whole_encoder_keeps_its_modules(tiny_folder: Path, tmp_path: Path) -> None:
    """Also a BERT with mean pooling may have an adapter; its base says how it pools."""
    from core.lora import LoraPreset
    from retrieval.adapted import put_adapter

    model = opened(tiny_folder)
    put_adapter(model, LoraPreset(rank=2, alpha=4), base_name=str(tiny_folder), base_revision=None, seed=0)
    model.save_pretrained(str(tmp_path / "a"))
    again = opened(tmp_path / "a", base=tiny_folder)
    assert [type(module).__name__ for module in again] == [type(module).__name__ for module in model]
    assert again[1].pooling_mode == "mean"


def test_unknown_poolings_and_pickles_are_refused(tiny_decoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pooling is 'first'"):
        opened(tiny_decoder, pooling="first")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="are pickles"):
        opened(tmp_path)


@pytest.mark.parametrize("pooling", ["model", "last"])
def test_corrupted_weights_are_a_fault_and_no_traceback(tiny_decoder: Path, tmp_path: Path, pooling: str) -> None:
    torn = shutil.copytree(tiny_decoder, tmp_path / "torn")
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"torn': cannot be loaded as a sentence encoder .*not fully covered"):
        opened(torn, pooling=pooling)
