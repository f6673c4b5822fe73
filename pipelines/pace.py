"""Deadlines that look ahead: how a time limit is shared out, and what a run is told of its pace."""

import logging
from collections.abc import Callable
from typing import Literal

from pipelines.time_limit import TimeLimit, duration

logger = logging.getLogger(__name__)

Part = Literal["held-out", "test"]


class Pace:
    """A deadline (`rerank.reranker.WatchingDeadline`) that stops before a batch which would end too late.

    After each batch it tells how long the rest will take.

    Args:
        limit: Its end is the end; shared with nothing else.
        what: What is counted, for people.
        clock: Tells the time in seconds.
        opening: Returns how long engines have been opened for so far, in seconds: that is no part of a batch.
        ahead: Returns how long an engine that is not open yet will take to open.
        follow: As many more will follow at the same pace once these are done, after that limit.
        left_for_follow: Returns the seconds that those will have.
    """

    def __init__(
        self,
        limit: TimeLimit,
        what: str,
        *,
        opening: Callable[[], float] = lambda: 0.0,
        ahead: Callable[[], float] = lambda: 0.0,
        follow: int = 0,
        left_for_follow: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._limit = limit
        self._what = what
        self._opening = opening
        self._ahead = ahead
        self._follow = follow
        self._left_for_follow = left_for_follow
        self._batch = 0.0
        self._asked = self._began = 0.0
        self._done: int | None = None
        self._told = False

    def __call__(self) -> bool:
        """Return whether the next batch, if it takes as long as the last one, would end too late."""
        self._asked = self._work_clock()
        left = self._limit.left()
        ahead = self._ahead()
        if 0 < left <= ahead and not self._told:
            self._told = True
            logger.warning(
                "warning: the engine is not opened: that takes about %s and %s are left",
                duration(ahead),
                duration(left),
            )
        return left <= self._batch + ahead

    def finished(self, done: int, of: int) -> None:
        """Tell how long the rest takes, at the pace so far."""
        now = self._work_clock()
        self._batch = now - self._asked
        if self._done is None or done < self._done:  # the first batch, or that of a cascade's next stage
            self._began = self._asked
        self._done = done
        seconds = now - self._began
        if not done or seconds <= 0 or not self._limit.is_set:
            return
        speed, left = done / seconds, self._limit.left()
        needed = (of - done) / speed
        missed = max(0, of - done - int(left * speed))
        follow = ""
        if self._follow:
            later = self._left_for_follow()
            follow = (
                f"; then the {self._follow} test queries about {duration(self._follow / speed)} of {duration(later)}"
            )
        logger.info(
            "%d of %d %s at %.3g/s: the rest takes about %s, %s are left%s%s",
            done,
            of,
            self._what,
            speed,
            duration(needed),
            duration(left),
            f", about {missed} will not be reached" if missed else "",
            follow,
        )

    def _work_clock(self) -> float:
        """Return the time without what went into opening engines."""
        return self._limit.clock() - self._opening()


class TimeShares:
    """Shares a run's time out between held-out and test queries, by their number, the held-out part at most half.

    Where the model first writes descriptions, these have half of their part.

    Args:
        limit: The run's.
        held_out: Returns how many queries are held out.
        test: How many test queries follow.
        opening: See `Pace`.
        ahead: See `Pace`.
    """

    def __init__(
        self,
        limit: TimeLimit,
        held_out: Callable[[], int],
        test: int,
        *,
        opening: Callable[[], float] = lambda: 0.0,
        ahead: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.limit = limit
        self._opening = opening
        self._ahead = ahead
        self._held_out = held_out
        self._test = test
        self._first: TimeLimit | None = None

    def of(self, part: Part, *, describing: bool = False) -> TimeLimit:
        """Return the limit of one part, as of now; the held-out part's begins when it is first asked for."""
        if part == "test" or not self._test:
            return self.limit.part(0.5 if describing else 1.0)
        if self._first is None:
            held_out = self._held_out()
            self._first = self.limit.part(min(0.5, held_out / (held_out + self._test)))
        return self._first.part(0.5 if describing else 1.0)

    def left(self) -> float:
        """Return the seconds left for work, what opening an engine will take taken off."""
        return max(0.0, self.limit.left() - self._ahead())

    def pace(self, part: Part, *, describing: bool = False) -> Pace | None:
        """Return the deadline of one part; None without a limit."""
        if not self.limit.is_set:
            return None
        limit = self.of(part, describing=describing)
        follow = self._test if part == "held-out" and not describing else 0

        def later() -> float:
            return max(0.0, self.limit.left() - limit.left())

        what = f"{part} queries {'described' if describing else 'reranked'}"
        return Pace(limit, what, opening=self._opening, ahead=self._ahead, follow=follow, left_for_follow=later)
