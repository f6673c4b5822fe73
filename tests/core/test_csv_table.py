import sys
from pathlib import Path

import polars as pl
import pytest

from core.csv_table import CsvTable, is_blank, quoted, read_csv, whole_number, write_csv
from core.faults import Faults

NAMES = {"id": "Id", "text": "Text", "extra": "Extra"}


def read(path: Path, data: bytes) -> tuple[CsvTable | None, tuple[str, ...]]:
    path.write_bytes(data)
    faults = Faults()
    table = read_csv(path, NAMES, faults, optional=["extra"])
    return table, faults.messages()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


def test_records_know_the_line_on_which_they_start(path: Path) -> None:
    table, faults = read(path, b'Id,Text\n1,"two\nlines"\n\n2,"a ""b"", c"\r\n3, d \n')
    assert faults == ()
    assert table is not None
    assert table.frame.rows() == [(2, "1", "two\nlines"), (5, "2", 'a "b", c'), (6, "3", " d ")]
    assert table.complete


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_ending_and_a_bom_are_fine(path: Path, end: bytes) -> None:
    table, faults = read(path, b"\xef\xbb\xbf" + end.join([b"Other,Text,Id", b",a,1", b",b,2"]))
    assert faults == ()
    assert table is not None
    assert table.frame.select("line", "id", "text").rows() == [(2, "1", "a"), (3, "2", "b")]


def test_the_byte_offset_of_what_is_not_utf8_is_told(path: Path) -> None:
    table, faults = read(path, b"Id,Text\n1,caf\xe9\n")
    assert table is None
    assert faults == (f"{path}, line 2: expected UTF-8, came byte 0xe9 at offset 13: save the file as UTF-8",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf16_is_named_as_not_utf8(path: Path, encoding: str) -> None:
    _, faults = read(path, "Id,Text\n1,a\n".encode(encoding))
    assert len(faults) == 1
    assert "expected UTF-8" in faults[0]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file(path: Path, data: bytes) -> None:
    table, faults = read(path, data)
    assert table is None
    assert len(faults) == 1
    assert "is empty" in faults[0]


def test_a_header_without_rows(path: Path) -> None:
    assert "has no rows" in read(path, b"Id,Text\n")[1][0]


def test_a_missing_file_and_a_folder(tmp_path: Path, path: Path) -> None:
    path.write_text("")
    faults = Faults()
    assert read_csv(tmp_path / "flie.csv", NAMES, faults) is None
    assert read_csv(tmp_path, NAMES, faults) is None
    assert read_csv(tmp_path / "no" / "file.csv", NAMES, faults) is None
    missing, folder, nowhere = faults.messages()
    assert "no such file (did you mean 'file.csv'?)" in missing
    assert "is a folder" in folder
    assert "nor is there a folder" in nowhere


def test_ragged_rows_are_named_and_the_others_are_kept(path: Path) -> None:
    table, faults = read(path, b"Id,Text\n1,a,b\n2\n3,c\n")
    assert faults == (
        f"{path}, line 2: expected 2 fields as in the header, came 3",
        f"{path}, line 3: expected 2 fields as in the header, came 1",
    )
    assert table is not None
    assert table.frame.rows() == [(4, "3", "c")]
    assert not table.complete


@pytest.mark.parametrize(("data", "line"), [(b'Id,Text\n1,a\n2,"open\n3,b\n', 3), (b'Id,Text\n1,"a"b\n', 2)])
def test_what_is_not_csv_is_named_with_the_line_of_its_record(path: Path, data: bytes, line: int) -> None:
    table, faults = read(path, data)
    assert len(faults) == 1
    assert f"line {line}: expected CSV" in faults[0]
    assert table is not None
    assert not table.complete


def test_missing_columns_are_all_named_with_the_nearest(path: Path) -> None:
    table, faults = read(path, b"Idd,Texts\n1,a\n")
    assert table is None
    assert [fault.split(": ", 1)[0] for fault in faults] == [
        f"{path}, line 1, column Id",
        f"{path}, line 1, column Text",
    ]
    assert "did you mean 'Idd'" in faults[0]
    assert "did you mean 'Texts'" in faults[1]


def test_a_column_there_twice_is_a_fault_only_where_it_is_wanted(path: Path) -> None:
    assert "came 2" in read(path, b"Id,Text,Text\n1,a,b\n")[1][0]
    assert read(path, b"Id,Text,Other,Other,\n1,a,b,c,\n")[1] == ()


def test_an_optional_column_may_be_absent_but_not_misspelt(path: Path) -> None:
    table, faults = read(path, b"Id,Text\n1,a\n")
    assert faults == ()
    assert table is not None
    assert "extra" not in table.frame.columns
    assert "did you mean 'extra'" in read(path, b"Id,Text,extra\n1,a,b\n")[1][0]


def test_a_file_with_semicolons_is_told_so(path: Path) -> None:
    assert "separated by ',', came ';'" in read(path, b"Id;Text\n1;a\n")[1][0]


def test_blank_means_what_python_means() -> None:
    marks = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    frame = pl.DataFrame({"text": marks})
    assert frame.select(is_blank("text")).to_series().to_list() == [mark.isspace() for mark in marks]
    assert pl.DataFrame({"text": ["", " \n", " a\n", "\na"]}).select(is_blank("text")).to_series().to_list() == [
        True,
        True,
        False,
        False,
    ]


def test_whole_numbers() -> None:
    cells = {"1672": 1672, "1672.0": 1672, " 7 ": 7, "0": 0, "12.": 12, "007": 7, "9" * 18: 10**18 - 1}
    others = ["", "1.5", "-1", "+1", "1e3", "nan", "٣", "1 2", "9" * 19, "1\n2", "1,000", "0x1"]
    frame = pl.DataFrame({"n": [*cells, *others]})
    assert frame.select(whole_number("n")).to_series().to_list() == [*cells.values(), *[None] * len(others)]


def test_quoted_says_nothing_and_cuts_long_cells() -> None:
    assert quoted("") == "nothing"
    assert quoted("a\nb") == "'a\\nb'"
    assert quoted("x" * 100) == repr("x" * 60) + "…"


def test_repeated_numbers_name_both_lines(path: Path) -> None:
    table, _ = read(path, b"Id,Text\n5,a\n6,b\n5.0,c\n5,d\n")
    assert table is not None
    faults = Faults()
    table.report_repeated("id", faults)
    assert faults.messages() == (
        f"{path}, line 4, column Id: expected an id that occurs once, came 5, which line 2 has already",
        f"{path}, line 5, column Id: expected an id that occurs once, came 5, which line 2 has already",
    )


def test_written_bytes(path: Path) -> None:
    write_csv(path, {"a": ["1", 'x "y"', "p,q"], "b": ["", "r\ns", "é"]})
    assert path.read_bytes() == 'a,b\n1,\n"x ""y""","r\ns"\n"p,q",é\n'.encode()
