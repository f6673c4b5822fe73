"""Synthetic rows: those written from questions that are not fitted on are left out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError
from core.tables import write_questions
from pipelines.job import Job, fingerprints
from pipelines.synthetic_rows import read_rows


def test_rows_from_held_out_questions_are_left_out(tiny_job: Callable[..., Job], tmp_path: Path) -> None:
    job = tiny_job()
    fitted, held_out = job.train[:40], job.train[40:]
    made = [replace(q, id=9000 + n, text=f"{q.text} made {n}") for n, q in enumerate(fitted[:4])]
    copy = replace(held_out[0], id=9100)
    write_questions(tmp_path / "questions.csv", [*made, copy])
    (inside,), (outside,) = fingerprints(fitted[:1]), fingerprints(held_out[:1])
    parents = {9000: [], 9001: [inside], 9002: [outside], 9003: [inside, outside], 9100: []}
    lines = [json.dumps({"question_id": id, "parents": of}) for id, of in parents.items()]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [q.id for q in read_rows(job, tmp_path, fitted)] == [9000, 9001]
    assert [q.id for q in read_rows(job, tmp_path, job.train)] == [9000, 9001, 9002, 9003, 9100]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:2]) + "\n{no", encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.jsonl, line 3"):
        read_rows(job, tmp_path, fitted)
    (tmp_path / "rows.jsonl").write_text(lines[0], encoding="utf-8")
    with pytest.raises(InputError, match=r"4 of the 5 questions .* have no line"):
        read_rows(job, tmp_path, fitted)
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(InputError, match="there is no such file"):
        read_rows(job, tmp_path, fitted)
