import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InputError
from core.fingerprint import fingerprint
from core.records import Question
from core.synthetic_table import SyntheticLabel, SyntheticQuestion, write_synthetic
from pipelines.job import Job
from pipelines.synthetic_rows import allowed_rows, read_rows, synthetic_rows, thinned


def made(question: Question, *parents: str) -> SyntheticQuestion:
    rows = tuple(
        SyntheticLabel(letter=letter, misconception_id=id, key=f"{letter}{id}")  # type: ignore[arg-type]
        for letter in "ABCD"
        for id in question.labels_of(letter)  # type: ignore[arg-type]
    )
    return SyntheticQuestion(question=question, rows=rows, parents=parents, source="llm")


def fresh(id: int, *labels: int) -> Question:
    found = [(label,) for label in labels] + [()] * (3 - len(labels))
    return Question(id=id, text=f"made {id}", answers=("1", "2", "3", "4"), correct="A", labels=((), *found))


def with_made(job: Job, *rows: SyntheticQuestion) -> Job:
    return replace(job, inputs=replace(job.inputs, synthetic=rows))


def test_rows_that_tell_of_held_out_questions_are_left_out(tiny_job: Callable[..., Job]) -> None:
    job = tiny_job()
    fitted, held_out, test = job.train[:40], job.train[40:], job.test
    label = next(found[0] for found in fitted[0].labels if found)
    rows = [
        made(fresh(1, label)),
        made(fresh(2, label), fingerprint(fitted[3])),
        made(fresh(3, label), fingerprint(fitted[3]), fingerprint(held_out[0])),
        made(fresh(4, label), "a question that nobody knows"),
        made(replace(fresh(5, label), text=f"  {held_out[1].text.upper()} ")),
        made(replace(fresh(6, label), text=test[2].text)),
        made(replace(fresh(7, label), text=fitted[5].text)),
    ]
    assert [one.id for one in allowed_rows(job, rows, fitted)] == [1, 2, 7]
    assert [one.id for one in allowed_rows(job, rows, job.train)] == [1, 2, 3, 5, 7]


def test_the_config_chooses_among_them(tiny_job: Callable[..., Job]) -> None:
    job = tiny_job("synthetic.labels=unseen")
    seen = next(found[0] for question in job.train[:40] for found in question.labels if found)
    known = {label for question in job.train[:40] for found in question.labels for label in found}
    new = next(entry.id for entry in job.bank if entry.id not in known)
    rows = [made(fresh(1, seen)), made(fresh(2, seen, new)), made(fresh(3, new))]
    kept = synthetic_rows(with_made(job, *rows), job.train[:40])
    assert [(one.id, one.labels) for one in kept] == [(2, ((), (), (new,), ())), (3, ((), (new,), (), ()))]
    half = tiny_job("synthetic.share=0.5")
    few = job.train[:2]
    real = sum(len(found) for question in few for found in question.labels)
    kept = synthetic_rows(with_made(half, *[made(fresh(n, seen)) for n in range(20)]), few)
    assert len(kept) == real  # half of the rows are made ones


def test_where_none_is_left_it_is_said(tiny_job: Callable[..., Job], caplog: pytest.LogCaptureFixture) -> None:
    job = tiny_job()
    caplog.set_level(logging.WARNING, logger="pipelines")
    assert synthetic_rows(with_made(job, made(fresh(1, 0), "unknown")), job.train) == []
    assert "none of the 1 made questions may be trained on" in caplog.text
    assert synthetic_rows(job, job.train) == []


def test_the_most_frequent_labels_are_thinned_first() -> None:
    questions = [fresh(n, 1) for n in range(10)] + [fresh(n, 2) for n in range(10, 13)] + [fresh(20, 3)]
    kept = thinned(questions, most=7, seed=0)
    assert Counter(label for one in kept for own in one.labels for label in own) == {1: 3, 2: 3, 3: 1}
    assert kept == [one for one in questions if one in kept]
    assert kept != thinned(questions, most=7, seed=5)
    assert thinned(questions, most=100, seed=0) == questions
    assert len(thinned(questions, most=0, seed=0)) == 1


def test_a_folder_is_read_for_a_stage(tiny_job: Callable[..., Job], tmp_path: Path) -> None:
    job = tiny_job()
    label = job.bank[0].id
    write_synthetic(tmp_path / "some", [made(fresh(1, label)), made(fresh(2, label), "unknown")])
    assert [one.id for one in read_rows(job, tmp_path / "some", job.train)] == [1]
    write_synthetic(tmp_path / "none", [made(fresh(2, label), "unknown")])
    with pytest.raises(InputError, match="none of its 1 questions may be trained on"):
        read_rows(job, tmp_path / "none", job.train)
