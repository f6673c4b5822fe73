"""Which real questions a prompt shows: drawn with a seed, so that the same row is always asked with the same ones."""

from collections.abc import Mapping, Sequence
from random import Random

from core.fingerprint import fingerprint
from core.records import Misconception, Question, queries_of
from synth.prompts import Example
from synth.rules import picture_in


class ExamplePool:
    """Labelled real questions to show.

    Questions that need a picture are left out, since none may be written; where all do, they stay.

    Args:
        questions: The questions that may be shown; none of a validation or test part.
        bank: The misconceptions by id; labels outside it are left out.
        seed: Of all draws.
    """

    def __init__(self, questions: Sequence[Question], bank: Mapping[int, Misconception], *, seed: int) -> None:
        without = [question for question in questions if not picture_in(question.text, question.answers)]
        self._seed = seed
        self._all = [
            Example(question=query.question, letter=query.letter, misconception=bank[query.labels[0]])
            for query in queries_of(without or questions, labelled_only=True)
            if query.labels[0] in bank
        ]
        self._by_label: dict[int, list[Example]] = {}
        for example in self._all:
            self._by_label.setdefault(example.misconception.id, []).append(example)

    def __len__(self) -> int:
        return len(self._all)

    def shared(self, count: int) -> tuple[Example, ...]:
        """Return examples of distinct questions for the head of all prompts; fewer where there are no more."""
        return tuple(_distinct(self._shuffled(self._all, "shared"), count, ()))

    def for_row(
        self, key: str, id: int, similar: Sequence[int], *, random: int, same: int, shown: Sequence[Example] = ()
    ) -> tuple[Example, ...]:
        """Return the examples of one row: random ones first, then those of the same or similar misconceptions.

        Args:
            key: Names the row and the attempt: the draw depends on it and on the seed alone.
            id: The row's misconception.
            similar: Misconceptions like it, most alike first; their examples stand in where it has fewer than `same`.
            random: How many at random.
            same: How many of the same misconception; the nearest to it stand last.
            shown: Examples that the prompt shows already.
        """
        near: list[Example] = []
        for label in (id, *similar):
            if len(near) < same:
                drawn = self._shuffled(self._by_label.get(label, []), f"{key} same {label}")
                near += _distinct(drawn, same - len(near), (*shown, *near))
        further = _distinct(self._shuffled(self._all, f"{key} random", random + same), random, (*shown, *near))
        return (*further, *reversed(near))

    def _shuffled(self, examples: Sequence[Example], what: str, few: int | None = None) -> list[Example]:
        draw = Random(f"{self._seed} {what}")
        # A few of thousands need no shuffle of all; twice as many, since questions repeat.
        count = len(examples) if few is None else min(len(examples), 2 * few + 100)
        return draw.sample(examples, count)


def parents_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the fingerprints of the questions shown, sorted, each once."""
    return tuple(sorted({fingerprint(example.question) for example in examples}))


def _distinct(examples: Sequence[Example], count: int, taken: Sequence[Example]) -> list[Example]:
    """Return the first examples whose questions are distinct, and not taken."""
    seen = {fingerprint(example.question) for example in taken}
    found: list[Example] = []
    for example in examples:
        if len(found) >= count:
            break
        mark = fingerprint(example.question)
        if mark not in seen:
            seen.add(mark)
            found.append(example)
    return found
