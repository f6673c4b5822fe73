from collections.abc import Collection
from pathlib import Path

import pytest

from core.columns import Columns
from core.errors import InputError
from core.question_table import read_questions, write_questions
from core.records import Question

HEADER = "QuestionId,ConstructId,ConstructName,SubjectId,SubjectName,CorrectAnswer,QuestionText"
HEADER += ",AnswerAText,AnswerBText,AnswerCText,AnswerDText"
LABELLED = HEADER + ",MisconceptionAId,MisconceptionBId,MisconceptionCId,MisconceptionDId"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.csv"


def faults_of(
    path: Path, text: str, *, bank_ids: Collection[int] | None = None, require_labels: bool = False
) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_questions(path, bank_ids=bank_ids, require_labels=require_labels)
    prefix = f"{path}, "
    return [fault.removeprefix(prefix) for fault in caught.value.faults]


def test_a_question_as_eedi_writes_it(path: Path) -> None:
    path.write_bytes(
        b"\xef\xbb\xbf"
        + LABELLED.encode()
        + b',Note\r\n7,856,Add,33,BIDMAS,A,"\\[\r\n3 \\times 2\r\n\\]",8,9,10,11,,1672.0,,NaN,x\r\n'
    )
    table = read_questions(path, bank_ids={1672})
    assert table.questions == (
        Question(
            id=7,
            text="\\[\r\n3 \\times 2\r\n\\]",
            answers=("8", "9", "10", "11"),
            correct="A",
            labels=((), (1672,), (), ()),
            construct="Add",
            subject="BIDMAS",
            construct_id=856,
            subject_id=33,
        ),
    )
    assert table.warnings == ()


@pytest.mark.parametrize("cell", ["12;45", "12 45", "12|45", " 12 ; 45.0 ", "12.0;;45"])
def test_an_answer_may_carry_several_labels(path: Path, cell: str) -> None:
    path.write_text(f"{LABELLED}\n1,,,,,A,q,a,b,c,d,,{cell},12,\n")
    assert read_questions(path).questions[0].labels == ((), (12, 45), (12,), ())


def test_construct_subject_and_labels_may_be_absent(path: Path) -> None:
    path.write_text(
        "QuestionId,CorrectAnswer,QuestionText,AnswerAText,AnswerBText,AnswerCText,AnswerDText\n1,A,q,a,b,c,d\n"
    )
    (question,) = read_questions(path).questions
    assert (question.construct, question.subject, question.construct_id, question.subject_id) == (None,) * 4
    assert question.labels == ((), (), (), ())


def test_columns_of_other_names(path: Path) -> None:
    path.write_text("Nr,Right,Item,A,B,C,D,Skill\n1,A,q,a,b,c,d,s\n")
    columns = Columns(
        question_id="Nr", correct="Right", question="Item", answer_a="A", answer_b="B", answer_c="C", answer_d="D",
        construct="Skill",
    )  # fmt: skip
    assert read_questions(path, columns=columns).questions[0].construct == "s"
    path.write_text("Nr,Right,Item,A,B,C,D\n1,A,q,a,b,c,d\n")
    with pytest.raises(InputError, match="column Skill: this column is missing"):
        read_questions(path, columns=columns)


def test_every_fault_of_a_file_is_told_at_once(path: Path) -> None:
    rows = [
        "1,,,,,E,q,a,b,c,d,,,,",
        "x,,,,,A,q,a,b,c,d,,,,",
        "1,,,,,A, ,a,,c,d,,,,",
        '2,,,,,A,"two',
        'lines",a,b,c,d,5,,,',
        "3,,,,,A,q,a,b,c,d,,99,1.5,5;5",
        "4,z,,,,A,q,a,b,c,d,,,,",
    ]
    assert faults_of(path, "\n".join([LABELLED, *rows]), bank_ids={5}) == [
        "line 2, column CorrectAnswer: expected one of A, B, C, D, came 'E'",
        "line 3, column QuestionId: expected a whole number, came 'x'",
        "line 4, column QuestionId: expected an id that occurs once, came 1, which line 2 has already",
        "line 4, column QuestionText: expected a text, came ' '",
        "line 4, column AnswerBText: expected a text, came nothing",
        "line 5, column MisconceptionAId: expected no label on the correct answer, came '5'",
        "line 7, column MisconceptionCId: expected a whole number (several: separated by ';'), came '1.5'",
        "line 7, column MisconceptionDId: expected each label once, came '5;5'",
        "line 7, column MisconceptionBId: expected a label that is in the bank, came '99'",
        "line 8, column ConstructId: expected a whole number, came 'z'",
    ]


@pytest.mark.parametrize("letter", ["a", " A", "", "AB", "1"])
def test_the_correct_answer_is_one_of_four_letters(path: Path, letter: str) -> None:
    assert len(faults_of(path, f"{HEADER}\n1,,,,,{letter},q,a,b,c,d\n")) == 1


def test_missing_columns_suggest_the_nearest(path: Path) -> None:
    (fault,) = faults_of(path, HEADER.replace("CorrectAnswer", "CorectAnswer") + "\n1,,,,,A,q,a,b,c,d\n")
    assert fault.startswith("line 1, column CorrectAnswer: this column is missing (did you mean 'CorectAnswer'?)")


def test_label_columns_come_all_or_none(path: Path) -> None:
    text = LABELLED.removesuffix(",MisconceptionDId")
    assert faults_of(path, f"{text}\n1,,,,,A,q,a,b,c,d,,,\n") == [
        "line 1, column MisconceptionDId: this column is missing: expected all four or none"
    ]


def test_labels_can_be_required(path: Path) -> None:
    assert "has no label" in faults_of(path, f"{LABELLED}\n1,,,,,A,q,a,b,c,d,,,,\n", require_labels=True)[0]
    assert len(faults_of(path, f"{HEADER}\n1,,,,,A,q,a,b,c,d\n", require_labels=True)) == 4


def test_two_equal_answers_are_a_warning_with_a_count(path: Path) -> None:
    path.write_text(f"{HEADER}\n1,,,,,A,q,a,b,c,d\n2,,,,,A,q,a,b,c, b\n3,,,,,A,q,x,x,x,x\n")
    (warning,) = read_questions(path).warnings
    assert warning == f"{path}: questions with two equal answers: 2 (line 3, 4)"


def test_a_file_without_labels_can_be_written(path: Path) -> None:
    question = Question(id=1, text="q", answers=("a", "b", "c", "d"), correct="B", labels=((3, 4), (), (), ()))
    write_questions(path, [question], labels=False)
    assert path.read_text() == f"{HEADER}\n1,,,,,B,q,a,b,c,d\n"
    write_questions(path, [question])
    assert path.read_text() == f"{LABELLED}\n1,,,,,B,q,a,b,c,d,3;4,,,\n"
