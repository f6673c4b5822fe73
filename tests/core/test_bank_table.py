from pathlib import Path

import pytest

from core.bank_table import (
    read_explanations,
    read_misconceptions,
    scan_misconceptions,
    unknown_explanations,
    with_explanations,
    write_explanations,
    write_misconceptions,
)
from core.columns import Columns
from core.errors import InputError
from core.faults import Faults
from core.records import Misconception

BANK = (Misconception(id=4, name="Adds, then multiplies"), Misconception(id=0, name="b", explanation="why\n"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bank.csv"


def test_bank_and_explanations_come_back(path: Path, tmp_path: Path) -> None:
    write_misconceptions(path, BANK)
    write_explanations(tmp_path / "explanations.csv", BANK)
    assert path.read_text() == 'MisconceptionId,MisconceptionName\n4,"Adds, then multiplies"\n0,b\n'
    assert read_misconceptions(path, explanations=tmp_path / "explanations.csv") == BANK
    assert read_misconceptions(path)[1].explanation is None


def test_explanations_with_columns_of_their_own_come_back(path: Path) -> None:
    columns = Columns(misconception_id="Nr", explanation="Why")
    write_explanations(path, BANK, sources={0: "me"}, columns=columns)
    assert path.read_text() == 'Nr,Why,Source\n0,"why\n",me\n'
    assert read_explanations([path], columns=columns) == {0: "why\n"}


def test_a_bank_with_columns_of_its_own(path: Path) -> None:
    path.write_text("Nr,Title,Team\n1,a,x\n")
    assert read_misconceptions(path, columns=Columns(misconception_id="Nr", misconception_name="Title")) == (
        Misconception(id=1, name="a"),
    )


def test_every_fault_of_both_files_is_told_at_once(path: Path, tmp_path: Path) -> None:
    path.write_text("MisconceptionId,MisconceptionName\n1,a\n1,b\n2,\nx,c\n-3,d\n")
    other = tmp_path / "explanations.csv"
    other.write_text("MisconceptionId,Explanation\n1,a\n1,b\n1,a\n1.5,c\n")
    with pytest.raises(InputError) as caught:
        read_misconceptions(path, explanations=other)
    assert list(caught.value.faults) == [
        f"{path}, line 3, column MisconceptionId: expected an id that occurs once, came 1, which line 2 has already",
        f"{path}, line 4, column MisconceptionName: expected a text, came nothing",
        f"{path}, line 5, column MisconceptionId: expected a whole number, came 'x'",
        f"{path}, line 6, column MisconceptionId: expected a whole number, came '-3'",
        f"{other}, line 3, column Explanation: expected one explanation an id, came a second, different one for 1 "
        f"(the first: {other}, line 2)",
        f"{other}, line 5, column MisconceptionId: expected a whole number, came '1.5'",
    ]


def test_ids_are_known_only_where_all_could_be_read(path: Path) -> None:
    path.write_text("MisconceptionId,MisconceptionName\n1,a\n1,b\n")
    assert scan_misconceptions(path, Faults()).ids == {1}
    path.write_text("MisconceptionId,MisconceptionName\n1,a\nx,b\n")
    assert scan_misconceptions(path, Faults()).ids is None
    path.write_text("MisconceptionId,MisconceptionName\n1,a\n2,b,c\n")
    assert scan_misconceptions(path, Faults()).ids is None


def test_a_bank_without_rows_is_refused(path: Path) -> None:
    path.write_text("MisconceptionId,MisconceptionName\n")
    with pytest.raises(InputError, match="no rows"):
        read_misconceptions(path)


def test_empty_and_repeated_equal_explanations_are_fine(path: Path) -> None:
    path.write_text("MisconceptionId,Explanation\n1,a\n2,\n1.0,a\n")
    assert read_explanations([path, path]) == {1: "a"}


def test_unknown_explanations_are_counted() -> None:
    assert with_explanations(BANK, {9: "x"}) == BANK
    assert unknown_explanations([4, 0], {4: "x"}) == ()
    assert "not used: 2 (7, 9)" in unknown_explanations([4, 0], {9: "x", 7: "y"})[0]


def test_explanations_may_name_their_sources(tmp_path: Path) -> None:
    bank = (
        Misconception(id=4, name="Adds", explanation="It adds."),
        Misconception(id=5, name="Takes away"),
        Misconception(id=6, name="Halves", explanation="It halves, twice."),
    )
    path = tmp_path / "explanations.csv"
    write_explanations(path, bank, sources={4: "llm m ledger 12"})
    lines = ["MisconceptionId,Explanation,Source", "4,It adds.,llm m ledger 12", '6,"It halves, twice.",']
    assert path.read_text().splitlines() == lines
    assert read_explanations([path]) == {4: "It adds.", 6: "It halves, twice."}
