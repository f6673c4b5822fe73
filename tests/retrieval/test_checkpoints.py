from collections.abc import Callable
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

from retrieval.checkpoints import last_checkpoint, open_workspace, weights_hash
from retrieval.events import COMPLETE_MARK


def checkpoint(folder: Path, step: int, *, whole: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir()
    if whole:
        (made / COMPLETE_MARK).touch()
    return made


def test_the_last_whole_checkpoint_by_number(tmp_path: Path) -> None:
    work = tmp_path / "work"
    open_workspace(work, {"seed": 1}, resume=True)
    assert last_checkpoint(work) is None
    checkpoint(work, 9)
    newest = checkpoint(work, 10)
    half = checkpoint(work, 11, whole=False)
    assert last_checkpoint(work) == newest
    open_workspace(work, {"seed": 1}, resume=True)
    assert last_checkpoint(work) == newest
    assert not half.exists()


def test_other_settings_or_no_resume_start_anew(tmp_path: Path) -> None:
    work = tmp_path / "work"
    for settings, resume in (({"seed": 2, "window": (1, 5)}, True), ({"seed": 2, "window": (1, 5)}, False)):
        open_workspace(work, {"seed": 1}, resume=True)
        checkpoint(work, 5)
        open_workspace(work, settings, resume=resume)
        assert last_checkpoint(work) is None
    checkpoint(work, 5)
    open_workspace(work, settings, resume=True)  # the tuple is a list on disk, and still the same
    assert last_checkpoint(work) is not None


def test_a_hash_follows_the_weights(tiny: Callable[[], SentenceTransformer]) -> None:
    model = tiny()
    before = weights_hash(model)
    assert before == weights_hash(tiny())
    with torch.no_grad():
        list(model.parameters())[-1][0] += 1e-3
    assert weights_hash(model) != before
