import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.records import Letter, Misconception, Question, Ranking
from eval.submission import check_submission, read_submission, write_submission

BANK = [Misconception(id=id, name=f"misconception {id}") for id in range(30)]


def question(id: int, correct: Letter = "A") -> Question:
    return Question(id=id, text="?", answers=("1", "2", "3", "4"), correct=correct)


def ranked(key: str, n: int = 30) -> Ranking:
    return Ranking(key=key, ids=np.arange(n), scores=-np.arange(n, dtype=float))


KEYS = ["7_A", "7_C", "7_D", "2_B", "2_C", "2_D"]
QUESTIONS = [question(7, "B"), question(2, "A")]
FIRST_25 = tuple(range(25))


def test_written_bytes(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    write_submission(path, [ranked(key) for key in reversed(KEYS)], QUESTIONS, BANK)
    ids = " ".join(map(str, FIRST_25))
    assert path.read_bytes().decode() == "QuestionId_Answer,MisconceptionId\n" + "".join(
        f"{key},{ids}\n" for key in KEYS
    )
    assert read_submission(path) == dict.fromkeys(KEYS, FIRST_25)
    assert list(read_submission(path)) == KEYS
    assert [entry.name for entry in tmp_path.iterdir()] == ["submission.csv"]


def test_a_small_bank_is_ranked_whole(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", [ranked(key, 3) for key in KEYS], QUESTIONS, BANK[:3])
    assert set(read_submission(tmp_path / "s.csv").values()) == {(0, 1, 2)}


@pytest.mark.parametrize(
    ("rankings", "fault"),
    [
        ([ranked(key) for key in KEYS[1:]], "7_A: expected a row"),
        ([ranked(key) for key in [*KEYS, "7_B"]], "7_B: is no wrong answer"),
        ([ranked(key) for key in [*KEYS, "7_A"]], "7_A: expected one ranking"),
        ([ranked("7_A", 24), *(ranked(key) for key in KEYS[1:])], "7_A: expected 25 ids, got 24"),
    ],
)
def test_an_invalid_submission_is_not_written(tmp_path: Path, rankings: list[Ranking], fault: str) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("older")
    with pytest.raises(InputError, match=fault):
        write_submission(path, rankings, QUESTIONS, BANK)
    assert path.read_text() == "older"


def test_faults_of_rows() -> None:
    good = dict.fromkeys(KEYS, FIRST_25)
    assert check_submission(good, QUESTIONS, BANK) == []
    assert check_submission({**good, "7_C": (*FIRST_25[:24], 0)}, QUESTIONS, BANK) == ["7_C: an id occurs twice"]
    assert check_submission({**good, "7_C": (*FIRST_25[:24], 99)}, QUESTIONS, BANK) == [
        "7_C: id 99 is not in the bank of 30 misconceptions"
    ]
    swapped = {key: FIRST_25 for key in ["7_C", "7_A", *KEYS[2:]]}
    assert check_submission(swapped, QUESTIONS, BANK) == ["row 1: expected 7_A (the order of the questions), got 7_C"]
    assert len(check_submission({}, QUESTIONS, BANK)) == 6


def test_reading_takes_crlf_and_bom_and_lists_faults(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"\xef\xbb\xbfQuestionId_Answer,MisconceptionId\r\n1_A,5 3\r\n")
    assert read_submission(path) == {"1_A": (5, 3)}
    path.write_text("QuestionId_Answer,MisconceptionId\n1_A,5 x\n1_B,1\n1_B,2\n1_C\n")
    with pytest.raises(InputError) as caught:
        read_submission(path)
    assert [fault.split(": ")[0].removeprefix(f"{path}, ") for fault in caught.value.faults] == [
        "line 2",
        "line 4",
        "line 5",
    ]


def test_unreadable_files(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    with pytest.raises(InputError, match="found nothing"):
        read_submission(path)
    path.write_text("a,b\n")
    with pytest.raises(InputError, match="expected the header QuestionId_Answer,MisconceptionId, got a,b"):
        read_submission(path)
    path.write_text("")
    with pytest.raises(InputError, match="an empty file"):
        read_submission(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_submission(path)


@pytest.mark.eedi
def test_the_real_sample_submission_is_valid() -> None:
    path = Path(os.environ.get("EEDI_DIR", "../shared/data/eedi")) / "sample_submission.csv"
    if not path.exists():
        pytest.skip(f"no Eedi files at {path}: set EEDI_DIR")
    questions = [question(1869, "A"), question(1870, "D"), question(1871, "B")]
    bank = [Misconception(id=id, name=f"misconception {id}") for id in range(2587)]
    assert check_submission(read_submission(path), questions, bank) == []
