"""Checks in a row: each sees only what passed those before it, and every word that was said is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from synth.rows import SyntheticRow
from synth.verdicts import Verdict


class Check(Protocol):
    """Judges rows."""

    @property
    def name(self) -> str:
        """Short, for the ledger: `solve`, `judge`, `duplicate`, `leak`."""
        ...

    def verdicts(self, rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow]) -> list[Verdict]:
        """Return a verdict on each row, in order.

        Args:
            rows: Rows that passed all earlier checks.
            kept: Rows that passed all checks in earlier rounds.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A row and all that was said of it.

    Attributes:
        row: The row.
        verdicts: (name of the check, its verdict), up to the first rejection.
    """

    row: SyntheticRow
    verdicts: tuple[tuple[str, Verdict], ...]

    @property
    def accepted(self) -> bool:
        """Whether every check passed it."""
        return all(verdict.accepted for _, verdict in self.verdicts)

    @property
    def rejection(self) -> tuple[str, Verdict] | None:
        """The check that rejected it and its verdict, or None."""
        return next(((name, verdict) for name, verdict in self.verdicts if not verdict.accepted), None)

    def score(self, check: str) -> float | None:
        """Return the score that a check gave, or None."""
        return next((verdict.score for name, verdict in self.verdicts if name == check), None)


def run_checks(rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow], checks: Sequence[Check]) -> list[Checked]:
    """Pass rows through checks in order.

    Args:
        rows: Rows, with distinct keys.
        kept: Rows that were accepted in earlier rounds.
        checks: The checks.

    Returns:
        What was said of each row, in order.

    Raises:
        ValueError: A check did not answer for every row.
    """
    said: dict[str, list[tuple[str, Verdict]]] = {row.key: [] for row in rows}
    left = list(rows)
    for check in checks:
        if not left:
            break
        found = check.verdicts(left, kept)
        if len(found) != len(left):
            raise ValueError(f"check {check.name}: expected {len(left)} verdicts, got {len(found)}")
        for row, verdict in zip(left, found, strict=True):
            said[row.key].append((check.name, verdict))
        left = [row for row, verdict in zip(left, found, strict=True) if verdict.accepted]
    return [Checked(row=row, verdicts=tuple(said[row.key])) for row in rows]
