"""Texts to vectors: the `Encoder` protocol, and one on sentence-transformers."""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from core.artifacts import content_hash
from core.device import Dtype, resolve_device, resolve_dtype
from core.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Embeddings = npt.NDArray[np.float32]
Pooling = Literal["model", "mean", "cls", "last"]

_log = logging.getLogger(__name__)
_POOLING_MODES = {"mean": "mean", "cls": "cls", "last": "lasttoken"}


class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that an inner product is a cosine."""

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        ...


class SentenceEncoder:
    """An `Encoder` on any sentence-transformers model.

    The library sorts texts by length before it cuts batches, so padding is small and the order comes back as given.

    Args:
        model: The model, on its device.
        query_prompt: Put before every query; None takes the model's own prompt named `query`, if it has one.
        document_prompt: The same for bank entries, `document`.
        batch_size: Texts a forward pass. Does not change a result beyond float noise.
        devices: Several devices (`["cuda:0", "cuda:1"]`): texts are spread over one process each. The processes start
            with the first texts and stop at `close()`, or at the end of a `with` block. None uses the
            model's device.
        progress: Show a progress bar.
    """

    def __init__(
        self,
        model: "SentenceTransformer",
        *,
        query_prompt: str | None = "",
        document_prompt: str | None = "",
        batch_size: int = 64,
        devices: Sequence[str] | None = None,
        progress: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected at least 1")
        self.model = model
        own: dict[str, str] = dict(getattr(model, "prompts", None) or {})
        self.query_prompt = own.get("query", "") if query_prompt is None else query_prompt
        self.document_prompt = own.get("document", "") if document_prompt is None else document_prompt
        self._batch_size = batch_size
        self._devices = list(devices or [])
        self._progress = progress
        self._pool: Any = None

    @classmethod
    def load(
        cls,
        folder_or_id: str,
        *,
        revision: str | None = None,
        pooling: Pooling = "model",
        query_prompt: str | None = "",
        document_prompt: str | None = "",
        device: str = "auto",
        dtype: Dtype = "auto",
        max_length: int | None = None,
        batch_size: int = 64,
        trust_remote_code: bool = False,
        devices: Sequence[str] | None = None,
        progress: bool = False,
    ) -> Self:
        """Load a model; weights from safetensors only.

        Args:
            folder_or_id: A local folder (see `core.models.locate_model`), or a hub id.
            revision: The hub commit; None for a folder.
            pooling: `model` takes the modules that the folder names; the others put that pooling and a normalisation
                on the bare transformer (`last` for decoders such as Qwen or Mistral).
            query_prompt: See the class.
            document_prompt: See the class.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            dtype: `auto` is bfloat16 where the device is fast at it, else float32.
            max_length: Tokens kept of a text; None keeps the model's own limit.
            batch_size: Texts a forward pass.
            trust_remote_code: Run code that comes with the model. Only where the user's config says so.
            devices: See the class.
            progress: See the class.

        Raises:
            ModelError: The model cannot be loaded, holds pickled weights, or `max_length` is beyond its limit.
            ConfigError: The device or dtype is unknown or not there.
        """
        if pooling not in ("model", *_POOLING_MODES):
            raise ModelError(f"pooling is {pooling!r}, expected one of model, {', '.join(_POOLING_MODES)}")
        _refuse_pickles(folder_or_id)
        place = resolve_device(devices[0] if devices and len(devices) == 1 else device)
        model = _load(folder_or_id, revision, pooling, place, dtype, trust_remote_code)
        if max_length is not None:
            _limit_length(model, max_length, folder_or_id)
        return cls(
            model,
            query_prompt=query_prompt,
            document_prompt=document_prompt,
            batch_size=batch_size,
            devices=devices,
            progress=progress,
        )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        width = self.model.get_embedding_dimension()
        if width is None:
            raise ModelError("the model does not say how wide its embeddings are")
        return int(width)

    def fingerprint(self) -> str:
        """Return a SHA-256 over what changes vectors besides the weights: modules, prompts, length limit, dtype."""
        modules = [[type(module).__name__, getattr(module, "pooling_mode", None)] for module in self.model]
        return content_hash(
            [modules, self.query_prompt, self.document_prompt, self.model.max_seq_length, str(self.model.dtype)]
        )

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        return self._encode(texts, self.query_prompt)

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        return self._encode(texts, self.document_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Embeddings:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        if len(self._devices) > 1 and self._pool is None:
            self._pool = self.model.start_multi_process_pool(self._devices)
        found = self.model.encode(
            list(texts),
            prompt=prompt,
            batch_size=self._batch_size,
            show_progress_bar=self._progress,
            convert_to_numpy=True,
            normalize_embeddings=True,
            pool=self._pool,
        )
        # Again in float32: a row that was normalised in bfloat16 is only 1 ± 0.004 long.
        return normalised(np.asarray(found, dtype=np.float32))

    def close(self) -> None:
        """Stop the processes of a several-device encoder; harmless otherwise."""
        if self._pool is not None:
            self.model.stop_multi_process_pool(self._pool)
            self._pool = None

    def __enter__(self) -> Self:
        """Return the encoder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


def normalised(rows: npt.NDArray[np.floating[Any]]) -> Embeddings:
    """Return rows scaled to length 1, float32 of the same shape (n, d); a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _refuse_pickles(folder_or_id: str) -> None:
    folder = Path(folder_or_id)
    bare = [
        path
        for pattern in ("pytorch_model*.bin", "*/pytorch_model*.bin")
        for path in folder.glob(pattern)
        if not any(path.parent.glob("*.safetensors"))
    ]
    if bare:
        raise ModelError(
            f"model '{folder_or_id}': {', '.join(str(path.relative_to(folder)) for path in sorted(bare))} are pickles "
            "without safetensors beside them; they are not loaded. Save the model again with safe_serialization."
        )


def _load(
    name: str, revision: str | None, pooling: Pooling, device: str, dtype: Dtype, trust_remote_code: bool
) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    weights = {"dtype": resolve_dtype(dtype, device), "use_safetensors": True}
    try:
        if pooling == "model":
            return SentenceTransformer(
                name, device=device, revision=revision, trust_remote_code=trust_remote_code, model_kwargs=weights
            )
        from sentence_transformers.sentence_transformer.modules import Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule

        origin = {"revision": revision, "trust_remote_code": trust_remote_code}
        transformer = Transformer(
            name, model_kwargs={**weights, **origin}, processor_kwargs=origin, config_kwargs=origin
        )
        pool = PoolingModule(transformer.get_embedding_dimension(), pooling_mode=_POOLING_MODES[pooling])
        return SentenceTransformer(modules=[transformer, pool, Normalize()], device=device)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model '{name}': cannot be loaded as a sentence encoder ({type(error).__name__}: {error}). Expected a "
            "folder with config.json, a tokenizer and *.safetensors weights."
        ) from error


def _limit_length(model: "SentenceTransformer", max_length: int, name: str) -> None:
    most = getattr(getattr(model.transformers_model, "config", None), "max_position_embeddings", None)
    if max_length < 1 or (most is not None and max_length > most):
        raise ModelError(f"model '{name}': max_length is {max_length}, expected 1 to {most or 'any'} tokens")
    model.max_seq_length = max_length
