"""What a check says of a row: kept, or left out with a reason that can be counted."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One check's word on one row.

    Attributes:
        accepted: Whether the row passes this check.
        reason: One of `synth.reasons`: a short fixed phrase, the same for all rows rejected on this ground, so that
            reasons can be counted; None where it passes.
        detail: What was seen in this row, for the ledger; may be empty.
        score: A measure, where the check has one (the judge's 0 to 10, a similarity), else None.

    Raises:
        ValueError: A rejection has no reason, or an acceptance has one.
    """

    accepted: bool
    reason: str | None = None
    detail: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        if self.accepted == bool(self.reason):
            raise ValueError("a rejection needs a reason, an acceptance has none")


def passed(*, detail: str = "", score: float | None = None) -> Verdict:
    """Return that a row passes."""
    return Verdict(accepted=True, detail=detail, score=score)


def rejected(reason: str, *, detail: str = "", score: float | None = None) -> Verdict:
    """Return that a row is left out."""
    return Verdict(accepted=False, reason=reason, detail=detail, score=score)
