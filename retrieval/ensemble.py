"""Several encoders as one: their embeddings side by side."""

from collections.abc import Sequence

import numpy as np

from core.artifacts import content_hash
from retrieval.encoder import Embeddings, Encoder, PinnedEncoder


class JoinedEncoder:
    """Several encoders as one `Encoder`: their embeddings side by side, see `concatenate_embeddings`.

    Each encodes a whole list before the next is asked, so those out of one `EncoderPool` are open one at a time.

    Args:
        encoders: At least one; all read the same texts, each with its own prompts.
        weights: One an encoder, not negative and not all zero; None weighs all alike.

    Raises:
        ValueError: There is no encoder, or weights do not fit.
    """

    def __init__(self, encoders: Sequence[PinnedEncoder], weights: Sequence[float] | None = None) -> None:
        self.encoders = tuple(encoders)
        self.weights = None if weights is None else tuple(weights)
        concatenate_embeddings([np.zeros((0, 1), dtype=np.float32) for _ in self.encoders], self.weights)

    def fingerprint(self) -> str:
        """Return a SHA-256 over what changes vectors besides the models' weights."""
        return content_hash([[encoder.fingerprint() for encoder in self.encoders], self.weights])

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, sum of d), one row a text, in order; rows have length 1."""
        found = {place: self.encoders[place].encode_queries(texts) for place in open_first(self.encoders)}
        return concatenate_embeddings([found[place] for place in sorted(found)], self.weights)

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Return float32 of shape (n, sum of d), one row a text, in order; rows have length 1."""
        found = {place: self.encoders[place].encode_documents(texts) for place in open_first(self.encoders)}
        return concatenate_embeddings([found[place] for place in sorted(found)], self.weights)


def open_first(encoders: Sequence[Encoder]) -> list[int]:
    """Return the places of some encoders, those in memory first: what is open is used before another takes its place.

    Args:
        encoders: Those of one pool, or any others, which are always open.
    """
    return sorted(range(len(encoders)), key=lambda place: not getattr(encoders[place], "is_open", True))


def concatenate_embeddings(views: Sequence[Embeddings], weights: Sequence[float] | None = None) -> Embeddings:
    """Join the embeddings of several encoders so that ONE inner product is the weighted mean of theirs.

    Each view is scaled by the square root of its share of the weight and the views are put side by side. Done with the
    same weights to queries and bank, the inner product of two joined rows is `sum_v w_v <q_v, b_v> / sum_v w_v`, and
    rows of length 1 stay so. (The fourth team's stage 1 joined SFR, bge-large and gte-large this way.)

    Args:
        views: float32, each of shape (n, d_v), rows of length 1.
        weights: One a view, not negative and not all zero; None weighs all alike.

    Returns:
        float32, shape (n, sum of d_v).

    Raises:
        ValueError: There is no view, views differ in rows, or weights do not fit.
    """
    shares = np.ones(len(views)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not views or len({len(view) for view in views}) != 1:
        raise ValueError(f"views have {[len(view) for view in views]} rows; expected one or more views of equal length")
    if shares.shape != (len(views),) or (shares < 0).any() or not np.isfinite(shares).all() or shares.sum() == 0:
        raise ValueError(f"weights {shares.tolist()} for {len(views)} views: one each, not negative, not all zero")
    scales = np.sqrt(shares / shares.sum()).astype(np.float32)
    return np.concatenate([view * scale for view, scale in zip(views, scales, strict=True)], axis=1)
