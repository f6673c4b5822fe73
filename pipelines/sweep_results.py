"""What a sweep found: its table, as CSV and on the terminal, and its plot."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.artifacts import atomic_path, write_text
from eval.evaluation import Evaluation
from pipelines.sweep_grid import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Factor(Generic[P]):
    """What a sweep varies.

    Attributes:
        column: Its name in the CSV file.
        title: Of its panel in the plot.
        short: Of its column in the terminal table.
        value: A point's value; None where it has none. Texts are ranges `FROM-TO` and stand in their order.
    """

    column: str
    title: str
    short: str
    value: Callable[[P], float | str | None]


NEGATIVES: tuple[Factor[Point], ...] = (
    Factor(column="batch_size", title="batch size", short="batch", value=lambda point: point.batch_size),
    Factor(column="negatives", title="hard negatives a row", short="negatives", value=lambda point: point.negatives),
    Factor(
        column="window",
        title="rank window",
        short="window",
        value=lambda point: f"{point.window[0]}-{point.window[1]}" if point.negatives else None,
    ),
    Factor(column="temperature", title="temperature", short="temp.", value=lambda point: point.temperature),
)
"""What `sweep_negatives.py` varies."""
_SERIES = (("seen labels", "map25_seen", "#1b6ca8"), ("unseen labels", "map25_unseen", "#c8553d"))


@dataclass(frozen=True, kw_only=True)
class PointScore:
    """The dense retriever's numbers on the validation part; all shares in [0, 1], rounded to 6 decimals.

    Attributes:
        map25: MAP@25 over all labelled queries.
        map25_low: Lower end of its 95 % interval.
        map25_high: Upper end.
        map25_seen: Over queries with a label that training shows; None where there is none.
        map25_unseen: Over the others; None likewise.
        recall25: Recall@25 over all; None where the bank is smaller than that.
        recall25_unseen: Over the unseen; None likewise.
        effective_negatives: Mean unmasked negatives a row in training, those of the batch included.
    """

    map25: float
    map25_low: float
    map25_high: float
    map25_seen: float | None
    map25_unseen: float | None
    recall25: float | None
    recall25_unseen: float | None
    effective_negatives: float

    @classmethod
    def of(cls, evaluation: Evaluation, *, effective_negatives: float) -> "PointScore":
        """Take the numbers out of an evaluation that measured recall at 25."""
        seen, unseen = evaluation.seen, evaluation.unseen
        recall, recall_unseen = evaluation.overall.recall(25), unseen.recall(25) if unseen else None
        return cls(
            map25=round(evaluation.map25.value, 6),
            map25_low=round(evaluation.map25.low, 6),
            map25_high=round(evaluation.map25.high, 6),
            map25_seen=round(seen.map25.value, 6) if seen else None,
            map25_unseen=round(unseen.map25.value, 6) if unseen else None,
            recall25=round(recall.value, 6) if recall else None,
            recall25_unseen=round(recall_unseen.value, 6) if recall_unseen else None,
            effective_negatives=round(effective_negatives, 3),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers for a file."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SweepRow(Generic[P]):
    """A point of a sweep, which can be compared, and its score."""

    point: P
    score: PointScore


def by_map(rows: Sequence[SweepRow[P]]) -> list[SweepRow[P]]:
    """Return the rows, highest MAP@25 first; ties by point."""
    return sorted(rows, key=lambda row: (-row.score.map25, row.point))


def write_table(path: Path, rows: Sequence[SweepRow[Any]], factors: Sequence[Factor[Any]] = NEGATIVES) -> None:
    """Write `sweep.csv`: a line a point in the order given, the factors first; an empty cell is a number not there."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(PointScore.__dataclass_fields__)
    writer.writerow([*(factor.column for factor in factors), *names])
    for row in rows:
        writer.writerow(
            [*(factor.value(row.point) for factor in factors), *(getattr(row.score, name) for name in names)]
        )
    write_text(path, text.getvalue())


def table(rows: Sequence[SweepRow[Any]], factors: Sequence[Factor[Any]] = NEGATIVES) -> str:
    """Return a terminal table in the order given."""
    titles = (*(factor.short for factor in factors), "MAP@25", "seen", "unseen", "recall@25")
    lines = ["  " + "".join(f"{title:>11}" for title in titles)]
    for row in rows:
        score = row.score
        values = [f"{'–' if (found := factor.value(row.point)) is None else found:>11}" for factor in factors]
        numbers = [score.map25, score.map25_seen, score.map25_unseen, score.recall25]
        lines.append("  " + "".join(values) + "".join(f"{'–':>11}" if n is None else f"{n:11.4f}" for n in numbers))
    return "\n".join(lines)


def write_plot(path: Path, rows: Sequence[SweepRow[Any]], factors: Sequence[Factor[Any]] = NEGATIVES) -> None:
    """Write `sweep.png`: a panel a factor, MAP@25 of seen and unseen labels against its values.

    A dot is a point of the sweep, a line joins the means of the dots of each value.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 3 * len(factors), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(factors), sharey=True, squeeze=False)[0]
    for panel, factor in zip(panels, factors, strict=True):
        _draw(panel, factor, rows)
    panels[0].set_ylabel("MAP@25 of the dense retriever")
    panels[0].legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png", metadata={"Software": None})


def _draw(panel: "Axes", factor: Factor[Any], rows: Sequence[SweepRow[Any]]) -> None:
    """Draw one panel; values stand evenly, in rising order (windows: of their ranks)."""
    value = factor.value
    here = [row for row in rows if value(row.point) is not None]
    given = {found for row in rows if (found := value(row.point)) is not None}
    values: list[float | str | None] = [*sorted(given, key=_rising)]
    for name, attribute, colour in _SERIES:
        dots = [
            (values.index(value(row.point)), number)
            for row in here
            if (number := getattr(row.score, attribute)) is not None
        ]
        panel.plot([x for x, _ in dots], [y for _, y in dots], "o", color=colour, alpha=0.45, markersize=4)
        places = sorted({x for x, _ in dots})
        means = [sum(ys) / len(ys) for x in places if (ys := [y for place, y in dots if place == x])]
        panel.plot(places, means, "-", color=colour, label=name)
    panel.set_xticks(range(len(values)), [str(found) for found in values])
    panel.set_title(factor.title, fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)


def _rising(value: float | str) -> list[float]:
    return [float(part) for part in value.split("-")] if isinstance(value, str) else [float(value)]
