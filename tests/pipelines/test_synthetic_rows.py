"""Synthetic rows: those written from questions that are not fitted on are left out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_rows import write_made

from core.errors import InputError
from pipelines.job import Job, fingerprints
from pipelines.synthetic_rows import read_rows


def test_rows_from_held_out_questions_are_left_out(tiny_job: Callable[..., Job], tmp_path: Path) -> None:
    job = tiny_job()
    fitted, held_out = job.train[:40], job.train[40:]
    made = [replace(q, id=9000 + n, text=f"{q.text} made {n}") for n, q in enumerate(fitted[:4])]
    copy = replace(held_out[0], id=9100)
    (inside,), (outside,) = fingerprints(fitted[:1]), fingerprints(held_out[:1])
    parents = {9001: [inside], 9002: [outside], 9003: [inside, outside]}
    lines = write_made(tmp_path, [*made, copy], parents)
    assert [q.id for q in read_rows(job, tmp_path, fitted)] == [9000, 9001]
    assert [q.id for q in read_rows(job, tmp_path, job.train)] == [9000, 9001, 9002, 9003, 9100]
    without = [line for line in lines if not line.startswith('{"question_id": 9000,')]
    for faulty in ([*lines, "{no"], without):
        (tmp_path / "rows.jsonl").write_text("\n".join(faulty), encoding="utf-8")
        with pytest.raises(InputError, match=r"rows\.jsonl"):
            read_rows(job, tmp_path, fitted)
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(InputError, match=r"rows\.jsonl"):
        read_rows(job, tmp_path, fitted)
