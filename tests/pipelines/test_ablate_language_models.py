"""The ablation over listwise rerankers: orders × candidates × fusion on the same candidates."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from pipelines import ablate_rerankers

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture
def ablated(tiny_files: Files, tiny_config: Path, tiny_model: Path, invoke: Invoke, tmp_path: Path) -> Invoke:
    named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
    given = [*named, "--retriever", tiny_model, "--output", tmp_path / "out", "--set", "prior.enabled=false"]
    return lambda *more: invoke(ablate_rerankers.main, *given, *more)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "ablation.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_orders_candidates_and_fusion_in_every_combination(ablated: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    table = ["rerankers.lm.kind=listwise", f"rerankers.lm.model={tiny_lm}", "rerankers.lm.bias_sample=0"]
    more = [part for value in table for part in ("--set", value)]
    grid = ["--orders", "both,ascending", "--candidates", "4,6", "--fusion", "rank,score"]
    done = ablated("--rerankers", "identity,lm", *grid, *more)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out")
    assert len(found) == 1 + 8 * 2  # stage 1; eight points, alone and fused
    assert len({(row["reranker"], row["used"]) for row in found}) == len(found)
    for row in found[1:]:
        assert float(row["queries_per_second"] or 1) > 0 and row["gpu_seconds_per_1000_queries"] == ""
    tokens = {row["reranker"]: float(row["prompt_tokens_per_query"]) for row in found[1:]}
    assert tokens["lm [both, 4, rank]"] == tokens["lm [both, 4, score]"]
    assert tokens["lm [both, 4, rank]"] == pytest.approx(2 * tokens["lm [ascending, 4, rank]"], abs=0.01)
    assert tokens["lm [both, 6, rank]"] > tokens["lm [both, 4, rank]"]
    scored = [path for path in (tmp_path / "out").glob("validation_reranked-*.parquet")]
    assert len(scored) == 4  # the form of fusion scores nothing anew
    assert done.stderr.count("opening the engine") == 1
    numbers = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["bias"]["lm [both, 6, rank]"]["bias"]["queries_in_several_orders"] > 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Bias of the reranker: lm [both, 4, rank]" in page and "GPU-s/1,000" in page

    before = {name: (tmp_path / "out" / name).read_bytes() for name in ("ablation.csv", "metrics.json", "report.html")}
    again = ablated("--rerankers", "identity,lm", *grid, *more)
    assert again.returncode == 0 and "opening the engine" not in again.stderr
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before


def test_a_reranker_that_searches_twice_has_a_row_for_that(ablated: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    table = ["kind=listwise", f"model={tiny_lm}", "bias_sample=0", "candidates=5", "describe=true", "describe_extra=3"]
    more = [part for value in table for part in ("--set", f"rerankers.lm.{value}")]
    done = ablated("--rerankers", "lm", *more)
    assert done.returncode == 0, done.stderr
    assert [row["used"] for row in rows(tmp_path / "out")] == ["as it is", "searched twice", "alone", "fused"]


def test_a_grid_that_cannot_be_is_refused_before_any_cost(ablated: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    grid = ("--rerankers", f"listwise:{tiny_lm}", "--candidates", "60", "--orders", "up")
    assert "--candidates: 60, but stage 1 keeps 30" in ablated(*grid).stderr
    done = ablated(*grid, "--set", "candidates=60")
    assert done.returncode == 2
    assert "60 candidates, but there are 52 labels" in done.stderr and "came 'up'" in done.stderr
    assert not (tmp_path / "out").exists()
