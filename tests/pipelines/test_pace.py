import logging

import pytest

from pipelines.pace import Pace, TimeShares
from pipelines.time_limit import TimeLimit, no_limit
from rerank.reranker import WatchingDeadline


def limited(now: list[float], seconds: float) -> TimeLimit:
    return TimeLimit(seconds=seconds, reserve=0, clock=lambda: now[0])


def test_it_stops_before_a_batch_that_would_end_too_late() -> None:
    now = [0.0]
    pace = Pace(limited(now, 100), "queries")
    assert isinstance(pace, WatchingDeadline)
    assert not pace()
    now[0] = 30.0
    pace.finished(10, 50)
    assert not pace()
    now[0] = 69.0
    pace.finished(20, 50)  # 39 s; 31 s are left
    assert pace()


def test_each_batch_tells_how_long_the_rest_takes(caplog: pytest.LogCaptureFixture) -> None:
    now = [10.0]
    limit = limited(now, 100)
    pace = Pace(limit, "held-out queries reranked", follow=200, left_for_follow=lambda: 50.0)
    with caplog.at_level(logging.INFO):
        pace()
        now[0] = 30.0  # 20 s for 10 queries
        pace.finished(10, 70)
    (told,) = caplog.messages
    assert told == (
        "10 of 70 held-out queries reranked at 0.5/s: the rest takes about 2 min 00 s, 1 min 20 s are left, about 20 "
        "will not be reached; then the 200 test queries about 6 min 40 s of 50 s"
    )


def test_opening_an_engine_is_no_part_of_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    now, opened, ahead = [0.0], [0.0], [50.0]
    pace = Pace(limited(now, 200), "queries", opening=lambda: opened[0], ahead=lambda: ahead[0])
    assert not pace()
    now[0], opened[0], ahead[0] = 70.0, 60.0, 0.0  # it took 60 s to open and 10 s to score
    with caplog.at_level(logging.INFO):
        pace.finished(10, 20)
    assert "10 of 20 queries at 1/s: the rest takes about 10 s" in caplog.text
    now[0] = 189.0
    assert not pace()
    now[0] = 190.0
    assert pace()


def test_an_engine_is_not_opened_where_that_takes_all_the_time(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    pace = Pace(limited(now, 100), "queries", ahead=lambda: 100.0)
    assert pace() and pace()
    assert caplog.text.count("the engine is not opened: that takes about 1 min 40 s") == 1


def test_a_cascades_next_stage_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    pace = Pace(limited(now, 1000), "queries")
    pace()
    now[0] = 10.0
    pace.finished(20, 20)
    pace()
    now[0] = 60.0
    with caplog.at_level(logging.INFO):
        pace.finished(5, 20)
    assert "5 of 20 queries at 0.1/s" in caplog.text


def test_the_held_out_part_has_its_share_and_descriptions_half_of_it() -> None:
    now = [0.0]
    shares = TimeShares(limited(now, 100), lambda: 20, 60)
    assert shares.of("held-out", describing=True).left() == 12.5
    now[0] = 10.0
    assert shares.of("held-out").left() == 15.0  # its end stays where it was
    assert shares.of("test", describing=True).left() == 45.0
    assert shares.of("test").left() == 90.0 == shares.left()
    assert TimeShares(limited(now, 100), lambda: 60, 20).of("held-out").left() == 50.0  # half at most
    assert TimeShares(limited(now, 100), lambda: 60, 0).of("held-out").left() == 100.0


def test_without_a_limit_there_is_no_deadline() -> None:
    assert TimeShares(no_limit(), lambda: 20, 60).pace("test") is None


def test_test_queries_are_foretold_while_held_out_ones_run(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    shares = TimeShares(limited(now, 100), lambda: 20, 60, ahead=lambda: 5.0)
    assert shares.left() == 95.0
    held_out, test = shares.pace("held-out"), shares.pace("test")
    assert held_out is not None and test is not None
    with caplog.at_level(logging.INFO):
        for pace in (held_out, test):
            pace()
            now[0] += 5.0
            pace.finished(10, 20)
    first, second = caplog.messages
    assert first.endswith("then the 60 test queries about 30 s of 1 min 15 s")
    assert second == "10 of 20 test queries reranked at 2/s: the rest takes about 5 s, 1 min 30 s are left"
