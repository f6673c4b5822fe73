import csv
from pathlib import Path

import numpy as np
import pytest

from core.records import Ranking
from eval.evaluation import evaluate
from pipelines.sweep_grid import Point
from pipelines.sweep_results import PointScore, SweepRow, by_map, table, write_plot, write_table


def row(size: int, map25: float, *, negatives: int = 2, unseen: float | None = 0.1) -> SweepRow:
    score = PointScore(
        map25=map25,
        map25_low=map25 - 0.01,
        map25_high=map25 + 0.01,
        map25_seen=map25 + 0.1,
        map25_unseen=unseen,
        recall25=0.5,
        recall25_unseen=None,
        effective_negatives=30.5,
    )
    window = (1, 50) if negatives else (0, 0)
    return SweepRow(point=Point(batch_size=size, negatives=negatives, window=window, temperature=0.05), score=score)


def test_a_score_is_taken_from_an_evaluation() -> None:
    """Three queries, worked out by hand: labels at rank 1 and 2 (seen) and 4 (unseen): MAP = (1 + 1/2 + 1/4) / 3."""
    rankings = [Ranking(key=f"{number}_A", ids=np.arange(30), scores=-np.arange(30.0)) for number in range(3)]
    labels = {"0_A": (0,), "1_A": (1,), "2_A": (3,)}
    found = PointScore.of(evaluate(rankings, labels, seen={0, 1}, ks=(25,), resamples=100), effective_negatives=12.3456)
    assert found.map25 == pytest.approx(1.75 / 3, abs=1e-6)
    assert (found.map25_seen, found.map25_unseen) == (0.75, 0.25)
    assert (found.recall25, found.recall25_unseen, found.effective_negatives) == (1.0, 1.0, 12.346)
    assert found.map25_low <= found.map25 <= found.map25_high
    assert PointScore(**found.to_json()) == found


def test_the_best_stands_first_and_ties_stand_by_point() -> None:
    rows = [row(128, 0.3), row(32, 0.3), row(64, 0.4)]
    assert [found.point.batch_size for found in by_map(rows)] == [64, 32, 128]


def test_the_csv_holds_every_number(tmp_path: Path) -> None:
    write_table(tmp_path / "sweep.csv", [row(32, 0.25, negatives=0), row(64, 0.2, unseen=None)])
    with (tmp_path / "sweep.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["batch_size"], first["negatives"], first["window"], first["temperature"]) == ("32", "0", "", "0.05")
    assert (second["window"], second["map25"], second["map25_unseen"]) == ("1-50", "0.2", "")
    assert float(first["map25_seen"]) == pytest.approx(0.35)


def test_the_terminal_table_has_a_line_a_point() -> None:
    lines = table([row(32, 0.25, negatives=0), row(64, 0.2, unseen=None)]).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["32", "0", "–", "0.05", "0.2500", "0.3500", "0.1000", "0.5000"]
    assert lines[2].split()[6] == "–"


def test_the_plot_is_a_png_and_the_same_each_time(tmp_path: Path) -> None:
    rows = [row(32, 0.25, negatives=0), row(64, 0.2, unseen=None), row(64, 0.3, negatives=4)]
    for name in ("a.png", "b.png"):
        write_plot(tmp_path / name, rows)
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG") and len(first) > 10_000
    assert first == (tmp_path / "b.png").read_bytes()


def test_the_plot_copes_with_nothing_to_draw(tmp_path: Path) -> None:
    write_plot(tmp_path / "a.png", [row(32, 0.25, negatives=0, unseen=None)])
    assert (tmp_path / "a.png").is_file()
