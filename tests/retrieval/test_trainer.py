import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from retrieval.loss import LabelAwareCachedMultipleNegativesRankingLoss, LabelAwareMultipleNegativesRankingLoss
from retrieval.trainer import label_aware_loss, training_arguments

Tiny = Callable[[], SentenceTransformer]


def arguments(model: SentenceTransformer, folder: Path, **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "warmup_ratio": 0.25,
        "weight_decay": 0.0,
        "precision": "float32",
        "seed": 3,
        "log_every": 5,
        **changes,
    }
    return training_arguments(model, folder, **settings)


def test_nothing_is_reported_or_saved_on_its_own(tiny: Tiny, tmp_path: Path) -> None:
    args = arguments(tiny(), tmp_path)
    assert args.report_to == []
    assert (args.save_strategy, args.eval_strategy) == ("no", "no")
    assert args.use_cpu
    assert not args.bf16
    assert args.get_warmup_steps(40) == 10
    assert arguments(tiny(), tmp_path, precision="bf16").bf16


def test_the_loss_is_the_one_asked_for(tiny: Tiny) -> None:
    common: dict[str, Any] = {"temperature": 0.05, "unique_columns": True, "gather": False, "chunk_rows": 8}
    plain = label_aware_loss(tiny(), mini_batch_size=None, **common)
    cached = label_aware_loss(tiny(), mini_batch_size=4, **common)
    assert type(plain) is LabelAwareMultipleNegativesRankingLoss
    assert type(cached) is LabelAwareCachedMultipleNegativesRankingLoss
    assert plain.scale == cached.scale == pytest.approx(20.0)
    assert (plain.chunk_rows, cached.mini_batch_size) == (8, 4)
    assert plain.unique_columns
    assert cached.unique_columns


_SCRIPT = """
import os, sys
from pathlib import Path
import torch
from sentence_transformers import SentenceTransformer
import training_toys
torch.set_num_threads(1)
for kind in sys.argv[3:]:
    model = SentenceTransformer(sys.argv[1], device="cpu")
    changes = {"plain": {}, "cached": {"mini_batch_size": 2}, "chunked": {"chunk_rows": 2}}[kind]
    folder = Path(sys.argv[2]) / kind
    result = training_toys.train(
        model, folder / "model", epochs=4, batch_size=5, score=training_toys.recall_at_1, mine_every=1, **changes
    )
    torch.save((result, training_toys.weights(model)), folder / ("rank" + os.environ["RANK"]))
"""
KINDS = ("plain", "cached", "chunked")


@pytest.fixture(scope="module")
def trained(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind, trained by `torchrun` with two CPU processes; starting them takes longest."""
    made = tmp_path_factory.mktemp("two")
    for kind in KINDS:
        (made / kind).mkdir()
    here = Path(__file__).resolve().parent
    environment = {
        **os.environ,
        "PYTHONPATH": f"{here.parent.parent}{os.pathsep}{here.parent / 'helpers'}",
        "OMP_NUM_THREADS": "1",
    }
    script = made / "job.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(script), str(tiny_folder), str(made), *KINDS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-12000:]
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_one_model(trained: Path, kind: str) -> None:
    """Equal weights on both, negatives gathered from both."""
    import torch

    folder = trained / kind
    results, weights = zip(*(torch.load(folder / f"rank{rank}", weights_only=False) for rank in (0, 1)), strict=True)
    assert torch.equal(*weights)
    assert results[0].steps == results[1].steps == 8  # 20 pairs, 5 on each of two processes
    assert results[0].best_epoch == results[1].best_epoch
    assert results[0].effective_negatives > 14  # one process alone has 15 columns, its own positive included
    saved = SentenceTransformer(str(folder / "model"), device="cpu")
    assert torch.equal(torch.cat([parameter.flatten() for parameter in saved.parameters()]), weights[0])
    assert not (folder / "model.training").exists()
