"""The bank's embeddings, computed once and kept; an entry is computed again only where its text changed."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.artifacts import Array, array_hash, differing_keys, read_arrays, write_arrays
from core.errors import UserError
from core.records import IntArray, Misconception
from retrieval.encoder import Embeddings, Encoder
from retrieval.ensemble import concatenate_embeddings
from retrieval.text import MisconceptionTemplate, misconception_text

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class BankEmbeddings:
    """The vectors of a bank.

    Attributes:
        ids: int64, shape (n,), in the order of the bank.
        embeddings: float32, shape (n, d), rows of length 1.
        reused: Entries taken from the cache.
        computed: Entries encoded now; reused + computed = n.

    Raises:
        ValueError: Shapes do not fit.
    """

    ids: IntArray = field(repr=False)
    embeddings: Embeddings = field(repr=False)
    reused: int = 0
    computed: int = 0

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or self.ids.shape != self.embeddings.shape[:1]:
            raise ValueError(
                f"bank ids {self.ids.shape} and embeddings {self.embeddings.shape}: expected (n,) and (n, d)"
            )


def embed_bank(
    bank: Sequence[Misconception],
    encoder: Encoder,
    template: MisconceptionTemplate,
    *,
    cache_dir: Path | None,
    model_name: str,
    revision: str | None,
    encoder_key: str = "",
    name: str = "bank",
) -> BankEmbeddings:
    """Embed a bank, taking from the cache what is still true.

    The cache is `cache_dir/NAME.safetensors` with its manifest. If model, revision, encoder key or template differ from
    those of the manifest everything is computed again, and the log says which differed; otherwise only entries whose
    text the cache does not hold. A cache that is current is left untouched.

    Args:
        bank: The entries.
        encoder: Encodes their texts.
        template: How they are written.
        cache_dir: Where the cache lies; None keeps none.
        model_name: The model's name, for the manifest.
        revision: What pins its content.
        encoder_key: Whatever else changes vectors: `SentenceEncoder.fingerprint()`.
        name: The cache's file name without its ending: give each view of a bank its own.
    """
    texts = [misconception_text(entry, template) for entry in bank]
    ids = np.array([entry.id for entry in bank], dtype=np.int64)
    if cache_dir is None:
        return BankEmbeddings(ids=ids, embeddings=encoder.encode_documents(texts), computed=len(texts))
    path = cache_dir / f"{name}.safetensors"
    origin = {
        "artifact": "bank embeddings",
        "model": model_name,
        "revision": revision,
        "encoder": encoder_key,
        "template_hash": template.hash(),
    }
    hashes = _text_hashes(texts)
    held = _read_cache(path, origin)
    row_of = {digest.tobytes(): row for row, digest in enumerate(held["text_hashes"])} if held else {}
    source = np.array([row_of.get(digest.tobytes(), -1) for digest in hashes], dtype=np.int64)
    missing = np.flatnonzero(source < 0)
    embeddings = _assembled(held, source, missing, [texts[row] for row in missing], encoder)
    current = held is not None and np.array_equal(held["ids"], ids) and np.array_equal(held["text_hashes"], hashes)
    if not current:
        arrays: dict[str, Array] = {"embeddings": embeddings, "ids": ids, "text_hashes": hashes}
        made_from = {**origin, "ids_hash": array_hash(ids), "texts_hash": array_hash(hashes)}
        write_arrays(path, arrays, made_from)
    reused = len(texts) - len(missing)
    _log.info("bank embeddings %s: %d reused, %d computed", path, reused, len(missing))
    return BankEmbeddings(ids=ids, embeddings=embeddings, reused=reused, computed=len(missing))


def joined_bank(parts: Sequence[BankEmbeddings], weights: Sequence[float] | None) -> BankEmbeddings:
    """Put the vectors of one bank by several encoders side by side, see `concatenate_embeddings`.

    Args:
        parts: The same entries by each encoder, in one order.
        weights: One an encoder.

    Raises:
        ValueError: The entries differ, or weights do not fit.
    """
    if any(not np.array_equal(part.ids, parts[0].ids) for part in parts):
        raise ValueError("the parts of a joined bank hold other entries, or in another order")
    computed = max(part.computed for part in parts)
    return BankEmbeddings(
        ids=parts[0].ids,
        embeddings=concatenate_embeddings([part.embeddings for part in parts], weights),
        reused=len(parts[0].ids) - computed,
        computed=computed,
    )


def _assembled(
    held: Mapping[str, Array] | None, source: IntArray, missing: IntArray, texts: list[str], encoder: Encoder
) -> Embeddings:
    """Return the held rows and the new ones, in the order of the bank."""
    if held is None:
        return encoder.encode_documents(texts)
    embeddings: Embeddings = held["embeddings"][np.maximum(source, 0)]
    if len(missing):
        embeddings[missing] = encoder.encode_documents(texts)
    return embeddings


def _read_cache(path: Path, origin: Mapping[str, Any]) -> dict[str, Array] | None:
    """Return the cached arrays, or None (with the reason in the log) where they are missing, foreign or corrupted."""
    try:
        differing = differing_keys(path, origin)
        if differing is None:
            return None
        foreign = [key for key in differing if key in origin]
        if foreign:
            _log.info("bank embeddings %s: computed again, since %s differ", path, ", ".join(foreign))
            return None
        return read_arrays(path, origin)
    except UserError as error:
        # This stage owns the file and can make it again; nothing is lost but time.
        _log.warning("%s It is computed again.", error)
        return None


def _text_hashes(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of every text, uint8 of shape (n, 32)."""
    digests = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
    return np.frombuffer(digests, dtype=np.uint8).reshape(len(texts), 32)
