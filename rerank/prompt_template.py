"""What a prompt says and which fields it shows: everything that must be equal in training and inference."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from core.artifacts import content_hash
from core.records import Misconception, Query
from rerank.labels import LETTERS

PROMPT_VERSION = 1
"""Part of every template's hash: raise it when the functions of `rerank.prompts` change what they write."""

QuestionField = Literal["construct", "subject", "question", "correct", "incorrect"]
QUESTION_FIELDS: tuple[QuestionField, ...] = ("construct", "subject", "question", "correct", "incorrect")
"""All fields, in the order that lets the wrong answers of one question share the longest prefix."""

FIELD_LABELS: dict[str, str] = {
    "construct": "Skill",
    "subject": "Subject",
    "question": "Question",
    "correct": "Correct answer",
    "incorrect": "Student's wrong answer",
    "hint": "A colleague's guess at the cause",
}

LISTWISE_INSTRUCTION = (
    "You are an expert mathematics teacher. A student chose a wrong answer to a question. "
    "From the list of misconceptions choose the one that led to this answer. Reply with its label only."
)
POINTWISE_INSTRUCTION = (
    "You are an expert mathematics teacher. A student chose a wrong answer to a question. "
    "Say whether the misconception led to this answer. Reply with Yes or No only."
)
NONE_TEXT = "None of these"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A solved query that is shown before the question (few-shot).

    Attributes:
        query: The query.
        candidates: The misconceptions that its list shows, in this order; not empty.
        answer: The id of the right one; None where none is, which a template without that label refuses.

    Raises:
        ValueError: There is no candidate, or the answer is not among them.
    """

    query: Query
    candidates: tuple[Misconception, ...]
    answer: int | None

    def __post_init__(self) -> None:
        ids = [candidate.id for candidate in self.candidates]
        if not ids or (self.answer is not None and self.answer not in ids):
            raise ValueError(f"example {self.query.key}: the answer {self.answer} is not among its candidates {ids}")


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """The form of a prompt.

    Attributes:
        fields: What is told of the question, in this order; distinct, with the wrong answer among them.
        with_subjects: Write the subject with its parents, where the prompter was given them.
        with_explanations: Write each candidate's explanation behind its name; about doubles the prompt.
        with_hint: Write the query's hint (a chain of thought) where it has one.
        none_label: Offer "None of these" as the last label (listwise only).
        examples: Solved queries, shown before the question.
        max_tokens: The longest prompt; the question's text is cut in its middle to keep to it.
        alphabet: The labels, one character each, distinct (listwise only).
        instruction: What the model is to do; the prompter's own words where None.
        separator: What stands behind a label in the list; empty saves a token a candidate (listwise only).
        closing: What stands between the last candidate and the answer; may be empty.

    Raises:
        ValueError: Fields are unknown, repeated, or lack the wrong answer; labels repeat; a number is out of range; an
            example's answer is none of its candidates and there is no label for that.
    """

    fields: tuple[QuestionField, ...] = QUESTION_FIELDS
    with_subjects: bool = False
    with_explanations: bool = False
    with_hint: bool = False
    none_label: bool = False
    examples: tuple[Example, ...] = ()
    max_tokens: int = 4096
    alphabet: str = LETTERS
    instruction: str | None = None
    separator: str = "."
    closing: str = "Answer:"

    def __post_init__(self) -> None:
        unknown = [name for name in self.fields if name not in QUESTION_FIELDS]
        if unknown or len(set(self.fields)) != len(self.fields) or "incorrect" not in self.fields:
            raise ValueError(
                f"prompt template: fields {list(self.fields)}; expected distinct ones of {', '.join(QUESTION_FIELDS)}, "
                "'incorrect' among them"
            )
        if len(set(self.alphabet)) != len(self.alphabet) or len(self.alphabet) < 2:
            raise ValueError(f"prompt template: expected two labels or more, all distinct; got {self.alphabet!r}")
        if self.max_tokens < 1:
            raise ValueError(f"prompt template: max_tokens must be at least 1; got {self.max_tokens}")
        if not self.none_label and any(example.answer is None for example in self.examples):
            raise ValueError("prompt template: an example's answer is none of its candidates, but none_label is off")

    def hash(self) -> str:
        """Return the SHA-256 (64 hexadecimal digits) of the template and of the words around it, for manifests."""
        words: list[object] = [FIELD_LABELS, LISTWISE_INSTRUCTION, POINTWISE_INSTRUCTION, NONE_TEXT]
        if self.examples:
            words.append("a query's own question is no example")
        return content_hash(["prompt", PROMPT_VERSION, asdict(self), words])


def one_line(texts: Sequence[str | None]) -> str:
    """Return texts joined by a dash with white space brought to single spaces; empty ones are left out.

    A candidate stays on its line: a line end inside its text could imitate the next label.
    """
    return " - ".join(line for text in texts if text and (line := " ".join(text.split())))
