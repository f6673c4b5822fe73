"""What became of every row that was asked for, and what it all cost: the ledger of rows and its summary."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.artifacts import atomic_path, write_text
from core.records import Misconception
from core.tables import write_questions
from synth.chain import Checked
from synth.costs import Costs
from synth.ledger import Asked
from synth.parsing import Written
from synth.reasons import counted
from synth.rows import SyntheticRow
from synth.verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attempt at a row.

    Attributes:
        key: Names the attempt.
        misconception_id: What it was written for.
        asked: The request that wrote it; the checks' requests carry the same `row` in the ledger.
        parents: Fingerprints of the real questions that its prompt showed.
        written: What was parsed; None where nothing was.
        row: The row; None where it broke a rule.
        verdicts: (check, verdict) up to the first rejection, or all.
    """

    key: str
    misconception_id: int
    asked: Asked
    parents: tuple[str, ...]
    written: Written | None
    row: SyntheticRow | None
    verdicts: tuple[tuple[str, Verdict], ...]

    @property
    def accepted(self) -> bool:
        """Whether the row is kept."""
        return self.row is not None and all(verdict.accepted for _, verdict in self.verdicts)

    @property
    def rejection(self) -> tuple[str, Verdict] | None:
        """The check that rejected it and its verdict; None where it is kept."""
        return next(((name, verdict) for name, verdict in self.verdicts if not verdict.accepted), None)

    def score(self, check: str) -> float | None:
        """Return the score that a check gave, or None."""
        return next((verdict.score for name, verdict in self.verdicts if name == check), None)

    def with_checks(self, checked: Checked) -> "Outcome":
        """Return the outcome after further checks."""
        return replace(self, verdicts=(*self.verdicts, *checked.verdicts))


def outcome_line(outcome: Outcome, requests: Sequence[Asked]) -> dict[str, Any]:
    """Return a row of the ledger of rows, JSON-able.

    Args:
        outcome: The attempt.
        requests: All requests that served it, its writing first.
    """
    asked, rejection = outcome.asked, outcome.rejection
    return {
        "key": outcome.key,
        "misconception_id": outcome.misconception_id,
        "accepted": outcome.accepted,
        "rejected_by": rejection[0] if rejection else None,
        "reason": rejection[1].reason if rejection else None,
        "detail": rejection[1].detail if rejection else "",
        "verdicts": [{"check": name, **asdict(verdict)} for name, verdict in outcome.verdicts],
        "judge_score": outcome.score("judge"),
        "question_id": outcome.row.question.id if outcome.accepted and outcome.row else None,
        "written": asdict(outcome.written) if outcome.written else None,
        "parents": list(outcome.parents),
        "engine": asked.engine,
        "model": asked.model,
        "revision": asked.revision,
        "prompt_hash": asked.prompt_hash,
        "seed": asked.seed,
        "temperature": asked.temperature,
        "max_tokens": asked.max_tokens,
        "requests": [{"task": one.task, "key": one.key, "model": one.model} for one in requests],
        "prompt_tokens": sum(one.prompt_tokens for one in requests),
        "output_tokens": sum(one.output_tokens for one in requests),
        "seconds": round(sum(one.seconds for one in requests), 3),
    }


def write_outcomes(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the ledger of rows, a JSON line each, atomically."""
    write_text(path, "".join(json.dumps(dict(line)) + "\n" for line in lines))


def write_rows(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the accepted rows as a synthetic folder: `questions.csv` (Eedi schema) and `rows.jsonl`.

    Both are whole or as they were; a reader that finds a question without its line, or the reverse, must refuse.

    Args:
        folder: The folder.
        outcomes: Accepted attempts.
    """
    rows = [(outcome.row, outcome.score("judge")) for outcome in outcomes if outcome.row is not None]
    lines = [
        {
            "question_id": row.question.id,
            "misconception_id": row.misconception_id,
            "letter": row.letter,
            "key": row.key,
            "parents": list(row.parents),
            "source": row.source,
            "rationale": row.rationale,
            "judge": score,
        }
        for row, score in rows
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "rows.jsonl") as unfinished:
        unfinished.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8", newline="\n")
        write_questions(folder / "questions.csv", [row.question for row, _ in rows])


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many of the bank's misconceptions have an example.

    Attributes:
        bank: Misconceptions in the bank.
        real: With a real example.
        real_or_made: With a real or an accepted example.
        newly: With an accepted example and no real one.
        wanted: Misconceptions that rows were asked for.
        reached: Those with as many accepted rows as were wanted at least.
    """

    bank: int
    real: int
    real_or_made: int
    newly: int
    wanted: int
    reached: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a run came to.

    Attributes:
        attempts: Attempts at rows.
        accepted: Rows kept.
        rejected: `check: reason` -> attempts, most frequent first, ties by name.
        costs: Of this run, of these settings, and of all runs.
        asked_now: Requests that this run sent.
        reused: Requests that this run found answered in the ledger.
        unused: Requests in the ledger that serve no attempt of this run: of other settings.
        coverage: Before and after.
    """

    attempts: int
    accepted: int
    rejected: Mapping[str, int]
    costs: Costs
    asked_now: int
    reused: int
    unused: int
    coverage: Coverage


def rejections(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return `check: reason` -> attempts, most frequent first, ties by name."""
    told = (outcome.rejection for outcome in outcomes)
    counts = Counter(counted(check, verdict.reason) for check, verdict in filter(None, told))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def coverage_of(
    bank: Sequence[Misconception],
    real: Mapping[int, int],
    outcomes: Sequence[Outcome],
    *,
    wanted: Mapping[int, int],
) -> Coverage:
    """Return how much of the bank has an example.

    Args:
        bank: The misconceptions.
        real: Real labelled answers of each id.
        outcomes: All attempts.
        wanted: Rows wanted at least of each id that was asked for.
    """
    made = Counter(outcome.misconception_id for outcome in outcomes if outcome.accepted)
    before = {entry.id for entry in bank if real.get(entry.id, 0)}
    after = before | set(made)
    return Coverage(
        bank=len(bank),
        real=len(before),
        real_or_made=len(after),
        newly=len(after) - len(before),
        wanted=len(wanted),
        reached=sum(made[id] >= least for id, least in wanted.items()),
    )
