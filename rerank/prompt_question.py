"""The part of a prompt that tells the question: its fields as tokens, and how it is made to fit.

Pieces end with a line end and begin with a letter or a space: there common tokenizers cut anyway, so the tokens are
those of the whole text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.records import Query
from core.tokenizer import ChatPart, Tokenizer
from rerank.prompt_budget import cut_middle
from rerank.prompt_template import FIELD_LABELS, PromptTemplate

Simplify = Callable[[str], str]

LEAST_QUESTION = 16
"""Tokens of the question's text that always stay."""

_MARKER = " ... "


@dataclass(frozen=True, kw_only=True)
class QuestionTokens:
    """A question in tokens.

    Attributes:
        before: What stands before the question's text.
        text: The question's text: the first that is cut.
        after: What stands between it and the hint; the wrong answer is in `before` or here.
        hint: The hint: cut where cutting the text does not suffice; empty where there is none.
        marker: What stands in a gap.
    """

    before: tuple[int, ...]
    text: tuple[int, ...]
    after: tuple[int, ...]
    hint: tuple[int, ...]
    marker: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.before) + len(self.text) + len(self.after) + len(self.hint)

    @property
    def least(self) -> int:
        """Tokens that are left when all is cut that may be."""
        kept = min(len(self.text), LEAST_QUESTION) + min(len(self.hint), LEAST_QUESTION)
        return len(self.before) + len(self.after) + kept

    def fitted(self, room: int) -> tuple[list[int], int]:
        """Return at most `room` tokens and how many were cut: from the middle of the text, then of the hint.

        Raises:
            ValueError: `room` is less than `least`.
        """
        if room < self.least:
            raise ValueError(f"the question needs {self.least} tokens at least; got room for {room}")
        over = max(0, len(self) - room)
        text, cut_text = _shortened(self.text, over, self.marker)
        over -= len(self.text) - len(text)
        hint, cut_hint = _shortened(self.hint, over, self.marker)
        return [*self.before, *text, *self.after, *hint], cut_text + cut_hint


def _shortened(tokens: Sequence[int], over: int, marker: Sequence[int]) -> tuple[list[int], int]:
    if over <= 0:
        return list(tokens), 0
    return cut_middle(tokens, keep=max(len(tokens) - over, min(len(tokens), LEAST_QUESTION)), marker=marker)


class QuestionWriter:
    """Writes the question part of prompts.

    Args:
        tokenizer: The model's tokenizer.
        template: Which fields are told.
        simplify: Applied to every text, e.g. to make LaTeX plainer; as is where None.
        subjects: Subject id -> the subject with its parents (`Number > Fractions`), written in place of the subject.

    Raises:
        ValueError: The template wants parent subjects and none were given.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: PromptTemplate,
        *,
        simplify: Simplify | None = None,
        subjects: Mapping[int, str] | None = None,
    ) -> None:
        if template.with_subjects and subjects is None:
            raise ValueError("the template writes parent subjects: pass `subjects`, the text of each subject id")
        self.tokenizer = tokenizer
        self.template = template
        self.simplify = simplify
        self.subjects = subjects if template.with_subjects and subjects is not None else {}
        self._marker = tuple(tokenizer.encode_text(_MARKER))

    def plain(self, text: str) -> str:
        """Return a text simplified and without white space at its ends."""
        return (self.simplify(text) if self.simplify else text).strip()

    def write(self, query: Query) -> QuestionTokens:
        """Return the query's question in tokens; fields it lacks are left out with their label."""
        before, after, text = "", "", None
        for field in self.template.fields:
            value = self._value(query, field)
            if not value:
                continue
            if field == "question":
                before += f"{FIELD_LABELS[field]}:"
                text = f" {value}\n"
            elif text is None:
                before += f"{FIELD_LABELS[field]}: {value}\n"
            else:
                after += f"{FIELD_LABELS[field]}: {value}\n"
        hint = self.plain(query.hint) if self.template.with_hint and query.hint else ""
        if hint:
            after += f"{FIELD_LABELS['hint']}:"
        return QuestionTokens(
            before=self._encode(before),
            text=self._encode(text or ""),
            after=self._encode(after),
            hint=self._encode(f" {hint}\n" if hint else ""),
            marker=self._marker,
        )

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode_text(text))

    def _value(self, query: Query, field: str) -> str:
        question = query.question
        parents = self.subjects.get(question.subject_id) if question.subject_id is not None else None
        values = {
            "construct": question.construct,
            "subject": parents or question.subject,
            "question": question.text,
            "correct": query.correct_answer,
            "incorrect": query.wrong_answer,
        }
        return self.plain(values[field] or "")


def chat_around(tokenizer: Tokenizer, parts: Sequence[ChatPart]) -> tuple[list[int], list[int]]:
    """Return the tokens before and after the content of a last user message that follows `parts`.

    Args:
        tokenizer: The model's tokenizer.
        parts: The messages before it.
    """
    hole = -1  # no token has this id
    ids = tokenizer.render_chat([*parts, ChatPart(role="user", content=(hole,))], generation_prompt=True)
    place = ids.index(hole)
    return ids[:place], ids[place + 1 :]
