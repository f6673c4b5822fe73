from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, InputError
from pipelines.sweep_grid import Point, grid_points, point_settings


def test_every_combination_stands_once_in_the_order_of_the_lists() -> None:
    points = grid_points(batch_sizes="32, 128", negatives="0,2", windows="1-50,10-100", temperatures="0.02")
    assert [point.name for point in points] == [
        "b32-n0-t0.02",
        "b32-n2-w1-50-t0.02",
        "b32-n2-w10-100-t0.02",
        "b128-n0-t0.02",
        "b128-n2-w1-50-t0.02",
        "b128-n2-w10-100-t0.02",
    ]


def test_a_repeated_value_counts_once() -> None:
    assert len(grid_points(batch_sizes="32,32", negatives="2", windows="1-50,1-50", temperatures="0.05,0.050")) == 1


@given(
    sizes=st.sets(st.integers(2, 512), min_size=1, max_size=4),
    counts=st.sets(st.integers(0, 16), min_size=1, max_size=4),
    heats=st.sets(st.floats(0.001, 1.0), min_size=1, max_size=3),
)
def test_names_tell_points_apart(sizes: set[int], counts: set[int], heats: set[float]) -> None:
    lists = {"batch_sizes": sizes, "negatives": counts, "temperatures": heats}
    points = grid_points(windows="1-50,2-50", **{name: ",".join(map(str, values)) for name, values in lists.items()})
    assert len({point.name for point in points}) == len(points)
    without = len(sizes) * len(heats) * (0 in counts)
    assert len(points) == without + len(sizes) * len(heats) * 2 * len(counts - {0})


def test_every_item_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InputError) as caught:
        grid_points(batch_sizes="32,x", negatives="2.5", windows="1-50,50,1-2-3", temperatures="warm")
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "--batch-sizes",
        "--negatives",
        "--windows",
        "--windows",
        "--temperatures",
    ]
    assert "came '50'" in caught.value.faults[2]


def test_a_point_becomes_a_config(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[training]\nepochs = 5\nnegatives = 9\n", encoding="utf-8")
    point = Point(batch_size=32, negatives=2, window=(10, 100), temperature=0.02)
    (settings,) = point_settings([point], config, ["training.seed=7"])
    training = settings.training
    assert (training.batch_size, training.negatives, training.temperature) == (32, 2, 0.02)
    assert (training.window_from, training.window_to) == (10, 100)
    assert (training.epochs, training.seed) == (5, 7)


def test_values_out_of_range_are_told_once_each() -> None:
    points = grid_points(batch_sizes="1,8", negatives="2", windows="9-3,1-50", temperatures="0.05,2.0")
    with pytest.raises(ConfigError) as caught:
        point_settings(points, None, [])
    told = "\n".join(caught.value.faults)
    assert "batch_size" in told and "temperature" in told and "window_to" in told
    assert len(set(caught.value.faults)) == len(caught.value.faults)
