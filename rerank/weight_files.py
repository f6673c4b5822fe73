"""The weights of a model folder, tensor by tensor: shapes without loading, reading one at a time, writing in shards."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifacts import write_json
from core.errors import ModelError

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_SHARD_BYTES = 4 << 30


@dataclass(kw_only=True, eq=False)
class WeightFiles:
    """All tensors of a model folder by name; open files are shared, one tensor is in memory at a time.

    Attributes:
        folder: The folder.
        shapes: Shape of every tensor, read from the files' heads.
        dtypes: Type of every tensor as safetensors writes it, e.g. `BF16`, `I32`.
    """

    folder: Path
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    _open: dict[str, Any] = field(repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.shapes))

    def get(self, name: str) -> torch.Tensor:
        """Return a tensor.

        Raises:
            ModelError: There is none of that name, or the file is corrupted.
        """
        from safetensors import SafetensorError

        if name not in self._open:
            raise ModelError(f"{self.folder}: holds no tensor {name}")
        try:
            tensor: torch.Tensor = self._open[name].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{self.folder}: {name} cannot be read ({error}); copy or make the model again") from error
        return tensor


@contextmanager
def open_weights(folder: Path) -> Iterator[WeightFiles]:
    """Open the safetensors files of a folder; only their heads are read.

    Raises:
        ModelError: There are none, one is corrupted, or the index names a file or a tensor that is not there.
    """
    from safetensors import SafetensorError, safe_open

    names = _files(folder)
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    opened: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in names:
            try:
                stream = stack.enter_context(safe_open(folder / name, framework="pt"))
                for key in stream.keys():  # noqa: SIM118 - safe_open is no mapping
                    piece = stream.get_slice(key)
                    shapes[key], dtypes[key], opened[key] = tuple(piece.get_shape()), piece.get_dtype(), stream
            except (SafetensorError, OSError) as error:
                raise ModelError(
                    f"{folder / name}: expected whole safetensors weights, but the file cannot be read ({error}); copy "
                    "or make the model again"
                ) from error
        _check_index(folder, shapes)
        yield WeightFiles(folder=folder, shapes=shapes, dtypes=dtypes, _open=opened)


def _files(folder: Path) -> list[str]:
    index = folder / INDEX
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        names = sorted(path.name for path in folder.glob("*.safetensors"))
    missing = [name for name in names if not (folder / name).is_file()]
    if not names or missing:
        raise ModelError(
            f"{folder}: expected weights as safetensors, {', '.join(missing) or 'none'} "
            f"{'is missing' if missing else 'is there'}; copy or make the model again"
        )
    return names


def _check_index(folder: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    index = folder / INDEX
    if not index.is_file():
        return
    missing = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"]) - set(shapes))
    if missing:
        raise ModelError(f"{folder}: {len(missing)} tensors of the index are in no file, for example {missing[0]}")


def write_weights(tensors: Iterable[tuple[str, torch.Tensor]], folder: Path, *, shard_bytes: int = _SHARD_BYTES) -> int:
    """Write tensors into a folder as safetensors, in shards with an index where one file would be too large.

    Args:
        tensors: Names and tensors; held in memory up to a shard.
        folder: A folder that holds no weights yet.
        shard_bytes: Largest shard, but for a single tensor that is larger.

    Returns:
        Bytes of all tensors.

    Raises:
        ModelError: They cannot be written, e.g. since the disk is full.
    """
    files: list[tuple[Path, list[str]]] = []
    held: dict[str, torch.Tensor] = {}
    size = total = 0
    for name, tensor in tensors:
        here = tensor.numel() * tensor.element_size()
        if held and size + here > shard_bytes:
            files.append((_write_shard(held, folder, len(files)), sorted(held)))
            held, size = {}, 0
        held[name] = tensor.contiguous()
        size, total = size + here, total + here
    files.append((_write_shard(held, folder, len(files)), sorted(held)))
    if len(files) == 1:
        files[0][0].rename(folder / SINGLE)
        return total
    weight_map: dict[str, str] = {}
    for number, (path, names) in enumerate(files, start=1):
        final = f"model-{number:05d}-of-{len(files):05d}.safetensors"
        path.rename(folder / final)
        weight_map |= dict.fromkeys(names, final)
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
    return total


def _write_shard(held: dict[str, torch.Tensor], folder: Path, number: int) -> Path:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = folder / f"part-{number}.tmp"
    try:
        save_file(held, path, metadata={"format": "pt"})
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path.parent}: the weights cannot be written ({error}); is the disk full? Free some space and run again"
        ) from error
    return path
