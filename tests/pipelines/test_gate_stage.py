"""The gate's stage: which queries are measured, and that both models are asked the same prompts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.models import locate_model
from eval.metrics import average_precisions
from pipelines.gate_stage import gate_lists, run_gate
from pipelines.job import Job
from pipelines.quantize_stage import QuantizeRun
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages


@pytest.fixture
def run(tiny_job: Callable[..., Job], tiny_model: Path, tiny_lm: Path, tmp_path: Path) -> Callable[..., QuantizeRun]:
    def make(*overrides: str, **table: object) -> QuantizeRun:
        job = tiny_job("quantization.group_size=32", "quantization.back_end=rtn", "quantization.queries=5", *overrides)
        stages = Stages(folder=tmp_path / "work")
        one = StageOneRun(job, stages, job.train, given=locate_model(str(tiny_model)))
        named = {"kind": "listwise", "model": str(tiny_lm), "candidates": 4, **table}
        return QuantizeRun(one, RerankerSettings.model_validate(named), stages)

    return make


def test_queries_are_drawn_by_the_seed_from_the_held_out_part(run: Callable[..., QuantizeRun]) -> None:
    made = run()
    queries, candidates = gate_lists(made)
    keys = [query.key for query in made.one.plan.queries]
    rows = [keys.index(query.key) for query in queries]
    assert len(rows) == 5 and rows == sorted(rows)
    assert [ranking.key for ranking in candidates] == [query.key for query in queries]
    assert all(len(ranking) == 4 for ranking in candidates)
    assert [query.key for query in gate_lists(run())[0]] == [query.key for query in queries]
    assert len(gate_lists(run("quantization.queries=10000"))[0]) == len(keys)


@pytest.mark.parametrize(("kind", "prompts"), [("listwise", 10), ("pointwise", 20)])
def test_the_numbers_are_those_of_the_rankings(run: Callable[..., QuantizeRun], kind: str, prompts: int) -> None:
    gated = run_gate(run(kind=kind))
    labels = {query.key: query.labels for query in gated.queries}
    assert gated.result.before == pytest.approx(average_precisions(gated.before, labels).mean())
    assert gated.result.after == pytest.approx(average_precisions(gated.after, labels).mean())
    assert gated.result.low <= gated.result.delta <= gated.result.high
    assert gated.result.prompts == prompts
    assert gated.facts["engines"]["16bit"]["kind"] == "transformers"
    moved = [np.abs(a.scores - b.scores).max() for a, b in zip(gated.before, gated.after, strict=True)]
    assert max(moved) > 0


def test_windows_that_move_are_compared_prompt_by_prompt(run: Callable[..., QuantizeRun]) -> None:
    """Sliding windows ask the quantised model other prompts; those of the 16-bit model are asked of it too."""
    windows = {"kind": "sliding", "size": 2, "stride": 1}
    gated = run_gate(run(windows=windows))
    assert gated.result.prompts == 5 * 3 * 2
