"""The checks of `synthesize.py`, from the config: what a made row must pass, the cheap ones before those that ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from core.errors import ConfigError
from core.records import Misconception, Question
from pipelines.job import Job
from pipelines.synthesis_settings import SynthesisSettings
from synth.arithmetic import arithmetic_verdict
from synth.asking import Asker, Request
from synth.chain import Check
from synth.duplicates import TextVectors, duplicate_verdicts
from synth.formula import sympy_fault
from synth.judge import Judging
from synth.leaks import leak_verdicts
from synth.ledger import Asked
from synth.nearness import Vectors
from synth.question_text import shown_question
from synth.rows import SyntheticRow
from synth.solving import Solving
from synth.verdicts import Verdict, passed

Embed = Callable[[Sequence[str]], Vectors]
"""Texts to vectors of length 1."""


class RequestedCheck(Protocol):
    """A check that asks a language model: pure, but for the asking."""

    def requests(self, rows: Sequence[SyntheticRow]) -> list[Request]:
        """Return a request a row."""
        ...

    def verdicts(self, rows: Sequence[SyntheticRow], answers: Sequence[Asked]) -> list[Verdict]:
        """Return a verdict a row, from the answers to `requests`."""
        ...


class AskedCheck:
    """A check whose requests go through an asker, and so through the ledger.

    Args:
        name: The check's name.
        part: Makes requests and reads answers.
        asker: Asks.
    """

    def __init__(self, name: str, part: RequestedCheck, asker: Asker) -> None:
        self.name = name
        self._part = part
        self._asker = asker

    def verdicts(self, rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow]) -> list[Verdict]:
        """See `synth.chain.Check`."""
        return self._part.verdicts(rows, self._asker.ask(self._part.requests(rows)))


class ArithmeticCheck:
    """sympy on what it can work out; the rest passes, and says that it was not computed."""

    name = "arithmetic"

    def verdicts(self, rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow]) -> list[Verdict]:
        """See `synth.chain.Check`."""
        return [arithmetic_verdict(row.question) or passed(detail="not computed") for row in rows]


class QuestionVectors:
    """Embeddings of questions, each text computed once.

    Args:
        embed: Computes them; None where texts are compared without them.
    """

    def __init__(self, embed: Embed | None) -> None:
        self._embed = embed
        self._known: dict[str, Vectors] = {}

    def pair(self, rows: Sequence[SyntheticRow], known: Sequence[Question]) -> TextVectors | None:
        """Return the embeddings of made rows and of real questions, or None where there is nothing to embed with."""
        if self._embed is None or not rows:
            return None
        made = [shown_question(row.question) for row in rows]
        real = [shown_question(question) for question in known]
        new = list(dict.fromkeys(text for text in (*made, *real) if text not in self._known))
        if new:
            self._known |= dict(zip(new, self._embed(new), strict=True))
        vectors = np.stack([self._known[text] for text in (*made, *real)])
        return TextVectors(rows=vectors[: len(made)], known=vectors[len(made) :])


class DuplicateCheck:
    """New rows against those kept before, against one another, and against real questions.

    Args:
        training: Questions to train on beside the made ones.
        vectors: Embeds; None compares texts alone.
        near: See `synth.duplicates.duplicate_verdicts`.
    """

    name = "duplicate"

    def __init__(self, training: Sequence[Question], vectors: QuestionVectors | None, near: float) -> None:
        self._training = training
        self._vectors = vectors
        self._near = near

    def verdicts(self, rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow]) -> list[Verdict]:
        """See `synth.chain.Check`."""
        everything = [*kept, *rows]
        pair = self._vectors.pair(everything, self._training) if self._vectors is not None else None
        found = duplicate_verdicts(everything, self._training, vectors=pair, near=self._near, earlier=len(kept))
        return found[len(kept) :]


class LeakCheck:
    """New rows against the questions that something is measured on.

    Args:
        held_out: Validation and test questions.
        vectors: Embeds; None compares texts alone.
        near: See `synth.leaks.leak_verdicts`.
        words: See there.
    """

    name = "leak"

    def __init__(
        self, held_out: Sequence[Question], vectors: QuestionVectors | None, *, near: float, words: int
    ) -> None:
        self._held_out = held_out
        self._vectors = vectors
        self._near = near
        self._words = words

    def verdicts(self, rows: Sequence[SyntheticRow], kept: Sequence[SyntheticRow]) -> list[Verdict]:
        """See `synth.chain.Check`."""
        pair = self._vectors.pair(rows, self._held_out) if self._vectors is not None and self._held_out else None
        return leak_verdicts(rows, self._held_out, vectors=pair, near=self._near, words=self._words)


def synthesis_checks(
    job: Job,
    *,
    bank: Mapping[int, Misconception],
    asker: Asker,
    judge: Asker,
    embed: Embed | None,
    training: Sequence[Question],
    held_out: Sequence[Question],
    similar: Mapping[int, Sequence[int]] | None = None,
) -> list[Check]:
    """Return the checks that a config asks for, in the order in which rows pass them.

    What costs nothing comes first, then solving without and under the misconception, then the judge. Duplicates come
    last: a copy must not drive out a row and then be rejected itself.

    Args:
        job: The job, for its config.
        bank: The misconceptions by id.
        asker: Asks the model that solves.
        judge: Asks the model that judges; may be the same.
        embed: Stage 1's encoder; None compares texts without embeddings.
        training: Real questions to train on beside the made ones.
        held_out: Validation and test questions, which no row may repeat.
        similar: Ids of each misconception's neighbours, shown to the judge.
    """
    settings = job.settings.synthesis
    vectors = QuestionVectors(embed) if embed is not None else None
    leaks, duplicates = settings.leaks, settings.duplicates
    checks: list[Check] = [ArithmeticCheck()] if settings.arithmetic else []
    near = vectors if leaks.near is not None else None
    checks.append(LeakCheck(held_out, near, near=leaks.near or 1.0, words=leaks.words))
    for under in (False, True) if settings.solve else ():
        solving = Solving(
            bank=bank, under=under, max_tokens=settings.solve_max_tokens, seed=settings.seed, guided=settings.guide
        )
        checks.append(AskedCheck(solving.task, solving, asker))
    if settings.judge.enabled:
        checks.append(AskedCheck("judge", judging(settings, bank, similar), judge))
    near = vectors if duplicates.near is not None else None
    checks.append(DuplicateCheck(training, near, duplicates.near or 1.0))
    return checks


def check_sympy(settings: SynthesisSettings) -> None:
    """Refuse to begin where sympy is wanted and not there.

    Raises:
        ConfigError: Says what to install, or to switch off.
    """
    if settings.arithmetic and (fault := sympy_fault()):
        raise ConfigError(f"synthesis.arithmetic: {fault}")


def judging(
    settings: SynthesisSettings,
    bank: Mapping[int, Misconception],
    similar: Mapping[int, Sequence[int]] | None = None,
) -> Judging:
    """Return the judge that a config asks for."""
    return Judging(
        bank=bank,
        threshold=settings.judge.threshold,
        similar=similar or {},
        instruction=settings.judge.instruction,
        max_tokens=settings.judge.max_tokens,
        seed=settings.seed,
        guided=settings.guide,
    )
