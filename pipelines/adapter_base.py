"""What an encoder's adapter stands on: its base, found and compared, in 16 bits or in 4."""

from dataclasses import dataclass
from pathlib import Path

from core.adapters import read_adapter, require_base
from core.artifacts import read_manifest
from core.errors import ConfigError, InputError
from core.lora import check_packages
from core.models import LocalModel, locate_model
from pipelines.settings import RetrieverSettings, Settings
from retrieval.adapted import is_adapter


@dataclass(frozen=True, kw_only=True)
class AdapterBase:
    """The base of an adapter: the model, and whether it is held in 4 bits (NF4)."""

    model: LocalModel
    four_bit: bool


def adapter_base(folder: Path, retriever: RetrieverSettings) -> AdapterBase | None:
    """Find what an adapter was trained on; None where the folder holds a whole model.

    Args:
        folder: A model folder.
        retriever: Says where the base lies and what it is held in, where that is not as the adapter says.

    Raises:
        ModelError: The base is not there or another one, the adapter is corrupted, or a package is missing.
    """
    if not is_adapter(folder):
        return None
    adapter = read_adapter(folder)
    model = locate_model(retriever.base or adapter.base_name, revision=adapter.base_revision)
    require_base(adapter, model)
    wanted = retriever.base_quantization
    four_bit = wanted == "nf4" or (wanted == "auto" and trained_in_four_bits(folder))
    check_packages("qlora" if four_bit else "lora")
    return AdapterBase(model=model, four_bit=four_bit)


def own_base(retriever: RetrieverSettings) -> RetrieverSettings:
    """Return the settings for another encoder beside the retriever: its adapter's base is as that adapter says."""
    return retriever.model_copy(update={"base": None, "base_quantization": "auto"})


def base_key(folder: Path, retriever: RetrieverSettings) -> list[str | bool] | None:
    """Return what pins an adapter's base and how it is held, for manifests; None of a whole model."""
    base = adapter_base(folder, retriever)
    return None if base is None else [base.model.revision, base.four_bit]


def trained_in_four_bits(folder: Path) -> bool:
    """Say whether an adapter of this project was trained on a 4-bit base; False where nothing says so."""
    try:
        found = read_manifest(folder) or {}
    except InputError:
        return False  # somebody else's manifest
    training = found.get("training")
    return isinstance(training, dict) and training.get("method") == "qlora"


def check_method(model: LocalModel, settings: Settings) -> None:
    """Refuse what could not be trained, before anything is loaded.

    Raises:
        ConfigError: All weights of an adapter are to be trained, or an adapter of another shape.
        ModelError: A package is missing.
    """
    training = settings.training
    check_packages(training.method)
    if not is_adapter(model.folder):
        return
    if training.method == "full":
        raise ConfigError(
            f"training.method: '{model.name}' is an adapter, whose base stays as it is; set lora or qlora, or merge it "
            "with pipelines/merge_adapter.py first"
        )
    adapter = read_adapter(model.folder)
    if (adapter.rank, adapter.alpha) != (training.preset.rank, training.preset.alpha):
        raise ConfigError(
            f"training.lora: '{model.name}' is an adapter of rank {adapter.rank} and alpha {adapter.alpha:g}, and is "
            f"trained on as it is; came rank {training.preset.rank} and alpha {training.preset.alpha}"
        )
