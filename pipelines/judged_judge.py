"""The judge judged: does it tell real labelled rows from the same rows with another misconception?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.records import Query
from eval.auc import Auc, auc
from eval.groups import question_groups
from eval.intervals import bootstrap_interval
from synth.asking import Asker
from synth.judge import Case, Judgement, Judging, read_judgement, real_cases, swapped_cases
from synth.replies import ReplyError


@dataclass(frozen=True, kw_only=True)
class JudgedCase:
    """A case and what the judge said of it: a judgement, or why there is none."""

    case: Case
    swapped: bool
    judgement: Judgement | None
    fault: str


@dataclass(frozen=True, kw_only=True)
class JudgeQuality:
    """What the judge is worth.

    Attributes:
        rows: Real rows asked about; each once with its own misconception and once with another.
        unread: Of these pairs, those in which an answer could not be used; they are left out of the rest.
        score: AUC of the score that rows are kept by; None where no pair is left.
        follows: AUC of the mark `follows` alone.
        own_higher: Share of pairs in which the own misconception gets the higher score, ties half: mean, low, high.
        kept: (threshold, share of the real rows that reach it, share of the swapped ones).
    """

    rows: int
    unread: int
    score: Auc | None
    follows: Auc | None
    own_higher: tuple[float, float, float] | None
    kept: tuple[tuple[int, float, float], ...]

    def facts(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)

    def text(self) -> str:
        """Return it as lines for a terminal."""
        asked = f"The judge, asked about {self.rows} real rows and the same with another misconception:"
        unread = f"  {self.unread} pairs could not be read" if self.unread else ""
        if self.score is None or self.follows is None or self.own_higher is None:
            return "\n".join(filter(None, [asked, unread, "  no pair is left to tell anything by"]))
        lines = [
            asked,
            unread,
            f"  AUC of its score     {_told(self.score.value, self.score.low, self.score.high)} (0.5 is a coin)",
            f"  AUC of 'follows'     {_told(self.follows.value, self.follows.low, self.follows.high)}",
            f"  own misconception higher (ties half)  {_told(*self.own_higher)}",
            "  threshold   real kept   swapped kept",
            *(f"  {threshold:9d}   {real:9.3f}   {swapped:12.3f}" for threshold, real, swapped in self.kept),
        ]
        return "\n".join(filter(None, lines))


def judge_the_judge(
    judging: Judging,
    asker: Asker,
    queries: Sequence[Query],
    *,
    rows: int,
    seed: int,
    resamples: int,
    near: Mapping[int, Sequence[int]] | None = None,
) -> tuple[JudgeQuality, list[JudgedCase]]:
    """Ask the judge about real rows and about the same rows with a swapped misconception.

    Args:
        judging: The judge.
        asker: Asks its model.
        queries: Real queries; those with a label in the bank are used.
        rows: Real rows at most.
        seed: Of the draws.
        resamples: Of the bootstrap.
        near: Swap with one of these neighbours (harder); None: with any other entry.

    Returns:
        What it is worth, and every case with its judgement: the real ones, then the swapped ones in the same order.

    Raises:
        InputError: A misconception has no other to be swapped with.
    """
    real = real_cases(queries, judging.bank, most=rows, seed=seed)
    cases = [*real, *swapped_cases(real, judging.bank, seed=seed, near=near)]
    # Neighbours on the list: a row's own misconception and its swap share the prompt's beginning.
    order = [place for pair in zip(range(len(real)), range(len(real), len(cases)), strict=True) for place in pair]
    answers = dict(zip(order, asker.ask(judging.case_requests([cases[place] for place in order])), strict=True))
    judged = []
    for place, case in enumerate(cases):
        judgement, fault = None, ""
        try:
            judgement = read_judgement(answers[place])
        except ReplyError as error:
            fault = str(error)
        judged.append(JudgedCase(case=case, swapped=place >= len(real), judgement=judgement, fault=fault))
    return quality_of(judged, seed=seed, resamples=resamples), judged


def quality_of(judged: Sequence[JudgedCase], *, seed: int, resamples: int) -> JudgeQuality:
    """Return what a judge is worth from its judgements: the real cases, then the swapped ones in the same order."""
    half = len(judged) // 2
    both = list(zip(judged[:half], judged[half:], strict=True))
    marks = [
        (one.case.question, one.judgement, other.judgement)
        for one, other in both
        if one.judgement is not None and other.judgement is not None
    ]
    if not marks:
        return JudgeQuality(rows=half, unread=half, score=None, follows=None, own_higher=None, kept=())
    groups = question_groups([question for question, _, _ in marks])
    own = np.array([[mark.score, mark.follows] for _, mark, _ in marks], dtype=np.float64)
    other = np.array([[mark.score, mark.follows] for _, _, mark in marks], dtype=np.float64)
    areas = [auc(own[:, place], other[:, place], groups, groups, seed=seed, resamples=resamples) for place in (0, 1)]
    higher = (own[:, 0] > other[:, 0]) + 0.5 * (own[:, 0] == other[:, 0])
    low, high = bootstrap_interval(higher, groups, seed=seed, resamples=resamples)
    return JudgeQuality(
        rows=half,
        unread=half - len(marks),
        score=areas[0],
        follows=areas[1],
        own_higher=(float(higher.mean()), low, high),
        kept=tuple(
            (threshold, float((own[:, 0] >= threshold).mean()), float((other[:, 0] >= threshold).mean()))
            for threshold in range(1, 11)
        ),
    )


def _told(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
