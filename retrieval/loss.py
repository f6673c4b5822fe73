"""Multiple-negatives ranking loss that knows the labels: a right answer is never used as a negative.

The library's loss takes every other column of the batch as a negative. With 1,300 labels over 3,500 rows, two rows of
one batch often share a label, and one row's hard negative is another row's truth. Both classes here are the
library's, given the ids as well; they mask every column, positive or hard negative, of this or of another device,
whose id is one of the row's labels. (The trap is in the code of several competition teams; see the field notes.)

The classes are made when they are first asked for, so that importing this module does not import torch.
"""

import logging
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from retrieval.batch_columns import BatchColumns, embed_sorted, spread

if TYPE_CHECKING:
    from torch import Tensor

PAD_ID = -1
"""Fills the places of `labels` after a row's last other label; no misconception has it."""

_CLASSES = ("LabelAwareMultipleNegativesRankingLoss", "LabelAwareCachedMultipleNegativesRankingLoss")
_logger = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute may be anything
    if name in _CLASSES:
        return _classes()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def false_negative_mask(
    labels: "Tensor", documents: int, *, columns: "Tensor | None" = None, offset: int = 0, unique_columns: bool = False
) -> "Tensor":
    """Say which columns of the score matrix must not count as negatives of which row.

    Args:
        labels: int64, shape (batch, documents + others): in each row the positive's id, the hard negatives' ids, then
            the row's other true labels, filled with -1.
        documents: Documents a row: 1 + its hard negatives.
        columns: int64, shape (rows of all devices, documents), the ids of all devices' documents; None for one
            device. The columns of the score matrix stand in the order of `columns.T`: all positives first.
        offset: Row of `columns` where this device's rows begin.
        unique_columns: Mask an id's second and further columns too, so that a frequent label is one negative, not many.

    Returns:
        bool, shape (batch, documents * rows of all devices); True is masked. A row's own positive never is.
    """
    import torch

    gathered = labels[:, :documents] if columns is None else columns
    ids = gathered.T.reshape(-1)
    own = torch.cat([labels[:, :1], labels[:, documents:]], dim=1)
    mask = ((own[:, :, None] == ids) & (own[:, :, None] != PAD_ID)).any(dim=1)
    if unique_columns:
        order = torch.argsort(ids, stable=True)
        again = torch.zeros_like(ids, dtype=torch.bool)
        again[order[1:]] = ids[order[1:]] == ids[order[:-1]]
        mask = mask | again
    rows = torch.arange(len(labels), device=labels.device)
    mask[rows, rows + offset] = False
    return mask


class Meter:
    """Adds up, over rows, the loss and the negatives a row really had (unmasked columns without its own positive)."""

    def __init__(self) -> None:
        self._loss: Tensor | float = 0.0
        self._kept: Tensor | float = 0.0
        self._rows = 0

    def add(self, mask: "Tensor", loss: "Tensor") -> None:
        """Count one batch: its mask, and its mean loss."""
        # Sums stay on the device: reading them at every step would make a GPU wait.
        self._loss = self._loss + loss.detach() * len(mask)
        self._kept = self._kept + ((~mask).sum() - len(mask))
        self._rows += len(mask)

    def take(self) -> tuple[float, float, int]:
        """Return loss sum, sum of effective negatives and number of rows since the last call, and start again."""
        taken = (float(self._loss), float(self._kept), self._rows)
        self._loss, self._kept, self._rows = 0.0, 0.0, 0
        return taken


def _masked_loss(
    loss: Any,  # noqa: ANN401 - either of the two classes below
    embeddings: "list[Tensor]",
    labels: "Tensor",
) -> "Tensor":
    """Mean (or weighted mean) cross-entropy of each row's own positive against every unmasked column."""
    import torch
    from sentence_transformers.util import all_gather, all_gather_with_grad, get_rank

    queries, documents = embeddings[0], embeddings[1:]
    batch = len(queries)
    if labels.ndim != 2 or labels.shape[0] != batch or labels.shape[1] < len(documents):
        raise ValueError(
            f"labels of shape {tuple(labels.shape)}: expected ({batch}, {len(documents)} or more), the ids of the "
            "positive and the hard negatives, then other true labels filled with -1"
        )
    ids, offset = None, 0
    if loss.gather_across_devices:
        documents = [all_gather_with_grad(column) for column in documents]
        ids = all_gather(labels[:, : len(documents)].contiguous())
        offset = get_rank() * batch
    mask = false_negative_mask(labels, len(documents), columns=ids, offset=offset, unique_columns=loss.unique_columns)
    # Similarities times 20 in bf16 would be off by up to 0.1: they are made in float32 under autocast too.
    with torch.autocast(queries.device.type, enabled=False):
        scores = loss.similarity_fct(queries.float(), torch.cat(documents).float()) * loss.scale
        rows = torch.arange(batch, device=scores.device)
        losses: Tensor = torch.logsumexp(scores.masked_fill(mask, -torch.inf), dim=1) - scores[rows, rows + offset]
    if loss.weights is None:
        mean: Tensor = losses.mean()
    else:
        weights = loss.weights.to(losses)
        mean = (losses * weights).sum() / weights.sum()
    loss.meter.add(mask, mean)
    return mean


@cache
def _classes() -> dict[str, type]:
    import torch

    # The new paths (6.0 on); `sentence_transformers.losses` is their deprecated alias.
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    class LabelAwareMultipleNegativesRankingLoss(MultipleNegativesRankingLoss):  # type: ignore[misc]
        """The library's in-batch loss (InfoNCE, query to document), with false negatives masked.

        1. Embed the queries, their positives and their hard negatives.
        2. Score every query against every document of the batch (and of the other devices).
        3. Mask the documents whose id is a true label of the row, but for the row's own positive.
        4. Cross-entropy: the own positive must win.

        Inputs:
            sentence_features: [queries, distinct documents], the documents with the key `place`, int64 (batch, 1 + n);
                or [queries, positives, negatives 1, ..., negatives n], each with `batch` rows, as the library has them.
                Loss and gradient are the same; but with dropout, the places of one document share its mask. The query
                column may carry the key `weight`. See `retrieval.batch_columns`.
            labels: int64, (batch, 1 + n + others); see `false_negative_mask`.

        Args:
            model: The encoder.
            scale: 1 / temperature.
            gather_across_devices: Use the documents of the other processes as negatives too.
            unique_columns: Count an id that stands in several columns once.
            chunk_rows: Embed so many rows of like length at a time (saves padding, for CPUs); None embeds a whole
                column at once.
        """

        def __init__(
            self,
            model: Any,  # noqa: ANN401 - SentenceTransformer, maybe wrapped
            *,
            scale: float = 20.0,
            gather_across_devices: bool = False,
            unique_columns: bool = False,
            chunk_rows: int | None = None,
        ) -> None:
            super().__init__(model, scale=scale, gather_across_devices=gather_across_devices)
            self.unique_columns = unique_columns
            self.chunk_rows = chunk_rows
            self.weights: Tensor | None = None
            self.meter = Meter()

        def forward(self, sentence_features: "Iterable[dict[str, Tensor]]", labels: "Tensor") -> Any:  # noqa: ANN401
            batch = BatchColumns.of(sentence_features)
            self.weights = batch.weights
            if self.chunk_rows is not None:
                columns = batch.evened() if self.gather_across_devices else batch.columns
                embeddings = [embed_sorted(self.model, column, self.chunk_rows) for column in columns]
            elif batch.places is not None:
                embeddings = [self.model(column)["sentence_embedding"] for column in batch.columns]
            else:
                return super().forward(batch.columns, labels)
            return self.compute_loss_from_embeddings(spread(embeddings, batch.places), labels)

        def compute_loss_from_embeddings(self, embeddings: "list[Tensor]", labels: "Tensor") -> "Tensor":
            return _masked_loss(self, embeddings, labels)

    class LabelAwareCachedMultipleNegativesRankingLoss(CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
        """The same loss with cached gradients (GradCache, Gao et al., 2021): memory of `mini_batch_size` rows only.

        Inputs and arguments as in `LabelAwareMultipleNegativesRankingLoss`; the gradient is the same too, but every
        text is embedded twice. The score matrix, batch x documents, is held as a whole.
        """

        def __init__(
            self,
            model: Any,  # noqa: ANN401 - SentenceTransformer, maybe wrapped
            *,
            scale: float = 20.0,
            mini_batch_size: int = 32,
            gather_across_devices: bool = False,
            unique_columns: bool = False,
        ) -> None:
            super().__init__(
                model, scale=scale, mini_batch_size=mini_batch_size, gather_across_devices=gather_across_devices
            )
            self.unique_columns = unique_columns
            self.weights: Tensor | None = None
            self.places: Tensor | None = None
            self.meter = Meter()

        def forward(self, sentence_features: "Iterable[dict[str, Tensor]]", labels: "Tensor") -> Any:  # noqa: ANN401
            batch = BatchColumns.of(sentence_features)
            self.weights, self.places = batch.weights, batch.places
            return super().forward(batch.evened() if self.gather_across_devices else batch.columns, labels)

        def calculate_loss(
            self, reps: "list[list[Tensor]]", labels: "Tensor | None" = None, *, with_backward: bool = False
        ) -> "Tensor":
            if labels is None:
                raise ValueError("labels are missing: this loss needs the ids of positives and negatives")
            loss = _masked_loss(self, spread([torch.cat(parts) for parts in reps], self.places), labels)
            if with_backward:
                loss.backward()  # type: ignore[no-untyped-call]
                loss = loss.detach()
            return loss

    made: tuple[type, type] = (LabelAwareMultipleNegativesRankingLoss, LabelAwareCachedMultipleNegativesRankingLoss)
    for name, cls in zip(_CLASSES, made, strict=True):
        cls.__qualname__ = name  # they are reached through this module, by this name
    return dict(zip(_CLASSES, made, strict=True))
