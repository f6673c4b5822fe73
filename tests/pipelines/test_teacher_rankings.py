"""A teacher's rankings from files to a student that learns from them, with tiny Llamas."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from core.artifacts import folder_hash, read_manifest
from core.tables import read_rankings
from pipelines import teacher_rankings, train_reranker
from pipelines.job import Job, fingerprints
from pipelines.plan import make_plan

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
DEPTH = 16
SHORT = {
    "neighbours.enabled": "false",  # labels of so few questions stand at one answer each: neighbours vote for others
    "lm_training.preset": "r16",
    "lm_training.largest_list": DEPTH,
    "lm_training.window": DEPTH,
    "lm_training.batch_queries": 16,
    "rerankers.big.kind": "listwise",
    "rerankers.big.candidates": DEPTH,
    "rerankers.big.batch_queries": 8,
}


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture
def arguments(tiny_files: Files, tiny_config: Path, tiny_model: Path, tiny_lm: Path) -> Callable[..., list[object]]:
    """The command line of a pipeline over stage 1 by the untrained tiny model; later settings win."""

    def given(output: Path, work: Path, *more: object, **settings: object) -> list[object]:
        chosen = {**SHORT, "rerankers.big.model": tiny_lm, "lm_training.base": tiny_lm, **settings}
        options = [option for key, value in chosen.items() for option in ("--set", f"{key}={value}")]
        named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", output]
        return [*named, "--work", work, "--config", tiny_config, "--retriever", tiny_model, *options, *more]

    return given


def states(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_from_a_teacher_to_a_student_that_learnt_from_it(
    arguments: Callable[..., list[object]], invoke: Invoke, tiny_job: Callable[..., Job], tmp_path: Path
) -> None:
    work, output = tmp_path / "work", tmp_path / "teacher"
    first = invoke(teacher_rankings.main, *arguments(output, work, "--reranker", "big"))
    assert first.returncode == 0, first.stderr
    assert sorted(path.name for path in output.iterdir()) == ["teacher.parquet", "teacher.parquet.manifest.json"]
    job = tiny_job()
    fit = make_plan(job, job.train).fit
    queries = job.queries(fit, labelled_only=True)
    ranked = read_rankings(output / "teacher.parquet")
    assert [ranking.key for ranking in ranked] == [query.key for query in queries]
    assert f"{len(queries)} labelled wrong answers ranked" in first.stdout
    candidates = read_rankings(work / "out_of_fold.parquet")
    put_in = 0
    for query, ranking, found in zip(queries, ranked, candidates, strict=True):
        assert len(ranking) == DEPTH and set(query.labels) <= set(ranking.ids.tolist())
        assert np.exp(ranking.scores).sum() == pytest.approx(1.0, abs=1e-4)  # log-probabilities
        shown = set(found.ids[:DEPTH].tolist())
        put_in += not set(query.labels) <= shown
        assert len(set(ranking.ids.tolist()) - shown) <= len(query.labels)
    assert 0 < put_in < len(queries)
    assert f"In {put_in} lists a label" in first.stdout
    manifest = read_manifest(output / "teacher.parquet")
    assert manifest is not None and (manifest["kind"], manifest["depth"], manifest["fitted_on"]) == (
        "listwise", DEPTH, [],
    )  # fmt: skip

    # A second run makes nothing.
    before = states(tmp_path)
    second = invoke(teacher_rankings.main, *arguments(output, work, "--reranker", "big"))
    assert second.returncode == 0 and states(tmp_path) == before

    # The student reads the same candidates, and is taught in every list but those with a candidate whose place a label
    # took; what the pipeline says at its end is how to start it.
    assert f"lm_training.teacher={output / 'teacher.parquet'}" in first.stdout
    taught = {"lm_training.teacher": output / "teacher.parquet", "lm_training.teacher_weight": 1.0}
    student = tmp_path / "student"
    told = invoke(train_reranker.main, *arguments(student, work, "--kind", "listwise", **taught))
    assert told.returncode == 0, told.stderr
    found_counts = re.search(r"over (\d+) lists.*teacher used in (\d+)", told.stderr)
    assert found_counts is not None
    lists, used = map(int, found_counts.groups())
    assert lists - put_in <= used <= lists and used > 0.5 * lists
    assert "warning: of the first" not in told.stderr
    after = states(work)
    assert all(after[path] == stamp for path, stamp in before.items() if path.is_relative_to(work))

    # Its labels alone make another model.
    alone = tmp_path / "alone"
    assert invoke(train_reranker.main, *arguments(alone, work, "--kind", "listwise")).returncode == 0
    assert folder_hash(alone) != folder_hash(student)

    # What was fitted on these questions teaches them only where the user says so.
    own = {"rerankers.big.adapter": student}
    refused = invoke(teacher_rankings.main, *arguments(tmp_path / "second", work, "--reranker", "big", **own))
    assert refused.returncode == 2 and not (tmp_path / "second").exists()
    count = len(fingerprints(fit))
    assert f"was fitted on {count} of the {count} questions that it is to rank" in refused.stderr
    allowed = invoke(
        teacher_rankings.main, *arguments(tmp_path / "second", work, "--reranker", "big", "--seen-teacher", **own)
    )
    assert allowed.returncode == 0, allowed.stderr
    manifest = read_manifest(tmp_path / "second" / "teacher.parquet")
    assert manifest is not None and manifest["fitted_on"] == fingerprints(fit)


def test_adaptive_orders_are_those_of_the_table(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path
) -> None:
    """Where any loss is allowed, the held-out queries are asked twice, and those that are taught (almost) all once."""
    work = tmp_path / "work"
    fitted = {"rerankers.big.adaptive.mode": "fitted", "rerankers.big.adaptive.tolerance": 1.0}
    done = invoke(teacher_rankings.main, *arguments(tmp_path / "teacher", work, "--reranker", "big", **fitted))
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(tmp_path / "teacher" / "teacher.parquet")
    assert manifest is not None and manifest["adaptive"] is not None
    held_out = len(read_rankings(work / "validation_candidates.parquet"))
    ranked = len(read_rankings(tmp_path / "teacher" / "teacher.parquet"))
    [scores] = work.glob("scores-*.jsonl")
    prompts = len(scores.read_text(encoding="utf-8").splitlines())
    assert 2 * held_out + ranked <= prompts < 2 * held_out + 1.2 * ranked


@pytest.mark.parametrize(
    ("spec", "settings", "told"),
    [
        ("identity", {}, "--reranker identity: expected a reranker that scores"),
        ("bog", {}, "reranker 'bog': expected identity, KIND:MODEL_DIR"),
        ("listwise:gone/", {}, "gone"),
        ("big", {"rerankers.big.describe": "true"}, "set describe = false"),
        ("big", {"rerankers.big.prompt.max_tokens": 64}, "max_tokens"),
    ],
)
def test_bad_input_stops_it_before_any_cost(
    arguments: Callable[..., list[object]],
    invoke: Invoke,
    tmp_path: Path,
    spec: str,
    settings: dict[str, Any],
    told: str,
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    work = tmp_path / "work" if spec == "big" else blocked / "work"
    found = invoke(teacher_rankings.main, *arguments(tmp_path / "out", work, "--reranker", spec, **settings))
    assert found.returncode == 2 and told in found.stderr
    assert spec == "big" or "--work" in found.stderr  # told together
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_asks_nothing_twice(
    arguments: Callable[..., list[object]],
    pipeline_process: Callable[..., Any],
    run_pipeline: Invoke,
    tmp_path: Path,
) -> None:
    asked = {"rerankers.big.batch_queries": 1}
    work, output = tmp_path / "work", tmp_path / "teacher"
    command = arguments(output, work, "--reranker", "big", **asked)
    process = pipeline_process("teacher_rankings", *command)
    running = subprocess.Popen(
        process.command, env=process.environment, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def stored() -> bytes:
        return b"".join(path.read_bytes() for path in work.glob("scores-*.jsonl"))

    while running.poll() is None and stored().count(b"\n") < 6:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not output.exists()
    kept = stored()[: stored().rindex(b"\n") + 1]
    again = run_pipeline("teacher_rankings", *command)
    assert again.returncode == 0, again.stderr
    assert stored().startswith(kept)
    ranked = read_rankings(output / "teacher.parquet")
    assert stored().count(b"\n") <= 2 * len(ranked)  # two orders, each once
    whole = run_pipeline(
        "teacher_rankings", *arguments(tmp_path / "whole", tmp_path / "w", "--reranker", "big", **asked)
    )
    assert whole.returncode == 0, whole.stderr
    assert (tmp_path / "whole" / "teacher.parquet").read_bytes() == (output / "teacher.parquet").read_bytes()
