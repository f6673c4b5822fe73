from pathlib import Path

import pytest

from core.columns import Columns
from core.errors import InputError
from core.hint_table import Hint, read_hints, unknown_hints, with_hints, write_hints
from core.records import Question, queries_of

QUERIES = queries_of([Question(id=1, text="q", answers=("a", "b", "c", "d"), correct="A")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hints.csv"


def test_hints_of_several_files_come_together(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    path.write_text('QuestionId_Answer,Hint,Reasoning\n1_B,h,"r\n2"\n1_C,,r\n')
    other.write_text("QuestionId_Answer,Hint\n2_D,k\n")
    assert read_hints([path, other, path]) == {"1_B": Hint(hint="h", reasoning="r\n2"), "2_D": Hint(hint="k")}


def test_queries_without_a_hint_stay_as_they_are() -> None:
    hints = {"1_B": Hint(hint="h", reasoning="r"), "1_C": Hint(hint="k")}
    assert [query.hint for query in with_hints(QUERIES, hints)] == ["h", "k", None]
    assert [query.hint for query in with_hints(QUERIES, hints, use_reasoning=True)] == ["h\nr", "k", None]


def test_faults_of_all_files_are_told_at_once(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.csv"
    path.write_text("QuestionId_Answer,Hint\n1_B,h\n1_E,x\n1B,x\n")
    other.write_text("QuestionId_Answer,Hint\n1_B,another\n")
    with pytest.raises(InputError) as caught:
        read_hints([path, other])
    assert list(caught.value.faults) == [
        f"{path}, line 3, column QuestionId_Answer: expected QuestionId_Letter, as in 12_C, came '1_E'",
        f"{path}, line 4, column QuestionId_Answer: expected QuestionId_Letter, as in 12_C, came '1B'",
        f"{other}, line 2, column QuestionId_Answer: expected one hint a key, came a second, different one for 1_B "
        f"(the first: {path}, line 2)",
    ]


def test_unknown_keys_are_counted() -> None:
    assert unknown_hints(QUERIES, {"1_B": Hint(hint="h")}) == ()
    (warning,) = unknown_hints(QUERIES, {"1_A": Hint(hint="h"), "9_B": Hint(hint="h")})
    assert "not used: 2 (1_A, 9_B)" in warning


def test_written_hints_come_back(path: Path) -> None:
    hints = {"1_B": Hint(hint='a "quoted",\nlong one', reasoning="r"), "1_C": Hint(hint="k")}
    write_hints(path, hints, extra={"Source": ["m", "n"]})
    assert path.read_text().splitlines()[0] == "QuestionId_Answer,Hint,Reasoning,Source"
    assert read_hints([path]) == hints
    columns = Columns(key="Key", hint="Why")
    write_hints(path, hints, columns=columns)
    assert read_hints([path], columns=columns) == hints


def test_further_columns_are_checked(path: Path) -> None:
    with pytest.raises(ValueError, match="'Hint'"):
        write_hints(path, {"1_B": Hint(hint="h")}, extra={"Hint": ["m"]})
    with pytest.raises(ValueError, match="1 texts"):
        write_hints(path, {"1_B": Hint(hint="h")}, extra={"Source": []})
    assert not path.exists()
