from argparse import ArgumentTypeError

import pytest

from pipelines.time_limit import TimeLimit, duration, no_limit, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("9h", 32400),
        ("1h30m", 5400),
        ("90m", 5400),
        ("45s", 45),
        ("1.5h", 5400),
        ("120", 120),
        ("9", 9),
        (" 2H ", 7200),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-3m", "0", "0s", "9 hours", "1m2", "inf", "nan"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected a time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (250, "4 min 10 s"), (3900, "1 h 05 min"), (3599.9, "1 h 00 min")]
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_is_left_and_when_a_share_is_used_up() -> None:
    now = [100.0]
    limit = TimeLimit(seconds=100, reserve=10, clock=lambda: now[0])
    assert limit.left() == 90
    stop = limit.deadline(0.5)
    now[0] = 144.9
    assert not stop()
    now[0] = 145.0
    assert stop()
    assert limit.left() == 45
    rest = limit.deadline()
    now[0] = 190.0
    assert rest() and limit.left() == 0
    now[0] = 500.0
    assert limit.left() == 0 and limit.deadline()()


def test_a_reserve_is_kept_unless_given() -> None:
    assert TimeLimit(seconds=100).reserve == 7.0
    assert TimeLimit(seconds=100, reserve=0).reserve == 0


def test_no_limit_never_comes() -> None:
    limit = no_limit()
    assert not limit.is_set and limit.left() == float("inf") and not limit.deadline(0.1)()


def test_a_part_has_an_end_of_its_own() -> None:
    now = [0.0]
    limit = TimeLimit(seconds=100, reserve=20, clock=lambda: now[0])
    now[0] = 20.0
    part = limit.part(0.5)
    assert (part.left(), limit.left()) == (30.0, 60.0)
    now[0] = 49.0
    assert part.left() == 1.0
    now[0] = 60.0
    assert (part.left(), limit.left()) == (0.0, 20.0)
    assert not no_limit().part(0.5).is_set
