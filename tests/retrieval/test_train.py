import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from training_toys import BANK, PAIRS, KilledError, recall_at_1, train, weights

from core.errors import InputError
from retrieval.train import train_retriever

Tiny = Callable[[], SentenceTransformer]


def test_it_learns_and_leaves_a_plain_folder(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny()
    before = recall_at_1(model)
    result = train(model, tmp_path / "model", epochs=8)
    assert recall_at_1(model) > max(before, 0.5)
    assert result.steps == 8 * 4  # 20 pairs: batches of 6, 6, 6 and 2
    assert result.minings == 4
    assert result.dropped.same_label > 0
    assert [row.epoch for row in result.history] == list(range(1, 9))
    assert result.history[-1].loss < result.history[0].loss
    assert not result.resumed
    assert result.best_score is None
    # at most 6 * 3 columns less the own one, and labels repeat, so something was masked
    assert 5 < result.effective_negatives < 17
    assert [path.name for path in tmp_path.iterdir()] == ["model"]  # no checkpoints left
    loaded = SentenceTransformer(str(result.model_dir), device="cpu")
    assert torch.equal(weights(loaded), weights(model))
    hosts = [
        path.name
        for path in result.model_dir.rglob("*")
        if path.suffix in {".md", ".json"} and "http" in path.read_text()
    ]
    assert hosts == []


def test_equal_seeds_give_equal_weights_and_others_do_not(tiny: Tiny, tmp_path: Path) -> None:
    models = [tiny(), tiny(), tiny()]
    for number, (model, seed) in enumerate(zip(models, (7, 7, 8), strict=True)):
        train(model, tmp_path / str(number), seed=seed, epochs=2)
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))


@pytest.mark.parametrize("checkpoint_every", [None, 3])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    tiny: Tiny, tmp_path: Path, checkpoint_every: int | None
) -> None:
    straight = tiny()
    expected = train(straight, tmp_path / "straight", score=recall_at_1, checkpoint_every=checkpoint_every)
    calls = []

    def dies_at_third_call(model: SentenceTransformer) -> float:
        calls.append(1)
        if len(calls) == 3:
            raise KilledError
        return recall_at_1(model)

    with pytest.raises(KilledError):
        train(tiny(), tmp_path / "again", score=dies_at_third_call, checkpoint_every=checkpoint_every)
    steps = sorted(int(path.name.split("-")[1]) for path in (tmp_path / "again.training").glob("checkpoint-*"))
    assert steps[-1] == (8 if checkpoint_every is None else 9)  # an epoch has 4 steps
    assert not (tmp_path / "again").exists()
    resumed = tiny()
    result = train(resumed, tmp_path / "again", score=recall_at_1, checkpoint_every=checkpoint_every)
    assert result.resumed
    assert torch.equal(weights(resumed), weights(straight))
    assert result.history == expected.history
    assert (result.best_score, result.best_epoch) == (expected.best_score, expected.best_epoch)
    assert (result.dropped, result.minings) == (expected.dropped, expected.minings)
    assert result.effective_negatives == pytest.approx(expected.effective_negatives, abs=1e-9)


def test_killed_after_the_last_epoch_it_only_finishes(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = tiny()
    train(straight, tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr("retrieval.train.thaw", lambda frozen: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            train(tiny(), tmp_path / "again")
    model = tiny()
    result = train(model, tmp_path / "again")
    assert result.resumed
    assert result.steps == 16
    assert torch.equal(weights(model), weights(straight))


def test_other_arguments_begin_anew(tiny: Tiny, tmp_path: Path) -> None:
    def dies(model: SentenceTransformer) -> float:
        raise KilledError

    with pytest.raises(KilledError):
        train(tiny(), tmp_path / "model", score=dies, evaluate_every=2)
    result = train(tiny(), tmp_path / "model", score=recall_at_1, evaluate_every=2, learning_rate=1e-3)
    assert not result.resumed


def test_the_best_epoch_is_kept_and_patience_stops(tiny: Tiny, tmp_path: Path) -> None:
    scores = iter([0.2, 0.9, 0.5, 0.4, 0.3])
    seen = []

    def score(model: SentenceTransformer) -> float:
        seen.append(weights(model))
        return next(scores)

    model = tiny()
    result = train(model, tmp_path / "model", epochs=8, score=score, patience=2)
    assert (result.best_score, result.best_epoch) == (0.9, 2)
    assert [row.score for row in result.history] == [0.2, 0.9, 0.5, 0.4]
    assert torch.equal(weights(model), seen[1])
    assert torch.equal(weights(SentenceTransformer(str(result.model_dir), device="cpu")), seen[1])


def test_scores_come_every_few_epochs_and_after_the_last(tiny: Tiny, tmp_path: Path) -> None:
    result = train(tiny(), tmp_path / "model", epochs=5, score=recall_at_1, evaluate_every=2)
    assert [row.score is not None for row in result.history] == [False, True, False, True, True]


def test_the_options_train_too(tiny: Tiny, tmp_path: Path) -> None:
    """Cached, chunked, checkpointed, random first negatives, guards, frozen layers: each changes the weights it may."""
    variants: list[dict[str, Any]] = [
        {"mini_batch_size": 4},
        {"chunk_rows": 4, "first_negatives": "random", "unique_columns": True},
        {"gradient_checkpointing": True, "near_duplicate_threshold": 0.99, "relative_margin": 0.05, "skip_top": 1},
        {"trainable_layers": 1, "query_prompt": "the student ", "negatives_per_query": 0, "max_length": 8},
    ]
    start = tiny()
    for number, changes in enumerate(variants):
        model = tiny()
        result = train(model, tmp_path / str(number), epochs=2, **changes)
        moved = {
            name
            for (name, a), b in zip(model.named_parameters(), start.parameters(), strict=True)
            if not torch.equal(a, b)
        }
        assert any("layer.1." in name for name in moved), changes
        assert any("layer.0." in name for name in moved) == ("trainable_layers" not in changes), changes
        assert result.minings == (0 if "first_negatives" in changes else 1)
        assert all(parameter.requires_grad for parameter in model.parameters())
    assert SentenceTransformer(str(tmp_path / "3"), device="cpu").max_seq_length == 8


def test_nothing_is_trained_on_labels_that_are_not_in_the_bank(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 labels .* 20"):
        train_retriever(
            tiny(), PAIRS, {id: text for id, text in BANK.items() if id != 20}, output_dir=tmp_path / "m", epochs=1
        )
    with pytest.raises(InputError, match="no training pairs"):
        train_retriever(tiny(), [], BANK, output_dir=tmp_path / "m", epochs=1)
    with pytest.raises(ValueError, match="epochs 0"):
        train(tiny(), tmp_path / "m", epochs=0)
    assert list(tmp_path.iterdir()) == []


_SCRIPT = """
import json, sys
from pathlib import Path
import torch
from sentence_transformers import SentenceTransformer
import training_toys
torch.set_num_threads(1)
model = SentenceTransformer(sys.argv[1], device="cpu")
slow = lambda model: (__import__("time").sleep(float(sys.argv[3])), 0.5)[1]
training_toys.train(model, Path(sys.argv[2]), epochs=6, checkpoint_every=1, score=slow)
"""


@pytest.mark.slow
def test_sigkill_at_any_moment(tiny_folder: Path, tmp_path: Path) -> None:
    """A real SIGKILL, several times over, then to the end: the same bytes as a run that was left alone."""
    here = Path(__file__).resolve().parent
    environment = {
        **os.environ,
        "PYTHONPATH": f"{here.parent.parent}{os.pathsep}{here.parent / 'helpers'}",
        "OMP_NUM_THREADS": "1",
    }

    def start(output: Path, pause: float) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", _SCRIPT, str(tiny_folder), str(output), str(pause)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    assert start(tmp_path / "straight", 0.0).wait(timeout=300) == 0
    for wait_steps in (2, 5):
        job = start(tmp_path / "killed", 0.3)
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline and not (tmp_path / f"killed.training/checkpoint-{wait_steps}").exists():
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.wait()
        assert not (tmp_path / "killed").exists()
    assert start(tmp_path / "killed", 0.0).wait(timeout=300) == 0
    for name in ("model.safetensors", "modules.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "straight"]
    assert json.loads((tmp_path / "killed" / "modules.json").read_text())


@pytest.mark.parametrize(("source", "drawn"), [("bank", set(BANK)), ("seen", {3, 5, 8, 11, 14, 20})])
def test_negatives_come_from_the_bank_or_from_seen_labels(
    tiny: Tiny, tmp_path: Path, source: str, drawn: set[int]
) -> None:
    found: set[int] = set()

    def score(model: SentenceTransformer) -> float:
        for table in (tmp_path / "m.training").glob("checkpoint-*/negatives.npy"):
            found.update(np.load(table).ravel().tolist())
        return 0.0

    train(tiny(), tmp_path / "m", epochs=3, mine_every=1, rank_window=(1, 8), negatives_from=source, score=score)
    assert found == drawn
