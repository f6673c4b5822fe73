"""The noun of made data: a question one of whose wrong answers was made to show one misconception."""

from dataclasses import dataclass
from typing import Literal

from core.records import Letter, Question

Source = Literal["llm", "procedural"]


@dataclass(frozen=True, kw_only=True)
class SyntheticRow:
    """A made question.

    Attributes:
        question: The question; its only label is the misconception's, on the wrong answer that shows it.
        misconception_id: The misconception that it was made for.
        letter: The wrong answer that the misconception leads to.
        rationale: Why it leads there, in a sentence or two; may be empty.
        key: Names the row in the ledger, so that its requests can be found; unique.
        parents: Fingerprints (`core.fingerprint`) of the real questions that were shown as examples: the row must not
            train a model that is measured on one of them.
        source: Who made it.

    Raises:
        ValueError: The letter does not carry exactly this label, or the key is empty.
    """

    question: Question
    misconception_id: int
    letter: Letter
    rationale: str
    key: str
    parents: tuple[str, ...]
    source: Source

    def __post_init__(self) -> None:
        labels = [found for found in zip("ABCD", self.question.labels, strict=True) if found[1]]
        if labels != [(self.letter, (self.misconception_id,))]:
            raise ValueError(
                f"row {self.key}: expected the label {self.misconception_id} on answer {self.letter} and no other, "
                f"got {labels}"
            )
        if not self.key:
            raise ValueError("a synthetic row needs a key")
