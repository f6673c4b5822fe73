import csv
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.records import Question, queries_of
from eval.groups import question_groups
from eval.splits import question_folds, seen_labels, strip_labels, unseen_share, unseen_split


def question(id: int, *labels: tuple[int, ...], text: str = "") -> Question:
    b, c, d = (*labels, (), (), ())[:3]
    return Question(
        id=id, text=text or f"question {id}", answers=("1", "2", "3", "4"), correct="A", labels=((), b, c, d)
    )


def made(n: int, *, labels: int, seed: int) -> list[Question]:
    """Questions with up to three labels each, frequent and rare ones; every seventh repeats an earlier text."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, labels + 1)
    weights /= weights.sum()
    questions = []
    for id in range(n):
        count = int(rng.integers(0, 4))
        found = [(int(label),) for label in rng.choice(labels, size=count, p=weights)]
        questions.append(question(id, *found, text=f"question {id - 3}" if id % 7 == 6 else ""))
    return questions


def sides(train: tuple[Question, ...], validation: tuple[Question, ...]) -> set[str]:
    return {q.text for q in train} & {q.text for q in validation}


def test_folds_divide_the_questions_and_keep_copies_together() -> None:
    questions = made(140, labels=30, seed=1)
    splits = question_folds(questions, k=5, seed=0)
    assert sorted(q.id for split in splits for q in split.validation) == list(range(140))
    for split in splits:
        assert not sides(split.train, split.validation)
        assert len(split.train) + len(split.validation) == 140
        assert [q.id for q in split.train] == sorted(q.id for q in split.train)
    sizes = [len(queries_of(split.validation, labelled_only=True)) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    assert splits == question_folds(questions, k=5, seed=0)
    assert splits != question_folds(questions, k=5, seed=1)


@pytest.mark.parametrize("seed", range(5))
def test_the_largest_groups_are_dealt_first(seed: int) -> None:
    questions = [question(0, (1,), (2,), (3,)), question(1, (1,)), question(2, (1,)), question(3, (1,))]
    split = question_folds(questions, k=2, seed=seed)[0]
    assert {len(split.train), len(split.validation)} == {1, 3}  # three labelled queries on either side


@pytest.mark.parametrize("k", [1, 4])
def test_impossible_numbers_of_folds(k: int) -> None:
    with pytest.raises(InputError, match="from 2 to 3"):
        question_folds([question(1), question(2), question(3)], k=k, seed=0)


def test_share_and_seen_labels_by_hand() -> None:
    train = [question(1, (5,), (6, 7))]
    validation = [question(2, (5,), (8,)), question(3, (8, 7), (9, 10))]
    assert seen_labels(train) == {5, 6, 7}
    assert unseen_share(train, validation) == 0.5  # 8 alone, and 9 with 10
    with pytest.raises(InputError, match="labelled"):
        unseen_share(train, [question(4)])


def test_strip_labels_takes_only_what_was_asked() -> None:
    plain, mixed = question(1, (5,)), question(2, (5, 6), (7,))
    assert strip_labels([plain, mixed], [6, 7]) == [plain, question(2, (5,), ())]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9]), labels=st.sampled_from([40, 150, 600])
)
def test_the_asked_share_is_reached_or_told(seed: int, share: float, labels: int) -> None:
    questions = made(300, labels=labels, seed=seed)
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("eval.splits")
    logger.addHandler(handler)
    split = unseen_split(questions, unseen_share=share, validation_share=0.25, seed=seed)
    logger.removeHandler(handler)
    reached = unseen_share(split.train, split.validation)
    assert abs(reached - share) <= 0.02 or any(f"{reached:.3f} was reached" in record for record in records)
    assert not sides(split.train, split.validation)
    assert sorted([*split.train, *split.validation], key=lambda q: q.id) == questions or share >= 0.1
    # Stripping takes labels, never questions; validation keeps its own.
    assert sorted(q.id for q in (*split.train, *split.validation)) == list(range(300))
    originals = {q.id: q for q in questions}
    assert all(q == originals[q.id] for q in split.validation)


def test_the_size_is_reached_and_repeats() -> None:
    questions = made(400, labels=500, seed=3)
    split = unseen_split(questions, unseen_share=0.6, validation_share=0.2, seed=1)
    whole = len(queries_of(questions, labelled_only=True))
    assert len(queries_of(split.validation, labelled_only=True)) == pytest.approx(0.2 * whole, abs=3)
    assert split == unseen_split(questions, unseen_share=0.6, validation_share=0.2, seed=1)
    assert split != unseen_split(questions, unseen_share=0.6, validation_share=0.2, seed=2)


def test_no_label_is_lost_where_whole_questions_suffice() -> None:
    # Every label twice, in two questions: closures of two questions with one label each.
    questions = [question(id, (id // 2,)) for id in range(100)]
    split = unseen_split(questions, unseen_share=1.0, validation_share=0.2, seed=0)
    assert unseen_share(split.train, split.validation) == 1.0
    assert len(queries_of(split.train, labelled_only=True)) == 80


def test_dense_labels_are_stripped_from_training() -> None:
    # Ten labels in every corner: only stripping can hide 40 % of them.
    rng = np.random.default_rng(0)
    questions = [question(id, *((int(label),) for label in rng.choice(10, size=3, replace=False))) for id in range(200)]
    split = unseen_split(questions, unseen_share=0.4, validation_share=0.2, seed=0)
    assert abs(unseen_share(split.train, split.validation) - 0.4) <= 0.06
    assert len(split.validation) == 40
    assert len(seen_labels(split.train)) < 10


def test_an_unreachable_share_is_told(caplog: pytest.LogCaptureFixture) -> None:
    questions = [question(id, (id,)) for id in range(50)]  # every label is unique, so every query will be unseen
    with caplog.at_level(logging.WARNING, "eval.splits"):
        split = unseen_split(questions, unseen_share=0.3, validation_share=0.2, seed=0)
    assert len(split.validation) == 10
    assert "0.300 unseen labels was asked for, 1.000 was reached" in caplog.text


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="unseen share"):
        unseen_split([question(1, (1,))], unseen_share=1.5, seed=0)
    with pytest.raises(InputError, match="at least 2"):
        unseen_split([question(1, (1,)), question(2)], unseen_share=0.5, seed=0)


@pytest.mark.eedi
def test_real_questions() -> None:
    path = Path(os.environ.get("EEDI_DIR", "../shared/data/eedi")) / "train.csv"
    if not path.exists():
        pytest.skip(f"no Eedi files at {path}: set EEDI_DIR")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    questions = []
    for row in rows:
        ids = [row[f"Misconception{letter}Id"] for letter in "ABCD"]
        a, b, c, d = ((int(float(id)),) if id else () for id in ids)
        answers = (row["AnswerAText"], row["AnswerBText"], row["AnswerCText"], row["AnswerDText"])
        questions.append(
            Question(
                id=int(row["QuestionId"]),
                text=row["QuestionText"],
                answers=answers,
                correct=row["CorrectAnswer"],  # type: ignore[arg-type]
                labels=(a, b, c, d),
            )
        )
    assert len(set(question_groups(questions).tolist())) < len(questions)
    sizes = [len(queries_of(split.validation, labelled_only=True)) for split in question_folds(questions, k=5, seed=0)]
    assert max(sizes) - min(sizes) <= 2
    split = unseen_split(questions, unseen_share=0.6, seed=0)
    assert unseen_share(split.train, split.validation) == pytest.approx(0.6, abs=0.02)
    kept = len(queries_of(split.train, labelled_only=True)) + len(queries_of(split.validation, labelled_only=True))
    assert kept >= 3461 - 10
    inner = unseen_split(split.train, unseen_share=0.6, seed=0)
    assert unseen_share(inner.train, inner.validation) == pytest.approx(0.6, abs=0.02)
