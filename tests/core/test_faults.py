import pytest

from core.errors import InputError
from core.faults import SHOWN_PER_FILE, Faults


def test_no_fault_does_not_raise() -> None:
    Faults().raise_if_any()


def test_faults_stand_by_file_and_line_and_say_where() -> None:
    faults = Faults()
    faults.add("b.csv", "second", line=9, column="X")
    faults.add("a.csv", "third")
    faults.add("b.csv", "first", line=2)
    faults.add_message("folder: fourth")
    with pytest.raises(InputError) as caught:
        faults.raise_if_any()
    assert caught.value.faults == (
        "b.csv, line 2: first",
        "b.csv, line 9, column X: second",
        "a.csv: third",
        "folder: fourth",
    )
    assert str(caught.value).count("\n") == 3


def test_thousands_are_counted_per_file() -> None:
    faults = Faults()
    for line in range(2, 3002):
        faults.add("big.csv", "bad", line=line)
    faults.add("other.csv", "seen too")
    lines = faults.messages()
    assert len(lines) == SHOWN_PER_FILE + 2
    assert lines[0] == "big.csv, line 2: bad"
    assert lines[-2] == "big.csv: … and 2,950 more"
    assert lines[-1] == "other.csv: seen too"
    assert faults.count() == 3001
    assert faults.count("big.csv") == 3000
