import argparse

import pytest

from core.errors import InputError
from pipelines.ablation_grid import add_grid_options, grid_points
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.settings import Settings

SETTINGS = Settings(
    rerankers={
        "lm": RerankerSettings(kind="listwise", model="models/x", candidates=10),
        "cross": RerankerSettings(kind="cross-encoder", model="models/y"),
        "skips": RerankerSettings(kind="listwise", model="models/x", adaptive=AdaptiveSettings(mode="fitted")),
    }
)


def options(*given: str) -> argparse.Namespace:
    made = argparse.ArgumentParser()
    add_grid_options(made)
    return made.parse_args(list(given))


def test_without_lists_each_reranker_is_as_its_table_says() -> None:
    points = grid_points(["identity", "lm", "cross"], SETTINGS, options())
    assert [(p.title, p.variant) for p in points] == [("identity", ""), ("lm", ""), ("cross", "")]
    assert points[1].chosen == SETTINGS.rerankers["lm"]


def test_every_combination_is_a_point_where_it_means_something() -> None:
    points = grid_points(
        ["identity", "lm", "cross"],
        SETTINGS,
        options("--orders", "both,ascending", "--candidates", "5,10", "--fusion", "rank,score"),
    )
    by_spec = {spec: [p for p in points if p.spec == spec] for spec in ("identity", "lm", "cross")}
    assert [len(found) for found in by_spec.values()] == [1, 8, 4]
    assert [p.title for p in by_spec["lm"][:3]] == ["lm [both, 5, rank]", "lm [both, 5, score]", "lm [both, 10, rank]"]
    assert len({p.title for p in points}) == len(points)
    first, second, third = by_spec["lm"][:3]
    assert first.variant == second.variant == "both, 5"  # fusion changes no score
    assert third.variant == ""  # what the table says by itself
    assert (first.chosen.orders, first.chosen.candidates, second.chosen.fusion) == ("both", 5, "score")


def test_one_order_has_nothing_to_adapt() -> None:
    (point,) = grid_points(["skips"], SETTINGS, options("--orders", "ascending"))
    assert point.chosen.adaptive.mode == "off"


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        grid_points(["lm"], SETTINGS, options("--orders", "sideways", "--candidates", "1,x,60", "--fusion", "none"))
    for words in ("--orders: expected some of", "'1'", "'x'", "60 candidates, but there are 52", "--fusion: expected"):
        assert words in str(caught.value)
