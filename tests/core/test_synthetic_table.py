import json
from pathlib import Path

import pytest

from core.errors import InputError
from core.records import Question
from core.synthetic_table import SyntheticLabel, SyntheticQuestion, read_synthetic, write_synthetic


def made(id: int = 7) -> SyntheticQuestion:
    question = Question(
        id=id, text="What is 2 + 2?", answers=("4", "22", "0", "5"), correct="A", labels=((), (3, 5), (), (8,))
    )
    rows = (
        SyntheticLabel(letter="B", misconception_id=3, key="k1", rationale="joins"),
        SyntheticLabel(letter="B", misconception_id=5, key="k2", judge=9.5),
        SyntheticLabel(letter="D", misconception_id=8, key="k3"),
    )
    return SyntheticQuestion(question=question, rows=rows, parents=("ab", "cd"), source="llm")


def change(path: Path, **values: object) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), **values}), *rest]) + "\n", encoding="utf-8")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    given = (made(), made(9))
    write_synthetic(tmp_path / "new", given)
    found = read_synthetic(tmp_path / "new", {3, 5, 8})
    assert found == given
    before = (tmp_path / "new" / "rows.jsonl").read_bytes()
    write_synthetic(tmp_path / "new", found)
    assert (tmp_path / "new" / "rows.jsonl").read_bytes() == before


def test_rows_must_be_the_labels() -> None:
    with pytest.raises(ValueError, match="are not its labels"):
        SyntheticQuestion(question=made().question, rows=made().rows[:2], parents=(), source="llm")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"letter": "C"}, "a line for each label"),
        ({"misconception_id": 4}, "a line for each label"),
        ({"question_id": 99}, "question 99 is not in questions.csv"),
        ({"parents": "ab"}, "expected parents to be of type list"),
        ({"parents": [1]}, "expected parents to be texts"),
        ({"question_id": True}, "expected question_id to be of type int"),
        ({"judge": "good"}, "expected judge to be a number or null"),
        ({"source": None}, "expected source to be of type str"),
    ],
)
def test_a_wrong_line_is_told_with_its_file(tmp_path: Path, values: dict[str, object], message: str) -> None:
    write_synthetic(tmp_path, [made()])
    change(tmp_path / "rows.jsonl", **values)
    with pytest.raises(InputError, match=r"rows[.]jsonl") as raised:
        read_synthetic(tmp_path)
    assert message in str(raised.value)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    write_synthetic(tmp_path, [made()])
    (tmp_path / "rows.jsonl").write_text("{\n[]\n", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_synthetic(tmp_path, {3, 5})
    assert len(raised.value.faults) == 3  # two lines, and a label that is not in the bank
    with pytest.raises(InputError, match=r"questions.csv and rows.jsonl is not there"):
        read_synthetic(tmp_path / "nowhere")
