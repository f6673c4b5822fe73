"""A GGUF file becomes a plain model folder in a cache: dequantised once to float32 safetensors."""

import importlib.util
import json
import logging
import os
from functools import lru_cache
from pathlib import Path

from core.artifacts import atomic_path, folder_hash, write_json
from core.errors import ModelError

CACHE_VARIABLE = "MISCONCEPTION_MINING_CACHE"
VERSION = 1
"""Raise it when the conversion changes: folders of another version are made again."""
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return where converted models are kept: $MISCONCEPTION_MINING_CACHE, else a folder in the user's cache."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "misconception-mining"


def dequantised(gguf: Path, *, sha256: str) -> Path:
    """Return a folder with the model of a GGUF file in float32, its tokenizer and chat template.

    It is made on the first call (half a minute for 135 M parameters on two cores) and reused while its receipt vouches
    for its bytes. A run that is killed leaves no half folder; two runs at once make it once.

    Args:
        gguf: The file; its hash was checked by the caller.
        sha256: That hash.

    Raises:
        ModelError: The package gguf is missing, or the file cannot be read.
    """
    from filelock import FileLock

    folder = cache_folder() / f"{gguf.stem}-{sha256[:12]}-float32"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not _is_whole(folder, sha256):
            _convert(gguf, folder, sha256)
            if not _is_whole(folder, sha256):
                raise ModelError(f"{folder}: was not written whole; is the disk full? Remove it and run again.")
    return folder


def _is_whole(folder: Path, sha256: str) -> bool:
    receipt, weights = _receipt(folder), folder / "model.safetensors"
    if not receipt.is_file() or not weights.is_file():
        return False
    try:
        told = json.loads(receipt.read_text(encoding="utf-8"))
    except ValueError:
        return False
    if not isinstance(told, dict) or (told.get("source"), told.get("version")) != (sha256, VERSION):
        return False
    facts = weights.stat()
    if told.get("content") == _content(folder, facts.st_mtime_ns, facts.st_size):
        return True
    _log.warning("%s: its bytes are not those that were written; it is made again", folder)
    return False


@lru_cache(maxsize=8)
def _content(folder: Path, changed: int, size: int) -> str:
    """Return the folder's hash; kept, because half a gigabyte takes a second and a run asks several times."""
    return folder_hash(folder)


def _convert(gguf: Path, folder: Path, sha256: str) -> None:
    _receipt(folder).unlink(missing_ok=True)
    with atomic_path(folder) as temporary:
        _write_model(gguf, temporary)
        content = folder_hash(temporary)
    _content.cache_clear()
    write_json(_receipt(folder), {"source": sha256, "version": VERSION, "content": content})


def _write_model(gguf: Path, folder: Path) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise ModelError(f"{gguf.name}: the Python package 'gguf' is needed to read it. Get it with: pip install gguf")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _log.info("%s: dequantised once to float32", gguf.name)
    try:
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"{gguf}: transformers cannot read this GGUF file ({error})") from error
    # It is no quantised model any more; without this, save_pretrained says that it was one.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    model.save_pretrained(folder, max_shard_size="100GB")
    tokenizer.save_pretrained(folder)


def _receipt(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.conversion.json")
