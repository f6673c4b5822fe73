"""Charts of the report, as inline SVG: no script, no font, no network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log

from eval.evaluation import Measure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
"""Okabe and Ito's palette (2008), which colour-blind readers can tell apart; the yellow is darkened for white paper."""

_WIDTH, _HEIGHT = 640, 352
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 14, 56


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Recall at rising depths: `points` holds (depth >= 1, recall in [0, 1])."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A mean with its interval, or None where there was nothing to measure."""

    name: str
    measure: Measure | None


def colour_of(place: int) -> str:
    """Return the colour of the run at that place; the palette repeats after six."""
    return COLOURS[place % len(COLOURS)]


def recall_chart(curves: Sequence[Curve]) -> str:
    """Return a line chart of recall against depth, the depth on a logarithmic axis."""
    deepest = max((depth for curve in curves for depth, _ in curve.points), default=1)

    def x(depth: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (log(depth) / log(deepest) if deepest > 1 else 0.5)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - value)

    parts = [_open(_WIDTH, _HEIGHT, "Recall at N by run")]
    for tick in range(0, 101, 20):
        height = y(tick / 100)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(_text(_LEFT - 8, height + 4, f"{tick / 100:.1f}", "end"))
    for depth in (depth for depth in (1, 2, 5, 10, 25, 50, 100, 200, 500, 1000) if depth <= deepest):
        parts.append(_text(x(depth), _HEIGHT - _BOTTOM + 20, str(depth), "middle"))
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, "N (candidates kept, logarithmic scale)", "middle"))
    for place, curve in enumerate(curves):
        path = " ".join(f"{x(depth):.1f},{y(value):.1f}" for depth, value in curve.points)
        dash = f' stroke-dasharray="{(0, 7, 3)[place // len(COLOURS) % 3]}"' if place >= len(COLOURS) else ""
        parts.append(f'<polyline fill="none" stroke="{colour_of(place)}" stroke-width="2.5"{dash} points="{path}"/>')
        if len(curve.points) <= 12:
            parts += [
                f'<circle cx="{x(depth):.1f}" cy="{y(value):.1f}" r="4" fill="{colour_of(place)}">'
                f"<title>{escape(curve.name)}: recall@{depth} {value:.3f}</title></circle>"
                for depth, value in curve.points
            ]
    return "".join([*parts, "</svg>"])


def interval_chart(rows: Sequence[Sequence[Bar]], names: Sequence[str]) -> str:
    """Return dots with their intervals: one block per name (all, seen, unseen), one line per bar in it.

    Args:
        rows: For each name the bars of the runs, in the runs' order.
        names: As many as `rows`.
    """
    step, gap, left, right = 24, 16, 90, 56
    height = sum(step * len(bars) + gap for bars in rows) + 34
    highest = max((bar.measure.high for bars in rows for bar in bars if bar.measure), default=0.1)
    top = min(1.0, (int(highest * 10) + 1) / 10)

    def x(value: float) -> float:
        return left + (_WIDTH - left - right) * value / top

    parts = [_open(_WIDTH, height, "MAP@25 with 95 % intervals")]
    for tick in range(round(top * 10) + 1):
        if top <= 0.6 or tick % 2 == 0:
            parts.append(
                f'<line class="grid" x1="{x(tick / 10):.1f}" x2="{x(tick / 10):.1f}" y1="4" y2="{height - 28}"/>'
            )
            parts.append(_text(x(tick / 10), height - 10, f"{tick / 10:.1f}", "middle"))
    y = 18.0
    for name, bars in zip(names, rows, strict=True):
        parts.append(_text(left - 10, y + step * (len(bars) - 1) / 2 + 4, name, "end"))
        for place, bar in enumerate(bars):
            parts.append(
                _interval(bar, x, y, colour_of(place)) if bar.measure else _text(left + 6, y + 4, "–", "start")
            )
            y += step
        y += gap
    return "".join([*parts, "</svg>"])


def _interval(bar: Bar, x: Callable[[float], float], y: float, colour: str) -> str:
    measure = bar.measure
    if measure is None:
        return ""
    return (
        f"<g><title>{escape(bar.name)}: {measure.value:.3f} [{measure.low:.3f}, {measure.high:.3f}]</title>"
        f'<line x1="{x(measure.low):.1f}" x2="{x(measure.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
        f'stroke-width="4" stroke-linecap="round" opacity="0.45"/>'
        f'<circle cx="{x(measure.value):.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
        f"{_text(x(measure.high) + 10, y + 4, f'{measure.value:.3f}', 'start')}</g>"
    )


def _open(width: float, height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
