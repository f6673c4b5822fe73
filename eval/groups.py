"""Which questions are copies of one another, and so must never stand on both sides of a split."""

from collections.abc import Hashable, Sequence

import numpy as np

from core.records import IntArray, Question
from core.text import normalise


def question_groups(questions: Sequence[Question]) -> IntArray:
    """Return the group of every question: connected components of question id and normalised question text.

    The real files repeat questions under other ids (26 rows of the Eedi file share their text with another), so
    grouping by id alone lets a training question answer a validation one.

    Args:
        questions: Any questions.

    Returns:
        int64, shape (len(questions),): 0, 1, 2, … in order of first appearance.
    """
    parents = list(range(len(questions)))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    first_with: dict[Hashable, int] = {}
    for row, question in enumerate(questions):
        for name in (question.id, normalise(question.text)):
            parents[root(row)] = root(first_with.setdefault(name, row))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(row), len(numbers)) for row in range(len(questions))], dtype=np.int64)


def text_overlap(train: Sequence[Question], test: Sequence[Question]) -> int:
    """Return how many test questions have a text (normalised) that a training question has too."""
    known = {normalise(question.text) for question in train}
    return sum(normalise(question.text) in known for question in test)
