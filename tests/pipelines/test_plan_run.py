import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from core.models import locate_model
from pipelines.job import Job
from pipelines.plan_run import main, tell_plan
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.time_limit import TimeLimit

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIGS = Path(__file__).parents[2] / "pipelines" / "configs"


def test_a_plan_tells_minutes_memory_and_what_is_measured(invoke: Invoke) -> None:
    done = invoke(main, "--gpu", "h200", "--model", "32B", "--quantization", "fp8", "--queries", 3000)
    assert done.returncode == 0, done.stderr
    assert "16.8 queries/s" in done.stdout and "in all" in done.stdout
    assert "stage 2: test queries" in done.stdout and "measured" in done.stdout
    assert "of 139.8: fits" in done.stdout


def test_the_largest_setting_within_a_time_limit(invoke: Invoke) -> None:
    done = invoke(main, "--gpu", "t4", "--gpus", 2, "--model", "72B", "--quantization", "awq", "--time-limit", "9h")
    assert done.returncode == 0, done.stderr
    assert "DOES NOT FIT" in done.stdout and "the setting above does not fit" in done.stdout
    assert "Largest setting that fits:\n  32B awq on 2 × t4, 25 candidates, 2 orders" in done.stdout
    none = invoke(main, "--gpu", "t4", "--time-limit", "10s")
    assert "Nothing that this model knows fits" in none.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h200", "32B fp8 on h200, 25 candidates, 2 orders"),
        ("listwise_2x16gb", "32B awq on 2 × h200"),
        ("listwise_80gb", "32B bf16 on h200"),
        ("listwise_24gb", "14B awq on h200"),
    ],
)
def test_configs_are_planned(invoke: Invoke, name: str, said: str) -> None:
    done = invoke(main, "--config", CONFIGS / f"{name}.toml", "--reranker", "listwise", "--gpu", "h200")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)


def test_the_laptops_config_is_planned_for_a_cpu(invoke: Invoke) -> None:
    done = invoke(main, "--config", CONFIGS / "listwise_cpu.toml", "--reranker", "listwise", "--gpu", "cpu")
    assert done.stdout.startswith("135M float32 on cpu, 10 candidates, 2 orders"), done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--gpu", "h100000"], "expected one of t4"),
        (["--gpu", "t4", "--model", "big"], "expected a size such as 7B"),
        (["--gpu", "t4", "--queries", "0"], "--queries: expected at least 1"),
        (["--gpu", "t4", "--gpus", "0"], "--gpus: expected at least 1"),
        (["--gpu", "t4", "--reranker", "gone"], "expected a listwise or pointwise table of --config, or a cascade"),
    ],
)
def test_bad_options_are_refused(invoke: Invoke, given: list[str], words: str) -> None:
    done = invoke(main, *given)
    assert done.returncode == 2 and words in done.stderr


def sets(*values: str) -> list[str]:
    return [part for value in values for part in ("--set", value)]


def test_engines_side_by_side_share_the_queries(invoke: Invoke) -> None:
    table = sets("rerankers.mine.kind=listwise", "rerankers.mine.model=x/y-7B", "rerankers.mine.engine=gpus")
    engine = sets("engines.gpus.kind=vllm", "engines.gpus.workers=4", "engines.gpus.tensor_parallel_size=2")
    done = invoke(main, "--gpu", "a100", "--reranker", "mine", *table, *engine)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("7B bf16 on 4 engines of 2 × a100, 25 candidates, 2 orders")
    alone = invoke(main, "--gpu", "a100", "--reranker", "mine", *table, *engine, "--set", "engines.gpus.workers=1")
    speeds = [float(text.stdout.partition(": ")[2].partition(" queries/s")[0]) for text in (done, alone)]
    assert speeds[0] == pytest.approx(4 * speeds[1], rel=0.01)


def test_a_cascade_is_planned_stage_by_stage(invoke: Invoke) -> None:
    wide = sets("rerankers.wide.kind=pointwise", "rerankers.wide.model=x/y-0.5B", "rerankers.wide.candidates=50")
    small = sets("rerankers.small.kind=listwise", "rerankers.small.model=x/y-14B", "rerankers.small.candidates=25")
    stages = '[{reranker="wide",first=1,last=50},{reranker="small",first=8,last=17}]'
    own = sets("rerankers.all.kind=cascade", f"rerankers.all.stages={stages}", "rerankers.all.candidates=50")
    done = invoke(main, "--gpu", "h200", "--reranker", "all", *wide, *small, *own, "--time-limit", "9h")
    assert done.returncode == 0, done.stderr
    assert "wide: 0.5B bf16 on h200, 50 candidates, a prompt each" in done.stdout
    assert "small: 14B bf16 on h200, 10 candidates, 2 orders" in done.stdout  # its stretch, not its table's candidates
    assert "wide: test queries" in done.stdout and "small: test queries" in done.stdout
    assert "the cascade above fits" in done.stdout
    refused = invoke(main, "--gpu", "h200", "--reranker", "all", *wide, *small, *own, "--model", "7B")
    assert refused.returncode == 2 and "--model: a cascade's stages have their own" in refused.stderr


def test_counts_of_the_command_line_stand_in_place_of_the_tables(invoke: Invoke) -> None:
    table = sets("rerankers.mine.kind=listwise", "rerankers.mine.model=x/y-7B")
    done = invoke(main, "--gpu", "h200", "--reranker", "mine", *table, "--candidates", 10, "--orders", 1)
    assert done.stdout.startswith("7B bf16 on h200, 10 candidates, 1 order:"), done.stderr


@pytest.fixture
def two(tiny_job: Callable[..., Job], tiny_model: Path, tiny_lm: Path, tmp_path: Path) -> StageTwoRun:
    job = tiny_job()
    one = StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))
    return StageTwoRun(one, "mine", chosen=RerankerSettings(kind="listwise", model=str(tiny_lm)))


def test_a_run_that_will_not_fit_is_told_what_would(
    two: StageTwoRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipelines.plan_run.device_present", lambda engine: "t4")
    with caplog.at_level(logging.INFO):
        tell_plan(two, 10**9, TimeLimit(seconds=6000))
    assert "plan for mine, time limit 1 h 40 min (estimated)" in caplog.text
    assert "more than the time limit: what fits is tiny-lm bf16 on t4, " in caplog.text
    caplog.clear()
    tell_plan(two, 10**9, TimeLimit(seconds=10))
    assert "no setting of this model fits it" in caplog.text
    caplog.clear()
    tell_plan(two, 10, TimeLimit(seconds=1e7))
    assert "more than the time limit" not in caplog.text


def test_a_gpu_outside_the_table_is_told(
    two: StageTwoRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(engine: object) -> str:
        raise InputError("this machine's GPU, Some GPU, is not in the cost model")

    monkeypatch.setattr("pipelines.plan_run.device_present", unknown)
    tell_plan(two, 10, TimeLimit(seconds=1e7))
    assert "no plan before the run, it goes by the speed that it measures: this machine's GPU, Some GPU" in caplog.text
    assert caplog.records[-1].levelname == "WARNING"
