"""Adapters from training to a merged and to an averaged reranker, by command lines alone."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from core.artifacts import read_manifest
from pipelines import average_adapters, merge_adapter, train_reranker

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.mark.slow
def test_trained_here_merged_and_averaged(
    tiny_files: Files, tiny_config: Path, tiny_lm: Path, tiny_model: Path, invoke: Invoke, tmp_path: Path
) -> None:
    """Kind, prompts, base and method come from the manifests; nothing of them is said again."""
    pytest.importorskip("bitsandbytes")
    data = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
    data += ["--retriever", tiny_model]
    recipe = {"base": tiny_lm, "preset": "r16", "method": "qlora", "largest_list": 5, "learning_rate": 0.01}
    given = [part for key, value in recipe.items() for part in ("--set", f"lm_training.{key}={value}")]
    folders = [tmp_path / f"seed{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(folders, start=1):
        more = ["--kind", "pointwise", "--set", f"lm_training.seed={seed}", "--set", "reranker_training.folds=2"]
        done = invoke(train_reranker.main, *data, *given, *more, "--output", folder, "--work", tmp_path / "work")
        assert done.returncode == 0, done.stderr
    first = read_manifest(folders[0])
    assert first is not None

    done = invoke(merge_adapter.main, "--adapter", folders[0], *data, "--output", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    merged = read_manifest(tmp_path / "merged")
    assert merged is not None and set(merged["scores"]) == {"16bit", "dequantised"}
    assert {key: merged[key] for key in ("kind", "prompts", "fitted_on", "revision")} == {
        key: first[key] for key in ("kind", "prompts", "fitted_on", "revision")
    }

    average = ["--adapters", *folders, "--weights", "greedy"]
    done = invoke(average_adapters.main, *average, *data, "--output", tmp_path / "soup")
    assert done.returncode == 0, done.stderr
    soup = read_manifest(tmp_path / "soup")
    assert soup is not None
    singles = [score["map@25"] for score in soup["scores"]["singles"].values()]
    assert soup["scores"]["average"]["map@25"] >= max(singles)

    # What is made can be merged again, and is served by the same commands.
    done = invoke(merge_adapter.main, "--adapter", tmp_path / "soup", "--into", "16bit", "--output", tmp_path / "last")
    assert done.returncode == 0, done.stderr
    last = read_manifest(tmp_path / "last")
    assert last is not None and last["kind"] == "pointwise" and last["fitted_on"] == first["fitted_on"]
