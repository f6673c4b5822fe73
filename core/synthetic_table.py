"""Made questions on disk: `questions.csv` in the Eedi schema, and `rows.jsonl` that says whence each label came."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifacts import write_text
from core.faults import Faults
from core.question_table import scan_questions, write_questions
from core.records import LETTERS, Letter, Question

QUESTIONS, ROWS = "questions.csv", "rows.jsonl"


@dataclass(frozen=True, kw_only=True)
class SyntheticLabel:
    """Where one label of a synthetic question came from.

    Attributes:
        letter: The wrong answer that carries it.
        misconception_id: The label.
        key: Names the row in its maker's ledger; for procedural rows it tells task, parameters and rule.
        rationale: Why the misconception leads to this answer; may be empty.
        judge: The judge's score, or None where there was no judge.
    """

    letter: Letter
    misconception_id: int
    key: str
    rationale: str = ""
    judge: float | None = None


@dataclass(frozen=True, kw_only=True)
class SyntheticQuestion:
    """A made question and how it came about.

    Attributes:
        question: The question.
        rows: Its labels' origins, one a label.
        parents: Fingerprints (`core.fingerprint`) of the real questions that were shown as examples.
        source: `llm` or `procedural`.

    Raises:
        ValueError: The rows are not the question's labels.
    """

    question: Question
    rows: tuple[SyntheticLabel, ...]
    parents: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        stated = sorted((row.letter, row.misconception_id) for row in self.rows)
        if stated != _labels(self.question):
            raise ValueError(f"question {self.question.id}: rows {stated} are not its labels {_labels(self.question)}")


def read_synthetic(folder: Path, bank_ids: Collection[int] | None = None) -> tuple[SyntheticQuestion, ...]:
    """Read a synthetic folder.

    Args:
        folder: Holds `questions.csv` and `rows.jsonl`, a line a label: `question_id`, `misconception_id`, `letter`,
            `key`, `parents`, `source`, and `judge` (a score or null) and `rationale`, which may be missing.
        bank_ids: The ids that labels may have; None does not check them.

    Returns:
        The questions in the order of `questions.csv`.

    Raises:
        InputError: All faults of both files together.
    """
    faults = Faults()
    found = scan_synthetic(folder, faults, bank_ids=bank_ids)
    faults.raise_if_any()
    return found


def scan_synthetic(
    folder: Path, faults: Faults, *, bank_ids: Collection[int] | None = None
) -> tuple[SyntheticQuestion, ...]:
    """Read a synthetic folder as `read_synthetic` does, but note faults instead of raising; then empty."""
    missing = [name for name in (QUESTIONS, ROWS) if not (folder / name).is_file()]
    if missing:
        faults.add_message(
            f"{folder}: expected a folder of synthetic questions with {QUESTIONS} and {ROWS}, {' and '.join(missing)} "
            "is not there; make one with pipelines/synthesize.py or pipelines/procedural_questions.py"
        )
        return ()
    path = folder / ROWS
    table = scan_questions(folder / QUESTIONS, faults, bank_ids=bank_ids, require_labels=True)
    before = faults.count(path)
    lines = _read_lines(path, faults)
    if table is None or faults.count(path) > before:
        return ()
    by_question: dict[int, list[dict[str, Any]]] = {}
    for line in lines:
        by_question.setdefault(line["question_id"], []).append(line)
    made = []
    for question in table.questions:
        own = by_question.pop(question.id, [])
        stated = sorted((line["letter"], line["misconception_id"]) for line in own)
        if stated != _labels(question):
            faults.add(
                path, f"expected a line for each label of question {question.id}, {_labels(question)}; came {stated}"
            )
            continue
        made.append(_question(question, own))
    for id in by_question:
        faults.add(path, f"question {id} is not in {QUESTIONS}")
    return () if faults.count(path) > before else tuple(made)


def write_synthetic(folder: Path, questions: Sequence[SyntheticQuestion]) -> None:
    """Write a synthetic folder, made where it is missing; the same questions give the same bytes.

    Each file appears only when it is whole. A reader refuses a folder whose two files do not belong together.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "question_id": made.question.id,
                "misconception_id": row.misconception_id,
                "letter": row.letter,
                "key": row.key,
                "parents": list(made.parents),
                "source": made.source,
                "rationale": row.rationale,
                "judge": row.judge,
            },
            ensure_ascii=False,
        )
        for made in questions
        for row in made.rows
    ]
    write_questions(folder / QUESTIONS, [made.question for made in questions])
    write_text(folder / ROWS, "".join(f"{line}\n" for line in lines))


def _labels(question: Question) -> list[tuple[str, int]]:
    return sorted((letter, id) for letter in LETTERS for id in question.labels_of(letter))


def _read_lines(path: Path, faults: Faults) -> list[dict[str, Any]]:
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if fault := _fault(line):
            faults.add(path, fault, line=number)
        else:
            lines.append(line)
    return lines


def _fault(line: object) -> str | None:
    if not isinstance(line, dict):
        return "expected a JSON object"
    wanted = {"question_id": int, "misconception_id": int, "letter": str, "key": str, "parents": list, "source": str}
    for name, kind in wanted.items():
        if not isinstance(line.get(name), kind) or isinstance(line.get(name), bool):
            return f"expected {name} to be of type {kind.__name__}, came {line.get(name)!r}"
    if not all(isinstance(parent, str) for parent in line["parents"]):
        return "expected parents to be texts (fingerprints of real questions)"
    if not isinstance(line.get("judge"), int | float | None):
        return f"expected judge to be a number or null, came {line['judge']!r}"
    return None


def _question(question: Question, lines: Sequence[dict[str, Any]]) -> SyntheticQuestion:
    rows = tuple(
        SyntheticLabel(
            letter=line["letter"],
            misconception_id=line["misconception_id"],
            key=line["key"],
            rationale=line.get("rationale") or "",
            judge=line.get("judge"),
        )
        for line in lines
    )
    parents = tuple(dict.fromkeys(parent for line in lines for parent in line["parents"]))
    return SyntheticQuestion(question=question, rows=rows, parents=parents, source=lines[0]["source"])
