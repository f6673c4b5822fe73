"""The prompt that asks for a question: what is the same in all prompts first, so that an engine reads it once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.chat_writer import ChatMessage
from core.errors import InputError
from core.records import LETTERS, Letter, Misconception, Question

INSTRUCTION = (
    "You write multiple-choice mathematics questions for school students. Each question is a diagnosis: one of its "
    "wrong answers is exactly what a student gets who holds a given misconception, and who otherwise works correctly.\n"
    "Rules:\n"
    "- Four different answers, A to D, exactly one of them correct. Vary which letter is correct.\n"
    "- One wrong answer follows from the given misconception, and from no other in the list of similar ones. The other "
    "two wrong answers come from other plausible mistakes.\n"
    "- The question stands alone: no picture, no reference to a misconception or to the answers, no solution in it.\n"
    "- Choose numbers for which the misconception gives a different result than the correct way. Work both out first.\n"
    "- Maths in LaTeX between \\( and \\). In JSON a backslash is written twice.\n"
    "- Write in the language and at the level of the examples, or for students of 11 to 16 where there are none.\n"
    "Answer with one JSON object and nothing else, with these keys: "
    '"subject" (topic), "construct" (the skill that is tested), "question", '
    '"rationale" (one or two sentences: how the misconception leads to its answer), '
    '"answers" (an object with the keys "A", "B", "C", "D"), '
    '"correct" (the letter of the correct answer), '
    '"misconception_answer" (the letter of the answer that the misconception leads to).'
)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "subject": {"type": "string"},
        "construct": {"type": "string"},
        "question": {"type": "string"},
        "rationale": {"type": "string"},
        "answers": {
            "type": "object",
            "properties": {letter: {"type": "string"} for letter in LETTERS},
            "required": list(LETTERS),
            "additionalProperties": False,
        },
        "correct": {"type": "string", "enum": list(LETTERS)},
        "misconception_answer": {"type": "string", "enum": list(LETTERS)},
    },
    "required": ["subject", "construct", "question", "rationale", "answers", "correct", "misconception_answer"],
    "additionalProperties": False,
}
"""The answer's form, for engines that guide decoding; the order of the keys lets the model work before it answers."""

_EXAMPLES = "Examples of good questions (their rationale is left out):"
_MORE = "Further examples:"
_SIMILAR = "Similar misconceptions, which the answer must NOT fit:"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A real question shown to the model.

    Attributes:
        question: The question.
        letter: The wrong answer that shows the misconception.
        misconception: The misconception.
    """

    question: Question
    letter: Letter
    misconception: Misconception


@dataclass(frozen=True, kw_only=True)
class Built:
    """A prompt, and which examples found room in it."""

    messages: tuple[ChatMessage, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What one prompt is made of, besides what all share.

    Attributes:
        misconception: What the question is to show.
        similar: Misconceptions that it must not show, most similar first.
        examples: Examples for this prompt alone, the most useful last; where room lacks, the first go first.
    """

    misconception: Misconception
    similar: tuple[Misconception, ...] = ()
    examples: tuple[Example, ...] = ()


class QuestionPrompter:
    """Writes prompts that share their head: instruction and shared examples.

    Args:
        count_tokens: Tokens of a text.
        instruction: What the model is told first.
        shared: Examples for the head, in order; as many of the first as there is room for.
        max_tokens: Longest prompt, in tokens, chat marks left aside.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int],
        *,
        instruction: str = INSTRUCTION,
        shared: Sequence[Example] = (),
        max_tokens: int = 6144,
    ) -> None:
        self._count = count_tokens
        self._instruction = instruction
        self._room = max_tokens - count_tokens(instruction)
        # What differs between prompts needs room too. It is not measured, so that the head, and with it every answer
        # in the ledger, does not depend on which misconceptions are asked for.
        self.shared = self._fitted(list(shared), self._room - min(2048, max_tokens // 2))
        self._head = _block(_EXAMPLES, [example_text(example) for example in self.shared])
        self._room -= count_tokens(self._head)

    def build(self, parts: Parts) -> Built:
        """Return the prompt for one row.

        Raises:
            InputError: Instruction and misconception alone take more than `max_tokens`.
        """
        task = _task(parts.misconception)
        similar = list(parts.similar)
        own = list(parts.examples)
        while True:
            texts = [example_text(example) for example in own]
            tail = _block(_MORE if self.shared else _EXAMPLES, texts)
            tail += _block(_SIMILAR, [f"- {entry.name}" for entry in similar], gap="\n") + task
            # A token is a byte at least: what is so short need not be counted, which is most of a prompt's cost.
            if len(tail.encode()) <= self._room or self._count(tail) <= self._room:
                break
            if own:
                own.pop(0)
            elif similar:
                similar.pop()
            else:
                raise InputError(
                    f"misconception {parts.misconception.id}: instruction, shared examples and task take "
                    f"{self._count(tail) - self._room} tokens more than a prompt may have; raise "
                    "synthesis.max_prompt_tokens or shorten synthesis.instruction"
                )
        messages = (
            ChatMessage(role="system", text=self._instruction),
            ChatMessage(role="user", text=self._head + tail),
        )
        return Built(messages=messages, examples=(*self.shared, *own))

    def _fitted(self, examples: list[Example], room: int) -> tuple[Example, ...]:
        kept: list[Example] = []
        room -= self._count(_block(_EXAMPLES, [""]))
        for example in examples:
            room -= self._count(example_text(example) + "\n\n")
            if room < 0:
                break
            kept.append(example)
        return tuple(kept)


def example_text(example: Example) -> str:
    """Return an example as a prompt shows it: the misconception, and the question in the form of an answer."""
    question = example.question
    shown = {
        "subject": question.subject,
        "construct": question.construct,
        "question": question.text,
        "answers": dict(zip(LETTERS, question.answers, strict=True)),
        "correct": question.correct,
        "misconception_answer": example.letter,
    }
    told = json.dumps({key: value for key, value in shown.items() if value is not None}, ensure_ascii=False)
    return f"Misconception: {example.misconception.name}\n{told}"


def _task(entry: Misconception) -> str:
    told = f"Write one question for this misconception:\n{entry.name}"
    return told + (f"\n({entry.explanation})" if entry.explanation else "")


def _block(title: str, items: Sequence[str], *, gap: str = "\n\n") -> str:
    return f"{title}\n{gap.join(items)}\n\n" if items else ""
