import csv
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from pipelines.sweep_lora import LoraPoint, main, read_sweep

ROOT = Path(__file__).parents[2]
Invoke = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def arguments(tiny_files: tuple[Path, ...], tiny_config: Path, toy_decoder: Path) -> Callable[..., list[str]]:
    """Give the command line of a tiny sweep: two alphas, then one rank more."""
    train, _test, misconceptions, _explanations = tiny_files
    model = ("--set", f'retriever.model="{toy_decoder}"', "--set", "retriever.pooling=last")

    def build(output: Path, *further: object) -> list[str]:
        data = ("--train", train, "--misconceptions", misconceptions, "--output", output, "--config", tiny_config)
        sweep = ("--rank", 4, "--alphas", "4,16", "--ranks", "2,4", "--set", "training.method=lora")
        return [*map(str, (*data, *model, *sweep, *further))]

    return build


def read_table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_alpha_first_then_rank_at_the_best_alpha() -> None:
    sweep = read_sweep(rank=16, alphas="2,8,8", ranks="4,16,32", epochs=1)
    assert [(point.rank, point.alpha) for point in sweep.of_alpha()] == [(16, 2), (16, 8)]
    assert [(point.rank, point.alpha) for point in sweep.of_rank(8)] == [(4, 8), (32, 8)]
    points = [*sweep.of_alpha(), *sweep.of_rank(8)]
    alpha, rank = sweep.panels(8)
    assert [alpha.value(point) for point in points] == [2, 8, None, None]
    assert [rank.value(point) for point in points] == [None, 16, 4, 32]
    assert LoraPoint(rank=16, alpha=2, epochs=3).name == "r16-a2-e3"
    assert LoraPoint(rank=16, alpha=2, epochs=1).overrides() == [
        "training.lora.rank=16", "training.lora.alpha=2", "training.epochs=1",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"--alphas.*came 'x'\n--rank: .*came 0\n--ranks: .*came -1"):
        read_sweep(rank=0, alphas="x", ranks="-1", epochs=1)


def test_a_sweep(tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke) -> None:
    output = tmp_path / "sweep"
    done = invoke(main, *arguments(output))
    assert done.returncode == 0, done.stderr
    rows = read_table(output)
    best = max((row for row in rows if row["rank"] == "4"), key=lambda row: (float(row["map25"]), -int(row["alpha"])))
    assert {(row["rank"], row["alpha"]) for row in rows} == {("4", "4"), ("4", "16"), ("2", best["alpha"])}
    assert (output / "sweep.png").read_bytes().startswith(b"\x89PNG")
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert run["best"] == {"rank": int(rows[0]["rank"]), "alpha": int(rows[0]["alpha"])}
    assert f"--set training.lora.rank={rows[0]['rank']}" in done.stdout
    table = (output / "sweep.csv").read_bytes()
    assert invoke(main, *arguments(output)).returncode == 0
    stages = json.loads((output / "run.json").read_text(encoding="utf-8"))["stages"]
    assert {stage["reused"] for stage in stages if "/" in stage["name"]} == {True}
    assert (output / "sweep.csv").read_bytes() == table


def test_faults_are_told_together(tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke) -> None:
    wrong = ("--alphas", "x", "--set", "training.method=full", "--misconceptions", tmp_path / "gone.csv")
    done = invoke(main, *arguments(tmp_path / "out", *wrong))
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("--alphas", "expected lora or qlora", "gone.csv"))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_the_same(
    tmp_path: Path,
    arguments: Callable[..., list[str]],
    invoke: Invoke,
    pipeline_process: Callable[..., tuple[list[str], dict[str, str]]],
) -> None:
    output = tmp_path / "killed"
    command, environment = pipeline_process("sweep_lora", *arguments(output))
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 240
        while not (output / "points" / "r4-a4" / "score.json").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (output / "sweep.csv").exists()
    assert invoke(main, *arguments(output)).returncode == 0
    for point in (output / "points").iterdir():
        left = sorted(path.name for path in point.iterdir())
        assert left == ["score.json", "score.json.manifest.json", "training.json"], f"{point.name}: {left}"
    assert invoke(main, *arguments(tmp_path / "whole")).returncode == 0
    assert (output / "sweep.csv").read_bytes() == (tmp_path / "whole" / "sweep.csv").read_bytes()
