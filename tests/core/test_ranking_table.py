import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.ranking_table import read_rankings, write_rankings
from core.records import Ranking

RANKINGS = [
    Ranking.from_scores("2_B", [5, 3, 9], [0.5, 0.5, 0.25]),
    Ranking.from_scores("1_A", [7], [-1e300]),
    Ranking.from_scores("10_D", np.arange(100), np.linspace(0, 1, 100)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "candidates.parquet"


def test_rankings_come_back_in_order(path: Path) -> None:
    write_rankings(path, RANKINGS)
    assert read_rankings(path) == RANKINGS
    frame = pl.read_parquet(path)
    assert frame.columns == ["key", "rank", "id", "score"]
    assert frame.head(4).rows() == [("2_B", 1, 3, 0.5), ("2_B", 2, 5, 0.5), ("2_B", 3, 9, 0.25), ("1_A", 1, 7, -1e300)]


def test_no_ranking_at_all_comes_back(path: Path) -> None:
    write_rankings(path, [])
    assert read_rankings(path) == []


@given(
    st.dictionaries(
        st.text(min_size=1), st.dictionaries(st.integers(0, 2**62), st.floats(-1e9, 1e9), min_size=1), max_size=5
    )
)
def test_any_rankings_come_back(tmp_path_factory: pytest.TempPathFactory, scores: dict[str, dict[int, float]]) -> None:
    path = tmp_path_factory.mktemp("rankings") / "r.parquet"
    rankings = [Ranking.from_scores(key, [*by_id], [*by_id.values()]) for key, by_id in scores.items()]
    write_rankings(path, rankings)
    assert read_rankings(path) == rankings


def test_bytes_are_the_same_in_another_process(path: Path, tmp_path: Path) -> None:
    write_rankings(path, RANKINGS)
    other = tmp_path / "other.parquet"
    code = (
        "import sys; from pathlib import Path; from core.ranking_table import read_rankings, write_rankings;"
        "write_rankings(Path(sys.argv[2]), read_rankings(Path(sys.argv[1])))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, path, other], check=True, cwd=root)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_what_cannot_be_written_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="a key"):
        write_rankings(path, [RANKINGS[0], RANKINGS[0]])
    with pytest.raises(ValueError, match="no entry"):
        write_rankings(path, [RANKINGS[0].top(0)])
    assert list(path.parent.iterdir()) == []


def test_files_that_are_no_rankings_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_rankings(path)
    path.write_text("key,rank,id,score\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_rankings(path)
    pl.DataFrame({"key": ["1_A"]}).write_parquet(path)
    with pytest.raises(InputError, match="expected the columns"):
        read_rankings(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("rank", [1, 3, 1], "count up"),
        ("rank", [2, 3, 4], "count up"),
        ("rank", [2, 1, 2], "count up"),
        ("rank", [0, 1, 1], "count up"),
        ("rank", [1, None, 1], "empty"),
        ("key", ["a", "b", "c"], "another key"),
        ("key", ["a", "a", "a"], "twice"),
        ("score", [1.0, float("nan"), 1.0], "not finite"),
        ("score", [1.0, 2.0, 1.0], "must not rise"),
        ("id", [4, 4, 1], "occurs twice"),
    ],
)
def test_rows_that_are_no_rankings_are_refused(path: Path, column: str, values: list[object], message: str) -> None:
    columns = {"key": ["a", "a", "b"], "rank": [1, 2, 1], "id": [1, 2, 3], "score": [1.0, 0.5, 1.0], column: values}
    schema = {"key": pl.String, "rank": pl.Int32, "id": pl.Int64, "score": pl.Float64}
    pl.DataFrame(columns, schema=schema).write_parquet(path)
    with pytest.raises(InputError, match=message):
        read_rankings(path)
