import csv
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.sweep_negatives import main

ROOT = Path(__file__).parents[2]
Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
GRID = ("--batch-sizes", "8,16", "--negatives", "1", "--windows", "1-20", "--temperatures", "0.05")
POINTS = ("b8-n1-w1-20-t0.05", "b16-n1-w1-20-t0.05")


@pytest.fixture
def arguments(tiny_files: tuple[Path, ...], tiny_config: Path) -> Callable[..., list[str]]:
    """Give the command line of a tiny sweep of two points, one epoch each."""
    train, _test, misconceptions, _explanations = tiny_files

    def build(output: Path, *further: object) -> list[str]:
        data = ("--train", train, "--misconceptions", misconceptions, "--output", output, "--config", tiny_config)
        return [*map(str, data), *GRID, "--set", "training.epochs=1", *map(str, further)]

    return build


def read_table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reused(folder: Path) -> dict[str, bool]:
    stages = json.loads((folder / "run.json").read_text(encoding="utf-8"))["stages"]
    return {stage["name"]: stage["reused"] for stage in stages if "/" in stage["name"]}


def test_a_sweep_of_two_points(tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke) -> None:
    output = tmp_path / "sweep"
    done = invoke(main, *arguments(output))
    assert done.returncode == 0, done.stderr
    rows = read_table(output)
    assert {row["batch_size"] for row in rows} == {"8", "16"}
    assert float(rows[0]["map25"]) >= float(rows[1]["map25"])
    # In a batch of 16 a row has more other labels than in one of 8; 1 hard negative each.
    effective = {row["batch_size"]: float(row["effective_negatives"]) for row in rows}
    assert 8 <= effective["8"] < 15 < effective["16"] < 31
    for row in rows:
        assert 0 < float(row["map25_low"]) <= float(row["map25"]) <= float(row["map25_high"])
        assert 0 <= float(row["recall25"]) <= 1 and row["map25_seen"] and row["map25_unseen"]
    assert (output / "sweep.png").read_bytes().startswith(b"\x89PNG")
    for name in POINTS:
        left = sorted(path.name for path in (output / "points" / name).iterdir())
        assert left == ["score.json", "score.json.manifest.json", "training.json"], "models are deleted"
    told = [f"{float(row['map25']):11.4f}" for row in rows]
    assert done.stdout.index(told[0]) <= done.stdout.index(told[1])

    # Again, with one point more: the first two are not trained again.
    table = (output / "sweep.csv").read_bytes()
    again = invoke(main, *arguments(output))
    assert again.returncode == 0, again.stderr
    assert set(reused(output).values()) == {True}
    assert (output / "sweep.csv").read_bytes() == table
    further = invoke(main, *arguments(output, "--batch-sizes", "8,16,32", "--keep-models"))
    assert further.returncode == 0, further.stderr
    assert len(read_table(output)) == 3
    third = "b32-n1-w1-20-t0.05"
    assert {name for name, old in reused(output).items() if not old} == {f"{third}/retriever", f"{third}/score.json"}
    model = output / "points" / third / "retriever" / "model.safetensors"
    assert model.is_file()

    # A kept model outlives a later run that keeps none; another recipe trains all anew and says so.
    assert invoke(main, *arguments(output, "--batch-sizes", "32")).returncode == 0
    assert model.is_file()
    changed = invoke(main, *arguments(output, "--set", "training.seed=5"))
    assert "score.json: made again, since these keys differ: training" in changed.stderr


def test_faults_of_lists_ranges_and_files_are_told_together(
    tmp_path: Path, arguments: Callable[..., list[str]], invoke: Invoke
) -> None:
    gone = ("--misconceptions", tmp_path / "gone.csv")
    done = invoke(main, *arguments(tmp_path / "out", "--batch-sizes", "8,x", "--windows", "5", *gone))
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("--batch-sizes", "--windows", "gone.csv"))
    done = invoke(main, *arguments(tmp_path / "out", "--batch-sizes", "1", "--temperatures", "3", *gone))
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("batch_size", "temperature", "gone.csv"))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_the_same(
    tmp_path: Path,
    arguments: Callable[..., list[str]],
    invoke: Invoke,
    pipeline_process: Callable[..., tuple[list[str], dict[str, str]]],
) -> None:
    output, first = tmp_path / "killed", tmp_path / "killed" / "points" / POINTS[0]
    moments = (lambda: (first / "retriever" / "manifest.json").exists(), lambda: (first / "score.json").exists())
    for seen in moments:
        command, environment = pipeline_process("sweep_negatives", *arguments(output))
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            end = time.monotonic() + 240
            while not seen():
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
    assert reused(output)[f"{POINTS[0]}/score.json"] or reused(output)[f"{POINTS[0]}/retriever"]
