"""The nouns of the house: Misconception, Question, Query and Ranking.

Records are frozen and validate themselves: one that exists is well formed. Nothing here reads files
(`core.tables` does) or knows about models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

Letter = Literal["A", "B", "C", "D"]
LETTERS: tuple[Letter, ...] = ("A", "B", "C", "D")

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Misconception:
    """One entry of the bank.

    Attributes:
        id: Its id, unique in the bank and not negative.
        name: What the student believes, one sentence; not empty.
        explanation: What it is and when it shows, or None.

    Raises:
        ValueError: The id is negative or the name blank.
    """

    id: int
    name: str
    explanation: str | None = None

    def __post_init__(self) -> None:
        if self.id < 0:
            raise ValueError(f"misconception id {self.id} is negative")
        if not self.name.strip():
            raise ValueError(f"misconception {self.id} has an empty name")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A multiple-choice question with four answers, one of them correct.

    Attributes:
        id: Its id, not negative.
        text: The question, LaTeX as it came; not empty.
        answers: The four answer texts, A to D; none empty.
        correct: The letter of the correct answer.
        labels: For each of A to D the misconception ids that explain it; empty where unlabelled, always empty for
            the correct answer. A wrong answer may carry several.
        construct: The skill that is tested, or None.
        subject: The topic, or None.
        construct_id: Id of the skill, or None.
        subject_id: Id of the topic, or None.

    Raises:
        ValueError: Any of the above does not hold.
    """

    id: int
    text: str
    answers: tuple[str, str, str, str]
    correct: Letter
    labels: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]] = ((), (), (), ())
    construct: str | None = None
    subject: str | None = None
    construct_id: int | None = None
    subject_id: int | None = None

    def __post_init__(self) -> None:
        if self.id < 0:
            raise ValueError(f"question id {self.id} is negative")
        if not self.text.strip():
            raise ValueError(f"question {self.id} has an empty text")
        if self.correct not in LETTERS:
            raise ValueError(f"question {self.id}: correct answer is {self.correct!r}, expected one of A, B, C, D")
        if len(self.answers) != 4 or len(self.labels) != 4:
            raise ValueError(f"question {self.id}: expected four answers and four label tuples")
        for letter, answer, labels in zip(LETTERS, self.answers, self.labels, strict=True):
            if not answer.strip():
                raise ValueError(f"question {self.id}: answer {letter} is empty")
            if len(set(labels)) != len(labels):
                raise ValueError(f"question {self.id}: answer {letter} carries a label twice")
        if self.labels_of(self.correct):
            raise ValueError(f"question {self.id}: the correct answer {self.correct} carries a label")

    def answer(self, letter: Letter) -> str:
        """Return the text of one answer."""
        return self.answers[LETTERS.index(letter)]

    def labels_of(self, letter: Letter) -> tuple[int, ...]:
        """Return the misconception ids of one answer (empty where unlabelled)."""
        return self.labels[LETTERS.index(letter)]

    @property
    def wrong_letters(self) -> tuple[Letter, ...]:
        """The three letters that are not the correct answer, in order."""
        return tuple(letter for letter in LETTERS if letter != self.correct)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question with one of its wrong answers: what a ranking answers.

    Attributes:
        question: The question.
        letter: The wrong answer's letter.
        hint: Why a student might answer this, or None. Written without sight of the label.

    Raises:
        ValueError: The letter is the correct answer's.
    """

    question: Question
    letter: Letter
    hint: str | None = None

    def __post_init__(self) -> None:
        if self.letter == self.question.correct:
            raise ValueError(f"query {self.question.id}_{self.letter}: this is the correct answer")

    @property
    def key(self) -> str:
        """`QuestionId_Letter`, as the competition writes it."""
        return f"{self.question.id}_{self.letter}"

    @property
    def labels(self) -> tuple[int, ...]:
        """The misconception ids that explain this answer; empty where unlabelled."""
        return self.question.labels_of(self.letter)

    @property
    def wrong_answer(self) -> str:
        """Text of the wrong answer."""
        return self.question.answer(self.letter)

    @property
    def correct_answer(self) -> str:
        """Text of the correct answer."""
        return self.question.answer(self.question.correct)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """Misconceptions ordered by how well they explain one query: the one currency of the house.

    Both stages and every fusion return it; evaluation and submission take it.

    Attributes:
        key: The query's key, `QuestionId_Letter`.
        ids: int64, shape (n,), distinct misconception ids, best first.
        scores: float64, shape (n,), finite and non-increasing; equal scores stand in rising order of id.

    Raises:
        ValueError: Any of the above does not hold.
    """

    key: str
    ids: IntArray = field(repr=False)
    scores: FloatArray = field(repr=False)

    def __post_init__(self) -> None:
        ids = np.array(self.ids, dtype=np.int64)
        scores = np.array(self.scores, dtype=np.float64)
        if ids.ndim != 1 or ids.shape != scores.shape:
            raise ValueError(f"ranking {self.key}: ids {ids.shape} and scores {scores.shape} must be equal and flat")
        if not np.isfinite(scores).all():
            raise ValueError(f"ranking {self.key}: a score is not finite")
        if len(np.unique(ids)) != len(ids):
            raise ValueError(f"ranking {self.key}: an id occurs twice")
        falls = scores[:-1] > scores[1:]
        ties = (scores[:-1] == scores[1:]) & (ids[:-1] < ids[1:])
        if not (falls | ties).all():
            raise ValueError(f"ranking {self.key}: scores must not rise, and ties must stand in rising order of id")
        ids.setflags(write=False)
        scores.setflags(write=False)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "scores", scores)

    @classmethod
    def from_scores(
        cls,
        key: str,
        ids: Sequence[int] | IntArray,
        scores: Sequence[float] | npt.NDArray[np.floating],
        *,
        top: int | None = None,
    ) -> Self:
        """Sort ids by falling score, ties by rising id, and keep the first `top` (all where None).

        Args:
            key: The query's key.
            ids: Distinct misconception ids, shape (n,), in any order.
            scores: Their scores, shape (n,), finite.
            top: How many to keep.

        Raises:
            ValueError: An id occurs twice, a score is not finite, or the shapes differ.
        """
        id_array = np.asarray(ids, dtype=np.int64)
        score_array = np.asarray(scores, dtype=np.float64)
        order = np.lexsort((id_array, -score_array))[:top]
        return cls(key=key, ids=id_array[order], scores=score_array[order])

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ranking):
            return NotImplemented
        return (
            self.key == other.key and np.array_equal(self.ids, other.ids) and np.array_equal(self.scores, other.scores)
        )

    def __hash__(self) -> int:
        return hash((self.key, self.ids.tobytes(), self.scores.tobytes()))

    def top(self, n: int) -> "Ranking":
        """Return the first `n` entries as a ranking of their own."""
        return Ranking(key=self.key, ids=self.ids[:n], scores=self.scores[:n])

    def rank_of(self, id: int) -> int | None:
        """Return the rank of a misconception, 1 for the best, or None where it is not in the ranking."""
        places = np.flatnonzero(self.ids == id)
        return int(places[0]) + 1 if len(places) else None


def queries_of(questions: Sequence[Question], *, labelled_only: bool = False) -> list[Query]:
    """Return one Query per wrong answer, in the order of the questions and of the letters.

    Args:
        questions: The questions.
        labelled_only: Leave out wrong answers that carry no label.
    """
    return [
        Query(question=question, letter=letter)
        for question in questions
        for letter in question.wrong_letters
        if question.labels_of(letter) or not labelled_only
    ]
