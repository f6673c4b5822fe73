"""Which rows are to be written: so many for each misconception, those without a real example first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.artifacts import content_hash
from core.records import Misconception, Question


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A row that is wanted.

    Attributes:
        misconception_id: For which misconception.
        number: Counts the misconception's rows, from 0.
        attempts: How often it may be asked for, at least 1.
    """

    misconception_id: int
    number: int
    attempts: int

    def key(self, attempt: int) -> str:
        """Return the name of one attempt, counted from 0: it stays the same whatever else is asked for."""
        return f"m{self.misconception_id}-{self.number}-{attempt}"


def slots_of(
    bank: Sequence[Misconception],
    real: Mapping[int, int],
    *,
    at_least: int,
    at_most: int,
    attempts: int,
    only_unseen: bool = False,
    only: Collection[int] | None = None,
    limit: int | None = None,
) -> list[Slot]:
    """Return the rows to write, most wanted first.

    First rows of all misconceptions come before second ones; among equals those with the fewest real examples, then the
    lowest id.

    Args:
        bank: The misconceptions.
        real: Real labelled answers of each id; absent is 0.
        at_least: Rows wanted of each: `attempts` tries each.
        at_most: Rows of each; those beyond `at_least` are tried once.
        attempts: Tries of a wanted row.
        only_unseen: Leave out misconceptions with a real example.
        only: Leave out all but these ids; None: none.
        limit: Most rows.
    """
    wanted = [entry.id for entry in bank if not (only_unseen and real.get(entry.id, 0))]
    if only is not None:
        wanted = [id for id in wanted if id in only]
    wanted.sort(key=lambda id: (real.get(id, 0), id))
    slots = [
        Slot(misconception_id=id, number=number, attempts=attempts if number < at_least else 1)
        for number in range(at_most)
        for id in wanted
    ]
    return slots[:limit]


def real_examples(questions: Sequence[Question]) -> dict[int, int]:
    """Return how many wrong answers carry each label."""
    counts: dict[int, int] = {}
    for question in questions:
        for labels in question.labels:
            for label in labels:
                counts[label] = counts.get(label, 0) + 1
    return counts


def question_id_of(key: str, text: str) -> int:
    """Return the id of a made question: 15 digits, so that ids of two runs, or real ones, do not meet by chance."""
    return 10**14 + int(content_hash([key, text])[:15], 16) % (9 * 10**14)
