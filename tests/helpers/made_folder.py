"""A folder of made questions: `questions.csv` and a line a label in `rows.jsonl`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.records import LETTERS, Question
from core.tables import write_questions


def write_made(folder: Path, questions: Sequence[Question], parents: Mapping[int, Sequence[str]]) -> list[str]:
    """Write the folder and return the lines of `rows.jsonl`.

    Args:
        folder: Made where it is missing.
        questions: Labelled.
        parents: Of a question, by its id, the fingerprints of real ones; none where it is not told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_questions(folder / "questions.csv", list(questions))
    lines = [
        json.dumps(
            {
                "question_id": question.id,
                "misconception_id": label,
                "letter": letter,
                "key": f"{question.id}-{letter}",
                "parents": list(parents.get(question.id, ())),
                "source": "llm",
            }
        )
        for question in questions
        for letter in LETTERS
        for label in question.labels_of(letter)
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return lines
