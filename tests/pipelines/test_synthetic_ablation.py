import csv
import io

import pytest

from core.records import Ranking
from pipelines.synthetic_ablation import REAL, arm_rows, arms_csv, arms_section, arms_table


def ranking(key: str, *ids: int) -> Ranking:
    return Ranking.from_scores(key, list(ids), [-float(place) for place in range(len(ids))])


LABELS = {"1_A": (1,), "2_A": (2,), "3_A": (3,)}
ARMS = {
    REAL: [ranking("1_A", 1, 9), ranking("2_A", 9, 2), ranking("3_A", 9, 8)],
    "procedural": [ranking("1_A", 1, 9), ranking("2_A", 2, 9), ranking("3_A", 9, 8)],
    "hints": [ranking("1_A", 1, 9), ranking("2_A", 2, 9), ranking("3_A", 3, 8)],
}
SLICES = {"all": frozenset(LABELS), "unseen": frozenset({"2_A"}), "nobody": frozenset()}


def test_arms_on_slices_by_hand() -> None:
    rows = arm_rows("stage 1", ARMS, LABELS, SLICES, resamples=200)
    assert [(row.part, row.arm) for row in rows] == [
        *(("all", arm) for arm in ARMS),
        *(("unseen", arm) for arm in ARMS),
    ]
    # 1, 1/2 and 0 of three queries; then 1, 1, 0; then all right
    assert [row.scores.map25.value for row in rows[:3]] == pytest.approx([0.5, 2 / 3, 1.0])
    assert [row.to_real and row.to_real.difference for row in rows[:3]] == [
        None,
        pytest.approx(1 / 6),
        pytest.approx(0.5),
    ]
    assert [row.to_previous and row.to_previous.difference for row in rows[:3]] == [None, None, pytest.approx(1 / 3)]
    assert [row.scores.n for row in rows] == [3, 3, 3, 1, 1, 1]


def test_the_table_the_csv_and_the_section_hold_the_same_numbers() -> None:
    rows = arm_rows("stage 1", ARMS, LABELS, SLICES, resamples=200)
    table = arms_table(rows)
    assert "0.6667" in table and "+0.1667" in table and len(table.splitlines()) == 7
    read = list(csv.DictReader(io.StringIO(arms_csv(rows))))
    assert [row["map@25"] for row in read[:3]] == ["0.5", "0.666667", "1.0"]
    assert read[0]["to_real"] == "" and read[1]["to_real"] == "0.166667" and read[1]["to_previous"] == ""
    html = arms_section(rows, run="<b>", how="1 < 2").html
    assert "0.6667" in html and "1 &lt; 2" in html
