"""A language model judges rows by a rubric, 0 to 10; and whether its judgement is worth anything is measured.

The judge is not shown the writer's rationale, so that it has to find the way from the misconception to the answer by
itself, and so that real rows, which have none, look the same to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.chat_writer import ChatMessage
from core.errors import InputError
from core.records import Letter, Misconception, Query, Question
from core.text import normalise
from synth.asking import Request
from synth.ledger import Asked
from synth.question_text import shown_question
from synth.reasons import BELOW, NOT_PARSED
from synth.replies import ReplyError, object_schema, read_object
from synth.rows import SyntheticRow
from synth.solving import misconception_text
from synth.verdicts import Verdict, passed, rejected

TASK = "judge"
CHECK_TASK = "judge-check"
"""Requests that judge the judge, told apart in the ledger from those that serve a made row."""
CRITERIA = ("follows", "right", "clear", "level")
JUDGE_INSTRUCTION = (
    "You judge multiple-choice questions of school mathematics that are meant to reveal a misconception. You are given "
    "a question with four answers, the answer that is said to be right, the wrong answer that is said to come from the "
    "misconception, and the misconception. Work the question out yourself, then again as a student with this "
    "misconception. Be strict: give 10 only where nothing is to be said against it. Judge four things, each with a "
    "whole number from 0 to 10:\n"
    "follows: does the wrong answer follow from exactly this misconception? 10: a student who holds it arrives at this "
    "answer, and other mistakes hardly would; 5: it could be, but so could a slip or another misconception; 0: this "
    "misconception has nothing to do with it.\n"
    "right: is the answer that is said to be right indeed right, and the only one? 10 or 0, seldom between.\n"
    "clear: is the question complete and can it be read in one way only, without a picture that is not there?\n"
    "level: does it suit pupils who are learning this topic, and does it look like a teacher's question?\n"
    'Reply with one JSON object and nothing else: {"comment": one or two sentences, "follows": n, "right": n, '
    '"clear": n, "level": n}.'
)
_MARK: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 10}
JUDGE_SCHEMA = object_schema(comment={"type": "string"}, **dict.fromkeys(CRITERIA, _MARK))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a judge is asked about: a question, one wrong answer of it, and a misconception said to lead there."""

    key: str
    question: Question
    letter: Letter
    misconception_id: int


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a judge said of one case.

    Attributes:
        follows: Whether the wrong answer follows from exactly this misconception, 0 to 10.
        right: Whether the stated answer is right, and alone right.
        clear: Whether the question is complete and clear.
        level: Whether it is of the right level.
        comment: Why.
    """

    follows: int
    right: int
    clear: int
    level: int
    comment: str

    @property
    def score(self) -> int:
        """The lowest of the four: a row is as good as its weakest side."""
        return min(self.follows, self.right, self.clear, self.level)

    @property
    def told(self) -> str:
        """All marks and the comment in a line."""
        marks = ", ".join(f"{name} {getattr(self, name)}" for name in CRITERIA)
        return f"{marks}: {' '.join(self.comment.split())[:300]}"


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The judge's check.

    Attributes:
        bank: The misconceptions by id.
        threshold: Rows whose score is below it are left out; 0 to 10.
        similar: Ids of a misconception's neighbours, shown so that `exactly this one` means something; may be empty.
        instruction: What the judge is told first; it must ask for the same JSON object.
        max_tokens: Longest answer.
        seed: Of the sampling.
        guided: Give the engine the JSON schema.
    """

    bank: Mapping[int, Misconception]
    threshold: float = 7.0
    similar: Mapping[int, Sequence[int]] = field(default_factory=dict)
    instruction: str = JUDGE_INSTRUCTION
    max_tokens: int = 256
    seed: int = 0
    guided: bool = True

    def requests(self, rows: Sequence[SyntheticRow]) -> list[Request]:
        """Return one request a row."""
        return self.case_requests([case_of(row) for row in rows])

    def verdicts(self, rows: Sequence[SyntheticRow], answers: Sequence[Asked]) -> list[Verdict]:
        """Return whether each row reaches the threshold, with its score.

        Args:
            rows: n rows.
            answers: The answers to `requests(rows)`, in order.
        """
        return [self._verdict(asked) for _, asked in zip(rows, answers, strict=True)]

    def case_requests(self, cases: Sequence[Case], *, task: str = TASK) -> list[Request]:
        """Return one request a case, real or made; `task` is its name in the ledger."""
        return [
            Request(
                task=task,
                row=case.key,
                messages=(
                    ChatMessage(role="system", text=self.instruction),
                    ChatMessage(role="user", text=self._text(case)),
                ),
                max_tokens=self.max_tokens,
                seed=self.seed,
                schema=JUDGE_SCHEMA if self.guided else None,
            )
            for case in cases
        ]

    def _text(self, case: Case) -> str:
        """Return the user's message; what a swapped case has in common with the real one stands first."""
        lines = [
            shown_question(case.question, with_topic=True),
            f"Said to be right: {case.question.correct}",
            f"Said to come from the misconception: {case.letter}",
            misconception_text(self.bank[case.misconception_id]),
        ]
        near = [self.bank[id].name.strip() for id in self.similar.get(case.misconception_id, ())]
        if near:
            lines.append("Similar misconceptions, which are not meant:\n" + "\n".join(f"- {name}" for name in near))
        return "\n".join(lines)

    def _verdict(self, asked: Asked) -> Verdict:
        try:
            judged = read_judgement(asked)
        except ReplyError as error:
            return rejected(error.reason, detail=error.detail)
        if judged.score < self.threshold:
            return rejected(BELOW, detail=judged.told, score=float(judged.score))
        return passed(detail=judged.told, score=float(judged.score))


def read_judgement(asked: Asked) -> Judgement:
    """Return what a judge said.

    Raises:
        ReplyError: The answer cannot be used; a mark that is no whole number from 0 to 10 makes it so.
    """
    value = read_object(asked, ("comment", *CRITERIA))
    marks = [value[name] for name in CRITERIA]
    if not all(type(mark) is int and 0 <= mark <= 10 for mark in marks) or not isinstance(value["comment"], str):
        raise ReplyError(NOT_PARSED, f"expected marks from 0 to 10 and a comment: {asked.text[:160]}")
    return Judgement(**value)


def case_of(row: SyntheticRow) -> Case:
    """Return what a judge is asked about a made row."""
    return Case(key=row.key, question=row.question, letter=row.letter, misconception_id=row.misconception_id)


def real_cases(queries: Sequence[Query], bank: Mapping[int, Misconception], *, most: int, seed: int) -> list[Case]:
    """Return labelled real rows for a judge to be judged by, drawn without repetition.

    Args:
        queries: Queries; those without a label in the bank are passed over. Of several labels the first is taken.
        bank: The misconceptions by id.
        most: How many at most.
        seed: Of the draw.
    """
    labelled = [query for query in queries if query.labels and query.labels[0] in bank]
    drawn = np.random.default_rng(seed).permutation(len(labelled))[:most].tolist()
    return [
        Case(key=f"real {query.key}", question=query.question, letter=query.letter, misconception_id=query.labels[0])
        for query in (labelled[row] for row in sorted(drawn))
    ]


def swapped_cases(
    cases: Sequence[Case],
    bank: Mapping[int, Misconception],
    *,
    seed: int,
    near: Mapping[int, Sequence[int]] | None = None,
) -> list[Case]:
    """Return the same rows, each with a misconception that is not its own.

    Args:
        cases: Real rows.
        bank: The misconceptions by id.
        seed: Of the draw.
        near: Ids of a misconception's neighbours: the swap is drawn from these, which is harder to tell; None: from
            the whole bank.

    Raises:
        InputError: A row's misconception has no other to be swapped with.
    """
    generator = np.random.default_rng(seed)
    everything = sorted(bank)
    swapped = []
    for case in cases:
        own = set(case.question.labels_of(case.letter)) | {case.misconception_id}
        names = {normalise(bank[id].name) for id in own if id in bank}
        pool = everything if near is None else near.get(case.misconception_id, ())
        others = [id for id in pool if id not in own and normalise(bank[id].name) not in names]
        if not others:
            raise InputError(
                f"{case.key}: misconception {case.misconception_id} has no other to be swapped with: draw from more "
                "neighbours, or from the whole bank"
            )
        other = others[int(generator.integers(len(others)))]
        swapped.append(replace(case, key=f"{case.key} as {other}", misconception_id=other))
    return swapped
