"""Synthetic questions as training rows: read from their folder, without those that were written from held-out ones."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError
from core.records import Question
from core.tables import read_questions
from pipelines.job import Job, fingerprints

logger = logging.getLogger(__name__)

QUESTIONS, ROWS = "questions.csv", "rows.jsonl"


def read_rows(job: Job, folder: Path, fitted: Sequence[Question]) -> list[Question]:
    """Return the synthetic questions that may teach a model which is fitted on some real ones.

    A question that was written with a real one as its example tells of it. Where that one is not fitted on, it may be
    held out to measure the model, so the synthetic one is left out, and so is a copy of such a question; both counted.

    Args:
        job: Names the bank, and all real questions.
        folder: `questions.csv` in the Eedi schema, and `rows.jsonl`: of each question its `question_id` and `parents`,
            the fingerprints of the real questions that were shown as examples.
        fitted: The real questions that are fitted on.

    Raises:
        InputError: A file is missing or wrong, or no row is left.
    """
    questions = read_questions(
        folder / QUESTIONS, bank_ids={entry.id for entry in job.bank}, require_labels=True
    ).questions
    parents = _parents(folder / ROWS)
    if missing := [question.id for question in questions if question.id not in parents]:
        raise InputError(
            f"{folder / ROWS}: {len(missing)} of the {len(questions)} questions of {QUESTIONS} have no line here (for "
            f"example {missing[0]}); nobody can tell which real questions they were written from"
        )
    allowed = set(fingerprints(fitted))
    held_out = set(fingerprints(job.train)) - allowed
    kept = [
        question
        for question in questions
        if allowed.issuperset(parents[question.id]) and held_out.isdisjoint(fingerprints([question]))
    ]
    if not kept:
        raise InputError(
            f"{folder}: none of its {len(questions)} questions may be trained on: each was written from, or repeats, a "
            "real question that is not fitted on"
        )
    logger.info(
        "%s: %d synthetic questions, %d left out (written from, or copies of, questions that are not fitted on)",
        folder,
        len(kept),
        len(questions) - len(kept),
    )
    return kept


def _parents(path: Path) -> dict[int, tuple[str, ...]]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected the folder of a synthesis, with {QUESTIONS} and it")
    found: dict[int, tuple[str, ...]] = {}
    faults = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            found[int(row["question_id"])] = tuple(str(parent) for parent in row["parents"])
        except (ValueError, KeyError, TypeError) as error:
            faults.append(f"{path}, line {number}: expected an object with question_id and parents ({error!r})")
    if faults:
        raise InputError(faults[:10])
    return found
