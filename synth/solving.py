"""Verification by solving: without the misconception the right answer comes out, and under it the stated wrong one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.chat_writer import ChatMessage
from core.records import LETTERS, Misconception
from synth.asking import Request
from synth.ledger import Asked
from synth.question_text import shown_question
from synth.reasons import MISLED_OTHERWISE, NOT_PARSED, SOLVED_OTHERWISE
from synth.replies import ReplyError, object_schema, read_object
from synth.rows import SyntheticRow
from synth.verdicts import Verdict, passed, rejected

NONE = "none"
"""What the solver says where no answer fits: a question without a right answer, a misconception that shows nowhere."""

SOLVE_INSTRUCTION = (
    "You solve multiple-choice questions of school mathematics. Work the question out step by step, then choose the "
    "answer that is right. If none of the four answers is right, or more than one is, choose none. Reply with one JSON "
    'object and nothing else: {"working": your steps, "answer": "A", "B", "C", "D" or "none"}.'
)
UNDER_INSTRUCTION = (
    "You play a student who holds one misconception and is otherwise good at mathematics. Work the question out step "
    "by step exactly as this student would: wherever the misconception applies, follow it; make no other mistake. Then "
    "choose the answer that the student arrives at. If the misconception plays no part in this question, or leads to "
    'none of the four answers, choose none. Reply with one JSON object and nothing else: {"working": the student\'s '
    'steps, "answer": "A", "B", "C", "D" or "none"}.'
)
SOLVE_SCHEMA = object_schema(working={"type": "string"}, answer={"type": "string", "enum": [*LETTERS, NONE]})


@dataclass(frozen=True, kw_only=True)
class Solving:
    """One of the two solving checks: ask the two one after the other, the second only of rows that passed the first.

    Attributes:
        bank: The misconceptions by id.
        under: Whether the solver holds the row's misconception.
        max_tokens: Longest answer, working included.
        seed: Of the sampling, for engines that sample at temperature 0 too.
        guided: Give the engine the JSON schema.
    """

    bank: Mapping[int, Misconception]
    under: bool
    max_tokens: int = 512
    seed: int = 0
    guided: bool = True

    @property
    def task(self) -> str:
        """The task's name in the ledger."""
        return "solve-under" if self.under else "solve"

    def requests(self, rows: Sequence[SyntheticRow]) -> list[Request]:
        """Return one request a row; neither the stated answers nor the rationale are shown."""
        return [
            Request(
                task=self.task,
                row=row.key,
                messages=self._messages(row),
                max_tokens=self.max_tokens,
                seed=self.seed,
                schema=SOLVE_SCHEMA if self.guided else None,
            )
            for row in rows
        ]

    def verdicts(self, rows: Sequence[SyntheticRow], answers: Sequence[Asked]) -> list[Verdict]:
        """Return whether each answer is the stated one.

        Args:
            rows: n rows.
            answers: The answers to `requests(rows)`, in order.
        """
        return [self._verdict(row, asked) for row, asked in zip(rows, answers, strict=True)]

    def _messages(self, row: SyntheticRow) -> tuple[ChatMessage, ...]:
        text = shown_question(row.question)
        if self.under:
            text += f"\n\n{misconception_text(self.bank[row.misconception_id])}"
        return (
            ChatMessage(role="system", text=UNDER_INSTRUCTION if self.under else SOLVE_INSTRUCTION),
            ChatMessage(role="user", text=text),
        )

    def _verdict(self, row: SyntheticRow, asked: Asked) -> Verdict:
        expected = row.letter if self.under else row.question.correct
        try:
            chosen, working = read_solution(asked)
        except ReplyError as error:
            return rejected(error.reason, detail=error.detail)
        if chosen != expected:
            told = f"expected {expected}, came {chosen}: {' '.join(working.split())[:200]}"
            return rejected(MISLED_OTHERWISE if self.under else SOLVED_OTHERWISE, detail=told)
        return passed(detail=f"{chosen}, as stated")


def misconception_text(entry: Misconception) -> str:
    """Return a misconception as a language model is shown it, with its explanation where there is one."""
    told = f"Misconception: {entry.name.strip()}"
    return f"{told}\nWhat it is: {entry.explanation.strip()}" if entry.explanation else told


def read_solution(asked: Asked) -> tuple[str, str]:
    """Return the letter (or `none`) that a solver chose, and its working.

    Raises:
        ReplyError: The answer cannot be used; a letter with anything beside it is none.
    """
    value = read_object(asked, ("working", "answer"))
    chosen, working = value["answer"], value["working"]
    if chosen not in (*LETTERS, NONE) or not isinstance(working, str):
        raise ReplyError(
            NOT_PARSED, f"expected an answer A, B, C, D or none and a working in words: {asked.text[:160]}"
        )
    return chosen, working
