"""The points of a sweep over hard negatives: lists on a command line become settings to train with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol, TypeVar

from core.config import load_config
from core.errors import ConfigError, InputError
from pipelines.settings import Settings

T = TypeVar("T")
Window = tuple[int, int]


@dataclass(frozen=True, kw_only=True, order=True)
class Point:
    """One training recipe of a sweep.

    Attributes:
        batch_size: Queries a step.
        negatives: Hard negatives a row.
        window: First and last rank that they are drawn from, counted from 1; (0, 0) where there are none to draw.
        temperature: Of the loss.
    """

    batch_size: int
    negatives: int
    window: Window
    temperature: float

    @property
    def name(self) -> str:
        """The folder of this point, e.g. `b128-n4-w1-50-t0.05`."""
        window = "" if self.negatives == 0 else f"-w{self.window[0]}-{self.window[1]}"
        return f"b{self.batch_size}-n{self.negatives}{window}-t{self.temperature}"

    def overrides(self) -> list[str]:
        """Return what this point changes in a config, as `--set` takes it."""
        ranks = [] if self.negatives == 0 else [f"window_from={self.window[0]}", f"window_to={self.window[1]}"]
        values = [f"batch_size={self.batch_size}", f"negatives={self.negatives}", f"temperature={self.temperature}"]
        return [f"training.{value}" for value in (*values, *ranks)]


def grid_points(*, batch_sizes: str, negatives: str, windows: str, temperatures: str) -> list[Point]:
    """Return every combination of four comma-separated lists, each once, in the order of the lists.

    Without hard negatives there is no window to draw them from: such a point stands once, whatever the windows.

    Args:
        batch_sizes: Whole numbers, e.g. `32,128`.
        negatives: Whole numbers, e.g. `0,2,4`.
        windows: Ranks `FROM-TO`, e.g. `1-50,10-100`.
        temperatures: Numbers, e.g. `0.02,0.05`.

    Raises:
        InputError: An item cannot be read; names all of them.
    """
    faults: list[str] = []
    sizes = read_items("--batch-sizes", batch_sizes, int, "whole numbers, as in 32,128", faults)
    counts = read_items("--negatives", negatives, int, "whole numbers, as in 0,2,4", faults)
    ranks = read_items("--windows", windows, _window, "ranks FROM-TO, as in 1-50,10-100", faults)
    heats = read_items("--temperatures", temperatures, float, "numbers, as in 0.02,0.05", faults)
    if faults:
        raise InputError(faults)
    points = (
        Point(batch_size=size, negatives=count, window=window if count else (0, 0), temperature=heat)
        for size, count, window, heat in product(sizes, counts, ranks, heats)
    )
    return list(dict.fromkeys(points))


class Overrides(Protocol):
    """A point of a sweep, as far as its config goes."""

    def overrides(self) -> list[str]:
        """Return what the point changes in a config, as `--set` takes it."""
        ...


def point_settings(points: Sequence[Overrides], config: Path | None, overrides: Sequence[str]) -> list[Settings]:
    """Return the config of every point, checked as any other.

    Raises:
        ConfigError: A value is out of its range; every fault once.
    """
    found: list[Settings] = []
    faults: dict[str, None] = {}
    for point in points:
        try:
            found.append(load_config(Settings, config, [*overrides, *point.overrides()]))
        except ConfigError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise ConfigError(faults)
    return found


def read_items(option: str, text: str, read: Callable[[str], T], expected: str, faults: list[str]) -> list[T]:
    """Return the items of a comma-separated list, each once; what cannot be read is added to `faults`."""
    found: list[T] = []
    for item in text.split(","):
        try:
            found.append(read(item.strip()))
        except ValueError:
            faults.append(f"{option}: expected {expected}; came '{item.strip()}'")
    return list(dict.fromkeys(found))


def _window(text: str) -> Window:
    first, last = text.split("-")
    return int(first), int(last)
