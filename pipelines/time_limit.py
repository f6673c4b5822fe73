"""A limit on a run's time: durations as people write them, and how what is left is shared out."""

import re
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass, field

_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def parse_duration(text: str) -> float:
    """Return the seconds in `9h`, `1h30m`, `90m`, `45s` or a bare number of seconds; for argparse.

    Raises:
        ArgumentTypeError: It is none of these, or not above 0.
    """
    parts = _PART.findall(text.strip().lower())
    if parts and "".join(number + unit for number, unit in parts) == text.strip().lower():
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        try:
            seconds = float(text)
        except ValueError as error:
            raise ArgumentTypeError(f"expected a time such as 9h, 1h30m or 45s, came {text!r}") from error
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"expected a time above 0, came {text!r}")
    return seconds


def duration(seconds: float) -> str:
    """Return seconds as people write them: `1 h 05 min`, `4 min 10 s`, `12 s`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


@dataclass(kw_only=True)
class TimeLimit:
    """What is left of a run's time.

    Attributes:
        seconds: The limit; infinite where there is none.
        reserve: Seconds kept for fusing and writing the results, 2 % of the limit and 5 s where not given.
        clock: Tells the time in seconds.
        started: When the run began, by that clock.
    """

    seconds: float
    reserve: float = -1.0
    clock: Callable[[], float] = time.monotonic
    started: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.reserve < 0:
            self.reserve = 0.02 * self.seconds + 5.0 if self.is_set else 0.0
        if self.started < 0:
            self.started = self.clock()

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.seconds != float("inf")

    def left(self) -> float:
        """Return the seconds left for work; infinite without a limit, never below 0."""
        return max(0.0, self.seconds - self.reserve - (self.clock() - self.started)) if self.is_set else float("inf")

    def part(self, share: float) -> "TimeLimit":
        """Return a limit of its own over this share of what is left now, nothing reserved."""
        return TimeLimit(seconds=share * self.left(), reserve=0.0, clock=self.clock)

    def deadline(self, share: float = 1.0) -> Callable[[], bool]:
        """Return a callable that turns True once this share of what is left now is used up."""
        end = self.clock() + share * self.left()
        return lambda: self.clock() >= end


def no_limit() -> TimeLimit:
    """Return a limit that never comes."""
    return TimeLimit(seconds=float("inf"))
