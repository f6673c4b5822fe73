"""Texts to vectors: the `Encoder` protocol, and one on sentence-transformers."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from core.artifacts import content_hash
from core.device import Dtype, resolve_device
from core.errors import ModelError
from retrieval.loading import Pooling, open_encoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Embeddings = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into vectors of length 1, so that an inner product is a cosine."""

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        ...


class PinnedEncoder(Encoder, Protocol):
    """An encoder that says what its vectors depend on besides the models' weights."""

    def fingerprint(self) -> str:
        """Return a SHA-256 over it."""
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
        base: str | Path | None = None,
        four_bit: bool = False,
        trainable: bool = False,
    ) -> Self:
        """Load a model; weights from safetensors only.

        Args:
            folder_or_id: A local folder (see `core.models.locate_model`), or a hub id.
            revision: The hub commit; None for a folder.
            pooling: `model` takes the modules that the folder names; the others put that pooling and a normalisation
                on the bare transformer (`last` for decoders such as Qwen or Mistral: the end-of-text token is appended
                and pooled, see `retrieval.last_token`).
            query_prompt: See the class.
            document_prompt: See the class.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            dtype: `auto` is bfloat16 where the device is fast at it, else float32.
            max_length: Tokens kept of a text; None keeps the model's own limit.
            batch_size: Texts a forward pass.
            trust_remote_code: Run code that comes with the model. Only where the user's config says so.
            devices: See the class.
            progress: See the class.
            base: The base's folder, where `folder_or_id` is a LoRA adapter.
            four_bit: Hold the linear layers (of the base) in 4 bits: NF4, double quantisation, computed in `dtype`.
            trainable: An adapter is to be trained on; it is held in float32 then.

        Raises:
            ModelError: The model cannot be loaded, holds pickled weights, or `max_length` is beyond its limit; an
                adapter came without its base, or does not fit it.
            ConfigError: The device or dtype is unknown or not there.
        """
        model = open_encoder(
            folder_or_id,
            revision=revision,
            pooling=pooling,
            device=resolve_device(devices[0] if devices and len(devices) == 1 else device),
            dtype=dtype,
            max_length=max_length,
            trust_remote_code=trust_remote_code,
            base=base,
            four_bit=four_bit,
            trainable=trainable,
        )
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
        facts = [modules, self.query_prompt, self.document_prompt, self.model.max_seq_length, str(self.model.dtype)]
        four_bit = getattr(getattr(self.model, "transformers_model", None), "is_loaded_in_4bit", False)
        return content_hash([*facts, "nf4"] if four_bit else facts)

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
