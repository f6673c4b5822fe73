"""Every line of the section on bad input, on files written here."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.columns import Columns
from core.errors import InputError
from core.inputs import check_inputs, output_folder_fault
from core.records import Question
from core.tables import write_questions

HEADER = "QuestionId,CorrectAnswer,QuestionText,AnswerAText,AnswerBText,AnswerCText,AnswerDText"
LABELS = ",MisconceptionAId,MisconceptionBId,MisconceptionCId,MisconceptionDId"
BANK = "MisconceptionId,MisconceptionName\n5,adds\n6,doubles\n"
TRAIN = f"{HEADER}{LABELS}\n1,A,q,a,b,c,d,,5,6.0,\n"
TEST = f"{HEADER}\n8,B,q,a,b,c,d\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / "in"
    folder.mkdir()
    texts = {"train": TRAIN, "misconceptions": BANK, "test": TEST}
    paths = {name: folder / f"{name}.csv" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    return paths


def faults_of(paths: dict[str, Path]) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        check_inputs(**paths)
    return caught.value.faults


def test_good_files(files: dict[str, Path], tmp_path: Path) -> None:
    hints, explanations = tmp_path / "hints.csv", tmp_path / "explanations.csv"
    hints.write_text("QuestionId_Answer,Hint\n1_B,h\n8_A,k\n9_A,x\n1_C,\n")
    explanations.write_text("MisconceptionId,Explanation\n5,why\n7,who\n")
    inputs = check_inputs(**files, hints=[hints], explanations=[explanations], output=tmp_path / "a" / "b")
    assert [entry.explanation for entry in inputs.bank] == ["why", None]
    assert inputs.train is not None
    assert inputs.train.questions[0].labels == ((), (5,), (6,), ())
    assert inputs.test is not None
    assert [question.id for question in inputs.test.questions] == [8]
    assert set(inputs.hints) == {"1_B", "8_A", "9_A"}
    assert len(inputs.warnings) == 2
    assert "not used: 1 (7)" in inputs.warnings[0]
    assert "not used: 1 (9_A)" in inputs.warnings[1]
    assert not (tmp_path / "a").exists()


def test_train_and_test_are_optional(files: dict[str, Path]) -> None:
    inputs = check_inputs(misconceptions=files["misconceptions"])
    assert inputs.train is None
    assert inputs.test is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("train", "", "is empty"),
        ("misconceptions", "", "is empty"),
        ("test", "", "is empty"),
        ("test", HEADER + "\n", "has no rows"),
        (
            "train",
            TRAIN.replace("QuestionText", "QuestonText"),
            "column QuestionText: this column is missing (did you mean",
        ),
        (
            "test",
            TEST.replace("CorrectAnswer", "Correct"),
            "column CorrectAnswer: this column is missing (did you mean",
        ),
        (
            "misconceptions",
            BANK.replace("MisconceptionName", "Name"),
            "column MisconceptionName: this column is missing",
        ),
        (
            "train",
            TRAIN + "1,A,q,a,b,c,d,,,,\n",
            "line 3, column QuestionId: expected an id that occurs once, came 1, which line 2",
        ),
        (
            "misconceptions",
            BANK + "5,again\n",
            "line 4, column MisconceptionId: expected an id that occurs once, came 5",
        ),
        ("train", TRAIN.replace("1,A", "1,E"), "line 2, column CorrectAnswer: expected one of A, B, C, D, came 'E'"),
        ("test", TEST.replace(",q,", ",,"), "line 2, column QuestionText: expected a text, came nothing"),
        ("train", TRAIN.replace(",d,", ", ,"), "line 2, column AnswerDText: expected a text, came ' '"),
        (
            "train",
            TRAIN.replace(",5,", ",77,"),
            "column MisconceptionBId: expected a label that is in the bank, came '77'",
        ),
        (
            "train",
            TRAIN.replace("d,,5", "d,5,"),
            "column MisconceptionAId: expected no label on the correct answer, came '5'",
        ),
        ("train", TRAIN.replace("6.0", "6.5"), "column MisconceptionCId: expected a whole number"),
        ("train", TRAIN.replace("6.0", "six"), "column MisconceptionCId: expected a whole number"),
        ("train", TEST, "MisconceptionAId: this column is missing"),
        (
            "misconceptions",
            BANK.replace("doubles", ""),
            "line 3, column MisconceptionName: expected a text, came nothing",
        ),
        ("test", TEST + "9,A,q,a,b,c\n", "line 3: expected 7 fields as in the header, came 6"),
    ],
)
def test_one_fault(files: dict[str, Path], name: str, text: str, expected: str) -> None:
    files[name].write_text(text)
    faults = faults_of(files)
    assert all(fault.startswith(str(files[name])) for fault in faults)
    assert expected in faults[0]


def test_not_utf8(files: dict[str, Path]) -> None:
    files["train"].write_bytes(TRAIN.replace(",q,", ",ö,").encode("latin-1"))
    (fault,) = faults_of(files)
    assert "expected UTF-8, came byte 0xf6" in fault


def test_missing_files_and_folders(files: dict[str, Path], tmp_path: Path) -> None:
    files["train"] = tmp_path / "none.csv"
    files["test"] = tmp_path
    first, second = faults_of(files)
    assert "no such file" in first
    assert "is a folder" in second


def test_what_is_fine(files: dict[str, Path]) -> None:
    files["train"].write_bytes(b"\xef\xbb\xbf" + TRAIN.replace(",q,", ',"q\n2",').replace("\n", "\r\n").encode())
    files["test"].write_text(TEST.replace("\n", ",x\n").replace(",b,c,", ",b,b,"))
    inputs = check_inputs(**files)
    assert inputs.train is not None
    assert inputs.train.questions[0].text == "q\r\n2"
    assert inputs.warnings == (f"{files['test']}: questions with two equal answers: 1 (line 2)",)


def test_the_faults_of_all_files_come_in_one_error(files: dict[str, Path], tmp_path: Path) -> None:
    files["misconceptions"].write_text(BANK + "5,again\n")
    files["train"].write_text(TRAIN.replace("1,A", "1,E").replace("6.0", "9"))
    files["test"].write_text("")
    hints = tmp_path / "h.csv"
    hints.write_text("Key,Hint\n1_B,h\n")
    with pytest.raises(InputError) as caught:
        check_inputs(
            **files,
            hints=[hints],
            output=hints,
            explanations=[tmp_path / "x.csv"],
            other_faults=["config: no such model"],
        )
    faults = caught.value.faults
    assert len(faults) == 8
    assert faults[0] == "config: no such model"
    assert "is a file" in faults[1]
    for fault, path in zip(faults[2:], ["misconceptions", "train", "train", "test"], strict=False):
        assert fault.startswith(str(files[path]))
    assert "x.csv" in faults[6]
    assert "h.csv" in faults[7]


def test_a_broken_bank_does_not_make_every_label_a_fault(files: dict[str, Path]) -> None:
    files["misconceptions"].write_text(BANK.replace("5,", "five,"))
    (fault,) = faults_of(files)
    assert "came 'five'" in fault


def test_thousands_of_faults_are_counted(files: dict[str, Path]) -> None:
    files["train"].write_text(TRAIN + "".join(f"{row},A,q,a,b,c,d,,99,,\n" for row in range(2, 3000)))
    faults = faults_of(files)
    assert len(faults) == 51
    assert faults[-1] == f"{files['train']}: … and 2,948 more"


def test_column_names_reach_every_file(files: dict[str, Path]) -> None:
    files["misconceptions"].write_text(BANK.replace("MisconceptionName", "Title"))
    assert len(check_inputs(**files, columns=Columns(misconception_name="Title")).bank) == 2


def test_an_output_folder_that_can_be_written(tmp_path: Path) -> None:
    assert output_folder_fault(tmp_path) is None
    assert output_folder_fault(tmp_path / "a" / "b") is None
    assert list(tmp_path.iterdir()) == []


def test_output_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "is a file" in str(output_folder_fault(tmp_path / "file"))
    assert "is a file" in str(output_folder_fault(tmp_path / "file" / "a" / "b"))
    assert "leads nowhere" in str(output_folder_fault(tmp_path / "link" / "a"))
    assert "cannot be written" in str(output_folder_fault(tmp_path / ("x" * 300)))


def test_an_output_folder_on_a_file_system_that_takes_no_files() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc, a folder that even the superuser cannot write into")
    assert "cannot be written" in str(output_folder_fault(Path("/proc/self/out")))


def test_an_output_folder_without_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written" in str(output_folder_fault(tmp_path / "a"))
    finally:
        tmp_path.chmod(0o700)


def test_made_questions_are_numbered_above_all_real_ones(tmp_path: Path) -> None:
    from core.synthetic_table import SyntheticLabel, SyntheticQuestion, write_synthetic

    bank = tmp_path / "bank.csv"
    bank.write_text("MisconceptionId,MisconceptionName\n5,Adds\n", encoding="utf-8")
    train = tmp_path / "train.csv"
    question = Question(id=40, text="q", answers=("1", "2", "3", "4"), correct="A", labels=((), (5,), (), ()))
    write_questions(train, [question])
    row = SyntheticLabel(letter="B", misconception_id=5, key="k")
    for name in ("a", "b"):
        made = SyntheticQuestion(question=replace(question, id=40, text=name), rows=(row,), parents=(), source="llm")
        write_synthetic(tmp_path / name, [made])
    found = check_inputs(misconceptions=bank, train=train, synthetic=[tmp_path / "a", tmp_path / "b"]).synthetic
    assert [(one.question.id, one.question.text) for one in found] == [(41, "a"), (42, "b")]
    with pytest.raises(InputError, match="expected a folder of synthetic questions"):
        check_inputs(misconceptions=bank, train=train, synthetic=[tmp_path / "c"])
