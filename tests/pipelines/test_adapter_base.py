"""The base of an adapter: found by its name, compared, and held as it was when the adapter was trained."""

import json
from pathlib import Path

import pytest
from decoder_toys import adapted

from core.artifacts import write_manifest
from core.errors import ConfigError, ModelError
from core.models import locate_model
from pipelines.adapter_base import adapter_base, base_key, check_method, own_base
from pipelines.settings import RetrieverSettings, Settings
from pipelines.training_settings import LoraSettings, TrainingSettings
from retrieval.adapted import save_encoder


@pytest.fixture
def adapter(toy_decoder: Path, tmp_path: Path) -> Path:
    encoder = adapted(toy_decoder)
    encoder.model.transformers_model.peft_config["default"].revision = locate_model(str(toy_decoder)).revision
    save_encoder(encoder.model, tmp_path / "a")
    return tmp_path / "a"


def test_a_whole_model_has_none(toy_decoder: Path) -> None:
    assert adapter_base(toy_decoder, RetrieverSettings()) is None
    assert base_key(toy_decoder, RetrieverSettings()) is None


def test_the_base_is_found_and_held_as_it_was_trained(toy_decoder: Path, adapter: Path) -> None:
    found = adapter_base(adapter, RetrieverSettings())
    assert found is not None and (found.model.folder, found.four_bit) == (toy_decoder, False)
    assert base_key(adapter, RetrieverSettings(base_quantization="nf4")) == [found.model.revision, True]
    write_manifest(adapter, {"training": {"method": "qlora"}, "revision": found.model.revision})
    assert base_key(adapter, RetrieverSettings()) == [found.model.revision, True]
    assert base_key(adapter, RetrieverSettings(base_quantization="none")) == [found.model.revision, False]


def test_another_base_is_refused(toy_decoder: Path, tiny_model: Path, adapter: Path) -> None:
    with pytest.raises(ModelError, match="was trained on the base"):
        adapter_base(adapter, RetrieverSettings(base=str(tiny_model)))
    assert own_base(RetrieverSettings(base="x", base_quantization="nf4")) == RetrieverSettings()
    config = adapter / "adapter_config.json"
    told = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**told, "base_model_name_or_path": "./gone"}), encoding="utf-8")
    with pytest.raises(ModelError, match="no such folder"):
        adapter_base(adapter, RetrieverSettings())
    moved = adapter_base(adapter, RetrieverSettings(base=str(toy_decoder)))
    assert moved is not None and moved.model.folder == toy_decoder
    config.write_text(json.dumps({**told, "task_type": "CAUSAL_LM"}), encoding="utf-8")
    with pytest.raises(ModelError, match="expected a retriever's"):
        adapter_base(adapter, RetrieverSettings())


def test_an_adapter_is_trained_on_in_its_own_shape(adapter: Path) -> None:
    model = locate_model(str(adapter))

    def check(**training: object) -> None:
        check_method(model, Settings(training=TrainingSettings.model_validate(training)))

    with pytest.raises(ConfigError, match="whose base stays as it is"):
        check()
    with pytest.raises(ConfigError, match=r"rank 4 and alpha 8, and is .* came rank 64 and alpha 128"):
        check(method="lora")
    check(method="lora", lora=LoraSettings(rank=4, alpha=8))
