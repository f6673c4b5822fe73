"""The columns of a training batch: what is encoded, and where each embedding stands in the loss.

A misconception that is the positive of several rows, or the hard negative of others, is encoded once: the batch has a
column of its distinct documents, and places that say which of them stands where. With dropout, all places of one
misconception in a batch share its mask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WEIGHT_KEY = "weight"
"""Key of the optional row weights among the features of the query column."""

PLACE_KEY = "place"
"""Key of the places among the features of the document column."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchColumns:
    """A batch taken apart, so that the encoder sees nothing but its own features.

    Attributes:
        columns: The features of the queries, then those of the distinct documents, or (without places) one column for
            the positives and one for each place of the hard negatives.
        weights: float32, shape (batch,), the rows' shares in the mean; None where all are alike.
        places: int64, shape (batch, 1 + negatives): which row of the document column is each row's positive, and which
            are its hard negatives; None where the columns hold a document for every row.
    """

    columns: "list[dict[str, Tensor]]" = field(repr=False)
    weights: "Tensor | None" = field(repr=False)
    places: "Tensor | None" = field(repr=False)

    @classmethod
    def of(cls, features: "Iterable[dict[str, Tensor]]") -> "BatchColumns":
        """Take the keys that are no features of the encoder out of the columns.

        Raises:
            ValueError: There are places, but not exactly two columns.
        """
        columns = [dict(column) for column in features]
        weights = columns[0].pop(WEIGHT_KEY, None) if columns else None
        places = columns[1].pop(PLACE_KEY, None) if len(columns) > 1 else None
        if places is not None and len(columns) != 2:
            raise ValueError(f"places need queries and distinct documents, two columns; got {len(columns)} columns")
        return cls(columns=columns, weights=weights, places=places)

    def evened(self) -> "list[dict[str, Tensor]]":
        """Return the columns with as many documents on every process: the last one stands there several times.

        The number of distinct documents differs, but where a base is sharded every process must make equally many
        passes. The step takes as long as the process with the most documents does in any case, and what is repeated
        here is at no place: it gets no gradient.
        """
        import torch

        if self.places is None or not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self.columns
        queries, documents = self.columns
        rows = len(documents["attention_mask"])
        most = torch.tensor(rows, device=self.places.device)
        torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
        order = torch.arange(int(most), device=self.places.device).clamp(max=rows - 1)
        tensors = {key: value[order] for key, value in documents.items() if isinstance(value, torch.Tensor)}
        return [queries, {**documents, **tensors}]


def spread(embeddings: "list[Tensor]", places: "Tensor | None") -> "list[Tensor]":
    """Put the embeddings of distinct documents in the columns of the loss.

    Args:
        embeddings: Of the queries, float, shape (batch, d), and of the documents, shape (m, d); without places, of all
            columns as they are.
        places: See `BatchColumns`.

    Returns:
        1 + 1 + negatives tensors of shape (batch, d): queries, positives, then the hard negatives.

    Raises:
        ValueError: There are not as many rows of places as queries.
    """
    import torch

    if places is None:
        return embeddings
    queries, documents = embeddings
    if len(places) != len(queries):
        raise ValueError(f"places of shape {tuple(places.shape)}: expected a row for each of {len(queries)} queries")
    # Not `documents[places]`: the gradient of that adds up in no fixed order on several threads or on a GPU.
    return [queries, *torch.nn.functional.embedding(places.T, documents).unbind(0)]


def embed_sorted(model: "torch.nn.Module", features: "dict[str, Tensor]", chunk_rows: int) -> "Tensor":
    """Embed a column in chunks of rows of like length, each cut to its longest row; return it in the given order.

    Real questions have 89 tokens on average and 400 at most: on a CPU, padding a batch to its longest row would
    multiply the work by three.
    """
    import torch

    attention = features["attention_mask"]
    order = torch.argsort(attention.sum(dim=1), stable=True)
    parts = []
    for rows in torch.split(order, chunk_rows):
        used = attention[rows].any(dim=0).nonzero()
        width = int(used.max()) + 1 if len(used) else 1
        # Only the right end is cut: the positions of left-padded models are counted from the left.
        chunk = {
            key: (value[rows, :width] if value.ndim > 1 else value[rows]) if isinstance(value, torch.Tensor) else value
            for key, value in features.items()
        }
        parts.append(model(chunk)["sentence_embedding"])
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order), device=order.device)
    return torch.cat(parts)[inverse]
