import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artifacts import read_arrays
from core.records import Misconception
from core.tables import write_misconceptions
from pipelines.embed_misconceptions import main
from pipelines.job import Job
from pipelines.loading import load_encoder
from retrieval.index import MisconceptionIndex

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def arguments(tiny_files: tuple[Path, ...], tiny_config: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def build(*further: object, bank: Path = tiny_files[2]) -> list[str]:
        given = ("--misconceptions", bank, "--output", tmp_path / "bank", "--config", tiny_config)
        return [*map(str, given), *map(str, further)]

    return build


def test_only_what_changed_is_computed_again(
    tmp_path: Path,
    arguments: Callable[..., list[str]],
    invoke: Invoke,
    tiny_bank: tuple[Misconception, ...],
    tiny_job: Callable[..., Job],
    tiny_model: Path,
) -> None:
    size = len(tiny_bank)
    first = invoke(main, *arguments())
    assert first.returncode == 0, first.stderr
    assert f"{size} entries: 0 reused, {size} computed" in first.stdout
    second = invoke(main, *arguments())
    assert f"{size} entries: {size} reused, 0 computed" in second.stdout
    changed = tmp_path / "changed.csv"
    write_misconceptions(changed, [replace(tiny_bank[0], name="Adds the top and the bottom"), *tiny_bank[1:-1]])
    third = invoke(main, *arguments(bank=changed))
    assert f"{size - 1} entries: {size - 2} reused, 1 computed" in third.stdout
    held = read_arrays(tmp_path / "bank" / "bank.safetensors")
    assert held["embeddings"].shape == (size - 1, 32) and held["embeddings"].dtype == np.float32
    # The index holds the same vectors: each entry finds itself.
    index = MisconceptionIndex.load(tmp_path / "bank" / "index")
    names = [entry.name for entry in tiny_bank[1:6]]
    vectors = load_encoder(tiny_job(), tiny_model).encode_queries(names)
    found = index.search(vectors, [f"{row}_A" for row in range(5)], top_n=1)
    assert [int(ranking.ids[0]) for ranking in found] == [entry.id for entry in tiny_bank[1:6]]


def test_explanations_change_the_texts(
    arguments: Callable[..., list[str]], invoke: Invoke, tiny_files: tuple[Path, ...], tiny_bank: tuple[Misconception]
) -> None:
    assert invoke(main, *arguments()).returncode == 0
    done = invoke(main, *arguments("--explanations", tiny_files[3]))
    assert f"0 reused, {len(tiny_bank)} computed" in done.stdout
    view = invoke(main, *arguments("--explanations", tiny_files[3], "--set", "text.explanation=view"))
    assert view.stdout.count("computed") == 2, "two views"


def test_a_model_on_the_command_line_takes_the_place_of_the_configs(
    arguments: Callable[..., list[str]], invoke: Invoke, tiny_model: Path
) -> None:
    nowhere = ("--set", "retriever.model=./nowhere")
    assert invoke(main, *arguments("--retriever", tiny_model, *nowhere)).returncode == 0


def test_all_faults_are_told_and_nothing_is_written(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke
) -> None:
    done = invoke(main, *arguments("--retriever", "./nowhere", "--set", "retriever.max_lenght=3", bank=tmp_path / "no"))
    assert done.returncode == 2
    assert "did you mean 'max_length'" in done.stderr and f"{tmp_path / 'no'}" in done.stderr
    done = invoke(main, *arguments("--retriever", "./nowhere", bank=tmp_path / "no"))
    assert "./nowhere" in done.stderr and f"{tmp_path / 'no'}" in done.stderr
    done = invoke(main, "--retriever", "./nowhere")
    assert "--misconceptions: expected a path" in done.stderr and "--output: expected a path" in done.stderr
    assert list(tmp_path.iterdir()) == []
