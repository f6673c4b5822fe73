"""One encoder at a time: the next model of an ensemble finds the memory free."""

import gc
from collections.abc import Callable, Sequence

from retrieval.encoder import Embeddings, SentenceEncoder


class EncoderPool:
    """Holds the encoder that was used last; another one is opened in its place, since two may not fit the memory."""

    def __init__(self) -> None:
        self._holder: PooledEncoder | None = None
        self._encoder: SentenceEncoder | None = None

    def encoder(self, wanted: "PooledEncoder") -> SentenceEncoder:
        """Return the model of one of the pool's encoders, opened now where it is not; keep no reference to it."""
        if self._encoder is None or self._holder is not wanted:
            self.close()
            self._encoder, self._holder = wanted.opener(), wanted
        return self._encoder

    def holds(self, one: "PooledEncoder") -> bool:
        """Return whether the model of an encoder is open."""
        return self._encoder is not None and self._holder is one

    def close(self) -> None:
        """Close the model that is open, if one is, and give its memory back, a GPU's too."""
        if self._encoder is None:
            return
        import torch

        self._encoder.close()
        self._encoder = self._holder = None
        gc.collect()  # modules and their hooks refer to one another: without it the weights stay
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the next user of the GPU may be another process


class PooledEncoder:
    """An `Encoder` out of a pool, opened when it is first asked, and again where another one took its place.

    Attributes:
        opener: Opens the model.

    Args:
        pool: The pool.
        opener: See above.
    """

    def __init__(self, pool: EncoderPool, opener: Callable[[], SentenceEncoder]) -> None:
        self._pool = pool
        self.opener = opener
        self._fingerprint: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the model is in memory now."""
        return self._pool.holds(self)

    def fingerprint(self) -> str:
        """See `SentenceEncoder.fingerprint`; the model is opened for it once."""
        return self._fingerprint or self._opened().fingerprint()

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        return self._opened().encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, d), one row a text, in order; rows have length 1."""
        return self._opened().encode_documents(texts)

    def _opened(self) -> SentenceEncoder:
        encoder = self._pool.encoder(self)
        self._fingerprint = self._fingerprint or encoder.fingerprint()
        return encoder
