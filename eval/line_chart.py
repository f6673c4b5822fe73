"""A chart of lines with linear axes, as inline SVG: no script, no font, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from eval.charts import colour_of

_WIDTH, _HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 14, 52
_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line.

    Attributes:
        name: As shown when hovering, and in the legend.
        points: (x, y); points that are not finite are left out.
        dashed: Drawn dashed.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


def line_chart(lines: Sequence[Line], *, title: str, x_label: str, y_label: str, from_zero: bool = True) -> str:
    """Return lines over one another, with a legend above.

    Args:
        lines: At least one point among them.
        title: Read aloud by screen readers.
        x_label: Under the horizontal axis.
        y_label: Named in the legend's line.
        from_zero: Let the vertical axis begin at 0 where no value is below.
    """
    points = [point for line in lines for point in line.points if isfinite(point[1])]
    if not points:
        return f'<p class="how">{escape(title)}: nothing to draw.</p>'
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    low = min(low, 0.0) if from_zero else low
    span = (high - low) or 1.0

    def x_of(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((value - left) / (right - left) if right > left else 0.5)

    def y_of(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - (value - low) / span)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in range(_TICKS + 1):
        value = low + span * tick / _TICKS
        y = y_of(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:.3g}", "end"))
    for x in _steps([x for x, _ in points]):
        parts.append(_text(x_of(x), _HEIGHT - _BOTTOM + 20, f"{x:.3g}", "middle"))
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, x_label, "middle"))
    for place, line in enumerate(lines):
        kept = [(x, y) for x, y in line.points if isfinite(y)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in kept)
        dash = ' stroke-dasharray="6"' if line.dashed else ""
        parts.append(f'<polyline fill="none" stroke="{colour_of(place)}" stroke-width="2.5"{dash} points="{path}"/>')
        parts += [
            f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3.5" fill="{colour_of(place)}">'
            f"<title>{escape(line.name)}: {x:g}, {y:.4g}</title></circle>"
            for x, y in kept
        ]
    legend = "".join(
        f'<span><i style="background:{colour_of(place)}"></i>{escape(line.name)}</span>'
        for place, line in enumerate(lines)
    )
    return f'<div class="legend"><span>{escape(y_label)}:</span>{legend}</div>' + "".join([*parts, "</svg>"])


def _steps(values: Sequence[float]) -> list[float]:
    """Return where the horizontal axis is labelled: at whole values themselves, else at even distances."""
    steps = sorted(set(values))
    if all(float(x).is_integer() for x in steps):
        return steps[:: max(1, -(-len(steps) // 13))]
    return [steps[0] + (steps[-1] - steps[0]) * tick / _TICKS for tick in range(_TICKS + 1)]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
