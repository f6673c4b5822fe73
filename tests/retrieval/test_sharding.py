"""A base sharded over two CPU processes trains the same adapter as a whole one on each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from decoder_toys import adapted

from core.errors import ModelError
from retrieval.sharding import is_sharded, shard_base, take_fsdp_request

_SCRIPT = """
import os, sys
from pathlib import Path
import torch
import decoder_toys, training_toys
from retrieval.adapted import adapter_weights
from retrieval.sharding import is_sharded, shard_base
torch.set_num_threads(1)
for kind in sys.argv[3:]:
    model = decoder_toys.adapted(Path(sys.argv[1])).model
    whole = sum(parameter.numel() for parameter in model.parameters())
    if "sharded" in kind:
        shard_base(model, device="cpu")
    held = sum(getattr(parameter, "to_local", lambda p=parameter: p)().numel() for parameter in model.parameters())
    changes = {"mini_batch_size": 2, "gradient_checkpointing": True} if "cached" in kind else {}
    folder = Path(sys.argv[2]) / kind
    result = training_toys.train(
        model, folder / "model", epochs=3, batch_size=5, score=training_toys.recall_at_1, mine_every=1, **changes
    )
    kept = {name: weight.detach() for name, weight in adapter_weights(model).items()}
    torch.save((result, kept, held / whole, is_sharded(model)), folder / ("rank" + os.environ["RANK"]))
"""
KINDS = ("whole", "sharded", "sharded-cached")


def launched(base: Path, folder: Path) -> dict[str, list[tuple]]:  # type: ignore[type-arg]
    """Train each kind in turn in the same two processes (starting them takes longer than training)."""
    import torch

    for kind in KINDS:
        (folder / kind).mkdir()
    root = Path(__file__).resolve().parents[2]
    script = folder / "job.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = os.pathsep.join(str(path) for path in (root, root / "tests" / "helpers"))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [*launch, str(script), str(base), str(folder), *KINDS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    return {kind: [torch.load(folder / kind / f"rank{rank}", weights_only=False) for rank in (0, 1)] for kind in KINDS}


@pytest.mark.slow
def test_two_processes_train_one_adapter_on_a_whole_or_sharded_base(tiny_decoder: Path, tmp_path: Path) -> None:
    import torch

    found = launched(tiny_decoder, tmp_path)
    whole = found.pop("whole")
    for kind, sharded in found.items():
        for (result, weights, share, is_shard), (expected, wanted, all_of_it, not_shard) in zip(
            sharded, whole, strict=True
        ):
            assert (is_shard, not_shard, all_of_it) == (True, False, 1.0)
            assert share < 0.75, "a process holds half of the layers, the embeddings and the adapter"
            assert result.steps == expected.steps == 6
            assert result.best_epoch == expected.best_epoch
            for name, weight in weights.items():
                torch.testing.assert_close(weight, wanted[name], rtol=0, atol=1e-4)
        assert all(torch.equal(sharded[0][1][name], sharded[1][1][name]) for name in sharded[0][1])
        assert (tmp_path / kind / "model" / "adapter_model.safetensors").is_file()


def test_what_cannot_be_sharded_is_refused(tiny_decoder: Path) -> None:
    encoder = adapted(tiny_decoder)
    with pytest.raises(ModelError, match="expected several processes"):
        shard_base(encoder.model, device="cpu")
    assert not is_sharded(encoder.model)
    with pytest.raises(ModelError, match="4-bit weights cannot be sharded"):
        shard_base(adapted(tiny_decoder, four_bit=True).model, device="cpu")


def test_the_launchers_request_is_taken_away_and_holds_for_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    take_fsdp_request.cache_clear()
    try:
        assert [take_fsdp_request(), take_fsdp_request()] == [True, True]
        assert "ACCELERATE_USE_FSDP" not in os.environ
    finally:
        take_fsdp_request.cache_clear()
