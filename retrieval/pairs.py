"""Training pairs: a query text with one of its labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.records import Query


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """One query with one of its true labels.

    Attributes:
        query_key: `QuestionId_Letter`, or any name of a synthetic row.
        query_text: What the encoder reads, without the hint; not empty.
        positive_id: The misconception that is to be found.
        other_labels: The query's other true labels: neither its positive here, nor ever its negatives.
        weight: Share of this row in the loss, above 0; synthetic rows may count less than real ones.
        hinted_text: The text with the hint, or None where there is no hint.

    Raises:
        ValueError: The text is blank, the weight not above 0, or the positive stands among the other labels.
    """

    query_key: str
    query_text: str
    positive_id: int
    other_labels: tuple[int, ...] = ()
    weight: float = 1.0
    hinted_text: str | None = None

    def __post_init__(self) -> None:
        if not self.query_text.strip() or (self.hinted_text is not None and not self.hinted_text.strip()):
            raise ValueError(f"pair {self.query_key}: the query text is empty")
        if not self.weight > 0:
            raise ValueError(f"pair {self.query_key}: weight {self.weight} is not above 0")
        if self.positive_id in self.other_labels:
            raise ValueError(f"pair {self.query_key}: {self.positive_id} is both the positive and another label")

    @property
    def labels(self) -> tuple[int, ...]:
        """Every true label of the query, the positive first."""
        return (self.positive_id, *self.other_labels)


def training_pairs(
    queries: Sequence[Query],
    texts: Sequence[str],
    hinted_texts: Sequence[str | None] | None = None,
    *,
    weight: float = 1.0,
) -> list[TrainingPair]:
    """Return one pair per query and label, in the order of the queries and of their labels.

    Args:
        queries: n queries; those without a label give no pair.
        texts: n texts without hints.
        hinted_texts: n texts with hints, None where there is none; None altogether where no row has one.
        weight: The weight of every pair.

    Raises:
        ValueError: The lengths differ.
        InputError: No query has a label.
    """
    hinted = [None] * len(queries) if hinted_texts is None else hinted_texts
    pairs = [
        TrainingPair(
            query_key=query.key,
            query_text=text,
            positive_id=label,
            other_labels=tuple(other for other in query.labels if other != label),
            weight=weight,
            hinted_text=hint,
        )
        for query, text, hint in zip(queries, texts, hinted, strict=True)
        for label in query.labels
    ]
    if not pairs:
        raise InputError(f"none of the {len(queries)} training queries has a label: there is nothing to train on.")
    return pairs
