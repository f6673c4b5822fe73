from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import InputError
from core.order_scores import OrderScores
from core.order_scores_table import read_order_scores, write_order_scores


def scored(
    key: str, order: int, ids: list[int], *, none: float | None, mass: float | None, window: int = 0
) -> OrderScores:
    logprobs = np.log(np.random.default_rng(len(ids) + order).dirichlet(np.ones(len(ids))))
    return OrderScores(
        key=key, order=order, ids=np.array(ids), logprobs=logprobs, none_logprob=none, mass=mass, window=window
    )


def test_records_come_back_to_the_bit_and_files_repeat(tmp_path: Path) -> None:
    records = [
        scored("1_A", 0, [5, 3, 9], none=-1.25, mass=0.1),
        scored("1_A", 0, [5, 3, 9], none=-1.25, mass=0.1),  # a sliding window may ask the same twice
        scored("1_A", 1, [9, 3, 5], none=None, mass=None, window=7),
        scored("2_D", 0, [1], none=None, mass=0.3),
    ]
    path = tmp_path / "orders.parquet"
    write_order_scores(path, records)
    found = read_order_scores(path)
    assert len(found) == 4
    for one, two in zip(records, found, strict=True):
        assert (one.key, one.order, one.window, one.none_logprob, one.mass) == (
            two.key,
            two.order,
            two.window,
            two.none_logprob,
            two.mass,
        )
        assert one.ids.tolist() == two.ids.tolist() and one.logprobs.tobytes() == two.logprobs.tobytes()
    before = path.read_bytes()
    write_order_scores(path, found)
    assert path.read_bytes() == before


def test_no_records_are_a_file_too(tmp_path: Path) -> None:
    write_order_scores(tmp_path / "none.parquet", [])
    assert read_order_scores(tmp_path / "none.parquet") == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_order_scores(tmp_path / "gone.parquet")
    (tmp_path / "text.parquet").write_text("no parquet", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_order_scores(tmp_path / "text.parquet")
    pl.DataFrame({"key": ["a"]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="expected the columns prompt, key"):
        read_order_scores(tmp_path / "other.parquet")
