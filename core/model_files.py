"""What lies in a model folder beside its weights, and weights written in parts as they come."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

MODULES_NAME = "modules.json"
SINGLE_NAME, INDEX_NAME = "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 4 << 30
"""Of a file of weights; also what is held in memory at once."""

_NOT_COPIED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack", ".md", ".lock")
_NOT_COPIED_NAMES = ("manifest.json", "adapter_config.json", "trainer_state.json")
_TOKENIZER_NAMES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "chat_template.jinja", "chat_template.json"),
)


def copy_companions(folder: Path, target: Path, *, only_tokenizer: bool = False) -> None:
    """Copy what a model needs beside its weights: config, generation config, tokenizer, chat template, further modules.

    Files that are there already are replaced. Weights of the transformer, pickles, manifests and model cards stay.

    Args:
        folder: A folder in the format of transformers, peft or sentence-transformers.
        target: A folder that exists.
        only_tokenizer: Copy the tokenizer and its chat template alone.
    """
    for path in sorted(folder.iterdir()):
        wanted = path.name in _TOKENIZER_NAMES if only_tokenizer else _is_companion(path)
        if path.is_file() and wanted:
            shutil.copyfile(path, target / path.name)
    if only_tokenizer:
        return
    for name in _module_folders(folder):
        shutil.copytree(folder / name, target / name, dirs_exist_ok=True)


def _is_companion(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not (hidden or path.suffix in _NOT_COPIED or path.name in (*_NOT_COPIED_NAMES, INDEX_NAME))


def is_sentence_transformer(folder: Path) -> bool:
    """Say whether a folder lists the modules of a sentence-transformers model."""
    return (folder / MODULES_NAME).is_file()


def _module_folders(folder: Path) -> list[str]:
    if not is_sentence_transformer(folder):
        return []
    modules = _json(folder / MODULES_NAME)
    names = [module.get("path") for module in modules] if isinstance(modules, list) else []
    return [name for name in names if name and (folder / name).is_dir()]


def read_model_config(folder: Path) -> dict[str, Any]:
    """Return a model's `config.json`.

    Raises:
        ModelError: It is missing, or no JSON table.
    """
    found = _json(folder / "config.json")
    if not isinstance(found, dict):
        raise ModelError(f"{folder / 'config.json'}: expected a table, came {type(found).__name__}")
    return found


def weight_files(folder: Path) -> dict[str, Path]:
    """Return in which safetensors file each weight of a model lies.

    Raises:
        ModelError: There are none, a file that the index names is missing, or one is corrupted.
    """
    from safetensors import SafetensorError, safe_open

    index = folder / INDEX_NAME
    if index.is_file():
        listed = _json(index).get("weight_map", {})
        files = {folder / name for name in listed.values()}
    else:
        files = {folder / SINGLE_NAME}
    if missing := sorted(path.name for path in files if not path.is_file()):
        raise ModelError(f"model {folder}: expected safetensors weights, {', '.join(missing)} is not there")
    found: dict[str, Path] = {}
    for path in sorted(files):
        try:
            with safe_open(path, framework="numpy") as stored:
                found.update(dict.fromkeys(stored.keys(), path))
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: corrupted ({error}); copy or download the model again") from error
    return found


def weight_shapes(files: dict[str, Path]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight; `files` is what `weight_files` returned."""
    from safetensors import safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(set(files.values())):
        with safe_open(path, framework="numpy") as stored:
            shapes.update({name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()})  # noqa: SIM118
    return shapes


def write_weights(folder: Path, weights: Iterator[tuple[str, "Tensor"]], *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write weights as they come, in files of at most `shard_bytes` (a larger weight has its own), with an index.

    Args:
        folder: A folder that exists.
        weights: Name and weight, on the CPU.
        shard_bytes: Also what is held in memory at once.
    """
    from safetensors.torch import save_file

    held: dict[str, Tensor] = {}
    shards: list[list[str]] = []
    total = size = 0

    def flush() -> None:
        save_file(held, folder / f"part-{len(shards)}.safetensors", metadata={"format": "pt"})
        shards.append(list(held))
        held.clear()

    for name, weight in weights:
        own = weight.numel() * weight.element_size()
        if held and size + own > shard_bytes:
            flush()
            size = 0
        held[name] = weight.contiguous()
        size, total = size + own, total + own
    if held:
        flush()
    if len(shards) == 1:
        (folder / "part-0.safetensors").rename(folder / SINGLE_NAME)
        return
    places: dict[str, str] = {}
    for number, names in enumerate(shards):
        file = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"part-{number}.safetensors").rename(folder / file)
        places.update(dict.fromkeys(names, file))
    content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
    (folder / INDEX_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: expected JSON, cannot be read ({error})") from error
