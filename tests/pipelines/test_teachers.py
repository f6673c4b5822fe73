import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from core.artifacts import write_manifest
from core.errors import InputError
from core.models import LocalModel
from core.records import Query, Question, Ranking
from core.tables import write_rankings
from pipelines.job import Job, fingerprints
from pipelines.teachers import (
    as_found,
    check_teacher,
    check_unseen,
    read_teacher,
    shown_to_teacher,
    taught_by,
    warn_of_gaps,
)

TinyJob = Callable[..., Job]


def query(number: int, *labels: int) -> Query:
    question = Question(
        id=number,
        text=f"What is {number}?",
        answers=("1", "2", "3", "4"),
        correct="A",
        labels=((), labels, (), ()),
    )
    return Query(question=question, letter="B")


def ranking(number: int, *ids: int) -> Ranking:
    return Ranking.from_scores(f"{number}_B", ids, [-float(place) for place in range(len(ids))])


def test_the_truth_is_always_among_what_a_teacher_ranks() -> None:
    queries = [query(1, 12), query(2, 14), query(3, 99), query(4, 14, 99), query(5, 99)]
    candidates = [*(ranking(number, 11, 12, 13, 14) for number in (1, 2, 3, 4)), ranking(5, 11)]
    shown = shown_to_teacher(queries, candidates, depth=3)
    assert [one.ids.tolist() for one in shown] == [
        [11, 12, 13],  # among the first three
        [11, 12, 14],  # ranked fourth
        [11, 12, 99],  # not found
        [11, 14, 99],  # two of them
        [11, 99],  # there is room
    ]
    assert [one.key for one in shown] == ["1_B", "2_B", "3_B", "4_B", "5_B"]
    assert shown[2].scores.tolist() == pytest.approx([0.0, -1.0, -1.001])


def test_labels_that_were_put_in_do_not_count() -> None:
    ranked = [ranking(1, 99, 12, 11), ranking(2, 13, 11, 12)]
    left = as_found(ranked, [ranking(1, 11, 12, 13), ranking(2, 11, 12, 13)])
    assert [one.ids.tolist() for one in left] == [[12, 11], [13, 11, 12]]
    assert left[0].scores.tolist() == [-1.0, -2.0]


def test_a_teacher_that_knows_the_labels_is_refused_unless_it_may(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    questions = [query(number, 7).question for number in range(4)]
    known = fingerprints(questions[:2])
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_manifest(folder, {"fitted_on": [*known, "0" * 16]})
    models = [
        LocalModel(name="base", folder=tmp_path, revision="1"),
        LocalModel(name="adapter", folder=folder, revision="2"),
    ]
    with pytest.raises(InputError, match=r"--reranker big: adapter was fitted on 2 of the 4 questions.*--seen-teacher"):
        check_unseen(models, questions, spec="big", allowed=False)
    check_unseen(models, questions[2:], spec="big", allowed=False)
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        check_unseen(models, questions, spec="big", allowed=True)
    assert "adapter was fitted on 2 of the 4" in caplog.text


def test_rankings_come_back_in_the_order_of_the_queries(tmp_path: Path) -> None:
    path = tmp_path / "teacher.parquet"
    write_rankings(path, [ranking(2, 5, 6), ranking(1, 6, 5), ranking(3, 5)])
    assert read_teacher(None, [query(1, 5)]) is None
    assert read_teacher(str(path), [query(1, 5), query(2, 5)]) == [ranking(1, 6, 5), ranking(2, 5, 6)]
    with pytest.raises(InputError, match=r"lacks 1 of 2 queries to train on, for example 4_B; let pipelines/teacher_r"):
        read_teacher(str(path), [query(1, 5), query(4, 5)])


def test_what_its_maker_knew_is_told_by_its_manifest(tmp_path: Path) -> None:
    path = tmp_path / "teacher.parquet"
    assert taught_by(None) == frozenset()
    write_rankings(path, [ranking(1, 5)])
    assert taught_by(str(path)) == frozenset()  # somebody else's
    write_manifest(path, {"fitted_on": ["a", "b"]})
    assert taught_by(str(path)) == {"a", "b"}


def test_a_teacher_of_other_questions_is_told_before_any_cost(tiny_job: TinyJob, tmp_path: Path) -> None:
    path = tmp_path / "teacher.parquet"
    write_rankings(path, [ranking(1, 5)])
    check_teacher(tiny_job())  # none
    with pytest.raises(InputError, match=r"lacks \d+ of \d+ queries"):
        check_teacher(tiny_job(f"lm_training.teacher={path}"))


def test_a_teacher_that_ranks_too_few_is_told(caplog: pytest.LogCaptureFixture) -> None:
    candidates = [ranking(1, 1, 2, 3, 4, 5), ranking(2, 1, 2, 3, 4, 5)]
    with caplog.at_level(logging.WARNING):
        warn_of_gaps([ranking(1, 5, 1, 2, 9), ranking(2, 1, 2, 3)], candidates, window=5)  # two are lacking
        warn_of_gaps([ranking(1, 1, 2), ranking(2, 1, 2)], candidates, window=4)
        assert not caplog.text
        warn_of_gaps([ranking(1, 1, 2), ranking(2, 1, 2, 3, 4, 5)], candidates, window=5)
    assert "of the first 5 candidates" in caplog.text and "more than two in 1 of 2 queries" in caplog.text
