"""The weights of a model folder, tensor by tensor: shapes and types without loading, one tensor in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError
from core.model_files import weight_files

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True, eq=False)
class WeightReader:
    """All tensors of a model folder by name.

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
            raise ModelError(f"{self.folder}: expected a tensor {name}, there is none; make the model again")
        try:
            tensor: torch.Tensor = self._open[name].get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{self.folder}: {name} cannot be read ({error}); copy or make the model again") from error
        return tensor


@contextmanager
def open_weights(folder: Path) -> Iterator[WeightReader]:
    """Open the safetensors files of a folder; only their heads are read, and files stay open within the context.

    Raises:
        ModelError: There are none, the index names one that is missing, or one is corrupted.
    """
    from safetensors import safe_open

    found = weight_files(folder)
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    opened: dict[str, Any] = {}
    with ExitStack() as stack:
        streams = {path: stack.enter_context(safe_open(path, framework="pt")) for path in sorted(set(found.values()))}
        for name, path in found.items():
            piece = streams[path].get_slice(name)
            shapes[name], dtypes[name], opened[name] = tuple(piece.get_shape()), piece.get_dtype(), streams[path]
        yield WeightReader(folder=folder, shapes=shapes, dtypes=dtypes, _open=opened)
